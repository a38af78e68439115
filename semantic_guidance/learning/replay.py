"""The replay memory: canvases as bytes, and which sample they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semantic_guidance.learning.memory import byte_table


@dataclass(frozen=True, eq=False)
class Transitions:
    """A batch of steps.

    Attributes:
        before: ``[B, 3, H, W]`` bytes, the canvas before the step.
        after: ``[B, 3, H, W]`` bytes, the canvas after it.
        step: ``[B]`` number of steps before it.
        sample: ``[B]`` which target it was.
    """

    before: Tensor  # [B, 3, H, W] uint8
    after: Tensor  # [B, 3, H, W] uint8
    step: Tensor  # [B]
    sample: Tensor  # [B]


class Replay:
    """The last episodes, each as its canvases from the empty one to the last.

    Actions and rewards are not kept: the critic's loss needs neither (see docs/algorithms.md).

    Args:
        episodes: to keep, at most.
        steps: of an episode.
        size: side of the canvas in pixels.

    Raises:
        InputError: the machine's memory is too small for it.
    """

    def __init__(self, episodes: int, steps: int, size: int) -> None:
        flags = "--rmsize, --max-eps-len, --canvas-size"
        self.canvases = byte_table(episodes, steps + 1, 3, size, size, flags=flags)
        self.samples = torch.empty(episodes, dtype=torch.long)
        self.count = 0
        self.next = 0

    def __len__(self) -> int:
        """Number of episodes."""
        return self.count

    def add(self, canvases: Tensor, samples: Tensor) -> None:
        """Append episodes ``[N, T + 1, 3, H, W]`` of bytes with their samples ``[N]``; the oldest make room.

        Raises:
            ValueError: a shape is another.
        """
        if canvases.shape[1:] != self.canvases.shape[1:] or len(samples) != len(canvases):
            raise ValueError(
                f"canvases has shape {list(canvases.shape)}, "
                f"wanted {[len(samples), *self.canvases.shape[1:]]}"
            )
        capacity = len(self.samples)
        canvases, samples = canvases[-capacity:], samples[-capacity:]
        places = (self.next + torch.arange(len(samples))) % capacity
        self.canvases[places], self.samples[places] = canvases, samples
        self.next = int(self.next + len(samples)) % capacity
        self.count = min(capacity, self.count + len(samples))

    def sample(self, batch: int, generator: torch.Generator) -> Transitions:
        """Steps drawn at random.

        Raises:
            ValueError: the memory is empty.
        """
        if self.count == 0:
            raise ValueError("the replay memory is empty, wanted an episode")
        steps = self.canvases.shape[1] - 1
        drawn = torch.randint(self.count * steps, (batch,), generator=generator)
        episode, step = drawn // steps, drawn % steps
        return Transitions(
            self.canvases[episode, step], self.canvases[episode, step + 1], step, self.samples[episode]
        )

    def largest_sample(self) -> int:
        """The largest number of a sample in it; -1 if it is empty."""
        return int(self.samples[: self.count].max()) if self.count else -1

    def state_dict(self) -> dict[str, Tensor]:
        """The episodes in it."""
        return {
            "canvases": self.canvases[: self.count].clone(),
            "samples": self.samples[: self.count].clone(),
            "next": torch.tensor(self.next, dtype=torch.int64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what `state_dict` gave, the newest of it if that is more than there is room for.

        Raises:
            ValueError: it comes from a memory of other episodes.
        """
        canvases, samples = state["canvases"], state["samples"]
        count, capacity = len(samples), len(self.samples)
        if canvases.shape != (count, *self.canvases.shape[1:]):
            raise ValueError(f"canvases has shape {list(canvases.shape)}, wanted {list(self.canvases.shape)}")
        kinds = (canvases.dtype, samples.dtype, samples.ndim)
        if kinds != (torch.uint8, torch.long, 1) or bool((samples < 0).any()):
            raise ValueError("canvases are not bytes, or samples not numbers from 0")
        following = int(state["next"])
        if not 0 <= following <= count:
            raise ValueError(f"next is {following}, wanted 0 to {count}")
        kept = min(count, capacity)
        if count > capacity or (count < capacity and following < count):  # of a memory with less or more room
            newest = torch.arange(count).roll(-following)[count - kept :]
            canvases, samples, following = canvases[newest], samples[newest], kept
        self.count, self.next = kept, following % capacity
        self.canvases[:kept], self.samples[:kept] = canvases, samples
