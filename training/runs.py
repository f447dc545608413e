"""Folders of trainings; of finished ones the ``metrics.csv`` and the saved ``config.yaml``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from backend.errors import BadInputError

if TYPE_CHECKING:
    import lightning as L

METRICS_FILE = "metrics.csv"
CONFIG_FILE = "config.yaml"


@dataclass(frozen=True)
class Run:
    """A training.

    Attributes
    ----------
    folder
        Where it lies.
    config
        Its saved configuration.
    steps
        Last step at which it was validated.
    figures
        Last validation figures by name, as ``val/refined_all``; none before the first.
    """

    folder: Path
    config: dict[str, Any]
    steps: int
    figures: dict[str, float]

    def setting(self, name: str) -> Any:
        """Return the configuration's value at a dotted name, None if there is none."""
        value: Any = self.config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value


def budget_notes(runs: Sequence[Run], settings: Iterable[str]) -> list[str]:
    """Return what keeps runs from being compared: settings, or steps, that are not the same in
    all.
    """
    notes = [
        f"The runs are not at equal budget: {name} differs."
        for name in settings
        if len({repr(run.setting(name)) for run in runs}) > 1
    ]
    if len({run.steps for run in runs}) > 1:
        notes.append("The runs are not at equal budget: some were last validated at other steps.")
    return notes


def run_folder(trainer: L.Trainer) -> Path:
    """Tell where a running training writes.

    All processes of a training must ask: Lightning sends the first one's answer to the others, and
    waits for them.
    """
    return Path(trainer.log_dir or trainer.default_root_dir)


def read_runs(paths: Iterable[Path]) -> list[Run]:
    """Return runs of the given folders, and of the folders within them.

    Raises
    ------
    BadInputError
        There is no run in a folder, one cannot be read, or none was ever validated.
    """
    folders: dict[Path, None] = {}
    for path in paths:
        found = sorted(file.parent for file in path.rglob(METRICS_FILE))
        if not found:
            raise BadInputError(
                f"There is no {METRICS_FILE} in {path}.",
                "Give folders that `synergyface train` wrote with a CSVLogger.",
            )
        folders |= dict.fromkeys(found)
    runs = [read_run(folder) for folder in folders]
    if not any(run.figures for run in runs):
        names = ", ".join(str(run.folder) for run in runs)
        raise BadInputError(f"Never validated: {names}.", "Wait for the first validation.")
    return runs


def read_run(folder: Path) -> Run:
    """Return one run.

    Raises
    ------
    BadInputError
        A file is missing or cannot be read.
    """
    try:
        with (folder / METRICS_FILE).open(newline="", encoding="utf-8") as file:
            validations = [row for row in csv.DictReader(file) if _figures(row)]
        figures = {name: value for row in validations for name, value in _figures(row).items()}
        steps = max((int(row["step"]) for row in validations), default=0)
        config = dict(yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{folder} cannot be read as a training: {reason}",
            f"It must hold the {METRICS_FILE} and {CONFIG_FILE} of one training.",
        ) from error
    return Run(folder, config, steps, figures)


def _figures(row: dict[str, str]) -> dict[str, float]:
    """Return validation figures of one line."""
    return {
        name: float(value)
        for name, value in row.items()
        if name is not None and name.startswith("val/") and value
    }
