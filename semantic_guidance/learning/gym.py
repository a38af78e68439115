"""`PaintingEnv` for Gymnasium, single and vectorised, over the pure functions of `envs`.

    gymnasium.make("semantic_guidance.learning.gym:semantic_guidance/Painting-v0")
    gymnasium.make_vec("semantic_guidance.learning.gym:semantic_guidance/Painting-v0", num_envs=8)

The second renders all paintings as one batch; with ``vectorization_mode="sync"`` or ``"async"`` it is several
of the first. Both take ``render_mode="rgb_array"``, ``max_episode_steps`` and ``observation_dtype="uint8"``.

Importing this module registers the environment, and needs Gymnasium (the extra ``train``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.resample import resample
from semantic_guidance.images.arrays import check_unit
from semantic_guidance.images.files import to_image

ENV_ID = "semantic_guidance/Painting-v0"

RENDER_MODES = ["rgb_array"]
DTYPES = ("float32", "uint8")
"""Types of observations: from 0 to 1, or bytes."""

Sample = tuple[Tensor, Guidance]
Numbers = NDArray[Any]
Bools = NDArray[np.bool_]


def disc_picture(rng: np.random.Generator, size: int) -> Sample:
    """A disc of one colour on a ground of another, ``[3, size, size]``, with the disc as its object."""
    radius = rng.uniform(0.15, 0.3) * size
    row, column = rng.uniform(radius, size - radius, 2)
    rows, columns = np.mgrid[:size, :size] + 0.5
    distance = np.hypot(rows - row, columns - column)
    mask = torch.from_numpy(np.clip(radius - distance + 0.5, 0, 1)).float()[None]
    ground, colour = (torch.from_numpy(rng.uniform(0, 1, (3, 1, 1))).float() for _ in range(2))
    return ground * (1 - mask) + colour * mask, Guidance(mask, mask, (Instance.from_mask(mask),))


def _sample(rng: np.random.Generator, pictures: Sequence[Sample] | None, size: int) -> tuple[Tensor, ...]:
    """A picture drawn at random, with its mask, focus map and box, at the canvas's size.

    Raises:
        ValueError: the picture, its mask or its focus map is not in [0, 1].
    """
    if pictures is None:
        image, guidance = disc_picture(rng, size)
    else:
        image, guidance = pictures[int(rng.integers(len(pictures)))]
        check_unit(guidance.mask, "the picture's mask")
        check_unit(guidance.focus, "the picture's focus map")
    shown = resample(to_image(image), size, size).clamp(0, 1)
    return shown, *episode.guidance_tensors(guidance, size, size)


def _starting_state(
    rngs: Sequence[np.random.Generator], pictures: Sequence[Sample] | None, size: int
) -> PaintState:
    """Empty canvases before pictures drawn at random, one for each generator."""
    chosen = [_sample(rng, pictures, size) for rng in rngs]
    return episode.begun(*(torch.stack(parts) for parts in zip(*chosen, strict=True)))


def _named(dtype: Any) -> str:
    """The name of a type of observations, which may be NumPy's own."""
    return str(np.dtype(dtype)) if isinstance(dtype, type | np.dtype) else str(dtype)


def _configure(
    size: int, dtype: str, mode: str | None, settings: dict[str, Any]
) -> tuple[EnvConfig, Box, Box]:
    """The episode and the spaces of observations and actions.

    Raises:
        ValueError: the size, the type, the mode of rendering or a setting is invalid.
    """
    if size < 8:
        raise ValueError(f"size is {size}, wanted at least 8 pixels")
    if dtype not in DTYPES:
        raise ValueError(f"observation_dtype is {dtype!r}, wanted one of {', '.join(DTYPES)}")
    if mode not in (None, *RENDER_MODES):
        raise ValueError(f"render_mode is {mode!r}, wanted None or {', '.join(RENDER_MODES)}")
    config = EnvConfig(**{"max_eps_len": 10, **settings})
    kind, most = (np.uint8, 255) if dtype == "uint8" else (np.float32, 1.0)
    return (
        config,
        Box(0, most, (config.channels, size, size), kind),
        Box(0.0, 1.0, (config.action_size,), np.float32),
    )


def _observe(state: PaintState, config: EnvConfig, dtype: str) -> Numbers:
    """``[B, C, H, W]``; clamped since a box, and so the grid, may reach a little beyond the picture."""
    seen = episode.observation(state, config).clamp(0, 1)
    if dtype == "uint8":
        seen = (255 * seen).round().byte()
    array: Numbers = seen.numpy()
    return array


def _frames(state: PaintState) -> Numbers:
    """The canvases as ``[B, H, W, 3]`` bytes."""
    frames: Numbers = (state.canvas.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return frames


def _actions(given: Any, *shape: int) -> Tensor:
    """Actions of that shape in single precision; numbers beyond [0, 1] count as the nearest within.

    Raises:
        ValueError: they have another shape, are no numbers, or hold NaN.
    """
    try:
        numbers = given if isinstance(given, Tensor) else torch.from_numpy(np.array(given))
    except (TypeError, ValueError):
        raise ValueError(f"action is {type(given).__name__}, wanted an array of numbers") from None
    if numbers.shape != shape or numbers.is_complex():
        raise ValueError(f"action has shape {list(numbers.shape)}, wanted {list(shape)} of numbers in [0, 1]")
    numbers = numbers.detach().to("cpu", torch.float32)
    if bool(numbers.isnan().any()):
        raise ValueError("action holds NaN, wanted numbers in [0, 1]")
    return numbers.clamp(0, 1)


class PaintingEnv(gymnasium.Env[Numbers, Numbers]):
    """Paint a picture, a bundle of strokes (two with `use_bilevel`) a step; the reward is the error's fall.

    Observations are ``[C, size, size]`` with the channels of `episode.channel_table`, in [0, 1] or as bytes;
    actions are LTP vectors, see `episode.decode`; what is beyond [0, 1] counts as the nearest within.

    Args:
        pictures: (image ``[3, H, W]`` in [0, 1], or what else `images.to_image` takes, guidance) to choose
            from; discs on plain grounds if None.
        size: side of the canvas in pixels.
        render_mode: None or ``rgb_array``.
        observation_dtype: ``float32``, or ``uint8`` for bytes; also as NumPy's type.
        settings: fields of `episode.EnvConfig`.

    Raises:
        ValueError: a setting is invalid.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        pictures: Sequence[Sample] | None = None,
        size: int = 64,
        render_mode: str | None = None,
        observation_dtype: Any = "float32",
        **settings: Any,
    ) -> None:
        self.observation_dtype = _named(observation_dtype)
        self.config, self.observation_space, self.action_space = _configure(
            size, self.observation_dtype, render_mode, settings
        )
        self.pictures, self.size, self.render_mode = pictures, size, render_mode
        self.state: PaintState | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Numbers, dict[str, Any]]:
        """An empty canvas before a picture drawn at random.

        Raises:
            ValueError: the picture is not in [0, 1].
        """
        super().reset(seed=seed)
        self.state = _starting_state([self.np_random], self.pictures, self.size)
        return _observe(self.state, self.config, self.observation_dtype)[0], {}

    def step(self, action: Numbers) -> tuple[Numbers, float, bool, bool, dict[str, Any]]:
        """Paint one step's strokes.

        Raises:
            ValueError: the environment was not reset, or the action has another shape or holds NaN.
        """
        if self.state is None:
            raise ValueError("the environment has no state, wanted reset() before step()")
        numbers = _actions(action, self.config.action_size)[None]
        with torch.no_grad():
            after = episode.transition(self.state, numbers, self.config)
        gain, done = episode.reward(self.state, after), episode.terminal(after, self.config)
        self.state = after
        info = {"mse": float(episode.mean_squared_error(after))}
        seen = _observe(after, self.config, self.observation_dtype)[0]
        return seen, float(gain), bool(done), False, info

    def render(self) -> Any:
        """The canvas as ``[H, W, 3]`` bytes with the mode ``rgb_array``, else nothing."""
        if self.render_mode != "rgb_array" or self.state is None:
            return None
        return _frames(self.state)[0]


class PaintingVectorEnv(VectorEnv[Numbers, Numbers, Numbers]):
    """Several paintings at once, rendered as one batch; see `PaintingEnv`.

    Args:
        num_envs: number of paintings.
        pictures: see `PaintingEnv`.
        size: side of the canvas in pixels.
        render_mode: None or ``rgb_array``.
        observation_dtype: see `PaintingEnv`.
        max_episode_steps: after which an episode is truncated; None: only the painting's end ends it.
        autoreset_mode: when a painting that has ended makes room for the next one, see Gymnasium.
        settings: fields of `episode.EnvConfig`.

    Raises:
        ValueError: a setting is invalid.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "autoreset_mode": AutoresetMode.NEXT_STEP,
        "render_modes": RENDER_MODES,
        "render_fps": 10,
    }

    def __init__(
        self,
        num_envs: int = 1,
        pictures: Sequence[Sample] | None = None,
        size: int = 64,
        render_mode: str | None = None,
        observation_dtype: Any = "float32",
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        **settings: Any,
    ) -> None:
        for name, count in (("num_envs", num_envs), ("max_episode_steps", max_episode_steps)):
            if count is not None and count < 1:
                raise ValueError(f"{name} is {count}, wanted at least 1")
        self.num_envs, self.render_mode = num_envs, render_mode
        self.observation_dtype = _named(observation_dtype)
        self.config, self.single_observation_space, self.single_action_space = _configure(
            size, self.observation_dtype, render_mode, settings
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.pictures, self.size, self.limit = pictures, size, max_episode_steps
        self.autoreset = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset}
        self.state: PaintState | None = None
        self._rngs = [seeding.np_random()[0] for _ in range(num_envs)]
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Numbers, dict[str, Any]]:
        """Empty canvases before pictures drawn at random.

        Args:
            seed: of the first painting, the next ones counting up; or one for each, None for those that
                draw on.
            options: ``reset_mask``, booleans, says which paintings begin anew.

        Raises:
            ValueError: there are more or fewer seeds than paintings, or a picture is not in [0, 1].
        """
        seeds = [seed + n for n in range(self.num_envs)] if isinstance(seed, int | np.integer) else seed
        if seeds is not None:
            if len(seeds) != self.num_envs:
                raise ValueError(f"seed has {len(seeds)} numbers, wanted one for each of {self.num_envs}")
            super().reset(seed=None if seeds[0] is None else int(seeds[0]))
            for n, each in enumerate(seeds):
                if each is not None:
                    self._rngs[n] = seeding.np_random(int(each))[0]
        chosen = np.ones(self.num_envs, bool)
        if options and "reset_mask" in options:
            chosen = np.asarray(options["reset_mask"], bool)
            if chosen.shape != (self.num_envs,):
                raise ValueError(f"reset_mask has shape {list(chosen.shape)}, wanted [{self.num_envs}]")
        return self._observed(self._begin(chosen)), {}

    def _begin(self, chosen: Bools) -> PaintState:
        """The state, in which the chosen paintings begin anew."""
        if self.state is None:
            chosen = np.ones(self.num_envs, bool)
        places = torch.from_numpy(np.flatnonzero(chosen))
        self._ended = self._ended & ~chosen
        if len(places) == 0 and self.state is not None:
            return self.state
        fresh = _starting_state([self._rngs[n] for n in places.tolist()], self.pictures, self.size)
        if self.state is None or len(places) == self.num_envs:
            self.state = fresh
        else:
            parts = {name: values.clone() for name, values in vars(self.state).items()}
            for name, values in vars(fresh).items():
                parts[name][places] = values
            self.state = replace(self.state, **parts)
        return self.state

    def _observed(self, state: PaintState) -> Numbers:
        return _observe(state, self.config, self.observation_dtype)

    def step(self, actions: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers, dict[str, Any]]:
        """Paint one step's strokes on every canvas.

        A painting that has ended makes room for the next one: instead of its next step, at once (the
        last observation is then in the infos as ``final_obs``), or never, as the autoreset mode says.

        Raises:
            ValueError: the environment was not reset; or the actions have another shape, or hold NaN.
        """
        if self.state is None:
            raise ValueError("the environment has no state, wanted reset() before step()")
        before, ended = self.state, self._ended
        if self.autoreset == AutoresetMode.DISABLED and ended.any():
            raise ValueError("a painting has ended, wanted reset() with a reset_mask before step()")
        numbers = _actions(actions, self.num_envs, self.config.action_size)
        fresh = ended.copy()
        if fresh.all():
            state, gain = self._begin(fresh), np.zeros(self.num_envs)
        else:
            with torch.no_grad():
                self.state = episode.transition(before, numbers, self.config)
            gain = np.where(fresh, 0.0, episode.reward(before, self.state).double().numpy())
            state = self._begin(fresh)
        done = episode.terminal(state, self.config).numpy() & ~fresh
        late = np.zeros(self.num_envs, bool)
        if self.limit is not None:
            late = (state.step >= self.limit).numpy() & ~fresh
        self._ended = done | late
        infos: dict[str, Any] = {"mse": episode.mean_squared_error(state).numpy(), "_mse": ~fresh}
        seen = self._observed(state)
        if self.autoreset == AutoresetMode.SAME_STEP and self._ended.any():
            over = self._ended.copy()
            infos = self._final(seen, infos, over)
            seen = self._observed(self._begin(over))
        return seen, gain, done, late, infos

    @staticmethod
    def _final(seen: Numbers, infos: dict[str, Any], over: Bools) -> dict[str, Any]:
        """The infos with the last observations of paintings that are over, as Gymnasium has them."""
        last = np.full(len(over), None, object)
        for n in np.flatnonzero(over):
            last[n] = seen[n]
        final = {"mse": np.where(over, infos["mse"], 0), "_mse": over}
        kept = {"mse": np.where(over, 0, infos["mse"]), "_mse": ~over}
        return {**kept, "final_obs": last, "_final_obs": over, "final_info": final, "_final_info": over}

    def render(self) -> tuple[Any, ...] | None:
        """The canvases, each as ``[H, W, 3]`` bytes, with the mode ``rgb_array``, else nothing."""
        if self.render_mode != "rgb_array" or self.state is None:
            return None
        return tuple(_frames(self.state))


if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        ENV_ID,
        entry_point="semantic_guidance.learning.gym:PaintingEnv",
        vector_entry_point="semantic_guidance.learning.gym:PaintingVectorEnv",
    )
