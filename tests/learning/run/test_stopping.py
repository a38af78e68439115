"""Runs that are told to end save first, and go on: from what was kept, with the settings that they had."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core import ending
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.settings import read_settings
from semantic_guidance.learning import neural_renderer
from semantic_guidance.learning.apg.run import AnalyticRun
from semantic_guidance.learning.config import PARTS
from semantic_guidance.learning.neural_renderer import RendererRun
from semantic_guidance.learning.run import checkpoint, loop, single
from semantic_guidance.learning.run.loop import DivergedError, Trainer, train
from semantic_guidance.learning.run.processes import Processes, settle_threads
from semantic_guidance.learning.run.resume import run_folder
from semantic_guidance.learning.window.train import WindowTrainer
from tests.conftest import EXAMPLES
from tests.learning.packs import write_pack
from tests.learning.toys import SMALL, discs, small_config, small_trainer

settle_threads(1)
SHORT = {"val_interval": 0, "train_steps_per_eps": 1, "use_bilevel": False, "use_gbp": False, "warmup": 0}
APG = {"method": "apg", "view_size": 16, "windows": 0.0, "updates": 2, "measured": 0, "bundle_size": 2}


def flags(settings: dict[str, Any]) -> list[str]:
    """Settings as words of a command line."""
    switches = [f"--{name}" for name, value in settings.items() if value is True]
    others = [f"--{name}={value}" for name, value in settings.items() if not isinstance(value, bool)]
    return switches + others


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of a run of six episodes on discs, in ``tmp_path / folder / base``."""
    monkeypatch.setattr(loop, "open_banks", lambda *_: (discs(8, 16, 0), discs(2, 16, 1)))
    return {**SMALL, **SHORT, "dataset": "folder", "data": str(EXAMPLES), "output": str(tmp_path)}


def told_to_end(
    monkeypatch: pytest.MonkeyPatch, kind: type, method: str, number: int, after: int, times: int = 1
) -> None:
    """Let the process receive a signal in the midst of a run's n-th step."""
    usual, count = getattr(kind, method), 0

    def step(self: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        if count == after:
            for _ in range(times):
                os.kill(os.getpid(), number)
        return usual(self, *args)

    monkeypatch.setattr(kind, method, step)


def names(folder: Path) -> list[str]:
    return [path.name for path in checkpoint.checkpoints(folder)]


def rows(folder: Path) -> list[dict[str, float]]:
    """The log, without what clocks say."""
    clocks = {"seconds", "train/samples_per_second"}
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [{name: row[name] for name in row.keys() - clocks} for row in lines]


def weights(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = checkpoint.read(checkpoint.checkpoints(folder)[-1] / "networks.pt")
    return {
        f"{part}.{key}": value
        for part in ("actor", "critic")
        for key, value in state["learner"][part].items()
    }


def test_the_episode_under_way_is_saved_and_the_run_goes_on_as_if_it_had_not_stopped(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    toy |= {"train_timesteps": 6}
    whole = train(**toy, exp_suffix="whole")
    with monkeypatch.context() as patch:
        told_to_end(patch, Trainer, "_collect", signal.SIGTERM, after=2)
        assert cli.main(["train", *flags(toy)]) == 143
    folder = tmp_path / "folder" / "base"
    *_, line = capfd.readouterr().err.splitlines()
    assert names(folder)[-1] == "00000002"
    words = f"stopped after step 4, saved; go on with: semantic-guidance train --resume {folder}"
    assert line == f"semantic-guidance: {words}"
    assert not list(tmp_path.rglob("*.part*"))
    assert cli.main(words.partition("semantic-guidance ")[2].split()) == 0
    assert rows(folder) == rows(whole)
    mine, theirs = weights(folder), weights(whole)
    assert all(torch.equal(values, theirs[key]) for key, values in mine.items())


@pytest.mark.parametrize("method", ["_collect", "validate"])
def test_no_validation_comes_before_what_is_saved(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    told_to_end(monkeypatch, Trainer, method, signal.SIGTERM, after=1)
    assert cli.main(["train", *flags({**toy, "val_interval": 1})]) == 143
    folder = tmp_path / "folder" / "base"
    assert names(folder) == ["00000001"]
    (row,) = rows(folder)
    assert not [name for name in row if name.startswith("validate")]


def test_another_signal_ends_it_at_once(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "GRACE", -1.0)
    told_to_end(monkeypatch, Trainer, "_collect", signal.SIGTERM, after=3, times=2)
    with ending.clean_end(), pytest.raises(ending.Terminated) as told:
        train(**toy)
    assert told.value.words is None
    assert names(tmp_path / "folder" / "base") == ["00000001", "00000002"]


def test_from_python_too(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    toy["train_timesteps"] = 4
    told_to_end(monkeypatch, Trainer, "_collect", signal.SIGINT, after=1)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(**toy)
    assert signal.getsignal(signal.SIGINT) is before
    assert "saved; go on with" in capfd.readouterr().err
    assert train(resume=str(tmp_path / "folder" / "base")) == tmp_path / "folder" / "base"


def test_a_disk_that_is_full_costs_the_last_episode_alone(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    told_to_end(monkeypatch, Trainer, "_collect", signal.SIGTERM, after=2)
    write = checkpoint.write

    def full(path: Path, content: dict[str, Any]) -> None:
        if "00000002" in str(path):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(checkpoint, "write", full)
    assert cli.main(["train", *flags({**toy, "save_interval": 200})]) == 2
    assert "No space left on device" in capsys.readouterr().err
    folder = tmp_path / "folder" / "base"
    assert names(folder) == ["00000001"]
    assert not list(folder.rglob("*.part*"))


class Tiny(nn.Linear):
    """In place of the network that draws strokes."""

    def __init__(self, size: int) -> None:
        super().__init__(10, size * size)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).view(-1, self.size, self.size)


OTHERS: dict[str, tuple[str, type, str, str]] = {
    "apg": ("train --output OUT", AnalyticRun, "_update", "train --resume OUT/folder/base"),
    "window": (
        "train-agent --out OUT --pack PACK --scenes 2 --scene-side 32 --widths 8,8 --batch 2 --steps 2",
        WindowTrainer,
        "_update",
        "train-agent --out OUT",
    ),
    "renderer": (
        "train-renderer --output OUT --steps 2 --batch_size 2 --device cpu",
        RendererRun,
        "_update",
        "train-renderer --output OUT",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_trainers(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, name: str
) -> None:
    command, kind, method, again = OTHERS[name]
    write_pack(tmp_path / "pack")
    monkeypatch.setattr(neural_renderer, "NeuralRenderer", Tiny)
    monkeypatch.setattr(neural_renderer.RendererConfig, "size", 8)
    apg = {
        **{key: toy[key] for key in ("dataset", "data", "canvas_size", "width", "batch_size", "device")},
        **APG,
    }

    def words(text: str, out: str) -> list[str]:
        more = flags(apg) if text.startswith("train --output") else []
        return text.replace("OUT", str(tmp_path / out)).replace("PACK", str(tmp_path / "pack")).split() + more

    assert cli.main(words(command, "whole")) == 0
    with monkeypatch.context() as patch:
        told_to_end(patch, kind, method, signal.SIGHUP, after=1)
        assert cli.main(words(command, "parts")) == 129
    line = capfd.readouterr().err.splitlines()[-1]
    again = again.replace("OUT", str(tmp_path / "parts"))
    assert line == f"semantic-guidance: stopped after step 1, saved; go on with: semantic-guidance {again}"
    last = next((tmp_path / "parts").rglob(single.LAST))
    assert torch.load(last, weights_only=True)["step"] == 1
    assert cli.main(again.split()) == 0
    one, other = (
        torch.load(next((tmp_path / each).rglob(single.LAST)), weights_only=True)
        for each in ("whole", "parts")
    )
    assert one["step"] == other["step"] == 2
    for part in ("network", "actor"):
        for key, values in one.get(part, {}).items():
            assert torch.equal(values, other[part][key]), key
    for file in ("config.toml", "config.json"):  # which an earlier version did not write
        last.with_name(file).unlink()
    assert cli.main(again.split()) == 0
    earlier = last.with_name(single.EARLIER)
    assert torch.load(earlier, weights_only=True)["step"] >= 1
    last.write_bytes(b"nonsense")
    assert cli.main(again.split()) == 2
    assert str(earlier) in capfd.readouterr().err


def test_what_was_not_measured_is_measured_when_it_goes_on(
    toy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**toy, **APG, "updates": 1, "measured": 2}
    for name in SHORT.keys() | {"rmsize", "nenv", "train_timesteps", "val_num_eps", "save_interval"}:
        settings.pop(name)
    with monkeypatch.context() as patch:
        told_to_end(patch, AnalyticRun, "validate", signal.SIGTERM, after=1)
        assert cli.main(["train", *flags(settings)]) == 143
    folder = tmp_path / "folder" / "base"
    assert torch.load(folder / single.LAST, weights_only=True)["step"] == 1
    assert not (folder / "log.jsonl").exists()
    train(resume=str(folder))
    (row,) = rows(folder)
    assert row["step"] == 1
    assert row["all"] > 0


def test_the_newest_is_broken_and_the_one_before_goes_on(toy: dict[str, Any], tmp_path: Path) -> None:
    folder = train(**{**toy, "train_timesteps": 6, "save_interval": 2})
    assert names(folder) == ["00000002", "00000003"]
    older, newest = (folder / "checkpoints" / name for name in names(folder))
    for name in ("process0.pt", "networks.pt"):
        (newest / name).write_bytes(b"nonsense")
        with pytest.raises(InputError, match=rf"00000003/{name} .*wanted perhaps --resume {older}$"):
            train(resume=str(folder))
    shutil.copytree(newest, newest.with_name("00000009"))  # beyond what is gone on with
    train(resume=str(older))
    assert names(folder) == ["00000002", "00000003"]  # the broken one was made again
    shutil.rmtree(older)
    (newest / "networks.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"networks\.pt") as told:
        train(resume=str(folder))
    assert "was kept" not in str(told.value)


def test_saved_settings_are_taken_and_those_that_differ_are_named(
    toy: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    folder = train(**{**toy, "train_timesteps": 4, "discount": 0.25})
    for file in ("config.toml", "config.json"):
        assert read_settings(folder / file, PARTS)["discount"] == 0.25
    assert json.loads((folder / "config.json").read_text())["learn"]["nenv"] == 4
    with pytest.raises(InputError) as told:
        train(resume=str(folder / "config.toml"), discount=0.5, width=8, batch_size=8)
    assert str(told.value) == (
        f"--resume: {folder / 'checkpoints' / '00000002'} was made with another discount (0.25, now 0.5), "
        "width (4, now 8), wanted the same, or another --exp-suffix"
    )
    capsys.readouterr()
    words = ["--batch-size", "6", "--rmsize", "5", "--actor-lr", "1e-4,1e-4,1e-4", "--train-timesteps", "6"]
    assert cli.main(["train", "--resume", str(folder), *words]) == 0
    told_of = capsys.readouterr().err.splitlines()[0]
    for name in ("train_timesteps (4, now 6)", "batch_size (4, now 6)", "rmsize (20, now 5)"):
        assert name in told_of
    written = tomllib.loads((folder / "config.toml").read_text())
    assert (written["learn"]["discount"], written["learn"]["batch_size"]) == (0.25, 6)
    assert written["run"]["resume"] is False
    # And once more, as it then was; by its name, too.
    place = {"dataset": "folder", "output": str(tmp_path)}
    assert train(**place, resume=True, train_timesteps=8) == folder
    assert names(folder)[-1] == "00000004"


def test_a_run_of_an_earlier_version_in_a_folder_that_moved(toy: dict[str, Any], tmp_path: Path) -> None:
    folder = train(**{**toy, "train_timesteps": 2})
    for file in ("config.toml", "config.json"):
        (folder / file).unlink()
    moved = tmp_path / "elsewhere" / "mine"
    moved.parent.mkdir()
    folder.rename(moved)
    assert train(resume=str(moved), train_timesteps=4) == moved
    assert names(moved)[-1] == "00000002"
    with pytest.raises(InputError, match=r"--resume: .* is not in --exp-suffix other"):
        train(resume=str(moved), exp_suffix="other")
    with pytest.raises(InputError, match="holds no checkpoint"):
        train(resume=str(tmp_path))
    assert run_folder(moved / "checkpoints" / "00000002" / "networks.pt") == moved


def test_more_processes_or_fewer(tmp_path: Path) -> None:
    small_trainer(tmp_path, train_timesteps=4).run()
    (kept,) = checkpoint.checkpoints(tmp_path)
    config, cpu = small_config(resume=True), torch.device("cpu")
    first, second = (
        Trainer(config, discs(8, 16, 0), discs(4, 16, 1), tmp_path, Processes(rank, 1, cpu))
        for rank in (0, 1)
    )
    assert len(second.replay) == len(first.replay) > 0
    assert not torch.equal(first.generator.get_state(), second.generator.get_state())
    shutil.copy(kept / "process0.pt", kept / "process1.pt")  # of which one process takes the first alone
    assert small_trainer(tmp_path, resume=True).episode == 2


def test_checkpoints_come_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(Trainer, "save", lambda self: made.append(self.episode))
    monkeypatch.setattr(Trainer, "_episode", lambda self: setattr(self, "episode", self.episode + 1) or {})
    small_trainer(tmp_path / "a", save_interval=7, train_timesteps=50, warmup=4, val_interval=0).run()
    assert made == [3, 4, 6, 7, 14, 21, 25]
    made.clear()
    monkeypatch.setattr(checkpoint, "PAUSE", -1.0)
    small_trainer(tmp_path / "b", save_interval=200, train_timesteps=20, warmup=4, val_interval=0).run()
    assert made == list(range(1, 11))


def test_curves_of_a_killed_run_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wrote beyond its checkpoint; each start writes a file of its own, and TensorBoard drops the rest."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def dies(self: Trainer) -> dict[str, float]:
        if self.episode == dies_after:
            raise DivergedError("killed")
        return usual(self)

    usual, settings = Trainer._episode, {**SHORT, "save_interval": 200, "train_timesteps": 8}
    monkeypatch.setattr(Trainer, "_episode", dies)
    for dies_after, resume in ((2, False), (3, False), (99, True)):
        with suppress(DivergedError):
            small_trainer(tmp_path, resume=resume, **settings).run()
        if dies_after == 2:  # as if it had been killed before its first checkpoint
            shutil.rmtree(tmp_path / "checkpoints")
    assert names(tmp_path)[0] == "00000002"
    assert len(list((tmp_path / "log").iterdir())) == 3
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    assert [each.step for each in events.Scalars("train/Q")] == [2, 4, 6, 8]


@pytest.mark.parametrize("steps", [300, 400, 399, 1])
def test_a_run_that_would_not_learn(toy: dict[str, Any], steps: int) -> None:
    complaint = rf"--train-timesteps {steps} ends before anything is learned: the first 400 steps .*--warmup"
    with pytest.raises(InputError, match=complaint):
        train(**{**toy, "train_timesteps": steps, "warmup": 400})


def test_settings_that_are_probably_not_meant_are_told(toy: dict[str, Any], capsys: Any) -> None:
    train(**{**toy, "train_timesteps": 2, "rmsize": 1, "val_interval": 9})
    told = capsys.readouterr().err.splitlines()
    for word, line in zip(("--rmsize 1 ", "--batch-size 4 ", "--val-interval 9 "), told, strict=False):
        assert line.startswith(word)
