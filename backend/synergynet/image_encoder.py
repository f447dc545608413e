"""What all image encoders share: the width of their feature, pooling, initialisation."""

from __future__ import annotations

from torch import Tensor, nn


class ImageEncoder(nn.Module):
    """(N, 3, 120, 120) image in [-1, 1] -> (N, feature_width) feature z.

    Attributes
    ----------
    feature_width
        Length of z.
    """

    feature_width: int


def global_average(x: Tensor) -> Tensor:
    """Return (N, C, H, W) -> (N, C)."""
    # Not mean(): the gradient of this keeps the channels-last layout, that of mean() does not.
    return nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)


def initialise(module: nn.Module) -> None:
    """Initialise one layer (He et al. 2015), to be given to `nn.Module.apply`."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
