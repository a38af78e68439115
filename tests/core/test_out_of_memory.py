"""A lack of memory is one line, whoever tells of it."""

from __future__ import annotations

import argparse
import errno
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.apps.cli import main as program
from semantic_guidance.core import memory
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.memory import free_memory, out_of_memory

SHORT = {
    "python": lambda: bytearray(1 << 62),
    "numpy": lambda: np.empty(1 << 58),
    "torch": lambda: torch.empty(1 << 55),
    "opencv": lambda: cv2.resize(np.zeros((2, 2), np.float32), (1 << 30, 1 << 30)),
}
"""Each asks for more than any machine has."""

OTHER = (
    ValueError("Cannot"),
    RuntimeError("size mismatch"),
    OSError(errno.ENOSPC, "No space left"),
    KeyError(1),
)


@pytest.mark.parametrize("kind", SHORT)
def test_each_library_s_own_words_are_known(kind):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        SHORT[kind]()
    reason = out_of_memory(caught.value)
    assert reason
    assert "\n" not in reason


def test_other_words():
    assert (
        out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory")) == "[Errno 12] Cannot allocate memory"
    )
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")) == (
        "CUDA out of memory. Tried to allocate 2 GiB"
    )
    assert out_of_memory(MemoryError()) == "memory was short"
    assert [out_of_memory(error) for error in OTHER] == [None] * len(OTHER)


@pytest.mark.parametrize("kind", SHORT)
def test_a_command_says_what_to_make_smaller(kind):
    command = SimpleNamespace(run=lambda args: SHORT[kind](), SMALLER="a smaller --size")
    with pytest.raises(InputError, match=r"^out of memory \(.+\): wanted a smaller --size, or a machine"):
        program._done(command, argparse.Namespace())


def test_other_errors_of_commands_stay_what_they_are():
    def run(args: argparse.Namespace) -> int:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        program._done(SimpleNamespace(run=run), argparse.Namespace())


def test_free_memory_knows_the_machine_its_groups_and_own_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    free = free_memory()
    assert free is not None
    assert 0 < free < 1 << 50
    group = tmp_path / "box" / "job"
    group.mkdir(parents=True)
    for name, text in (("memory.max", "max"), ("memory.current", "5")):
        (group / name).write_text(text)
    (tmp_path / "box" / "memory.max").write_text("3000000\n")
    (tmp_path / "box" / "memory.current").write_text("1500000\n")
    (tmp_path / "box" / "memory.stat").write_text("anon 1000000\ninactive_file 500000\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    real = memory._read
    told = {"/proc/self/cgroup": "0::/box/job\n", "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 8000 kB\n"}
    monkeypatch.setattr(memory, "_read", lambda path: told.get(str(path)) or real(path))
    assert free_memory() == 2_000_000  # the cache of files counts as free
    told["/proc/meminfo"] = "MemAvailable: 1000 kB\n"
    assert free_memory() == 1_024_000


def test_control_groups_of_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the kernel's documentation has it: the numbers' names, and `memory` among several controllers."""
    group = tmp_path / "memory" / "docker" / "1a"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("2000000000\n")
    (group / "memory.usage_in_bytes").write_text("600000000\n")
    (group / "memory.stat").write_text("cache 9\ninactive_file 1\ntotal_inactive_file 100000000\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("700000000\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OLD_GROUPS", tmp_path / "memory")
    real = memory._read
    told = {"/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory,hugetlb:/docker/1a\n0::/\n"}
    told["/proc/meminfo"] = "MemAvailable: 90000000 kB\n"
    monkeypatch.setattr(memory, "_read", lambda path: told.get(str(path)) or real(path))
    assert free_memory() == 1_500_000_000


def test_what_hides_a_lack_of_memory_is_one():
    """As llvmlite does, whose own words only say that its library was not found."""
    words = "a.so: failed to map segment from shared object"
    hidden, told = OSError("Could not find/load shared object file"), InputError("a.png is too large")
    hidden.__context__ = OSError(words)
    assert out_of_memory(hidden) == words
    told.__context__, told.__suppress_context__ = MemoryError(), True  # as `from None` has it
    assert out_of_memory(told) is None


SMALL = {
    "train": (300, ["--dataset=folder", "--data=."]),
    "paint": (1200, ["a.png", "--strokes=20", "--formats=png"]),
    "preprocess": (900, ["--data=."]),
    "evaluate": (1200, [".", "--strokes=20"]),
}
"""Megabytes of addresses, and a command for which they are too few: to load torch, the kernels, an agent."""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of addresses")
@pytest.mark.parametrize("command", SMALL)
def test_commands_without_memory_end_in_one_line(command: str, tmp_path: Path):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    birds = tmp_path / "cub200" / "CUB_200_2011"
    (birds / "images").mkdir(parents=True)
    (birds / "images.txt").write_text("1 a.jpg\n")
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(birds / "images" / "a.jpg")
    room, words = SMALL[command]
    line = [sys.executable, "-m", "semantic_guidance.apps.cli.main", command, *words]

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (room * 10**6, room * 10**6))

    done = subprocess.run(line, cwd=tmp_path, preexec_fn=bounded, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "memory" in done.stderr
    assert "wanted" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits of addresses")
def test_a_render_that_does_not_fit_is_told_before_the_work(tmp_path):
    from semantic_guidance.export.strokes_json import strokes
    from semantic_guidance.painting.drawing import Drawing, DrawnLayer

    packed = np.random.default_rng(0).random((4, 13)).astype(np.float32)
    strokes.write(Drawing((DrawnLayer(packed),), (1.0, 1.0, 1.0), 64, 64), tmp_path / "a.json")
    command = [sys.executable, "-m", "semantic_guidance.apps.cli.main", "render", "a.json", "--size", "8192"]

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000))

    done = subprocess.run(
        command, cwd=tmp_path, preexec_fn=bounded, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--size" in done.stderr
    assert "memory" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
