"""The pictures that a run learns from: mirrored ones have mirrored guidance."""

from __future__ import annotations

import math
import os
import resource
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from semantic_guidance.agents.ltp.episode import EnvConfig, alignment_grid, zoom
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.learning.bank import PictureBank, _completed, open_banks, to_bytes
from semantic_guidance.learning.config import make_config
from semantic_guidance.learning.data.folder import Example
from tests.learning.packs import write_pack

CPU = torch.device("cpu")
HEIGHT, WIDTH = 30, 48
BOX = (28.0, 3.0, 14.0, 20.0)
"""Of an object on the right, nearer to the upper edge."""


def picture(number: int, mirrored: bool = False) -> tuple[Tensor, Guidance]:
    """Noise with an object off the middle, or the same picture flipped."""
    generator = torch.Generator().manual_seed(number)
    image = torch.rand(3, HEIGHT, WIDTH, generator=generator)
    mask = torch.zeros(1, HEIGHT, WIDTH)
    x, y, across, down = (int(number) for number in BOX)
    mask[:, y : y + down, x : x + across] = 1
    focus = mask * torch.rand(1, HEIGHT, WIDTH, generator=generator)
    guidance = Guidance(mask, focus, (Instance(mask, BOX),))
    if not mirrored:
        return image, guidance
    box = (WIDTH - BOX[0] - BOX[2], *BOX[1:])
    return image.flip(-1), Guidance(mask.flip(-1), focus.flip(-1), (Instance(mask.flip(-1), box),))


def bank(mirrored: bool = False, count: int = 3, size: int = 16) -> PictureBank:
    return PictureBank(lambda number: picture(number, mirrored), torch.arange(count), size)


def test_a_mirrored_sample_is_the_flipped_picture_with_flipped_guidance() -> None:
    """Sample 2 n + 1 of the pictures is sample 2 n of their mirror images, to the byte that it is kept in."""
    found = bank().start(torch.tensor([1, 3, 5]), CPU)
    wanted = bank(mirrored=True).start(torch.tensor([0, 2, 4]), CPU)
    for field in fields(found):
        assert torch.allclose(getattr(found, field.name), getattr(wanted, field.name), atol=1.01 / 255)
    assert torch.allclose(found.grid, wanted.grid, atol=1e-6)
    assert not torch.allclose(found.grid, bank().start(torch.tensor([0, 2, 4]), CPU).grid, atol=0.1)


def test_the_box_by_hand() -> None:
    """Of 48 x 30: (28, 3, 14, 20); mirrored it begins at 48 - 28 - 14 = 6."""
    state = bank().start(torch.tensor([0, 1]), CPU)
    boxes = torch.tensor([[28 / 48, 3 / 30, 14 / 48, 20 / 30], [6 / 48, 3 / 30, 14 / 48, 20 / 30]])
    assert torch.allclose(state.grid, alignment_grid(boxes, 16, 16), atol=1e-6)
    # What is aligned to the object shows it, from edge to edge.
    assert zoom(state.mask, state.grid)[:, :, 1:-1, 1:-1].min() > 0.6
    assert state.mask.mean() < 0.35


def test_pictures_are_squashed_and_kept_as_bytes() -> None:
    grey = torch.full((3, 10, 40), 0.3)
    grey[:, :, 20:] = 0.9
    state = PictureBank(lambda n: (grey, Guidance.none()), torch.arange(1), 8).start(torch.tensor([0]), CPU)
    assert state.target.shape == (1, 3, 8, 8)
    assert state.target[0, 0, 4, [0, 7]].tolist() == pytest.approx(
        [round(0.3 * 255) / 255, round(0.9 * 255) / 255]
    )
    assert (state.canvas == 0).all()
    assert not state.mask.any()
    assert to_bytes(torch.tensor([0.0, 0.5 / 255 - 1e-6, 0.5 / 255 + 1e-6, 1.2])).tolist() == [0, 0, 1, 255]


def test_half_of_the_samples_are_mirrored_and_all_pictures_are_drawn() -> None:
    samples = bank(count=5).draw(4000, torch.Generator().manual_seed(0))
    counts = torch.bincount(samples, minlength=10)
    assert len(counts) == 10
    assert counts.min() > 330


def test_a_picture_is_fetched_once_and_by_its_number() -> None:
    fetched = []

    def fetch(number: int) -> tuple[Tensor, Guidance]:
        fetched.append(number)
        return picture(number)

    pictures = PictureBank(fetch, torch.tensor([7, 4, 9]), 8)
    for samples in ([2, 3, 2], [4], [3, 5]):
        pictures.start(torch.tensor(samples), CPU)
    assert fetched == [4, 9]


def test_a_broken_picture_gives_way_to_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    def fetch(number: int) -> tuple[Tensor, Guidance]:
        if number in broken:
            raise ValueError(f"{number} is broken")
        return picture(number)

    broken = {2}
    pictures = PictureBank(fetch, torch.arange(3), 16)
    state = pictures.start(torch.tensor([4]), CPU)
    assert torch.equal(state.target, bank().start(torch.tensor([0]), CPU).target)
    assert "skipped: 2 is broken" in capsys.readouterr().err
    broken = {0, 1, 2}
    with pytest.raises(InputError, match="no picture can be read, the last one: 0 is broken"):
        PictureBank(fetch, torch.arange(3), 16).start(torch.tensor([2]), CPU)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten photographs of one grey each."""
    for n in range(10):
        Image.fromarray(np.full((20, 30, 3), 20 * n, np.uint8)).save(tmp_path / f"{n}.png")
    return tmp_path


def numbers(pictures: PictureBank) -> set[int]:
    """The pictures by their grey."""
    state = pictures.start(2 * torch.arange(len(pictures)), CPU)
    return {round(float(grey) * 255 / 20) for grey in state.target.mean(dim=(1, 2, 3))}


@pytest.mark.parametrize(("asked", "held_out"), [(100, 2), (1, 1)])
def test_pictures_held_out_are_others_than_those_learned_from(
    folder: Path, asked: int, held_out: int
) -> None:
    """As many as asked for, but no more than a fifth, and the same ones every time."""
    config = make_config(dataset="folder", data=str(folder), canvas_size=16, num_val=asked).data
    learned, held = (numbers(pictures) for pictures in open_banks(config, EnvConfig()))
    assert len(held) == held_out
    assert learned | held == set(range(10))
    assert not learned & held
    assert numbers(open_banks(config, EnvConfig())[1]) == held


def test_two_pictures_are_needed(tmp_path: Path, folder: Path) -> None:
    config = make_config(dataset="folder", data=str(folder)).data
    for path in list(folder.glob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(InputError, match="holds 1 pictures, wanted at least 2"):
        open_banks(config, EnvConfig())
    with pytest.raises(InputError, match=r"--data: .*wanted a folder of pictures"):
        open_banks(replace(config, data=str(tmp_path / "nowhere")), EnvConfig())


class TestGuidanceThatIsMissing:
    """It is found where the run needs it, on a reduced picture."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...]]]:
        """What a guide was asked for."""
        calls: list[tuple[str, tuple[int, ...]]] = []

        class Pointer:
            """A guide that finds the left half, and a focus of 0.5."""

            def __init__(self, focus: bool, faces: bool) -> None:
                assert not faces
                self.focus = focus

            def __call__(self, image: Tensor) -> Guidance:
                calls.append(("objects", tuple(image.shape)))
                mask = torch.zeros_like(image[:1])
                mask[..., : image.shape[-1] // 2] = 1
                return Guidance(mask, 0.5 * self.focus * mask, (Instance.from_mask(mask),))

            def from_mask(self, image: Tensor, mask: Tensor) -> Guidance:
                calls.append(("focus", tuple(image.shape)))
                assert mask.shape[-2:] == image.shape[-2:]
                return Guidance(mask, 0.5 * mask)

        monkeypatch.setattr("semantic_guidance.guidance.Guide", Pointer, raising=False)
        return calls

    @pytest.mark.parametrize(
        ("env", "known", "calls"),
        [
            (EnvConfig(), None, []),
            (EnvConfig(use_bilevel=True), None, [("objects", (3, 160, 256))]),
            (EnvConfig(use_gbp=True), None, [("objects", (3, 160, 256))]),
            (EnvConfig(use_bilevel=True, use_gbp=True), "mask", [("focus", (3, 160, 256))]),
            (EnvConfig(use_bilevel=True), "mask", []),
            (EnvConfig(use_bilevel=True, use_gbp=True), "nothing", []),
            (EnvConfig(use_bilevel=True, use_gbp=True), "focus", []),
        ],
    )
    def test_it_is_asked_for_what_is_needed(self, asked, env, known, calls) -> None:
        mask = torch.zeros(1, 200, 320)
        mask[:, :, 160:] = 1
        guidance = {
            None: None,
            "nothing": Guidance.none(200, 320),
            "mask": Guidance.from_mask(mask),
            "focus": replace(Guidance.from_mask(mask), focus=0.25 * mask),
        }[known]
        image, found = _completed([Example(torch.rand(3, 200, 320), guidance, "0")], env)(0)
        assert image.shape == (3, 200, 320)
        assert asked == calls
        if known == "mask":
            assert found.mask.mean() == pytest.approx(0.5)
            assert found.focus.max() == (0.5 if env.use_gbp else 0)
            assert len(found.instances) == 1


def test_a_kept_bank_serves_runs_with_other_guidance(tmp_path: Path) -> None:
    """Made for a run without guidance, it has masks and focus maps; another folder's is refused."""
    pack = write_pack(tmp_path)
    values = {"dataset": "cutouts", "data": str(pack), "canvas_size": 16, "pictures": 5, "num_val": 2}
    config = make_config(**values, bank=str(tmp_path / "bank.npz"))
    made = open_banks(config.data, EnvConfig())[0]
    assert bool(made.pixels[:, 4].any())
    kept = open_banks(config.data, EnvConfig(use_bilevel=True, use_gbp=True))
    assert torch.equal(kept[0].pixels, made.pixels)
    assert bool(kept[1].loaded.all())
    other = make_config(**{**values, "pictures": 6}, bank=str(tmp_path / "bank.npz"))
    with pytest.raises(InputError, match=r"--bank: .*bank.npz .*holds other pictures"):
        open_banks(other.data, EnvConfig())
    (tmp_path / "bank.npz").write_bytes(b"none")
    with pytest.raises(InputError, match="corrupt"):
        open_banks(config.data, EnvConfig())
    names = [f"{half}_{what}" for half in ("train", "held_out") for what in ("pixels", "boxes")]
    zeros = np.zeros((1000, 1000, 100), np.uint8)  # 100 MB, of which a kilobyte for each remains
    np.savez_compressed(tmp_path / "bank.npz", **dict.fromkeys(names, zeros))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="the archive is compressed"):
        open_banks(config.data, EnvConfig())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
    os.remove(tmp_path / "bank.npz")
    os.mkfifo(tmp_path / "bank.npz")
    with pytest.raises(InputError, match="it is not an ordinary file"):
        open_banks(config.data, EnvConfig())


@pytest.mark.parametrize("part", ["pixels", "mask", "focus map", "box"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_skipped_and_named(capsys: pytest.CaptureFixture[str], part: str, value: float):
    """In bytes it would be hidden, or blamed on learning rates much later."""

    def fetch(number: int) -> tuple[Tensor, Guidance]:
        image, guidance = picture(number)
        if number == 7:
            mask, focus = guidance.mask.clone(), guidance.focus.clone()
            for name, values in (("pixels", image), ("mask", mask), ("focus map", focus)):
                if name == part:
                    values[0, 3, 5] = value
            box = (value, *BOX[1:]) if part == "box" else BOX
            guidance = Guidance(mask, focus, (Instance(mask, box),))
        return image, guidance

    bank = PictureBank(fetch, torch.tensor([7, 8]), 16)
    bank.fill()
    assert f"skipped: picture 7: its {part} " in capsys.readouterr().err
    assert bool(bank.boxes.isfinite().all())
    assert torch.equal(bank.pixels[0], bank.pixels[1])
    with pytest.raises(InputError, match=f"no picture can be read, .*: its {part}"):
        PictureBank(fetch, torch.tensor([7]), 16).fill()
