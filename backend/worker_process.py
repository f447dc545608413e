"""How processes that work for another one behave: they leave Ctrl-C to it, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

# For what removes half-written files.
LEAVING_SECONDS = 1.0


def follow_parent() -> None:
    """Let this process, which `multiprocessing` has started, end when its parent does.

    However the parent ends, killed too, and whatever is being done here. Ctrl-C, which the terminal
    sends to all processes at once, is the parent's business. The request to end (SIGTERM) raises
    `SystemExit`, so that nothing half-written stays.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()


def _leave(number: int, frame: object) -> None:
    # Whoever works for a pool takes the exception for the result, and would begin the next work.
    threading.Thread(target=_end_soon, args=(128 + number,), daemon=True).start()
    raise SystemExit(128 + number)


def _end_soon(exit_code: int) -> None:
    time.sleep(LEAVING_SECONDS)
    os._exit(exit_code)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    if os.name == "posix":
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    _end_soon(1)
