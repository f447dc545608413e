"""Where MediaPipe sees its points on MakeHuman's head: found on pictures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.expressions.makehuman import MakeHuman
from backend.expressions.mask import MIRROR, Mask
from backend.expressions.points import N_MESH_POINTS
from backend.expressions.subdivision import split
from backend.geometry.normals import vertex_normals
from backend.geometry.pose import rotation_from_euler
from backend.geometry.rasterizer import interpolate, rasterize
from backend.vision.landmarker import Landmarker

Float = NDArray[np.floating]

# Views in degrees. Every point is seen in most of them.
YAWS, PITCHES = (-25, -12, 0, 12, 25), (-8, 8)
# Pixels of a picture's side, and millimetres that it shows.
SIDE, FIELD = 560, 330.0
SKIN, SCLERA, IRIS, PUPIL, BACKGROUND = (0.86, 0.66, 0.56), 1.0, (0.35, 0.25, 0.15), 0.02, 0.9
IRIS_RADIUS, PUPIL_RADIUS = 6.0, 2.5
LIGHT, AMBIENT = (-0.3, 0.4, 0.86), 0.55
EYES = ("helper-l-eye", "helper-r-eye")


@dataclass(frozen=True)
class SeenPoints:
    """MediaPipe's points on the head.

    Attributes
    ----------
    positions
        (468, 3) millimetres; left and right are mirror images.
    spread
        (468,) median distance of the views from that, millimetres.
    """

    positions: Float
    spread: Float


def see_points(
    source: MakeHuman, mask: Mask, landmarker: Landmarker, partners: NDArray[np.integer]
) -> SeenPoints:
    """Draw the head from several sides, and let MediaPipe find its points.

    Parameters
    ----------
    partners
        (468,) point on the other side of the face.

    Raises
    ------
    RuntimeError
        MediaPipe finds no face: another version of it is installed.
    """
    fine = mask.fine(source.vertices)
    eyes = source.in_group(*EYES)
    used, balls = np.unique(eyes, return_inverse=True)
    points = np.concatenate([fine, source.vertices[used]])
    triangles = np.concatenate([mask.triangles, split(balls.reshape(-1, 4)) + len(fine)])
    colors = np.concatenate([np.tile(SKIN, (len(fine), 1)), _eye_colors(source, used)])
    seen = []
    for yaw in YAWS:
        for pitch in PITCHES:
            found = _look(points, triangles.astype(np.int32), colors, yaw, pitch, landmarker)
            seen += [] if found is None else [found, found[partners] * MIRROR]
    if not seen:
        raise RuntimeError("MediaPipe finds no face in the pictures of MakeHuman's head.")
    views = np.stack(seen)
    positions = np.nanmedian(views, axis=0)
    return SeenPoints(positions, np.nanmedian(np.linalg.norm(views - positions, axis=-1), axis=0))


def _eye_colors(source: MakeHuman, used: NDArray[np.integer]) -> Float:
    colors = np.full((len(used), 3), SCLERA)
    for name in EYES:
        ball = np.isin(used, source.in_group(name))
        eye = source.vertices[used[ball]]
        aside = np.linalg.norm((eye - (eye.min(axis=0) + eye.max(axis=0)) / 2)[:, :2], axis=1)
        front = eye[:, 2] > eye[:, 2].mean()
        of_eye = np.full((len(eye), 3), SCLERA)
        of_eye[front & (aside < IRIS_RADIUS)] = IRIS
        of_eye[front & (aside < PUPIL_RADIUS)] = PUPIL
        colors[ball] = of_eye
    return colors


def _look(
    points: Float,
    triangles: NDArray[np.int32],
    colors: Float,
    yaw: float,
    pitch: float,
    landmarker: Landmarker,
) -> Float | None:
    """(468, 3) positions of the points in one view, NaN beside the head."""
    rotation = rotation_from_euler(yaw, pitch, 0)
    middle = np.array([0, points[:, 1].max() - FIELD * 0.38, points[:, 2].mean()])
    turned = (points - middle) @ rotation.T
    pixels = turned * [1, -1, 1] * (SIDE / FIELD) + (SIDE - 1) / 2
    fragments = rasterize(pixels.astype(np.float32), triangles, SIDE, SIDE)
    normals = interpolate(fragments, triangles, vertex_normals(turned, triangles))
    shade = AMBIENT + (1 - AMBIENT) * np.maximum(normals @ np.array(LIGHT), 0)
    picture = interpolate(fragments, triangles, colors) * shade[..., None]
    picture[~fragments.covered] = BACKGROUND
    faces = landmarker.points(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    if len(faces) == 0:
        return None
    x, y = np.clip(np.round(faces[0, :N_MESH_POINTS, :2]), 0, SIDE - 1).astype(int).T
    position = interpolate(fragments, triangles, points)[y, x].astype(np.float64)
    position[~fragments.covered[y, x]] = np.nan
    return position
