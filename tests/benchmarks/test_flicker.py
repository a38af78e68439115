"""The figures of films for which they are known, and the clips that are made for measuring."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.benchmarks.running import load

flicker = load("flicker")
clips = load("clips")

SIDE, COUNT = 96, 6


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth spots of all colours."""
    blurred = cv2.GaussianBlur(noise(height, width, 3, seed=seed).astype(np.float32), (0, 0), 2)
    low, high = blurred.min(), blurred.max()
    return (255 * (blurred - low) / (high - low)).astype(np.uint8)


def shifted(picture: np.ndarray, shifts: list[tuple[int, int]], height: int, width: int) -> np.ndarray:
    """Frames of a picture past which the camera goes by whole pixels."""
    return np.stack([picture[y : y + height, x : x + width] for x, y in shifts])


WAY = [(4, 2), (7, 3), (10, 2), (12, 0)]


class TestFlicker:
    def test_a_still_film_of_a_still_source_does_not_flicker(self):
        source = np.repeat(texture(80, 120)[None], 4, 0)
        known = flicker.pairs(source, range(1, 4))
        found = flicker.flicker(dict(enumerate(np.repeat(texture(80, 120, 1)[None], 4, 0))), known)
        errors = found.e_warp, found.source, found.strict, found.strict_source
        assert errors == pytest.approx((0, 0, 0, 0), abs=0.01)  # by Farneback's flow, not quite 0 at borders
        assert found.tof == pytest.approx(0, abs=0.02)
        assert all(pair.unoccluded.mean() > 0.95 and pair.explained.all() for pair in known)

    def test_noise_has_twice_its_variance(self):
        source = np.repeat(texture(120, 160)[None], 3, 0)
        film = dict(enumerate(noise(3, 120, 160, 3, seed=5)))
        found = flicker.flicker(film, flicker.pairs(source, [1, 2]))
        assert found.e_warp == pytest.approx(2 * (256**2 - 1) / 12, rel=0.02)
        assert found.strict == pytest.approx(2 * (256**2 - 1) / 12, rel=0.02)
        assert found.tof > 1

    def test_a_step_in_one_channel_worked_out_by_hand(self):
        source = np.repeat(texture(80, 120)[None], 2, 0)
        film = np.full((2, 80, 120, 3), 100, np.uint8)
        film[1, :20, :, 0] = 112  # 144 in a quarter of the pixels and a third of the channels
        assert flicker.flicker(dict(enumerate(film)), flicker.pairs(source, [1])).e_warp == pytest.approx(
            12, 0.05
        )

    def test_a_film_that_moves_with_its_source_does_not_flicker(self):
        source = shifted(texture(130, 170), WAY, 120, 150)
        film = shifted(texture(130, 170, 1), WAY, 120, 150)
        known = flicker.pairs(source, [1, 2, 3])
        found = flicker.flicker(dict(enumerate(film)), known)
        still = flicker.flicker(dict(enumerate(np.repeat(film[:1], 4, 0))), known)
        assert found.e_warp < 0.02 * still.e_warp
        assert found.tof < 0.2 < 2 < still.tof
        for pair in known:
            dx, dy = np.subtract(WAY[pair.number], WAY[pair.number - 1])
            assert np.median(pair.back, (0, 1)) == pytest.approx([dx, dy], abs=0.05)
            back = np.broadcast_to(np.float32([dx, dy]), pair.back.shape)
            inside = flicker.unoccluded(back, -back)
            assert inside.sum() == (120 - abs(dy)) * (150 - abs(dx))
            before, after = film[pair.number - 1], film[pair.number]
            assert flicker.warp_error(before, after, back, inside) == 0

    def test_what_is_behind_a_moving_thing_is_left_out(self):
        back = np.zeros((40, 60, 2), np.float32)
        forth = back.copy()
        back[10:20, 22:32, 0] = -2  # a square that has gone two pixels to the right
        forth[10:20, 20:30, 0] = 2
        seen = flicker.unoccluded(back, forth)
        assert not seen[10:20, 20:22].any()  # was hidden by it
        assert seen[12:18, 25:30].all()
        assert not seen[10:19, 31].any()  # motion has an edge there
        assert seen[:8].all()
        assert seen[22:].all()

    def test_frames_that_are_not_there(self):
        source = np.repeat(texture(20, 30)[None], 4, 0)
        known = flicker.pairs(source, [1, 3])
        assert flicker.flicker({0: source[0], 3: source[0]}, known) is None
        flat = np.full_like(source[0], 7)
        assert flicker.flicker({2: flat, 3: flat}, known).e_warp == 0

    def test_psnr(self):
        one, other = np.zeros((2, 4, 3), np.uint8), np.zeros((2, 4, 3), np.uint8)
        other[0, 0] = 51  # a fifth, in an eighth of the pixels
        assert flicker.psnr(one, other) == pytest.approx(10 * np.log10(25 * 8))
        part = other[..., 0] > 0
        assert flicker.psnr(one, other, part) == pytest.approx(10 * np.log10(25))
        assert flicker.psnr(one, other, ~part) == flicker.EQUAL
        assert np.isnan(flicker.psnr(one, other, part & ~part))

    def test_lives(self):
        ids = [np.array(each) for each in ([1, 2, 3], [1, 2, 4], [1, 5, 4])]
        assert flicker.lives(ids) == pytest.approx(((3 + 2 + 1 + 2 + 1) / 5, 1 / 3))


@pytest.fixture(scope="module", params=sorted(clips.MADE))
def clip(request: pytest.FixtureRequest):
    return clips.clip(request.param, None, SIDE, COUNT)


class TestClips:
    def test_pixels_move_as_is_told(self, clip):
        errors = [0.0]
        for number in range(1, COUNT):
            motion = clip.motions[number]
            if motion is None:
                assert number in clip.cuts
                continue
            inner = motion.seen & ~_edges(clip.masks[number]) & ~_edges(clip.masks[number - 1])
            assert inner.mean() > 0.6
            before, after = clip.frames[number - 1], clip.frames[number]
            errors.append(flicker.warp_error(before, after, motion.back, inner))
        assert max(errors) < (1e-6 if clip.name == "pan" else 40)  # that of enlarging and turning
        assert clip.motions[0] is None

    def test_objects_move_as_a_whole(self, clip):
        assert clip.masks.shape[:2] == (COUNT, {"object": 1, "fast": 1, "still": 2}.get(clip.name, 0))
        for number in range(1, COUNT):
            if clip.motions[number] is None:
                continue
            back = clip.motions[number].back
            for mask, before in zip(clip.masks[number], clip.masks[number - 1], strict=True):
                inner = mask & ~_edges(mask[None])
                assert flicker.looked_up(before.astype(np.float32), back)[inner].mean() > 0.99
                assert mask.sum() > 20

    def test_cut(self):
        cut = clips.cut(SIDE, COUNT)
        assert cut.cuts == (3,)
        assert np.array_equal(cut.frames[:3], clips.pan(SIDE, 3).frames)
        assert np.array_equal(cut.frames[3:], clips.zoom(SIDE, 3).frames)

    def test_swing(self):
        assert [clips.swing(n, 3) for n in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]

    def test_real_clips_that_are_not_there(self, tmp_path):
        assert clips.clip("bikes", None) is None
        assert clips.clip("bikes", tmp_path) is None
        (tmp_path / "bikes.mp4").write_bytes(b"nothing")
        with pytest.raises(ValueError, match=r"bikes\.mp4: cannot be read"):
            clips.clip("bikes", tmp_path)

    def test_read_what_was_written(self, tmp_path):
        shown = clips.pan(SIDE, COUNT)
        clips.save(shown, tmp_path / "bikes.mp4")
        read = clips.clip("bikes", tmp_path, SIDE, 4)
        assert read.frames.shape == (4, *shown.frames.shape[1:])
        assert read.rate == shown.rate
        assert flicker.psnr(read.frames, shown.frames[:4]) > 30


def _edges(masks: np.ndarray) -> np.ndarray:
    """Pixels near the outline of any mask ``[K, H, W]``."""
    kernel = np.ones((5, 5), np.uint8)
    near = [cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, kernel) > 0 for mask in masks]
    return np.any(near, 0) if near else np.zeros(masks.shape[1:], bool)
