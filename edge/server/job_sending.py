"""A file as the body of an answer: open before the answer begins, so that nothing can take it away meanwhile."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from fastapi import Response

from edge.server.job_results import MEDIA, download_name, gone

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from edge.server.job_record import Job
    from edge.server.jobs import Jobs

_PIECE = 256 * 2**10


class OpenFile(Response):
    """Sends an open file piece by piece, and closes it."""

    def __init__(self, file: BinaryIO, headers: dict[str, str], media_type: str) -> None:
        """Take over a file that was opened for reading."""
        size = os.fstat(file.fileno()).st_size
        super().__init__(None, 200, {**headers, "Content-Length": str(size)}, media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send it."""
        with self._file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece := await asyncio.to_thread(self._file.read, _PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def send_file(jobs: Jobs, job: Job, path: Path, kind: str, *, keep: bool) -> OpenFile:
    """The answer with a file of a job.

    Args:
        jobs: all of them.
        job: one that is done.
        path: of the file.
        kind: its format.
        keep: it is to be saved under its own name.

    Raises:
        HttpError: 410, it is not there any more.
    """
    headers = {"Content-Disposition": attachment(download_name(job, kind))} if keep else {}
    try:
        return OpenFile(path.open("rb"), headers, MEDIA[kind])
    except FileNotFoundError:
        raise gone(jobs, job) from None


def attachment(name: str) -> str:
    """Content-Disposition of a file to keep (RFC 6266): a plain name for old clients, the whole one for all others."""
    plain = re.sub(r"[^A-Za-z0-9.()+,= _-]", "_", name)
    exact = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"
