"""Teeth, gums, tongue and cavity put behind a person's lips, and moved by the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
Int = NDArray[np.integer]

# Millimetres. The plane in which the molars meet is so far below the line between the lips; the
# jaw hangs a little, as it does in a relaxed face.
PLANE, HANGS = -1.5, 1.4
# Lips are at least so thick over the teeth, and teeth at rest so far behind the lips' rims.
LIP_THICKNESS, BEHIND = 0.9, 4.0
# Gums are so much thicker than the teeth's front, and so high is what of them lips touch.
GUM_THICKNESS, GUM_HEIGHT = 1.0, 4.0
# Any key can set the arches back for good by so much.
MOST_BACK = 2.5
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
    """From the mouth's frame to the model's: scaled about its origin, then moved.

    Attributes
    ----------
    retreats
        By key: (2,) millimetres by which it moves the upper and the lower arch back.
    """

    origin: Float
    scale: float
    retreats: Mapping[str, Float] = field(default_factory=dict)

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
    """Put the arches as far forwards as the lips allow, at rest and with each key at 1.

    Keys that move lips further in than teeth can be set back for good, as those that roll lips
    over the teeth, set them back themselves: the teeth are out of sight then.
    """
    width = float(np.linalg.norm(np.diff(neutral[shape.corners], axis=0)))
    scale = float(np.clip((width / shape.width) ** SIZE_EXPONENT, *SIZES))
    origin = neutral[shape.middle].astype(np.float64).mean(axis=0)
    out = UPPER.crowns[0].depth / 2
    place = MouthPlace(origin + np.array([0, PLANE, -BEHIND - scale * out]), scale)
    lips = neutral[shape.lips].astype(np.float64)
    needs = {}
    for name, delta in deltas.items():
        moved = lips + delta[shape.lips]
        lower = jaw[name].delta(lips) if name in jaw else 0.0
        needs[name] = np.array(_set_back(place.seen(moved), place.seen(moved - lower)))
    rest = max(_set_back(place.seen(lips)))
    back = max([rest, *(min(need.max(), MOST_BACK) for need in needs.values())])
    retreats = {name: scale * (need - back) for name, need in needs.items() if need.max() > back}
    return MouthPlace(place.origin - (0, 0, back * scale), scale, retreats)


def _set_back(upper_sees: Float, lower_sees: Float | None = None) -> tuple[float, float]:
    """How far each arch must go back for lips in the mouth's frame to be in front of it.

    Parameters
    ----------
    upper_sees, lower_sees
        (M, 3) the same lips as the skull and as the moved jaw see them.
    """
    lower_sees = upper_sees if lower_sees is None else lower_sees
    return _beyond(UPPER, upper_sees), _beyond(LOWER, lower_sees + np.array([0, HANGS, 0]))


def _beyond(arch: Arch, lips: Float) -> float:
    height, crown = arch.up * lips[:, 1], arch.crowns[0].height
    over = (height > -arch.overlap) & (height < crown + GUM_HEIGHT)
    lips, thick = lips[over], np.where(height[over] > crown - 1, GUM_THICKNESS, 0)
    reach = arch_front(arch, lips[:, 0]) + LIP_THICKNESS + thick - lips[:, 2]
    return float(reach.max(initial=0))


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
    lower = arch.up < 0
    at = place.placed(vertices - (0, HANGS * lower, 0))
    moved = {key: motion.delta(at) for key, motion in jaw.items()} if lower else {}
    for key, back in place.retreats.items():
        step = np.array([0, 0, -max(back[int(lower)], 0.0)])
        moved[key] = moved.get(key, np.zeros_like(at)) + step
    return _part(name, at, uv, faces, band, moved)


def _part(name: str, at: Float, uv: Float, faces: Int, band: str, moved: Deltas) -> Part:
    uv = into_band(uv, BANDS[band])
    return Part(name, at.astype(np.float32), faces, uv, "mouth", moving(moved))


def _tongue(place: MouthPlace, jaw: Mapping[str, JawMotion]) -> Part:
    (vertices, uv, faces), out = tongue_mesh()
    at = place.placed(vertices - (0, HANGS, 0))
    # Its root is halfway between skull and jaw.
    share = np.clip(0.5 + 0.5 * uv[:, 1:] / 0.4, 0, 1)
    moved = {key: share * motion.delta(at) for key, motion in jaw.items()}
    moved[TONGUE_OUT] = place.scale * out
    return _part("tongue", at, uv, faces, "tongue", moved)


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
    return _part("cavity", at, uv, faces, "cavity", moved)
