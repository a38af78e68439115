"""A progress bar on standard error, if that is a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any

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
