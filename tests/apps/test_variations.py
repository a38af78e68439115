"""Several paintings to choose from, each of which can be had again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from semantic_guidance import Guidance, InputError, Job, run, run_variations
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.plugins import GUIDES

QUICK = {"strokes": 15, "size": 60, "preset": "draft", "formats": ("png", "json")}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_is_what_its_job_paints(photo, tmp_path):
    """Also by the command line, from what it says."""
    seen = []

    def guide(image: torch.Tensor, prompt: object = None) -> Guidance:
        seen.append(image)
        mask = torch.zeros(1, *image.shape[1:])
        mask[:, 10:30, 20:40] = 1
        return Guidance.from_mask(mask)

    GUIDES.register("counting", lambda: guide)
    try:
        job = Job(
            photo, seed=7, looseness=0.9, guide="counting", out=tmp_path / "a", show_guidance=True, **QUICK
        )
        several = run_variations(job, 3)
        assert len(seen) == 1
        alone = [
            run(replace(each.job, out=tmp_path / f"b{n}", show_guidance=False))
            for n, each in enumerate(several.results)
        ]
    finally:
        GUIDES.unregister("counting")
    assert several.results[0].job == job
    assert [each.job.seed for each in several.results] == [7, 8, 9]
    assert {each.job.looseness for each in several.results} == {0.9}
    for result, again in zip(several.results, alone, strict=True):
        for name in QUICK["formats"]:
            assert result.outputs[name].read_bytes() == again.outputs[name].read_bytes()
    painted = [f"photo_painted_{n}.{name}" for n in (1, 2, 3) for name in ("json", "png")]
    assert names(tmp_path / "a") == ["photo_guidance.png", *painted, "photo_variations.png"]
    with Image.open(several.sheet) as sheet:
        assert min(sheet.size) > 480


def test_the_command_line(photo, tmp_path, capsys):
    argv = ["paint", str(photo), "--no-guidance", "--strokes", "15", "--size", "60", "--preset", "draft"]
    argv += ["--formats", "png"]
    assert main([*argv, "--variations", "2", "--seed", "4", "--json", "--out", str(tmp_path / "a")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["sheet"] == str(tmp_path / "a" / "photo_variations.png")
    first, second = summary["variations"]
    assert first["options"] == {"seed": 4}
    assert second["options"]["seed"] == 5
    assert len(second["options"]) == 10  # eight dials, the seed and the style that they are of
    flags = [word for name, value in second["options"].items() for word in (f"--{name}", str(value))]
    assert main([*argv, *flags, "--out", str(tmp_path / "b")]) == 0
    again = tmp_path / "b" / "photo_painted.png"
    assert Path(second["outputs"]["png"]).read_bytes() == again.read_bytes()
    capsys.readouterr()
    assert main([*argv, "--variations", "2", "--out", str(tmp_path / "c")]) == 0
    said = capsys.readouterr().out
    assert "--seed 1 --style alla-prima --length" in said
    assert str(tmp_path / "c" / "photo_variations.png") in said


def test_a_likeness_varies_by_its_seed(photo, tmp_path):
    job = Job(
        photo,
        style="likeness",
        baseline=True,
        out=tmp_path,
        agent="planner",
        **{**QUICK, "formats": ("png",)},
    )
    one, other = run_variations(job, 2).results
    assert one.outputs["png"].read_bytes() != other.outputs["png"].read_bytes()
    assert other.job == replace(job, seed=1)


@pytest.mark.parametrize("count", ["1", "17", "many"])
def test_numbers_that_there_are_not(photo, tmp_path, capsys, count):
    assert main(["paint", str(photo), "--variations", count, "--out", str(tmp_path / "a")]) == 2
    said = capsys.readouterr().err
    assert f"--variations: got '{count}', wanted a whole number from 2 to 16" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "a").exists()
    with pytest.raises(InputError, match="variations is 1, wanted 2 to 16"):
        run_variations(Job(photo), 1)


def test_no_input_is_overwritten(photo, tmp_path, capsys):
    mine = tmp_path / "photo_variations.png"
    Image.open(photo).save(mine)
    mask = ["--mask", str(mine), "--out", str(tmp_path)]
    assert main(["paint", str(photo), *mask, "--variations", "2", "--formats", "jpg"]) == 2
    assert "would overwrite its own input" in capsys.readouterr().err
