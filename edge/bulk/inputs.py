"""What `tanker-edge bulk` is given, word by word, as the scenes that it stands for.

folder · glob · image · archive (.zip, .tar, ...) · archive!/member · manifest (.csv, .parquet) · STAC (.json, .geojson)
· URL of any of these, or of a prefix in a store, which ends with "/"
"""

from __future__ import annotations

import hashlib
import os
from itertools import chain
from typing import TYPE_CHECKING

from edge.bulk.entry import WITHIN
from edge.bulk.inputs_archive import list_archive
from edge.bulk.inputs_base import (
    IMAGES,
    MANIFESTS,
    STAC,
    Listing,
    ListOptions,
    Means,
    is_archive,
    is_image,
    is_url,
    local_of,
    path_of,
    unreadable,
)
from edge.bulk.inputs_files import ANY_DEPTH, expand, is_glob, list_folder, may_be_read
from edge.bulk.inputs_manifest import list_manifest
from edge.bulk.inputs_reference import References, Told
from edge.bulk.inputs_stac import list_stac
from edge.bulk.inputs_url import is_url_glob, list_prefix, list_url_glob
from edge.errors import SceneError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge.bulk.entry import Entry, Place

__all__ = ["ListOptions", "Listing", "list_inputs"]

_NO_IMAGE = f"name another one; images end with {', '.join(IMAGES)}"
_KEY_BYTES = 16
"""Of a place that was listed: 2**64 of them might hold two that are alike."""


def list_inputs(words: Sequence[str], options: ListOptions, stores: Listing | None = None) -> Iterator[Entry]:
    """All scenes that some words stand for, each place once, as they are found.

    Words that say most of their scenes go first (manifests and STAC), as the first to name a scene is believed. What is
    in a folder or archive but no image is left out; so is what is hidden. A scene that a manifest or STAC names is
    listed also where it is missing.

    Args:
        words: as the user wrote them.
        options: how to list.
        stores: reaches what is at URLs; None where nothing does.

    Yields:
        The scenes. Their time is what manifests and STAC say of it: `edge.bulk.acquired` has what files and names say.

    Raises:
        InputError: a word stands for nothing, or what it stands for cannot be read. Words that lead nowhere on disk are
            told of at once, other faults when the listing comes to them.
        UsageError: there are no words, or what reads a word is not installed.
    """
    if not words:
        raise UsageError("INPUT", "is missing", "give folders, files, archives, manifests or URLs")
    means = Means(options, stores)
    for word in words:
        _check_there(local_of(word))
    ordered = sorted(words, key=lambda word: not path_of(word).lower().endswith((*MANIFESTS, *STAC)))
    entries = chain.from_iterable(_listed(local_of(word), means) for word in ordered)
    alone = len(words) == 1 and os.path.isdir(local_of(words[0]))  # noqa: PTH112 - no folder is entered twice
    return entries if alone else _once(entries)


def _check_there(word: str) -> None:
    """Refuse a word that names nothing on disk, or what is neither a file nor a folder."""
    if is_url(word) or os.path.isfile(word) or os.path.isdir(word) or _is_member(word):  # noqa: PTH112, PTH113
        return
    if os.path.exists(word):  # noqa: PTH110
        raise SceneError(word, "is neither a file nor a folder", "give one of these")
    if is_glob(word):
        return
    raise SceneError(word, "is not there", "check the path; relative ones begin at the folder that this was started in")


def _is_member(word: str) -> bool:
    """Whether a word names something in an archive."""
    archive, within, _ = word.partition(WITHIN)
    return bool(within) and is_archive(path_of(archive)) and (is_url(archive) or os.path.isfile(archive))  # noqa: PTH113


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Each place once: the first entry of it."""
    seen = set[bytes]()
    for entry in entries:
        key = _key(entry.place)
        if key not in seen:
            seen.add(key)
            yield entry


def _key(place: Place) -> bytes:
    """What stands for a place: a million texts would take much more memory."""
    text = f"{place.base}\0{place.member}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_KEY_BYTES).digest()


def _listed(word: str, means: Means) -> Iterator[Entry]:
    """The scenes of one word; at least one."""
    entries, cause, mend = _meant(word, means)
    try:
        first = next(entries, None)
        if first is None:
            raise SceneError(word, cause, mend)
        yield first
        yield from entries
    except OSError as error:
        raise unreadable(error.filename or word, error) from error


def _meant(word: str, means: Means) -> tuple[Iterator[Entry], str, str]:
    """The scenes of one word; and what to say where there is none: cause and mend."""
    if _is_member(word):
        return _member(word, means), "is not in the archive", "list the names in the archive"
    if is_url(word):
        return _at_url(word, means), "has no image in it", _NO_IMAGE
    path = os.path.abspath(word)  # noqa: PTH100
    if os.path.isdir(path):  # noqa: PTH112
        return list_folder(path, means), "has no image in it", _NO_IMAGE
    if os.path.isfile(path):  # noqa: PTH113
        return _in_file(path, means), "names no scene", "fill it, or leave it out"
    return _matching(word, means), "matches no image", "check the pattern; quote it so that the shell leaves it alone"


def _at_url(url: str, means: Means) -> Iterator[Entry]:
    """The scenes that a URL stands for."""
    if is_url_glob(url):
        return list_url_glob(url, means)
    if path_of(url).endswith("/"):
        return list_prefix(url, means)
    return _in_file(url, means)


def _in_file(base: str, means: Means) -> Iterator[Entry]:
    """The scenes that an existing file stands for, at a path or URL."""
    name = path_of(base).lower()
    if name.endswith(MANIFESTS):
        yield from list_manifest(base, means)
    elif name.endswith(STAC):
        yield from list_stac(base, means)
    elif is_archive(name):
        yield from list_archive(means.find(base), means)
    else:
        found = means.find(base)
        yield found.entry(means.options.terminal or found.folder)


def _member(word: str, means: Means) -> Iterator[Entry]:
    """A scene named as archive!/member, if it is there."""
    entry = References(os.path.join(os.getcwd(), "here"), means).entry(word, Told())  # noqa: PTH109, PTH118
    if entry.size is not None:
        yield entry


def _matching(pattern: str, means: Means) -> Iterator[Entry]:
    """The scenes that a glob matches: images, archives, folders; manifests and STAC where the glob ends as they do."""
    last = os.path.basename(pattern)  # noqa: PTH119
    tables = tuple(ending for ending in (*MANIFESTS, *STAC) if pattern.lower().endswith(ending))
    files_only = ANY_DEPTH in pattern and last in ("*", ANY_DEPTH)  # what is in the folders matches too
    for path in expand(pattern):
        if os.path.isdir(path):  # noqa: PTH112
            if not files_only:
                yield from list_folder(path, means)
        elif is_image(path) and may_be_read(path):
            found = means.find_any(path)
            yield found.entry(means.options.terminal or found.folder)
        elif (is_archive(path) or (tables and path.lower().endswith(tables))) and may_be_read(path):
            yield from _in_file(path, means)
