"""Textures completed from a turned view, against those of the frontal photo.

A turned view shows part of the texture. What it hides and the photo itself shows is measured, on
people whom the training never saw: structure (PSNR, SSIM), fine detail around brows, eyes, nostrils
and lips (`sharpness`), and the colour of the skin of cheeks and forehead (CIEDE2000).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import BadInputError
from backend.morphable_model.model import MorphableModel
from backend.texture import skin
from backend.texture.blend import mix
from backend.texture.fill.network import complete
from backend.texture.mean_face import read_mean_texture
from backend.texture.uv_map import UvMap
from gan_texture.inference import TextureGenerator
from training.data.held_out import are_held_out
from training.evaluation.landmarks.nme import YAW_BINS, yaw_bins
from training.evaluation.tables import Table
from training.evaluation.textures.metrics import (
    color_difference,
    feature_region,
    psnr,
    sharpness,
    skin_region,
    ssim,
)
from training.texture_gan.pairs import MADE, Pairs

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# A texel is hidden if the view gives it less than this weight, known if the photo gives it more.
HIDDEN_BELOW, KNOWN_ABOVE = 0.05, 0.9
# Texels of a region below which a view says nothing of it.
FEWEST_TEXELS = 100
METRICS = ("psnr", "ssim", "sharpness", "color")
NOTHING = (float("nan"), float("nan"), float("nan"), float("nan"))
TITLES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "sharpness": "detail, 1 = photo's",
    "color": "skin, CIEDE2000",
}


@dataclass(frozen=True)
class TurnedView:
    """What one view shows of a texture, and the whole; all float32, colours in [0, 1].

    Attributes
    ----------
    photo
        (S, S, 3) the face's crop.
    filled, believed
        (S, S, 3) and (S, S), see `backend.texture.fill.mirror` and
        `backend.texture.observation.Observation.confidence`.
    truth, known
        (S, S, 3) the photo's own texture; (S, S) bool, where that is known.
    yaw
        Of the view, in degrees.
    """

    photo: Float
    filled: Float
    believed: Float
    truth: Float
    known: Mask
    yaw: float

    @classmethod
    def of(cls, pairs: Pairs, row: int, view: int) -> TurnedView:
        """A view of a photo of some pairs."""
        stored = (
            pairs.photos[row, view],
            pairs.filled[row, view],
            pairs.believed[row, view],
            pairs.textures[row],
            pairs.masks[row],
        )
        photo, filled, believed, truth, mask = (
            np.asarray(array, np.float32) / np.float32(255) for array in stored
        )
        return cls(photo, filled, believed, truth, mask > KNOWN_ABOVE, float(pairs.yaw[row, view]))

    @property
    def hidden(self) -> Mask:
        """(S, S) texels that are judged."""
        return self.known & (self.believed < HIDDEN_BELOW)


Completion = Callable[[TurnedView], Float]


@dataclass(frozen=True)
class Chart:
    """The texture's chart at one size: everything that the simple completions need.

    Attributes
    ----------
    model
        Whose chart it is.
    uv_map
        Its texels on the surface.
    """

    model: MorphableModel
    uv_map: UvMap

    @classmethod
    def of(cls, model: MorphableModel, size: int) -> Chart:
        """Chart of textures of a size."""
        return cls(model, UvMap.of(model, size))

    @cached_property
    def template(self) -> Float:
        """(S, S, 3) the mean face."""
        return read_mean_texture(self.uv_map.size)

    @cached_property
    def skin(self) -> Mask:
        """(S, S) cheeks and forehead."""
        return skin_region(self.model, self.uv_map)

    @cached_property
    def features(self) -> Mask:
        """(S, S) brows, eyes, nostrils and lips."""
        return feature_region(self.model, self.uv_map)

    def relit_template(self, view: TurnedView) -> Float:
        """The mean face in the tone of the skin that a view shows."""
        seen = view.believed > 0.5
        sure = seen & self.skin if (seen & self.skin).any() else seen
        if not sure.any():
            return self.template
        difference = skin.log_color(view.filled[sure]) - skin.log_color(self.template[sure])
        tone = skin.weighted_median(difference, view.believed[sure])
        return skin.scale_color(self.template, np.exp(tone))

    def mirrored(self, view: TurnedView) -> Float:
        """What the view shows of the other half, over the mean face in its tone."""
        shown = np.dstack([view.filled, view.believed])
        other = self.uv_map.mirror(shown)
        unseen = mix(self.relit_template(view), other[..., :3], other[..., 3])
        return mix(unseen, view.filled, view.believed)


def simple_completions(chart: Chart) -> dict[str, Completion]:
    """Ways without training: the template, and the other half."""
    return {
        "template": lambda view: chart.template,
        "template, relit": chart.relit_template,
        "mirrored": chart.mirrored,
        "mirrored, relit": lambda view: view.filled,
    }


def network_completions(name: str, generator: TextureGenerator) -> dict[str, Completion]:
    """A network's own texture, and that fitted to what the view shows, as the backend does it."""

    def made(view: TurnedView) -> Float:
        return np.clip(generator.make(view.photo, view.filled, view.believed), 0, 1)

    def fitted(view: TurnedView) -> Float:
        return np.clip(complete(view.filled, view.believed, view.filled, made(view)), 0, 1)

    return {name: made, f"{name}, fitted": fitted}


def held_out_rows(pairs: Pairs, one_in: int, limit: int | None = None) -> NDArray[np.intp]:
    """Photos of people whom the training leaves out, at most `limit` of them, spread evenly.

    Raises
    ------
    BadInputError
        There is none, or the pairs have no turned views.
    """
    if pairs.views < 2:
        raise BadInputError("The pairs have no turned views.", "Unwrap with --views 2 or more.")
    left_out = are_held_out(pairs.identities, one_in)
    rows = np.flatnonzero(left_out & (pairs.done == MADE))
    if not len(rows):
        raise BadInputError("No person of the pairs is held out.", "Lower --one-in.")
    if limit is None or limit >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, limit).astype(int)]


def turned_view(pairs: Pairs, row: int) -> TurnedView:
    """One turned view of a photo; over all photos, all of them by turns."""
    return TurnedView.of(pairs, row, 1 + row % (pairs.views - 1))


def measure(chart: Chart, view: TurnedView, made: Float) -> tuple[float, float, float, float]:
    """The `METRICS` of a completed texture; NaN where the view hides too little."""
    hidden = view.hidden
    if hidden.sum() < FEWEST_TEXELS:
        return NOTHING
    features, plain = hidden & chart.features, hidden & chart.skin
    return (
        psnr(made, view.truth, hidden),
        ssim(made, view.truth, hidden),
        sharpness(made, view.truth, _enough(features)),
        color_difference(made, view.truth, _enough(plain)),
    )


def texture_report(
    completions: Mapping[str, Completion], chart: Chart, views: Iterable[TurnedView]
) -> dict[str, Any]:
    """Measure ways to complete textures.

    Returns
    -------
    ``n`` and ``count`` (by yaw bin) of the views that hide enough; ``metrics``: by way and metric
    the mean over views, ``all`` and by yaw bin, None where no view says anything.
    """
    yaw: list[float] = []
    rows: list[list[tuple[float, float, float, float]]] = []
    for view in views:
        yaw.append(view.yaw)
        rows.append([measure(chart, view, way(view)) for way in completions.values()])
    values = np.array(rows)
    measured = np.isfinite(values[:, 0, 0])
    bins = yaw_bins(np.array(yaw))
    return {
        "n": int(measured.sum()),
        "count": {b: int((measured & (bins == i)).sum()) for i, b in enumerate(YAW_BINS)},
        "metrics": {
            name: {metric: _means(values[:, way, k], bins) for k, metric in enumerate(METRICS)}
            for way, name in enumerate(completions)
        },
    }


def texture_tables(report: dict[str, Any]) -> list[Table]:
    """A table for each metric."""
    columns = ("all", *YAW_BINS)
    return [
        Table(
            TITLES[metric],
            columns,
            tuple(
                (name, [means[metric][column] for column in columns])
                for name, means in report["metrics"].items()
            ),
        )
        for metric in METRICS
    ]


def _enough(mask: Mask) -> Mask:
    return mask if mask.sum() >= FEWEST_TEXELS else np.zeros_like(mask)


def _means(values: NDArray[np.floating], bins: NDArray[np.intp]) -> dict[str, float | None]:
    parts = {"all": values} | {name: values[bins == i] for i, name in enumerate(YAW_BINS)}
    finite = {name: part[np.isfinite(part)] for name, part in parts.items()}
    return {name: float(part.mean()) if len(part) else None for name, part in finite.items()}
