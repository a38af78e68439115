"""Half-finished paintings on which the window agents learn: pictures, canvases, and what to look at next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semantic_guidance.agents.problem import background_weight, foreground_weight
from semantic_guidance.agents.window.view import Window, object_window
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]

CANDIDATES = 6
"""Windows of which the one with the greatest error is looked at."""

DETAILS = (0.12, 0.6)
"""Least and greatest side of a window on a detail, in units of what it is a detail of."""


@dataclass(frozen=True, eq=False)
class SceneBank:
    """Pictures with their guidance, as bytes in memory.

    Attributes:
        images: ``[N, H, H, 3]`` RGB.
        masks: ``[N, H, H, 2]``: all objects, and the one object that is to be painted.
        focus: ``[N, H, H]``.
    """

    images: Bytes
    masks: Bytes
    focus: Bytes

    def __len__(self) -> int:
        return len(self.images)

    def scene(self, index: int, mirrored: bool) -> Array:
        """``[H, H, 6]`` in [0, 1]: RGB, all objects, the object, focus."""
        planes = np.concatenate([self.images[index], self.masks[index], self.focus[index][..., None]], axis=2)
        planes = planes[:, ::-1] if mirrored else planes
        return np.ascontiguousarray(planes, np.float32) / np.float32(255)


@dataclass(eq=False)
class Episode:
    """One painting in progress.

    Attributes:
        index: of its picture in the bank.
        mirrored: whether the picture is.
        scene: ``[H, H, 6]``, see `SceneBank.scene`.
        guided: whether the agent is told of the object.
        looks: windows still to be painted as whole picture, background details, object, object details.
    """

    index: int
    mirrored: bool
    scene: Array
    guided: bool
    looks: list[int] = field(default_factory=list)

    @property
    def stage(self) -> int:
        """Index of the first of `looks` that is not used up; their number when the painting is over."""
        return next((n for n, count in enumerate(self.looks) if count > 0), len(self.looks))


class Episodes:
    """A batch of paintings, each on its own canvas; a finished one makes room for a new picture.

    Args:
        bank: the pictures.
        count: of paintings.
        guided: share of the paintings whose agent is told of the object.
        rng: of all choices.
    """

    def __init__(self, bank: SceneBank, count: int, guided: float, rng: np.random.Generator) -> None:
        self.bank, self.guided, self.rng = bank, guided, rng
        side = bank.images.shape[1]
        self.canvas = torch.zeros(count, 3, side, side, dtype=torch.float32)
        self.episodes = [self._begin(n) for n in range(count)]
        for episode in self.episodes:  # not all at the same stage
            for _ in range(int(rng.integers(0, 6))):
                self._count_down(episode)

    def _begin(self, slot: int) -> Episode:
        rng = self.rng
        index, mirrored = int(rng.integers(len(self.bank))), bool(rng.random() < 0.5)
        scene = self.bank.scene(index, mirrored)
        paper = scene[..., :3].mean(axis=(0, 1)) if rng.random() < 0.8 else rng.random(3)
        self.canvas[slot] = torch.from_numpy(paper.astype(np.float32)).view(3, 1, 1)
        area = float(scene[..., 4].mean())
        guided = bool(rng.random() < self.guided) and 0.002 < area < 0.9
        ground = [int(rng.integers(1, 5)), int(rng.integers(2, 7))]
        looks = [*ground, int(rng.integers(1, 6)), int(rng.integers(2, 7))] if guided else [*ground]
        if not guided:
            looks[1] += 5
        return Episode(index, mirrored, scene, guided, looks)

    def _count_down(self, episode: Episode) -> None:
        if episode.stage < len(episode.looks):
            episode.looks[episode.stage] -= 1

    def windows(self) -> tuple[list[Window], Array]:
        """What is looked at next, and the windows' ``[B, S, S, 8]``: canvas, target, show, weight."""
        chosen, views = [], []
        canvases = self.canvas.permute(0, 2, 3, 1).contiguous().numpy()
        for slot, episode in enumerate(self.episodes):
            if episode.stage == len(episode.looks):
                episode = self.episodes[slot] = self._begin(slot)
                canvases[slot] = self.canvas[slot].permute(1, 2, 0).numpy()
            show, weight = self._planes(episode)
            window = self._choose(episode, canvases[slot], weight)
            planes = (canvases[slot], episode.scene[..., :3], show[..., None])
            seen = [*(window.look(plane) for plane in planes), window.look(weight[..., None], 0.0)]
            chosen.append(window)
            views.append(np.concatenate(seen, axis=2))
        return chosen, np.stack(views)

    def _planes(self, episode: Episode) -> tuple[Array, Array]:
        """Where strokes show, and what counts, ``[H, H]`` each."""
        everywhere = np.ones(episode.scene.shape[:2], np.float32)
        if not episode.guided:
            return everywhere, everywhere
        if episode.stage < 2:
            return everywhere, background_weight(_plane(episode.scene[..., 3])).numpy()
        mask = episode.scene[..., 4]
        return mask, foreground_weight(_plane(mask), _plane(episode.scene[..., 5])).numpy()

    def _choose(self, episode: Episode, canvas: Array, weight: Array) -> Window:
        side, rng = canvas.shape[0], self.rng
        if episode.stage == 0:
            if rng.random() < 0.25:  # pictures that are not square leave a part of the window empty
                larger = round(side * rng.uniform(1, 1.4))
                left, top = rng.integers(side - larger, 1, 2)
                return Window(int(left), int(top), larger)
            return Window(0, 0, side)
        whole = Window(0, 0, side)
        if episode.guided and episode.stage >= 2:
            whole = object_window(_plane(episode.scene[..., 4]))
            if episode.stage == 2:
                return whole
        error = ((canvas - episode.scene[..., :3]) ** 2).mean(axis=2) * weight
        best, most = whole, -1.0
        inner = max(12, round(whole.side * np.exp(rng.uniform(np.log(DETAILS[0]), np.log(DETAILS[1])))))
        for _ in range(CANDIDATES):
            left = whole.left + int(rng.integers(0, max(1, whole.side - inner + 1)))
            top = whole.top + int(rng.integers(0, max(1, whole.side - inner + 1)))
            part = error[max(0, top) : top + inner, max(0, left) : left + inner]
            if float(part.sum()) > most:
                best, most = Window(left, top, inner), float(part.sum())
        return best

    @torch.no_grad()
    def paint(self, windows: list[Window], strokes: Strokes) -> None:
        """Paint the strokes ``[B, N]`` of the windows on the canvases, and go on to the next look."""
        longer = self.canvas.shape[-1]
        parts = [
            window.to_picture(strokes.map(lambda values, n=n: values[n : n + 1]), longer)  # type: ignore[misc]
            for n, window in enumerate(windows)
        ]
        together = Strokes(
            *(
                torch.cat([getattr(part, name) for part in parts])
                for name in ("points", "radius", "opacity", "color")
            )
        )
        masks = torch.from_numpy(np.stack([self._planes(episode)[0] for episode in self.episodes]))[:, None]
        self.canvas = render(together, self.canvas, masks)
        for episode in self.episodes:
            self._count_down(episode)

    def state_dict(self) -> dict[str, Any]:
        """All that changes, for `load_state_dict`."""
        return {
            "canvas": self.canvas,
            "easels": [
                (episode.index, episode.mirrored, episode.guided, episode.looks) for episode in self.episodes
            ],
            "rng": json.dumps(self.rng.bit_generator.state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the paintings, and the choices, that `state_dict` gave.

        If there were more, the last ones are left out; if there were less, new ones stay beside them.

        Raises:
            ValueError: they are on canvases of another size, of pictures that are not in the bank, or none at
                all.
        """
        try:
            canvas, generator = state["canvas"], json.loads(state["rng"])
            episodes = [
                Episode(index, mirrored, self.bank.scene(index, mirrored), guided, list(looks))
                for index, mirrored, guided, looks in state["easels"]
            ]
            if canvas.shape != (len(episodes), *self.canvas.shape[1:]):
                raise ValueError("their size is another")
            if canvas.dtype != self.canvas.dtype or not canvas.isfinite().all():
                raise ValueError("a canvas is not finite")
            if not all(isinstance(count, int) for each in episodes for count in each.looks):
                raise ValueError("what is to be looked at is not counted")
            self.rng.bit_generator.state = generator
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"paintings in progress do not fit ({error}), wanted those of the same pictures"
            ) from None
        both = min(len(episodes), len(self.episodes))
        self.canvas = torch.cat([canvas[:both], self.canvas[both:]])
        self.episodes = episodes[:both] + self.episodes[both:]


def _plane(values: Array) -> torch.Tensor:
    """``[H, H]`` as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values))
