"""What a test of a target does."""

from __future__ import annotations

import math
import time

from tests.hostile.conftest import Plan
from tests.hostile.report import add_counts
from tests.hostile.runner import Attack, bombard
from tests.hostile.targets import TARGETS

HOUR = 3600


def fuzz(name: str, attack: Attack, plan: Plan) -> None:
    """Attack a target for its share of the time, or with its usual number of cases.

    Raises:
        AssertionError: something went wrong; the message says what, and how to repeat it.
    """
    target = TARGETS[name]
    share = target.share / sum(each.share for each in TARGETS.values())
    until = time.monotonic() + plan.hours * HOUR * share if plan.hours else math.inf
    cases = 1 << 60 if plan.hours else target.cases
    counts = bombard(attack, name, plan.seed, cases, until, target.seconds)
    if plan.report is not None:
        add_counts(plan.report, plan.hours, plan.seed, name, counts)
    lines = [
        f"{len(seeds)} times {cause}: {counts.examples[cause]!r}\n"
        f"    python -m tests.hostile.child FOLDER '{name}' {seeds[0]}"
        for cause, seeds in sorted(counts.causes.items())
    ]
    said = "\n".join(lines)
    assert not lines, f"of {counts.outcomes.total()} cases, kept in {attack.keep}:\n{said}"
    assert counts.outcomes.total() > 0
