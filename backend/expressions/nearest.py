"""Nearest points between two skins, whose normals agree and whose lids and lips don't mix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from backend.geometry.normals import vertex_normals

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# A normal that turns by one radian counts like so many millimetres.
NORMAL_WEIGHT = 6.0
CANDIDATES = 12


@dataclass(frozen=True)
class Skin:
    """A surface.

    Attributes
    ----------
    vertices, triangles
        (V, 3) millimetres and (T, 3), anticlockwise seen from outside.
    labels
        (V,) 0, or k above and -k below the k-th opening (see `rim_labels`).
    """

    vertices: Float
    triangles: Int
    labels: Int


@dataclass(frozen=True)
class Pairs:
    """For each vertex of one skin a point of another.

    Attributes
    ----------
    triangle, corners, weights
        (V,), (V, 3), (V, 3): the triangle, its vertices and their barycentric weights.
    distance
        (V,) millimetres.
    """

    triangle: Int
    corners: Int
    weights: Float
    distance: Float


def nearest_points(source: Skin, target: Skin) -> Pairs:
    """Nearest points of `target` to the vertices of `source`."""
    normals = NORMAL_WEIGHT * vertex_normals(source.vertices, source.triangles)
    query = np.hstack([source.vertices, normals])
    a, b, c = (target.vertices[target.triangles[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    centres = np.hstack([(a + b + c) / 3, NORMAL_WEIGHT * across])
    lowest = target.labels[target.triangles].min(axis=1)
    highest = target.labels[target.triangles].max(axis=1)

    triangle = np.zeros(len(query), np.int64)
    weights = np.zeros((len(query), 3))
    distance = np.full(len(query), np.inf)
    for label in np.unique(source.labels).tolist():
        asking = np.flatnonzero(source.labels == label)
        # Below an opening nothing above it is meant, and the other way round.
        allowed = np.flatnonzero((highest != -label) & (lowest != -label) | (label == 0))
        _, near = KDTree(centres[allowed]).query(query[asking], k=CANDIDATES)
        near = allowed[near]
        best, squared = _closest(source.vertices[asking][:, None], a[near], b[near], c[near])
        turned = NORMAL_WEIGHT**2 - (query[asking, None, 3:] * centres[near, 3:]).sum(axis=-1)
        choice = (squared + turned).argmin(axis=1)
        row = np.arange(len(asking))
        triangle[asking] = near[row, choice]
        weights[asking] = best[row, choice]
        distance[asking] = np.sqrt(squared[row, choice])
    return Pairs(triangle, target.triangles[triangle], weights, distance)


def _closest(p: Float, a: Float, b: Float, c: Float) -> tuple[Float, Float]:
    """Barycentric weights (..., 3) of the triangles' points nearest to p, squared distances."""
    corners = (a, b, c)
    normal = np.cross(b - a, c - a)
    area = np.maximum((normal**2).sum(axis=-1), 1e-18)
    of_b = (np.cross(p - a, c - a) * normal).sum(axis=-1) / area
    of_c = (np.cross(b - a, p - a) * normal).sum(axis=-1) / area
    best = np.stack([1 - of_b - of_c, of_b, of_c], axis=-1)
    inside = (best >= 0).all(axis=-1)
    height = ((p - a) * normal).sum(axis=-1) ** 2 / area
    squared = np.where(inside, height, np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edge = corners[j] - corners[i]
        length = np.maximum((edge**2).sum(axis=-1), 1e-18)
        share = np.clip(((p - corners[i]) * edge).sum(axis=-1) / length, 0, 1)
        there = ((p - corners[i] - share[..., None] * edge) ** 2).sum(axis=-1)
        weights = np.zeros_like(best)
        weights[..., i], weights[..., j] = 1 - share, share
        closer = there < squared
        squared = np.where(closer, there, squared)
        best = np.where(closer[..., None], weights, best)
    return best, squared
