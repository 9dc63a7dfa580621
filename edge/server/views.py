"""Scenes as pictures for the page: tiles and crops, read by a few patient threads, so that viewing slows no count.

Fine tiles are read from the scene by windows. Coarse ones, each of which would need much of the scene, are made all at
once when the first of them is asked for, and kept in the job's folder.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from edge.errors import StoppedError, TankerEdgeError
from edge.geometry import Window
from edge.scene import scene_size
from edge.server.open_scenes import IDLE_S, OpenScenes
from edge.server.problems import HttpError, stopping, without_folder
from edge.server.pyramid import Pyramid, encode, pack, read, unpack
from edge.workers import be_patient
from edge.write.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.geometry import Floats
    from edge.scene import SceneOptions

T = TypeVar("T")

THREADS = 2
PACK = "picture.tiles"
"""Name of the file of coarse tiles in a job's folder."""
_MOST_PYRAMIDS = 256
CROP_PX = 256
"""Longest side of a crop."""
_MARGIN = 0.35
"""Round a vessel on its crop, as a share of its longer side."""
_LEAST_PX = 48
"""Side of a crop in px of the scene, for vessels of few px: a vessel is known by its surroundings too."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A scene of a job that is looked at."""

    job: str
    """Id."""
    path: Path
    options: SceneOptions
    """As it was read for its count: the same bands and the same stretch."""
    folder: Path
    """The job's."""


class Crop(NamedTuple):
    """One vessel with its surroundings."""

    jpeg: bytes
    window: Window
    """Px of the scene that it shows; it may reach beyond the scene, where it is black."""


class Views:
    """Reads what people look at; its coroutines belong to one event loop."""

    def __init__(self, nice: int, stop: threading.Event, idle_s: float = IDLE_S) -> None:
        """Start nothing yet.

        Args:
            nice: how far its threads yield to others, 0 to 19.
            stop: set when what runs must end.
            idle_s: a scene that nobody has looked at for so long is closed.
        """
        self._pool = ThreadPoolExecutor(THREADS, "view", be_patient, (nice,))
        self._scenes = OpenScenes(idle_s=idle_s)
        self._stop = stop
        self._lock = threading.Lock()
        self._packing: dict[str, Future[None]] = {}
        """Coarse tiles that are being made, by job: each once, however many ask."""
        self._pyramids: dict[str, Pyramid] = {}
        """By job: to learn the size of a JPEG is to walk through its file."""
        self._tidying: asyncio.TimerHandle | None = None
        """Will look for scenes to close; there is one while scenes are open."""

    async def pyramid(self, shown: Shown) -> Pyramid:
        """The levels of a scene, by what its file says of itself.

        Raises:
            HttpError: 410, the scene is no longer there.
            SceneError: it is no scene.
        """
        known = self._pyramids.get(shown.job)
        if known is None:
            known = await self._run(shown, lambda: Pyramid(*scene_size(shown.path)))
            while len(self._pyramids) >= _MOST_PYRAMIDS:
                self._pyramids.pop(next(iter(self._pyramids)))
            self._pyramids[shown.job] = known
        return known

    async def tile(self, shown: Shown, level: int, column: int, row: int) -> bytes:
        """One tile of a scene as JPEG; see `edge.server.pyramid`.

        Raises:
            HttpError: 404, there is no such tile; 410, the scene is no longer there.
            SceneError: it is no scene.
        """
        pyramid = await self.pyramid(shown)
        window = pyramid.window(level, column, row)
        if window is None:
            raise HttpError(404, f"there is no tile {column}, {row} at level {level}", "see /v1/jobs/{id}/picture")
        if level >= pyramid.coarse:
            return await self._run(shown, lambda: self._fine(shown, window, pyramid.down(level)))
        number = pyramid.place(level, column, row)
        path = shown.folder / PACK
        try:
            return await self._run(shown, lambda: unpack(path, number))
        except FileNotFoundError:
            await asyncio.shield(asyncio.wrap_future(self._packed(shown, pyramid)))
            return await self._run(shown, lambda: unpack(path, number))

    async def crop(self, shown: Shown, corners: Floats) -> Crop:
        """A vessel, corners (4, 2) px of the scene, with its surroundings, upright as on the scene.

        Raises:
            HttpError: 410, the scene is no longer there.
            SceneError: it is no scene.
        """
        return await self._run(shown, lambda: self._crop(shown, corners))

    def forget(self, job: str) -> None:
        """Let go of the scene of a job that is being removed."""
        self._pyramids.pop(job, None)
        self._scenes.forget(job)

    def close(self) -> None:
        """Wait for what runs, which ends soon if `stop` is set, and close all scenes."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._scenes.close()

    async def _run(self, shown: Shown, call: Callable[[], T]) -> T:
        """Run a call in a thread of the views, with what goes wrong in the client's words."""
        if self._tidying is None:
            self._tidy_in(self._scenes.idle_s)
        return await asyncio.get_running_loop().run_in_executor(self._pool, _told, shown, call)

    def _tidy_in(self, after_s: float) -> None:
        self._tidying = asyncio.get_running_loop().call_later(after_s, self._tidy)

    def _tidy(self) -> None:
        """Close scenes that nobody looks at, in a thread: to let go of much memory takes time."""
        self._tidying = None
        try:
            tidied = asyncio.get_running_loop().run_in_executor(self._pool, self._scenes.tidy)
        except RuntimeError:  # closed
            return
        tidied.add_done_callback(self._tidied)

    def _tidied(self, tidied: asyncio.Future[float | None]) -> None:
        """Come again while scenes are open."""
        again_s = None if tidied.cancelled() else tidied.result()
        if again_s is not None and self._tidying is None:
            self._tidy_in(again_s)

    def _fine(self, shown: Shown, window: Window, down: int) -> bytes:
        with self._scenes.use(shown.job, shown.path, shown.options) as scene:
            return encode(read(scene, window, down))

    def _crop(self, shown: Shown, corners: Floats) -> Crop:
        window, down = crop_window(corners)
        with self._scenes.use(shown.job, shown.path, shown.options) as scene:
            pixels = read(scene, window, down)
        inside = Window(window.x * down, window.y * down, window.width * down, window.height * down)
        return Crop(encode(pixels), inside)

    def _packed(self, shown: Shown, pyramid: Pyramid) -> Future[None]:
        """The coarse tiles, being made or made."""
        with self._lock:
            running = self._packing.get(shown.job)
            if running is None:
                make = functools.partial(_told, shown, lambda: self._pack(shown, pyramid))
                running = self._packing[shown.job] = self._pool.submit(make)
                running.add_done_callback(lambda _: self._packing.pop(shown.job, None))
        return running

    def _pack(self, shown: Shown, pyramid: Pyramid) -> None:
        path = shown.folder / PACK
        if path.exists():  # made between the look for it and the lock
            return
        with self._scenes.use(shown.job, shown.path, shown.options) as scene:
            write_bytes(path, pack(scene, pyramid, self._stop))


def crop_window(corners: Floats) -> tuple[Window, int]:
    """The square round a vessel, px at 1 / down, and down.

    Args:
        corners: shape (4, 2), px of the scene.
    """
    low, high = corners.min(0), corners.max(0)
    side = max(float((high - low).max()) * (1 + 2 * _MARGIN), _LEAST_PX)
    down = int(-(-side // CROP_PX))
    across = int(np.ceil(side / down))
    x, y = (int(v) for v in np.round((low + high) / 2 / down - across / 2))
    return Window(x, y, across, across), down


def _told(shown: Shown, call: Callable[[], T]) -> T:
    """What `call` gives; a scene or a job that has gone meanwhile is told as such."""
    try:
        return call()
    except StoppedError:
        raise stopping() from None
    except (TankerEdgeError, OSError) as error:
        if shown.path.is_file() and shown.folder.is_dir():
            if isinstance(error, TankerEdgeError):
                raise without_folder(error, shown.folder, shown.path.parent) from error
            raise
        raise HttpError(410, "the scene is no longer there", "count it again", subject=shown.path.name) from None
