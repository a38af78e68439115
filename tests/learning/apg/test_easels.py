"""Running canvases: who begins and ends when, what is on them, and boxes by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.learning.apg.easels import Easels, boxes
from tests.learning.toys import discs

CPU = torch.device("cpu")


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(0, 11)] * 4))
def test_boxes_of_rectangles(corners: tuple[int, int, int, int]) -> None:
    """The box of a filled rectangle is the rectangle, in units of the 12 x 12 picture."""
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    mask = torch.zeros(2, 12, 12)
    mask[0, top : bottom + 1, left : right + 1] = 1
    wanted = torch.tensor([left, top, right + 1 - left, bottom + 1 - top]) / 12
    assert torch.allclose(boxes(mask)[0], wanted)
    assert boxes(mask)[1].tolist() == [0, 0, 1, 1]  # nothing is there


def test_paintings_end_one_after_the_other() -> None:
    """Of four paintings of eight steps, begun two steps apart, one ends in every other step."""
    easels = Easels(discs(6, 16, 0), 4, 8, CPU)
    assert easels.step.tolist() == [0, 2, 4, 6]
    ended = [easels.advance(easels.canvas).tolist() for _ in range(8)]
    assert ended == [[], [3], [], [2], [], [1], [], [0]]
    assert easels.step.tolist() == [0, 2, 4, 6]


def test_a_new_picture_begins_on_a_plain_ground_and_the_others_stay() -> None:
    easels = Easels(discs(6, 16, 0), 2, 2, CPU)
    painted = torch.rand(2, 3, 16, 16)
    target = easels.target.clone()
    assert easels.advance(painted.clone()).tolist() == [1]
    assert torch.equal(easels.canvas[0], painted[0])
    assert torch.equal(easels.target[0], target[0])
    assert easels.canvas[1].flatten(1).std(1).max() == 0


def test_fixed_pictures_are_those_of_the_bank_on_their_mean_colour() -> None:
    bank = discs(5, 16, 0)
    easels = Easels(bank, 2, 3, CPU, fixed=torch.tensor([4, 1]))
    assert torch.equal(easels.target, bank.pixels[[4, 1], :3].float() / 255)
    assert torch.allclose(easels.canvas[0, :, 3, 5], easels.target[0].mean((1, 2)))
    easels.advance(easels.canvas, 3)
    assert easels.step.tolist() == [3, 3]  # a painting that is over stays


def test_varied_pictures_keep_their_masks_on_their_objects() -> None:
    """A picture whose colours are its mask: mirrored, cropped and exchanged, they stay the same."""
    bank = discs(3, 32, 0)
    bank.fill()
    bank.pixels[:, :3] = bank.pixels[:, 3:4]
    easels = Easels(bank, 40, 4, CPU)
    assert torch.allclose(easels.target, easels.mask.expand(-1, 3, -1, -1), atol=1e-6)
    found = [tuple(values) for values in (easels.box * 32).round().int().tolist()]
    assert len(set(found)) > 6
    for planes, (x, y, w, h) in zip(easels.mask[:, 0].numpy(), found, strict=True):
        rows, columns = np.nonzero(planes > 0.5)
        assert (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1) == (x, y, w, h)


def test_what_was_saved_goes_on_alike(tmp_path: Path) -> None:
    def run(easels: Easels, steps: int) -> torch.Tensor:
        for _ in range(steps):
            easels.advance((easels.canvas + easels.target) / 2)
        return torch.cat([easels.canvas, easels.target, easels.mask], 1)

    whole, first, second = (Easels(discs(6, 16, 0), 3, 4, CPU, seed) for seed in (1, 1, 2))
    run(first, 5)
    torch.save(first.state_dict(), tmp_path / "easels.pt")
    second.load_state_dict(torch.load(tmp_path / "easels.pt", weights_only=True))
    assert torch.equal(run(whole, 12), run(second, 7))
    with pytest.raises(ValueError, match="target has shape"):
        Easels(discs(6, 8, 0), 2, 4, CPU).load_state_dict(first.state_dict())
    for count in (2, 9):  # fewer or more than before
        other = Easels(discs(6, 16, 0), count, 4, CPU)
        other.load_state_dict(first.state_dict())
        both = min(count, len(first))
        assert torch.equal(other.canvas[:both], first.canvas[:both])
        assert len(run(other, 3)) == count
