"""Damaged files of agents are read, or refused in one line that names the file, soon and cheaply."""

from __future__ import annotations

import random
import resource
import time
from pathlib import Path

from semantic_guidance.agents.files import load_agent
from tests.agents.damage import damaged, whole_files

FILES = 180
LONGEST = 2.0  # seconds
LARGEST = 300_000  # kilobytes beyond what was needed before


def test_damaged_files(tmp_path: Path) -> None:
    whole = [(path, path.read_bytes()) for path in whole_files(tmp_path)]
    for path, _ in whole:
        load_agent(path)
    before, refused, rng = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0, random.Random(17)
    for number in range(FILES):
        source, data = whole[number % len(whole)]
        path = tmp_path / f"damaged{source.suffix}"
        path.write_bytes(damaged(source, data, rng))
        begun = time.perf_counter()
        try:
            load_agent(path)
        except ValueError as error:
            refused += 1
            complaint = str(error)
            assert str(path) in complaint
            assert complaint.isprintable()
            assert len(complaint.replace(str(path), "")) < 400
        assert time.perf_counter() - begun < LONGEST
    assert refused > FILES / 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGEST
