"""Which strokes touch which tiles: against the strokes' coverage, pixel by pixel."""

import itertools

import pytest
import torch
from torch import Tensor

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer.backends.reference import MAX_SEGMENTS, segment_counts, stroke_fields
from semantic_guidance.renderer.backends.triton.bins import Bins, Grid, bin_strokes, polylines


def some_strokes(count: int, seed: int) -> Tensor:
    """Packed strokes ``[count, 13]``: long, short, thin, growing, points, and far from the canvas."""
    vectors = torch.rand(count, 13, generator=torch.Generator().manual_seed(seed))
    vectors[:, :6] = vectors[:, :6] * 1.6 - 0.3
    vectors[:, 6:8] *= 0.1
    vectors[0, 2:6] = vectors[0, :2].repeat(2)
    vectors[1, 2:4] = (vectors[1, :2] + vectors[1, 4:6]) / 2
    vectors[2, 6:8] = 0
    vectors[3, 6:8] = torch.tensor([0.0, 0.4])
    vectors[4, :6] += 5
    return vectors


def binned(strokes: Tensor, grid: Grid, softness: float) -> Bins:
    """The bins of as many strokes for each picture, in one section."""
    each = len(strokes) // grid.pictures
    pictures = torch.arange(grid.pictures)
    bounds = torch.stack([pictures * each, (pictures + 1) * each], dim=1)
    return bin_strokes(strokes, pictures.repeat_interleave(each), bounds, grid, softness)


@pytest.mark.parametrize(("height", "width", "softness"), [(50, 70, 1.0), (33, 16, 8.0), (1, 1, 1.0)])
def test_no_covered_pixel_is_missed_and_few_tiles_are_for_nothing(height, width, softness):
    strokes, grid = some_strokes(24, height), Grid(height, width, 2)
    bins = binned(strokes, grid, softness)
    found = {
        (tile, int(bins.stroke[pair]))
        for tile, (begin, end) in enumerate(bins.offsets.tolist())
        for pair in range(begin, end)
    }
    assert len(found) == len(bins.stroke)
    touched = set()
    parts = Strokes.unpack(strokes[None])
    points, radius = parts.points[0] * grid.scale, parts.radius[0] * grid.scale
    for n in range(24):
        distance, _ = stroke_fields(points[n : n + 1], radius[n : n + 1], height, width)
        rows, columns = (distance[0] < softness / 2).nonzero().unbind(1)
        tiles = (rows // 16) * grid.across + columns // 16 + (n // 12) * grid.each
        touched |= {(tile, n) for tile in tiles.unique().tolist()}
    assert touched <= found
    assert len(found) <= 1.4 * len(touched) + 6


def test_the_segments_of_a_pair_are_those_that_reach_its_tile():
    strokes, grid = some_strokes(12, 1), Grid(64, 80)
    bins = binned(strokes, grid, 1.0)
    segments, owner = polylines(strokes, grid.scale)
    assert torch.equal(segments, bins.segments)
    assert bool((owner[bins.first.long()] == bins.stroke).all())
    assert bool((owner[bins.end.long() - 1] == bins.stroke).all())
    lengths, counts = bins.end - bins.first, torch.bincount(owner)
    assert float(lengths.sum()) < 0.6 * float(counts[bins.stroke.long()].sum())


def test_polylines_are_those_of_the_reference():
    strokes = some_strokes(12, 2)
    segments, owner = polylines(strokes, 300)
    assert torch.bincount(owner).tolist() == segment_counts(strokes[:, :6].view(-1, 3, 2) * 300).tolist()
    for before, after in itertools.pairwise(range(len(segments))):
        if owner[before] == owner[after]:
            ends = segments[before, :4] + segments[before, 4:8]
            assert torch.allclose(ends, segments[after, :4], atol=1e-3)
    assert int(torch.bincount(polylines(1e4 * strokes, 300)[1]).max()) == MAX_SEGMENTS


def test_pairs_are_in_painting_order_and_found_again_by_stroke():
    strokes, grid = some_strokes(24, 3), Grid(50, 70, 2)
    bins = binned(strokes, grid, 1.0)
    tile = torch.repeat_interleave(torch.arange(grid.tiles), (bins.offsets[:, 1] - bins.offsets[:, 0]).long())
    keys = tile * 24 + bins.stroke
    assert bool((keys.diff() > 0).all())
    assert sorted(bins.order.tolist()) == list(range(len(keys)))
    for n, (begin, end) in enumerate(itertools.pairwise(bins.starts.tolist())):
        mine = bins.order[begin:end].long()
        assert bool((bins.stroke[mine] == n).all())
        assert bool((tile[mine].diff() > 0).all())


def test_sections_cut_a_tile_s_pairs_where_they_begin():
    strokes, grid = some_strokes(20, 4), Grid(20, 40)
    bins = bin_strokes(strokes, torch.zeros(20, dtype=torch.long), torch.tensor([[0, 5, 5, 18]]), grid, 1.0)
    for marks in bins.offsets.tolist():
        parts = [bins.stroke[begin:end].tolist() for begin, end in itertools.pairwise(marks)]
        assert all(n < 5 for n in parts[0])
        assert parts[1] == []
        assert all(5 <= n < 18 for n in parts[2])


def test_nothing_and_numbers_beyond_all_measure():
    grid = Grid(20, 20)
    for strokes in (torch.zeros(0, 13), torch.full((2, 13), 1e30), torch.full((2, 13), -1e25)):
        bins = binned(strokes, grid, 1.0)
        assert bool((bins.stroke < max(1, len(strokes))).all())
        assert bins.starts.shape == (len(strokes) + 1,)
