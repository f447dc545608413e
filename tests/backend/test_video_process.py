"""Clips and streams in the real backend process: whole, cancelled, killed in the middle, live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from skimage import data

from backend.data_folder import data_folder
from backend.exchange import contract
from backend.exchange.contract import TOKEN_VARIABLE
from backend.server.clip_paths import ClipPaths
from backend.tracking.following import STRETCH
from tests.backend.conftest import require_real_models
from tests.backend_client import PROCESS_TOKEN, BackendProcess
from tests.clips import steady, write_clip
from tests.slowness import slowness

# Eileen Collins, NASA, public domain.
PORTRAIT = cv2.resize(data.astronaut(), (384, 384), interpolation=cv2.INTER_AREA)


def swaying(count: int) -> Iterator[NDArray[np.uint8]]:
    """The portrait, which goes slowly to the left and back; a second each way."""
    for index in range(count):
        shift = round(12 * np.sin(np.pi * index / 25))
        yield np.roll(PORTRAIT, shift, axis=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds."""
    path = tmp_path_factory.mktemp("clip") / "sway.mp4"
    return write_clip(path, swaying(50), steady(50))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Longer than what is kept at once."""
    count = STRETCH + 150
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    return write_clip(path, swaying(count), steady(count))


def send(backend: BackendProcess, clip: Path, query: str = "") -> str:
    answer = backend.request("POST", f"/v1/videos{query}", clip.read_bytes())
    assert answer.status == 202, answer.body
    return answer.json()["job"]


def video_of(backend: BackendProcess, job: str) -> contract.VideoResult:
    state = backend.finished(job, seconds=250)
    assert state["state"] == "done", state
    return contract.decode_video(backend.get(f"/v1/jobs/{job}/result").body)


def watch(
    backend: BackendProcess, job: str, until: Callable[[dict[str, Any]], bool], seconds: float = 200
) -> dict[str, Any]:
    """First status that satisfies a condition."""
    deadline = time.monotonic() + seconds
    known = -1
    while True:
        status = backend.get(f"/v1/jobs/{job}?wait=1&since={known}").json()
        if until(status):
            return status
        assert status["state"] in ("queued", "running") and time.monotonic() < deadline, status
        known = status["revision"]


def test_a_real_clip_end_to_end(real_backend: BackendProcess, clip: Path) -> None:
    """The process's result is the one of the pipeline in this process."""
    from backend.answers.clips import video_result
    from backend.clip_pipeline import ClipRequest, track_from_video
    from backend.pipeline import FaceReconstructor

    served = video_of(
        real_backend, send(real_backend, clip, "?texture_size=512&texture_mode=photo")
    )
    assert served.image_size == (384, 384) and served.frame_rate == pytest.approx(25)
    assert served.frames.tolist() == list(range(50))
    np.testing.assert_allclose(served.times, np.arange(50) / 25, atol=1e-4)
    (track,) = served.tracks
    assert (track.confidence > 0).all()
    # The head goes as the portrait does.
    shift = 12 * np.sin(np.pi * np.arange(50) / 25)
    assert np.corrcoef(track.translation[:, 0], shift)[0, 1] > 0.99
    texture = cv2.imdecode(track.texture_png, cv2.IMREAD_COLOR)
    assert texture is not None and texture.shape == (512, 512, 3)

    reconstructor = FaceReconstructor.load("cpu")
    here = video_result(
        track_from_video(ClipRequest(clip, texture_size=None), reconstructor), reconstructor.model
    )
    np.testing.assert_allclose(track.neutral, here.tracks[0].neutral, atol=1e-5)
    np.testing.assert_allclose(track.quaternions, here.tracks[0].quaternions, atol=1e-4)
    np.testing.assert_allclose(track.expression, here.tracks[0].expression, atol=1e-3)


def test_a_part_of_a_clip(real_backend: BackendProcess, clip: Path) -> None:
    job = send(real_backend, clip, "?start=0.4&end=0.8&texture_size=0")
    part = video_of(real_backend, job)
    assert part.frames.tolist() == list(range(10, 21))
    assert part.times[0] == pytest.approx(0.4) and part.tracks[0].texture_png.size == 0


def test_bad_clips_are_explained_without_the_backend_s_own_paths(
    real_backend: BackendProcess, clip: Path, tmp_path: Path
) -> None:
    empty_room = write_clip(
        tmp_path / "room.mp4", [np.full((240, 320, 3), 120, np.uint8)] * 10, steady(10)
    )
    cases = {
        b"A shopping list, no film at all.": 422,
        clip.read_bytes()[:300]: 422,
        empty_room.read_bytes(): 422,
    }
    for content, status in cases.items():
        answer = real_backend.request("POST", "/v1/videos?texture_size=0", content)
        problem = real_backend.finished(answer.json()["job"])["problem"]
        assert problem["status"] == status, problem
        assert problem["remedy"] and str(data_folder()) not in problem["detail"], problem
    late = send(real_backend, clip, "?start=90&texture_size=0")
    assert real_backend.finished(late)["problem"]["code"] == "no-frames"


def test_real_tracking_is_cancelled_within_a_second(
    real_backend: BackendProcess, long_clip: Path
) -> None:
    job = send(real_backend, long_clip)
    status = watch(real_backend, job, lambda status: status["progress"] > 0)
    assert status["progress"] < 0.9 and "frames/s" in status["stage"]
    server = psutil.Process(real_backend.process.pid)
    began = sum(server.cpu_times()[:2])
    real_backend.request("DELETE", f"/v1/jobs/{job}")
    assert real_backend.finished(job)["state"] == "cancelled"
    # Processor time, because others may use this computer too.
    assert sum(server.cpu_times()[:2]) - began < 1


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """A data folder with the models of the usual one."""
    require_real_models()
    folder = tmp_path / "data"
    folder.mkdir()
    for entry in data_folder().iterdir():
        if entry.name not in ("uploads", "unfinished", "server.json"):
            (folder / entry.name).symlink_to(entry.resolve())
    return folder


@pytest.mark.parametrize("way", ["sent", "named"])
def test_a_backend_that_dies_goes_on_where_it_was(
    own_data: Path, long_clip: Path, way: str
) -> None:
    variables = {TOKEN_VARIABLE: PROCESS_TOKEN, "SYNERGYFACE_DATA": str(own_data)}

    def start() -> BackendProcess:
        return BackendProcess(["--device", "cpu", "--allow-paths"], variables)

    def submit(backend: BackendProcess) -> str:
        if way == "sent":
            return send(backend, long_clip, "?texture_size=0")
        headers = backend.headers | {"Content-Type": "application/json"}
        body = f'{{"path": "{long_clip}"}}'.encode()
        answer = backend.request("POST", "/v1/videos?texture_size=0", body, headers)
        return answer.json()["job"]

    unfinished = own_data / "unfinished"
    first = start()
    job = submit(first)
    watch(first, job, lambda status: any(unfinished.glob("*/state.npz")))
    first.kill()

    second = start()
    try:
        job = submit(second)
        begun = watch(second, job, lambda status: "frames/s" in status["stage"])
        # Of all the work following is 90 percent; without what was kept it begins near 0.
        assert begun["progress"] > 0.89 * STRETCH / (STRETCH + 150)
        video = video_of(second, job)
    finally:
        second.kill()
    count = STRETCH + 150
    assert video.frames.tolist() == list(range(count))
    (track,) = video.tracks
    assert (track.confidence > 0).all()
    assert list(unfinished.iterdir()) == []


def portrait_720p() -> NDArray[np.uint8]:
    """The portrait as a camera on a desk would show her."""
    frame = np.full((720, 1280, 3), 110, np.uint8)
    frame[:, 280:1000] = cv2.resize(data.astronaut()[:360, 50:410], (720, 720))
    return frame


def test_a_stream_is_answered_in_time_beside_a_long_job(
    real_backend: BackendProcess, long_clip: Path, record_property: Callable[[str, object], None]
) -> None:
    """Within 40 ms, and with no more than that of two cores' time together."""
    real_backend.loaded()
    server = psutil.Process(real_backend.process.pid)
    frames = [
        cv2.imencode(".jpg", np.roll(portrait_720p(), i, axis=1)[:, :, ::-1])[1].tobytes()
        for i in range(30)
    ]

    def live(count: int) -> tuple[list[list[int]], list[float], list[float]]:
        """Numbers of the faces in the frames of a new stream, processor time and time of each."""
        stream = real_backend.request("POST", "/v1/streams?smoothing=0.5").json()["stream"]
        numbers, spent, waited = [], [], []
        for index in range(count):
            used, began = sum(server.cpu_times()[:2]), time.perf_counter()
            path = f"/v1/streams/{stream}/frames?time={index / 30}"
            answer = real_backend.request("POST", path, frames[index])
            waited.append(time.perf_counter() - began)
            spent.append(sum(server.cpu_times()[:2]) - used)
            numbers.append(contract.decode_frame(answer.body).numbers.tolist())
        real_backend.request("DELETE", f"/v1/streams/{stream}")
        return numbers, spent, waited

    numbers, spent, waited = live(30)
    assert numbers == [[0]] * 30
    record_property("stream_ms", np.percentile(waited, [50, 95]).round(4).tolist())
    # The first frame looks for faces with the detector.
    times_slower = slowness()
    assert np.mean(spent[1:]) / times_slower < 0.04
    assert np.median(waited[1:]) / times_slower < 0.04

    job = send(real_backend, long_clip, "?texture_size=0")
    watch(real_backend, job, lambda status: "frames/s" in status["stage"])
    assert live(10)[0] == [[0]] * 10
    assert real_backend.get(f"/v1/jobs/{job}").json()["state"] == "running"
    real_backend.request("DELETE", f"/v1/jobs/{job}")
    real_backend.finished(job)


def test_nothing_is_read_by_name_without_the_flag(real_backend: BackendProcess, clip: Path) -> None:
    headers = real_backend.headers | {"Content-Type": "application/json"}
    body = f'{{"path": "{clip}"}}'.encode()
    answer = real_backend.request("POST", "/v1/videos", body, headers)
    assert (answer.status, answer.json()["code"]) == (403, "path-not-allowed")
    assert not ClipPaths().any_allowed
