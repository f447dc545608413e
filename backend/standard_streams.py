"""Standard input, output and error that can be used whatever the program was started with."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from backend.errors import SynergyFaceError

NAMES = ("stdin", "stdout", "stderr")


def make_usable() -> None:
    """Have all three streams, and let none of them fail over a character.

    A service or ``pythonw`` starts programs without some of them. Then the next file that is opened
    would take the number of the missing one, and what libraries print would be written into it.
    """
    for number in range(len(NAMES)):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(_nothing(), number)
    for name in NAMES:
        stream: Any = getattr(sys, name)
        if stream is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            # What the console's code page lacks is shown by its number.
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def output_told() -> Iterator[None]:
    """Let whatever the block cannot print to standard output become an `OutputError`."""
    stream = sys.stdout
    try:
        with redirect_stdout(_Output(stream)):
            try:
                yield
            except SystemExit:  # after --help
                sys.stdout.flush()
                raise
            sys.stdout.flush()
    except OutputError:
        # Python itself would try once more at its end, and complain.
        with suppress(OSError, ValueError):
            os.dup2(_nothing(), stream.fileno())
        raise


class OutputError(SynergyFaceError):
    """Standard output takes no more: its disk is full, or nobody reads it."""

    code = "output"

    def __init__(self, error: OSError) -> None:
        super().__init__(f"Cannot write to the standard output: {error.strerror or error}.")
        # The first of several commands in a pipe is not told that the last has read enough.
        self.unread = isinstance(error, BrokenPipeError)


class _Output:
    """A stream that says of which kind its errors are."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """See `TextIO`."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        """See `TextIO`."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputError(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _nothing() -> int:
    return os.open(os.devnull, os.O_RDWR)
