"""Photos that would hold a computer up for minutes, or fill its memory: refused, in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from backend.errors import BadInputError
from backend.sandbox import children as foreign
from backend.sandbox.children import Children, end_children
from backend.sandbox.process import Limits, OverLimitError
from backend.server.frame_image import frame_image
from backend.server.jobs import JobQueue
from backend.server.limits import Limits as ServerLimits
from backend.vision.images import decode_image, read_image
from tests.backend.photo_bombs import flat_jpeg, jpeg_2000, progressive_jpeg

ENDED = ("done", "failed", "cancelled")


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Limits], None]]:
    """Gives this process's children other limits."""
    made: list[Children] = []

    def limit(limits: Limits) -> None:
        made.append(Children(limits))
        monkeypatch.setattr(foreign, "_shared", lambda: made[-1])

    yield limit
    for children in made:
        children.end()


def test_bombs_are_small_and_their_pictures_allowed() -> None:
    assert len(progressive_jpeg()) < 300_000
    assert len(jpeg_2000()) < 150


def test_the_limits_are_those_that_were_promised() -> None:
    assert Limits() == Limits(memory=int(1.5 * 2**30), seconds=20)


@pytest.mark.parametrize(
    "read", [decode_image, lambda data: frame_image(data, None)], ids=["photo", "frame"]
)
def test_time(read: Callable[[bytes], object], limited: Callable[[Limits], None]) -> None:
    """Left alone, it takes half a minute."""
    limited(Limits(seconds=1.5))
    started = time.monotonic()
    with pytest.raises(OverLimitError, match=r"takes more than 1\.5 seconds"):
        read(progressive_jpeg())
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not psutil.LINUX, reason="the system does not limit memory")
@pytest.mark.parametrize(("precinct", "code_block", "side"), [(15, 0, 4000), (1, 0, 2500)])
def test_memory(
    precinct: int, code_block: int, side: int, limited: Callable[[Limits], None]
) -> None:
    """Of 82 bytes; left alone, each takes more than 400 MB, and gigabytes if it is larger."""
    limited(Limits(memory=300 * 2**20))
    peak = Peak()
    with pytest.raises(BadInputError) as caught, peak:
        decode_image(jpeg_2000(side, precinct, code_block))
    assert caught.value.code in ("takes-too-much-memory", "damaged-image", "reader-ended")
    assert 0 < peak.bytes < 300 * 2**20


class Peak:
    """The most that children of this process have resident while a block runs."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.01):
            for child in psutil.Process().children():
                try:
                    self.bytes = max(self.bytes, child.memory_info().rss)
                except psutil.Error:
                    continue


def test_a_cancelled_job_ends_at_once() -> None:
    """And the next photo is read."""
    queue = JobQueue(ServerLimits())
    bomb, photo = progressive_jpeg(), flat_jpeg(64, 48)
    begun = threading.Event()

    def work(data: bytes, progress: Callable[[float, str], None]) -> bytes:
        progress(0.0, "reading")
        begun.set()
        return decode_image(data).tobytes()

    worker = threading.Thread(target=queue.run)
    worker.start()
    try:
        first = queue.submit(lambda progress: work(bomb, progress))
        assert begun.wait(10)
        second = queue.submit(lambda progress: work(photo, progress))
        started = time.monotonic()
        queue.cancel(first)
        until(lambda: queue.status(second).state in ENDED)
        assert time.monotonic() - started < 5
        assert queue.status(first).state == "cancelled"
        assert queue.result(second) == bytes([128]) * (64 * 48 * 3)
    finally:
        queue.close()
        worker.join(10)


def test_shutting_down_ends_what_is_being_read() -> None:
    outcomes: list[BaseException] = []

    def read() -> None:
        try:
            frame_image(progressive_jpeg(), None)
        except BadInputError as error:
            outcomes.append(error)

    thread = threading.Thread(target=read)
    decode_image(flat_jpeg(64, 48))
    thread.start()
    until(lambda: any(busy.cpu_times().user > 0.5 for busy in psutil.Process().children()))
    started = time.monotonic()
    end_children()
    thread.join(10)
    assert time.monotonic() - started < 5
    assert len(outcomes) == 1


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_many_photos_take_one_child(tmp_path: Path) -> None:
    """It is kept warm: what a photo costs is measured by `synergyface bench`."""
    (tmp_path / "a.jpg").write_bytes(flat_jpeg(64, 48))
    read_image(tmp_path / "a.jpg")
    before = {child.pid for child in psutil.Process().children()}
    for _ in range(5):
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), 128)
    assert {child.pid for child in psutil.Process().children()} == before
