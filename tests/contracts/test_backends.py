"""Every renderer goes through the same tests, and all of them agree."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import BACKENDS
from semantic_guidance.core.strokes import OPACITY
from semantic_guidance.renderer.backends.base import Backend, Segment, Task, load_backend
from semantic_guidance.renderer.backends.cpu.pool import POOL
from semantic_guidance.renderer.backends.reference import ReferenceBackend
from semantic_guidance.renderer.definition import ENDS
from semantic_guidance.renderer.objective import Objective
from tests.contracts.backends import (
    CPU,
    EVERY,
    EXACT,
    MAKERS,
    Elsewhere,
    assert_close,
    backend_of,
    neural,
    numbers,
    packed,
)


@functools.cache
def rendered(name: str, height: int, width: int, batch: int, masked: bool, softness: float) -> list[Tensor]:
    """A canvas, and the gradients of one random direction of it, in strokes and canvas."""
    random = numbers(torch.Generator().manual_seed(height * width))
    strokes, canvas = packed(random, batch, 6), random(batch, 3, height, width)
    mask = random(batch, 1, height, width) if masked else None
    cotangent = random(batch, 3, height, width) - 0.5
    strokes.requires_grad_()
    canvas.requires_grad_()
    painted = backend_of(name).render(strokes, canvas, mask, softness)
    return [painted.detach(), *torch.autograd.grad(painted, (strokes, canvas), cotangent)]


SEGMENTS = tuple(
    Segment(count, mask, weight)
    for count, mask, weight in ((4, None, 0.2), (3, 1, 0.0), (0, 0, 0.1), (2, None, 0.5), (4, 0, 1.0))
)


def task(height: int, width: int, masked: bool) -> tuple[Tensor, Task]:
    """Strokes ``[N, 13]`` and what is wanted of them."""
    random = numbers(torch.Generator().manual_seed(height + width))
    segments = SEGMENTS if masked else (Segment(13, None, 1.0),)
    masks = random(2 if masked else 0, height, width)
    planes = random(3, height, width), random(3, height, width), random(height, width) + 0.1
    return packed(random, 1, 13)[0], Task(segments, masks, *planes)


@functools.cache
def worked_out(name: str, height: int, width: int, masked: bool, softness: float) -> list[Tensor]:
    """A task's error, its gradient, the costs of removal, and the finished canvas."""
    strokes, wanted = task(height, width, masked)
    backend = backend_of(name)
    error, gradient = backend.objective(strokes, wanted, softness)
    return [torch.tensor(error), gradient, *backend.removal_costs(strokes, wanted, softness)]


def cases(sizes: list[tuple[int, int]], kinds: list[tuple[bool | int | float, ...]]) -> list[Any]:
    """Pairs of renderers, each with every size and kind.

    Triton's interpreter takes seconds for one: it gets each size and each kind once, not all with all.
    """
    every = [(*size, *kind) for size, kind in itertools.product(sizes, kinds)]
    few = [(*sizes[n % len(sizes)], *kind) for n, kind in enumerate(kinds)]
    return [
        pytest.param(*pair, *case, id="-".join(map(str, (*case, *pair))))
        for pair in itertools.combinations(EXACT, 2)
        for case in (every if "triton" not in pair or torch.cuda.is_available() else few)
    ]


@pytest.mark.parametrize(
    ("one", "other", "height", "width", "batch", "masked", "softness"),
    cases([(1, 1), (33, 17), (7, 40)], [(1, False, 1.0), (3, True, 2.7), (2, False, 0.4)]),
)
def test_they_render_alike(one, other, height, width, batch, masked, softness):
    case = (height, width, batch, masked, softness)
    assert_close(rendered(one, *case), rendered(other, *case))


@pytest.mark.parametrize(
    ("one", "other", "height", "width", "masked", "softness"),
    cases([(24, 17), (9, 40)], [(False, 1.0), (True, 1.0), (True, 2.7)]),
)
def test_they_judge_a_painting_alike(one, other, height, width, masked, softness):
    case = (height, width, masked, softness)
    assert_close(worked_out(one, *case), worked_out(other, *case))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("ends", ENDS[1:])
def test_it_draws_other_ends_as_they_are_defined_or_says_that_it_does_not(name, ends):
    backend, random = backend_of(name), numbers(torch.Generator().manual_seed(6))
    strokes, canvas, mask = packed(random, 2, 5), random(2, 3, 24, 17), random(2, 1, 24, 17)
    wanted = ReferenceBackend().render_ends(strokes, canvas, mask, 1.0, ends)
    try:
        drawn = backend.render_ends(strokes, canvas, mask, 1.0, ends)
    except InputError as error:
        assert str(error).startswith(f"ends is {ends!r}, wanted 'round'")  # noqa: PT017
        assert name not in ("cpu", "reference")
    else:
        assert torch.allclose(drawn, wanted, atol=6e-3)  # a disc more or less is a hundredth of the opacity
        assert torch.allclose(render(Strokes.unpack(strokes), canvas, mask, 1.0, backend, ends), drawn)


def errors_of(backend: Backend, strokes: Tensor, wanted: Task, softness: float) -> tuple[Tensor, ...]:
    """The task's error, the finished canvas, and that canvas's error, written out."""
    canvas, total, start = wanted.blank[None], torch.zeros(()), 0
    for segment in wanted.segments:
        part = strokes[None, start : start + segment.count]
        start += segment.count
        mask = None if segment.mask is None else wanted.masks[None, None, segment.mask]
        canvas = backend.render(part, canvas, mask, softness)
        error = (wanted.weight / wanted.weight.mean() * (canvas[0] - wanted.target) ** 2).mean()
        total = total + segment.weight * error
    return total, canvas[0], error


@pytest.mark.parametrize("name", EVERY)
def test_the_error_and_the_costs_are_what_its_own_pictures_say(name):
    backend = backend_of(name)
    side = (9, 9) if name == "neural" else (9, 6)
    strokes, wanted = task(*side, masked=True)
    tracked = strokes.clone().requires_grad_()
    total, canvas, error = errors_of(backend, tracked, wanted, 1.5)
    (by_hand,) = torch.autograd.grad(total, tracked)
    value, gradient = backend.objective(strokes, wanted, 1.5)
    assert value == pytest.approx(total.item(), rel=1e-5)
    assert_close([gradient], [by_hand])
    costs, finished = backend.removal_costs(strokes, wanted, 1.5)
    assert torch.allclose(finished, canvas, atol=1e-5)
    assert costs.shape == (13,)
    for number in (0, 5, 12):
        without = strokes.clone()
        without[number, OPACITY] = 0
        left = errors_of(backend, without, wanted, 1.5)[2]
        assert float(costs[number]) == pytest.approx(float(left - error.detach()), abs=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_several_paintings_have_the_numbers_that_each_has_alone(name):
    backend = backend_of(name)
    paintings = [task(6, 6, masked=True), task(8, 8, masked=False)]
    paintings += [
        (strokes[:4], replace(wanted, segments=(Segment(4, None, 1.0),))) for strokes, wanted in paintings
    ]
    strokes, tasks = [each[0] for each in paintings], [each[1] for each in paintings]
    errors, gradients = backend.objectives(strokes, tasks, 1.0)
    for n, painting in enumerate(paintings):
        error, gradient = backend.objective(*painting, 1.0)
        assert errors[n] == error
        assert torch.equal(gradients[n], gradient)


@pytest.mark.parametrize("name", EVERY)
def test_what_it_is_given_stays_as_it_was_and_answers_repeat(name):
    backend, random = backend_of(name), numbers(torch.Generator().manual_seed(1))
    strokes, canvas, mask = packed(random, 2, 3), random(2, 3, 16, 16), random(2, 1, 16, 16)
    vectors, wanted = task(16, 16, masked=True)
    inputs = (strokes, canvas, mask, vectors, wanted.masks, wanted.blank, wanted.target, wanted.weight)
    before = [values.clone() for values in inputs]
    answers = []
    for _ in range(2):
        error, gradient = backend.objective(vectors, wanted, 1.0)
        painted = backend.render(strokes, canvas, mask, 1.0)
        answers.append([painted, torch.tensor(error), gradient, *backend.removal_costs(vectors, wanted, 1.0)])
    assert all(torch.equal(one, other) for one, other in zip(*answers, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(inputs, before, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_no_stroke_and_no_light_change_nothing(name):
    backend, random = backend_of(name), numbers(torch.Generator().manual_seed(2))
    strokes, canvas = packed(random, 2, 3), random(2, 3, 16, 16)
    dark = torch.zeros(2, 1, 16, 16)
    assert torch.equal(backend.render(strokes[:, :0], canvas, None, 1.0), canvas)
    assert torch.equal(backend.render(strokes, canvas, dark, 1.0), canvas)
    clear = strokes.clone()
    clear[..., OPACITY] = 0
    if name != "neural":
        assert torch.equal(backend.render(clear, canvas, None, 1.0), canvas)
    assert not torch.equal(backend.render(strokes, canvas, None, 1.0), canvas)


@pytest.mark.parametrize("name", EVERY)
def test_strokes_one_after_the_other_and_members_one_by_one(name):
    backend, random = backend_of(name), numbers(torch.Generator().manual_seed(3))
    strokes, canvas, mask = packed(random, 2, 4), random(2, 3, 16, 16), random(2, 1, 16, 16)
    together = backend.render(strokes, canvas, mask, 1.0)
    for member in range(2):
        part = slice(member, member + 1)
        alone = canvas[part]
        for n in range(4):
            alone = backend.render(strokes[part, n : n + 1], alone, mask[part], 1.0)
        assert torch.allclose(alone, together[part], atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_it_says_what_it_supports(name):
    backend = backend_of(name)
    kinds = (torch.float64, torch.int64, torch.float16)
    for device, dtype in itertools.product((CPU, torch.device("meta")), kinds):
        supported = backend.supports(device, dtype)
        assert isinstance(supported, bool)
        if not supported:
            kind = str(dtype).removeprefix("torch.")
            with pytest.raises(InputError, match=f"does not support {kind} on {device.type}, wanted another"):
                load_backend(backend, device, dtype)
    assert not backend.supports(CPU, torch.int64)
    assert load_backend(backend, CPU, torch.float32) is backend


@pytest.mark.parametrize("name", EVERY)
def test_it_is_taken_as_an_object_wherever_a_name_is(name):
    backend = backend_of(name)
    random = numbers(torch.Generator().manual_seed(4))
    strokes, canvas = packed(random, 1, 2), random(1, 3, 16, 16)
    assert torch.equal(
        render(Strokes.unpack(strokes), canvas, backend=backend), backend.render(strokes, canvas, None, 1.0)
    )
    vectors, wanted = task(16, 16, masked=True)
    planes = (wanted.segments, wanted.masks, wanted.blank, wanted.target, wanted.weight)
    error = backend.objective(vectors, wanted, 1.0)[0]
    assert Objective(*planes, backend).gradient(vectors, 1.0)[0] == error
    if name in BACKENDS and not isinstance(backend, Elsewhere):
        assert Objective(*planes, name).gradient(vectors, 1.0)[0] == error
        assert load_backend(name, CPU, torch.float32) is load_backend(name, CPU, torch.float32)


@pytest.mark.parametrize("name", EVERY)
def test_threads_are_bounded_and_given_back(name):
    backend = backend_of(name)
    backend.warm_up()
    before = torch.get_num_threads(), POOL.count
    with pytest.raises(KeyError), backend.threads(1):
        raise KeyError
    assert (torch.get_num_threads(), POOL.count) == before
    steady = backend.steady()
    assert [steady(lambda n=n: n) for n in range(40)] == list(range(40))
    with pytest.raises(ZeroDivisionError):
        steady(lambda: 1 / 0)
    assert (torch.get_num_threads(), POOL.count) == before
    strokes, canvas = torch.full((1, 2, 13), 0.4), torch.zeros(1, 3, 16, 16)
    painted = backend.render(strokes, canvas, None, 1.0)
    try:
        backend.settle(1)
        assert POOL.count <= before[1]
        assert torch.equal(backend.render(strokes, canvas, None, 1.0), painted)
    finally:
        POOL.count = before[1]
        torch.set_num_threads(before[0])


def test_gradients_by_finite_differences():
    made = [MAKERS[name]()() for name in EXACT]
    precise = [backend for backend in made if backend.supports(CPU, torch.float64)]
    assert precise
    random = functools.partial(torch.rand, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    strokes, canvas = random(2, 2, 13).requires_grad_(), random(2, 3, 4, 5).requires_grad_()
    mask = random(2, 1, 4, 5).requires_grad_()
    for backend in precise:

        def paint(strokes: Tensor, canvas: Tensor, mask: Tensor, backend: Backend = backend) -> Tensor:
            return backend.render(strokes, canvas, mask, 2.0)

        assert torch.autograd.gradcheck(paint, (strokes, canvas, mask), eps=1e-7, atol=1e-4)


def test_the_papers_network_is_told_what_it_can_draw():
    strokes = torch.full((1, 1, 13), 0.4)
    with pytest.raises(ValueError, match="canvas is 16 x 8, wanted a square for the neural renderer"):
        neural().render(strokes, torch.zeros(1, 3, 8, 16), None, 1.0)
    for side in (5, 128, 150):
        painted = neural().render(strokes, torch.zeros(1, 3, side, side), None, 1.0)
        assert painted.shape == (1, 3, side, side)
        assert 0 <= float(painted.min()) <= float(painted.max()) <= 0.4
