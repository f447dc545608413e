"""A tracked face as a CSV file of Live Link Face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from backend.exchange.live_link import ANGLES, N_KEYS, LiveLinkTake, resampled, write_live_link
from backend.tracking.track import Track, TrackedClip


def export_live_link(path: Path, clip: TrackedClip, track: Track) -> None:
    """Write one face of a clip, 60 frames a second; smooth it before (`smooth_track`).

    The first timecode is that of the clip's frame. Through gaps the last values hold. Without the
    52 expressions all keys are 0: head turns are still there.
    """
    keys = track.keys if track.keys.size else np.where(track.present[:, None], 0.0, np.nan)
    keys = np.broadcast_to(keys, (len(track.confidence), N_KEYS))
    even, rows = resampled(clip.times, np.column_stack([keys, _angles(track)]))
    take = LiveLinkTake(
        even - even[0],
        np.clip(rows[:, :N_KEYS], 0, 1).astype(np.float32),
        rows[:, N_KEYS:].astype(np.float32),
        first_timecode=float(even[0]),
    )
    path.write_text(write_live_link(take), encoding="utf-8")


def _angles(track: Track) -> NDArray[np.float64]:
    """(F, 9) radians; NaN in gaps."""
    angles = np.full((len(track.confidence), len(ANGLES)), np.nan)
    seen = track.present
    angles[seen] = 0.0
    # The model's axes are ARKit's: to the person's left, up, out of the face.
    angles[seen, :3] = Rotation.from_matrix(track.rotation[seen]).as_euler("YXZ")
    if track.gaze.size:
        right, left = np.radians(track.gaze[seen]).reshape(-1, 2, 2).swapaxes(0, 1)
        for column, (yaw, up) in ((3, left.T), (6, right.T)):
            angles[seen, column], angles[seen, column + 1] = yaw, -up
    return angles
