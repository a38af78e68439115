"""Memory that is given back."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from semantic_guidance.core.memory import give_back


@pytest.mark.skipif(sys.platform != "linux" or not Path("/proc/self/statm").exists(), reason="another system")
def test_freed_memory_goes_back_to_the_system():
    def pages() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    pieces = [np.ones(2000) for _ in range(20_000)]  # 320 MB, in pieces that the C library keeps when freed
    last = pieces[-1]  # above all others, so that they are not at the heap's end
    full = pages()
    pieces.clear()
    give_back()
    assert pages() < full - 50_000
    assert last.sum() == 2000
