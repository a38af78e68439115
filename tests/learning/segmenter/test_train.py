"""A segmenter is trained, stopped, taken up again, blended and written."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError
from semantic_guidance.guidance.network import STRIDE, SegmentationNetwork
from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.segmenter import config as settings
from semantic_guidance.learning.segmenter import train
from semantic_guidance.learning.segmenter.config import SegmenterTrainingConfig
from semantic_guidance.learning.segmenter.loss import segmentation_loss
from semantic_guidance.learning.segmenter.samples import Batches, Sources
from semantic_guidance.learning.segmenter.train import (
    SegmenterTrainer,
    held_out_iou,
    new_network,
    schedule,
    train_segmenter,
    write_segmenter,
)
from tests.learning.packs import write_pack, write_photographs

LN2 = math.log(2)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    """A folder of cut-outs, some of which are held out."""
    return write_pack(tmp_path_factory.mktemp("pack"), cutouts=30)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """A folder of three photographs."""
    return write_photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def run(pack, tmp_path_factory) -> Path:
    """The folder of a run of three updates."""
    return train_segmenter(small(tmp_path_factory.mktemp("run"), pack, held_out=4)).parent


def small(out: Path, pack: Path, **values) -> SegmenterTrainingConfig:
    """A run of three updates."""
    sizes = {"samples": 6, "batch_size": 2, "size": 64, "save_interval": 2, "workers": 0, "held_out": 0}
    return SegmenterTrainingConfig(**{"out": out, "pack": pack, **sizes, **values})


def state_of(out: Path) -> dict:
    return torch.load(out / "last.pt", weights_only=True)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(values, other[name]) for name, values in one.items()
    )


def test_loss_is_what_a_person_works_out():
    no_idea = torch.zeros(1)
    one = torch.ones(1, 1, 1, 1)
    # Where all is object no edge is near; the overlap is (1/2 + 1) / (1 + 1).
    found = segmentation_loss(torch.zeros(1, 1, 1, 1), no_idea, one)
    assert float(found) == pytest.approx(LN2 + 0.7 * 0.25 + 0.1 * LN2)
    # Half object: 1/2 from its mean makes 1 + 4/2 of each pixel; the overlap is (1/2 + 1) / (3/2 + 1).
    half = torch.tensor([[[[1.0, 0.0]]]])
    found = segmentation_loss(torch.zeros(1, 1, 1, 2), no_idea, half)
    assert float(found) == pytest.approx(3 * LN2 + 0.7 * 0.4 + 0.1 * LN2)
    # An empty frame has no say in the overlap.
    both = torch.cat([one, torch.zeros_like(one)])
    found = segmentation_loss(torch.zeros(2, 1, 1, 1), torch.tensor([0.0, math.log(3)]), both)
    assert float(found) == pytest.approx(LN2 + 0.7 * 0.25 + 0.1 * (LN2 + math.log(4)) / 2)
    assert float(segmentation_loss(torch.full((1, 1, 1, 1), -50.0), -50 * torch.ones(1), 0 * one)) < 1e-6


def test_loss_falls_on_a_few_pictures(pack, tmp_path):
    config = small(
        tmp_path, pack, batch_size=3, samples=3000, learning_rate=5e-2, encoder_lr=5e-3, click_lr=5e-2
    )
    trainer = SegmenterTrainer(config, Sources.load(config))
    batch = Batches(config, trainer.sources)[0]
    stem = trainer.network.encoder.stem.conv.weight.clone()
    first = trainer.mean.mask.weight.clone()
    losses = [trainer.update(batch) for _ in range(12)]
    assert losses[-1] < 0.75 * losses[0]
    assert torch.equal(trainer.network.encoder.stem.conv.weight, stem)  # it is frozen
    assert not torch.equal(trainer.mean.mask.weight, first)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(run, pack, tmp_path, monkeypatch):
    config = small(tmp_path, pack, held_out=4)
    update = SegmenterTrainer.update

    def interrupted(self, *args):
        if self.step == 2:
            raise KeyboardInterrupt
        return update(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(SegmenterTrainer, "update", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_segmenter(config)
    assert state_of(tmp_path)["step"] == 2
    path = train_segmenter(config)
    whole, parts = state_of(run), state_of(tmp_path)
    assert parts["step"] == 3
    assert parts["running"] == whole["running"]
    assert all(same(whole[name], parts[name]) for name in ("network", "ema"))
    for number, moments in whole["optimizer"]["state"].items():
        assert same(moments, parts["optimizer"]["state"][number])
    assert same(*(Segmenter.load(file).network.state_dict() for file in (path, run / path.name)))
    logs = [list(map(json.loads, (out / "log.jsonl").read_text().splitlines())) for out in (run, tmp_path)]
    assert [{**row, "seconds": 0} for row in logs[0]] == [{**row, "seconds": 0} for row in logs[1]]
    assert [row["step"] for row in logs[0]] == [2, 3]
    assert 0 <= logs[0][-1]["held_out_iou"] <= 1


def test_other_processes_make_the_same_pictures(run, pack, tmp_path, monkeypatch):
    """And begin by seeing to it that they end with this one."""
    out, began = tmp_path / "out", tmp_path / "began"
    monkeypatch.setattr(train, "end_with_parent", lambda saves: began.write_text(str(os.getpid())))
    train_segmenter(small(out, pack, workers=1))
    assert same(state_of(run)["ema"], state_of(out)["ema"])
    assert int(began.read_text()) != os.getpid()


def test_what_is_written_is_the_mean_with_earlier_weights(run):
    mean = state_of(run)["ema"]
    written = Segmenter.load(write_segmenter(run)).network.state_dict()
    assert same({n: v.half().float() for n, v in mean.items() if v.is_floating_point()}, floats(written))
    earlier = Segmenter.load(WEIGHTS).network.state_dict()
    blended = Segmenter.load(write_segmenter(run, WEIGHTS, 0.25)).network.state_dict()
    for name, values in floats(blended).items():
        wanted = 0.75 * mean[name] + 0.25 * earlier[name]
        assert torch.allclose(values, wanted, rtol=1e-3, atol=1e-5), name
    assert same(
        floats(Segmenter.load(write_segmenter(run, run / "last.pt", 0.9)).network.state_dict()),
        floats(written),
    )


def floats(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: values for name, values in state.items() if values.is_floating_point()}


def test_a_run_blends_at_its_end_and_starts_from_what_ships(pack, tmp_path):
    shipped = Segmenter.load(WEIGHTS).network.state_dict()
    rates = {"learning_rate": 1e-12, "encoder_lr": 0, "ema": 1.0, "samples": 2}
    path = train_segmenter(small(tmp_path, pack, init=WEIGHTS, blend=WEIGHTS, share=1.0, **rates))
    assert same(floats(Segmenter.load(path).network.state_dict()), floats(shipped))
    network = state_of(tmp_path)["network"]
    assert torch.allclose(network["mask.weight"], shipped["mask.weight"], atol=1e-6)


def test_a_new_network_knows_imagenet_and_depends_on_the_seed_alone(pack, tmp_path):
    one, other = (new_network(small(tmp_path, pack, seed=seed)) for seed in (1, 2))
    torch.manual_seed(9)
    assert same(one.state_dict(), new_network(small(tmp_path, pack, seed=1)).state_dict())
    assert same(one.encoder.state_dict(), other.encoder.state_dict())
    assert not torch.equal(one.mask.weight, other.mask.weight)
    free = new_network(small(tmp_path, pack, frozen_blocks=0))
    assert all(parameter.requires_grad for parameter in free.parameters())


def test_batches_depend_on_seed_and_number_alone(pack, photographs, tmp_path):
    config = small(tmp_path, pack, samples=40, real=photographs, real_share=0.5)
    sources = Sources.load(config)
    shapes = set()
    for n in range(12):
        batch = Batches(config, sources)[n]
        again = Batches(config, sources, start=n)[0]
        assert all(torch.equal(one, other) for one, other in zip(batch, again, strict=True))
        images, masks, targets, owners = batch
        assert targets.shape == (len(owners), 1, *images.shape[2:])
        assert all(0 <= owner < len(images) for owner in owners.tolist())
        assert targets.amax((1, 2, 3)).gt(0.5).all()
        assert images.shape == (2, 3, *masks.shape[2:])
        assert masks.shape[:2] == (2, 1)
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
        shapes.add(images.shape[2:])
    assert (64, 64) in shapes
    assert {side for shape in shapes for side in shape} == {32, 64, 96}
    assert len(Batches(config, sources, start=15)) == 5
    other = Batches(small(tmp_path, pack, samples=40, real=photographs, seed=1), sources)[0].images
    assert not torch.equal(other[:, :, :32, :32], Batches(config, sources)[0].images[:, :, :32, :32])


def test_rates_rise_and_fall():
    assert settings.STRIDE == STRIDE
    assert schedule(0, 0, 0.02) == pytest.approx(1 / 200)
    assert schedule(400, 0.5, 0.02) == pytest.approx(0.02 + 0.98 / 2)
    assert schedule(400, 1, 0.02) == pytest.approx(0.02)


def test_iou_counts_pictures_with_objects_alone(pack, monkeypatch):
    held_out = CutoutPack.load(pack, "held_out")
    network = SegmentationNetwork()
    torch.nn.init.constant_(network.mask.bias, 1e4)  # all is object
    found = held_out_iou(network, held_out, 64, 8)
    from semantic_guidance.learning.data.cutouts.dataset import compose

    made = [compose(np.random.default_rng([10_000_019, n]), held_out, 64, 64) for n in range(8)]
    assert found == pytest.approx(np.mean([(each.mask > 0.5).mean() for each in made if each.masks]))
    assert held_out_iou(network, held_out, 64, 0) is None


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"size": 100}, "size: got 100, wanted a multiple of 32"),
        ({"samples": 15, "batch_size": 16}, "samples: got 15, wanted at least the 16 of --batch-size"),
        ({"split": "held_out"}, "split is 'held_out', wanted train or all"),
        ({"share": math.nan}, "share is nan, wanted a number from 0 to 1"),
        ({"real_share": 1.5}, "real_share is 1.5, wanted a number from 0 to 1"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, values, wanted):
    with pytest.raises(ValueError, match=wanted):
        small(tmp_path, tmp_path, **values)


def test_a_run_needs_the_settings_that_it_was_begun_with(run, pack):
    with pytest.raises(OptionError, match=r"size: .*last\.pt was made with 64, wanted the same"):
        train_segmenter(small(run, pack, size=96))


def test_a_checkpoint_with_a_part_missing(run, pack, tmp_path):
    state = state_of(run)
    del state["network"]["mask.bias"]
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(InputError, match="weights of other names or shapes"):
        train_segmenter(small(tmp_path, pack, held_out=4))
    state["ema"]["mask.bias"] = torch.tensor([math.nan])
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(InputError, match="weights that are not finite"):
        write_segmenter(tmp_path)


def test_a_run_that_diverged_is_not_saved(pack, tmp_path):
    with pytest.raises(InputError, match=r"in update \d, training has stopped; there is no checkpoint yet"):
        train_segmenter(small(tmp_path, pack, learning_rate=1e38, encoder_lr=1e38))
    assert not (tmp_path / "last.pt").exists()


def test_pictures_that_are_no_numbers_are_blamed(pack, tmp_path):
    config = small(tmp_path, pack)
    trainer = SegmenterTrainer(config, Sources.load(config))
    batch = Batches(config, trainer.sources)[0]
    with pytest.raises(InputError, match=r"; wanted pictures of finite numbers: their mask is not$"):
        trainer.update(batch._replace(masks=batch.masks * math.nan))
