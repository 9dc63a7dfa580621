"""POST /v1/count: a scene in, its document out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from edge.server.core import TheCore
from edge.server.inline import admit, request_folder, run
from edge.server.options import CountOptions
from edge.server.problems import documented
from edge.server.scoring import score
from edge.server.uploads import receive

router = APIRouter(tags=["count"])

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["scene"],
                    "properties": {
                        "scene": {"type": "string", "format": "binary", "description": "the image"},
                        "aoi": {"type": "string", "format": "binary", "description": "GeoJSON, area of interest"},
                    },
                }
            },
        },
    }
}
"""The body as OpenAPI has it: it is streamed, so that FastAPI does not see it."""


class CountQuery(CountOptions):
    """Query of a count in the request."""

    name: Annotated[str | None, Field(max_length=255)] = None
    """What the scene is called, where the body is the image itself."""
    timeout: Annotated[float | None, Field(gt=0, le=86_400)] = None
    """Seconds after which the client no longer wants an answer."""


@router.post("/v1/count", responses=documented(408, 413, 415, 422, 504, 507), openapi_extra=BODY)
async def count(request: Request, core: TheCore, query: Annotated[CountQuery, Query()]) -> JSONResponse:
    """Count the vessels of a scene that fits into a request; the answer is the scene's document."""
    core.admission.check()
    settings = core.settings
    async with request_folder(core, "count") as (folder, held):
        upload = await receive(request, folder, settings.max_body_bytes, settings.body_timeout_s)
        await admit(core, held, upload.path)
        document = await run(
            core, request, held, lambda work: score(upload.path, query, work, upload.area), query.timeout
        )
    core.metrics.counted(document, "count")
    return JSONResponse(document)
