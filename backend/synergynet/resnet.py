"""ResNet image encoders (He et al., CVPR 2016, Table 1), without their classifier.

The stride of a block sits in its 3x3 convolution, as in the implementations whose accuracy and
weights are published since. Names are torchvision's, so that its state dictionaries fit, less fc.
"""

from __future__ import annotations

from torch import Tensor, nn

from backend.synergynet.image_encoder import ImageEncoder, global_average, initialise

EXPANSION = 4
# Channels inside the blocks of the four stages, and the stride of the first of each.
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution with a skip.

    (N, in, H, W) -> (N, 4 width, H / stride, W / stride).

    Parameters
    ----------
    in_channels
        Channels that come in.
    width
        Channels of the 3x3 convolution.
    stride
        Of the 3x3 convolution.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
            if stride != 1 or in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + skip)


class ResNet(ImageEncoder):
    """(N, 3, 120, 120) image in [-1, 1] -> (N, 2048) feature z after global average pooling.

    Parameters
    ----------
    blocks
        Number of blocks in each of the four stages.
    """

    feature_width = EXPANSION * STAGES[-1][0]

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for number, ((width, stride), count) in enumerate(zip(STAGES, blocks, strict=True), 1):
            stage = nn.Sequential()
            for index in range(count):
                stage.append(Bottleneck(channels, width, stride if index == 0 else 1))
                channels = EXPANSION * width
            self.add_module(f"layer{number}", stage)
        self.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return global_average(x)
