"""An object for which somebody asks for a share of the strokes gets it; the others share what is left."""

from __future__ import annotations

import pytest
import torch

from semantic_guidance import Guidance, Instance, Painter
from semantic_guidance.agents.weighing import budgets
from semantic_guidance.painter.presets import Preset, RefineConfig

HEIGHT, WIDTH, STROKES = 48, 72, 100
SHORT = Preset(side=32, refine=RefineConfig(steps=6), hand_steps=6)
Shares = tuple[float | None, ...]


def disc(x: float, y: float, radius: float) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    return ((columns - x) ** 2 + (rows - y) ** 2 < radius**2).float()[None]


DISCS = [disc(20, 24, 14), disc(52, 16, 8), disc(54, 38, 6)]


def known(shares: Shares, confidence: float = 1.0) -> Guidance:
    instances = tuple(
        Instance.from_mask(mask, confidence=confidence, share=share)
        for mask, share in zip(DISCS, shares, strict=True)
    )
    return Guidance(torch.stack(DISCS).amax(dim=0), torch.zeros(1, HEIGHT, WIDTH), instances)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    noise = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    return 0.5 * noise + 0.4 * (1 - torch.stack(DISCS).amax(dim=0))


@pytest.mark.parametrize("style", ["likeness", "alla-prima", "watercolor"])
@pytest.mark.parametrize("preset", ["draft", SHORT])
@pytest.mark.parametrize("shares", [(0.1, None, 0.6)])
def test_the_finished_painting_has_the_shares(picture, style, preset, shares):
    painter = Painter(style=style, preset=preset, strokes=STROKES, size=WIDTH)
    painting = painter.paint(picture, known(shares))
    assert len(painting.strokes) >= 0.9 * STROKES
    counts = [
        sum(
            len(each.strokes) for each in painting.layers if each.level == "foreground" and each.instance == n
        )
        for n in range(3)
    ]
    for count, share in zip(counts, shares, strict=True):
        if share is not None:
            assert count / len(painting.strokes) == pytest.approx(share, abs=0.02)


def test_so_does_one_that_nobody_could_find(picture):
    painter = Painter(preset="draft", agent="planner", strokes=STROKES, size=WIDTH)
    doubted = known((None, 0.5, None), confidence=0.1)
    assert [each.doubtful for each in doubted.instances] == [True, False, True]
    painting = painter.paint(picture, doubted)
    assert painting.shares == pytest.approx([0.0, 0.5, 0.0], abs=0.001)


def test_all_objects_together_have_theirs_even_so(picture):
    for style in ("likeness", "alla-prima"):
        painter = Painter(style=style, preset="draft", strokes=STROKES, size=WIDTH, foreground_share=0.8)
        shares = painter.paint(picture, known((0.1, None, None))).shares
        assert shares[0] == pytest.approx(0.1, abs=0.02)
        assert sum(shares) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("asked", [(0.7, None, 0.3), (0.25, 0.25, 0.25), (None, 0.0, 1.0), (0.4, None, None)])
@pytest.mark.parametrize("together", [None, 0.0, 0.5, 1.0])
def test_what_is_asked_for_comes_first(picture, asked, together):
    masks = torch.cat(DISCS)
    usual = budgets(picture, torch.ones(HEIGHT, WIDTH), masks, 1000, None)
    found = budgets(picture, torch.ones(HEIGHT, WIDTH), masks, 1000, together, None, asked)
    assert sum(found) == 1000
    assert min(found) >= 0
    for count, share in zip(found[1:], asked, strict=True):
        if share is not None:
            assert count == pytest.approx(1000 * share, abs=1)
    left = [0, *(n for n, share in enumerate(asked, 1) if share is None)]
    if together is None:  # as they would have shared all
        rest, before = [found[n] for n in left], [usual[n] for n in left]
        assert rest == pytest.approx([sum(rest) * each / sum(before) for each in before], abs=2)
    elif len(left) > 1:
        fixed = sum(share for share in asked if share is not None)
        assert sum(found[1:]) == pytest.approx(1000 * max(together, fixed), abs=1)


def test_a_share_goes_with_its_object():
    guidance = known((0.25, None, 0.5))
    assert [each.share for each in guidance.resized(24, 36).instances] == [0.25, None, 0.5]
    assert [each.share for each in guidance.united().instances] == [0.75]
    assert known((None, None, None)).united().instances[0].share is None
    assert [each.share for each in known((0.25, None, 0.5), 0.2).trusted().instances] == [0.25, 0.5]


def test_more_than_all_strokes_are_refused():
    with pytest.raises(ValueError, match=r"share is 1\.5, wanted 0 to 1"):
        Instance.from_mask(DISCS[0], share=1.5)
    with pytest.raises(ValueError, match=r"wanted shares add up to 1\.2, wanted at most 1"):
        known((0.6, None, 0.6))
