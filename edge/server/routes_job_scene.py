"""The scene of a job, sent in parts: HEAD tells how far it is, PATCH goes on there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from edge.server.core import Core, TheCore
from edge.server.inline import in_thread
from edge.server.job_record import Job
from edge.server.problems import HttpError, documented
from edge.server.routes_jobs import JobId

router = APIRouter(tags=["jobs"])

PART: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""The body as OpenAPI has it."""


@router.head("/v1/jobs/{job_id}/scene", response_class=Response, responses=documented(404, 409, 410))
async def progress(core: TheCore, job_id: JobId) -> Response:
    """How much of an upload is there: headers Upload-Offset and Upload-Length. It ends a part that is being sent."""
    return _told(await _settled(core, job_id), 200)


@router.patch(
    "/v1/jobs/{job_id}/scene",
    status_code=204,
    response_class=Response,
    responses=documented(404, 408, 409, 410, 413, 415, 422, 507),
    openapi_extra=PART,
)
async def append(
    request: Request, core: TheCore, job_id: JobId, offset: Annotated[int, Header(alias="Upload-Offset", ge=0)]
) -> Response:
    """Send a part of the scene, from `Upload-Offset` on; with the last byte the job waits for its turn."""
    job = await _settled(core, job_id)
    await core.jobs.parts.append(request, job, offset)
    core.jobs.runner.call()
    return _told(await in_thread(core, lambda: core.jobs.get(job_id)), 204)


async def _settled(core: Core, job_id: str) -> Job:
    """A job that is uploaded, when no request is sending a part of it any more."""
    while True:
        await core.jobs.parts.interrupt(job_id)
        job = await in_thread(core, lambda: core.jobs.get(job_id))
        if not core.jobs.parts.sending(job_id):
            break
    if job.source != "upload":
        raise HttpError(409, "the scene of this job is not uploaded", f"it was named by a {job.source}")
    return job


def _told(job: Job, status: int) -> Response:
    offset, length = str(job.received), str(job.length or job.received)
    headers = {"Upload-Offset": offset, "Upload-Length": length, "Cache-Control": "no-store"}
    return Response(status_code=status, headers=headers)
