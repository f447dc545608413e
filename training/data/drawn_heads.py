"""Heads drawn from the model: a photo's skin and shape, with any expression, pose and light.

Labels of photos are fits, and fits are noisy where people see little: how far a mouth is open, how
far a head nods. Of a drawn head every parameter is known. Its skin and the shape of its face are
those of a photo's person, so that drawn and photographed people are one population; its expression
is that of another photo or drawn from the model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.pose import Pose, rotation_from_euler
from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.morphable_model.model import (
    LOWER_LIP,
    N_EXPRESSION,
    N_SHAPE,
    UPPER_LIP,
    MorphableModel,
)
from backend.morphable_model.mouth import MOUTH_COLOR
from backend.morphable_model.parameters import EXPRESSION, FaceParameters
from backend.morphable_model.storage import load_model
from backend.texture.baker import TextureBaker
from backend.texture.filters import outside, sample
from backend.texture.uv_map import texel_position
from backend.vision.images import read_image
from training.data.appearance import Light, background
from training.data.fitted_photos import FittedPhotos
from training.data.fitting import ORIGIN_DEPTH
from training.data.profiling.zbuffer import draw
from training.data.rendered_views import View
from training.data.shards import CONTEXT, STORED_SIZE

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

TEXTURE_SIZE = 256
# Drawn at twice the size and averaged down, so that outlines are as soft as in photos.
SUPERSAMPLING = 2
# Standard deviations of the angles in degrees, and their limits.
ANGLES, LIMITS = np.array([35.0, 14.0, 10.0]), np.array([90.0, 40.0, 30.0])
# Share of the heads with another photo's expression; strength of it, or of a drawn one.
BORROWED = 0.6
STRENGTH = (0.8, 1.2)
# Share of the heads whose lips are closed. Lips that touch are this many millimetres apart at the
# landmarks, which lie on their red; the model's neutral face has 2.5.
CLOSED, TOUCHING = 0.3, (1.0, 2.8)
# The skin has the photo's own light already: the drawn one is this share of full strength.
RELIT = 0.6
# Share of the heads before the photo, blurred by up to so many pixels, in place of colours.
BEFORE_PHOTO, BLUR = 0.6, 8.0
# Largest standard deviation of the noise, the brightest value being 1.
NOISE = 0.015


@dataclass(frozen=True)
class HeadRenderer:
    """Draws heads with the skin and the shape of each photo of a set.

    Attributes
    ----------
    views
        Pictures per photo.
    seed
        Of what is random.
    """

    views: int = 3
    seed: int = 0

    def __call__(self, photos: FittedPhotos, index: int) -> list[View]:
        """Views of one photo of a set."""
        model, baker = _tools()
        image = read_image(photos.folder / str(photos.names[index]))
        face = FaceParameters(photos.parameters[index])
        alpha_shape = face.alpha_shape
        skin = baker.bake(image, face.vertices_image(model, photos.roi_boxes[index]))
        digest = hashlib.sha256(f"{self.seed} {photos.names[index]} head".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        views = []
        for number in range(self.views):
            alpha_exp = _expression(model, photos, alpha_shape, rng)
            alpha = np.concatenate([alpha_shape, alpha_exp])
            views.append(_view(model, image, skin, alpha, number, rng))
        return views


@cache
def _tools() -> tuple[MorphableModel, TextureBaker]:
    model = load_model()
    return model, TextureBaker.load(model, TEXTURE_SIZE)


def _expression(
    model: MorphableModel, photos: FittedPhotos, alpha_shape: Float, rng: np.random.Generator
) -> Float:
    """(10,) alpha_exp."""
    mean, std = (a[EXPRESSION] for a in (model.parameter_mean, model.parameter_std))
    donor = photos.parameters[rng.integers(len(photos)), EXPRESSION]
    change = donor - mean if rng.uniform() < BORROWED else std * rng.standard_normal(N_EXPRESSION)
    alpha_exp = mean + rng.uniform(*STRENGTH) * change
    opening, by_expression = _lips(model, np.concatenate([alpha_shape, alpha_exp]))
    if rng.uniform() < CLOSED or opening < TOUCHING[0]:
        by_whitened = by_expression * std
        change = (rng.uniform(*TOUCHING) - opening) / (by_whitened @ by_whitened)
        alpha_exp = alpha_exp + std * by_whitened * change
    return np.asarray(alpha_exp, np.float32)


def _lips(model: MorphableModel, alpha: NDArray[np.floating]) -> tuple[float, Float]:
    """Millimetres between the lips, and their (10,) derivative by alpha_exp."""
    mean = (model.landmark_mean[UPPER_LIP, 1] - model.landmark_mean[LOWER_LIP, 1]).mean()
    basis = model.landmark_basis[UPPER_LIP, 1] - model.landmark_basis[LOWER_LIP, 1]
    by_alpha = basis.mean(axis=0)
    return float(mean + by_alpha @ alpha), by_alpha[N_SHAPE:]


def _view(
    model: MorphableModel,
    photo: Image,
    skin: Image,
    alpha: Float,
    number: int,
    rng: np.random.Generator,
) -> View:
    angles = np.clip(rng.standard_normal(3) * ANGLES, -LIMITS, LIMITS)
    box = RoiBox(STORED_SIZE / 2, STORED_SIZE / 2, STORED_SIZE / CONTEXT)
    face = _placed(model, alpha, rotation_from_euler(*angles), box)
    vertices = face.vertices_image(model, box)
    return View(
        f"_h{number}",
        _picture(model, vertices, skin, photo, rng),
        box,
        np.asarray(face.numbers, np.float32),
        vertices[model.landmark_indices],
        (float(angles[0]), float(angles[1]), float(angles[2])),
    )


def _placed(
    model: MorphableModel, alpha: Float, rotation: NDArray[np.floating], box: RoiBox
) -> FaceParameters:
    """The head, turned and put where its roi box is the given one."""
    landmarks = model.landmark_mean + model.landmark_basis @ alpha
    # The box of y-up millimetres is as large, and its middle is the same point.
    around = RoiBox.around(landmarks @ rotation.T)
    scale = CROP_SIZE / around.side
    middle = box.to_crop(np.array([[box.x, box.y, 0.0]]))[0, :2]
    shift = middle - scale * np.array([around.x, around.y])
    return FaceParameters.of(Pose(rotation, scale, np.array([*shift, ORIGIN_DEPTH])), alpha)


def _picture(
    model: MorphableModel, vertices: Float, skin: Image, photo: Image, rng: np.random.Generator
) -> Image:
    side = STORED_SIZE * SUPERSAMPLING
    # Pixel centres are at integers, at every size.
    fine = (vertices + np.float32(0.5)) * np.float32(SUPERSAMPLING) - np.float32(0.5)
    normals = vertex_normals(vertices * np.array([1, -1, 1], np.float32), model.triangles)
    attributes = np.column_stack([texel_position(model.uv, len(skin)), normals])
    drawn, depth = draw(fine, model.triangles, attributes, side, cull=False)
    covered = np.isfinite(depth)
    albedo = sample(skin, drawn[..., :2]) / np.float32(255)
    light = 1 + RELIT * rng.uniform() * (Light.drawn(rng).on(drawn[..., 2:]) - 1)
    # The model is a mask without a back and without a mouth: both show dark.
    inside = ~covered | (drawn[..., 4] < 0)
    color = np.where(inside[..., None], MOUTH_COLOR, albedo * light)
    beside = outside(covered)[..., None]
    picture = np.where(beside, _behind(photo, side, rng), color).astype(np.float32)
    picture = cv2.resize(picture, (STORED_SIZE, STORED_SIZE), interpolation=cv2.INTER_AREA)
    picture += rng.normal(0, rng.uniform(0, NOISE), picture.shape)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _behind(photo: Image, side: int, rng: np.random.Generator) -> Float:
    """(side, side, 3) what is seen beside the head: the photo out of focus, or colours."""
    if rng.uniform() >= BEFORE_PHOTO:
        return background(side, side, rng)
    blurred = cv2.GaussianBlur(cv2.resize(photo, (side, side)), (0, 0), rng.uniform(1, BLUR))
    return (blurred[:, :: int(rng.choice([-1, 1]))] / np.float32(255)).astype(np.float32)
