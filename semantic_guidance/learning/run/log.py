"""What TensorBoard shows of a training run."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from semantic_guidance.agents.ltp.episode import PaintState
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.rewards import aligned

PICTURES = 8


class Log:
    """Writes scalars and pictures to a folder; to nothing if there is no folder.

    Args:
        folder: for TensorBoard's files.
        step: the first that will be written; what an interrupted run wrote beyond is dropped.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path | None, step: int = 0) -> None:
        self._writer: Any = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "TensorBoard is not installed, wanted: pip install 'semantic-guidance[train]'"
            ) from None
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def scalars(self, group: str, values: dict[str, float], step: int) -> None:
        """Write numbers."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def pictures(self, state: PaintState, step: int) -> None:
        """Write the first paintings of a batch below their targets, and their aligned objects."""
        if self._writer is None:
            return
        rows = [state.target, state.canvas]
        if bool(state.mask.any()):
            rows += [aligned(state.target, state), aligned(state.canvas, state)]
        grid = torch.cat([torch.cat(list(row[:PICTURES]), dim=2) for row in rows], dim=1)
        self._writer.add_image("validate/paintings", grid.clamp(0, 1), step)
