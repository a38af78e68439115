"""What a file is that was taken for a network's weights, by its first bytes, for messages."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
SAVE = "torch.save(network.state_dict(), FILE)"
"""How a network is written so that it can be read."""

_HEAD, _TAR = 512, 257
"""Bytes that are looked at, and where a tar archive has its mark."""

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_OTHERS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes",
    b"GGUF": "a GGUF file",
    b"\x93NUMPY": "an array of NumPy",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_UNPACK, _DOWNLOAD = "unpack it first", "download the file itself once more"

_NETWORKS = (".pkl", ".pth", ".pt", ".ckpt", ".bin", ".safetensors")


def foreign_kind(path: str | Path) -> tuple[str, str] | None:
    """What a file is, if it is known to be no checkpoint of PyTorch as such.

    Returns:
        Its kind, and what to do, perhaps empty; None if it may be one, or is like nothing known.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if head.startswith(POINTER):
        return "a pointer of Git LFS", "git lfs pull fetches the file that it stands for"
    if head[_TAR : _TAR + 5] == b"ustar":
        return "a tar archive", _UNPACK
    for mark, name in _PACKED.items():
        if head.startswith(mark):
            return f"compressed with {name}", _UNPACK
    for mark, kind in _OTHERS.items():
        if head.startswith(mark):
            return kind, ""
    if head[4:8] == b"TFL3":
        return "a network of TensorFlow Lite", ""
    if head.startswith(b"PK"):
        return _archive_kind(Path(path))
    if _is_onnx(head):
        return "a network in ONNX", ""
    return _text_kind(head)


def is_safetensors(path: str | Path) -> bool:
    """Whether a file begins like one of safetensors, whatever its name.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(10)
    return len(head) == 10 and head[8:9] == b"{" and head[5:8] == b"\0\0\0"


def _text_kind(head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")):
        return "a web page, such as asks whether to download a large file", _DOWNLOAD
    if start.startswith((b"<?xml", b"<error")):
        return "an answer in XML, such as tells why a download failed", _DOWNLOAD
    return None


def _is_onnx(head: bytes) -> bool:
    """ModelProto: the field ir_version, and then producer_name, a text, or opset_import or the graph."""
    if len(head) < 8 or head[0] != 0x08 or not 1 <= head[1] <= 30:
        return False
    name = head[4 : 4 + head[3]]
    return head[2] == 0x12 and 0 < head[3] < 64 and name.isascii() and name.decode("ascii").isprintable()


def _archive_kind(path: Path) -> tuple[str, str] | None:
    """What a ZIP archive is, unless it is one of PyTorch's, or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        return None
    ends = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in ends and "data.pkl" in ends:
        return "an archive of TorchScript, which is a program", f"write the weights alone, by {SAVE}"
    if any(name.casefold() == "data.pkl" for name in ends):
        return None
    if {"config.json", "model.weights.h5"} <= ends:
        return "a network of Keras", ""
    if packed := [name for name in names if name.lower().endswith(_NETWORKS)]:
        return f"a ZIP archive with {packed[0][:80]!r} in it", _UNPACK
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy", ""
    return "a ZIP archive without a network of PyTorch", ""
