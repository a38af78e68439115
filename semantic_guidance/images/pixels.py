"""What decoded pictures are made into: upright arrays of colours, of transparency, of masks.

A copy of a large picture takes a gigabyte, so it is converted and reduced part by part, and turned then.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.images.decoding import Decoded, reduced_size

DEEP = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}  # grey modes with more than 8 bits
ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}  # modes with transparency
DIRECT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"}  # modes that Pillow turns into grey
USUAL = 0.95  # share of a float picture's pixels that tells its white; the rest may be brighter
BEYOND = 1.5  # of its white: up to where resampling may take that share
PART = 4_000_000  # pixels of a part, about
SAMPLE = 20_000_000  # float pixels of which the usual brightness is taken

Box = tuple[int, int, int, int]  # left, top, right, bottom


def colours(decoded: Decoded) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The picture ``[3, H, W]`` in [0, 1] in sRGB over white, and its alpha ``[H, W]``, None if it is opaque.

    Both are reduced to `MAX_SIDE`.
    """
    image = decoded.image
    if image.mode in DEEP:
        grey = _array(decoded.upright(_deep(image, _white(image))))
        return np.repeat(grey[None], 3, axis=0), None
    small = decoded.upright(_reduced(image, _plain))
    profile = image.info.get("icc_profile")
    if small.mode == "CMYK":
        rgb = _through_profile(small, profile, "CMYK") or small.convert("RGB")
        return unit(np.asarray(rgb)), None
    rgb = _over_white(small)
    alpha = _seen(small.getchannel("A")) if small.mode in ALPHA else None
    return unit(np.array(_through_profile(rgb, profile, "RGB ") or rgb)), alpha


def alpha(decoded: Decoded) -> NDArray[np.float32] | None:
    """The transparency ``[H, W]`` in [0, 1], reduced to `MAX_SIDE`; None if it is the same everywhere."""
    if decoded.image.mode in DEEP or not has_transparency(decoded.image):
        return None
    small = _reduced(decoded.image, lambda part: part.convert("RGBA").getchannel("A"))
    return _varying(decoded.upright(small))


def mask_values(decoded: Decoded) -> NDArray[np.float32]:
    """The values of a mask ``[H, W]`` in [0, 1], reduced to `MAX_SIDE`."""
    image = decoded.image
    if image.mode in DEEP:
        highest = _highest(image)
        if highest == 1:
            return _array(decoded.upright(_reduced(image, _ones)))
        few = highest <= 255 and image.mode not in ("I", "F")  # of 16 bits: as if it had 8
        return _array(decoded.upright(_deep(image, 255.0 if few else _white(image))))
    if (found := alpha(decoded)) is not None:
        return found
    peak = 0.0

    def plane(part: Image.Image) -> Image.Image:
        nonlocal peak
        values = np.asarray(grey(part), np.float32)
        peak = max(peak, float(values.max()))
        return Image.fromarray(values)

    values = _array(decoded.upright(_reduced(image, plane)))
    return np.asarray(values / np.float32(1 if peak == 1 else 255), np.float32)


def pixels(decoded: Decoded, mode: str) -> NDArray[np.uint8]:
    """The bytes as they are stored, not reduced: ``[H, W]`` of `mode` L, ``[H, W, C]`` of RGB and RGBA."""
    image = decoded.image
    if image.mode in DEEP:
        image = Image.fromarray((np.asarray(_levels(image, _white(image))) * 255).round().astype(np.uint8))
    elif mode == "L":
        image = grey(image)
    else:
        image = _plain(image)
    return np.array(decoded.upright(image.convert(mode)))


def grey(image: Image.Image) -> Image.Image:
    """The picture in mode L, without regard to its transparency."""
    return (image if image.mode in DIRECT else _plain(image).convert("RGB")).convert("L")


def has_transparency(image: Image.Image) -> bool:
    """Whether it has an alpha channel, or colours that are transparent."""
    return image.mode in ALPHA or image.has_transparency_data


def unit(array: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey, RGB or RGBA bytes ``[H, W, C]`` over white, as ``[3, H, W]`` in [0, 1]."""
    values = np.ascontiguousarray(array.transpose(2, 0, 1)).astype(np.float32)
    values *= np.float32(1 / 255)
    if len(values) == 4:
        values = values[:3] * values[3:] + (1 - values[3:])
    return np.repeat(values, 3, axis=0) if len(values) == 1 else values


def _array(image: Image.Image) -> NDArray[np.float32]:
    return np.array(image, np.float32)


def _varying(image: Image.Image) -> NDArray[np.float32] | None:
    """A channel of bytes in [0, 1]; None if it is the same everywhere."""
    low, high = image.getextrema()
    return None if low == high else np.asarray(_array(image) / np.float32(255), np.float32)


def _seen(image: Image.Image) -> NDArray[np.float32] | None:
    opaque = image.getextrema() == (255, 255)
    return None if opaque else np.asarray(_array(image) / np.float32(255), np.float32)


def _plain(image: Image.Image) -> Image.Image:
    """The picture in mode RGB, RGBA or CMYK."""
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if has_transparency(image):
        return image.convert("RGBA") if image.mode != "RGBA" else image
    return image if image.mode in ("RGB", "CMYK") else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """A picture of mode RGB or RGBA in RGB."""
    if image.mode == "RGB":
        return image
    sheet = Image.new("RGBA", image.size, "white")
    sheet.alpha_composite(image)
    return sheet.convert("RGB")


def _through_profile(image: Image.Image, profile: bytes | None, space: str) -> Image.Image | None:
    """The picture converted from its colour profile to sRGB; None if it has no usable one."""
    if not profile:
        return None
    from PIL import ImageCms

    # A colour profile that cannot be used is no reason to refuse the picture.
    with contextlib.suppress(AttributeError, OSError, TypeError, ValueError, ImageCms.PyCMSError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space == space:
            target = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    return None


def _reduced(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """`convert` of the picture, averaged over areas where it is larger than `MAX_SIDE`.

    `convert` gets the picture in parts then, and gives each in the same mode.
    """
    width, height = reduced_size(*image.size)
    if (width, height) == image.size:
        return convert(image)
    across, down = image.width / width, image.height / height
    result: Image.Image | None = None
    for left, top, right, bottom in _parts(width, height, across * down):
        x, y = math.floor(left * across), math.floor(top * down)
        end = min(image.width, math.ceil(right * across)), min(image.height, math.ceil(bottom * down))
        part = convert(image.crop((x, y, *end)))
        box = (
            left * across - x,
            top * down - y,
            min(right * across - x, part.width),
            min(bottom * down - y, part.height),
        )
        small = part.resize((right - left, bottom - top), Image.Resampling.BOX, box)
        if result is None:
            result = Image.new(small.mode, (width, height))
        result.paste(small, (left, top))
    assert result is not None
    return result


def _parts(width: int, height: int, weight: float = 1.0) -> Iterator[Box]:
    """Parts that cover a picture, of about `PART` pixels each if each counts `weight`."""
    most = max(1, int(PART / weight))
    columns = min(width, most)
    rows = max(1, most // columns)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield left, top, min(width, left + columns), min(height, top + rows)


def _deep(image: Image.Image, white: float) -> Image.Image:
    """A grey picture of 16 bits, 32 bits or floats, in mode F and in [0, 1], reduced to `MAX_SIDE`."""
    return _reduced(image, lambda part: _levels(part, white))


def _levels(image: Image.Image, white: float) -> Image.Image:
    return Image.fromarray((_finite(image) / np.float32(white)).clip(0, 1))


def _ones(image: Image.Image) -> Image.Image:
    return Image.fromarray(_finite(image).clip(0, 1))


def _finite(image: Image.Image) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image).astype(np.float32), posinf=0, neginf=0)


def _highest(image: Image.Image) -> float:
    return max(float(_finite(image.crop(box)).max()) for box in _parts(*image.size))


def _white(image: Image.Image) -> float:
    """The value that is white in a grey picture with more than 8 bits."""
    if image.mode not in ("I", "F"):
        return 65535.0
    highest = _highest(image)
    if image.mode == "I":
        return 255.0 if highest <= 255 else 65535.0 if highest <= 65535 else highest
    step = math.ceil(math.sqrt(image.width * image.height / SAMPLE))
    parts = [_finite(image.crop(box))[::step, ::step] for box in _parts(*image.size)]
    lit = np.concatenate([part[part > 0] for part in parts])
    usual = float(np.quantile(lit, USUAL)) / BEYOND if lit.size else 0.0
    return 1.0 if usual <= 1 else 255.0 if usual <= 255 else highest
