"""Parts beside the face: closed forms, anatomy's measures, and what must hold of any person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.errors import MissingAssetError
from backend.exchange.expressions import GAZE_DEGREES
from backend.head.amounts import COST, SQUARE_COST, STEP, fit_amounts
from backend.head.eye_patch import fit_sphere
from backend.head.eyes import BULGE, GAP, RADIUS, fit_eyeball, set_back
from backend.head.jaw import HINGE, jaw_motions
from backend.head.light import STEPS, light_mesh
from backend.head.parts import Part, grid_faces, triangulated
from backend.head.skull import skull_part
from backend.head.storage import load_head_shape, save_head_shape
from backend.head.teeth import LOWER, UPPER, arch_gums, arch_teeth
from backend.head.whole import HeadShape, WholeHead, shaded_together, whole_head
from backend.morphable_model.model import MorphableModel
from tests.backend.whole_head_shapes import drawn_keys, people, shape_of_everybody


@pytest.fixture(scope="module")
def shape(model: MorphableModel) -> HeadShape:
    del model  # it has been fetched now
    return shape_of_everybody()


@pytest.fixture(scope="module")
def head(model: MorphableModel, shape: HeadShape) -> WholeHead:
    return whole_head(model, shape, model.mean, drawn_keys(model))


def border_edges(triangles: np.ndarray) -> set[tuple[int, int]]:
    """Edges that one triangle has; fails where more than two have one."""
    edges = np.stack([triangles, np.roll(triangles, -1, axis=1)], -1).reshape(-1, 2)
    low, high = np.sort(edges, axis=1).astype(np.int64).T
    keys, count = np.unique(low * 2**32 + high, return_counts=True)
    assert count.max() <= 2
    return {divmod(key, 2**32) for key in keys[count == 1].tolist()}


def volume(part: Part) -> float:
    a, b, c = (part.vertices[part.triangles[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_a_quad_is_two_triangles_and_a_triangle_one() -> None:
    faces = np.array([[0, 1, 2, 3], [3, 2, 4, 4]])
    assert sorted(map(sorted, triangulated(faces).tolist())) == [[0, 1, 2], [0, 2, 3], [2, 3, 4]]


def test_a_grid_of_a_flat_sheet_faces_the_viewer() -> None:
    x, y = np.meshgrid(np.arange(4.0), -np.arange(3.0))
    sheet = np.stack([x.ravel(), y.ravel(), np.zeros(12)], axis=1)
    a, b, c = (sheet[triangulated(grid_faces(3, 4))[:, k]] for k in range(3))
    np.testing.assert_array_equal(np.cross(b - a, c - a)[:, 2], 1)


def test_the_eyes_patches_are_pieces_of_a_sphere_with_one_border(
    model: MorphableModel, shape: HeadShape
) -> None:
    for patch, side in zip(shape.patches, (1, -1), strict=True):
        points = model.mean[patch.vertices].astype(float)
        centre, radius = fit_sphere(points)
        assert np.abs(np.linalg.norm(points - centre, axis=1) - radius).max() < 0.15
        assert (points[:, 0] * side > 0).all()
        border = border_edges(model.triangles[patch.triangles])
        ring = zip(patch.loop.tolist(), np.roll(patch.loop, -1).tolist(), strict=True)
        assert border == {(min(edge), max(edge)) for edge in ring}
        # Both corners of the eye are at its border.
        corners = model.mean[model.landmark_indices[[42, 45] if side > 0 else [36, 39]]]
        near = np.linalg.norm(corners[:, None] - model.mean[patch.loop], axis=-1).min(axis=1)
        assert near.max() < 2.5


def test_an_eyeball_that_a_face_is_drawn_over_is_found(
    model: MorphableModel, shape: HeadShape
) -> None:
    patch, centre = shape.patches[0], np.array([30.0, 25.0, 82.0])
    neutral = model.mean.astype(np.float64)
    neutral[patch.near] += (0, 0, 30)  # no lid is in the way
    aside = neutral[patch.vertices, :2] - centre[:2]
    aside *= np.minimum(1, 0.9 * RADIUS / np.linalg.norm(aside, axis=1))[:, None]
    depth = np.sqrt(RADIUS**2 - (aside**2).sum(axis=1))
    neutral[patch.vertices] = centre + np.column_stack([aside, depth])
    neutral[patch.loop] += (0, 0, 30)
    found = fit_eyeball(neutral, replace(patch, vertices=np.setdiff1d(patch.vertices, patch.loop)))
    np.testing.assert_allclose(found.centre, centre, atol=1e-6)


def test_an_eyeball_goes_back_as_far_as_a_point_before_it_is_deep() -> None:
    centre = np.array([1.0, 2.0, 3.0])
    in_front = centre + np.array([0, 0, RADIUS + BULGE + GAP])
    assert set_back(in_front[None], centre) == pytest.approx(0, abs=1e-9)
    assert set_back(in_front[None] - (0, 0, 1.5), centre) == pytest.approx(1.5)
    # Beside the cornea it is a sphere: 12, 7.2, 9.6 are 5 : 3 : 4.
    beside = centre + np.array([7.2, 0, 9.6 + GAP - 0.4])
    assert set_back(beside[None], centre) == pytest.approx(0.4)
    assert set_back(centre[None] + (RADIUS + 1, 0, 0), centre) == 0


def test_no_persons_eyes_burst_through_their_lids(model: MorphableModel, shape: HeadShape) -> None:
    keys = drawn_keys(model)
    for neutral in people(model, 4):
        head = whole_head(model, shape, neutral, keys)
        for patch, side in zip(shape.patches, ("left", "right"), strict=True):
            eye = head.part(f"eye_{side}")
            for amount in (0.0, 0.5, 1.0):
                skin = neutral + amount * keys["eyeBlinkLeft"]
                at = eye.at({"eyeBlinkLeft": amount})
                centre = (at[-1] + at[-2] - (0, 0, BULGE)) / 2
                beyond = np.linalg.norm(skin[patch.near] - centre, axis=1) - RADIUS
                in_front = skin[patch.near, 2] > centre[2]
                assert beyond[in_front].min() > 0


def test_eyes_turn_by_the_angle_of_their_key(head: WholeHead) -> None:
    eye = head.part("eye_left")
    pupil = len(eye.vertices) - 2
    for key, axis, way in (("Out", 0, 1), ("In", 0, -1), ("Up", 1, 1), ("Down", 1, -1)):
        moved = eye.deltas[f"eyeLook{key}Left"][pupil]
        reach = (RADIUS + BULGE) * np.sin(np.radians(GAZE_DEGREES[key]))
        assert moved[axis] == pytest.approx(way * reach, rel=1e-5)
    right = head.part("eye_right").deltas["eyeLookOutRight"][pupil]
    assert right[0] == pytest.approx(-eye.deltas["eyeLookOutLeft"][pupil][0], rel=1e-5)


def test_the_jaws_turn_is_read_off_the_chin() -> None:
    rng = np.random.default_rng(1)
    chin = rng.normal((0, -80, 95), 5, (40, 3))
    angle = np.radians(17)
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    hinge = np.array([0, *HINGE])
    motions = jaw_motions(
        chin,
        {
            "jawOpen": (chin - hinge) @ turn.T + hinge - chin,
            "jawLeft": np.broadcast_to((6.0, 0, 1), chin.shape),
            "mouthClose": np.ones_like(chin),
        },
    )
    np.testing.assert_allclose(motions["jawOpen"].rotation, turn, atol=1e-9)
    points = rng.normal(0, 30, (9, 3))
    expected = (points - hinge) @ turn.T + hinge - points
    np.testing.assert_allclose(motions["jawOpen"].delta(points), expected, atol=1e-9)
    np.testing.assert_allclose(motions["jawLeft"].delta(points), np.tile((6.0, 0, 1), (9, 1)))
    assert set(motions) == {"jawOpen", "jawLeft"}


def test_fourteen_teeth_of_anatomys_sizes_stand_in_each_jaw() -> None:
    # Wheeler: the upper central incisor is 10.5 high and 8.5 wide, the lower one 9 and 5.
    for arch, sizes in ((UPPER, (10.5, 8.5)), (LOWER, (9.0, 5.0))):
        vertices, uv, faces = arch_teeth(arch)
        assert len(vertices) % 14 == 0
        teeth = vertices.reshape(14, -1, 3)
        first = teeth[0][uv.reshape(14, -1, 2)[0, :, 1] > 0]
        assert np.ptp(first[:, 1]) == pytest.approx(sizes[0], rel=0.15)
        assert np.ptp(first[:, 0]) == pytest.approx(sizes[1], rel=0.15)
        # The right half is the mirror image of the left.
        mirrored = teeth[7:] * (-1, 1, 1)
        np.testing.assert_allclose(teeth[:7], mirrored, atol=0.2)
        assert volume(Part("", vertices.astype(np.float32), faces, uv, "")) > 0
        gums = arch_gums(arch)[0]
        edge = np.sort(teeth[0][:, 1] * arch.up)[:5].mean()
        assert (gums[:, 1] * arch.up).min() > edge + 1


def test_lower_teeth_go_with_the_jaw_and_upper_ones_with_the_skull(head: WholeHead) -> None:
    assert "jawOpen" not in head.part("teeth_upper").deltas
    lower = head.part("teeth_lower")
    opened = lower.at({"jawOpen": 1})
    sizes = [np.linalg.norm(v[:400:7] - v[1:401:7], axis=1) for v in (lower.vertices, opened)]
    np.testing.assert_allclose(*sizes, atol=1e-3)  # turned, not bent
    assert (opened - lower.vertices)[:, 1].max() < -5


def test_the_cavity_hangs_on_the_lips(
    model: MorphableModel, shape: HeadShape, head: WholeHead
) -> None:
    cavity, loop = head.part("cavity"), shape.mouth.loop
    np.testing.assert_allclose(cavity.vertices[:78], model.mean[loop], atol=1e-4)
    keys = drawn_keys(model)
    np.testing.assert_allclose(
        cavity.at({"jawOpen": 1})[:78], (model.mean + keys["jawOpen"])[loop], atol=1e-4
    )
    ring = zip(range(78), [*range(1, 78), 0], strict=True)
    assert border_edges(cavity.triangles) == {(min(edge), max(edge)) for edge in ring}
    assert volume(cavity) < 0  # seen from within


def test_the_skull_closes_the_head_without_a_crease(
    model: MorphableModel, shape: HeadShape
) -> None:
    count = len(shape.skull.rim)
    for neutral in [model.mean, *people(model, 3)]:
        skull = skull_part(shape.skull, model.mean, neutral, {})
        np.testing.assert_array_equal(skull.vertices[:count], neutral[shape.skull.rim])
        face_normals, skull_normals = shaded_together(model, shape, neutral, skull.vertices)
        np.testing.assert_allclose(face_normals[shape.skull.rim], skull_normals[:count], atol=1e-6)
        # One surface: its triangles beside the rim turn no more than skin elsewhere does.
        a, b, c = (skull.vertices[skull.triangles[:, k]] for k in range(3))
        flat = np.cross(b - a, c - a)
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
        beside = (skull.triangles < count).any(axis=1)
        corner = np.where(skull.triangles[beside] < count, skull.triangles[beside], 0).max(axis=1)
        cosine = (flat[beside] * face_normals[shape.skull.rim[corner]]).sum(axis=1)
        assert np.degrees(np.arccos(np.quantile(cosine, 0.1))) < 10
        end = skull.vertices[-shape.skull.ends - 1 : -1].astype(float)
        plane = np.column_stack([end[:, [0, 2]], np.ones(len(end))])
        height = np.linalg.lstsq(plane, end[:, 1], rcond=None)[1]
        assert np.sqrt(height[0] / len(end)) < 0.7


def test_face_and_skull_are_closed_but_for_the_mouth(
    model: MorphableModel, shape: HeadShape, head: WholeHead
) -> None:
    skull, rim = head.part("skull"), shape.skull.rim
    count, ends = len(shape.skull.vertices), shape.skull.ends
    number = np.concatenate([rim, len(model.mean) + np.arange(len(skull.vertices) - len(rim))])
    # The neck's base has an edge of its own at the same place.
    number[count : count + ends] = number[count - ends : count]
    border = border_edges(np.concatenate([model.triangles, number[skull.triangles]]))
    assert {vertex for edge in border for vertex in edge} == set(shape.mouth.loop.tolist())


def test_light_meshes_keep_rims_and_grow_lighter(model: MorphableModel, shape: HeadShape) -> None:
    faces, rims = {}, border_edges(model.triangles)
    for name, step in STEPS.items():
        mesh = light_mesh(model, shape.patches, step)
        triangles = triangulated(mesh.faces)
        assert border_edges(mesh.vertices[triangles]) == rims
        shown = mesh.vertices[triangulated(mesh.faces[~mesh.hidden])]
        loops = [set(patch.loop.tolist()) for patch in shape.patches]
        assert set.union(*loops) <= {vertex for edge in border_edges(shown) for vertex in edge}
        a, b, c = (model.mean[mesh.vertices[triangles[:, k]]] for k in range(3))
        normals = np.cross(b - a, c - a)
        assert (np.einsum("ij,ij->i", normals, a - (0, -20, 15)) > 0).mean() > 0.9
        assert (len(mesh.vertices) == len(model.mean)) == (step == 1)
        faces[name] = len(mesh.faces)
        quads = mesh.faces[:, 2] != mesh.faces[:, 3]
        assert quads.mean() > {"full": 0.99, "half": 0.8, "quarter": 0.5}[name]
    assert faces["full"] < 53_500
    assert faces["half"] < 16_000
    assert faces["quarter"] < 7_000


def test_amounts_are_those_of_which_a_face_was_made(model: MorphableModel) -> None:
    # Keys that move different vertices: then each amount follows from its own size alone.
    shape = model.mean.shape
    up, low = (np.zeros(shape, np.float32) for _ in range(2))
    up[:20_000], low[30_000:] = (0, 2, 0), (1, 0, 1)
    keys = {"browInnerUp": up, "jawOpen": low, "eyeLookUpLeft": up}
    made = model.mean + 0.6 * up + 0.3 * low
    none = np.zeros(0, np.int64)
    counts = np.arange(0, shape[0], STEP)
    found = fit_amounts(model.mean, made, keys, none)
    assert set(found) == {"browInnerUp", "jawOpen"}  # painted eyes tell no gaze
    for name, delta, amount in (("browInnerUp", up, 0.6), ("jawOpen", low, 0.3)):
        size = float((delta[counts] ** 2).sum()) / len(counts)
        expected = (size * amount - COST) / (size + SQUARE_COST)
        assert found[name] == pytest.approx(expected, rel=1e-3)
    assert fit_amounts(model.mean, model.mean, keys, none) == {}


def test_a_face_has_one_of_two_opposites(model: MorphableModel) -> None:
    left = np.zeros(model.mean.shape, np.float32)
    left[:, 0] = 3
    keys = {"mouthLeft": left, "mouthRight": -left}
    found = fit_amounts(model.mean, model.mean - 0.5 * left, keys, np.zeros(0, np.int64))
    assert found == {"mouthRight": pytest.approx(0.5, rel=1e-2)}


def test_the_shape_comes_back_from_disk_and_damage_is_told(
    model: MorphableModel, shape: HeadShape, tmp_path: Path
) -> None:
    path = save_head_shape(shape, model, tmp_path / "head.npz")
    again = whole_head(model, load_head_shape(model, path), model.mean, {})
    for part, other in zip(
        again.parts, whole_head(model, shape, model.mean, {}).parts, strict=True
    ):
        np.testing.assert_allclose(part.vertices, other.vertices, atol=1e-4)
    with pytest.raises(MissingAssetError, match="another face model"):
        load_head_shape(replace(model, mean=model.mean + 1), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(MissingAssetError, match="damaged"):
        load_head_shape(model, path)
    with pytest.raises(MissingAssetError, match="assets fetch"):
        load_head_shape(model, tmp_path / "none.npz")
