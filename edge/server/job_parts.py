"""Scenes that are uploaded in parts: each goes on where the last one ended, whatever broke in between.

The ledger counts the bytes that are safe on the disk. What a server has written beyond them when it died is cut off.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.requests import ClientDisconnect

from edge.errors import TankerEdgeError
from edge.scene import scene_size
from edge.server.problems import HttpError
from edge.server.settings import DAY_S, MIB
from edge.server.streams import batches, off_loop, write

if TYPE_CHECKING:
    from typing import BinaryIO

    from starlette.types import Message

    from edge.server.job_files import JobFiles
    from edge.server.job_record import Job
    from edge.server.job_store import JobStore
    from edge.server.settings import Settings

GIVEN_UP_S = DAY_S
"""After which an upload of which nothing more comes is given up."""
SAFE_EVERY = 64 * MIB
"""Bytes after which they are made safe within a part."""


class _Sender:
    """A request that sends a part, and can be told that another takes over."""

    def __init__(self, request: Request) -> None:
        self.request = Request(request.scope, self._receive)
        """The same request; its body breaks off when another takes over."""
        self.ended = asyncio.Event()
        self.left = asyncio.Event()
        """Set to have it break off: its connection may be dead without anybody knowing."""
        self._inner = request.receive

    async def _receive(self) -> Message:
        """The next piece of the body."""
        coming, leaving = asyncio.ensure_future(self._inner()), asyncio.ensure_future(self.left.wait())
        try:
            await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            coming.cancel()
            leaving.cancel()


@dataclass(slots=True)
class _Part:
    """A part that is being written."""

    file: BinaryIO
    offset: int
    """Bytes of the scene that are written."""
    safe: int
    """Of these, bytes that are on the disk and in the ledger."""


class JobParts:
    """Appends parts; its coroutines belong to one event loop."""

    def __init__(self, settings: Settings, store: JobStore, files: JobFiles) -> None:
        """Nothing is on its way."""
        self._settings, self._store, self._files = settings, store, files
        self._senders: dict[str, _Sender] = {}

    def recover(self, job: Job) -> bool:
        """Cut off what is not known to be safe of an upload that a server has left; False where some of it is gone."""
        path = self._files.scene(job)
        if not path.is_file() or path.stat().st_size < job.received:
            return False
        os.truncate(path, job.received)
        return True

    def sending(self, job_id: str) -> bool:
        """Whether a request is sending a part of this job."""
        return job_id in self._senders

    async def interrupt(self, job_id: str) -> None:
        """End the request that is sending a part of this job; what it has sent is safe then."""
        while sender := self._senders.get(job_id):
            sender.left.set()
            await sender.ended.wait()

    async def append(self, request: Request, job: Job, offset: int) -> None:
        """Append what a request sends; `interrupt` has been called, and nothing was awaited after the job was read.

        Args:
            request: its body has not been read.
            job: as it is now.
            offset: where the client goes on.

        Raises:
            HttpError: 408; 409, it does not go on there, or another request has taken over; 410; 413.
            OutputError: the disk is full.
            ClientDisconnect: the client has left; what had come is safe.
        """
        if job.state != "receiving" or offset != job.received:
            raise misplaced(job)
        sender = self._senders[job.id] = _Sender(request)
        try:
            await self._write(sender.request, job)
        except ClientDisconnect:
            if not sender.left.is_set():
                raise
            raise HttpError(409, "another request goes on with this upload", "ask by HEAD how far it is") from None
        finally:
            del self._senders[job.id]
            sender.ended.set()

    async def _write(self, request: Request, job: Job) -> None:
        """Write a body behind what is there, and make it safe, however it ends."""
        try:
            file = self._files.scene(job).open("r+b", buffering=0)
        except FileNotFoundError:
            raise _deleted() from None
        with file:
            file.seek(job.received)
            part = _Part(file, job.received, job.received)
            try:
                await self._copy(request, job, part)
            finally:
                await off_loop(partial(self._save, job, part))

    async def _copy(self, request: Request, job: Job, part: _Part) -> None:
        room = (job.length or 0) - part.offset
        async with aclosing(batches(request, room, self._settings.body_timeout_s)) as pieces:
            async for piece in pieces:
                await off_loop(partial(write, part.file, piece))
                part.offset += len(piece)
                if part.offset - part.safe >= SAFE_EVERY:
                    await off_loop(partial(self._save, job, part))

    def _save(self, job: Job, part: _Part) -> None:
        """Get what is written onto the disk, then into the ledger; the whole scene makes the job wait for its turn."""
        os.fsync(part.file.fileno())
        now = time.time()
        if part.offset == job.length:
            px = self._px(job)
            known = self._store.move(job.id, "waiting", received=part.offset, queued=now, expires=None, px=px)
        else:
            known = self._store.note(job.id, received=part.offset, expires=now + GIVEN_UP_S)
        if not known and part.safe != job.length:
            raise _deleted()
        part.safe = part.offset

    def _px(self, job: Job) -> int | None:
        """Of a scene that is whole; None where it is no scene, which the job says when it runs."""
        try:
            width, height = scene_size(self._files.scene(job))
        except TankerEdgeError:
            return None
        return width * height


def _deleted() -> HttpError:
    return HttpError(410, "the job has been deleted", "send the scene again")


def misplaced(job: Job) -> HttpError:
    """The answer to a part that does not go on where the last one ended."""
    cause = f"the upload is at byte {job.received:,}" if job.state == "receiving" else f"the job is {job.state}"
    mend = "go on there" if job.state == "receiving" else "no more of its scene is needed"
    return HttpError(409, cause, mend, headers={"Upload-Offset": str(job.received)})
