"""Agents' files, damaged by chance and by intent."""

from __future__ import annotations

import io
import json
import math
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from semantic_guidance.agents.dense.files import save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.ltp.checkpoint import write_ltp_state
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS

Damage = Callable[[bytes, random.Random], bytes]

VALUES = (
    0,
    -1,
    1,
    2.5,
    8,
    3000,
    4096,
    2**32,
    10**30,
    1e30,
    math.inf,
    math.nan,
    None,
    True,
    "",
    "4",
    [],
    [2],
    {},
)
"""What may stand in the place of a setting."""

SIZES = (0, 1, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1)

NAMES = (
    b"builtins\nbytearray",
    b"builtins\nset",
    b"builtins\ncomplex",
    b"_codecs\nencode",
    b"os\nsystem",
    b"torch\nTensor",
    b"torch\nSize",
    b"torch._utils\n_rebuild_sparse_tensor",
    b"torch._utils\n_rebuild_qtensor",
    b"torch._utils\n_rebuild_meta_tensor_no_storage",
    b"torch._utils\n_rebuild_parameter",
    b"torch\nComplexFloatStorage",
    b"torch\nQInt8Storage",
    b"torch\nDoubleStorage",
    b"torch\nLongStorage",
)
"""What a pickle may ask for in the place of what it does ask for."""


def whole_files(folder: Path) -> list[Path]:
    """A small agent of each kind, in each format."""
    torch.manual_seed(0)
    env = EnvConfig(bundle_size=2, use_bilevel=True)
    actor = Actor(env.channels, env.action_size, 2)
    paths = [folder / f"{name}.safetensors" for name in ("window", "dense", "vector", "bytes")]
    save_window_actor(WindowActor(CHANNELS, (2, 2, 2, 2)), True, {"steps": 3}, paths[0])
    save_dense_actor(DenseActor(True, 5, (2, 2, 2, 2)), {}, paths[1])
    save_actor(actor, env, 16, paths[2], windows=True)
    save_actor(Actor(env.channels, env.action_size, 20), env, 16, paths[3], int8=True)
    state = Actor(9, 65, 2).state_dict()
    write_ltp_state(state, folder / "zip.pkl")
    torch.save(state, folder / "legacy.pkl", _use_new_zipfile_serialization=False)
    return [*paths, folder / "zip.pkl", folder / "legacy.pkl"]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """A few bytes anywhere are others; most of them near the beginning or the end, where names are."""
    harmed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        reach = rng.choice((64, 4096, len(data)))
        place = rng.randrange(min(reach, len(data)))
        harmed[rng.choice((place, len(data) - 1 - place))] = rng.randrange(256)
    return bytes(harmed)


def cut(data: bytes, rng: random.Random) -> bytes:
    """The end is missing, or a part."""
    start = rng.randrange(len(data))
    return data[:start] if rng.random() < 0.5 else data[:start] + data[start + rng.randint(1, 100) :]


def doubled(data: bytes, rng: random.Random) -> bytes:
    """A part stands there twice."""
    start = rng.randrange(len(data))
    end = start + rng.randint(1, 4096)
    return data[:end] + data[start:]


def other_sizes(data: bytes, rng: random.Random) -> bytes:
    """Four or eight bytes are a number that means trouble."""
    place, kind = rng.randrange(max(1, len(data) - 8)), rng.choice("IQ")
    part = struct.pack(f"<{kind}", rng.choice(SIZES))
    return data[:place] + part + data[place + len(part) :]


def other_config(data: bytes, rng: random.Random) -> bytes:
    """A value in the config of a safetensors file is another, missing, or there is one more."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header["__metadata__"]["config"])
    part = config["env"] if "env" in config and rng.random() < 0.5 else config
    key = rng.choice(sorted(part))
    match rng.randrange(6):
        case 0:
            del part[key]
        case 1:
            part[f"{key} "] = part[key]
        case 2 if isinstance(part[key], list) and part[key]:
            part[key][rng.randrange(len(part[key]))] = rng.choice(VALUES)
        case _:
            part[key] = rng.choice(VALUES)
    header["__metadata__"]["config"] = json.dumps(config)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def other_kinds(data: bytes, rng: random.Random) -> bytes:
    """A tensor in a safetensors header has another type, shape or place."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = rng.choice(sorted(header.keys() - {"__metadata__"}))
    about = header[name]
    match rng.randrange(5):
        case 0:
            about["dtype"] = rng.choice(
                ("F64", "F32", "BF16", "I8", "U8", "BOOL", "F8_E4M3", "C64", "F4", "X")
            )
        case 1:
            about["shape"] = [rng.choice(SIZES) for _ in range(rng.randint(0, 5))]
        case 2:
            about["data_offsets"] = [rng.choice(SIZES), rng.choice(SIZES)]
        case 3:
            header[rng.choice(("x" * 100_000, "\u202e\x1b[31m", "", name + "."))] = header.pop(name)
        case 4:
            header["__metadata__"] = {"config": rng.choice(("[" * 50_000, "{", "[]", "3", "null", '{"a":1}'))}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def other_program(data: bytes, rng: random.Random) -> bytes:
    """The pickle of a checkpoint is another, in an archive that is in order."""
    if not data.startswith(b"PK"):
        return _other_instructions(data, rng)
    made = io.BytesIO()
    packed = rng.choice((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,))
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w", packed) as other:
        for name in archive.namelist():
            content = archive.read(name)
            other.writestr(name, _other_instructions(content, rng) if name.endswith("data.pkl") else content)
    return made.getvalue()


def _other_instructions(program: bytes, rng: random.Random) -> bytes:
    names = list(re.finditer(rb"(?<=c)(torch\._utils|torch|collections)\n\w+(?=\n)", program))
    if names and rng.random() < 0.4:
        place = rng.choice(names)
        return program[: place.start()] + rng.choice(NAMES) + program[place.end() :]
    harmed = bytearray(program)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(min(len(program), 8192))
        harmed[place] = rng.choice((rng.randrange(256), *b"(.0123JKMQRbcehjqrstu}])\x85\x86\x87\x8a"))
    return bytes(harmed)


def damaged(path: Path, data: bytes, rng: random.Random) -> bytes:
    """The content of an agent's file, damaged one way or another."""
    ways: list[Damage] = [flipped, cut, doubled, other_sizes]
    tensors = path.suffix == ".safetensors"
    ways += [other_config, other_kinds] * 3 if tensors else [other_program] * 6
    return rng.choice(ways)(data, rng)
