"""``--config``: settings from a file, flags before it, and a file of every run that repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.plugins import COMMANDS
from semantic_guidance.core.settings import read_settings
from semantic_guidance.learning.config import PARTS, make_config
from semantic_guidance.learning.window.config import WindowTrainingConfig
from tests.conftest import EXAMPLES
from tests.learning.packs import write_pack
from tests.learning.toys import SMALL

RUN = {**SMALL, "nenv": 2, "batch_size": 2, "train_timesteps": 4, "use_gbp": False}


def as_toml(values: dict[str, object]) -> str:
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    return "\n".join(lines).replace("= True", "= true").replace("= False", "= false").replace("'", '"')


def test_a_run_from_a_file_and_again_from_what_it_wrote(tmp_path, capsys):
    out = tmp_path / "model"
    places = {"dataset": "folder", "data": str(EXAMPLES), "output": str(out)}
    (tmp_path / "run.toml").write_text(as_toml(RUN | places | {"bf16": True}))
    words = [
        "train",
        "--config",
        str(tmp_path / "run.toml"),
        "--exp_suffix",
        "one",
        "--seed",
        "5",
        "--no-bf16",
    ]
    assert cli.main([*words, "--no-use-bilevel"]) == 0
    config = make_config(**read_settings(out / "folder" / "one" / "config.toml", PARTS))
    told = {"use_bilevel": False, "bf16": False, "seed": 5, "exp_suffix": "one"}
    assert config == make_config(**{**RUN, **places, **told})

    again = ["train", "--config", str(out / "folder" / "one" / "config.toml"), "--exp-suffix", "two"]
    assert cli.main(again) == 0
    weights = [(out / "folder" / name / "actor.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("batch = 3", "batch is not a setting, wanted perhaps batch_size"),
        ('nenv = "3"', "nenv is '3', wanted a number"),
        ("nenv = 0", "nenv is 0, wanted a whole number of at least 1"),
        ('dataset = "mnist"', "dataset is 'mnist', wanted"),
    ],
)
def test_files_that_are_not_usable(text: str, complaint: str, tmp_path: Path, capsys):
    path = tmp_path / "run.toml"
    path.write_text(text)
    assert cli.main(["train", "--config", str(path)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith(f"semantic-guidance: error: {path}: {complaint}")


def test_switches_are_turned_off_too():
    parser = cli.Parser(prog="train")
    COMMANDS.get("train").add_arguments(parser)
    words = ["--no-use-gbp", "--no-alignment", "--bf16"]
    given = {"use_gbp": False, "no_alignment": True, "bf16": True}
    assert vars(parser.parse_args(words)) == {"config": None, **given}
    assert vars(parser.parse_args(["--alignment"])) == {"config": None, "no_alignment": False}


def test_no_such_file(tmp_path: Path, capsys):
    assert cli.main(["train", "--config", str(tmp_path / "x.toml")]) == 2
    assert "x.toml: no such file, wanted settings" in capsys.readouterr().err


def test_a_window_agents_run(tmp_path: Path, capsys):
    pack = write_pack(tmp_path / "pack")
    path = tmp_path / "run.toml"
    path.write_text("scenes = 2\nscene_side = 32\nwidths = [8, 8, 16, 16]\nbatch_size = 2\nunguided = true\n")
    words = ["--pack", str(pack), "--out", str(tmp_path / "a"), "--steps", "1", "--no-unguided"]
    assert cli.main(["train-agent", "--config", str(path), *words]) == 0
    found = read_settings(tmp_path / "a" / "config.toml", {"": WindowTrainingConfig})
    config = WindowTrainingConfig(**found)
    assert (config.scenes, config.widths, config.steps, config.unguided) == (2, (8, 8, 16, 16), 1, False)
    capsys.readouterr()
    path.write_text("steps = 0\n")
    assert cli.main(["train-agent", "--config", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"semantic-guidance: error: {path}: steps is 0, wanted")
