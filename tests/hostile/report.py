"""The counts of attacks as JSON, and as the tables of docs/reliability.md::

python -m tests.hostile.report benchmarks/results/hostile.json
"""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.runner import Counts

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


def add_counts(path: Path, hours: float, seed: int, target: str, counts: Counts) -> None:
    """Put a target's counts into the report; other processes may do the same."""

    def put(report: dict[str, Any]) -> None:
        about = {"seed": seed, "commit": _commit()}
        report.setdefault("fuzzing", {})[target] = about | counts.as_json()
        report["hours"] = hours

    change(path, put)


def add_kills(path: Path, command: str, counts: dict[str, Any]) -> None:
    """Put a command's counts into the report."""
    change(path, lambda report: report.setdefault("kills", {}).update({command: counts}))


def change(path: Path, put: Callable[[dict[str, Any]], None]) -> None:
    """Change the report, one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        report = json.loads(file.read() or "{}")
        put(report)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(report, indent=2, sort_keys=True) + "\n")


def tables(report: dict[str, Any]) -> dict[str, str]:
    """The tables by name, as Markdown; over the first one, when it was."""
    fuzzing = report.get("fuzzing", {})
    commits = ", ".join(sorted({str(each["commit"]) for each in fuzzing.values()}))
    began = f"{report.get('hours')} hours of one process, fresh seeds; at {commits}:\n\n"
    return {"fuzzing": began + _fuzzing(fuzzing), "kills": _kills(report.get("kills", {}))}


def _commit() -> str | None:
    command = ["git", "rev-parse", "--short=7", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _fuzzing(targets: dict[str, Any]) -> str:
    lines = ["| what | files | accepted | refused | uncaught | crashes | other wrong | most MB | longest s |",
             "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    totals = [0] * 6
    for name, each in targets.items():
        wrong = each["wrong"]
        uncaught, crashes = wrong.get("uncaught", 0), wrong.get("crash", 0)
        row = [each["files"], each["accepted"], each["refused"], uncaught, crashes]
        row.append(sum(wrong.values()) - uncaught - crashes)
        totals = [a + b for a, b in zip(totals, row, strict=True)]
        cells = [f"{count:,}" for count in row]
        cells += [f"{each['most_megabytes']:,.0f}", f"{each['longest_seconds']:.1f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    most = max((each["most_megabytes"] for each in targets.values()), default=0)
    longest = max((each["longest_seconds"] for each in targets.values()), default=0)
    cells = [f"{count:,}" for count in totals]
    lines.append(f"| **all** | {' | '.join(cells)} | {most:,.0f} | {longest:.1f} |")
    return "\n".join(lines)


def _kills(commands: dict[str, Any]) -> str:
    lines = [
        "| command | kill -9 | while it wrote | half files | failed reruns | changed files | left processes |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    names = ("kills", "while_writing", "half_files", "failed_reruns", "changed_files", "left_processes")
    totals = [0] * len(names)
    for name, counts in commands.items():
        row = [counts[each] for each in names]
        totals = [a + b for a, b in zip(totals, row, strict=True)]
        lines.append(f"| `{name}` | {' | '.join(map(str, row))} |")
    lines.append(f"| **all** | {' | '.join(map(str, totals))} |")
    return "\n".join(lines)


def filled(page: str, report: dict[str, Any]) -> str:
    """The page with the report's tables between its marks, ``<!-- NAME: begin -->`` and so on."""
    for name, table in tables(report).items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return page


def main() -> None:
    """Write the tables into the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.report", description=__doc__)
    parser.add_argument("report", type=Path)
    args = parser.parse_args()
    PAGE.write_text(filled(PAGE.read_text(), json.loads(args.report.read_text())))


if __name__ == "__main__":
    main()
