"""The reference code's networks, made anew from torch's own parts under the names in its checkpoints."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def normed(channels: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    """A convolution under torch's own (old) weight normalisation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(nn.Conv2d(channels, outputs, kernel, stride, kernel // 2))


class Threshold(nn.Module):
    """TReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x - self.alpha) + self.alpha


class PlainBlock(nn.Module):
    """A block of the actor."""

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        short = [nn.Conv2d(channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.shortcut = nn.Sequential(*(short if stride != 1 or channels != outputs else []))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class NormedBlock(nn.Module):
    """A block of the critic."""

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = normed(channels, outputs, 3, stride), normed(outputs, outputs, 3, 1)
        self.relu_1, self.relu_2 = Threshold(), Threshold()
        short = [normed(channels, outputs, 1, stride)] if stride != 1 or channels != outputs else []
        self.shortcut = nn.Sequential(*short)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu_2(self.conv2(self.relu_1(self.conv1(x))) + self.shortcut(x))


class PapersResNet(nn.Module):
    """Actor (`batch_norm`) or critic: ResNet-18."""

    def __init__(self, channels: int, outputs: int, width: int, batch_norm: bool) -> None:
        super().__init__()
        block = PlainBlock if batch_norm else NormedBlock
        sizes = [width, width, 2 * width, 4 * width, 8 * width]
        if batch_norm:
            self.conv1, self.bn1 = nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)
        else:
            self.conv1, self.relu_1 = normed(channels, width, 3, 2), Threshold()
        for n in range(1, 5):
            layers = block(sizes[n - 1], sizes[n], 2), block(sizes[n], sizes[n], 1)
            setattr(self, f"layer{n}", nn.Sequential(*layers))
        self.fc = nn.Linear(sizes[4], outputs)
        self.batch_norm = batch_norm

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x))) if self.batch_norm else self.relu_1(self.conv1(x))
        x = F.avg_pool2d(self.layer4(self.layer3(self.layer2(self.layer1(x)))), 4)
        x = self.fc(x.view(x.size(0), -1))
        return torch.sigmoid(x) if self.batch_norm else x


class PapersDiscriminator(nn.Module):
    """Scores of pairs ``[B, 6, 128, 128]``, target first."""

    def __init__(self) -> None:
        super().__init__()
        for n, (channels, outputs) in enumerate([(6, 16), (16, 32), (32, 64), (64, 128), (128, 1)]):
            setattr(self, f"conv{n}", normed(channels, outputs, 5, 2))
            if n < 4:
                setattr(self, f"relu{n}", Threshold())

    def forward(self, x: Tensor) -> Tensor:
        for n in range(4):
            x = self.get_submodule(f"relu{n}")(self.get_submodule(f"conv{n}")(x))
        return F.avg_pool2d(self.get_submodule("conv4")(x), 4).view(-1, 1)


def papers_networks(
    semantic: bool, width: int = 64, level: int = 3
) -> tuple[PapersResNet, PapersResNet, PapersDiscriminator, PapersDiscriminator]:
    """Actor, critic and discriminators (``wgan``, ``wgan_bg``), with numbers that nothing starts with.

    Args:
        semantic: with both kinds of guidance, or the baseline.
        width: channels of the first stage.
        level: strokes of a bundle.
    """
    channels, levels = (13, 2) if semantic else (9, 1)
    networks = (
        PapersResNet(channels, 13 * level * levels, width, True).eval(),
        PapersResNet(3 + channels, 1, width, False),
        PapersDiscriminator(),
        PapersDiscriminator(),
    )
    for n, network in enumerate(networks):
        shake(network, n)
    return networks


@torch.no_grad()
def shake(network: nn.Module, seed: int) -> None:
    """Change all of a network's numbers a bit, thresholds and statistics included."""
    generator = torch.Generator().manual_seed(seed)
    for values in network.state_dict().values():
        if values.is_floating_point():
            values *= 0.8 + 0.4 * torch.rand(values.shape, generator=generator)
            values += 0.02 * torch.rand(values.shape, generator=generator)


def save_papers(networks: tuple[nn.Module, ...], folder: Path, episode: int) -> None:
    """Write the four networks as the reference code does."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {"actor": episode, "critic": episode, "wgan": episode}
    names = [f"{name}_{number:05}.pkl" for name, number in numbers.items()] + [f"wgan_{episode + 1:05}.pkl"]
    for name, network in zip(names, networks, strict=True):
        torch.save(network.state_dict(), folder / name)
