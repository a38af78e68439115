"""Files that are whole or not there: whatever is at their name, on full disks, after a kill."""

from __future__ import annotations

import errno
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.core import files
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import naming, replacing, sweep
from semantic_guidance.export.image import write_picture

ROOT = Path(__file__).parents[2]
HERE = f"{zlib.crc32(platform.node().encode()) & 0xFFFF:04x}"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def child(program: str, *words: object, **more: object) -> subprocess.CompletedProcess[str]:
    """A Python process that has ended."""
    command = [sys.executable, "-B", "-c", program, *map(str, words)]  # -B: else Python leaves halves, too
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, **more)


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(FileNotFoundError), replacing(path) as draft:
        draft.write_bytes(b"half" + (tmp_path / "missing").read_bytes())
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@POSIX
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("size", [3, 300_000])  # more than a pipe holds
def test_a_pipe_is_written_to(tmp_path: Path, linked: bool, size: int):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with replacing(link if linked else pipe) as draft:
        draft.write_bytes(bytes(size))
    reader.join(10)
    assert read == [bytes(size)]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


@POSIX
def test_a_pipe_that_nobody_reads_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(InputError, match="nobody reads from this pipe"),
        replacing(tmp_path / "pipe") as draft,
    ):
        draft.write_text("unheard")
    assert os.listdir(tmp_path) == ["pipe"]


@POSIX
def test_devices_are_not_replaced(tmp_path: Path):
    """A copy of /dev/null, if this is root, so that nothing is lost where the test fails."""
    null, link = tmp_path / "null", tmp_path / "link"
    try:
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError:
        pytest.skip("only root makes devices")
    link.symlink_to(null)
    for path in (null, link):
        with replacing(path) as draft:
            draft.write_text("nothing")
        assert stat.S_ISCHR(null.stat().st_mode)
    assert link.is_symlink()
    disk = tmp_path / "disk"
    os.mknod(disk, stat.S_IFBLK | 0o666, os.makedev(7, 250))
    with pytest.raises(InputError, match="disk"), replacing(disk):
        pass
    assert stat.S_ISBLK(disk.stat().st_mode)


@POSIX
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # whose name may be too long for one
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(InputError, match="socket"), replacing(Path("socket")):
            pass
    assert stat.S_ISSOCK(Path("socket").stat().st_mode)


OUTPUTS = [
    *("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", "/proc/self/task/../fd/1"),
    *("/dev/../dev/fd/1", "link", "second", "folder/1"),
]
SAY = """
import os, sys
from pathlib import Path
from semantic_guidance.core.files import replacing
if "unsaid" in sys.argv:
    sys.stdout = None  # as where it was closed from the start
for name in sys.argv[1:]:
    with replacing(Path(name)) as draft:
        draft.write_text("said")
"""


@POSIX
def test_standard_output_is_written_to(tmp_path: Path):
    """Whatever leads to it, and though it may be a file, which is neither replaced nor begun anew."""
    (tmp_path / "link").symlink_to("/dev/fd/1")
    (tmp_path / "second").symlink_to("link")
    (tmp_path / "folder").symlink_to("/dev/fd")
    names = [name for name in OUTPUTS if (tmp_path / name).parent.exists()]
    assert child(SAY, *names, cwd=tmp_path).stdout == "said" * len(names)
    (tmp_path / "file").write_text("before, ")
    before = (tmp_path / "file").stat().st_ino
    with (tmp_path / "file").open("a") as out:
        command = [sys.executable, "-c", SAY, *names, "unsaid"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, stdout=out, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "file").read_text() == "before, " + "said" * len(names)
    assert (tmp_path / "file").stat().st_ino == before
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "link", "second", "unsaid"]


@POSIX
def test_a_full_device_names_itself():
    if not Path("/dev/full").exists():
        pytest.skip("no such device")
    with pytest.raises(OSError, match="No space left") as caught, replacing(Path("/dev/full")) as draft:
        draft.write_text("much")
    assert caught.value.filename == "/dev/full"


def save_film(draft: Path, noise: np.ndarray) -> None:
    with av.open(str(draft), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 300
        for _ in range(9):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
        container.mux(stream.encode(None))


FULL = {
    "png": lambda draft, noise: Image.fromarray(noise).save(draft, "PNG"),
    "torch": lambda draft, noise: torch.save(torch.from_numpy(noise), draft),
    "open": lambda draft, noise: torch.save(torch.from_numpy(noise), draft.open("wb")),
    "npz": lambda draft, noise: np.savez(draft.open("wb"), noise),
    "txt": lambda draft, noise: draft.write_text("x" * 100_000),
    "mp4": save_film,
}


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file may grow beyond 20,000 bytes, as if a disk were full."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # else Python leaves halves, too
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@POSIX
@pytest.mark.usefixtures("small_files")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_told_with_the_files_name(tmp_path: Path):
    """Libraries say it in many ways, or not at all; a limit of a file's size stands for a disk's."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    picture = torch.from_numpy(noise / 255).permute(2, 0, 1)
    for name, save in FULL.items():
        with pytest.raises(OSError, match="File too large") as caught, replacing(tmp_path / name) as draft:
            save(draft, noise)
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / name))
    for name in ("a.jpg", "a.webp", "a.png"):
        with pytest.raises(OSError, match="File too large") as caught:
            write_picture(picture, tmp_path / name)
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / name))
    assert os.listdir(tmp_path) == []


def test_other_errors_stay_what_they_are(tmp_path: Path):
    for error in (RuntimeError("a"), InputError("b"), OSError("c"), FileNotFoundError(2, "d", "other")):
        with pytest.raises(type(error)) as caught, replacing(tmp_path / "x"):
            raise error
        assert caught.value is error
    with pytest.raises(OSError, match="log") as named, naming(tmp_path / "log"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert named.value.filename == str(tmp_path / "log")
    assert os.listdir(tmp_path) == []


@POSIX
def test_drafts_of_killed_processes_are_swept_and_those_of_others_are_not(tmp_path: Path):
    program = """
import sys, time
from pathlib import Path
from semantic_guidance.core.files import replacing
with replacing(Path(sys.argv[1])) as draft:
    draft.write_text("half")
    print(draft.name, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.txt")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    living, killed = (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)
    )
    assert living.stdout is not None
    assert killed.stdout is not None
    name, dead = living.stdout.readline().strip(), killed.stdout.readline().strip()
    killed.kill()
    killed.communicate()
    assert {name, dead} == set(os.listdir(tmp_path))
    foreign = tmp_path / ".0123456701ff.part.png" if HERE != "01ff" else tmp_path / ".0123456701fe.part.png"
    aged = tmp_path / ".01234567abcd.part"
    keep = [".profile.part", ".012345678.part.png", "a.part", ".0123456789ab.partly"]
    for path in (foreign, aged, *(tmp_path / each for each in keep)):
        path.touch()
    os.utime(aged, (0, 0))
    with replacing(tmp_path / "b.txt") as draft:
        draft.write_text("whole")
    assert set(os.listdir(tmp_path)) == {name, foreign.name, "b.txt", *keep}
    sweep(tmp_path, alone=True)
    assert set(os.listdir(tmp_path)) == {name, "b.txt", *keep}
    living.send_signal(signal.SIGKILL)
    living.communicate()


@POSIX
def test_many_writers_and_sweepers_lose_nothing(tmp_path: Path):
    """Between its making and its locking, a draft may be taken for a dead process's."""
    done, errors = threading.Event(), []

    def write(number: int) -> None:
        try:
            for turn in range(150):
                with replacing(tmp_path / f"{number}.txt") as draft:
                    draft.write_text(str(turn))
        except OSError as error:
            errors.append(error)

    def clean() -> None:
        while not done.is_set():
            sweep(tmp_path)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    cleaner = threading.Thread(target=clean)
    for thread in (cleaner, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    cleaner.join()
    assert errors == []
    assert {path.read_text() for path in tmp_path.iterdir()} == {"149"}


def test_a_large_folder_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    looked = []
    monkeypatch.setattr(files, "sweep", lambda folder: looked.append(folder))
    for n in range(5):
        with replacing(tmp_path / f"{n}") as draft:
            draft.touch()
    assert looked == [tmp_path]
