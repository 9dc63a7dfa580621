"""Scenes that a job names by a path: only files that lie in one of the folders that the operator allowed.

What is outside is refused in the same words whether it is there or not, so that nobody can ask what the machine has.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_PATH = 4096
"""Characters; PATH_MAX of Linux."""
_SHOWN = 120


def allowed_path(text: str, roots: Sequence[Path]) -> Path:
    """The regular file that a client means, without symlinks.

    Somebody who may write in a root can put a symlink in the file's place later: call this again right before opening.

    Args:
        text: an absolute path, or one that is relative to a root; the first root that has it counts. Nothing in it is
            expanded: ~ and $HOME are names like any other.
        roots: folders that may be read.

    Raises:
        HttpError: 403, not in a root once all symlinks and .. are followed, or no path at all; 404, in a root, but no
            regular file.
    """
    if not roots:
        raise HttpError(403, "this server takes no scenes by path", "send the scene itself, or ask its operator for it")
    if not text or "\0" in text or len(text) > LONGEST_PATH:
        raise _forbidden(text)
    try:
        return _find(text, [Path(os.path.realpath(root)) for root in roots])
    except ValueError:  # not encodable
        raise _forbidden(text) from None


def _find(text: str, roots: Sequence[Path]) -> Path:
    """See `allowed_path`; `roots` have no symlinks."""
    inside = False
    for root in roots:
        # realpath follows what it can and raises nothing, so that an outside path tells nothing of itself.
        path = Path(os.path.realpath(root / text))
        if not any(path.is_relative_to(each) for each in roots):
            continue
        inside = True
        if _is_file(path):
            return path
    if inside:
        raise HttpError(404, "there is no such file", "check the path", subject=_shown(text))
    raise _forbidden(text)


def _is_file(path: Path) -> bool:
    """Whether it is a regular file: no folder, pipe, socket or device, nor a symlink that leads nowhere."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _shown(text: str) -> str:
    """A path as the client gave it, fit to be told."""
    clean = "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])
    return clean if len(text) <= _SHOWN else f"{clean}…"


def _forbidden(text: str) -> HttpError:
    cause = "no file that this server may read has this path"
    return HttpError(403, cause, "name a file in one of the folders that its operator allowed", subject=_shown(text))
