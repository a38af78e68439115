"""The results on disk: results.csv, results.json and the page."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from semantic_guidance.apps.evaluate.page import page
from semantic_guidance.apps.evaluate.store import write_json
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.shown import table_cell

CSV_FACTS = (
    "name",
    "file",
    "width",
    "height",
    "mask",
    "foreground_share",
    "photo_label",
    "photo_probability",
)
OUTPUTS = {  # and how each begins if it was written here
    "results.csv": "picture,method,file,width,height,",
    "results.json": '{\n "format": "semantic-guidance/evaluation"',
    "index.html": "<!doctype html>\n<!-- semantic-guidance evaluate -->",
}


def check_folder(folder: Path) -> None:
    """Check that the results can be written to a folder without harming other files.

    Raises:
        InputError: it has a file of the same name that was not written here.
        OSError: it cannot be read.
    """
    for name, beginning in OUTPUTS.items():
        path = folder / name
        if path.exists() and (path.is_dir() or not path.read_bytes().startswith(beginning.encode())):
            raise InputError(f"--out: {path} was written by something else, wanted another folder")


def write_results(document: dict[str, Any], folder: Path) -> None:
    """Write the results, each file whole or not at all.

    Args:
        document: as `Evaluation.run` returns it.
        folder: that holds the paintings.

    Raises:
        OSError: a file cannot be written.
    """
    texts = {"results.csv": _csv(document), "index.html": page(document)}
    for name, text in texts.items():
        with replacing(folder / name) as draft:
            draft.write_text(text, encoding="utf-8", newline="")
    write_json(document, folder / "results.json")


def _csv(document: dict[str, Any]) -> str:
    """One row for each painting; empty where there is no figure, 1 and 0 for yes and no."""
    text = io.StringIO()
    keys = [column["key"] for column in document["columns"]]
    names = ["strokes", "foreground_strokes", *keys, "painted_label", "painting"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["picture", "method", *CSV_FACTS[1:], *names])
    for picture in document["pictures"]:
        for method, figures in picture["results"].items():
            cells = [picture["name"], method, *(picture[name] for name in CSV_FACTS[1:])]
            cells += [figures[name] for name in names]
            writer.writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(value: object) -> object:
    """A cell: numbers as they are, names so that no spreadsheet takes them for more than that."""
    if isinstance(value, bool):
        return int(value)
    return value if value is None or isinstance(value, (int, float)) else table_cell(value)
