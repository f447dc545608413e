"""The mean face's colour map: what a texture shows where a photo shows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from backend.data_folder import atomic_path
from backend.errors import BadInputError
from backend.morphable_model.boxes import RoiBoxes
from backend.morphable_model.model import MorphableModel
from backend.morphable_model.parameters import FaceParameters
from backend.texture import blend, regions, skin
from backend.texture.unwrap import unwrap
from backend.texture.uv_map import UvMap
from backend.texture.visibility import visibility
from backend.vision.images import read_image

Float = NDArray[np.float32]

SIZE = 512
# Names under which fit files hold the 62 parameters, in order of preference.
PARAMETER_NAMES = ("params", "mb05_params")
# Stricter than for one photo: most people have hair at the temples, so it would win on average.
CERTAINLY_NOT_SKIN = 1.5
# Texels that are given up around what is not skin.
MASK_MARGIN = 4
# Share of the photos that must show a texel before their mean counts for more than that of its
# surroundings. What few photos show is mostly beard and shadow under the chin.
ENOUGH = np.float32(0.1)
FIRST_PASS_STEP = 5
# Share of the hue's departure from the cheeks that is taken over, and the logarithm to which light
# may fall off, outside of the features.
HUE_VARIATION = np.float32(0.15)
DEEPEST_SHADE = np.float32(0.05)


@dataclass(frozen=True)
class FittedPhoto:
    """A photo, and the 62 parameters of its face in the crop frame of a box (x0, y0, x1, y1)."""

    path: Path
    parameters: Float
    box: Float

    def vertices_image(self, model: MorphableModel) -> Float:
        """(V, 3) vertices in the photo's image frame."""
        roi_box = RoiBoxes.from_corners(self.box)
        return FaceParameters(self.parameters).vertices_image(model, roi_box)


def read_fits(folder: Path, fits: Path) -> list[FittedPhoto]:
    """Photos of a folder with the parameters that an ``.npz`` (names, boxes, params) holds.

    Raises
    ------
    BadInputError
        The file cannot be read or lacks an array.
    """
    try:
        with np.load(fits, allow_pickle=False) as stored:
            key = next(name for name in PARAMETER_NAMES if name in stored.files)
            rows = zip(stored["names"], stored[key], stored["boxes"], strict=True)
            return [FittedPhoto(folder / str(name), p, box) for name, p, box in rows]
    except (OSError, KeyError, ValueError, StopIteration) as error:
        raise BadInputError(
            f"Cannot use {fits}: {error}.", "It must be an .npz with names, boxes and params."
        ) from error


def build_mean_texture(
    model: MorphableModel, photos: Sequence[FittedPhoto], size: int = SIZE
) -> NDArray[np.uint8]:
    """Average the textures of many people.

    Colours are averaged as logarithms relative to each person's own skin, so neither light nor
    complexion weighs in. Only plain skin counts, and the features of the face. The second pass
    leaves out what departs from the result of the first, such as beards and glasses.

    Returns
    -------
    (size, size, 3) RGB, symmetric, row 0 is v = 1; smooth skin where no photo shows the surface.
    """
    uv_map = UvMap.of(model, size)
    mean, _ = _average(model, uv_map, photos[::FIRST_PASS_STEP], None, "first pass")
    mean, tone = _average(model, uv_map, photos, mean, "second pass")
    features = uv_map.spread(regions.features(model)[:, None])[..., 0]
    color = skin.color_from_log(_like_skin(mean, features) + tone)
    return np.round(np.clip(color, 0, 1) * 255).astype(np.uint8)


def write_mean_texture(picture: NDArray[np.uint8], path: Path) -> None:
    """Store the colour map as a PNG."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, optimize=True)


def _average(
    model: MorphableModel,
    uv_map: UvMap,
    photos: Sequence[FittedPhoto],
    expected: Float | None,
    title: str,
) -> tuple[Float, Float]:
    """Mean of the textures' logarithms relative to their skin, and the median of that skin.

    Texels that depart from `expected`, if given, are left out.
    """
    total = np.zeros((uv_map.size, uv_map.size, 4), np.float32)
    tones = []
    features, cheeks = np.moveaxis(
        uv_map.spread(np.stack([regions.features(model), regions.cheeks(model)], axis=1)), -1, 0
    )
    for photo in tqdm(photos, title, disable=None):
        image, vertices = read_image(photo.path), photo.vertices_image(model)
        logs = skin.log_color(unwrap(image, vertices, uv_map))
        seen = visibility(vertices, model, image.shape[:2])
        weights = uv_map.spread(seen[:, None])[..., 0]
        plain = cheeks * weights > 0.5
        if not plain.any():
            continue
        tone = np.median(logs[plain], axis=0)
        relative = logs - tone
        likelihood = skin.skin_likelihood(relative, np.zeros(3, np.float32), CERTAINLY_NOT_SKIN)
        weights = weights * np.maximum(features, skin.shrink_region(likelihood, MASK_MARGIN))
        if expected is not None:
            weights = weights * skin.skin_likelihood(relative, expected)
        total += weights[..., None] * np.dstack([relative, np.ones_like(weights)])
        tones.append(tone)
    if not tones:
        raise BadInputError("No photo shows a face's cheeks.", "Check the fitted parameters.")
    return _symmetric_mean(uv_map, total / np.float32(2 * len(tones))), np.median(
        tones, axis=0
    ).astype(np.float32)


def _like_skin(mean: Float, features: Float) -> Float:
    """Hold what isn't a feature of the face nearer to plain skin.

    Stubble and hair that pass for shaded skin leave a grey cast, while the hue of real skin
    hardly varies; its light varies, but not down to that of hair.
    """
    light = mean.mean(axis=2, keepdims=True)
    plain = np.maximum(light, -DEEPEST_SHADE) + HUE_VARIATION * (mean - light)
    return blend.mix(plain, mean, features)


def _symmetric_mean(uv_map: UvMap, total: Float) -> Float:
    """Mean over both halves; where hardly anything was seen, that of the surroundings.

    The last channel of `total` is the sum of the weights over both halves, at most 1.
    """
    total = total + uv_map.mirror(total)
    weight = total[..., 3]
    mean = total[..., :3] / np.maximum(weight, 1e-6)[..., None]
    return blend.extend(mean, weight / (weight + ENOUGH))
