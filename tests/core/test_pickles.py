"""Checkpoints that are not what they say are refused in one line, soon, in little memory; others are read."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import resource
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semantic_guidance.core.archives import check_stored
from semantic_guidance.core.pickles import read_pickle
from semantic_guidance.core.state_dicts import find_state
from semantic_guidance.core.weights import read_state

HEAD = b"\x80\x02"


def archive(program: bytes, packed: int = zipfile.ZIP_STORED, **others: bytes) -> bytes:
    """A checkpoint as PyTorch writes it, of a pickle and other entries."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packed) as file:
        for name, content in {
            "data.pkl": program,
            "version": b"3\n",
            "byteorder": b"little",
            **others,
        }.items():
            file.writestr(f"archive/{name}", content)
    return made.getvalue()


def saved(content: Any, zipped: bool = True) -> bytes:
    made = io.BytesIO()
    torch.save(content, made, _use_new_zipfile_serialization=zipped)
    return made.getvalue()


def legacy(program: bytes) -> bytes:
    """A checkpoint as PyTorch wrote it before 1.6."""
    first = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join([*first, program, pickle.dumps([], 2)])


def shaped(sizes: str) -> bytes:
    """A tensor of four numbers whose sizes and strides are others."""
    whole = saved({"a": torch.arange(4.0)})
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        names = {name.rpartition("/")[2]: name for name in file.namelist()}
        program = file.read(names["data.pkl"])
        assert program.count(b"K\x04\x85q\x08K\x01\x85") == 1
        numbers = {"data/0": file.read(names["0"])}
    other = {
        "too many": b"J" + struct.pack("<i", 10**9) + b"\x85q\x08K\x01\x85",
        "expanded": b"J" + struct.pack("<i", 10**9) + b"\x85q\x08K\x00\x85",
        "negative": b"J" + struct.pack("<i", -4) + b"\x85q\x08K\x01\x85",
    }[sizes]
    return archive(program.replace(b"K\x04\x85q\x08K\x01\x85", other), **numbers)


def cyclic() -> list[Any]:
    content: list[Any] = []
    content.append(content)
    return content


def key_of_pairs(depth: int) -> bytes:
    """A dict whose key is a pair of the same pair of the same pair ...: its hash takes 2 ** depth steps."""
    return HEAD + b"})q\x01" + b"q\x01h\x01\x86" * depth + b"K\x01s."


def word(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def numpy_number(kind: str, data: str) -> bytes:
    """A number of NumPy's, as NumPy pickles it, of any type and bytes."""
    dtype = b"cnumpy\ndtype\n" + word(kind) + b"\x89\x88\x87R"
    return b"cnumpy._core.multiarray\nscalar\n" + dtype + encoded(word(data)) + b"\x86R"


def encoded(letters: bytes, codec: str = "latin1") -> bytes:
    return b"c_codecs\nencode\n" + letters + word(codec) + b"\x86R"


def doubled(first: bytes, step: bytes) -> bytes:
    """A pickle of 60 things, each made of the one before it, twice."""
    return HEAD + first + b"q\x01" + (step + b"q\x01") * 60 + b"."


POSIX = b"cpathlib\nPosixPath\n"
LARGE = b"}q\x01(" + b"".join(word(f"{n}") + b"K\x01" for n in range(9000)) + b"u"
BYTES = HEAD + b"cbuiltins\nbytearray\nJ\x00\x00\x00\x70\x85R."
STEP = HEAD + b"]q\x00" + b"]" * 20_000 + b"a" * 20_000 + b"."
SHARED = [torch.zeros(50_000)] * 2 + [torch.zeros(50_000).view(50, 1000) for _ in range(2)]
ONE = torch.zeros(100_000)

HOSTILE: dict[str, bytes] = {
    "runs": archive(HEAD + b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R."),
    "runs, by way of the stack": archive(HEAD + b"\x8c\x02os\x8c\x06system\x93X\x02\x00\x00\x00ls\x85R."),
    "bytes": archive(BYTES),
    "bytes, before 1.6": legacy(BYTES),
    "key": archive(key_of_pairs(50)),
    "key, before 1.6": legacy(key_of_pairs(50)),
    "deep": archive(STEP),
    "cycle": saved(cyclic()),
    "zeros": archive(HEAD + b"}.", zipfile.ZIP_DEFLATED, **{"data/0": bytes(2**28)}),
    "zeros in the program": archive(HEAD + b"N0" * 2**24 + b"N.", zipfile.ZIP_DEFLATED),
    "long program": archive(HEAD + b"N0" * 2**21 + b"N."),
    "two programs": archive(HEAD + b"}.", **{"DATA.PKL": HEAD + b"}."}),
    "two of one name": archive(HEAD + b"}.", **{"Version": b"3\n"}),
    "more before": b"PK" + bytes(100) + archive(HEAD + b"}."),
    "more behind": archive(HEAD + b"}.") + b"more",
    "too many numbers": shaped("too many"),
    "encoding": archive(HEAD + encoded(word("abc"), "idna") + b"."),
    "encoding, remembered": archive(
        HEAD + b"c_codecs\nencode\nq\x01" + word("abc") + word("idna") + b"\x86R."
    ),
    "letters": archive(
        HEAD
        + b"](c_codecs\nencode\nq\x02"
        + (word("a" * 500_000) + b"q\x01" + word("latin1") + b"q\x03\x86R")
        + b"h\x02h\x01h\x03\x86R" * 9000
        + b"e."
    ),
    "object for a number": archive(HEAD + numpy_number("O8", "a" * 8) + b"."),
    "void for a number": archive(HEAD + numpy_number("V900000000", "a") + b"."),
    "number of more bytes": archive(HEAD + numpy_number("i8", "abc") + b"."),
    "paths of paths": archive(doubled(POSIX + word("a") + b"\x85R", POSIX + b"h\x01h\x01\x86R")),
    "a long word in many paths": archive(
        HEAD + word("a" * 500_000) + b"q\x01](" + (POSIX + b"(" + b"h\x01" * 99 + b"tR") * 2000 + b"e."
    ),
    "many paths": archive(HEAD + word("a" * 4000) + b"q\x010](" + (POSIX + b"h\x01\x85R") * 30_000 + b"e."),
    "lists of lists for a type's name": archive(
        doubled(b"]", b"](h\x01h\x01e")[:-1] + b"cnumpy\ndtype\nh\x01\x85R."
    ),
    "less than no numbers": archive(
        HEAD
        + b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01J\xff\xff\xff\xff\x85cnumpy\ndtype\n"
        + word("f4")
        + b"\x85R\x89"
        + encoded(word("abcd"))
        + b"\x86Rtb."
    ),
    "copies of a dict": archive(
        HEAD + LARGE + b"](" + b"ccollections\nOrderedDict\nh\x01\x85R" * 5000 + b"e."
    ),
    "attributes of a dict": archive(
        HEAD + LARGE + b"](" + b"ccollections\nOrderedDict\n)Rh\x01b" * 5000 + b"e."
    ),
    "expanded": shaped("expanded"),
    "negative": shaped("negative"),
    "one storage, often": saved({str(n): ONE[n:].view(-1) for n in range(50)}),
    "expanded a little": saved({"a": torch.arange(4.0).expand(2, 4)}),
    "sparse": saved({"a": torch.eye(3).to_sparse()}),
    "meta": saved({"a": torch.empty(3, device="meta")}),
    "complex": saved({"a": torch.zeros(3, dtype=torch.complex64)}),
    "complex, before 1.6": saved({"a": torch.zeros(3, dtype=torch.complex64)}, zipped=False),
    "set": saved({"a": {1, 2}}),
    "a key that is a pair": saved({(1, 2): 3}),
    "plain pickle": pickle.dumps({"a": 1}),
    "text": b"not a checkpoint",
    "half": saved({"a": torch.zeros(1000)})[:2000],
    "half, before 1.6": saved({"a": torch.zeros(1000)}, zipped=False)[:2000],
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(HOSTILE[name])
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="wanted weights") as refused:
        read_pickle(path, "weights")
    assert str(refused.value).startswith(f"{path} ")
    assert str(refused.value).isprintable()
    assert time.perf_counter() - begun < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "link", "loop", "missing", "."):
        with pytest.raises(ValueError, match=r"cannot be read|is corrupt or not a checkpoint"):
            read_pickle(tmp_path / name, "weights")


def test_what_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(saved({"a": torch.zeros(10)}))
    with pytest.raises(ValueError, match=r"it has \d+ bytes, wanted at most 100"):
        read_pickle(path, "weights", most=100)


@pytest.mark.parametrize("zipped", [True, False])
def test_tied_weights_are_read(tmp_path: Path, zipped: bool) -> None:
    weights = torch.rand(200, 300)
    content = {"a": weights, "b": weights.view(-1), "c": weights.t(), "d": weights[:100]}
    path = tmp_path / "a.pt"
    path.write_bytes(saved(content, zipped))
    for name, values in read_pickle(path, "a checkpoint").items():
        assert torch.equal(values, content[name])


@pytest.mark.parametrize("zipped", [True, False])
def test_what_runs_write_is_read(tmp_path: Path, zipped: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to(
        memory_format=torch.channels_last
    )
    optimizer = torch.optim.AdamW([{"params": [each]} for each in network.parameters()], betas=(0.8, 0.9))
    network(torch.rand(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    content = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "parameter": network[0].weight,
        "easels": [(3, True, None, [1, 2])] * 2,
        "generator": torch.Generator().manual_seed(3).get_state(),
        "numbers": [0, -1, 255, 70_000, 2**70, 0.5, "text"],
        "kinds": [
            torch.zeros(2, dtype=kind) for kind in (torch.half, torch.bfloat16, torch.int8, torch.bool)
        ],
        "scalar": torch.tensor(3),
    }
    path = tmp_path / "a.pt"
    path.write_bytes(saved(content, zipped))
    found = read_pickle(path, "a checkpoint")
    assert found.keys() == content.keys()
    for name in ("easels", "numbers"):
        assert found[name] == content[name]
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    for name, values in network.state_dict().items():
        assert torch.equal(found["network"][name], values)
    assert torch.equal(found["generator"], content["generator"])
    assert [each.dtype for each in found["kinds"]] == [each.dtype for each in content["kinds"]]
    network.load_state_dict(found["network"])
    optimizer.load_state_dict(found["optimizer"])


def test_what_people_keep_beside_a_network(tmp_path: Path) -> None:
    content = {
        "generator": np.random.RandomState(3).get_state(),
        "unsigned": [np.uint16([1, 65535]), np.uint64([7]), np.zeros((0, 3))],
        "nothing": argparse.Namespace(),
        "path": Path("model/run.pt"),
    }
    path = tmp_path / "a.pt"
    path.write_bytes(saved(content))
    found = read_pickle(path, "a checkpoint")
    assert found["generator"][1].tolist() == content["generator"][1].tolist()
    assert [each.tolist() for each in found["unsigned"]] == [[1, 65535], [7], []]
    assert found["nothing"] == {}
    assert found["path"] == "model/run.pt"
    path.write_bytes(saved({"losses": np.zeros(200_000)}))
    with pytest.raises(ValueError, match=r"holds more than \d+ bytes beside its tensors, .*torch\.save"):
        read_pickle(path, "a checkpoint")


def test_a_long_key_stands_in_no_names(tmp_path: Path) -> None:
    """It would in as many as there are tensors."""
    content = {
        "a" * 500_000: {str(n): torch.zeros(1) for n in range(2000)},
        "net": {"x.weight": torch.zeros(2)},
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = find_state(content, ("x.weight",))
    assert found is not None
    assert found.place == "net."
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_attributes_of_a_dict_are_left_out(tmp_path: Path) -> None:
    """One could stand in front of the dict's own `items`."""
    made = HEAD + b"ccollections\nOrderedDict\n)RX\x01\x00\x00\x00aK\x03s"
    (tmp_path / "a.pt").write_bytes(archive(made + b"}X\x05\x00\x00\x00itemsK\x04sb."))
    found = read_pickle(tmp_path / "a.pt", "weights")
    assert type(found) is dict
    assert found == {"a": 3}


def test_numbers_that_singles_cannot_hold(tmp_path: Path) -> None:
    torch.save({"a": torch.full((3,), 1e300, dtype=torch.float64)}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="'a' that are not finite"):
        read_state(tmp_path / "a.pt", "weights")


def test_archives_larger_than_4_gigabytes_have_another_end(tmp_path: Path) -> None:
    """Their last records as in APPNOTE.TXT 4.3.14 to 4.3.16, written by hand round one empty entry."""
    name = b"a"
    entry = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 33, 0, 0, 0, len(name), 0) + name
    listed = struct.pack(
        "<4s4B4H3L5H2L", b"PK\x01\x02", 45, 3, 45, 0, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0
    )
    listed += name
    end = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(listed), len(entry)
    ) + struct.pack("<4sLQL", b"PK\x06\x07", 0, len(entry) + len(listed), 1)
    end += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(listed), 0xFFFFFFFF, 0)
    (tmp_path / "a.zip").write_bytes(entry + listed + end)
    assert check_stored(tmp_path / "a.zip") == ["a"]
    # The same, with a place of the larger end that some readers go by and others do not.
    elsewhere = end.replace(struct.pack("<Q", len(entry) + len(listed)), struct.pack("<Q", 3))
    (tmp_path / "a.zip").write_bytes(entry + listed + elsewhere)
    with pytest.raises(ValueError, match="archive"):
        check_stored(tmp_path / "a.zip")
