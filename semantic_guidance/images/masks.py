"""From the file of a mask to the objects in it: a picture, or an array as numpy stores it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable
from semantic_guidance.images.arrays import resize_array
from semantic_guidance.images.decoding import MAX_PIXELS, MAX_SIDE, Decoded, decode, reduced_size, refusing
from semantic_guidance.images.labels import (
    SAMPLE,
    Labels,
    UnclearMaskError,
    colour_labels,
    grey_labels,
    is_coloured,
    is_plain,
    palette_labels,
)
from semantic_guidance.images.pixels import DEEP, alpha, grey, mask_values

MOST_OBJECTS = 8  # of a mask; the last one is all that the others leave
ASPECT_TOLERANCE = 0.05  # of a mask's aspect ratio against its picture's
FLAT = {"1", "L", "P", "RGB", "RGBX", "LA", "PA", "RGBA"}  # modes in which masks come, but for deep ones
SHAPES = "a mask [height, width], or one for each object [N, height, width]"
MOST_LABEL = 2**53
NUMPY = b"\x93NUMPY"  # how its files begin

Planes = NDArray[np.float32]  # [N, H, W]


def load_objects_array(path: str | Path, height: int, width: int, invert: bool = False) -> Planes:
    """The objects in a mask, ``[N, height, width]`` in [0, 1], largest first; see `files.load_objects`."""
    name = str(path)
    if Path(path).suffix.lower() == ".npz" and Path(path).is_file():
        raise InputError(f"{name}: several arrays in an archive, wanted one of them as .npy, {SHAPES}")
    if _is_numpy(Path(path)):
        with _telling(name):
            planes, size = _from_numpy(Path(path), height / width)
        planes = 1 - united(planes) if invert else planes
    else:
        decoded = decode(path, reduce=True)
        size = decoded.size
        with refusing(name), _telling(name):
            planes = _negative(decoded) if invert else _objects(decoded)
    if not fits(size, height, width):
        raise InputError(
            f"{name}: the mask is {size[0]} x {size[1]}, wanted the picture's {width} x {height} "
            "or the same aspect ratio"
        )
    resized = [resize_array(plane, height, width).clip(0, 1) for plane in planes]
    seen = [plane for plane in resized if (plane > 0.5).any()]
    if not seen:
        wanted = "some dark" if invert else "some bright"
        raise InputError(f"{name}: the mask is empty, wanted {wanted} pixels where the object is")
    return np.stack(seen)


def united(planes: Planes) -> Planes:
    """``[1, H, W]`` all of several objects ``[N, H, W]``; where two of them meet there is no seam."""
    return planes if len(planes) == 1 else planes.sum(axis=0, keepdims=True).clip(0, 1)


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """What cannot be told of a mask is an `InputError` that names it."""
    try:
        yield
    except UnclearMaskError as error:
        raise InputError(f"{name}: the mask {error}") from None


def fits(size: tuple[int, int], height: int, width: int) -> bool:
    """Whether a mask of a width and a height is as long and as high as a picture, but for its scale."""
    wanted = height * size[0] / width
    return abs(size[1] - wanted) <= max(1.0, ASPECT_TOLERANCE * max(wanted, size[1]))


def _objects(decoded: Decoded) -> Planes:
    """The objects in a picture.

    Raises:
        UnclearMaskError: they cannot be told apart.
    """
    labels = _labels(decoded)
    if labels is None:
        return _full(mask_values(decoded), decoded)[None]
    return labels.objects(MOST_OBJECTS)


def _negative(decoded: Decoded) -> Planes:
    """What is no object in a picture; of colours on white, the colours.

    Raises:
        UnclearMaskError: it cannot be told apart.
    """
    try:
        planes = 1 - united(_objects(decoded))
    except UnclearMaskError as error:
        if decoded.image.mode in DEEP:
            raise
        try:
            return colour_labels(_rgb(decoded), on_white=True).objects(MOST_OBJECTS)
        except UnclearMaskError:
            raise error from None
    return planes


def _labels(decoded: Decoded) -> Labels | None:
    """The labels in a picture; None if it is a mask of black and white, or a matte."""
    image = decoded.image
    if image.mode in DEEP:
        values = np.asarray(_near(decoded))
        if values.dtype.kind == "f":
            return None if _is_matte(values) else _whole_labels(values)
        return grey_labels(values if values.dtype.kind == "u" else values.clip(0), _white(int(values.max())))
    if image.mode not in FLAT or alpha(decoded) is not None:
        return None
    small = _near(decoded)
    if image.mode == "P":
        palette = np.array(image.getpalette() or [], np.int16).reshape(-1, 3)
        numbers = np.asarray(small)
        used = palette[np.unique(numbers[numbers < len(palette)])]
        if len(used) > 1 and not (used - used[0]).any():
            return grey_labels(numbers, 255)  # nobody can have looked at it
        if _tells_labels(palette) and (labels := palette_labels(numbers, palette)) is not None:
            return labels
    if image.mode not in ("1", "L", "LA") and is_coloured(np.asarray(_sampled(small).convert("RGB"))):
        return colour_labels(np.asarray(small.convert("RGB")))
    plain = grey(small)
    usual = is_plain(np.flatnonzero(plain.histogram()), 255)  # soon known, and most masks are
    return None if usual else grey_labels(np.asarray(plain), 255)


def _full(values: NDArray[np.float32], decoded: Decoded) -> NDArray[np.float32]:
    """A mask; if it is transparency, and half of it at most, as an overlay's is, at its full strength."""
    top = values.max(initial=0)
    if decoded.image.mode in DEEP or not 0 < top < 1 or alpha(decoded) is None:
        return values
    return values / top if bool(((values == 0) | (values == top)).all()) else values


def _near(decoded: Decoded) -> Image.Image:
    """The picture upright, reduced to `MAX_SIDE` without mixing its values."""
    image, size = decoded.image, reduced_size(*decoded.image.size)
    return decoded.upright(image if size == image.size else image.resize(size, Image.Resampling.NEAREST))


def _sampled(image: Image.Image) -> Image.Image:
    """Some of the pixels of a large picture."""
    step = max(1, math.isqrt(image.width * image.height // SAMPLE))
    sides = -(-image.width // step), -(-image.height // step)
    return image.resize(sides, Image.Resampling.NEAREST) if step > 1 else image


def _rgb(decoded: Decoded) -> NDArray[np.uint8]:
    return np.asarray(_near(decoded).convert("RGB"))


def _tells_labels(palette: NDArray[np.int16]) -> bool:
    """Whether a palette tells labels apart: it has colours, and only its first entry is black.

    Palettes of pictures are grey, or begin otherwise; Pillow's own begins with several blacks.
    """
    if len(palette) < 2 or palette[0].any() or not palette[1].any():
        return False
    return bool((palette.max(axis=1) - palette.min(axis=1) > 32).any())


def _white(highest: int) -> int:
    """The value that is white in a grey picture with more than 8 bits, by its highest one, or above that."""
    return next((white for white in (255, 65535) if highest <= white), highest + 1)


def _is_matte(values: NDArray[Any]) -> bool:
    """Whether floats are not whole numbers above 1."""
    return bool(not np.isfinite(values).all() or values.max() <= 1 or (values != np.rint(values)).any())


def _whole_labels(values: NDArray[Any]) -> Labels | None:
    """The labels among whole numbers, those above 0; None if they are black and white, or a matte."""
    whole = values.clip(0, MOST_LABEL).astype(np.int64)
    return grey_labels(whole, _white(int(whole.max())))


def _is_numpy(path: Path) -> bool:
    if path.suffix.lower() == ".npy" or not path.is_file():
        return path.suffix.lower() == ".npy"
    with contextlib.suppress(OSError), path.open("rb") as file:  # who reads it all complains
        return file.read(len(NUMPY)) == NUMPY
    return False


def _from_numpy(path: Path, aspect: float) -> tuple[Planes, tuple[int, int]]:
    """The objects in an array ``[H, W]`` or ``[N, H, W]``, and their width and height.

    Raises:
        InputError: it is not such an array; the message names the file.
        UnclearMaskError: the objects cannot be told apart.
        OSError: it cannot be read.
    """
    stored, wanted = _stored(path), f"wanted {SHAPES}"
    shape = [side for side in stored.shape if side != 1] if stored.ndim > 3 else list(stored.shape)
    array = stored.reshape(shape)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8 and array.shape[0] > 4:
        image = Image.fromarray(np.ascontiguousarray(array))
        return _objects(Decoded(image, 1, image.size)), image.size
    if array.ndim == 3 and not _is_stack(array.shape, aspect):
        array = array.transpose(2, 0, 1)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise InputError(f"{path}: the array has shape {list(stored.shape)}, {wanted}")
    size = array.shape[-1], array.shape[-2]
    stacked = array[None] if array.ndim == 2 else array
    step = max(1, -(-max(size) // MAX_SIDE))
    planes = [_array_objects(plane[::step, ::step]) for plane in stacked]
    if len(planes) > 1:
        planes = [united(plane) for plane in planes]
    return np.concatenate(planes), size


def _stored(path: Path) -> NDArray[Any]:
    """The numbers in a file of numpy's, which may hold no Python objects.

    Raises:
        InputError: it is no such file, or not whole; the message names it.
        OSError: it cannot be read.
    """
    refusal = InputError(f"{path}: not an array of numbers that numpy has stored, wanted {SHAPES}")
    try:
        with path.open("rb") as file:
            shape, by_columns, kind = _header(file)
            if kind.kind not in "biuf" or not all(type(side) is int and side >= 0 for side in shape):
                raise refusal
            count = math.prod(shape)
            if count > MAX_PIXELS:
                raise InputError(f"{path}: the array has {count:,} numbers, wanted at most {MAX_PIXELS:,}")
            if os.fstat(file.fileno()).st_size - file.tell() < count * kind.itemsize:
                raise refusal
            data = file.read(count * kind.itemsize)
        return np.frombuffer(data, kind, count).reshape(shape, order="F" if by_columns else "C")
    except FileNotFoundError:
        raise FileNotFoundError(f"{printable(path)}: no such file, wanted a mask") from None
    except OSError as error:
        raise OSError(f"{printable(path)}: cannot be read ({error.strerror}), wanted a mask") from None
    except (InputError, MemoryError):
        raise
    except Exception:  # of a header that is broken: ValueError, EOFError, SyntaxError, TokenError ...
        raise refusal from None


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape of a stored array, whether it is stored by columns, and the kind of its numbers.

    Raises:
        Exception: of nearly any kind; it is broken.
    """
    version = np.lib.format.read_magic(file)
    one = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if one else np.lib.format.read_array_header_2_0
    try:
        return read(file)
    except MemoryError:  # Python's parser, of a few thousand signs
        raise ValueError("the header is broken") from None


def _is_stack(shape: tuple[int, ...], aspect: float) -> bool:
    """Whether ``[N, H, W]`` is meant, not ``[H, W, N]``, by the picture's height over its width."""
    first, last = abs(shape[1] / shape[2] - aspect), abs(shape[0] / shape[1] - aspect)
    return first <= last


def _array_objects(plane: NDArray[Any]) -> Planes:
    """The objects in one plane of an array.

    Raises:
        UnclearMaskError: they cannot be told apart.
    """
    if plane.dtype.kind == "b":
        return plane.astype(np.float32)[None]
    if not np.isfinite(plane).all():
        raise UnclearMaskError("holds NaN or infinity, wanted numbers from 0 to 1, or labels")
    low, high = plane.min(), plane.max()
    if plane.dtype.kind == "f" and _is_matte(plane):
        if low < -1e-3 or high > 1 + 1e-3:
            raise UnclearMaskError(
                f"has numbers from {low:g} to {high:g}, wanted 0 to 1, or a whole number for each object"
            )
        return plane.astype(np.float32).clip(0, 1)[None]
    labels = _whole_labels(plane)
    if labels is not None:
        return labels.objects(MOST_OBJECTS)
    white = 1 if high <= 1 else _white(int(high))
    return (plane.clip(0).astype(np.float32) / np.float32(white))[None]
