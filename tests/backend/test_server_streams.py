"""Streams over HTTP: sessions of single frames. The tracking is a small fake."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest

from backend.exchange import contract
from backend.server.limits import Limits
from backend.server.streams import Streams

Start = Callable[..., Any]

RED = np.full((48, 64, 3), (250, 0, 0), np.uint8)


def ready(backend: Any) -> Any:
    deadline = time.monotonic() + 5
    while backend.request("GET", "/v1/health").json()["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return backend


def open_stream(backend: Any, query: str = "") -> str:
    answer = ready(backend).request("POST", f"/v1/streams{query}")
    assert answer.status == 201, answer.body
    return answer.json()["stream"]


def post(backend: Any, stream: str, body: bytes, query: str = "") -> Any:
    return backend.request("POST", f"/v1/streams/{stream}/frames{query}", body)


def file(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image[:, :, ::-1])[1].tobytes()


def faces(answer: Any) -> contract.FrameResult:
    assert answer.status == 200, answer.body
    return contract.decode_frame(answer.body)


def assert_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"] and answer.json()["remedy"]


def test_frames_of_every_kind_are_answered_in_order(start_backend: Start) -> None:
    backend = start_backend()
    stream = open_stream(backend, "?smoothing=0.5")
    jpeg, png = file(RED, ".jpg"), file(RED)
    first = faces(post(backend, stream, jpeg, "?time=1.5"))
    second = faces(post(backend, stream, png, "?time=1.54"))
    third = faces(post(backend, stream, RED.tobytes(), "?time=1.58&width=64&height=48"))
    assert [result.time for result in (first, second, third)] == [1.5, 1.54, 1.58]
    for count, result in enumerate((first, second, third), 1):
        assert result.image_size == (64, 48)
        assert result.expression[0, :2].tolist() == [count, 0.5]
        np.testing.assert_allclose(result.translation, [[250, 0, 0]], atol=4)
    assert backend.request("DELETE", f"/v1/streams/{stream}").status == 200
    assert_problem(post(backend, stream, png), 404, "no-such-stream")
    assert_problem(backend.request("DELETE", f"/v1/streams/{stream}"), 404, "no-such-stream")


def test_without_times_frames_take_those_of_their_arrival(start_backend: Start) -> None:
    backend = start_backend()
    stream = open_stream(backend)
    times = [faces(post(backend, stream, file(RED))).time for _ in range(3)]
    assert 0 <= times[0] < times[1] < times[2] < 5


BAD_FRAMES = {
    "empty": (b"", "", "bad-input"),
    "text": (b"no picture", "", "not-an-image"),
    "gif": (b"GIF89a" + bytes(100), "", "not-an-image"),
    "half a header": (file(RED)[:20], "", "not-an-image"),
    "raw too short": (bytes(10), "width=64&height=48", "bad-frame"),
    "raw too long": (bytes(64 * 48 * 3 + 1), "width=64&height=48", "bad-frame"),
    "raw without a height": (RED.tobytes(), "width=64", "not-an-image"),
    "negative size": (RED.tobytes(), "width=-64&height=-48", "bad-frame"),
    "huge size": (RED.tobytes(), "width=1000000&height=1000000", "bad-frame"),
    "tiny": (file(RED[:8, :8]), "", "bad-frame"),
    "width a text": (RED.tobytes(), "width=x&height=48", "bad-parameter"),
    "time NaN": (file(RED), "time=nan", "bad-parameter"),
}


@pytest.mark.parametrize(("body", "query", "code"), BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_a_bad_frame_is_refused_and_the_stream_goes_on(
    start_backend: Start, body: bytes, query: str, code: str
) -> None:
    backend = start_backend()
    stream = open_stream(backend)
    assert_problem(post(backend, stream, body, f"?{query}"), 422, code)
    assert faces(post(backend, stream, file(RED), "?time=0")).expression[0, 0] == 1


def test_a_bomb_is_refused_by_its_header(start_backend: Start) -> None:
    """A PNG of a few bytes that claims 100 million pixels."""
    import struct
    import zlib

    header = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(1000))
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, pixels, b"IEND")
    )
    backend = start_backend()
    assert_problem(post(backend, open_stream(backend), bomb), 422, "bad-frame")


def test_times_must_rise(start_backend: Start) -> None:
    backend = start_backend()
    stream = open_stream(backend)
    faces(post(backend, stream, file(RED), "?time=1"))
    for late in ("0.5", "1"):
        assert_problem(post(backend, stream, file(RED), f"?time={late}"), 422, "bad-time")
    assert faces(post(backend, stream, file(RED), "?time=1.1")).expression[0, 0] == 2


def test_a_long_frame_is_refused(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(frame_bytes=10_000))
    answer = post(backend, open_stream(backend), bytes(10_001))
    assert_problem(answer, 413, "too-large")


@pytest.mark.parametrize("smoothing", ["-0.1", "1.1", "nan", "x"])
def test_wrong_smoothing(start_backend: Start, smoothing: str) -> None:
    answer = ready(start_backend()).request("POST", f"/v1/streams?smoothing={smoothing}")
    assert_problem(answer, 422, "bad-parameter")


def test_streams_do_not_wait_for_jobs(start_backend: Start) -> None:
    backend = start_backend()
    stream = open_stream(backend)
    job = backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    for count in range(1, 6):
        assert faces(post(backend, stream, file(RED))).expression[0, 0] == count
    assert backend.request("GET", f"/v1/jobs/{job}").json()["state"] == "running"


def test_streams_do_not_wait_for_each_other(start_backend: Start) -> None:
    backend = start_backend()
    held, free = open_stream(backend), open_stream(backend)
    backend.reconstructor.frames_may_go.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, backend, held, file(RED))
        assert backend.reconstructor.frames_begun.acquire(timeout=5)
        second = pool.submit(post, backend, free, file(RED))
        assert backend.reconstructor.frames_begun.acquire(timeout=5)
        backend.reconstructor.frames_may_go.set()
        assert faces(first.result(5)).expression[0, 0] == faces(second.result(5)).expression[0, 0]


def test_frames_that_come_too_fast_are_refused(start_backend: Start) -> None:
    backend = start_backend()
    stream = open_stream(backend)
    backend.reconstructor.frames_may_go.clear()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(post, backend, stream, file(RED), f"?time={i}") for i in range(5)]
        refused = 0
        deadline = time.monotonic() + 5
        while refused < 3:
            refused = sum(answer.done() for answer in answers)
            assert time.monotonic() < deadline
            time.sleep(0.005)
        backend.reconstructor.frames_may_go.set()
        statuses = [answer.result(5).status for answer in answers]
    assert sorted(status for status in statuses if status != 422)[-3:] == [429] * 3
    late = post(backend, stream, file(RED), "?time=9")
    assert faces(late).time == 9


def test_frames_that_find_no_place_are_refused_before_they_come(start_backend: Start) -> None:
    """Their bodies would wait in memory, as many as there are clients."""
    backend = start_backend()
    stream = open_stream(backend)
    begun = [begin_frame(backend, stream) for _ in range(3)]
    try:
        begun[2].settimeout(5)
        assert b"429" in begun[2].recv(65536).partition(b"\r\n")[0]
    finally:
        for connection in begun:
            connection.close()
    # Those who have gone leave their places.
    deadline = time.monotonic() + 5
    while post(backend, stream, file(RED)).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begin_frame(backend: Any, stream: str) -> socket.socket:
    """Connection on which the head of a frame has been sent, and nothing of its body."""
    connection = socket.create_connection(("127.0.0.1", backend.port), timeout=20)
    connection.sendall(
        f"POST /v1/streams/{stream}/frames HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {backend.authorization}\r\nContent-Length: 1000\r\n\r\n".encode()
    )
    # It holds its place when the next one is answered.
    assert backend.request("GET", "/v1/health").status == 200
    return connection


def test_too_many_streams_until_one_is_closed(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(streams=2))
    first, _ = open_stream(backend), open_stream(backend)
    assert_problem(backend.request("POST", "/v1/streams"), 429, "too-many-streams")
    backend.request("DELETE", f"/v1/streams/{first}")
    open_stream(backend)


def test_a_stream_needs_loaded_models(start_backend: Start) -> None:
    import threading

    loaded = threading.Event()
    backend = start_backend(load=lambda: loaded.wait(10) and backend.reconstructor)
    answer = backend.request("POST", "/v1/streams")
    assert_problem(answer, 503, "loading")
    assert int(answer.headers["Retry-After"]) > 0
    loaded.set()
    open_stream(backend)


def test_idle_streams_are_forgotten() -> None:
    from tests.backend.fake_tracking import FakeTracking

    now = [0.0]
    streams = Streams(Limits(streams=2, stream_seconds=10), clock=lambda: now[0])
    tracking = FakeTracking()

    def open_one() -> str:
        return streams.open(lambda: tracking.live_tracker(0))

    old = open_one()
    now[0] = 6
    young = open_one()
    now[0] = 11
    assert streams.find(young)
    open_one()
    with pytest.raises(Exception, match="no such stream"):
        streams.find(old)
    streams.stop()


def test_stopping_answers_what_is_in_work(start_backend: Start) -> None:
    backend = start_backend()
    stream = open_stream(backend)
    backend.reconstructor.frames_may_go.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, backend, stream, file(RED))
        assert backend.reconstructor.frames_begun.acquire(timeout=5)
        backend.stop()
        time.sleep(0.1)
        backend.reconstructor.frames_may_go.set()
        assert faces(answer.result(5)).expression[0, 0] == 1
