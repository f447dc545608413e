"""Long work off the main thread: a worker, a queue, and a `pump` that the main thread calls.

Only the main thread may touch ``bpy``, so the worker gets and returns plain values. Timers fire
neither under ``-b`` nor in the bpy module; that is why `Task.pump` is called by whoever waits:
a modal operator's timer, or the loop of `Task.run_to_end`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

PUMP_SECONDS = 0.05


class CancelledError(Exception):
    """Raised inside the work when it was asked to stop."""


@dataclass(frozen=True)
class TaskProgress:
    """How far the work is.

    Attributes
    ----------
    fraction
        In [0, 1].
    stage
        What is being done, for a person to read.
    part, subject
        Which part of several is being done, such as ``3 of 20``, and what it is about.
    """

    fraction: float = 0.0
    stage: str = ""
    part: str = ""
    subject: str = ""


class Reporter:
    """The work's side of a task: reports progress, learns that it should stop."""

    def __init__(
        self,
        messages: queue.SimpleQueue[TaskProgress],
        cancelled: threading.Event,
        whole: TaskProgress | None = None,
        share: float = 1.0,
    ) -> None:
        self._messages = messages
        self._cancelled = cancelled
        self._whole = whole or TaskProgress()
        self._share = share

    def part(self, begin: float, end: float, name: str = "", subject: str = "") -> Reporter:
        """Return the same, for the part of the work from one fraction to another.

        Parameters
        ----------
        begin, end
            In [0, 1]: where in the whole work the part's own fractions 0 and 1 are.
        name, subject
            Which part it is and what it is about, for a person to read; empty: as before.
        """
        whole = self._whole
        inner = TaskProgress(
            whole.fraction + self._share * begin,
            part=name or whole.part,
            subject=subject or whole.subject,
        )
        return Reporter(self._messages, self._cancelled, inner, self._share * (end - begin))

    def __call__(self, fraction: float, stage: str) -> None:
        """Report progress.

        Raises
        ------
        CancelledError
            The task was asked to stop.
        """
        self.check()
        within = self._share * min(max(fraction, 0.0), 1.0)
        whole = self._whole
        self._messages.put(replace(whole, fraction=whole.fraction + within, stage=stage))

    def check(self) -> None:
        """Raise `CancelledError` if the task was asked to stop."""
        if self._cancelled.is_set():
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the task is asked to stop."""
        self._cancelled.wait(seconds)
        self.check()


class Task(Generic[T]):
    """Work that has begun in a thread of its own.

    Parameters
    ----------
    work
        Called in the worker with a `Reporter`; what it returns becomes `result`.
    progress
        As long as the work has not reported any.

    Attributes
    ----------
    state
        As of the last `pump`.
    progress
        Likewise.
    """

    def __init__(self, work: Callable[[Reporter], T], progress: TaskProgress | None = None) -> None:
        self.state: Literal["running", "done", "failed", "cancelled"] = "running"
        self.progress = progress or TaskProgress()
        self._outcome: tuple[T | None, BaseException | None] = (None, None)
        self._messages: queue.SimpleQueue[TaskProgress] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Reporter], T]) -> None:
        try:
            self._outcome = (work(Reporter(self._messages, self._cancelled)), None)
        except BaseException as error:  # it is raised again on the main thread, by `result`
            self._outcome = (None, error)
        finally:
            self._finished.set()

    def pump(self) -> bool:
        """Take over what the worker has said; True once the task is finished."""
        finished = self._finished.is_set()
        while not self._messages.empty():
            self.progress = self._messages.get_nowait()
        if finished and self.state == "running":
            error = self._outcome[1]
            if isinstance(error, CancelledError):
                self.state = "cancelled"
            else:
                self.state = "done" if error is None else "failed"
        return self.state != "running"

    def cancel(self) -> None:
        """Ask the work to stop, and do not wait for it: its result is dropped."""
        self._cancelled.set()
        if self.state in ("running", "done"):
            self.state = "cancelled"

    def result(self) -> T:
        """Return what the work returned.

        Raises
        ------
        CancelledError
            The task was cancelled.
        Exception
            Whatever the work raised.
        """
        value, error = self._outcome
        if self.state == "cancelled":
            raise CancelledError
        if error is not None:
            raise error
        assert self.state == "done", "result() before pump() returned True"
        return value  # type: ignore[return-value]

    def join(self, timeout: float) -> bool:
        """Wait for the worker to end; True when it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Pump until the task is finished, for scripts and tests."""
        try:
            while not self.pump():
                self._finished.wait(PUMP_SECONDS)
        except KeyboardInterrupt:
            self.cancel()
            raise

    def run_to_end(self) -> T:
        """Wait as `wait` does, then answer as `result`."""
        self.wait()
        return self.result()
