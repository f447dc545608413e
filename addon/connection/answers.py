"""What the backend answers in JSON, read with care."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from ..exchange.contract import PROTOCOL
from .error import BackendError, bad_response

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
BackendState = Literal["starting", "loading", "ready", "failed"]


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
    reads_paths
        Whether it takes the paths of some clips in place of the clips themselves.
    """

    state: BackendState
    device: str
    version: str
    versions: dict[str, str] = field(default_factory=dict)
    problem: BackendError | None = None
    reads_paths: bool = False


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


def health(body: bytes) -> Health:
    """Read ``GET /v1/health``, once it is sure that both sides speak the same protocol."""
    fields = json_object(body)
    protocol = take(fields, "protocol", int)
    version = take(fields, "version", str)
    require_protocol(protocol, version)
    return Health(
        state=_one_of(fields, "state", ("starting", "loading", "ready", "failed")),
        device=take(fields, "device", str),
        version=version,
        versions={str(k): str(v) for k, v in take(fields, "versions", dict).items()},
        problem=_problem(fields),
        reads_paths=fields.get("reads_paths") is True,
    )


def job_status(body: bytes) -> JobStatus:
    """Read a job's status."""
    fields = json_object(body)
    return JobStatus(
        id=take(fields, "id", str),
        state=_one_of(fields, "state", ("queued", "running", "done", "failed", "cancelled")),
        progress=float(take(fields, "progress", (int, float))),
        stage=take(fields, "stage", str),
        revision=take(fields, "revision", int),
        problem=_problem(fields),
    )


def json_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_response("it is not JSON") from error
    if not isinstance(fields, dict):
        raise bad_response("it is not a JSON object")
    return fields


def take(fields: dict[str, Any], name: str, kind: Any) -> Any:
    """Return a field, which must be of that kind."""
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise bad_response(f"the field {name!r} is missing or wrong")
    return value


def _one_of(fields: dict[str, Any], name: str, choices: tuple[str, ...]) -> Any:
    value = take(fields, name, str)
    if value not in choices:
        raise bad_response(f"the field {name!r} is {value!r}")
    return value


def _problem(fields: dict[str, Any]) -> BackendError | None:
    return None if fields.get("problem") is None else problem_error(take(fields, "problem", dict))


def problem_error(fields: dict[str, Any]) -> BackendError:
    """Return the error of an RFC 9457 problem document."""
    return BackendError(
        take(fields, "detail", str), take(fields, "remedy", str), take(fields, "code", str)
    )


def require_protocol(protocol: int, version: str) -> None:
    """Raise `BackendError` (``protocol-mismatch``) unless a backend speaks the add-on's protocol.

    Parameters
    ----------
    protocol, version
        What the backend says of itself.
    """
    if protocol == PROTOCOL:
        return
    if protocol < PROTOCOL:
        older, remedy = "backend", "Update the backend to the add-on's version, and start it again."
    else:
        older, remedy = "add-on", f"Install version {version} of the add-on."
    raise BackendError(
        f"The {older} is too old: the backend (version {version}) uses protocol {protocol}, the "
        f"add-on {PROTOCOL}.",
        remedy,
        "protocol-mismatch",
    )
