"""What the add-on asks of the backend, one method for each question."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import numpy as np
from numpy.typing import NDArray

from ..exchange import contract
from ..exchange.orders import ClipOrder, PhotoOrder
from .address import parse_address
from .answers import Health, JobStatus, health, job_status, json_object, take
from .error import BackendError, bad_response
from .server_file import read_server_file
from .transport import READ_BYTES, Transport

__all__ = ["BackendClient", "BackendError", "Health", "JobStatus", "parse_address"]

TIMEOUT_SECONDS = 10.0
MAX_BODY_BYTES = contract.MAX_PAYLOAD_BYTES + contract.MAX_HEADER_BYTES
# Answers to a path that mean: this backend cannot read the file, so send it.
UPLOAD_INSTEAD = ("path-not-allowed", "missing-file")

T = TypeVar("T")


def not_watched(share: float) -> None:
    """Progress of an upload that nobody watches."""


class BackendClient:
    """Speaks to one backend. Has no open connection between calls; any thread may call it.

    Parameters
    ----------
    port
        Port of the backend.
    token
        Its secret.
    host
        A loopback address or ``localhost``.
    timeout
        Seconds to wait for the connection and for each piece of a body, sent or received.

    Raises
    ------
    BackendError
        The host is not a loopback address, or the token cannot be one. Every method raises it
        too, with a message for the person who uses the add-on.
    """

    def __init__(
        self, port: int, token: str, host: str = "127.0.0.1", timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._transport = Transport(port, token, host, timeout)
        self._model: tuple[str, contract.StaticModel] | None = None

    @classmethod
    def from_server_file(cls, path: Path, timeout: float = TIMEOUT_SECONDS) -> BackendClient:
        """Client of a backend that was started by hand; see `read_server_file`."""
        found = read_server_file(path)
        return cls(found.port, found.token, timeout=timeout)

    def health(self) -> Health:
        """State of the backend, once it is sure that both sides speak the same protocol."""
        return health(self._transport.request("GET", "/v1/health").body)

    def model(self) -> contract.StaticModel:
        """The arrays that all heads share; fetched again only when they have changed."""
        cached = self._model
        headers = {"If-None-Match": cached[0]} if cached else {}
        answer = self._transport.request("GET", "/v1/model", headers=headers, limit=MAX_BODY_BYTES)
        if answer.status == 304 and cached:
            return cached[1]
        model = _decoded(contract.decode_model, answer.body)
        if answer.etag:
            self._model = (answer.etag, model)
        return model

    def submit_face(self, image: bytes, order: PhotoOrder | None = None) -> str:
        """Start the reconstruction of an image file's bytes; returns the job's id."""
        _check_photo(len(image))
        return self._started(f"/v1/faces{_query((order or PhotoOrder()).query)}", image, _OCTETS)

    def submit_texture(
        self, order: contract.TextureOrder, size: Literal[512, 1024, 2048], mode: str
    ) -> str:
        """Start making another texture for a known head; returns the job's id."""
        _check_photo(order.photo.size)
        query = _query({"size": size, "mode": mode})
        return self._started(f"/v1/textures{query}", contract.encode_texture_order(order), _OCTETS)

    def submit_video(
        self, clip: Path, order: ClipOrder, sending: Callable[[float], None] = not_watched
    ) -> str:
        """Start the tracking of a clip; returns the job's id.

        A backend that may read the file is given its path, another one the file.

        Parameters
        ----------
        clip
            A film; or a folder or pattern of an image sequence, which can only be given by path.
        order
            What is to be tracked.
        sending
            Called with the share that is sent; may raise to stop.
        """
        path = f"/v1/videos{_query(order.query)}"
        if self.health().reads_paths or not clip.is_file():
            try:
                return self._started(
                    path, json.dumps({"path": str(clip.absolute())}).encode(), _JSON
                )
            except BackendError as error:
                if error.code not in UPLOAD_INSTEAD or not clip.is_file():
                    raise
        length = _length(clip)
        pieces = _pieces(clip, length, sending)
        return self._started(path, pieces, _OCTETS | {"Content-Length": str(length)})

    def job(self, job_id: str, wait: float = 0, since: int | None = None) -> JobStatus:
        """Status of a job.

        Parameters
        ----------
        job_id
            What a method that starts one returned.
        wait
            Seconds to wait for a change; 0 answers at once.
        since
            The revision already known: answer at once if the job is past it.
        """
        query = _query({"wait": wait, "since": since})
        answer = self._transport.request("GET", f"{_job_path(job_id)}{query}", wait=wait)
        return job_status(answer.body)

    def result(self, job_id: str) -> contract.FacesResult:
        """Faces of a job that is done."""
        return _decoded(contract.decode_faces, self._result(job_id))

    def texture_result(self, job_id: str) -> NDArray[np.uint8]:
        """(N,) bytes of the PNG file of a texture job that is done."""
        return _decoded(contract.decode_texture, self._result(job_id))

    def video_result(self, job_id: str) -> contract.VideoResult:
        """Tracks of a video job that is done."""
        return _decoded(contract.decode_video, self._result(job_id))

    def cancel(self, job_id: str) -> JobStatus:
        """Stop a job, running or not; a finished one is forgotten with its result."""
        return job_status(self._transport.request("DELETE", _job_path(job_id)).body)

    def _started(self, path: str, body: Any, headers: dict[str, str]) -> str:
        answer = self._transport.request("POST", path, headers=headers, body=body)
        return take(json_object(answer.body), "job", str)

    def _result(self, job_id: str) -> bytes:
        path = f"{_job_path(job_id)}/result"
        return self._transport.request("GET", path, limit=MAX_BODY_BYTES).body


def _check_photo(length: int) -> None:
    if length > contract.MAX_PHOTO_BYTES:
        raise BackendError(
            f"The photo is larger than {contract.MAX_PHOTO_BYTES >> 20} MiB.",
            "Save it smaller, for example as a JPEG.",
            "too-large",
        )


_OCTETS = {"Content-Type": "application/octet-stream"}
_JSON = {"Content-Type": "application/json"}


def _query(fields: dict[str, Any]) -> str:
    """Query of the fields that are set."""
    return "?" + urlencode({name: value for name, value in fields.items() if value is not None})


def _length(clip: Path) -> int:
    try:
        return clip.stat().st_size
    except OSError as error:
        raise _unreadable(clip, error.strerror or str(error)) from error


def _pieces(clip: Path, length: int, sending: Callable[[float], None]) -> Iterator[bytes]:
    """A file of `length` bytes, piece by piece; no more of it, should it grow."""
    sent = 0
    try:
        with clip.open("rb") as file:
            while sent < length and (piece := file.read(min(READ_BYTES, length - sent))):
                yield piece
                sent += len(piece)
                sending(sent / length)
    except OSError as error:
        raise _unreadable(clip, error.strerror or str(error)) from error
    if sent < length:
        raise _unreadable(clip, "it got shorter while it was read")


def _unreadable(clip: Path, reason: str) -> BackendError:
    return BackendError(
        f"Cannot read the video {clip}: {reason}.",
        "Check its permissions, and choose it again.",
        "unreadable",
    )


def _decoded(decoder: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decoder(body)
    except contract.ContractError as error:
        raise bad_response(str(error).rstrip(".")) from error


def _job_path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"
