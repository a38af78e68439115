"""A progress bar on standard error, if that is a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from semantic_guidance.core.shown import printable

if TYPE_CHECKING:
    from semantic_guidance.apps.batch.manifest import Record

NAMES = {
    "compile": "preparing",
    "guidance": "looking",
    "plan": "painting",
    "polish": "polishing",
    "export": "saving",
}


class StageBar:
    """One bar that starts anew with each stage of the work, and leaves nothing behind."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> StageBar:
        from tqdm import tqdm

        form = "{desc:>9} {percentage:3.0f}% |{bar}| {elapsed}"
        # `disable=None`: no bar in a file or a pipe.
        self._bar = tqdm(total=1.0, disable=None, leave=False, bar_format=form)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def __call__(self, stage: str, fraction: float) -> None:
        """Show that `fraction` (0 to 1) of `stage` is done."""
        if stage != self._stage:
            self._stage = stage
            self._bar.reset()
            self._bar.set_description_str(NAMES.get(stage, stage))
        self._bar.update(max(0.0, min(1.0, fraction) - self._bar.n))


class BatchBar:
    """One bar for many pictures, with an estimate of the time left and the number that failed.

    Those are told as they come, above it.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._failed = 0

    def __enter__(self) -> BatchBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int, done: int) -> None:
        """See `apps.batch.run.Progress`."""
        from tqdm import tqdm

        form = "{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} pictures, {elapsed}, {remaining} left{postfix}"
        self._bar = tqdm(total=total, initial=done, disable=None, bar_format=form, smoothing=0.05)

    def tell(self, record: Record) -> None:
        """See `apps.batch.run.Progress`."""
        if record.error:
            self._failed += 1
            self._bar.set_postfix_str(f"{self._failed} failed", refresh=False)
            self._bar.write(f"semantic-guidance: failed: {printable(record.error)}", file=sys.stderr)
        self._bar.update()


class FilmBar:
    """A bar of a film's frames: how many a second are painted, and how long that still takes."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> FilmBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int | None, done: int, again: int = 0) -> None:
        """See `apps.film.run.Progress`."""
        from tqdm import tqdm

        if self._bar is not None:
            self._bar.close()
        word = "drawn again" if again else "painted"
        form = (
            "{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} frames, {rate_fmt}, {elapsed}, {remaining} left"
        )
        if total is None and not again:
            form = "{n_fmt} frames, {rate_fmt}, {elapsed}"
        self._bar = tqdm(
            total=again or total,
            initial=done,
            disable=None,
            bar_format=f"{word} {form}",
            unit="",
            smoothing=0.05,
            leave=False,
        )
        self._bar.refresh()

    def tell(self) -> None:
        """See `apps.film.run.Progress`."""
        self._bar.update()
