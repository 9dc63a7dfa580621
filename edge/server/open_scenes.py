"""A few scenes that stay open between two looks at them: opening one may decode all of it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.scene import Scene, SceneOptions

MOST = 2
IDLE_S = 120.0
"""After which an open scene that nobody looks at is closed."""


@dataclass(slots=True)
class _Entry:
    """A scene that is open, or is being opened by the first who uses it."""

    users: int = 0
    used_at: float = 0.0
    gone: bool = False
    """No longer kept: the last who uses it closes it."""
    scene: Scene | None = None
    opening: threading.Lock = field(default_factory=threading.Lock)

    def opened(self, path: Path, options: SceneOptions) -> Scene:
        """The scene; opened once, however many ask."""
        with self.opening:
            if self.scene is None:
                self.scene = open_scene(path, options)
            return self.scene

    def close(self) -> None:
        """Close it, where it was opened at all."""
        if self.scene is not None:
            self.scene.close()


class OpenScenes:
    """Keeps the scenes that were used last; safe to use from several threads."""

    def __init__(self, most: int = MOST, idle_s: float = IDLE_S) -> None:
        """Keep so many, so long."""
        self._most = most
        self.idle_s = idle_s
        """S."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        """By name; the one that was used last is last."""

    @contextmanager
    def use(self, name: str, path: Path, options: SceneOptions) -> Iterator[Scene]:
        """An open scene, which stays open as long as the block runs.

        Args:
            name: of this scene read with these options.
            path: its file.
            options: how it is read.

        Raises:
            SceneError: it cannot be opened.
        """
        entry = self._enter(name)
        try:
            yield entry.opened(path, options)
        finally:
            self._leave(name, entry)

    def forget(self, name: str) -> None:
        """Close a scene as soon as nobody uses it."""
        with self._lock:
            entry = self._kept.pop(name, None)
            closing = self._dropped([entry] if entry else [])
        _close(closing)

    def tidy(self) -> float | None:
        """Close what nobody has used for a while.

        Returns:
            After how long there may be more to close, s; None where nothing is kept.
        """
        now = time.monotonic()
        with self._lock:
            old = [name for name, entry in self._kept.items() if not entry.users and self._rest_s(entry, now) <= 0]
            closing = self._dropped([self._kept.pop(name) for name in old])
            again_s = min((self._rest_s(entry, now) for entry in self._kept.values()), default=None)
        _close(closing)
        return again_s

    def close(self) -> None:
        """Close all."""
        with self._lock:
            closing = self._dropped(list(self._kept.values()))
            self._kept.clear()
        _close(closing)

    def _rest_s(self, entry: _Entry, now: float) -> float:
        """How much longer a scene stays open if nobody uses it from now on, s."""
        return (now if entry.users else entry.used_at) + self.idle_s - now

    def _enter(self, name: str) -> _Entry:
        with self._lock:
            entry = self._kept.setdefault(name, _Entry())
            self._kept.move_to_end(name)
            entry.users += 1
            unused = [other for other, kept in self._kept.items() if not kept.users]
            too_many = max(len(self._kept) - self._most, 0)
            closing = self._dropped([self._kept.pop(other) for other in unused[:too_many]])
        _close(closing)  # before another is opened: each may hold much memory
        return entry

    def _leave(self, name: str, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            entry.used_at = time.monotonic()
            if entry.scene is None and not entry.users and self._kept.get(name) is entry:
                del self._kept[name]
            closing = [entry] if entry.gone and not entry.users else []
        _close(closing)

    def _dropped(self, entries: list[_Entry]) -> list[_Entry]:
        """Take note that entries are no longer kept; those that can be closed now."""
        for entry in entries:
            entry.gone = True
        return [entry for entry in entries if not entry.users]


def _close(entries: list[_Entry]) -> None:
    for entry in entries:
        entry.close()
