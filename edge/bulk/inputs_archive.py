"""Images in zip and tar archives, found without unpacking anything."""

from __future__ import annotations

import errno
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from edge.bulk.entry import Entry, Place
from edge.bulk.inputs_base import ARCHIVES, is_hidden, is_image, path_of
from edge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from typing_extensions import Self

    from edge.bulk.inputs_base import Found, Means

_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, NotImplementedError, ValueError,
    OverflowError, IndexError,
)  # fmt: skip
"""What the readers raise for a damaged archive; an OSError without a number too, or with that of a bad position."""
_ENCRYPTED = 1
"""Flag of a member of a zip."""
_FOLDERS = re.compile(r"[/\\]")
"""Some programs for Windows write \\ into zips."""


@dataclass(frozen=True, slots=True)
class Member:
    """An image in an archive."""

    name: str
    """As the archive has it; it may be absolute or have .. in it: nothing is ever written to it."""
    size: int
    """Bytes, unpacked."""
    mark: str
    """Another one when its bytes are others, or at another place."""

    @property
    def parts(self) -> list[str]:
        """Folders and name, without what means no folder."""
        return [part for part in _FOLDERS.split(self.name) if part not in ("", ".", "..")]


def list_archive(found: Found, means: Means, first: str | None = None) -> Iterator[Entry]:
    """The images of an archive.

    Args:
        found: the archive.
        means: how to list.
        first: the first folder below the input that the archive was found in; None where it was not in one.

    Raises:
        OSError: it cannot be read.
        InputError: it is damaged or encrypted.
    """
    for member in members(found.base, means):
        yield entry_of(found, member, means.options.terminal or first)


def list_archive_or_itself(found: Found, means: Means, first: str | None, own: str | None) -> Iterator[Entry]:
    """The same of one in a folder `own`; a damaged archive is an entry itself, which will fail: see `read_again`."""
    try:
        yield from list_archive(found, means, first)
    except (InputError, OSError):  # told before the first member
        yield found.entry(means.options.terminal or first or own)


def read_again(base: str, means: Means) -> NoReturn:
    """Say what is wrong with an archive that was listed as an entry itself.

    Raises:
        OSError: it cannot be read.
        InputError: it is damaged; or it is whole by now.
    """
    number = sum(1 for _ in members(base, means))
    raise InputError(base, f"could not be read before, and has {number:,} images now", "start the same command again")


def entry_of(found: Found, member: Member, terminal: str | None) -> Entry:
    """A member of an archive as a scene; with no terminal given, its first folder is it, or else the archive."""
    parts, stamp = member.parts, found.stamp and f"{found.stamp}-{member.mark}"
    terminal = terminal or (parts[0] if len(parts) > 1 else stem_of(found.name))
    return Entry(Place(found.base, member.name), parts[-1], terminal, size=member.size, stamp=stamp)


def members(base: str, means: Means) -> Iterator[Member]:
    """The images in an archive, each name once: where there are several, the last one is meant. No hidden ones.

    Args:
        base: path or URL of the archive.
        means: how it is opened.

    Raises:
        OSError: it cannot be read.
        InputError: it is damaged or encrypted.
    """
    kind, listed = ("zip", _zip_members) if path_of(base).lower().endswith(".zip") else ("tar", _tar_members)
    try:
        with means.open(base) as file:
            for member in listed(base, file):
                if member.parts and not is_hidden(member.parts):
                    yield member
    except (OSError, *_DAMAGE) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        cause = f"is no {kind} archive, or is damaged"
        raise InputError(base, cause, "copy or pack it again, or leave it out") from error


def stem_of(name: str) -> str:
    """Name of an archive without its ending."""
    ending = max((ending for ending in ARCHIVES if name.lower().endswith(ending)), key=len, default="")
    return name[: len(name) - len(ending)]


def _zip_members(base: str, file: BinaryIO) -> Iterator[Member]:
    """All images in a zip, in its order."""
    with zipfile.ZipFile(file) as archive:
        last = {info.filename: info for info in archive.infolist() if is_image(info.filename)}
    for info in last.values():
        if info.flag_bits & _ENCRYPTED:
            raise InputError(base, f"is encrypted ({info.filename})", "unpack it, and name the folder")
        if not stat.S_ISLNK(info.external_attr >> 16):  # what it would be read as is the path it leads to
            yield Member(info.filename, info.file_size, f"{info.header_offset}-{info.CRC:08x}")


def _tar_members(_: str, file: BinaryIO) -> Iterator[Member]:
    """All images in a tar, hard links too."""
    last = dict[str, Member]()
    with tarfile.open(fileobj=file, mode="r:*", tarinfo=_Header) as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it keeps all that it has seen
            target = last.get(info.linkname) if info.islnk() else None
            last.pop(info.name, None)
            if info.isreg():
                last[info.name] = Member(info.name, info.size, str(info.offset_data))
            elif target:
                last[info.name] = Member(info.name, target.size, target.mark)
    yield from (member for member in last.values() if is_image(member.name))


class _Header(tarfile.TarInfo):
    """Takes what is neither a header nor the end of a tar for damage; tarfile takes it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """The header in a block of 512 bytes.

        Raises:
            ReadError: there is none in it.
            HeaderError: it is the end.
        """
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from None
