"""What tests of benchmarks share."""

from __future__ import annotations

from tests.remembering import looks_once

__all__ = ["looks_once"]
