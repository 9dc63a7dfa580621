"""Scenes in stores: below a prefix, or by a pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge.bulk.inputs_archive import list_archive_or_itself
from edge.bulk.inputs_base import Found, is_archive, is_hidden, is_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.entry import Entry
    from edge.bulk.inputs_base import Means

_PIECES = re.compile(r"\*\*/|\*\*|\*|[^*]+")
_MEANT = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
"""Wildcards as regular expressions."""


def list_prefix(url: str, means: Means) -> Iterator[Entry]:
    """All images below a prefix, and those in the archives there.

    Args:
        url: ends with "/".
        means: how to list.

    Raises:
        OSError: the store cannot be reached.
        InputError: the store says no, or an archive is damaged.
    """
    own = Found(url).folder
    for found, below in _found(url, means):
        first, within, _ = below.partition("/")
        terminal = first if within else None
        if is_image(found.name):
            yield found.entry(means.options.terminal or terminal or own)
        elif is_archive(found.name):
            yield from list_archive_or_itself(found, means, terminal, own)


def is_url_glob(url: str) -> bool:
    """Whether it has wildcards; in URLs of the web a * is one too, though nothing there can be listed."""
    return "*" in url


def list_url_glob(url: str, means: Means) -> Iterator[Entry]:
    """Images and archives in a store by a pattern: * for anything but "/", **/ for folders at any depth.

    Raises:
        OSError: the store cannot be reached.
        InputError: the store says no, or an archive is damaged.
    """
    prefix = url[: url.index("*")].rpartition("/")[0] + "/"
    wanted = re.compile(_as_regex(url[len(prefix) :]))
    for found, below in _found(prefix, means):
        if wanted.fullmatch(below) and is_image(found.name):
            yield found.entry(means.options.terminal or found.folder)
        elif wanted.fullmatch(below) and is_archive(found.name):
            yield from list_archive_or_itself(found, means, None, found.folder)


def _found(prefix: str, means: Means) -> Iterator[tuple[Found, str]]:
    """All objects below a prefix that are not hidden, and where they are below it."""
    for url, size, etag in means.store(prefix).list(prefix):
        below = url[len(prefix) :]
        if not is_hidden(below.split("/")):
            yield Found(url, size, etag), below


def _as_regex(pattern: str) -> str:
    """A pattern as a regular expression."""
    return "".join(_MEANT.get(piece) or re.escape(piece) for piece in _PIECES.findall(pattern))
