"""A tracked face as an animated GLB file: the head, its expressions, its motion, the camera.

The frame is that of glTF, and of the model: metres, +Y up, the face along +Z. The head's node hangs
under one that carries the pose, which starts at the origin; the camera stands where a lens of the
given focal length sees the head as the clip shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from backend.errors import NoFaceError
from backend.exchange.smoothing import Motion, like_signs
from backend.morphable_model.model import N_SHAPE, MorphableModel
from backend.output.gltf import GltfFile, Tree, encode_glb, textured_mesh
from backend.output.mesh_files import METRES_PER_MILLIMETRE
from backend.tracking.smooth_track import motion_of
from backend.tracking.track import Track, TrackedClip

Array = NDArray[np.floating]

# Of the longer side, in millimetres.
SENSOR = 36.0
POSE, HEAD, CAMERA = 0, 1, 2


def export_animated_glb(
    path: Path, clip: TrackedClip, track: Track, model: MorphableModel, focal_length: float = 50.0
) -> None:
    """Write one face of a clip.

    Morph targets ``Expression_00`` to ``Expression_09`` are one standard deviation each. Every
    frame of the clip is a key, the first at 0 seconds; through gaps the last one holds.

    Parameters
    ----------
    path
        The file; it appears whole or not at all.
    clip
        The clip, for its times and the size of its picture.
    track
        One of its faces; smooth it before (`smooth_track`).
    focal_length
        Of the lens that took the clip: millimetres, before a sensor whose longer side is 36 mm.

    Raises
    ------
    NoFaceError
        The track is all gap.
    BadInputError
        The file cannot be written.
    """
    if not track.present.any():
        raise NoFaceError("No frame of the clip shows the face.")
    lens = _Lens(focal_length, clip.info.width, clip.info.height)
    keys = _keys(motion_of(track, clip.times), lens)
    per_sigma = model.basis[N_SHAPE:] * model.expression_sigma[:, None, None]

    def complete(file: GltfFile) -> None:
        file.close_mouth(model.mouth)
        _Animation(file).add(keys, METRES_PER_MILLIMETRE * per_sigma, lens)

    neutral = METRES_PER_MILLIMETRE * model.vertices(track.alpha_shape).astype(np.float64)
    data = encode_glb(textured_mesh(neutral, model, track.texture), complete)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


@dataclass(frozen=True)
class _Lens:
    """What took a picture of ``width`` x ``height`` pixels; see `export_animated_glb`."""

    focal_length: float
    width: int
    height: int

    @property
    def pixels(self) -> float:
        """Focal length in pixels."""
        return self.focal_length / SENSOR * max(self.width, self.height)

    def places(self, motion: Motion) -> Array:
        """(F, 3) metres from the lens: where a head of its size in the picture is."""
        x, y = np.asarray(motion.translation, np.float64)[:, :2].T
        right, up = x - (self.width - 1) / 2, (self.height - 1) / 2 - y
        behind = np.full_like(x, -self.pixels)
        metres = METRES_PER_MILLIMETRE / np.asarray(motion.scale, np.float64)
        return np.stack([right, up, behind], axis=1) * metres[:, None]


@dataclass(frozen=True)
class _Keys:
    """K keys of the animation and (3,) where the camera stands."""

    seconds: Array
    rotation: Array
    translation: Array
    expression: Array
    camera: Array


def _keys(motion: Motion, lens: _Lens) -> _Keys:
    present = motion.confidence > 0
    # Frames of a gap take the row of the last one that shows the face; before it, of the first.
    row = np.maximum.accumulate(np.where(present, np.arange(len(present)), present.argmax()))
    seconds = (motion.times - motion.times[0]).astype(np.float32)
    # Readers want the keys' times to rise.
    row, seconds = row[_rising(seconds)], seconds[_rising(seconds)]
    places = lens.places(motion)[row]
    quaternions = like_signs(motion.quaternions[row])
    return _Keys(
        seconds,
        quaternions[:, [1, 2, 3, 0]],
        places - places[0],
        motion.expression[row],
        -places[0],
    )


def _rising(seconds: Array) -> NDArray[np.bool_]:
    """(F,) whether a time is later than all before it."""
    return np.diff(np.maximum.accumulate(seconds), prepend=-1) > 0


@dataclass(frozen=True)
class _Animation:
    """What makes a still head's file an animated one."""

    file: GltfFile

    def add(self, keys: _Keys, targets: Array, lens: _Lens) -> None:
        """Put morph targets (10, V, 3), pose, animation and camera to the mesh that is there."""
        tree = self.file.tree
        names = [f"Expression_{index:02d}" for index in range(len(targets))]
        mesh = tree["meshes"][0]
        moved = [
            {"POSITION": self.file.accessor(name, target)}
            for name, target in zip(names, targets, strict=True)
        ]
        for primitive in mesh["primitives"]:
            primitive["targets"] = moved
        mesh["extras"] = {"targetNames": names}
        mesh["weights"] = keys.expression[0].tolist()
        tree["cameras"] = [
            {
                "type": "perspective",
                "perspective": {
                    "yfov": 2 * float(np.arctan(lens.height / 2 / lens.pixels)),
                    "aspectRatio": lens.width / lens.height,
                    "znear": 0.01,
                },
            }
        ]
        tree["nodes"] = [
            {
                "name": "pose",
                "children": [HEAD],
                "rotation": keys.rotation[0].tolist(),
                "translation": keys.translation[0].tolist(),
            },
            {"name": "head", "mesh": 0},
            {"name": "camera", "camera": 0, "translation": keys.camera.tolist()},
        ]
        tree["scenes"][0]["nodes"] = [POSE, CAMERA]
        expression = keys.expression
        tree["animations"] = [
            self._animation(
                "clip",
                keys.seconds,
                (POSE, "rotation", keys.rotation),
                (POSE, "translation", keys.translation),
                (HEAD, "weights", expression.reshape(-1)),
            ),
            # Blender's importer (4.2 to 5.0) lets a weight go no further than 0 to 1 and the first
            # key of any animation: these two show it how far they go.
            self._animation("lowest", np.zeros(1), (HEAD, "weights", expression.min(axis=0))),
            self._animation("highest", np.zeros(1), (HEAD, "weights", expression.max(axis=0))),
        ]

    def _animation(self, name: str, seconds: Array, *channels: tuple[int, str, Array]) -> Tree:
        """Of a node's property each: node, path, values."""
        time = self.file.accessor(f"{name} seconds", seconds)
        return {
            "name": name,
            "samplers": [
                {"input": time, "output": self.file.accessor(f"{name} {path}", values)}
                for _, path, values in channels
            ],
            "channels": [
                {"sampler": number, "target": {"node": node, "path": path}}
                for number, (node, path, _) in enumerate(channels)
            ],
        }
