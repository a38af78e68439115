"""Running canvases: a batch of paintings at all stages; a finished one makes room for the next picture.

Pictures, masks and canvases stay on the device that learns. What decides when a painting ends is known
without looking at them, so that a graphics card is never waited for.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from semantic_guidance.learning.bank import PictureBank

AREAS = (0.01, 0.8)
"""Least and greatest share of a picture that its object takes; one that is not within counts as none."""

CROPPED, SMALLEST = 0.4, 0.62
"""Share of the pictures that are cropped, and the least side of a crop."""

RECOLOURED = 0.3
"""Share of the pictures whose colours are exchanged."""

GROUNDS = (0.1, 0.1)
"""Shares of the paintings that begin on black, and on any colour; others begin on the picture's mean."""


class Easels:
    """Paintings in progress.

    Attributes:
        target: ``[B, 3, H, H]`` in [0, 1].
        canvas: ``[B, 3, H, H]`` in [0, 1].
        mask: ``[B, 1, H, H]`` in [0, 1], nothing where there is no object.
        focus: ``[B, 1, H, H]`` in [0, 1].
        box: ``[B, 4]`` (x, y, width, height) of the object in units of the picture; all of it without one.
        kind: ``[B]`` in [0, 1], drawn for each painting, for whoever paints in more than one way.
        step: ``[B]`` steps taken, integers.
        length: steps of a painting.
        generator: of all choices.

    Args:
        bank: the pictures, with their guidance.
        count: of paintings.
        length: see above.
        device: of all tensors.
        seed: of all choices.
        fixed: the pictures with these numbers instead of random ones, as they are and on their mean colour.
    """

    def __init__(
        self,
        bank: PictureBank,
        count: int,
        length: int,
        device: torch.device,
        seed: int = 0,
        fixed: Tensor | None = None,
    ) -> None:
        bank.fill()
        self.pixels, self.length, self.fixed = bank.pixels.to(device), length, fixed
        self.device, self.generator = device, torch.Generator(device).manual_seed(seed)
        side = bank.size
        empty = functools.partial(torch.zeros, device=device, dtype=torch.float32)
        self.target, self.canvas = (empty(count, 3, side, side) for _ in range(2))
        self.mask, self.focus = (empty(count, 1, side, side) for _ in range(2))
        self.box, self.kind = empty(count, 4), empty(count)
        # Known here too, so that nobody has to wait for the device to tell.
        self._steps = [0 if fixed is not None else n * length // count for n in range(count)]
        self.step = torch.tensor(self._steps, device=device, dtype=torch.int64)
        self._fill(torch.arange(count, device=device))

    def __len__(self) -> int:
        return len(self.step)

    def advance(self, canvas: Tensor, steps: int = 1) -> Tensor:
        """Go on with ``[B, 3, H, H]``, so many steps later.

        Returns:
            The numbers of the paintings that made room for new pictures.
        """
        self.canvas = canvas
        self._steps = [step + steps for step in self._steps]
        over = [] if self.fixed is not None else [n for n, s in enumerate(self._steps) if s >= self.length]
        for slot in over:
            self._steps[slot] = 0
        self.step = self.step + steps
        slots = torch.tensor(over, dtype=torch.long)
        if self.device.type == "cuda":  # a copy that is not waited for
            slots = slots.pin_memory().to(self.device, non_blocking=True)
        if over:
            self.step = self.step.index_fill(0, slots, 0)
            self._fill(slots)
        return slots

    def _random(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device, dtype=torch.float32)

    def _fill(self, slots: Tensor) -> None:
        """Put new pictures on the easels of these numbers."""
        count = len(slots)
        if self.fixed is None:
            numbers = torch.randint(len(self.pixels), (count,), generator=self.generator, device=self.device)
            planes = self._varied(self.pixels[numbers].float() / 255)
            ground = self._grounds(planes)
        else:
            planes = self.pixels[self.fixed.to(self.device)].float() / 255
            ground = planes[:, :3].mean((2, 3))
        area = planes[:, 3].mean((1, 2))
        known = ((area > AREAS[0]) & (area < AREAS[1])).float().view(-1, 1, 1, 1)
        self.target[slots], self.canvas[slots] = (
            planes[:, :3],
            ground[..., None, None].expand_as(planes[:, :3]),
        )
        self.mask[slots], self.focus[slots] = planes[:, 3:4] * known, planes[:, 4:5] * known
        self.box[slots], self.kind[slots] = boxes(planes[:, 3] * known[:, 0]), self._random(count)

    def _varied(self, planes: Tensor) -> Tensor:
        """Mirrored, cropped, with colours exchanged, at random."""
        count, _, side, _ = planes.shape
        scale = 1 - (1 - SMALLEST) * self._random(count) * (self._random(count) < CROPPED)
        mirror = 1 - 2 * (self._random(count) < 0.5).float()
        shift = (1 - scale) * (2 * self._random(2, count) - 1)
        zero = torch.zeros_like(scale)
        turn = torch.stack([scale * mirror, zero, shift[0], zero, scale, shift[1]], 1).view(-1, 2, 3)
        grid = F.affine_grid(turn, [count, 1, side, side], align_corners=False)
        planes = F.grid_sample(planes, grid, align_corners=False, padding_mode="border")
        order = self._random(count, 3).argsort(1)
        order = torch.where((self._random(count, 1) < RECOLOURED), order, torch.arange(3, device=self.device))
        colour = planes[:, :3].gather(1, order[..., None, None].expand(-1, -1, side, side))
        return torch.cat([colour, planes[:, 3:]], 1)

    def _grounds(self, planes: Tensor) -> Tensor:
        """``[B, 3]`` colours to begin on."""
        count = len(planes)
        dice, black, any_colour = self._random(count, 1), GROUNDS[0], sum(GROUNDS)
        mean = planes[:, :3].mean((2, 3))
        ground = torch.where(dice < any_colour, self._random(count, 3), mean)
        return torch.where(dice < black, torch.zeros_like(mean), ground)

    def state_dict(self) -> dict[str, Any]:
        """All that changes, for `load_state_dict`."""
        planes = {name: getattr(self, name).cpu() for name in PLANES}
        return {**planes, "steps": self._steps, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the paintings, and the choices, that `state_dict` gave.

        If there were more, the last ones are left out; if there were less, new ones stay beside them.

        Raises:
            ValueError: they are of another size.
        """
        steps = [int(step) for step in state["steps"]]
        both = min(len(steps), len(self))
        for name in PLANES:
            mine, theirs = getattr(self, name), state[name]
            wanted = (len(steps), *mine.shape[1:])
            if theirs.shape != wanted or mine.dtype != theirs.dtype or not theirs.isfinite().all():
                raise ValueError(f"{name} has shape {list(theirs.shape)}, wanted numbers {list(wanted)}")
            setattr(self, name, torch.cat([theirs[:both].to(self.device), mine[both:]]))
        if not all(0 <= step < self.length for step in steps):
            raise ValueError(f"the steps are {steps!s:.60}, wanted numbers from 0 to {self.length - 1}")
        self._steps = steps[:both] + self._steps[both:]
        self.step = torch.tensor(self._steps, device=self.device, dtype=torch.int64)
        self.generator.set_state(state["generator"])


PLANES = ("target", "canvas", "mask", "focus", "box", "kind")
"""What easels hold, by name."""


def boxes(mask: Tensor) -> Tensor:
    """``[B, 4]`` (x, y, width, height) round what is above one half in ``[B, H, W]``, in units of its sides.

    All of it where nothing is.
    """
    inside = mask > 0.5
    spans = []
    for axis in (1, 2):  # rows collapse to tell columns
        line = inside.any(axis)
        length = line.shape[1]
        places = torch.arange(length, device=mask.device)
        first = torch.where(line, places, length).amin(1)
        last = torch.where(line, places, -1).amax(1)
        empty = last < 0
        start, span = torch.where(empty, 0, first), torch.where(empty, length, last + 1 - first)
        spans.append((start.float() / length, span.float() / length))
    (x, width), (y, height) = spans
    return torch.stack([x, y, width, height], 1)
