"""Processes that share the work of a data step."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from backend.errors import SynergyFaceError
from backend.worker_process import follow_parent


@contextmanager
def worker_pool(workers: int, *prepare: Any) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes that end with this one, however it ends.

    They leave Ctrl-C to it. If the block raises, what they are at is broken off.

    Parameters
    ----------
    workers
        How many.
    prepare
        A function and its arguments, called first in each of them.

    Raises
    ------
    SynergyFaceError
        One of them was ended from outside.
    """
    others = set(multiprocessing.active_children())
    # Not forked: threads of the libraries do not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, prepare) as pool:
        try:
            yield pool
        except BaseException as error:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            pool.shutdown(cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise SynergyFaceError(
                    "A process that shared the work was ended from outside.",
                    "Perhaps memory ran out: run the command again with fewer --workers. It goes "
                    "on where it was.",
                ) from error
            raise


def _begin(prepare: Callable[..., object] | None = None, *arguments: Any) -> None:
    follow_parent()
    if prepare is not None:
        prepare(*arguments)
