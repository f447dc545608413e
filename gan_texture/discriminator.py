"""The discriminator: which patches of a texture look real."""

from __future__ import annotations

from torch import Tensor, nn

LEAK = 0.2
PATCH = 70


class PatchDiscriminator(nn.Module):
    """PatchGAN: every output sees 70 x 70 texels.

    Parameters
    ----------
    in_channels
        Of the texture and of what it is conditioned on, together.
    width
        Channels after the first convolution.

    Notes
    -----
    Isola et al. (2017), appendix 6.1.2: C64-C128-C256-C512, the last two with stride 1.
    """

    def __init__(self, in_channels: int = 6, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(LEAK)]
        for level, stride in ((1, 2), (2, 2), (3, 1)):
            before, after = width * 2 ** (level - 1), width * 2**level
            layers += [
                nn.Conv2d(before, after, 4, stride, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(LEAK),
            ]
        layers.append(nn.Conv2d(width * 8, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (N, in_channels, S, S) in [-1, 1] -> (N, 1, S / 8 - 2, S / 8 - 2), 1 is real."""
        return self.layers(pictures)
