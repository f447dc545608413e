"""How far a tracked clip is from the truth of a clip that we drew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from backend.exchange.smoothing import Strengths
from backend.geometry.pose import Pose, euler_angles
from backend.morphable_model.model import MorphableModel
from backend.tracking.smooth_track import smooth_track
from backend.tracking.track import Track, TrackedClip
from training.evaluation.clips.truth import posed_landmarks

Array = NDArray[np.floating]

# Beyond this yaw, in degrees, rotations are not counted.
MAX_YAW = 45.0
# Lags that are tried, in frames, and steps in one frame.
MAX_LAG, LAG_STEPS = 4, 40
# A face is where the truth has one if the middles of their landmarks are nearer than this part of
# the box's side.
NEAR = 0.25


@dataclass(frozen=True)
class Motion:
    """Errors of one face's motion.

    Attributes
    ----------
    rotation
        Root mean square angle between found and true rotations in degrees, yaw to 45 degrees.
    lag
        By how many frames the yaw comes late (negative: early) where it agrees best.
    landmarks
        Mean distance of the mesh's landmarks in parts of the root of their box's area, percent.
    correlation
        (10,) of each expression coefficient with the true one.
    strength
        (10,) root mean square motion of the landmarks, millimetres, that is due to each true
        coefficient.
    """

    rotation: float
    lag: float
    landmarks: float
    correlation: Array
    strength: Array

    @property
    def strongest(self) -> NDArray[np.intp]:
        """Coefficients by strength."""
        return np.argsort(-self.strength)


@dataclass(frozen=True)
class Jitter:
    """What moves in a face that stands still: root mean square, raw and smoothed.

    Attributes
    ----------
    degrees
        Angle to the mean rotation.
    pixels
        Distance of the mesh's landmarks to their mean places.
    """

    degrees: float
    pixels: float


@dataclass(frozen=True)
class Presence:
    """Who was found when.

    Attributes
    ----------
    tracks
        Number of tracks that were found.
    found
        Share of the frames with a face in which it was found, under its own number.
    mistaken
        Share of the found faces that are not where their person is.
    gaps
        Number of times that a track breaks off and goes on, over all tracks.
    """

    tracks: int
    found: float
    mistaken: float
    gaps: int


def measure_motion(
    truth: TrackedClip, found: TrackedClip, model: MorphableModel, strengths: Strengths
) -> Motion:
    """Errors of the only face of a clip, after smoothing."""
    true, track = truth.tracks[0], smoothed_track(found, strengths)
    both = true.present & track.present
    yaw, found_yaw = _yaw(true), _yaw(track)
    near = both & (np.abs(np.nan_to_num(yaw, nan=90)) <= MAX_YAW)
    turned = _angles(track.rotation[near], true.rotation[near])
    points, found_points = (_landmarks(t, model)[both] for t in (true, track))
    size = np.sqrt(np.ptp(points[..., :2], axis=1).prod(axis=1))
    off = np.linalg.norm((points - found_points)[..., :2], axis=2).mean(axis=1)
    return Motion(
        rotation=float(np.sqrt((turned**2).mean())),
        lag=lag_in_frames(
            (truth.times[true.present], yaw[true.present]),
            (found.times[track.present], found_yaw[track.present]),
        ),
        landmarks=float(100 * (off / size).mean()),
        correlation=_correlations(true.expression[both], track.expression[both]),
        strength=_strength(true.expression[both], model),
    )


def measure_jitter(found: TrackedClip, model: MorphableModel, strengths: Strengths) -> Jitter:
    """Jitter of the only face of a clip in which it stands still."""
    track = smoothed_track(found, strengths)
    rotation = track.rotation[track.present].astype(np.float64)
    mean = Rotation.from_matrix(rotation).mean().as_matrix()
    angles = _angles(rotation, np.broadcast_to(mean, rotation.shape))
    points = _landmarks(track, model)[track.present][..., :2]
    moved = np.linalg.norm(points - points.mean(axis=0), axis=2)
    return Jitter(float(np.sqrt((angles**2).mean())), float(np.sqrt((moved**2).mean())))


def measure_presence(truth: TrackedClip, found: TrackedClip) -> Presence:
    """Who was found when: found faces belong to the person with whom they agree most."""
    near = np.array([[_near(true, track) for track in found.tracks] for true in truth.tracks])
    person = near.sum(axis=2).argmax(axis=0)
    present = np.array([true.present for true in truth.tracks])
    seen = np.array([track.present for track in found.tracks])
    right = near[person, np.arange(len(person))]
    # Of several tracks of one person, the longest counts.
    own = [right[person == p].sum(axis=1).max(initial=0) for p in range(len(truth.tracks))]
    return Presence(
        tracks=len(found.tracks),
        found=float(sum(own) / present.sum()),
        mistaken=float(1 - right.sum() / seen.sum()),
        gaps=sum(_gaps(track) for track in found.tracks),
    )


def lag_in_frames(true: tuple[Array, Array], found: tuple[Array, Array]) -> float:
    """By how many mean frames of `true` a curve comes late, by the peak of the correlation.

    Parameters
    ----------
    true, found
        Times in seconds, rising, and values.
    """
    frame = float(np.diff(true[0]).mean())
    grid = np.arange(
        max(true[0][0], found[0][0]) + MAX_LAG * frame,
        min(true[0][-1], found[0][-1]) - MAX_LAG * frame,
        frame / 10,
    )
    expected = np.interp(grid, *true)
    lags = np.arange(-MAX_LAG * LAG_STEPS, MAX_LAG * LAG_STEPS + 1) / LAG_STEPS
    shifted = np.stack([np.interp(grid + lag * frame, *found) for lag in lags])
    return float(lags[np.corrcoef(expected, shifted)[0, 1:].argmax()])


def smoothed_track(found: TrackedClip, strengths: Strengths) -> Track:
    """The longest track of a clip, smoothed."""
    track = max(found.tracks, key=lambda t: int(t.present.sum()))
    return smooth_track(track, found.times, strengths)


def _gaps(track: Track) -> int:
    """Stretches without the face between its first frame and its last."""
    return max(0, int((np.diff(track.present.astype(int), prepend=0) > 0).sum()) - 1)


def _yaw(track: Track) -> Array:
    """(F,) degrees; NaN in gaps."""
    return euler_angles(track.rotation)[:, 0]


def _angles(a: Array, b: Array) -> Array:
    """(F,) degrees between (F, 3, 3) rotations."""
    relative = np.asarray(a, np.float64).swapaxes(1, 2) @ b
    sine = np.linalg.norm(relative - relative.swapaxes(1, 2), axis=(1, 2)) / np.sqrt(8)
    cosine = (np.trace(relative, axis1=1, axis2=2) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine))


def _landmarks(track: Track, model: MorphableModel) -> Array:
    pose = Pose(track.rotation, track.scale, track.translation)
    return posed_landmarks(model, track.alpha_shape, track.expression, pose)


def _correlations(true: Array, found: Array) -> Array:
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(true.T, found.T, strict=True)])


def _strength(expression: Array, model: MorphableModel) -> Array:
    per_sigma = model.landmark_basis[..., -expression.shape[1] :] * model.expression_sigma
    reach = np.sqrt((per_sigma**2).sum(axis=1).mean(axis=0))
    return expression.std(axis=0) * reach


def _near(true: Track, found: Track) -> NDArray[np.bool_]:
    """(F,) whether the found face is where the person is."""
    middle, found_middle = (t.landmarks[..., :2].mean(axis=1) for t in (true, found))
    side = true.roi_boxes[:, 2] - true.roi_boxes[:, 0]
    # Comparisons with NaN, in gaps, are false.
    return np.linalg.norm(middle - found_middle, axis=1) < NEAR * side
