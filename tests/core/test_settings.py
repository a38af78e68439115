"""Settings in TOML: what is written comes back, and what is not usable is one clear line."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.core.config import kind_of
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.settings import read_settings, settings_text, write_run_settings, write_settings
from semantic_guidance.learning.config import PARTS, TrainConfig, make_config
from semantic_guidance.learning.config import settings as train_settings
from semantic_guidance.learning.window.config import WindowTrainingConfig

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = TEXT.filter(bool)
FOLDER_NAMES = TEXT.filter(lambda name: name not in ("", ".", "..") and not set(name) & set("/\\\0"))
SPECIAL = {
    "variation": st.just("clone"),  # of the data sets below, none has others
    "dataset": st.sampled_from(["cub200", "cars196", "folder"]),
    "exp_suffix": FOLDER_NAMES,
    "batch_size": st.integers(2, 10**4).map(lambda count: 12 * count),
    "accumulate": st.sampled_from([1, 2, 3, 12]),
}


def number(item: dataclasses.Field[Any], kind: type) -> st.SearchStrategy[Any]:
    """Numbers in a field's range."""
    bounds = item.metadata
    low, high = bounds.get("min", bounds.get("above", -(10**6))), bounds.get("max", 10**6)
    if kind is int:
        return st.integers(low, high)
    return st.floats(low, high, exclude_min="above" in bounds)


def values(item: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    """Values of a setting that may be."""
    if item.name in SPECIAL:
        return SPECIAL[item.name]
    if choices := item.metadata.get("choices"):
        return st.sampled_from(choices)
    kind = kind_of(item)
    if isinstance(item.default, tuple):
        return st.tuples(*(number(item, kind) for _ in item.default))
    if kind is bool:
        return st.booleans()
    if kind in (int, float):
        return number(item, kind)
    return st.none() | NAMES if item.default is None else NAMES


@st.composite
def configs(draw: st.DrawFn) -> TrainConfig:
    items = draw(st.lists(st.sampled_from(list(train_settings())), max_size=12, unique_by=lambda i: i.name))
    given = {item.name: draw(values(item)) for item in items}
    if "renderer" in given or "renderer_weights" in given:  # which go together
        given |= {"method": "ddpg", "renderer": "neural", "renderer_weights": draw(NAMES)}
    return make_config(**given)


@settings(max_examples=60, deadline=None)
@given(configs())
def test_text_of_a_run_and_back(tmp_path_factory, config: TrainConfig):
    path = tmp_path_factory.getbasetemp() / "round trip.toml"
    write_settings(config.parts, path)
    assert make_config(**read_settings(path, PARTS)) == config
    write_run_settings(config.parts, path.parent)
    assert json.loads((path.parent / "config.json").read_text())["learn"]["seed"] == config.learn.seed
    for name in ("config.toml", "config.json"):
        assert make_config(**read_settings(path.parent / name, PARTS)) == config


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"learn": {"seed": "x"}}', '{"seeds": 1}', "[" * 100_000, "\xff"]
)
def test_json_that_holds_no_settings(tmp_path: Path, text: str):
    path = tmp_path / "c.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"c\.json"):
        read_settings(path, PARTS)


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_texts_are_what_another_reader_of_toml_reads(text: str):
    @dataclasses.dataclass(frozen=True)
    class One:
        name: str = ""

    assert tomllib.loads(settings_text({"": One(text)})) == {"name": text}


def test_paths_and_numbers_of_a_window_agents_run_come_back(tmp_path: Path):
    config = WindowTrainingConfig(
        pack=Path("a 'b' \"c\""), minutes=2.5, widths=(8, 16), unguided=True, learning_rate=1e-7
    )
    write_settings({"": config}, tmp_path / "c.toml")
    assert WindowTrainingConfig(**read_settings(tmp_path / "c.toml", {"": WindowTrainingConfig})) == config


def test_settings_stand_in_their_table_or_before_all(tmp_path: Path):
    path = tmp_path / "run.toml"
    path.write_text(
        'dataset = "folder"\nuse_gbp = true\n[learn]\nactor_lr = [1, 2e-3, 0.0]\nbatch_size = 9\n'
    )
    found = read_settings(path, PARTS)
    wanted = {"dataset": "folder", "use_gbp": True, "actor_lr": (1, 0.002, 0.0), "batch_size": 9}
    assert found == wanted


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("batch_sise = 3", "batch_sise is not a setting, wanted perhaps batch_size"),
        ("[env]\nbatch_sise = 3", "env.batch_sise is not a setting, wanted perhaps batch_size"),
        ("[lern]\nbatch_size = 3", "lern is not a setting, wanted perhaps learn"),
        ("qqqqqq = 3", "qqqqqq is not a setting, wanted one that the command's --help lists"),
        ("[env]\nbatch_size = 3", "env.batch_size is not a setting, it belongs in [learn]"),
        ("batch_size = 3\n[learn]\nbatch_size = 4", "batch_size is given twice, wanted it once"),
        ('batch_size = "3"', "batch_size is '3', wanted a number"),
        ("batch_size = true", "batch_size is True, wanted a number"),
        ("batch_size = [3]", "batch_size is [3], wanted a number"),
        ("batch_size = 1979-05-27", "batch_size is 1979-05-27, wanted a number"),
        ("use_gbp = 1", "use_gbp is 1, wanted true or false"),
        ("actor_lr = 0.1", "actor_lr is 0.1, wanted a list of numbers"),
        ('actor_lr = [1, "2"]', "actor_lr is [1, '2'], wanted a list of numbers"),
        ("exp_suffix = 5", "exp_suffix is 5, wanted a text in quotes"),
        ("exp_suffix = {a = 1}", "exp_suffix is {'a': 1}, wanted a text in quotes"),
        ("learn = 3", "learn is not a setting, wanted a table [learn]"),
        ("[learn", "not TOML ("),
        ("[[learn]]\nbatch_size = 3", "learn is not a setting"),
        ("seed = " + "9" * 100_000, "the file is larger than 100000 bytes, wanted settings"),
    ],
)
def test_what_is_not_usable(text: str, complaint: str, tmp_path: Path):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(f"{path}: {complaint}")) as refused:
        read_settings(path, PARTS)
    assert "\n" not in str(refused.value)


def test_a_name_that_is_no_text(tmp_path: Path):
    config = make_config(output="\udcff")
    with pytest.raises(InputError, match=r"output is '.udcff', wanted a name that is text"):
        write_settings(config.parts, tmp_path / "c.toml")
    assert not list(tmp_path.iterdir())
