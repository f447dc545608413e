"""A person's whole head: the parts beside the face, and what of the face they replace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.head.eye_patch import EyePatch, find_patch
from backend.head.eyes import eyeball_part, fit_eyeball, lids_part
from backend.head.jaw import chin_vertices, jaw_motions
from backend.head.mouth import MouthShape, mouth_parts, mouth_shape
from backend.head.parts import Deltas, Part
from backend.head.skull import SkullShape, build_skull, skull_part
from backend.morphable_model.model import MorphableModel

Float = NDArray[np.floating]

SIDES = ("left", "right")


@dataclass(frozen=True)
class HeadShape:
    """What is the same in every head; made once, see `backend.head.storage`.

    Attributes
    ----------
    patches
        The eyes' patches of the face, left and right.
    mouth
        The lips.
    chin
        Vertices of the face that the jaw moves.
    skull
        The skull of the mean face.
    """

    patches: tuple[EyePatch, EyePatch]
    mouth: MouthShape
    chin: NDArray[np.int64]
    skull: SkullShape


@dataclass(frozen=True)
class WholeHead:
    """The parts of a head beside the face.

    Attributes
    ----------
    parts
        Skull, eyeballs, lids, teeth, gums, tongue, cavity.
    hidden
        (T,) bool: triangles of the face that are not drawn, because eyeballs are in their place.
    """

    parts: tuple[Part, ...]
    hidden: NDArray[np.bool_]

    def part(self, name: str) -> Part:
        """Return the part of a name."""
        return next(part for part in self.parts if part.name == name)


def build_head_shape(model: MorphableModel, head: Float) -> HeadShape:
    """Find in the mean face what parts hang on, and make its skull.

    Parameters
    ----------
    head
        (M, 3) points on another whole head, brought over the mean face by a similarity.
    """
    left, right = (find_patch(model, side) for side in SIDES)
    return HeadShape(
        (left, right), mouth_shape(model), chin_vertices(model), build_skull(model, head)
    )


def whole_head(
    model: MorphableModel, shape: HeadShape, neutral: Float, deltas: Deltas
) -> WholeHead:
    """Make the parts of a person's head.

    Parameters
    ----------
    neutral
        (V, 3) the person's face without expression, millimetres in the model frame.
    deltas
        By name of the 52 keys: (V, 3) how each at 1 moves the person's face. Absent keys move
        nothing.

    Returns
    -------
    Parts in the model frame, each with its own deltas under the same names.
    """
    chin = {name: delta[shape.chin] for name, delta in deltas.items()}
    jaw = jaw_motions(neutral[shape.chin].astype(np.float64), chin)
    parts = [skull_part(shape.skull, model.mean, neutral, deltas)]
    for side, patch in zip(SIDES, shape.patches, strict=True):
        eye = fit_eyeball(neutral, patch)
        parts.append(eyeball_part(eye, patch, side, neutral, deltas))
        parts.append(lids_part(patch, side, neutral, model.uv, deltas))
    parts += mouth_parts(neutral, shape.mouth, deltas, jaw)
    hidden = np.zeros(len(model.triangles), bool)
    for patch in shape.patches:
        hidden[patch.triangles] = True
    return WholeHead(tuple(parts), hidden)


def shaded_together(
    model: MorphableModel, shape: HeadShape, face: Float, skull: Float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return normals of face and skull as of one surface, so that no seam shows between them.

    Parameters
    ----------
    face, skull
        (V, 3) and (N, 3) vertices.

    Returns
    -------
    (V, 3) and (N, 3) float32 unit vectors.
    """
    rim, count = shape.skull.rim, len(shape.skull.vertices)
    number = np.concatenate([rim, len(face) + np.arange(count - len(rim))])
    together = np.concatenate([face, skull[len(rim) : count]])
    triangles = np.concatenate([model.triangles, number[shape.skull.faces[:, :3]]])
    normals = vertex_normals(together, triangles.astype(np.int32))
    return normals[: len(face)], normals[number]
