"""The kernels that ship: of what they are made, where their code is kept, and what if they cannot be used."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
import torch

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.cpu import native
from semantic_guidance.renderer.backends.cpu.backend import CpuBackend
from semantic_guidance.renderer.backends.cpu.code_cache import cache_folder
from semantic_guidance.renderer.backends.cpu.kernels.build import STAMP
from semantic_guidance.renderer.backends.cpu.kernels.machine_code import sources
from semantic_guidance.renderer.backends.cpu.layout import KERNELS
from semantic_guidance.renderer.backends.cpu.pool import CHUNKS, POOL, Chunk, arguments, memory
from semantic_guidance.renderer.objective import Objective, Segment

ROOT = Path(__file__).parents[2]
PROGRAM = """
import hashlib, sys
from pathlib import Path
import numpy as np
from semantic_guidance.renderer.backends.cpu import bands, native, textured
from semantic_guidance.renderer.backends.cpu.easel import Easel
from semantic_guidance.renderer.backends.cpu.pool import NOTHING, POOL, memory
if "elsewhere" in sys.argv:
    native.MODULE = Path("missing")
POOL.most = POOL.count = int(sys.argv[1])
strokes = np.random.default_rng(0).random((60, 13), np.float32)
strokes[:, 6:8] *= 0.3
canvas, below = np.zeros((3, 190, 170), np.float32), np.zeros((3, 190, 170), np.float32)
grads = np.zeros((16, 60, 13), np.float32)
shape, tape = bands.Shape(1, 60, 190, 170), bands.Tape()
bands.paint(shape, memory(strokes), memory(canvas.copy()), memory(canvas), NOTHING, 1.0, tape)
bands.unpaint(shape, memory(strokes), memory(grads), memory(canvas), memory(below), NOTHING, 1.0, tape)
easel, oil = Easel(np.ones((3, 40, 60), np.float32)), np.zeros((4, 40, 60), np.float32)
easel.paint(strokes)
look = {"unit": 1.0, "bristle": 0.5, "dry": 0.3, "load": None, "mask": None, "grain": None, "levels": None}
textured.paint_textured(oil, strokes, "oil", seed=0, **look)
for array in (canvas, below, grads, easel.picture(), oil):
    assert array.any()
    print(hashlib.sha256(array.tobytes()).hexdigest())
print("numba" in sys.modules, "torch" in sys.modules)
"""


def run(home: Path, threads: int = 1, *words: str, **settings: str) -> tuple[list[str], str]:
    """What a new process with that home prints, and its complaints."""
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-c", PROGRAM, str(threads), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout.split(), done.stderr


def kept(home: Path) -> list[Path]:
    return sorted((home / ".cache" / "semantic-guidance").glob("*"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of somebody who has painted nothing."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def wanted(home: Path) -> list[str]:
    """What one thread prints, with the kernels that ship."""
    numbers, complaints = run(home)
    assert numbers[-2:] == ["False", "False"]  # neither Numba nor torch is loaded
    assert complaints == ""
    (code,) = kept(home)
    assert code.stat().st_mode & 0o777 == 0o600
    return numbers


@pytest.fixture
def another(home: Path, wanted: list[str], tmp_path: Path) -> Path:
    """The home of somebody for whom the first run has kept its code."""
    shutil.copytree(home / ".cache", tmp_path / ".cache")
    return tmp_path


def test_what_ships_is_made_of_the_sources():
    """Else: ``python -m semantic_guidance.renderer.backends.cpu.kernels.build``."""
    assert STAMP.read_text().strip() == sources()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_machine_code_is_kept_and_made_again_where_it_is_damaged(another: Path, wanted: list[str]):
    (code,) = kept(another)
    whole, written = code.read_bytes(), code.stat().st_mtime_ns
    assert run(another, 2) == (wanted, "")  # any number of threads
    assert code.stat().st_mtime_ns == written
    for damaged in (whole[:-100], whole[:5000] + b"\0" + whole[5001:], b""):
        code.write_bytes(damaged)
        numbers, complaints = run(another)
        assert numbers == wanted
        assert complaints == f"{code}: the compiled kernels are damaged, they are put aside and made again\n"
        aside = code.with_suffix(".damaged")
        assert kept(another) == sorted([code, aside])
        assert (code.read_bytes(), aside.read_bytes()) == (whole, damaged)
        aside.unlink()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_no_home_is_not_the_root_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    assert cache_folder() is None
    monkeypatch.setenv("HOME", "/home/anna")
    assert cache_folder() == Path("/home/anna/.cache/semantic-guidance")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_no_folder_for_caches_is_needed(tmp_path: Path, wanted: list[str]):
    (tmp_path / ".cache").write_text("a file")  # nobody can make a folder of it, not even root
    numbers, complaints = run(tmp_path, PYTHONWARNINGS="error")
    assert numbers == wanted
    (line,) = complaints.splitlines()
    assert line.startswith(f"the compiled kernels cannot be kept ({tmp_path}/.cache/semantic-guidance: ")
    assert "XDG_CACHE_HOME" in line
    assert kept(tmp_path) == []
    other = tmp_path / "other"
    assert run(tmp_path, XDG_CACHE_HOME=str(other)) == (wanted, "")
    assert len(list((other / "semantic-guidance").iterdir())) == 1


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_nothing_in_the_place_of_the_code_stops_a_run(another: Path, wanted: list[str]):
    (code,) = kept(another)
    whole = code.read_bytes()
    for put in (code.mkdir, lambda: os.mkfifo(code), lambda: code.symlink_to("/dev/zero")):
        code.unlink()
        put()
        numbers, complaints = run(another)
        assert numbers == wanted
        assert len(complaints.splitlines()) <= 1
        assert not code.is_symlink()
        assert code.read_bytes() == whole


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, wanted: list[str]):
    whole = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))\n{PROGRAM}"
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-B", "-c", whole, "1"]  # else Python leaves halves of its own
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == wanted
    (line,) = done.stderr.splitlines()
    assert "File too large" in line
    assert kept(tmp_path) == []


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_only_a_folder_of_ones_own_is_a_cache(
    another: Path, wanted: list[str], monkeypatch: pytest.MonkeyPatch
):
    """Neither one beside a person's work, nor code that others can write."""
    monkeypatch.chdir(another)
    (code,) = kept(another)
    written = code.stat().st_mtime_ns
    assert run(another, XDG_CACHE_HOME="here") == (wanted, "")
    assert not (another / "here").exists()
    assert kept(another) == [code]
    assert code.stat().st_mtime_ns == written
    code.write_bytes(hashlib.sha256(b"junk").digest() + b"junk")  # whole, but not ours
    for place in (code, code.parent):
        mode = place.stat().st_mode
        place.chmod(0o777)
        assert run(another) == (wanted, "")
        place.chmod(mode)
        code.write_bytes(hashlib.sha256(b"junk").digest() + b"junk")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody knows where home is
    assert cache_folder() is None


def test_first_runs_at_the_same_time(tmp_path: Path, wanted: list[str]):
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(run, [tmp_path] * 3)) == [(wanted, "")] * 3
    assert len(kept(tmp_path)) == 1


@pytest.mark.usefixtures("long")
def test_numba_takes_over_to_the_bit(tmp_path: Path, wanted: list[str]):
    """Compiled for this very machine, from the sources, the kernels give the same numbers."""
    numbers, complaints = run(tmp_path, 1, "elsewhere")
    assert numbers == [*wanted[:-2], "True", "False"]
    (line,) = complaints.splitlines()
    assert "the kernels that ship cannot be used" in line
    assert "Numba has compiled them" in line


def gradient() -> list[torch.Tensor]:
    """A painting and its gradient."""
    vectors = torch.rand(1, 60, 13, generator=torch.Generator().manual_seed(0)).requires_grad_()
    painted = render(Strokes.unpack(vectors), torch.zeros(1, 3, 190, 170))
    return [painted.detach(), *torch.autograd.grad(painted.square().sum(), vectors)]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="another kind of machine")
def test_a_processor_with_narrow_vectors_rounds_alike(monkeypatch: pytest.MonkeyPatch):
    wanted = gradient()
    triple = llvm.get_process_triple()
    code = native.emitted(native.MODULE.read_bytes(), triple, "x86-64", "")
    assert code != native.emitted(native.MODULE.read_bytes(), triple, "x86-64-v3", "")
    monkeypatch.setattr(native, "_loaded", [native.linked(code)])
    assert all(map(torch.equal, gradient(), wanted))


@pytest.mark.parametrize(
    ("triple", "cpu", "magic"),
    [
        ("aarch64-unknown-linux-gnu", "generic", b"\x7fELF"),
        ("arm64-apple-macosx14", "apple-m1", b"\xcf\xfa\xed\xfe"),
        ("x86_64-pc-windows-msvc", "x86-64", b"\x64\x86"),
    ],
)
def test_code_for_other_machines(triple: str, cpu: str, magic: bytes):
    """It is made, which is all that can be seen from here."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    assert native.emitted(native.MODULE.read_bytes(), triple, cpu, "").startswith(magic)


def test_without_any_the_reference_renders(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def fails(*_: object) -> None:
        raise ImportError("llvmlite is not for this machine")

    canvas, strokes = torch.zeros(1, 3, 12, 9), Strokes.unpack(torch.full((1, 2, 13), 0.4))
    ours = render(strokes, canvas)
    monkeypatch.setattr(native, "_loaded", [])
    monkeypatch.setattr(native, "_shipped", fails)
    monkeypatch.setattr(native, "_compiled", fails)
    assert not CpuBackend().supports(canvas.device, canvas.dtype)
    (line,) = caplog.messages
    assert re.search("llvmlite is not for this machine.*slow", line)
    assert torch.allclose(render(strokes, canvas), ours, atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
@pytest.mark.usefixtures("two_threads")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_paints():
    before = gradient()
    child = os.fork()
    if child == 0:
        os._exit(0 if all(map(torch.equal, gradient(), before)) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert all(map(torch.equal, gradient(), before))


def test_a_tape_of_several_chunks_and_its_second_use(monkeypatch: pytest.MonkeyPatch):
    """Chunks are filled band after band, a stroke that fits nowhere gets a larger one; and they are kept."""
    vectors = torch.rand(1, 40, 13, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def gradients() -> list[torch.Tensor]:
        canvas = torch.full((1, 3, 90, 130), 0.3, requires_grad=True)
        error = render(Strokes.unpack(vectors), canvas).square().sum()
        first = torch.autograd.grad(error, (vectors, canvas), retain_graph=True)
        again = torch.autograd.grad(error, (vectors, canvas))
        assert all(map(torch.equal, first, again))
        return list(first)

    wanted = gradients()
    for small, large in ((64, 64), (3000, 5000), (1, 20_000)):
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.bands.SMALL", small)
        monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.bands.LARGE", large)
        monkeypatch.setattr(CHUNKS, "_free", [])
        assert all(map(torch.equal, gradients(), wanted))
        CHUNKS.give([CHUNKS.take(1)])
        free = len(CHUNKS._free)
        assert free > 1
        assert all(map(torch.equal, gradients(), wanted))
        CHUNKS.give([CHUNKS.take(1)])
        assert free <= len(CHUNKS._free) < 1.1 * free  # some fit worse than others


class Fenced(Chunk):
    """A chunk with numbers behind each array that must not change."""

    FENCE = 4096

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.whole = {}
        for name, array in self.arrays.items():
            self.whole[name] = np.full(len(array) + self.FENCE, 77, array.dtype)
            self.arrays[name] = self.whole[name][: len(array)]
        self.block = [number for array in self.arrays.values() for number in memory(array)[:2]]

    @property
    def intact(self) -> bool:
        return all((array[-self.FENCE :] == 77).all() for array in self.whole.values())


@pytest.mark.parametrize("softness", [1.0, 2.0, 3.0, 30.0])
def test_the_tape_ends_where_it_ends(softness: float, monkeypatch: pytest.MonkeyPatch):
    """Cones are wider in a row than at either of their ends."""
    made: list[Fenced] = []

    def fenced(size: int) -> Fenced:
        made.append(Fenced(size))
        return made[-1]

    cpu = "semantic_guidance.renderer.backends.cpu"
    monkeypatch.setattr(f"{cpu}.pool.Chunk", fenced)
    monkeypatch.setattr(f"{cpu}.bands.SMALL", 1)  # so that each chunk is as long as the first stroke needs
    monkeypatch.setattr(f"{cpu}.bands.LARGE", 1)
    monkeypatch.setattr(CHUNKS, "_free", [])
    generator = torch.Generator().manual_seed(0)
    for height, width in ((64, 64), (8, 200), (41, 57), (1, 30)):
        vectors = torch.rand(1, 300, 13, generator=generator)
        vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2) + 0.2 * (vectors[..., 2:6] - 0.5)
        vectors[..., 6:8] *= 0.15 * vectors[..., 6:8]
        vectors.requires_grad_()
        render(Strokes.unpack(vectors), torch.zeros(1, 3, height, width), softness=softness).sum().backward()
    CHUNKS.take(1)
    assert len(made) > 100
    assert all(chunk.intact for chunk in made)


@pytest.mark.parametrize("exponent", [3, 6, 8, 9, 12, 19, 25, 37, 38])
def test_strokes_that_are_far_away_or_giant(exponent: int):
    """Whatever overflows: nothing but these strokes' own numbers is lost."""
    far = 10.0**exponent
    canvas = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    for sign in ((1, 1), (1, 0), (-1, -1), (0, -1), (-1, 1)):
        vectors = torch.full((1, 3, 13), 0.4)
        vectors[0, 1, :6] = torch.tensor([sign[0] * far, sign[1] * far] * 3)
        vectors[0, 1, :2] = 0.5 if exponent % 2 else vectors[0, 1, 2:4]
        vectors.requires_grad_()
        painted = render(Strokes.unpack(vectors), canvas)
        painted.sum().backward()
        others = Strokes.unpack(vectors.detach()[:, [0, 2]])
        if exponent % 2 == 0:
            assert torch.equal(painted, render(others, canvas))
    vectors = torch.full((1, 1, 13), 0.4)
    vectors[..., 6:8] = far  # covers everything
    if exponent < 19:  # beyond, single precision has no squares of it
        assert torch.allclose(
            render(Strokes.unpack(vectors), canvas)[0, 0], canvas[0, 0] * 0.6 + 0.16, atol=1e-5
        )


def test_the_kind_of_number_that_torch_makes_by_default_does_not_matter():
    wanted = gradient()
    planes = torch.zeros(0, 20, 30), torch.zeros(3, 20, 30), torch.ones(3, 20, 30), torch.ones(20, 30)
    vectors, objective = torch.full((2, 13), 0.4), Objective((Segment(2, None, 1.0),), *planes)
    costs = objective.removal_costs(vectors, 1.0)
    canvas = torch.rand(1, 3, 20, 30).requires_grad_()
    below = torch.autograd.grad(render(Strokes.unpack(vectors[None]), canvas).sum(), canvas)
    torch.set_default_dtype(torch.float64)
    try:
        start = torch.zeros(1, 3, 190, 170, dtype=torch.float32)
        strokes = torch.rand(1, 60, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        painted = render(Strokes.unpack(strokes.requires_grad_()), start)
        assert torch.equal(painted, wanted[0])
        assert torch.equal(*torch.autograd.grad(painted.square().sum(), strokes), wanted[1])
        assert all(map(torch.equal, objective.removal_costs(vectors, 1.0), costs))
        again = torch.autograd.grad(render(Strokes.unpack(vectors[None]), canvas).sum(), canvas)
        assert all(map(torch.equal, again, below))
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_mask_that_has_changed_is_noticed():
    vectors, mask = torch.full((1, 2, 13), 0.4, requires_grad=True), torch.rand(1, 1, 20, 20)
    painted = render(Strokes.unpack(vectors), torch.zeros(1, 3, 20, 20), mask)
    mask += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        painted.sum().backward()


def test_chunks_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.pool.KEPT", 100_000)
    monkeypatch.setattr(CHUNKS, "_free", [])
    CHUNKS.give([CHUNKS.take(size) for size in (10_000, 6_000, 100, 50_000)])
    assert CHUNKS.take(5_000).size == 6_000
    assert [chunk.size for chunk in CHUNKS._free] == [100, 10_000]


def test_arrays_of_another_kind_are_refused():
    wrong = memory(np.zeros(13))
    values = dict.fromkeys(KERNELS["yuv"].whole, 0)
    with pytest.raises(TypeError, match="yuv: canvas is float64, wanted float32"):
        arguments("yuv", **values, canvas=wrong, luma=wrong, blue=wrong, red=wrong)
    with pytest.raises(TypeError, match="gaps"):
        memory(np.zeros((4, 4))[:, ::2])


@pytest.mark.usefixtures("two_threads")
def test_where_no_thread_can_start_the_caller_does_it_all():
    done = []
    POOL._helpers.shutdown()
    POOL.run(lambda first, step: done.append((first, step)), 8)
    assert done == [(0, 2), (1, 2)]


@pytest.mark.usefixtures("two_threads")
def test_what_fails_on_another_thread_is_told():
    done = []

    def work(first: int, step: int) -> None:
        if first == 1:
            raise KeyError(step)
        done.append(first)

    with pytest.raises(KeyError, match="2"):
        POOL.run(work, 8)
    assert done == [0]
