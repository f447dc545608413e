"""The HTTP service: health, model, jobs. A real server; the reconstructor is a small fake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend.errors import MissingAssetError
from backend.exchange import contract
from backend.server.jobs import JobQueue
from backend.server.limits import Limits
from backend.server.problems import ProblemError

Start = Callable[..., Any]


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def state_of(backend: Any) -> str:
    return backend.request("GET", "/v1/health").json()["state"]


def test_health_answers_while_models_load(start_backend: Start) -> None:
    loaded = threading.Event()
    backend = start_backend(load=lambda: loaded.wait(10) and backend.reconstructor)
    health = backend.request("GET", "/v1/health").json()
    assert health["state"] in ("starting", "loading")
    assert health["protocol"] == contract.PROTOCOL
    assert {"python", "torch", "numpy"} <= health["versions"].keys()

    model = backend.request("GET", "/v1/model")
    assert (model.status, model.json()["code"]) == (503, "loading")
    assert int(model.headers["Retry-After"]) > 0

    job = backend.submit(b"fast")
    assert backend.request("GET", f"/v1/jobs/{job}").json()["state"] == "queued"
    loaded.set()
    assert backend.finished(job)["state"] == "done"
    health = backend.request("GET", "/v1/health").json()
    assert (health["state"], health["device"], health["problem"]) == ("ready", "cpu", None)


def test_failed_loading_is_explained_everywhere(start_backend: Start) -> None:
    def load() -> Any:
        gate.wait(10)
        raise MissingAssetError("The face model is missing.", "Run `synergyface assets fetch`.")

    gate = threading.Event()
    backend = start_backend(load=load)
    early = backend.submit(b"fast")
    gate.set()
    problem = backend.finished(early)["problem"]
    wait_for(lambda: state_of(backend) == "failed")
    answers = [
        problem,
        backend.request("GET", "/v1/health").json()["problem"],
        backend.request("GET", "/v1/model").json(),
        backend.request("POST", "/v1/faces", b"fast").json(),
    ]
    for answer in answers:
        assert answer["code"] == "missing-asset"
        assert answer["status"] == 503
        assert answer["detail"] == "The face model is missing."
        assert answer["remedy"] == "Run `synergyface assets fetch`."


def test_unexpected_failure_of_loading_tells_no_secrets(start_backend: Start) -> None:
    backend = start_backend(load=lambda: 1 / 0)
    wait_for(lambda: state_of(backend) == "failed")
    problem = backend.request("GET", "/v1/health").json()["problem"]
    assert problem["code"] == "internal"
    assert "ZeroDivisionError" in problem["detail"]
    assert "division by zero" not in str(problem)


def test_model_and_its_etag(shared_backend: Any) -> None:
    wait_for(lambda: state_of(shared_backend) == "ready")
    first = shared_backend.request("GET", "/v1/model")
    assert first.headers["Content-Type"] == contract.MEDIA_TYPE
    model = contract.decode_model(first.body)
    assert (model.triangles == shared_backend.reconstructor.static_model().triangles).all()

    def again(tag: str) -> Any:
        return shared_backend.request(
            "GET", "/v1/model", headers=shared_backend.headers | {"If-None-Match": tag}
        )

    etag = first.headers["ETag"]
    for known in (etag, f'"other", {etag}', "*"):
        answer = again(known)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    assert again('"other"').status == 200


def test_a_job_from_photo_to_result(shared_backend: Any) -> None:
    answer = shared_backend.request("POST", "/v1/faces?which=all&texture_size=512", b"four")
    assert answer.status == 202
    job = answer.json()["job"]
    status = shared_backend.finished(job)
    assert (status["state"], status["progress"], status["problem"]) == ("done", 1.0, None)
    result = shared_backend.request("GET", f"/v1/jobs/{job}/result")
    assert result.headers["Content-Type"] == contract.MEDIA_TYPE
    assert contract.decode_faces(result.body).faces[0].expression[0] == 4
    assert shared_backend.reconstructor.calls[-1] == ("all", 512)


def test_defaults_and_no_texture(shared_backend: Any) -> None:
    shared_backend.finished(shared_backend.submit(b"fast"))
    assert shared_backend.reconstructor.calls[-1] == ("largest", 1024)
    answer = shared_backend.request("POST", "/v1/faces?texture_size=0", b"fast")
    shared_backend.finished(answer.json()["job"])
    assert shared_backend.reconstructor.calls[-1] == ("largest", None)


def test_failed_jobs_say_why(shared_backend: Any) -> None:
    job = shared_backend.submit(b"no face")
    status = shared_backend.finished(job)
    assert status["state"] == "failed"
    assert status["problem"]["code"] == "no-face"
    answer = shared_backend.request("GET", f"/v1/jobs/{job}/result")
    assert answer.status == 422
    assert answer.json() == status["problem"]


def test_an_unexpected_error_in_a_job_keeps_its_details_in_the_log(
    shared_backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    status = shared_backend.finished(shared_backend.submit(b"bug"))
    assert status["problem"]["code"] == "internal"
    assert "/home/somebody" not in str(status)
    assert "/home/somebody" in caplog.text
    assert shared_backend.finished(shared_backend.submit(b"fast"))["state"] == "done"


def test_running_work_is_cancelled(start_backend: Start) -> None:
    backend = start_backend()
    job = backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    assert backend.request("GET", f"/v1/jobs/{job}/result").json()["code"] == "not-done"
    answer = backend.request("DELETE", f"/v1/jobs/{job}")
    assert (answer.status, answer.json()["state"]) == (200, "running")
    assert backend.finished(job)["state"] == "cancelled"
    assert backend.reconstructor.slow_ones_stopped.acquire(timeout=5)
    result = backend.request("GET", f"/v1/jobs/{job}/result")
    assert (result.status, result.json()["code"]) == (409, "cancelled")
    assert backend.finished(backend.submit(b"fast"))["state"] == "done"


def test_waiting_work_is_cancelled_and_never_begins(start_backend: Start) -> None:
    backend = start_backend()
    backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    waiting = backend.submit(b"slow too")
    answer = backend.request("DELETE", f"/v1/jobs/{waiting}")
    assert answer.json()["state"] == "cancelled"
    backend.reconstructor.release.set()
    assert backend.finished(backend.submit(b"fast"))["state"] == "done"
    assert not backend.reconstructor.slow_ones_started.acquire(blocking=False)


def test_deleting_a_finished_job_forgets_it(shared_backend: Any) -> None:
    job = shared_backend.submit(b"fast")
    shared_backend.finished(job)
    assert shared_backend.request("DELETE", f"/v1/jobs/{job}").status == 200
    for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        answer = shared_backend.request(method, f"/v1/jobs/{job}{path}")
        assert (answer.status, answer.json()["code"]) == (404, "no-such-job")


def test_a_full_queue_refuses_and_recovers(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(waiting_jobs=2))
    backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    waiting = [backend.submit(b"fast") for _ in range(2)]
    refused = backend.request("POST", "/v1/faces", b"fast")
    assert (refused.status, refused.json()["code"]) == (429, "queue-full")
    assert int(refused.headers["Retry-After"]) > 0
    backend.request("DELETE", f"/v1/jobs/{waiting[0]}")
    waiting.append(backend.submit(b"fast"))
    backend.reconstructor.release.set()
    assert [backend.finished(job)["state"] for job in waiting[1:]] == ["done", "done"]


def test_long_poll_returns_at_the_change(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(wait_seconds=8))
    first = backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    job = backend.submit(b"fast")
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(backend.request, "GET", f"/v1/jobs/{job}?wait=8")
        time.sleep(0.1)
        assert not poll.done()
        began = time.monotonic()
        backend.request("DELETE", f"/v1/jobs/{job}")
        assert poll.result(5).json()["state"] == "cancelled"
    assert time.monotonic() - began < 2
    backend.request("DELETE", f"/v1/jobs/{first}")


def test_long_poll_ends_when_its_time_is_over(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(wait_seconds=0.2))
    backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    job = backend.submit(b"fast")
    began = time.monotonic()
    answer = backend.request("GET", f"/v1/jobs/{job}?wait=60")
    assert answer.json()["state"] == "queued"
    assert 0.15 < time.monotonic() - began < 3


def test_no_change_is_missed_between_two_long_polls(start_backend: Start) -> None:
    backend = start_backend()
    job = backend.submit(b"silent")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    began = time.monotonic()
    status = backend.request("GET", f"/v1/jobs/{job}?wait=8&since=0").json()
    assert (status["state"], status["stage"]) == ("running", "detecting")
    assert time.monotonic() - began < 2
    known = status["revision"]
    status = backend.request("GET", f"/v1/jobs/{job}?wait=0.3&since={known}").json()
    assert status["revision"] == known
    assert time.monotonic() - began > 0.25


def test_progress_is_seen(start_backend: Start) -> None:
    backend = start_backend()
    job = backend.submit(b"slow")
    wait_for(lambda: backend.request("GET", f"/v1/jobs/{job}").json()["stage"] == "fitting")
    status = backend.request("GET", f"/v1/jobs/{job}?wait=1").json()
    assert (status["state"], status["progress"]) == ("running", 0.5)


def test_many_clients_at_once_get_their_own_results(start_backend: Start) -> None:
    backend = start_backend(limits=Limits(waiting_jobs=40))

    def client(length: int) -> tuple[int, float]:
        job = backend.submit(b"x" * length)
        assert backend.finished(job)["state"] == "done"
        body = backend.request("GET", f"/v1/jobs/{job}/result").body
        return length, contract.decode_faces(body).faces[0].expression[0]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(client, range(1, 31)))
    assert all(length == first_expression for length, first_expression in results)


def test_stopping_cancels_running_work_and_answers_those_who_wait(start_backend: Start) -> None:
    backend = start_backend()
    backend.submit(b"slow")
    assert backend.reconstructor.slow_ones_started.acquire(timeout=5)
    waiting = backend.submit(b"fast")
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(backend.request, "GET", f"/v1/jobs/{waiting}?wait=20")
        time.sleep(0.1)
        backend.stop()
        assert poll.result(5).json()["state"] == "cancelled"
    assert backend.reconstructor.slow_ones_stopped.acquire(timeout=5)


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def a_queue(clock: list[float], **limits: Any) -> JobQueue:
    """Queue whose worker runs in a thread until the test closes it."""
    queue = JobQueue(Limits(**limits), clock=lambda: clock[0])
    threading.Thread(target=queue.run, daemon=True).start()
    return queue


def done(queue: JobQueue, result: bytes) -> str:
    job = queue.submit(lambda progress: result)
    wait_for(lambda: queue.status(job).finished)
    return job


def known(queue: JobQueue, job: str) -> bool:
    try:
        queue.status(job)
    except ProblemError as error:
        assert error.problem.status == 404
        return False
    return True


def test_results_expire_by_age(clock: list[float]) -> None:
    queue = a_queue(clock, kept_seconds=100)
    old = done(queue, b"old")
    clock[0] = 60
    young = done(queue, b"young")
    assert queue.result(old) == b"old"
    clock[0] = 101
    assert not known(queue, old)
    assert queue.result(young) == b"young"
    queue.close()


def test_results_expire_by_number(clock: list[float]) -> None:
    queue = a_queue(clock, kept_jobs=2)
    jobs = [done(queue, b"x") for _ in range(4)]
    assert [known(queue, job) for job in jobs] == [False, False, True, True]
    queue.close()


def test_results_expire_by_size_but_the_last_one_stays(clock: list[float]) -> None:
    queue = a_queue(clock, kept_bytes=100)
    small = [done(queue, b"x" * 40) for _ in range(3)]
    assert [known(queue, job) for job in small] == [False, True, True]
    huge = done(queue, b"x" * 1000)
    assert [known(queue, job) for job in small] == [False, False, False]
    assert len(queue.result(huge)) == 1000
    queue.close()


def test_running_jobs_never_expire(clock: list[float]) -> None:
    release = threading.Event()
    queue = a_queue(clock, kept_seconds=100)
    job = queue.submit(lambda progress: b"late" if release.wait(5) else b"")
    wait_for(lambda: queue.status(job).state == "running")
    clock[0] = 10_000
    assert queue.status(job).state == "running"
    release.set()
    wait_for(lambda: queue.status(job).finished)
    assert queue.result(job) == b"late"
    queue.close()


def test_progress_stays_between_0_and_1_and_never_falls() -> None:
    seen: list[float] = []

    def work(progress: Callable[[float, str], None]) -> bytes:
        for value in (-1.0, 0.5, 0.2, float("nan"), 7.0):
            progress(value, "stage")
            seen.append(queue.status(job).progress)
        return b""

    queue = JobQueue(Limits())
    job = queue.submit(work)
    threading.Thread(target=queue.run, daemon=True).start()
    wait_for(lambda: queue.status(job).finished)
    assert seen == [0.0, 0.5, 0.5, 0.5, 1.0]
    queue.close()


def test_a_closed_queue_takes_nothing() -> None:
    queue = JobQueue(Limits())
    queue.close()
    with pytest.raises(ProblemError) as caught:
        queue.submit(lambda progress: b"")
    assert caught.value.problem.code == "stopping"


def test_work_that_was_cancelled_as_it_ended_is_cancelled(clock: list[float]) -> None:
    """No report comes after the cancel, so the work returns; its result is not handed out."""
    begun, release = threading.Event(), threading.Event()

    def work(progress: Callable[[float, str], None]) -> bytes:
        begun.set()
        release.wait(5)
        return b"too late"

    queue = a_queue(clock)
    job = queue.submit(work)
    assert begun.wait(5)
    queue.cancel(job)
    release.set()
    wait_for(lambda: queue.status(job).finished)
    assert queue.status(job).state == "cancelled"
    queue.close()
