"""Clips from the add-on to the backend: by path where it may read it, else sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addon.connection.client import BackendClient, BackendError
from backend.exchange.orders import ClipOrder
from backend.server.clip_paths import ClipPaths
from backend.server.limits import Limits

Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own: uploads go there."""
    monkeypatch.setenv("SYNERGYFACE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(range(256)) * 20_000)
    return path


def client_of(backend: Any) -> BackendClient:
    return BackendClient(backend.port, backend.token)


def finished(client: BackendClient, job: str) -> Any:
    status = client.job(job)
    while not status.finished:
        status = client.job(job, wait=5, since=status.revision)
    return status


def test_a_clip_is_sent(start_backend: Start, clip: Path) -> None:
    backend = start_backend()
    client = client_of(backend)
    assert not client.health().reads_paths
    shares: list[float] = []
    order = ClipOrder(start=1.5, end=3, which="largest", texture_size=None)
    job = client.submit_video(clip, order, shares.append)
    assert finished(client, job).state == "done"
    result = client.video_result(job)
    assert result.frame_rate == clip.stat().st_size and len(result.tracks) == 1
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 3
    ((read, ordered),) = backend.reconstructor.clips
    assert read != clip and ordered == ClipOrder(1.5, 3.0, "largest", None)


def test_a_clip_that_may_be_read_is_named(start_backend: Start, clip: Path) -> None:
    backend = start_backend(paths=ClipPaths(anywhere=True))
    client = client_of(backend)
    assert client.health().reads_paths
    job = client.submit_video(clip, ClipOrder(), refuse_to_send)
    assert finished(client, job).state == "done"
    assert backend.reconstructor.clips == [(clip, ClipOrder())]


def refuse_to_send(share: float) -> None:
    raise AssertionError("the clip was sent")


def test_a_clip_outside_of_the_allowed_folders_is_sent(
    start_backend: Start, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    backend = start_backend(paths=ClipPaths(folders=(tmp_path / "elsewhere",)))
    client = client_of(backend)
    assert finished(client, client.submit_video(clip, ClipOrder())).state == "done"
    assert backend.reconstructor.clips[0][0] != clip


def test_pictures_are_named_or_refused(start_backend: Start, tmp_path: Path) -> None:
    pictures = tmp_path / "shots" / "*.png"
    pictures.parent.mkdir()
    order = ClipOrder(frame_rate=23.976)
    allowing = start_backend(paths=ClipPaths(anywhere=True))
    job = client_of(allowing).submit_video(pictures, order)
    assert finished(client_of(allowing), job).state == "done"
    assert allowing.reconstructor.clips == [(pictures, ClipOrder(frame_rate=23.976))]
    with pytest.raises(BackendError) as caught:
        client_of(start_backend()).submit_video(pictures, order)
    assert caught.value.code == "path-not-allowed" and caught.value.remedy


class StopError(Exception):
    """What a person who pressed Esc leads to."""


def test_sending_can_be_stopped(start_backend: Start, clip: Path, data: Path) -> None:
    def stop(share: float) -> None:
        raise StopError

    backend = start_backend()
    with pytest.raises(StopError):
        client_of(backend).submit_video(clip, ClipOrder(), stop)
    job = client_of(backend).submit_video(clip, ClipOrder())
    assert finished(client_of(backend), job).state == "done"
    assert len(backend.reconstructor.clips) == 1


def test_a_running_job_is_cancelled(start_backend: Start, tmp_path: Path) -> None:
    film = tmp_path / "slow.mp4"
    film.write_bytes(b"slow")
    backend = start_backend()
    client = client_of(backend)
    job = client.submit_video(film, ClipOrder())
    assert backend.reconstructor.slow_clips_started.acquire(timeout=5)
    client.cancel(job)
    assert finished(client, job).state == "cancelled"
    with pytest.raises(BackendError) as caught:
        client.video_result(job)
    assert caught.value.code == "cancelled"


def test_what_cannot_be_sent(start_backend: Start, clip: Path, tmp_path: Path) -> None:
    def refused(backend: Any, path: Path) -> str:
        with pytest.raises(BackendError) as caught:
            client_of(backend).submit_video(path, ClipOrder())
        assert caught.value.message and caught.value.remedy
        return caught.value.code

    small = start_backend(limits=Limits(video_bytes=1000))
    assert refused(small, clip) == "too-large"
    allowing = start_backend(paths=ClipPaths(anywhere=True))
    assert refused(allowing, tmp_path / "none.mp4") == "missing-file"
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert refused(small, empty) == "bad-input"
