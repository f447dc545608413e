"""The child's side: takes calls from standard input, one after the other, until it ends.

It is started with a limit of memory, cannot write files, and ends with its parent. Time is kept by
the parent; should that be gone, a watchdog that needs nothing of Python ends the child.
"""

from __future__ import annotations

import ctypes
import faulthandler
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from backend.errors import BadInputError
from backend.memory import give_back_memory
from backend.sandbox.wire import Answer, WireError, read_bytes, receive, send, send_answer

# How much longer than its parent's the watchdog's patience is, in seconds.
GRACE_SECONDS = 5.0
# Memory of answers from this length on is given back to the system.
LARGE_ANSWER = 2**25
PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY, UNEXPECTED = "out-of-memory", "unexpected"


def main(memory: int, parent: int) -> None:
    """Answer calls until there are no more.

    Parameters
    ----------
    memory
        Bytes of address space that this process may have, where the system can limit it.
    parent
        Process id of who started this one.
    """
    # Ctrl-C is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)
    _limit_resources(memory)
    calls, answers = _private_pipes()
    send_answer(answers.write, Answer({"pid": os.getpid()}))
    with Path(os.devnull).open("w") as nowhere, suppress(WireError, BrokenPipeError):
        while True:
            header = receive(calls.readinto)
            buffers = [read_bytes(calls.readinto, length) for length in header["buffers"]]
            faulthandler.dump_traceback_later(
                header["seconds"] + GRACE_SECONDS, exit=True, file=nowhere
            )
            _answer(answers.write, header["function"], buffers, header["arguments"])
            faulthandler.cancel_dump_traceback_later()
            del buffers


def _answer(
    write: Callable[..., int | None],
    function: str,
    buffers: list[bytearray],
    arguments: dict[str, Any],
) -> None:
    module, _, name = function.partition(":")
    try:
        answer: Answer = getattr(import_module(module), name)(*buffers, **arguments)
    except BadInputError as error:
        _refuse(write, error.code, error.problem, error.remedy)
    except MemoryError:
        _refuse(write, OUT_OF_MEMORY)
        _leave()  # what is left may be in pieces
    except Exception as error:
        _refuse(write, UNEXPECTED, f"{type(error).__name__}: {error}")
    else:
        send_answer(write, answer)
        size = sum(array.dtype.itemsize * prod(array.shape) for array in answer.arrays)
        del answer
        if size > LARGE_ANSWER:
            give_back_memory()


def _refuse(
    write: Callable[..., int | None], code: str, problem: str = "", remedy: str = ""
) -> None:
    send(write, {"error": {"code": code, "problem": problem, "remedy": remedy}})


def _leave() -> NoReturn:
    os._exit(0)


def _private_pipes() -> tuple[io.FileIO, io.FileIO]:
    """Take the pipes of calls and answers for ourselves: no library prints between them."""
    if sys.platform == "win32":
        import msvcrt

        for stream in (0, 1):
            msvcrt.setmode(stream, os.O_BINARY)
    answers = io.FileIO(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return io.FileIO(0), answers


def _limit_resources(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    # Elsewhere the parent watches: macOS counts address space that is no memory.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _end_with(parent: int) -> None:
    """End at once when the parent does, even in the middle of a call, where the system can.

    Elsewhere the end of standard input ends this process once it has answered.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            _leave()
