"""A benchmark that needs no photos: faces of the morphable model, rendered with known parameters.

Shapes and expressions are drawn from the model, skin is the shipped mean texture in varied tones
under second-order spherical-harmonics light, backgrounds are colours, gradients and noise. The yaw
is uniform over +-90 degrees. A seed gives the same pictures everywhere.

Real photos have hair, necks, glasses and occlusions; these have none. The benchmark compares
networks by what the geometry of large poses asks of them, and does not replace photos.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.pose import MICROMETRES_PER_MILLIMETRE, rotation_from_euler
from backend.geometry.rasterizer import interpolate, rasterize
from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.mouth import MOUTH_COLOR
from backend.morphable_model.parameters import joined
from backend.texture.filters import outside, sample
from backend.texture.mean_face import MEAN_TEXTURE
from backend.texture.uv_map import texel_position
from backend.vision.crop import crop
from backend.vision.images import read_image
from training.data.appearance import Light, background, skin_tone
from training.data.fitted_photos import FittedPhotos, write_fits
from training.evaluation.landmarks.alignment import alignment_report, measure_alignment
from training.evaluation.landmarks.modelling import dense_error, image_vertices
from training.evaluation.landmarks.nme import mean_of_bins, means_by_yaw
from training.evaluation.landmarks.orientation import measure_orientation, orientation_report
from training.evaluation.landmarks.predictions import COARSE, Asking, answer
from training.readers.annotations import annotations_of

Float = NDArray[np.float32]
Array = NDArray[np.floating]

SIZE = 256
# Rendered at twice the size and averaged down, so that outlines are as soft as in photos.
SUPERSAMPLING = 2
MAX_YAW, MAX_PITCH, MAX_ROLL = 90.0, 25.0, 20.0
# Standard deviations of the coefficients in those of 300W-LP.
SPREAD = 0.7
# Head's scale in pixels of the picture per millimetre.
SCALE = (0.8, 1.15)
# How far the box is off, as detectors are: standard deviations of its place and of the logarithm
# of its side, in parts of the side (those of `backend.vision.roi`).
BOX_SHIFT, BOX_SCALE = 0.012, 0.045


@dataclass(frozen=True)
class View:
    """A rendered face.

    Attributes
    ----------
    image
        (256, 256, 3) uint8 RGB.
    box
        Where a network looks.
    parameters
        (62,) true parameters in the crop frame of the box.
    ypr
        (3,) true yaw, pitch, roll in degrees, 300W-LP's convention.
    landmarks
        (68, 3) true landmarks, image frame.
    """

    image: NDArray[np.uint8]
    box: RoiBox
    parameters: Float
    ypr: Array
    landmarks: Float


def views(model: MorphableModel, n: int, seed: int = 0) -> Iterator[View]:
    """Render N faces; each depends on the seed and its number alone."""
    texture = read_image(MEAN_TEXTURE)
    for index in range(n):
        yield _view(model, texture, np.random.default_rng([seed, index]))


def measure(
    model: MorphableModel,
    drawn: list[View],
    asking: Asking,
) -> dict[str, Any]:
    """What the network makes of rendered faces.

    Returns
    -------
    ``alignment`` and ``orientation``, the reports of these modules, and ``dense``: the error of
    all vertices by `training.evaluation.landmarks.modelling.dense_error` in percent, ``all``,
    ``yaw`` (by bin) and ``mean_of_bins``.
    """
    names = _names(len(drawn))
    annotations = annotations_of(
        [Path(name) for name in names],
        points=np.stack([view.landmarks[:, :2] for view in drawn]),
        ypr=np.stack([view.ypr for view in drawn]),
    )
    crops = [crop(view.image, view.box) for view in drawn]
    boxes = [view.box for view in drawn]
    predictions = answer(crops, boxes, model, asking)
    dense = np.array(
        [
            dense_error(
                image_vertices(model, found, np.array(view.box.corners)),
                image_vertices(model, view.parameters, np.array(view.box.corners)),
            )
            for found, view in zip(predictions.parameters[COARSE], drawn, strict=True)
        ]
    )
    by_yaw = means_by_yaw(dense, annotations.ypr[:, 0])
    return {
        "alignment": alignment_report(measure_alignment(annotations, predictions, {})),
        "orientation": orientation_report(measure_orientation(annotations, predictions, {})),
        "dense": {
            "all": float(dense.mean()),
            "yaw": by_yaw,
            "mean_of_bins": mean_of_bins(by_yaw),
        },
    }


def write_views(drawn: list[View], folder: Path) -> None:
    """Write the pictures with a file of fits (see `training.data.fitted_photos`), to measure other
    networks on or to train from; and a contact sheet beside the folder, to look at.
    """
    from PIL import Image

    from backend.data_folder import atomic_path

    names = _names(len(drawn))
    for name, view in zip(names, drawn, strict=True):
        with atomic_path(folder / name) as path:
            Image.fromarray(view.image).save(path)
    photos = FittedPhotos(
        source="synthetic",
        folder=folder,
        names=np.array(names),
        identities=np.array(names),
        boxes=np.array([view.box.corners for view in drawn], np.float32),
        parameters=np.stack([view.parameters for view in drawn]),
        landmarks=np.stack([view.landmarks for view in drawn]),
    )
    write_fits(photos, ypr=np.stack([view.ypr for view in drawn]).astype(np.float32))
    folder = folder.resolve()
    # Not among the pictures, where it would pass for one more.
    with atomic_path(folder.with_name(f"{folder.name}_contact_sheet.png")) as path:
        Image.fromarray(contact_sheet(drawn)).save(path)


def contact_sheet(drawn: list[View], columns: int = 8, limit: int = 48) -> NDArray[np.uint8]:
    """The first views side by side in order of their yaw, with their landmarks."""
    panels = []
    for view in sorted(drawn[:limit], key=lambda view: view.ypr[0]):
        panel = view.image.copy()
        for x, y in np.round(view.landmarks[:, :2]).astype(int).tolist():
            cv2.circle(panel, (x, y), 1, (90, 240, 120), -1)
        panels.append(panel)
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    rows = [np.hstack(panels[i : i + columns]) for i in range(0, len(panels), columns)]
    return np.vstack(rows)


def _names(n: int) -> list[str]:
    return [f"view_{index:05d}.png" for index in range(n)]


def _view(model: MorphableModel, texture: NDArray[np.uint8], rng: np.random.Generator) -> View:
    sigmas = SPREAD * np.clip(rng.standard_normal(50), -2.5, 2.5)
    alpha = model.parameter_mean[12:] + sigmas * model.parameter_std[12:]
    alpha = np.asarray(alpha, np.float32)
    ypr = rng.uniform(-1, 1, 3) * (MAX_YAW, MAX_PITCH, MAX_ROLL)
    matrix = np.asarray(rotation_from_euler(*ypr) * rng.uniform(*SCALE))
    head = model.vertices(alpha[:40], alpha[40:])
    turned = head @ matrix.T.astype(np.float32)
    low, high = turned[:, :2].min(axis=0), turned[:, :2].max(axis=0)
    # The middle of the head near the middle of the picture; y up here, down in the image.
    offset = np.append(rng.uniform(-8, 8, 2) - (low + high) / 2, 0).astype(np.float32)
    vertices = (turned + offset) * np.array([1, -1, 1], np.float32)
    vertices += np.array([SIZE / 2, SIZE / 2, 0], np.float32)
    landmarks = vertices[model.landmark_indices]
    box = _box(landmarks, rng)
    image = _render(model, vertices, turned, texture, rng)
    return View(image, box, _parameters(matrix, vertices, head, alpha, box), ypr, landmarks)


def _box(landmarks: Float, rng: np.random.Generator) -> RoiBox:
    exact = RoiBox.around(landmarks)
    x, y = rng.normal(0, BOX_SHIFT * exact.side, 2)
    side = exact.side * np.exp(rng.normal(0, BOX_SCALE))
    return RoiBox(exact.x + float(x), exact.y + float(y), float(side))


def _parameters(matrix: Array, vertices: Float, head: Float, alpha: Float, box: RoiBox) -> Float:
    """(62,) parameters that put the head where it was drawn, in the crop frame of a box."""
    scaled = matrix * CROP_SIZE / box.side
    first = box.to_crop(vertices[:1].astype(np.float64))[0]
    pose = np.column_stack([scaled / MICROMETRES_PER_MILLIMETRE, first - scaled @ head[0]])
    return joined(pose, alpha).astype(np.float32)


def _render(
    model: MorphableModel,
    vertices: Float,
    turned: Float,
    texture: NDArray[np.uint8],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    side = SIZE * SUPERSAMPLING
    # Pixel centres are at integers, at every size.
    fine = (vertices + np.float32(0.5)) * np.float32(SUPERSAMPLING) - np.float32(0.5)
    fragments = rasterize(fine, model.triangles, side, side, cull=False)
    position = interpolate(fragments, model.triangles, texel_position(model.uv, len(texture)))
    albedo = sample(texture, position) / np.float32(255) * skin_tone(rng)
    normals = interpolate(fragments, model.triangles, vertex_normals(turned, model.triangles))
    # The model is a mask without a back and without a mouth: both show dark, not what is behind.
    seen_from_inside = normals[..., 2:] < 0
    color = np.where(seen_from_inside, MOUTH_COLOR, albedo * Light.drawn(rng).on(normals))
    color = np.where(fragments.covered[..., None], color, MOUTH_COLOR)
    beside = outside(fragments.covered)[..., None]
    picture = np.where(beside, background(side, side, rng), color).astype(np.float32)
    picture = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    picture += rng.normal(0, rng.uniform(0, 0.02), picture.shape)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
