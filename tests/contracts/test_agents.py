"""Every agent goes through the same tests: those that ship, and trained ones in files of each kind."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance import Guidance, Instance, Painter, Preset, read_strokes
from semantic_guidance.agents.base import Agent, Draft
from semantic_guidance.agents.dense.files import save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.files import load_agent
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.problem import Problem
from semantic_guidance.agents.window.files import save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS
from semantic_guidance.core.plugins import AGENTS
from semantic_guidance.core.strokes import OPACITY, RADIUS
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.renderer.backends.base import load_backend, one_thread

WIDTH = 2
"""Channels of the first stage of actors that have learned nothing."""


def pickled(folder: Path, channels: int, outputs: int) -> Path:
    """An actor as the papers' code saves it."""
    torch.save(Actor(channels, outputs, WIDTH).state_dict(), folder / f"{channels}.pkl")
    return folder / f"{channels}.pkl"


def actor_of_ours(folder: Path) -> Path:
    """An actor that learned here, on a small canvas."""
    env = EnvConfig(bundle_size=4, use_bilevel=True)
    save_actor(Actor(env.channels, env.action_size, WIDTH), env, 16, folder / "ours.safetensors")
    return folder / "ours.safetensors"


def window_actor(folder: Path) -> Path:
    """A window actor."""
    save_window_actor(WindowActor(CHANNELS, (4, 4, 8, 8)), True, {}, folder / "window.safetensors")
    return folder / "window.safetensors"


def dense_actor(folder: Path) -> Path:
    """A dense actor."""
    save_dense_actor(DenseActor(True, widths=(4, 4, 8, 8)), {}, folder / "dense.safetensors")
    return folder / "dense.safetensors"


IN_FILES: dict[str, Callable[[Path], Path]] = {
    "papers' baseline": lambda folder: pickled(folder, 9, 65),
    "papers' semantic": lambda folder: pickled(folder, 13, 78),
    "actor": actor_of_ours,
    "window actor": window_actor,
    "dense actor": dense_actor,
}
NAMES = (*AGENTS.names(), *IN_FILES)
OURS = {"semantic", "baseline", "paper-semantic", "paper-baseline", "paper-dense"} | {
    "window actor",
    "dense actor",
}
"""Those that learned to look at what they have painted."""

BY_PARTS = {"planner", *OURS}
"""Those that finish one part before they begin the next: what one leaves of its budget, the next may have."""

LOOKING = OURS
"""Those that omit strokes that would not make it better."""


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """One thread: on a busy machine, two wait for each other."""
    with one_thread(load_backend("cpu", torch.device("cpu"), torch.float32)):
        yield


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Agent]:
    """A function that gives an agent by its name."""
    folder = tmp_path_factory.mktemp("agents")

    @functools.cache
    def load(name: str) -> Agent:
        torch.manual_seed(7)
        return load_agent(IN_FILES[name](folder) if name in IN_FILES else name)

    return load


def picture(height: int, width: int) -> Tensor:
    """Coarse patches of colour."""
    small = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(height))
    return torch.nn.functional.interpolate(small, (height, width), mode="bilinear")[0].clamp(0, 1)


def disc(height: int, width: int, down: float, across: float, radius: float) -> Tensor:
    """A soft disc ``[1, H, W]``; place and radius are in units of the picture's sides."""
    rows = (torch.arange(height)[:, None] + 0.5) / height - down
    columns = (torch.arange(width)[None] + 0.5) / width - across
    return (0.5 + 4 * (radius - (rows**2 + columns**2).sqrt()) / radius).clamp(0, 1)[None]


def known(height: int, width: int, *discs: tuple[float, float, float]) -> Guidance:
    """Guidance with discs for objects, the first of them in focus."""
    masks = [disc(height, width, *each) for each in discs]
    if not masks:
        return Guidance.none(height, width)
    union = torch.stack(masks).amax(dim=0)
    return Guidance(union, 0.7 * masks[0], tuple(Instance.from_mask(mask) for mask in masks))


ONE = ((0.5, 0.45, 0.3),)
TWO = ((0.4, 0.3, 0.28), (0.7, 0.75, 0.2))
FACE = ((0.5, 0.5, 0.42), (0.4, 0.5, 0.15))
WHOLE = ((0.5, 0.5, 3.0),)


def problem_for(
    agent: Agent,
    size: tuple[int, int] = (30, 40),
    discs: tuple[tuple[float, float, float], ...] = ONE,
    strokes: int = 14,
    share: float = 0.5,
    start: Tensor | None = None,
) -> Problem:
    """A small problem, of what the agent sees."""
    seen = agent.view(known(*size, *discs))
    return Problem.of(picture(*size), seen, 24, strokes, share, start)


def drafted(agent: Agent, problem: Problem, seed: int = 3) -> Draft:
    """The agent's draft, which is looked at."""
    draft = agent.draft(problem, np.random.default_rng(seed))
    total = sum(problem.budgets)
    assert draft.strokes.shape == (len(draft.strokes), 13)
    assert draft.strokes.dtype == torch.float32
    assert not draft.strokes.requires_grad
    assert bool(draft.strokes.isfinite().all())
    assert bool((draft.strokes[:, RADIUS.start :] >= 0).all())
    assert bool((draft.strokes[:, OPACITY.start :] <= 1).all())
    assert len(draft.strokes) <= total
    assert sum(segment.count for segment in draft.segments) == len(draft.strokes)
    assert all(segment.count >= 0 for segment in draft.segments)
    assert {segment.mask for segment in draft.segments} <= {None, *range(len(problem.masks))}
    assert draft.compositing in ("over", "seed")
    assert isinstance(draft.outside, bool)
    return draft


CASES = {
    "an object": {},
    "nothing": {"discs": ()},
    "two objects": {"discs": TWO},
    "a face within another": {"discs": FACE},
    "all of it": {"discs": WHOLE},
    "one stroke": {"strokes": 1},
    "strokes for the object alone": {"share": 1.0, "discs": TWO},
    "strokes for the background alone": {"share": 0.0, "discs": TWO},
    "wide": {"size": (12, 70), "discs": TWO},
    "tall": {"size": (70, 12), "discs": TWO},
    "a line of pixels": {"size": (1, 50)},
    "a column of pixels": {"size": (50, 1), "discs": ()},
    "a pixel": {"size": (1, 1), "discs": ()},
    "on a picture": {"start": picture(20, 20), "discs": TWO},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_drafts(agents, name, case):
    agent = agents(name)
    settings = dict(CASES[case])
    if "start" in settings:
        settings["start"] = torch.nn.functional.interpolate(settings["start"][None], (30, 40))[0]
    problem = problem_for(agent, **settings)
    draft = drafted(agent, problem)
    if name in BY_PARTS:
        order = [-1 if segment.mask is None else segment.mask for segment in draft.segments]
        assert order == sorted(order)
        counts = dict.fromkeys((None, *range(len(problem.masks))), 0)
        for segment in draft.segments:
            counts[segment.mask] += segment.count
        for budget, count in zip(problem.budgets, counts.values(), strict=True):
            assert budget > 0 or count == 0
        assert (np.cumsum(list(counts.values())) <= np.cumsum(problem.budgets)).all()
    if name not in LOOKING:
        assert len(draft.strokes) == sum(problem.budgets)
    canvas = problem.painted(draft.strokes, draft.segments)
    assert canvas.shape == problem.target.shape
    assert bool(canvas.isfinite().all())


@pytest.mark.parametrize("name", NAMES)
def test_the_view_is_guidance_of_the_same_picture(agents, name):
    agent = agents(name)
    for discs in ((), ONE, TWO, FACE, WHOLE):
        guidance = known(30, 40, *discs)
        before = [guidance.mask.clone(), guidance.focus.clone(), guidance.instances]
        seen = agent.view(guidance)
        assert seen.mask.shape == seen.focus.shape == (1, 30, 40)
        assert len(seen.instances) <= len(guidance.instances)
        assert all(instance.mask.shape == (1, 30, 40) for instance in seen.instances)
        again = agent.view(seen)
        assert torch.equal(again.mask, seen.mask)
        assert again.boxes == seen.boxes
        assert torch.equal(guidance.mask, before[0])
        assert torch.equal(guidance.focus, before[1])
        assert guidance.instances is before[2]
        if not agent.guided:
            assert not seen.instances
            assert not bool(seen.mask.any())
    half = torch.full((1, 30, 40), 0.3)  # nowhere above one half
    seen = agent.view(Guidance(half, 0 * half, (Instance(half, (0, 0, 9, 9)),)))
    drafted(agent, Problem.of(picture(30, 40), seen, 24, 8, 0.5 if seen.instances else 0.0))


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_what_it_needs(agents, name):
    agent = agents(name)
    assert isinstance(agent.guided, bool)
    assert agent.ground is None or (len(agent.ground) == 3 and all(0 <= part <= 1 for part in agent.ground))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_strokes_and_the_problem_stays(agents, name):
    agent = agents(name)
    problem = problem_for(agent, discs=TWO, start=picture(30, 40))
    before = {field.name: getattr(problem, field.name) for field in fields(problem)}
    before = {name: value.clone() if isinstance(value, Tensor) else value for name, value in before.items()}
    threads = torch.get_num_threads()
    torch.manual_seed(1)
    np.random.seed(1)
    first = drafted(agent, problem)
    torch.manual_seed(2)
    np.random.seed(2)
    second = drafted(agent, problem)
    assert torch.equal(first.strokes, second.strokes)
    assert first.segments == second.segments
    assert torch.get_num_threads() == threads
    for name, value in before.items():
        now = getattr(problem, name)
        assert torch.equal(now, value) if isinstance(value, Tensor) else now is value


@pytest.mark.parametrize("name", NAMES)
def test_pictures_without_anything_in_them(agents, name):
    agent = agents(name)
    for shade in (0.0, 0.5, 1.0):
        flat = torch.full((3, 20, 30), shade)
        problem = Problem.of(flat, agent.view(known(20, 30, *ONE)), 24, 10, 0.5)
        drafted(agent, problem)
        drafted(agent, replace(problem, ground=(1 - shade,) * 3))


STEPS = RefineConfig(steps=5, breaths=1)
PAINTERS = {
    "draft": {"preset": Preset(side=24, refine=None)},
    "refined": {"preset": Preset(side=24, refine=STEPS), "start": (0.1, 0.2, 0.3)},
}


@pytest.mark.parametrize("case", PAINTERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_painter_takes_it_as_an_object(agents, name, case, tmp_path):
    agent = agents(name)
    painter = Painter(agent, strokes=12, size=40, **PAINTERS[case])
    assert painter.agent is agent
    for discs in ((), TWO) if case == "draft" else (TWO,):
        painting = painter.paint(picture(30, 40), known(30, 40, *discs))
        assert len(painting.strokes) <= 12 if case == "draft" else len(painting.strokes) == 12
        assert painting.canvas.shape == (3, 30, 40)
        assert 0 <= float(painting.canvas.min()) <= float(painting.canvas.max()) <= 1
        assert painting.foreground_strokes == 0 or (agent.guided and discs)
        painting.save(tmp_path / "a.json")
        assert torch.equal(read_strokes(tmp_path / "a.json").canvas, painting.canvas)
