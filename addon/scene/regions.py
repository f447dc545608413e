"""Vertex groups of the head's regions, and its landmark vertices."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..exchange.contract import StaticModel
from .identity import PREFIX

FULL = 255
LANDMARK_INDICES = PREFIX + "landmark_indices"
# How many there were when the indices were written down.
VERTEX_COUNT = PREFIX + "vertex_count"


def set_regions(head: bpy.types.Object, model: StaticModel) -> None:
    """Make the vertex groups that the head lacks, and note the vertices of its landmarks.

    A group that has something in it is the user's to change and stays as it is.

    Parameters
    ----------
    head
        Mesh object with the model's vertices.
    model
        Its ``regions`` become groups of the same names.
    """
    mesh: Any = head.data
    mesh[LANDMARK_INDICES], mesh[VERTEX_COUNT] = model.landmark_indices.tolist(), len(mesh.vertices)
    for name, weights in model.regions.items():
        group = head.vertex_groups.get(name) or head.vertex_groups.new(name=name)
        if not _holds(head, group, int(weights.argmax())):
            _fill(group, weights)


def _holds(head: bpy.types.Object, group: bpy.types.VertexGroup, vertex: int) -> bool:
    mesh: Any = head.data
    return any(element.group == group.index for element in mesh.vertices[vertex].groups)


def _fill(group: bpy.types.VertexGroup, weights: NDArray[np.uint8]) -> None:
    """Set weights one by one: Blender has no call that takes an array of them."""
    order = np.argsort(weights, kind="stable")
    levels, starts = np.unique(weights[order], return_index=True)
    for level, vertices in zip(levels.tolist(), np.split(order, starts[1:]), strict=True):
        if level:
            group.add(vertices.tolist(), level / FULL, "REPLACE")
