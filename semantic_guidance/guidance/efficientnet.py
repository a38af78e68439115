"""EfficientNet-Lite0 (Tan & Le 2019, arXiv 1905.11946; the "lite" variant has ReLU6 and no attention).

Implemented here rather than imported so that its activations are plain `nn.ReLU6` modules, its features come
out at every scale, and batch norm can be folded into the convolutions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (repeats, kernel, stride, expansion, channels in, channels out), efficientnet_lite_builder.py
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
# Blocks after which a feature map is final at its scale: strides 2, 4, 8, 16 and 32.
_TAPS = (0, 2, 4, 10, 15)
FEATURE_CHANNELS = (16, 24, 40, 112, 320)
_BN_EPS = 1e-3


def normalise(images: Tensor) -> Tensor:
    """RGB images ``[B, 3, H, W]`` in [0, 1] as the network wants them: (byte - 127) / 128."""
    return (images * 255 - 127) / 128


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": the odd pixel of padding goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, H, W]`` to ``[B, D, ceil(H / stride), ceil(W / stride)]``."""
        stride, kernel = self.stride[0], self.kernel_size[0]
        if stride == 1:
            padding: int | tuple[int, int] = kernel // 2
        else:
            pads = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
            x = F.pad(x, (pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2))
            padding = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class ConvNorm(nn.Module):
    """Convolution, then batch norm; with `folded` the norm is part of the convolution's weights."""

    def __init__(
        self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1, folded: bool = False
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(cin, cout, kernel, stride, groups=groups, bias=folded, dtype=torch.float32)
        self.norm: nn.Module = (
            nn.Identity() if folded else nn.BatchNorm2d(cout, eps=_BN_EPS, dtype=torch.float32)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, cin, H, W]`` to ``[B, cout, ceil(H / stride), ceil(W / stride)]``."""
        out: Tensor = self.norm(self.conv(x))
        return out


class InvertedResidual(nn.Module):
    """Expansion (1 x 1), depthwise convolution, projection (1 x 1), and a skip where shapes allow."""

    def __init__(self, kernel: int, stride: int, expansion: int, cin: int, cout: int, folded: bool) -> None:
        super().__init__()
        inner = cin * expansion
        self.expand = ConvNorm(cin, inner, 1, folded=folded) if expansion > 1 else None
        self.depthwise = ConvNorm(inner, inner, kernel, stride, groups=inner, folded=folded)
        self.project = ConvNorm(inner, cout, 1, folded=folded)
        self.act = nn.ReLU6(inplace=True)
        self.skip = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, cin, H, W]`` to ``[B, cout, ceil(H / stride), ceil(W / stride)]``."""
        out = x if self.expand is None else self.act(self.expand(x))
        out = self.project(self.act(self.depthwise(out)))
        return x + out if self.skip else out


class EfficientNetLite0(nn.Module):
    """The network, as a classifier or as an encoder.

    Args:
        classes: outputs of the classifier; 0 omits head and classifier.
        folded: batch norm is folded into the convolutions (see `fold_state_dict`).
    """

    def __init__(self, classes: int = 1000, folded: bool = False) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, 2, folded=folded)
        self.act = nn.ReLU6(inplace=True)
        blocks = []
        for repeats, kernel, stride, expansion, cin, cout in _STAGES:
            for i in range(repeats):
                first = i == 0
                blocks.append(
                    InvertedResidual(
                        kernel, stride if first else 1, expansion, cin if first else cout, cout, folded
                    )
                )
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(320, 1280, 1, folded=folded) if classes else None
        self.classifier = nn.Linear(1280, classes, dtype=torch.float32) if classes else None

    def features(self, x: Tensor) -> list[Tensor]:
        """Feature maps of normalised images ``[B, 3, H, W]`` at strides 2, 4, 8, 16 and 32.

        Their channels are `FEATURE_CHANNELS`, their sizes H and W divided by the stride, rounded up.
        """
        x = self.act(self.stem(x))
        out = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                out.append(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of normalised images ``[B, 3, H, W]``.

        Raises:
            ValueError: the network was built without a classifier.
        """
        if self.head is None or self.classifier is None:
            raise ValueError("classes is 0, wanted a network built with a classifier")
        x = self.act(self.head(self.features(x)[-1]))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


_RENAMES = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.", "blocks."),
    (r"\._expand_conv\.", ".expand.conv."),
    (r"\._depthwise_conv\.", ".depthwise.conv."),
    (r"\._project_conv\.", ".project.conv."),
)


def _names() -> set[str]:
    """The names of an `EfficientNetLite0`'s weights, without building one."""
    parts = ["stem", "head"]
    expansions = [expansion for repeats, _, _, expansion, _, _ in _STAGES for _ in range(repeats)]
    for index, expansion in enumerate(expansions):
        kinds = ("expand", "depthwise", "project") if expansion > 1 else ("depthwise", "project")
        parts += [f"blocks.{index}.{kind}" for kind in kinds]
    norms = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ends = ["conv.weight", *(f"norm.{name}" for name in norms)]
    return {f"{part}.{end}" for part in parts for end in ends} | {"classifier.weight", "classifier.bias"}


def convert_state_dict(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the PyPI package `efficientnet-lite-pytorch`, under this module's names.

    Args:
        theirs: state dict of its `EfficientNet`.

    Raises:
        ValueError: the weights are not those of an EfficientNet-Lite0.
    """
    out = {}
    for key, value in theirs.items():
        for pattern, to in _RENAMES:
            key = re.sub(pattern, to, key)
        block = re.match(r"blocks\.(\d+)\._bn(\d)\.", key)
        if block:
            # The first block has no expansion; its norms are still called 1 and 2.
            part = ("expand", "depthwise", "project")[int(block[2])]
            key = re.sub(r"\._bn\d\.", f".{part}.norm.", key)
        out[key] = value
    if out.keys() != _names():
        raise ValueError("state dict has other names than an EfficientNet-Lite0 of efficientnet-lite-pytorch")
    return out


def fold_state_dict(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `EfficientNetLite0(folded=True)` that compute what `state` computes in eval mode."""
    out = {key: value for key, value in state.items() if ".norm." not in key}
    for key in [key for key in state if key.endswith(".norm.running_var")]:
        part = key.removesuffix(".norm.running_var")
        scale = state[f"{part}.norm.weight"] * torch.rsqrt(state[key] + _BN_EPS)
        out[f"{part}.conv.weight"] = state[f"{part}.conv.weight"] * scale[:, None, None, None]
        out[f"{part}.conv.bias"] = state[f"{part}.norm.bias"] - state[f"{part}.norm.running_mean"] * scale
    return out
