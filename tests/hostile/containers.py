"""Damage to files of parts: headers of tensors, archives, matrices below compression, directories of EXIF."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from random import Random

from tests.hostile.mutate import NAMES, mutated_bytes, mutated_json


def mutated_safetensors(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """A file of tensors with another header, another config in it, other numbers, or other bytes."""
    if rng.random() < 0.2:
        return mutated_bytes(data, rng, others)
    length = struct.unpack("<Q", data[:8])[0]
    header, values = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = rng.random()
    if kind < 0.6:
        about = header["__metadata__"]
        about["config"] = mutated_json(json.loads(about["config"]), rng)
        text = json.dumps(header)
    elif kind < 0.8:
        text = mutated_json(header, rng)
    else:
        text = json.dumps(header)
        start = rng.randrange(0, max(2, len(values)), 2)
        half = struct.pack("<e", rng.choice((float("nan"), float("inf"), 6e4, -6e4, 0.0)))
        values = values[:start] + half * rng.choice((1, 50, 5000)) + values[start:]
        values = values[: len(data) - 8 - length]
    encoded_text = text.encode("utf-8", "surrogatepass")
    wrong = rng.choice((0, 0, 0, 0, 0, 0, 1, -1, 1 << 20, (1 << 63) - 1))
    return struct.pack("<Q", max(0, len(encoded_text) + wrong)) + encoded_text + values


def mutated_zip(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """A zip archive one of whose members is damaged, with the right checksum, or left out."""
    if rng.random() < 0.3:
        return mutated_bytes(data, rng, others)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([*members, *(each for each in members if each.endswith(".pkl"))] * 2)
    kind = rng.randrange(8)
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[name] = bytes(rng.choice((0, 1, 50 << 20)))
    elif kind == 2:
        members[rng.choice(NAMES[:6])] = members[name]
    else:
        members[name] = mutated_bytes(members[name], rng, tuple(members.values()))
    packed = io.BytesIO()
    how = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(packed, "w", how) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return packed.getvalue()


def mutated_mat(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """A MATLAB file of version 5: damage below its compression, or to the whole."""
    if rng.random() < 0.5 or data[128:132] != struct.pack("<I", 15):
        return mutated_bytes(data, rng, others)
    length = struct.unpack("<I", data[132:136])[0]
    try:
        inner = mutated_bytes(zlib.decompress(data[136 : 136 + length]), rng)
    except zlib.error:  # it is damaged already
        return mutated_bytes(data, rng, others)
    packed = zlib.compress(inner)
    return data[:128] + struct.pack("<II", 15, len(packed)) + packed + data[136 + length :]


TAGS = (
    0x0100,
    0x010F,
    0x0110,
    0x0111,
    0x0112,
    0x011A,
    0x0132,
    0x02BC,
    0x8769,
    0x8825,
    0x9286,
    0x927C,
    0xA005,
)
"""Of EXIF: sizes, makers, times, other blocks of tags."""


def damaged_exif(rng: Random, orientation: int) -> bytes:
    """An EXIF block with this orientation whose entries have wrong types, counts and places."""
    order = rng.choice(("<", ">"))
    entries = [(0x0112, 3, 1, orientation)]
    for _ in range(rng.randrange(6)):
        tag = rng.choice((*TAGS, rng.randrange(1 << 16)))
        kind = rng.choice((*range(14), 16, 129, 65535))
        count = rng.choice((0, 1, 2, 4, 5, 1000, 1 << 28, (1 << 32) - 1))
        entries.append((tag, kind, count, rng.choice((0, 8, 26, 60, (1 << 32) - 1))))
    rng.shuffle(entries)
    said = rng.choice((len(entries), len(entries), len(entries) + 1, 0, 65535))
    block = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, said)
    for tag, kind, count, value in entries:
        block += struct.pack(f"{order}HHI", tag, kind, count)
        short = kind == 3 and count == 1
        block += struct.pack(f"{order}HH", value & 0xFFFF, 0) if short else struct.pack(f"{order}I", value)
    block += struct.pack(f"{order}I", rng.choice((0, 0, 8, 1 << 30))) + rng.randbytes(rng.choice((0, 40)))
    return b"Exif\x00\x00" + (mutated_bytes(block, rng) if rng.random() < 0.3 else block)
