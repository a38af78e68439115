"""Settings: each is read, each has a flag, and each comes back from a checkpoint."""

from __future__ import annotations

import ast
import dataclasses
import math

import pytest

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.apps.cli.ltp_flags import LTP_FLAGS
from semantic_guidance.apps.cli.train import add_arguments
from semantic_guidance.learning.algorithms.apg import APGConfig
from semantic_guidance.learning.config import PARTS, TrainConfig, make_config, settings
from semantic_guidance.learning.neural_renderer import RendererConfig
from tests.conftest import ROOT

PACKAGE = ROOT / "semantic_guidance"
NOTHING = object()
"""In place of a default: the flag changes nothing here."""

SEED_FLAGS: dict[str, tuple[object, object]] = {
    "dataset": ("cub200", "cub200"),
    "warmup": (400, 400),
    "discount": (0.95**5, 0.95**5),
    "batch_size": (96, 96),
    "bundle_size": (5, 5),
    "rmsize": (800, 800),
    "nenv": (96, 96),
    "tau": (0.001, 0.001),
    "max_eps_len": (40, 50),  # its README's commands and its test.py have 50
    "noise_factor": (0, 0),
    "val_interval": (50, 50),
    "val_num_eps": (5, 5),
    "train_timesteps": (2_000_000, 2_000_000),
    "train_steps_per_eps": (10, 10),
    "load_path": (None, None),
    "exp_suffix": ("base", "base"),
    "output": ("./model", "model"),
    "use_gbp": (False, False),
    "use_bilevel": (False, False),
    "bundled_seggt": (False, NOTHING),  # which nothing reads there
    "gbp_coef": (1.0, 1.0),  # there, this one and the next only name the run
    "seggt_coef": (1.0, 1.0),
    "high_res": (False, False),
    "debug": (False, False),
    "seed": (1234, 1234),  # there without effect: seeds follow from the process's number
    "nodes": (1, NOTHING),
    "gpus": (1, NOTHING),
    "nr": (0, NOTHING),
}
"""Every flag of train.py in the reference code (github.com/1jsingh/semantic-guidance): its default, ours."""


def reads() -> set[str]:
    """Names of attributes that the package reads, but for checks of a value's range."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
    return found


def test_every_field_is_read():
    names = {field.name for field in settings()}
    assert names - reads() == set()


def test_names_are_unique_and_explained():
    fields = list(settings())
    assert len({field.name for field in fields}) == len(fields)
    assert all(field.metadata["help"] for field in fields)


def test_every_flag_of_the_reference_code_is_taken_and_has_its_default():
    parser = cli.Parser(prog="train")
    add_arguments(parser)
    defaults = {field.name: field.default for field in settings()}
    ours = {name for name, (_, default) in SEED_FLAGS.items() if default is not NOTHING}
    assert {name: defaults[name] for name in ours} == {name: SEED_FLAGS[name][1] for name in ours}
    others = {name for name, (theirs, default) in SEED_FLAGS.items() if name in ours and theirs != default}
    assert others - {"output"} == {"max_eps_len"}  # "./model" is "model"
    taken = {flag for action in parser._actions for flag in action.option_strings}
    assert {f"--{name.replace('_', '-')}" for name in SEED_FLAGS} | {"-n", "-g", "-nr"} <= taken
    said = {flag.names[-1] for flag in LTP_FLAGS}
    assert said == {f"--{name.replace('_', '-')}" for name in SEED_FLAGS.keys() - ours}


def test_defaults_are_the_papers():
    config = TrainConfig()
    assert (config.learn.batch_size, config.learn.rmsize, config.learn.train_steps_per_eps) == (96, 800, 10)
    assert config.learn.discount == pytest.approx(0.7737809)
    assert config.learn.learning_rates(0) == (1e-3, 3e-4)
    assert config.learn.learning_rates(10_000) == (3e-4, 1e-4)
    assert config.learn.learning_rates(20_000) == (1e-4, 3e-5)
    assert (config.env.max_eps_len, config.env.bundle_size, config.data.side) == (50, 5, 128)
    assert make_config(high_res=True).data.side == 256


def test_text_and_back():
    settings = {"use_bilevel": True, "load_path": "somewhere", "dataset": "folder"}
    config = make_config(**settings, actor_lr=(1.0, 2.0, 3.0), tau=0.5, batch_size=7)
    assert TrainConfig.from_json(config.to_json()) == config
    # A resumed run may have other rates and batches, but nothing else to learn.
    other = make_config(use_bilevel=True, dataset="folder", discount=0.5, width=8)
    assert config.differences(other) == ["discount", "width"]
    assert config.changes(other)["batch_size"] == (96, 7)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"nonsense": 1}, "nonsense is not a setting"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"dataset": "mnist"}, "dataset is 'mnist'"),
        ({"actor_lr": (1e-3,)}, "actor_lr has 1 numbers, wanted 3"),
        ({"save_interval": 0}, "save_interval is 0"),
        ({"canvas_size": 1}, "canvas_size is 1, wanted a whole number of at least 8"),
        ({"noise_factor": -0.1}, "noise_factor is -0.1, wanted a number of at least 0"),
        ({"discount": 1.5}, "discount is 1.5, wanted a number from 0 to 1"),
        ({"gan_coef": math.nan}, "gan_coef is nan"),
        ({"softness": 0.0}, "softness is 0.0, wanted a number above 0"),
        ({"batch_size": 2.5}, "batch_size is 2.5, wanted a whole number"),
        ({"actor_lr": (1e-3, -1e-3, 0.0)}, "actor_lr is .*, wanted .*at least 0"),
        ({"seed": 2**40}, "seed is"),
        ({"exp_suffix": "../x"}, "exp_suffix is '../x', wanted the name of a folder"),
        ({"exp_suffix": ""}, "exp_suffix is ''"),
        ({"max_eps_len": -1}, "max_eps_len is -1"),
    ],
)
def test_bad_values(values, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_config(**values)


@pytest.mark.parametrize("part", [*PARTS.values(), APGConfig, RendererConfig])
def test_every_number_has_a_range(part):
    for field in dataclasses.fields(part):
        example = field.default[0] if isinstance(field.default, tuple) else field.default
        if isinstance(example, int | float) and not isinstance(example, bool):
            assert {"min", "above"} & field.metadata.keys(), field.name
            low = field.metadata.get("min", field.metadata.get("above")) - 1
            bad = type(example)(low)
            with pytest.raises(ValueError, match=f"{field.name} is"):
                part(**{field.name: (bad,) if isinstance(field.default, tuple) else bad})


def test_parts_are_frozen():
    for part in PARTS.values():
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part(), dataclasses.fields(part)[0].name, 1)
