"""End with the process that started this one, however that one ends.

Its end closes our standard input, on every system. Linux also sends a signal, for the case that
somebody else holds the other end of the pipe; on Windows the add-on puts us into a job object.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

# Whoever is not gone by then sits in a native call that nothing can interrupt.
PATIENCE_SECONDS = 15.0
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


def end_with_parent(stop: Callable[[], None]) -> None:
    """Call `stop` when standard input ends, and end the process if that does not do it.

    Parameters
    ----------
    stop
        Begins to end the process in an orderly way; called in a thread.
    """
    if sys.platform == "linux":
        # To be exact, the signal comes when the thread ends that started us.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()


def _watch(stop: Callable[[], None]) -> None:
    # The bare descriptor: a thread that waits in sys.stdin would hold its lock at exit.
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    log.info("The parent process is gone")
    stop()
    threading.Event().wait(PATIENCE_SECONDS)
    logging.shutdown()
    os._exit(1)
