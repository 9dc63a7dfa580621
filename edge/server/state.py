"""The folder in which the server keeps what must outlast it: for one server at a time, and for no other user."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INCOMING = "incoming"
"""Bodies of requests on their way: of no use after their server has ended."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have the state folder for this process alone while the block runs; it is made if it is not there.

    Raises:
        UsageError: it cannot be made or written, or another server has it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        file = (folder / "lock").open("a")
    except OSError as error:
        cause = f"{folder} cannot be written ({error.strerror})"
        raise UsageError("--state", cause, "give a folder that this user may write") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            cause = f"{folder} is in use by another tanker-edge serve"
            raise UsageError("--state", cause, "stop that one, or give each a folder of its own") from None
        shutil.rmtree(folder / INCOMING, ignore_errors=True)
        yield
