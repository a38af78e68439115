"""The replay memory."""

from __future__ import annotations

import pytest
import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.replay import Replay


def episodes(count: int, first: int, steps: int = 3) -> torch.Tensor:
    """Episodes whose canvases are one number each: 10 x episode + step."""
    numbers = 10 * (first + torch.arange(count))[:, None] + torch.arange(steps + 1)
    return numbers.to(torch.uint8)[:, :, None, None, None].expand(count, steps + 1, 3, 4, 4)


def test_steps_stay_together_and_the_oldest_make_room():
    replay = Replay(5, 3, 4)
    replay.add(episodes(4, 0), torch.arange(4))
    replay.add(episodes(4, 4), torch.arange(4, 8))
    assert len(replay) == 5
    drawn = replay.sample(400, torch.Generator().manual_seed(0))
    before, after = drawn.before[:, 0, 0, 0].long(), drawn.after[:, 0, 0, 0].long()
    assert torch.equal(before, 10 * drawn.sample + drawn.step)
    assert torch.equal(after, before + 1)
    assert set(drawn.sample.tolist()) == {3, 4, 5, 6, 7}
    assert set(drawn.step.tolist()) == {0, 1, 2}
    assert drawn.before.dtype == torch.uint8


def test_state_comes_back():
    replay, other = Replay(5, 3, 4), Replay(5, 3, 4)
    replay.add(episodes(7, 0), torch.arange(7))
    other.load_state_dict(replay.state_dict())
    for memory in (replay, other):
        memory.add(episodes(1, 9), torch.tensor([9]))
    ours, theirs = (memory.sample(50, torch.Generator().manual_seed(1)) for memory in (replay, other))
    assert torch.equal(ours.before, theirs.before)
    assert torch.equal(ours.sample, theirs.sample)


def test_bad_input():
    replay = Replay(5, 3, 4)
    with pytest.raises(ValueError, match="the replay memory is empty"):
        replay.sample(1, torch.Generator())
    with pytest.raises(ValueError, match="canvases has shape"):
        replay.add(episodes(1, 0, steps=4), torch.tensor([0]))
    with pytest.raises(ValueError, match="canvases has shape"):
        Replay(9, 2, 4).load_state_dict({"canvases": episodes(3, 0), "samples": torch.arange(3)})


def test_too_large_for_the_machine():
    with pytest.raises(
        InputError, match=r"--rmsize.*: this takes 3,072,000,000.0 GB of memory, wanted less than"
    ):
        Replay(10**12, 999, 32)


@pytest.mark.parametrize("added", [3, 5, 7])
@pytest.mark.parametrize("room", [3, 5, 9])
def test_a_memory_of_another_size_takes_the_newest(added, room):
    replay, other = Replay(5, 3, 4), Replay(room, 3, 4)
    replay.add(episodes(added, 0), torch.arange(added))
    other.load_state_dict(replay.state_dict())
    kept = range(max(0, added - min(5, room)), added)
    assert sorted(other.samples[: len(other)].tolist()) == list(kept)
    other.add(episodes(1, added), torch.tensor([added]))  # in place of the oldest, if it is full
    drawn = other.sample(400, torch.Generator().manual_seed(0))
    full = len(kept) == room
    assert set(drawn.sample.tolist()) == {*kept[full:], added}
    assert torch.equal(drawn.before[:, 0, 0, 0].long(), 10 * drawn.sample + drawn.step)
