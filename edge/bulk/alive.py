"""Which workers live: told by locks, not by clocks or by the numbers of processes.

A worker has the lock on a file of its own for as long as it lives; a process that is stopped keeps it. Names of the
files are random and never come again.

Whoever asks whether a worker lives asks for a share of that lock, for a moment. Askers are not in each other's way, and
a worker that is just starting waits for them. Only the files of the dead are removed, by somebody who has such a share
meanwhile: a worker that starts looks, once it has its lock, whether its file is still there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bulk.locks import LockFile, no_locks
from edge.write.atomic import make_folder

if TYPE_CHECKING:
    from collections.abc import Collection

_BOOT = Path("/proc/sys/kernel/random/boot_id")
"""The same in all containers of a machine, and on no other machine (Linux)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A worker that has a file."""

    token: str
    """Its name."""
    alive: bool
    run: str | None = None
    """What it works on; None, as all below, where it has not said so yet."""
    pid: int | None = None
    host: str | None = None
    machine: str | None = None
    """Another one on each machine, and after each start of it."""
    since: float | None = None
    """When it started, by its clock, s."""


class Worker:
    """This process, as others see it; one that was forked from it is not it."""

    def __init__(self, folder: Path, run: str) -> None:
        """Be alive until `close`.

        Args:
            folder: of the workers' files; made where it is not there.
            run: what is worked on.

        Raises:
            OutputError: the folder cannot be written, or has no locks.
        """
        make_folder(folder)
        about = {"pid": os.getpid(), "host": socket.gethostname(), "machine": machine(), "since": time.time()}
        try:
            self._path, self._file = _begin(folder)
            os.write(self._file.handle, json.dumps({"run": run, **about}).encode())
        except OSError as error:
            raise no_locks(folder, error) from error
        self.token = self._path.name

    def close(self) -> None:
        """Be dead for others."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._file.close()


def machine() -> str:
    """Tells this machine, since it was started, from others."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()


def alive(folder: Path, token: str) -> bool:
    """Whether a worker lives; where that cannot be known, it is taken to."""
    return not _dead(folder / token, remove=False)


def peers(folder: Path) -> list[Peer]:
    """All workers that live, and the dead whose files are still there, by their names."""
    return [_peer(path) for path in _files(folder)]


def sweep(folder: Path, kept: Collection[str] = ()) -> None:
    """Remove the files of the dead, but for those of some names."""
    for path in _files(folder):
        if path.name not in kept:
            _dead(path, remove=True)


def _begin(folder: Path) -> tuple[Path, LockFile]:
    """A new file, locked."""
    while True:
        path = folder / secrets.token_hex(8)
        file = LockFile(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            file.lock(fcntl.LOCK_EX)
        except BaseException:
            file.close()
            raise
        if path.exists():
            return path, file
        file.close()  # it was swept before it was locked


def _dead(path: Path, *, remove: bool) -> bool:
    """Whether the worker of a file is dead; the file is then removed, where that is wanted."""
    try:
        with closing(LockFile(path, os.O_RDONLY)) as file:
            dead = file.lock(fcntl.LOCK_SH | fcntl.LOCK_NB)
            if dead and remove:
                path.unlink(missing_ok=True)
            return dead
    except FileNotFoundError:
        return True
    except OSError:  # it is another user's, say
        return False


def _peer(path: Path) -> Peer:
    living = alive(path.parent, path.name)
    try:
        return Peer(path.name, living, **json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):  # it has just begun, or its disk was full
        return Peer(path.name, living)


def _files(folder: Path) -> list[Path]:
    """Of workers; others begin with a dot."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
