"""Whole films: what comes out, and that it is the same however often painting was interrupted."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli import film as cli_film
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.cli.progress import FilmBar
from semantic_guidance.apps.film.options import FilmOptions
from semantic_guidance.apps.film.run import FilmResult, run_film
from semantic_guidance.apps.job import Job
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.locks import only_one
from semantic_guidance.export.track_json import read_track
from semantic_guidance.painter.film.film import Film
from semantic_guidance.painter.film.frame import FilmFrame
from tests.films import NTSC, moving, read_film, write_film

FAST = {"strokes": 12, "preset": "draft", "baseline": True}


class Interrupting:
    """Ends painting after some frames, as Ctrl-C does; what was told before."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.begun: list[tuple[int | None, int, int]] = []

    def begin(self, total: int | None, done: int, again: int = 0) -> None:
        self.begun.append((total, done, again))

    def tell(self) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def painted(film: Path, out: Path, every: int = 1, **job) -> FilmResult:
    return run_film(Job(film, out=out, **FAST, **job), FilmOptions(every=every))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 9 frames with sound, which has parts of two frames if every fourth is painted."""
    path: Path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_film(path, moving(9), NTSC, sound="aac")
    return path


def streams(path: Path) -> dict[str, object]:
    """What FFmpeg says of a film."""
    with av.open(str(path)) as container:
        video, sounds = container.streams.video[0], container.streams.audio
        coder = video.codec_context
        found = {
            "rate": video.average_rate,
            "length": video.duration * video.time_base,
            "tags": (coder.colorspace, coder.color_primaries, coder.color_trc, coder.color_range),
            "sound": [sound.codec_context.name for sound in sounds],
        }
        frames = sum(1 for _ in container.decode(video=0))
    return {**found, "frames": frames}


def heard(path: Path) -> list[tuple[float, bytes]]:
    """The sound of a film, as it is stored, and the seconds at which each piece is heard."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.pts is not None]
        return [(float(packet.pts * packet.time_base), bytes(packet)) for packet in packets]


def test_a_film_keeps_its_rate_its_length_and_its_sound(clip, tmp_path):
    result = painted(clip, tmp_path, formats=("mp4", "track.json", "png"))
    assert (result.frames, result.rate, result.size, result.before) == (9, NTSC, (64, 48), 0)
    told = streams(result.outputs["mp4"])
    assert told["frames"] == 9
    assert told["rate"] == NTSC
    assert told["length"] == 9 / NTSC
    assert told["tags"] == (1, 1, 1, 1)
    assert told["sound"] == ["aac"]
    assert heard(result.outputs["mp4"]) == heard(clip)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clip_painted.mp4", "clip_painted.png", "clip_painted.track.json"
    ]  # fmt: skip
    found = read_film(result.outputs["mp4"])
    near = [np.abs(a.astype(int) - b).mean() for a, b in zip(found, moving(9), strict=True)]
    assert max(near) < 40
    assert read_track(result.outputs["track.json"]).count == 9


def test_every_nth_frame_lasts_n_times_as_long(clip, tmp_path):
    result = painted(clip, tmp_path, every=4)
    told = streams(result.outputs["mp4"])
    assert (told["frames"], told["rate"], told["length"]) == (3, NTSC / 4, 3 / (NTSC / 4))
    assert heard(result.outputs["mp4"]) == heard(clip)


def test_a_film_that_was_interrupted_is_the_same_to_the_last_bit(tmp_path):
    film = tmp_path / "a.mp4"
    write_film(film, moving(6), Fraction(3))
    formats = ("mp4", "gif", "track.json")
    whole = painted(film, tmp_path / "whole", formats=formats)
    job = Job(film, out=tmp_path / "again", formats=formats, **FAST)
    with pytest.raises(KeyboardInterrupt, match=r"the first \d frames are kept"):
        run_film(job, FilmOptions(), Interrupting(5))
    assert [path.name for path in job.out.iterdir()] == [".a_painted.parts"]
    assert len(read_film(job.out / ".a_painted.parts" / "part-0000000.mkv")) == 3
    rest = Interrupting(0)
    result = run_film(job, FilmOptions(), rest)
    assert rest.begun == [(6, 0, 3), (6, 3, 0)]
    assert result.before == 3
    for name, path in whole.outputs.items():
        assert path.read_bytes() == result.outputs[name].read_bytes(), name
    assert len(list(job.out.iterdir())) == len(formats)


def test_a_second_is_kept_before_the_next_one_begins(tmp_path, monkeypatch):
    film = tmp_path / "a.mp4"
    write_film(film, moving(3), Fraction(2))
    paint = Film.next

    def interrupted(own: Film, *about: Any) -> FilmFrame:
        if own.number == 2:
            raise KeyboardInterrupt
        return paint(own, *about)

    monkeypatch.setattr(Film, "next", interrupted)
    with pytest.raises(KeyboardInterrupt, match="the first 2 frames are kept"):
        painted(film, tmp_path / "out")


@pytest.mark.parametrize("damage", [b"", b'{"frame": 0, "frames": 2', b"\xff" * 20])
def test_other_settings_and_damaged_parts_begin_afresh(tmp_path, damage):
    film = tmp_path / "a.mp4"
    write_film(film, moving(5), Fraction(2))
    job = Job(film, out=tmp_path / "out", **FAST)
    with pytest.raises(KeyboardInterrupt):
        run_film(job, FilmOptions(), Interrupting(4))
    lively = Interrupting(4)
    with pytest.raises(KeyboardInterrupt):
        run_film(job, FilmOptions(hold="lively"), lively)
    parts = job.out / ".a_painted.parts"
    (parts / "memory.npz").write_bytes(b"PK")
    again = Interrupting(1)
    with pytest.raises(KeyboardInterrupt):
        run_film(job, FilmOptions(hold="lively"), again)
    assert lively.begun == again.begun == [(5, 0, 0)]
    with pytest.raises(KeyboardInterrupt):
        run_film(job, FilmOptions(hold="lively"), Interrupting(4))
    (parts / "part-0000000.json").write_bytes(damage)
    cut = Interrupting(3)
    with pytest.raises(KeyboardInterrupt):
        run_film(job, FilmOptions(hold="lively"), cut)
    assert cut.begun == [(5, 0, 2), (5, 0, 0)]
    with only_one(parts, "to wait"), pytest.raises(InputError, match="another process"):
        run_film(job)


def test_a_track_is_rendered_to_the_same_film(clip, tmp_path, capsys):
    result = painted(clip, tmp_path, every=3, formats=("mp4", "track.json", "png"))
    track = str(result.outputs["track.json"])
    again = tmp_path / "again"
    assert (
        main(["render", track, "--sound", str(clip), "--formats", "mp4,track.json", "--out", str(again)]) == 0
    )
    for name in ("mp4", "track.json"):
        assert (again / f"clip_painted.{name}").read_bytes() == result.outputs[name].read_bytes()
    assert main(["render", track, "--frame", "1", "--out", str(again)]) == 0
    with Image.open(again / "clip_painted.png") as one, Image.open(result.outputs["png"]) as two:
        assert np.array_equal(np.array(one), np.array(two))
    capsys.readouterr()
    assert main(["render", track, "--size", "128", "--brush", "oil", "--out", str(again), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["height"], told["frames"]) == (128, 96, 3)
    assert main(["render", track, "--frame", "4", "--out", str(again)]) == 2
    assert "--frame: got 4, wanted 1 to 3" in capsys.readouterr().err


def test_a_film_that_is_too_large_for_the_memory_is_told_of(clip, tmp_path, monkeypatch, capsys):
    """Its frames are as long as the painting, if no other size is asked for."""
    track = painted(clip, tmp_path, every=9, formats=("track.json",)).outputs["track.json"]
    needed: list[int] = []

    def lacking(bytes_: int) -> int | None:
        needed.append(bytes_)
        return 1000 if bytes_ else None

    monkeypatch.setattr("semantic_guidance.apps.room.lacking", lacking)
    words = ["--out", str(tmp_path), "--formats", "mp4"]
    for size in (["--size", "1024"], ["--size", "1024", "--film-size", "1024"]):
        assert main(["render", str(track), *size, *words]) == 2
        assert main(["paint", str(clip), *size, *words]) == 2
        assert capsys.readouterr().err.count("GB of memory, wanted less") == 2
    needed = [each for each in needed if each]
    assert needed[:2] == needed[2:]
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_gif_is_a_film_if_that_is_asked_for(tmp_path, capsys):
    pictures = [Image.fromarray(frame) for frame in moving(3)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 200, 100])
    words = [str(path), "--strokes", "8", "--preset", "draft", "--baseline", "--out", str(tmp_path)]
    assert main(["paint", *words, "--film", "--formats", "mp4,gif", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["rate"], told["sound"]) == (4, [10, 1], False)
    assert len(read_film(Path(told["outputs"]["mp4"]))) == 4
    with Image.open(told["outputs"]["gif"]) as image:
        assert image.is_animated


@pytest.mark.parametrize("words", ["--every 2", "--hold lively"])
def test_what_pictures_do_not_have_is_told(tmp_path, capsys, words):
    for name in ("a", "b"):
        Image.fromarray(moving(1)[0]).save(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    for images in ([str(tmp_path / "a.png")], [str(tmp_path)]):
        assert main(["paint", *images, "--out", str(out), *words.split()]) == 2
        assert f"{words.split()[0]}: it is for films" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--frame 2", "--frame: this is a film"),
        ("--background #204060", "--background: it is for a picture"),
        ("--fps 30", "--fps: a film keeps its own rate"),
        ("--formats plotter", "--formats: plotter.svg is for a picture"),
        ("--variations 3", "--variations: it is about a picture"),
        ("--every 0", "--every: got '0', wanted"),
        ("--hold soft", "--hold"),
        ("--dry-run", "--dry-run: it is for many pictures"),
        ("--shard 1/2", "--shard: it is for many pictures"),
        ("--workers 2", "--workers: it is for many pictures"),
        ("--palette " + ",".join(["#112233"] * 40) + " --frame 2", "--frame: this is a film"),
    ],
)
def test_what_films_do_not_have_is_told(clip, tmp_path, capsys, words, complaint):
    assert main(["paint", str(clip), "--out", str(tmp_path / "out"), *words.split()]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_film_is_not_painted_over(clip, tmp_path):
    copy = tmp_path / "clip.mp4"
    copy.write_bytes(clip.read_bytes())
    with pytest.raises(InputError, match="would overwrite its own input"):
        run_film(Job(copy, out=tmp_path, output="clip.mp4", **FAST))


def test_one_broken_film_of_several_is_skipped(clip, tmp_path, capsys):
    broken, picture = tmp_path / "broken.mp4", tmp_path / "a.png"
    broken.write_text("no film")
    Image.fromarray(moving(1)[0]).save(picture)
    words = ["--strokes", "8", "--preset", "draft", "--baseline", "--every", "9", "--out", str(tmp_path)]
    assert main(["paint", str(broken), str(picture), *words]) == 2
    assert "broken.mp4: this is a film, and not all are" in capsys.readouterr().err
    assert main(["paint", str(broken), str(clip), "--output", "x", *words]) == 2
    assert "--output: it would be the name of each" in capsys.readouterr().err
    assert main(["paint", str(broken), str(clip), *words]) == 1
    assert "semantic-guidance: failed: " in capsys.readouterr().err
    assert (tmp_path / "clip_painted.mp4").is_file()


def test_a_pattern_means_all_films_that_match(clip, tmp_path, capsys):
    clips = tmp_path / "clips"
    (clips / "painted").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "painted/old.mp4"):
        (clips / name).write_bytes(clip.read_bytes())
    words = [
        "--strokes",
        "8",
        "--preset",
        "draft",
        "--baseline",
        "--every",
        "9",
        "--out",
        str(clips / "painted"),
    ]
    assert main(["paint", str(clips / "**/*.mp4"), *words]) == 0
    painted = sorted(path.name for path in (clips / "painted").iterdir())
    assert painted == ["a_painted.mp4", "b_painted.mp4", "old.mp4"]
    assert main(["paint", str(clips / "*.mkv"), *words]) == 2
    assert "*.mkv: no film matches this, wanted a film, or a pattern of some" in capsys.readouterr().err


def test_a_pattern_means_no_paintings_of_its_own_films(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "a_painted.mp4", "a_painted_painted.mp4", "b_painted.mp4", "other/a_painted.mp4"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"")
    seen: list[str] = []
    monkeypatch.setattr(cli_film, "paint_film", lambda job, *_: seen.append(str(job.image)))
    assert main(["paint", "*.mp4"]) == 0
    assert main(["paint", "*.mp4", "b_painted.mp4", "--out", "new"]) == 0
    names = ["a.mp4", "b_painted.mp4", "a.mp4", "a_painted.mp4", "a_painted_painted.mp4", "b_painted.mp4"]
    assert [Path(name).name for name in seen] == names


def test_films_that_would_have_the_same_name_are_refused(clip, tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    for name in ("a.mp4", "a.mov", "sub/a.mp4"):
        (tmp_path / name).write_bytes(clip.read_bytes())
    for words in (["**/*.mp4"], ["a.mp4", "a.mov"]):
        assert main(["paint", *(str(tmp_path / word) for word in words), "--out", str(tmp_path)]) == 2
        assert "would both become a_painted" in capsys.readouterr().err
    assert not list(tmp_path.glob("*_painted*"))


def test_an_end_tells_which_of_several_films_are_painted(clip, tmp_path, capsys, monkeypatch):
    copy = tmp_path / "z.mp4"
    copy.write_bytes(clip.read_bytes())
    told = FilmBar.tell

    def interrupted(bar: FilmBar) -> None:
        told(bar)
        if (tmp_path / "out" / "clip_painted.mp4").exists():
            raise KeyboardInterrupt

    monkeypatch.setattr(FilmBar, "tell", interrupted)
    words = ["--strokes", "8", "--preset", "draft", "--baseline", "--every", "3"]
    assert main(["paint", str(clip), str(copy), "--out", str(tmp_path / "out"), *words]) == 130
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == "semantic-guidance: interrupted; films painted before it, to be left out next time: 1"
