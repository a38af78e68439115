"""The studio with its real workers: painted, stopped, killed, kept, forgotten."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import io
import json
import os
import shutil
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.apps.job import Job
from semantic_guidance.apps.jobs import run
from semantic_guidance.apps.serve.pool import Worker, context
from semantic_guidance.apps.serve.records import ENDED, KEPT, Limits, Refused
from semantic_guidance.apps.serve.studio import Studio
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.export.strokes_json import read_drawing
from semantic_guidance.guidance.files import write_guidance
from semantic_guidance.painter.styles import Style
from semantic_guidance.painter.variations import variations
from tests.apps.serve.studios import Here, opened, tasks_left

LIMITS = Limits(pixels=300_000, upload_bytes=1 << 20, grace=0.4, patience=1.5, queue=6)
QUICK = {"strokes": 12, "size": 64, "preset": "draft", "baseline": True}
LONG = {"strokes": 400, "size": 256, "preset": "fine", "baseline": True}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="workers are killed here as Unix does it")


@pytest.fixture(scope="module")
def here(photo: Path) -> Iterator[Here]:
    before = threading.active_count()
    here = Here(Studio(LIMITS, workers=1))
    folder = here.studio.folder
    workers = [worker.process for lane in here.studio._lanes for worker in lane.workers]
    yield here
    others = [here.paint(here.add(photo, "last.png").id, LONG) for _ in range(3)]
    here(here.studio.close())
    assert [here.do("painting", each.id).state for each in others] == ["cancelled"] * 3
    assert here(tasks_left()) == 0
    here.loop.call_soon_threadsafe(here.loop.stop)
    here.thread.join(5)
    here.loop.close()
    assert not folder.exists()
    assert not any(process.is_alive() for process in workers)
    assert threading.active_count() <= before + 8  # executors' threads


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A light disc before a colour gradient, 60 x 40."""
    y, x = np.mgrid[:40, :60]
    pixels = np.stack([x * 4, y * 6, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    pixels[(x - 30) ** 2 + (y - 20) ** 2 < 100] = 240
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def picture(here: Here, photo: Path) -> str:
    record = here.add(photo, "photo.png")
    assert (record.width, record.height) == (60, 40)
    return record.id


@pytest.fixture(scope="module")
def known(photo: Path) -> dict[str, Any]:
    """A document of guidance that says where the disc is."""
    y, x = torch.meshgrid(torch.arange(40), torch.arange(60), indexing="ij")
    mask = (((x - 30) ** 2 + (y - 20) ** 2) < 100).float()[None]
    write_guidance(Guidance.from_mask(mask), path := photo.with_name("known.json"))
    return json.loads(path.read_text())


def test_a_painting_is_that_of_the_same_job_to_the_last_bit(here, photo, picture, known, tmp_path):
    job = {"strokes": 14, "size": 64, "preset": "draft", "seed": 5, "palette_from": picture}
    record = here.painted(picture, job, guidance=known)
    write = tmp_path / "known.json"
    write.write_text(json.dumps(known))
    own = {name: value for name, value in job.items() if name != "palette_from"}
    result = run(
        Job(photo, **own, palette_from=photo, guidance=write, formats=("json",), out=tmp_path / "out")
    )
    path, name = here(here.studio.file(record.id, "json"))
    assert name == "photo_painted.json"
    assert path.read_bytes() == result.outputs["json"].read_bytes()
    assert record.errors["everywhere"] == result.errors.everywhere
    assert record.shares == pytest.approx(result.painting.shares, abs=1e-4)
    assert record.job == job  # with the picture's ID
    told = json.loads(here(here.studio.guidance(record.id)).read_text())
    assert told["instances"][0]["share"] == pytest.approx(record.shares[0])
    view = json.loads(here(here.studio.view(record.id)).read_text())
    assert sum(layer["count"] for layer in view["layers"]) == record.strokes
    assert opened(here(here.studio.thumbnail(record.id))).size == (64, 43)


def test_a_variation_says_how_it_differs(here, picture):
    job = {**QUICK, "style": "impressionist"}
    record = here.painted(picture, job, variation=2, count=4)
    wanted = variations(Style.of("impressionist"), 4)[2]
    assert record.job == {**job, "seed": wanted.seed, **wanted.dials}
    again = here.painted(picture, dict(record.job))
    files = [here(here.studio.file(each.id, "json"))[0].read_bytes() for each in (record, again)]
    assert files[0] == files[1]


def test_what_is_found_and_what_is_clicked_is_the_disc(here, photo, picture):
    found = here(here.studio.look(picture, {"whole": True}))
    clicked = here(here.studio.look(picture, {"points": [[30, 20, True]]}))
    given = here(here.studio.look(picture, {"guidance": found, "points": [[30, 20, False]]}))
    assert "focus" in found
    assert "focus" not in clicked
    assert given["instances"] == []
    for each in (found, clicked):
        assert (each["width"], each["height"]) == (60, 40)
        assert each["instances"][0]["box"] == pytest.approx([20.5, 10.5, 19, 19], abs=2.5)
    for bad in ({"points": [[100, 20, True]]}, {"guidance": {"instances": [{"mask": "x.png"}]}}):
        with pytest.raises(Refused) as caught:
            here(here.studio.look(picture, bad))
        assert caught.value.status == 422
        assert str(here.studio.folder) not in str(caught.value)


def test_strokes_are_seen_while_they_are_painted_and_a_stop_keeps_them(here, picture):
    record = here.paint(picture, {**LONG, "style": "likeness"})
    events = here.until(record.id, "strokes")
    canvas = next(event.data for event in events if event.name == "canvas")
    assert (canvas["width"], canvas["height"]) == (256, 171)
    strokes = events[-1].data
    assert strokes["count"] == sum(layer["count"] for layer in strokes["layers"]) > 0
    numbers = np.frombuffer(base64.b64decode(strokes["data"]), "<u2").reshape(-1, 13) / 65535 * 3 - 1
    assert len(numbers) == strokes["count"]
    assert 0 <= numbers[:, 8:].min() <= numbers[:, 8:].max() <= 1  # opacities and colours
    began = time.monotonic()
    here.do("stop", record.id)
    end = here.until(record.id)[-1].data
    assert time.monotonic() - began < 4  # within one second on a machine that does nothing else
    assert end["state"] == "stopped"
    path, _ = here(here.studio.file(record.id, "json"))
    assert len(read_drawing(path).strokes) == end["strokes"] > 0
    assert here.studio.running == 0


def test_a_worker_that_is_killed_costs_its_painting_alone(here, picture):
    record, other = here.paint(picture, LONG), here.paint(picture, QUICK)
    assert here.do("painting", other.id).position == 1
    here.until(record.id, "strokes")
    os.kill(here.painter, signal.SIGKILL)
    end = here.until(record.id)[-1].data
    assert end["state"] == "failed"
    assert "again" in end["message"]
    assert here.until(other.id)[-1].data["state"] == "done"
    with pytest.raises(Refused) as caught:
        here(here.studio.view(record.id))
    assert caught.value.status == 409


def test_a_worker_that_does_not_stop_is_ended(here, picture):
    record = here.paint(picture, LONG)
    here.until(record.id, "strokes")
    os.kill(here.painter, signal.SIGSTOP)
    here.do("stop", record.id)
    end = here.until(record.id)[-1].data
    assert end["state"] == "cancelled"
    assert "did not stop in time" in end["message"]


def test_a_worker_whose_server_is_gone_ends_itself_while_it_paints(here, photo, tmp_path):
    task = {"task": "paint", "job": {**LONG, "image": str(photo)}, "folder": str(tmp_path), "frame": None}

    async def left_alone() -> Any:
        worker, painting = Worker(here.loop, "paint"), asyncio.Event()
        await asyncio.to_thread(worker.begin, context(), 0)
        work = asyncio.ensure_future(worker.do({**task, "threads": 1}, lambda name, data: painting.set()))
        await painting.wait()
        worker.end()  # what the system does to the pipes of a process that is gone
        with pytest.raises(Refused):
            await work
        return worker.process

    process = here(left_alone())
    process.join(5)
    assert process.exitcode == 0


def test_a_worker_that_is_given_up_is_no_longer_read_from(here):
    """Else a thread would go on to read whatever is opened next under the number of its pipe."""

    async def given_up() -> None:
        worker = Worker(here.loop, "paint")
        worker._pipe, theirs = context().Pipe()
        listener = threading.Thread(target=worker._listen, daemon=True)
        listener.start()
        os.write(theirs.fileno(), (1000).to_bytes(4, "big") + b"half of it")
        await asyncio.sleep(0.1)
        worker.end()
        await asyncio.to_thread(listener.join, 2)
        assert not listener.is_alive()
        assert worker._pipe.closed
        worker.end()
        with pytest.raises(Refused):
            worker._send({})
        theirs.close()

    here(given_up())


def test_what_waits_is_cancelled_at_once_and_what_is_removed_is_gone(here, picture):
    first, second = here.paint(picture, LONG), here.paint(picture, LONG, visitor="other")
    third = here.paint(picture, LONG, visitor="")
    assert [here.do("painting", each.id).position for each in (first, second, third)] == [None, 1, 2]
    assert here.do("stop", second.id).state == "cancelled"
    assert here.do("painting", third.id).position == 1
    folder = here.studio._paintings.known[first.id].folder
    for each in (third, first):
        here.do("remove", each.id)
        with pytest.raises(Refused) as caught:
            here.do("painting", each.id)
        assert caught.value.status == 404
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not folder.exists()
    assert here.studio.running == 0


def test_the_queue_is_bounded(here, picture):
    records = [here.paint(picture, LONG) for _ in range(LIMITS.queue + 1)]
    with pytest.raises(Refused) as caught:
        here.paint(picture, LONG)
    assert caught.value.status == 429
    for record in reversed(records):
        here.do("remove", record.id)


def test_what_nobody_follows_is_stopped_unless_it_need_not_be_followed(here, picture):
    record = here.paint(picture, LONG, attended=True)
    here.until(record.id, "strokes")  # and then the page is closed
    known, deadline = here.studio._paintings.known[record.id], time.monotonic() + 10
    while known.record.state not in ENDED and time.monotonic() < deadline:
        time.sleep(0.02)
    assert known.record.state in KEPT
    assert "nobody" in known.record.message
    alone = here.paint(picture, QUICK)
    time.sleep(LIMITS.grace)
    assert here.until(alone.id)[-1].data["state"] == "done"


def test_a_region_is_painted_over_and_the_rest_stays(here, picture):
    before = here.painted(picture, {**QUICK, "strokes": 30})
    region = np.zeros((40, 60), np.uint8)
    region[10:30, 20:40] = 255
    png = io.BytesIO()
    Image.fromarray(region).save(png, "PNG")
    job = {"strokes": 6, "preset": "draft", "baseline": True}
    record = here.painted(picture, job, of=before.id, region=png.getvalue())
    assert record.of == before.id
    assert before.strokes < record.strokes <= before.strokes + 6
    pictures = [
        np.asarray(opened(here(here.studio.file(each.id, "png"))[0]), int) for each in (before, record)
    ]
    change = np.abs(pictures[0] - pictures[1]).max(axis=2)
    assert change[11:32, 22:42].max() > 10
    change[9:34, 19:45] = 0  # the region, and the pixels that it shares with what is round it
    assert change.max() == 0
    with pytest.raises(Refused):
        here.paint(picture, job, region=png.getvalue())
    bad = here.paint(picture, job, of=before.id, region=b"no picture")
    assert here.until(bad.id)[-1].data["state"] == "failed"


def test_files_have_options_and_are_written_once(here, picture):
    record = here.painted(picture, QUICK)
    path, name = here(here.studio.file(record.id, "png", {"size": "200"}))
    assert (name, opened(path).size) == ("photo_painted.png", (200, 134))
    assert here(here.studio.file(record.id, "png", {"size": "200"}))[0].stat() == path.stat()
    page, _ = here(here.studio.file(record.id, "html"))
    assert '"photo": "data:image/jpeg' in page.read_text()
    with pytest.raises(Refused) as caught:
        here(here.studio.file(record.id, "gif", {"duration": "61"}))
    assert caught.value.status == 422
    with zipfile.ZipFile(here(here.studio.zip([record.id, record.id], ["png", "svg"]))) as archive:
        assert archive.namelist() == ["photo_painted.png", "photo_painted.svg"]


def test_a_film_is_not_waited_for_and_ends_with_its_painting_or_its_time(here, picture):
    record, other = here.painted(picture, QUICK), here.painted(picture, QUICK)
    film = {"size": 1024, "duration": 60, "fps": 60, "brush": "watercolor"}

    def begun() -> Any:
        known = here.studio._paintings.known[record.id]
        writing = asyncio.run_coroutine_threadsafe(here.studio.file(record.id, "mp4", film), here.loop)
        deadline = time.monotonic() + 20
        while not any(known.folder.glob(".*.part*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return writing

    keeping, limits = here.studio._keeping, here.studio.limits
    keeping._limits = dataclasses.replace(limits, file_seconds=1.0)
    try:
        with pytest.raises(Refused, match="too long"):
            begun().result(20)
    finally:
        keeping._limits = limits
    writing = begun()
    assert here(here.studio.file(other.id, "svg"))[0].is_file()
    assert not writing.done()
    here.do("remove", record.id)
    with pytest.raises(Refused) as caught:
        writing.result(20)
    assert caught.value.status == 404


def test_a_project_opens_again_with_the_same_painting(here, picture, known):
    record = here.painted(picture, {"strokes": 10, "size": 64, "preset": "draft"}, guidance=known)
    project = here(here.studio.project(record.id))
    upload = here.studio.folder / "upload"
    shutil.copyfile(project, upload)
    again = here(here.studio.open_project(upload))
    assert not upload.exists()
    assert again.job == record.job
    assert again.picture.name == "photo.png"
    assert [each["mask"] for each in again.guidance["instances"]] == [
        each["mask"] for each in known["instances"]
    ]
    files = [
        here(here.studio.file(each, format))[0].read_bytes()
        for each in (record.id, again.painting.id)
        for format in ("png", "json")
    ]
    assert files[:2] == files[2:]
    with zipfile.ZipFile(upload, "w") as archive, zipfile.ZipFile(project) as whole:
        for name in ("project.json", "job.json", "photo.png"):
            archive.writestr(name, whole.read(name))
        archive.writestr("palette_from.png", whole.read("photo.png"))
        archive.writestr("guidance.json", "{}")
    before = set(here.studio._pictures.sent)
    with pytest.raises(Refused, match="guidance"):
        here(here.studio.open_project(upload))
    assert set(here.studio._pictures.sent) == before  # not even the picture of the palette is left
    upload.write_bytes(project.read_bytes().replace(b"strokes.json", b"strikes.json"))
    with pytest.raises(Refused) as caught:
        here(here.studio.open_project(upload))
    assert caught.value.status == 415


def test_bad_uploads_get_a_friendly_sentence(here, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("no picture")
    large = tmp_path / "large.png"
    Image.new("1", (600, 600)).save(large)
    huge = tmp_path / "huge.jpg"
    huge.write_bytes(bytes(LIMITS.upload_bytes + 1))
    for path, status in ((bad, 415), (large, 413), (huge, 413)):
        with pytest.raises(Refused) as caught:
            here.add(path, "../My\x1b cat.jpg")
        assert caught.value.status == status
        assert "My\\x1b cat.jpg" in str(caught.value)
        assert str(here.studio.folder) not in str(caught.value)


def test_what_nobody_has_touched_is_removed_but_not_what_is_painted(here, photo):
    old, used = here.add(photo, "old.png"), here.add(photo, "used.png")
    record = here.paint(used.id, LONG)
    studio, limits = here.studio, here.studio.limits
    studio.limits = dataclasses.replace(limits, keep_seconds=0)
    try:
        here.do("_expire")
    finally:
        studio.limits = limits
    with pytest.raises(Refused):
        here.do("picture", old.id)
    assert not old.path.exists()
    assert used.path.exists()
    here.do("remove", record.id)


def test_there_is_no_more_on_the_disk_than_there_may_be(here, photo):
    most = here.studio.store.most
    here.studio.store.most = here.studio.store.used + 10
    try:
        with pytest.raises(Refused) as caught:
            here.add(photo, "photo.png")
        assert caught.value.status == 503
    finally:
        here.studio.store.most = most
