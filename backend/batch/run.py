"""A batch from its items to its table."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

from backend.batch.items import BatchFile, BatchOptions, Outcome, earlier_outcome
from backend.batch.table import write_table

Runner = Callable[[Sequence[BatchFile]], Generator[Outcome]]


def run_batch(
    items: Sequence[BatchFile],
    options: BatchOptions,
    runner: Runner,
    table: Path,
    watch: Callable[[Outcome], object],
    others: Sequence[Outcome] = (),
) -> list[Outcome]:
    """Do what earlier runs have not done; the table is written even if this one is stopped.

    Parameters
    ----------
    items, options
        What is to be done.
    runner
        Does items and yields their outcomes in any order.
    table
        CSV file of the outcomes.
    watch
        Called with each of them.
    others
        Files that are not to be done, for the table.

    Returns
    -------
    Outcomes of all files, in the order of their names.

    Raises
    ------
    BadInputError
        The table cannot be written.
    """
    outcomes = {item: earlier_outcome(item, options) for item in items}
    waiting = [item for item, outcome in outcomes.items() if outcome is None]
    for outcome in filter(None, outcomes.values()):
        watch(outcome)
    try:
        with closing(runner(waiting)) as coming:
            for outcome in coming:
                outcomes[outcome.item] = outcome
                watch(outcome)
    finally:
        # What was done in the moment of an interruption has its record, but was not told.
        known = [outcome or earlier_outcome(item, options) for item, outcome in outcomes.items()]
        finished = [outcome for outcome in known if outcome is not None]
        finished = sorted([*finished, *others], key=lambda outcome: outcome.item.source)
        write_table(table, finished)
    return finished
