"""Weights & Biases: a second place for a run's numbers and pictures, on their server or in a folder.

``WANDB_MODE=offline`` keeps all in the run's folder, without an account; ``wandb sync`` sends it later.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import naming
from semantic_guidance.core.shown import printable
from semantic_guidance.images.arrays import to_bytes

IDENTITY = "wandb.id"
"""File in a run's folder with the name by which a resumed run is found again."""


def wandb_module() -> Any:
    """The package of Weights & Biases.

    Raises:
        InputError: it is not installed.
    """
    try:
        import wandb
    except ImportError:
        raise InputError(
            "--wandb: Weights & Biases is not installed, wanted: pip install 'semantic-guidance[wandb]'"
        ) from None
    return wandb


class Mirror:
    """A run at Weights & Biases, with the methods of TensorBoard's writer that a `Log` uses.

    Args:
        project: its name there.
        folder: of the run, whose name is the run's.
        settings: of the run, to be shown beside it.
        resumed: whether the run goes on.

    Raises:
        InputError: the package is not installed, or there is no account.
    """

    def __init__(self, project: str, folder: Path, settings: dict[str, Any], resumed: bool = False) -> None:
        wandb = wandb_module()
        folder.mkdir(parents=True, exist_ok=True)
        identity = folder / IDENTITY
        if not (resumed and identity.is_file()):
            with naming(identity):
                identity.write_text(secrets.token_hex(8), encoding="utf-8")
        self._image = wandb.Image
        try:
            self._run = wandb.init(
                project=project,
                name=printable(folder.name),
                id=identity.read_text(encoding="utf-8"),
                resume="allow" if resumed else None,
                dir=str(folder),
                config=settings,
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"--wandb: {reason}, wanted an account (wandb login) or WANDB_MODE=offline"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.finish(exit_code=int(kind is not None))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Write a number; steps never fall."""
        self._run.log({name: value}, step=step)

    def add_image(self, name: str, image: Tensor, step: int) -> None:
        """Write a picture ``[3, H, W]`` in [0, 1]."""
        self._run.log({name: self._image(to_bytes(image.detach().cpu()))}, step=step)
