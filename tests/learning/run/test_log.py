"""What a log leaves of the program around it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from semantic_guidance.learning.run.log import Log


class OfTensorBoard(threading.Thread):
    """As its own one, that writes."""


OfTensorBoard.__module__ = "tensorboard.summary"


def fail(kind: type[threading.Thread], error: Exception) -> None:
    """Let a thread end with an error."""

    def run() -> None:
        raise error

    thread = kind(target=run)
    thread.start()
    thread.join()


def test_errors_of_threads_are_told_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """But for those of TensorBoard's thread with files, which the log's methods raise; and only meanwhile."""
    told: list[Any] = []

    def tell(args: Any) -> None:
        told.append(args.exc_value)

    errors = [OSError("full"), OSError("another"), KeyError("b"), OSError("after")]
    monkeypatch.setattr(threading, "excepthook", tell)
    with Log(tmp_path / "a"), Log(tmp_path / "b"):
        fail(OfTensorBoard, errors[0])
        fail(threading.Thread, errors[1])
        fail(OfTensorBoard, errors[2])
    assert threading.excepthook is tell
    fail(OfTensorBoard, errors[3])
    assert told == errors[1:]
    with Log(tmp_path / "c"):
        monkeypatch.setattr(threading, "excepthook", print)
    assert threading.excepthook is print  # it was not the log's any more
