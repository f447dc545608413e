"""The model's geometry, checked against published numbers and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import BadInputError
from backend.morphable_model.mirror import mirror_indices
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.topology import recover_grids, triangles_digest, triangles_from_grids
from backend.morphable_model.uv import signed_areas, stretch

# Of the triangle list that the authors of 3DDFA publish, sorted.
PUBLISHED_TRIANGLES = "56b2606ded0fa2909b7163a8e8342df8754cfae4ce73b0d2b6658ccd9a3bd4c8"
# The iBUG-68 point on the other side of the face, for points 0 to 67.
IBUG_MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
]  # fmt: skip


def edges_of(triangles: np.ndarray) -> np.ndarray:
    """(3T, 2) edges in the direction of their triangles."""
    return np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])


@pytest.fixture(scope="module")
def directed_edges(model: MorphableModel) -> np.ndarray:
    return edges_of(model.triangles)


@pytest.fixture(scope="module")
def loops(directed_edges: np.ndarray) -> list[np.ndarray]:
    """Boundary loops, the longest first, in the direction of their triangles."""
    known = {tuple(edge) for edge in directed_edges.tolist()}
    following = {a: b for a, b in known if (b, a) not in known}
    found = []
    while following:
        start, at = following.popitem()
        loop = [start]
        while at != start:
            loop.append(at)
            at = following.pop(at)
        found.append(np.array(loop))
    return sorted(found, key=len, reverse=True)


def test_triangles_are_the_published_ones(model: MorphableModel) -> None:
    assert model.triangles.shape == (105_840, 3)
    assert triangles_digest(model.triangles) == PUBLISHED_TRIANGLES


def test_triangles_follow_from_a_rounded_mean(model: MorphableModel) -> None:
    """The recovery does not hang on the last digit."""
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, model.mean.shape)
    triangles = triangles_from_grids(recover_grids(model.mean + noise))
    assert triangles_digest(triangles) == PUBLISHED_TRIANGLES


def test_another_vertex_order_is_refused(model: MorphableModel) -> None:
    shuffled = np.random.default_rng(0).permutation(model.mean)
    with pytest.raises(BadInputError, match="order"):
        recover_grids(shuffled)
    with pytest.raises(BadInputError, match="38,365"):
        recover_grids(model.mean[:38_365])


def test_surface_is_one_oriented_manifold(
    model: MorphableModel, directed_edges: np.ndarray, loops: list[np.ndarray]
) -> None:
    # A directed edge that occurs once: no edge has three triangles, and neighbours agree in sense.
    assert _count_distinct(directed_edges) == len(directed_edges)
    assert [len(loop) for loop in loops] == [512, 78]
    edges = _count_distinct(np.sort(directed_edges, axis=1))
    vertices = len(np.unique(model.triangles))
    assert vertices == len(model.mean)
    # One component with two boundary loops and no handle: an annulus.
    assert vertices - edges + len(model.triangles) == 0


def test_the_mouths_triangles_close_it(
    model: MorphableModel, directed_edges: np.ndarray, loops: list[np.ndarray]
) -> None:
    """They use the lips' border and no other vertex, and leave a disk: one border, no handle."""
    assert set(model.mouth.ravel()) == set(loops[1])
    edges = np.concatenate([directed_edges, edges_of(model.mouth)])
    assert _count_distinct(edges) == len(edges)
    undirected = _count_distinct(np.sort(edges, axis=1))
    assert 2 * undirected - len(edges) == len(loops[0]) == 512
    assert len(model.mean) - undirected + len(model.triangles) + len(model.mouth) == 1


def test_triangles_face_outwards(model: MorphableModel, loops: list[np.ndarray]) -> None:
    """Volume of the head, closed by fans over its boundary, is positive and a head's."""
    caps = [
        (np.roll(model.mean[loop], -1, axis=0), model.mean[loop], model.mean[loop].mean(axis=0))
        for loop in loops
    ]
    a, b, c = (
        np.concatenate([model.mean[model.triangles[:, k]]] + [
            np.broadcast_to(cap[k], (len(cap[0]), 3)) for cap in caps
        ])
        for k in range(3)
    )  # fmt: skip
    litres = np.einsum("ij,ij->", a.astype(np.float64), np.cross(b, c)) / 6 * 1e-6
    assert 1 < litres < 4


def test_frame_and_units(model: MorphableModel) -> None:
    np.testing.assert_allclose(model.mean.min(axis=0), [-90, -122, -15], atol=1)
    np.testing.assert_allclose(model.mean.max(axis=0), [90, 89, 133], atol=1)
    np.testing.assert_allclose(model.landmark_mean[30], [-0.1, -8, 132], atol=0.5)


def test_landmarks_are_in_ibug_order(model: MorphableModel) -> None:
    points = model.landmark_mean
    assert np.linalg.norm(points[30] - model.mean[model.mean[:, 2].argmax()]) < 6
    assert points[8, 1] == points[:, 1].min()
    assert (np.diff(points[:17, 0]) > 0).all()
    assert points[36:42, 0].max() < 0 < points[42:48, 0].min()
    assert points[48, 0] < points[54, 0] and points[51, 1] > points[57, 1]
    mirrored = points[IBUG_MIRROR] * [-1, 1, 1]
    assert np.linalg.norm(points - mirrored, axis=1).max() < 4


def test_mirror_map(model: MorphableModel) -> None:
    mirror = model.mirror_indices
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    error = np.linalg.norm(model.mean[mirror] * [-1, 1, 1] - model.mean, axis=1)
    off_axis = (mirror == np.arange(len(mirror))) & (np.abs(model.mean[:, 0]) > 2)
    assert off_axis.sum() == 14
    assert error[~off_axis].mean() == pytest.approx(0.79, abs=0.01)
    np.testing.assert_array_equal(mirror_indices(recover_grids(model.mean)), mirror)


def test_texture_coordinates_keep_angles(model: MorphableModel) -> None:
    assert signed_areas(model.uv.astype(np.float64), model.triangles).min() > 0
    assert np.median(stretch(model.mean, model.uv, model.triangles)) < 1.02


def test_texture_coordinates_do_not_overlap(model: MorphableModel, loops: list[np.ndarray]) -> None:
    """No flip, and simple boundaries wound the right way: each point is covered once at most.

    The number of triangles over a point then is the winding number of the boundary around it.
    """
    outer, mouth = (model.uv[loop].astype(np.float64) for loop in loops)
    assert _is_simple(outer) and _is_simple(mouth)
    assert _area(outer) > 0 > _area(mouth)


def test_texture_is_upright_symmetric_and_fills_its_square(model: MorphableModel) -> None:
    uv = model.uv
    assert uv.min() >= 0 and uv.max() <= 1
    assert np.ptp(uv[:, 0]) > 0.95 and np.ptp(uv[:, 1]) > 0.9
    at = uv[model.landmark_indices]
    assert at[8, 1] < at[57, 1] < at[30, 1] < at[27, 1]
    assert at[36, 0] < at[39, 0] < 0.5 < at[42, 0] < at[45, 0]
    mirrored = uv[model.mirror_indices] * [-1, 1] + [1, 0]
    assert (np.abs(mirrored - uv).max(axis=1) < 1e-5).mean() > 0.998


def test_no_feature_is_starved_of_texels(model: MorphableModel) -> None:
    """Nose bridge, eye, both lips and the whole mouth: texels per millimetre are alike."""
    ends = np.array([[27, 30], [36, 39], [51, 62], [57, 66], [48, 54]])
    uv, mm = (
        np.linalg.norm(np.diff(points[ends], axis=1), axis=2).ravel()
        for points in (model.uv[model.landmark_indices], model.landmark_mean)
    )
    assert (uv / mm).max() < 2 * (uv / mm).min()
    assert (uv / mm * 1024).min() > 2


def test_vertices_add_up(model: MorphableModel) -> None:
    rng = np.random.default_rng(3)
    alpha_shape = (rng.normal(size=40) * model.shape_sigma).astype(np.float32)
    alpha_exp = (rng.normal(size=10) * model.expression_sigma).astype(np.float32)
    neutral = model.mean + np.tensordot(alpha_shape.astype(np.float64), model.basis[:40], 1)
    head = neutral + model.expression_basis.astype(np.float64) @ alpha_exp
    assert np.abs(neutral - model.mean).max() > 1
    np.testing.assert_allclose(model.vertices(alpha_shape), neutral, atol=1e-3)
    np.testing.assert_allclose(model.vertices(alpha_shape, alpha_exp), head, atol=1e-3)
    np.testing.assert_allclose(
        model.expressed(neutral.astype(np.float32), alpha_exp), head, atol=1e-3
    )


def _count_distinct(pairs: np.ndarray) -> int:
    return len(np.unique(pairs[:, 0].astype(np.int64) * 2**32 + pairs[:, 1]))


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _is_simple(polygon: np.ndarray) -> bool:
    """No two sides of the polygon cross."""
    a, b = polygon, np.roll(polygon, -1, axis=0)

    def side_of(point: np.ndarray) -> np.ndarray:
        """(N, N) on which side of line i point j lies."""
        d, e = (b - a)[:, None], point[None] - a[:, None]
        return np.sign(d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0])

    straddles = side_of(a) * side_of(b) < 0
    return not (straddles & straddles.T).any()
