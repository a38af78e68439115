"""``train-agent`` and ``train-segmenter``: what they print, and what they complain of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from semantic_guidance.agents.files import load_agent
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.guidance.segmenter import Segmenter
from tests.learning.packs import write_pack

AGENT = ["--scenes", "2", "--scene-side", "32", "--widths", "8,8,16,16", "--batch", "2", "--steps", "2"]
SEGMENTER = ["--samples", "2", "--batch", "2", "--size", "64", "--held-out", "0", "--workers", "0"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> str:
    return str(write_pack(tmp_path_factory.mktemp("pack")))


def test_an_agent_from_the_command_line(pack, tmp_path, capsys):
    out = tmp_path / "mine"
    command = ["train-agent", "--pack", pack, "--out", str(out), *AGENT]
    assert cli.main(command) == 0
    path = out / "agent.safetensors"
    assert capsys.readouterr().out == f"{path}\n"
    path.unlink()
    assert cli.main(["train-agent", "--out", str(out), "--finish", "--unguided"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert load_agent(path).guided is False
    (out / "last.pt").write_bytes(b"PK nonsense")
    for words in (command, [*command, "--finish"]):
        complain(capsys, words, f"{out / 'last.pt'} is corrupt or not a checkpoint, wanted a checkpoint")


def test_a_segmenter_from_the_command_line(pack, tmp_path, capsys):
    out = tmp_path / "mine"
    command = ["train-segmenter", "--pack", pack, "--out", str(out), *SEGMENTER]
    assert cli.main(command) == 0
    path = out / "segmenter.safetensors"
    assert capsys.readouterr().out == f"{path}\n"
    path.unlink()
    assert cli.main(["train-segmenter", "--out", str(out), "--finish", "--blend", str(out / "last.pt")]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    Segmenter.load(path)
    complain(
        capsys, [*command, "--finish", "--blend", str(tmp_path / "x.pt")], "--blend: ", "x.pt cannot be read"
    )
    agent = tmp_path / "agent.safetensors"
    agent.write_bytes(b"")
    complain(capsys, [*command, "--blend", str(agent)], "--blend: ", "wanted segmenter weights")
    (out / "last.pt").write_bytes(b"PK nonsense")
    complain(capsys, command, f"{out / 'last.pt'} is corrupt or not a checkpoint")


def complain(capsys, words: list[str], *wanted: str) -> None:
    """See that a command line ends with one line of complaint."""
    capsys.readouterr()
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("semantic-guidance: error: ")
    for part in wanted:
        assert part in captured.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "--pack: not given, and there is no out/bank.npz, wanted the folder of a cut-out pack"),
        (["--pack", "nowhere"], "--pack: nowhere/manifest.csv cannot be read (No such file or directory)"),
        (["--steps", "0"], "--steps: got '0', wanted a whole number from 1 to 1000000000"),
        (["--lr", "nan"], "--learning-rate/--lr: got 'nan', wanted a number above 0"),
        (["--guided", "1.5"], "--guided: got '1.5', wanted a number from 0 to 1"),
        (["--minutes", "-1"], "--minutes: got '-1', wanted a number above 0"),
        (["--widths", "8,x"], "--widths: got 'x', wanted a whole number from 1 to 10000"),
        (["--batch", "1"], "got '1', wanted a whole number from 2 to"),
        (["--device", "abacus"], "--device: got 'abacus', wanted cpu, cuda"),
        (["--init", "none.pt"], "--init: none.pt cannot be read, wanted a checkpoint"),
        (
            ["--init", "no.safetensors"],
            "--init: no.safetensors cannot be read, wanted an ag",
        ),
        (["--bank", "{bank}", "--scenes", "3"], "holds 2 pictures of 32 x 32 pixels, wanted --scenes 3 of"),
        (["--bank", "{broken}"], "is corrupt or something else, wanted a file of pictures that train-agent"),
        (["--bank", "{flat}"], "holds uint8 of the shape (2, 32, 32), wanted a file of pictures"),
        (["--bank", "{folder}"], "--bank: "),
        (
            ["--scenes", "10000000", "--scene-side", "4096", "--pack", "{pack}"],
            "--scenes, --scene-side, --batch-size, --widths: training takes about",
        ),
        (["--finish"], "out/last.pt cannot be read, wanted a checkpoint of a training run"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_mistakes_with_agents(pack, tmp_path, monkeypatch, capsys, words, wanted):
    monkeypatch.chdir(tmp_path)
    Path("broken").write_bytes(b"PK nonsense")
    images = np.zeros((2, 32, 32, 3), np.uint8)
    parts = {"images": images, "masks": images[..., :2], "focus": images[..., 0]}
    np.savez("bank.npz", **parts)
    np.savez("flat.npz", **{**parts, "masks": parts["focus"]})
    places = {"pack": pack, "bank": "bank.npz", "broken": "broken", "flat": "flat.npz", "folder": "."}
    complain(capsys, ["train-agent", *AGENT, "--out", "out", *(w.format(**places) for w in words)], wanted)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "--pack: not given, wanted the folder of a cut-out pack"),
        (["--pack", "nowhere"], "--pack: nowhere/manifest.csv cannot be read"),
        (["--pack", "{pack}", "--real", "nowhere"], "--real: nowhere/photographs.csv cannot be read"),
        (["--pack", "{pack}", "--init", "none.pt"], "--init: none.pt cannot be read"),
        (["--size", "70"], "--size: got 70, wanted a multiple of 32"),
        (["--samples", "1"], "--samples: got '1', wanted a whole number from 2 to"),
        (["--samples", "3", "--batch", "4"], "--samples: got 3, wanted at least the 4 of --batch-size"),
        (["--split", "held_out"], "--split: "),
        (["--encoder-lr", "inf"], "--encoder-lr: got 'inf', wanted a number of at least 0"),
        (["--share", "2"], "--share: got '2', wanted a number from 0 to 1"),
        (["--blend", "none.pt"], "--blend: none.pt cannot be read"),
        (["--finish"], "out/last.pt cannot be read"),
    ],
)
def test_mistakes_with_segmenters(pack, tmp_path, monkeypatch, capsys, words, wanted):
    monkeypatch.chdir(tmp_path)
    command = ["train-segmenter", *SEGMENTER, "--out", "out", *(word.format(pack=pack) for word in words)]
    complain(capsys, command, wanted)


@pytest.mark.parametrize("command", ["train-agent", "train-segmenter"])
def test_help_needs_nothing_big(command):
    code = (
        f"import sys; from semantic_guidance.apps.cli.main import main; main(['{command}', '--help'])\n"
        "sys.exit(' '.join({'torch', 'numba', 'llvmlite', 'cv2', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert "examples:" in done.stdout


def test_a_lack_of_memory_is_one_line(pack, tmp_path, capsys, monkeypatch):
    def fail(*args):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 TB")

    monkeypatch.setattr(torch, "autocast", fail)
    command = ["train-agent", "--pack", pack, "--out", str(tmp_path), *AGENT, "--bf16"]
    assert cli.main(command) == 2
    assert "--batch-size, --widths, --horizon: wanted smaller ones" in capsys.readouterr().err
