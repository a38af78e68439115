"""The pictures that window agents learn on: composed once, kept in a file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from semantic_guidance.core.archives import check_stored, regular_size
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.options import OptionError
from semantic_guidance.guidance import Guide
from semantic_guidance.learning.data.cutouts.dataset import Composite, CutoutPack, compose
from semantic_guidance.learning.memory import byte_table
from semantic_guidance.learning.window.config import WindowTrainingConfig
from semantic_guidance.learning.window.scenes import Bytes, SceneBank

PLANES = 6  # bytes of a pixel: colour, all objects, the largest one, focus
WHAT = "a file of pictures that train-agent has composed"


def open_bank(config: WindowTrainingConfig) -> SceneBank:
    """The pictures in the file that the settings name; it is made if there is none.

    Raises:
        OptionError: the file is corrupt or holds other pictures, or the pack cannot be read.
        InputError: the pictures are larger than the machine's memory.
    """
    path = config.bank_file
    if path.exists():
        try:
            bank = read_bank(path)
        except InputError as error:
            raise OptionError("bank", str(error)) from None
        count, side = len(bank), bank.images.shape[1]
        if (count, side) != (config.scenes, config.scene_side):
            raise OptionError(
                "bank",
                f"{path} holds {count} pictures of {side} x {side} pixels, wanted --scenes {config.scenes} of"
                f" --scene-side {config.scene_side}, or another file",
            )
        return bank
    if config.pack is None:
        raise OptionError("pack", f"not given, and there is no {path}, wanted the folder of a cut-out pack")
    try:
        pack = CutoutPack.load(config.pack, "train")
    except ValueError as error:
        raise OptionError("pack", str(error)) from None
    bank = make_bank(pack, config.scenes, config.scene_side, config.seed)
    write_bank(bank, path)
    return bank


def make_bank(pack: CutoutPack, count: int, side: int, seed: int) -> SceneBank:
    """Composites, now and then one without an object, and their focus maps.

    Args:
        pack: what they are composed of.
        count: of the pictures.
        side: of each in pixels.
        seed: with its number, decides a picture.

    Raises:
        InputError: they are larger than the machine's memory.
    """
    flags, guide = "--scenes, --scene-side", Guide()
    images = byte_table(count, side, side, 3, flags=flags).numpy()
    masks = byte_table(count, side, side, 2, flags=flags).numpy()
    focus = byte_table(count, side, side, flags=flags).numpy()
    for index in tqdm(range(count), desc="composing", unit="picture", file=sys.stderr):
        made = compose(np.random.default_rng([seed, index]), pack, side, side)
        images[index] = (made.image * 255).round().clip(0, 255)
        masks[index], focus[index] = _guidance(made, guide)
    return SceneBank(images, masks, focus)


def _guidance(made: Composite, guide: Guide) -> tuple[Bytes, Bytes]:
    """``[H, H, 2]`` all objects and the largest one, and ``[H, H]`` the focus on it."""
    side = made.image.shape[0]
    if not made.masks:
        return np.zeros((side, side, 2), np.uint8), np.zeros((side, side), np.uint8)
    largest = max(made.masks, key=lambda mask: float(mask.sum()))
    masks = (np.stack([made.mask, largest], 2) * 255).round().astype(np.uint8)
    image, mask = torch.from_numpy(made.image).permute(2, 0, 1), torch.from_numpy(largest)[None]
    if not bool((mask > 0.5).any()):
        return masks, np.zeros((side, side), np.uint8)
    return masks, (guide.from_mask(image, mask).focus[0].numpy() * 255).round().astype(np.uint8)


def write_bank(bank: SceneBank, path: Path) -> None:
    """Write the pictures to a file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Into an open file: given a name, numpy may add a suffix to it.
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez(file, images=bank.images, masks=bank.masks, focus=bank.focus)


def read_bank(path: Path) -> SceneBank:
    """The pictures in a file that `write_bank` wrote.

    Raises:
        InputError: it is corrupt, or something else.
    """
    try:
        regular_size(path)
        check_stored(path)
        with np.load(path, allow_pickle=False) as file:
            images, masks, focus = (np.asarray(file[name]) for name in ("images", "masks", "focus"))
    except OSError as error:
        raise InputError(f"{path} cannot be read, wanted {WHAT} ({error.strerror or error})") from None
    except MemoryError:
        raise InputError(f"{path} is larger than the machine's memory, wanted fewer pictures") from None
    except Exception as error:  # whatever a file that is no archive of arrays makes the reader stumble over
        raise InputError(f"{path} is corrupt or something else, wanted {WHAT} ({error})") from None
    count, side = (*images.shape, 0, 0)[:2]
    shapes = ((count, side, side, 3), (count, side, side, 2), (count, side, side))
    for plane, shape in zip((images, masks, focus), shapes, strict=True):
        if plane.dtype != np.uint8 or plane.shape != shape or 0 in shape:
            raise InputError(
                f"{path} holds {plane.dtype} of the shape {plane.shape}, wanted {WHAT}:"
                " bytes of the shapes (N, H, H, 3), (N, H, H, 2) and (N, H, H)"
            )
    return SceneBank(images, masks, focus)
