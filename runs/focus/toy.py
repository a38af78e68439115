"""Which map of a classifier's attention finds what decides, where that is known.

    python runs/focus/toy.py

Pictures of noise with a cross or a disc, which is the class, at a random place, and two squares of the same
contrast that mean nothing. A small network learns to tell them apart; then each kind of map is asked where it
looked: the share of the map on the deciding shape, against its share of the picture, and how often the map's
maximum is there (the pointing game, Zhang et al. 2016, arXiv 1608.00507).
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semantic_guidance.guidance.focus import guided_relus

SIDE, PATCH = 64, 13


def pictures(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures ``[B, 3, S, S]``, their classes ``[B]``, where the deciding shapes are ``[B, 1, S, S]``."""
    steps = torch.arange(PATCH) - PATCH // 2
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    cross = ((rows.abs() <= 1) | (columns.abs() <= 1)).float()
    disc = (rows**2 + columns**2 <= 14).float()
    square = ((rows.abs() <= 4) & (columns.abs() <= 4) & ((rows.abs() >= 3) | (columns.abs() >= 3))).float()
    x = 0.5 + 0.05 * torch.randn(count, 3, SIDE, SIDE, generator=generator)
    classes = torch.randint(2, (count,), generator=generator)
    places = torch.zeros(count, 1, SIDE, SIDE)
    for index, label in enumerate(classes.tolist()):
        cells = torch.randperm(16, generator=generator)[:3].tolist()
        for cell, shape in zip(cells, ((cross, disc)[label], square, square), strict=True):
            shift = torch.randint(0, 16 - PATCH + 1, (2,), generator=generator)
            top, left = (16 * (cell // 4) + int(shift[0]), 16 * (cell % 4) + int(shift[1]))
            part = (slice(top, top + PATCH), slice(left, left + PATCH))
            x[index, :, *part] += 0.4 * shape
            if cell == cells[0]:
                places[index, 0, *part] = 1
    return x, classes, places


def network() -> nn.Sequential:
    """Four convolutions, the mean over places, a linear layer."""
    layers: list[nn.Module] = []
    for cin, cout, stride in ((3, 16, 1), (16, 24, 2), (24, 32, 2), (32, 32, 1)):
        layers += [nn.Conv2d(cin, cout, 3, stride, 1), nn.BatchNorm2d(cout), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2))


def learn(steps: int = 250, seed: int = 0) -> nn.Sequential:
    """A network that has learned the task."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = network().train()
    adam = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(steps):
        x, classes, _ = pictures(32, generator)
        loss = F.cross_entropy(net(x), classes)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return net.eval().requires_grad_(False)


def smoothed(plane: Tensor, deviation: float = 2.0) -> Tensor:
    """Under a Gaussian."""
    steps = torch.arange(-6, 7).float()
    kernel = torch.exp(-((steps / deviation) ** 2) / 2)
    kernel = kernel / kernel.sum()
    down = F.conv2d(plane, kernel.view(1, 1, -1, 1), padding=(6, 0))
    return F.conv2d(down, kernel.view(1, 1, 1, -1), padding=(0, 6))


def layer_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """LayerCAM (Jiang et al. 2021, equation 6) ``[B, 1, h, w]``: activations times positive gradients."""
    return (activation * gradient.clamp(min=0)).sum(1, keepdim=True).clamp(min=0)


def maps(net: nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """Every kind of map ``[B, 1, S, S]``."""
    out = {}
    for name, guided in (("plain", False), ("guided", True)):
        with torch.enable_grad(), guided_relus(net) if guided else nullcontext():
            leaf = x.clone().requires_grad_(True)
            features = net[:-3](leaf)
            logits = net[-3:](features)
            score = logits.amax(1).sum()
            gradient, inner = torch.autograd.grad(score, (leaf, features))
        features = features.detach()

        def up(cam: Tensor) -> Tensor:
            return F.interpolate(cam, x.shape[-2:], mode="bilinear")

        out[f"{name} gradient"] = gradient.abs().sum(1, keepdim=True)
        out[f"{name} gradient, smoothed"] = smoothed(out[f"{name} gradient"])
        out[f"{name} gradient, smoothed, squared"] = out[f"{name} gradient, smoothed"].square()
        out[f"{name} Grad-CAM"] = up((features * inner.mean((2, 3), keepdim=True)).sum(1, True).clamp(min=0))
        out[f"{name} LayerCAM"] = up(layer_cam(features, inner))
    for cam in ("plain Grad-CAM", "plain LayerCAM", "guided LayerCAM"):
        out[f"guided gradient, smoothed, times {cam}"] = out["guided gradient, smoothed"] * out[cam]
    return out


def main() -> None:
    """Print the table."""
    net = learn()
    x, classes, places = pictures(256, torch.Generator().manual_seed(1))
    print(f"accuracy {float((net(x).argmax(1) == classes).float().mean()):.2f}")
    print(f"| map | times its share of the picture ({PATCH**2 / SIDE**2:.3f}) | hits |\n|---|---|---|")
    for name, plane in maps(net, x).items():
        share = (plane * places).sum((1, 2, 3)) / plane.sum((1, 2, 3)).clamp(min=1e-9)
        hits = places.flatten(1).gather(1, plane.flatten(1).argmax(1, keepdim=True)).mean()
        print(f"| {name} | {float(share.mean()) * SIDE**2 / PATCH**2:.1f} | {float(hits):.2f} |")


if __name__ == "__main__":
    main()
