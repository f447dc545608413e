"""Child processes that see nothing of Blender's Python, and end when Blender does."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Blender's own settings of these would make another Python look for the wrong modules.
UNWANTED_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
END_SECONDS = 5.0
CHECK_SECONDS = 0.1
REMEMBERED_LINES = 200
# Runs a module as `python -m` would, and ends with whoever holds the other end of its stdin.
TETHER = """
import os, runpy, sys, threading
def watch():
    while os.read(0, 4096):
        pass
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


class CommandError(Exception):
    """A command failed; `output` is the last that it said."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


def child_environment(**variables: str) -> dict[str, str]:
    """Return the environment for another Python: this one's, less what would lead it astray."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED_VARIABLES}
    return kept | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"} | variables


def no_window() -> int:
    """Flag for ``subprocess`` that keeps Windows from opening a console."""
    return getattr(subprocess, "CREATE_NO_WINDOW", 0)


def run_module(
    python: Path,
    arguments: Sequence[str],
    on_line: Callable[[str], None],
    check: Callable[[], None],
    variables: dict[str, str] | None = None,
) -> None:
    """Run a module of another Python to its end, as ``python -m`` would.

    Parameters
    ----------
    python
        The Python.
    arguments
        Name of the module, and what it gets.
    on_line
        Called with each line of its output.
    check
        Called several times a second; may raise, which ends the child.
    variables
        Added to its environment.

    Raises
    ------
    CommandError
        Its exit code was not 0, or it could not be started.
    """
    last: deque[str] = deque(maxlen=REMEMBERED_LINES)
    with tethered(python, arguments, variables) as child:
        for line in _lines(child, check):
            last.append(line)
            on_line(line)
        code = child.wait()
    if code:
        raise CommandError("\n".join(last) or f"exit code {code}")


@contextmanager
def tethered(
    python: Path, arguments: Sequence[str], variables: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Return a child that runs a module and is ended with the block.

    Raises
    ------
    CommandError
        It cannot be started.
    """
    try:
        child = subprocess.Popen(
            [str(python), "-I", "-u", "-X", "utf8", "-c", TETHER, *arguments],
            env=child_environment(**(variables or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=no_window(),
        )
    except OSError as error:
        raise CommandError(str(error)) from error
    try:
        yield child
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a child: by closing its input, then by a signal, then by force."""
    if child.stdin:
        with contextlib.suppress(OSError):
            child.stdin.close()
    for stronger in (child.terminate, child.kill, lambda: None):
        try:
            child.wait(END_SECONDS)
            break
        except subprocess.TimeoutExpired:
            stronger()


def _lines(child: subprocess.Popen[bytes], check: Callable[[], None]) -> Iterator[str]:
    """Yield lines of a child's output, as they come; `check` is called while there are none."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert child.stdout is not None
        with child.stdout as output:
            for raw in output:
                lines.put(raw.decode("utf-8", "replace").rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        check()
        try:
            line = lines.get(timeout=CHECK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return
        yield line
