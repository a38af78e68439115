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
import pytest
import torch

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.cpu import native
from semantic_guidance.renderer.backends.cpu.backend import CpuBackend
from semantic_guidance.renderer.backends.cpu.code_cache import cache_folder
from semantic_guidance.renderer.backends.cpu.kernels.build import STAMP
from semantic_guidance.renderer.backends.cpu.kernels.machine_code import sources
from tests.renderer.gradients import gradient

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
