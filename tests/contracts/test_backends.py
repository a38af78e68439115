"""Every renderer goes through the same tests, and all of them agree."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from semantic_guidance import Strokes, render
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import BACKENDS
from semantic_guidance.core.strokes import OPACITY, POINTS, RADIUS
from semantic_guidance.renderer.backends.base import AutogradBackend, Backend, Segment, Task, load_backend
from semantic_guidance.renderer.backends.cpu.pool import POOL
from semantic_guidance.renderer.backends.neural import NeuralBackend, NeuralRenderer
from semantic_guidance.renderer.backends.reference import ReferenceBackend
from semantic_guidance.renderer.definition import ENDS
from semantic_guidance.renderer.objective import Objective

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


class Stranger(AutogradBackend):
    """A renderer of which only `render` is its own: the rest comes from automatic differentiation."""

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        return device.type == "cpu" and dtype == torch.float32

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        return load_backend("cpu", canvas.device, canvas.dtype).render(strokes, canvas, mask, softness)


class Elsewhere(AutogradBackend):
    """A renderer of another device, which is given and gives tensors of the processor's memory."""

    def __init__(self, backend: Backend, device: torch.device) -> None:
        self.backend, self.device = backend, device

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        return device.type == "cpu" and self.backend.supports(self.device, dtype)

    def there(self, wanted: Task) -> Task:
        planes = (wanted.masks, wanted.blank, wanted.target, wanted.weight)
        return Task(wanted.segments, *(plane.to(self.device) for plane in planes))

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        under = None if mask is None else mask.to(self.device)
        return self.backend.render(strokes.to(self.device), canvas.to(self.device), under, softness).cpu()

    def objective(self, strokes: Tensor, wanted: Task, softness: float) -> tuple[float, Tensor]:
        error, gradient = self.backend.objective(strokes.to(self.device), self.there(wanted), softness)
        return error, gradient.cpu()

    def removal_costs(self, strokes: Tensor, wanted: Task, softness: float) -> tuple[Tensor, Tensor]:
        costs, canvas = self.backend.removal_costs(strokes.to(self.device), self.there(wanted), softness)
        return costs.cpu(), canvas.cpu()


@functools.cache
def neural() -> NeuralBackend:
    """The papers' renderer, untrained."""
    torch.manual_seed(0)
    return NeuralBackend(NeuralRenderer().requires_grad_(False))


MAKERS: dict[str, Callable[[], Backend]] = {
    **{name: functools.partial(BACKENDS.get, name) for name in BACKENDS.names()},
    "stranger": lambda: Stranger,
}
EXACT = tuple(MAKERS)
"""Those that render strokes as they are defined; the papers' network has learned its own ones."""

EVERY = (*EXACT, "neural")


def backend_of(name: str) -> Backend:
    """The backend, unless the machine has not what it needs."""
    if name == "neural":
        return neural()
    made: Backend = MAKERS[name]()()
    if not made.supports(CPU, torch.float32):
        if not torch.cuda.is_available() or not made.supports(CUDA, torch.float32):
            pytest.skip(f"{name} needs a package or a device that is not there")
        made = Elsewhere(made, CUDA)
    return made


def numbers(generator: torch.Generator) -> Callable[..., Tensor]:
    return functools.partial(torch.rand, generator=generator)


def packed(random: Callable[..., Tensor], batch: int, count: int) -> Tensor:
    """Strokes ``[batch, count, 13]``, some of them beyond the canvas."""
    vectors = random(batch, count, 13)
    vectors[..., POINTS] = vectors[..., POINTS] * 1.3 - 0.15
    vectors[..., RADIUS] *= 0.2
    return vectors


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


def assert_close(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        # Single precision: the direction from a disc's centre to a pixel close to it is uncertain.
        assert torch.allclose(one, other, atol=2e-4 * max(1e-2, float(other.abs().max())))


PAIRS = list(itertools.combinations(EXACT, 2))
SIZES = [(33, 17), (7, 40), (1, 1)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("batch", "masked", "softness"), [(1, False, 1.0), (3, True, 2.7), (2, False, 0.4)])
def test_they_render_alike(one, other, height, width, batch, masked, softness):
    case = (height, width, batch, masked, softness)
    assert_close(rendered(one, *case), rendered(other, *case))


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize(("height", "width"), [(24, 17), (9, 40)])
@pytest.mark.parametrize(("masked", "softness"), [(False, 1.0), (True, 1.0), (True, 2.7)])
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
    side = (20, 20) if name == "neural" else (20, 14)
    strokes, wanted = task(*side, masked=True)
    tracked = strokes.clone().requires_grad_()
    total = errors_of(backend, tracked, wanted, 1.5)[0]
    (by_hand,) = torch.autograd.grad(total, tracked)
    _, canvas, error = errors_of(backend, strokes, wanted, 1.5)
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
        assert float(costs[number]) == pytest.approx(float(left - error), abs=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_several_paintings_have_the_numbers_that_each_has_alone(name):
    backend = backend_of(name)
    paintings = [task(12, 12, masked=True), task(16, 16, masked=False)]
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


def test_the_papers_network_is_told_what_it_can_draw():
    strokes = torch.full((1, 1, 13), 0.4)
    with pytest.raises(ValueError, match="canvas is 16 x 8, wanted a square for the neural renderer"):
        neural().render(strokes, torch.zeros(1, 3, 8, 16), None, 1.0)
    for side in (5, 128, 150):
        painted = neural().render(strokes, torch.zeros(1, 3, side, side), None, 1.0)
        assert painted.shape == (1, 3, side, side)
        assert 0 <= float(painted.min()) <= float(painted.max()) <= 0.4
