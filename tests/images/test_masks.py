"""Masks as labelling tools write them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.files import load_mask_array
from semantic_guidance.images.labels import colour_labels, grey_labels
from semantic_guidance.images.masks import load_objects_array
from tests.images.encoding import UNDO, exif_block, gradient

H, W = 48, 64
ROWS, COLUMNS = np.mgrid[:H, :W]
DISC = (COLUMNS - 18) ** 2 + (ROWS - 24) ** 2 < 12**2  # 437 pixels
BOARD = (COLUMNS >= 38) & (COLUMNS < 58) & (ROWS >= 6) & (ROWS < 26)  # 400
CHIP = (COLUMNS >= 44) & (COLUMNS < 52) & (ROWS >= 34) & (ROWS < 40)  # 48
LABELS = (DISC + 2 * BOARD + 3 * CHIP).astype(np.uint8)
OBJECTS = [DISC, BOARD, CHIP]
BORDER = (cv2.dilate(LABELS, np.ones((3, 3), np.uint8)) > 0) & (LABELS == 0)
COLORS = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]], np.uint8)


def voc_palette() -> list[int]:
    """PASCAL VOC's: the bits of the number, three by three, are the high bits of red, green and blue."""
    return [
        sum(((number >> 3 * k + channel) & 1) << (7 - k) for k in range(3))
        for number in range(256)
        for channel in range(3)
    ]


def soft(mask: np.ndarray, radius: float = 1) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(radius)))


def paletted(numbers: np.ndarray, palette: list[int]) -> Image.Image:
    image = Image.frombytes("P", numbers.shape[::-1], numbers.astype(np.uint8).tobytes())
    image.putpalette(palette)
    return image


VOID = np.where(BORDER, 255, LABELS)
LABELLED = {
    "grey": Image.fromarray(LABELS),
    "16 bits": Image.fromarray(LABELS.astype(np.uint16)),
    "KITTI's class x 256 + number": Image.fromarray((LABELS * 256.0 + (LABELS > 0) * 7).astype(np.uint16)),
    "32 bits": Image.fromarray(LABELS.astype(np.int32)),
    "floats": Image.fromarray(LABELS.astype(np.float32)),
    "far apart": Image.fromarray(np.array([0, 7, 130, 90], np.uint8)[LABELS]),
    "VOC": paletted(VOID, voc_palette()),
    "VOC in colour": paletted(VOID, voc_palette()).convert("RGB"),
    "VOC in grey": Image.fromarray(VOID.astype(np.uint8)),
    "a palette that nobody can see": paletted(LABELS, [0] * 768),
    "a palette of greys": paletted(LABELS, [n for n in range(256) for _ in range(3)]),
    "colours": Image.fromarray(COLORS[LABELS]),
    "COCO's numbers": Image.fromarray(
        np.array([[0, 0, 0], [7, 0, 0], [8, 0, 0], [8, 1, 0]], np.uint8)[LABELS]
    ),
    "Cityscapes": Image.fromarray(np.array([11, 26000, 26001, 24000], np.uint16)[LABELS]),
}


def read(tmp_path, image: Image.Image | bytes, invert: bool = False, name: str = "m.tif") -> np.ndarray:
    path = tmp_path / name
    image.save(path) if isinstance(image, Image.Image) else path.write_bytes(image)
    return load_objects_array(path, H, W, invert)


def jpeg(pixels: np.ndarray, quality: int = 75) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=quality)
    return data.getvalue()


@pytest.mark.parametrize("kind", LABELLED)
def test_each_label_is_an_object_largest_first(tmp_path, kind):
    found = read(tmp_path, LABELLED[kind], name="m.png" if kind[:3] == "VOC" else "m.tif")
    assert np.array_equal(found, np.array(OBJECTS, np.float32))
    (rest,) = load_objects_array(next(tmp_path.iterdir()), H, W, invert=True)
    assert np.array_equal(rest, (LABELS == 0).astype(np.float32))


@pytest.mark.parametrize("value", [2, 77, 128, 200, 254])
def test_one_label_is_white(tmp_path, value):
    """In 16 bits, 255 may be white, too."""
    deep = np.where(DISC, 255, soft(DISC, 2) * value / 255).astype(np.uint16)
    assert np.allclose(read(tmp_path, Image.fromarray(deep))[0], deep / 255)
    assert np.array_equal(read(tmp_path, Image.fromarray(DISC * np.uint8(value)))[0], DISC.astype(np.float32))


def test_black_and_white_and_mattes_stay_what_they_were(tmp_path):
    """Values by hand: bright is the object, 255 is all of it."""
    for values in (soft(DISC), soft(DISC, 5), np.where(BORDER, 77, DISC * 255), np.where(DISC, 204, 51)):
        values = values.astype(np.uint8)
        wanted = values.astype(np.float32) / np.float32(255)
        assert np.array_equal(read(tmp_path, Image.fromarray(values)), wanted[None])
        grey = Image.fromarray(np.repeat(values[..., None], 3, axis=2))
        assert np.array_equal(read(tmp_path, grey), wanted[None])
    for pixels in (DISC * np.uint8(255), np.repeat(DISC[..., None] * np.uint8(255), 3, axis=2)):
        (found,) = read(tmp_path, jpeg(pixels))
        assert np.array_equal(found > 0.5, DISC)
        assert 0 < np.abs(found - DISC).max() < 0.3
    picture = Image.fromarray(gradient(H, W)[..., 1])
    assert len(read(tmp_path, picture)) == 1


def test_colours_are_of_full_strength_and_their_edges_soft(tmp_path):
    red = np.array([255, 0, 0])
    for radius in (1, 4):
        pixels = (soft(DISC, radius)[..., None] / 255 * red).round().astype(np.uint8)
        (found,) = read(tmp_path, Image.fromarray(pixels))
        assert np.allclose(found, pixels[..., 0] / pixels.max(), atol=0.01)
    (found,) = read(tmp_path, jpeg((DISC[..., None] * red).astype(np.uint8), 90))
    assert np.abs(found - DISC).mean() < 0.02
    disc, board = soft(DISC, 0.6) / 255, soft(BOARD, 0.6) / 255
    two = disc[..., None] * red + board[..., None] * np.array([0, 200, 50])
    found = read(tmp_path, Image.fromarray(two.round().astype(np.uint8)))
    assert len(found) == 2
    assert np.allclose(found, [disc, board], atol=0.01)
    several = read(tmp_path, jpeg(COLORS[LABELS], 95))
    assert [(plane > 0.5).sum() for plane in several[:2]] == pytest.approx([437, 400], rel=0.1)


@pytest.mark.parametrize("quality", [30, 60, 75, 95])
def test_shades_that_jpeg_makes_are_no_objects(tmp_path, quality):
    """Discs and boxes four times as large, with colours at half the size, as most programs write them."""
    large = np.kron(LABELS, np.ones((4, 4), np.uint8))
    bright = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    for colors, labels in ((bright, large), (COLORS, large), (bright, np.minimum(large, 1))):
        found = read(tmp_path, jpeg(colors[labels], quality))
        wanted = np.bincount(labels.ravel())[1:] / 16
        assert [(plane > 0.5).sum() for plane in found] == pytest.approx(wanted, rel=0.06)


def test_labels_that_touch_and_are_alike_stay_apart(tmp_path):
    stripes = np.tile(np.arange(640) // 80, (480, 1)).astype(np.uint8)  # 0 to 7
    for pixels in (
        Image.fromarray(stripes * 12),
        jpeg(np.dstack([stripes * 20, stripes * 12, stripes * 30]), 90),
    ):
        found = read(tmp_path, pixels)
        assert [(plane > 0.5).sum() for plane in found] == pytest.approx([8 * H] * 7, rel=0.02)


def test_thin_lines_and_dots_are_objects(tmp_path):
    """What is no mixture of the others is a label, however thin it is."""
    line = ROWS == COLUMNS // 2
    for first, second in ((1, 2), (2, 1), (200, 90)):
        values = np.where(line, second, DISC * first).astype(np.uint8)
        assert np.array_equal(read(tmp_path, Image.fromarray(values)), [DISC & ~line, line])
    colours = np.where(line[..., None], [0, 255, 0], DISC[..., None] * np.array([255, 0, 0])).astype(np.uint8)
    assert np.array_equal(read(tmp_path, Image.fromarray(colours)), [DISC & ~line, line])
    dot = (ROWS == 24) & (COLUMNS == 18)
    assert np.array_equal(
        read(tmp_path, Image.fromarray((DISC * 2 + dot).astype(np.uint8))), [DISC & ~dot, dot]
    )


def test_a_matte_in_fewer_greys_is_a_matte(tmp_path):
    values = soft(DISC, 8)
    few = Image.fromarray(values).convert("RGB").quantize(32)
    (found,) = read(tmp_path, few, name="m.png")
    assert np.abs(found - values / 255).max() < 0.06


def test_objects_that_touch_have_no_seam(tmp_path):
    halves = np.where(COLUMNS < 33, 1, 2) * (ROWS > 9)
    path = tmp_path / "m.png"
    Image.fromarray(halves.astype(np.uint8)).save(path)
    assert len(load_objects_array(path, 3 * H, 3 * W)) == 2
    assert np.allclose(load_mask_array(path, 3 * H, 3 * W)[0, 40:], 1)


def test_more_than_eight_objects(tmp_path):
    """The seven largest, and all others as one."""
    many = np.zeros((H, W), np.uint8)
    for n in range(12):
        many[12 * (n // 4) + 1 : 12 * (n // 4) + 11, 16 * (n % 4) + 1 : 16 * (n % 4) + 15 - n // 2] = n + 1
    for image in (many, many.astype(np.uint16) * 3):
        found = read(tmp_path, Image.fromarray(image))
        assert len(found) == 8
        assert np.array_equal(found[:7], [(many == n).astype(np.float32) for n in range(1, 8)])
        assert np.array_equal(found[7], (many > 7).astype(np.float32))


def test_what_is_dark_and_what_is_on_white(tmp_path):
    white = np.full(3, 255)
    black = Image.fromarray(np.where(DISC, 0, 255).astype(np.uint8))
    assert np.array_equal(read(tmp_path, black)[0], ~DISC)
    assert np.array_equal(read(tmp_path, black, invert=True)[0], DISC)
    red = Image.fromarray(np.where(DISC[..., None], [255, 0, 0], white).astype(np.uint8))
    with pytest.raises(
        InputError, match=r"m\.tif: the mask has colours #ff0000 and #ffffff and no black, .*--inv"
    ):
        read(tmp_path, red)
    assert np.array_equal(read(tmp_path, red, invert=True)[0], DISC)
    viridis = Image.fromarray(np.where(DISC[..., None], [253, 231, 37], [68, 1, 84]).astype(np.uint8))
    assert np.array_equal(read(tmp_path, viridis)[0], DISC)
    full = Image.fromarray(np.full((H, W), 255, np.uint8))
    with pytest.raises(InputError, match="the mask is empty, wanted some dark pixels"):
        read(tmp_path, full, invert=True)


def test_an_overlay_of_half_transparent_red(tmp_path):
    overlay = np.dstack([np.full((H, W, 3), [255, 0, 0]), DISC * 127]).astype(np.uint8)
    assert np.array_equal(read(tmp_path, Image.fromarray(overlay))[0], DISC)


@pytest.mark.parametrize(
    ("pixels", "seen"),
    [
        (
            np.where(DISC, 1, 2 + BOARD).astype(np.uint8),
            "has values 1, 2 and 3 of 255, wanted white where .* or 0",
        ),
        (soft(DISC, 5) // 3, r"has \d+ values from 0 to \d+ of 255, wanted"),
        (np.full((H, W), 90, np.uint8), "is empty, wanted some bright"),
        (gradient(H, W), r"has more than 3,\d+ colours, as a photograph"),
        (COLORS[1:][LABELS % 3], "has colours #008000, #800000 and #808000 and no black"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(tmp_path, pixels, seen):
    noise = np.random.default_rng(0).integers(0, 40, (H, W, 3)) * (
        pixels.ndim == 3 and len(np.unique(pixels)) > 9
    )
    pixels = np.clip(pixels + (noise if pixels.ndim == 3 else 0), 0, 255).astype(np.uint8)
    with pytest.raises(InputError, match=rf"m\.tif: the mask {seen}"):
        read(tmp_path, Image.fromarray(pixels))


ARRAYS = {
    "booleans": (DISC, [DISC]),
    "0 and 1": (DISC.astype(np.int64), [DISC]),
    "0 and 255": (DISC * np.uint8(255), [DISC]),
    "a matte": (soft(DISC).astype(np.float32) / np.float32(255), [soft(DISC) / np.float32(255)]),
    "half floats": (DISC.astype(np.float16), [DISC]),
    "labels": (LABELS.astype(np.int32), OBJECTS),
    "labels above -1": (LABELS.astype(np.int16) - (LABELS == 0), OBJECTS),
    "labels as floats": (LABELS.astype(np.float64), OBJECTS),
    "enormous labels": (LABELS.astype(np.int64) * 10**12, OBJECTS),
    "[1, H, W]": (DISC[None], [DISC]),
    "by columns": (np.asfortranarray(LABELS), OBJECTS),
    "in the other order of bytes": (LABELS.astype(">i4"), OBJECTS),
    "[H, W, 1]": (DISC[..., None], [DISC]),
    "a stack": (np.stack([CHIP, DISC, BOARD]), [CHIP, DISC, BOARD]),
    "a stack, last": (np.stack([CHIP, DISC, BOARD], axis=-1), [CHIP, DISC, BOARD]),
    "colours": (COLORS[LABELS], OBJECTS),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_numpy(tmp_path, kind):
    array, objects = ARRAYS[kind]
    np.save(tmp_path / "m.npy", array)
    (tmp_path / "m.npy").rename(tmp_path / ("m.npy" if len(kind) % 2 else "m"))
    found = load_objects_array(next(tmp_path.iterdir()), H, W)
    assert np.array_equal(found, np.array(objects, np.float32))


@pytest.mark.parametrize(
    ("array", "seen"),
    [
        (np.array([{"a": 1}], object), "not an array of numbers that numpy has stored"),
        (np.array(["a"]), "not an array of numbers that numpy has stored, wanted a mask"),
        (np.ones(5), r"the array has shape \[5\], wanted a mask \[height, width\]"),
        (np.full((H, W), np.nan), "holds NaN"),
        ((DISC - 0.4) * 9.5, "has numbers from -3.8 to 5.7, wanted 0 to 1"),
        (np.zeros((H, W)), "the mask is empty"),
        (np.ones((W, H)), "the mask is 48 x 64, wanted the picture's 64 x 48"),
    ],
)
def test_arrays_that_are_no_masks(tmp_path, array, seen):
    np.save(tmp_path / "m.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=rf"m\.npy: .*{seen}"):
        load_objects_array(tmp_path / "m.npy", H, W)


def test_an_array_that_is_cut_off_or_missing(tmp_path):
    path = tmp_path / "m.npy"
    np.save(path, DISC)
    whole = path.read_bytes()
    for data in (
        whole[:-9],
        whole[:30],
        whole[:7],
        b"",
        b"junk",
        whole.replace(b"48", b"98"),
        whole.replace(b"(48", b"(-4"),
        whole.replace(b"(48, 64)", b"(True,1)"),
        b"\x93NUMPY\1\0\x28\x23" + b"-" * 8999 + b"1",
        b"PK\3\4",
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"m\.npy: not an array of numbers"):
            load_objects_array(path, H, W)
    np.savez(tmp_path / "m.npz", DISC)
    with pytest.raises(
        InputError, match=r"m\.npz: several arrays in an archive, wanted one of them as \.npy"
    ):
        load_objects_array(tmp_path / "m.npz", H, W)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match=r"m\.npy: cannot be read \(Is a directory\), wanted a mask"):
        load_objects_array(path, H, W)
    with pytest.raises(FileNotFoundError, match=r"none\.npy: no such file"):
        load_objects_array(tmp_path / "none.npy", H, W)


@pytest.mark.parametrize("orientation", UNDO)
def test_labels_are_turned(tmp_path, orientation):
    path = tmp_path / "m.png"
    Image.fromarray(LABELS).save(path, exif=exif_block(orientation))
    height, width = UNDO[orientation](LABELS).shape
    assert np.array_equal(load_objects_array(path, height, width), [UNDO[orientation](m) for m in OBJECTS])


cells = st.lists(st.integers(0, 6), min_size=20, max_size=20)


@given(cells, st.lists(st.integers(1, 2**24 - 1), min_size=6, max_size=6, unique=True))
def test_any_numbers_and_colours_tell_the_same_objects(grid, names):
    """Blocks of labels; whatever the labels are called, the objects are the blocks."""
    labels = np.repeat(np.repeat(np.array(grid).reshape(4, 5), 3, 0), 3, 1)
    kinds = set(grid) - {0}
    assume(0 in grid and len(kinds) > 1)
    names = np.array([0, *names])
    wanted = {(labels == kind).tobytes() for kind in kinds}
    colors = np.stack([names >> 16, names >> 8 & 255, names & 255], axis=-1).astype(np.uint8)
    # Black but for a little is told from black.
    found = colour_labels(colors[labels])
    assert {(found.plane == n).tobytes() for n in range(1, found.plane.max() + 1)} - {bytes(180)} == wanted
    plain = grey_labels(labels, 255)
    assert {(plain.plane == n).tobytes() for n in range(1, plain.plane.max() + 1)} == wanted
