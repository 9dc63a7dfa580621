"""How a job goes on, and what it has found: events, its document, files in the usual formats, the drawn picture."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from edge.server.core import TheCore
from edge.server.inline import in_thread
from edge.server.job_events import events
from edge.server.job_results import MEDIA, done, file_of, overlay_of
from edge.server.job_sending import send_file
from edge.server.problems import documented
from edge.server.routes_jobs import JobId

router = APIRouter(tags=["jobs"])

FormatName = Literal["json", "geojson", "csv", "coco", "yolo"]
FAILURES = (404, 409, 410, 413, 422, 502, 507)
"""Of what asks for results; a job may have failed with any of them."""


def _found(description: str, *media: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that answers with a file."""
    return {200: {"description": description, "content": {each.partition(";")[0]: {} for each in media}}}


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=Response,
    responses={**documented(404, 410), **_found("events named `job`, whose data are the job", "text/event-stream")},
)
async def watch(core: TheCore, job_id: JobId) -> Response:
    """The job, each time it changes, as server-sent events; they end when it has ended."""
    await in_thread(core, lambda: core.jobs.get(job_id))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(core, job_id), 200, headers, "text/event-stream")


@router.get(
    "/v1/jobs/{job_id}/result",
    response_class=Response,
    responses={**documented(*FAILURES), **_found("the scene's document, or a file made of it", *MEDIA.values())},
)
async def result(core: TheCore, job_id: JobId, format: FormatName | None = None) -> Response:  # noqa: A002 - its name
    """The document of a job that is done; with `format`, a file to keep."""

    def find() -> Response:
        job, kind = done(core.jobs, job_id), format or "json"
        return send_file(core.jobs, job, file_of(core.jobs, job, kind), kind, keep=format is not None)

    return await in_thread(core, find)


@router.get(
    "/v1/jobs/{job_id}/overlay",
    response_class=Response,
    responses={**documented(*FAILURES), **_found("the picture", MEDIA["overlay"])},
)
async def drawn(core: TheCore, job_id: JobId) -> Response:
    """The scene of a job that is done, with its vessels drawn in; large scenes at reduced size."""
    job = await in_thread(core, lambda: done(core.jobs, job_id))
    path = await overlay_of(core, job)
    return await in_thread(core, lambda: send_file(core.jobs, job, path, "overlay", keep=True))
