from typing import Any

import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.dense.strokes import CELLS, GAIN, SCALES, choose, decode, level_of, whole
from semantic_guidance.agents.dense.view import SIDE, closer, object_square, observe, state_of
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.learning.apg.dense import DENSE, DensePupil
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.config import make_config
from semantic_guidance.learning.rewards import RewardConfig
from semantic_guidance.renderer import render

CPU = torch.device("cpu")


def fetch(number: int) -> tuple[Tensor, Guidance]:
    """A disc on a gradient, somewhere."""
    line = torch.arange(SIDE) / SIDE
    y, x = torch.meshgrid(line, line, indexing="ij")
    disc = (20 * (0.2 - ((x - 0.3 - 0.1 * number) ** 2 + (y - 0.4) ** 2).sqrt()) + 0.5).clamp(0, 1)
    ground = torch.stack([x / 4, y / 2, 0.4 + x / 2])
    image = ground * (1 - disc) + torch.tensor([0.8, 0.1, 0.1]).view(3, 1, 1) * disc
    known = Guidance.from_mask(disc[None])
    return image, Guidance(known.mask, 0.5 * known.mask, known.instances)


def easels(count: int = 4, length: int = 2, seed: int = 0) -> Easels:
    """Half of them at their first step, half at their second one."""
    return Easels(PictureBank(fetch, torch.arange(3), SIDE), count, length, CPU, seed)


def pupil(guided: bool = True, reward: RewardConfig | None = None) -> DensePupil:
    torch.manual_seed(0)
    env = EnvConfig(max_eps_len=2, bundle_size=24, use_bilevel=guided, use_gbp=guided)
    network = DenseActor(guided, 2, (8, 8, 16, 16))
    return DensePupil(network, env, reward or RewardConfig(), bf16=False)


@pytest.mark.parametrize("guided", [False, True])
def test_a_look_paints_the_best_cells_of_the_coarse_grid_first_and_then_of_the_fine_one(guided: bool) -> None:
    stand, learner = easels(), pupil(guided)
    learner.network.eval()
    learner.begun(stand, torch.arange(4))
    canvas = learner.look(stand)[1]
    assert not canvas.requires_grad
    square = object_square(stand.box) if guided else whole(stand.target)
    focus = stand.focus * (stand.kind >= 0.15).view(4, 1, 1, 1)
    state = state_of(stand.canvas, stand.target, stand.mask, focus, square, stand.step)
    with torch.no_grad():
        seen = observe(state, guided, 2)
        answers = learner.network(seen, closer(seen, square))
    assert sorted(stand.step.tolist()) == [0, 0, 1, 1]
    shows = (1 - stand.mask, stand.mask) if guided else (None, None)
    for n, step in enumerate(stand.step.tolist()):
        wanted = stand.canvas[n : n + 1]
        for k, place in enumerate((whole(square), square)):
            show = None if shows[k] is None else shows[k][n : n + 1]
            level = level_of(stand.target[n : n + 1], show, place[n : n + 1], SCALES[k])
            strokes = decode(choose(answers[k][step][n : n + 1], CELLS[step], 12), level)
            wanted = render(strokes, wanted, show)
        assert torch.allclose(canvas[n], wanted[0], atol=1e-5)


@pytest.mark.parametrize("guided", [False, True])
def test_from_the_third_step_on_it_looks_where_the_painting_is_wrong(guided: bool) -> None:
    """All of these paintings are done but for one place."""
    stand, learner = easels(16, 8), pupil(guided)
    stand.step = torch.full((16,), 5)
    learner.begun(stand, torch.arange(16))
    stand.canvas = stand.target.clone()
    stand.canvas[:, :, 100:104, 60:64] = 0.0  # in the background
    seen, found = 0, 0
    for _ in range(6):
        now = state_of(stand.canvas, stand.target, stand.mask, stand.focus, whole(stand.box), stand.step)
        level, aside = learner._square(now, stand.generator)
        for n, (x, y, side, _) in enumerate((128 * level.square).tolist()):
            if level.show is not None:
                wanted = 1 - stand.mask[n] if bool(aside[n]) else stand.mask[n]
                assert torch.equal(level.show[n], wanted)
            if side < 128 and (not guided or bool(aside[n])):
                seen += 1
                found += x < 62 < x + side and y < 102 < y + side
    # A single one by chance would in a fifth of all cases.
    assert seen > 20
    assert 0.4 * seen < found


def test_new_pictures_change_only_their_own_easels() -> None:
    stand, learner = easels(), pupil()
    learner.begun(stand, torch.arange(4))
    before = [(level.square.clone(), level.means.clone()) for level in learner.levels]
    slots = stand.advance(stand.canvas)
    assert slots.tolist() == [2, 3]
    learner.begun(stand, slots)
    shows, place, near = (1 - stand.mask, stand.mask), whole(stand.box), object_square(stand.box)
    kinds = ((shows[0], place, SCALES[0]), (shows[0], place, SCALES[1]), (shows[1], near, SCALES[1]))
    fresh = [level_of(stand.target, *kind) for kind in kinds]
    for (square, means), now, wanted in zip(before, learner.levels, fresh, strict=True):
        assert torch.equal(now.square[:2], square[:2])
        assert torch.equal(now.means[:2], means[:2])
        for mine, theirs in ((now.square, wanted.square), (now.means, wanted.means)):
            assert torch.allclose(mine, theirs, atol=1e-5)
        assert now.show is not None
        assert wanted.show is not None
        assert torch.equal(now.show, wanted.show)


def test_the_gradient_is_that_of_the_error_on_the_canvas() -> None:
    """By finite differences in the first answers for red, which move all strokes' colours."""
    stand, learner = easels(), pupil()
    learner.network.eval()  # the same cells each time
    learner.begun(stand, torch.arange(4))
    learner.look(stand)[0].backward()
    bias = learner.network.coarse.bias
    assert bias is not None
    assert bias.grad is not None
    gradient, values = float(bias.grad[10]), []
    for step in (-0.01, 0.01):
        with torch.no_grad():
            bias[10] += step
            values.append(float(learner.look(stand)[0]))
            bias[10] -= step
    assert gradient == pytest.approx((values[1] - values[0]) / 0.02, rel=0.05)
    assert abs(gradient) > 1e-4


@pytest.mark.parametrize("guided", [False, True])
def test_it_learns_a_picture(guided: bool) -> None:
    learner = pupil(guided)
    optimizer = torch.optim.Adam(learner.network.parameters(), 1e-2)
    losses = []
    stand = Easels(PictureBank(fetch, torch.arange(3), SIDE), 3, 2, CPU, fixed=torch.arange(3))
    learner.begun(stand, torch.arange(3))
    for _ in range(8):
        loss = learner.look(stand)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.93 * losses[0]


def test_gains_are_predicted_after_what_the_strokes_brought() -> None:
    """The more strokes help, the higher: cells of a picture that is done against those of one that is not."""
    learner = pupil()
    stand = Easels(PictureBank(fetch, torch.arange(2), SIDE), 2, 2, CPU, fixed=torch.arange(2))
    learner.begun(stand, torch.arange(2))
    stand.canvas = torch.stack([stand.target[0], 1 - stand.target[1]])
    square = object_square(stand.box)
    optimizer = torch.optim.Adam(learner.network.parameters(), 3e-3)
    for _ in range(12):
        loss = learner.look(stand)[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = state_of(stand.canvas, stand.target, stand.mask, stand.focus, square, stand.step)
    with torch.no_grad():
        gains = learner.network(observe(state, True, 2), None)[0][0][..., GAIN].mean(1)
    assert float(gains[0]) < float(gains[1])


def test_rewards_that_do_not_count_leave_the_error_of_all() -> None:
    stand = easels()
    plain = pupil(reward=RewardConfig(seggt_coef=0, gbp_coef=0))
    plain.begun(stand, torch.arange(4))
    plain.network.eval()
    loss, canvas = plain.look(stand)
    roots = ((canvas - stand.target).square().mean((1, 2, 3)) + 1e-4).sqrt().mean()
    assert float(loss.detach()) == pytest.approx(float(roots), abs=0.05)  # but for the predicted gains
    assert float(loss.detach()) > float(roots)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"use_bilevel": True}, "wanted both --use-bilevel and --use-gbp"),
        ({"use_gbp": True}, "wanted both --use-bilevel and --use-gbp"),
        ({"canvas_size": 64}, "64 pixels, wanted --canvas-size 128"),
        ({"bundle_size": 65}, "--bundle-size is 65, wanted at most 64"),
        ({"compositing": "seed"}, "wanted --compositing over"),
        ({"softness": 2.0}, "--softness 1"),
        ({"horizon": 3, "max_eps_len": 7}, "--horizon is 3, wanted a divisor of --max-eps-len, 7"),
    ],
)
def test_what_it_cannot_learn_with(values: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InputError, match=wanted):
        DENSE.check(make_config(method="apg", head="dense", **values))
