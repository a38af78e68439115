"""What `render` says of gradients, and of inputs of all kinds, is the same for every renderer."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from semantic_guidance import Strokes, render
from semantic_guidance.core.errors import InputError
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.backends.reference import ReferenceBackend
from tests.contracts.backends import (
    EVERY,
    EXACT,
    Elsewhere,
    assert_close,
    backend_of,
    numbers,
    packed,
)

COMPILED = tuple(name for name in EXACT if name != "reference")


def scene(dtype: torch.dtype = torch.float32, batch: int = 1, count: int = 2) -> list[Tensor]:
    """Strokes, canvas and mask."""
    random = numbers(torch.Generator().manual_seed(8))
    planes = [random(batch, channels, 16, 16) for channels in (3, 1)]
    return [values.to(dtype) for values in (packed(random, batch, count), *planes)]


def painted_by(name: str | Backend, strokes: Tensor, canvas: Tensor, mask: Tensor | None) -> Tensor:
    """`render` by a backend, given by name or itself."""
    backend = backend_of(name) if isinstance(name, str) else name
    return render(Strokes.unpack(strokes), canvas, mask, 1.5, backend)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("wanted", list(itertools.product((False, True), repeat=3)))
def test_each_input_has_the_gradient_that_the_reference_has(name, wanted):
    """Of strokes, canvas and mask, whichever of them need one."""
    weights = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16)
    found = []
    for maker in (name, name if name == "neural" else "reference"):
        inputs = [values.requires_grad_(need) for values, need in zip(scene(batch=2), wanted, strict=True)]
        painted = painted_by(maker, *inputs)
        assert painted.requires_grad == any(wanted)
        if any(wanted):
            (painted * weights).sum().backward()
        found.append([values.grad for values in inputs])
        assert [grad is not None for grad in found[-1]] == list(wanted)
    given = [grad for grad in found[0] if grad is not None]
    assert_close(given, [grad for grad in found[1] if grad is not None])
    assert all(float(grad.abs().max()) > 0 for grad in given)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("batch", "count"), [(0, 4), (2, 0), (0, 0)])
def test_no_pictures_and_no_strokes_have_gradients_too(name, batch, count):
    inputs = [values.requires_grad_() for values in scene(batch=batch, count=count)]
    painted = painted_by(name, *inputs)
    assert torch.equal(painted, inputs[1])
    assert painted.data_ptr() != inputs[1].data_ptr() or batch == 0  # else changing one would change both
    strokes, canvas, mask = torch.autograd.grad(painted.sum(), inputs)
    assert strokes.shape == (batch, count, 13)
    assert torch.equal(canvas, torch.ones_like(canvas))
    assert torch.equal(mask, torch.zeros_like(mask))


@pytest.mark.parametrize("name", EVERY)
def test_what_changes_between_painting_and_backward_is_noticed(name):
    for changed in (0, 2):
        inputs = [values.requires_grad_() * 1 for values in scene()]
        backend = backend_of(name)
        painted = backend.render(*inputs, 1.0)
        with torch.no_grad():
            inputs[changed].mul_(0.5)
        if isinstance(backend, Elsewhere):  # it works on copies
            painted.sum().backward()
        else:
            with pytest.raises(RuntimeError, match=r"modified (by an )?inplace"):
                painted.sum().backward()


@pytest.mark.parametrize("name", EVERY)
def test_a_graph_is_walked_again_only_if_it_was_kept(name):
    strokes, canvas, mask = scene()
    total = painted_by(name, strokes.requires_grad_(), canvas, mask).square().sum()
    first, second = (torch.autograd.grad(total, strokes, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    total.backward()
    assert torch.equal(strokes.grad, first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        total.backward()


@pytest.mark.parametrize("name", EXACT)
def test_second_derivatives_are_refused(name):
    for wanted in range(3):
        inputs = scene()
        inputs[0].requires_grad_()
        inputs[wanted].requires_grad_()
        total = painted_by(name, *inputs).square().sum()
        (slope,) = torch.autograd.grad(total, inputs[0], create_graph=True)
        with pytest.raises(RuntimeError, match="render has no second derivatives"):
            slope.sum().backward()


def test_what_checks_second_derivatives_is_told_that_there_are_none():
    strokes, canvas, mask = (values.requires_grad_() for values in scene(torch.float64, 1, 1))
    canvas, mask = (values[..., :3, :2].detach().requires_grad_() for values in (canvas, mask))
    with pytest.raises(RuntimeError, match="render has no second derivatives"):
        torch.autograd.gradgradcheck(
            functools.partial(painted_by, ReferenceBackend()), (strokes, canvas, mask)
        )


@pytest.mark.parametrize("name", COMPILED)
def test_single_precision_says_so_where_double_is_wanted(name):
    with pytest.raises(InputError, match="does not support float64 on cpu, wanted another one"):
        painted_by(name, *scene(torch.float64))


@pytest.mark.parametrize("name", EVERY)
def test_views_and_other_types_are_what_they_mean(name):
    strokes, canvas, mask = scene(batch=1)
    plain = painted_by(name, *(values.expand(2, *values.shape[1:]).contiguous() for values in scene(batch=1)))
    turned = [values.transpose(-1, -2).contiguous().transpose(-1, -2) for values in (strokes, canvas, mask)]
    views = [values.requires_grad_() for values in turned]
    painted = painted_by(name, *(values.expand(2, *values.shape[1:]) for values in views))
    assert torch.equal(painted, plain)
    painted.sum().backward()
    assert [values.grad.shape for values in views] == [values.shape for values in turned]
    for kind in (torch.float16, torch.bfloat16):
        rounded = canvas.to(kind)
        coarse = rounded.clone().requires_grad_()
        drawn = painted_by(name, strokes.detach(), coarse, mask.detach().double())
        assert torch.equal(drawn, painted_by(name, strokes, rounded.float(), mask))
        drawn.sum().backward()
        assert coarse.grad.dtype == kind
    shown = painted_by(name, strokes, canvas, mask > 0.5)
    assert torch.equal(shown, painted_by(name, strokes, canvas, (mask > 0.5).float()))
    for number, what in ((1, "canvas"), (2, "mask")):
        for kind in (torch.uint8, torch.int64, torch.complex64):
            given = scene()
            given[number] = given[number].to(kind)
            with pytest.raises(ValueError, match=f"^{what} is of {str(kind)[6:]}, wanted floating-point"):
                painted_by(name, *given)


@pytest.mark.parametrize("name", EVERY)
def test_modes_without_gradients_paint_the_same(name):
    strokes, canvas, mask = scene()
    plain = painted_by(name, strokes, canvas, mask)
    with torch.no_grad():
        quiet = painted_by(name, strokes.clone().requires_grad_(), canvas, mask)
    with torch.inference_mode():
        fast = painted_by(name, strokes.clone(), canvas.clone(), mask.clone())
    assert not quiet.requires_grad
    assert torch.allclose(quiet, plain, atol=1e-6)
    assert torch.allclose(fast.clone(), plain, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("name", EXACT)
def test_forward_derivatives_and_function_transforms_are_right_or_refused(name):
    strokes, canvas, mask = scene()

    def total(values: Tensor) -> Tensor:
        return painted_by(name, values, canvas, mask).sum()

    tracked = strokes.clone().requires_grad_()
    (slope,) = torch.autograd.grad(total(tracked), tracked)
    along = (slope * strokes).sum()
    if name == "reference":
        assert torch.allclose(torch.func.grad(total)(strokes), slope)
        assert torch.allclose(torch.func.jvp(total, (strokes,), (strokes,))[1], along, rtol=1e-4)
    else:
        with pytest.raises(RuntimeError, match="setup_context"):
            torch.func.grad(total)(strokes)
    with forward_ad.dual_level():
        try:
            tangent = forward_ad.unpack_dual(total(forward_ad.make_dual(strokes, strokes))).tangent
        except NotImplementedError:
            assert name != "reference"
        else:
            assert torch.allclose(tangent, along, rtol=1e-4)
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda *one: painted_by(name, *(values[None] for values in one)))(*scene())
