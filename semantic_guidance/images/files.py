"""Pictures and masks from files and from other libraries, as float tensors.

Any picture that Pillow can read will do: rotated by EXIF, with transparency (laid over white), CMYK,
16 bits deep, with a palette, animated (its first frame, or another one), of several pages (the first of full
resolution, or another one), with a colour profile (converted to sRGB).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import check_range
from semantic_guidance.images.decoding import MAX_SIDE, Decoded, decode, decode_given, refusing
from semantic_guidance.images.masks import load_objects_array, united
from semantic_guidance.images.pixels import colours, mask_values, pixels, unit

if TYPE_CHECKING:  # torch is imported where a tensor is made: a brush is a picture, too, and needs none
    from torch import Tensor

__all__ = [
    "MAX_SIDE",
    "Picture",
    "load_array",
    "load_grey",
    "load_image",
    "load_labels",
    "load_mask",
    "load_mask_array",
    "load_objects",
    "load_picture",
    "load_pixels",
    "to_image",
]

LABELS = {"1", "L", "P", "I;16", "I;16L", "I;16B", "I;16N", "I"}  # modes whose values are whole numbers


@dataclass(frozen=True, eq=False)
class Picture:
    """All that is needed of the picture in a file, which may be a pipe that can be read only once.

    Attributes:
        image: ``[3, H, W]`` in [0, 1], upright, over white; its longer side is at most `MAX_SIDE`.
        alpha: ``[1, H, W]`` in [0, 1], 1 where it is opaque; None if it is opaque everywhere.
        size: width and height of the upright picture in the file, before any reduction.
        note: what a person should be told: that the first frame of an animation is empty; mostly nothing.
    """

    image: Tensor  # [3, H, W]
    alpha: Tensor | None  # [1, H, W]
    size: tuple[int, int]
    note: str = ""


def load_picture(path: str | Path, frame: int | None = None, most: int | None = None) -> Picture:
    """The picture in a file, its transparency, and its size there.

    A picture whose longer side is above `MAX_SIDE` is reduced to it.

    Args:
        path: the file.
        frame: which frame of an animation, or page of full resolution of a TIFF, counted from 1; the first
            if None.
        most: pixels in the file at most; `decoding.MAX_PIXELS` if None.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: the file is not a picture, is broken or too large, has no such frame, or begins with a
            frame that is transparent throughout; the message names it.
    """
    decoded = decode(path, reduce=True, frame=frame, most=most)
    note = ""
    if (blank := decoded.blank) is not None:
        kind = "transparent throughout" if blank.clear else "of a single colour"
        note = f"{path}: the first of {blank.frames} frames is {kind}"
        if blank.clear:
            raise InputError(f"{note}, wanted another one, such as --frame {blank.shown}")
        note += f"; --frame {blank.shown} is not"
    with refusing(str(path)):
        image, alpha = colours(decoded)
    return Picture(_tensor(image), None if alpha is None else _tensor(alpha)[None], decoded.size, note)


def load_image(path: str | Path, frame: int | None = None) -> Tensor:
    """The picture in a file, upright, over white, ``[3, H, W]`` in [0, 1].

    A picture whose longer side is above `MAX_SIDE` is reduced to it. Of an animation, or a TIFF of several
    pages, it is the one of that number, counted from 1.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: the file is not a picture, is broken or too large; the message names it.
    """
    return _tensor(load_array(path, frame))


def load_array(path: str | Path, frame: int | None = None) -> NDArray[np.float32]:
    """The same as an array ``[3, H, W]``, without torch; see `load_image`."""
    decoded = decode(path, reduce=True, frame=frame)
    with refusing(str(path)):
        return colours(decoded)[0]


def to_image(source: Any) -> Tensor:
    """A picture from any of several sources, ``[3, H, W]`` float32 in [0, 1].

    Args:
        source: a path, a PIL image, an array ``[H, W]``, ``[H, W, 1]``, ``[H, W, 3]`` or ``[H, W, 4]`` of
            uint8 (grey, RGB, RGBA), or a float tensor ``[3, H, W]`` in [0, 1]. Files and PIL images are
            reduced to `MAX_SIDE`, the others are taken as they are.

    Raises:
        ValueError: it is none of these, or the picture has no pixels.
        OSError: the path is not that of a readable file.
    """
    if isinstance(source, (str, Path)):
        return load_image(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        decoded = decode_given(source)
        with refusing("image"):
            return _tensor(colours(decoded)[0])
    from torch import Tensor

    if isinstance(source, Tensor):
        return _from_tensor(source)
    raise ValueError(
        f"image is a {type(source).__name__}, wanted a path, a PIL image, a uint8 array [H, W, 3] "
        "or a float tensor [3, H, W]"
    )


def load_mask(path: str | Path, height: int, width: int, invert: bool = False) -> Tensor:
    """The mask of all objects in a file, ``[1, height, width]`` in [0, 1]; see `load_objects`."""
    return _tensor(load_mask_array(path, height, width, invert))


def load_mask_array(path: str | Path, height: int, width: int, invert: bool = False) -> NDArray[np.float32]:
    """The same as an array ``[1, height, width]``, without torch."""
    return united(load_objects_array(path, height, width, invert))


def load_objects(path: str | Path, height: int, width: int, invert: bool = False) -> Tensor:
    """The objects that a mask tells apart, ``[N, height, width]`` in [0, 1], largest first, at most eight.

    It may be, as people and labelling tools write them:

    - a picture's transparency, if that varies: one object;
    - black and white, or a soft matte: bright is the object. Only 0 and one other value are black and white;
    - labels, in grey, in 16 bits, or in a palette of colours of which only the first is black, as in PASCAL
      VOC: 0 is the background, each other number an object. White round labels of at most 32, and the
      palette's border, are no object;
    - flat colours on black: each is an object, at its full strength; soft edges stay soft;
    - an array of numpy's, ``.npy``: all of these, booleans, and floats; ``[N, H, W]`` holds N masks.

    A mask of another size is resized.

    Args:
        path: the file.
        height: of the picture to which the mask belongs.
        width: of the picture to which the mask belongs.
        invert: whether all else is wanted, as one object; of colours on white, the colours.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: it is not a picture, has another aspect ratio, is empty, or it cannot be told what it
            means; the message names it, and what was seen in it.
    """
    return _tensor(load_objects_array(path, height, width, invert))


def load_grey(path: str | Path) -> NDArray[np.float32]:
    """The upright picture in a file in grey, ``[H, W]`` in [0, 1]: its transparency if that varies.

    Pictures whose only values are 0 and 1 (of 255, or of 65535) are taken as black and white.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: it is not a picture; the message names it.
    """
    decoded = decode(path, reduce=True)
    with refusing(str(path)):
        return mask_values(decoded)


def load_pixels(path: str | Path, mode: str) -> NDArray[np.uint8]:
    """The bytes of the picture in a file, upright, at its own size, its colours as they are stored.

    Args:
        path: the file.
        mode: ``L`` for ``[H, W]``, ``RGB`` for ``[H, W, 3]`` without regard to transparency, ``RGBA`` for
            ``[H, W, 4]``.

    Raises:
        InputError: it is missing, cannot be read, is not a picture, or is broken; the message names it.
    """
    decoded = _part(path)
    with refusing(str(path)):
        return pixels(decoded, mode)


def load_labels(path: str | Path) -> NDArray[np.int32]:
    """The labels in a file, ``[H, W]``: the numbers of a palette, or the values of a grey picture.

    Raises:
        InputError: it is missing, cannot be read, is not a picture, is broken, or has colours; the message
            names it.
    """
    decoded = _part(path)
    if decoded.image.mode not in LABELS:
        raise InputError(
            f"{path}: the picture is {decoded.image.mode}, wanted labels: a palette, or whole numbers in grey"
        )
    with refusing(str(path)):
        return np.array(decoded.upright(decoded.image)).astype(np.int32)


def _part(path: str | Path) -> Decoded:
    """What a data set cannot do without."""
    try:
        return decode(path)
    except OSError as error:
        raise InputError(str(error)) from None


def _from_array(array: NDArray[Any]) -> Tensor:
    if array.dtype != np.uint8:
        raise ValueError(f"image is an array of {array.dtype}, wanted uint8")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(f"image is an array of shape {list(array.shape)}, wanted [H, W, 3]")
    return _tensor(unit(array))


def _tensor(array: NDArray[np.float32]) -> Tensor:
    import torch

    return torch.from_numpy(array)


def _from_tensor(image: Tensor) -> Tensor:
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ValueError(f"image is a tensor of shape {list(image.shape)}, wanted [3, H, W]")
    if not image.is_floating_point():
        raise ValueError(f"image is a tensor of {image.dtype}, wanted floats in [0, 1]")
    image = image.detach().float().cpu()
    check_range(image)
    within = image.min() >= 0 and image.max() <= 1  # then it is the same, and large pictures are not copied
    return (image if within else image.clamp(0, 1)).contiguous()
