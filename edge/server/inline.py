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

from edge.errors import StoppedError
from edge.scene import scene_size
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import Request

    from edge.server.core import Core
    from edge.server.scoring import Work

T = TypeVar("T")


@asynccontextmanager
async def request_folder(core: Core) -> AsyncIterator[tuple[Path, ExitStack]]:
    """A folder of this request alone; and what has to be let go of when all work on it has ended.

    The folder is removed when the block ends, or, if `run` goes on in the background, when that does.
    """
    parent = core.settings.state / "incoming"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    held = ExitStack()
    held.callback(shutil.rmtree, folder, ignore_errors=True)
    try:
        yield folder, held
    finally:
        await _beside(core, held)  # what `run` has not taken over


def _beside(core: Core, held: ExitStack) -> asyncio.Future[None]:
    """Let go of what is held, beside the event loop: to unlink a long file takes time."""
    return asyncio.get_running_loop().run_in_executor(core.clerks, held.close)


async def admit(core: Core, held: ExitStack, path: Path) -> None:
    """Let a scene in by its px, as its file tells them, before anything is decoded.

    Raises:
        HttpError: 413 or 503.
        SceneError: it is no scene.
    """
    width, height = await in_thread(core, lambda: scene_size(path))
    admit_px(core, held, width * height, f"the scene has {width:,} x {height:,} pixels", path.name)


def admit_px(core: Core, held: ExitStack, px: int, told: str, subject: str) -> None:
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


async def in_thread(core: Core, call: Callable[[], T]) -> T:
    """Run a short call outside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(core.clerks, call)


async def run(
    core: Core, request: Request, held: ExitStack, call: Callable[[Work], T], timeout_s: float | None = None
) -> T:
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
    work = core.work(stop)
    scanning = asyncio.get_running_loop().run_in_executor(core.scanners, _unless_stopped, call, work)
    taken_over = held.pop_all()
    scanning.add_done_callback(lambda done: _let_go(taken_over, done))
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
        raise HttpError(503, "the server is stopping", "try again", headers={"Retry-After": "5"}) from None
    finally:
        stop.set()
        leaving.cancel()


def _unless_stopped(call: Callable[[Work], T], work: Work) -> T:
    """Scan, unless that was stopped while it waited for a thread."""
    if work.stop and work.stop.is_set():
        cause = "was stopped before it began"
        raise StoppedError("scan", cause, "start it again")
    return call(work)


def _let_go(held: ExitStack, done: asyncio.Future[Any]) -> None:
    """Let go of what a scan held, and take note of its result, though nobody may wait for it."""
    error = None if done.cancelled() else done.exception()
    held.__exit__(type(error) if error else None, error, None)


async def _left(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
