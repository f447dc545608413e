"""The cover network at work, in onnxruntime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from backend.engines.sessions import open_session
from backend.errors import MissingAssetError
from backend.texture.filters import disk, resize, smoothstep

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Float = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("covers.safetensors")
GRAPH = WEIGHTS.with_suffix(".onnx")
# Texels on each side of what the network sees.
SIZE = 96
INPUTS, OUTPUT = ("colors", "seen"), "covered"
ARCHITECTURE_KEY = "architecture"

# Probability from which a cover is suspected, and from which it is certain.
SUSPECTED, CERTAIN = 0.35, 0.6
# Texels of the small pictures: of specks that are let be, and that are given up around a cover.
SPECK, MARGIN = 3, 5


@dataclass(frozen=True)
class CoverFinder:
    """Finds what lies before the face.

    Attributes
    ----------
    session
        The network's graph with its weights.
    """

    session: InferenceSession

    @classmethod
    def load(cls) -> CoverFinder:
        """Load the shipped network.

        Raises
        ------
        MissingAssetError
            Its files are absent or damaged.
        """
        try:
            arrays = read_weights(WEIGHTS)[1]
            return cls(open_session(GRAPH, arrays, enable_cpu_mem_arena=False))
        except (ValueError, OSError) as error:
            raise MissingAssetError(
                f"The network that finds covers, {WEIGHTS}, cannot be used: {error}.",
                "Reinstall SynergyFace, or choose the texture mode `photo`, which needs none.",
            ) from error

    def find(self, sampled: Float, visible: Float) -> Float:
        """Find a hand, a mask, sunglasses, and whatever else is not of the person's face.

        Parameters
        ----------
        sampled
            (S, S, 3) RGB in [0, 1], a picture's colour at every texel.
        visible
            (M, M) weight with which the camera sees the surface.

        Returns
        -------
        (M, M) 1 where something certainly covers the face, 0 where the picture shows the face.
        """
        covered = resize(self.probability(sampled, visible), *visible.shape)
        covered = smoothstep(SUSPECTED, CERTAIN, covered)
        # Opening lets glints and single hairs be.
        covered = cv2.morphologyEx(covered, cv2.MORPH_OPEN, disk(SPECK))
        covered = cv2.dilate(covered, disk(MARGIN))
        return np.asarray(cv2.GaussianBlur(covered, (0, 0), MARGIN / 2), np.float32)

    def probability(self, sampled: Float, visible: Float) -> Float:
        """(SIZE, SIZE) probability of a cover; arguments as for `find`."""
        colors = resize(np.clip(sampled, 0, 1), SIZE, SIZE)
        given = (colors[None], resize(visible, SIZE, SIZE)[None])
        (logits,) = self.session.run([OUTPUT], dict(zip(INPUTS, given, strict=True)))
        return 1 / (1 + np.exp(-np.asarray(logits, np.float32)[0].clip(-30, 30)))


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the fields of the network's architecture, and its arrays.

    Raises
    ------
    ValueError
        The file is absent, damaged, or holds something else.
    """
    try:
        with safe_open(path, framework="np") as stored:
            architecture = json.loads(stored.metadata()[ARCHITECTURE_KEY])
            return architecture, {n: stored.get_tensor(n) for n in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
