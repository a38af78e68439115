"""Window agents are trained, stopped, taken up again and written to files that paint."""

from __future__ import annotations

import io
import json
import math
import resource
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_guidance import Painter, load_image
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.weights import read_config, read_weights
from semantic_guidance.learning.data.cutouts.compose import Composite
from semantic_guidance.learning.window import bank as banks
from semantic_guidance.learning.window.bank import make_bank, open_bank, read_bank
from semantic_guidance.learning.window.config import WindowTrainingConfig
from semantic_guidance.learning.window.scenes import Episodes
from semantic_guidance.learning.window.train import new_actor, schedule, train_window_agent, write_agent
from tests.learning.packs import write_pack

FORMAT = "semantic-guidance/window-actor"


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    """A file of six composed pictures."""
    folder = tmp_path_factory.mktemp("bank")
    path = folder / "pictures"  # without a suffix, which nothing must add
    open_bank(small(folder, path, pack=write_pack(folder / "pack")))
    return path


@pytest.fixture(scope="module")
def begun(bank, tmp_path_factory) -> Path:
    """The folder of a run of one update."""
    return train_window_agent(small(tmp_path_factory.mktemp("begun"), bank, steps=1)).parent


def small(out: Path, bank: Path, **values) -> WindowTrainingConfig:
    """A run of six updates."""
    sizes = {"scenes": 6, "scene_side": 48, "batch_size": 4, "widths": (8, 8, 16, 16)}
    return WindowTrainingConfig(
        **{"out": out, "bank": bank, "steps": 6, "save_interval": 3, **sizes, **values}
    )


def rows(out: Path) -> list[dict[str, float]]:
    """The log, without what the clock says."""
    lines = (out / "log.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]


def stop_after(monkeypatch, updates: int) -> None:
    """Let a run be interrupted once so many updates are done."""
    paint, calls = Episodes.paint, []

    def counted(self, *args):
        calls.append(1)
        if len(calls) > updates:
            raise KeyboardInterrupt
        return paint(self, *args)

    monkeypatch.setattr(Episodes, "paint", counted)


def equal(one, other) -> bool:
    """Whether two states hold the same, tensors to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


@pytest.mark.parametrize("more", [{"guided": 0.8}, {"bf16": True, "horizon": 2}])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(bank, tmp_path, monkeypatch, more):
    torch.manual_seed(5)  # has no say
    train_window_agent(small(tmp_path / "whole", bank, **more))
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            train_window_agent(small(tmp_path / "parts", bank, **more))
    parts = small(tmp_path / "parts", bank, **more)
    assert torch.load(parts.out / "last.pt", weights_only=True)["step"] == 3
    (parts.out / ".0123456789ab.part.pt").touch()  # what a killed run leaves
    path = train_window_agent(parts)
    whole, taken_up = (
        torch.load(tmp_path / each / "last.pt", weights_only=True) for each in ("whole", "parts")
    )
    assert taken_up["step"] == 6
    for name in ("actor", "ema", "optimizer", "easels", "running"):
        assert equal(whole[name], taken_up[name]), name
    assert rows(tmp_path / "whole") == rows(parts.out)
    weights = [read_weights(file, FORMAT, "agents")[1] for file in (tmp_path / "whole" / path.name, path)]
    assert equal(*weights)
    wanted = {"agent.safetensors", "config.toml", "config.json", "last.pt", "earlier.pt", "log.jsonl"}
    assert {file.name for file in parts.out.iterdir()} == wanted


def test_the_log_forgets_what_was_learned_in_vain(bank, tmp_path):
    config = small(tmp_path, bank)
    train_window_agent(config)
    (tmp_path / "log.jsonl").write_text('{"step": 5}\n{"step": 7}\n{"st')
    train_window_agent(config)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 5}\n'


def test_the_agent_paints(bank, tmp_path, photo):
    path = train_window_agent(small(tmp_path, bank))
    image = load_image(photo)
    painting = Painter(agent=path, strokes=20, preset="draft", size=60).paint(image)
    assert 1 <= len(painting.strokes) <= 20
    assert bool(torch.isfinite(painting.canvas).all())
    config = read_config(path, "agents")
    assert config["guided"] is True
    assert config["training"]["steps"] == 6
    assert config["training"]["batch_size"] == 4
    assert "out" not in config["training"]
    assert read_config(write_agent(tmp_path, unguided=True), "agents")["guided"] is False


def test_an_unguided_agent_is_told_nothing_and_says_so(bank, tmp_path, monkeypatch):
    told = []
    begin = Episodes._begin
    monkeypatch.setattr(Episodes, "_begin", lambda self, n: told.append(self.guided) or begin(self, n))
    path = train_window_agent(small(tmp_path, bank, unguided=True, guided=0.9, steps=2))
    assert set(told) == {0.0}
    assert read_config(path, "agents")["guided"] is False
    assert read_config(write_agent(tmp_path), "agents")["guided"] is False


def test_a_run_starts_from_another_ones_averaged_weights(bank, tmp_path):
    path = train_window_agent(small(tmp_path / "first", bank))
    mean = torch.load(tmp_path / "first" / "last.pt", weights_only=True)["ema"]
    for init, close in ((tmp_path / "first" / "last.pt", 1e-6), (path, 1e-3)):  # the agent has 16 bits
        out = tmp_path / init.name
        train_window_agent(small(out, bank, init=init, steps=1, learning_rate=1e-9))
        actor = torch.load(out / "last.pt", weights_only=True)["actor"]
        assert torch.allclose(actor["head.weight"], mean["head.weight"], atol=close)
    with pytest.raises(OptionError, match="--widths 8,8,16"):
        train_window_agent(small(tmp_path / "third", bank, init=path, widths=(8, 8, 16)))


def test_what_is_kept_is_the_running_mean(bank, tmp_path):
    """After the first update it is nine parts of ten what was learned, one part what there was before."""
    config = small(tmp_path, bank, steps=1, learning_rate=1.0)
    before, path = new_actor(config).state_dict(), train_window_agent(config)
    actor = torch.load(tmp_path / "last.pt", weights_only=True)["actor"]
    assert not torch.allclose(actor["head.weight"], before["head.weight"], atol=1e-3)
    for name, values in read_weights(path, FORMAT, "agents")[1].items():
        if not name.endswith("num_batches_tracked"):
            assert torch.allclose(values, torch.lerp(before[name], actor[name], 0.9), atol=2e-3), name


def test_the_largest_object_is_the_one_to_paint(monkeypatch):
    masks = [np.zeros((48, 48), np.float32) for _ in range(2)]
    masks[0][4:10, 4:10] = 1
    masks[1][20:44, 20:44] = 1
    image = np.random.default_rng(0).random((48, 48, 3), dtype=np.float32)
    monkeypatch.setattr(banks, "compose", lambda *args: Composite(image, tuple(masks)))
    made = make_bank(None, 1, 48, 0)
    assert np.array_equal(made.masks[0, ..., 1], 255 * masks[1])
    assert np.array_equal(made.masks[0, ..., 0], 255 * (masks[0] + masks[1]))
    assert np.array_equal(made.images[0], (image * 255).round())
    assert made.focus[0][masks[1] > 0].any()
    assert not made.focus[0][masks[1] == 0].any()


def test_a_schedule_may_follow_the_clock(bank, tmp_path):
    train_window_agent(small(tmp_path, bank, minutes=1e-4, steps=1))
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["step"] >= 1
    assert state["seconds"] >= 0.006


def test_rates_rise_and_fall():
    assert schedule(0, 0) == pytest.approx(1 / 100)
    assert schedule(49, 0) == pytest.approx(0.5)
    assert schedule(5000, 0.5) == pytest.approx(0.01 + 0.99 / 2)
    assert schedule(9999, 1 / 3) == pytest.approx(0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi / 3)))
    assert schedule(9999, 1) == pytest.approx(0.01)


def test_pictures_are_composed_once(bank, tmp_path, monkeypatch):
    made = read_bank(bank)
    assert made.images.shape == (6, 48, 48, 3)
    assert (made.masks[..., 0] >= made.masks[..., 1]).all()  # all objects, the largest one
    assert 0 < (made.masks[..., 1] > 127).mean() < 0.9
    assert made.focus.any()
    assert not made.focus[made.masks[..., 1] == 0].any()
    again = open_bank(small(tmp_path, tmp_path / "again.npz", pack=bank.parent / "pack"))
    assert all(
        np.array_equal(getattr(made, name), getattr(again, name)) for name in ("images", "masks", "focus")
    )
    monkeypatch.setattr(banks, "compose", None)
    open_bank(small(tmp_path, bank))


def huge() -> bytes:
    """An array of a terabyte, by its header; of its numbers there are eight."""
    made = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000, 1)}
    np.lib.format.write_array_header_1_0(made, shape)
    return made.getvalue() + bytes(8)


def test_files_that_hold_no_pictures(tmp_path):
    path, names = tmp_path / "bank.npz", ("images", "masks", "focus")
    np.savez_compressed(path, **dict.fromkeys(names, np.zeros((60, 1000, 1000), np.uint8)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="the archive is compressed"):
        read_bank(path)
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(f"{name}.npy", huge())
    with pytest.raises(InputError, match=r"larger than the machine's memory|corrupt or something else"):
        read_bank(path)
    np.savez(path, **dict.fromkeys(names, np.array([{"an": "object"}])))
    with pytest.raises(InputError, match="corrupt or something else"):
        read_bank(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_checkpoint_of_a_network_that_would_be_huge(tmp_path):
    """Its stages' tensors are short, but the network that they stand for has 20 GB."""
    mean = {"stem.weight": torch.zeros(3000, 10, 1, 1)}
    mean |= {f"stages.{n}.shortcut.weight": torch.zeros(3000) for n in range(0, 40, 2)}
    torch.save({"ema": mean, "step": 1, "seconds": 1.0}, tmp_path / "last.pt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="holds another network"):
        write_agent(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_run_needs_the_settings_and_pictures_that_it_was_begun_with(bank, tmp_path):
    config = small(tmp_path, bank)
    train_window_agent(config)
    with pytest.raises(OptionError, match=r"widths: .* was made with 8,8,16,16, wanted the same"):
        train_window_agent(small(tmp_path, bank, widths=(8, 16)))
    with pytest.raises(OptionError, match="seed: "):
        train_window_agent(small(tmp_path, bank, seed=1))
    train_window_agent(small(tmp_path, bank, steps=7, learning_rate=1e-4))
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 7


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (lambda state: state.pop("easels"), "has no 'easels', wanted a checkpoint"),
        (lambda state: state["actor"].pop("head.bias"), "weights of other names or shapes"),
        (lambda state: state["easels"].pop("rng"), "does not fit this run"),
        (lambda state: state.update(config="{"), "settings cannot be read"),
        (lambda state: state.update(optimizer={}), "does not fit this run"),
        (lambda state: state.update(running=None), "does not fit this run"),
    ],
)
def test_a_checkpoint_with_a_part_missing(bank, begun, tmp_path, spoil, wanted):
    config = small(tmp_path, bank, steps=1)
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    spoil(state)
    torch.save(state, tmp_path / "last.pt")
    with pytest.raises(InputError, match=wanted):
        train_window_agent(config)


def test_a_run_that_diverged_keeps_its_last_checkpoint(bank, tmp_path):
    with pytest.raises(
        InputError, match=r"in update \d+, .*there is no checkpoint yet; wanted a lower --lea"
    ):
        train_window_agent(small(tmp_path, bank, learning_rate=1e30))
    train_window_agent(small(tmp_path, bank, steps=3))
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(InputError, match=r"the last checkpoint is .*last\.pt"):
        train_window_agent(small(tmp_path, bank, learning_rate=1e30, steps=40, save_interval=1000))
    assert (tmp_path / "last.pt").read_bytes() == before
