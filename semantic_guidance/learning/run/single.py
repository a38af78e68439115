"""A run of one process in a folder: state in last.pt, numbers in log.jsonl, a running mean of weights."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import naming, replacing
from semantic_guidance.core.options import OptionError, from_json, to_json
from semantic_guidance.learning.run import checkpoint

LAST, EARLIER, LOG = "last.pt", "earlier.pt", "log.jsonl"
KEPT = (EARLIER, LAST)
"""A run's checkpoints, the newest last."""

State = dict[str, Any]
Config = TypeVar("Config")


@torch.no_grad()
def average(mean: nn.Module, live: nn.Module, decay: float) -> None:
    """Move `mean` by a part ``1 - decay`` towards `live`, buffers included; what is whole is copied."""
    for ours, theirs in zip(mean.state_dict().values(), live.state_dict().values(), strict=True):
        if ours.is_floating_point():
            ours.lerp_(theirs, 1 - decay)
        else:
            ours.copy_(theirs)


def mean_decay(step: int, largest: float) -> float:
    """Decay of the running mean after so many updates: the first weights, which mean little, fade soon."""
    return min(largest, (1 + step) / (10 + step))


def write_last(folder: Path, config: Any, state: State) -> None:
    """Write a run's state, with its settings (a dataclass of options), whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    replace_last(folder, {"config": json.dumps(to_json(config)), **state})


def replace_last(folder: Path, content: State) -> None:
    """Write a run's checkpoint; the one before is kept beside it, should this one break.

    Raises:
        OSError: it cannot be written.
    """
    last = folder / LAST
    with replacing(last) as draft:
        checkpoint.write(draft, content)
        if last.is_file():
            with replacing(folder / EARLIER) as other:
                other.unlink()
                try:
                    os.link(last, other)  # a second name, so that both are whole at every moment
                except OSError:  # where files have one name
                    shutil.copyfile(last, other)


def newest(folder: Path) -> Path:
    """The checkpoint in a run's folder, the one before if that is gone; ``last.pt`` if none is there."""
    last = folder / LAST
    return folder / EARLIER if not last.exists() and (folder / EARLIER).is_file() else last


@contextmanager
def telling_of_earlier(path: Path) -> Iterator[None]:
    """In the context, a complaint about a checkpoint says whether the one before it was kept.

    Raises:
        InputError: the context has raised one.
    """
    try:
        yield
    except OptionError:  # not about the file
        raise
    except InputError as error:
        earlier = path.with_name(EARLIER)
        if path.name != LAST or not earlier.is_file():
            raise
        raise InputError(
            f"{error}; an older one was kept: once {path} is removed, {earlier} is gone on with"
        ) from None


def read_last(path: Path, *names: str) -> State:
    """What `write_last` wrote.

    Args:
        path: of the file.
        names: of what it has to hold.

    Raises:
        InputError: it is missing, corrupt, or something else.
    """
    state = checkpoint.read(path)
    check_has(state, path, *names)
    return state


def check_has(state: State, path: Path, *names: str) -> None:
    """See that what was read from a file has parts of these names.

    Raises:
        InputError: it lacks one.
    """
    lacking = [name for name in names if not isinstance(state, dict) or name not in state]
    if lacking:
        raise InputError(f"{path} has no {lacking[0]!r}, wanted a checkpoint of a training run")


def read_mean(path: Path) -> dict[str, Tensor]:
    """The running mean of a run's weights, the state dict of its network.

    Raises:
        InputError: the file is missing, corrupt, or something else.
    """
    mean = read_last(path, "ema")["ema"]
    if not isinstance(mean, dict) or not all(isinstance(values, Tensor) for values in mean.values()):
        raise InputError(f"{path} holds no weights under 'ema', wanted a checkpoint of a training run")
    if not all(bool(torch.isfinite(values).all()) for values in mean.values()):
        raise InputError(f"{path} holds weights that are not finite, wanted a checkpoint of a training run")
    return mean


def counted(state: State) -> tuple[int, float]:
    """Updates and seconds of a run so far.

    Raises:
        ValueError: they are no such numbers.
    """
    step, seconds = state["step"], state["seconds"]
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError(f"its step is {step!r:.40}, wanted a whole number from 0")
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise ValueError(f"its seconds are {seconds!r:.40}, wanted a number from 0")
    return step, float(seconds)


def fill(module: nn.Module, state: dict[str, Tensor], path: Path, wanted: str) -> None:
    """Give a network the weights that were read from a file.

    Raises:
        InputError: they have other names or shapes, or are not finite.
    """
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError):
        raise InputError(f"{path} holds weights of other names or shapes, wanted {wanted}") from None
    if not all(bool(torch.isfinite(values).all()) for values in module.state_dict().values()):
        raise InputError(f"{path} holds weights that are not finite, wanted {wanted}")


def read_config(kind: type[Config], state: State, path: Path) -> Config:
    """The settings of a run that `write_last` wrote.

    Args:
        kind: of the settings, a dataclass of options.
        state: that they were written with.
        path: where it was read.

    Raises:
        InputError: they cannot be read.
    """
    try:
        return from_json(kind, json.loads(state["config"]))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: its settings cannot be read ({error}), wanted a checkpoint of this version"
        ) from None


def check_same(config: Any, state: State, may_change: frozenset[str], path: Path, out: str = "--out") -> None:
    """See that a run goes on with the settings that it was begun with.

    Args:
        config: of the run, a dataclass of options.
        state: that it goes on from.
        may_change: names of the options that may differ.
        path: where the state was read.
        out: flag of the folder that it is in.

    Raises:
        InputError: the settings cannot be read.
        OptionError: some differ; the message names all of them, with both values.
    """
    before = vars(read_config(type(config), state, path))
    differ = [
        name for name, value in vars(config).items() if name not in may_change and value != before[name]
    ]
    if not differ:
        return
    first, *others = differ
    more = "".join(
        f", and with --{name.replace('_', '-')} {_shown(before[name])}, not {_shown(getattr(config, name))}"
        for name in others
    )
    raise OptionError(
        first,
        f"got {_shown(getattr(config, first))}, but {path} was made with {_shown(before[first])}{more}, "
        f"wanted the same or another {out}",
    )


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def check_finite(module: nn.Module, last_words: str) -> None:
    """See that weights are numbers, also in the half precision of the files that ship.

    Raises:
        InputError: one is not; the message is `last_words` after what it became.
    """
    for values in module.state_dict().values():
        if not bool(torch.isfinite(values.half()).all()):
            raise InputError(f"a weight became infinite or not a number (NaN) {last_words}")


def stopped(folder: Path, step: int, flags: str, wrong: str | None = None) -> str:
    """The end of the complaint that training stopped in an update, counted from 1, and what is wanted.

    Args:
        folder: of the run.
        step: the update.
        flags: of what may have been too high.
        wrong: what of the pictures is not finite, if that is why.
    """
    kept = folder / LAST
    last = f"the last checkpoint is {kept}" if kept.exists() else "there is no checkpoint yet"
    wanted = f"a lower {flags}" if wrong is None else f"pictures of finite numbers: {wrong} is not"
    return f"in update {step}, training has stopped; {last}; wanted {wanted}"


def append_row(folder: Path, row: Mapping[str, float | None]) -> None:
    """Add a line of JSON to the log; null where a number is infinite or NaN, which JSON lacks."""
    known = {name: value if value is None or math.isfinite(value) else None for name, value in row.items()}
    path = folder / LOG
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(known, allow_nan=False) + "\n")


def forget_rows(folder: Path, step: int) -> None:
    """Drop what an interrupted run logged after the update that it goes on from."""
    path = folder / LOG
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _step(line) <= step]
    if len(kept) < len(lines):
        with replacing(path) as draft:
            draft.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _step(line: str) -> float:
    """A row's update; beyond all for what is none, such as half a line."""
    try:
        return float(json.loads(line)["step"])
    except (KeyError, TypeError, ValueError):
        return float("inf")
