"""The rasteriser against brute force, closed forms and the promise that it leaves no cracks."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from backend.geometry.normals import vertex_normals
from backend.geometry.rasterizer import interpolate, rasterize


def brute_force(
    vertices: np.ndarray, triangles: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest front-facing triangle per pixel, its depth, and where the answer is not in doubt."""
    nearest = np.full((height, width), -1)
    depth = np.full((height, width), -np.inf)
    clear = np.ones((height, width), bool)
    px, py = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    for index, corners in enumerate(vertices[triangles].astype(float)):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area >= 0:
            continue
        u = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
        v = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
        w = 1 - u - v
        least = np.minimum(np.minimum(u, v), w)
        z = u * az + v * bz + w * cz
        clear &= np.abs(least) > 1e-3
        clear &= (least < 0) | (np.abs(z - depth) > 1e-3)
        wins = (least >= 0) & (z > depth)
        nearest[wins], depth[wins] = index, z[wins]
    return nearest, depth, clear


@pytest.mark.parametrize("seed", range(4))
def test_equals_brute_force_on_random_triangles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-10, -10, 0], [50, 40, 50], (60, 3)).astype(np.float32)
    triangles = rng.integers(0, 60, (80, 3)).astype(np.int32)
    expected, depth, clear = brute_force(vertices, triangles, 30, 40)
    assert clear.mean() > 0.8
    assert len(np.unique(expected[clear])) > 10

    found = rasterize(vertices, triangles, 30, 40)

    np.testing.assert_array_equal(found.triangle[clear], expected[clear])
    np.testing.assert_allclose(found.depth[clear], depth[clear], atol=1e-3)
    np.testing.assert_array_equal(np.isneginf(found.depth), ~found.covered)


def grid(rows: int, columns: int, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:rows, :columns]
    vertices = np.stack([x * spacing, y * spacing, 0 * x], -1).reshape(-1, 3).astype(np.float32)
    a = (y * columns + x)[:-1, :-1].ravel()
    b, c, d = a + 1, a + columns, a + columns + 1
    return vertices, np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)]).astype(
        np.int32
    )


@pytest.mark.parametrize(("spacing", "jitter"), [(1.0, 0.0), (3.0, 0.0), (0.7, 0.17), (5.3, 1.3)])
def test_neighbours_share_every_pixel_without_crack_or_overlap(
    spacing: float, jitter: float
) -> None:
    rng = np.random.default_rng(7)
    vertices, triangles = grid(60, 60, spacing)
    vertices[:, :2] += rng.uniform(-jitter, jitter, (len(vertices), 2)) - 5 * spacing
    size = int(45 * spacing)
    half = rng.random(len(triangles)) < 0.5

    one = rasterize(vertices, triangles[half], size, size, cull=False).covered
    other = rasterize(vertices, triangles[~half], size, size, cull=False).covered

    assert (one ^ other).all()


def test_depth_of_a_sphere_is_its_closed_form() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=50)
    vertices = (mesh.vertices * [1, -1, 1] + [64, 60, 10]).astype(np.float32)
    found = rasterize(vertices, mesh.faces.astype(np.int32), 128, 128)

    y, x = np.mgrid[:128, :128]
    squared = 50.0**2 - (x - 64.0) ** 2 - (y - 60.0) ** 2
    inner = squared > 15**2
    np.testing.assert_allclose(found.depth[inner], 10 + np.sqrt(squared[inner]), atol=0.2)
    assert not found.covered[squared < 0].any()


def test_interpolating_positions_gives_back_the_pixels() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=50)
    triangles = mesh.faces.astype(np.int32)
    vertices = (mesh.vertices * [1, -1, 1] + [64, 60, 0]).astype(np.float32)
    found = rasterize(vertices, triangles, 128, 128)
    picture = interpolate(found, triangles, vertices)

    y, x = np.nonzero(found.covered)
    np.testing.assert_allclose(picture[y, x, 0], x, atol=2e-3)
    np.testing.assert_allclose(picture[y, x, 1], y, atol=2e-3)
    np.testing.assert_allclose(picture[y, x, 2], found.depth[y, x], atol=2e-2)
    np.testing.assert_allclose(found.barycentric[y, x].sum(axis=1), 1, atol=1e-5)
    assert (picture[~found.covered] == 0).all()


def test_culls_what_shows_its_back_and_shows_it_on_request() -> None:
    vertices = np.array([[0, 0, 0], [0, 9, 0], [9, 0, 0]], np.float32)
    front, back = np.array([[0, 1, 2]], np.int32), np.array([[0, 2, 1]], np.int32)
    assert rasterize(vertices, front, 10, 10).covered.sum() == 45
    assert not rasterize(vertices, back, 10, 10).covered.any()
    assert rasterize(vertices, back, 10, 10, cull=False).covered.sum() == 45


def test_ignores_degenerate_infinite_and_distant_triangles() -> None:
    vertices = np.array(
        [
            [1, 1, 0],
            [1, 8, 0],
            [1, 4, 0],
            [np.nan, 0, 0],
            [8, 2, np.inf],
            [1e6, 1e6, 0],
            [1e6, 0, 0],
        ],
        np.float32,
    )
    triangles = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4], [5, 6, 4], [5, 6, 6]], np.int32)
    assert not rasterize(vertices, triangles, 10, 10, cull=False).covered.any()


def test_normals_of_a_sphere_point_outward() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=4)
    normals = vertex_normals(mesh.vertices, mesh.faces.astype(np.int32))
    np.testing.assert_allclose(normals, mesh.vertices, atol=0.01)
