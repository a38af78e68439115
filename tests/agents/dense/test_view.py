import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.dense.view import channels, closer, object_square, observe, state_of
from semantic_guidance.agents.ltp.episode import EnvConfig, channel_table

SIDE = 32


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ((0.25, 0.25, 0.5, 0.5), (0.21, 0.21, 0.58, 0.58)),
        ((0.2, 0.4, 0.5, 0.1), (0.16, 0.16, 0.58, 0.58)),  # a wide one: as high as wide
        ((0.5, 0.5, 0.01, 0.02), (0.47375, 0.47875, 0.0625, 0.0625)),  # eight pixels of 128 at least
        ((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)),  # all there is
    ],
)
def test_the_square_round_an_object(box: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    assert object_square(torch.tensor([box]))[0].tolist() == pytest.approx(wanted, abs=1e-6)


SQUARE = torch.tensor([[0.5, 0.25, 0.25, 0.25]])


def planes(guided: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is seen of a painting; its canvas, target and mask."""
    generator = torch.Generator().manual_seed(0)
    canvas, target = torch.rand(2, 1, 3, SIDE, SIDE, generator=generator)
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 8:16, 16:24] = 1
    state = state_of(canvas, target, mask, 0.5 * mask, SQUARE, torch.tensor([3]))
    return observe(state, guided, steps=5), canvas, target, mask


@pytest.mark.parametrize("guided", [False, True])
def test_the_papers_channels_follow_the_difference(guided: bool) -> None:
    whole, canvas, target, mask = planes(guided)
    assert whole.shape[1] == channels(guided) == (16 if guided else 12)
    assert torch.allclose(whole[:, :3], 4 * (target - canvas))
    table = channel_table(EnvConfig(use_bilevel=guided, use_gbp=guided))
    rest = whole[:, 3:]
    assert torch.equal(rest[:, table["canvas"]], canvas)
    assert torch.equal(rest[:, table["target"]], target)
    assert torch.allclose(rest[:, table["step"]], torch.tensor(0.6))
    assert rest[0, table["coordinates"]][:, -1, 0].tolist() == [1, 0]
    if guided:
        assert torch.equal(rest[:, table["mask"]], mask)
        assert torch.equal(rest[:, table["focus"]], 0.5 * mask)
        assert float(rest[:, table["grid"]].min()) > 0.25  # where the aligned object comes from
        assert float(rest[:, table["grid"]].max()) < 0.75


def test_the_aligned_object_fills_the_closer_view() -> None:
    whole, _, target, _ = planes(True)
    close = closer(whole, SQUARE)
    mask = close[:, 3 + 3 + 3 + 1 + 2 + 1]
    assert mask.shape == (1, 64, 64)
    assert float(mask[:, 8:-8, 8:-8].min()) > 0.99
    assert torch.allclose(close[0, 6:9].mean((1, 2)), target[0, :, 8:16, 16:24].mean((1, 2)), atol=0.02)


def test_after_the_last_step_the_step_stays() -> None:
    blank, square = torch.zeros(2, 3, SIDE, SIDE), torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2)
    state = state_of(blank, blank, blank[:, :1], blank[:, :1], square, torch.tensor([4, 9]))
    seen = observe(state, False, steps=5)
    assert seen[:, 9, 0, 0].tolist() == pytest.approx([0.8, 0.8])
