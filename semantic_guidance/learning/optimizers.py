"""Optimisers from checkpoints, which are not trusted: a mean of another shape is read beyond its end."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer

ADAM = frozenset({"step", "exp_avg", "exp_avg_sq"})
"""What Adam keeps for each parameter: its running means, and the number of its updates."""


def fill(optimizer: Optimizer, saved: Any, means: frozenset[str] = ADAM) -> None:
    """Give an optimiser the running means that its `state_dict` held; its settings stay its own.

    Args:
        optimizer: to go on with.
        saved: what a file holds in the place of its state dict.
        means: names of what it keeps for each parameter, of the parameter's shape but for ``step``.

    Raises:
        ValueError: it is none of such an optimiser, or of other parameters.
    """
    state = saved.get("state") if isinstance(saved, dict) else None
    if not isinstance(state, dict):
        raise ValueError("its optimiser has no state")
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for place, kept in state.items():
        if not isinstance(place, int) or not 0 <= place < len(parameters):
            raise ValueError(f"its optimiser has no parameter {place!r:.40}")
        if not isinstance(kept, dict) or kept.keys() != means:
            raise ValueError(f"its optimiser keeps something else of parameter {place}")
        for name, values in kept.items():
            shape = () if name == "step" else parameters[place].shape
            if not isinstance(values, Tensor) or values.shape != shape or not values.is_floating_point():
                raise ValueError(f"its optimiser's {name} of parameter {place} has another shape or kind")
    own = Optimizer.state_dict(optimizer)["param_groups"]
    Optimizer.load_state_dict(optimizer, {"state": state, "param_groups": own})
