"""Everything is computed in single precision, whatever torch's default type is made by others."""

from __future__ import annotations

import ast
import contextlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semantic_guidance import Medium, Painter, Strokes, load_image, render, repaint
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.resample import resample
from semantic_guidance.learning.gym import PaintingEnv, PaintingVectorEnv
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.neural import NeuralRenderer
from tests.conftest import EXAMPLES
from tests.learning.toys import small_trainer

QUICK = Preset(side=24, refine=RefineConfig(steps=8), hand_steps=3)

PACKAGE = Path(__file__).parents[1] / "semantic_guidance"

MAKERS = {"zeros", "ones", "full", "empty", "rand", "randn", "linspace", "logspace", "eye", "tensor"}
MAKERS |= {"as_tensor", "scalar_tensor", "normal", "Tensor", "FloatTensor"}


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def photograph() -> Tensor:
    return resample(load_image(EXAMPLES / "rocket.jpg"), 30, 40)


def numbers(painting: Painting) -> list[Tensor]:
    guidance = painting.guidance
    return [painting.canvas, painting.strokes.pack(), guidance.mask, guidance.focus]


def square() -> Tensor:
    mask = torch.zeros(1, 30, 40, dtype=torch.float32)
    mask[:, 8:20, 8:20] = 1
    return mask


def known() -> Guidance:
    return Guidance(square(), square(), (Instance.from_mask(square()),))


def painted(**options: Any) -> list[Tensor]:
    return numbers(Painter(strokes=8, size=64, **{"preset": QUICK, **options}).paint(photograph(), known()))


def painted_over() -> list[Tensor]:
    before = Painter(strokes=8, size=64, preset=QUICK, style="alla-prima").paint(photograph(), known())
    return numbers(repaint(before, photograph(), square(), 4, preset=QUICK, guide="none"))


def rendered() -> list[Tensor]:
    dice = torch.Generator().manual_seed(0)
    vectors = torch.rand(2, 5, 13, generator=dice, dtype=torch.float32).requires_grad_()
    canvas = render(Strokes.unpack(vectors), torch.zeros(2, 3, 16, 16, dtype=torch.float32))
    return [canvas.detach(), *torch.autograd.grad(canvas.square().sum(), vectors)]


def stepped() -> list[Tensor]:
    found = []
    one = PaintingEnv([(photograph(), known())], size=16, use_bilevel=True, use_gbp=True)
    several = PaintingVectorEnv(2, size=16)
    for env in (one, several):
        env.reset(seed=0)
        action = np.random.default_rng(0).random(env.action_space.shape, dtype=np.float32)
        found.append(torch.from_numpy(np.array(env.step(action)[0])))
    return found


def trained(folder: Path) -> list[Tensor]:
    trainer = small_trainer(folder, train_timesteps=4, val_interval=100)
    trainer.run()
    learner = trainer.learner
    networks = [part for part in vars(learner).values() if isinstance(part, nn.Module)]
    assert networks
    return [weight.detach() for network in networks for weight in network.parameters()]


def drawn_by_network() -> list[Tensor]:
    torch.manual_seed(0)
    return [weight.detach() for weight in NeuralRenderer().parameters()]


WORK: dict[str, Callable[[], list[Tensor]]] = {
    **{
        agent: lambda agent=agent: painted(agent=agent, preset=Preset(side=24, refine=None))  # type: ignore[misc]
        for agent in ("planner", "semantic", "baseline", "paper-semantic", "paper-dense")
    },
    "refined": painted,
    "lines": lambda: painted(style="lines"),
    "opaque": lambda: painted(medium=Medium(opaque=True, palette=3, brushes=(3, 6))),
    "hand, repainted": painted_over,
    "render": rendered,
    "environments": stepped,
    "papers' renderer": drawn_by_network,
}


def see_that_it_is_the_same(work: Callable[[], list[Tensor]], dtype: torch.dtype) -> None:
    with default_dtype(torch.float32):
        wanted = work()
    with default_dtype(dtype):
        found = work()
    assert all(tensor.dtype == torch.float32 for tensor in found)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("name", WORK)
def test_double_precision_changes_nothing(name):
    see_that_it_is_the_same(WORK[name], torch.float64)


@pytest.mark.parametrize("name", ["planner", "environments"])
def test_half_precision_changes_nothing(name):
    see_that_it_is_the_same(WORK[name], torch.float16)


def test_training_is_the_same(tmp_path):
    folders = iter((tmp_path / "single", tmp_path / "double"))
    see_that_it_is_the_same(lambda: trained(next(folders)), torch.float64)


def undeclared(text: str) -> list[str]:
    """Calls that make tensors or layers and do not say of which type."""
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return [ast.unparse(call) for call in calls if _takes_dtype(call.func) and not _says_dtype(call)]


def _takes_dtype(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return False
    place, name = function.value.id, function.attr
    if place == "torch":
        return name in MAKERS
    layer = getattr(nn, name, None) if place == "nn" else None
    return inspect.isclass(layer) and "dtype" in inspect.signature(layer).parameters


def _says_dtype(call: ast.Call) -> bool:
    return any(keyword.arg == "dtype" for keyword in call.keywords)


def test_whatever_makes_tensors_says_their_type():
    found = {str(path): undeclared(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert not {path: calls for path, calls in found.items() if calls}


def test_this_test_notices():
    assert undeclared("torch.zeros(3)\nnn.Conv2d(1, 2, 3)\nnn.Linear(1, 2)") != []
    assert undeclared("torch.zeros(3, dtype=kind)\ntorch.arange(3)\nnn.ReLU()\nx.new_zeros(3)") == []
