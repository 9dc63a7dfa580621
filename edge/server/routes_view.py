"""What the page needs of a job: its picture in tiles, its vessels one by one, and what people say of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field, ValidationError

from edge.server import reviews
from edge.server.core import TheCore
from edge.server.inline import in_thread
from edge.server.job_files import CANDIDATES
from edge.server.job_results import done
from edge.server.marks import Marks, Review
from edge.server.problems import HttpError, documented, misfit, removed
from edge.server.pyramid import TILE_PX
from edge.server.routes_job_results import FAILURES
from edge.server.routes_jobs import JobId
from edge.server.streams import batches
from edge.server.views import Shown
from edge.server.zipped import zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.server.core import Core
    from edge.server.job_record import Job

T = TypeVar("T")

router = APIRouter(tags=["view"])

MOST_MARKS_BYTES = 16 * 2**20
"""Of a review; that of a scene with 20,000 vessels has about 2 MB."""
FRESH = {"Cache-Control": "private, max-age=86400", "Vary": "Authorization"}
"""A job's scene does not change."""
ASK_AGAIN = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_REVIEW_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{Marks.__name__}"}}},
    }
}
"""The body as OpenAPI has it: it is read with a limit, so that FastAPI does not see it."""

Match = Annotated[str | None, Header(max_length=4096)]


class Picture(BaseModel):
    """A scene as square tiles at halved scales."""

    width: int = Field(description="px of the scene")
    height: int = Field(description="px of the scene")
    tile: int = Field(description="side of a tile, px; those at the right and at the bottom may be smaller")
    levels: int = Field(description="level 0 is the coarsest, one tile; level `levels - 1` has the scene's own px")
    tiles: str = Field(description="where they are: {level}, {x} and {y} stand for whole numbers from 0 on")


_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "a JPEG"},
    304: {"description": "the client has it"},
}


@router.get("/v1/jobs/{job_id}/picture", responses=documented(*FAILURES))
async def picture(core: TheCore, job_id: JobId) -> Picture:
    """How the scene of a job can be looked at."""
    pyramid = await core.views.pyramid(await _shown(core, job_id))
    where = f"/v1/jobs/{job_id}/tiles/{{level}}/{{x}}/{{y}}.jpg"
    return Picture(width=pyramid.width, height=pyramid.height, tile=TILE_PX, levels=pyramid.levels, tiles=where)


@router.get(
    "/v1/jobs/{job_id}/tiles/{level}/{x}/{y}.jpg",
    response_class=Response,
    responses={**documented(*FAILURES), **_JPEG},
)
async def tile(core: TheCore, job_id: JobId, level: int, x: int, y: int, if_none_match: Match = None) -> Response:
    """One tile of the scene of a job; see its `picture`."""
    jpeg = await core.views.tile(await _shown(core, job_id), level, x, y)
    return _image(jpeg, if_none_match)


@router.get(
    "/v1/jobs/{job_id}/crops/{number}.jpg",
    response_class=Response,
    responses={**documented(*FAILURES), **_JPEG},
)
async def crop(core: TheCore, job_id: JobId, number: int, if_none_match: Match = None) -> Response:
    """One candidate of a job with its surroundings; header `Crop-Window`: x, y, width, height, px of the scene."""
    shown = await _shown(core, job_id)
    job = await _done(core, job_id)
    boxes = await _kept(core, lambda: reviews.corners(core.jobs.folder(job.id)))
    if not 1 <= number <= len(boxes):
        raise HttpError(404, f"there is no candidate {number}", f"see /v1/jobs/{job_id}/candidates")
    cut = await core.views.crop(shown, boxes[number - 1])
    window = cut.window
    shows = f"{window.x},{window.y},{window.width},{window.height}"
    return _image(cut.jpeg, if_none_match, {"Crop-Window": shows})


@router.get("/v1/jobs/{job_id}/candidates", responses=documented(*FAILURES))
async def candidates(request: Request, core: TheCore, job_id: JobId) -> Response:
    """Boxes of all scores, and the counts at each threshold: what it takes to count anew without the model."""
    job = await _done(core, job_id)
    path = core.jobs.folder(job.id) / CANDIDATES
    data = await _kept(core, path.read_bytes)
    return await in_thread(core, lambda: zipped(request, data, "application/json", ASK_AGAIN))


@router.get("/v1/jobs/{job_id}/marks", response_model=Review, responses=documented(*FAILURES))
async def marks(core: TheCore, job_id: JobId) -> Response:
    """What people say of the boxes of a job."""
    reviewed = await _reviewed(core, job_id)
    return await in_thread(core, lambda: _review(*reviews.load(reviewed), ASK_AGAIN))


@router.put(
    "/v1/jobs/{job_id}/marks",
    response_model=Review,
    responses=documented(*FAILURES, 408, 412, 415),
    openapi_extra=_REVIEW_BODY,
)
async def mark(request: Request, core: TheCore, job_id: JobId, if_match: Match = None) -> Response:
    """Say what is right, wrong and missing: all of it, in place of what was said before.

    Send the entity tag that you got as `If-Match`: where somebody else was quicker, the answer is 412, nothing is lost.
    """
    reviewed = await _reviewed(core, job_id)
    parts = [part async for part in batches(request, MOST_MARKS_BYTES, core.settings.body_timeout_s)]
    sent = await in_thread(core, lambda: _parsed(b"".join(parts)))
    folder = core.settings.state / "reviews"
    return await in_thread(core, lambda: _review(*reviews.save(reviewed, sent, if_match, folder)))


@router.get("/v1/jobs/{job_id}/labels", response_class=PlainTextResponse, responses=documented(*FAILURES))
async def labels(core: TheCore, job_id: JobId) -> PlainTextResponse:
    """The marks of a job as YOLO-OBB labels."""
    reviewed = await _reviewed(core, job_id)
    text = await in_thread(core, lambda: reviews.labels_of(reviewed))
    return PlainTextResponse(text, headers={"Content-Disposition": "attachment; filename=labels.txt", **ASK_AGAIN})


def _review(text: str, tag: str, headers: Mapping[str, str] | None = None) -> Response:
    """A review as it is kept: it may have 200,000 marks, which FastAPI would write anew on the event loop."""
    return Response(text, media_type="application/json", headers={"ETag": tag, **(headers or {})})


def _image(jpeg: bytes, known: str | None, more: Mapping[str, str] | None = None) -> Response:
    """A JPEG with its entity tag; nothing where the client has it."""
    tag = f'"{hashlib.sha256(jpeg).hexdigest()[:20]}"'
    headers = {"ETag": tag, **FRESH, **(more or {})}
    if known and (known.strip() == "*" or tag in known):
        return Response(status_code=304, headers=headers)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


def _parsed(body: bytes) -> Marks:
    """A review that a client sent.

    Raises:
        HttpError: 422.
    """
    try:
        return Marks.model_validate_json(body)
    except ValidationError as error:
        raise misfit(error.errors(include_url=False, include_context=False, include_input=False)[0]) from None


async def _done(core: Core, job_id: str) -> Job:
    """A job that has been counted; else see `done`."""
    return await in_thread(core, lambda: done(core.jobs, job_id))


async def _shown(core: Core, job_id: str) -> Shown:
    """The scene of a job, which may still be counted.

    Raises:
        HttpError: 404; 409, it is still being received or fetched; 410, it or its job has gone.
    """
    job = await in_thread(core, lambda: core.jobs.get(job_id))
    if job.state == "receiving":
        raise HttpError(409, "the scene is still being received", f"see /v1/jobs/{job_id}")
    options = job.count_options.reading(core.settings.max_decoded_pixels)
    path = await in_thread(core, lambda: _scene(core, job))
    if path is None and job.source == "url" and job.state in {"waiting", "running"}:
        raise HttpError(409, "the scene has not been fetched yet", f"see /v1/jobs/{job_id}", subject=job.scene)
    if path is None:
        raise HttpError(410, "the scene is no longer there", "count it again", subject=job.scene)
    return Shown(job.id, path, options, core.jobs.folder(job.id))


def _scene(core: Core, job: Job) -> Path | None:
    """Where the scene of a job lies; None where it is no longer. Who asks now need not be who named its path."""
    try:
        path = core.jobs.scene_path(job)
        return path if path.is_file() else None
    except (HttpError, OSError):
        return None


async def _reviewed(core: Core, job_id: str) -> reviews.Reviewed:
    """A job whose boxes can be reviewed.

    Raises:
        HttpError: 404, 409, 410.
    """
    job = await _done(core, job_id)
    return await _kept(core, lambda: reviews.reviewed(job, core.jobs.folder(job.id), _scene(core, job)))


async def _kept(core: Core, call: Callable[[], T]) -> T:
    """Run a call that reads what is kept of a job.

    Raises:
        HttpError: 410, the job has been removed meanwhile.
    """
    try:
        return await in_thread(core, call)
    except FileNotFoundError:
        raise removed() from None
