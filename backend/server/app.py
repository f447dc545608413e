"""The HTTP application: routes, and what happens behind each of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response

from backend.exchange import contract
from backend.exchange.contract import TextureMode
from backend.exchange.orders import PhotoOrder, Which
from backend.server.clip_paths import ClipPaths
from backend.server.description import NOT_MODIFIED, PROBLEMS, ContainerResponse, request_body
from backend.server.job import JobStatus, Progress
from backend.server.jobs import JobQueue
from backend.server.limits import Limits
from backend.server.models import Models
from backend.server.problems import answer_with_problems
from backend.server.reconstructor import Reconstructor, TextureSize
from backend.server.security import Guard, body_length, read_body
from backend.server.sessions import Sessions, session_routes
from backend.server.streams import Streams, stream_routes
from backend.server.textures import texture_routes
from backend.server.unfinished import forget_old_work
from backend.server.videos import video_routes
from backend.version import VERSION

STOP_SECONDS = 2.0


def create_app(
    load_reconstructor: Callable[[], Reconstructor],
    token: str,
    *,
    device: str = "auto",
    limits: Limits | None = None,
    jobs: JobQueue | None = None,
    paths: ClipPaths | None = None,
) -> FastAPI:
    """Application that answers at once and loads the models in its worker thread.

    Parameters
    ----------
    load_reconstructor
        Called once, in the worker thread.
    token
        Secret that both sides of every connection prove to know.
    device
        The device asked for, shown until the models are loaded.
    limits
        Bounds on bodies, jobs and waiting.
    jobs
        The queue; made by default.
    paths
        Which clips may be named in place of being sent; none by default.
    """
    limits = limits or Limits()
    jobs = jobs or JobQueue(limits)
    paths = paths or ClipPaths()
    streams = Streams(limits)
    models = Models(load_reconstructor, device)

    def work() -> None:
        forget_old_work()
        models.load()
        jobs.run()

    def stop() -> None:
        jobs.close()
        streams.stop()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A daemon: a native call that cannot be interrupted must not keep the process alive.
        worker = threading.Thread(target=work, name="worker", daemon=True)
        worker.start()
        yield
        stop()
        await asyncio.to_thread(worker.join, STOP_SECONDS)

    app = FastAPI(
        title="SynergyFace",
        version=VERSION,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        responses=PROBLEMS,
    )
    app.state.stop = stop
    app.state.stall_seconds = limits.stall_seconds
    sessions = Sessions(token)
    app.add_middleware(Guard, sessions=sessions)
    answer_with_problems(app)
    app.include_router(session_routes(sessions))
    app.include_router(_static_routes(models, paths))
    app.include_router(_face_routes(models, jobs, limits))
    app.include_router(texture_routes(models, jobs, limits))
    app.include_router(video_routes(models, jobs, limits, paths))
    app.include_router(stream_routes(models, streams, limits))
    app.include_router(_job_routes(jobs, limits))
    return app


def _static_routes(models: Models, paths: ClipPaths) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/health")
    async def health() -> dict[str, Any]:
        return models.health() | {"reads_paths": paths.any_allowed}

    @router.get("/v1/model", response_class=ContainerResponse, responses=NOT_MODIFIED)
    async def model(request: Request) -> Response:
        etag, body = models.static_model()
        known = request.headers.get("if-none-match", "")
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if known.strip() == "*" or etag in (tag.strip() for tag in known.split(",")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return ContainerResponse(body, headers=headers)

    return router


def _face_routes(models: Models, jobs: JobQueue, limits: Limits) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/v1/faces",
        status_code=HTTPStatus.ACCEPTED,
        openapi_extra=request_body("application/octet-stream"),
    )
    async def faces(
        request: Request,
        which: Which = "largest",
        texture_size: TextureSize = TextureSize.MEDIUM,
        texture_mode: TextureMode = contract.DEFAULT_TEXTURE_MODE,
    ) -> dict[str, str]:
        models.refuse_if_failed()
        with jobs.place(body_length(request, limits.photo_bytes)) as enter:
            photo = await read_body(request, limits.photo_bytes)
            order = PhotoOrder(which, int(texture_size) or None, texture_mode)
            return {"job": enter(partial(reconstruct, photo, order))}

    def reconstruct(photo: bytes, order: PhotoOrder, progress: Progress) -> bytes:
        return contract.encode_faces(models.reconstructor().faces(photo, order, progress))

    return router


def _job_routes(jobs: JobQueue, limits: Limits) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/jobs/{job_id}")
    async def status(
        job_id: str,
        wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0,
        since: int | None = None,
    ) -> dict[str, Any]:
        seconds = min(wait, limits.wait_seconds)
        return (await _status_after_change(jobs, job_id, seconds, since)).document()

    @router.get("/v1/jobs/{job_id}/result", response_class=ContainerResponse)
    async def result(job_id: str) -> Response:
        return ContainerResponse(jobs.result(job_id))

    @router.delete("/v1/jobs/{job_id}")
    async def cancel(job_id: str) -> dict[str, Any]:
        return jobs.cancel(job_id).document()

    return router


async def _status_after_change(
    jobs: JobQueue, job_id: str, seconds: float, since: int | None
) -> JobStatus:
    """Status once it has changed (from revision `since`, else from now), or `seconds` are over."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listener() -> None:
        # The loop may have closed while the worker was busy.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(changed.set)

    with jobs.listening(job_id, listener):
        status = jobs.status(job_id)
        if status.finished or (since is not None and since != status.revision) or not seconds:
            return status
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await changed.wait()
        return jobs.status(job_id)
