"""Bodies of requests as they come: counted against a limit, not waited for for ever, written outside the event loop.

A client may be silent for a while, and must send `SLOWEST` bytes a second on the whole: one that sends a byte now and
then would otherwise hold its connection, its file and its place for days. Only the time in which the server waits for
the client counts, not that in which its own disk is slow.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from edge.errors import OutputError
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from fastapi import Request

SLOWEST = 16 * 2**10
"""Bytes/s, on the whole, after the time in which a client may be silent."""
BATCH = 256 * 2**10
"""Bytes that are handed to a thread at once: a hop costs about as much as the writing of some ten thousand."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Patience:
    """How long a client is waited for."""

    def __init__(self, silence_s: float) -> None:
        """At most `silence_s` s without a byte, and as long again as `SLOWEST` takes for what has come."""
        self._silence_s = silence_s
        self._waited_s = 0.0
        self._bytes = 0

    async def wait(self, stream: AsyncIterator[bytes]) -> bytes | None:
        """The next piece of a body; None after the last.

        Raises:
            HttpError: 408.
            ClientDisconnect: the client has left.
        """
        left = self._silence_s + self._bytes / SLOWEST - self._waited_s
        begun = time.monotonic()
        try:
            piece = await asyncio.wait_for(anext(stream), min(self._silence_s, max(left, 0)))
        except StopAsyncIteration:
            return None
        except asyncio.TimeoutError:
            slow = left < self._silence_s / 2
            cause = f"it came at less than {SLOWEST:,} bytes/s" if slow else f"nothing came for {self._silence_s:g} s"
            raise HttpError(408, f"the body is not whole: {cause}", "send it without pauses, or in parts") from None
        self._waited_s += time.monotonic() - begun
        self._bytes += len(piece)
        return piece


def announced(request: Request) -> int | None:
    """Bytes of the body, as its head tells; None where it does not."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else None


def check_head(request: Request, most_bytes: int) -> None:
    """Refuse by its head a body that need not be read.

    Raises:
        HttpError: 413 or 415.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise HttpError(415, "the body is encoded (Content-Encoding)", "send it as it is", subject=coding[:80])
    if (announced(request) or 0) > most_bytes:
        raise _too_long(most_bytes)


async def batches(request: Request, most_bytes: int, silence_s: float) -> AsyncGenerator[bytes, None]:
    """A body in parts of about BATCH bytes; where it breaks off, what had come is given before the error is raised.

    Raises:
        HttpError: 408, 413 or 415.
        ClientDisconnect: the client has left.
    """
    check_head(request, most_bytes)
    patience, stream = Patience(silence_s), request.stream().__aiter__()
    parts: list[bytes] = []
    size = total = 0
    broken: Exception | None = None
    while True:
        try:
            piece = await patience.wait(stream)
        except Exception as error:  # noqa: BLE001 - raised below
            piece, broken = None, error
        total += len(piece or b"")
        if total > most_bytes:
            raise _too_long(most_bytes)
        if piece:
            parts.append(piece)
            size += len(piece)
        if parts and (size >= BATCH or piece is None):
            yield b"".join(parts)
            parts, size = [], 0
        if broken:
            raise broken
        if piece is None:
            return


async def stream_to(request: Request, file: BinaryIO, most_bytes: int, silence_s: float) -> int:
    """Write a whole body to a file, outside the event loop.

    Where the body breaks off (the client leaves, or is too slow), what had come has been written.

    Args:
        request: its body has not been read.
        file: open for writing.
        most_bytes: of the body.
        silence_s: how long the client may send nothing, s; see `Patience`.

    Returns:
        Bytes that were written.

    Raises:
        HttpError: 408, 413 or 415.
        OutputError: the disk is full.
        ClientDisconnect: the client has left.
    """
    written = 0
    async with aclosing(batches(request, most_bytes, silence_s)) as parts:
        async for part in parts:
            await off_loop(partial(write, file, part))
            written += len(part)
    return written


async def off_loop(call: Callable[[], None]) -> None:
    """Run a call in a thread, to its end even if the caller is cancelled: files are not closed under it."""
    running = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def write(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of it, and flush.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    left = memoryview(data)
    try:
        while left:  # an unbuffered file may take less at a time
            left = left[file.write(left) :]
        file.flush()
    except OSError as error:
        raise _disk_error(error) from error


def create(path: Path) -> BinaryIO:
    """A new file that only this user may read.

    Raises:
        OutputError: the disk is full, or refuses; or there is such a file.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(path, flags, 0o600), "wb")
    except OSError as error:
        raise _disk_error(error) from error


def _disk_error(error: OSError) -> OutputError:
    full = error.errno in _FULL
    cause = "the server's disk has no room for it" if full else f"the server cannot keep it ({error.strerror})"
    return OutputError("scene", cause, "try again later, or tell its operator")


def _too_long(most_bytes: int) -> HttpError:
    mend = "send less; POST /v1/jobs takes more than a count in the request, and TIFFs may be compressed"
    return HttpError(413, f"the body is longer than {most_bytes:,} bytes", mend)
