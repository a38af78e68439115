"""What a batch would take, told before it begins: pictures are counted, and a few are painted to see.

No model of how long a painting takes stands behind it: it is the mean of those few, for so many pictures.
What comes with many machines, that they start, that pictures travel, that the last one is waited for, is not
in it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from semantic_guidance.apps.batch.inputs import Source
from semantic_guidance.apps.batch.manifest import JOURNAL
from semantic_guidance.apps.batch.naming import Naming
from semantic_guidance.apps.batch.options import PATIENCE, BatchOptions
from semantic_guidance.apps.batch.run import (
    check_shard,
    manifest_of,
    open_items,
    settings_hash,
    settled,
    work_settings,
)
from semantic_guidance.apps.job import Job
from semantic_guidance.core.engines.base import Do, Engine, Item, Work
from semantic_guidance.core.engines.local import LocalEngine
from semantic_guidance.images.decoding import stored_size

SAMPLE = 3
"""Pictures that are painted, at most."""

LOOKED = 200
"""Pictures whose size is looked at, at most."""

SHOWN = 3
"""Pictures that are named."""

FACTORY = "semantic_guidance.apps.batch.estimate:measuring"

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Estimate:
    """What a batch would take.

    Attributes:
        pictures: that are meant, by this part.
        before: that are painted already.
        first: of those that are left.
        megapixels: of a picture, on average; None if none could be looked at.
        looked: how many pictures that is from.
        unit: ``core`` or, where a graphics card works, ``worker``.
        seconds: of a core, or of a worker, for each of the pictures that were painted to see.
        errors: of those of them that could not be.
        hours: for all that is left; None if none could be painted.
        cost: of these, if the price is known.
    """

    pictures: int
    before: int
    first: tuple[str, ...]
    megapixels: float | None
    looked: int
    unit: str
    seconds: tuple[float, ...]
    errors: tuple[str, ...]
    hours: float | None
    cost: float | None

    def summary(self) -> dict[str, Any]:
        """As JSON values: what ``paint --dry-run --json`` prints."""
        values = dict(vars(self))
        unit, hours = values.pop("unit"), values.pop("hours")
        seconds = [round(each, 3) for each in values.pop("seconds")]
        return {**values, f"{unit}_seconds_measured": seconds, f"{unit}_hours": hours}

    def lines(self) -> list[str]:
        """In words."""
        left, before = self.pictures - self.before, f", {self.before} are done" if self.before else ""
        size = (
            "" if self.megapixels is None else f", {self.megapixels:.1f} megapixels each (of {self.looked})"
        )
        lines = [f"{left} pictures to paint{before}{size}"]
        lines += [f"  {name}" for name in self.first] + ["  ..."] * (left > len(self.first))
        lines += [f"cannot be painted: {error}" for error in self.errors]
        if self.hours is None:
            return [*lines, "no picture could be painted to see how long it takes"]
        if self.seconds:
            span = f"{min(self.seconds):.3g} to {max(self.seconds):.3g} s"
            lines.append(
                f"about {self.hours:.3g} hours of a {self.unit}: {len(self.seconds)} of them, painted here,"
                f" took {span}"
            )
        return lines if self.cost is None else [*lines, f"about {self.cost:.3g} at that price"]


def estimate(
    job: Job,
    sources: Sequence[Source],
    options: BatchOptions,
    tell: Callable[[int, int], None] = lambda done, total: None,
    engine: Engine | None = None,
) -> Estimate:
    """What `run.run_batch` would take.

    Args:
        job: how each is painted.
        sources: the pictures.
        options: as for `run.run_batch`.
        tell: called with how many pictures have been painted to see, and how many will be.
        engine: paints these; by default a process of this machine.

    Raises:
        InputError: something is wrong with the options.
    """
    job, pattern = settled(job, options)
    check_shard(sources, options)
    settings = settings_hash(job, options)
    manifest = manifest_of(options)
    manifest.read()
    items = open_items(sources, Naming(job, settings, job.style or "auto", pattern), manifest, options)
    sizes = [size for item in spread(items, LOOKED) if (size := stored_size(Path(item["input"]))) is not None]
    card = job.device != "cpu"
    engine = engine or LocalEngine(1, threads=1)
    seconds, errors = _painted(job, settings, spread(items, SAMPLE), card, tell, engine)
    hours = len(items) * sum(seconds) / len(seconds) / 3600 if seconds else 0.0 if not items else None
    price = options.price_per_hour
    return Estimate(
        pictures=len(options.shared(sources)),
        before=len(options.shared(sources)) - len(items),
        first=tuple(item["input"] for item in items[:SHOWN]),
        megapixels=sum(width * height for width, height in sizes) / len(sizes) / 1e6 if sizes else None,
        looked=len(sizes),
        unit="worker" if card else "core",
        seconds=seconds,
        errors=errors,
        hours=hours,
        cost=None if price is None or hours is None else price * hours,
    )


def spread(things: Sequence[Thing], count: int) -> list[Thing]:
    """So many of a sequence, at equal distances, or all.

    >>> spread(range(10), 2), spread("ab", 3)
    ([2, 7], ['a', 'b'])
    """
    if len(things) <= count:
        return [*things]
    return [things[(2 * n + 1) * len(things) // (2 * count)] for n in range(count)]


def _painted(
    job: Job,
    settings: str,
    items: Sequence[Item],
    card: bool,
    tell: Callable[[int, int], None],
    engine: Engine,
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Seconds for each of these pictures, painted into nowhere, and the errors of those that cannot be."""
    began = time.monotonic()

    def tried() -> Iterator[Item]:
        # The first one twice, since what is loaded once is not to be counted for every picture.
        for number, item in enumerate([*items[:1], *items]):
            if number > 1 and time.monotonic() > began + PATIENCE:
                return
            yield {**item, "key": str(number), "folder": str(number), "stem": None}

    results: list[dict[str, Any]] = []
    errors: list[str] = []
    with tempfile.TemporaryDirectory(prefix="semantic-guidance-") as folder:
        work = Work(FACTORY, {**work_settings(job, settings, folder), "card": card})
        with contextlib.closing(engine.run(work, tried())) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                result = outcome.result or {"error": outcome.error}
                if result["error"]:
                    errors.append(result["error"])
                else:
                    results.append(result)
                tell(len(results) + len(errors), len(items) + 1)
                if time.monotonic() > began + PATIENCE and results:
                    break
    counted = results[1:] if len(results) > 1 else results
    return tuple(float(each["seconds"]) for each in counted), tuple(dict.fromkeys(errors))


def measuring(settings: Mapping[str, Any]) -> Do:
    """What paints one picture after the other as `painting.painting` does, and says how long it took.

    Args:
        settings: as there, and ``card``: whether seconds are counted as they pass, not of a core.
    """
    from semantic_guidance.apps.batch.painting import painting

    paint = painting({**settings, "journal": JOURNAL})

    def do(item: Item) -> dict[str, Any]:
        began = _spent(settings["card"])
        record = paint(item)
        error = record.get("stop") or record.get("error") or ""
        return {"seconds": _spent(settings["card"]) - began, "error": error}

    return do


def _spent(card: bool) -> float:
    """Seconds that have passed, or that this process and those it has started have had of the cores."""
    return time.perf_counter() if card else sum(os.times()[:4])
