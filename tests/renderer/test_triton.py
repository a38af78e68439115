"""The kernels for graphics cards: on one, if there is one, else in Triton's interpreter."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance.renderer.backends.base import Backend, Segment, Task, load_backend
from semantic_guidance.renderer.backends.reference import ReferenceBackend
from semantic_guidance.renderer.backends.triton import backend

pytest.importorskip("triton", reason="the package triton is not installed")
operations = pytest.importorskip("semantic_guidance.renderer.backends.triton.operations")

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
OURS = load_backend("triton", DEVICE, torch.float32)
REFERENCE = ReferenceBackend()


SIDE = operations.TILE if CUDA else 4
"""Side of small tiles: in the interpreter, time goes by the segments of a curve, and so by its length."""


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles, as on a graphics card."""
    monkeypatch.setattr(operations, "INTERPRETED_TILE", SIDE)


def sides(height: float, width: float) -> tuple[int, int]:
    """A picture of so many tiles down and across, in pixels."""
    return round(height * SIDE), round(width * SIDE)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def odd_strokes(batch: int, seed: int) -> Tensor:
    """Packed strokes ``[batch, 8, 13]``, of every kind."""
    vectors = numbers(batch, 8, 13, seed=seed)
    vectors[..., :6] = vectors[..., :6] * 1.3 - 0.15
    vectors[..., 6:8] *= 0.15
    vectors[:, 0, 2:6] = vectors[:, 0, :2].repeat(1, 2)  # a disc
    vectors[:, 1, 2:4] = (vectors[:, 1, :2] + vectors[:, 1, 4:6]) / 2  # straight
    vectors[:, 2, 6:8] = 0  # a hair
    vectors[:, 3, 4:6] = vectors[:, 3, :2]  # back to where it began
    vectors[:, 3, 9] = vectors[:, 3, 8]
    vectors[:, 4, 6:8] = torch.tensor([0.02, 0.6])  # its end contains its start
    vectors[:, 4, 2:6] = vectors[:, 4, :2].repeat(1, 2) + 0.05 * vectors[:, 4, 2:6]
    vectors[:, 5, :6] += 3  # out of sight
    vectors[:, 6, 2:6] = vectors[:, 6, :2].repeat(1, 2)  # a point, and nothing of it
    vectors[:, 6, 6:8] = 0
    vectors[:, 6, 8:10] = 0
    return vectors


def rendered(
    renderer: Backend,
    strokes: Tensor,
    canvas: Tensor,
    mask: Tensor | None,
    softness: float,
    device: torch.device,
) -> list[Tensor]:
    """A canvas, and the gradients of a random direction of it in strokes and canvas."""
    some, below = (each.detach().to(device).requires_grad_() for each in (strokes, canvas))
    under = None if mask is None else mask.to(device)
    painted = renderer.render(some, below, under, softness)
    cotangent = (numbers(*canvas.shape, seed=9) - 0.5).to(device)
    gradients = torch.autograd.grad(painted, (some, below), cotangent)
    return [each.detach().cpu() for each in (painted, *gradients)]


def assert_equal_to_the_reference(
    strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float
) -> None:
    ours = rendered(OURS, strokes, canvas, mask, softness, DEVICE)
    theirs = rendered(REFERENCE, strokes, canvas, mask, softness, torch.device("cpu"))
    apart = (ours[0] - theirs[0]).abs()
    # A pixel on the rim of the disc that decides may fall to the next one, which differs by 1/99 in t.
    assert int((apart > 1e-5).any(dim=1).sum()) <= 1 + 2e-3 * apart[:, 0].numel()
    assert float(apart.max()) < 0.011
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        assert float((one - other).norm()) <= 1e-3 * float(other.norm())


class TestAgainstTheReference:
    @pytest.mark.parametrize(
        ("size", "batch", "masked", "softness"),
        [(sides(1.25, 2.25), 2, True, 1.0), (sides(2.5, 1), 1, False, 3.3), ((1, 1), 1, True, 0.5)],
    )
    def test_odd_strokes(self, small_tiles, size, batch, masked, softness):
        height, width = size
        canvas, mask = numbers(batch, 3, height, width, seed=1), numbers(batch, 1, height, width, seed=2)
        assert_equal_to_the_reference(odd_strokes(batch, 3), canvas, mask if masked else None, softness)

    @settings(max_examples=4, deadline=None, derandomize=True)
    @given(st.integers(0, 2**31), st.sampled_from([0.0, 0.02, 0.5]), st.floats(0.3, 4))
    def test_random_strokes(self, seed, widest, softness):
        vectors = numbers(1, 3, 13, seed=seed)
        vectors[..., 6:8] *= widest
        assert_equal_to_the_reference(vectors, numbers(1, 3, 12, 9, seed=seed + 1), None, softness)

    def test_a_painting_s_error_and_what_strokes_are_worth(self, small_tiles):
        strokes, task = painting(*sides(1.25, 1.25))
        there = Task(task.segments, *(plane.to(DEVICE) for plane in planes(task)))
        error, gradient = OURS.objective(strokes.to(DEVICE), there, 1.5)
        expected, wanted = REFERENCE.objective(strokes, task, 1.5)
        assert error == pytest.approx(expected, rel=1e-5)
        assert float((gradient.cpu() - wanted).norm()) <= 1e-3 * float(wanted.norm())
        costs, canvas = OURS.removal_costs(strokes.to(DEVICE), there, 1.5)
        wanted_costs, wanted_canvas = REFERENCE.removal_costs(strokes, task, 1.5)
        assert torch.allclose(costs.cpu(), wanted_costs, atol=1e-6)
        assert torch.allclose(canvas.cpu(), wanted_canvas, atol=1e-5)


SEGMENTS = (
    Segment(3, None, 0.2),
    Segment(2, 1),
    Segment(0, 0, 0.1),
    Segment(2, None, 0.5),
    Segment(3, 0, 1.0),
)


def painting(height: int, width: int, seed: int = 0) -> tuple[Tensor, Task]:
    """Strokes ``[10, 13]``, and a task with two masks and four sections."""
    strokes = torch.cat([odd_strokes(1, seed)[0], numbers(2, 13, seed=seed)])
    masks, weight = numbers(2, height, width, seed=seed + 1), numbers(height, width, seed=seed + 2) + 0.1
    pictures = numbers(2, 3, height, width, seed=seed + 3)
    return strokes, Task(SEGMENTS, masks, *pictures, weight)


def planes(task: Task) -> tuple[Tensor, ...]:
    return task.masks, task.blank, task.target, task.weight


def answers(strokes: Tensor, task: Task) -> list[Tensor]:
    """Everything that the backend says of a painting."""
    there = Task(task.segments, *(plane.to(DEVICE) for plane in planes(task)))
    error, gradient = OURS.objective(strokes.to(DEVICE), there, 1.0)
    return [torch.tensor(error), gradient, *OURS.removal_costs(strokes.to(DEVICE), there, 1.0)]


class TestTheSameBits:
    def test_at_every_run_however_many_pairs_a_tape_holds(self, small_tiles, monkeypatch):
        strokes, task = painting(*sides(1.25, 0.75))
        canvas, some = numbers(1, 3, *sides(1.25, 0.75)), strokes[None, :2]
        first = [*answers(strokes, task), *rendered(OURS, some, canvas, None, 1.0, DEVICE)]
        monkeypatch.setattr(operations, "TAPE_PAIRS", 3)
        again = [*answers(strokes, task), *rendered(OURS, some, canvas, None, 1.0, DEVICE)]
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))

    def test_more_strokes_in_a_tile_than_are_added_up_at_a_time(self, monkeypatch):
        count = operations.BLOCK + 3
        vectors = numbers(1, count, 13, seed=5)
        vectors[..., 2:6] = vectors[..., :2].repeat(1, 1, 2)
        vectors[..., 8:10] *= 0.2
        canvas = numbers(1, 3, 9, 9, seed=6)
        assert_equal_to_the_reference(vectors, canvas, None, 1.0)
        # and more tiles under a stroke
        monkeypatch.setattr(operations, "INTERPRETED_TILE", 2)
        assert_equal_to_the_reference(vectors[:, :3], canvas, None, 1.0)

    def test_tiles_do_not_show(self, small_tiles, monkeypatch):
        strokes, canvas = odd_strokes(1, 4).to(DEVICE), numbers(1, 3, *sides(1.75, 2.25)).to(DEVICE)
        tiled = OURS.render(strokes, canvas, None, 1.0)
        monkeypatch.undo()
        assert torch.equal(OURS.render(strokes, canvas, None, 1.0), tiled)


def test_strokes_after_the_last_segment_are_not_painted():
    strokes, task = painting(4, 5)
    _, gradient, costs, canvas = answers(torch.cat([strokes, strokes[:2]]), task)
    expected = answers(strokes, task)
    assert torch.equal(canvas, expected[3])
    assert torch.equal(gradient, torch.cat([expected[1], torch.zeros_like(gradient[:2])]))
    assert torch.equal(costs, torch.cat([expected[2], torch.zeros_like(costs[:2])]))


def test_a_canvas_that_is_changed_before_the_gradient_is_noticed():
    strokes, canvas = odd_strokes(1, 0)[:, :1].to(DEVICE), numbers(1, 3, 8, 8).to(DEVICE)
    painted = OURS.render(strokes.requires_grad_(), canvas, None, 1.0)
    canvas += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        painted.sum().backward()


def test_warming_up_calls_every_kernel_once():
    backend._compile.cache_clear()
    backend._compile(DEVICE)
    backend._compile(DEVICE)
    assert backend._compile.cache_info().hits == 1


def test_it_supports_single_precision_on_graphics_cards_and_what_is_interpreted(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert OURS.supports(cuda, torch.float32)
    assert not OURS.supports(cuda, torch.float64)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not OURS.supports(cpu, torch.float32)


COMPILE = """
import re, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from semantic_guidance.renderer.backends.triton import kernels

KINDS = {"*i32": "pair_stroke pair_first pair_end offsets mask_of order starts".split(), "fp32": ["softness"],
         "i32": "first_tile first_pair tiles across height width sections".split()}
CASES = [(kernels.paint, {"MASKED": True, "KEEP": True, "JUDGE": True, "TILE": 16}),
         (kernels.unpaint, {"MASKED": True, "JUDGE": True, "TILE": 16}),
         (kernels.unpaint, {"MASKED": False, "JUDGE": False, "TILE": 16}),
         (kernels.remove, {"MASKED": True, "TILE": 16}),
         (kernels.add_up, {"WIDTH": 16, "BLOCK": 16})]
for kernel, constants in CASES:
    names = kernel.arg_names
    kind = {name: next((kind for kind, some in KINDS.items() if name in some), "*fp32") for name in names}
    source = ASTSource(kernel, {**kind, **dict.fromkeys(constants, "constexpr")},
                       {(names.index(name),): value for name, value in constants.items()})
    made = triton.compile(source, GPUTarget("cuda", 80, 32), {"num_warps": 4, "enable_fp_fusion": False})
    code = made.asm["ptx"]
    assert len(made.asm["cubin"]) > 1000
    assert not re.search(r"^\\s*(@!?%p\\d+\\s+)?(atom|red)\\.", code, re.M), kernel
    assert "fma." not in code, kernel
"""


def test_they_compile_without_a_graphics_card_and_use_no_atomics():
    pytest.importorskip("triton.backends.nvidia", reason="triton without its compiler for CUDA")
    run_alone(COMPILE, TRITON_INTERPRET="0")


def test_who_paints_without_them_does_not_import_them():
    run_alone(
        "import sys, torch\n"
        "from semantic_guidance import Strokes, render\n"
        "from semantic_guidance.painter.painter import Painter\n"
        "Painter('planner', 'draft', strokes=2)\n"
        "for backend in ('auto', 'reference'):\n"
        "    render(Strokes.unpack(torch.rand(1, 2, 13)), torch.zeros(1, 3, 8, 8), backend=backend)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'triton' or 'triton.k' in name]\n"
    )


def run_alone(code: str, **environment: str) -> None:
    """Run Python code in a process of its own."""
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
