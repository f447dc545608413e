"""``POST /v1/videos``: a clip, sent or named by its path, becomes a job."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request

from backend.errors import BadInputError, SynergyFaceError
from backend.exchange import contract
from backend.exchange.contract import TextureMode
from backend.exchange.orders import ClipOrder, Which
from backend.server.clip_paths import ClipPaths
from backend.server.description import request_body
from backend.server.job import Progress
from backend.server.jobs import JobQueue
from backend.server.limits import Limits
from backend.server.models import Models
from backend.server.reconstructor import TextureSize
from backend.server.security import read_body
from backend.server.uploads import discard, receive

MAX_NAME_BYTES = 2**16

Seconds = Annotated[float, Query(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Query(gt=0, allow_inf_nan=False)]


def video_routes(models: Models, jobs: JobQueue, limits: Limits, paths: ClipPaths) -> APIRouter:
    """Routes of clips; `paths` may be named in place of being sent."""
    router = APIRouter()

    @router.post(
        "/v1/videos",
        status_code=HTTPStatus.ACCEPTED,
        openapi_extra=request_body("application/octet-stream", "application/json"),
    )
    async def videos(
        request: Request,
        start: Seconds = 0.0,
        end: Seconds | None = None,
        which: Which = "all",
        texture_size: TextureSize = TextureSize.MEDIUM,
        texture_mode: TextureMode = contract.DEFAULT_TEXTURE_MODE,
        frame_rate: Rate | None = None,
        fast: bool = False,
        neutral: Seconds | None = None,
    ) -> dict[str, str]:
        if end is not None and end < start:
            raise BadInputError(
                f"The part from {start:g} to {end:g} seconds is empty.",
                "Give an out point after the in point.",
                code="bad-parameter",
            )
        order = ClipOrder(
            start,
            end,
            which,
            int(texture_size) or None,
            texture_mode,
            frame_rate,
            fast,
            neutral,
        )
        models.refuse_if_failed()
        with jobs.place(0) as enter:
            if _is_json(request):
                clip = paths.find(_path(await read_body(request, MAX_NAME_BYTES)))
                return {"job": enter(partial(track, clip, order))}
            clip = await receive(request, limits.video_bytes)
            try:
                return {"job": enter(partial(track_sent, clip, order), partial(discard, clip))}
            except BaseException:
                discard(clip)
                raise

    def track(clip: Path, order: ClipOrder, progress: Progress) -> bytes:
        result = models.reconstructor().track(clip, order, progress)
        try:
            return contract.encode_video(result)
        except contract.ContractError as error:
            raise BadInputError(
                f"The clip has too many faces and frames for one answer: {error}",
                "Use a shorter part of it, or only the largest face.",
                code="result-too-large",
            ) from error

    def track_sent(clip: Path, order: ClipOrder, progress: Progress) -> bytes:
        try:
            return track(clip, order, progress)
        except SynergyFaceError as error:
            # Its name here means nothing to those who sent it.
            error.problem = error.problem.replace(str(clip), "The clip")
            raise

    return router


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"


def _path(body: bytes) -> str:
    try:
        path = json.loads(body)["path"]
    except (ValueError, RecursionError, KeyError, TypeError):
        path = None
    if not isinstance(path, str):
        raise BadInputError(
            'The request\'s body is not a JSON object with a "path".',
            'Send {"path": "/where/the/clip/is.mp4"}, or the clip itself as '
            "application/octet-stream.",
        )
    return path
