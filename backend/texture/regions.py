"""Parts of the face that textures are judged by, as weights of the model's vertices."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from backend.geometry.normals import vertex_normals
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.regions import region_weights
from backend.texture.filters import resize, smoothstep
from backend.texture.uv_map import UvMap

Float = NDArray[np.float32]

# Cosine to the front up to which a surface counts as a side, and from which it doesn't.
SIDE, FRONT = 0.45, 0.85
# Share of the cheeks below which they tell nothing of the skin.
FEW = 0.1
# How far light is evened out below the nose: there beards are dark and should stay so.
BEARD = np.float32(0.65)


@dataclass(frozen=True)
class Regions:
    """The parts as (M, M) float32 pictures in the chart; see the functions of these names."""

    face_core: Float
    features: Float
    cheeks: Float
    sides: Float
    temples: Float
    neck: Float
    forehead: Float
    above_brows: Float
    below_eyes: Float

    def plainest(self, visible: Float) -> Float:
        """(M, M) where skin is plainest: the cheeks, or all of the front if little of them is seen.

        Parameters
        ----------
        visible
            (M, M) weight with which the camera sees the surface.
        """
        if (visible * self.cheeks).sum() >= FEW * self.cheeks.sum():
            return self.cheeks
        return np.maximum(self.face_core, self.forehead) * (1 - self.features)

    @classmethod
    def of(cls, model: MorphableModel, uv_map: UvMap, size: int) -> Regions:
        """Draw the parts in pictures of a size."""
        names = [field.name for field in fields(cls)]
        drawn = uv_map.spread(np.stack([PARTS[name](model) for name in names], axis=1))
        pictures = [resize(drawn[..., i], size, size) for i in range(len(names))]
        return cls(**dict(zip(names, pictures, strict=True)))


def face_core(model: MorphableModel) -> Float:
    """(V,) 1 where a photo of a face is trusted whatever it shows (eyes, lips, beard), else 0.

    The core is a rounded square around brows, nose, mouth and chin as seen from the front, with
    a soft edge; outside of it hair, cloth and background are common.
    """
    landmarks = model.mean[model.landmark_indices]
    brow, chin = landmarks[17:27, 1].max() + 5, landmarks[8, 1]
    half_width = np.abs(landmarks[[2, 14], 0]).mean()
    centre, half_height = (brow + chin) / 2, (brow - chin) / 2
    x, y = model.mean[:, 0] / half_width, (model.mean[:, 1] - centre) / half_height
    radius = (np.abs(x) ** 2.5 + np.abs(y) ** 2.5) ** 0.4
    front = smoothstep(30, 60, model.mean[:, 2])
    return front * (1 - smoothstep(0.88, 1.12, radius))


def cheeks(model: MorphableModel) -> Float:
    """(V,) 1 on cheeks and nose, which show plain skin on nearly everyone, else 0."""
    landmarks = model.mean[model.landmark_indices]
    centres = np.stack([(landmarks[3] + landmarks[31]) / 2, (landmarks[13] + landmarks[35]) / 2])
    centres[:, 1] = landmarks[[29, 30], 1].mean()
    centres = np.concatenate([centres, landmarks[28:30]])
    distance = np.linalg.norm(model.mean[None, :, :2] - centres[:, None, :2], axis=2).min(axis=0)
    front = smoothstep(10, 40, model.mean[:, 2])
    return front * (1 - smoothstep(12, 20, distance))


def features(model: MorphableModel) -> Float:
    """(V,) 1 on brows, eyes, nostrils and lips, which aren't skin on anyone, else 0."""
    landmarks = model.mean[model.landmark_indices]
    # Beside the brows' outer ends hair is common.
    points = np.concatenate([landmarks[18:26], landmarks[31:]])
    distance = KDTree(points).query(model.mean)[0]
    return 1 - smoothstep(8, 14, distance)


def sides(model: MorphableModel) -> Float:
    """(V,) how far light is evened out on the face: 1 on temples, 0 in front."""
    return np.asarray(_beside(model) * (BEARD + (1 - BEARD) * _above_lips(model)), np.float32)


def temples(model: MorphableModel) -> Float:
    """(V,) 1 beside the eyes and above the lips, where what is no plain skin is hair; else 0."""
    return _beside(model) * _above_lips(model)


def neck(model: MorphableModel) -> Float:
    """(V,) 1 below the jaw, where light is evened out too, else 0."""
    return region_weights(model)["neck"].astype(np.float32)


def forehead(model: MorphableModel) -> Float:
    """(V,) 1 on the forehead, else 0."""
    return above_brows(model) * smoothstep(20, 50, model.mean[:, 2])


def above_brows(model: MorphableModel) -> Float:
    """(V,) 1 above the eyebrows, at the sides and behind too, else 0."""
    brow = model.mean[model.landmark_indices[17:27], 1].max()
    return smoothstep(brow + 2, brow + 8, model.mean[:, 1])


def below_eyes(model: MorphableModel) -> Float:
    """(V,) 1 from the eyes down to the tip of the nose, brows and eyes left out, else 0."""
    landmarks = model.mean[model.landmark_indices]
    eyes, tip = landmarks[36:48, 1].mean(), landmarks[30, 1]
    height = model.mean[:, 1]
    between = smoothstep(tip - 2, tip + 4, height) * (1 - smoothstep(eyes + 2, eyes + 6, height))
    front = smoothstep(0, 30, model.mean[:, 2])
    return between * front * (1 - features(model))


def _beside(model: MorphableModel) -> Float:
    """(V,) 1 on surfaces beside the eyes that look to a side."""
    normals = vertex_normals(model.mean, model.triangles)
    eyes = np.abs(model.mean[model.landmark_indices[[36, 45]], 0]).mean()
    outer = smoothstep(eyes, eyes + 18, np.abs(model.mean[:, 0]))
    return outer * (1 - smoothstep(SIDE, FRONT, normals[:, 2]))


def _above_lips(model: MorphableModel) -> Float:
    """(V,) from 0 at the upper lip to 1 above the tip of the nose."""
    nose, lip = model.mean[model.landmark_indices[[33, 51]], 1]
    return smoothstep(lip - 5, nose + 10, model.mean[:, 1])


PARTS = {
    part.__name__: part
    for part in (
        *(face_core, features, cheeks),
        *(sides, temples, neck),
        *(forehead, above_brows, below_eyes),
    )
}
