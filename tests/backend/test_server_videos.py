"""Clips over HTTP: sent, named by their path, cancelled, refused. The tracking is a small fake."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.exchange import contract
from backend.exchange.orders import ClipOrder
from backend.server import uploads
from backend.server.clip_paths import ClipPaths
from backend.server.limits import Limits

Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own: uploads go there."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SYNERGYFACE_DATA", str(folder))
    return folder


def uploads_in(data: Path) -> list[Path]:
    return [path for path in (data / "uploads").glob("*/*") if path.is_file()]


def wait_for(condition: Callable[[], Any], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def send(backend: Any, clip: bytes, query: str = "") -> str:
    answer = backend.request("POST", f"/v1/videos{query}", clip)
    assert answer.status == 202, answer.body
    return answer.json()["job"]


def name(backend: Any, path: object, query: str = "") -> Any:
    headers = backend.headers | {"Content-Type": "application/json"}
    body = json.dumps({"path": str(path)}).encode()
    return backend.request("POST", f"/v1/videos{query}", body, headers)


def assert_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"] and answer.json()["remedy"]


def test_a_clip_from_upload_to_result(start_backend: Start, data: Path) -> None:
    backend = start_backend()
    content = os.urandom(3 * 2**20 + 17)
    job = send(backend, content, "?start=1.5&end=2&which=largest&texture_size=0")
    status = backend.finished(job)
    assert (status["state"], status["progress"]) == ("done", 1.0)
    result = backend.request("GET", f"/v1/jobs/{job}/result")
    assert result.headers["Content-Type"] == contract.MEDIA_TYPE
    assert contract.decode_video(result.body).frame_rate == len(content)
    ((clip, order),) = backend.reconstructor.clips
    assert order == ClipOrder(1.5, 2.0, "largest", None)
    assert clip.is_relative_to(data / "uploads") and uploads_in(data) == []
    assert list((data / "uploads").iterdir()) == []


def test_defaults(start_backend: Start) -> None:
    backend = start_backend()
    backend.finished(send(backend, b"film"))
    assert backend.reconstructor.clips[0][1] == ClipOrder(
        0.0, None, "all", 1024, contract.DEFAULT_TEXTURE_MODE, None
    )


def test_an_upload_is_there_as_long_as_its_job(start_backend: Start, data: Path) -> None:
    backend = start_backend()
    running = send(backend, b"slow film")
    assert backend.reconstructor.slow_clips_started.acquire(timeout=5)
    waiting = send(backend, b"film")
    assert len(uploads_in(data)) == 2
    backend.request("DELETE", f"/v1/jobs/{waiting}")
    (left,) = uploads_in(data)
    assert left.read_bytes() == b"slow film"
    began = time.monotonic()
    backend.request("DELETE", f"/v1/jobs/{running}")
    assert backend.finished(running)["state"] == "cancelled"
    assert time.monotonic() - began < 1
    assert uploads_in(data) == []


def test_the_upload_of_a_failed_job_is_removed_and_not_named(
    start_backend: Start, data: Path
) -> None:
    backend = start_backend()
    problem = backend.finished(send(backend, b"no clip"))["problem"]
    assert (problem["status"], problem["code"]) == (422, "not-a-video")
    assert problem["detail"] == "The clip is not a video."
    assert uploads_in(data) == []


def test_more_faces_than_an_answer_holds_are_said(start_backend: Start) -> None:
    backend = start_backend()
    problem = backend.finished(send(backend, b"crowd"))["problem"]
    assert (problem["status"], problem["code"]) == (422, "result-too-large")
    assert "largest face" in problem["remedy"]


def test_progress_says_how_fast_it_goes(start_backend: Start) -> None:
    backend = start_backend()
    job = send(backend, b"slow")
    wait_for(lambda: "frames/s" in backend.request("GET", f"/v1/jobs/{job}").json()["stage"])
    backend.reconstructor.release.set()
    assert backend.finished(job)["state"] == "done"


@pytest.mark.parametrize(
    "query",
    ["start=-1", "start=nan", "end=inf", "start=3&end=2", "which=some", "texture_size=7",
     "frame_rate=0", "frame_rate=x"],
)  # fmt: skip
def test_wrong_parameters(start_backend: Start, data: Path, query: str) -> None:
    backend = start_backend()
    assert_problem(backend.request("POST", f"/v1/videos?{query}", b"film"), 422, "bad-parameter")
    assert uploads_in(data) == []


def test_an_empty_body_is_no_clip(start_backend: Start, data: Path) -> None:
    assert_problem(start_backend().request("POST", "/v1/videos", b""), 422, "bad-input")
    assert uploads_in(data) == []


def converse(backend: Any, head: str, body: bytes) -> bytes:
    """Send a POST by hand and hang up; returns what comes back."""
    request = (
        f"POST /v1/videos HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: {backend.authorization}\r\n{head}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", backend.port), timeout=10) as connection:
        connection.sendall(request.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return answer


def test_clips_that_are_too_long_or_break_off_leave_nothing(
    start_backend: Start, data: Path
) -> None:
    backend = start_backend(limits=Limits(video_bytes=100_000))
    assert b" 413 " in converse(backend, f"Content-Length: {2**40}", b"")
    chunks = b"%x\r\n%s\r\n" % (100_001, b"x" * 100_001)
    assert b" 413 " in converse(backend, "Transfer-Encoding: chunked", chunks)
    converse(backend, "Content-Length: 90000", b"x" * 80_000)
    backend.finished(send(backend, b"film"))
    assert len(backend.reconstructor.clips) == 1
    wait_for(lambda: uploads_in(data) == [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_and_the_next_clip_works(
    start_backend: Start, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = start_backend()

    def full(prefix: str, dir: Path) -> str:
        (dir / "clip-full").mkdir()
        (dir / "clip-full" / "arriving").symlink_to("/dev/full")
        return str(dir / "clip-full")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.mkdtemp", full)
        answer = backend.request("POST", "/v1/videos", b"x" * 2**21)
    assert_problem(answer, 507, "disk-full")
    assert str(data) in answer.json()["detail"]
    assert backend.finished(send(backend, b"film"))["state"] == "done"


def test_what_a_killed_backend_left_is_removed_after_a_day(
    start_backend: Start, data: Path
) -> None:
    """That and nothing else: a person may have chosen any folder of theirs for our data."""
    backend = start_backend()
    running = send(backend, b"slow film")
    assert backend.reconstructor.slow_clips_started.acquire(timeout=5)
    ours = uploads_in(data)[0].parent
    old, young = (Path(shutil.copytree(ours, f"{ours}-{age}")) for age in ("old", "young"))
    wedding, clips = data / "uploads" / "2019-wedding", data / "uploads" / "clip-1"
    for folder in (wedding, clips):
        folder.mkdir()
        (folder / "film.mp4").touch()
    then = time.time() - uploads.STALE_SECONDS - 60
    for folder in (old, wedding, clips):
        os.utime(folder, (then, then))
    backend.request("DELETE", f"/v1/jobs/{running}")
    backend.finished(send(backend, b"film"))
    assert set((data / "uploads").iterdir()) == {young, wedding, clips}
    assert list(wedding.iterdir()) and list(clips.iterdir())


def test_the_same_clip_is_known_again(start_backend: Start) -> None:
    """Its name and age tell what an earlier work on it was; see `ClipRequest.key`."""
    backend = start_backend()
    for content in (b"film", b"film", b"another film"):
        backend.finished(send(backend, content))
    (first, _), (again, _), (another, _) = backend.reconstructor.clips
    assert first.name == again.name != another.name and first.parent != again.parent


def health_says(backend: Any) -> bool:
    return backend.request("GET", "/v1/health").json()["reads_paths"]


def test_no_path_is_read_unless_it_was_allowed(start_backend: Start, tmp_path: Path) -> None:
    clip = tmp_path / "film.mp4"
    clip.write_bytes(b"film")
    backend = start_backend()
    assert not health_says(backend)
    assert_problem(name(backend, clip), 403, "path-not-allowed")
    assert_problem(name(backend, tmp_path / "none.mp4"), 403, "path-not-allowed")
    assert backend.reconstructor.clips == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of clips, and files beside it that are none of anybody's business."""
    folder = tmp_path / "clips"
    (folder / "pictures").mkdir(parents=True)
    (folder / "film.mp4").write_bytes(b"film")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "clips-of-others").mkdir()
    (tmp_path / "clips-of-others" / "film.mp4").write_bytes(b"film")
    return folder


def test_clips_in_the_allowed_folder(start_backend: Start, tree: Path) -> None:
    backend = start_backend(paths=ClipPaths(folders=(tree,)))
    assert health_says(backend)
    inside = [tree / "film.mp4", tree / "pictures", tree / "pictures" / "%04d.png",
              tree / "pictures" / "*.png", tree / "pictures" / ".." / "film.mp4"]  # fmt: skip
    for clip in inside:
        answer = name(backend, clip, "?frame_rate=24")
        assert answer.status == 202, answer.body
        assert backend.finished(answer.json()["job"])["state"] == "done"
    read = [clip for clip, _ in backend.reconstructor.clips]
    assert read == [path.resolve() for path in inside]
    assert (tree / "film.mp4").exists()


def test_nothing_beside_the_allowed_folder(start_backend: Start, tree: Path) -> None:
    backend = start_backend(paths=ClipPaths(folders=(tree,)))
    outside = tree.parent
    paths = [
        outside / "secret.txt",
        tree / ".." / "secret.txt",
        tree / "none" / ".." / ".." / "secret.txt",
        outside / "clips-of-others" / "film.mp4",
        outside,
        outside / "*.txt",
        Path("/etc/passwd"),
    ]
    if os.name == "posix":
        (tree / "link.mp4").symlink_to(outside / "secret.txt")
        (tree / "linked").symlink_to(outside)
        paths += [tree / "link.mp4", tree / "linked" / "secret.txt", tree / "linked" / "*.txt"]
        # Single pictures of a sequence are links out of the folder.
        (tree / "shots").mkdir()
        (tree / "shots" / "0000.png").write_bytes(b"picture")
        (tree / "shots" / "0001.png").symlink_to(outside / "secret.txt")
        paths += [tree / "shots", tree / "shots" / "%04d.png", tree / "shots" / "*.png"]
    for path in paths:
        assert_problem(name(backend, path), 403, "path-not-allowed")
    assert backend.reconstructor.clips == []


def test_paths_that_lead_nowhere(start_backend: Start, tree: Path) -> None:
    backend = start_backend(paths=ClipPaths(anywhere=True))
    assert health_says(backend)
    for path in (tree / "none.mp4", tree / "none" / "*.png", f"{tree}/\0.mp4", f"/{'x' * 5000}",
                 f"{tree}/\ud800.mp4", f"{tree}/\udcfc.mp4"):  # fmt: skip
        assert_problem(name(backend, path), 422, "missing-file")
    for path in ("film.mp4", "\ud800.mp4"):
        assert_problem(name(backend, path), 422, "relative-path")
    if os.name == "posix":
        os.mkfifo(tree / "pipe")
        assert_problem(name(backend, tree / "pipe"), 422, "missing-file")
        (tree / "loop").symlink_to(tree / "loop")
        assert_problem(name(backend, tree / "loop"), 422, "missing-file")
    assert name(backend, tree / "film.mp4").status == 202


@pytest.mark.parametrize("body", [b"[]", b"{}", b"{", b'{"path": 3}', b"[" * 20_000, b"\xff"])
def test_bodies_that_name_no_path(start_backend: Start, body: bytes) -> None:
    backend = start_backend(paths=ClipPaths(anywhere=True))
    headers = backend.headers | {"Content-Type": "application/json; charset=utf-8"}
    assert_problem(backend.request("POST", "/v1/videos", body, headers), 422, "bad-input")
