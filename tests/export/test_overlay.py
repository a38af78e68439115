import torch

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.export.overlay import SHADE, guidance_overlay


def test_what_is_no_object_is_dimmed_and_the_focus_glows() -> None:
    image = torch.full((3, 60, 80), 0.8)
    mask, focus = torch.zeros(1, 60, 80), torch.zeros(1, 60, 80)
    mask[:, 10:50, 20:60] = 1
    focus[:, 30, 40] = 1
    overlay = guidance_overlay(image, Guidance(mask, focus, (Instance.from_mask(mask),)))
    assert overlay.shape == (3, 60, 80)
    assert torch.allclose(overlay[:, 3, 3], torch.full((3,), 0.8 * SHADE))
    assert torch.allclose(overlay[:, 20, 30], torch.full((3,), 0.8))
    assert overlay[0, 30, 40] > 2 * overlay[2, 30, 40]
    assert (overlay[:, 10, 20] - 0.8).abs().max() > 0.1  # the box's corner


def test_a_large_picture_without_objects() -> None:
    overlay = guidance_overlay(torch.ones(3, 30, 3000), Guidance.none())
    assert overlay.shape == (3, 10, 1024)
    assert torch.allclose(overlay, torch.tensor(SHADE))
