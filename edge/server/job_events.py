"""How a job goes on, as server-sent events: its document, each time it has changed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from edge.server.inline import in_thread
from edge.server.job_record import ENDED
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.server.core import Core

PAUSE_S = 0.25
"""Between two looks, and so between two events, s. A look costs next to nothing where nothing has changed."""
HEARTBEAT_S = 15.0
"""After which a comment is sent where nothing else was: proxies close what is silent."""


async def events(core: Core, job_id: str) -> AsyncIterator[str]:
    """Events of a job until it has ended or is removed, or the server stops."""
    seen: tuple[object, ...] = ()
    told: dict[str, Any] = {}
    spoke = time.monotonic()
    while not core.life.stopping.is_set():
        version = core.jobs.version(job_id)
        if version != seen:
            seen = version
            try:
                document = await in_thread(core, lambda: core.jobs.document(core.jobs.get(job_id)))
            except HttpError:  # it was removed
                return
            if document != told:
                told, spoke = document, time.monotonic()
                yield f"event: job\ndata: {json.dumps(document)}\n\n"
            if document["state"] in ENDED:
                return
        if time.monotonic() - spoke >= HEARTBEAT_S:
            yield ": still there\n\n"
            spoke = time.monotonic()
        await asyncio.sleep(PAUSE_S)
