"""Runs by the analytic gradient: they learn, go on as if they had not stopped, and begin from others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

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
    run = small_run(tmp_path, updates=120, batch_size=8, width=8, apg_lr=5e-3, **settings)
    run.held_out = discs(2, 16, 0)
    run.easels = Easels(run.held_out, 8, 4, CPU)
    before = run.validate()["all"]
    run.run()
    assert rows(tmp_path)[-1]["all"] < 0.65 * before


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = small_run(tmp_path / "whole", windows=0.7)
    whole.run()
    small_run(tmp_path / "parts", windows=0.7, updates=3).run()
    last = small_run(tmp_path / "parts", windows=0.7, updates=6, resume=True)
    assert last.step == 3
    # The schedule of the first half was another: so only what does not depend on it is the same.
    assert torch.equal(last.easels.generator.get_state(), _generator(tmp_path / "parts"))
    last.run()
    assert last.step == 6
    assert [row["step"] for row in rows(tmp_path / "parts")] == [3, 6]


def _generator(folder: Path) -> torch.Tensor:
    state: torch.Tensor = single.read_last(folder / single.LAST)["easels"]["generator"]
    return state


def test_the_same_schedule_gives_the_same_weights(tmp_path: Path) -> None:
    """Saved after 4 of 6 updates and gone on from there, or not stopped at all: equal to the last bit."""
    whole = small_run(tmp_path / "whole", interval=100)
    whole.run()
    broken = small_run(tmp_path / "parts", interval=4)
    (tmp_path / "parts").mkdir()
    for _ in range(4):
        broken._update(broken.step / 6)
    broken.save()
    last = small_run(tmp_path / "parts", interval=100, resume=True)
    last.run()
    for mine, theirs in zip(last.mean.state_dict().values(), whole.mean.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


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


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"load_path": "nowhere"}, "--load-path: nowhere"),
        ({"resume": True}, "last.pt"),
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
