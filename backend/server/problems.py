"""Errors over HTTP: problem documents (RFC 9457) with a stable code and a remedy."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend.errors import BadInputError, MissingAssetError, OutOfMemoryError, SynergyFaceError

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """What went wrong, and what to do about it.

    Attributes
    ----------
    status
        HTTP status.
    code
        Stable machine-readable name.
    detail, remedy
        Sentences for a person; the remedy may be empty.
    """

    status: int
    code: str
    detail: str
    remedy: str = ""

    def document(self) -> dict[str, Any]:
        """The members of RFC 9457, and our two; text that every encoding has."""
        return {
            "type": f"urn:synergyface:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": _whole(self.detail),
            "code": self.code,
            "remedy": _whole(self.remedy),
        }


def _whole(text: str) -> str:
    """Show halves of surrogate pairs, as names of files may hold them, by their numbers."""
    return text.encode(errors="backslashreplace").decode()


class ProblemError(Exception):
    """Carries a problem, and headers that go with it, out of a request or a job."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers


def problem_of(error: BaseException) -> Problem:
    """Problem that an exception means. One that we do not understand is logged, not shown."""
    if isinstance(error, MemoryError):
        error = OutOfMemoryError("memory")
    match error:
        case ProblemError():
            return error.problem
        case BadInputError():
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        case MissingAssetError():
            status = HTTPStatus.SERVICE_UNAVAILABLE
        case SynergyFaceError():
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        case _:
            log.error("Unexpected error", exc_info=error)
            return Problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "internal",
                f"An unexpected error happened in the backend ({type(error).__name__}).",
                "Report it, with the backend's log and what you did.",
            )
    return Problem(status, error.code, error.problem, error.remedy)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Answer that says the problem."""
    return JSONResponse(problem.document(), problem.status, headers, media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Make every failure of `app` a problem document: 404, 405, 422 and 500 too."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(SynergyFaceError, _on_exception)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_exception)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error.problem, error.headers)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path}: {status.phrase}."
    remedy = "Use a client with the backend's protocol version (see /v1/health)."
    return problem_response(Problem(status, code, detail, remedy), error.headers)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
    return problem_response(
        Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "bad-parameter",
            f"A parameter of the request is wrong: {faults}.",
            "Correct the request's query.",
        )
    )


async def _on_exception(request: Request, error: Exception) -> Response:
    return problem_response(problem_of(error))
