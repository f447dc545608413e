"""The 52 named expressions, against Apple's list as its documentation gives it."""

from __future__ import annotations

from backend.exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS

# developer.apple.com: ARFaceAnchor.BlendShapeLocation, by its headings.
APPLE = """
eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft
eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight
eyeWideRight
jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight
mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight
mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper
mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft
mouthUpperUpRight
browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight
cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut
"""


def test_they_are_apple_s() -> None:
    assert len(EXPRESSION_NAMES) == len(set(EXPRESSION_NAMES)) == 52
    assert set(EXPRESSION_NAMES) == set(APPLE.split())


def test_a_mirror_swaps_sides_and_keeps_the_rest() -> None:
    by_name = {key.name: key for key in EXPRESSIONS}
    for key in EXPRESSIONS:
        other = by_name[key.mirrored]
        assert other.mirrored == key.name and other.group == key.group
        assert {key.side, other.side} in ({None}, {"left", "right"})
        assert ("Left" in key.name) == (key.side == "left")
