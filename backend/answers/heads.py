"""Whole heads as they cross the wire: named keys, and parts beside the face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.answers.pictures import encode_png
from backend.exchange import contract
from backend.exchange.expressions import EXPRESSION_NAMES
from backend.exchange.orders import Parts
from backend.geometry.camera import blender_from_model
from backend.head.parts import STILL, Deltas, Part
from backend.head.whole import whole_head

if TYPE_CHECKING:
    from backend.head.dressed import DressedHead, HeadMaker

# Vertices of the face that eyeballs take the place of.
EYE_PATCHES = "eye_patches"
# The face's own material, whose picture is the face's texture.
SKIN = "skin"


def static_parts(maker: HeadMaker) -> dict[str, contract.StaticPart]:
    """Return what parts of all heads have in common."""
    mean = whole_head(maker.model, maker.shape, maker.model.mean, {})
    return {part.name: _static_part(part) for part in mean.parts}


def eye_patches(maker: HeadMaker) -> NDArray[np.uint8]:
    """(V,) uint8: 255 for the vertices that no triangle needs that is drawn with eyes."""
    model = maker.model
    hidden = np.zeros(len(model.triangles), bool)
    for patch in maker.shape.patches:
        hidden[patch.triangles] = True
    weights = np.zeros(len(model.mean), np.uint8)
    weights[model.triangles[hidden]] = 255
    weights[model.triangles[~hidden]] = 0
    return weights


def whole_answer(head: DressedHead, parts: Parts) -> contract.WholeHead:
    """Return a person's head; `parts` "face" leaves the parts out and keeps the keys."""
    shown = head.whole.parts if parts == "head" else ()
    materials = {part.material for part in shown} - {SKIN}
    return contract.WholeHead(
        _named_keys(head.deltas, EXPRESSION_NAMES),
        {
            part.name: contract.PartShape(
                blender_from_model(part.vertices), _named_keys(part.deltas, tuple(part.deltas))
            )
            for part in shown
        },
        {name: encode_png(head.textures[name]) for name in sorted(materials)},
    )


def amounts_of(head: DressedHead) -> NDArray[np.float32]:
    """(52,) the photo's expression in the named keys."""
    return np.array([head.amounts.get(name, 0.0) for name in EXPRESSION_NAMES], np.float32)


def _static_part(part: Part) -> contract.StaticPart:
    quads = part.faces[:, 2] != part.faces[:, 3]
    kept = np.ones(part.faces.shape, bool)
    kept[~quads, 3] = False
    return contract.StaticPart(
        np.asarray(part.faces[kept], np.int32),
        np.where(quads, 4, 3).astype(np.int32),
        np.asarray(part.uv, np.float32),
        part.material,
    )


def _named_keys(deltas: Deltas, names: tuple[str, ...]) -> contract.NamedKeys:
    moved = [np.flatnonzero(np.abs(deltas[name]).max(axis=1) > STILL) for name in names]
    if not moved:
        return contract.NO_KEYS
    offsets = [deltas[name][rows] for name, rows in zip(names, moved, strict=True)]
    return contract.NamedKeys(
        names,
        np.cumsum([0, *map(len, moved)]).astype(np.int32),
        np.concatenate(moved).astype(np.int32),
        blender_from_model(np.concatenate(offsets).astype(np.float32)),
    )
