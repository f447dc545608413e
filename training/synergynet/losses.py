"""The four losses of SynergyNet (sections 3.1 to 3.4 of the paper), and one of our own for lips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional

from backend.morphable_model.model import LOWER_LIP, UPPER_LIP
from backend.synergynet.network import TrainingPrediction
from backend.synergynet.parameter_heads import N_POSE

ReverseTargets = Literal["all", "pose", "shape_expression"]

# Which of the 62 parameters the losses of the reverse direction compare.
REVERSE_COLUMNS: dict[ReverseTargets, slice] = {
    "all": slice(None),
    "pose": slice(N_POSE),
    "shape_expression": slice(N_POSE, None),
}


@dataclass(frozen=True)
class LossWeights:
    """Weights of the joint loss; the defaults are the paper's.

    The losses are measured in whitened parameters and in crop pixels (of 120 a side).

    Attributes
    ----------
    parameters
        Loss 1: regressed against true parameters.
    landmarks
        Loss 2: refined against true landmarks; 0 in Table 1's first row.
    reverse
        Loss 3: parameters read back from landmarks against true ones.
    consistency
        Loss 4: regressed parameters against those read back.
    lips
        Not in the paper: how far the mesh's inner lips are apart, against the true landmarks. The
        other losses see a closed mouth drawn ajar as a pixel at six of 68 points; people see little
        else.
    reverse_targets
        Which parameters losses 3 and 4 compare (Tables 2 and 7).
    """

    parameters: float = 0.02
    landmarks: float = 0.03
    reverse: float = 0.02
    consistency: float = 0.001
    lips: float = 0.0
    reverse_targets: ReverseTargets = "all"


@dataclass(frozen=True)
class Losses:
    """Unweighted losses, each a mean over the batch."""

    parameters: Tensor
    landmarks: Tensor
    reverse: Tensor
    consistency: Tensor
    lips: Tensor

    def total(self, weights: LossWeights) -> Tensor:
        """Return the weighted sum."""
        return (
            weights.parameters * self.parameters
            + weights.landmarks * self.landmarks
            + weights.reverse * self.reverse
            + weights.consistency * self.consistency
            + weights.lips * self.lips
        )


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return (N, K) and (N, K) whitened -> mean over N of the squared norm of the difference."""
    return (a - b).square().sum(dim=1).mean()


def landmark_distance(refined: Tensor, truth: Tensor) -> Tensor:
    """Return (N, 3, 68) crop pixels -> smooth L1 (beta 1), summed over points and axes, mean over
    N.
    """
    loss = functional.smooth_l1_loss(refined, truth, beta=1.0, reduction="none")
    return loss.sum(dim=(1, 2)).mean()


def lip_distance(coarse: Tensor, truth: Tensor) -> Tensor:
    """Return (N, 3, 68) crop pixels -> smooth L1 (beta 1) of the steps from the lower to the
    upper lip.

    In the image plane, summed over three places and two axes, mean over N.
    """
    opening, true_opening = (p[:, :2, UPPER_LIP] - p[:, :2, LOWER_LIP] for p in (coarse, truth))
    loss = functional.smooth_l1_loss(opening, true_opening, beta=1.0, reduction="none")
    return loss.sum(dim=(1, 2)).mean()


def synergy_losses(
    prediction: TrainingPrediction,
    truth: Tensor,
    landmarks: Tensor,
    reverse_targets: ReverseTargets = "all",
) -> Losses:
    """Return all five; those of the reverse direction are 0 where the network has none.

    Parameters
    ----------
    prediction
        What the network says of N faces.
    truth
        (N, 62) true parameters, whitened.
    landmarks
        (N, 3, 68) true landmarks, crop pixels.
    reverse_targets
        Which parameters losses 3 and 4 compare.
    """
    whitened, read_back = prediction.whitened, prediction.read_back
    reverse = consistency = whitened.new_zeros(())
    if read_back is not None:
        columns = REVERSE_COLUMNS[reverse_targets]
        reverse = squared_distance(read_back[:, columns], truth[:, columns])
        consistency = squared_distance(whitened[:, columns], read_back[:, columns])
    return Losses(
        parameters=squared_distance(whitened, truth),
        landmarks=landmark_distance(prediction.refined, landmarks),
        reverse=reverse,
        consistency=consistency,
        lips=lip_distance(prediction.coarse, landmarks),
    )
