"""`PaintingEnv` for Gymnasium, single and vectorised, over the pure functions of `envs`.

    gymnasium.make("semantic_guidance.learning.gym:semantic_guidance/Painting-v0")
    gymnasium.make_vec("semantic_guidance.learning.gym:semantic_guidance/Painting-v0", num_envs=8)

Importing this module registers the environment, and needs Gymnasium (the extra ``train``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.resample import resample

ENV_ID = "semantic_guidance/Painting-v0"

Sample = tuple[Tensor, Guidance]
Floats = NDArray[np.float32]


def disc_picture(rng: np.random.Generator, size: int) -> Sample:
    """A disc of one colour on a ground of another, ``[3, size, size]``, with the disc as its object."""
    radius = rng.uniform(0.15, 0.3) * size
    row, column = rng.uniform(radius, size - radius, 2)
    rows, columns = np.mgrid[:size, :size] + 0.5
    distance = np.hypot(rows - row, columns - column)
    mask = torch.from_numpy(np.clip(radius - distance + 0.5, 0, 1)).float()[None]
    ground, colour = (torch.from_numpy(rng.uniform(0, 1, (3, 1, 1))).float() for _ in range(2))
    return ground * (1 - mask) + colour * mask, Guidance(mask, mask, (Instance.from_mask(mask),))


def _starting_state(
    rng: np.random.Generator, pictures: Sequence[Sample] | None, size: int, batch: int
) -> PaintState:
    """Empty canvases before pictures drawn at random."""
    chosen = []
    for _ in range(batch):
        picture = disc_picture(rng, size) if pictures is None else pictures[int(rng.integers(len(pictures)))]
        image = resample(picture[0], size, size).clamp(0, 1)
        chosen.append((image, *episode.guidance_tensors(picture[1], size, size)))
    return episode.initial(*(torch.stack(parts) for parts in zip(*chosen, strict=True)))


def _configure(size: int, settings: dict[str, Any]) -> tuple[EnvConfig, Any, Any]:
    """The episode and the spaces of observations and actions.

    Raises:
        ValueError: the size or a setting is invalid.
    """
    if size < 8:
        raise ValueError(f"size is {size}, wanted at least 8 pixels")
    config = EnvConfig(**{"max_eps_len": 10, **settings})
    return (
        config,
        Box(0.0, 1.0, (config.channels, size, size), np.float32),
        Box(0.0, 1.0, (config.action_size,), np.float32),
    )


def _observe(state: PaintState, config: EnvConfig) -> Floats:
    """``[B, C, H, W]``; clamped since a box, and so the grid, may reach a little beyond the picture."""
    return episode.observation(state, config).clamp(0, 1).numpy()


class PaintingEnv(gymnasium.Env[Floats, Floats]):
    """Paint a picture, a bundle of strokes (two with `use_bilevel`) a step; the reward is the error's fall.

    Observations are ``[C, size, size]`` in [0, 1] with the channels of `episode.channel_table`, actions are
    LTP vectors, see `episode.decode`.

    Args:
        pictures: (image ``[3, H, W]``, guidance) to choose from; discs on plain grounds if None.
        size: side of the canvas in pixels.
        render_mode: None or ``rgb_array``.
        settings: fields of `episode.EnvConfig`.

    Raises:
        ValueError: a setting is invalid.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        pictures: Sequence[Sample] | None = None,
        size: int = 64,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        self.config, self.observation_space, self.action_space = _configure(size, settings)
        self.pictures, self.size, self.render_mode = pictures, size, render_mode
        self.state: PaintState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """An empty canvas before a picture drawn at random."""
        super().reset(seed=seed)
        self.state = _starting_state(self.np_random, self.pictures, self.size, 1)
        return _observe(self.state, self.config)[0], {}

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Paint one step's strokes.

        Raises:
            ValueError: the environment was not reset.
        """
        if self.state is None:
            raise ValueError("the environment has no state, wanted reset() before step()")
        with torch.no_grad():
            numbers = torch.as_tensor(action, dtype=torch.float32)[None]
            after = episode.transition(self.state, numbers.clamp(0, 1), self.config)
        gain, done = episode.reward(self.state, after), episode.terminal(after, self.config)
        self.state = after
        info = {"mse": float(episode.mean_squared_error(after))}
        return _observe(after, self.config)[0], float(gain), bool(done), False, info

    def render(self) -> Any:
        """The canvas as ``[H, W, 3]`` bytes with the mode ``rgb_array``, else nothing."""
        if self.render_mode != "rgb_array" or self.state is None:
            return None
        return (self.state.canvas[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


class PaintingVectorEnv(VectorEnv[Floats, Floats, NDArray[Any]]):
    """Several paintings at once, rendered as one batch; see `PaintingEnv`. All episodes end together.

    Args:
        num_envs: number of paintings.
        pictures: see `PaintingEnv`.
        size: side of the canvas in pixels.
        settings: fields of `episode.EnvConfig`.

    Raises:
        ValueError: a setting is invalid.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        pictures: Sequence[Sample] | None = None,
        size: int = 64,
        **settings: Any,
    ) -> None:
        self.num_envs = num_envs
        self.config, self.single_observation_space, self.single_action_space = _configure(size, settings)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.pictures, self.size = pictures, size
        self.state: PaintState | None = None

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Empty canvases before pictures drawn at random; of a list of seeds the first one counts."""
        super().reset(seed=seed[0] if isinstance(seed, list) else seed)
        self.state = _starting_state(self.np_random, self.pictures, self.size, self.num_envs)
        return _observe(self.state, self.config), {}

    def step(
        self, actions: Floats
    ) -> tuple[Floats, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Paint one step's strokes on every canvas; after the last step of the episodes: new ones.

        Raises:
            ValueError: the environment was not reset.
        """
        if self.state is None:
            raise ValueError("the environment has no state, wanted reset() before step()")
        never = np.zeros(self.num_envs, bool)
        if bool(episode.terminal(self.state, self.config).all()):
            observations, _ = self.reset()
            return observations, np.zeros(self.num_envs), never, never, {}
        with torch.no_grad():
            numbers = torch.as_tensor(np.asarray(actions), dtype=torch.float32)
            after = episode.transition(self.state, numbers.clamp(0, 1), self.config)
        gain, done = episode.reward(self.state, after), episode.terminal(after, self.config)
        self.state = after
        info = {"mse": episode.mean_squared_error(after).numpy()}
        return _observe(after, self.config), gain.double().numpy(), done.numpy(), never, info


if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        ENV_ID,
        entry_point="semantic_guidance.learning.gym:PaintingEnv",
        vector_entry_point="semantic_guidance.learning.gym:PaintingVectorEnv",
    )
