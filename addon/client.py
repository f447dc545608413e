"""HTTP client of the backend: standard library only, loopback only, no proxies, no redirects."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlencode

from . import contract

TIMEOUT_SECONDS = 10.0
MAX_JSON_BYTES = 2**20
MAX_BODY_BYTES = contract.MAX_PAYLOAD_BYTES + contract.MAX_HEADER_BYTES
READ_BYTES = 2**20
START_REMEDY = "Start the backend in the add-on's preferences, and try again."

_ADDRESS = re.compile(r"(?:http://)?(\[[0-9a-fA-F:.]+\]|[^\[\]/:@?#]+):(\d{1,5})/?")

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
BackendState = Literal["starting", "loading", "ready", "failed"]


class BackendError(Exception):
    """A request that did not succeed, in words for the person who made it.

    Attributes
    ----------
    message
        What is wrong.
    remedy
        What to do about it; may be empty.
    code
        Stable name: the backend's own (``no-face``, ``queue-full``, ``unauthorized``, ...), or
        one of the client's: ``unreachable``, ``timeout``, ``connection-lost``, ``bad-response``,
        ``protocol-mismatch``, ``not-loopback``, ``bad-token``, ``bad-server-file``, ``too-large``.
    """

    def __init__(self, message: str, remedy: str = "", code: str = "failed") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy
        self.code = code


@dataclass(frozen=True)
class Health:
    """What the backend says about itself.

    Attributes
    ----------
    state
        Jobs are taken in every state but ``failed``, whose reason is `problem`.
    device
        Where the networks run, such as ``cpu``.
    version
        Version of the backend.
    versions
        Versions of the libraries that it runs on.
    problem
        Why the models could not be loaded, else None.
    """

    state: BackendState
    device: str
    version: str
    versions: dict[str, str] = field(default_factory=dict)
    problem: BackendError | None = None


@dataclass(frozen=True)
class JobStatus:
    """How far a job is; `revision` grows whenever anything else changes."""

    id: str
    state: JobState
    progress: float
    stage: str
    revision: int
    problem: BackendError | None = None

    @property
    def finished(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in ("done", "failed", "cancelled")


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of an address such as ``127.0.0.1:8123`` or ``http://localhost:8123/``.

    ``localhost`` becomes 127.0.0.1, so that no name is ever looked up.

    Raises
    ------
    BackendError
        Not an address with a port, or not one of this computer (``not-loopback``).
    """
    match = re.fullmatch(
        r"(?:http://)?(\[[0-9a-fA-F:.]+\]|[^\[\]/:@?#]+):(\d{1,5})/?", text.strip()
    )
    port = int(match[2]) if match else 0
    if match is None or not 0 < port < 2**16:
        raise BackendError(
            f"{text!r} is not an address of a backend.",
            "Give a host and a port, such as 127.0.0.1:8123.",
            "bad-address",
        )
    return loopback_host(match[1].strip("[]")), port


def loopback_host(host: str) -> str:
    """`host` as a numeric loopback address.

    Raises
    ------
    BackendError
        Not a loopback address (``not-loopback``).
    """
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise BackendError(
            f"{host} is not an address of this computer.",
            "The add-on only speaks to 127.0.0.1. To use a backend on another computer, open an "
            "SSH tunnel to it (ssh -L 8123:127.0.0.1:8123 HOST) and give 127.0.0.1:8123.",
            "not-loopback",
        )
    return str(address)


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
        Seconds to wait for the connection and for each piece of an answer.

    Raises
    ------
    BackendError
        The host is not a loopback address, or the token cannot be one. Every method raises it
        too, with a message for the person who uses the add-on.
    """

    def __init__(
        self, port: int, token: str, host: str = "127.0.0.1", timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self.host = loopback_host(host)
        self.port = port
        self._timeout = timeout
        self._token = token.strip()
        self._model: tuple[str, contract.StaticModel] | None = None
        if not re.fullmatch(r"[!-~]+", self._token):
            raise BackendError(
                "The backend's token is empty or has characters that no token has.",
                "Copy it again from the backend's server.json.",
                "bad-token",
            )

    @classmethod
    def from_server_file(cls, path: Path, timeout: float = TIMEOUT_SECONDS) -> BackendClient:
        """Client of a backend that was started by hand and wrote its port and token to `path`."""
        try:
            fields = _json_object(path.read_bytes())
            port, token = _take(fields, "port", int), _take(fields, "token", str)
        except (OSError, BackendError) as error:
            raise BackendError(
                f"There is no running backend to be found in {path}.",
                "Start one with `synergyface serve`, or let the add-on start it.",
                "bad-server-file",
            ) from error
        return cls(port, token, timeout=timeout)

    def health(self) -> Health:
        """State of the backend, once it is sure that both sides speak the same protocol."""
        fields = _json_object(self._request("GET", "/v1/health").body)
        protocol = _take(fields, "protocol", int)
        version = _take(fields, "version", str)
        if protocol != contract.PROTOCOL:
            raise _protocol_mismatch(protocol, version)
        return Health(
            state=_one_of(fields, "state", ("starting", "loading", "ready", "failed")),
            device=_take(fields, "device", str),
            version=version,
            versions={str(k): str(v) for k, v in _take(fields, "versions", dict).items()},
            problem=_problem(fields),
        )

    def model(self) -> contract.StaticModel:
        """The arrays that all heads share; fetched again only when they have changed."""
        cached = self._model
        headers = {"If-None-Match": cached[0]} if cached else {}
        answer = self._request("GET", "/v1/model", headers=headers, limit=MAX_BODY_BYTES)
        if answer.status == 304 and cached:
            return cached[1]
        model = _decode(contract.decode_model, answer.body)
        if answer.etag:
            self._model = (answer.etag, model)
        return model

    def submit_face(
        self,
        image: bytes,
        which: Literal["all", "largest"] = "largest",
        texture_size: Literal[512, 1024, 2048] | None = 1024,
    ) -> str:
        """Start the reconstruction of an image file's bytes; returns the job's id."""
        if len(image) > contract.MAX_PHOTO_BYTES:
            raise BackendError(
                f"The photo's file is larger than {contract.MAX_PHOTO_BYTES >> 20} MiB.",
                "Save it smaller, as a JPEG for example.",
                "too-large",
            )
        query = urlencode({"which": which, "texture_size": texture_size or 0})
        headers = {"Content-Type": "application/octet-stream"}
        answer = self._request("POST", f"/v1/faces?{query}", headers=headers, body=image)
        return _take(_json_object(answer.body), "job", str)

    def job(self, job_id: str, wait: float = 0, since: int | None = None) -> JobStatus:
        """Status of a job.

        Parameters
        ----------
        job_id
            What `submit_face` returned.
        wait
            Seconds to wait for a change; 0 answers at once.
        since
            The revision already known: answer at once if the job is past it.
        """
        query = urlencode({"wait": wait} | ({} if since is None else {"since": since}))
        answer = self._request("GET", f"{_job_path(job_id)}?{query}", wait=wait)
        return _job_status(answer.body)

    def result(self, job_id: str) -> contract.FacesResult:
        """Faces of a job that is done."""
        answer = self._request("GET", f"{_job_path(job_id)}/result", limit=MAX_BODY_BYTES)
        return _decode(contract.decode_faces, answer.body)

    def cancel(self, job_id: str) -> JobStatus:
        """Stop a job, running or not; a finished one is forgotten with its result."""
        return _job_status(self._request("DELETE", _job_path(job_id)).body)

    def _request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_JSON_BYTES,
        wait: float = 0,
    ) -> _Answer:
        """Send one request on a connection of its own; returns only answers of success."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self._timeout + wait)
        authorization = {"Authorization": f"Bearer {self._token}"}
        try:
            _send(connection, method, path, body, authorization | dict(headers or {}))
            response = connection.getresponse()
            success = response.status in (200, 202, 304)
            content = _read(response, limit if success else MAX_JSON_BYTES)
        except ConnectionRefusedError as error:
            raise BackendError(
                f"No backend answers on port {self.port}.", START_REMEDY, "unreachable"
            ) from error
        except TimeoutError as error:
            raise BackendError(
                "The backend did not answer in time.",
                "Try again; if it stays silent, stop and start it in the add-on's preferences.",
                "timeout",
            ) from error
        except (OSError, http.client.IncompleteRead) as error:
            raise BackendError(
                "The connection to the backend broke: it may have stopped.",
                "Look at the backend's log, start it again, and try once more.",
                "connection-lost",
            ) from error
        except http.client.HTTPException as error:
            raise _bad_response("it is not HTTP as a backend speaks it") from error
        finally:
            connection.close()
        if not success:
            raise _refusal(response.status, content)
        return _Answer(response.status, response.headers.get("ETag", ""), content)


@dataclass(frozen=True)
class _Answer:
    status: int
    etag: str
    body: bytes


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> None:
    connection.connect()
    try:
        connection.request(method, path, body=body, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        # A backend that refuses early stops reading; its reason may still be there to read.
        return


class _Readable(Protocol):
    """What `_read` needs of ``http.client.HTTPResponse``."""

    length: int | None

    def read(self, amt: int | None = None, /) -> bytes: ...


def _read(response: _Readable, limit: int) -> bytes:
    """Whole body of at most `limit` bytes; memory grows with what arrives, not what is claimed."""
    pieces, total, announced = [], 0, response.length
    while total <= limit and (announced is None or announced <= limit):
        piece = response.read(READ_BYTES)
        if not piece:
            break
        pieces.append(piece)
        total += len(piece)
    else:
        raise _bad_response("it is larger than any answer should be")
    if announced is not None and total < announced:
        raise http.client.IncompleteRead(b"", announced - total)
    return b"".join(pieces)


def _refusal(status: int, body: bytes) -> BackendError:
    if 300 <= status < 400:
        return _bad_response("it is a redirect")
    try:
        return _problem_error(_json_object(body))
    except BackendError:
        return _bad_response(f"it has status {status} and no explanation")


def _bad_response(reason: str) -> BackendError:
    return BackendError(
        f"The backend's answer cannot be used: {reason}.",
        "Check that the port belongs to the SynergyFace backend and that it is up to date.",
        "bad-response",
    )


def _protocol_mismatch(protocol: int, version: str) -> BackendError:
    if protocol < contract.PROTOCOL:
        older, remedy = "backend", "Update the backend to the add-on's version and start it again."
    else:
        older, remedy = "add-on", f"Install the add-on of version {version}, the backend's."
    return BackendError(
        f"The {older} is older than the other side: the backend (version {version}) speaks "
        f"protocol {protocol}, the add-on {contract.PROTOCOL}.",
        remedy,
        "protocol-mismatch",
    )


def _decode(decoder: Any, body: bytes) -> Any:
    try:
        return decoder(body)
    except contract.ContractError as error:
        raise _bad_response(str(error).rstrip(".")) from error


def _job_path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _job_status(body: bytes) -> JobStatus:
    fields = _json_object(body)
    return JobStatus(
        id=_take(fields, "id", str),
        state=_one_of(fields, "state", ("queued", "running", "done", "failed", "cancelled")),
        progress=float(_take(fields, "progress", (int, float))),
        stage=_take(fields, "stage", str),
        revision=_take(fields, "revision", int),
        problem=_problem(fields),
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad_response("it is not JSON") from error
    if not isinstance(fields, dict):
        raise _bad_response("it is not a JSON object")
    return fields


def _take(fields: dict[str, Any], name: str, kind: Any) -> Any:
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _bad_response(f"the field {name!r} is missing or wrong")
    return value


def _one_of(fields: dict[str, Any], name: str, choices: tuple[str, ...]) -> Any:
    value = _take(fields, name, str)
    if value not in choices:
        raise _bad_response(f"the field {name!r} is {value!r}")
    return value


def _problem(fields: dict[str, Any]) -> BackendError | None:
    return None if fields.get("problem") is None else _problem_error(_take(fields, "problem", dict))


def _problem_error(fields: dict[str, Any]) -> BackendError:
    """Error of an RFC 9457 problem document."""
    return BackendError(
        _take(fields, "detail", str), _take(fields, "remedy", str), _take(fields, "code", str)
    )
