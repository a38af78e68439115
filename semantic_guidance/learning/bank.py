"""The pictures of a training run, as bytes in memory, and the datasets that they come from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState, begun, guidance_tensors
from semantic_guidance.core.archives import check_stored, regular_size
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.core.resample import resample
from semantic_guidance.core.shown import printable
from semantic_guidance.images.arrays import check_unit
from semantic_guidance.learning.config import DataConfig
from semantic_guidance.learning.data.folder import DataRequest, Dataset, Divided, Opener
from semantic_guidance.learning.memory import byte_table

Fetch = Callable[[int], tuple[Tensor, Guidance]]
"""A picture ``[3, H, W]`` in [0, 1] and its guidance, by number."""

HALVES = ("train", "held_out")

LONGEST = 256
"""Side in pixels at which a picture's guidance is computed where the dataset has none."""


class PictureBank:
    """Pictures squashed to the canvas as in the reference code, but averaged, loaded when first asked for.

    A sample is a number, ``2 * picture + mirrored``: the replay memory keeps samples, not copies of targets.

    Args:
        fetch: gives the pictures.
        numbers: of the pictures that belong to the bank.
        size: side of the canvas in pixels.

    Raises:
        InputError: the machine's memory is too small for them.
    """

    def __init__(self, fetch: Fetch, numbers: Tensor, size: int) -> None:
        if len(numbers) == 0:
            raise ValueError("numbers is empty, wanted at least one picture")
        self.fetch, self.numbers, self.size = fetch, numbers, size
        flags = "--pictures, --canvas-size"
        self.pixels = byte_table(len(numbers), 5, size, size, flags=flags)  # colour, mask, focus
        self.boxes = torch.empty(len(numbers), 4, dtype=torch.float32)
        self.loaded = torch.zeros(len(numbers), dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.numbers)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Samples ``[count]`` at random, half of them mirrored."""
        return torch.randint(2 * len(self), (count,), generator=generator)

    def start(self, samples: Tensor, device: torch.device) -> PaintState:
        """Empty canvases before the samples ``[B]``."""
        places, mirrored = samples // 2, samples % 2 == 1
        for place in places[~self.loaded[places]].unique().tolist():
            self._load(place)
        pixels = self.pixels[places].to(device)
        boxes = self.boxes[places].to(device)
        mirrored = mirrored.to(device)
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels).float() / 255
        x, y, w, h = boxes.unbind(-1)
        boxes = torch.stack([torch.where(mirrored, 1 - x - w, x), y, w, h], dim=-1)
        return begun(pixels[:, :3], pixels[:, 3:4], pixels[:, 4:5], boxes)

    def fill(self) -> None:
        """Load all pictures that are not loaded yet."""
        places = (~self.loaded).nonzero()[:, 0].tolist()
        for place in tqdm(places, desc="pictures", unit="picture", file=sys.stderr):
            self._load(place)

    def first(self, count: int) -> PictureBank:
        """A bank of the first `count` pictures alone, with what is loaded of them."""
        bank = PictureBank(self.fetch, self.numbers[:count], self.size)
        bank.pixels, bank.boxes = self.pixels[:count], self.boxes[:count]
        bank.loaded = self.loaded[:count]
        return bank

    def take(self, pixels: NDArray[np.uint8], boxes: NDArray[np.float32]) -> None:
        """Take over what another bank of the same pictures loaded.

        Raises:
            ValueError: they are other pictures.
        """
        kinds = (pixels.dtype, pixels.shape, boxes.dtype, boxes.shape)
        wanted = (np.uint8, tuple(self.pixels.shape), np.float32, tuple(self.boxes.shape))
        if kinds != wanted or not np.isfinite(boxes).all():
            raise ValueError(f"{len(pixels)} pictures of the shape {pixels.shape[1:]}, wanted {wanted[1]}")
        self.pixels, self.boxes = torch.from_numpy(pixels), torch.from_numpy(boxes)
        self.loaded[:] = True

    def _load(self, place: int) -> None:
        small, mask, focus, box = self._readable(place)
        self.pixels[place] = to_bytes(torch.cat([small, mask, focus]))
        self.boxes[place] = box
        self.loaded[place] = True

    def _readable(self, place: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The picture at a place, or the next one that can be read: one broken file must not end a run.

        Returns:
            It, its mask, focus map and box, at the size of the canvas.

        Raises:
            InputError: no picture can be read.
        """
        for step in range(len(self.numbers)):
            number = int(self.numbers[(place + step) % len(self.numbers)])
            try:
                return self._prepared(number)
            except (ValueError, OSError) as error:
                reason = str(error)
                tqdm.write(f"skipped: {printable(reason)}", file=sys.stderr)
        raise InputError(f"no picture can be read, the last one: {reason}")

    def _prepared(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A picture, its mask, focus map and box, at the size of the canvas.

        Raises:
            ValueError: they cannot be read, or hold infinity or NaN, which bytes would hide.
            OSError: the same.
        """
        image, guidance = self.fetch(number)
        size = (self.size, self.size)
        mask, focus, box = guidance_tensors(guidance, *size)
        small = resample(image, *size)
        for name, values in _parts(image, guidance, box):
            if not bool(values.isfinite().all()):
                told = f" ({', '.join(f'{each:g}' for each in box.tolist())})" if name == "box" else ""
                raise ValueError(f"picture {number}: its {name}{told} holds infinity or NaN, wanted numbers")
            if name != "box":
                check_unit(values, f"picture {number}: its {name}")
        return small, mask, focus, box


def _parts(image: Tensor, guidance: Guidance, box: Tensor) -> tuple[tuple[str, Tensor], ...]:
    return ("pixels", image), ("mask", guidance.mask), ("focus map", guidance.focus), ("box", box)


def to_bytes(values: Tensor) -> Tensor:
    """Numbers in [0, 1] as bytes, rounded: truncated, as in LTP, they would darken canvases step by step."""
    return (values * 255).round().clamp(0, 255).to(torch.uint8)


def open_banks(
    config: DataConfig, env: EnvConfig, found: Callable[[int], None] = lambda count: None
) -> tuple[PictureBank, PictureBank]:
    """The pictures to learn from, and those held out.

    Args:
        config: where they are.
        env: what needs to be known of them.
        found: called with their number, before any is read.

    Raises:
        InputError: the dataset cannot be read, or a plug-in that brings it not be loaded.
    """
    opener: Opener = DATASETS.get(config.dataset)
    if config.bank is not None:  # for runs with other guidance, too
        env = replace(env, use_bilevel=True, use_gbp=True)
    photographs = None if config.photographs is None else Path(config.photographs)
    wanted = config.masks, config.split, config.variation
    request = DataRequest(env.use_bilevel or env.use_gbp, config.side, config.pictures, photographs, *wanted)
    try:
        (train, some), (rest, others) = halves(opener(Path(config.data), request), config)
    except ValueError as error:
        raise InputError(f"--data: {error}") from None
    found(len(some) + len(others))
    note = getattr(train, "note", "")
    if note and os.environ.get("RANK", "0") == "0":  # of several processes, only the first one tells
        tqdm.write(f"{config.dataset}: {printable(note)}", file=sys.stderr)
    banks = (
        PictureBank(_completed(train, env), some, config.side),
        PictureBank(_completed(rest, env), others, config.side),
    )
    if config.bank is not None:
        _keep(banks, Path(config.bank))
    return banks


def _keep(banks: tuple[PictureBank, PictureBank], path: Path) -> None:
    """Fill the banks from a file that `_keep` wrote, or fill them and write it.

    Raises:
        InputError: the file is corrupt, or holds other pictures.
        OSError: it cannot be written.
    """
    if path.exists():
        try:
            regular_size(path)
            check_stored(path)
            with np.load(path, allow_pickle=False) as file:
                for bank, half in zip(banks, HALVES, strict=True):
                    bank.take(file[f"{half}_pixels"], file[f"{half}_boxes"])
        except Exception as error:  # a file that is no archive of arrays raises anything
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"--bank: {path} is corrupt or holds other pictures, wanted a file that this data set and "
                f"these settings made, or another name ({reason})"
            ) from None
        return
    for bank in banks:
        bank.fill()
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for bank, half in zip(banks, HALVES, strict=True):
        arrays |= {f"{half}_pixels": bank.pixels.numpy(), f"{half}_boxes": bank.boxes.numpy()}
    # Into an open file: given a name, numpy may add a suffix to it.
    with replacing(path) as draft, draft.open("wb") as opened:
        np.savez(opened, **arrays)


Half = tuple[Dataset, Tensor]
"""A dataset, and the numbers of some of its pictures."""


def halves(dataset: Dataset, config: DataConfig) -> tuple[Half, Half]:
    """The pictures to learn from, and those held out: by chance, unless the dataset knows better."""
    count = len(dataset)
    held_out = max(1, min(config.num_val, count // 5))
    if isinstance(dataset, Divided):
        train, rest = dataset.split(held_out)
        return (train, torch.arange(len(train))), (rest, torch.arange(len(rest)))
    if count < 2:
        raise ValueError(f"{config.data} holds {count} pictures, wanted at least 2")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return (dataset, order[held_out:].sort().values), (dataset, order[:held_out].sort().values)


def _completed(dataset: Dataset, env: EnvConfig) -> Fetch:
    """A dataset's pictures, with the guidance that the environment needs and it lacks found by a `Guide`."""
    from semantic_guidance.guidance import Guide

    guide = Guide(focus=env.use_gbp, faces=False)

    def complete(index: int) -> tuple[Tensor, Guidance]:
        example = dataset[index]
        image, guidance = example.image, example.guidance
        if guidance is None and not (env.use_bilevel or env.use_gbp):
            return image, Guidance.none()
        lacks_focus = env.use_gbp and guidance is not None and not bool(guidance.focus.any())
        if guidance is not None and not (lacks_focus and bool((guidance.mask > 0.5).any())):
            return image, guidance
        scale = min(1.0, LONGEST / max(image.shape[1:]))
        size = [max(1, round(side * scale)) for side in image.shape[1:]]
        small = resample(image, size[0], size[1]).clamp(0, 1)
        if guidance is None and example.box is not None:
            x, y, w, h = example.box
            across, down = size[1] / image.shape[2], size[0] / image.shape[1]
            return image, guide.from_box(small, (x * across, y * down, w * across, h * down))
        if guidance is None:
            return image, guide(small)
        guidance = guidance.resized(size[0], size[1])
        return image, replace(guidance, focus=guide.from_mask(small, guidance.mask).focus)

    return complete
