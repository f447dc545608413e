"""The 52 named expressions: what a key is called, what it moves, and on which side.

Names and meaning are Apple's (ARKit, ``ARFaceAnchor.BlendShapeLocation``).
Every key goes from 0, nothing, to 1, all of it. Left and right are the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["lids", "gaze", "brows", "mouth", "cheeks"]
Side = Literal["left", "right"]

# A pattern with `{}` stands for a left and a right key.
_PATTERNS: tuple[tuple[str, Group], ...] = (
    ("eyeBlink{}", "lids"),
    ("eyeLookDown{}", "gaze"),
    ("eyeLookIn{}", "gaze"),
    ("eyeLookOut{}", "gaze"),
    ("eyeLookUp{}", "gaze"),
    ("eyeSquint{}", "lids"),
    ("eyeWide{}", "lids"),
    ("jawForward", "mouth"),
    ("jaw{}", "mouth"),
    ("jawOpen", "mouth"),
    ("mouthClose", "mouth"),
    ("mouthFunnel", "mouth"),
    ("mouthPucker", "mouth"),
    ("mouth{}", "mouth"),
    ("mouthSmile{}", "mouth"),
    ("mouthFrown{}", "mouth"),
    ("mouthDimple{}", "mouth"),
    ("mouthStretch{}", "mouth"),
    ("mouthRollLower", "mouth"),
    ("mouthRollUpper", "mouth"),
    ("mouthShrugLower", "mouth"),
    ("mouthShrugUpper", "mouth"),
    ("mouthPress{}", "mouth"),
    ("mouthLowerDown{}", "mouth"),
    ("mouthUpperUp{}", "mouth"),
    ("browDown{}", "brows"),
    ("browInnerUp", "brows"),
    ("browOuterUp{}", "brows"),
    ("cheekPuff", "cheeks"),
    ("cheekSquint{}", "cheeks"),
    ("noseSneer{}", "cheeks"),
    ("tongueOut", "mouth"),
)


@dataclass(frozen=True)
class Expression:
    """One key.

    Attributes
    ----------
    name
        In Apple's spelling, such as ``eyeBlinkLeft``.
    group
        What moves together, and is smoothed together. The jaw and the tongue belong to the mouth.
    side
        The person's side that it moves, or to which it moves; None if both do, or neither.
    mirrored
        The name of what a mirror shows. Without a side, its own.
    """

    name: str
    group: Group
    side: Side | None
    mirrored: str


def _keys(pattern: str, group: Group) -> tuple[Expression, ...]:
    left, right = pattern.format("Left"), pattern.format("Right")
    if left == right:
        return (Expression(pattern, group, None, pattern),)
    return Expression(left, group, "left", right), Expression(right, group, "right", left)


EXPRESSIONS: tuple[Expression, ...] = tuple(
    key for pattern, group in _PATTERNS for key in _keys(pattern, group)
)
EXPRESSION_NAMES: tuple[str, ...] = tuple(key.name for key in EXPRESSIONS)

# Degrees by which ``eyeLook...`` turns an eye at 1: to the nose, away from it, up, down.
GAZE_DEGREES = {"In": 28.0, "Out": 30.0, "Up": 20.0, "Down": 22.0}
