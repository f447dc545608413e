"""Faces and the model in the form in which they cross the wire and stand in result files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from backend.answers.heads import (
    EYE_PATCHES,
    SKIN,
    amounts_of,
    eye_patches,
    static_parts,
    whole_answer,
)
from backend.answers.pictures import encode_png
from backend.exchange import contract
from backend.exchange.orders import Parts
from backend.geometry.camera import blender_from_model
from backend.geometry.pose import Pose, blender_quaternions, euler_angles
from backend.morphable_model.model import N_SHAPE, MorphableModel
from backend.morphable_model.regions import region_weights

if TYPE_CHECKING:
    from backend.head.dressed import DressedHead, HeadMaker
    from backend.pipeline import Face


def static_model(model: MorphableModel, maker: HeadMaker | None = None) -> contract.StaticModel:
    """Return what every head shares, for the add-on.

    Parameters
    ----------
    maker
        Makes whole heads; None if nothing but faces can be made.
    """
    regions = {
        name: np.round(255 * weights).astype(np.uint8)
        for name, weights in region_weights(model).items()
    }
    if maker is not None:
        regions[EYE_PATCHES] = eye_patches(maker)
    per_sigma = model.basis[N_SHAPE:] * model.expression_sigma[:, None, None]
    return contract.StaticModel(
        mean=blender_from_model(model.mean),
        triangles=np.asarray(model.triangles, np.int32),
        mouth=np.asarray(model.mouth, np.int32),
        uv=model.uv,
        expression_basis=blender_from_model(per_sigma),
        landmark_indices=np.asarray(model.landmark_indices, np.int32),
        regions=regions,
        parts={} if maker is None else static_parts(maker),
    )


def face_pose(pose: Pose) -> contract.FacePose:
    """Return a pose as it crosses the wire and stands in result files."""
    yaw, pitch, roll = euler_angles(pose.rotation).tolist()
    x, y, z = pose.translation.tolist()
    a, b, c, d = blender_quaternions(pose.rotation).tolist()
    return contract.FacePose(yaw, pitch, roll, float(pose.scale), (x, y, z), (a, b, c, d))


def faces_result(
    faces: list[Face],
    image_size: tuple[int, int],
    heads: Sequence[DressedHead] = (),
    parts: Parts = "head",
) -> contract.FacesResult:
    """Return faces as they cross the wire.

    Parameters
    ----------
    image_size
        Width and height.
    heads
        The same faces as whole heads; empty sends the faces alone.
    parts
        What of the heads is sent, see `whole_answer`.
    """
    found = tuple(_face_result(face) for face in faces)
    if heads:
        found = tuple(_with_head(f, head, parts) for f, head in zip(found, heads, strict=True))
    return contract.FacesResult(found, image_size)


def _with_head(face: contract.FaceResult, head: DressedHead, parts: Parts) -> contract.FaceResult:
    textured = len(face.texture_png) > 0 and parts == "head"
    return replace(
        face,
        whole=whole_answer(head, parts),
        amounts=amounts_of(head),
        texture_png=encode_png(head.textures[SKIN]) if textured else face.texture_png,
    )


def _face_result(face: Face) -> contract.FaceResult:
    return contract.FaceResult(
        neutral=blender_from_model(face.neutral),
        expression=face.expression,
        parameters=face.parameters,
        landmarks=face.landmarks,
        landmarks_coarse=face.landmarks_coarse,
        texture_png=encode_png(face.texture),
        roi_box=face.roi_box.corners,
        pose=face_pose(face.pose),
        remark=face.remark,
    )
