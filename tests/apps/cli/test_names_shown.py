"""Names of files that a terminal, a spreadsheet or a browser would obey: they are only shown."""

from __future__ import annotations

import csv
import html.parser
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.evaluate.page import escape
from semantic_guidance.apps.evaluate.tables import _csv
from semantic_guidance.learning.run.single import LOG, append_row
from semantic_guidance.painting.painting import Painting
from tests.apps.cli.test_evaluate import QUICK

EVIL = "=1+1\x1b]0;title\x07\x9b31m\u202egpj\u2028<b>\"'"
SHOWN = "=1+1\\x1b]0;title\\x07\\x9b31m\\u202egpj\\u2028<b>\"'"


def obeyed(text: str) -> set[str]:
    """What of a text a terminal would obey, but for the ends of lines."""
    hidden = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return hidden - {"\n"}


@pytest.mark.parametrize(
    "argv",
    [
        ["paint", f"{EVIL}.jpg"],
        ["paint", "a.jpg", "--style", f"{EVIL}.toml"],
        ["paint", "a.jpg", "--brush", f"{EVIL}.png"],
        ["paint", "a.jpg", "--agent", f"{EVIL}.safetensors"],
        ["paint", "a.jpg", "--formats", EVIL],
        ["paint", "a.jpg", f"--{EVIL}"],
        [EVIL],
        ["render", f"{EVIL}.strokes.json"],
        ["repaint", f"{EVIL}.strokes.json", "a.jpg", "--mask", "a.png"],
        ["evaluate", EVIL],
        ["evaluate", ".", "--methods", EVIL],
        ["datasets", EVIL],
        ["datasets", "--data", EVIL],
        ["preprocess", "--data", EVIL],
        ["train", "--data", EVIL],
        ["train", "--config", f"{EVIL}.toml"],
        ["export-agent", EVIL, "--out", "out"],
        ["train-segmenter", "--pack", EVIL, "--out", "out"],
    ],
)
def test_errors(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30)).save("a.jpg")
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\\u202egpj" in err
    assert not obeyed(err)


def test_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strokes = tmp_path / "evil\x1b[31m\u202e.strokes.json"
    Painting((), (0.2, 0.4, 0.6), 32, 24).save(strokes)
    words = [str(strokes), "--out", str(tmp_path / "out"), "--formats", "png,html,svg"]
    assert main(["render", *words]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("\\x1b[31m\\u202e") == 3
    assert not obeyed(printed.out + printed.err)
    [page] = (tmp_path / "out").glob("*.html")
    assert "evil\\x1b[31m\\u202e" in page.read_text()
    assert not obeyed(page.read_text())
    assert main(["render", *words, "--json"]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line)["input"] == str(strokes)  # as it is


def test_a_terminal_that_lacks_the_letters(tmp_path: Path) -> None:
    strokes = tmp_path / "鳥.strokes.json"
    Painting((), (0.2, 0.4, 0.6), 32, 24).save(strokes)
    words = ["render", strokes, "--out", tmp_path, "--formats", "svg"]
    command = [sys.executable, "-m", "semantic_guidance", *words]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stdout.strip().endswith(rb"\u9ce5.strokes.svg")


class Names(html.parser.HTMLParser):
    """What of a page is in attributes, and its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.values: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.values |= {value for _, value in attrs}


@pytest.mark.usefixtures("looks_once")
def test_an_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / f"pictures{EVIL}", tmp_path / "out"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{EVIL}.png")
    (folder / f"broken{EVIL}.png").write_text("no picture")
    assert main(["evaluate", str(folder), "--out", str(out), *QUICK]) == 1
    printed = capsys.readouterr()
    assert not obeyed(printed.out + printed.err)
    assert f"broken{SHOWN}" in printed.err
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        [row, *_] = csv.DictReader(file)
    assert row["picture"] == f"'{SHOWN}"
    assert float(row["mse"]) > 0
    text = (out / "index.html").read_text(encoding="utf-8")
    assert not obeyed(text)
    page = Names(text)
    assert SHOWN in page.values
    assert not {"b>"} & page.tags
    document = (out / "results.json").read_text(encoding="utf-8")
    assert document.isascii()
    assert json.loads(document)["pictures"][0]["name"] == EVIL  # as it is, in JSON's escapes


def test_numbers_of_a_table_stay_numbers() -> None:
    facts = {"file": "-a.png", "width": 4, "height": 3, "mask": "none", "foreground_share": -0.5}
    seen = {"photo_label": "@home", "photo_probability": 1.0}
    figures = {"strokes": 3, "foreground_strokes": 0, "mse": -1e-9, "top1": True, "lost": None}
    words = {"painted_label": "\tcat", "painting": "a.jpg"}
    document = {
        "columns": [{"key": "mse"}, {"key": "top1"}, {"key": "lost"}],
        "pictures": [{"name": "+a", **facts, **seen, "results": {"=m": figures | words}}],
    }
    _, line = _csv(document).splitlines()
    assert line == "'+a,'=m,'-a.png,4,3,none,-0.5,'@home,1.0,3,0,-1e-09,1,,\\tcat,a.jpg"


def test_text_for_a_page() -> None:
    assert escape("\u202e<b>&\"'\x9b") == "\\u202e&lt;b&gt;&amp;&quot;&#x27;\\x9b"


def test_a_line_of_the_log_is_json(tmp_path: Path) -> None:
    append_row(tmp_path, {"step": 1, "loss": float("nan"), "rate": float("inf"), "none": None, "\u2028": 2.0})
    text = (tmp_path / LOG).read_text()
    assert text.count("\n") == 1

    def refuse(word: str) -> None:
        raise ValueError(word)  # NaN and Infinity are Python's own

    row = json.loads(text, parse_constant=refuse)
    assert row == {"step": 1, "loss": None, "rate": None, "none": None, "\u2028": 2.0}
