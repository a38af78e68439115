import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.core.errors import NotFiniteError


def random_vectors(batch: int, count: int, seed: int, widest: float = 0.2) -> Tensor:
    vectors = torch.rand(batch, count, 13, generator=torch.Generator().manual_seed(seed))
    vectors[..., :6] = vectors[..., :6] * 1.4 - 0.2  # some of it beyond the canvas
    vectors[..., 6:8] *= widest
    return vectors


def one_stroke(points: list[list[float]], radius: list[float], opacity: list[float]) -> Strokes:
    return Strokes(
        torch.tensor([[points]]), torch.tensor([[radius]]), torch.tensor([[opacity]]), torch.ones(1, 1, 3)
    )


class TestByHand:
    def test_a_disc(self) -> None:
        # A stroke without length is a disc: radius 4 px about the middle of a 16 px canvas.
        strokes = one_stroke([[0.5, 0.5]] * 3, [0.25, 0.25], [1, 1])
        alpha = render(strokes, torch.zeros(1, 3, 16, 16))[0, 0]
        rows, columns = np.mgrid[:16, :16] + 0.5
        distance = np.hypot(rows - 8, columns - 8) - 4
        assert np.allclose(alpha, np.clip(0.5 - distance, 0, 1), atol=1e-5)

    def test_a_horizontal_bar(self) -> None:
        # Half height 2.25 px: row 5 (centre 5.5) is 2.5 px off the axis at y = 8, so 0.25 px outside.
        strokes = one_stroke([[-1.0, 0.5], [0.5, 0.5], [2.0, 0.5]], [2.25 / 16, 2.25 / 16], [0.5, 0.5])
        alpha = render(strokes, torch.zeros(1, 3, 16, 16))[0, 0]
        expected = [0] * 5 + [0.125, 0.5, 0.5, 0.5, 0.5, 0.125] + [0] * 5
        assert torch.allclose(alpha, torch.tensor(expected)[:, None].expand(16, 16), atol=1e-5)

    def test_a_cone_s_tangent(self) -> None:
        # Radii 1 and 3 px, centres 8 px apart: the hull's upper tangent rises by asin(2 / 8) and touches
        # the first disc at (cos, sin) of its normal. A point on that tangent is covered by one half.
        strokes = one_stroke([[0.25, 0.5], [0.375, 0.5], [0.5, 0.5]], [1 / 32, 3 / 32], [1, 1])
        slope = math.asin(2 / 8)
        normal = np.array([-math.sin(slope), -math.cos(slope)])
        along = np.array([math.cos(slope), -math.sin(slope)])
        foot = np.array([8.0, 16.0]) + normal
        alpha = render(strokes, torch.zeros(1, 3, 32, 32))[0, 0].numpy()
        rows, columns = np.mgrid[:32, :32] + 0.5
        above = (columns - foot[0]) * normal[0] + (rows - foot[1]) * normal[1]
        place = (columns - foot[0]) * along[0] + (rows - foot[1]) * along[1]
        near = (place > 0.5) & (place < 7) & (rows < 16) & (above > -1)
        assert near.sum() > 10
        assert np.allclose(alpha[near], np.clip(0.5 - above[near], 0, 1), atol=1e-4)

    def test_compositing(self) -> None:
        # Two strokes over everything: 0.2, then half of red, then a quarter of green under mask 0.5.
        canvas = torch.full((1, 3, 8, 8), 0.2)
        disc = {"points": torch.full((1, 1, 3, 2), 0.5), "radius": torch.full((1, 1, 2), 2.0)}
        red = Strokes(**disc, opacity=torch.full((1, 1, 2), 0.5), color=torch.tensor([[[1.0, 0, 0]]]))
        green = Strokes(**disc, opacity=torch.full((1, 1, 2), 0.25), color=torch.tensor([[[0, 1.0, 0]]]))
        painted = render(green, render(red, canvas), torch.full((1, 1, 8, 8), 0.5))
        expected = torch.tensor([0.6 * 0.875, 0.1 * 0.875 + 0.125, 0.1 * 0.875])
        assert torch.allclose(painted, expected.view(1, 3, 1, 1).expand(1, 3, 8, 8), atol=1e-6)

    def test_a_shrinking_disc_keeps_the_opacity_of_each_ring(self) -> None:
        # Centre fixed, radius 8 to 0 px: a ring at radius q was covered last at t = 1 - q / 8.
        strokes = one_stroke([[0.5, 0.5]] * 3, [8 / 32, 0], [0, 1])
        alpha = render(strokes, torch.zeros(1, 3, 32, 32))[0, 0].numpy()
        rows, columns = np.mgrid[:32, :32] + 0.5
        ring = np.hypot(rows - 16, columns - 16)
        inside = ring < 7
        assert np.allclose(alpha[inside], 1 - ring[inside] / 8, atol=0.02)


class TestBackendsAgree:
    @pytest.mark.parametrize(("height", "width"), [(40, 64), (64, 40), (33, 17), (1, 1), (7, 90)])
    @pytest.mark.parametrize("softness", [1.0, 3.7])
    def test_values_and_gradients(self, height: int, width: int, softness: float) -> None:
        generator = torch.Generator().manual_seed(height)
        canvas = torch.rand(2, 3, height, width, generator=generator)
        mask = torch.rand(2, 1, height, width, generator=generator)
        cotangent = torch.randn(2, 3, height, width, generator=generator)
        results = []
        for backend in ("numba", "reference"):
            vectors = random_vectors(2, 9, seed=width).requires_grad_()
            below = canvas.clone().requires_grad_()
            painted = render(Strokes.unpack(vectors), below, mask, softness, backend)
            painted.backward(cotangent)
            assert vectors.grad is not None
            assert below.grad is not None
            results.append((painted.detach(), vectors.grad, below.grad))
        for ours, theirs in zip(*results, strict=True):
            # Single precision: the direction from a disc's centre to a pixel close to it is uncertain.
            assert torch.allclose(ours, theirs, atol=2e-4 * max(1.0, float(theirs.abs().max())))

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**31), st.sampled_from([0.0, 1e-4, 0.02, 0.4]), st.booleans())
    def test_odd_strokes(self, seed: int, widest: float, closed: bool) -> None:
        """Points, hair lines, giants, curves that end where they begin."""
        vectors = random_vectors(1, 4, seed, widest)
        if closed:
            vectors[..., 4:6] = vectors[..., 0:2]
            vectors[..., 9] = vectors[..., 8]  # on the way there or on the way back: anyone's guess
        vectors[:, 0, 2:6] = vectors[:, 0, 0:2].repeat(1, 2)
        canvas = torch.rand(1, 3, 24, 31, generator=torch.Generator().manual_seed(seed))
        ours = render(Strokes.unpack(vectors), canvas, backend="cpu")
        theirs = render(Strokes.unpack(vectors.double()), canvas.double(), backend="reference")
        # A pixel on the rim of the disc that decides may fall to the next one, which differs by 1/99 in t.
        assert (ours - theirs).abs().mean() < 1e-4
        assert ((ours - theirs).abs() > 0.02).float().mean() < 0.01

    def test_strokes_one_by_one(self) -> None:
        vectors, canvas = random_vectors(1, 12, seed=3), torch.rand(1, 3, 50, 50)
        together = render(Strokes.unpack(vectors), canvas)
        for n in range(12):
            canvas = render(Strokes.unpack(vectors[:, n : n + 1]), canvas)
        assert torch.equal(together, canvas)

    def test_a_batch_is_its_members(self) -> None:
        vectors, canvas = random_vectors(3, 8, seed=4), torch.rand(3, 3, 40, 40)
        together = render(Strokes.unpack(vectors), canvas)
        for b in range(3):
            alone = render(Strokes.unpack(vectors[b : b + 1]), canvas[b : b + 1])
            assert torch.equal(together[b : b + 1], alone)


def test_gradients_by_finite_differences() -> None:
    """In double precision, of points, radii, opacities, colours and canvas; some strokes cross themselves."""
    vectors = random_vectors(1, 4, seed=11).double().requires_grad_()
    canvas = torch.rand(1, 3, 7, 9, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(1, 1, 7, 9, dtype=torch.float64)

    def paint(vectors: Tensor, canvas: Tensor) -> Tensor:
        return render(Strokes.unpack(vectors), canvas, mask, softness=2.0)

    assert torch.autograd.gradcheck(paint, (vectors, canvas), eps=1e-7, atol=1e-4)


def test_the_same_at_any_size() -> None:
    """A stroke means the same at any resolution: shrunk, the large painting is the small one."""
    strokes = Strokes.unpack(random_vectors(1, 20, seed=5, widest=0.1))
    small = render(strokes, torch.zeros(1, 3, 48, 80))
    large = render(strokes, torch.zeros(1, 3, 384, 640))
    shrunk = torch.nn.functional.avg_pool2d(large, 8)
    assert (small - shrunk).abs().mean() < 0.004


def test_thin_long_strokes_are_not_dotted() -> None:
    strokes = one_stroke([[0.05, 0.1], [0.5, 0.2], [0.95, 0.9]], [0.001, 0.001], [1, 1])
    alpha = render(strokes, torch.zeros(1, 3, 1024, 1024))[0, 0]
    assert (alpha[:, 60:960].amax(dim=0) > 0.9).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"canvas": torch.zeros(3, 8, 8)},
            r"canvas has shape \[3, 8, 8\], wanted \[batch, 3,",
        ),
        ({"canvas": torch.zeros(2, 3, 8, 8)}, "strokes have batch 1, wanted the canvas's 2"),
        ({"mask": torch.zeros(1, 8, 8)}, r"mask has shape \[1, 8, 8\], wanted \[1, 1, 8, 8\]"),
        ({"softness": 0.0}, "softness is 0.0, wanted a number above 0"),
        ({"softness": math.nan}, "softness is nan"),
        ({"backend": "cuda"}, "backend is 'cuda', wanted one of cpu, triton, reference, or auto"),
        (
            {"backend": "numba", "canvas": torch.zeros(1, 3, 8, 8).double()},
            "backend 'numba' does not support float64 on cpu",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], message: str) -> None:
    arguments = {"strokes": Strokes.empty(), "canvas": torch.zeros(1, 3, 8, 8)} | change
    with pytest.raises(ValueError, match=message):
        render(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_strokes_that_are_no_numbers_are_refused(backend: object, number: float) -> None:
    vectors = torch.full((2, 3, 13), 0.5)
    vectors[1, 2, 7] = number
    with pytest.raises(NotFiniteError, match="stroke 2 holds numbers that are infinite or NaN"):
        render(Strokes.unpack(vectors), torch.zeros(2, 3, 8, 8), backend=backend)  # type: ignore[arg-type]
