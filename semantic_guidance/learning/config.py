"""What a training run is told.

The defaults are those of the reference code (Singh & Zheng 2021), but for `max_eps_len`: 50 as in the
commands of its README, where the code itself has 40. `tests/learning/test_config.py` has the list.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.core.config import MAX_SEED, MAX_THREADS, check_ranges
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.learning.apg.config import AnalyticConfig
from semantic_guidance.learning.data.sources import MASK_KINDS, SPLITS
from semantic_guidance.learning.rewards import RewardConfig

HIGH_RES = 256
METHODS = ("ddpg", "apg")

RENDERERS = ("exact", "neural")
"""What paints while an agent learns: `renderer.render`, or the papers' network that imitates strokes."""

CRITIC_TARGETS = ("td", "seed")
"""What the critic learns: each step's own reward, or the batch's mean one, as in the reference code."""


def _check_names(config: Any, *names: str) -> None:
    """See that these fields are names, if they are given: nothing would be the folder that one is in.

    Raises:
        ValueError: one is empty.
    """
    for name in names:
        if getattr(config, name) == "":
            raise ValueError(f"{name} is '', wanted a name")


@dataclass(frozen=True)
class DataConfig:
    """Where the pictures come from."""

    dataset: str = field(default="cub200", metadata={"help": lambda: f"one of {', '.join(DATASETS.names())}"})
    data: str = field(default="data", metadata={"help": "folder of the dataset", "metavar": "DIR"})
    canvas_size: int = field(default=128, metadata={"help": "side of the canvas in pixels", "min": 8})
    high_res: bool = field(default=False, metadata={"help": f"paint on {HIGH_RES} x {HIGH_RES} pixels"})
    pictures: int = field(
        default=10_000,
        metadata={"help": "composites to make, for --dataset cutouts", "min": 1, "max": 10**8},
    )
    photographs: str | None = field(
        default=None,
        metadata={
            "help": "folder with train and held_out, each of photographs with masks, of which crops are "
            "mixed in, for --dataset cutouts",
            "metavar": "DIR",
        },
    )
    bank: str | None = field(
        default=None,
        metadata={
            "help": "file that keeps the pictures with their guidance, made if there is none; "
            "several runs can share it",
            "metavar": "FILE",
        },
    )
    masks: str = field(
        default="auto",
        metadata={
            "help": "where masks come from: real, the data set's own; predicted, those of `preprocess`; "
            "found, looked for on the way, in the data set's boxes if it has some; auto: predicted for "
            "cub200, real for vkitti, predicted for others if they are there, else found",
            "choices": MASK_KINDS,
            "metavar": "KIND",
        },
    )
    split: str = field(
        default="random",
        metadata={
            "help": "what is held out: random, --num-val pictures by chance; official, what the data set "
            "says: train_test_split.txt of cub200, the test split of cars196, a folder's train and val",
            "choices": SPLITS,
            "metavar": "KIND",
        },
    )
    variation: str = field(
        default="clone",
        metadata={
            "help": "of vkitti: clone, fog, morning, overcast, rain, sunset, 15-deg-left ..., several with "
            "commas, or all",
            "metavar": "NAMES",
        },
    )
    num_val: int = field(
        default=2000,
        metadata={"help": "pictures held out for validation (at most a fifth of all)", "min": 1},
    )

    def __post_init__(self) -> None:
        if self.dataset not in DATASETS:
            raise ValueError(f"dataset is {self.dataset!r}, {DATASETS.wanted(self.dataset)}")
        check_ranges(self)
        _check_names(self, "data", "photographs", "bank", "variation")
        if self.variation != "clone" and self.dataset in ("cub200", "cars196", "cutouts", "folder"):
            raise ValueError(f"variation is {self.variation!r}, wanted none: {self.dataset} has none")

    @property
    def side(self) -> int:
        """Side of the canvas in pixels."""
        return HIGH_RES if self.high_res else self.canvas_size


@dataclass(frozen=True)
class LearnConfig:
    """How the networks learn."""

    method: str = field(
        default="ddpg",
        metadata={
            "help": "ddpg: model-based DDPG, the papers'; apg: the gradient through the renderer, without "
            "critic and replay memory, on running canvases",
            "choices": METHODS,
        },
    )
    batch_size: int = field(default=96, metadata={"help": "transitions of an update", "min": 2})
    nenv: int = field(default=96, metadata={"help": "paintings made at once", "min": 1})
    rmsize: int = field(default=800, metadata={"help": "episodes that the replay memory holds", "min": 1})
    warmup: int = field(default=400, metadata={"help": "steps that only fill the replay memory", "min": 0})
    train_timesteps: int = field(
        default=2_000_000, metadata={"help": "steps of the whole training", "min": 1}
    )
    train_steps_per_eps: int = field(default=10, metadata={"help": "updates after each episode", "min": 1})
    discount: float = field(
        default=0.95**5, metadata={"help": "discount of the next step's value", "min": 0, "max": 1}
    )
    tau: float = field(
        default=0.001, metadata={"help": "rate of the target networks' soft updates", "min": 0, "max": 1}
    )
    noise_factor: float = field(
        default=0.0, metadata={"help": "largest standard deviation of the noise on actions", "min": 0}
    )
    actor_lr: tuple[float, ...] = field(
        default=(1e-3, 3e-4, 1e-4),
        metadata={"help": "the actor's learning rates, one after the other", "min": 0},
    )
    critic_lr: tuple[float, ...] = field(
        default=(3e-4, 1e-4, 3e-5),
        metadata={"help": "the critic's learning rates, one after the other", "min": 0},
    )
    lr_episodes: tuple[int, ...] = field(
        default=(10_000, 20_000), metadata={"help": "episodes at which the learning rates step", "min": 0}
    )
    gan_lr: float = field(default=3e-4, metadata={"help": "the discriminators' learning rate", "min": 0})
    gan_tau: float = field(
        default=0.001,
        metadata={"help": "rate of the target discriminators' updates", "min": 0, "max": 1},
    )
    gradient_penalty: float = field(default=10.0, metadata={"help": "weight of WGAN-GP's penalty", "min": 0})
    critic_target: str = field(
        default="td",
        metadata={
            "help": "td: the critic learns each step's own reward; seed: the batch's mean one, "
            "as in the reference code",
            "choices": CRITIC_TARGETS,
            "metavar": "KIND",
        },
    )
    renderer: str = field(
        default="exact",
        metadata={
            "help": "what paints in training: exact, or neural, the papers' network",
            "choices": RENDERERS,
            "metavar": "KIND",
        },
    )
    renderer_weights: str | None = field(
        default=None,
        metadata={
            "help": "the neural renderer's file, of train-renderer or the reference code (renderer.pkl)",
            "metavar": "FILE",
        },
    )
    width: int = field(default=64, metadata={"help": "channels of the networks' first stage", "min": 1})
    accumulate: int = field(
        default=1,
        metadata={
            "help": "parts in which ddpg learns from each batch, to save memory; their gradients are summed",
            "min": 1,
        },
    )
    bf16: bool = field(default=False, metadata={"help": "run actor and critic in bfloat16"})
    seed: int = field(
        default=1234,
        metadata={"help": "the same number gives the same training", "min": 0, "max": MAX_SEED},
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.batch_size % self.accumulate or self.batch_size == self.accumulate:
            raise ValueError(
                f"accumulate is {self.accumulate}, wanted a divisor of the batch_size {self.batch_size}, "
                "with parts of at least 2"
            )
        for name in ("actor_lr", "critic_lr"):
            if len(getattr(self, name)) != len(self.lr_episodes) + 1:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} numbers, wanted {len(self.lr_episodes) + 1}, "
                    "one more than lr_episodes"
                )
        if self.renderer == "neural" and self.method == "apg":
            raise ValueError("renderer is 'neural', wanted 'exact' with method 'apg'")
        if (self.renderer == "neural") != (self.renderer_weights is not None):
            raise ValueError(
                f"renderer_weights is {self.renderer_weights}, wanted the file of a network if renderer is "
                "neural, and none if it is exact"
            )

    def learning_rates(self, episode: int) -> tuple[float, float]:
        """Those of actor and critic after so many episodes."""
        stage = sum(episode >= bound for bound in self.lr_episodes)
        return self.actor_lr[stage], self.critic_lr[stage]


@dataclass(frozen=True)
class RunConfig:
    """Where a run writes, and what it tells."""

    output: str = field(default="model", metadata={"help": "folder for runs", "metavar": "DIR"})
    exp_suffix: str = field(default="base", metadata={"help": "name of the run"})
    val_interval: int = field(
        default=50, metadata={"help": "episodes of ddpg between validations; 0: none", "min": 0}
    )
    val_num_eps: int = field(
        default=5, metadata={"help": "batches of --nenv pictures that ddpg validates on", "min": 1}
    )
    save_interval: int = field(
        default=200,
        metadata={
            "help": "episodes of ddpg between checkpoints; the first ones come earlier, and more of them if "
            "that takes over ten minutes",
            "min": 1,
        },
    )
    keep: int = field(default=2, metadata={"help": "checkpoints to keep", "min": 1})
    threads: int = field(
        default=1,
        metadata={"help": "threads of each process on the CPU", "min": 1, "max": MAX_THREADS},
    )
    device: str = field(default="auto", metadata={"help": "cpu, cuda, cuda:1, ..., or auto"})
    load_path: str | None = field(
        default=None,
        metadata={
            "help": "networks to start from: the folder of a checkpoint or a run, an actor's file "
            "(.safetensors, .pkl), or the reference code's folder (actor_*.pkl, critic_*.pkl, wgan_*.pkl)",
            "metavar": "PATH",
        },
    )
    resume: bool | str = field(
        default=False,
        metadata={
            "help": "go on where the run of this name stopped, or the one in DIR, or from a checkpoint in "
            "it, with the settings that it has; flags change those that may change",
            "metavar": "DIR",
            "optional": True,
        },
    )
    wandb: str | None = field(
        default=None,
        metadata={"help": "project at Weights & Biases that shows the run, too", "metavar": "PROJECT"},
    )
    debug: bool = field(default=False, metadata={"help": "tell of every episode on standard error"})

    def __post_init__(self) -> None:
        check_ranges(self)
        _check_names(self, "output", "load_path", "wandb")
        name = self.exp_suffix
        if name in ("", ".", "..") or any(letter in name for letter in "/\\\0"):
            raise ValueError(f"exp_suffix is {name!r}, wanted the name of a folder, without slashes")


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    env: EnvConfig = field(default_factory=EnvConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    data: DataConfig = field(default_factory=DataConfig)
    learn: LearnConfig = field(default_factory=LearnConfig)
    apg: AnalyticConfig = field(default_factory=AnalyticConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def parts(self) -> dict[str, Any]:
        """Its parts by name, for `core.settings`."""
        return {name: getattr(self, name) for name in PARTS}

    def to_json(self) -> str:
        """As text, for checkpoints."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> TrainConfig:
        """From `to_json`'s text; fields that it does not have get their defaults."""
        parts = json.loads(text)
        return make_config(**{name: value for part in parts.values() for name, value in part.items()})

    def changes(self, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
        """The fields that differ, but for those of `run`: the other one's value and this one's."""
        mine, theirs = (dataclasses.asdict(config) for config in (self, other))
        return {
            name: (theirs[part][name], value)
            for part in sorted(mine.keys() - {"run"})
            for name, value in mine[part].items()
            if value != theirs[part][name]
        }

    def differences(self, other: TrainConfig) -> list[str]:
        """Names of the fields that differ, but for those of `run` and those that may change on the way."""
        return [name for name in self.changes(other) if name not in MAY_CHANGE]


MAY_CHANGE = frozenset(
    {"train_timesteps", "data", "actor_lr", "critic_lr", "gan_lr", "lr_episodes", "accumulate"}
    | {
        "batch_size",
        "nenv",
        "rmsize",
        "warmup",
        "train_steps_per_eps",
        "tau",
        "gan_tau",
        "noise_factor",
        "bf16",
    }
    | {
        "renderer_weights",
        "bank",
        "photographs",
        "updates",
        "minutes",
        "apg_lr",
        "ema",
        "interval",
        "measured",
    }
)
"""Settings that a resumed run may have otherwise: places, how much at once, how fast, for how long."""

PARTS = {
    "env": EnvConfig,
    "reward": RewardConfig,
    "data": DataConfig,
    "learn": LearnConfig,
    "apg": AnalyticConfig,
    "run": RunConfig,
}


DDPG_ALONE = frozenset(
    {"nenv", "rmsize", "warmup", "train_timesteps", "train_steps_per_eps", "discount", "tau", "noise_factor"}
    | {"actor_lr", "critic_lr", "lr_episodes", "gan_lr", "gan_tau", "gradient_penalty", "accumulate"}
    | {"critic_target", "renderer", "renderer_weights", "gan_coef", "pixel_coef", "keep", "debug"}
    | {"val_interval", "val_num_eps", "save_interval"}
)
APG_ALONE = frozenset(item.name for item in dataclasses.fields(AnalyticConfig))
"""Settings that mean something to one method alone."""

MEANINGLESS = {"ddpg": APG_ALONE, "apg": DDPG_ALONE}
"""Settings that mean nothing to a method."""


def settings() -> Iterator[dataclasses.Field[Any]]:
    """Every field that a run can be told, with its default and help string. Names are unique."""
    for part in PARTS.values():
        yield from dataclasses.fields(part)


def make_config(**values: Any) -> TrainConfig:
    """A run with the named fields, of whatever part, set.

    Raises:
        ValueError: there is no such field, or a value is invalid.
    """
    parts: dict[str, Any] = {}
    for name, part in PARTS.items():
        known = {key.name for key in dataclasses.fields(part)} & values.keys()
        chosen = {key: values.pop(key) for key in sorted(known)}
        parts[name] = part(**{k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items()})
    if values:
        raise ValueError(
            f"{sorted(values)[0]} is not a setting, wanted some of those of `semantic-guidance train`"
        )
    return TrainConfig(**parts)
