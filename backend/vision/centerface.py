"""CenterFace behind one call: a picture in, boxes and five points of faces out."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.errors import MissingAssetError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Image = NDArray[np.uint8]
Float = NDArray[np.float64]

INPUT = "input.1"
# Its answers lie on a grid of this many pixels; its pictures have sides that are multiples of 32.
STRIDE, MULTIPLE = 4, 32
# The file declares its input as 10x3x32x32, though the network takes any size. The same bytes with
# a name instead of a number for all but the channels let it.
DECLARED = b"\n\x02\x08\x0a" + b"\n\x02\x08\x03" + 2 * b"\n\x02\x08\x20"
ANY_SIZE = b"\n\x02\x12\x00" + b"\n\x02\x08\x03" + 2 * b"\n\x02\x12\x00"
THREADS = 2
# Boxes that share more than this (intersection over union) are one face.
SAME = 0.3


@dataclass(frozen=True)
class Candidate:
    """What may be a face.

    Attributes
    ----------
    score
        0 to 1.
    centre
        (2,) x, y in pixels of the middle of its box, which reaches from forehead to chin.
    size
        The longer side of its box in pixels.
    points
        (5, 2) x, y in pixels: the eye on the face's right side, the other one, the tip of the
        nose, the right and the left corner of the mouth.
    """

    score: float
    centre: Float
    size: float
    points: Float

    def carried(self, affine: NDArray[np.floating]) -> Candidate:
        """Return the same face through a (2, 3) similarity."""
        linear, shift = affine[:, :2], affine[:, 2]
        scale = float(np.sqrt(abs(np.linalg.det(linear))))
        return Candidate(
            self.score,
            linear @ self.centre + shift,
            self.size * scale,
            self.points @ linear.T + shift,
        )


class CenterFace:
    """Finds faces of 12 pixels and more, profiles as well as frontal ones.

    It is opened when it is first asked, and may be asked from any thread.

    Parameters
    ----------
    model_path
        ``centerface.onnx``.

    Raises
    ------
    MissingAssetError
        The file is missing, or, with the first picture, damaged.
    """

    def __init__(self, model_path: Path) -> None:
        if not model_path.is_file():
            raise MissingAssetError(
                f"The face detector's model {model_path} is missing.",
                "Run `synergyface assets fetch`.",
            )
        self._path = model_path
        # Read now: by the time that it is needed the file may be gone.
        self._content = model_path.read_bytes()
        self._opening = threading.Lock()
        self._session: InferenceSession | None = None

    def find(self, view: Image, least: float) -> list[Candidate]:
        """Find upright faces, the surest first.

        Parameters
        ----------
        view
            (H, W, 3) uint8 RGB. Faces of 20 to 100 pixels are found best, and nearly all of them
            by a score above 0.5; those that lean by up to 45 degrees mostly so.
        least
            Score from which they count.
        """
        return self.find_each(view[None], least)[0]

    def find_each(self, views: Image, least: float) -> list[list[Candidate]]:
        """Find faces as `find` does, in (N, H, W, 3) pictures of one size at once."""
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in views.shape[1:3])
        pixels = np.zeros((len(views), 3, height, width), np.float32)
        pixels[:, :, : views.shape[1], : views.shape[2]] = views.transpose(0, 3, 1, 2)
        answers = self._opened().run(None, {INPUT: pixels})
        return [_candidates(*maps, least=least) for maps in zip(*answers, strict=True)]

    def _opened(self) -> InferenceSession:
        with self._opening:
            if self._session is None:
                self._session = _open(self._content, self._path)
                self._content = b""
        return self._session


def _open(content: bytes, path: Path) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3
    # Its arena would keep what the largest picture needed, and idle threads would wait for work
    # while MediaPipe, which runs beside it, needs their cores.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        if content.count(DECLARED) != 1:
            raise ValueError("it declares another input")
        return onnxruntime.InferenceSession(
            content.replace(DECLARED, ANY_SIZE), options, providers=["CPUExecutionProvider"]
        )
    # onnxruntime's own exceptions share no base.
    except Exception as error:
        raise MissingAssetError(
            f"The face detector's model {path} is damaged.",
            "Run `synergyface assets fetch` to fetch it again.",
        ) from error


def _threads() -> int:
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(THREADS, int(limit))) if limit.isdigit() else THREADS


def _candidates(
    heat: NDArray[np.float32],
    size: NDArray[np.float32],
    offset: NDArray[np.float32],
    points: NDArray[np.float32],
    least: float,
) -> list[Candidate]:
    """Return faces from (1 | 2 | 2 | 10, h, w) maps, in which y comes before x."""
    row, column = np.nonzero(heat[0] > least)
    order = np.argsort(-heat[0, row, column], kind="stable")
    at = row[order], column[order]
    extent = np.exp(size[:, *at].astype(np.float64)) * STRIDE
    middle = (np.stack(at) + offset[:, *at].astype(np.float64) + 0.5) * STRIDE - 0.5
    corner = middle - extent / 2
    five = points[:, *at].astype(np.float64).reshape(5, 2, -1) * extent + corner
    found: list[Candidate] = []
    kept: list[int] = []
    for i in range(len(order)):
        if all(
            _shared(corner[:, i], extent[:, i], corner[:, k], extent[:, k]) < SAME for k in kept
        ):
            kept.append(i)
            found.append(
                Candidate(
                    float(heat[0, at[0][i], at[1][i]]),
                    middle[::-1, i],
                    float(extent[:, i].max()),
                    five[:, ::-1, i],
                )
            )
    return found


def _shared(corner: Float, extent: Float, other: Float, other_extent: Float) -> float:
    """Return the intersection over union of two boxes."""
    sides = np.minimum(corner + extent, other + other_extent) - np.maximum(corner, other)
    shared = float(np.prod(np.clip(sides, 0, None)))
    return shared / float(np.prod(extent) + np.prod(other_extent) - shared)
