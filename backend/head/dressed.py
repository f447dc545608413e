"""A person's whole head with its textures: what is written to files and sent to Blender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.exchange.expressions import EXPRESSION_NAMES
from backend.expressions.basis import ExpressionBasis
from backend.expressions.deltas import KeyDeltas
from backend.expressions.keyed_points import KeyedPoints
from backend.expressions.storage import load_basis
from backend.head.amounts import fit_amounts
from backend.head.iris import eye_texture, find_iris
from backend.head.lid_skin import with_lid_skin
from backend.head.parts import Deltas
from backend.head.scalp import ScalpPainter
from backend.head.storage import load_head_shape
from backend.head.textures import mouth_texture
from backend.head.whole import HeadShape, WholeHead, whole_head
from backend.morphable_model.model import MorphableModel
from backend.texture.mean_face import mean_picture
from backend.tracking.photo_keys import photo_keys
from backend.tracking.rest_faces import load_rest_faces

if TYPE_CHECKING:
    from backend.pipeline import Face

Float = NDArray[np.floating]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class DressedHead:
    """A person's head.

    Attributes
    ----------
    neutral
        (V, 3) float32, the face without expression: millimetres in the model frame.
    deltas
        By the names of the 52 keys: (V, 3) float32, how each at 1 moves the face.
    amounts
        By the same names, the photo's expression, 0 to 1; what is absent is 0.
    whole
        The parts beside the face, with their own deltas.
    textures
        By material, RGB with row 0 at v = 1: ``skin``, the face's texture with skin in place of
        the painted eyes, ``eye``, ``mouth``, ``scalp``.
    shape
        What it shares with every head.
    """

    neutral: Float
    deltas: Deltas
    amounts: Mapping[str, float]
    whole: WholeHead
    textures: Mapping[str, Picture]
    shape: HeadShape

    def face_at(self, amounts: Mapping[str, float]) -> NDArray[np.float32]:
        """(V, 3) face with keys set."""
        face = self.neutral.astype(np.float32, copy=True)
        for name, amount in amounts.items():
            if amount and name in self.deltas:
                face += np.float32(amount) * self.deltas[name]
        return face


class HeadMaker:
    """Makes whole heads; loaded once.

    Parameters
    ----------
    model
        The face model.
    shape
        What every head shares.
    expressions
        The 52 keys.
    """

    def __init__(
        self, model: MorphableModel, shape: HeadShape, expressions: ExpressionBasis
    ) -> None:
        self.model = model
        self.expressions = expressions
        self.shape = shape
        self._scalp = ScalpPainter(shape.skull)
        self._rest_faces = load_rest_faces()

    @classmethod
    def load(cls, model: MorphableModel) -> HeadMaker:
        """Load what `assets fetch` has made.

        Raises
        ------
        MissingAssetError
            It is not there, damaged, or of another version.
        """
        return cls(model, load_head_shape(model), load_basis())

    def of_face(self, face: Face) -> DressedHead:
        """Make the head of a face in a photo, with the photo's expression."""
        return self.make(face.neutral, face.texture, face.head, face.points)

    def make(
        self,
        neutral: Float,
        texture: Picture | None,
        expressed: Float | None = None,
        points: Float | None = None,
    ) -> DressedHead:
        """Make a person's head.

        Parameters
        ----------
        neutral
            As in `DressedHead`.
        texture
            (S, S, 3) RGB of the face, row 0 is v = 1; None if there is none: the other textures
            are then those of a mean face.
        expressed
            (V, 3) the face as the photo shows it, of which the amounts are read off if there are no
            points.
        points
            (478, 3) MediaPipe's in the photo, which say more: x right, y down, z to the viewer.
        """
        keys = self.expressions.of_person(neutral)
        deltas = {name: keys.dense(name) for name in EXPRESSION_NAMES}
        whole = whole_head(self.model, self.shape, neutral, deltas)
        painted = np.concatenate([patch.vertices for patch in self.shape.patches])
        amounts: Mapping[str, float] = {}
        if points is not None:
            amounts = self._read_amounts(neutral, keys, points)
        elif expressed is not None:
            amounts = fit_amounts(neutral, expressed, deltas, painted)
        textures = self.textures(neutral, mean_picture() if texture is None else texture)
        return DressedHead(neutral, deltas, amounts, whole, textures, self.shape)

    def _read_amounts(self, neutral: Float, keys: KeyDeltas, points: Float) -> dict[str, float]:
        keyed = KeyedPoints.of_keys(self.model, self.expressions, neutral, keys)
        amounts = photo_keys(points, keyed, self._rest_faces)
        return dict(zip(EXPRESSION_NAMES, amounts.tolist(), strict=True))

    def without_eyes(self, texture: Picture) -> Picture:
        """Return a face's texture with skin in place of its painted eyes."""
        return with_lid_skin(texture, self.model.uv, self.shape.patches)

    def textures(self, neutral: Float, texture: Picture) -> dict[str, Picture]:
        """Textures of a whole head by material, from that of its face."""
        found = (find_iris(texture, self.model, neutral, p) for p in self.shape.patches)
        # Both eyes are one person's: the one that is seen in more light is seen better.
        iris = max(filter(None, found), key=lambda iris: iris.light, default=None)
        light = 1.0 if iris is None else iris.light
        return {
            "skin": self.without_eyes(texture),
            "eye": eye_texture(iris),
            "mouth": np.rint(mouth_texture() * light).astype(np.uint8),
            "scalp": self._scalp.paint(texture, self.model.uv),
        }
