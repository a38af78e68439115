"""What visitors may ask for: no path of theirs is followed, and nothing takes hours."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.apps.job import Job
from semantic_guidance.apps.serve.files import Store, safe_name, shown_name
from semantic_guidance.apps.serve.orders import checked_document, checked_job, checked_options
from semantic_guidance.apps.serve.records import Limits, Refused
from semantic_guidance.core.shown import printable

ID = "A" * 24
LIMITS = Limits()


def find(id: str) -> Path:
    if id != ID:
        raise Refused("There is no such picture.", 404)
    return Path("/store/picture.jpg")


def refused(values: object) -> Refused:
    with pytest.raises(Refused) as caught:
        checked_job(values, LIMITS, find)
    return caught.value


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"strokes": 500, "style": "impasto", "preset": "fine", "seed": 7, "size": 1024},
        {"palette": 8},
        {"palette": "8"},
        {"palette": "#204060,#fff"},
        {"palette": ["#204060", "#fff"]},
        {"pigments": True, "opaque": True},
        {"brush": "oil", "relief": 0.5, "light": "45,30"},
        {"palette_from": ID, "background": "#204060", "start_canvas": ID},
        {"point": [[3, 4], [5, 6]], "not_point": [1, 2], "agent": "semantic", "style": "likeness"},
        {"looseness": None, "strokes": 20},
    ],
)
def test_what_is_told_of_a_job_paints_it_again(job):
    told, values = checked_job(job, LIMITS, find)
    assert told == {name: value for name, value in job.items() if value is not None}
    assert Job.from_json(json.dumps({**values, "image": "p"})) == Job.from_json(
        json.dumps({**json.loads(json.dumps(told).replace(ID, "/store/picture.jpg")), "image": "p"})
    )


def test_no_option_of_a_job_takes_a_path():
    for item in dataclasses.fields(Job):
        if item.name == "text":  # a word that no file is looked for by
            continue
        for value in ("/etc/passwd", "../../secret.png", "~/x.toml", "C:\\x", "secret.gpl", ["/etc/passwd"]):
            error = refused({item.name: value})
            assert error.status in (404, 422)
            assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("job", "word"),
    [
        ({"strokes": 20_001}, "20000"),
        ({"size": 4097}, "4096"),
        ({"strokes": True}, "strokes"),
        ({"strokes": float("nan")}, "finite"),
        ({"looseness": 10**400}, "looseness"),
        ({"point": [10**400, 1]}, "point"),
        ({"box": [1, 2, 3, 10**400]}, "box"),
        ({"seed": "x"}, "seed"),
        ({"no_such": 1}, "no_such"),
        ({"fps": 30}, "file"),
        ({"palette": "#zz"}, "palette"),
        ({"palette": 0}, "palette"),
        ({"palette": []}, "palette"),
        ({"text": "x" * 300}, "text"),
        ({"point": [[1, 2]] * 65}, "point"),
        ({"style": "likeness", "preset": "slow"}, "preset"),
        ({"background": ID[:-1] + "B"}, "no such picture"),
        ({"palette_from": "#ffffff"}, "ID"),
        ([1], "options"),
        ({"text": {"a": 1}}, "text"),
    ],
)
def test_what_cannot_be_painted_is_refused_by_its_name(job, word):
    error = refused(job)
    assert word in str(error)
    assert error.status in (404, 422)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([item.name for item in dataclasses.fields(Job)]) | st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_any_job_is_either_usable_or_refused(job):
    with contextlib.suppress(Refused):
        told, _ = checked_job(job, LIMITS, find)
        assert not told.keys() & {"image", "out", "output", "mask", "guidance", "device", "export"}


def test_options_of_files_are_read_as_in_an_address():
    given = {"size": "4096", "transparent": "true", "paper": "a5", "margin": "1cm", "border": "true"}
    found = checked_options("png", {**given, "background": ID}, LIMITS, find)
    assert found["border"] is True
    assert found["background"] == "/store/picture.jpg"
    for bad in (
        {"size": "8193"},
        {"out": "/tmp"},
        {"mask": "x.png"},
        {"brush": "x.png"},
        {"palette": "x.gpl"},
    ):
        with pytest.raises(Refused) as caught:
            checked_options("png", bad, LIMITS, find)
        assert caught.value.status == 422
    with pytest.raises(Refused):
        checked_options("exe", {}, LIMITS, find)


def test_guidance_names_no_files():
    mask = "data:image/png;base64,AAAA"
    assert checked_document({"instances": [{"mask": mask}], "focus": mask}, 100)
    for bad in (
        {"instances": [{"mask": "secret.png"}]},
        {"instances": [{"mask": mask}], "focus": "../x.png"},
        {"instances": [{"mask": 3}]},
        {"instances": "x"},
        {"instances": [7]},
        [],
        {"instances": [{"mask": mask * 5}]},
    ):
        with pytest.raises(Refused):
            checked_document(bad, 100)


@given(st.text(max_size=300))
def test_any_name_makes_a_safe_one(name):
    safe = safe_name(name)
    assert safe == Path(safe).name
    assert safe not in ("", ".", "..")
    assert len(safe.encode()) <= 100
    assert safe.isprintable()
    assert not safe.startswith((".", "-"))
    assert shown_name(name) == printable(shown_name(name))


@pytest.mark.skipif(os.name == "nt", reason="folders of others are left alone there")
def test_what_a_killed_server_has_left_is_removed_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "import os; from semantic_guidance.apps.serve.files import Store; Store(9); os._exit(9)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 9
    (left,) = tmp_path.iterdir()
    (tmp_path / "semantic-guidance-other").mkdir()  # which nobody knows
    alive = Store(9)
    assert not left.exists()
    other = Store(9)
    assert alive.root.exists()
    assert (tmp_path / "semantic-guidance-other").exists()
    for store in (alive, other):
        store.close()
        assert not store.root.exists()


def test_names_stay_what_people_know_them_by():
    assert safe_name("Ferien 2026/Müller & Hund.JPEG") == "Müller _ Hund.jpeg"
    assert safe_name("C:\\Bilder\\con.png") == "_con.png"
    assert safe_name("") == "picture"
    assert shown_name("a\x1b[31m\u202eb.png") == "a\\x1b[31m\\u202eb.png"
