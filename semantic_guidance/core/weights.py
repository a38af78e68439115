"""Networks in files: ours are safetensors in half precision with a JSON config, the papers' are pickles.

Where asked for, large weights of convolutions and linear layers are bytes with a scale for each output
channel (`core.int8`), which takes half the room.

Nothing here runs code from a file, and a file is either whole or untouched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semantic_guidance.core import int8 as bytewise
from semantic_guidance.core.archives import regular_size
from semantic_guidance.core.file_kinds import foreign_kind, is_safetensors
from semantic_guidance.core.files import replacing
from semantic_guidance.core.pickles import read_pickle
from semantic_guidance.core.shown import printable
from semantic_guidance.core.state_dicts import Found, Marks, find_state, network_kind, unwrapped
from semantic_guidance.core.threads import torch_threads

_BAD = (OSError, SafetensorError, KeyError, TypeError, ValueError, OverflowError, RuntimeError)
"""What readers of a damaged file raise (`RecursionError` is a `RuntimeError`)."""

Module = TypeVar("Module", bound=nn.Module)
Config = dict[str, Any]
State = dict[str, Tensor]

MOST_BYTES, MOST_HEADER = 2**30, 2**22
"""Of a file of weights, and of the names, shapes and settings at its beginning."""

_RANDOM: frozenset[Callable[..., Tensor]] = frozenset(
    {Tensor.uniform_, Tensor.normal_, nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_}
)


class Unfilled(TorchFunctionMode):
    """While active, networks are built without numbers, of any size at once, for `filled` to fill.

    Their parameters are on torch's device ``meta``: names and shapes without memory.
    """

    def __enter__(self) -> Self:
        self._meta = torch.device("meta")
        self._meta.__enter__()
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._meta.__exit__(kind, error, trace)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in _RANDOM:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def write_weights(network: nn.Module, config: Config, path: Path, *, int8: bool = False) -> None:
    """Write a network's weights in half precision, with what is needed to rebuild it.

    Args:
        network: to write.
        config: for the metadata; ``format`` says what the file is.
        path: of the file, which is either whole or untouched.
        int8: whether large weights are written as bytes, see `core.int8`.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {name: values.detach().cpu() for name, values in network.state_dict().items()}
    metadata = {"config": json.dumps(config)}
    if int8:
        names = bytewise.weights_of(network)
        tensors = bytewise.quantised(tensors, names)
        metadata[bytewise.KEY] = json.dumps(names)
    halves = {
        name: (values.half() if values.is_floating_point() else values).contiguous()
        for name, values in tensors.items()
    }
    with replacing(path) as draft:
        draft.write_bytes(save(halves, metadata))


def is_own(path: str | Path) -> bool:
    """Whether a file is to be read as one of ours: by its content, or else by its name.

    Tensors in safetensors without a config are somebody else's, if anything.
    """
    named = Path(path).suffix.lower() == ".safetensors"
    try:
        if not (regular_size(path) and is_safetensors(path)):
            return named
        _check_header(path)
        with safe_open(str(path), framework="pt") as file:
            foreign = "conv1.weight" in "".join(file.keys()) and not file.metadata()
    except _BAD:
        return named
    return not foreign


def read_config(path: str | Path, what: str) -> Config:
    """The config that `write_weights` put into a file, without the weights.

    Raises:
        ValueError: the file is missing, corrupt, or not `what`.
    """
    try:
        _check_header(path)
        with safe_open(str(path), framework="pt") as file:
            return _config(file.metadata())
    except _BAD as error:
        raise unreadable(path, what, error) from None


@torch_threads()
def read_weights(path: str | Path, format: str, what: str) -> tuple[Config, State]:
    """The config and the tensors, in single precision, of a file of the given format.

    Raises:
        ValueError: the file is missing, corrupt, of another format, or holds numbers that are not finite.
    """
    try:
        _check_header(path)
        with safe_open(str(path), framework="pt") as file:
            config = _config(file.metadata())
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            listed = (file.metadata() or {}).get(bytewise.KEY, "[]")
        state = {
            name: _single(values) for name, values in bytewise.restored(stored, json.loads(listed)).items()
        }
        if config["format"] != format:
            raise ValueError(f"its format is {config['format']!r}")
        if not all(_finite(values) for values in state.values()):
            raise ValueError("it holds weights that are not finite")
    except _BAD as error:
        raise unreadable(path, what, error) from None
    return config, state


def _check_header(path: str | Path) -> None:
    """See that a file may be one of ours, by its size and that of its header.

    Raises:
        OSError, ValueError: it is none.
    """
    size = regular_size(path, MOST_BYTES)
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if not 0 < header <= min(size - 8, MOST_HEADER):
        if kind := foreign_kind(path):
            raise ValueError(f"it is {': '.join(filter(None, kind))}")
        raise ValueError(
            f"its header is said to have {header} of its {size} bytes, at most {MOST_HEADER} may be"
        )


def _single(values: Tensor) -> Tensor:
    """In single precision, if they are not whole numbers."""
    return values.float() if values.is_floating_point() else values


def _finite(values: Tensor) -> bool:
    """Whether all numbers are finite. NaN is passed on by the least and the greatest (5 times as fast)."""
    if not values.is_floating_point() or not values.numel():
        return True
    return all(math.isfinite(float(end)) for end in torch.aminmax(values))


def _config(metadata: dict[str, str] | None) -> Config:
    """The config in a file's metadata; older files have the format beside it."""
    found = metadata or {}
    config = json.loads(found["config"])
    if not isinstance(config, dict):
        raise ValueError("its config is not an object of names and values")
    return {"format": found["format"], **config} if "format" in found else config


def read_content(path: str | Path, what: str) -> Any:
    """What a file holds: one of safetensors, whatever its name, or else a checkpoint of PyTorch.

    Returns:
        Tensors by name, perhaps with other things and in dicts in dicts.

    Raises:
        ValueError: the file is missing, corrupt, or neither.
    """
    try:
        if regular_size(path, MOST_BYTES) and is_safetensors(path):
            _check_header(path)
            with safe_open(str(path), framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except _BAD as error:
        raise unreadable(path, what, error) from None
    return read_pickle(path, what, MOST_BYTES)


@torch_threads()
def find_network(path: str | Path, what: str, marks: Marks) -> Found:
    """A network's tensors, in single precision, from a file in which other things may be.

    Args:
        path: of the file.
        what: was wanted, for messages.
        marks: names of parameters that all such networks have.

    Raises:
        ValueError: the file is missing, corrupt, or holds no such network, or several.
    """
    content = read_content(path, what)
    try:
        found = find_state(content, marks)
    except ValueError as error:
        raise ValueError(f"{path} {error}, wanted {what}") from None
    if found is None:
        other = network_kind(content)
        held = f"holds {other} of the papers' code" if other else "does not hold its parameters"
        raise ValueError(f"{path} {held}, wanted {what}")
    return replace(found, state=_singles(found.state, path, what))


@torch_threads()
def read_state(path: str | Path, what: str) -> State:
    """The tensors of a pickled state dict, without what data parallelism and the compiler add to names.

    Raises:
        ValueError: the file is missing, corrupt, or not a state dict.
    """
    content = read_content(path, what)
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError(f"{path} does not hold a state dict, wanted {what}")
    for name, values in content.items():
        if not isinstance(values, Tensor):
            raise ValueError(f"{path} holds {_shown(name)}, which is not a tensor, wanted {what}")
    return _singles({unwrapped(name): values for name, values in content.items()}, path, what)


def _singles(tensors: State, path: str | Path, what: str) -> State:
    """The tensors in single precision.

    Raises:
        ValueError: one holds numbers that are not finite.
    """
    state = {}
    for name, values in tensors.items():
        state[name] = single = _single(values)
        if not _finite(single):
            raise ValueError(f"{path} holds numbers in {_shown(name)} that are not finite, wanted {what}")
    return state


@torch_threads()
def filled(network: Module, state: State, path: str | Path, what: str) -> Module:
    """`network` with the given parameters, in evaluation mode, not to be trained.

    Args:
        network: whose parameters are replaced, on the processor.
        state: the parameters, which become the network's own, so that none is shared; the batch counts of
            batch norms may be missing.
        path: of the file that they come from, for messages.
        what: what was wanted, for messages.

    Raises:
        ValueError: names or shapes differ.
    """
    like = network.state_dict()
    counts = {
        name: torch.tensor(0, dtype=torch.int64) for name in like if name.endswith("num_batches_tracked")
    }
    state = counts | state
    if odd := sorted(like.keys() - state.keys()) or sorted(state.keys() - like.keys()):
        raise ValueError(f"{path} does not match the network in {_shown(odd[0])}, wanted {what}")
    for name, wanted in like.items():
        values = state[name]
        if values.is_floating_point() != wanted.is_floating_point() or values.is_complex():
            raise ValueError(f"{path} has {str(values.dtype)[6:]} numbers in {name!r}, wanted {what}")
        if values.shape != wanted.shape:
            shapes = f"{name} has {list(values.shape)}, the network {list(wanted.shape)}"
            raise ValueError(f"{path} has tensors of wrong shapes, wanted {what} ({shapes})")
    fitting = {name: values.to(like[name].dtype).contiguous() for name, values in state.items()}
    network.load_state_dict(fitting, assign=True)
    return network.eval().requires_grad_(False)


def whole(config: Config, name: str, least: int, most: int) -> int:
    """A whole number of a file's config.

    Raises:
        KeyError: there is none of that name.
        ValueError: it is something else, or out of bounds.
    """
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"its {name} is {_shown(value)}, wanted a whole number from {least} to {most}")
    return value


def wholes(config: Config, name: str, count: int | tuple[int, int], least: int, most: int) -> tuple[int, ...]:
    """So many whole numbers of a file's config, or from so many to so many; see `whole`."""
    values = config[name]
    fewest, greatest = (count, count) if isinstance(count, int) else count
    if not isinstance(values, list) or not fewest <= len(values) <= greatest:
        number = f"{fewest}" if fewest == greatest else f"{fewest} to {greatest}"
        raise ValueError(f"its {name} is {_shown(values)}, wanted {number} whole numbers")
    return tuple(whole({name: value}, name, least, most) for value in values)


def number(config: Config, name: str, least: float, most: float) -> float:
    """A number of a file's config; see `whole`."""
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(f"its {name} is {_shown(value)}, wanted a number from {least} to {most}")
    return float(value)


def flag(config: Config, name: str, default: bool | None = None) -> bool:
    """A true or false of a file's config, or `default` if it is missing; see `whole`."""
    value = config[name] if default is None else config.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"its {name} is {_shown(value)}, wanted true or false")
    return value


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def unreadable(path: str | Path, what: str, error: Exception) -> ValueError:
    """The error for a file that is not `what`, with the reason."""
    lines = str(error).splitlines()
    reason = printable(lines[0])[:200] if lines else type(error).__name__
    if isinstance(error, KeyError):  # whose text is the bare name
        reason = f"it has no {reason}"
    return ValueError(f"{path} cannot be read, wanted {what} ({reason})")
