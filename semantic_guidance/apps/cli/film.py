"""What ``semantic-guidance paint`` does with a film."""

from __future__ import annotations

import json

from semantic_guidance.apps.cli.output import tell_flat, tell_note
from semantic_guidance.apps.film.options import FilmOptions
from semantic_guidance.apps.job import Job
from semantic_guidance.core.shown import printable
from semantic_guidance.core.start import quick_imports


def paint_film(job: Job, options: FilmOptions, as_json: bool) -> None:
    """Paint a film, and say what was done.

    Args:
        job: what is asked for.
        options: how it is painted as a film.
        as_json: whether that is said as a line of JSON.

    Raises:
        InputError: something is wrong with the job or the film.
        OSError: a file cannot be read or written.
    """
    with quick_imports():
        from semantic_guidance.apps.cli.progress import FilmBar
        from semantic_guidance.apps.film.run import run_film

    with FilmBar() as bar:
        result = run_film(job, options, bar)
    tell_flat(result.job.formats, result.brush)
    for note in result.notes:
        tell_note(note)
    if as_json:
        print(json.dumps(result.summary()))
        return
    for path in result.outputs.values():
        print(printable(path))
    before = f", {result.before} of them before" if result.before else ""
    rate = result.frames / result.rate
    print(
        f"{result.frames} frames painted{before}, {float(rate):.2f} s at {float(result.rate):.6g} a second,"
        f" {result.strokes} strokes, {result.seconds:.1f} s"
    )
