"""Files of a tracked clip: a folder for each face."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.exchange.expressions import EXPRESSION_NAMES
from backend.exchange.smoothing import Strengths
from backend.geometry.pose import euler_angles
from backend.morphable_model.model import N_EXPRESSION, MorphableModel
from backend.output.animated_glb import export_animated_glb
from backend.output.live_link import export_live_link
from backend.tracking.smooth_track import smooth_track
from backend.tracking.track import Track, TrackedClip

# Written unless others are asked for, and all that can be.
USUAL = ("npz", "json", "csv", "glb")
FORMATS = (*USUAL, "livelink")
COLUMNS = (
    "frame", "time", "timecode", "confidence", "yaw", "pitch", "roll", "scale", "x", "y", "z",
    *(f"expression_{i:02}" for i in range(N_EXPRESSION)),
)  # fmt: skip
GAZE = ("gaze_right_yaw", "gaze_right_pitch", "gaze_left_yaw", "gaze_left_pitch")


def write_clip(
    home: Path,
    clip: TrackedClip,
    model: MorphableModel,
    formats: Sequence[str] = USUAL,
    strengths: Strengths | None = None,
    shown: Path | None = None,
) -> list[dict[str, Any]]:
    """Write the faces of a clip into ``home/face_0`` and so on.

    ``track.npz`` holds what was measured, whatever the strengths: the arrays of `Track` under
    their names, ``times`` and ``frames`` of `TrackedClip`, ``image_size`` (width, height) and
    ``frame_rate`` and ``key_names``. ``track.json``, ``track.csv``, ``head.glb`` and, for Live Link
    Face, ``livelink.csv`` hold the smoothed motion.
    ``texture.png`` is written if there is a texture.

    Parameters
    ----------
    formats
        Of `FORMATS`.
    strengths
        Of the smoothing; None takes the usual ones.
    shown
        Where the records say that the faces are; None says `home`.

    Returns
    -------
    A record of each face, for people who read JSON.

    Raises
    ------
    BadInputError
        An unknown format, or a folder cannot be written to.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise BadInputError(f"Unknown format {unknown[0]!r}.", f"Choose from {', '.join(FORMATS)}.")
    strengths = strengths or Strengths()
    records = []
    for track in clip.tracks:
        name = f"face_{track.number}"
        record = _write_face(home / name, clip, track, model, formats, strengths)
        records.append({"directory": str((shown or home) / name), **record})
    return records


def _write_face(
    directory: Path,
    clip: TrackedClip,
    track: Track,
    model: MorphableModel,
    formats: Sequence[str],
    strengths: Strengths,
) -> dict[str, Any]:
    smoothed = smooth_track(track, clip.times, strengths)
    writers: dict[str, tuple[str, Callable[[Path], None]]] = {
        "npz": ("track.npz", lambda path: _write_npz(path, clip, track)),
        "json": ("track.json", lambda path: _write_json(path, clip, smoothed, strengths)),
        "csv": ("track.csv", lambda path: _write_csv(path, clip, smoothed)),
        "livelink": ("livelink.csv", lambda path: export_live_link(path, clip, smoothed)),
        "glb": ("head.glb", lambda path: export_animated_glb(path, clip, smoothed, model)),
    }
    for name in formats:
        file, write = writers[name]
        with atomic_path(directory / file) as path:
            write(path)
    if track.texture is not None:
        from PIL import Image

        with atomic_path(directory / "texture.png") as path:
            Image.fromarray(track.texture).save(path)
    present = np.flatnonzero(track.present)
    return {
        "number": track.number,
        "frames": len(present),
        "first_time": float(clip.times[present[0]]),
        "last_time": float(clip.times[present[-1]]),
        "confidence": float(track.confidence[present].mean()),
    }


def _write_npz(path: Path, clip: TrackedClip, track: Track) -> None:
    arrays = {name: value for name, value in vars(track).items() if name != "texture"}
    np.savez_compressed(
        path,
        allow_pickle=False,
        times=clip.times,
        frames=clip.frames,
        image_size=np.array([clip.info.width, clip.info.height]),
        frame_rate=np.array(clip.info.frame_rate),
        key_names=np.array(EXPRESSION_NAMES),
        **arrays,
    )


def _write_json(path: Path, clip: TrackedClip, track: Track, strengths: Strengths) -> None:
    record = {
        "source": clip.info.source,
        "image_size": [clip.info.width, clip.info.height],
        "frame_rate": clip.info.frame_rate,
        "skipped_frames": clip.skipped,
        "number": track.number,
        "alpha_shape": track.alpha_shape.tolist(),
        "smoothing": vars(strengths),
        "columns": columns_of(track),
        "frames": _rows(clip, track),
    }
    path.write_text(json.dumps(record), encoding="utf-8")


def _write_csv(path: Path, clip: TrackedClip, track: Track) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns_of(track))
        writer.writerows(_rows(clip, track))


def columns_of(track: Track) -> tuple[str, ...]:
    """Names of the columns of ``track.csv`` and of the frames in ``track.json``.

    The 52 keys and the directions of the eyes, in degrees, are there if they are known.
    """
    return (*COLUMNS, *EXPRESSION_NAMES, *GAZE) if track.keys.size else COLUMNS


def _rows(clip: TrackedClip, track: Track) -> list[list[Any]]:
    """One for every frame, in the order of `columns_of`; None (an empty cell) in gaps."""
    values = np.column_stack(
        [
            euler_angles(track.rotation),
            track.scale,
            track.translation,
            track.expression,
            track.keys,
            track.gaze,
        ]
    )
    cells = np.round(values.astype(np.float64), 5).astype(object)
    cells[np.isnan(values)] = None
    times = [round(time, 6) for time in clip.times.tolist()]
    confidence = np.round(track.confidence.astype(np.float64), 4).tolist()
    return [
        [frame, time, timecode(time), sure, *row]
        for frame, time, sure, row in zip(
            clip.frames.tolist(), times, confidence, cells.tolist(), strict=True
        )
    ]


def timecode(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds: 00:01:02.040."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
