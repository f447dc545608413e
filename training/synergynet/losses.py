"""The four losses of SynergyNet (sections 3.1 to 3.4 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class LossWeights:
    """Weights of the joint loss; the defaults are the paper's.

    Attributes
    ----------
    parameters
        Loss 1: regressed against true parameters.
    landmarks
        Loss 2: refined against true landmarks.
    reverse
        Loss 3: parameters read back from landmarks against true ones.
    consistency
        Loss 4: regressed parameters against those read back.
    """

    parameters: float = 0.02
    landmarks: float = 0.03
    reverse: float = 0.02
    consistency: float = 0.001


@dataclass(frozen=True)
class Losses:
    """Unweighted losses, each a mean over the batch."""

    parameters: Tensor
    landmarks: Tensor
    reverse: Tensor
    consistency: Tensor

    def total(self, weights: LossWeights) -> Tensor:
        """The weighted sum."""
        return (
            weights.parameters * self.parameters
            + weights.landmarks * self.landmarks
            + weights.reverse * self.reverse
            + weights.consistency * self.consistency
        )


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """(N, 62) and (N, 62) whitened -> mean over N of the squared norm of the difference."""
    return (a - b).square().sum(dim=1).mean()


def landmark_distance(refined: Tensor, truth: Tensor) -> Tensor:
    """(N, 3, 68) crop pixels -> smooth L1 (beta 1), summed over points and axes, mean over N."""
    loss = functional.smooth_l1_loss(refined, truth, beta=1.0, reduction="none")
    return loss.sum(dim=(1, 2)).mean()


def synergy_losses(
    whitened: Tensor, refined: Tensor, read_back: Tensor, truth: Tensor, landmarks: Tensor
) -> Losses:
    """All four.

    Parameters
    ----------
    whitened, read_back, truth
        (N, 62) whitened parameters: regressed, read back from the refined landmarks, true.
    refined, landmarks
        (N, 3, 68) refined and true landmarks, crop pixels.
    """
    return Losses(
        parameters=squared_distance(whitened, truth),
        landmarks=landmark_distance(refined, landmarks),
        reverse=squared_distance(read_back, truth),
        consistency=squared_distance(whitened, read_back),
    )
