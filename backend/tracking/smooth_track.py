"""Smoothing of a track; what it is made of stays as it was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from backend.exchange.smoothing import Motion, Strengths, smooth
from backend.tracking.track import Track


def smooth_track(track: Track, times: NDArray[np.float64], strengths: Strengths) -> Track:
    """The track with smoothed `rotation`, `scale`, `translation`, `expression`, `keys` and `gaze`.

    Its `parameters`, `roi_boxes` and `landmarks` are still those measured.

    Parameters
    ----------
    times
        (F,) seconds of the track's frames.
    """
    smoothed = smooth(motion_of(track, times), strengths)
    rotation = np.full_like(track.rotation, np.nan)
    seen = Rotation.from_quat(smoothed.quaternions[track.present][:, [1, 2, 3, 0]])
    rotation[track.present] = seen.as_matrix()
    return replace(
        track,
        rotation=rotation,
        scale=smoothed.scale.astype(np.float32),
        translation=smoothed.translation.astype(np.float32),
        expression=smoothed.expression.astype(np.float32),
        keys=smoothed.keys.astype(np.float32),
        gaze=smoothed.gaze.astype(np.float32),
    )


def motion_of(track: Track, times: NDArray[np.float64]) -> Motion:
    """A track's motion, quaternions in the model frame; they are NaN in gaps."""
    quaternions = np.full((len(times), 4), np.nan)
    seen = Rotation.from_matrix(track.rotation[track.present])
    quaternions[track.present] = seen.as_quat()[:, [3, 0, 1, 2]]
    return Motion(
        times,
        track.confidence,
        quaternions,
        track.scale,
        track.translation,
        track.expression,
        track.keys,
        track.gaze,
    )
