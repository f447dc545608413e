"""Where the eyes look, by the place of the irises between the corners of the eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES, GAZE_DEGREES
from backend.tracking.rest import LIDS, Rest, opening

Array = NDArray[np.floating]


@dataclass(frozen=True)
class _Eye:
    """MediaPipe's points of one eye.

    Attributes
    ----------
    iris, outer, inner
        Middle of the iris, corners of the eye.
    ahead
        Where MediaPipe has the iris of people who look into the camera, to the person's left and
        up from the middle of the corners, in widths of the eye: the medians of 2,921 portraits. It
        takes the axis of the eye, a few degrees beside that of sight, and MediaPipe's own bias.
    """

    iris: int
    outer: int
    inner: int
    ahead: tuple[float, float]


# The person's right eye and left one.
EYES = (_Eye(468, 33, 133, (-0.049, 0.095)), _Eye(473, 263, 362, (0.063, 0.095)))
# From the middle of the eyeball to the plane of the iris, in widths of the eye: by how far the
# irises of people who look into the camera move while their heads turn.
RADIUS = 0.344
FARTHEST = 0.95
# Degrees by which the rest of somebody who looks into the camera differs from others', usually.
PERSONAL = 8.0
# Of the opening at rest: lids hide the iris below the first, and not at all above the second.
HIDDEN, SEEN = 0.3, 0.6


def measured_gaze(points: Array, rest: Rest, toward_camera: Array) -> NDArray[np.float64]:
    """Directions of both eyes.

    Parameters
    ----------
    points
        (F, 478, 3) MediaPipe's points in the model frame, as `head_frame.aligned` has them.
    rest
        The person's.
    toward_camera
        (3,) from the head to the camera, in the model frame, while the face rests.

    Returns
    -------
    (F, 2, 2) degrees: the person's right eye and left eye, each to the person's left and up. NaN
    where lids hide the iris.
    """
    angles = np.stack([_angles(points, rest, eye) for eye in EYES], axis=1)
    angles -= _personal(rest, toward_camera)
    # Eyes turn up and down together.
    angles[..., 1] = angles[..., 1].mean(axis=1, keepdims=True)
    open_share = np.stack([opening(points, pair) / opening(rest.points, pair) for pair in LIDS], 1)
    angles[open_share.min(axis=1) < (HIDDEN + SEEN) / 2] = np.nan
    return angles


def gaze_keys(gaze: Array) -> NDArray[np.float64]:
    """(F, 52) the keys ``eyeLook...`` of (F, 2, 2) degrees; all others 0."""
    keys = np.zeros((len(gaze), len(EXPRESSION_NAMES)))
    for eye, (side, outwards) in enumerate((("Right", -1), ("Left", 1))):
        left, up = gaze[:, eye].T
        for way, degrees in (
            ("Out", outwards * left), ("In", -outwards * left), ("Up", up), ("Down", -up),
        ):  # fmt: skip
            key = EXPRESSION_NAMES.index(f"eyeLook{way}{side}")
            keys[:, key] = np.clip(degrees / GAZE_DEGREES[way], 0, 1)
    return keys


def _angles(points: Array, rest: Rest, eye: _Eye) -> NDArray[np.float64]:
    """(F, 2) degrees to the left and up from looking into the camera as people usually do."""
    width = abs(rest.points[eye.outer, 0] - rest.points[eye.inner, 0])
    middle = (points[:, eye.outer] + points[:, eye.inner]) / 2
    place = (points[:, eye.iris] - middle)[:, :2] / width - eye.ahead
    return np.degrees(np.arcsin(np.clip(place / RADIUS, -FARTHEST, FARTHEST)))


def _personal(rest: Rest, toward_camera: Array) -> NDArray[np.float64]:
    """(2, 2) degrees by which a person's irises lie elsewhere than other people's.

    If at rest they look nearly into the camera, they do look into it.
    """
    found = np.stack([_angles(rest.points[None], rest, eye)[0] for eye in EYES])
    x, y, z = toward_camera / np.linalg.norm(toward_camera)
    apart = found - np.degrees([np.arctan2(x, z), np.arcsin(y)])
    return apart * np.exp(-0.5 * (np.hypot(*apart.mean(axis=0)) / PERSONAL) ** 2)
