"""What a training run tells: TensorBoard's files, Weights & Biases if wanted, and a line for each episode."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from semantic_guidance.agents.ltp.episode import PaintState
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import naming
from semantic_guidance.learning.rewards import aligned
from semantic_guidance.learning.run.mirror import Mirror
from semantic_guidance.learning.run.single import append_row, forget_rows

PICTURES = 8


class Log:
    """Writes scalars and pictures to a folder; to nothing if there is no folder.

    Args:
        folder: for TensorBoard's files.
        step: the last that is known; what an interrupted run wrote beyond is dropped: by TensorBoard, for it
            gets a file of its own each time, when it reads the next one.
        mirror: where all is written, too.
        rows: folder for ``log.jsonl``, which gets a line of the scalars whenever `end_row` is called; none if
            None.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(
        self,
        folder: Path | None,
        step: int = 0,
        mirror: Mirror | None = None,
        rows: Path | None = None,
    ) -> None:
        self._writers: list[Any] = [] if mirror is None else [mirror]
        self._own: Any = None
        self._folder = Path()
        self._rows, self._row = rows, dict[str, float]()
        self._errors = _OfCallers()
        if rows is not None:
            forget_rows(rows, step)
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "TensorBoard is not installed, wanted: pip install 'semantic-guidance[train]'"
            ) from None
        self._folder = folder
        with naming(folder):
            self._own = SummaryWriter(str(folder), purge_step=step + 1)
        self._writers.append(self._own)

    def __enter__(self) -> Self:
        self._errors.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._own is not None:
                with naming(self._folder):
                    self._own.close()
        finally:
            self._errors.__exit__()

    def scalars(self, group: str, values: dict[str, float], step: int) -> None:
        """Write numbers."""
        self._row |= {f"{group}/{name}": value for name, value in values.items()}
        with naming(self._folder):
            for writer in self._writers:
                for name, value in values.items():
                    writer.add_scalar(f"{group}/{name}", value, step)

    def end_row(self, step: int, **values: float) -> None:
        """Add a line to ``log.jsonl``: the step, `values`, and the scalars since the last line."""
        if self._rows is not None:
            self._rows.mkdir(parents=True, exist_ok=True)
            append_row(self._rows, {"step": step, **values, **self._row})
        self._row = {}

    def pictures(self, state: PaintState, step: int) -> None:
        """Write the first paintings of a batch below their targets, and their aligned objects."""
        if not self._writers:
            return
        rows = [state.target, state.canvas]
        if bool(state.mask.any()):
            rows += [aligned(state.target, state), aligned(state.canvas, state)]
        grid = torch.cat([torch.cat(list(row[:PICTURES]), dim=2) for row in rows], dim=1)
        with naming(self._folder):
            for writer in self._writers:
                writer.add_image("validate/paintings", grid.clamp(0, 1), step)


class _OfCallers:
    """In the context, errors of TensorBoard's thread are not printed: its methods raise them again."""

    def __enter__(self) -> None:
        self._usual = threading.excepthook
        self._own = threading.excepthook = self._tell

    def __exit__(self, *about: object) -> None:
        if threading.excepthook is self._own:  # else somebody has put another one in its place
            threading.excepthook = self._usual

    def _tell(self, args: Any) -> None:
        of_log = type(args.thread).__module__.startswith("tensorboard")
        if not (of_log and isinstance(args.exc_value, OSError)):
            self._usual(args)
