"""Render and compare: a head textured from a turned view, seen as the photo saw it.

The frontal photo is withheld: the texture is made from the turned view alone, laid on the fitted
head, drawn in the photo's own pose without further light, and compared with the photo where that
shows the face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.exchange.contract import TextureMode
from backend.geometry.rasterizer import interpolate, rasterize
from backend.morphable_model.boxes import RoiBox
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.texture.baker import TextureBaker
from backend.texture.filters import sample
from backend.texture.uv_map import texel_position
from backend.vision.crop import crop
from backend.vision.images import read_image
from training.data.fitted_photos import FittedPhotos
from training.data.profiling.mouth import MouthInside
from training.data.profiling.turn import photo_face, turn
from training.data.shards import CONTEXT
from training.evaluation.tables import Table
from training.evaluation.textures.completion import KNOWN_ABOVE
from training.evaluation.textures.metrics import psnr, ssim
from training.texture_gan.pairs import Pairs

Float = NDArray[np.float32]
Image = NDArray[np.uint8]

# Pixels of the compared pictures, and of the turned views' sides for each of them.
SIZE = 256
VIEW_PIXELS = 1.5


@dataclass(frozen=True)
class PosedPhoto:
    """A photo with a fitted head.

    Attributes
    ----------
    image
        (H, W, 3) uint8 RGB.
    parameters, box
        (62,) in the crop frame of the box.
    """

    image: Image
    parameters: Float
    box: RoiBox

    @property
    def face(self) -> FaceParameters:
        """The parameters."""
        return FaceParameters(self.parameters)

    def vertices(self, model: MorphableModel) -> Float:
        """(V, 3) image frame."""
        return self.face.vertices_image(model, self.box)


def photo_of(sets: list[FittedPhotos], pairs: Pairs, row: int) -> PosedPhoto:
    """The photo from which a pair was made.

    Raises
    ------
    BadInputError
        It is in none of the sets.
    """
    source, name = str(pairs.sources[row]), str(pairs.names[row])
    for photos in sets:
        found = np.flatnonzero(photos.names == name) if photos.source == source else []
        if len(found):
            index = int(found[0])
            box = photos.roi_boxes[index]
            return PosedPhoto(read_image(photos.folder / name), photos.parameters[index], box)
    raise BadInputError(
        f"The recipe has no photo {name} of the set {source}.",
        "Give the recipe that the pairs were made with.",
    )


def turned_photo(model: MorphableModel, photo: PosedPhoto, yaw: float) -> PosedPhoto:
    """The photo's face turned to another yaw, in degrees."""
    pixels = round(VIEW_PIXELS * SIZE * CONTEXT)
    face = photo_face(model, photo.image, photo.parameters, photo.box, pixels)
    view = turn(model, MouthInside.of(model), face, yaw, 0.0)
    return PosedPhoto(view.picture, view.parameters, view.box)


def render_over(
    model: MorphableModel, photo: PosedPhoto, textures: list[Image], known: Image
) -> tuple[list[Float], NDArray[np.bool_]]:
    """The textured head in a photo's pose, in its crop.

    Parameters
    ----------
    textures
        (S, S, 3) each.
    known
        (S', S'), 255 where the photo shows the texture.

    Returns
    -------
    For each texture (256, 256, 3) float32 in [0, 1], and (256, 256) bool, where it is compared.
    """
    step = SIZE / photo.box.side
    corner = np.array([*photo.box.corners[:2], 0], np.float32)
    placed = ((photo.vertices(model) - corner) * np.float32(step)).astype(np.float32)
    fragments = rasterize(placed, model.triangles, SIZE, SIZE)

    def drawn(texture: Image) -> Float:
        position = interpolate(fragments, model.triangles, texel_position(model.uv, len(texture)))
        return sample(texture, position) / np.float32(255)

    face = fragments.covered & (drawn(known) > KNOWN_ABOVE)
    return [drawn(texture) for texture in textures], face


def compare_renders(
    baker: TextureBaker, sets: list[FittedPhotos], pairs: Pairs, rows: NDArray[np.intp]
) -> Iterator[dict[TextureMode, tuple[float, float]]]:
    """For each photo, PSNR and SSIM of every mode's texture made from a turned view."""
    for row in map(int, rows):
        photo = photo_of(sets, pairs, row)
        yaw = float(pairs.yaw[row, 1 + row % (pairs.views - 1)])
        view = turned_photo(baker.model, photo, yaw)
        seen = view.vertices(baker.model)
        textures = [baker.bake(view.image, seen, mode) for mode in TextureMode]
        renders, face = render_over(baker.model, photo, textures, pairs.masks[row])
        truth = crop(photo.image, photo.box, SIZE).astype(np.float32) / np.float32(255)
        yield {
            mode: (psnr(render, truth, face), ssim(render, truth, face))
            for mode, render in zip(TextureMode, renders, strict=True)
        }


def render_report(rows: list[dict[TextureMode, tuple[float, float]]]) -> dict[str, Any]:
    """``n``; by mode the means ``psnr`` and ``ssim``."""
    means = {mode: np.nanmean([row[mode] for row in rows], axis=0) for mode in rows[0]}
    return {
        "n": len(rows),
        "modes": {m: {"psnr": float(v[0]), "ssim": float(v[1])} for m, v in means.items()},
    }


def render_table(report: dict[str, Any]) -> Table:
    """The report as a table."""
    rows = tuple((mode, [v["psnr"], v["ssim"]]) for mode, v in report["modes"].items())
    return Table("render over the withheld photo", ("PSNR, dB", "SSIM"), rows)
