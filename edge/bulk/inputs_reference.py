"""One scene as manifests and STAC documents name it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.bulk.entry import WITHIN
from edge.bulk.inputs_archive import Member, entry_of, members
from edge.bulk.inputs_base import Found, is_archive, is_url, joined, path_of
from edge.errors import InputError

if TYPE_CHECKING:
    from edge.bulk.entry import Acquired, Entry
    from edge.bulk.inputs_base import Means

_MOST_ARCHIVES = 8
"""Whose members are remembered at a time."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of a scene besides where it is."""

    terminal: str | None = None
    acquired: Acquired | None = None
    gsd_m: float | None = None
    """m/px."""


class References:
    """Finds the scenes that one document names."""

    def __init__(self, base: str, means: Means) -> None:
        """Of a document at this path or URL."""
        self._base, self._means = base, means
        self._archives = OrderedDict[str, dict[str, Member]]()

    def entry(self, reference: str, told: Told) -> Entry:
        """The scene at a path or URL, relative to the document or not; archive.zip!/member for one in an archive.

        A file that is missing is listed too, without size and stamp: the run tells of it, and goes on. Stores are not
        asked: that would be a request a scene.
        """
        terminal = told.terminal or self._means.options.terminal
        base, within, member = reference.partition(WITHIN)
        inside = bool(within) and is_archive(path_of(base))
        path = joined(self._base, base if inside else reference)
        found = Found(path) if is_url(path) else self._means.find_any(path)
        entry = self._inside(found, member, terminal) if inside else found.entry(terminal or found.folder)
        return replace(entry, acquired=told.acquired, gsd_m=told.gsd_m)

    def _inside(self, archive: Found, name: str, terminal: str | None) -> Entry:
        """A member of an archive."""
        if archive.base not in self._archives:
            self._archives[archive.base] = self._members(archive.base)
        if len(self._archives) > _MOST_ARCHIVES:
            self._archives.popitem(last=False)
        member = self._archives[archive.base].get(name)
        entry = entry_of(archive, member or Member(name, 0, ""), terminal)
        return entry if member else replace(entry, size=None, stamp=None)

    def _members(self, base: str) -> dict[str, Member]:
        """All of an archive; none of one that cannot be read."""
        try:
            return {member.name: member for member in members(base, self._means)}
        except (OSError, InputError):
            return {}
