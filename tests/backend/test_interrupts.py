"""Ctrl-C and the request to end stop the work, whatever libraries make of the interrupt."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend import interrupts
from backend.cli import main
from backend.commands import info
from backend.data_folder import atomic_path
from backend.interrupts import interruptible

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
    pytest.mark.usefixtures("heard"),
]

LONG = 20.0


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals as a terminal leaves them (tests in the background ignore some), little patience."""
    monkeypatch.setattr(interrupts, "AGAIN_SECONDS", 0.02)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def work(until: Callable[[], bool] = lambda: False) -> None:
    """Go on for ever."""
    end = time.monotonic() + LONG
    while not until():
        assert time.monotonic() < end, "nobody has stopped the work"


def swallowed() -> None:
    """As an extension module that is being imported, and a library that can do without it."""
    try:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error
    except ImportError:
        pass


class Finalised:
    """Meets the interrupt where no exception gets out."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("lose", [swallowed, Finalised])
def test_an_interrupt_that_is_lost_comes_again(
    lose: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        lose()
        work()
    assert capsys.readouterr().err == ""


def test_what_waits_is_woken() -> None:
    def lost() -> None:
        with interruptible():
            swallowed()
            threading.Event().wait(LONG)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        lost()
    assert time.monotonic() - began < LONG / 2


def test_cleaning_up_is_not_disturbed() -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            enough = time.monotonic() + 10 * interrupts.AGAIN_SECONDS
            work(lambda: time.monotonic() > enough)
            cleaned = True
    assert cleaned


def test_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptible() as interruption:
        assert signal.getsignal(signal.SIGTERM) == interruption.receive
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_ended_leaves_nothing_half_written(
    number: signal.Signals, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(args: object) -> int:
        with atomic_path(tmp_path / "preview.png") as path:
            path.write_bytes(b"half")
            signal.raise_signal(number)
        return 0

    monkeypatch.setattr(info, "run", run)
    assert main(["info"]) == code
    assert list(tmp_path.iterdir()) == []


def test_an_import_that_fails_by_the_interrupt_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(args: object) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error
        return 0

    monkeypatch.setattr(info, "run", run)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == ""
