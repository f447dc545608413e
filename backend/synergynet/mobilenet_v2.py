"""MobileNetV2 image encoder (Sandler et al., CVPR 2018, Table 2), without its classifier."""

from __future__ import annotations

from torch import Tensor, nn

from backend.synergynet.image_encoder import ImageEncoder, global_average, initialise

FEATURE_WIDTH = 1280

# Expansion, output channels, repeats, first stride: Table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def convolution(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return the convolution, batch normalisation, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project linearly; with a skip where shapes allow.

    (N, in, H, W) -> (N, out, H / stride, W / stride).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(convolution(in_channels, hidden, 1))
        layers += [
            convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.conv = nn.Sequential(*layers)
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.has_skip else self.conv(x)


class MobileNetV2(ImageEncoder):
    """(N, 3, 120, 120) image in [-1, 1] -> (N, 1280) feature z after global average pooling."""

    feature_width = FEATURE_WIDTH

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(3, 32, 3, stride=2)]
        channels = 32
        for expansion, out_channels, repeats, first_stride in STAGES:
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                layers.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
        layers.append(convolution(channels, FEATURE_WIDTH, 1))
        self.features = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        return global_average(self.features(image))
