"""Pictures and masks from files and from other libraries, as float tensors.

Any picture that Pillow can read will do: rotated by EXIF, with transparency (laid over white), CMYK,
16 bits deep, with a palette, animated (its first frame), with a colour profile (converted to sRGB).
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import check_range, resize_array

if TYPE_CHECKING:  # torch is imported where a tensor is made: a brush is a picture, too, and needs none
    from torch import Tensor

MAX_SIDE = 4096  # larger pictures are reduced on loading
MAX_PIXELS = 300_000_000  # larger than any camera's; a 16-bit RGBA picture of this size needs 2.4 GB
ASPECT_TOLERANCE = 0.05  # of a mask's aspect ratio against its picture's
UNSAFE = {"EPS", "WMF"}  # formats that Pillow reads by running another program
ORIENTATION = 0x0112  # EXIF tag
DEEP = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}  # grey modes with more than 8 bits
USUAL = 0.95  # share of a float picture's pixels that tells its white; the rest may be brighter
BEYOND = 1.5  # of its white: up to where resampling may take that share
GREY = 32  # of 255: a colour whose channels differ by no more is a tinted grey

_opening = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """All that is needed of the picture in a file, which may be a pipe that can be read only once.

    Attributes:
        image: ``[3, H, W]`` in [0, 1], upright, over white; its longer side is at most `MAX_SIDE`.
        alpha: ``[1, H, W]`` in [0, 1], 1 where it is opaque; None if it is the same everywhere.
        size: width and height of the upright picture in the file, before any reduction.
    """

    image: Tensor  # [3, H, W]
    alpha: Tensor | None  # [1, H, W]
    size: tuple[int, int]


def load_picture(path: str | Path) -> Picture:
    """The picture in a file, its transparency, and its size there.

    A picture whose longer side is above `MAX_SIDE` is reduced to it.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: the file is not a picture, is broken or too large; the message names it.
    """
    with _opened(Path(path)) as image:
        size = image.size[::-1] if _orientation(image) >= 5 else image.size
        _decode(image, Path(path))
        alpha = _alpha(_upright(image))
        return Picture(_from_pil(image), None if alpha is None else _tensor(_reduced(alpha))[None], size)


def load_image(path: str | Path) -> Tensor:
    """The picture in a file, upright, over white, ``[3, H, W]`` in [0, 1].

    A picture whose longer side is above `MAX_SIDE` is reduced to it.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: the file is not a picture, is broken or too large; the message names it.
    """
    return _tensor(load_array(path))


def load_array(path: str | Path) -> NDArray[np.float32]:
    """The same as an array ``[3, H, W]``, without torch; see `load_image`."""
    with _decoded(Path(path)) as image:
        return _values(image)


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
        if 0 in source.size:
            raise ValueError(f"image is {source.width} x {source.height}, wanted at least one pixel")
        return _from_pil(source)
    from torch import Tensor

    if isinstance(source, Tensor):
        return _from_tensor(source)
    raise ValueError(
        f"image is a {type(source).__name__}, wanted a path, a PIL image, a uint8 array [H, W, 3] "
        "or a float tensor [3, H, W]"
    )


def load_mask(path: str | Path, height: int, width: int) -> Tensor:
    """The mask of an object in a file, ``[1, height, width]`` in [0, 1]: bright is the object.

    The mask is the picture's transparency if that varies, else its brightness. Masks whose only values are 0
    and 1 (of 255, or of 65535) are taken as black and white. A picture with a palette of colours of which
    only the first is black, as in PASCAL VOC, holds labels: all but the first are the object. A mask of
    another size is resized.

    Args:
        path: the file.
        height: of the picture to which the mask belongs.
        width: of the picture to which the mask belongs.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: it is not a picture, has another aspect ratio, or is empty; the message names it.
    """
    return _tensor(load_mask_array(path, height, width))


def load_mask_array(path: str | Path, height: int, width: int) -> NDArray[np.float32]:
    """The same as an array ``[1, height, width]``, without torch; see `load_mask`."""
    with _decoded(Path(path)) as image:
        mask = _mask_values(_upright(image), labels=True)
    got_height, got_width = mask.shape
    wanted = height * got_width / width
    if abs(got_height - wanted) > max(1.0, ASPECT_TOLERANCE * max(wanted, got_height)):
        raise InputError(
            f"{path}: the mask is {got_width} x {got_height}, wanted the picture's {width} x {height} "
            "or the same aspect ratio"
        )
    resized = resize_array(mask, height, width).reshape(1, height, width).clip(0, 1)
    if not (resized > 0.5).any():
        raise InputError(f"{path}: the mask is empty, wanted some bright pixels where the object is")
    return resized


def load_grey(path: str | Path) -> NDArray[np.float32]:
    """The upright picture in a file in grey, ``[H, W]`` in [0, 1]: its transparency if that varies.

    Pictures whose only values are 0 and 1 (of 255, or of 65535) are taken as black and white.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: it is not a picture; the message names it.
    """
    with _decoded(Path(path)) as image:
        return _mask_values(_upright(image))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file as a Pillow image whose pixels are not yet read."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted a picture")
    try:
        data = path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, wanted a picture") from None
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror}), wanted a picture") from None
    except ValueError:  # a NUL byte in the name
        raise InputError(f"{str(path)!r}: not a file name, wanted a picture") from None
    with data:
        if not data.peek(1):
            raise InputError(f"{path}: the file is empty, wanted a picture")
        try:
            image = _open_unlimited(data)
        except Exception:
            raise InputError(
                f"{path}: not a picture that can be read, wanted JPEG, PNG, WebP, TIFF, GIF or BMP"
            ) from None
        with image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise InputError(
                    f"{path}: the picture has {width} x {height} pixels, wanted at most "
                    f"{MAX_PIXELS // 1_000_000} million"
                )
            yield image


def _open_unlimited(data: io.BufferedReader) -> Image.Image:
    """`Image.open` without Pillow's own limit on pixels, which cameras exceed, and without its warnings."""
    source: Any = data if data.seekable() else io.BytesIO(data.read())
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            Image.preinit()  # the usual formats; the others take longer to import than a JPEG to decode
            try:
                return Image.open(source, formats=_safe_formats())
            except UnidentifiedImageError:
                Image.init()
                source.seek(0)
                return Image.open(source, formats=_safe_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _safe_formats() -> list[str]:
    """The formats that Pillow has imported, without `UNSAFE` ones."""
    return [name for name in Image.OPEN if name not in UNSAFE]


@contextlib.contextmanager
def _decoded(path: Path) -> Iterator[Image.Image]:
    """The file as a Pillow image with its pixels."""
    with _opened(path) as image:
        _decode(image, path)
        yield image


def _decode(image: Image.Image, path: Path) -> None:
    """Read the pixels; of a JPEG, no more than are needed."""
    try:
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.draft(None, _reduced_size(*image.size))
            image.load()
    # Decoders raise nearly anything on broken data: OSError, SyntaxError, struct.error, IndexError ...
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: the picture is broken ({reason}), wanted an intact one") from None


def _orientation(image: Image.Image) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A picture with a broken EXIF block is still a picture.
        with contextlib.suppress(Exception):
            return int(image.getexif().get(ORIENTATION, 1))
    return 1


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if 2 <= _orientation(image) <= 8 else image


def _from_pil(image: Image.Image) -> Tensor:
    return _tensor(_values(image))


def _values(image: Image.Image) -> NDArray[np.float32]:
    """A Pillow image upright, over white, ``[3, H, W]`` in [0, 1]."""
    image = _upright(image)
    if image.mode in DEEP:
        grey = _deep_grey(image)
        values = np.repeat(_reduced(grey)[..., None], 3, axis=2)
        return np.ascontiguousarray(values.transpose(2, 0, 1))
    rgb = _to_srgb(image)
    if max(rgb.size) > MAX_SIDE:
        rgb = rgb.resize(_reduced_size(*rgb.size), Image.Resampling.BOX)
    return _unit(np.array(rgb))


def _to_srgb(image: Image.Image) -> Image.Image:
    """The picture in 8-bit sRGB over white."""
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK":
        return _through_profile(image, profile, "CMYK") or image.convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        rgb = Image.new("RGBA", layer.size, "white")
        rgb.alpha_composite(layer)
        rgb = rgb.convert("RGB")
    else:
        rgb = image.convert("RGB")
    return _through_profile(rgb, profile, "RGB ") or rgb


def _through_profile(image: Image.Image, profile: bytes | None, space: str) -> Image.Image | None:
    """The picture converted from its colour profile to sRGB; None if it has no usable one."""
    if not profile:
        return None
    from PIL import ImageCms

    # A colour profile that cannot be used is no reason to refuse the picture.
    with contextlib.suppress(Exception):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space == space:
            target = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    return None


def _deep_grey(image: Image.Image) -> NDArray[np.float32]:
    """A grey picture of 16 bits, 32 bits or floats, ``[H, W]`` in [0, 1]."""
    values = np.nan_to_num(np.array(image).astype(np.float32), posinf=0, neginf=0)
    highest = float(values.max())
    if image.mode == "F":
        lit = values[values > 0]
        usual = float(np.quantile(lit, USUAL)) / BEYOND if lit.size else 0.0
        whole = 1.0 if usual <= 1 else 255.0 if usual <= 255 else highest
    elif image.mode == "I":
        whole = 255.0 if highest <= 255 else 65535.0 if highest <= 65535 else highest
    else:
        whole = 65535.0
    return (values / np.float32(whole)).clip(0, 1)


def _reduced_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of a picture whose longer side is `MAX_SIDE` at most."""
    shrink = min(1.0, MAX_SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _reduced(values: NDArray[np.float32]) -> NDArray[np.float32]:
    width, height = _reduced_size(values.shape[1], values.shape[0])
    return resize_array(values, height, width)


def _alpha(image: Image.Image) -> NDArray[np.float32] | None:
    """The transparency of a picture, ``[H, W]`` in [0, 1]; None if it is the same everywhere."""
    if image.mode in DEEP or not image.has_transparency_data:
        return None
    alpha = np.array(image.convert("RGBA").getchannel("A"))
    return None if alpha.min() == alpha.max() else np.asarray(alpha / np.float32(255), np.float32)


def _has_labels(image: Image.Image) -> bool:
    """Whether the picture's palette tells labels apart: it has colours, and only its first entry is black.

    Palettes of pictures are grey, or begin otherwise; Pillow's own begins with several blacks.
    """
    palette = np.array(image.getpalette() if image.mode == "P" else [], np.int16).reshape(-1, 3)
    if len(palette) < 2 or palette[0].any() or not palette[1].any():
        return False
    return bool((palette.max(axis=1) - palette.min(axis=1) > GREY).any())


def _mask_values(image: Image.Image, labels: bool = False) -> NDArray[np.float32]:
    """The values of a mask ``[H, W]`` in [0, 1]; `labels` says whether they may be labels."""
    if image.mode in DEEP:
        values = np.array(image)
        return values.astype(np.float32).clip(0, 1) if values.max() == 1 else _deep_grey(image)
    if (alpha := _alpha(image)) is not None:
        return alpha
    if labels and _has_labels(image):
        return (np.array(image) > 0).astype(np.float32)
    grey = np.array(image.convert("RGB").convert("L") if image.mode == "CMYK" else image.convert("L"))
    return np.asarray(grey / np.float32(1 if grey.max() == 1 else 255), np.float32)


def _from_array(array: NDArray[Any]) -> Tensor:
    if array.dtype != np.uint8:
        raise ValueError(f"image is an array of {array.dtype}, wanted uint8")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(f"image is an array of shape {list(array.shape)}, wanted [H, W, 3]")
    return _tensor(_unit(array))


def _unit(array: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey, RGB or RGBA bytes ``[H, W, C]`` over white, as ``[3, H, W]`` in [0, 1]."""
    values = np.ascontiguousarray(array.transpose(2, 0, 1)).astype(np.float32)
    values *= np.float32(1 / 255)
    if len(values) == 4:
        values = values[:3] * values[3:] + (1 - values[3:])
    return np.repeat(values, 3, axis=0) if len(values) == 1 else values


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
    return image.clamp(0, 1).contiguous()
