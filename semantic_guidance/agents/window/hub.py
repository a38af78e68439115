"""Agents on the Hugging Face Hub (extra `hub`): push your own, pull others'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semantic_guidance.agents.window.files import load_window_actor, save_window_actor
from semantic_guidance.agents.window.network import WindowActor

try:
    from huggingface_hub import PyTorchModelHubMixin
except ImportError as error:
    raise ValueError(
        "huggingface_hub is not installed, wanted: pip install 'semantic-guidance[hub]'"
    ) from error


class HubWindowActor(
    WindowActor,
    PyTorchModelHubMixin,
    library_name="semantic-guidance",
    tags=["painting", "stroke-based-rendering"],
):
    """A window actor with `from_pretrained`, `save_pretrained` and `push_to_hub`.

    Args:
        channels: of the observation.
        widths: see `WindowActor`.
        guided: whether it learned with guidance.
    """

    def __init__(self, channels: int, widths: list[int], guided: bool = True) -> None:
        super().__init__(channels, tuple(widths))
        self.guided = guided

    @staticmethod
    def from_file(path: str | Path) -> HubWindowActor:
        """The agent in one of our files.

        Raises:
            ValueError: the file is missing, corrupt, or of another kind.
        """
        actor, guided = load_window_actor(path)
        copy = HubWindowActor(channels=actor.channels, widths=list(actor.widths), guided=guided)
        copy.load_state_dict(actor.state_dict())
        return copy

    def to_file(self, path: str | Path, **training: Any) -> None:
        """Write a file for ``--agent``; `training` are facts about its training.

        Raises:
            OSError: the file cannot be written.
        """
        save_window_actor(self, self.guided, training, Path(path))
