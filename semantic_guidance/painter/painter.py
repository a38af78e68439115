"""From a picture and what is known about it to a painting."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semantic_guidance.agents.base import Agent
from semantic_guidance.agents.files import load_agent
from semantic_guidance.agents.problem import Problem, length_factor
from semantic_guidance.agents.watching import Easel, Sketch, Watch
from semantic_guidance.core.forks import mark_computed
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.guidance.base import GuideLike, load_guide
from semantic_guidance.images.arrays import check_unit
from semantic_guidance.images.color import Color, nearest_color
from semantic_guidance.images.files import to_image
from semantic_guidance.images.restyle import cover
from semantic_guidance.painter.checks import check_whole, checked_start, drafting, workplace
from semantic_guidance.painter.handling import Handling
from semantic_guidance.painter.likeness import Likeness, stored
from semantic_guidance.painter.linework import LineCopy, LineWork
from semantic_guidance.painter.manner import Manner, Work
from semantic_guidance.painter.presets import (
    DEFAULT_SIZES,
    MAX_STROKES,
    PRESETS,
    SIZES,
    Preset,
)
from semantic_guidance.painter.pruning import pruned
from semantic_guidance.painter.refine import Refiner, refine_together
from semantic_guidance.painter.stages import Clock, StageProgress
from semantic_guidance.painter.styles import Style
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.medium import Medium, Tools
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer.backends.base import Backend

CLOSE = 176  # root of the pixels from which colours are chosen, for 300 strokes
FOCUS_COLORS = 6.0  # by how much more colours count in the focus, where a palette is chosen


class Painter:
    """Paints pictures.

    Args:
        agent: who makes the first strokes: ``planner`` (no network), ``semantic`` (a network that is told
            about the objects), ``baseline`` (one that is not; nor is the rest of the painter), a plug-in's
            name, the file of an agent, trained here (``.safetensors``) or by the papers' code, or an
            `Agent`; that of the preset if None. An actor of the papers' kind sees all objects as one.
        preset: ``draft`` (no refinement), ``standard``, ``fine``, or a `Preset`.
        guide: finds objects where no guidance is given: a name in `GUIDES`, or a `GuideLike`.
        backend: what renders while strokes are found: a name in `BACKENDS`, ``auto``, or a `Backend`.
        device: where strokes are refined, which is most of the work: ``cpu``, ``cuda``, or another one that
            the backend supports. Objects are found and first strokes made on the processor, by the same
            backend if it supports that, else by the fastest one that does.
        strokes: number of strokes.
        size: pixels of the painting's longer side; if None, those of the picture, but at least 512 and at
            most 2048.
        seed: of all random choices; the same seed gives the same painting.
        foreground_share: share of the strokes, 0 to 1, that the objects get; by what they are worth if None.
        style: how it is painted: a name in `STYLES`, the file of a style, or a `Style`. ``likeness`` is as
            like the picture as can be; all others make their own first strokes, without an agent.
        medium: palette, brushes, paint and paper; no limits if None.
        start: the canvas before the first stroke: a colour, RGB in [0, 1], or a picture ``[3, h, w]`` that
            is scaled to fill it. If None, the picture's mean colour, or what suits agent and medium.
        brush: one of `painting.brushes.BRUSHES`, the file of a grey picture, bright where the brush leaves
            paint, from the stroke's start on the left to its end on the right, or a `Brush`.

    Raises:
        ValueError: an unknown agent, style, preset, guide or backend, an agent for a style that needs none, a
            device that is not there, a number out of range, or a start that is neither a colour nor a
            picture.
    """

    def __init__(
        self,
        agent: str | Path | Agent | None = None,
        preset: str | Preset = "standard",
        *,
        guide: str | GuideLike = "default",
        backend: str | Backend = "auto",
        device: str | torch.device = "cpu",
        strokes: int = 300,
        size: int | None = None,
        seed: int = 0,
        foreground_share: float | None = None,
        brush: str | Path | Brush | None = None,
        style: str | Path | Style = "likeness",
        medium: Medium | None = None,
        start: Color | Tensor | None = None,
    ) -> None:
        if isinstance(preset, str) and preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}, wanted one of {', '.join(PRESETS)}")
        check_whole("strokes", strokes, 1, MAX_STROKES)
        if size is not None:
            check_whole("size", size, *SIZES)
        if foreground_share is not None and not 0 <= foreground_share <= 1:
            raise ValueError(f"foreground_share is {foreground_share}, wanted 0 to 1")
        self.style = style if isinstance(style, Style) else Style.of(style)
        chosen_brush = self.style.make_brush(seed) if brush is None else brush
        self.brush = chosen_brush if isinstance(chosen_brush, Brush) else Brush.of(chosen_brush, seed)
        self.preset = PRESETS[preset] if isinstance(preset, str) else preset
        if self.style.hand is not None and agent is not None:
            given = repr(str(agent)) if isinstance(agent, str | Path) else type(agent).__name__
            raise ValueError(
                f"agent is {given}, but the style {self.style.name!r} makes its own first strokes, wanted"
                " the style 'likeness' with an agent"
            )
        chosen = agent or (self.preset.agent if self.style.hand is None else "planner")
        self.agent = load_agent(chosen) if isinstance(chosen, str | Path) else chosen
        self.guide = load_guide(guide) if isinstance(guide, str) else guide
        self.workplace = workplace(backend, device)
        self.backend = drafting(self.workplace.backend)
        self.strokes = strokes
        self.size = size
        self.seed = seed
        self.foreground_share = foreground_share
        self.medium = medium or Medium()
        self.start = checked_start(start)
        name = str(chosen) if isinstance(chosen, str | Path) else type(chosen).__name__
        self.manner: Manner = Likeness(
            self.agent, name, self.preset, strokes, seed, self.workplace, not self.medium.opaque
        )
        if self.style.marks == "lines":
            self.manner = LineCopy(self.style, strokes)
        elif self.style.marks != "strokes":
            self.manner = LineWork(self.style, strokes, seed)
        elif self.style.hand is not None:
            steps = self.preset.hand_steps
            self.manner = Handling(
                self.style, self.style.hand, strokes, seed, self.workplace, steps, foreground_share
            )

    @property
    def guided(self) -> bool:
        """Whether it uses guidance."""
        return self.agent.guided

    def paint(
        self,
        image: Any,
        guidance: Guidance | None = None,
        progress: StageProgress | None = None,
        watch: Watch | None = None,
    ) -> Painting:
        """Paint a picture.

        Args:
            image: float tensor ``[3, H, W]`` in [0, 1], PIL image, uint8 array ``[H, W, 3]``, or a path.
            guidance: its objects, at any size of the same aspect; each is painted apart, on top of the
                background, under its mask. The guide finds them if None; `Guidance.none()` stands
                for no objects.
            progress: called with each stage and its share done.
            watch: is shown the strokes while they are made, and may end the painting early.

        Returns:
            The painting; of the strokes that there are if it was ended.
        """
        return self.painted(image, guidance, progress, watch)[0]

    def painted(
        self,
        image: Any,
        guidance: Guidance | None = None,
        progress: StageProgress | None = None,
        watch: Watch | None = None,
    ) -> tuple[Painting, Refiner | None]:
        """As `paint`; also what has refined the strokes, if anything has: as they were before they dried."""
        begun = self._begun(image, guidance, progress, watch)
        with begun.clock("polish", shown=False):
            if begun.work.refiner is not None:
                begun.work.refiner.run(lambda share: begun.clock.tell("polish", share))
        return self._finished(begun), begun.work.refiner

    def paint_batch(
        self,
        images: Sequence[Any],
        guidance: Sequence[Guidance | None] | None = None,
        progress: StageProgress | None = None,
    ) -> list[Painting]:
        """Paint several pictures: the same paintings as one by one.

        Where the backend gains by it, as that of graphics cards does, all of them are refined together;
        problems of one size, as pictures of one size have, share their computations.

        Args:
            images: as `paint` takes them.
            guidance: of each, as `paint` takes it.
            progress: called with each stage of each picture in turn and its share done; with ``polish`` for
                all together where they are refined together.

        Returns:
            The paintings; of the time of a joint refinement each has an equal share.

        Raises:
            ValueError: there is not one guidance for each image.
        """
        known = [None] * len(images) if guidance is None else list(guidance)
        if len(known) != len(images):
            raise ValueError(
                f"guidance has {len(known)} entries, wanted one for each of {len(images)} images"
            )
        if not self.workplace.backend.batches:
            return [self.paint(*each, progress) for each in zip(images, known, strict=True)]
        begun = [self._begun(*each, progress) for each in zip(images, known, strict=True)]
        refiners = [each.work.refiner for each in begun if each.work.refiner is not None]
        clock = Clock(progress or (lambda stage, share: None))
        with clock("polish", shown=False):
            refine_together(refiners, lambda share: clock.tell("polish", share))
        for each in begun:
            each.clock.seconds["polish"] = clock.seconds["polish"] / len(begun)
        return [self._finished(each) for each in begun]

    def _begun(
        self,
        image: Any,
        guidance: Guidance | None,
        progress: StageProgress | None,
        watch: Watch | None = None,
    ) -> _Begun:
        """A painting up to its first strokes."""
        mark_computed()
        picture, clock = to_image(image), Clock(progress or (lambda stage, share: None))
        with clock("compile"):
            self.backend.warm_up()
            if self.workplace.backend is not self.backend:
                self.workplace.backend.warm_up()
        with clock("guidance", shown=guidance is None and self.guided):
            found = self.found(picture, guidance)
            known = self.known(found)
        with clock("plan"):
            problem, tools = self.problem(picture, known)
            easel = self._easel(picture, problem.ground, () if watch is None else self.manner.masks(problem))
            if watch is not None:
                watch.begin(easel)
            work = self.manner.begin(problem, functools.partial(self.seen, picture, known), tools, watch)
        numbers = _numbers(known, found)
        shown = found if guidance is not None or None not in numbers else known
        return _Begun(picture, shown, numbers, easel, work, clock, watch)

    def sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the painting of a picture of that height and width, in pixels."""
        longer = max(height, width)
        size = self.size or min(max(longer, DEFAULT_SIZES[0]), DEFAULT_SIZES[1])
        return max(1, round(height * size / longer)), max(1, round(width * size / longer))

    def empty(self, picture: Tensor, ground: Color) -> Painting:
        """The painting of a picture ``[3, H, W]`` on a canvas of that colour, before its first stroke."""
        easel = self._easel(picture, ground, ())
        return Painting(
            layers=(),
            background=easel.background,
            width=easel.width,
            height=easel.height,
            photo=picture,
            brush=self.brush,
            paper=self.medium.paper,
            margin=self.medium.margin,
            tubes=self.medium.tubes,
            start=easel.start,
            hand=self.style.record(),
        )

    def _finished(self, begun: _Begun) -> Painting:
        """The painting, once its strokes are refined."""
        picture, clock, easel = begun.picture, begun.clock, begun.easel
        layers, masks = begun.work.finish()
        layers = tuple(_numbered(layer, begun.numbers) for layer in layers)
        painting = replace(
            self.empty(picture, easel.background),
            layers=layers,
            masks=masks,
            guidance=begun.shown,
            seconds={stage: clock.seconds[stage] for stage in ("guidance", "plan", "polish")},
        )
        if self.medium.few and not _stopped(begun.watch):
            with clock("prune", shown=False):
                painting = pruned(painting, picture, self.backend)
            painting.seconds["polish"] += clock.seconds["prune"]
        if begun.watch is not None:
            if len(masks) > len(easel.masks):
                begun.watch.begin(replace(easel, masks=masks))
            begun.watch.sketch(Sketch.of(painting.layers))
        return painting

    def known(self, found: Guidance) -> Guidance:
        """What is used of what was found."""
        return self.agent.view(_visible(found).trusted())

    def found(self, picture: Tensor, given: Guidance | None) -> Guidance:
        """What is known about a picture ``[3, H, W]``, at its size: what is given, or is found."""
        height, width = picture.shape[-2:]
        if given is None:
            given = self.guide(picture) if self.guided else Guidance.none(height, width)
        check_unit(given.mask, "guidance: its mask")
        check_unit(given.focus, "guidance: its focus")
        return given.resized(height, width)

    def problem(self, picture: Tensor, guidance: Guidance) -> tuple[Problem, Tools | None]:
        """What is to be painted first, by what is known of it, and the tools if they are limited."""
        height, width = picture.shape[-2:]
        problem = self.seen(picture, guidance, self.preset.side * length_factor(self.strokes))
        tools = None
        if not self.medium.free:
            close = self.seen(picture, guidance, CLOSE * length_factor(self.strokes))
            weight = close.weight * (1 + FOCUS_COLORS * close.focus * close.mask)
            tools = self.medium.tools(close.target, weight, height, width)
        return replace(problem, ground=self._ground(problem, tools)), tools

    def seen(self, picture: Tensor, guidance: Guidance, length: float) -> Problem:
        """What is to be painted, by what is known of it, on about ``length`` squared pixels."""
        under = cover(self.start, *picture.shape[-2:]) if isinstance(self.start, Tensor) else None
        share = self.foreground_share
        return Problem.of(picture, guidance, length, self.strokes, share, under, self.backend)

    def _ground(self, problem: Problem, tools: Tools | None) -> Color:
        """Colour of the empty canvas."""
        if isinstance(self.start, tuple):
            return self.start
        if self.agent.ground is not None:
            return self.agent.ground
        if self.medium.opaque:
            return 1.0, 1.0, 1.0  # real paper
        wanted = self.manner.ground(problem)
        if tools is None or tools.colors is None:
            return wanted
        nearest = nearest_color(torch.tensor([wanted], dtype=torch.float32), tools.colors)[0]
        red, green, blue = tools.colors[nearest].tolist()
        return red, green, blue

    def _easel(self, picture: Tensor, ground: Color, masks: tuple[Tensor, ...]) -> Easel:
        """What a picture ``[3, H, W]`` is painted on: a canvas of that colour, under these masks."""
        sides = picture.shape[-2:]
        height, width = self.sides(*sides)
        start = stored(cover(self.start, *sides)) if isinstance(self.start, Tensor) else None
        return Easel(width, height, ground, start, masks)


@dataclass(frozen=True, eq=False)
class _Begun:
    """A painting that has its first strokes.

    Attributes:
        picture: ``[3, H, W]`` what is painted.
        shown: of the picture, what the painting keeps.
        numbers: of the objects that are painted, among those that are shown.
        easel: what it is painted on; its masks are told only to those who look on.
        work: the strokes.
        clock: of this painting.
        watch: looks on.
    """

    picture: Tensor
    shown: Guidance
    numbers: tuple[int | None, ...]
    easel: Easel
    work: Work
    clock: Clock
    watch: Watch | None


def _stopped(watch: Watch | None) -> bool:
    """Whether somebody looks on and wants no more."""
    return watch is not None and watch.stopped


def _visible(guidance: Guidance) -> Guidance:
    """Guidance without objects that are not visible."""
    seen = tuple(instance for instance in guidance.instances if bool((instance.mask > 0).any()))
    return replace(guidance, instances=seen)


def _numbers(known: Guidance, found: Guidance) -> tuple[int | None, ...]:
    """The number of each of the objects that are known among those that were found; None for a new one."""
    return tuple(
        next((n for n, each in enumerate(found.instances) if each is instance), None)
        for instance in known.instances
    )


def _numbered(layer: Layer, numbers: Sequence[int | None]) -> Layer:
    """A layer with its object's number among those that are shown."""
    if layer.level == "background":
        return layer
    number = numbers[layer.instance]
    return layer if number is None else replace(layer, instance=number)
