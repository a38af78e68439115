"""MATLAB's files: as scipy reads and writes them, and what is damaged or hostile is refused in a line."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.data import matlab, matlab_hdf5
from semantic_guidance.learning.data.cars196 import Cars196
from semantic_guidance.learning.data.matlab import read_mat
from tests.learning.data.test_datasets import bird, save

scipy_io = pytest.importorskip("scipy.io", reason="another program that knows the format")

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
NUMBERS = st.builds(
    lambda dtype, rows, columns, seed: (
        np.random.default_rng(seed).integers(0, 99, (rows, columns)).astype(dtype)
    ),
    st.sampled_from(DTYPES),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 99),
)


def cell(values: list[Any]) -> np.ndarray[Any, Any]:
    """A cell of one row."""
    made = np.empty((1, len(values)), dtype=object)
    made[0, :] = values
    return made


VALUES = st.recursive(
    NUMBERS | WORDS,
    lambda inner: st.lists(inner, min_size=1, max_size=4).map(
        lambda values: cell([*values, None])[:, : len(values)]
    ),
    max_leaves=8,
)


def records(rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """A row of structs."""
    made = np.zeros((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for place, row in enumerate(rows):
        for name, value in row.items():
            made[0, place][name] = value
    return made


def same(ours: Any, theirs: Any) -> bool:
    """Whether a value is what scipy says."""
    if theirs.dtype.names:
        flat = theirs.flatten("F")
        return len(ours) == len(flat) and all(
            list(mine) == list(flat.dtype.names) and all(same(mine[name], other[name]) for name in mine)
            for mine, other in zip(ours, flat, strict=True)
        )
    if theirs.dtype == object:
        flat = theirs.flatten("F")
        return len(ours) == len(flat) and all(map(same, ours, flat))
    if theirs.dtype.kind == "U":
        return bool(ours == "".join(theirs.flatten()))
    return bool(ours.dtype == theirs.dtype and np.array_equal(ours, theirs))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=3),
    VALUES,
    st.booleans(),
)
def test_values_are_those_that_scipy_reads(tmp_path_factory, rows, other, packed):
    path = tmp_path_factory.getbasetemp() / "some.mat"
    structs = records([{"one": one, "two": two} for one, two in rows])
    scipy_io.savemat(path, {"structs": structs, "other": other}, do_compression=packed)
    there = scipy_io.loadmat(path)
    for name in ("structs", "other"):
        assert same(read_mat(path, name), there[name])


def element(kind: int, body: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(kind: int, shape: tuple[int, ...], rest: bytes, name: bytes = b"", order: str = "<") -> bytes:
    """A matrix by the letter of the specification."""
    head = element(6, struct.pack(f"{order}II", kind, 0), order)
    head += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order) + element(1, name, order)
    return element(14, head + rest, order)


def mat_file(body: bytes, order: str = "<") -> bytes:
    text = b"MATLAB 5.0 MAT-file".ljust(124, b" ")
    return text + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI") + body


TWICE = element(1, b"a\0\0\0a\0\0\0")
ONE = matrix(9, (1, 1), struct.pack("<HHI", 2, 1, 7))  # a small element


def test_as_other_machines_write(tmp_path):
    """Numbers of more bytes first, texts of 16 bits, as MATLAB has them."""
    words = matrix(4, (1, 2), element(4, "né".encode("utf-16-be"), ">"), order=">")
    number = matrix(6, (1, 2), element(3, struct.pack(">2h", -2, 513), ">"), order=">")
    path = tmp_path / "big.mat"
    path.write_bytes(mat_file(matrix(1, (1, 2), words + number, b"x", ">"), ">"))
    text, numbers = read_mat(path, "x")
    assert text == "né"
    assert numbers.tolist() == [[-2, 513]]


BOMB = zlib.compress(bytes(matlab.MOST_BYTES + 64))
DEEP = ONE
for _ in range(10):
    DEEP = matrix(1, (1, 1), DEEP, b"x")
NAMES = struct.pack("<HHi", 5, 4, 4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a file of MATLAB"),
        (b"no matlab file at all, just text" * 10, "not a file of MATLAB"),
        (mat_file(b""), "there is no such variable"),
        (mat_file(matrix(9, (1, 1), element(2, b"\1"), b"y")), "there is no such variable"),
        (mat_file(matrix(9, (1, 2), element(2, b"\1"), b"x")), "1 numbers for 2"),
        (mat_file(matrix(9, (2**31 - 1,) * 4, element(2, b"\1"), b"x")), "1 numbers for"),
        (mat_file(matrix(1, (2**31 - 1, 2**31 - 1), ONE, b"x")), "too short"),
        (mat_file(matrix(1, (1, -1), ONE, b"x")), "malformed dimensions"),
        (mat_file(matrix(1, (1, 2), ONE, b"x")), "it ends too soon"),
        (mat_file(matrix(2, (9, 9), NAMES + element(1, b""), b"x")), "too short|malformed"),
        (
            mat_file(matrix(2, (1, 2), NAMES + TWICE + 4 * ONE, b"x")),
            "two fields of one",
        ),
        (mat_file(matrix(5, (1, 1), ONE, b"x")), "sparse"),
        (mat_file(matrix(17, (1, 1), ONE, b"x")), "an object"),
        (mat_file(matrix(4, (2, 2), element(16, b"abcd"), b"x")), "several rows"),
        (mat_file(matrix(4, (1, 2), element(16, b"\xff\xff"), b"x")), "a text is damaged"),
        (mat_file(DEEP), "too many values in one another"),
        (mat_file(struct.pack("<II", 15, len(BOMB)) + BOMB), "MiB when unpacked"),
        (mat_file(struct.pack("<II", 15, 2**32 - 1) + BOMB), "it ends too soon"),
        (mat_file(element(15, b"not packed")), "damaged compression"),
    ],
)
def test_what_is_damaged_is_refused_in_a_line(tmp_path, data, reason):
    path = tmp_path / "x.mat"
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=rf"x\.mat cannot be read, wanted a \.mat file with x \(.*({reason})"
    ):
        read_mat(path, "x")


def test_values_without_number_are_refused_soon(tmp_path):
    path = tmp_path / "x.mat"
    count = matlab.MOST_VALUES + 1
    path.write_bytes(mat_file(matrix(1, (1, count), struct.pack("<II", 14, 0) * count, b"x")))
    began = time.process_time()
    with pytest.raises(InputError, match="more than 200,000 values"):
        read_mat(path, "x")
    assert time.process_time() - began < 2


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Bytes changed, put in or left out; those within a compressed variable, too."""
    if rng.random() < 0.5 and data[128:129] == b"\x0f":
        inner = mutated(rng, zlib.decompress(data[136:]))
        return data[:128] + element(15, zlib.compress(inner, 1))
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.randrange(len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[place] = rng.randrange(256)
        elif kind == 1:
            word = rng.choice([0, 1, 4, 5, 14, 15, 2**16, 2**31, 2**32 - 1, rng.randrange(2**32)])
            changed[place // 4 * 4 : place // 4 * 4 + 4] = struct.pack("<I", word)
        elif kind == 2 and len(changed) > 200:
            del changed[place : place + rng.choice([1, 8, 40])]
        else:
            changed[place:place] = changed[place // 2 : place // 2 + 8]
    return bytes(changed)


def test_mutated_annotations_are_read_or_refused(tmp_path):
    rng = random.Random(17)
    rows = [{"bbox_x1": 1, "bbox_y1": 2, "bbox_x2": 9, "bbox_y2": 8, "class": 1, "fname": "a.jpg"}] * 3
    samples = []
    for packed in (False, True):
        file = io.BytesIO()
        scipy_io.savemat(file, {"annotations": records(rows)}, do_compression=packed)
        samples.append(file.getvalue())
    (tmp_path / "cars_train").mkdir()
    (tmp_path / "devkit").mkdir()
    scipy_io.savemat(tmp_path / "devkit" / "cars_meta.mat", {"class_names": cell(["Acura"])})
    messages = []
    for _ in range(400):
        (tmp_path / "devkit" / "cars_train_annos.mat").write_bytes(mutated(rng, rng.choice(samples)))
        try:
            Cars196(tmp_path)
        except InputError as error:
            messages.append(str(error))
    assert all("cars_train_annos.mat" in message for message in messages)
    assert 50 < len(messages) < 400


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fname": "../../holiday.jpg"}, r"record 2: the name '\.\./\.\./holiday\.jpg' climbs"),
        ({"fname": "/etc/passwd"}, "is absolute"),
        ({"fname": 7.0}, "fname is no text"),
        ({"class": 0}, "class 0 of 1"),
        ({"class": 2}, "class 2 of 1"),
        ({"bbox_x1": np.nan}, "record 2 is malformed.*not a number"),
        ({"bbox_x1": "left"}, "not a number"),
        ({"bbox_x1": np.zeros((2, 2))}, "not a number"),
    ],
)
def test_records_that_are_wrong_are_named(tmp_path, change, reason):
    row = {"bbox_x1": 1, "bbox_y1": 2, "bbox_x2": 9, "bbox_y2": 8, "class": 1, "fname": "a.jpg"}
    (tmp_path / "cars_train").mkdir()
    (tmp_path / "devkit").mkdir()
    scipy_io.savemat(tmp_path / "devkit" / "cars_meta.mat", {"class_names": cell(["Acura"])})
    rows = records([row, row | change])
    scipy_io.savemat(tmp_path / "devkit" / "cars_train_annos.mat", {"annotations": rows})
    with pytest.raises(InputError, match=rf"cars_train_annos\.mat.*{reason}"):
        Cars196(tmp_path)


def write_hdf5(path: Path, name: str, fill: Any) -> None:
    """A file as MATLAB 7.3 lays it out: 512 bytes of its own, then HDF5."""
    h5py = pytest.importorskip("h5py", reason="files of MATLAB 7.3 are HDF5")
    with h5py.File(path, "w", userblock_size=512) as file:
        fill(h5py, file, name)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM")


def text_of(file: Any, name: str, text: str) -> Any:
    made = file.create_dataset(name, data=np.frombuffer(text.encode("utf-16-le"), "<u2")[:, None])
    made.attrs["MATLAB_class"] = np.bytes_("char")
    return made.ref


def fill_names(h5py: Any, file: Any, name: str) -> None:
    references = [text_of(file, f"#refs#/{n}", text) for n, text in enumerate(["Acura RL", "Möwe"])]
    made = file.create_dataset(name, data=np.array(references, h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)
    made.attrs["MATLAB_class"] = np.bytes_("cell")


def fill_cars(h5py: Any, file: Any, name: str) -> None:
    group = file.create_group(name)
    group.attrs["MATLAB_class"] = np.bytes_("struct")
    values = {"bbox_x1": 21.0, "bbox_y1": 11.0, "bbox_x2": 45.0, "bbox_y2": 25.0, "class": 2.0}
    columns: dict[str, list[Any]] = {field: [] for field in (*values, "fname")}
    for number in range(2):
        for field, value in values.items():
            made = file.create_dataset(f"#refs#/{field}{number}", data=np.array([[value]]))
            columns[field].append(made.ref)
        columns["fname"].append(text_of(file, f"#refs#/name{number}", f"0000{number + 1}.jpg"))
    for field, references in columns.items():
        data = np.array(references, h5py.ref_dtype)[:, None]
        group.create_dataset(field, data=data, dtype=h5py.ref_dtype)


def test_cars_saved_by_matlab_7_3(tmp_path):
    for name in ("00001.jpg", "00002.jpg"):
        save(tmp_path / "cars_train" / name, bird()[0])
    (tmp_path / "devkit").mkdir()
    write_hdf5(tmp_path / "devkit" / "cars_meta.mat", "class_names", fill_names)
    write_hdf5(tmp_path / "devkit" / "cars_train_annos.mat", "annotations", fill_cars)
    cars = Cars196(tmp_path)
    assert cars.names == ["cars_train/00001.jpg", "cars_train/00002.jpg"]
    assert cars[1].label == "Möwe"
    assert cars[1].box == (20.0, 10.0, 25.0, 15.0)


def test_its_process_runs_nothing_that_came_with_the_data(tmp_path, monkeypatch):
    path = tmp_path / "x.mat"
    path.write_bytes(bytes(512) + matlab_hdf5.HDF5)
    (tmp_path / "json.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    with pytest.raises(InputError, match=r"x\.mat cannot be read"):
        read_mat(path, "x")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_file_of_matlab_7_3_is_refused(tmp_path):
    path = tmp_path / "x.mat"
    write_hdf5(path, "x", fill_names)
    with pytest.raises(InputError, match="there is no such variable"):
        read_mat(path, "y")
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"x\.mat cannot be read, wanted a \.mat file with x"):
        read_mat(path, "x")


def test_without_h5py_it_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "x.mat"
    path.write_bytes(bytes(512) + matlab_hdf5.HDF5)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"MATLAB 7\.3, which needs h5py, wanted: pip install"):
        read_mat(path, "x")
