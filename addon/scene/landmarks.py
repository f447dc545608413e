"""The 68 landmarks as Empties that ride on the head's vertices, through expression and pose."""

from __future__ import annotations

from typing import Any

import bpy

from ..problems import Problem
from .identity import PREFIX, UUID
from .regions import LANDMARK_INDICES, VERTEX_COUNT

LANDMARK = PREFIX + "landmark"
SIZE = 0.002

# iBUG-68: the first number of each run. Right and left are the subject's own.
RUNS = (
    (0, "jaw"),
    (17, "right brow"),
    (22, "left brow"),
    (27, "nose bridge"),
    (31, "nostrils"),
    (36, "right eye"),
    (42, "left eye"),
    (48, "outer lips"),
    (60, "inner lips"),
)


def landmark_name(index: int) -> str:
    """Return the number and place, such as ``30 nose bridge``."""
    place = next(name for first, name in reversed(RUNS) if index >= first)
    return f"{index:02d} {place}"


def landmarks_of(head: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the head's landmark Empties, in the order of their numbers."""
    marks = [
        child for child in head.children if LANDMARK in child and child.get(UUID) == head.get(UUID)
    ]
    return sorted(marks, key=lambda mark: mark[LANDMARK])


def add_landmarks(head: bpy.types.Object) -> list[bpy.types.Object]:
    """Put an Empty on each landmark that has none yet, in the collections of the head.

    Raises
    ------
    Problem
        The head does not know its landmark vertices, or no longer has them.
    """
    mesh: Any = head.data
    indices = list(mesh.get(LANDMARK_INDICES, ()))
    if not indices or len(mesh.vertices) != mesh.get(VERTEX_COUNT):
        raise Problem(
            f"The head {head.name!r} has no landmarks.",
            "Run Face from Image on its photo again to restore them.",
        )
    there = {mark[LANDMARK] for mark in landmarks_of(head)}
    for number, vertex in enumerate(indices):
        if number not in there:
            mark = _new_mark(head, number, vertex)
            for collection in head.users_collection:
                collection.objects.link(mark)
    return landmarks_of(head)


def remove_landmarks(head: bpy.types.Object) -> None:
    """Remove the head's landmark Empties."""
    bpy.data.batch_remove(landmarks_of(head))


def _new_mark(head: bpy.types.Object, number: int, vertex: int) -> bpy.types.Object:
    mark: Any = bpy.data.objects.new(f"{head.name} {landmark_name(number)}", None)
    mark[UUID], mark[LANDMARK] = head[UUID], number
    mark.empty_display_type = "SPHERE"
    mark.empty_display_size = SIZE
    mark.parent = head
    mark.parent_type = "VERTEX"
    mark.parent_vertices = (vertex, 0, 0)
    return mark
