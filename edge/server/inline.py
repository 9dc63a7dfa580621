"""Work that is answered in the request: let in by its px, ended by a deadline, a client that leaves, or a stop."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

from edge.errors import OutputError, StoppedError, TankerEdgeError
from edge.scene import scene_size
from edge.server.problems import HttpError, stopping, without_folder
from edge.server.state import INCOMING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import Request

    from edge.server.core import Core
    from edge.server.scoring import Work

T = TypeVar("T")
SCENE = "scene"
"""Folder, in that of a request, of a file that came inside its body."""


class Held(ExitStack):
    """What a request holds until all work on it has ended."""

    px: int = 0
    """That were let in for it."""


@asynccontextmanager
async def request_folder(core: Core, way: str) -> AsyncIterator[tuple[Path, Held]]:
    """A folder of this request alone; and what has to be let go of when all work on it has ended.

    The folder is removed when the block ends, or, if `run` goes on in the background, when that does. A scene that the
    block does not count is noted as failed, and errors are put into the client's words.

    Args:
        core: the server's.
        way: by which the scene came, see `Metrics`.

    Raises:
        OutputError: the folder cannot be made.
    """
    folder = await in_thread(core, lambda: _make_folder(core.settings.state / INCOMING))
    held = Held()
    held.callback(shutil.rmtree, folder, ignore_errors=True)
    try:
        yield folder, held
    except BaseException as error:
        core.metrics.failed(error, way)
        if isinstance(error, TankerEdgeError):
            raise without_folder(error, folder / SCENE, folder) from error
        raise
    finally:
        await in_thread(core, held.close)  # what `run` has not taken over; to unlink a long file takes time


def _make_folder(parent: Path) -> Path:
    """A new folder with a name of its own."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        cause, mend = f"there is no room for the request ({error.strerror})", "try again later; tell the operator"
        raise OutputError("server", cause, mend) from None


async def admit(core: Core, held: Held, path: Path) -> None:
    """Let a scene in by its px, as its file tells them, before anything is decoded.

    Raises:
        HttpError: 413 or 503.
        SceneError: it is no scene.
    """
    width, height = await in_thread(core, lambda: scene_size(path))
    admit_px(core, held, width * height, f"the scene has {width:,} x {height:,} pixels", path.name)


def admit_px(core: Core, held: Held, px: int, told: str, subject: str) -> None:
    """Let so many px in.

    Args:
        core: the server's.
        held: holds them.
        px: all that is to be counted.
        told: what has so many px, if they are too many.
        subject: what the client calls it.

    Raises:
        HttpError: 413 or 503.
    """
    most = core.settings.max_request_pixels
    if px > most:
        cause = f"{told}, more than the {most:,} that are counted in a request"
        raise HttpError(413, cause, "send it as a job: POST /v1/jobs", subject=subject)
    held.enter_context(core.admission.admit(px))
    held.px += px


async def in_thread(core: Core, call: Callable[[], T]) -> T:
    """Run a short call outside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(core.clerks, call)


async def run(core: Core, request: Request, held: Held, call: Callable[[Work], T], timeout_s: float | None = None) -> T:
    """Run a scan in a thread until it is done, its deadline has passed, or its client has left.

    Args:
        core: the server's.
        request: its body has been read.
        held: let go of when the thread is done, be the client there or not.
        call: the scan.
        timeout_s: the client's own deadline, s; the server's where that is shorter.

    Raises:
        HttpError: 504 or 503.
        ClientDisconnect: nobody waits for an answer any more.
    """
    stop = threading.Event()
    deadline = min(timeout_s or core.settings.deadline_s, core.settings.deadline_s)
    work, taken_over = core.work(stop), held.pop_all()
    scanning = asyncio.get_running_loop().run_in_executor(core.scanners(held.px), _scan, call, work, taken_over)
    scanning.add_done_callback(lambda done: _seen(done, taken_over))
    leaving = asyncio.ensure_future(_left(request))
    try:
        both: set[asyncio.Future[Any]] = {scanning, leaving}
        await asyncio.wait(both, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if scanning.done():
            return scanning.result()
        if leaving.done():
            raise ClientDisconnect
        raise HttpError(504, f"not done within {deadline:g} s", "try again later, or send it as a job: POST /v1/jobs")
    except StoppedError:
        raise stopping() from None
    finally:
        stop.set()
        leaving.cancel()


def _scan(call: Callable[[Work], T], work: Work, held: Held) -> T:
    """Scan, unless that was stopped while it waited for a thread, and let go of what it held."""
    with held:
        if work.stop and work.stop.is_set():
            cause = "was stopped before it began"
            raise StoppedError("scan", cause, "start it again")
        return call(work)


def _seen(done: asyncio.Future[Any], held: Held) -> None:
    """Take note of a result that nobody may wait for; a scan that never began still holds what it held."""
    if done.cancelled():
        held.close()
    else:
        done.exception()


async def _left(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
