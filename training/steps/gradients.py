"""Steps that cannot be made: their gradients are not finite.

Gradients, not losses, are looked at: processes that train together have averaged their gradients,
so that all of them leave out the same steps, and no process must be asked.
"""

from __future__ import annotations

import torch
from torch import nn


def finite_gradients(network: nn.Module) -> bool:
    """Whether all gradients of a network are finite; True if it has none."""
    norms = [p.grad.float().norm() for p in network.parameters() if p.grad is not None]
    return not norms or bool(torch.isfinite(torch.stack(norms)).all())


def restore_statistics(network: nn.Module, averaged: nn.Module) -> None:
    """Give a network the statistics of its normalisations from before a spoilt step.

    A forward pass through something that is not finite leaves them so. The averaged network takes
    in whole steps only, so that its own are the last good ones, averaged like its weights; a
    network in training uses them for nothing but this average.

    Parameters
    ----------
    network
        Whose buffers are overwritten.
    averaged
        Its average, of the same architecture.
    """
    with torch.no_grad():
        for spoilt, kept in zip(network.buffers(), averaged.buffers(), strict=True):
            spoilt.copy_(kept)
