"""Runs by the analytic gradient: they learn, go on as if they had not stopped, and begin from others."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from semantic_guidance.agents.files import load_agent
from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.apg.run import ACTOR, AnalyticRun
from semantic_guidance.learning.run import single
from tests.learning.toys import discs, small_config

CPU = torch.device("cpu")


def small_run(folder: Path, **values: Any) -> AnalyticRun:
    settings = {
        "method": "apg",
        "view_size": 16,
        "max_eps_len": 4,
        "windows": 0.0,
        "updates": 6,
        "measured": 4,
    }
    config = small_config(**{**settings, **values})
    size = config.data.side
    return AnalyticRun(config, discs(8, size, 0), discs(4, size, 1), folder, CPU)


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / single.LOG).read_text().splitlines()]


def test_it_learns_to_paint_two_discs(tmp_path: Path) -> None:
    """From the mean colour, 16 strokes: about half of the error is left, and the log says so."""
    settings: dict[str, Any] = {"use_bilevel": False, "use_gbp": False, "bundle_size": 4}
    run = small_run(tmp_path, updates=60, batch_size=8, width=8, apg_lr=1e-2, **settings)
    run.measured = discs(2, 16, 0)
    run.easels = Easels(run.measured, 8, 4, CPU)
    before = run.validate()["all"]
    run.run()
    assert rows(tmp_path)[-1]["all"] < 0.65 * before


KINDS: list[dict[str, Any]] = [
    {"windows": 0.0},
    {"windows": 0.7},
    {"windows": 0.7, "bf16": True, "canvas_size": 32, "view_size": 32},
    {"head": "dense", "canvas_size": 128, "bf16": True, "width": 8, "batch_size": 2, "measured": 1},
]


@pytest.mark.parametrize("values", KINDS)
def test_the_same_schedule_gives_the_same_weights(tmp_path: Path, values: dict[str, Any]) -> None:
    """Saved after 2 of 3 updates and gone on from there, or not stopped at all: equal to the last bit."""
    values = {"updates": 3, "max_eps_len": 2, **values}
    whole = small_run(tmp_path / "whole", interval=100, **values)
    whole.run()
    broken = small_run(tmp_path / "parts", interval=2, **values)
    (tmp_path / "parts").mkdir()
    for _ in range(2):
        broken._update(broken.step / 3)
    broken.save()
    last = small_run(tmp_path / "parts", interval=100, resume=True, **values)
    assert last.step == 2
    last.run()
    for mine, theirs in zip(last.mean.state_dict().values(), whole.mean.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert [row["step"] for row in rows(tmp_path / "parts")] == [2, 3]


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    small_run(tmp_path, updates=1).run()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    small_run(tmp_path, updates=1, resume=True).run()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_its_numbers_are_in_tensorboards_files_too(tmp_path: Path) -> None:
    small_run(tmp_path, updates=2, interval=1).run()
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    logged = rows(tmp_path)
    assert [row["step"] for row in logged] == [1, 2]
    for name in ("all", "object", "background"):
        there = [(each.step, pytest.approx(each.value)) for each in events.Scalars(f"validate/{name}")]
        assert there == [(row["step"], row[name]) for row in logged]


def test_without_objects_there_is_no_number_of_them(tmp_path: Path) -> None:
    run = small_run(tmp_path, updates=1)
    assert run.measured is not None
    run.measured.pixels[:, 3] = 0
    run.run()
    text = (tmp_path / single.LOG).read_text()
    (row,) = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert "object" not in row
    assert row["all"] == row["background"]


def test_only_the_pictures_that_are_measured_are_loaded(tmp_path: Path) -> None:
    held_out = discs(9, 16, 1)
    config = small_config(method="apg", view_size=16, windows=0.0, updates=1, measured=2, max_eps_len=2)
    run = AnalyticRun(config, discs(2, 16, 0), held_out, tmp_path, CPU)
    held_out.fetch = pytest.fail  # all that is needed is there before the clock starts
    run.run()
    assert held_out.loaded.tolist() == [True] * 2 + [False] * 7
    assert (
        AnalyticRun(
            replace(config, apg=replace(config.apg, measured=0)),
            held_out.first(2),
            held_out,
            tmp_path / "b",
            CPU,
        ).validate()
        == {}
    )


def test_its_agent_paints_and_another_run_begins_with_it(tmp_path: Path) -> None:
    run = small_run(tmp_path / "first", windows=0.5)
    run.run()
    agent = load_agent(tmp_path / "first" / ACTOR)
    assert isinstance(agent, LtpAgent)
    assert agent.windows
    assert agent.ground is None
    kept = load_actor(tmp_path / "first" / ACTOR).actor.state_dict()
    next_run = small_run(tmp_path / "second", load_path=str(tmp_path / "first"))
    for name, values in next_run.network.state_dict().items():
        assert torch.equal(values, kept[name])
    next_run.run()
    shutil.rmtree(tmp_path / "first")
    small_run(tmp_path / "second", load_path=str(tmp_path / "first"), updates=7, resume=True).run()


def test_an_actor_of_another_shape_is_told_apart(tmp_path: Path) -> None:
    small_run(tmp_path / "first", updates=1).run()
    with pytest.raises(InputError) as told:
        small_run(tmp_path / "second", load_path=str(tmp_path / "first"), use_gbp=False)
    assert str(told.value) == (
        f"--load-path: {tmp_path / 'first'}: the networks differ from the run's: conv1.weight of actor has "
        "shape [4, 13, 3, 3], wanted [4, 12, 3, 3] (it learned with --use-bilevel --use-gbp)"
    )


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"load_path": "nowhere"}, "--load-path: nowhere"),
        ({"resume": True}, "holds no checkpoint"),
    ],
)
def test_what_cannot_be_begun(tmp_path: Path, values: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InputError, match=wanted):
        small_run(tmp_path, **values)


def test_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    small_run(tmp_path, updates=1).run()
    with pytest.raises(InputError, match="another bundle_size"):
        small_run(tmp_path, bundle_size=6, resume=True)


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    run = small_run(tmp_path, updates=100)
    run._update(0.0)
    run.network.fc.bias.data.fill_(math.nan)  # type: ignore[union-attr, operator]
    with pytest.raises(InputError, match="wanted a lower --apg-lr"):
        run.run()
    assert not (tmp_path / single.LAST).exists()
