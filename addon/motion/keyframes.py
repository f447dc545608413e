"""Keys of a head: what a recording becomes at a frame rate. No ``bpy`` here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..exchange.expressions import EXPRESSION_NAMES
from ..exchange.smoothing import Motion, like_signs, smooth
from ..problems import Problem
from .placement import Lens, Placement, place, place_matched
from .recording import Recording, Style

Float = NDArray[np.floating]

# Keys nearer than this to the next are one key to Blender.
SAME_FRAME = 0.01
# A face rests for longer than a frame: the median so many seconds around is what it rests at; but
# a key that is turned up further than this is not at rest.
REST_SECONDS = 0.1
MOST_REST = 0.9


@dataclass(frozen=True)
class Keyframes:
    """N keys, one for every frame of the clip that shows the face.

    Attributes
    ----------
    frames
        (N,) frames of the scene, with fractions, rising.
    quaternions
        (N, 4) w, x, y, z in Blender's frame; consecutive ones have like signs.
    locations
        (N, 3) metres from where the head is in the first frame.
    expression
        (N, K) of the keys that were asked for, gain included.
    lost, found
        (N,) whether the face is missing in the clip just after the key, just before it.
    first
        (3,) metres from the lens to the head's origin where the face is seen first; `locations`
        are relative to it.
    """

    frames: Float
    quaternions: Float
    locations: Float
    expression: Float
    lost: NDArray[np.bool_]
    found: NDArray[np.bool_]
    first: Float


def keyframes(recording: Recording, style: Style, rate: float, names: tuple[str, ...]) -> Keyframes:
    """Make keys.

    Parameters
    ----------
    recording
        A face's raw motion.
    style
        Smoothing, gain, lens and place in time.
    rate
        Frames a second of the scene.
    names
        (K,) of the head's expression keys: the named ones, or the model's own ten.

    Raises
    ------
    Problem
        No frame shows the face, or the recording has no such keys.
    """
    present = np.flatnonzero(recording.motion.confidence > 0)
    if not present.size:
        raise Problem(
            "No frame of the video shows this face.",
            "Choose another face, or another part of the video.",
        )
    named = names == EXPRESSION_NAMES
    if named and not recording.motion.keys.size:
        raise Problem(
            "The video was recorded without the named expression keys of this head.",
            "Update or repair the backend, and run Animate from Video again.",
        )
    raw = calibrated(recording.motion, style.neutral)
    motion = _rows(smooth(raw, style.strengths), present)
    values = motion.keys * style.gains.of_keys() if named else motion.expression
    placement = _place(motion, recording, style)
    # Before smoothing, so that it does not move the head as a whole.
    first = _place(_rows(recording.motion, present[:1]), recording, style).locations[0]
    frames = style.start + (np.asarray(motion.times) - style.first_second) * rate
    missing_after = np.diff(present, append=len(recording.frames)) > 1
    missing_before = np.diff(present, prepend=-1) > 1
    keep = np.diff(frames, append=np.inf) > SAME_FRAME
    return Keyframes(
        frames[keep],
        like_signs(placement.quaternions[keep]),
        placement.locations[keep] - first,
        style.gain * np.asarray(values)[keep],
        missing_after[keep],
        missing_before[keep],
        first,
    )


def calibrated(motion: Motion, neutral: float | None) -> Motion:
    """Return a motion whose expression is 0 at a time, and counted from there elsewhere.

    Parameters
    ----------
    motion
        As measured.
    neutral
        Seconds since the clip's first frame, around which the face rests; None changes nothing.

    Notes
    -----
    Named keys still reach 1: what rests at 0.2 goes from there to 1, not to 0.8.
    """
    present = np.flatnonzero(motion.confidence > 0)
    if neutral is None or not present.size:
        return motion
    away = np.abs(np.asarray(motion.times)[present] - neutral)
    near = present[away <= max(float(away.min()), REST_SECONDS)]
    rest = np.median(motion.expression[near], axis=0)
    keys = motion.keys
    if keys.size:
        zero = np.minimum(np.median(keys[near], axis=0), MOST_REST)
        keys = np.clip((keys - zero) / (1 - zero), 0, 1)
    return replace(motion, expression=motion.expression - rest, keys=keys)


def _place(motion: Motion, recording: Recording, style: Style) -> Placement:
    lens = Lens(style.focal_length, recording.image_size)
    if style.matched:
        return place_matched(motion, lens, recording.points)
    return place(motion, lens)


def _rows(motion: Motion, rows: NDArray[np.intp]) -> Motion:
    return replace(motion, **{name: values[rows] for name, values in vars(motion).items()})
