"""POST /v1/jobs takes a scene, or words about one; GET and DELETE ask for jobs and end them; PATCH brings parts."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from edge.server.core import Core, TheCore
from edge.server.inline import in_thread, request_folder
from edge.server.job_record import Job, JobDocument, JobList, State
from edge.server.job_requests import ByParts, ByPath, ByUrl, area_text, digest, new_job, read_request, schema
from edge.server.job_scene import check_size, told_without
from edge.server.names import safe_name
from edge.server.options import CountOptions
from edge.server.places import allowed_path
from edge.server.problems import HttpError, documented
from edge.server.routes_count import BODY
from edge.server.settings import MIB
from edge.server.streams import announced, batches
from edge.server.uploads import media_type, receive
from edge.server.urls import check_url

router = APIRouter(tags=["jobs"])

JSON = "application/json"
MOST_WORDS = 8 * MIB
"""Bytes of a body of JSON; an area of interest may be detailed."""
MOST_LISTED = 500
JobId = Annotated[str, Path(json_schema_extra={"pattern": "^[0-9a-f]{32}$"})]
"""Any other text is the id of no job, and answered so."""
Key = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[\x20-\x7e]{1,200}$")]
"""A client's own word for a job: asked for again by it, it is the same job."""
KNOWN: dict[int | str, dict[str, Any]] = {200: {"model": JobDocument, "description": "the job of this key, as it is"}}


def _body() -> dict[str, Any]:
    """The body as OpenAPI has it: that of a count, or JSON."""
    content = BODY["requestBody"]["content"]
    return {"requestBody": {"required": True, "content": {**content, JSON: {"schema": schema()}}}}


class JobQuery(CountOptions):
    """Query of a job whose scene is in the body."""

    name: Annotated[str | None, Field(max_length=255)] = None
    """What the scene is called, where the body is the image itself."""

    @property
    def chosen(self) -> set[str]:
        """Options of the count that are in the query."""
        return self.model_fields_set & set(CountOptions.model_fields)


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=JobDocument,
    responses={**documented(404, 408, 409, 410, 413, 415, 422, 507), **KNOWN},
    openapi_extra=_body(),
)
async def submit(request: Request, core: TheCore, query: Annotated[JobQuery, Query()], key: Key = None) -> JSONResponse:
    """Take a scene that is counted later: in the body, or named by a path or URL, or announced to come in parts."""
    job, new = await (_named if media_type(request) == JSON else _sent)(request, core, query, key)
    document = await in_thread(core, lambda: core.jobs.document(job))
    return JSONResponse(document, 202 if new else 200, {"Location": document["links"]["self"]})


async def _sent(request: Request, core: Core, query: JobQuery, key: str | None) -> tuple[Job, bool]:
    """A job whose scene is in the body."""
    _check(query)
    settings, jobs = core.settings, core.jobs
    async with request_folder(core, "job") as (folder, held):
        size = announced(request)
        if key is None or not await in_thread(core, lambda: jobs.store.by_key(key)):
            held.callback(await in_thread(core, lambda: jobs.room.take(size, jobs.runner.last_s)))
        upload = await receive(request, folder, settings.max_upload_bytes, settings.body_timeout_s)

        def accept() -> tuple[Job, bool]:
            about: dict[str, Any] = {"length": upload.path.stat().st_size}
            if key:
                about |= {"sha256": digest(upload.path), "aoi": digest(upload.area)}
            with told_without(folder):
                px = check_size(upload.path, settings.max_job_pixels, upload.name)
            job = replace(new_job("upload", upload.name, query, about, key), px=px)
            return jobs.accept(job, lambda: jobs.files.take(job.id, upload))

        return await asyncio.get_running_loop().run_in_executor(jobs.porters, accept)


async def _named(request: Request, core: Core, query: JobQuery, key: str | None) -> tuple[Job, bool]:
    """A job whose scene is elsewhere."""
    pieces = [piece async for piece in batches(request, MOST_WORDS, core.settings.body_timeout_s)]
    asked = read_request(b"".join(pieces))
    if asked.options and query.chosen:
        raise HttpError(400, "options are in the query and in the body", "give them in one place", subject="options")
    options = asked.options or query
    _check(options)
    area = area_text(asked.aoi)

    def accept() -> tuple[Job, bool]:
        job = _job_of(core, asked, options, area, key)
        with ExitStack() as held:
            if not (key and core.jobs.store.by_key(key)):
                size = job.length if job.state == "receiving" else None
                held.callback(core.jobs.room.take(size, core.jobs.runner.last_s))
            return core.jobs.accept(job, lambda: core.jobs.files.announce(job, area))

    return await in_thread(core, accept)


def _job_of(
    core: Core, asked: ByPath | ByUrl | ByParts, options: CountOptions, area: str | None, key: str | None
) -> Job:
    """The job that is asked for, if what it names may be used."""
    settings = core.settings
    if isinstance(asked, ByPath):
        path = allowed_path(asked.path, settings.roots)
        with told_without(path.parent):
            px = check_size(path, settings.max_job_pixels, path.name)
        name = PurePath(asked.path).name
        return replace(new_job("path", name, options, {"place": asked.path, "aoi": area}, key), px=px)
    if isinstance(asked, ByUrl):
        name = safe_name(unquote(check_url(asked.url, settings.urls)[0].path))
        return new_job("url", name, options, {"place": asked.url, "aoi": area}, key)
    about = {"length": asked.upload.size, "aoi": area}
    return new_job("upload", safe_name(asked.upload.name), options, about, key, parts=True)


def _check(options: CountOptions) -> None:
    """Refuse options that make no sense before anything is read.

    Raises:
        UsageError: one of them makes none.
    """
    options.reading(1)
    options.scanning()


@router.get("/v1/jobs", response_model=JobList, responses=documented(422))
async def newest(
    core: TheCore, state: State | None = None, limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50
) -> JSONResponse:
    """Jobs, the newest first."""
    return JSONResponse({"jobs": await in_thread(core, lambda: core.jobs.newest(state, limit))})


@router.get("/v1/jobs/{job_id}", response_model=JobDocument, responses=documented(404, 410))
async def one(core: TheCore, job_id: JobId) -> JSONResponse:
    """A job."""
    return JSONResponse(await in_thread(core, lambda: core.jobs.document(core.jobs.get(job_id))))


@router.delete("/v1/jobs/{job_id}", status_code=204, response_class=Response, responses=documented(404, 507))
async def delete(core: TheCore, job_id: JobId) -> Response:
    """Cancel a job that has not ended; remove one that has, with its results."""
    await in_thread(core, lambda: core.jobs.delete(job_id))
    await core.jobs.parts.interrupt(job_id)
    return Response(status_code=204)
