"""Many clients at once, and mixed work for a long time, against a real backend process.

``SYNERGYFACE_SOAK_SECONDS`` says how long: 10 unless set, an hour in `make test-long`.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backend.exchange import contract
from backend.server.limits import Limits
from tests.backend_client import FINISHED, BackendProcess
from tests.conftest import FakeReconstructor, RunningBackend

CLIENTS = 32
ROUNDS = 3
SOAK_SECONDS = float(os.environ.get("SYNERGYFACE_SOAK_SECONDS", "10"))
SOAK_CLIENTS = 4
LOOPBACK = {"127.0.0.1"}
# Of the memory in the middle of the run; allocators and caches breathe.
MAX_GROWTH = 0.05
MAX_GROWTH_BYTES = 30 * 2**20


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Eileen Collins, NASA, public domain: 512x512."""
    import skimage.data

    return (Path(skimage.data.__file__).parent / "astronaut.png").read_bytes()


def test_thirty_two_clients(
    real_backend: BackendProcess, photo: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """All at once, again and again: nobody is refused, forgotten or served twice before others."""
    real_backend.loaded()
    real_backend.finished(real_backend.submit(photo, "?texture_size=0"))
    began = time.monotonic()

    def client(number: int) -> list[tuple[float, float]]:
        """When each of its jobs was sent, and when its result was there."""
        times = []
        for _ in range(ROUNDS):
            sent = time.monotonic()
            job = real_backend.submit(photo, "?texture_size=0")
            assert real_backend.finished(job, 250)["state"] == "done"
            body = real_backend.get(f"/v1/jobs/{job}/result").body
            assert len(contract.decode_faces(body).faces) == 1
            times.append((sent - began, time.monotonic() - began))
        return times

    with ThreadPoolExecutor(CLIENTS) as pool:
        times = np.array(list(pool.map(client, range(CLIENTS))))
    seconds = times[..., 1] - times[..., 0]
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, "
            f"{times[..., 1].size / times[..., 1].max():.1f} photos/s "
        )
    # First come, first served: all have their first photo before anybody has a third.
    done = times[..., 1]
    assert done[:, 0].max() < done[:, 2].min()


def test_a_bounded_queue_serves_all_who_come_again(
    start_backend: Callable[..., RunningBackend],
) -> None:
    class Paced(FakeReconstructor):
        """Takes its time, and sees how many wait."""

        def faces(self, *args: Any, **kwargs: Any) -> Any:
            time.sleep(0.01)
            return super().faces(*args, **kwargs)

    backend = start_backend(load=Paced, limits=Limits(waiting_jobs=4, kept_jobs=64))
    refusals: list[int] = []

    def client(number: int) -> float:
        photo = b"x" * (number + 1)
        while (answer := backend.request("POST", "/v1/faces", photo)).status == 429:
            refusals.append(int(answer.headers["Retry-After"]))
            assert answer.json()["code"] == "queue-full"
            time.sleep(0.02)
        assert answer.status == 202
        job = answer.json()["job"]
        assert backend.finished(job, 60)["state"] == "done"
        body = backend.get(f"/v1/jobs/{job}/result").body
        return contract.decode_faces(body).faces[0].expression[0]

    with ThreadPoolExecutor(CLIENTS) as pool:
        lengths = list(pool.map(client, range(CLIENTS)))
    assert lengths == [number + 1 for number in range(CLIENTS)]
    assert refusals and min(refusals) > 0


@dataclass(frozen=True)
class Sample:
    """What a process holds at one moment: bytes resident, threads, files and sockets."""

    memory: int
    threads: int
    files: int

    @classmethod
    def of(cls, process: psutil.Process) -> Sample:
        """Now."""
        files = process.num_handles() if sys.platform == "win32" else process.num_fds()
        return cls(process.memory_info().rss, process.num_threads(), files)


class MixedWork:
    """What clients do all day, by chance; counts what became of it."""

    def __init__(self, backend: BackendProcess, photo: bytes) -> None:
        self._backend = backend
        self._photo = photo
        self.outcomes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def until(self, end: float, seed: int) -> None:
        """Each piece of work once, then by chance until it is time."""
        chance = random.Random(seed)
        kinds = [self.photo, self.bad_photo, self.cancelled, self.gone, self.half, self.looks_round]
        turns = chance.sample(kinds, len(kinds))
        while turns or time.monotonic() < end:
            kind = turns.pop() if turns else chance.choices(kinds, (6, 1, 2, 1, 1, 1))[0]
            outcome = kind(chance)
            with self._lock:
                self.outcomes[outcome] += 1

    def photo(self, chance: random.Random) -> str:
        """With and without textures; the result is fetched."""
        size = chance.choice((0, 0, 512, 1024))
        job = self._backend.submit(self._photo, f"?texture_size={size}&texture_mode=photo")
        assert self._backend.finished(job, 250)["state"] == "done"
        body = self._backend.get(f"/v1/jobs/{job}/result").body
        assert bool(contract.decode_faces(body).faces[0].texture_png.size) == bool(size)
        return "done"

    def bad_photo(self, chance: random.Random) -> str:
        """Is explained."""
        cut = self._photo[: chance.randrange(1, len(self._photo) // 2)]
        status = self._backend.finished(self._backend.submit(cut), 250)
        assert status["state"] == "failed" and status["problem"]["status"] == 422
        return "explained"

    def cancelled(self, chance: random.Random) -> str:
        """At any moment."""
        job = self._backend.submit(self._photo, "?texture_mode=photo")
        time.sleep(chance.random() / 2)
        assert self._backend.request("DELETE", f"/v1/jobs/{job}").status == 200
        answer = self._backend.get(f"/v1/jobs/{job}?wait=20&since=-1")
        while answer.status == 200 and answer.json()["state"] not in FINISHED:
            since = answer.json()["revision"]
            answer = self._backend.get(f"/v1/jobs/{job}?wait=20&since={since}")
        assert answer.status == 404 or answer.json()["state"] == "cancelled"
        return "cancelled"

    def gone(self, chance: random.Random) -> str:
        """Nobody asks for the result."""
        self._backend.submit(self._photo, "?texture_size=0")
        return "gone"

    def half(self, chance: random.Random) -> str:
        """The connection breaks in the middle of the upload."""
        head = (
            f"POST /v1/faces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n"
            f"Authorization: {self._backend.authorization}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", self._backend.port), timeout=20) as connection:
            connection.sendall(head + b"x" * chance.randrange(90_000))
        return "half"

    def looks_round(self, chance: random.Random) -> str:
        """What a client asks first."""
        assert self._backend.get("/v1/health").json()["state"] == "ready"
        assert self._backend.get("/v1/model").status == 200
        assert self._backend.get("/v1/jobs/nobody-s").status == 404
        return "looked"


@pytest.mark.timeout(SOAK_SECONDS + 600)
def test_mixed_work_leaves_nothing_behind(
    real_backend: BackendProcess, photo: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    real_backend.loaded()
    process = psutil.Process(real_backend.process.pid)
    work = MixedWork(real_backend, photo)
    samples: list[Sample] = []
    end = time.monotonic() + SOAK_SECONDS
    with ThreadPoolExecutor(SOAK_CLIENTS) as pool:
        clients = [pool.submit(work.until, end, seed) for seed in range(SOAK_CLIENTS)]
        while time.monotonic() < end:
            samples.append(Sample.of(process))
            # No photo leaves the computer: nobody else is spoken to.
            for connection in process.net_connections("inet"):
                assert {end.ip for end in (connection.laddr, connection.raddr) if end} <= LOOPBACK
            time.sleep(SOAK_SECONDS / 120)
        for client in clients:
            client.result()

    # The first third warms up: textures of each size, results that are kept. A large texture in
    # the making takes 60 MiB more for a moment, so what is compared is a low value of each part.
    third = len(samples) // 3
    middle, last = (
        {name: _low([getattr(s, name) for s in part]) for name in Sample.__annotations__}
        for part in (samples[third : 2 * third], samples[2 * third :])
    )
    with capsys.disabled():
        print(f"\n{SOAK_SECONDS:g} s of mixed work: {dict(work.outcomes)}")
        print(f"memory {middle['memory'] / 2**20:.0f} -> {last['memory'] / 2**20:.0f} MiB ", end="")
        print(f"threads {middle['threads']} -> {last['threads']} ", end="")
        print(f"files {middle['files']} -> {last['files']} ")
    assert len(work.outcomes) == 6
    growth = last["memory"] - middle["memory"]
    assert growth < max(MAX_GROWTH * middle["memory"], MAX_GROWTH_BYTES)
    assert last["threads"] <= middle["threads"] + 1
    assert last["files"] <= middle["files"] + SOAK_CLIENTS
    # Nothing is stuck: a last job comes to its end.
    assert real_backend.finished(real_backend.submit(photo, "?texture_size=0"))["state"] == "done"


def _low(values: Sequence[float]) -> float:
    """The value that a fifth of them lie below."""
    return sorted(values)[len(values) // 5]
