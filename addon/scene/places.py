"""Where new heads stand: from the 3D cursor on in a row to the right, never inside of another.

A person who has put the cursor nowhere in particular wants to see the head, too: not to have it in
the cube of a new .blend file. Scripts get the same place in every file.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from . import identity
from .animation import base_matrix, recorded_action
from .enclosures import Enclosure, enclosures
from .pose import has_pose_empty, space_of

# From the middle of a life-size head to the next: metres.
SPACING = 0.3
# A head that stands exactly beside another is not inside of it.
TOUCHING = 1e-4

ALONE = np.zeros((1, 3))
# Corners of a cube as large as a head, about its middle.
BOX = SPACING * (np.indices((2, 2, 2)).reshape(3, -1).T - 0.5)


# What is larger is a room, or a sky.
FURNITURE = 3.0

Float = NDArray[np.floating]


def free_place(scene: bpy.types.Scene, offsets: Float = ALONE, *, in_sight: bool = False) -> Vector:
    """Place for new heads of life size: the scene's 3D cursor, or to the right of it.

    Parameters
    ----------
    scene
        All of its heads keep their room, hidden ones too.
    offsets
        (N, 3) metres from the first new head to each of N, itself included.
    in_sight
        Step out of what would hide a head, if the cursor is at the world's origin, where Blender
        puts it.

    Returns
    -------
    Of the first new head: metres, in the world.
    """
    new = np.array(scene.cursor.location) + offsets
    taken = [_room(head) for head in scene.objects if identity.is_head(head)]
    hiding = _furniture(scene) if in_sight and scene.cursor.location.length == 0 else []
    while True:
        steps = [
            middle[0] + room - head[0]
            for middle, room in taken
            for head in new
            if np.linalg.norm(head - middle) < room - TOUCHING
        ]
        steps += [
            thing.right + SPACING / 2 - head[0]
            for thing in hiding
            for head in new
            if thing.holds(head + BOX)
        ]
        if not steps:
            return Vector((new[0] - offsets[0]).tolist())
        new[:, 0] += max(steps)


def _furniture(scene: bpy.types.Scene) -> list[Enclosure]:
    return [thing for thing in enclosures(scene.objects) if thing.size <= FURNITURE]


def _room(head: bpy.types.Object) -> tuple[Float, float]:
    """Return the middle of a head, and how far from it that of a life-size head has to be:
    metres.
    """
    matrix = _standing(head)
    return np.array(matrix.translation), SPACING * (1 + matrix.median_scale) / 2


def _standing(head: bpy.types.Object) -> Matrix:
    """Return the world matrix of a head where it stands, or where its motion begins."""
    if not has_pose_empty(head) or head.parent is None:
        return space_of(head) @ head.matrix_basis
    own = head.parent.matrix_basis if recorded_action(head) is None else base_matrix(head)
    return space_of(head.parent) @ own
