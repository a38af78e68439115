"""The benchmark of how a painting is made runs, and its means and ratios are those worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.running import complaint, here, load

ROOT = Path(__file__).parents[2]


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


@pytest.mark.usefixtures("looks_once")
def test_hand(tmp_path: Path) -> None:
    photos, out, saved = tmp_path / "photos", tmp_path / "deep" / "hand.json", tmp_path / "saved"
    photos.mkdir()
    target = np.full((40, 64, 3), 90, np.uint8)
    target[:, 32:] = 200
    Image.fromarray(target).save(photos / "halves.png")
    Image.fromarray(target[..., 0]).save(photos / "halves_mask.png")
    words = ("--styles", "likeness", "--strokes", 9, "--size", 64, "--palette", 2)
    done = here("hand.py", photos, *words, "--out", out, "--save", saved)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    (row,), (summary,) = document["results"], document["summary"]
    assert (row["picture"], row["style"], row["strokes"], row["painted"]) == ("halves", "likeness", 9, 9)
    painted = pixels(saved / "halves_likeness_9.png")
    assert painted.shape == target.shape
    error = np.square((painted - target.astype(float)) / 255).mean()
    assert row["mse"] == row["flat_mse"] == pytest.approx(error, abs=2e-5)
    assert row["mse_ratio"] == row["painting_ratio"] == row["cpu_ratio"] == 1
    assert all(0 <= row[share] <= 1 for share in ("glazes", "beyond_region", "hidden"))
    assert row["painting_s"] == pytest.approx(row["plan_s"] + row["polish_s"], rel=1e-3)
    assert row["palette_mse"] > 0
    assert summary["mse"]["mean"] == summary["mse"]["median"] == pytest.approx(row["mse"], rel=1e-3)
    assert pixels(saved / "halves_sheet.png").shape == (300 + 18, 2 * 480 + 4, 3)
    assert f"| likeness | 9 | {row['mse']:.5f}, {row['mse']:.5f} | 1.00, 1.00 |" in done.stdout
    assert str(tmp_path) not in out.read_text()


def test_hand_complains_of_a_style_before_it_paints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = ROOT / "examples" / "chelsea.jpg", tmp_path / "hand.json"
    words = ("--styles", "likeness,nonsense", "--out", out, "--save", tmp_path / "saved")
    said = complaint(capsys, "hand.py", photo, *words)
    assert said.startswith("hand.py: error: ")
    assert "nonsense" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("absent", "no such file or folder"),
        ("empty", "no pictures, wanted png or jpg"),
        ("twice", "wanted one of that name"),
        ("styles", "--styles has two of one name, got mine/ink.toml,ink"),
    ],
)
def test_hand_complains(case: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, words = tmp_path / "photos", ()
    if case != "absent":
        photos.mkdir()
    for name in {"twice": ("a.jpg", "a.png"), "styles": ("a.png",), "empty": ("a_mask.png",)}.get(case, ()):
        Image.new("RGB", (16, 12)).save(photos / name)
    if case == "styles":
        words = ("--styles", "mine/ink.toml,ink")
    said = complaint(capsys, "hand.py", photos, *words, "--out", tmp_path / "hand.json")
    assert said.startswith("hand.py: error: ")
    assert said.endswith(f"{reason}\n")
    assert said.count("\n") == 1
    assert not (tmp_path / "hand.json").exists()


def test_ratios_are_those_of_the_same_picture() -> None:
    def row(picture: str, style: str, strokes: int, mse: float, focus: float | None) -> dict[str, Any]:
        about = {"picture": picture, "style": style, "strokes": strokes, "mse": mse}
        return about | {"painting_s": 2.0, "palette_mse_focus": focus}

    rows = [
        row("a", "likeness", 9, 0.5, None),
        row("b", "ink", 9, 0.75, 0.4),
        row("a", "ink", 9, 0.7, 0.2),
        row("b", "likeness", 9, 0.25, 0.1),
        row("b", "ink", 5, 0.3, 0.1),
    ]
    load("hand").add_ratios(rows)
    found = [(row.get("mse_ratio"), row.get("palette_mse_focus_ratio")) for row in rows]
    assert found == [(1.0, None), (3.0, 4.0), (1.4, None), (1.0, 1.0), (None, None)]


def test_summaries_count_pictures_that_have_the_number() -> None:
    hand = load("hand")
    row = {"style": "ink", "strokes": 9, "picture": "a"}
    errors = ((1.0, None), (2.0, 5.0), (6.0, 7.0))
    rows = [row | {"mse": whole, "mse_object": part} for whole, part in errors]
    rows += [row | {"strokes": 5, "mse": 99.0, "extra": 1.0}]
    found = hand.summary(rows, hand.Setting("ink", 9))
    assert found["pictures"] == 3
    assert found["mse"] == {"mean": 3.0, "median": 2.0}
    assert found["mse_object"] == {"mean": 6.0, "median": 6.0}
    assert "extra" not in found
    numbers = {"a": float("nan"), "b": 1 / 3, "c": "x", "d": 7}
    assert hand.rounded(numbers) == {"a": None, "b": 0.33333, "c": "x", "d": 7}
