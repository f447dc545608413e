"""The expressions of MakeHuman's head carried over to the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES, EXPRESSIONS
from backend.expressions.basis import BLINKS, CLOSE, ExpressionBasis
from backend.expressions.closing import Closure, make_closure
from backend.expressions.deltas import KeyDeltas
from backend.expressions.makehuman import MakeHuman
from backend.expressions.mask import MIRROR, Mask, cut_mask
from backend.expressions.nearest import Pairs, Skin, nearest_points
from backend.expressions.points import load_table
from backend.expressions.portrait import see_points
from backend.expressions.registration import MAX_SPREAD, register, rim_labels, similarity
from backend.expressions.rims import Rims, find_rims
from backend.expressions.stretch import make_local_stretch
from backend.expressions.transfer import transfer
from backend.morphable_model.model import MorphableModel
from backend.vision.landmarker import Landmarker

Float = NDArray[np.floating]
Int = NDArray[np.integer]

# Millimetres from the plane of symmetry within which a vertex may be its own mirror image.
MIDLINE = 2.0


@dataclass(frozen=True)
class Registration:
    """MakeHuman's head on the model's.

    Attributes
    ----------
    source
        The whole base mesh, turned, scaled and shifted to the model's frame.
    mask
        Its skin.
    coarse
        (C, 3) the mask's coarse vertices on the mean head.
    rest
        (V, 3) the mean head, made symmetric.
    rims
        Of the mean head.
    skin
        (T, 3) triangles of the head without what lies between the lids.
    pairs
        For each of the model's vertices its place on the mask.
    """

    source: MakeHuman
    mask: Mask
    coarse: Float
    rest: Float
    rims: Rims
    skin: Int
    pairs: Pairs


def register_heads(
    source: MakeHuman, model: MorphableModel, landmarker: Landmarker
) -> Registration:
    """Lay MakeHuman's skin onto the mean head."""
    table = load_table()
    mask, rims, rest = cut_mask(source), find_rims(model), symmetric_mean(model)
    seen = see_points(source, mask, landmarker, table.partners(model))
    usable = table.reliable & (seen.spread < MAX_SPREAD)
    targets = table.at(rest)[usable]
    place = similarity(seen.positions[usable], targets)
    source = source.placed(place.scale, place.rotation, place.translation)
    mask = replace(mask, shape=source.vertices[mask.body])
    points = place.scale * seen.positions[usable] @ place.rotation.T + place.translation

    between = np.concatenate([eye.inside for eye in rims.eyes])
    skin = model.triangles[~np.isin(model.triangles, between).any(axis=1)]
    head = Skin(rest, skin, rim_labels(rest, skin, rims))
    coarse = register(mask, mask.shape, head, rims, points, targets)
    labels = rim_labels(mask.refine(mask.shape), mask.triangles, mask.rims)
    pairs = nearest_points(head, Skin(mask.refine(coarse), mask.triangles, labels))
    return Registration(source, mask, coarse, rest, rims, skin, pairs)


def carry_over(registration: Registration, model: MorphableModel) -> ExpressionBasis:
    """Carry the keys of a registered head over to the model."""
    rest, rims, mask = registration.rest, registration.rims, registration.mask
    fine = (mask.fine(delta).astype(np.float64) for delta in registration.source.deltas)
    shape = mask.refine(mask.shape)
    carried = transfer(shape, mask.triangles, fine, registration.pairs, rest, registration.skin)
    left, right = (make_closure(eye, rest, model.triangles, lid=True) for eye in rims.eyes)
    mouth = make_closure(rims.mouth, rest, model.triangles, lid=False)
    dense = list(_symmetric(list(carried), model.mirror_indices))
    relax = _relaxing(registration.skin, lone_vertices(model))
    for delta in dense:
        relax(delta)
        left.fill_inside(delta)
        right.fill_inside(delta)
    kept = {name: _touched(eye) for name, eye in zip(BLINKS, (left, right), strict=True)}
    keys = KeyDeltas.from_dense(dense, {**kept, CLOSE: _touched(mouth)})
    stretch = make_local_stretch(rest, np.unique(keys.vertices))
    return ExpressionBasis(keys, (left, right), mouth, stretch)


def symmetric_mean(model: MorphableModel) -> NDArray[np.float64]:
    """(V, 3) mean of the mean head and its mirror image; the vertices without a partner stay."""
    mean, both = model.mean.astype(np.float64), model.mean[model.mirror_indices] * MIRROR
    lone = lone_vertices(model)
    symmetric = (mean + both) / 2
    symmetric[lone] = mean[lone]
    return symmetric


def lone_vertices(model: MorphableModel) -> Int:
    """Vertices beside the corners of the mouth that have no partner on the other side."""
    alone = model.mirror_indices == np.arange(len(model.mean))
    return np.flatnonzero(alone & (np.abs(model.mean[:, 0]) > MIDLINE))


def _symmetric(deltas: list[Float], partners: Int) -> Iterator[Float]:
    """Each key as the mean of itself and the mirror image of its partner."""
    names = list(EXPRESSION_NAMES)
    for expression, delta in zip(EXPRESSIONS, deltas, strict=True):
        other = deltas[names.index(expression.mirrored)]
        yield (delta + other[partners] * MIRROR) / 2


def _relaxing(triangles: Int, lone: Int) -> Callable[[Float], None]:
    """Return gives lone vertices the mean of their neighbours' deltas, which are symmetric, in
    place.
    """
    n = int(triangles.max()) + 1
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    near = pairs[np.isin(pairs[:, 0], lone)]
    joined = np.zeros((len(lone), n))
    joined[np.searchsorted(lone, near[:, 0]), near[:, 1]] = 1
    rows = joined / joined.sum(axis=1, keepdims=True)
    others = np.setdiff1d(np.flatnonzero(joined.any(axis=0)), lone)
    solve = np.linalg.inv(np.eye(len(lone)) - rows[:, lone]) @ rows[:, others]

    def relax(delta: Float) -> None:
        delta[lone] = solve @ delta[others]

    return relax


def _touched(closure: Closure) -> Int:
    return np.concatenate([closure.around, closure.inside])
