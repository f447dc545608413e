"""A person's face at rest, found in the frames of a clip.

MediaPipe's points lie a little elsewhere on every face, and no two mouths are equally wide. What a
face shows is therefore measured from its own rest: eyes open, mouth shut, brows where they usually
are. Most faces rest often, so frames count that have the eyes as open as usual and the mouth as
shut as it gets, more so where many others are alike; their median is the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES
from backend.tracking.head_frame import OUTER_CORNERS, onto_model, together

Array = NDArray[np.floating]

# Upper and lower lids' middles, the person's right and left; inner upper and lower lip.
LIDS = ((159, 145), (386, 374))
LIPS = (13, 14)
# Places whose distances tell faces apart: pairs of points and the axis.
MEASURES = (
    (159, 145, 1), (386, 374, 1), (107, 133, 1), (336, 362, 1), (70, 33, 1), (300, 263, 1),
    (13, 14, 1), (61, 291, 0), (61, 291, 1), (13, 1, 1), (152, 1, 1), (13, 168, 0),
)  # fmt: skip
# All in parts of the distance of the eyes' outer corners. How far lids and lips of a frame that
# counts are from their best, and a little that measures differ by noise.
LID_NEAR, LIP_NEAR, NOISE = 0.012, 0.02, 0.004
# Share of the frames in which the eyes are less open than when at rest.
USUALLY_OPEN = 0.75
# Squared difference, in standard deviations of the clip's measures, up to which frames are alike.
ALIKE = 0.5
# Lips of a shut mouth lie apart by so much at most, and lids of a resting eye by so much at least.
# Someone who never does so in a clip has a mouth that is open, or eyes half shut, all the while.
SHUT_LIPS, OPEN_LIDS = 0.025, 0.055


@dataclass(frozen=True)
class Rest:
    """A face at rest.

    Attributes
    ----------
    points
        (478, 3) MediaPipe's points in millimetres, model frame.
    keys
        (52,) what of the keys it shows all the same: a clip may have no frame of real rest.
    weights
        (F,) how far each of the frames that it was made of is one of rest.
    """

    points: NDArray[np.float64]
    keys: NDArray[np.float64]
    weights: NDArray[np.float64]


def find_rest(points: Array, neutral: Array, keys: Array) -> Rest:
    """The rest of a person in F frames.

    Parameters
    ----------
    points
        (F, 478, 3) MediaPipe's points, y up, in any unit and pose.
    neutral, keys
        (478, 3) and (52, 478, 3) millimetres, model frame: the points on the person's neutral head
        and how far each key moves them.
    """
    still = together(points)
    weights = _weights(_measures(still))
    face = onto_model(_median(still, weights), neutral)
    return Rest(face, _shown_at_rest(face, neutral, keys), weights)


def given_rest(points: Array, neutral: Array) -> Rest:
    """The rest when somebody says that F frames show it; see `find_rest`."""
    weights = np.ones(len(points))
    face = onto_model(_median(together(points), weights), neutral)
    return Rest(face, np.zeros(len(EXPRESSION_NAMES)), weights)


def opening(points: Array, pair: tuple[int, int]) -> Array:
    """(...,) how far an upper point is above a lower one, in parts of the eyes' distance."""
    upper, lower = pair
    right, left = OUTER_CORNERS
    width = np.linalg.norm(points[..., left, :] - points[..., right, :], axis=-1)
    return (points[..., upper, 1] - points[..., lower, 1]) / np.maximum(width, 1e-12)


def _measures(still: Array) -> Array:
    one, other, axis = np.array(MEASURES).T
    right, left = OUTER_CORNERS
    width = np.linalg.norm(still[:, left] - still[:, right], axis=1).mean()
    return (still[:, one, axis] - still[:, other, axis]) / max(float(width), 1e-12)


def _weights(measures: Array) -> NDArray[np.float64]:
    lids, lips = measures[:, :2], measures[:, 6]
    closed = np.maximum(np.quantile(lids, USUALLY_OPEN, axis=0) - lids, 0) / LID_NEAR
    agape = (lips - lips.min()) / LIP_NEAR
    spread = measures / np.maximum(measures.std(axis=0), NOISE)
    apart = ((spread[:, None] - spread[None]) ** 2).mean(axis=-1)
    common = np.exp(-apart / ALIKE).mean(axis=1)
    return common * np.exp(-0.5 * ((closed**2).sum(axis=1) + agape**2))


def _median(still: Array, weights: Array) -> NDArray[np.float64]:
    """(478, 3) weighted median over frames."""
    order = np.argsort(still, axis=0)
    reached = np.cumsum(weights[order], axis=0)
    middle = (reached >= reached[-1:] / 2).argmax(axis=0)
    chosen = np.take_along_axis(order, middle[None], axis=0)
    return np.take_along_axis(still, chosen, axis=0)[0]


def _shown_at_rest(face: Array, neutral: Array, keys: Array) -> NDArray[np.float64]:
    """(52,) the open mouth or half shut eyes of somebody who never rests."""
    shown = np.zeros(len(EXPRESSION_NAMES))

    def moves(name: str, pair: tuple[int, int]) -> float:
        return float(opening(neutral + keys[EXPRESSION_NAMES.index(name)], pair)) - float(
            opening(neutral, pair)
        )

    agape = float(opening(face, LIPS)) - SHUT_LIPS
    if agape > 0 and moves("jawOpen", LIPS) > 0:
        shown[EXPRESSION_NAMES.index("jawOpen")] = min(1.0, agape / moves("jawOpen", LIPS))
    for name, pair in zip(("eyeBlinkRight", "eyeBlinkLeft"), LIDS, strict=True):
        narrow = OPEN_LIDS - float(opening(face, pair))
        if narrow > 0 and moves(name, pair) < 0:
            shown[EXPRESSION_NAMES.index(name)] = min(1.0, -narrow / moves(name, pair))
    return shown
