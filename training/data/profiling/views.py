"""Which views of a photo are rendered, and the renderer that makes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from backend.geometry.pose import euler_angles
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.morphable_model.storage import load_model
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.profiling.mouth import MouthInside
from training.data.profiling.turn import photo_face, turn
from training.data.rendered_views import View


@dataclass(frozen=True)
class ProfileRenderer:
    """Turns a photo's face further away from the camera, as Zhu et al. do.

    A head that already looks to one side is turned further to that side only, because the photo
    says nothing of its far side. Views are spread evenly between the photo's yaw and `largest_yaw`;
    every view is moved at random within its share, so all photos together cover all angles.

    Attributes
    ----------
    views
        Pictures per photo.
    largest_yaw
        Degrees.
    pitch
        Largest change of the pitch in degrees, either way; the result stays within +-`steepest`.
    frontal
        Up to this yaw (degrees) a head is turned to both sides.
    seed
        Of what is random.
    """

    views: int = 8
    largest_yaw: float = 90.0
    pitch: float = 20.0
    steepest: float = 45.0
    frontal: float = 10.0
    seed: int = 0

    def __call__(self, photos: FittedPhotos, index: int) -> list[View]:
        """Views of one photo of a set."""
        model, mouth = _model()
        name = str(photos.names[index])
        box = RoiBox.from_corners(*(float(x) for x in photos.boxes[index]))
        face = photo_face(model, read_image(photos.folder / name), photos.parameters[index], box)
        views = []
        for yaw, pitch in self.angles(name, photos.parameters[index]):
            turned = turn(model, mouth, face, yaw, pitch)
            views.append(
                View(
                    f"_y{yaw:+03.0f}_p{pitch:+03.0f}",
                    turned.picture,
                    turned.box,
                    turned.parameters,
                    turned.landmarks,
                    turned.angles,
                )
            )
        return views

    def angles(self, name: str, parameters: NDArray[np.floating]) -> NDArray[np.float64]:
        """(views, 2) yaw and pitch in degrees of the views of a photo; depend on its name."""
        yaw, pitch, _ = euler_angles(FaceParameters(parameters).pose.rotation)
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        share = (np.arange(self.views) + random.uniform(0, 1, self.views)) / self.views
        side = np.sign(yaw) * np.ones(self.views)
        if abs(yaw) < self.frontal:
            side = np.where(np.arange(self.views) % 2 == random.integers(2), 1.0, -1.0)
        reach = min(abs(yaw), self.largest_yaw)
        target = side * (reach + share * (self.largest_yaw - reach))
        tilt = random.uniform(-self.pitch, self.pitch, self.views)
        tilt[random.uniform(size=self.views) < 0.4] = 0
        return np.stack([target, np.clip(pitch + tilt, -self.steepest, self.steepest)], axis=1)


@cache
def _model() -> tuple[MorphableModel, MouthInside]:
    model = load_model()
    return model, MouthInside.of(model)
