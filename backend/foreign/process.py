"""One child process: started, called, watched while it works, and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from backend.errors import BadInputError, SynergyFaceError
from backend.foreign.child import OUT_OF_MEMORY, UNEXPECTED
from backend.foreign.wire import (
    Buffer,
    Reply,
    WireError,
    read_answer,
    receive,
    send,
)

# Stops a call by raising; called now and then in another thread.
Check = Callable[[], object]

START_SECONDS = 60.0
POLL_SECONDS = 0.02
PIPE_BYTES = 2**20
CHECK_SECONDS = 0.2
# Threads and their pools of memory take address space, which is limited.
ENVIRONMENT = {
    "OPENCV_FOR_THREADS_NUM": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}
_BOOT = (
    "import json, sys; memory, parent, sys.path[:] = json.loads(sys.argv[1]);"
    "from backend.foreign.child import main; main(memory, parent)"
)


@dataclass(frozen=True)
class Limits:
    """What a child may take.

    Attributes
    ----------
    memory
        Bytes: of address space where the system can limit it, and of resident memory everywhere.
    seconds
        For a call.
    """

    memory: int = 3 * 2**29
    seconds: float = 20.0


class OverLimitError(BadInputError):
    """A file takes more time or memory than it may, or ends the process that reads it."""


class Child:
    """A process that answers calls, one at a time; it ends when a call breaks a limit.

    It is started in the thread that calls this; on Linux it ends with that thread.

    Parameters
    ----------
    limits
        What it may take.

    Raises
    ------
    SynergyFaceError
        It cannot be started.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        path = [entry or str(Path.cwd()) for entry in sys.path]
        bytecode = ["-B"] if sys.dont_write_bytecode else []
        setting = json.dumps([limits.memory, os.getpid(), path])
        try:
            self._process = subprocess.Popen(
                # Without the environment's and the current folder's modules.
                [sys.executable, "-I", *bytecode, "-c", _BOOT, setting],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=os.environ | ENVIRONMENT,
                # The terminal's Ctrl-C is for this process alone.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise _not_started(error.strerror or str(error)) from error
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(pipe)
        # The process that works, once it is known: in a virtual environment of Windows another one.
        self._worker: psutil.Process | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it now, whatever it does; any thread may call this."""
        if self._worker and self._worker.pid != self._process.pid:
            with suppress(psutil.Error):
                self._worker.kill()
        self._process.kill()

    def close(self) -> None:
        """End it and give back what it takes; no call may be running."""
        self.end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def call(
        self,
        function: str,
        buffers: Sequence[Buffer],
        arguments: dict[str, Any],
        what: str,
        check: Check | None = None,
    ) -> Reply:
        """Call a function in the child; see `backend.foreign.children.call_in_child`."""
        watch = _Watch(self, self._limits.memory, _too_much_memory(what, self._limits), check)
        try:
            with watch.watching():
                self._greet(watch)
                watch.begin(self._limits.seconds, _too_slow(what, self._limits))
                header, answer = self._exchange(function, buffers, arguments)
        except (WireError, OSError) as error:
            self.close()
            code = self._process.returncode
            ended = _crashed(what, code) if self._worker else _not_started(f"it ended, code {code}")
            raise watch.reason or ended from error
        except BaseException:
            self.close()
            raise
        if answer is None:
            if header["error"].get("code") == OUT_OF_MEMORY:
                self.close()  # what it has left may be in pieces
            raise _refusal(header["error"], what, self._limits)
        return answer

    def memory(self) -> int:
        """Bytes that it takes now; 0 if that is not known."""
        try:
            used = self._worker.memory_info() if self._worker else None
        except psutil.Error:
            used = None
        if used is None:
            return 0
        # What Windows has promised it, even if none of it was written to.
        return max(used.rss, getattr(used, "private", 0))

    def _greet(self, watch: _Watch) -> None:
        if self._worker is None:
            watch.begin(START_SECONDS, _not_started(f"it took {START_SECONDS:g} seconds"))
            greeting = read_answer(self._read_into, receive(self._read_into), 0)
            self._worker = psutil.Process(int(greeting.value["pid"]))

    def _exchange(
        self, function: str, buffers: Sequence[Buffer], arguments: dict[str, Any]
    ) -> tuple[dict[str, Any], Reply | None]:
        call = {
            "function": function,
            "arguments": arguments,
            "buffers": [len(buffer) for buffer in buffers],
            "seconds": self._limits.seconds,
        }
        send(self._write, call, buffers)
        header = receive(self._read_into)
        if isinstance(header.get("error"), dict):
            return header, None
        return header, read_answer(self._read_into, header, self._limits.memory)

    def _write(self, data: Buffer) -> int | None:
        assert self._process.stdin
        return self._process.stdin.write(data)

    def _read_into(self, target: memoryview) -> int | None:
        return self._process.stdout.readinto(target)  # pyright: ignore


class _Watch:
    """Ends a child that takes too much, or whose answer nobody wants any more."""

    def __init__(self, child: Child, memory: int, too_much: Exception, check: Check | None) -> None:
        self._child = child
        self._memory = memory
        self._too_much = too_much
        self._check = check
        self._over = threading.Event()
        self._deadline = float("inf")
        self._too_slow: Exception | None = None
        # Why the child was ended, if this has ended it.
        self.reason: Exception | None = None

    def begin(self, seconds: float, too_slow: Exception) -> None:
        """Count the time from now on."""
        self._too_slow = too_slow
        self._deadline = time.monotonic() + seconds

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch in a thread while the block runs."""
        thread = threading.Thread(target=self._run, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        next_check = 0.0
        while not self._over.wait(POLL_SECONDS):
            now = time.monotonic()
            if now > self._deadline:
                self.reason = self._too_slow
            elif self._child.memory() > self._memory:
                self.reason = self._too_much
            elif self._check and now > next_check:
                next_check = now + CHECK_SECONDS
                try:
                    self._check()
                except Exception as error:
                    self.reason = error
            if self.reason:
                self._child.end()
                return


def _widen(pipe: Any) -> None:
    """Let more through at a time, where a program may choose: a photo is many megabytes."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _refusal(error: Any, what: str, limits: Limits) -> Exception:
    code, problem, remedy = (str(error.get(key, "")) for key in ("code", "problem", "remedy"))
    if code == OUT_OF_MEMORY:
        return _too_much_memory(what, limits)
    if code == UNEXPECTED:
        return RuntimeError(f"reading {what}: {problem}")
    return BadInputError(problem, remedy, code=code)


def _too_much_memory(what: str, limits: Limits) -> OverLimitError:
    return OverLimitError(
        f"{what} takes more than {limits.memory / 2**30:g} GB of memory to read.",
        "Scale it down, or save it again, for example as JPEG.",
        code="takes-too-much-memory",
    )


def _too_slow(what: str, limits: Limits) -> OverLimitError:
    return OverLimitError(
        f"{what} takes more than {limits.seconds:g} seconds to read.",
        "Scale it down, or save it again, for example as JPEG.",
        code="takes-too-long",
    )


def _crashed(what: str, code: int | None) -> OverLimitError:
    return OverLimitError(
        f"{what} cannot be read: the process that read it ended (code {code}).",
        "It is damaged or malicious. Copy, download or save it again.",
        code="reader-ended",
    )


def _not_started(reason: str) -> SynergyFaceError:
    return SynergyFaceError(
        f"The process that reads files could not be started: {reason}.",
        "Close other programs and try again. If that does not help, install SynergyFace anew.",
        code="reader-not-started",
    )
