"""ResNeSt image encoders (Zhang et al. 2020, split-attention networks), without their classifier.

Radix 2, cardinality 1, the deep stem of three 3x3 convolutions, and average pooling where the
resolution falls: after the split-attention convolution and in the skip. Names are those of the
authors' published code, so that their state dictionaries fit, less fc.
"""

from __future__ import annotations

from torch import Tensor, nn

from backend.synergynet.image_encoder import ImageEncoder, global_average, initialise
from backend.synergynet.resnet import EXPANSION, STAGES

RADIX = 2
REDUCTION = 4


class SplitAttention(nn.Module):
    """3x3 convolution into `RADIX` splits, summed with weights that the image itself gives.

    (N, width, H, W) -> (N, width, H, W).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(32, width * RADIX // REDUCTION)
        self.conv = nn.Conv2d(width, RADIX * width, 3, 1, 1, groups=RADIX, bias=False)
        self.bn0 = nn.BatchNorm2d(RADIX * width)
        self.relu = nn.ReLU(inplace=True)
        self.fc1 = nn.Conv2d(width, inner, 1)
        self.bn1 = nn.BatchNorm2d(inner)
        self.fc2 = nn.Conv2d(inner, RADIX * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.relu(self.bn0(self.conv(x))).chunk(RADIX, dim=1)
        pooled = nn.functional.adaptive_avg_pool2d(first + second, 1)
        scores = self.fc2(self.relu(self.bn1(self.fc1(pooled))))
        weights = scores.unflatten(1, (RADIX, -1)).softmax(dim=1)
        return weights[:, 0] * first + weights[:, 1] * second


class SplitAttentionBottleneck(nn.Module):
    """As `resnet.Bottleneck`, with split attention and pooling in place of strides."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = SplitAttention(width)
        self.avd_layer = nn.AvgPool2d(3, stride, 1) if stride > 1 else None
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(
                nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(in_channels, out_channels, 1, bias=False),
                nn.BatchNorm2d(out_channels),
            )
            if stride != 1 or in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = self.conv2(self.relu(self.bn1(self.conv1(x))))
        if self.avd_layer is not None:
            x = self.avd_layer(x)
        return self.relu(self.bn3(self.conv3(x)) + skip)


class ResNeSt(ImageEncoder):
    """(N, 3, 120, 120) image in [-1, 1] -> (N, 2048) feature z after global average pooling.

    Parameters
    ----------
    blocks
        Number of blocks in each of the four stages.
    stem_width
        Channels of the stem's first two convolutions; the third has twice as many.
    """

    feature_width = EXPANSION * STAGES[-1][0]

    def __init__(self, blocks: tuple[int, int, int, int], stem_width: int) -> None:
        super().__init__()
        channels = 2 * stem_width
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, stem_width, 3, 2, 1, bias=False),
            nn.BatchNorm2d(stem_width),
            nn.ReLU(inplace=True),
            nn.Conv2d(stem_width, stem_width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem_width),
            nn.ReLU(inplace=True),
            nn.Conv2d(stem_width, channels, 3, 1, 1, bias=False),
        )
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for number, ((width, stride), count) in enumerate(zip(STAGES, blocks, strict=True), 1):
            stage = nn.Sequential()
            for index in range(count):
                stage.append(SplitAttentionBottleneck(channels, width, stride if index == 0 else 1))
                channels = EXPANSION * width
            self.add_module(f"layer{number}", stage)
        self.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return global_average(x)
