"""Face swapping: one person's skin on another person's geometry, rendered back into the photo.

The augmentation of SynergyNet (section 4.1). The labels are those of the photo that is painted
over, so a network learns geometry that does not depend on whose skin is on it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.pose import euler_angles
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.morphable_model.storage import load_model
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.held_out import ONE_IN, are_held_out
from training.data.profiling.turn import PhotoFace, photo_face
from training.data.profiling.zbuffer import draw
from training.data.rendered_views import View
from training.data.shards import CONTEXT, STORED_SIZE

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# Millimetres from the middle of the face: what lies nearer is painted over, what lies further is
# not. Hair, ears and the outline of the jaw stay the photo's own.
PAINTED, LEFT = 62.0, 82.0
# Degrees by which the two heads' yaw and pitch may differ.
TOLERANCE = 8.0


@dataclass(frozen=True)
class SwapRenderer:
    """Paints the skin of other people of the set on each photo's face.

    Attributes
    ----------
    views
        Pictures per photo.
    seed
        Of the choice of people.
    one_in
        One person in this many is held out of the training. People held out wear the skin of each
        other only, so that no training picture shows one of them.
    """

    views: int = 1
    seed: int = 0
    one_in: int = ONE_IN

    def __call__(self, photos: FittedPhotos, index: int) -> list[View]:
        """Views of one photo of a set."""
        model = _model()
        face = _face(model, photos, index)
        donors = self.donors(photos, index)
        pose = FaceParameters(photos.parameters[index]).pose
        yaw, pitch, roll = euler_angles(pose.rotation).tolist()
        return [
            self._view(model, face, _face(model, photos, donor), f"_s{number}", (yaw, pitch, roll))
            for number, donor in enumerate(donors)
        ]

    def donors(self, photos: FittedPhotos, index: int) -> NDArray[np.intp]:
        """Photos of other people on the same side of the split who hold their heads alike.

        The nearest if nobody does.
        """
        directions = _directions(photos.parameters)
        away = np.abs(directions - directions[index]).max(axis=1)
        held_out = are_held_out(photos.identities, self.one_in)
        unfit = (photos.identities == photos.identities[index]) | (held_out != held_out[index])
        away[unfit] = np.inf
        order = np.argsort(away)[: max(self.views, int((away < TOLERANCE).sum()))]
        order = order[np.isfinite(away[order])]
        digest = hashlib.sha256(f"{self.seed} {photos.names[index]}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        return random.permutation(order)[: self.views]

    def _view(
        self,
        model: MorphableModel,
        face: PhotoFace,
        donor: PhotoFace,
        suffix: str,
        angles: tuple[float, float, float],
    ) -> View:
        window = RoiBox(face.box.x, face.box.y, face.box.side * CONTEXT)
        scale = STORED_SIZE / window.side
        corner = np.array([window.corners[0], window.corners[1], 0], np.float32)
        vertices = (face.vertices - corner) * np.float32(scale)
        rows, columns = np.mgrid[:STORED_SIZE, :STORED_SIZE].astype(np.float32)
        own = _sample(face.image, columns / scale + corner[0], rows / scale + corner[1])
        painted, _ = draw(
            vertices,
            model.triangles,
            np.concatenate([donor.samples, _opacity(model)[:, None]], axis=1),
            STORED_SIZE,
        )
        other = _sample(donor.image, painted[..., 0], painted[..., 1])
        opacity = painted[..., 2:]
        other = _like(other, own, opacity[..., 0] > 0.9)
        picture = own + opacity * (other - own)
        box = RoiBox(STORED_SIZE / 2, STORED_SIZE / 2, face.box.side * scale)
        landmarks = _landmarks(model, face.parameters, box)
        return View(
            suffix,
            np.clip(np.round(picture), 0, 255).astype(np.uint8),
            box,
            face.parameters,
            landmarks,
            angles,
        )


@cache
def _model() -> MorphableModel:
    return load_model()


def _face(model: MorphableModel, photos: FittedPhotos, index: int) -> PhotoFace:
    image = read_image(photos.folder / str(photos.names[index]))
    return photo_face(model, image, photos.parameters[index], photos.roi_boxes[index])


def _directions(parameters: Float) -> NDArray[np.floating]:
    """(N, 2) yaw and pitch in degrees, from (N, 62) parameters."""
    return euler_angles(FaceParameters(parameters).pose.rotation)[:, :2]


def _opacity(model: MorphableModel) -> Float:
    """(V,) 1 on the face, 0 on the rest of the head."""
    middle = model.landmark_mean[27:36].mean(axis=0)
    distance = np.linalg.norm(model.mean[:, :2] - middle[:2], axis=1)
    share = np.clip((LEFT - distance) / (LEFT - PAINTED), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _sample(image: Image, x: Float, y: Float) -> Float:
    sampled = cv2.remap(
        image,
        x.astype(np.float32),
        y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(sampled, np.float32)


def _like(other: Float, own: Float, where: NDArray[np.bool_]) -> Float:
    """`other` with the mean and spread that `own` has there, channel by channel."""
    if not where.any():
        return own
    mean, spread = other[where].mean(axis=0), other[where].std(axis=0)
    wanted_mean, wanted_spread = own[where].mean(axis=0), own[where].std(axis=0)
    return (other - mean) * (wanted_spread / np.maximum(spread, 1)) + wanted_mean


def _landmarks(model: MorphableModel, parameters: Float, box: RoiBox) -> Float:
    """(68, 3) of the mesh, image frame."""
    return np.asarray(box.to_image(FaceParameters(parameters).landmarks(model)), np.float32)
