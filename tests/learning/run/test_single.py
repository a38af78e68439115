"""What a run of one process leaves in its folder, and the running mean of its weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.run import single


def test_mean_moves_towards_the_weights_with_its_buffers():
    mean, live = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
    with torch.no_grad():
        live.weight.fill_(3)
        live.running_var.fill_(5)
        live.num_batches_tracked.fill_(7)
    single.average(mean, live, 0.75)
    found = mean.state_dict()
    assert [float(found[name]) for name in ("weight", "running_var", "num_batches_tracked")] == [1.5, 2, 7]
    assert float(live.state_dict()["weight"]) == 3


def test_first_weights_fade_soon():
    assert [single.mean_decay(step, 0.998) for step in (0, 8, 90, 10**6)] == [0.1, 0.5, 0.91, 0.998]


def test_what_is_read_is_what_was_wanted(tmp_path):
    path = tmp_path / "last.pt"
    for content in ([1, 2], {"ema": 3}, {"ema": {"a": 3}}, {"ema": {"a": torch.tensor(float("inf"))}}, {}):
        torch.save(content, path)
        with pytest.raises(InputError, match=r"last\.pt (has no 'ema'|holds .*), wanted a checkpoint"):
            single.read_mean(path)


def test_weights_must_fit_half_precision():
    layer = nn.Linear(1, 1)
    single.check_finite(layer, "in update 1")
    nn.init.constant_(layer.weight, 1e6)
    with pytest.raises(InputError, match=r"not a number \(NaN\) in update 1"):
        single.check_finite(layer, "in update 1")
