"""Guided backpropagation against a hand-written backward pass, and what it leaves untouched."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from semantic_guidance.core.guidance import Instance
from semantic_guidance.guidance import focus_map, guided_backprop, guided_relus
from semantic_guidance.guidance.classifier import folded_classifier, imagenet_classifier
from semantic_guidance.guidance.efficientnet import EfficientNetLite0, normalise
from semantic_guidance.guidance.focus import saliency


class Dense(nn.Module):
    """Two rectified layers on flattened pictures, in one of several ways to write a ReLU."""

    def __init__(self, how: str) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.how = how
        self.a, self.b, self.c = nn.Linear(48, 20), nn.Linear(20, 16), nn.Linear(16, 5)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        self.act = {"inplace": nn.ReLU(inplace=True), "relu6": nn.ReLU6()}.get(how, nn.ReLU())

    def rectify(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "functional":
            return F.relu(x)
        if self.how == "method":
            return x.relu()
        if self.how == "torch":
            return torch.relu(x)
        if self.how == "statement":  # the result is thrown away, only the side effect counts
            x = x * 1
            F.relu_(x)
            return x
        return self.act(x)  # one module, used twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        return self.c(self.rectify(self.b(self.rectify(self.a(x)))))


def by_hand(model: Dense, x: np.ndarray, top: float) -> np.ndarray:
    """The same in numpy, layer by layer."""
    a, b, c = (
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in (model.a, model.b, model.c)
    )
    u = x.reshape(len(x), -1) @ a[0].T + a[1]
    v = np.clip(u, 0, top) @ b[0].T + b[1]
    logits = np.clip(v, 0, top) @ c[0].T + c[1]
    g = c[0][logits.argmax(1)]
    g = np.maximum(g, 0) * ((v > 0) & (v < top))
    g = np.maximum(g @ b[0], 0) * ((u > 0) & (u < top))
    return (g @ a[0]).reshape(x.shape)


@pytest.mark.parametrize("how", ["module", "inplace", "relu6", "functional", "method", "torch", "statement"])
def test_equals_the_rule_of_the_paper(how):
    model = Dense(how)
    x = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = guided_backprop(model.double(), x)
    want = by_hand(model, x.numpy(), 6.0 if how == "relu6" else np.inf)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-9, atol=1e-9)
    plain = torch.autograd.functional.jacobian(lambda y: model(y).amax(1).sum(), x)
    assert not torch.allclose(got, plain)


def test_first_activation_may_be_in_place():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 3))
    x = torch.randn(2, 3, 2, 2)
    before = x.clone()
    grad = guided_backprop(model, x)
    assert grad.shape == x.shape
    assert torch.equal(x, before)
    assert bool((grad[x < 0] == 0).all())
    assert bool((grad >= 0).all())


def test_model_is_left_untouched():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten())
    model.append(nn.Sequential(nn.Dropout(0.5), nn.Linear(4 * 36, 7)))
    model.train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    state = copy.deepcopy(model.state_dict())
    x = torch.randn(2, 3, 8, 8)
    first = guided_backprop(model, x)
    assert torch.equal(first, guided_backprop(model, x))  # no dropout
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(not m._forward_hooks and not m._backward_hooks for m in model.modules())
    # Outside the context gradients are ordinary again.
    y = torch.tensor([-1.0, 2.0], requires_grad=True)
    (torch.relu(y) * torch.tensor([1.0, -3.0])).sum().backward()
    assert y.grad.tolist() == [0.0, -3.0]


def test_modes_come_back_after_an_error():
    model = nn.Sequential(nn.ReLU()).train()
    with pytest.raises(RuntimeError), guided_relus(model):
        raise RuntimeError("stop")
    assert model.training


def test_works_without_gradients_outside():
    model = Dense("module")
    x = torch.randn(1, 3, 4, 4)
    want = guided_backprop(model, x)
    with torch.no_grad():
        assert torch.equal(guided_backprop(model, x), want)
    with torch.inference_mode():
        assert torch.equal(guided_backprop(model, x.clone()), want)


def test_frozen_parameters_and_chosen_class():
    model = Dense("module").requires_grad_(False)
    x = torch.randn(2, 3, 4, 4)
    classes = model(x).argmin(1)
    assert not torch.equal(guided_backprop(model, x, classes), guided_backprop(model, x))


def test_bad_shapes_are_named():
    with pytest.raises(ValueError, match=r"x has shape \[3, 4, 4\]"):
        guided_backprop(Dense("module"), torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="wanted \\[1, classes\\]"):
        guided_backprop(nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 4, 4))


def test_saliency_is_scaled_to_the_99th_percentile():
    gradient = torch.randn(2, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 5
    got = saliency(gradient).numpy()
    for one, plane in zip(gradient.numpy(), got, strict=True):
        total = np.abs(one).sum(0)
        low, high = total.min(), np.percentile(total, 99)
        np.testing.assert_allclose(plane[0], np.clip((total - low) / (high - low), 0, 1), atol=0.01)
    assert saliency(torch.zeros(1, 3, 5, 5)).abs().sum() == 0


@pytest.fixture(scope="module")
def cat():
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's sample photographs")
    image = torch.from_numpy(data.chelsea()).permute(2, 0, 1).float() / 255
    mask = torch.zeros(1, *image.shape[1:])
    mask[:, 20:280, 90:380] = 1
    return image, Instance.from_mask(mask)


def test_classifier_knows_a_cat(cat):
    image, instance = cat
    x, y, w, h = instance.box
    crop = F.interpolate(image[None, :, y : y + h, x : x + w], (224, 224), mode="bilinear")
    with torch.no_grad():
        assert int(imagenet_classifier()(normalise(crop)).argmax()) in (281, 282, 285)  # tabby, tiger, Mau


def test_focus_is_in_range_and_zero_off_the_mask(cat):
    image, instance = cat
    focus = focus_map(image, [instance])
    assert focus.shape == (1, *image.shape[1:])
    assert float(focus.min()) >= 0
    assert float(focus.max()) <= 1
    assert float(focus[instance.mask <= 0.5].abs().max()) == 0
    assert 0.02 < float(focus[instance.mask > 0.5].mean()) < 0.6


def test_focus_depends_on_the_classifier(cat):
    """Sanity check by randomised weights (Adebayo et al. 2018): an untrained expert sees something else."""
    image, instance = cat
    trained = focus_map(image, [instance])
    inside = instance.mask > 0.5

    def correlation(other: torch.Tensor) -> float:
        return float(torch.corrcoef(torch.stack([trained[inside], other[inside]]))[0, 1])

    torch.manual_seed(0)
    random = EfficientNetLite0().eval()
    # Norms fitted to the picture: else activations of random layers die out.
    with torch.no_grad():
        random.train()
        for module in random.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        random(normalise(F.interpolate(image[None], (224, 224))).repeat(2, 1, 1, 1))
        random.eval()
    assert correlation(trained) == pytest.approx(1, abs=1e-5)
    assert correlation(focus_map(image, [instance], random)) < 0.5
    # The eyes and the nose matter more to the trained expert than the fur does.
    eyes, fur = trained[:, 80:180, 150:310].mean(), trained[:, 200:280, 300:380].mean()
    assert eyes > 1.5 * fur


def test_folded_norms_hardly_change_the_focus(cat):
    image, instance = cat
    loaders = (folded_classifier, imagenet_classifier)
    folded, plain = (focus_map(image, [instance], load()) for load in loaders)
    assert torch.equal(focus_map(image, [instance]), folded)
    assert float((folded - plain).abs().mean()) < 1e-4
    assert float((folded - plain).abs().max()) < 0.1  # a gradient next to zero may pass a ReLU or not


def test_no_instances_no_focus():
    assert float(focus_map(torch.rand(3, 8, 8), []).abs().max()) == 0


class Matched(nn.Module):
    """Knows crosses from discs by filters of their shapes, and nothing else. What it sees is what decides."""

    def __init__(self) -> None:
        super().__init__()
        rows, columns = np.mgrid[-4:5, -4:5]
        shapes = np.stack([(abs(rows) <= 1) | (abs(columns) <= 1), rows**2 + columns**2 <= 10]).astype(
            np.float32
        )
        self.shapes = torch.from_numpy(shapes)
        filters = self.shapes - self.shapes.mean((1, 2), keepdim=True)
        self.filters = (filters / filters.norm(dim=(1, 2), keepdim=True))[:, None].expand(2, 3, 9, 9) / 3
        self.seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = max(self.seen, len(x))
        # A shape of contrast 0.4 answers 1.8, a bar 1.1.
        return F.relu(F.conv2d(x, self.filters, padding=4) - 1.2).mean((2, 3))


@pytest.mark.parametrize("shape", [0, 1])
def test_focus_is_on_what_decides(shape):
    model = Matched()
    image = 0.4 + 0.02 * torch.rand(3, 80, 80, generator=torch.Generator().manual_seed(0))
    image[:, 10:19, 50:59] += 0.4 * model.shapes[shape]
    for top, left in ((50, 10), (52, 55), (14, 12)):  # as bright, and of no class
        image[:, top : top + 9, left : left + 3] += 0.4
    focus = focus_map(image, [Instance.from_mask(torch.ones(1, 80, 80))], model, lambda x: x, side=96)[0]
    assert focus[8:21, 48:61].sum() > 0.9 * focus.sum()
    assert divmod(int(focus.argmax()), 80)[0] in range(10, 19)
    assert int(model(image[None]).argmax()) == shape


def test_focus_is_smooth_and_stays_with_what_it_is_on(cat):
    """A picture that is moved by a pixel or two has the same focus, and it does not speckle."""
    image, _ = cat
    boxes = ((20, 90), (23, 92))
    planes = []
    for top, left in boxes:
        mask = torch.zeros(1, *image.shape[1:])
        mask[:, top : top + 240, left : left + 280] = 1
        planes.append(focus_map(image, [Instance.from_mask(mask)])[0, 30:250, 100:360])
    first, second = planes
    assert torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1] > 0.95
    for difference in (first.diff(dim=0), first.diff(dim=1)):
        assert float(difference.abs().mean()) < 0.08 * float(first.mean())


@pytest.mark.parametrize("count", [1, 3, 8, 11])
def test_many_objects_cost_no_more_than_a_few(count):
    model = Matched()
    planes = [torch.zeros(1, 40, 200) for _ in range(count)]
    for index, plane in enumerate(planes):
        plane[:, 5:25, 17 * index : 17 * index + 15] = 1
    image = torch.rand(3, 40, 200, generator=torch.Generator().manual_seed(0))
    focus = focus_map(image, [Instance.from_mask(plane) for plane in planes], model, lambda x: 4 * x, side=64)
    assert model.seen <= 8
    assert [bool((focus * plane).any()) for plane in planes] == [index < 8 for index in range(count)]
