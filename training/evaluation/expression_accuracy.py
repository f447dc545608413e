"""How much of a performance arrives: an animated mesh against MediaPipe's points of its clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.expression_features import FEATURES, LIDS, features

Array = NDArray[np.floating]

# An eye is shut in the picture below this part of the clip's median opening, and on the mesh below
# that part of its own.
SHUT, SHUT_ON_MESH = 0.45, 0.6
# Least frames with a face for which a correlation means something.
FEWEST = 10
# Least movement, in distances of the eyes' corners: below, MediaPipe's own noise is measured.
STILL = 1e-4


@dataclass(frozen=True)
class Agreement:
    """A mesh and MediaPipe's points over the frames of one clip.

    Attributes
    ----------
    frames
        How many show the face to both.
    correlation, slope
        (14,) of `FEATURES`: mesh against points. A slope of 1 is the whole movement, 0 none.
    movement
        (14,) standard deviation of the points' features, in distances of the eyes' corners.
    shut, followed
        In how many eyes of frames the picture shows it shut, and how many of those the mesh shuts.
    """

    frames: int
    correlation: Array
    slope: Array
    movement: Array
    shut: int
    followed: int


def compare(mesh: Array, seen: Array) -> Agreement:
    """Compare a mesh with what MediaPipe saw.

    Parameters
    ----------
    mesh, seen
        (F, P, 3), P >= 468, of the same frames: x right, y up, z to the viewer, any unit.

    Raises
    ------
    ValueError
        There are fewer than ten frames.
    """
    if len(seen) < FEWEST:
        raise ValueError(
            f"{len(seen)} frames with a face are too few to compare; {FEWEST} are not."
        )
    found, expected = features(mesh), features(seen)
    a, b = found - found.mean(axis=0), expected - expected.mean(axis=0)
    movement = expected.std(axis=0)
    product = (a * b).mean(axis=0)
    both = found.std(axis=0) * movement
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(both > STILL**2, product / both, 0.0)
        slope = np.where(movement > STILL, product / movement**2, 0.0)
    n_lids = len(LIDS)
    lids, lids_on_mesh = expected[:, :n_lids], found[:, :n_lids]
    shut = lids < SHUT * np.median(lids, axis=0)
    shut_on_mesh = lids_on_mesh < SHUT_ON_MESH * np.median(lids_on_mesh, axis=0)
    return Agreement(
        len(seen), correlation, slope, movement, int(shut.sum()), int((shut & shut_on_mesh).sum())
    )


def together(clips: Sequence[Agreement]) -> Agreement:
    """Several clips as one: each feature weighted by how much it moves in a clip."""
    weights = np.stack([clip.movement for clip in clips])

    def mean(name: str) -> Array:
        values = np.stack([getattr(clip, name) for clip in clips])
        total = np.maximum(weights.sum(axis=0), 1e-12)
        return (values * weights).sum(axis=0) / total

    return Agreement(
        sum(clip.frames for clip in clips),
        mean("correlation"),
        mean("slope"),
        weights.mean(axis=0),
        sum(clip.shut for clip in clips),
        sum(clip.followed for clip in clips),
    )


def described(agreement: Agreement) -> dict[str, object]:
    """For people who read JSON."""
    return {
        "frames": agreement.frames,
        "mean_correlation": float(agreement.correlation.mean()),
        "mean_slope": float(agreement.slope.mean()),
        "shut_eyes": agreement.shut,
        "shut_eyes_followed": agreement.followed,
        "features": {
            feature.name: {"correlation": c, "slope": s, "movement": m}
            for feature, c, s, m in zip(
                FEATURES,
                agreement.correlation.tolist(),
                agreement.slope.tolist(),
                agreement.movement.tolist(),
                strict=True,
            )
        },
    }
