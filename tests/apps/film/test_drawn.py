"""Frames that were drawn before a film's painting ended: they come back, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semantic_guidance.apps.film.drawn import Drawn

SIZE = (64, 48)


@pytest.fixture
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(3)]


def kept(folder: Path, frames: list[np.ndarray]) -> Path:
    """The file of a part's frames."""
    with Drawn(folder, SIZE, True) as drawn:
        for pixels in frames:
            drawn.add(4, pixels)
        drawn.end()
        drawn.end()  # of a part in which nothing was drawn
    return folder / "part-0000004.mkv"


def test_frames_are_kept_without_loss(tmp_path, frames):
    kept(tmp_path, frames)
    found = list(Drawn(tmp_path, SIZE, True).frames(4))
    assert [*map(np.array_equal, found, frames)] == [True] * 3
    assert not [*Drawn(tmp_path, SIZE, False).frames(4), *Drawn(tmp_path, SIZE, True).frames(5)]
    assert not list(Drawn(tmp_path, (48, 64), True).frames(4))


@pytest.mark.parametrize("damage", ["a byte", "the end", "no checksum", "the checksum"])
def test_what_is_damaged_is_not_taken(tmp_path, frames, damage):
    path = kept(tmp_path, frames)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    if damage == "no checksum":
        path.with_suffix(".sum").unlink()
    elif damage == "the checksum":
        path.with_suffix(".sum").write_bytes(b"\xff")
    else:
        path.write_bytes(data if damage == "a byte" else data[:-200])
    assert not list(Drawn(tmp_path, SIZE, True).frames(4))
