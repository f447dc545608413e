"""Faces and the model in the form in which they cross the wire and stand in result files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.exchange import contract
from backend.geometry.camera import blender_from_model
from backend.geometry.pose import Pose, blender_quaternions, euler_angles
from backend.morphable_model.model import N_SHAPE, MorphableModel
from backend.morphable_model.regions import region_weights

if TYPE_CHECKING:
    from backend.pipeline import Face

Image = NDArray[np.uint8]


def static_model(model: MorphableModel) -> contract.StaticModel:
    """What every head shares, for the add-on."""
    per_sigma = model.basis[N_SHAPE:] * model.expression_sigma[:, None, None]
    return contract.StaticModel(
        mean=blender_from_model(model.mean),
        triangles=np.asarray(model.triangles, np.int32),
        mouth=np.asarray(model.mouth, np.int32),
        uv=model.uv,
        expression_basis=blender_from_model(per_sigma),
        landmark_indices=np.asarray(model.landmark_indices, np.int32),
        regions={
            name: np.round(255 * weights).astype(np.uint8)
            for name, weights in region_weights(model).items()
        },
    )


def face_pose(pose: Pose) -> contract.FacePose:
    """A pose as it crosses the wire and stands in result files."""
    yaw, pitch, roll = euler_angles(pose.rotation).tolist()
    x, y, z = pose.translation.tolist()
    a, b, c, d = blender_quaternions(pose.rotation).tolist()
    return contract.FacePose(yaw, pitch, roll, float(pose.scale), (x, y, z), (a, b, c, d))


def faces_result(faces: list[Face], image_size: tuple[int, int]) -> contract.FacesResult:
    """Faces as they cross the wire; `image_size` is (width, height)."""
    return contract.FacesResult(tuple(_face_result(face) for face in faces), image_size)


def _face_result(face: Face) -> contract.FaceResult:
    return contract.FaceResult(
        neutral=blender_from_model(face.neutral),
        expression=face.expression,
        parameters=face.parameters,
        landmarks=face.landmarks,
        landmarks_coarse=face.landmarks_coarse,
        texture_png=np.zeros(0, np.uint8) if face.texture is None else encode_png(face.texture),
        roi_box=face.roi_box.corners,
        pose=face_pose(face.pose),
        remark=face.remark,
    )


def encode_png(texture: Image) -> NDArray[np.uint8]:
    """(N,) bytes of a PNG file that holds an (H, W, 3) RGB picture."""
    import cv2

    return cv2.imencode(".png", texture[:, :, ::-1])[1].reshape(-1)
