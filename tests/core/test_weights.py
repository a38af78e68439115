"""Networks in files: what is loaded is what a plain loader gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from semantic_guidance.agents.window.agent import WEIGHTS as AGENTS
from semantic_guidance.agents.window.files import load_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.core.weights import Unfilled, filled, read_state, read_weights, write_weights
from semantic_guidance.guidance import classifier, segmenter
from semantic_guidance.guidance.efficientnet import EfficientNetLite0, convert_state_dict, fold_state_dict
from semantic_guidance.guidance.network import SegmentationNetwork


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and torch.equal(first[name], second[name]) for name in first
    )


def plainly(network: nn.Module, path: Path) -> nn.Module:
    state = load_file(path)
    scales = {name.removesuffix(".scale"): state.pop(name) for name in [*state] if name.endswith(".scale")}
    for name, scale in scales.items():  # bytes, with a scale for each output channel
        assert state[name].dtype == torch.int8
        state[name] = torch.einsum("o...,o->o...", state[name].float(), scale.float())
    network.load_state_dict({name: values.float() for name, values in state.items()}, strict=False)
    return network.eval()


@pytest.mark.parametrize("name", ["semantic", "baseline"])
def test_agents_are_those_of_a_plain_loader(name):
    actor, _ = load_window_actor(AGENTS / f"{name}.safetensors")
    plain = plainly(WindowActor(actor.channels, actor.widths), AGENTS / f"{name}.safetensors")
    assert same(actor.state_dict(), plain.state_dict())
    assert not any(module.training for module in actor.modules())
    assert not any(parameter.requires_grad for parameter in actor.parameters())


def test_segmenter_is_that_of_a_plain_loader():
    found = segmenter.Segmenter.load().network
    assert same(found.state_dict(), plainly(SegmentationNetwork(), segmenter.WEIGHTS).state_dict())


def test_classifiers_are_those_of_a_plain_loader():
    state = classifier.load_imagenet_state()
    plain, folded = EfficientNetLite0(), EfficientNetLite0(folded=True)
    plain.load_state_dict(state)
    folded.load_state_dict(fold_state_dict(state))
    assert same(classifier.imagenet_classifier().state_dict(), plain.state_dict())
    assert same(classifier.kind_evidence().network.state_dict(), folded.state_dict())


@pytest.mark.parametrize("load", [classifier.imagenet_classifier, classifier.folded_classifier])
def test_a_classifier_first_asked_for_without_gradients_has_them(load):
    load.cache_clear()
    with torch.inference_mode():
        network = load()
    x = torch.zeros(1, 3, 32, 32, requires_grad=True)
    network(x).sum().backward()
    assert x.grad is not None


def test_converting_knows_the_names_of_all_weights():
    state = dict.fromkeys(EfficientNetLite0().state_dict(), torch.zeros(1))
    assert convert_state_dict(state).keys() == state.keys()
    with pytest.raises(ValueError, match="other names"):
        convert_state_dict(state | {"more": torch.zeros(1)})


def test_without_numbers_there_are_shapes_and_the_random_state_stays():
    before = torch.get_rng_state()
    with Unfilled():
        network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 10**9))
        nn.init.normal_(network[2].weight)
        torch.nn.init.uniform_(tensor=network[2].weight)
    assert torch.equal(torch.get_rng_state(), before)
    assert network[2].weight.shape == (10**9, 3)  # 12 GB, if it had numbers
    assert {values.device.type for values in network.state_dict().values()} == {"meta"}
    nn.Linear(3, 2)
    assert not torch.equal(torch.get_rng_state(), before)


def test_missing_batch_counts_begin_at_none():
    with Unfilled():
        network = nn.BatchNorm2d(3)
    state = {name: torch.rand(3) for name in ("weight", "bias", "running_mean", "running_var")}
    assert same(
        filled(network, state, "a", "weights").state_dict(), state | {"num_batches_tracked": torch.tensor(0)}
    )


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"weight": torch.zeros(3)}, "does not match the network in 'bias'"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "x": torch.zeros(2)}, "in 'x'"),
        ({"weight": torch.zeros(2, 3, dtype=torch.int8), "bias": torch.zeros(2)}, "int8 numbers in 'weight'"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, r"weight has \[3, 2\], the network \[2, 3\]"),
    ],
)
def test_numbers_of_another_network(state, complaint):
    with pytest.raises(ValueError, match=f"^a.pt .*{complaint}"):
        filled(nn.Linear(3, 2), state, "a.pt", "weights")


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_numbers_that_are_not_finite_are_found(bad, dtype, tmp_path):
    values = torch.linspace(-1, 1, 7).to(dtype)
    torch.save({"a": values, "empty": torch.empty(0), "count": torch.tensor(3)}, tmp_path / "good.pt")
    assert read_state(tmp_path / "good.pt", "weights").keys() == {"a", "empty", "count"}
    values[3] = bad
    torch.save({"a": values}, tmp_path / "bad.pt")
    with pytest.raises(ValueError, match="'a' that are not finite"):
        read_state(tmp_path / "bad.pt", "weights")


def test_files_with_whole_numbers_and_infinity(tmp_path):
    network = nn.BatchNorm2d(3)
    write_weights(network, {"format": "f"}, tmp_path / "a.safetensors")
    _, state = read_weights(tmp_path / "a.safetensors", "f", "weights")
    assert same(filled(nn.BatchNorm2d(3), state, "a", "weights").state_dict(), network.state_dict())
    network.running_mean[1] = torch.inf
    write_weights(network, {"format": "f"}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="not finite"):
        read_weights(tmp_path / "a.safetensors", "f", "weights")
