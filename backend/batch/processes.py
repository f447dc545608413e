"""A batch on the cores of this computer: one process a core, each with models of its own."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from backend.batch.items import BatchFile, Outcome, Work
from backend.errors import CancelledError
from backend.worker_process import follow_parent

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

# An item whose process dies this often is given up.
ATTEMPTS = 2
STOP_SECONDS = 2.0
# Windows sees Ctrl-C only between waits.
POLL_SECONDS = 0.2
THREADS_VARIABLE = "OMP_NUM_THREADS"


def cores() -> int:
    """Return cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run_in_processes(items: Sequence[BatchFile], work: Work, jobs: int) -> Generator[Outcome]:
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
    waiting: queue.SimpleQueue[BatchFile] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    results: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()
    lanes = [_Lane(work, waiting, results) for _ in range(jobs)]
    try:
        with _threads_of_libraries(max(1, cores() // jobs)):
            with _interrupts_held_back():
                for lane in lanes:
                    lane.start()
            for _ in items:
                yield _next(results)
    finally:
        for lane in lanes:
            lane.stop()
        for lane in lanes:
            if lane.ident is not None:
                lane.join()


def _next(results: queue.SimpleQueue[Outcome | Exception]) -> Outcome:
    while True:
        try:
            result = results.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if isinstance(result, Exception):
            raise result
        return result


class _Lane(threading.Thread):
    """Does one waiting item after the other in a process, which is replaced if it dies."""

    def __init__(
        self,
        work: Work,
        waiting: queue.SimpleQueue[BatchFile],
        results: queue.SimpleQueue[Outcome | Exception],
    ) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._waiting = waiting
        self._results = results
        self._lock = threading.Lock()
        self._link: tuple[SpawnProcess, Any] | None = None
        self._stopped = False

    def run(self) -> None:
        """Work until nothing waits, or it is stopped: the thread's life."""
        try:
            while True:
                self._results.put(self._do(self._waiting.get_nowait()))
        except (queue.Empty, CancelledError):
            pass
        except Exception as error:  # raised again where the results are taken
            self._results.put(error)
        finally:
            self._end()

    def stop(self) -> None:
        """End the process, and with it the thread."""
        with self._lock:
            self._stopped = True
            if self._link is not None:
                self._link[0].terminate()

    def _do(self, item: BatchFile) -> Outcome:
        exit_code = None
        for _ in range(ATTEMPTS):
            connection = self._connection()
            try:
                connection.send(item)
                return connection.recv()
            except (EOFError, OSError):
                exit_code = self._end()
        if self._stopped:
            raise CancelledError
        return Outcome(
            item,
            "failed",
            problem=f"The process that worked on it died {ATTEMPTS} times (exit code {exit_code}). "
            "If there was too little memory, use fewer --jobs.",
        )

    def _connection(self) -> Any:
        with self._lock:
            if self._stopped:
                raise CancelledError
            if self._link is None:
                self._link = self._start()
            return self._link[1]

    def _start(self) -> tuple[SpawnProcess, Any]:
        # Not forked: threads of the networks' libraries do not survive it.
        context = multiprocessing.get_context("spawn")
        connection, its_end = context.Pipe()
        process = context.Process(target=_serve, args=(its_end, self._work), daemon=True)
        process.start()
        its_end.close()
        return process, connection

    def _end(self) -> int | None:
        """Wait for the end of a process that is ending; returns its exit code."""
        with self._lock:
            link, self._link = self._link, None
        if link is None:
            return None
        process, connection = link
        connection.close()
        process.join(STOP_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode


def _serve(connection: Any, work: Work) -> None:
    """Serve until the other end of the connection is closed: a process's whole life."""
    follow_parent()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        while True:
            connection.send(work(connection.recv()))
    except (EOFError, OSError):
        return


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Return threads that start meanwhile, and their processes, do not see Ctrl-C at all.

    `_serve` lets it through again once it ignores it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # The first process would start it, and that lets interrupts through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _threads_of_libraries(count: int) -> Iterator[None]:
    """Tell how many threads the numerical libraries of the processes that are started now will
    use.
    """
    before = os.environ.get(THREADS_VARIABLE)
    os.environ.setdefault(THREADS_VARIABLE, str(count))
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS_VARIABLE]
