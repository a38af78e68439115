"""The figures of each painting: their names, meanings, and whether lower or higher is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """One figure.

    Attributes:
        key: its name in result files.
        title: for people, short.
        about: for people, a sentence.
        better: whether lower or higher.
        kind: ``number`` (of any size), ``share`` (0 to 1), ``flag`` (yes or no; its mean is a share),
            ``seconds``.
        part: whether it is part of another figure: then none is called the best, and there are no ratios.
    """

    key: str
    title: str
    about: str
    better: Literal["lower", "higher"] = "lower"
    kind: Literal["number", "share", "flag", "seconds"] = "number"
    part: bool = False

    @property
    def ratio(self) -> bool:
        """Whether one method's figure over another's is meaningful."""
        return self.better == "lower" and not self.part

    def shown(self, value: float | bool | None) -> str:
        """The figure of one painting as text; a dash if there is none."""
        if value is None:
            return "–"
        if self.kind == "flag":
            return "yes" if value else "no"
        return self.shown_mean(value)

    def shown_mean(self, value: float | None) -> str:
        """A mean of figures as text; a dash if there is none."""
        if value is None:
            return "–"
        if self.kind in ("flag", "share"):
            return f"{100 * value:.0f} %"
        if self.kind == "seconds":
            return f"{value:.2f}"
        return f"{value:.3f}" if value >= 0.1 else f"{value:.5f}"

    def best(self, values: Mapping[str, Any], mean: bool = False) -> set[str]:
        """Who has the best of `values`, to the precision shown; nobody where all are the same."""
        if self.part:
            return set()
        there = {name: float(value) for name, value in values.items() if value is not None}
        if not there:
            return set()
        show = self.shown_mean if mean else self.shown
        winner = (min if self.better == "lower" else max)(there.values())
        winners = {name for name, value in there.items() if show(value) == show(winner)}
        return winners if len(winners) < len(there) else set()


COLUMNS = (
    Column(
        "mse",
        "error",
        "Mean squared error over pixels and RGB in [0, 1], both pictures squashed to 128 x 128.",
    ),
    Column(
        "mse_foreground", "object", "The same error where the object is: where its mask is above one half."
    ),
    Column("mse_background", "background", "The same error elsewhere."),
    Column(
        "mse_focus",
        "focus",
        "The same error, each pixel weighted by the focus map: where the object is recognised.",
    ),
    Column(
        "ssim",
        "SSIM",
        "Structural similarity (Wang et al. 2004) at 128 x 128: Gaussian windows of 11 x 11, mean over RGB.",
        better="higher",
    ),
    Column(
        "perceptual",
        "perceptual",
        "One minus the cosine between the features of painting and picture in the bundled ImageNet"
        " classifier, mean over positions and five scales, at 224 x 224. It compares only"
        " with itself, not with LPIPS.",
    ),
    Column(
        "perceptual_object",
        "perceptual, object",
        "The same of the object, in its window (its box, a tenth wider on each side, made square), with"
        " positions weighted by its mask.",
    ),
    Column(
        "top1",
        "top-1",
        "Whether the bundled ImageNet classifier gives the painting the same class as the photograph, in the"
        " object's window (in the whole frame if there is no object).",
        better="higher",
        kind="flag",
    ),
    Column(
        "top5",
        "top-5",
        "Whether that class is among the five likeliest of the painting.",
        better="higher",
        kind="flag",
    ),
    Column(
        "label_probability",
        "certainty",
        "The probability that the classifier gives the photograph's class in the painting.",
        better="higher",
        kind="share",
    ),
    Column("seconds", "seconds", "Seconds of painting: planning and polishing.", kind="seconds"),
    Column("seconds_plan", "plan, s", "Seconds to find the first strokes.", kind="seconds", part=True),
    Column("seconds_polish", "polish, s", "Seconds to refine them.", kind="seconds", part=True),
    Column(
        "seconds_guidance",
        "guidance, s",
        "Seconds to find the object and its focus, beyond those of painting.",
        kind="seconds",
        part=True,
    ),
)

LPIPS = Column(
    "lpips",
    "LPIPS",
    "Learned perceptual distance (Zhang et al. 2018) with AlexNet, both pictures squashed to 128 x 128.",
)


def columns_of(lpips: bool) -> tuple[Column, ...]:
    """The figures of an evaluation, with or without LPIPS."""
    place = 1 + [column.key for column in COLUMNS].index("perceptual_object")
    return (*COLUMNS[:place], LPIPS, *COLUMNS[place:]) if lpips else COLUMNS


def read_columns(described: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns that results.json describes."""
    return [Column(**column) for column in described]
