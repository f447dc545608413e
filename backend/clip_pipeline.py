"""The whole story of a clip: follow the faces, tell who they are, solve again, texture."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError, NoFaceError
from backend.exchange.contract import DEFAULT_TEXTURE_MODE, TextureMode
from backend.exchange.orders import ClipOrder, Which
from backend.expressions.keyed_points import KeyedPoints
from backend.memory import give_back_memory
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.parameters import FaceParameters
from backend.pipeline import PREPARED, FaceReconstructor
from backend.progress import Progress, no_progress, part, parts
from backend.texture.baker import TextureSet
from backend.texture.observation import PosedPicture
from backend.tracking.best_views import View
from backend.tracking.following import follow
from backend.tracking.history import History
from backend.tracking.identity import common_shape, most_visible, people
from backend.tracking.partial import PartialTracking, TrackedPart
from backend.tracking.performance import perform
from backend.tracking.refit import refit
from backend.tracking.track import Track, TrackedClip
from backend.vision.clip import Clip, Range
from backend.vision.detection import LOOKED_FOR
from backend.vision.image_sequence import is_image_sequence, numbered_pictures
from backend.vision.opening import open_clip

# Share of the work that is following the faces; the rest is textures.
FOLLOWING = 0.9
# Sum of confidences below which something was taken for a face by mistake.
FLEETING = 1.5
# People of one clip whose tracks are made, at most: each takes the memory of a head and, for every
# frame, of its landmarks.
MAX_PEOPLE = 64
# Pictures that a texture is made of, at most.
MAX_PICTURES = 4


@dataclass(frozen=True)
class ClipRequest:
    """What is asked of a clip.

    Attributes
    ----------
    source
        A video file, or pictures; see `vision.opening.open_clip`.
    part
        Which part of it.
    frame_rate
        Pictures a second of an image sequence.
    which
        All faces, or the one that is largest over time.
    texture_size
        Side of the textures; None makes none.
    texture_mode
        How they are made.
    fast
        Leave out MediaPipe's points: expressions are then only those that the network tells.
    neutral
        When the faces are neutral, in seconds of the clip; None finds their rest.
    """

    source: Path
    part: Range = field(default_factory=Range)
    frame_rate: float | None = None
    which: Which = "all"
    texture_size: int | None = 1024
    texture_mode: TextureMode = DEFAULT_TEXTURE_MODE
    fast: bool = False
    neutral: float | None = None

    @classmethod
    def of(cls, source: Path, order: ClipOrder) -> ClipRequest:
        """Return what an order asks of a clip."""
        part = Range(order.start, math.inf if order.end is None else order.end)
        frame_rate, which = order.frame_rate, order.which
        return cls(
            source,
            part,
            frame_rate,
            which,
            order.texture_size,
            order.texture_mode,
            order.fast,
            order.neutral,
        )

    @property
    def key(self) -> str:
        """Names the following of faces in this part of this clip, as the files are now."""
        asked = (astuple(self.part), self.frame_rate, self.source.name, self.fast)
        digest = hashlib.sha256(repr(asked).encode())
        for file in self._files():
            about = file.stat()
            digest.update(repr((file.name, about.st_size, about.st_mtime_ns)).encode())
        return digest.hexdigest()[:32]

    def _files(self) -> list[Path]:
        if not is_image_sequence(self.source):
            return [self.source]
        return [picture for _, picture in numbered_pictures(self.source)]


def track_from_video(
    request: ClipRequest,
    reconstructor: FaceReconstructor,
    *,
    keep: Path | None = None,
    progress: Progress = no_progress,
) -> TrackedClip:
    """Follow the faces of a clip.

    Parameters
    ----------
    keep
        Folder in which what was found is kept while the work goes on. If it holds what an earlier
        run with the same request and network had found, the work goes on from there. Whoever calls
        removes it when the result is safe.
    progress
        Called with the share that is done and the name of the stage; may raise `CancelledError`
        to stop the work.

    Raises
    ------
    BadInputError
        The clip cannot be read, its part has no frames, or `keep` cannot be written to.
    NoFaceError
        There is no face in it.
    """
    progress(0.0, "opening the clip")
    clip = open_clip(request.source, request.frame_rate)
    tracked, views = _tracked(clip, request, reconstructor, keep, progress)
    give_back_memory()
    stage = "making the texture"
    if tracked.left_out:
        count = len(tracked.tracks)
        stage += f", {tracked.left_out} of {count + tracked.left_out} faces left out"
    tracks = []
    watches = parts(lambda share, _: progress(share, stage), FOLLOWING, 1.0, len(views))
    for track, seen, watch in zip(tracked.tracks, views, watches, strict=True):
        watch(0.0, stage)
        made = _texture(track, seen, request, reconstructor, watch)
        if made is not None:
            track = replace(track, texture=made.albedo, remark=made.remark)
        tracks.append(_in_clip_pixels(track, 1 / clip.info.decoded_scale))
    progress(1.0, "done")
    return replace(tracked, tracks=tuple(tracks))


def _tracked(
    clip: Clip,
    request: ClipRequest,
    reconstructor: FaceReconstructor,
    keep: Path | None,
    progress: Progress,
) -> tuple[TrackedClip, list[list[View]]]:
    """Return the clip without textures, in the pixels of decoded frames, and the views of each
    track.

    What was seen in every frame is let go when this returns: textures need the memory.
    """
    found = follow(
        clip,
        request.part,
        reconstructor.quick_engine,
        reconstructor.detector,
        PartialTracking(keep, f"{request.key} {reconstructor.network}") if keep else None,
        part(progress, 0.0, FOLLOWING),
        None if request.fast else reconstructor.detector.film,
    )
    if not len(found.times):
        raise BadInputError(
            f"{request.source} has no frames from {request.part.start:g} to "
            f"{request.part.end:g} seconds.",
            "Choose in and out points within the clip.",
            code="no-frames",
        )
    everybody = _persons(
        found,
        reconstructor,
        lambda: progress(FOLLOWING, "telling people apart"),
    )
    if not everybody:
        raise NoFaceError(
            f"No face was found in {request.source}.",
            LOOKED_FOR,
        )
    asked = 1 if request.which == "largest" else len(everybody)
    persons = most_visible(everybody, min(asked, MAX_PEOPLE))
    tracks = []
    for number, person in enumerate(persons):
        progress(FOLLOWING, "solving for every frame")
        tracks.append(_track(number, person, found.times, request.neutral, reconstructor))
    views = [
        [view for (face, _), view in found.views.items() if face in person.face]
        for person in persons
    ]
    left_out = asked - len(persons)
    return TrackedClip(
        clip.info, found.times, found.frames, tuple(tracks), found.skipped, left_out
    ), views


def _persons(
    found: TrackedPart, reconstructor: FaceReconstructor, report: Callable[[], None]
) -> list[History]:
    """Sightings of each person."""
    persons = people(found.history, found.times, reconstructor.model, found.views, report)
    return [p for p in persons if p.confidence.sum() >= FLEETING] or persons


def _track(
    number: int,
    seen: History,
    times: NDArray[np.float64],
    neutral: float | None,
    reconstructor: FaceReconstructor,
) -> Track:
    """One person's sightings as a track, still in the pixels of decoded frames."""
    model, rows = reconstructor.model, len(times)
    alpha_shape = common_shape(seen, model)
    poses = refit(seen, alpha_shape, model)

    def spread(values: NDArray[np.floating], gap: float = np.nan) -> NDArray[np.float32]:
        filled = np.full((rows, *values.shape[1:]), gap, np.float32)
        filled[seen.row] = values
        return filled

    keys = gaze = np.zeros((rows, 0), np.float32)
    if reconstructor.expressions is not None:
        points = KeyedPoints.of_person(model, reconstructor.expressions, alpha_shape)
        performance = perform(seen, times[seen.row], poses, points, neutral)
        keys = spread(performance.keys)
        gaze = spread(performance.gaze.reshape(len(seen), -1))
    return Track(
        number=number,
        alpha_shape=alpha_shape,
        parameters=spread(poses.parameters(seen.boxes, alpha_shape, model)),
        roi_boxes=spread(seen.boxes.corners),
        rotation=spread(poses.pose.rotation),
        scale=spread(np.asarray(poses.pose.scale)),
        translation=spread(poses.pose.translation),
        expression=spread(poses.expression),
        landmarks=spread(seen.landmarks),
        confidence=spread(seen.confidence, 0.0),
        keys=keys,
        gaze=gaze,
    )


def _texture(
    track: Track,
    views: list[View],
    request: ClipRequest,
    reconstructor: FaceReconstructor,
    progress: Progress,
) -> TextureSet | None:
    if not views or request.texture_size is None:
        return None
    model = reconstructor.model
    pictures = []
    for view in sorted(views, key=lambda v: v.score, reverse=True)[:MAX_PICTURES]:
        box = RoiBox.from_corners(*track.roi_boxes[view.row].tolist())
        vertices = FaceParameters(track.parameters[view.row]).vertices_image(model, box)
        pictures.append(PosedPicture(view.image, view.carry(vertices)))
    size, mode = request.texture_size, request.texture_mode
    baker = reconstructor.baker(size, mode, part(progress, 0.0, PREPARED))
    return baker.texture_set(pictures, mode, part(progress, PREPARED, 1.0))


def _in_clip_pixels(track: Track, scale: float) -> Track:
    """Return a track of shrunk frames in the pixels of the clip, whose centres are at integers
    too.
    """
    if scale == 1:
        return track
    factor = np.float32(scale)
    shift = np.float32((scale - 1) / 2)
    flat = np.array([shift, shift, 0], np.float32)
    return replace(
        track,
        roi_boxes=track.roi_boxes * factor + shift,
        scale=track.scale * factor,
        translation=track.translation * factor + flat,
        landmarks=track.landmarks * factor + flat,
    )
