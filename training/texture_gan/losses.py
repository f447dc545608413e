"""Losses of the texture GAN: least squares against the discriminator, L1 against the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class LossWeights:
    """Weights of the generator's loss.

    Attributes
    ----------
    adversarial
        Of the discriminator's opinion.
    reconstruction
        Of the mean absolute difference from the truth (pix2pix's 100).
    hidden
        Factor for texels that the camera did not see in the input, on top of 1.
    unknown
        Weight of the difference from what the output is added to, where no truth is known.
    """

    adversarial: float = 1.0
    reconstruction: float = 100.0
    hidden: float = 0.0
    unknown: float = 0.0


def adversarial_loss(scores: Tensor, weights: Tensor, real: bool) -> Tensor:
    """Return the least-squares GAN loss (Mao et al. 2017): mean over patches of (score - target)^2.

    Parameters
    ----------
    scores
        (N, 1, h, w).
    weights
        (N, 1, h, w), 0 for patches that don't count.
    """
    target = 1.0 if real else 0.0
    return weighted_mean((scores - target) ** 2, weights)


def reconstruction_loss(
    made: Tensor,
    truth: Tensor,
    base: Tensor,
    mask: Tensor,
    confidence: Tensor,
    weights: LossWeights,
) -> Tensor:
    """Return the mean absolute difference over the texels that count.

    Parameters
    ----------
    made, truth, base
        (N, 3, S, S).
    mask
        (N, 1, S, S), where the truth is known.
    confidence
        (N, 1, S, S), where the input shows it.
    """
    known = mask * (1 + weights.hidden * (1 - confidence))
    loss = weighted_mean((made - truth).abs(), known)
    if weights.unknown:
        loss = loss + weights.unknown * weighted_mean((made - base).abs(), 1 - mask)
    return loss


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of (N, C, h, w) values by (N, 1, h, w) weights."""
    return (values * weights).sum() / (weights.sum() * values.shape[1]).clamp_min(1.0)


def patch_weights(mask: Tensor, scores: Tensor) -> Tensor:
    """Return (N, 1, h, w) how much of the middle of each of the discriminator's patches is
    known.
    """
    height, width = scores.shape[-2:]
    return F.adaptive_avg_pool2d(mask, (height, width))


def only_inside(picture: Tensor, outside: Tensor, mask: Tensor) -> Tensor:
    """Return a picture whose texels outside of the mask are another's."""
    return torch.lerp(outside, picture, mask)
