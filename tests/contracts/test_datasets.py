"""Every data set goes through the same tests, on tiny ones in their real formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.learning.bank import open_banks
from semantic_guidance.learning.config import DataConfig, make_config
from semantic_guidance.learning.data.folder import DataRequest, Dataset, Divided, Example
from tests.learning.data.test_cutouts import write_pack
from tests.learning.data.test_datasets import CUB_NAMES, bird, cars_annotations, predict, save, two_cars


def make_cub(folder: Path) -> None:
    root = folder / "cub200" / "CUB_200_2011"
    for name in CUB_NAMES:
        save(root / "images" / name, bird()[0])
    (root / "images.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(CUB_NAMES, 1)))
    predict(folder)


def make_cars(folder: Path) -> None:
    io = pytest.importorskip("scipy.io", reason="Cars-196 is in MATLAB's format")
    names = ["00001.jpg", "00002.jpg"]
    for name in names:
        save(folder / "cars_train" / name, bird()[0])
    cars_annotations(folder / "devkit" / "cars_train_annos.mat", names)
    classes = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)[None]
    io.savemat(folder / "devkit" / "cars_meta.mat", {"class_names": classes})


def make_vkitti(folder: Path) -> None:
    frames = folder / "Scene01" / "clone" / "frames"
    for number in range(3):
        save(frames / "rgb" / "Camera_0" / f"rgb_{number:05d}.jpg", bird()[0])
        palette = Image.fromarray(two_cars(), "P")
        palette.putpalette([value for index in range(256) for value in (index, 9, 255 - index)])
        path = frames / "instanceSegmentation" / "Camera_0" / f"instancegt_{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        palette.save(path)


def make_folder(folder: Path) -> None:
    save(folder / "b" / "two.png", bird()[0])
    save(folder / "a" / "one.JPG", bird(20, 30, (2, 2, 9, 9))[0])


MAKERS: dict[str, Callable[[Path], object]] = {
    "cub200": make_cub,
    "cars196": make_cars,
    "vkitti": make_vkitti,
    "cutouts": lambda folder: write_pack(folder, cutouts=30),
    "folder": make_folder,
}
NAMES = DATASETS.names()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that gives the folder of a data set."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in MAKERS:
            pytest.skip(f"there is no sample of {name}")
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            MAKERS[name](made[name])
        return made[name]

    return make


def opened(name: str, folder: Path, guided: bool = False) -> Dataset:
    dataset: Dataset = DATASETS.get(name)(folder, DataRequest(guided, side=24, count=6))
    return dataset


def looked_at(example: Example) -> Example:
    """The example, which is as every example is."""
    assert isinstance(example, Example)
    channels, height, width = example.image.shape
    assert channels == 3
    assert example.image.dtype == torch.float32
    assert 0 <= float(example.image.min()) <= float(example.image.max()) <= 1
    assert isinstance(example.name, str)
    assert example.name
    assert example.label is None or isinstance(example.label, str)
    if example.guidance is None:
        return example
    planes = [example.guidance.mask, example.guidance.focus]
    for plane in [*planes, *(instance.mask for instance in example.guidance.instances)]:
        assert plane.shape == (1, height, width)
        assert plane.dtype == torch.float32
        assert 0 <= float(plane.min()) <= float(plane.max()) <= 1
    for x, y, w, h in example.guidance.boxes:
        assert w > 0
        assert h > 0
        assert x < width
        assert y < height
        assert x + w > 0
        assert y + h > 0
    return example


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_sequence_of_examples(folders, name, guided):
    dataset = opened(name, folders(name), guided)
    examples = [looked_at(dataset[index]) for index in range(len(dataset))]
    assert len(examples) >= 2
    assert len({example.name for example in examples}) == len(examples)
    assert len(list(dataset)) == len(examples)  # it ends, as sequences do
    again = dataset[1]
    assert torch.equal(again.image, examples[1].image)
    assert again.name == examples[1].name
    assert (again.guidance is None) is (examples[1].guidance is None)
    if again.guidance is not None:
        assert torch.equal(again.guidance.mask, examples[1].guidance.mask)


@pytest.mark.parametrize("name", NAMES)
def test_beyond_its_end_there_is_nothing(folders, name):
    dataset = opened(name, folders(name))
    for index in (len(dataset), len(dataset) + 7, -len(dataset) - 1):
        with pytest.raises(IndexError):
            dataset[index]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_where_there_is_no_such_data_one_line_says_so(name, kind, tmp_path):
    place = tmp_path / "place"
    if kind == "empty":
        place.mkdir()
    elif kind == "file":
        place.write_text("no folder")
    with pytest.raises(ValueError, match=r"wanted") as raised:
        opened(name, place)
    assert str(place) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_holds_out_is_something_else(folders, name):
    dataset = opened(name, folders(name))
    if isinstance(dataset, Divided):
        train, rest = dataset.split(2)
        assert len(train) == len(dataset)
        assert len(rest) == 2
        pictures = [looked_at(part[index]).image for part in (train, rest) for index in range(len(part))]
        shared = [n for n in range(len(train)) if torch.equal(pictures[n], pictures[-1])]
        assert not shared


@pytest.mark.parametrize("name", NAMES)
def test_a_run_takes_it_by_its_name(folders, name):
    assert make_config(dataset=name).data.dataset == name
    config = DataConfig(name, str(folders(name)), canvas_size=8, pictures=6)
    train, held_out = open_banks(config, EnvConfig())
    assert len(train) >= len(held_out) >= 1
    for bank in (train, held_out):
        state = bank.start(torch.arange(2 * len(bank)), torch.device("cpu"))
        assert state.target.shape == (2 * len(bank), 3, 8, 8)
        assert 0 <= float(state.target.min()) <= float(state.target.max()) <= 1
        # Every second sample is the one before, mirrored.
        assert torch.equal(state.target[1::2], state.target[::2].flip(-1))
        assert torch.equal(state.mask[1::2], state.mask[::2].flip(-1))


def test_every_one_that_ships_is_tried():
    assert MAKERS.keys() == DATASETS.shipped.keys()
