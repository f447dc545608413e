"""Pictures of a reconstruction, to look at: overlay on the photo, renders, texture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.pose import rotation_from_euler
from backend.geometry.rasterizer import Fragments, interpolate, rasterize
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.mouth import MOUTH_COLOR
from backend.texture.filters import resize, sample
from backend.texture.uv_map import texel_position

if TYPE_CHECKING:
    from backend.head.dressed import DressedHead
    from backend.pipeline import Face

Float = NDArray[np.float32]
Picture = NDArray[np.uint8]

PANEL = 480
GAP = 8
SUPERSAMPLING = 2
BACKGROUND = 0.93
PLAIN_SKIN = (0.78, 0.76, 0.74)
# Millimetres that a render shows from edge to edge: the model's height and some air.
FIELD_OF_VIEW = 236.0
# A texture brings the photo's own light along, so the lamps here only model the form.
AMBIENT = 0.62
KEY_LIGHT, KEY_STRENGTH = (-0.35, 0.45, 0.82), 0.38
RIM_LIGHT, RIM_STRENGTH = (0.80, 0.10, 0.30), 0.14
INSIDE = 0.25
OVERLAY_OPACITY = 0.45


def render_head(
    vertices_mm: Float,
    model: MorphableModel,
    texture: Picture | None,
    yaw: float,
    pitch: float,
    size: int,
) -> Picture:
    """Render a head on a plain background.

    Parameters
    ----------
    vertices_mm
        (V, 3) in the model frame.
    texture
        (S, S, 3) RGB, row 0 is v = 1; None renders plain clay.
    yaw, pitch
        Degrees by which the head is turned, 300W-LP's convention.
    size
        Pixels of the square picture's side.

    Returns
    -------
    (size, size, 3) RGB.
    """
    side = size * SUPERSAMPLING
    rotated = vertices_mm @ rotation_from_euler(yaw, pitch, 0).T.astype(np.float32)
    middle = (rotated.min(axis=0) + rotated.max(axis=0)) / 2
    placed = (rotated - middle) * np.float32(side / FIELD_OF_VIEW)
    placed = placed * np.array([1, -1, 1], np.float32) + np.float32((side - 1) / 2)
    closed = replace(model, triangles=np.concatenate([model.triangles, model.mouth]))
    fragments = rasterize(placed, closed.triangles, side, side, cull=False)

    canvas = _surface_color(fragments, closed, texture) * _shading(fragments, rotated, closed)
    canvas[fragments.triangle >= len(model.triangles)] = MOUTH_COLOR
    canvas[~fragments.covered] = BACKGROUND
    return to_picture(resize(canvas, size, size))


def overlay(photo: Picture, vertices_image: Float, model: MorphableModel) -> Picture:
    """Lay the mesh, shaded and half transparent, over a photo.

    Parameters
    ----------
    photo
        (H, W, 3) RGB.
    vertices_image
        (V, 3) in the photo's image frame.

    Returns
    -------
    (H, W, 3) RGB.
    """
    height, width = photo.shape[:2]
    fragments = rasterize(vertices_image, model.triangles, height, width)
    upright = vertices_image * np.array([1, -1, 1], np.float32)
    shading = _shading(fragments, upright, model) * np.array(PLAIN_SKIN, np.float32)
    opacity = np.float32(OVERLAY_OPACITY) * fragments.covered[..., None]
    return to_picture(photo / np.float32(255) * (1 - opacity) + shading * opacity)


def preview_sheet(
    photo: Picture, face: Face, model: MorphableModel, whole: DressedHead | None = None
) -> Picture:
    """Everything about one face on one sheet.

    Parameters
    ----------
    photo
        (H, W, 3) RGB.
    face
        A face found in it; without a texture the renders are plain.
    whole
        The same as a whole head, which is then rendered in its place.

    Returns
    -------
    (2 * 480 + gaps, 3 * 480 + gaps, 3) RGB: photo and overlay with landmarks and texture above;
    front, three-quarter and side below.
    """
    crop, vertices, landmarks = _around_face(photo, face.vertices_image, face.landmarks)
    marked = _draw_landmarks(overlay(crop, vertices, model), landmarks)
    if face.texture is None:
        flat = np.full((PANEL, PANEL, 3), round(BACKGROUND * 255), np.uint8)
    else:
        flat = _fit(face.texture)
    if whole is None:
        views = [render_head(face.head, model, face.texture, yaw, 0, PANEL) for yaw in (0, 35, 80)]
    else:
        from backend.output.whole_picture import render_whole

        views = [render_whole(whole, model, whole.amounts, yaw, 0, PANEL) for yaw in (0, 35, 80)]
    return tile([[crop, marked, flat], views])


def _surface_color(fragments: Fragments, model: MorphableModel, texture: Picture | None) -> Float:
    """(H, W, 3) or broadcastable colour of the surface in [0, 1], before light."""
    if texture is None:
        return np.array(PLAIN_SKIN, np.float32)
    position = interpolate(fragments, model.triangles, texel_position(model.uv, len(texture)))
    return sample(texture, position).astype(np.float32) / np.float32(255)


def _shading(fragments: Fragments, vertices: Float, model: MorphableModel) -> Float:
    """(H, W, 1) light on the surface; vertices in a right-handed, y-up frame."""
    return lit(interpolate(fragments, model.triangles, vertex_normals(vertices, model.triangles)))


def lit(normals: Float) -> Float:
    """(H, W, 1) light on a surface of (H, W, 3) normals, right-handed with y up."""
    light = np.full(normals.shape[:2], AMBIENT, np.float32)
    for direction, strength in ((KEY_LIGHT, KEY_STRENGTH), (RIM_LIGHT, RIM_STRENGTH)):
        unit = np.array(direction, np.float32) / np.float32(np.linalg.norm(direction))
        light += np.float32(strength) * np.maximum(normals @ unit, 0)
    return np.where(normals[..., 2] < 0, np.float32(INSIDE), light)[..., None]


def _around_face(
    photo: Picture, vertices_image: Float, landmarks: Float
) -> tuple[Picture, Float, Float]:
    """Square panel of the photo around the face, with the points in its pixels."""
    low, high = vertices_image[:, :2].min(axis=0), vertices_image[:, :2].max(axis=0)
    side = float((high - low).max()) * 1.25
    scale = PANEL / side
    corner = np.array([*((low + high) - side) / 2, 0], np.float32)
    # Averaging first keeps a large photo from aliasing in the small panel.
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale) if scale < 1 else photo
    affine = np.column_stack([np.eye(2) * scale, -corner[:2] * scale])
    panel = cv2.warpAffine(smooth, affine, (PANEL, PANEL), flags=cv2.INTER_LINEAR)

    def move(points: Float) -> Float:
        return (points - corner) * np.float32(scale)

    return np.asarray(panel, np.uint8), move(vertices_image), move(landmarks)


def _draw_landmarks(picture: Picture, landmarks: Float) -> Picture:
    drawn = picture.copy()
    for x, y in np.round(landmarks[:, :2] * 8).astype(int).tolist():
        cv2.circle(drawn, (x, y), 24, (30, 30, 30), -1, cv2.LINE_AA, 3)
        cv2.circle(drawn, (x, y), 16, (90, 240, 120), -1, cv2.LINE_AA, 3)
    return drawn


def _fit(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, (PANEL, PANEL), interpolation=cv2.INTER_AREA), np.uint8)


def tile(rows: list[list[Picture]]) -> Picture:
    """Square panels of one size side by side, rows below each other, with white gaps."""
    side = len(rows[0][0])
    high, wide = (count * (side + GAP) + GAP for count in (len(rows), max(map(len, rows))))
    sheet = np.full((high, wide, 3), 255, np.uint8)
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            y, x = GAP + row * (side + GAP), GAP + column * (side + GAP)
            sheet[y : y + side, x : x + side] = panel
    return sheet


def to_picture(picture: NDArray[np.floating]) -> Picture:
    """Colours in [0, 1] in 8 bits."""
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
