"""The paper's ablation tables, with what our own runs measured beside it.

Which row a run belongs to follows from its saved configuration: the parts of its network and its
losses. Its figures are the last ones of its validation: NME by yaw and errors of angles on made
views of people left out, and NME on photos of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.errors import BadInputError
from backend.synergynet.architecture import Architecture
from training import published
from training.published import PublishedTable
from training.runs import CONFIG_FILE, Run, budget_notes

if TYPE_CHECKING:
    from training.evaluation.tables import Table

BIN_METRICS = ("val/yaw_0_30", "val/yaw_30_60", "val/yaw_60_90")
METRICS = dict(zip(published.BINS, BIN_METRICS, strict=False)) | {
    name: f"val/angle_{name}" for name in published.ANGLES
}
PHOTO_METRICS = {"photos": "val/refined_all", "photos, inner": "val/refined_inner"}

# What a fair comparison keeps equal.
BUDGET = (
    "model.architecture.backbone",
    "model.weights",
    "model.resolutions",
    "model.loss_weights.lips",
    "model.optimiser",
    "data.pack",
    "data.batch_size",
    "data.epoch_size",
    "trainer.max_epochs",
)


@dataclass(frozen=True)
class Design:
    """What makes a row of an ablation.

    Attributes
    ----------
    refinement, reverse
        See `Architecture`.
    larger
        Whether the plain network is enlarged.
    landmark_loss
        Whether landmarks are compared with the true ones.
    reverse_targets
        Which parameters the reverse losses compare.
    """

    refinement: str = "mafa"
    reverse: str = "adopted"
    larger: bool = False
    landmark_loss: bool = True
    reverse_targets: str = "all"


_PLAIN = Design(refinement="none", reverse="none", landmark_loss=False)

# By the name of the config in configs/synergynet/ablations.
DESIGNS = {
    "full": Design(),
    "plain": _PLAIN,
    "larger_plain": replace(_PLAIN, larger=True),
    "mafa_only": Design(reverse="none"),
    "reverse_only": Design(refinement="none"),
    "points_only": Design(refinement="points", reverse="none"),
    "points_image": Design(refinement="points_image", reverse="none"),
    "reverse_pose": Design(reverse_targets="pose"),
    "reverse_shape_expression": Design(reverse_targets="shape_expression"),
    "comparison1": Design(reverse="from_refinement"),
    "comparison2": Design(reverse="with_attributes"),
}


def design_of(run: Run) -> Design:
    """Return what of a run's configuration makes a row."""
    architecture = architecture_of(run)
    reads_back = architecture.reverse != "none"
    targets = run.setting("model.loss_weights.reverse_targets") or "all"
    return Design(
        refinement=architecture.refinement,
        reverse=architecture.reverse,
        larger=architecture.head_width > 0,
        landmark_loss=run.setting("model.loss_weights.landmarks") != 0,
        reverse_targets=targets if reads_back else "all",
    )


def architecture_of(run: Run) -> Architecture:
    """Return the network that a run trained.

    Raises
    ------
    BadInputError
        Its configuration names parts that we do not know.
    """
    try:
        return Architecture(**(run.setting("model.architecture") or {}))
    except (TypeError, ValueError) as error:
        raise BadInputError(
            f"{run.folder / CONFIG_FILE} has no network of ours: {error}"
        ) from error


def row_of(run: Run) -> str | None:
    """Name of a run's row, None if it is none of the paper's."""
    design = design_of(run)
    return next((name for name, known in DESIGNS.items() if known == design), None)


def runs_by_row(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Find the runs of each row, one per seed.

    Of runs of the same row and seed (one that was resumed leaves two folders) the longest counts.
    """
    longest: dict[str, dict[Any, Run]] = {name: {} for name in DESIGNS}
    for run in runs:
        row = row_of(run)
        if row is not None:
            seed = run.setting("seed_everything")
            other = longest[row].get(seed)
            if other is None or run.steps >= other.steps:
                longest[row][seed] = run
    return {name: list(by_seed.values()) for name, by_seed in longest.items()}


def ablation_report(runs: Sequence[Run]) -> dict[str, Any]:
    """Return tables with the paper's figures and ours, and notes on what hampers the comparison.

    Raises
    ------
    BadInputError
        No run belongs to any row.
    """
    measured = [run for run in runs if run.figures]
    rows = runs_by_row(measured)
    if not any(rows.values()):
        raise BadInputError(
            "None of the runs is an ablation of the paper.",
            "Train with a config of configs/synergynet/ablations.",
        )
    return {
        "tables": [_report_table(table, rows) for table in published.ABLATIONS],
        "notes": _notes(measured, rows)
        + [f"{run.folder} was never validated." for run in runs if not run.figures],
    }


def report_tables(report: dict[str, Any]) -> list[Table]:
    """Return what `ablation_report` gives as tables to print: paper, ours, spread of ours if
    several.
    """
    from training.evaluation.tables import Table

    tables = []
    for table in report["tables"]:
        rows: list[tuple[str, list[float | None]]] = []
        for row in table["rows"]:
            rows.append((f"{row['label']}: paper", row["paper"]))
            count = row["runs"]
            if count:
                ours = "ours" if count == 1 else f"ours, mean of {count}"
                rows.append((f"{row['label']}: {ours}", row["ours"]))
            if count > 1:
                rows.append((f"{row['label']}: ours, spread", row["spread"]))
        tables.append(Table(table["title"], tuple(table["columns"]), tuple(rows)))
    return tables


def _report_table(table: PublishedTable, runs: dict[str, list[Run]]) -> dict[str, Any]:
    photos = tuple(PHOTO_METRICS) if set(published.BINS) <= set(table.columns) else ()
    columns = table.columns + photos
    rows = []
    for row in table.rows:
        ours = [[_figure(run, column) for column in columns] for run in runs[row.config]]
        values = np.array(ours, float).reshape(-1, len(columns))
        several = len(values) > 1
        rows.append(
            {
                "config": row.config,
                "label": row.label,
                "paper": [*row.values, *(None for _ in photos)],
                "runs": len(values),
                "ours": _plain(values.mean(axis=0)) if len(values) else None,
                "spread": _plain(values.std(axis=0, ddof=1)) if several else None,
            }
        )
    return {"title": table.title, "columns": list(columns), "rows": rows}


def _figure(run: Run, column: str) -> float:
    """Return a run's figure for a column; NaN if it has none."""
    if column == published.SIZE:
        return _size(architecture_of(run))
    if column == published.BINS[-1]:
        return float(np.mean([run.figures.get(name, np.nan) for name in BIN_METRICS]))
    return run.figures.get((METRICS | PHOTO_METRICS)[column], np.nan)


def _size(architecture: Architecture) -> float:
    """Return millions of trainable numbers, those that serve training alone included."""
    from backend.synergynet.network import SynergyNet, parameter_counts

    return sum(parameter_counts(SynergyNet(architecture)).values()) / 1e6


def _notes(runs: Sequence[Run], rows: dict[str, list[Run]]) -> list[str]:
    notes = [
        "Ours: made views of people left out (yaw bins, angles) and photos of them; "
        "the paper: AFLW2000-3D."
    ]
    notes += [f"{run.folder} is no row of the paper." for run in runs if row_of(run) is None]
    counted = [run for chosen in rows.values() for run in chosen]
    return notes + budget_notes(counted, BUDGET)


def _plain(values: Iterable[float]) -> list[float | None]:
    """Prepare for JSON: NaN becomes None."""
    return [float(value) if np.isfinite(value) else None for value in values]
