"""A small U-Net that tells which texels of an unwrapped face are covered, in PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from backend.texture.covers.finding import ARCHITECTURE_KEY, INPUTS, OUTPUT, SIZE

# Added to colours before their logarithm is taken.
BLACK = 0.03
# Contrast, of logarithms, up to which a picture's is not made stronger.
FAINT = 0.15


class CoverNetwork(nn.Module):
    """What covers a face, whatever the light.

    Parameters
    ----------
    template
        (S, S, 3) float32 RGB in [0, 1], the mean face: it tells what belongs where.
    widths
        Channels by level. The picture halves before the first, and from level to level.
    """

    def __init__(self, template: Tensor, widths: tuple[int, ...] = (24, 48, 96, 96)) -> None:
        super().__init__()
        everywhere = torch.ones(1, 1, *template.shape[:2])
        mean = _normalised(template.permute(2, 0, 1)[None], everywhere)
        self.register_buffer("mean", mean)
        channels = (4 * 7, *widths)
        self.down = nn.ModuleList(_block(a, b) for a, b in pairwise(channels))
        turns = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(_block(a + b, b) for a, b in turns)
        self.head = nn.Conv2d(widths[0], 4, 1)

    mean: Tensor

    def forward(self, colors: Tensor, seen: Tensor) -> Tensor:
        """Weigh every texel.

        Parameters
        ----------
        colors
            (N, S, S, 3) in [0, 1].
        seen
            (N, S, S) in [0, 1], how well the camera sees it.

        Returns
        -------
        (N, S, S): above 0 it is rather covered than not.
        """
        seen = seen[:, None]
        known = _normalised(colors.permute(0, 3, 1, 2), seen) * seen
        x = torch.cat([known, seen, self.mean.expand(len(seen), -1, -1, -1)], dim=1)
        x = F.pixel_unshuffle(x, 2)
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), beside], dim=1))
        return F.pixel_shuffle(self.head(x), 2)[:, 0]


def _normalised(colors: Tensor, seen: Tensor) -> Tensor:
    """(N, 3, S, S) logarithms of colours, without the light's own colour and strength."""
    logs = (colors + BLACK).log()
    total = seen.sum(dim=(2, 3), keepdim=True).clamp_min(1.0)
    apart = logs - (logs * seen).sum(dim=(2, 3), keepdim=True) / total
    spread = (apart.square() * seen).sum(dim=(1, 2, 3), keepdim=True) / (3 * total)
    return apart / (spread + FAINT**2).sqrt()


def _block(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(*_layer(given, made), *_layer(made, made))


def _layer(given: int, made: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(given, made, 3, padding=1, bias=False),
        nn.BatchNorm2d(made),
        nn.ReLU(inplace=True),
    )


def export_covers(widths: tuple[int, ...]) -> bytes:
    """Export the graph of a network, as an ONNX file's content."""
    from backend.engines.graphs import export_graph

    picture = torch.zeros(1, SIZE, SIZE, 3)
    inputs = dict(zip(INPUTS, (picture, picture[..., 0]), strict=True))
    return export_graph(CoverNetwork(picture[0], widths).eval(), inputs, (OUTPUT,))


def save_covers(state: Mapping[str, Tensor], widths: tuple[int, ...], path: Path) -> None:
    """Write the state of a network, in half precision, with its architecture."""
    tensors = {
        name: tensor.detach().half().contiguous()
        for name, tensor in state.items()
        if tensor.is_floating_point()
    }
    save_file(tensors, path, {ARCHITECTURE_KEY: json.dumps({"widths": widths})})
