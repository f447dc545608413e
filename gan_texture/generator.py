"""The generator: a photo and the template's texture in, the person's texture out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

Source = Literal["photo", "texture"]
Norm = Literal["batch", "group"]

# A file of weights says how large a network is to be made, before there is a weight to put in it.
WIDTHS, LEVELS = range(4, 129), range(3, 9)
MOST_CHANNELS = 8
GROUP = 16
LEAK = 0.2


@dataclass(frozen=True)
class Architecture:
    """What a generator is made of.

    Attributes
    ----------
    source
        ``photo``: it sees the face's crop, and the template's texture, as the paper describes.
        ``texture``: it sees what the photo shows of the texture, already unwrapped, with the
        weights of what was seen as a further channel.
    template
        Whether the template is a further input and the output is added to it: to the template's
        own colours with ``photo``, to the filled texture (the template in the photo's light,
        under what the photo shows) with ``texture``.
    width
        Channels after the first convolution, doubled up to eight times as many; at most 128.
    levels
        Times that the picture is halved; its side must be a multiple of 2 ** levels.
    dropout
        On the three deepest blocks of the decoder with full width.
    norm
        ``batch`` as in pix2pix, ``group`` for groups of sixteen channels.
    """

    source: Source = "photo"
    template: bool = True
    width: int = 64
    levels: int = 8
    dropout: float = 0.5
    norm: Norm = "batch"

    def __post_init__(self) -> None:
        if self.levels not in LEVELS or self.width not in WIDTHS:
            raise ValueError(
                f"A U-Net of width {self.width} and {self.levels} levels cannot be built."
            )

    @property
    def in_channels(self) -> int:
        """Channels of the generator's input."""
        return (3 if self.source == "photo" else 4) + (3 if self.template else 0)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, to be stored with weights."""
        return asdict(self)


class Generator(nn.Module):
    """pix2pix's U-Net whose output is added to a picture.

    Parameters
    ----------
    architecture
        Its parts.

    Notes
    -----
    Isola et al., Image-to-Image Translation with Conditional Adversarial Networks (2017),
    appendix 6.1.1: C64-C128-C256-C512x5, skip connections, dropout on three blocks.
    """

    def __init__(self, architecture: Architecture = Architecture()) -> None:
        super().__init__()
        self.architecture = architecture
        widths = [
            architecture.width * min(2**level, MOST_CHANNELS)
            for level in range(architecture.levels)
        ]
        norm = architecture.norm
        self.encoder = nn.ModuleList(
            [_down(architecture.in_channels, widths[0], None, first=True)]
            + [
                _down(before, after, norm if level < len(widths) - 2 else None)
                for level, (before, after) in enumerate(pairwise(widths))
            ]
        )
        deep_to_shallow = widths[::-1]
        self.decoder = nn.ModuleList(
            [
                _up(
                    before * (1 if step == 0 else 2),
                    after,
                    norm,
                    architecture.dropout if 0 < step <= 3 else 0.0,
                )
                for step, (before, after) in enumerate(pairwise(deep_to_shallow))
            ]
        )
        self.head = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], 3, 4, stride=2, padding=1)
        )
        self.apply(_initialise)
        if architecture.template:
            # Its first answer is the picture that it adds to.
            last = self.head[-1]
            assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, condition: Tensor, base: Tensor) -> Tensor:
        """Make textures.

        Parameters
        ----------
        condition
            (N, in_channels, S, S) in [-1, 1]; see `generator_input`.
        base
            (N, 3, S, S) in [-1, 1], what the output is added to; unused without a template.

        Returns
        -------
        (N, 3, S, S) in [-1, 1].
        """
        features = []
        for block in self.encoder:
            condition = block(condition)
            features.append(condition)
        x = features.pop()
        for block in self.decoder:
            x = torch.cat([block(x), features.pop()], dim=1)
        residual = self.head(x)
        if not self.architecture.template:
            return torch.tanh(residual)
        return (base + residual).clamp(-1, 1)


def generator_input(
    architecture: Architecture,
    photo: Tensor,
    filled: Tensor,
    confidence: Tensor,
    template: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return what `Generator.forward` takes.

    Parameters
    ----------
    photo
        (N, 3, S, S) crop of the face; all pictures are in [-1, 1].
    filled
        (N, 3, S, S) texture of what the photo shows, over a guess at the rest.
    confidence
        (N, 1, S, S) in [0, 1], where the photo shows it.
    template
        (3, S, S) texture of the mean face.

    Returns
    -------
    condition (N, in_channels, S, S) and base (N, 3, S, S).
    """
    base = template.expand_as(filled) if architecture.source == "photo" else filled
    if architecture.source == "photo":
        channels = [photo]
    else:
        # Without the template nothing that was made from it may come in either.
        channels = [filled if architecture.template else filled * confidence, 2 * confidence - 1]
    if architecture.template:
        channels.append(template.expand_as(filled))
    return torch.cat(channels, dim=1), base


def _down(before: int, after: int, norm: Norm | None, first: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(LEAK)]
    layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=norm is None))
    if norm:
        layers.append(_norm(norm, after))
    return nn.Sequential(*layers)


def _up(before: int, after: int, norm: Norm, dropout: float) -> nn.Sequential:
    layers = [
        nn.ReLU(),
        nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
        _norm(norm, after),
    ]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


def _norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(max(1, channels // GROUP), channels)


def _initialise(module: nn.Module) -> None:
    """Draw normal weights with a deviation of 0.02, as in pix2pix."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
