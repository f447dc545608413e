"""Teeth, gums, tongue and cavity put behind a person's lips, and moved by the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.head.cavity import cavity_mesh, lip_loop
from backend.head.jaw import JawMotion
from backend.head.parts import Deltas, Part, moving
from backend.head.teeth import LOWER, UPPER, Arch, Mesh, arch_front, arch_gums, arch_teeth
from backend.head.textures import BANDS, into_band
from backend.head.tongue import tongue_mesh
from backend.morphable_model.model import LOWER_LIP, UPPER_LIP, MorphableModel

Float = NDArray[np.floating]

# Millimetres. The plane in which the molars meet is so far below the line between the lips; the
# jaw hangs a little, as it does in a relaxed face.
PLANE, HANGS = -1.5, 1.4
# Lips are at least so thick over the teeth, and teeth at rest so far behind the lips' rims.
LIP_THICKNESS, BEHIND = 0.9, 4.0
# The keys can set the arches back by so much; lips that would go further are let through.
MOST_BACK = 9.0
# Measures grow with the mouth's width, but less.
SIZES, SIZE_EXPONENT = (0.92, 1.08), 0.5
# The lips and their surroundings, from the line between them: half width, up and down.
LIP_ZONE = (30.0, 16.0, 18.0)
CORNERS = (48, 54)
TONGUE_OUT = "tongueOut"


@dataclass(frozen=True)
class MouthShape:
    """What is the same for everybody.

    Attributes
    ----------
    loop
        (78,) the lips' inner rims.
    lips
        (M,) vertices that teeth could come through.
    middle
        (6,) vertices of the rims' middles.
    corners
        (2,) vertices, and their distance in the mean, `width`.
    """

    loop: NDArray[np.int64]
    lips: NDArray[np.int64]
    middle: NDArray[np.int64]
    corners: NDArray[np.int64]
    width: float


@dataclass(frozen=True)
class MouthPlace:
    """From the mouth's frame to the model's: scaled about its origin, then moved."""

    origin: Float
    scale: float

    def placed(self, points: Float) -> Float:
        return points * self.scale + self.origin

    def seen(self, points: Float) -> Float:
        """Points of the model frame in the mouth's."""
        return (points - self.origin) / self.scale


def mouth_shape(model: MorphableModel) -> MouthShape:
    """Find the lips in the mean shape."""
    marks = model.landmark_indices
    middle, corners = marks[[*UPPER_LIP, *LOWER_LIP]], marks[[*CORNERS]]
    away = model.mean - model.mean[middle].mean(axis=0)
    wide, up, down = LIP_ZONE
    zone = (np.abs(away[:, 0]) < wide) & (away[:, 1] < up) & (away[:, 1] > -down)
    lips = np.flatnonzero(zone & (away[:, 2] > -wide))
    width = float(np.linalg.norm(np.diff(model.mean[corners], axis=0)))
    return MouthShape(
        lip_loop(model), lips, middle.astype(np.int64), corners.astype(np.int64), width
    )


def place_mouth(
    neutral: Float, shape: MouthShape, deltas: Deltas, jaw: Mapping[str, JawMotion]
) -> MouthPlace:
    """Put the arches as far forwards as the lips allow, at rest and with each key at 1."""
    width = float(np.linalg.norm(np.diff(neutral[shape.corners], axis=0)))
    scale = float(np.clip((width / shape.width) ** SIZE_EXPONENT, *SIZES))
    origin = neutral[shape.middle].astype(np.float64).mean(axis=0)
    out = UPPER.crowns[0].depth / 2
    origin += (0, PLANE, -BEHIND - scale * out)
    place = MouthPlace(origin, scale)
    lips = neutral[shape.lips].astype(np.float64)
    back = _set_back(place.seen(lips))
    for name, delta in deltas.items():
        moved = lips + delta[shape.lips]
        lower = jaw[name].delta(lips) if name in jaw else 0.0
        back = max(back, _set_back(place.seen(moved), place.seen(moved - lower)))
    back = min(back, MOST_BACK)
    return MouthPlace(origin - (0, 0, back * scale), scale)


def _set_back(lips: Float, beside_jaw: Float | None = None) -> float:
    """How far both arches must go back for lips in the mouth's frame to be in front of them.

    Parameters
    ----------
    beside_jaw
        The same lips as the moved lower jaw sees them.
    """
    most = 0.0
    for arch, points in ((UPPER, lips), (LOWER, lips if beside_jaw is None else beside_jaw)):
        height = arch.up * (points[:, 1] + (0 if arch.up > 0 else HANGS))
        over = (height > -arch.overlap) & (height < arch.crowns[0].height + 3)
        reach = arch_front(arch, points[over, 0]) + LIP_THICKNESS - points[over, 2]
        most = max(most, float(reach.max(initial=0)))
    return most


def mouth_parts(
    neutral: Float, shape: MouthShape, deltas: Deltas, jaw: Mapping[str, JawMotion]
) -> list[Part]:
    """Teeth, gums, tongue and cavity of a person.

    Parameters
    ----------
    neutral, deltas
        The face and its keys, (V, 3) each.
    jaw
        How keys move the jaw.
    """
    place = place_mouth(neutral, shape, deltas, jaw)
    parts = []
    for arch, side in ((UPPER, "upper"), (LOWER, "lower")):
        for name, mesh in (("teeth", arch_teeth(arch)), ("gums", arch_gums(arch))):
            parts.append(_rigid(f"{name}_{side}", name, mesh, arch, place, jaw))
    return [*parts, _tongue(place, jaw), _cavity(place, neutral, shape, deltas, jaw)]


def _rigid(
    name: str, band: str, mesh: Mesh, arch: Arch, place: MouthPlace, jaw: Mapping[str, JawMotion]
) -> Part:
    vertices, uv, faces = mesh
    hangs = 0 if arch.up > 0 else HANGS
    at = place.placed(vertices - (0, hangs, 0))
    moved = {} if arch.up > 0 else {key: motion.delta(at) for key, motion in jaw.items()}
    return Part(
        name, at.astype(np.float32), faces, into_band(uv, BANDS[band]), "mouth", moving(moved)
    )


def _tongue(place: MouthPlace, jaw: Mapping[str, JawMotion]) -> Part:
    (vertices, uv, faces), out = tongue_mesh()
    at = place.placed(vertices - (0, HANGS, 0))
    # Its root is halfway between skull and jaw.
    share = np.clip(0.5 + 0.5 * uv[:, 1:] / 0.4, 0, 1)
    moved = {key: share * motion.delta(at) for key, motion in jaw.items()}
    moved[TONGUE_OUT] = place.scale * out
    return Part(
        "tongue",
        at.astype(np.float32),
        faces,
        into_band(uv, BANDS["tongue"]),
        "mouth",
        moving(moved),
    )


def _cavity(
    place: MouthPlace,
    neutral: Float,
    shape: MouthShape,
    deltas: Deltas,
    jaw: Mapping[str, JawMotion],
) -> Part:
    lips = neutral[shape.loop].astype(np.float64)
    vertices, uv, faces, with_lips, with_jaw = cavity_mesh(place.seen(lips))
    at = place.placed(vertices)
    rings = -(-len(at) // len(lips))
    moved = {}
    for name, delta in deltas.items():
        of_lips = np.tile(delta[shape.loop], (rings, 1))[: len(at)]
        move = with_lips[:, None] * of_lips
        if name in jaw:
            move = move + ((1 - with_lips) * with_jaw)[:, None] * jaw[name].delta(at)
        moved[name] = move
    return Part(
        "cavity",
        at.astype(np.float32),
        faces,
        into_band(uv, BANDS["cavity"]),
        "mouth",
        moving(moved),
    )
