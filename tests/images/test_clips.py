"""Films as they are read: upright, on an even beat, of right colours; and what is none, or a broken one."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.images import videos
from semantic_guidance.images.clips import open_clip
from semantic_guidance.images.film_names import is_film
from semantic_guidance.images.hdr import on_screen
from semantic_guidance.images.rates import evened, named
from semantic_guidance.images.shots import Trouble
from tests.films import NTSC, moving, write_film

FRAMES = moving(9)


def off(found, wanted) -> float:
    """The mean difference of two pictures, in levels of 255."""
    return float(np.abs(found.astype(int) - wanted.astype(int)).mean())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"sound": "aac"}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("a.avi", {"codec": "mpeg4", "matrix": 5}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("bt601.mp4", {"matrix": 5}),
    ],
)
def test_frames_are_those_that_were_written(tmp_path, name, options):
    write_film(tmp_path / name, FRAMES, **options)
    clip, trouble = open_clip(tmp_path / name), Trouble()
    assert (clip.rate, clip.width, clip.height, clip.sound) == (NTSC, 64, 48, "sound" in options)
    assert (clip.notes, clip.start) == ((), 0)
    found = list(clip.pictures(trouble=trouble))
    assert len(found) == len(FRAMES)
    assert trouble.words() == ""
    assert all(off(*pair) < 5 for pair in zip(found, FRAMES, strict=True))
    assert off(found[0], FRAMES[3]) > 5  # so that it means something
    every = list(clip.pictures(every=4))
    assert [np.array_equal(each, found[4 * n]) for n, each in enumerate(every)] == [True] * 3
    assert np.array_equal(next(clip.pictures(every=4, first=1)), found[4])


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (-90, -1), (180, 2)])
def test_frames_are_upright(tmp_path, degrees, quarters):
    write_film(tmp_path / "a.mp4", FRAMES[:2], turned=degrees)
    clip = open_clip(tmp_path / "a.mp4")
    wanted = np.rot90(FRAMES[0], quarters)
    assert (clip.height, clip.width) == wanted.shape[:2]
    assert off(next(clip.pictures()), wanted) < 5


def test_mirrored_frames_are_as_players_show_them():
    """A matrix that turns left into right: x' = -x."""
    picture = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    assert np.array_equal(videos.Look(2, 1, across=True).upright(picture), picture[:, ::-1])


def test_pixels_are_square(tmp_path):
    write_film(tmp_path / "a.mp4", FRAMES[:2], square=Fraction(4, 3))
    clip = open_clip(tmp_path / "a.mp4")
    assert (clip.width, clip.height) == (85, 48)
    assert next(clip.pictures()).shape == (48, 85, 3)


def test_varying_times_are_put_on_a_beat(tmp_path):
    times = [0, 1, 2, 3, 7, 8, 9, 12, 13]
    write_film(tmp_path / "a.mp4", FRAMES, Fraction(30), times=times)
    clip = open_clip(tmp_path / "a.mp4")
    assert "varying times" in clip.notes[0]
    seen = [n for n, each in enumerate(clip.pictures()) if each is not None]
    beats = [int(time * clip.rate / 30 + Fraction(1, 2)) for time in times]
    assert seen == sorted(set(beats))


def test_rates_are_those_that_are_meant():
    assert named(Fraction(23976, 1000)) == NTSC
    assert named(Fraction(2997, 100)) == Fraction(30000, 1001)
    assert named(Fraction(24)) == 24
    assert evened(Fraction(2871, 100)) == Fraction(30000, 1001)


def test_hdr_is_painted_in_the_colours_of_screens(tmp_path):
    """White paper has 203 candelas per square metre (ITU-R BT.2408): .58 of PQ's range, .75 of HLG's."""
    levels = {16: 0.5807, 18: 0.75}
    for transfer, level in levels.items():
        frames = [np.full((48, 64, 3), each, np.uint8) for each in (round(level * 255), 0)]
        write_film(tmp_path / "a.mp4", frames, transfer=transfer)
        clip = open_clip(tmp_path / "a.mp4")
        assert "is HDR" in clip.notes[0]
        white, black = (float(each.mean()) for each in clip.pictures())
        assert white > 240
        assert black < 2


def test_light_and_colours_are_those_of_the_recommendations():
    """BT.2408: 58 % of PQ is 203 candelas; BT.2087: grey stays grey, and BT.2020's red is beyond BT.709's."""

    def seen(numbers, transfer, primaries):
        pixels = np.array([[numbers]], np.float64) * 65535
        return on_screen(np.rint(pixels).astype(np.uint16), transfer, primaries)[0, 0].tolist()

    assert seen([0.5807] * 3, 16, 9) == pytest.approx([255] * 3, abs=1)
    hundred = 255 * (100 / 203) ** (1 / 2.4)
    assert seen([0.5081] * 3, 16, 9) == pytest.approx([hundred] * 3, abs=1)  # 100 candelas, BT.2100
    assert seen([0.75] * 3, 18, 9) == pytest.approx([255] * 3, abs=1)
    assert seen([0.5] * 3, 14, 9) == pytest.approx([127.5] * 3, abs=1)
    assert seen([1, 0, 0], 14, 9) == [255, 0, 0]
    assert seen([0.5, 0.25, 0.25], 14, 12)[0] > 128  # a stronger red


def test_what_is_cut_off_is_painted_as_far_as_it_goes(tmp_path):
    write_film(tmp_path / "a.mkv", moving(60), Fraction(24))
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    trouble = Trouble()
    frames = list(open_clip(tmp_path / "cut.mkv").pictures(trouble=trouble))
    assert 3 < len(frames) < 50
    assert "it ends early" in trouble.words()


def test_broken_pieces_keep_the_length(tmp_path):
    write_film(tmp_path / "a.mp4", FRAMES)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    begin = data.index(b"mdat") + 900
    data[begin : begin + 600] = bytes(600)
    (tmp_path / "a.mp4").write_bytes(data)
    trouble = Trouble()
    assert len(list(open_clip(tmp_path / "a.mp4").pictures(trouble=trouble))) == len(FRAMES)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("a.mp4", b"", "the file is empty, wanted a film"),
        ("a.mp4", b"no film at all" * 99, "not a film that can be read"),
        ("a.mp4", PLAYLIST, "not a film that can be read"),
        ("a.mp4", b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a film that can be read"),
        ("a.gif", b"GIF89a" + bytes(30), "broken|not a picture"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path, name, data, complaint):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=complaint):
        open_clip(tmp_path / name)


def test_huge_frames_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    write_film(tmp_path / "a.mp4", FRAMES[:2])
    monkeypatch.setattr(videos, "MAX_FRAME", 3000)
    with pytest.raises(InputError, match="64 x 48 pixels, wanted at most"):
        open_clip(tmp_path / "a.mp4")


def test_sound_alone_is_no_film(tmp_path):
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        part.sample_rate = 48000
        container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no moving pictures in it"):
        open_clip(tmp_path / "a.mka")


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_animations_keep_their_times(tmp_path, kind):
    pictures = [Image.fromarray(frame) for frame in FRAMES[:4]]
    path = tmp_path / f"a.{kind}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 100, 200])
    clip = open_clip(path)
    assert (clip.rate, clip.count, clip.width, clip.height) == (10, 7, 64, 48)
    seen = [each is not None for each in clip.pictures()]
    assert seen == [True, True, False, False, True, True, False]
    assert off(next(clip.pictures(first=4)), FRAMES[2]) < 8


def test_transparent_animations_lie_on_white(tmp_path):
    clear = np.zeros((8, 10, 4), np.uint8)
    clear[2:5, 3:6] = (200, 30, 40, 255)
    pictures = [Image.fromarray(clear), Image.fromarray(np.roll(clear, 2, 1))]
    pictures[0].save(
        tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=50, lossless=True
    )
    clip = open_clip(tmp_path / "a.webp")
    first, second = clip.pictures()
    assert clip.rate == 20
    assert "transparent" in clip.notes[0]
    assert (first[0, 0].tolist(), first[3, 4].tolist()) == ([255, 255, 255], [200, 30, 40])
    assert second[3, 6].tolist() == [200, 30, 40]


def test_numbered_frames_come_by_their_numbers(tmp_path):
    for number, frame in zip([1, 2, 10, 11], FRAMES, strict=False):
        Image.fromarray(frame).save(tmp_path / f"shot{number}.png")
    for path in (tmp_path, tmp_path / "shot%d.png"):
        clip = open_clip(path, Fraction(25))
        assert (clip.rate, clip.count) == (25, 4)
        assert clip.notes == (
            f"{path}: 7 of the numbers 1 to 11 are missing, and the frames follow each other all the same",
        )
        assert all(map(np.array_equal, clip.pictures(), FRAMES))
    assert open_clip(tmp_path).rate == 24
    Image.fromarray(FRAMES[0][:20]).save(tmp_path / "shot5.png")
    with pytest.raises(InputError, match=r"shot5.png: the frame is 64 x 20, wanted 64 x 48"):
        list(open_clip(tmp_path).pictures())
    Image.fromarray(FRAMES[0]).save(tmp_path / "other1.png")
    with pytest.raises(InputError, match=r"frames other....png and shot....png in it"):
        open_clip(tmp_path)
    with pytest.raises(InputError, match=r"no such frames, wanted none_0001\.png"):
        open_clip(tmp_path / "none_%04d.png")


def test_what_is_a_film(tmp_path):
    (tmp_path / "100%d.png").touch()
    film = {"a.mp4": True, "a.MOV": True, "b/%04d.png": True, "a.gif": False, "a.jpg": False, "b": False}
    for name, wanted in film.items():
        assert is_film(tmp_path / name) == wanted
        assert is_film(tmp_path / name, asked=True)
    assert not is_film(tmp_path / "100%d.png")  # which is there
