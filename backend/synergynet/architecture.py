"""What distinguishes the networks that can be built and trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from backend.synergynet.backbones import BackboneName

Variant = Literal["paper", "official"]
Refinement = Literal["none", "points", "points_image", "mafa"]
Reverse = Literal["none", "adopted", "from_refinement", "with_attributes"]

# A file of weights says how wide a network is to be made, before there is a weight to put in it.
MAX_HEAD_WIDTH = 4096
_CHOICES = {
    "variant": get_args(Variant),
    "backbone": get_args(BackboneName),
    "refinement": get_args(Refinement),
    "reverse": get_args(Reverse),
}


@dataclass(frozen=True)
class Architecture:
    """Parts of the network; the defaults are the paper's SynergyNet, the others its ablations.

    Attributes
    ----------
    variant
        ``paper`` follows the paper; ``official`` has the layers of the authors' published code,
        so that their weights fit.
    backbone
        Image encoder (supplement, study of backbones).
    refinement
        What the refinement of the landmarks aggregates (Table 2): ``points`` alone,
        ``points_image`` also the image feature z, ``mafa`` also alpha_shape and alpha_exp;
        ``none`` leaves the coarse landmarks as they are.
    reverse
        Where the parameters are read back from (Table 3): ``adopted`` from the refined landmarks,
        ``from_refinement`` from the coarse ones within the refinement (comparison 1),
        ``with_attributes`` from the refined ones, z, alpha_shape and alpha_exp (comparison 2);
        ``none`` leaves the reverse direction out.
    head_width
        Width of a further fully connected layer before the heads, 0 for none. It makes the plain
        network as large as one wants to compare with (Table S2); at most `MAX_HEAD_WIDTH`.

    Raises
    ------
    ValueError
        A part is none that there is, or the parts do not go together.
    """

    variant: Variant = "paper"
    backbone: BackboneName = "mobilenet_v2"
    refinement: Refinement = "mafa"
    reverse: Reverse = "adopted"
    head_width: int = 0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"The {name} {getattr(self, name)!r} is none of {choices}.")
        if type(self.head_width) is not int or not 0 <= self.head_width <= MAX_HEAD_WIDTH:
            raise ValueError(f"The head_width is not a whole number from 0 to {MAX_HEAD_WIDTH}.")
        parts = (self.backbone, self.refinement, self.reverse, self.head_width)
        if self.variant == "official" and parts != ("mobilenet_v2", "mafa", "adopted", 0):
            raise ValueError("The variant 'official' has no other parts than its own.")
        if self.reverse == "from_refinement" and self.refinement == "none":
            raise ValueError("The reverse 'from_refinement' needs a refinement.")

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)
