"""The results as a page: one file of HTML beside the paintings. It works from a disk and without scripts."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any
from urllib.parse import quote

from semantic_guidance.apps.evaluate.columns import Column, read_columns
from semantic_guidance.core.shown import printable

Json = dict[str, Any]

FRAME = """<!doctype html>
<!-- semantic-guidance evaluate -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Paintings compared: {title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>Paintings compared</h1>
<p>{facts}</p>
{skipped}</header>
<main>
{summary}
{pictures}
</main>
<footer>
{notes}
</footer>
<script>
{script}</script>
</body>
</html>
"""


def page(document: Json) -> str:
    """The results, as in results.json, as an HTML page.

    The addresses of its pictures are relative to the folder of the results.
    """
    settings, count = document["settings"], len(document["pictures"])
    facts = [
        f"{count} picture{'s' * (count != 1)}",
        f"{settings['strokes']} strokes each",
        f"seed {settings['seed']}",
        f"semantic-guidance {document['software']['semantic_guidance']}",
        document["date"],
    ]
    return FRAME.format(
        title=escape(str(settings.get("images", ""))),
        style=_part("page.css"),
        script=_part("page.js"),
        facts=escape(" · ".join(facts)),
        skipped=_skipped(document["skipped"]),
        summary=_summary(document) if count else "<p>No picture could be painted.</p>",
        pictures=_pictures(document) if count else "",
        notes=_notes(document),
    )


def escape(text: str) -> str:
    """The text for HTML, in elements and in quoted attributes, without controls and direction marks."""
    return html.escape(printable(text))


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _skipped(skipped: list[Json]) -> str:
    if not skipped:
        return ""
    items = "".join(f"<li>{escape(entry['reason'])}</li>\n" for entry in skipped)
    return f'<details class="skipped"><summary>{len(skipped)} skipped</summary><ul>\n{items}</ul></details>\n'


def _summary(document: Json) -> str:
    """One table with a body for each way to sum up; scripts choose among them, the first one shows."""
    names, columns = [method["name"] for method in document["methods"]], read_columns(document["columns"])
    means, ratios = document["summary"]["methods"], document["summary"]["ratios"]
    views = {
        "Mean over the pictures": _averages(means, columns, "mean"),
        "Median over the pictures": _averages(means, columns, "median"),
    }
    for other in names if len(names) > 1 else ():
        views[f"Mean as a multiple of {other}'s"] = _multiples(ratios, columns, names, other, "of_means")
        views[f"Each picture's multiple of {other}'s, median"] = _multiples(
            ratios, columns, names, other, "median"
        )
    options = "".join(f"<option>{escape(title)}</option>" for title in views)
    heads = "".join(
        f'<th scope="col" title="{escape(column.about)}"><button type="button">{escape(column.title)}'
        f"{_arrow(column)}</button></th>"
        for column in columns
    )
    bodies = "\n".join(
        f"<tbody{' hidden' if number else ''}>\n{body}</tbody>" for number, body in enumerate(views.values())
    )
    return (
        '<section id="summary">\n<h2>All pictures</h2>\n'
        f'<p class="controls needs-script"><label>Show <select>{options}</select></label></p>\n'
        '<div class="scroll"><table>\n'
        f'<thead><tr><th scope="col"><button type="button">method</button></th>{heads}</tr></thead>\n'
        f"{bodies}\n</table></div>\n</section>"
    )


def _arrow(column: Column) -> str:
    arrow = "↓" if column.better == "lower" else "↑"
    return f'&nbsp;<span class="better" title="{column.better} is better">{arrow}</span>'


def _averages(means: Json, columns: list[Column], what: str) -> str:
    cells: dict[str, list[str]] = {name: [] for name in means}
    for column in columns:
        values = {name: means[name][column.key][what] for name in means}
        best = column.best(values, mean=True)
        for name, value in values.items():
            cells[name].append(_cell(value, column.shown_mean(value), name in best))
    return _rows(cells)


def _multiples(ratios: Json, columns: list[Column], names: list[str], other: str, what: str) -> str:
    cells: dict[str, list[str]] = {name: [] for name in names}
    for column in columns:
        for name in names:
            value = 1.0 if name == other else None
            if column.ratio and name != other:
                value = ratios[name][other][column.key][what]
            shown = "–" if value is None or not column.ratio else f"{value:.2f} ×"
            cells[name].append(_cell(value if column.ratio else None, shown))
    return _rows(cells)


def _rows(cells: dict[str, list[str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{_named(name)}</th>{"".join(row)}</tr>\n' for name, row in cells.items()
    )


def _cell(value: float | bool | None, shown: str, best: bool = False, attributes: str = "") -> str:
    number = "" if value is None else f' data-value="{float(value):.6g}"'
    text = f"<b>{escape(shown)}</b>" if best else escape(shown)
    return f"<td{number}{attributes}>{text}</td>"


def _pictures(document: Json) -> str:
    names = [method["name"] for method in document["methods"]]
    columns = [
        column
        for column in read_columns(document["columns"])
        if column.kind != "flag" and not column.part  # of each picture
    ]
    keys = "".join(f'<option value="{column.key}">{escape(column.title)}</option>' for column in columns)
    methods = "".join(f'<option value="{n}">{escape(name)}</option>' for n, name in enumerate(names))
    controls = (
        '<p class="controls needs-script">'
        f'<label>Sort by <select id="key"><option value="">name</option>{keys}</select></label> '
        f'<label>of <select id="method">{methods}</select></label> '
        '<label><input type="checkbox" id="reverse"> reversed</label></p>'
    )
    parts = "\n".join(_picture(picture, names, columns) for picture in document["pictures"])
    return (
        f'<section id="pictures" style="--columns: {len(names) + 1}">\n<h2>Each picture</h2>\n{controls}\n'
        f"{parts}\n</section>"
    )


def _picture(picture: Json, names: list[str], columns: list[Column]) -> str:
    """A table: the pictures side by side, and below each its figures."""
    results = picture["results"]
    heads = [_shown_picture(picture["target"], "picture", picture)]
    heads += [_shown_picture(results[name]["painting"], name, picture) for name in names]
    rows = []
    for column in columns:
        values = {name: results[name][column.key] for name in names}
        best = column.best(values)
        cells = [
            _cell(values[name], column.shown(values[name]), name in best, f' data-key="{column.key}:{n}"')
            for n, name in enumerate(names)
        ]
        title = f'<th scope="row" title="{escape(column.about)}">{escape(column.title)}{_arrow(column)}</th>'
        rows.append(f"<tr>{title}{''.join(cells)}</tr>")
        if column.key == "perceptual_object":
            seen = "".join(f"<td>{_taken_for(results[name])}</td>" for name in names)
            rows.append(
                f'<tr><th scope="row" title="The likeliest class of ImageNet">taken for</th>{seen}</tr>'
            )
    return (
        f'<article data-name="{escape(picture["name"])}">\n<h3>{escape(picture["name"])}</h3>\n'
        f"<p>{escape(_about(picture))}</p>\n"
        f'<div class="scroll"><table>\n<thead><tr>{"".join(heads)}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>\n</article>"
    )


def _taken_for(figures: Json) -> str:
    """The painting's class, and whether it or one of the next four is the photograph's."""
    label = escape(figures["painted_label"])
    return f"<b>{label} ✓</b>" if figures["top1"] else f"{label} (✓ top 5)" if figures["top5"] else label


def _about(picture: Json) -> str:
    share = f"{100 * picture['foreground_share']:.0f} % of the picture"
    mask = {
        "given": f"object by its mask, {share}",
        "found": f"object found, {share}",
        "none": "no object found",
    }
    seen = (
        f"the classifier takes it for: {picture['photo_label']} ({100 * picture['photo_probability']:.0f} %)"
    )
    return f"{picture['width']} × {picture['height']} pixels · {mask[picture['mask']]} · {seen}"


def _shown_picture(path: str, name: str, picture: Json) -> str:
    address = escape(quote(path))
    height = max(1, round(512 * picture["height"] / picture["width"]))
    return (
        f'<th scope="col"><a href="{address}"><img src="{address}" width="512" height="{height}" '
        f'loading="lazy" alt="{escape(picture["name"])}: {escape(name)}"></a><span>{_named(name)}</span></th>'
    )


def _named(method: str) -> str:
    """A method's name, which may be broken before a plus sign."""
    return escape(method).replace("+", "<wbr>+")


def _notes(document: Json) -> str:
    terms = "".join(
        f"<dt>{escape(c.title)}</dt><dd>{escape(c.about)}</dd>\n" for c in read_columns(document["columns"])
    )
    facts = {
        "settings": document["settings"],
        "machine": document["machine"] | {"cores busy elsewhere": document["cores_busy_elsewhere"]},
        "software": document["software"],
    }
    items = ""
    for name, values in facts.items():
        words = ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)
        items += f"<dt>{name}</dt><dd>{escape(words)}</dd>\n"
    return (
        "<h2>What the figures mean</h2>\n<p>The best figure of each comparison is in bold on colour, unless "
        "all are the same; so is a class that matches the photograph's. All are measured with the "
        f"same mask.</p>\n<dl>\n{terms}</dl>\n<h2>How they came about</h2>\n<dl>\n{items}</dl>"
    )
