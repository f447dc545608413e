"""The photo's pose, applied to a head's Empty when the user asks for it.

A weak-perspective pose knows the head's direction, its place in the picture and its size there,
but no distance. The rule:

* If the scene's camera is a perspective one, the head goes in front of it, to where the camera
  sees it as the photo does, when the photo is as wide as the camera's frame. The scale in the
  photo then gives the distance: ``focal length in pixels / pixels per metre``.
* Otherwise the head stays in the plane ``y = 0`` of the world, at its true size, as an orthographic
  camera that looks along +Y sees it; the centre of the photo is the world's origin, and the scale
  serves only to turn the place from pixels into metres.

An Empty that the user has scaled, or hung from something that is scaled, keeps its scale, and
distances grow with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bpy
from mathutils import Matrix, Quaternion, Vector

from ..problems import Problem
from . import identity
from .compat import present_curves

BEFORE = identity.PREFIX + "transform_before_photo_pose"


def pose_empty(head: bpy.types.Object) -> bpy.types.Object:
    """Make the Empty that carries the pose of a head.

    Raises
    ------
    Problem
        The head is no longer under it.
    """
    if head.parent is None or not has_pose_empty(head):
        raise Problem(
            f"The head {head.name!r} has no pose Empty as its parent.",
            "Parent the head to its pose Empty again, or make a new head in a new scene.",
        )
    return head.parent


def has_pose_empty(head: bpy.types.Object) -> bool:
    """Tell whether the head is still under the Empty that carries its pose."""
    parent = head.parent
    return parent is not None and parent.get(identity.UUID) == head.get(identity.UUID)


def has_photo_pose(head: bpy.types.Object) -> bool:
    """Tell whether the head was made from a photo."""
    return identity.POSE_SCALE in head


def is_applied(head: bpy.types.Object) -> bool:
    """Tell whether the photo's pose is on the Empty of a head."""
    return head.parent is not None and BEFORE in head.parent


def apply_photo_pose(head: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Move the Empty of a head to where the photo shows the face; `reset_photo_pose` undoes it.

    Raises
    ------
    Problem
        The head came from a clip, is animated, or is no longer under its Empty.
    """
    empty = pose_empty(head)
    if not has_photo_pose(head):
        raise Problem(
            f"The head {head.name!r} was not made from a photo.",
            "Animate from Video has made its pose, as keyframes.",
        )
    if _is_moved(empty):
        raise Problem(
            f"The head {head.name!r} is animated, so its pose would be lost at the next frame.",
            "Unlink the action of its Empty first.",
        )
    if BEFORE not in empty:
        empty[BEFORE] = [value for row in empty.matrix_basis for value in row]
    empty.matrix_basis = space_of(empty).inverted_safe() @ photo_matrix(head, scene)


def reset_photo_pose(head: bpy.types.Object) -> None:
    """Give the Empty the place and direction that it had before the photo's pose was applied."""
    empty = pose_empty(head)
    if BEFORE in empty:
        size = empty.scale.copy()
        empty.matrix_basis = transform_without_photo_pose(head)
        empty.scale = size
        del empty[BEFORE]


def _is_moved(empty: bpy.types.Object) -> bool:
    paths = {curve.data_path for curve in present_curves(empty)}
    return any(path.startswith(("location", "rotation", "scale")) for path in paths)


def transform_without_photo_pose(head: bpy.types.Object) -> Matrix:
    """Return the transform of the Empty, as it is once the photo's pose is taken off."""
    empty = pose_empty(head)
    values = empty.get(BEFORE)
    if values is None:
        return empty.matrix_basis.copy()
    return Matrix([values[i : i + 4] for i in range(0, 16, 4)])


def space_of(empty: bpy.types.Object) -> Matrix:
    """Return the world matrix of the space in which an Empty's own transform is."""
    # Not by its matrix_world: Blender has not computed that yet for keys that it just got.
    parent: Any = empty.parent
    if parent is None:
        return Matrix()
    carrier = parent.matrix_world
    bone = parent.pose.bones.get(empty.parent_bone) if empty.parent_type == "BONE" else None
    if bone is not None:
        # Blender hangs children from a bone's tail.
        carrier = carrier @ bone.matrix @ Matrix.Translation((0, bone.length, 0))
    return carrier @ empty.matrix_parent_inverse


def photo_matrix(head: bpy.types.Object, scene: bpy.types.Scene) -> Matrix:
    """Return the world matrix of the photo's pose, by the rule at the top of this module."""
    empty = pose_empty(head)
    size = space_of(empty).median_scale * empty.scale.x
    x, y, _ = head[identity.POSE_TRANSLATION]
    width, height = head[identity.IMAGE_SIZE]
    pixels_per_metre = head[identity.POSE_SCALE] * 1000 / size
    right, up = _from_centre(x, y, width, height)
    location = Vector((right, 0, up)) / pixels_per_metre
    turned = Matrix.LocRotScale(None, Quaternion(head[identity.POSE_QUATERNION]), [size] * 3)
    camera = scene.camera
    lens = camera.data if camera else None
    if camera is None or not isinstance(lens, bpy.types.Camera) or lens.type != "PERSP":
        return Matrix.Translation(location) @ turned
    location.y = _focal_pixels(lens.view_frame(scene=scene), width) / pixels_per_metre
    # A camera looks along its own -Z with +Y up; the pose is for one that looks along +Y.
    look_along_y = Matrix.Rotation(-math.pi / 2, 4, "X")
    eye = camera.matrix_world.normalized()
    return eye @ look_along_y @ Matrix.Translation(location) @ turned


def _from_centre(x: float, y: float, width: float, height: float) -> tuple[float, float]:
    """Return pixels to the right and upwards of the photo's centre (pixel centres are at
    integers).
    """
    return x - (width - 1) / 2, (height - 1) / 2 - y


def _focal_pixels(frame: Sequence[Vector], width: float) -> float:
    """Return the focal length in the photo's pixels; `frame` are the corners of the camera's
    view.
    """
    frame_width = max(corner.x for corner in frame) - min(corner.x for corner in frame)
    return width * abs(frame[0].z) / frame_width
