"""Options of the attack: ``pytest tests/hostile --hours 1`` goes on for an hour with a fresh seed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.remembering import looks_once

__all__ = ["Plan", "looks_once", "plan", "pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.getgroup("hostile").addoption
    add("--hours", type=float, default=0.0, help="hours of fuzzing in all, with fresh seeds")
    add("--seed", type=int, default=None, help="of the first case (default: 0, or fresh for --hours)")
    add("--kills", type=int, default=0, help="kill -9 each writing command so many times")
    add(
        "--hostile-report",
        type=Path,
        default=None,
        metavar="FILE",
        help="counts as JSON; what failed lies beside",
    )


@dataclass(frozen=True)
class Plan:
    """How long the attack is.

    Attributes:
        hours: of fuzzing in all; 0 for as many cases as each target says.
        seed: of the first case.
        kills: of each command; 0 for those that are quick.
        report: where counts go, if anywhere.
    """

    hours: float
    seed: int
    kills: int
    report: Path | None

    def keep(self, usual: Path) -> Path:
        """The folder for inputs that went wrong."""
        return usual if self.report is None else self.report.with_suffix(".failures")


@pytest.fixture(scope="session")
def plan(request: pytest.FixtureRequest) -> Plan:
    config = request.config  # it has no such options where this file was read late, in a run of all tests
    hours = config.getoption("hours", 0.0)
    seed = config.getoption("seed", None)
    if seed is None:
        seed = secrets.randbelow(1 << 40) if hours else 0
    return Plan(hours, seed, config.getoption("kills", 0), config.getoption("hostile_report", None))
