"""What is found out about the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic_guidance.core.machine import has_avx512

INFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not INFO.exists(), reason="a system that does not tell")
def test_avx512_is_what_the_system_says():
    assert has_avx512() == (" avx512f " in INFO.read_text().replace("\n", " "))
