"""GET /metrics: what Prometheus and its kin read."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from edge.server.core import TheCore
from edge.server.inline import in_thread
from edge.server.metrics import MEDIA_TYPE
from edge.server.problems import documented

router = APIRouter(tags=["operations"])

TEXT = {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get("/metrics", response_class=Response, responses={200: TEXT, **documented()})
async def metrics(core: TheCore) -> Response:
    """Counters and gauges of this server."""
    return Response(await in_thread(core, core.metrics.text), headers={"content-type": MEDIA_TYPE})
