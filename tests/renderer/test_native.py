"""The kernels that ship: of what they are made, where their code is kept, and what if they cannot be used."""

from __future__ import annotations

import os
import platform
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
from semantic_guidance.renderer.backends.cpu.kernels.build import STAMP
from semantic_guidance.renderer.backends.cpu.kernels.machine_code import sources
from semantic_guidance.renderer.backends.cpu.layout import KERNELS
from semantic_guidance.renderer.backends.cpu.pool import CHUNKS, POOL, arguments, memory

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, warnings, torch
from pathlib import Path
from semantic_guidance.renderer.backends.cpu import native
from semantic_guidance.renderer.backends.cpu.layout import KERNELS
from semantic_guidance.renderer.backends.cpu.pool import POOL
if "elsewhere" in sys.argv:
    native.MODULE = Path("missing")
POOL.most = POOL.count = int(sys.argv[1])
from semantic_guidance import Strokes, render
vectors = torch.rand(1, 60, 13, generator=torch.Generator().manual_seed(0)).requires_grad_()
painted = render(Strokes.unpack(vectors), torch.zeros(1, 3, 190, 170))
painted.square().sum().backward()
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.painting.brushes import Brush
oil = Painting((Layer(Strokes.unpack(vectors.detach())),), (1.0, 1.0, 1.0), 60, 40, brush=Brush("oil")).canvas
sums = painted, vectors.grad, oil
print(*(values.double().sum().item().hex() for values in sums), "numba" in sys.modules)
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
def wanted(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What one thread prints, with the kernels that ship."""
    numbers, complaints = run(tmp_path_factory.mktemp("home"))
    assert numbers[-1] == "False"  # Numba is not loaded
    assert complaints == ""
    return numbers


def test_what_ships_is_made_of_the_sources():
    """Else: ``python -m semantic_guidance.renderer.backends.cpu.kernels.build``."""
    assert STAMP.read_text().strip() == sources()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_machine_code_is_kept_and_made_again_where_it_is_damaged(tmp_path: Path, wanted: list[str]):
    assert run(tmp_path) == (wanted, "")
    (code,) = kept(tmp_path)
    whole, written = code.read_bytes(), code.stat().st_mtime_ns
    assert run(tmp_path, 2) == (wanted, "")  # any number of threads
    assert code.stat().st_mtime_ns == written
    for damaged in (whole[:-100], whole[:5000] + b"\0" + whole[5001:], b""):
        code.write_bytes(damaged)
        assert run(tmp_path) == (wanted, "")
        assert kept(tmp_path) == [code]
        assert code.read_bytes() == whole


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="caches are elsewhere there")
def test_no_folder_for_caches_is_needed(tmp_path: Path, wanted: list[str]):
    (tmp_path / ".cache").write_text("a file")  # nobody can make a folder of it, not even root
    assert run(tmp_path) == (wanted, "")
    assert kept(tmp_path) == []
    other = tmp_path / "other"
    assert run(tmp_path, XDG_CACHE_HOME=str(other)) == (wanted, "")
    assert len(list((other / "semantic-guidance").iterdir())) == 1


def test_first_runs_at_the_same_time(tmp_path: Path, wanted: list[str]):
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(run, [tmp_path] * 3)) == [(wanted, "")] * 3
    assert len(kept(tmp_path)) == 1


def test_numba_takes_over_to_the_bit(tmp_path: Path, wanted: list[str]):
    """Compiled for this very machine, from the sources, the kernels give the same numbers."""
    numbers, complaints = run(tmp_path, 1, "elsewhere")
    assert numbers == [*wanted[:-1], "True"]
    (line,) = (line for line in complaints.splitlines() if "Warning" in line)
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


def test_without_any_the_reference_renders(monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise ImportError("llvmlite is not for this machine")

    canvas, strokes = torch.zeros(1, 3, 12, 9), Strokes.unpack(torch.full((1, 2, 13), 0.4))
    ours = render(strokes, canvas)
    monkeypatch.setattr(native, "_loaded", [])
    monkeypatch.setattr(native, "_shipped", fails)
    monkeypatch.setattr(native, "_compiled", fails)
    with pytest.warns(UserWarning, match="llvmlite is not for this machine.*slow"):
        assert not CpuBackend().supports(canvas.device, canvas.dtype)
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
        free = len(CHUNKS._free)
        assert free > 1
        assert all(map(torch.equal, gradients(), wanted))
        assert len(CHUNKS._free) == free


def test_chunks_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("semantic_guidance.renderer.backends.cpu.pool.KEPT", 100_000)
    monkeypatch.setattr(CHUNKS, "_free", [])
    CHUNKS.give([CHUNKS.take(size) for size in (10_000, 6_000, 100, 50_000)])
    assert [chunk.size for chunk in CHUNKS._free] == [100, 6_000, 10_000]
    assert CHUNKS.take(5_000).size == 6_000


def test_arrays_of_another_kind_are_refused():
    wrong = memory(np.zeros(13))
    values = dict.fromkeys(KERNELS["yuv"].whole, 0)
    with pytest.raises(TypeError, match="yuv: canvas is float64, wanted float32"):
        arguments("yuv", **values, canvas=wrong, luma=wrong, blue=wrong, red=wrong)
    with pytest.raises(TypeError, match="gaps"):
        memory(np.zeros((4, 4))[:, ::2])


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
