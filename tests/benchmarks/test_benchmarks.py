"""The benchmarks run, and the numbers they report are those worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.benchmarks.running import complaint, here, load, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A grey target whose right quarter, the object, is lighter; and a painting of it in one colour."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    target = np.full((128, 128, 3), 102, np.uint8)
    target[:, 96:] = 153
    Image.fromarray(target).save(pictures / "field__target.png")
    Image.fromarray((target[..., 0] > 120).astype(np.uint8) * 255).save(pictures / "field__mask.png")
    Image.new("RGB", (64, 48), (102, 102, 102)).save(pictures / "field__constant.png")
    Image.fromarray(np.roll(target, 1, axis=1)).save(pictures / "field__moved.png")
    (pictures / "notes.csv").write_text("not a picture\n")
    return pictures


def test_paint(folder: Path, tmp_path: Path):
    out, sheets = tmp_path / "deep" / "paint.json", tmp_path / "sheets"
    done = here("paint.py", folder, "--strokes", 20, "--preset", "draft", "--out", out, "--pictures", sheets)
    assert done.returncode == 0, done.stderr
    assert "| field | constant | 0.01000 | 0.04000 | 0.00000 |" in done.stdout
    document = json.loads(out.read_text())
    (row,) = document["results"]

    constant = row["published"]["constant"]  # off by 51 / 255 = 0.2 in a quarter of the pixels
    assert constant["all"] == pytest.approx(0.04 / 4)
    assert constant["foreground"] == pytest.approx(0.04)
    assert constant["background"] == 0
    assert constant["ssim"] < 1
    moved = row["published"]["moved"]  # one column of 128 off at either edge of the object
    assert moved["all"] == pytest.approx(2 * 0.04 / 128)
    assert moved["foreground"] == pytest.approx(0.04 / 32)
    assert moved["registered"] == pytest.approx(0, abs=1e-9)

    assert row["strokes"] == 20
    assert row["foreground_share"] == 0.25
    assert [mark["strokes"] for mark in row["film"]] == [2, 5, 10, 15, 20]
    assert row["film"][-1]["all"] == row["ours"]["all"] < 0.01
    assert row["seconds"]["total"]["repeats"] == 1
    assert (sheets / "field.png").is_file()
    assert str(tmp_path) not in out.read_text()
    assert [path.name for path in out.parent.iterdir()] == ["paint.json"]


@pytest.mark.parametrize("case", ["absent", "file", "empty", "orphan"])
def test_paint_complains_of_folder(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    if case == "file":
        folder.write_text("")
    elif case != "absent":
        folder.mkdir()
    if case == "orphan":
        Image.new("RGB", (8, 8)).save(folder / "field__constant.png")
    said = complaint(capsys, "paint.py", folder, "--out", tmp_path / "paint.json")
    assert said.startswith(f"paint.py: error: {folder}")
    assert said.count("\n") == 1
    assert not (tmp_path / "paint.json").exists()


@pytest.mark.usefixtures("long")
def test_render(tmp_path: Path):
    out = tmp_path / "render.json"
    done = run("render.py", "--tiny", "--out", out)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert {"cpu", "cores", "torch", "llvmlite", "python"} <= document["machine"].keys()
    assert [(row["side"], row["strokes"]) for row in document["scaling"]] == [(64, 5), (64, 10)]
    for row in document["scaling"]:
        assert 0 < row["covered_pixels"] <= row["walked_pixels"] < row["strokes"] * row["side"] ** 2
        per_pixel = 1e9 * row["both"]["median_s"] / row["covered_pixels"]
        assert row["ns_per_covered_pixel"] == pytest.approx(per_pixel, rel=0.01)
        assert row["peak_mib"] >= row["peak_mib_before"] > 0
    medians = {
        row["renderer"]: row["both"]["median_s"]
        for row in document["small"]
        if row["case"] == "8 random strokes" and row["threads"] == 1
    }
    ratio = next(r for r in document["ratios"] if r["case"] == "8 random strokes" and r["threads"] == 1)
    assert ratio["times_faster"] == pytest.approx(medians["neural renderer"] / medians["ours"], rel=0.01)
    assert [goal["measured"] for goal in document["goals"]][1] > 0


@pytest.mark.usefixtures("long")
def test_render_on_a_card(tmp_path: Path):
    pytest.importorskip("triton", reason="the package triton is not installed")
    out = tmp_path / "card.json"
    done = run("render.py", "--device", "interpreter", "--out", out)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert [row["case"] for row in document["large"]] == [
        "3 short strokes at 20 x 12",
        "3 wide strokes at 20 x 12",
    ]
    assert all(row["same_bits"] for row in document["large"])
    assert [row["warps"] for row in document["warps"] if row["built_in"]] == [4]
    assert document["differences"]["canvas"] < 1e-5
    assert document["differences"]["gradient"] < 1e-3
    made = document["paintings"]
    assert made["pictures"] == 2
    assert made["an_hour"] > 0
    assert not made["met"]


def test_render_says_that_there_is_no_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert complaint(capsys, "render.py", "--device", "cuda", "--out", tmp_path / "card.json") == (
        "render.py: error: device is 'cuda', but torch finds no CUDA device here, wanted a machine with one\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("long")
def test_guidance(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run("guidance.py", folder, "--preset", "draft", "--strokes", 12, "--out", tmp_path / "a.json")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "a.json").read_text())
    rows = results["pictures"]
    assert list(rows) == ["astronaut", "chelsea", "coffee", "rocket", "field"]
    ratios = [row["object"] / row["object_without"] for row in rows.values()]
    assert results["ratios"]["object"] == pytest.approx(np.prod(ratios) ** (1 / 5), rel=1e-3)
    assert "field" in done.stdout
    assert complaint(capsys, "guidance.py", tmp_path / "none").startswith("guidance.py: error: ")


@pytest.mark.usefixtures("long")
def test_render_against_the_same_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--against", ROOT, "--tiny", "--rounds", 1, "--out", tmp_path / "against.json")
    done = run("render.py", *words)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "against.json").read_text())
    assert results["error"]["old"] == results["error"]["new"] > 0
    cases = {row["case"]: row for row in results["cases"]}
    assert {
        "refinement",
        "removal costs of a painting",
        "one short stroke at 128 x 128, forward",
    } <= cases.keys()
    for row in cases.values():
        assert row["ratio"] == pytest.approx(row["new"]["median_s"] / row["old"]["median_s"], rel=0.02)
    assert "| refinement |" in done.stdout
    said = complaint(capsys, "render.py", "--against", "nonsense")
    assert said.splitlines()[-1] == "render.py: error: nonsense cannot be checked out, wanted a commit"


@pytest.mark.usefixtures("long")
def test_start_of_the_same_code(tmp_path: Path) -> None:
    words = ("--old", ROOT, "--cases", "render", "thirty", "stages", "--repeats", 1, "--strokes", 5)
    done = run("start.py", *words, "--paintings", 2, "--out", tmp_path / "start.json")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "start.json").read_text())
    assert {"cpu", "cores", "torch", "python"} <= document["machine"].keys()
    results = document["results"]
    assert list(results) == ["render", "thirty", "stages"]
    assert {"import torch", "guidance", "plan", "polish", "png", "mp4"} <= results["stages"].keys()
    old, new = results["render"]["old"], results["render"]["new"]
    for kind in ("wall", "cpu"):
        ratio = new[kind]["median_s"] / old[kind]["median_s"]
        assert results["render"]["ratios"][kind] == pytest.approx(ratio, rel=0.01)
    assert new["peak_mib"] == pytest.approx(old["peak_mib"], rel=0.1)
    assert len(results["thirty"]["mib"]) == 2
    assert "| render |" in done.stdout
    assert str(tmp_path) not in (tmp_path / "start.json").read_text()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--commit", "nonsense"), "nonsense cannot be checked out"),
        (("--old", "nowhere"), "--old: nowhere"),
        (("--cases", "nonsense"), "argument --cases"),
        (
            ("--old", ROOT, "--cases", "png", "--strokes", 10**9),
            "old code: semantic-guidance: error: --strokes",
        ),
    ],
)
def test_start_complains(
    words: tuple[object, ...], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, "start.py", *words, "--out", tmp_path / "start.json")
    assert said.splitlines()[-1].startswith(f"start.py: error: {reason}")
    assert not (tmp_path / "start.json").exists()


def test_start_reports_medians_and_their_ratios() -> None:
    start = load("start")
    runs = {
        "old": [start.Run(4, 2, 100), start.Run(2, 1, 300), start.Run(9, 9, 200)],
        "new": [start.Run(1, 1, 50)],
    }
    assert start.summary(runs)["ratios"] == {"wall": 0.25, "cpu": 0.5, "peak_mib": 0.25}


@pytest.mark.usefixtures("long")
def test_kodak(tmp_path: Path) -> None:
    photos, out, paintings = tmp_path / "photos", tmp_path / "kodak.json", tmp_path / "paintings"
    photos.mkdir()
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    target = np.full((24, 40, 3), 90, np.uint8)
    target[..., 0], target[..., 1] = ramp, ramp[:24, None]
    Image.fromarray(target).save(photos / "ramp.png")
    words = ("--strokes", 8, "--presets", "draft", "--out", out, "--pictures", paintings)
    done = run("kodak.py", photos, *words)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    (row,) = document["results"]
    painted = np.asarray(Image.open(paintings / "ramp_draft_8_new.png"))
    assert painted.shape == target.shape
    value = 20 * np.log10(255 / np.sqrt(np.square(painted - target.astype(float)).mean()))
    assert row["psnr"] == row["film"][-1] == pytest.approx(value, abs=0.001)
    assert row["film"][0] < row["film"][-1]
    assert (row["painted"], row["numbers"]) == (8, 13)
    assert 0 < row["painting_cpu_s"] < row["command_cpu_s"]
    assert f"| draft | 8 | 13 | {value:.2f} | {row['ssim']:.4f} |" in done.stdout
    assert str(tmp_path) not in out.read_text()


def test_kodak_takes_means() -> None:
    kodak = load("kodak")
    grey = np.full((12, 16, 3), 100, np.uint8)
    # 51 of 255 levels are a fifth of the range: 20 log10 5 = 13.9794 dB
    ratios = (kodak.psnr(grey, grey + 51), kodak.psnr(grey + 51, grey), kodak.psnr(grey, grey))
    assert ratios == pytest.approx((13.9794, 13.9794, 100), abs=5e-5)
    row = {"preset": "fine", "strokes": 9, "numbers": 13, "ssim": 0.5, "film": [7, 9]}
    other = row | {"preset": "draft", "code": "new", "psnr": 99}
    seen = [("old", 20, 4, 8), ("old", 22, 2, 12), ("new", 24, 1, 1), ("new", 19, 2, 1)]
    names = ("code", "psnr", "painting_cpu_s", "command_cpu_s")
    rows = [row | dict(zip(names, each, strict=True)) for each in seen]
    found = kodak.means([other, *rows], kodak.Setting("fine", 9), ["old", "new"])
    assert (found["psnr_gain"], found["painting_ratio"], found["command_ratio"]) == (0.5, 0.5, 0.1)
    assert found["new"]["film"] == [7.0, 9.0]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("absent", "no such folder"),
        ("file", "not a folder"),
        ("empty", "no pictures, wanted png or jpg"),
        ("twice", "ramp.jpg is there, too, wanted one of them"),
        ("commit", "nonsense cannot be checked out, wanted a commit"),
        ("preset", "argument --presets: got 'nonsense', wanted some of draft,standard,fine"),
    ],
)
def test_kodak_complains(case: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, words = tmp_path / "photos", ()
    if case == "file":
        photos.write_text("")
    elif case != "absent":
        photos.mkdir()
    for name in {"twice": ("ramp.jpg", "ramp.png"), "commit": ("ramp.png",)}.get(case, ()):
        Image.new("RGB", (16, 12)).save(photos / name)
    if case in ("commit", "preset"):
        words = ("--against" if case == "commit" else "--presets", "nonsense")
    said = complaint(capsys, "kodak.py", photos, *words, "--out", tmp_path / "kodak.json")
    assert said.startswith("kodak.py: error: ")
    assert said.endswith(f"{reason}\n")
    assert said.count("\n") == 1
    assert not (tmp_path / "kodak.json").exists()
