"""Ctrl-C and the system's request to end, which stop the work wherever it is.

Python raises an exception for Ctrl-C in the middle of whatever runs, and some code loses it: an
extension module that is being imported turns it into an `ImportError`, which the importing library
may expect; what is raised in a finaliser is printed and forgotten. And to the system's request
Python ends at once, without removing what was half written.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

# After that time an interrupt that nothing is unwinding for is raised again.
AGAIN_SECONDS = 0.3
SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


class Interruption:
    """Whether the program was asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._over = threading.Event()
        self._sending = threading.Lock()
        self._again = False

    @property
    def exit_code(self) -> int:
        """What programs return that a signal has ended."""
        return 128 + (self.signal or signal.SIGINT)

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Raise `KeyboardInterrupt` in the main thread; the handler of the signals."""
        again, self._again = self._again, False
        if self._over.is_set() or (again and _unwinding()):
            return
        if self.signal is None:
            self.signal = number
            threading.Thread(target=self._insist, daemon=True).start()
        raise KeyboardInterrupt

    def end(self) -> None:
        """Raise nothing any more; no signal is under way when this returns."""
        self._over.set()
        with self._sending:
            pass

    def _insist(self) -> None:
        """Send the signal again for as long as the main thread goes on."""
        assert self.signal is not None
        while not self._over.wait(AGAIN_SECONDS):
            with self._sending:
                if not self._over.is_set():
                    self._again = True
                    _send(self.signal)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Stop the block by `KeyboardInterrupt` when the program is asked to end.

    In another thread than the main one nothing changes.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    # A shell that starts programs in the background, and nohup, have them ignore some signals.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interruption.receive) for number in heard}
    hook = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else hook(lost)
    try:
        yield interruption
    finally:
        interruption.end()
        for number, handler in before.items():
            with suppress(TypeError):  # a handler that was not set from Python cannot be set again
                signal.signal(number, handler)
        sys.unraisablehook = hook


def _send(number: int) -> None:
    """Raise a signal in the main thread, which it wakes where the system can do that."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _unwinding() -> bool:
    """Tell whether the interrupt is on its way through the program, which cleans up behind it."""
    error: Any = sys.exc_info()[1]
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__context__
    return False
