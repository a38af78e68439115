"""A whole job from Python: JSON both ways, the same files as by the command line, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance import Job, run
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import to_json
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.images.files import load_image

QUICK = {"strokes": 4, "preset": "draft", "size": 48, "agent": "planner"}
share, length = st.floats(0, 1), st.floats(0.1, 100)
words = st.text(max_size=8)
jobs = st.builds(
    Job,
    words.map(Path),
    out=words.map(Path),
    formats=st.lists(st.sampled_from(list(EXPORTERS.shipped)), min_size=1, unique=True).map(tuple),
    fps=st.none() | st.integers(1, 60) | st.fractions(1, 60, max_denominator=1001),
    film_size=st.none() | st.integers(16, 4096),
    crf=st.none() | st.integers(0, 63),
    quality=st.none() | st.integers(0, 100),
    duration=st.none() | st.floats(0.5, 3600),
    strokes=st.integers(1, 100_000),
    preset=words,
    agent=st.none() | words,
    device=words,
    size=st.none() | st.integers(16, 8192),
    seed=st.integers(0, 2**32 - 1),
    baseline=st.booleans(),
    mask=st.none() | words.map(Path),
    box=st.none() | st.tuples(share, share, length, length),
    point=st.none() | st.tuples(share, share) | st.lists(st.tuples(share, share), min_size=2, max_size=3),
    not_point=st.none() | st.tuples(share, share),
    text=st.none() | words,
    guidance=st.none() | words.map(Path),
    foreground_share=st.none() | share,
    show_guidance=st.booleans(),
    palette=st.none() | st.integers(1, 64) | words,
    opaque=st.booleans(),
    brushes=st.lists(length, unique=True).map(sorted).map(tuple),
    widths=st.none() | st.tuples(length, length),
    paper=st.none() | st.tuples(length, length),
    transparent=st.sampled_from([None, "painting", "object"]),
    palette_from=st.none() | words.map(Path),
    background=st.none() | words,
    start_canvas=st.none() | words,
    export=st.dictionaries(words, st.dictionaries(words, share | words), max_size=2),
)


@given(jobs)
def test_json_both_ways(job):
    assert Job.from_json(job.to_json()) == job


def test_json_has_only_what_was_said():
    assert json.loads(Job("a.jpg").to_json()) == {"image": "a.jpg"}
    assert to_json(Job("a.jpg", out="b", seed=3)) == {"image": "a.jpg", "out": "b", "seed": 3}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "the job is not JSON"),
        ("[]", "options are of type list, wanted an object"),
        ('{"imagine": 1}', "'imagine' is not an option, wanted one of .*image"),
        ("{}", "^image is missing"),
        ('{"image": 3}', "^image: got 3, wanted a text"),
        ('{"image": "a.jpg", "output": 3}', "^output: got 3, wanted a text"),
        ('{"image": "a.jpg", "out": null}', "^out: got null"),
        ('{"image": "a.jpg", "border": "yes"}', '^border: got "yes", wanted true or false'),
        ('{"image": "a.jpg", "paper": [100]}', r"^paper: got \[100\], wanted a list"),
        ('{"image": "a.jpg", "palette": [[1, 1, 1]]}', "^palette: got .*, wanted"),
        ('{"image": "a.jpg", "transparent": "all"}', "transparent is 'all', wanted painting or object"),
        ('{"image": "a.jpg", "box": 3}', "^box: got 3, wanted X,Y,W,H in pixels"),
        ('{"image": "a.jpg", "box": "1,2,3"}', "^box: got '1,2,3', wanted X,Y,W,H"),
        ('{"image": "a.jpg", "box": [[1, 2, 3, 4], [1, 2, 0, 4]]}', r"^box: got \(1, 2, 0, 4\), wanted X,Y"),
        ('{"image": "a.jpg", "box": [1, 2, Infinity, 4]}', r"^box: got \(1, 2, inf, 4\), wanted X,Y"),
        ('{"image": "a.jpg", "strokes": "0"}', "^strokes: got '0', wanted a whole number from 1 to 100000"),
        ('{"image": "a.jpg", "strokes": 0}', "strokes is 0, wanted a whole number from 1 to 100000"),
        ('{"image": "a.jpg", "strokes": 2.5}', "strokes is 2.5, wanted a whole number"),
        ('{"image": "a.jpg", "formats": "png,doc"}', "^formats: got 'doc', wanted one of png,"),
        ('{"image": "a.jpg", "fps": 1e99}', "fps is 1e[+]99, wanted a number from 1 to 60"),
    ],
)
def test_bad_json(text, complaint):
    with pytest.raises(InputError, match=complaint):
        Job.from_json(text)


def test_json_as_on_the_command_line():
    """A flag alone is true, and words between commas may be a list."""
    text = '{"image": "a.jpg", "transparent": true, "formats": ["plotter"], "palette": ["#fff", "#000"]%s}'
    job = Job.from_json(text % ', "brushes": ["1mm", "0.5cm"], "dip": ["1", "2in"]')
    assert (job.transparent, job.palette) == ("painting", "#fff,#000")
    assert job.formats == ("plotter.svg", "plotter.json")
    assert (job.brushes, job.dip) == ((1, 5), (25.4, 50.8))


def test_the_command_line_is_a_front(photo, photo_mask, tmp_path):
    """Both ways to ask for the same write the same files."""
    result = run(
        Job(photo, mask=photo_mask, out=tmp_path / "a", formats=("png", "json", "gif"), fps=5, **QUICK)
    )
    flags = [f"--{name}={value}" for name, value in QUICK.items()]
    argv = ["paint", str(photo), f"--mask={photo_mask}", f"--out={tmp_path / 'b'}", "--formats=png,json,gif"]
    assert main([*argv, "--fps=5", *flags]) == 0
    assert set(result.outputs) == {"png", "json", "gif"}
    for path in result.outputs.values():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_every_wish_is_reachable(photo, tmp_path):
    """A cut-out in other colours, on a canvas of its own, inside a box, with a picture of what was known."""
    other = tmp_path / "other.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 99, (9, 9, 3), np.uint8)).save(other)
    stages = []
    job = Job(
        photo,
        box=(18, 8, 24, 24),
        transparent="object",
        palette_from=other,
        background="#204060",
        show_guidance=True,
        formats=("png",),
        out=tmp_path / "out",
        **QUICK,
    )
    result = run(job, lambda stage, share: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["guidance", "compile", "plan", "export"]
    with Image.open(result.outputs["png"]) as image:
        assert image.mode == "RGBA"
    assert load_image(result.outputs["guidance"]).shape[0] == 3
    x, y, width, height = result.box
    assert 15 < x < 25
    assert 15 < width < 27
    assert result.summary()["box"] == [round(number, 2) for number in (x, y, width, height)]
    assert result.painting.background == pytest.approx((0x20 / 255, 0x40 / 255, 0x60 / 255))


def test_nothing_is_written_for_a_bad_job(photo, tmp_path):
    for wishes, complaint in (
        ({"mask": photo, "box": (0, 0, 9, 9)}, "^box: the object is given by --mask"),
        ({"baseline": True, "box": (0, 0, 9, 9)}, "^box: --baseline paints without guidance"),
        ({"agent": "nobody"}, "^agent is 'nobody', wanted one of semantic"),
        ({"guide": "nobody"}, "guide is 'nobody', wanted one of default"),
        ({"palette": 65}, "^palette has 65 colours"),
        ({"fps": 5, "formats": ("png",)}, "^fps: --formats has no video"),
        ({"box": (99, 99, 5, 5)}, "^box: 99,99,5,5 lies outside the picture of 60 x 40 pixels"),
    ):
        with pytest.raises(InputError, match=complaint):
            run(dataclasses.replace(Job(photo, out=tmp_path / "out", **QUICK), **wishes))
    assert not (tmp_path / "out").exists()
