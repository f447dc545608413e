"""The children of this process: started when one is needed, kept for the next call."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from backend.sandbox.process import Check, Child, Limits
from backend.sandbox.wire import Buffer, Reply

# What is kept when nothing is to be done: one for photos, and one for a stream beside them.
KEPT = 2

_check: ContextVar[Check | None] = ContextVar("check", default=None)


class Children:
    """Calls functions in child processes. Any thread may call any method.

    Calls at the same time go to different children, so that a bad file holds up nobody else.

    Parameters
    ----------
    limits
        What each may take.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        # A child ends with the thread that has started it, so that one has to stay.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")

    def call(
        self,
        function: str,
        *buffers: Buffer,
        what: str = "the file",
        arguments: dict[str, Any] | None = None,
    ) -> Reply:
        """See `call_in_child`."""
        child = self._take()
        try:
            return child.call(function, buffers, arguments or {}, what, _check.get())
        finally:
            self._put_back(child)

    def warm(self) -> None:
        """Start a child if there is none, without waiting until it is ready."""
        self._put_back(self._take())

    def end(self) -> None:
        """End all of them at once; their calls fail, and the next call starts a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.end()
        for child in idle:
            child.close()

    def _take(self) -> Child:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is not None and not child.alive:
            child.close()
            child = None
        if child is None:
            child = self._starter.submit(Child, self._limits).result()
        with self._lock:
            self._busy.add(child)
        return child

    def _put_back(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
            kept = child.alive and len(self._idle) < KEPT
            if kept:
                self._idle.append(child)
        if not kept:
            child.close()


@cache
def _shared() -> Children:
    children = Children()
    atexit.register(children.end)
    return children


# A forked process shares the pipes of its parent's children, and must not use them.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.cache_clear)


def call_in_child(
    function: str,
    *buffers: Buffer,
    what: str,
    arguments: dict[str, Any] | None = None,
) -> Reply:
    """Call a function that reads foreign bytes in a child process with limits.

    Parameters
    ----------
    function
        ``module:name``. It takes the buffers (as bytearrays) and the arguments by name, and
        returns a ``backend.sandbox.wire.Answer``. A name of ours, never one of a file's.
    buffers
        What is to be read.
    what
        What errors call it.
    arguments
        Anything that JSON holds.

    Returns
    -------
    Value and arrays that the function has returned.

    Raises
    ------
    OverLimitError
        It took more than `Limits`, or the child died of it.
    BadInputError
        The function raised it.
    RuntimeError
        The function raised something else.
    SynergyFaceError
        No child can be started.
    Exception
        What stopped it; see `stopped_by`.
    """
    return _shared().call(function, *buffers, what=what, arguments=arguments)


@contextmanager
def stopped_by(check: Check) -> Iterator[None]:
    """Let calls that begin in the block, in this thread, be stopped.

    Parameters
    ----------
    check
        Called a few times a second in another thread while a call runs; stops it by raising, and
        what it raises comes out of the call.
    """
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


def warm_child() -> None:
    """Start a child in advance, so that the first call need not wait for it."""
    _shared().warm()


def end_children() -> None:
    """End all children now: when this process shuts down. Calls that run fail."""
    _shared().end()
