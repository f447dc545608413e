"""Photos of heads that we painted ourselves, so that their textures are known."""

from __future__ import annotations

import numpy as np
from skimage import data

from backend.geometry.pose import rotation_from_euler
from backend.geometry.rasterizer import interpolate, rasterize
from backend.morphable_model.model import MorphableModel
from backend.pipeline import FaceReconstructor
from backend.texture.baker import TextureBaker
from backend.texture.filters import outside

SKIN = np.array([0.80, 0.60, 0.50])
MOUTH = np.array([0.20, 0.08, 0.07])
GREEN = np.array([0.05, 0.85, 0.10])


def in_photo(model: MorphableModel, yaw: float, size: int = 480) -> np.ndarray:
    """The mean head in the middle of a square photo."""
    rotated = (model.mean - [0, -16, 60]) @ rotation_from_euler(yaw, 0, 0).T
    placed = rotated * [1, -1, 1] * (size / 300) + (size - 1) / 2
    return placed.astype(np.float32)


def painted(model: MorphableModel) -> np.ndarray:
    """(V, 3) skin with freckles and shades that differ between left and right."""
    x, y, _ = model.mean.T
    shade = 1 + 0.10 * np.sin(x / 11) * np.cos(y / 9) + 0.0012 * x
    return (SKIN * shade[:, None]).astype(np.float32)


def photograph(
    model: MorphableModel, colors: np.ndarray, yaw: float, size: int = 480
) -> tuple[np.ndarray, np.ndarray]:
    """Photo of a painted head before a green wall, and the vertices in it."""
    vertices = in_photo(model, yaw, size)
    fragments = rasterize(vertices, model.triangles, size, size)
    picture = interpolate(fragments, model.triangles, colors)
    picture[~fragments.covered] = MOUTH
    picture[outside(fragments.covered)] = GREEN
    return np.round(picture.clip(0, 1) * 255).astype(np.uint8), vertices


def in_profile(reconstructor: FaceReconstructor, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """The mean head in the colours of a portrait, turned, and its (68, 3) landmarks."""
    model, portrait = reconstructor.model, data.astronaut()
    (face,) = reconstructor.faces_from_image(portrait, texture_size=None)
    x, y = np.rint(face.vertices_image[:, :2]).astype(int).T
    picture, vertices = photograph(model, (portrait[y, x] / 255).astype(np.float32), yaw, 300)
    return picture, vertices[model.landmark_indices]


def truth(baker: TextureBaker, attributes: np.ndarray) -> np.ndarray:
    return baker.chart.uv_map.spread(attributes.astype(np.float32))
