"""Folders, walked; and globs, expanded. Symbolic links are followed, but no folder is entered twice."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from edge.bulk.inputs_archive import list_archive_or_itself
from edge.bulk.inputs_base import is_archive, is_hidden, is_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.bulk.entry import Entry
    from edge.bulk.inputs_base import Means

ANY_DEPTH = "**"
_MAGIC = re.compile(r"[*?[]")


def list_folder(top: str, means: Means) -> Iterator[Entry]:
    """All images below a folder, and those in its archives: its own first, then those of its folders by name.

    Args:
        top: an absolute path.
        means: how to list.

    Raises:
        OSError: a folder cannot be read.
    """
    own = os.path.basename(top) or None  # noqa: PTH119 - paths stay texts: there may be a million
    for folder, names in _folders(top):
        first = folder.partition("/")[0] or None
        for name in names:
            found = means.find_any(_below(top, folder, name))
            if is_image(name):
                yield found.entry(means.options.terminal or first or own)
            else:
                yield from list_archive_or_itself(found, means, first, own)


def is_glob(word: str) -> bool:
    """Whether it has wildcards."""
    return bool(_MAGIC.search(word))


def expand(pattern: str) -> Iterator[str]:
    """Absolute paths that match a glob; with ** for folders at any depth, and at the end for files at any depth.

    Hidden files and folders match only what begins with a dot itself. A path may come twice.

    Raises:
        OSError: a folder cannot be read.
    """
    folder = "/" if os.path.isabs(pattern) else os.getcwd()  # noqa: PTH109, PTH117
    parts = [part for part in os.path.normpath(pattern).split("/") if part]
    while parts[0] == os.pardir:
        folder, parts = os.path.dirname(folder), parts[1:]  # noqa: PTH120
    return _expand(folder, [*parts, "*"] if parts[-1] == ANY_DEPTH else parts)


def _expand(folder: str, parts: Sequence[str]) -> Iterator[str]:
    """What matches the parts of a glob below a folder."""
    part, rest = parts[0], parts[1:]
    if part == ANY_DEPTH:
        while rest[0] == ANY_DEPTH:
            rest = rest[1:]
        for below, _ in _folders(folder):
            yield from _expand(_below(folder, below), rest)
        return
    for path in (_below(folder, name) for name in _matching(folder, part)):
        if not rest:
            yield path
        elif os.path.isdir(path):  # noqa: PTH112
            yield from _expand(path, rest)


def _matching(folder: str, part: str) -> list[str]:
    """Names in a folder that match one part of a glob, sorted."""
    if not is_glob(part):
        return [part] if os.path.lexists(_below(folder, part)) else []
    shown = (name for name in os.listdir(folder) if part.startswith(".") or not is_hidden([name]))  # noqa: PTH208
    return sorted(name for name in shown if fnmatchcase(name, part))


def _folders(top: str) -> Iterator[tuple[str, list[str]]]:
    """Each folder from `top` down, relative to it, with the sorted names of its images and archives.

    Links to folders come last: what can be reached without them has the place that it really has.
    """
    waiting, links, seen = [""], list[str](), set[tuple[int, int]]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        stat = os.stat(_below(top, folder))  # noqa: PTH116
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        files, folders, linked = _names(_below(top, folder))
        yield folder, files
        waiting.extend(_below(folder, name) for name in reversed(folders))
        links.extend(_below(folder, name) for name in linked)


def _names(folder: str) -> tuple[list[str], list[str], list[str]]:
    """Sorted names of the images and archives, the folders, and the links to folders, in a folder."""
    files, folders, links = list[str](), list[str](), list[str]()
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden([entry.name]):
                continue
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(entry.name)
            elif (is_image(entry.name) or is_archive(entry.name)) and _is_file(entry):
                files.append(entry.name)
    return sorted(files), sorted(folders), sorted(links)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it leads to a folder; a link that leads to itself does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """As `may_be_read`; the disk is asked for links alone."""
    return may_be_read(entry.path) if entry.is_symlink() else entry.is_file()


def may_be_read(path: str) -> bool:
    """Whether it is a file, or nothing, which the run tells of; a pipe would never end."""
    return os.path.isfile(path) or not os.path.exists(path)  # noqa: PTH110, PTH113


def _below(*parts: str) -> str:
    """Parts of a path with "/" between, but for the empty ones."""
    return os.path.join(*filter(None, parts)) if any(parts) else ""  # noqa: PTH118
