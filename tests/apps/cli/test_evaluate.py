"""``semantic-guidance evaluate`` from end to end: what it writes, says, keeps and refuses."""

from __future__ import annotations

import csv
import html.parser
import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.evaluate.columns import COLUMNS
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.guidance import Guide, Prompt
from semantic_guidance.images.files import load_image, load_mask
from semantic_guidance.images.metrics import painting_errors
from semantic_guidance.painter.painter import Painter
from tests.conftest import EXAMPLES

pytestmark = pytest.mark.usefixtures("looks_once")

QUICK = ["--strokes", "6", "--methods", "planner+draft,planner+draft+unguided"]
SECONDS = ("seconds", "seconds_plan", "seconds_polish", "seconds_guidance")


@pytest.fixture
def folder(photo: Path, photo_mask: Path, tmp_path: Path) -> Path:
    """Two pictures, one of an awkward name, and a mask of each."""
    pictures, masks = tmp_path / "pictures", tmp_path / "masks"
    pictures.mkdir()
    masks.mkdir()
    shutil.copy(photo, pictures / "disc.jpg")
    shutil.copy(photo_mask, masks / "disc.png")
    Image.open(photo).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(pictures / "upside <b>&50% #.png")
    shutil.copy(photo_mask, masks / "upside <b>&50% #_mask.png")
    return pictures


@pytest.fixture
def evaluate(folder: Path, capsys):
    """Runs the command on the two pictures with masks; returns status, what it printed, and the results."""

    def run(*argv: object, status: int = 0) -> tuple[str, str, dict]:
        out = folder.parent / "out"
        words = [folder, "--masks", folder.parent / "masks", "--out", out, *QUICK, *argv]
        assert main(["evaluate", *map(str, words)]) == status
        captured = capsys.readouterr()
        results = out / "results.json"
        return captured.out, captured.err, json.loads(results.read_text()) if results.exists() else {}

    return run


class Page(html.parser.HTMLParser):
    """What a page refers to, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[str] = []
        self.names: list[str] = []
        self.best: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.pictures += [given["src"]] if tag == "img" else []
        self.names += [given["data-name"]] if "data-name" in given else []
        if tag not in ("meta", "img", "wbr", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.best += [data] if self.open and self.open[-1] == "b" else []


def test_evaluate(evaluate, folder):
    printed, complaints, results = evaluate("--json")
    out = folder.parent / "out"
    assert complaints == ""
    summary = json.loads(printed.splitlines()[-1])
    assert summary["outputs"]["index.html"] == str(out / "index.html")
    assert (summary["pictures"], summary["skipped"], summary["strokes"]) == (2, 0, 6)
    guided, unguided = "planner+draft", "planner+draft+unguided"
    assert list(summary["methods"]) == [guided, unguided]
    assert [picture["name"] for picture in results["pictures"]] == ["disc", "upside <b>&50% #"]
    assert [picture["mask"] for picture in results["pictures"]] == ["given", "given"]

    picture = results["pictures"][0]
    image = load_image(folder / "disc.jpg")
    mask = load_mask(folder.parent / "masks" / "disc.png", *image.shape[1:])
    assert picture["foreground_share"] == pytest.approx(float(mask.mean()), rel=1e-5)
    for method, knows in ((guided, True), (unguided, False)):
        figures = picture["results"][method]
        assert (figures["foreground_strokes"] > 0) == knows
        assert (figures["seconds_guidance"] > 0) == knows
        painted = load_image(out / figures["painting"])
        assert painted.shape == (3, 341, 512)
        errors = painting_errors(painted, image, mask)  # all but the same, as it was kept as a JPEG
        assert figures["mse"] == pytest.approx(errors.everywhere, rel=0.01)
        assert figures["mse_foreground"] == pytest.approx(errors.foreground, rel=0.01)
        assert figures["mse_background"] == pytest.approx(errors.background, rel=0.01)
        mean = np.mean([other["results"][method]["mse"] for other in results["pictures"]])
        assert summary["methods"][method]["mse"] == pytest.approx(mean, rel=1e-5)
    assert {"cpu", "cores"} <= results["machine"].keys()
    assert {"torch", "llvmlite", "semantic_guidance", "code"} <= results["software"].keys()
    assert str(folder.parent) not in json.dumps(results)


def test_a_baseline_is_measured_with_the_mask_that_it_does_not_know(evaluate):
    _, _, results = evaluate("--methods", "baseline+draft,baseline+draft+unguided", "--limit", 1)
    told, untold = results["pictures"][0]["results"].values()
    assert [method["guided"] for method in results["methods"]] == [False, False]
    assert told["foreground_strokes"] == 0
    assert told["seconds_guidance"] == 0
    assert told["mse_foreground"] == untold["mse_foreground"] > 0


def test_csv_and_page(evaluate, folder):
    printed, _, results = evaluate()
    out = folder.parent / "out"
    assert printed.splitlines()[-1] == str(out / "index.html")
    assert printed.splitlines()[1].startswith("planner+draft ")
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["picture"], row["method"]) for row in rows] == [
        (picture["name"], method) for picture in results["pictures"] for method in picture["results"]
    ]
    for row, picture in zip(rows[::2], results["pictures"], strict=True):
        figures = picture["results"]["planner+draft"]
        assert [float(row[c.key]) for c in COLUMNS] == [float(figures[c.key]) for c in COLUMNS]
    page = Page((out / "index.html").read_text())
    assert page.open == []
    assert page.names == [picture["name"] for picture in results["pictures"]]
    assert len(page.pictures) == 2 * 3
    for address in page.pictures:
        assert "//" not in address
        assert (out / unquote(address)).is_file()
    a, b = (
        results["pictures"][0]["results"][name]["mse"] for name in ("planner+draft", "planner+draft+unguided")
    )
    assert f"{min(a, b):.5f}" in page.best
    assert f"{max(a, b):.5f}" not in page.best


def test_the_object_is_looked_for(folder, capsys):
    """Without masks: a cat is an object, nothing at all is none."""
    shutil.copy(EXAMPLES / "chelsea.jpg", folder / "cat.jpg")
    out = folder.parent / "out"
    Image.new("RGB", (40, 40), (90, 90, 90)).save(folder / "blank.png")
    argv = ["evaluate", str(folder), "--out", str(out), *QUICK, "--limit", "2"]
    assert main(argv) == 0
    blank, cat = json.loads((out / "results.json").read_text())["pictures"]
    assert (blank["name"], blank["mask"], blank["foreground_share"]) == ("blank", "none", 0)
    assert blank["results"]["planner+draft"]["mse_foreground"] is None
    assert blank["results"]["planner+draft"]["perceptual_object"] is None
    assert (cat["name"], cat["mask"]) == ("cat", "found")
    assert cat["photo_label"] == "Egyptian cat"
    assert cat["results"]["planner+draft"]["mse_foreground"] > 0
    assert ",," in (out / "results.csv").read_text()
    assert Page((out / "index.html").read_text()).open == []


def test_what_was_done_is_kept(evaluate, folder, monkeypatch):
    """Interrupted in the second picture; then only what is missing is painted, and all is the same."""
    out = folder.parent / "out"
    painted: list[int] = []
    paint = Painter.paint

    def count(self, image, guidance=None, progress=None):
        if image.shape[-1] > 64 or image.shape[-2] == 40:  # not the one that warms up
            painted.append(self.strokes)
        if len(painted) == 4:
            raise KeyboardInterrupt
        return paint(self, image, guidance, progress)

    monkeypatch.setattr(Painter, "paint", count)
    evaluate(status=130)
    assert not (out / "results.json").exists()
    painted[:] = [0] * 10
    _, _, resumed = evaluate()
    assert len(painted) == 11
    _, _, again = evaluate()
    assert len(painted) == 11
    assert again["pictures"] == resumed["pictures"]
    shutil.rmtree(out)
    _, _, fresh = evaluate()
    assert len(painted) == 15
    for document in (fresh, resumed):
        for picture in document["pictures"]:
            for figures in picture["results"].values():
                assert [figures.pop(name) >= 0 for name in SECONDS] == [True] * 4
    assert fresh["pictures"] == resumed["pictures"]
    evaluate("--seed", "1")
    assert len(painted) == 19
    Image.open(folder / "disc.jpg").rotate(180).save(folder / "disc.jpg")
    evaluate("--seed", "1")
    assert len(painted) == 21


def test_a_record_that_is_damaged_is_made_again(evaluate, folder):
    _, _, first = evaluate()
    record = sorted((folder.parent / "out" / "pictures").rglob("*.json"))[0]
    kept = json.loads(record.read_text())
    others = json.dumps(kept | {"figures": {"width": "=cmd"}})
    for damage in ("[]", "[" * 100_000, "{", others):
        record.write_text(damage)
        _, _, again = evaluate()
        assert json.loads(record.read_text())["key"] == kept["key"]
        assert [each["name"] for each in again["pictures"]] == [each["name"] for each in first["pictures"]]


def test_pictures_that_cannot_be_read_are_skipped(evaluate, folder):
    (folder / "broken.jpg").write_text("no picture")
    (folder / "masked.jpg").write_bytes((folder / "disc.jpg").read_bytes())
    Image.new("L", (60, 40)).save(folder.parent / "masks" / "masked.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    _, complaints, results = evaluate(status=1)
    lines = complaints.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"skipped: {folder / 'broken.jpg'}: not a picture")
    assert lines[1].startswith("skipped: ")
    assert "gone.png" in lines[1]
    assert "masked.png: the mask is empty" in lines[2]
    assert lines[3] == "3 of 5 pictures skipped"
    assert [picture["name"] for picture in results["pictures"]] == ["disc", "upside <b>&50% #"]
    assert [entry["file"] for entry in results["skipped"]] == ["broken.jpg", "gone.png", "masked.jpg"]
    assert results["skipped"][0]["reason"].startswith("broken.jpg: not a picture")
    assert "3 skipped" in (folder.parent / "out" / "index.html").read_text()


def test_pictures_of_a_data_set_that_are_links_to_elsewhere_are_skipped(tmp_path, photo, capsys):
    root = tmp_path / "data" / "cub200" / "CUB_200_2011"
    (root / "images").mkdir(parents=True)
    shutil.copy(photo, root / "images" / "b.jpg")
    (root / "images" / "a.jpg").symlink_to(photo)
    (root / "images.txt").write_text("".join(f"{n} {(n % 2 and 'a') or 'b'}.jpg\n" for n in range(2, 12)))
    words = [str(tmp_path / "data"), "--dataset", "cub200", "--out", str(tmp_path / "out"), *QUICK]
    assert main(["evaluate", *words]) == 1
    assert "a.jpg' leads out of its folder through a link" in capsys.readouterr().err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {picture["file"] for picture in results["pictures"]} == {"b.jpg"}
    assert {entry["file"] for entry in results["skipped"]} == {"a.jpg"}
    assert str(tmp_path) not in json.dumps(results["skipped"])


def test_nothing_but_broken_pictures(tmp_path, capsys):
    (tmp_path / "a.jpg").write_text("")
    assert main(["evaluate", str(tmp_path), "--out", str(tmp_path / "out"), *QUICK]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "1 of 1 pictures skipped"
    assert Page((tmp_path / "out" / "index.html").read_text()).open == []


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (["--strokes", "0"], "--strokes: got '0', wanted a whole number"),
        (["--limit", "-5"], "--limit: got '-5'"),
        (["--seed", "x"], "--seed: got 'x'"),
        (["--methods", "nobody"], "--methods: got 'nobody', wanted AGENT"),
        (["--methods", ""], "--methods: got ''"),
        (["--methods", "{file}"], "--methods: agent: "),
        (["--masks", "{empty}"], "--masks: "),
        (["--masks", "nowhere"], "--masks: nowhere: no such folder"),
        (["--out", "{file}"], "--out: "),
        (["--out", "{site}"], "index.html was written by something else"),
    ],
)
def test_refusals(evaluate, folder, tmp_path, argv, wanted):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("neither an agent nor a folder")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<!doctype html>\n<title>My pictures</title>")
    words = [word.format(**{name: tmp_path / name for name in ("empty", "file", "site")}) for word in argv]
    printed, complaint, _ = evaluate(*words, status=2)
    assert printed == ""
    assert complaint.startswith("semantic-guidance: error: ")
    assert complaint.count("\n") == 1
    assert wanted in complaint
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["index.html"]


def test_no_folder(capsys, tmp_path):
    assert main(["evaluate", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == (
        f"semantic-guidance: error: {tmp_path / 'none'}: no such folder, wanted a folder of pictures\n"
    )


def test_each_picture_is_looked_at_once(folder, monkeypatch):
    sizes, look = [], Guide.__call__

    def counted(guide: Guide, image: Tensor, *prompt: Prompt | None) -> Guidance:
        sizes.append(tuple(image.shape))
        return look(guide, image, *prompt)

    monkeypatch.setattr(Guide, "__call__", counted)
    assert main(["evaluate", str(folder), "--out", str(folder.parent / "out"), *QUICK]) == 0
    assert sizes.count((3, 40, 60)) == 2  # of two pictures
