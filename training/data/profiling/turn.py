"""One photo, another pose: parameters and picture of a face turned out of the plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.geometry.normals import vertex_normals
from backend.geometry.pose import euler_angles, rotation_from_euler
from backend.morphable_model.boxes import CROP_SIZE, RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters, joined
from training.data.profiling import background, zbuffer
from training.data.profiling.mouth import MouthInside
from training.data.shards import CONTEXT, STORED_SIZE

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# y down in the image frame, y up in the frame of the parameters.
FLIP_Y = np.diag([1.0, -1.0, 1.0])
# Pixels near the outline show what is behind the face: a vertex that is seen edge-on takes its
# colour from this much further inside, in parts of the box's side.
INWARD = 0.02
# Photos with at least this many times the views' detail are shrunk.
SHRINK_BELOW = 0.8


@dataclass(frozen=True)
class PhotoFace:
    """A face in a photo, ready to be turned.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB.
    parameters
        (62,) in the crop frame of `box`.
    box
        Upright roi box.
    vertices
        (V, 3) image frame.
    samples
        (V, 2) image pixels from which the vertices take their colour.
    around
        What moves with the head.
    size
        Side of the views in pixels.
    """

    image: Image
    parameters: Float
    box: RoiBox
    vertices: Float
    samples: Float
    around: background.Surroundings
    size: int


@dataclass(frozen=True)
class TurnedFace:
    """A rendered view.

    Attributes
    ----------
    picture
        (size, size, 3) uint8: `CONTEXT` times the roi box of the turned face.
    box
        Upright roi box in pixels of the picture.
    parameters
        (62,) in the crop frame of that box.
    landmarks
        (68, 3) image frame of the picture.
    angles
        Yaw, pitch, roll in degrees.
    """

    picture: Image
    box: RoiBox
    parameters: Float
    landmarks: Float
    angles: tuple[float, float, float]


def photo_face(
    model: MorphableModel,
    image: Image,
    parameters: Float,
    box: RoiBox,
    size: int = STORED_SIZE,
) -> PhotoFace:
    """Prepare a face whose 62 parameters refer to the crop frame of an upright box.

    A photo of more detail than the views of `size` pixels is shrunk first, so that they don't
    alias.
    """
    image, box = _shrunk(image, box, size)
    vertices = FaceParameters(parameters).vertices_image(model, box)
    normals = -vertex_normals(vertices, model.triangles)
    edge_on = np.clip(1 - np.abs(normals[:, 2:]), 0, 1) ** 2
    inwards = vertices[:, :2].mean(axis=0) - vertices[:, :2]
    inwards /= np.maximum(np.linalg.norm(inwards, axis=1, keepdims=True), 1e-6)
    samples = vertices[:, :2] + edge_on * inwards * np.float32(INWARD * box.side)
    return PhotoFace(
        image,
        parameters,
        box,
        vertices,
        samples.astype(np.float32),
        background.surroundings(vertices),
        size,
    )


def turn(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace, yaw: float, pitch: float
) -> TurnedFace:
    """The face with other yaw and pitch (degrees, `rotation_from_euler`); its roll stays.

    The rotation multiplies the 3x4 matrix of the parameters, so they follow exactly. The depth of
    the model's origin, which no picture shows, stays what it was.
    """
    old = FaceParameters(face.parameters).pose.rotation
    roll = float(euler_angles(old)[2])
    change = rotation_from_euler(yaw, pitch, roll) @ old.T
    in_image = (FLIP_Y @ change @ FLIP_Y).astype(np.float32)
    centre = face.vertices.mean(axis=0)
    vertices = (face.vertices - centre) @ in_image.T + centre
    landmarks = vertices[model.landmark_indices]

    roi = RoiBox.around(landmarks)
    window = RoiBox(roi.x, roi.y, roi.side * CONTEXT)
    to_picture = face.size / window.side
    corner = np.array([window.corners[0], window.corners[1], 0], np.float32)
    anchors = background.turned(face.around, in_image, centre)
    scale = np.float32(to_picture)
    source = _source_map(
        model, mouth, face, (vertices - corner) * scale, (anchors - corner) * scale
    )
    picture = cv2.remap(
        face.image,
        source[..., 0],
        source[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    box = RoiBox(
        (roi.x - corner[0]) * to_picture, (roi.y - corner[1]) * to_picture, roi.side * to_picture
    )
    turned_landmarks = ((landmarks - corner) * np.float32(to_picture)).astype(np.float32)
    return TurnedFace(
        np.asarray(picture, np.uint8),
        box,
        _turned_parameters(face, change, roi, turned_landmarks, box, model),
        turned_landmarks,
        (yaw, pitch, roll),
    )


def _shrunk(image: Image, box: RoiBox, size: int) -> tuple[Image, RoiBox]:
    factor = size / (box.side * CONTEXT)
    if factor > SHRINK_BELOW:
        return image, box
    image = np.asarray(
        cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )
    place = [(c + 0.5) * factor - 0.5 for c in (box.x, box.y)]
    return image, RoiBox(place[0], place[1], box.side * factor)


def _source_map(
    model: MorphableModel, mouth: MouthInside, face: PhotoFace, vertices: Float, anchors: Float
) -> Float:
    """(S, S, 2) where in the photo each pixel of the view comes from."""
    around, size = face.around, face.size
    behind, _ = zbuffer.draw(anchors, around.triangles, around.anchors[:, :2], size, cull=False)
    nothing = np.full((size, size), zbuffer.EMPTY, np.float32)
    drawn = zbuffer.draw(
        mouth.with_middle(vertices),
        mouth.triangles,
        mouth.with_middle(face.vertices)[:, :2],
        size,
        cull=False,
        onto=(behind, nothing),
    )
    source, _ = zbuffer.draw(vertices, model.triangles, face.samples, size, onto=drawn)
    return source


def _turned_parameters(
    face: PhotoFace,
    change: NDArray[np.float64],
    roi: RoiBox,
    landmarks: Float,
    box: RoiBox,
    model: MorphableModel,
) -> Float:
    """(62,) in the crop frame of the picture's box."""
    before = FaceParameters(face.parameters.astype(np.float64))
    matrix = before.matrix.copy()
    matrix[:, :3] = change @ matrix[:, :3] * (face.box.side / roi.side)
    # The translation is what takes the landmarks to their place.
    matrix[:2, 3] = 0
    unmoved = FaceParameters(joined(matrix, before.alpha))
    placed = box.to_image(unmoved.landmarks(model))
    offset = (landmarks - placed)[:, :2].mean(axis=0) * CROP_SIZE / box.side
    matrix[:2, 3] = offset[0], -offset[1]
    return joined(matrix, before.alpha).astype(np.float32)
