"""Errors and similarity against values worked by hand and against scikit-image."""

from __future__ import annotations

import pytest
import torch
from skimage.metrics import structural_similarity

from semantic_guidance.images.metrics import painting_errors, ssim, weighted_error


def test_errors_by_hand():
    """Left half off by 0.2 in red, right half by 0.1 in every colour; the mask is the right half."""
    target = torch.full((3, 100, 200), 0.5)
    painted = target.clone()
    painted[0, :, :100] += 0.2
    painted[:, :, 100:] -= 0.1
    mask = torch.zeros(1, 50, 100)
    mask[:, :, 50:] = 1
    errors = painting_errors(painted, target, mask)
    assert errors.background == pytest.approx(0.04 / 3, rel=1e-4)
    assert errors.foreground == pytest.approx(0.01, rel=1e-4)
    assert errors.everywhere == pytest.approx((0.04 / 3 + 0.01) / 2, rel=1e-4)


def test_pictures_are_averaged_over_areas():
    """A fine checkerboard is grey at 128 x 128."""
    checks = (torch.arange(512)[:, None] + torch.arange(512)) % 2
    errors = painting_errors(checks.float().expand(3, -1, -1), torch.full((3, 64, 100), 0.5))
    assert errors.everywhere == pytest.approx(0, abs=1e-10)


def test_regions_that_are_not_there():
    picture = torch.rand(3, 20, 30)
    assert painting_errors(picture, picture).foreground is None
    assert painting_errors(picture, picture, torch.zeros(1, 1, 1)).foreground is None
    everywhere = painting_errors(picture, picture, torch.ones(1, 20, 30))
    assert everywhere.background is None
    assert everywhere.foreground == 0


def test_ssim_is_that_of_scikit_image():
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(3, 40, 55, generator=generator)
    first = torch.nn.functional.avg_pool2d(first[None], 3, 1, 1)[0]
    for noise in (0.0, 0.05, 0.5):
        second = (first + noise * torch.randn(3, 40, 55, generator=generator)).clamp(0, 1)
        wanted = structural_similarity(
            first.double().numpy(),
            second.double().numpy(),
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )
        assert ssim(first, second) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("shape", [(3, 10, 40), (1, 40), (3, 40, 41)])
def test_ssim_complains(shape):
    with pytest.raises(ValueError, match="wanted the same"):
        ssim(torch.zeros(3, 40, 40), torch.zeros(shape))


def test_errors_complain():
    with pytest.raises(ValueError, match=r"wanted \[3, height, width\]"):
        painting_errors(torch.zeros(40, 40, 3), torch.zeros(3, 40, 40))


def test_weighted_error_by_hand() -> None:
    """Error .04 on the left half and 0 on the right, weights 1 and .25: .04 * 1 / 1.25."""
    target = torch.zeros(3, 128, 128)
    painted, weight = target.clone(), torch.full((1, 128, 128), 0.25)
    painted[..., :64], weight[..., :64] = 0.2, 1
    assert weighted_error(painted, target, weight) == pytest.approx(0.032)
    assert weighted_error(painted, target, torch.zeros(1, 128, 128)) is None
