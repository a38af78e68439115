"""From a picture and what is known of it to a painting."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.actors import ActorPainter
from semantic_guidance.agent_file import WINDOW_ACTOR, agent_format, is_ours
from semantic_guidance.brushes import Brush
from semantic_guidance.detail import BASE_SHARE, add_detail, closer_side, windows_across
from semantic_guidance.guidance import Guide
from semantic_guidance.images import to_image
from semantic_guidance.medium import Medium, Tools
from semantic_guidance.painting import Layer, Painting
from semantic_guidance.palette import Color, nearest_color
from semantic_guidance.planner import plan
from semantic_guidance.polish import Polish, PolishConfig
from semantic_guidance.renderer.objective import Objective, Run
from semantic_guidance.sketch import OBJECT_SHARE, Sketch, film_runs, foreground_share
from semantic_guidance.styles import cover
from semantic_guidance.types import Guidance, Instance, Strokes
from semantic_guidance.window_agent import WindowAgent

Progress = Callable[[str, float], None]
Array = NDArray[np.float32]

AGENTS = ("semantic", "baseline", "planner")
WEIGHTS = Path(__file__).parent / "weights"
MAX_STROKES = 100_000
SIZES = (16, 8192)  # of a painting's longer side in pixels
DEFAULT_SIZES = (512, 2048)
MOST_DETAIL = 8
FEWER_STEPS = 0.3  # exponent of 300 strokes against more, in the steps of polish
MASK_SIZE = 1024  # longer side at which a painting keeps its masks and what it was painted on


@dataclass(frozen=True)
class Preset:
    """How much work goes into a painting.

    Attributes:
        side: the strokes are found on a canvas of this many pixels squared, for 300 strokes.
        object_share: share of the strokes that objects get beyond the share of their area, see
            `sketch.foreground_share`.
        polish: the refinement; None leaves the strokes as they were planned.
    """

    side: int = 176
    object_share: float = OBJECT_SHARE
    polish: PolishConfig | None = field(default_factory=PolishConfig)


PRESETS = {
    "draft": Preset(object_share=0.5, polish=None),
    "standard": Preset(),
    "fine": Preset(
        side=256, polish=replace(PolishConfig(), steps=1500, reseed_at=tuple(np.arange(0.04, 0.7, 0.03)))
    ),
}


class Painter:
    """Paints pictures.

    Args:
        agent: who makes the first strokes: ``semantic`` (a network that is told of the objects),
            ``baseline`` (one that is not, so that nothing else of the painting is either), ``planner`` (no
            network), or the file of an agent, trained here (``.safetensors``) or by the papers' code. An
            actor of the paper's kind knows all objects as one.
        preset: ``draft`` (no refinement), ``standard`` or ``fine``.
        strokes: number of strokes.
        size: pixels of the painting's longer side; that of the picture, but at least 512 and at most 2048,
            if None.
        seed: of all random choices; the same seed gives the same painting.
        foreground_share: share of the strokes, 0 to 1, that the objects get; by their area if None.
        medium: palette, brushes, paint and paper; no limits if None.
        start: the canvas before the first stroke: a colour, RGB in [0, 1], or a picture ``[3, h, w]`` that
            is scaled to fill it. If None, the picture's mean colour, or what suits the medium.
        brush: ``flat``, ``oil``, ``watercolor``, ``pencil``, or the file of a grey picture, bright where the
            brush leaves paint, from the stroke's start on the left to its end on the right.
        detail: how many times as closely the picture is worked over in windows of that part of its sides,
            once the first of the strokes stand; 1 for not at all, by the number of strokes if None.
        progress: called with a stage (``compile``, ``guidance``, ``plan``, ``polish``, ``detail``) and which
            share of it is done.

    Raises:
        ValueError: an unknown agent or preset, a number out of range, or a canvas that is none.
    """

    def __init__(
        self,
        agent: str = "semantic",
        preset: str = "standard",
        *,
        strokes: int = 300,
        size: int | None = None,
        seed: int = 0,
        foreground_share: float | None = None,
        brush: str | Path = "flat",
        detail: int | None = None,
        medium: Medium | None = None,
        start: Color | Tensor | None = None,
        progress: Progress | None = None,
    ) -> None:
        if agent not in AGENTS and not Path(agent).is_file():
            raise ValueError(
                f"agent is {agent!r}, wanted one of {', '.join(AGENTS)}, or the file of a trained actor"
            )
        if preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}, wanted one of {', '.join(PRESETS)}")
        _check_whole("strokes", strokes, 1, MAX_STROKES)
        if size is not None:
            _check_whole("size", size, *SIZES)
        if foreground_share is not None and not 0 <= foreground_share <= 1:
            raise ValueError(f"foreground_share is {foreground_share}, wanted 0 to 1")
        if detail is not None:
            _check_whole("detail", detail, 1, MOST_DETAIL)
        self.brush = Brush.of(brush, seed)
        self.actor, self.agent = _load(agent)
        self.preset = PRESETS[preset]
        self.strokes = strokes
        self.size = size
        self.seed = seed
        self.foreground_share = foreground_share
        self.medium = medium or Medium()
        whole = self.preset.polish is None or not self.medium.free
        self.detail = detail or (1 if whole else windows_across(strokes))
        if self.detail > 1 and not self.medium.free:
            raise ValueError(f"detail is {detail}, wanted 1 with a palette, brushes or opaque paint")
        self.start = _checked_start(start)
        self.progress = progress or (lambda stage, share: None)

    @property
    def guided(self) -> bool:
        """Whether it makes anything of guidance."""
        return self.agent is None or self.agent.guided

    def paint(self, image: Any, guidance: Guidance | None = None) -> Painting:
        """Paint a picture.

        Args:
            image: float tensor ``[3, H, W]`` in [0, 1], PIL image, uint8 array ``[H, W, 3]``, or a path.
            guidance: its objects, at any size of the same aspect; each is painted apart, on top of the
                background, under its mask. The painter looks for them itself if None; `Guidance.none()`
                paints a picture of nothing in particular.

        Returns:
            The painting.
        """
        picture = to_image(image)
        height, width = picture.shape[-2:]
        self._compile()
        begin = time.perf_counter()
        given = guidance
        if not self.guided:
            guidance = Guidance.none(height, width)
        if guidance is None:
            self.progress("guidance", 0.0)
            guidance = Guide()(picture)
            self.progress("guidance", 1.0)
        guidance = guidance.resized(height, width)
        seen = tuple(instance for instance in guidance.instances if bool((instance.mask > 0).any()))
        guidance = replace(guidance, instances=seen)
        if self.actor is not None and guidance.instances:
            guidance = replace(guidance, instances=(Instance.from_mask(guidance.mask),))
        start = time.perf_counter()
        self.progress("plan", 0.0)
        under = cover(self.start, height, width) if isinstance(self.start, Tensor) else None
        sketch, tools = self._sketch(picture, guidance, under)
        if self.actor is not None:
            vectors, runs = self._act(self.actor, sketch, picture, guidance)
        elif self.agent is not None:
            fill = np.random.default_rng(self.seed) if self.preset.polish else None
            vectors, runs = self.agent.draft(sketch, fill)
        else:
            vectors, runs = self._plan(sketch)
        planned = time.perf_counter()
        self.progress("plan", 1.0)
        strokes = sketch.to_picture(self._polish(sketch, vectors, runs, tools))
        if self.detail > 1:
            strokes, runs = self._detailed(sketch, strokes, runs, picture, guidance, under)
        polished = time.perf_counter()

        longer = max(height, width)
        size = self.size or min(max(longer, DEFAULT_SIZES[0]), DEFAULT_SIZES[1])
        return Painting(
            layers=self._layers(strokes, runs, guidance),
            background=sketch.paper,
            width=max(1, round(width * size / longer)),
            height=max(1, round(height * size / longer)),
            guidance=guidance if given is None else given.resized(height, width),
            seconds={"guidance": start - begin, "plan": planned - start, "polish": polished - planned},
            photo=picture,
            brush=self.brush,
            paper=self.medium.paper,
            start=None if under is None else _stored(under),
        )

    def _compile(self) -> None:
        """Have the kernels ready, so that their compilation (once on a machine) is no part of painting."""
        self.progress("compile", 0.0)
        white, all_of_it = np.ones((8, 8, 3), np.float32), np.ones((8, 8), np.float32)
        stroke, _ = plan(white, all_of_it, 1, white, None, np.random.default_rng(0))
        grey = torch.full((3, 8, 8), 0.5)
        objective = Objective((Run(1, None, 1.0),), torch.empty(0, 8, 8), grey, grey, torch.ones(8, 8))
        objective.gradient(stroke.pack()[0], 1.0)
        objective.removal_costs(stroke.pack()[0], 1.0)
        self.progress("compile", 1.0)

    def _share(self, guidance: Guidance) -> float:
        """Share of the strokes that objects get."""
        given = self.foreground_share
        return foreground_share(guidance, self.preset.object_share) if given is None else given

    def _sketch(
        self, picture: Tensor, guidance: Guidance, under: Tensor | None
    ) -> tuple[Sketch, Tools | None]:
        """The sketch, on a canvas with the picture `under`, and the tools if they are limited."""
        first = self.strokes if self.detail == 1 else max(1, round(BASE_SHARE * self.strokes))
        sketch = Sketch.of(picture, guidance, self.preset.side, first, self._share(guidance), under)
        tools = None
        if not self.medium.free:
            target, weight = torch.from_numpy(sketch.target).permute(2, 0, 1), torch.from_numpy(sketch.weight)
            height, width = picture.shape[1:]
            tools = self.medium.tools(target, weight, height, width, self.seed)
        return replace(sketch, paper=self._paper(sketch, tools)), tools

    def _plan(self, sketch: Sketch) -> tuple[Tensor, list[Run]]:
        """Strokes ``[N, 13]`` of the background, then of each object, and the runs that they form."""
        rng = np.random.default_rng(self.seed)
        canvas = sketch.canvas
        parts, groups = [Strokes.empty()], []
        for mask, count in zip([None, *range(len(sketch.masks))], sketch.counts, strict=True):
            area = None if mask is None else sketch.masks[mask]
            weight = sketch.uncovered(-1 if mask is None else mask)
            if area is not None:
                weight = sketch.weight * area * weight
            strokes, canvas = plan(sketch.target, weight, count, canvas, area, rng)
            parts.append(strokes)
            groups.append((count, mask))
        return Strokes.cat(parts).pack()[0], film_runs(groups)

    def _act(
        self, actor: ActorPainter, sketch: Sketch, picture: Tensor, guidance: Guidance
    ) -> tuple[Tensor, list[Run]]:
        """Strokes ``[N, 13]`` of an actor, level by level as it painted them, and their runs."""
        bundles = actor.strokes(picture, guidance, self.strokes)
        groups = [
            (len(strokes), 0 if level == "foreground" and len(sketch.masks) else None)
            for strokes, level in bundles
        ]
        strokes = Strokes.cat([strokes for strokes, _ in bundles])
        return sketch.from_picture(strokes), film_runs(groups)

    def _paper(self, sketch: Sketch, tools: Tools | None) -> tuple[float, float, float]:
        """Colour of the empty canvas."""
        if isinstance(self.start, tuple):
            return self.start
        if self.actor is not None:
            return 0.0, 0.0, 0.0  # as it learned
        if self.medium.opaque:
            return 1.0, 1.0, 1.0  # real paper
        if tools is None or tools.colors is None:
            return sketch.paper
        red, green, blue = tools.colors[nearest_color(torch.tensor([sketch.paper]), tools.colors)[0]].tolist()
        return red, green, blue

    def _polish(self, sketch: Sketch, vectors: Tensor, runs: list[Run], tools: Tools | None) -> Tensor:
        """Strokes ``[N, 13]`` refined, by the preset, and such as the tools can paint."""
        if self.preset.polish is None and tools is None:
            return vectors
        config = self.preset.polish or PolishConfig(steps=0)
        # More strokes cost more by the step, and need fewer.
        fewer = min(1.0, (300 / max(1, len(vectors))) ** FEWER_STEPS)
        config = replace(config, steps=round(fewer * config.steps))
        shown = [replace(run, mask=None) for run in runs] if self.medium.opaque else runs
        polish = Polish(
            vectors,
            sketch.objective(shown),
            config,
            self.seed,
            sketch.views(shown),
            tools,
            runs,
        )
        return polish.run(lambda share: self.progress("polish", share))

    def _detailed(
        self,
        sketch: Sketch,
        strokes: Strokes,
        runs: list[Run],
        picture: Tensor,
        guidance: Guidance,
        under: Tensor | None,
    ) -> tuple[Strokes, list[Run]]:
        """The strokes ``[1, N]`` of the picture with those that are made in windows, and their runs."""
        side = closer_side(sketch, self.detail, picture, self.strokes)
        close = Sketch.of(picture, guidance, side, self.strokes, self._share(guidance), under)
        return add_detail(
            replace(close, paper=sketch.paper),
            strokes,
            runs,
            self.detail,
            self.preset.polish,
            self.seed,
            lambda share: self.progress("detail", share),
        )

    def _layers(self, strokes: Strokes, runs: list[Run], guidance: Guidance) -> tuple[Layer, ...]:
        """One layer for each stretch of strokes under the same mask."""
        clipped = not self.medium.opaque  # nothing stops a real brush
        masks = [_stored(instance.mask) if clipped else None for instance in guidance.instances]
        # An actor's own painting shows as it learned to paint: the background outside the object alone.
        alone = self.actor is not None and self.actor.config.use_bilevel and self.preset.polish is None
        first_mask = masks[0] if alone and masks else None
        outside = None if first_mask is None else (255 - (first_mask * 255).round()) / 255
        alone = outside is not None
        rule = self.actor.compositing if alone and self.actor is not None else "over"
        layers: list[Layer] = []
        first = last = 0
        for mask, group in itertools.groupby(runs, key=lambda run: run.mask):
            first, last = last, last + sum(run.count for run in group)
            part = strokes[first:last]
            if mask is None:
                layers.append(Layer(part, mask=outside, compositing=rule))
            else:
                layers.append(Layer(part, "foreground", mask, masks[mask], rule))
        return tuple(layers)


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    """Raise ValueError unless `value` is a whole number in the range."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= int(value) <= most:
        raise ValueError(f"{name} is {value!r}, wanted a whole number from {least} to {most}")


def _checked_start(start: Any) -> Color | Tensor | None:
    """The canvas before the first stroke, if it is a colour, a picture or None.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(start, Tensor):
        try:
            return to_image(start)
        except ValueError as error:
            raise ValueError(f"start: {error}") from None
    if start is None:
        return None
    if (
        not isinstance(start, tuple)
        or len(start) != 3
        or not all(isinstance(part, Real) and 0 <= float(part) <= 1 for part in start)
    ):
        raise ValueError(f"start is {start!r}, wanted a tuple of RGB in [0, 1], or a picture [3, h, w]")
    red, green, blue = start
    return float(red), float(green), float(blue)


def _load(agent: str) -> tuple[ActorPainter | None, WindowAgent | None]:
    """The agent, in the place of its kind; the planner needs neither."""
    if agent == "planner":
        return None, None
    path = WEIGHTS / f"{agent}.safetensors" if agent in AGENTS else Path(agent)
    try:
        if is_ours(path) and agent_format(path) == WINDOW_ACTOR:
            return None, WindowAgent.load(path)
        return ActorPainter.load(path), None
    except ValueError as error:
        raise ValueError(f"agent: {error}") from None


def _stored(values: Tensor) -> Tensor:
    """Values ``[C, H, W]`` in multiples of 1/255, at most `MASK_SIZE` pixels on their longer side."""
    height, width = values.shape[-2:]
    scale = MASK_SIZE / max(height, width)
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        values = torch.nn.functional.interpolate(values[None], size, mode="bilinear", antialias=True)[0]
    return (values.clamp(0, 1) * 255).round() / 255
