"""A batch on the cores of this computer: one process a core, each with models of its own."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from backend.batch.items import Item, Outcome, Work
from backend.errors import CancelledError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

# An item whose process dies this often is given up.
ATTEMPTS = 2
STOP_SECONDS = 2.0
THREADS_VARIABLE = "OMP_NUM_THREADS"


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run_in_processes(items: Sequence[Item], work: Work, jobs: int) -> Generator[Outcome]:
    """Do items in processes; yields outcomes as they come.

    A process that dies costs its item another attempt, and nothing else. Closing the iterator ends
    the processes at once.

    Parameters
    ----------
    items
        What is to be done.
    work
        Does one; it is pickled.
    jobs
        How many processes.
    """
    jobs = max(1, min(jobs, len(items)))
    lanes = [_Lane(work) for _ in range(jobs)]
    idle: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
    for lane in lanes:
        idle.put(lane)

    def do(item: Item) -> Outcome:
        lane = idle.get()
        try:
            return lane.do(item)
        finally:
            idle.put(lane)

    threads = ThreadPoolExecutor(jobs)
    try:
        with _threads_of_libraries(max(1, cores() // jobs)):
            for future in as_completed([threads.submit(do, item) for item in items]):
                yield future.result()
    finally:
        for lane in lanes:
            lane.stop()
        threads.shutdown(cancel_futures=True)
        for lane in lanes:
            lane.end()


class _Lane:
    """A process that does one item after the other, and is replaced if it dies."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._link: tuple[SpawnProcess, Any] | None = None
        self._stopped = False

    def do(self, item: Item) -> Outcome:
        exit_code = None
        for _ in range(ATTEMPTS):
            if self._stopped:
                raise CancelledError
            process, connection = self._link = self._link or self._start()
            # `stop` may have come while the process started.
            if self._stopped:
                process.terminate()
                raise CancelledError
            try:
                connection.send(item)
                return connection.recv()
            except (EOFError, OSError):
                exit_code = self.end()
        if self._stopped:
            raise CancelledError
        return Outcome(
            item,
            "failed",
            problem=f"The process that worked on it died {ATTEMPTS} times (exit code {exit_code}). "
            "If there was too little memory, use fewer --jobs.",
        )

    def stop(self) -> None:
        """End the process; `do` is left by `CancelledError`."""
        self._stopped = True
        if self._link is not None:
            self._link[0].terminate()

    def end(self) -> int | None:
        """Wait for the end of a process that is ending; returns its exit code."""
        if self._link is None:
            return None
        process, connection = self._link
        self._link = None
        connection.close()
        process.join(STOP_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode

    def _start(self) -> tuple[SpawnProcess, Any]:
        # Not forked: threads of the networks' libraries do not survive it.
        context = multiprocessing.get_context("spawn")
        connection, its_end = context.Pipe()
        process = context.Process(target=_serve, args=(its_end, self._work), daemon=True)
        with _interrupts_held_back():
            process.start()
        its_end.close()
        return process, connection


def _serve(connection: Any, work: Work) -> None:
    """A process's whole life; it ends when the other end of the connection is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        while True:
            connection.send(work(connection.recv()))
    except (EOFError, OSError):
        return


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process that is started meanwhile does not see Ctrl-C before `_serve` turns it off."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """End at once if the parent is gone, even if it was killed, whatever is being done."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _threads_of_libraries(count: int) -> Iterator[None]:
    """How many threads the numerical libraries of the processes that are started now will use."""
    before = os.environ.get(THREADS_VARIABLE)
    os.environ.setdefault(THREADS_VARIABLE, str(count))
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS_VARIABLE]
