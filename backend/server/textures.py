"""``POST /v1/textures``: another texture for a head that was reconstructed before."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request

from backend.errors import BadInputError
from backend.exchange import contract
from backend.exchange.contract import TextureMode
from backend.server.description import request_body
from backend.server.job import Progress
from backend.server.jobs import JobQueue
from backend.server.limits import Limits
from backend.server.models import Models
from backend.server.reconstructor import TextureSize
from backend.server.security import body_length, read_body

ENVELOPE_BYTES = 2**16


def texture_routes(models: Models, jobs: JobQueue, limits: Limits) -> APIRouter:
    """Routes of textures."""
    router = APIRouter()
    most_bytes = limits.photo_bytes + ENVELOPE_BYTES

    @router.post(
        "/v1/textures",
        status_code=HTTPStatus.ACCEPTED,
        openapi_extra=request_body(contract.MEDIA_TYPE),
    )
    async def textures(
        request: Request,
        size: TextureSize = TextureSize.MEDIUM,
        mode: TextureMode = contract.DEFAULT_TEXTURE_MODE,
    ) -> dict[str, str]:
        if size is TextureSize.NONE:
            raise BadInputError(
                "A texture of 0 pixels was asked for.",
                "Give a size of 512, 1024 or 2048.",
                code="bad-parameter",
            )
        models.refuse_if_failed()
        with jobs.place(body_length(request, most_bytes)) as enter:
            order = _order(await read_body(request, most_bytes))
            return {"job": enter(partial(make, order, int(size), mode))}

    def make(
        order: contract.TextureOrder, size: int, mode: TextureMode, progress: Progress
    ) -> bytes:
        return contract.encode_texture(models.reconstructor().texture(order, size, mode, progress))

    return router


def _order(body: bytes) -> contract.TextureOrder:
    try:
        return contract.decode_texture_order(body)
    except contract.ContractError as error:
        raise BadInputError(
            f"The request's body is not a texture order: {error}",
            "Send one as the contract describes it.",
            code="bad-body",
        ) from error
