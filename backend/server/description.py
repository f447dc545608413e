"""What the server's OpenAPI description says beyond what FastAPI reads from the routes.

The description is not served: it is for the tests, which compare every answer with it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Response

from backend.exchange import contract
from backend.server.problems import MEDIA_TYPE

_TEXT = {"type": "string"}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "remedy"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:synergyface:problem:[a-z0-9-]+$"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "code": _TEXT,
        "remedy": _TEXT,
    },
}

# Every answer that is not one of a route's own is a problem document.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, and what to do about it (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}},
    }
}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    HTTPStatus.NOT_MODIFIED.value: {"description": "The client has it already."}
}


class ContainerResponse(Response):
    """A body of the wire contract."""

    media_type = contract.MEDIA_TYPE


def request_body(*media_types: str) -> dict[str, Any]:
    """Describe a body, for ``openapi_extra``: the route reads it itself, and needs one."""
    content = {media_type: {"schema": _body_schema(media_type)} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def _body_schema(media_type: str) -> dict[str, Any]:
    if media_type == "application/json":
        return {"type": "object", "required": ["path"], "properties": {"path": _TEXT}}
    return {"type": "string", "format": "binary"}
