"""From the name of a data set to the pictures of a run."""

from __future__ import annotations

import pytest
import torch

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.plugins import DATASETS, PluginError
from semantic_guidance.learning.bank import open_banks
from semantic_guidance.learning.config import DataConfig, make_config
from semantic_guidance.learning.data.cutouts.dataset import CutoutDataset
from semantic_guidance.learning.data.folder import DataRequest, Example
from tests.learning.data.test_cutouts import write_pack


class Greys:
    """Pictures that are told apart by their grey."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        if index >= self.count:
            raise IndexError(index)
        return Example(torch.full((3, 8, 12), index / 20), Guidance.none(8, 12), str(index))


class DividedGreys(Greys):
    """Pictures that know which of them to hold out."""

    def split(self, held_out: int) -> tuple[Greys, Greys]:
        return Greys(self.count), Greys(held_out)


@pytest.fixture
def registered():
    """A function that registers a data set under the name ``mine``; it is forgotten afterwards."""
    yield lambda opener: DATASETS.register("mine", opener)
    DATASETS.unregister("mine")


def greys(bank):
    """The greys of a bank's pictures, in twentieths."""
    state = bank.start(2 * torch.arange(len(bank)), torch.device("cpu"))
    return [round(20 * float(picture.mean())) for picture in state.target]


def test_a_stranger_s_dataset_is_asked_and_divided(registered, tmp_path):
    asked = []
    registered(lambda folder, request: asked.append((folder, request)) or Greys(20))
    config = make_config(dataset="mine", data=str(tmp_path), canvas_size=8, pictures=77, use_gbp=True)
    train, held_out = open_banks(config.data, config.env)
    assert asked == [(tmp_path, DataRequest(guided=True, side=8, count=77))]
    assert (len(train), len(held_out)) == (16, 4)
    assert sorted(greys(train) + greys(held_out)) == list(range(20))
    again, _ = open_banks(config.data, config.env)
    assert greys(again) == greys(train)
    few = make_config(dataset="mine", data=str(tmp_path), canvas_size=8, num_val=1)
    assert len(open_banks(few.data, few.env)[1]) == 1


def test_a_dataset_may_divide_itself(registered):
    registered(lambda folder, request: DividedGreys(15))
    train, held_out = open_banks(DataConfig("mine", canvas_size=8), EnvConfig())
    assert (greys(train), greys(held_out)) == (list(range(15)), [0, 1, 2])


def test_what_a_dataset_complains_of_is_its_folder(registered):
    def opener(folder, request):
        raise ValueError(f"{folder} is empty, wanted greys")

    registered(opener)
    with pytest.raises(InputError, match=r"^--data: data is empty, wanted greys$"):
        open_banks(DataConfig("mine"), EnvConfig())
    registered(lambda folder, request: Greys(1))
    with pytest.raises(InputError, match=r"^--data: data holds 1 pictures, wanted at least 2$"):
        open_banks(DataConfig("mine"), EnvConfig())


def test_a_dataset_that_cannot_be_loaded(registered):
    registered("no_such_module:open_dataset")
    with pytest.raises(PluginError, match=r"^dataset 'mine' of register\(\) cannot be loaded from 'no_such_"):
        open_banks(DataConfig("mine"), EnvConfig())


def test_cutouts_are_held_out_by_their_objects(tmp_path):
    folder = write_pack(tmp_path, cutouts=30)
    config = DataConfig("cutouts", str(folder), canvas_size=16, pictures=6)
    train, held_out = open_banks(config, EnvConfig())
    for bank, split, count in ((train, "train", 6), (held_out, "held_out", 1)):
        wanted = CutoutDataset(folder, 16, 16, count, split=split)
        assert len(bank) == count
        for number in range(count):
            image, guidance = bank.fetch(number)
            assert torch.equal(image, wanted[number].image)
            assert torch.equal(guidance.mask, wanted[number].guidance.mask)
