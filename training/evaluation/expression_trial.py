"""Track real clips, and compare the animated meshes with what MediaPipe sees in the same frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.clip_pipeline import ClipRequest, track_from_video
from backend.errors import NoFaceError
from backend.exchange.smoothing import Strengths
from backend.expressions.points import MediaPipePoints, load_table
from backend.morphable_model.model import N_SHAPE
from backend.pipeline import FaceReconstructor
from backend.tracking.smooth_track import smooth_track
from backend.tracking.track import Track, TrackedClip
from backend.vision.landmarker import N_POINTS, FilmLandmarker
from backend.vision.opening import open_clip
from training.evaluation.expression_accuracy import FEWEST, Agreement, compare

Float = NDArray[np.floating]

# MediaPipe's and the track's face are one if their middles are nearer than this part of its size.
NEAR = 0.25
UP = np.array([1, -1, 1])


@dataclass(frozen=True)
class ExpressionTrial:
    """Tracks clips and measures them.

    Attributes
    ----------
    reconstructor
        Tracks them.
    landmarker
        MediaPipe's model file. Its points are sought anew, in the whole frames.
    strengths
        Of the smoothing; None measures raw values.
    """

    reconstructor: FaceReconstructor
    landmarker: Path
    strengths: Strengths | None

    def agreement(self, path: Path) -> Agreement:
        """Measure the largest face of a clip.

        Raises
        ------
        BadInputError
            The clip cannot be read.
        NoFaceError
            Too few frames show a face to the tracker and to MediaPipe.
        """
        request = ClipRequest(path, which="largest", texture_size=None)
        clip = track_from_video(request, self.reconstructor)
        (track,) = clip.tracks
        seen = self._seen(path, clip, track)
        rows = track.present & np.isfinite(seen[:, 0, 0])
        if rows.sum() < FEWEST:
            raise NoFaceError(
                f"{path} shows a face to both MediaPipe and the tracker in {rows.sum()} frames.",
                f"Give a clip that shows one in at least {FEWEST}.",
            )
        if self.strengths is not None:
            track = smooth_track(track, clip.times, self.strengths)
        mesh = points_of_mesh(track, self.reconstructor, load_table())
        return compare(mesh[rows], seen[rows] * UP)

    def _seen(self, path: Path, clip: TrackedClip, track: Track) -> Float:
        """(F, 478, 3) MediaPipe's points of the same face in decoded pixels; NaN where it fails."""
        landmarker = FilmLandmarker(self.landmarker)
        source = open_clip(path, None)
        scale = source.info.decoded_scale
        seen = np.full((len(clip.times), N_POINTS, 3), np.nan)
        rows = dict(zip(clip.frames.tolist(), range(len(clip.times)), strict=True))
        for frame in source.frames(ClipRequest(path).part):
            faces = landmarker.points(frame.image, frame.time)
            row = rows.get(frame.number)
            if row is None or not len(faces) or not track.present[row]:
                continue
            face = track.landmarks[row, :, :2] * scale
            apart = np.linalg.norm(faces[0, :, :2].mean(axis=0) - face.mean(axis=0))
            if apart < NEAR * np.ptp(face, axis=0).max():
                seen[row] = faces[0]
        landmarker.close()
        return seen


def points_of_mesh(track: Track, reconstructor: FaceReconstructor, table: MediaPipePoints) -> Float:
    """(F, 468, 3) MediaPipe's points on the animated mesh, in the model's frame, without pose.

    The 52 keys move it, where they are known, else the model's own ten expressions.
    """
    model = reconstructor.model
    head = model.vertices(track.alpha_shape)
    if track.keys.size and reconstructor.expressions is not None:
        keys = reconstructor.expressions.of_person(head).at(table.corners, table.weights)
        return table.at(head) + np.tensordot(track.keys, keys, 1)
    per_sigma = model.basis[N_SHAPE:] * model.expression_sigma[:, None, None]
    return table.at(head) + np.tensordot(track.expression, table.at(per_sigma), 1)
