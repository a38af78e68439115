"""Clicks: their maps, likeness, the decoder that reads them, and masks in pixels of the picture."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from semantic_guidance.core.guidance import Point
from semantic_guidance.guidance.click_network import (
    STRIDES,
    ClickDecoder,
    Clicks,
    click_maps,
    likeness,
    sampled,
)
from semantic_guidance.guidance.clicks import ClickSegmenter, box_plane, with_salient
from semantic_guidance.guidance.efficientnet import FEATURE_CHANNELS
from semantic_guidance.guidance.network import SegmentationNetwork
from semantic_guidance.guidance.segmenter import Segmenter, SegmenterConfig
from semantic_guidance.learning.segmenter.loss import click_loss


def points(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor([rows], dtype=torch.float32)


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    """A small one that has learned nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SegmentationNetwork((8,) * 5, click_widths=(8,) * 5).eval().requires_grad_(False)


def test_maps_are_sampled_between_the_centres_of_cells():
    maps = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])  # cells of 4 x 4 pixels
    found = sampled(maps, points((2, 2, 1), (6, 2, 1), (4, 4, 1), (4, 2, 0), (0, 0, 1)), (8, 8))
    assert torch.allclose(found[0, :, 0], torch.tensor([0.0, 1.0, 1.5, 0.5, 0.0]))


def test_likeness_is_the_greatest_cosine_with_the_clicks_of_a_sign():
    half = math.sqrt(0.5)
    embedding = torch.tensor([[[[1.0, 0.0], [half, -1.0]], [[0.0, 1.0], [half, 0.0]]]])
    # The first cell was clicked, and the second; the third lies between them, the fourth opposite the first.
    found = likeness(embedding, points((2, 2, 1), (6, 2, 1)), (8, 8))
    assert torch.allclose(found[0, 0], torch.tensor([[1.0, 1.0], [half, 0.0]]), atol=1e-6)
    assert (found[0, 1] == -1).all()  # no negative click
    found = likeness(embedding, points((2, 2, 1), (6, 2, -1), (6, 6, 0)), (8, 8))
    assert torch.allclose(found[0, 0], torch.tensor([[1.0, 0.0], [half, -1.0]]), atol=1e-6)
    assert torch.allclose(found[0, 1], torch.tensor([[0.0, 1.0], [half, 0.0]]), atol=1e-6)


def test_click_maps_are_discs_and_gaussians():
    maps = click_maps(points((10, 6, 1), (30, 6, -1), (10, 30, 0)), 16, 16, 2)[0]
    assert maps.shape == (6, 16, 16)
    x, y = np.meshgrid(np.arange(16) * 2 + 1, np.arange(16) * 2 + 1)
    squares = torch.from_numpy((x - 10.0) ** 2 + (y - 6.0) ** 2).float()
    assert torch.allclose(maps[2], torch.exp(-squares / 128), atol=1e-6)
    assert torch.allclose(maps[4], torch.exp(-squares / 2048), atol=1e-6)
    assert torch.allclose(maps[0], ((3.5 - squares.sqrt()) / 2).clamp(0, 1))
    assert torch.allclose(maps[1::2, :, 10:].flip(2), maps[::2, :, 4:10], atol=1e-6)  # mirrored at 20
    assert not click_maps(points((10, 6, 0)), 16, 16, 2).any()


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(-20, 40)] * 2, *[st.floats(0.5, 60)] * 2), st.integers(1, 12), st.integers(1, 12)
)
def test_a_box_holds_the_pixels_whose_centres_it_holds(box, rows, columns):
    left, top, width, height = np.float32(box)
    plane = box_plane((left, top, left + width, top + height), rows, columns)
    for y in range(rows):
        for x in range(columns):
            inside = left <= x + 0.5 <= left + width and top <= y + 0.5 <= top + height
            assert plane[y, x] == (1 if inside else -1)


def colours(generator: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures of two squares of one colour: what an encoder might give, ``[T, C]``, masks and places."""
    planes = torch.zeros(count, 2, 32, 32)
    places = torch.zeros(count, 2, 2)
    for n in range(count):
        swap = int(generator.integers(2))
        for k in range(2):
            x, y = 1 + 16 * (k ^ swap) + generator.integers(3), generator.integers(20)
            planes[n, k, y : y + 12, x : x + 12] = 1
            places[n, k] = torch.tensor([x + 6.0, y + 6.0])
    return planes.sum(1, keepdim=True), planes, places


def test_a_decoder_learns_that_a_click_selects_and_a_negative_one_removes():
    """Two squares of one colour; of the mask so far, which holds both, a negative click takes one away."""
    generator, numbers = np.random.default_rng(2), torch.Generator().manual_seed(2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        decoder = ClickDecoder((12,) * 5, kinds=1, salient=(1,) * 4)
    mixing = [torch.randn(channels, 1, 1, generator=numbers) for channels in FEATURE_CHANNELS]
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)

    def decoded(pixels, places, removing):
        features = [F.avg_pool2d(pixels, stride) * mix for stride, mix in zip(STRIDES, mixing, strict=True)]
        sign = 1 - 2 * removing[:, None].float()
        clicked = torch.cat([places[torch.arange(len(pixels)), removing], sign], 1)[:, None]
        before = pixels * removing[:, None, None, None]
        maps = [F.avg_pool2d(pixels, stride) for stride in STRIDES[3::-1]]
        view = decoder.view(features, torch.zeros(len(pixels), 1, 1, 1), maps)
        return decoder(view, Clicks(clicked, before, pixels, torch.zeros_like(pixels)))

    for _ in range(20):
        pixels, squares, places = colours(generator, 8)
        logits, quality = decoded(pixels, places, torch.arange(8) % 2)
        loss = click_loss(logits, quality, squares[:, :1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pixels, squares, places = colours(generator, 24)
    with torch.no_grad():
        found = decoded(pixels, places, torch.arange(24) % 2)[0] > 0
    meant = squares[:, :1] > 0
    overlap = (found & meant).sum((1, 2, 3)) / (found | meant).sum((1, 2, 3))
    assert float(overlap[::2].mean()) > 0.8
    assert float(overlap[1::2].mean()) > 0.8


def test_masks_come_in_the_pictures_size_and_the_encoder_looks_once(network, monkeypatch):
    clicks = ClickSegmenter(Segmenter(network))
    picture = torch.rand(3, 70, 100, generator=torch.Generator().manual_seed(1))
    features = clicks.encode(picture)
    mask, quality = clicks(features, [Point(60, 30)], previous=torch.ones(1, 70, 100))
    assert mask.shape == (1, 70, 100)
    assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
    assert 0 <= quality <= 1
    assert torch.equal(clicks(features, [Point(60, 30)], previous=torch.ones(1, 70, 100))[0], mask)
    assert not torch.equal(clicks(features, [Point(60, 30)])[0], mask)
    # The whole of a picture needs no second look: the encoder's features serve again.
    monkeypatch.setattr(network, "features", lambda images: pytest.fail("looked again"))
    assert clicks(features, box=(0, 0, 100, 70))[0].shape == (1, 70, 100)


def test_a_salient_object_has_a_say_where_it_is_what_was_clicked():
    salient = np.zeros((20, 40), np.float32)
    salient[4:16, 2:18] = 0.9  # two objects apart
    salient[4:16, 24:38] = 0.7
    soft = np.zeros_like(salient)
    soft[4:14, 2:18] = 0.6
    both = with_salient(soft, salient, points((5, 8, 1))[0])
    assert np.allclose(both[4:14, 2:18], 0.75)
    assert np.allclose(both[14:16, 2:18], 0.45)
    assert not both[:, 24:].any()  # the other one was not meant
    # What lies below is not wanted: there it has no say, nor next to it.
    less = with_salient(soft, salient, points((5, 8, 1), (5, 15, -1))[0])
    assert np.array_equal(less[:12], both[:12])
    assert not less[14:].any()
    for clicks in (
        points((5, 8, 1), (21, 8, 1)),  # both masks are wrong here
        points((30, 8, 1)),  # nothing was found of this one
    ):
        assert with_salient(soft, salient, clicks[0]) is soft
    small = np.where(np.arange(40) < 8, soft, 0)  # less than .6 of it was found
    assert with_salient(small, salient, points((5, 8, 1))[0]) is small
    boxed = with_salient(soft, salient, points((0, 0, 0))[0])  # no click: what was found tells
    assert np.array_equal(boxed, both)


def test_clicks_that_make_no_sense(network):
    clicks = ClickSegmenter(Segmenter(network))
    features = clicks.encode(torch.zeros(3, 40, 60))
    for given_points, box, wanted in (
        ([Point(70, 3)], None, r"point is 70, 3, wanted a place in the 60 x 40 image"),
        ([Point(math.nan, 3)], None, r"point is nan, 3"),
        ([], None, "points hold no positive one, wanted at least one, or a box"),
        ([Point(3, 3, positive=False)], None, "points hold no positive one"),
        ([], (60, 0, 5, 5), r"box is \(60, 0, 5, 5\), wanted a part of the 60 x 40 image"),
        ([], (0, 0, math.nan, 5), "box is"),
    ):
        with pytest.raises(ValueError, match=wanted):
            clicks(features, given_points, box=box)
    with pytest.raises(ValueError, match="previous"):
        clicks(features, [Point(3, 3)], previous=torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="image"):
        clicks.encode(torch.zeros(1, 40, 60))


def test_files_with_and_without_a_decoder_of_clicks(network, tmp_path: Path):
    path = tmp_path / "a.safetensors"
    config = SegmenterConfig((8,) * 5, (8,) * 5)
    Segmenter(network, config).save(path)
    read = Segmenter.load(path)
    assert read.config.click_widths == (8,) * 5
    halves = {name: values.half().float() for name, values in network.state_dict().items()}
    assert all(
        torch.equal(values.float(), halves[name]) for name, values in read.network.state_dict().items()
    )
    assert ClickSegmenter(read).decoder.widths == (8,) * 5

    earlier = SegmentationNetwork((8,) * 5, click_widths=None)
    Segmenter(earlier, replace(config, click_widths=None)).save(path)
    read = Segmenter.load(path)
    assert read.config.click_widths is None
    with pytest.raises(ValueError, match="the segmenter knows nothing of clicks, wanted weights that were"):
        ClickSegmenter(read)

    Segmenter(network, config).save(path)
    tensors = load_file(path)
    del tensors["clicks.mask.bias"]
    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(ValueError, match=r"does not match the network in 'clicks\.mask\.bias'"):
        Segmenter.load(path)
