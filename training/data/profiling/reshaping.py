"""Photos in which people have another shape: as many faces as pairs of people.

A network that has seen each person in a few photos only can tell their shape by their skin, hair
and light. Here a photo is warped so that its face has a shape on the way to another person's, and
the labels follow exactly: what the network sees of one skin has many shapes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from backend.geometry.camera import RoiBox
from backend.geometry.pose import euler_angles, pose_from_parameters
from backend.morphable_model.model import N_POSE, N_SHAPE, MorphableModel
from backend.morphable_model.storage import load_model
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.held_out import ONE_IN, are_held_out
from training.data.profiling.mouth import MouthInside
from training.data.profiling.turn import PhotoFace, TurnedFace, photo_face, reshape, turn
from training.data.rendered_views import View

Float = NDArray[np.float32]

JAW = 17
SHAPE = slice(N_POSE, N_POSE + N_SHAPE)


@dataclass(frozen=True)
class ReshapeRenderer:
    """Gives each photo's face shapes of other people of the set, and turns it a little.

    Attributes
    ----------
    views
        Pictures per photo.
    least, most
        How far the shape goes towards the other person's, in parts of the way; more than 1 goes
        beyond, because fits shrink what tells people apart.
    yaw, pitch
        Largest turn in degrees. Heads that look to one side are turned further to that side,
        because the photo does not show the other.
    frontal
        Up to this yaw (degrees) a head is turned to both sides.
    seed
        Of what is random.
    one_in
        One person in this many is held out of the training. Their shapes go to each other only.
    """

    views: int = 4
    least: float = 0.5
    most: float = 1.4
    yaw: float = 12.0
    pitch: float = 8.0
    frontal: float = 10.0
    seed: int = 0
    one_in: int = ONE_IN

    def __call__(self, photos: FittedPhotos, index: int) -> list[View]:
        """Views of one photo of a set; none if the set shows nobody else."""
        model, mouth = _model()
        name = str(photos.names[index])
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        others = _others(photos, index, self.one_in)
        if not len(others):
            return []
        box = RoiBox.from_corners(*(float(x) for x in photos.boxes[index]))
        face = photo_face(model, read_image(photos.folder / name), photos.parameters[index], box)
        own = photos.parameters[index, SHAPE]
        views = []
        for donor in random.choice(others, self.views, replace=len(others) < self.views):
            share = random.uniform(self.least, self.most)
            shape = (own + share * (photos.parameters[donor, SHAPE] - own)).astype(np.float32)
            turned = turn(model, mouth, reshape(model, face, shape), *self._angles(face, random))
            views.append(_view(turned, photos, index, f"_r{donor}"))
        return views

    def _angles(self, face: PhotoFace, random: np.random.Generator) -> tuple[float, float]:
        """Yaw and pitch of a picture in degrees."""
        yaw, pitch, _ = euler_angles(pose_from_parameters(face.parameters).rotation)
        turned = random.uniform(0, self.yaw) * np.sign(yaw)
        if abs(yaw) < self.frontal:
            turned = random.uniform(-self.yaw, self.yaw)
        return yaw + turned, pitch + random.uniform(-self.pitch, self.pitch)


@cache
def _model() -> tuple[MorphableModel, MouthInside]:
    model = load_model()
    return model, MouthInside.of(model)


def _others(photos: FittedPhotos, index: int, one_in: int) -> NDArray[np.intp]:
    """Photos of other people on the same side of the split."""
    held_out = are_held_out(photos.identities, one_in)
    somebody_else = photos.identities != photos.identities[index]
    return np.flatnonzero(somebody_else & (held_out == held_out[index]))


def _view(turned: TurnedFace, photos: FittedPhotos, index: int, suffix: str) -> View:
    points = None
    if photos.points is not None:
        points = _moved_points(turned, photos, index)
    return View(
        suffix,
        turned.picture,
        turned.box,
        turned.parameters,
        turned.landmarks,
        turned.angles,
        points,
    )


def _moved_points(turned: TurnedFace, photos: FittedPhotos, index: int) -> Float:
    """(68, 2) annotated inner points, as far from the new landmarks as they were from the old.

    The jaw is not known: people put it on the outline that they see, and that has changed.
    """
    assert photos.points is not None
    old = _pixels_per_unit(
        photos.parameters[index], photos.boxes[index, 2:] - photos.boxes[index, :2]
    )
    new = _pixels_per_unit(turned.parameters, np.full(2, turned.box.side))
    apart = photos.points[index] - photos.landmarks[index, :, :2]
    points = turned.landmarks[:, :2] + apart * (new / old)
    points[:JAW] = np.nan
    return points.astype(np.float32)


def _pixels_per_unit(parameters: Float, box_size: NDArray[np.floating]) -> float:
    """Scale of the pose in image pixels, but for a constant factor."""
    return float(np.linalg.norm(parameters[:3]) * box_size.mean())
