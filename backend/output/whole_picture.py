"""Pictures of whole heads: renders, and sheets of many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES
from backend.geometry.normals import vertex_normals
from backend.geometry.pose import rotation_from_euler
from backend.geometry.rasterizer import interpolate, rasterize
from backend.head.dressed import DressedHead
from backend.head.whole import shaded_together
from backend.morphable_model.model import MorphableModel
from backend.output.preview import BACKGROUND, SUPERSAMPLING, lit, tile, to_picture
from backend.texture.filters import resize, sample
from backend.texture.uv_map import texel_position

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

# Millimetres that a render shows from edge to edge: a head's height and some air.
FIELD_OF_VIEW = 300.0
# Pixels of a row in which single places of a texture are looked up.
WIDTH = 4096
PANEL = 320

# What a person's row shows: amounts of keys, yaw and pitch in degrees.
_LIDS = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
_GAZE = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}
_SMILE = {
    "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "mouthUpperUpLeft": 0.4,
    "mouthUpperUpRight": 0.4, "jawOpen": 0.08, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4,
}  # fmt: skip
VIEWS: tuple[tuple[Mapping[str, float], float, float], ...] = (
    ({}, 0, 0), ({}, 40, 0), ({"jawOpen": 1.0}, 15, 0), (_LIDS, 0, 0), (_GAZE, 0, 0),
    (_SMILE, 15, 0), ({}, 90, 0), ({}, 180, 0), ({}, 0, -75),
)  # fmt: skip
KEY_COLUMNS = 6
FACE_FIELD_OF_VIEW = 190.0
WITH: Mapping[str, Mapping[str, float]] = {"mouthClose": {"jawOpen": 1.0}}


def people_sheet(heads: Sequence[DressedHead], model: MorphableModel) -> Picture:
    """Return a row for each head: neutral from two sides, jaw open, eyes shut, looking left,
    smiling with
    teeth; then from the side, from behind and from above.
    """
    return tile(
        [
            [render_whole(head, model, amounts, yaw, pitch, PANEL) for amounts, yaw, pitch in VIEWS]
            for head in heads
        ]
    )


def keys_sheet(head: DressedHead, model: MorphableModel) -> Picture:
    """Each of the 52 keys at 1, in their order, from the front and from three quarters.

    `mouthClose` closes an open jaw, so it is shown with one.
    """
    face = head.neutral[model.landmark_indices].mean(axis=0), FACE_FIELD_OF_VIEW
    pairs = []
    for name in EXPRESSION_NAMES:
        amounts = {name: 1.0, **WITH.get(name, {})}
        views = [render_whole(head, model, amounts, yaw, 0, PANEL // 2, face) for yaw in (0, 40)]
        cv2.putText(views[0], name, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (40, 40, 40), 1)
        pairs.append(views)
    rows = [pairs[first : first + KEY_COLUMNS] for first in range(0, len(pairs), KEY_COLUMNS)]
    return tile([[panel for pair in row for panel in pair] for row in rows])


def render_whole(
    head: DressedHead,
    model: MorphableModel,
    amounts: Mapping[str, float],
    yaw: float,
    pitch: float,
    size: int,
    about: tuple[Float, float] | None = None,
) -> Picture:
    """Render a whole head on a plain background.

    Parameters
    ----------
    amounts
        Of the named keys.
    yaw, pitch, size
        As for `render_head`.
    about
        (3,) millimetres in the middle of the picture, and how many it shows from edge to edge;
        None shows all of the head.

    Returns
    -------
    (size, size, 3) RGB.
    """
    side = size * SUPERSAMPLING
    turn = rotation_from_euler(yaw, pitch, 0).T.astype(np.float32)
    shown = model.triangles[~head.whole.hidden]
    meshes = [(head.face_at(amounts) @ turn, shown, model.uv, head.textures["skin"])]
    meshes += [
        (part.at(amounts) @ turn, part.triangles, part.uv, head.textures[part.material])
        for part in head.whole.parts
    ]
    vertices, normals = _meshes_normals(meshes, head, model)
    if about is None:
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        middle, field = (low + high) / 2, FIELD_OF_VIEW
    else:
        middle, field = about[0] @ turn, about[1]
    placed = (vertices - middle) * np.float32(side / field)
    placed = placed * np.array([1, -1, 1], np.float32) + np.float32((side - 1) / 2)
    starts = np.cumsum([0, *(len(mesh[0]) for mesh in meshes)])
    triangles = np.concatenate(
        [mesh[1] + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
    ).astype(np.int32)
    fragments = rasterize(placed.astype(np.float32), triangles, side, side)
    uv = interpolate(fragments, triangles, np.concatenate([mesh[2] for mesh in meshes]))
    of_mesh = np.repeat(np.arange(len(meshes)), [len(mesh[1]) for mesh in meshes])
    seen = np.where(fragments.covered, of_mesh[fragments.triangle], -1)
    canvas = np.zeros((side, side, 3), np.float32)
    for number, (_, _, _, texture) in enumerate(meshes):
        where = seen == number
        if where.any():
            position = texel_position(uv[where], len(texture)).astype(np.float32)
            canvas[where] = _sampled(texture, position) / np.float32(255)
    canvas *= lit(interpolate(fragments, triangles, normals))
    canvas[~fragments.covered] = BACKGROUND
    return to_picture(resize(canvas, size, size))


def _sampled(texture: Picture, position: Float) -> Float:
    """(N, 3) colours at (N, 2) places; OpenCV wants pictures of limited width."""
    rows = -(-len(position) // WIDTH)
    padded = np.zeros((rows * WIDTH, 2), np.float32)
    padded[: len(position)] = position
    return sample(texture, padded.reshape(rows, WIDTH, 2)).reshape(-1, 3)[: len(position)]


def _meshes_normals(
    meshes: Sequence[tuple[Float, NDArray[np.int32], Float, Picture]],
    head: DressedHead,
    model: MorphableModel,
) -> tuple[Float, Float]:
    """All vertices and normals of meshes, the face first and then the head's parts."""
    normals = [vertex_normals(vertices, triangles) for vertices, triangles, _, _ in meshes]
    skull = 1 + [part.name for part in head.whole.parts].index("skull")
    face, joined = shaded_together(model, head.shape, meshes[0][0], meshes[skull][0])
    normals[0], normals[skull] = face, np.concatenate([joined, normals[skull][len(joined) :]])
    return np.concatenate([mesh[0] for mesh in meshes]), np.concatenate(normals)
