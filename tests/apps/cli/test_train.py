"""``train`` and ``train-renderer`` on small data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import semantic_guidance
from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.learning.data.cub200 import BOXES, FOCUS, MASKS
from semantic_guidance.learning.neural_renderer import exact_alpha
from semantic_guidance.renderer.backends.neural import NeuralRenderer, load_ltp_renderer
from tests.conftest import ROOT

SMALL = [
    "--canvas_size",
    "16",
    "--width",
    "4",
    "--nenv",
    "2",
    "--batch_size",
    "2",
    "--max_eps_len",
    "2",
    "--bundle_size",
    "5",
    "--warmup",
    "2",
    "--rmsize",
    "9",
    "--train_timesteps",
    "6",
    "--train_steps_per_eps",
    "1",
    "--val_interval",
    "2",
    "--val_num_eps",
    "1",
    "--device",
    "cpu",
]
EXAMPLES = str(ROOT / "examples")


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """A CUB-200-2011 of six pictures, preprocessed by the reference code."""
    root = tmp_path / "cub200" / "CUB_200_2011"
    names = [f"001.Bird/bird_{n}.jpg" for n in range(6)]
    for folder in ("images", MASKS, FOCUS):
        (root / folder / "001.Bird").mkdir(parents=True)
    for n, name in enumerate(names):
        pixels = np.random.default_rng(n).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        mask = np.zeros((20, 30), np.uint8)
        mask[5:15, 10:25] = 255
        Image.fromarray(pixels).save(root / "images" / name)
        Image.fromarray(mask).save(root / MASKS / name)
        Image.fromarray(mask // 2).save(root / FOCUS / name)
    (root / "images.txt").write_text("".join(f"{n + 1} {name}\n" for n, name in enumerate(names)))
    (root / BOXES).write_text(" x y w h\n" + "".join(f"{n} 10 5 15 10\n" for n in range(6)))
    return tmp_path


def test_seeds_command_and_resuming(birds, tmp_path, capsys):
    command = ["train", "--dataset", "cub200", "--data", str(birds), "--output", str(tmp_path / "model")]
    command += [*SMALL, "--use_bilevel", "--use_gbp", "--exp_suffix", "mine"]
    assert cli.main(command) == 0
    folder = tmp_path / "model" / "cub200" / "mine"
    assert capsys.readouterr().out == f"{folder}\n"
    assert (folder / "actor.safetensors").is_file()
    assert cli.main(command) == 2
    assert "holds a run already, wanted --resume" in capsys.readouterr().err
    assert cli.main([*command, "--resume", "--train-timesteps", "8"]) == 0
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"00000003", "00000004"}


def test_folder_of_photographs(birds, tmp_path):
    folder = semantic_guidance.train(
        dataset="folder",
        data=str(birds / "cub200" / "CUB_200_2011" / "images"),
        output=str(tmp_path / "model"),
        **{"canvas_size": 16, "width": 4, "nenv": 2, "batch_size": 2, "max_eps_len": 2, "warmup": 0},
        **{"rmsize": 9, "train_timesteps": 2, "train_steps_per_eps": 1, "device": "cpu"},
    )
    assert (folder / "actor.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--dataset", "mnist"], "--dataset"),
        (["--batch_size", "many"], "--batch-size"),
        (["--batch_size", "0"], "--batch-size: got '0', wanted a whole number of at least 2"),
        (["--canvas_size", "1"], "--canvas-size: got '1', wanted a whole number of at least 8"),
        (["--noise_factor", "-1"], "--noise-factor: got '-1', wanted a number of at least 0"),
        (["--exp_suffix", "../x"], "--exp-suffix is '../x', wanted the name of a folder"),
        (["--batch_size", "9", "--accumulate", "2"], "--accumulate is 2, wanted a divisor of"),
        (["--renderer", "neural"], "--renderer-weights is None, wanted the file of a network"),
        (["--bank", ""], "--bank is '', wanted a name"),
        (["--load_path", ""], "--load-path is '', wanted a name"),
        (["--dataset", "folder", "--data", EXAMPLES, "--rmsize", "99999999"], "--rmsize"),
        (["--actor_lr", "1,x,3"], "--actor-lr"),
        (["--data", "/nowhere"], "/nowhere"),
        (["--device", "abacus"], "--device"),
        (["--device", "mps"], "--device: got 'mps', wanted cpu, cuda"),
        (["--device", "meta"], "--device: got 'meta', wanted cpu, cuda"),
        (["--threads", "100000"], "--threads: got '100000', wanted a whole number from 1 to 1024"),
    ],
)
def test_bad_command_lines(words, wanted, capsys):
    assert cli.main(["train", *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("semantic-guidance: error: ")
    assert captured.err.count("\n") == 1
    assert wanted in captured.err


def test_the_reference_codes_own_flags_are_taken_with_a_word(capsys):
    words = ["-n", "1", "-g", "4", "-nr", "0", "--bundled_seggt", "--data", "/nowhere"]
    assert cli.main(["train", *words]) == 2
    *lines, error = capsys.readouterr().err.splitlines()
    assert "/nowhere" in error
    assert [line.split()[1] for line in lines] == ["--nodes", "--gpus", "--nr", "--bundled-seggt"]
    assert all("in the reference code and does nothing here" in line for line in lines)
    assert "torchrun --nproc-per-node" in lines[1]
    assert cli.main(["train", "-g", "many"]) == 2
    assert "-g/--gpus" in capsys.readouterr().err


def test_a_run_by_the_reference_codes_letter(birds, tmp_path):
    """Its compositing, its kind of renderer and its critic's targets; and on from there."""
    torch.save(NeuralRenderer(128).state_dict(), tmp_path / "renderer.pkl")
    command = [
        "train",
        "--dataset",
        "cub200",
        "--data",
        str(birds),
        "--output",
        str(tmp_path / "model"),
        *SMALL,
    ]
    command += ["--use_bilevel", "--use_gbp", "--compositing", "seed", "--critic_target", "seed"]
    command += ["--renderer", "neural", "--renderer_weights", str(tmp_path / "renderer.pkl")]
    assert cli.main([*command, "--exp_suffix", "letter"]) == 0
    folder = tmp_path / "model" / "cub200" / "letter"
    assert load_actor(folder / "actor.safetensors").env.compositing == "seed"
    assert (
        cli.main([*command, "--exp_suffix", "on", "--load_path", str(folder), "--train_timesteps", "2"]) == 0
    )


@pytest.mark.parametrize("interval", [1, 200])
def test_a_run_that_diverged_is_to_be_resumed_where_it_can_be(tmp_path, capsys, interval):
    words = ["--dataset", "folder", "--data", EXAMPLES, *SMALL, "--output", str(tmp_path)]
    words += ["--actor_lr", "1e30,1,1", "--save_interval", str(interval)]
    assert cli.main(["train", *words]) == 2
    captured = capsys.readouterr()
    if interval == 1:
        assert "checkpoint is" in captured.err
        assert captured.err.endswith("; wanted lower learning rates, which --resume takes\n")
    else:
        assert captured.err.endswith("; there is no checkpoint yet; wanted lower learning rates\n")


def test_train_renderer(tmp_path, capsys):
    words = ["--steps", "8", "--batch_size", "4", "--learning_rates", "3e-3,3e-3,3e-4", "--device", "cpu"]
    assert cli.main(["train-renderer", "--output", str(tmp_path), *words]) == 0
    network = load_ltp_renderer(tmp_path / "renderer.pkl")
    vectors = torch.rand(16, 10, generator=torch.Generator().manual_seed(5))
    exact = exact_alpha(vectors, 128)
    assert network(vectors).sub(exact).square().mean() < 0.5 * exact.sub(0.5).square().mean()
    assert cli.main(["train-renderer", "--steps", "0"]) == 2
    assert "--steps: got '0', wanted a whole number of at least 1" in capsys.readouterr().err
    assert cli.main(["train-renderer", "--threads", "100000"]) == 2
    assert "--threads: got '100000', wanted a whole number from 1 to 1024" in capsys.readouterr().err


def test_one_broken_picture_does_not_end_a_run(tmp_path, capsys):
    import shutil

    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("chelsea", "coffee", "rocket", "astronaut"):
        shutil.copy(ROOT / "examples" / f"{name}.jpg", folder)
    (folder / "broken.jpg").write_bytes(b"not a picture")
    tiny = ["--canvas_size", "32", "--width", "8", "--nenv", "4", "--batch_size", "2", "--max_eps_len", "2"]
    argv = ["train", "--dataset", "folder", "--data", str(folder), *tiny, "--warmup", "0"]
    run = ["--train_timesteps", "8", "--train_steps_per_eps", "1", "--val_interval", "0"]
    assert cli.main([*argv, *run, "--output", str(tmp_path / "out")]) == 0
    assert "broken.jpg" in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_never_saved(tmp_path, capsys):

    examples = ROOT / "examples"
    tiny = ["--canvas_size", "32", "--width", "8", "--nenv", "2", "--batch_size", "2", "--max_eps_len", "2"]
    argv = ["train", "--dataset", "folder", "--data", str(examples), *tiny, "--warmup", "0"]
    run = [
        "--train_timesteps",
        "20",
        "--train_steps_per_eps",
        "1",
        "--val_interval",
        "0",
        "--save_interval",
        "1",
    ]
    wild = ["--actor_lr", "1e30,1e30,1e30", "--output", str(tmp_path / "out")]
    assert cli.main([*argv, *run, *wild]) == 2
    assert "lower learning rates" in capsys.readouterr().err
    for path in (tmp_path / "out").rglob("actor.safetensors"):  # of an episode before
        load_actor(path)  # refuses weights that are no numbers


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--method", "apg", "--tau", ".1"], "--tau: means nothing to --method apg"),
        (["--head", "dense"], "--head: means nothing to --method ddpg"),
    ],
)
def test_flags_of_the_other_method(words, wanted, capsys):
    assert cli.main(["train", *words]) == 2
    assert wanted in capsys.readouterr().err
