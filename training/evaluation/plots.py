"""Plots of the reports, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backend.data_folder import atomic_path
from training.evaluation.landmarks.alignment import Alignment
from training.evaluation.landmarks.orientation import Orientation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.floating]

YAW_STEP = 10
# Beyond this many people bars cannot be told apart: the worst are shown.
MOST_PEOPLE = 60


def plot_alignment(alignment: Alignment, folder: Path) -> list[Path]:
    """Write ``ced.png``, ``error_by_yaw.png``, ``refinement.png`` and ``people.png``.

    Plots for which there are no data are left out.

    Returns
    -------
    The files.
    """
    if not len(alignment.yaw):
        return []
    figures = {
        "ced": _cumulative(alignment.errors),
        "people": _people(alignment.errors, alignment.identities),
    }
    if np.isfinite(alignment.yaw).any():
        figures["error_by_yaw"] = _by_yaw(alignment.errors, alignment.yaw, "NME %")
    if alignment.refinement is not None:
        figures["refinement"] = _refinement(alignment.refinement)
    return [_save(figure, folder / f"{name}.png") for name, figure in figures.items()]


def plot_orientation(orientation: Orientation, folder: Path) -> list[Path]:
    """Write ``orientation_by_yaw.png``: the mean of the angles' errors against the true yaw."""
    if not np.isfinite(orientation.yaw).any():
        return []
    rows = {
        f"{name}, {convention}": np.nanmean(errors, axis=1)
        for name, conventions in orientation.errors.items()
        for convention, errors in conventions.items()
    }
    figure = _by_yaw(rows, orientation.yaw, "mean error, degrees")
    return [_save(figure, folder / "orientation_by_yaw.png")]


def plot_florence(by_yaw: Mapping[str, float], folder: Path) -> list[Path]:
    """Write ``florence.png``: RMSE against the yaw of the view."""
    figure, axes = _figure("yaw, degrees", "point-to-plane RMSE, mm")
    axes.plot([float(yaw) for yaw in by_yaw], list(by_yaw.values()), "o-")
    axes.set_ylim(bottom=0)
    return [_save(figure, folder / "florence.png")]


def _cumulative(errors: Mapping[str, Array]) -> Figure:
    figure, axes = _figure("NME %", "share of photos")
    for name, values in errors.items():
        share = np.arange(1, len(values) + 1) / len(values)
        axes.step(np.sort(values), share, where="post", label=name)
    axes.set_xlim(0, max(float(np.percentile(v, 99)) for v in errors.values()) or 1.0)
    axes.set_ylim(0, 1)
    axes.legend()
    return figure


def _by_yaw(errors: Mapping[str, Array], yaw: Array, quantity: str) -> Figure:
    """Means over steps of 10 degrees; a step without photos is a gap."""
    figure, axes = _figure("yaw, degrees", quantity)
    edges = np.arange(-90, 91, YAW_STEP)
    step = np.clip(np.floor((yaw + 90) / YAW_STEP), 0, len(edges) - 2)
    middle = edges[:-1] + YAW_STEP / 2
    for name, values in errors.items():
        inside = [values[step == index] for index in range(len(middle))]
        means = [float(v.mean()) if len(v) else np.nan for v in inside]
        axes.plot(middle, means, "o-", markersize=4, label=name)
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _refinement(squared: Array) -> Figure:
    """Histogram as in the paper's supplement, where it peaks at 0.22 pixels."""
    figure, axes = _figure("|L_r - L_c|^2, squared crop pixels", "landmarks")
    axes.hist(squared.ravel(), bins=100, range=(0, float(np.percentile(squared, 99)) or 1.0))
    return figure


def _people(errors: Mapping[str, Array], identities: NDArray[np.str_]) -> Figure:
    """Mean error of the first row for each person, largest first."""
    name, values = next(iter(errors.items()))
    people, person = np.unique(identities, return_inverse=True)
    means = np.bincount(person, values) / np.bincount(person)
    order = np.argsort(-means)[:MOST_PEOPLE]
    figure, axes = _figure("", f"NME %, {name}")
    axes.bar(np.arange(len(order)), means[order])
    axes.axhline(float(values.mean()), color="black", linewidth=1)
    axes.set_xticks(np.arange(len(order)), [str(p) for p in people[order]], rotation=90, fontsize=6)
    return figure


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure: Figure, path: Path) -> Path:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
    return path
