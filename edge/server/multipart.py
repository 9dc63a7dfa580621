"""multipart/form-data (RFC 7578), written to disk as it comes: the scene, and maybe an area of interest."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NoReturn

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from edge.server.names import file_name, parameters, safe_name
from edge.server.problems import HttpError
from edge.server.settings import MIB
from edge.server.streams import create, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_PARTS = 16
MOST_AREA_BYTES = 4 * MIB
MOST_HEAD_BYTES = 8 * 2**10
"""Of the headers of one part."""
MOST_FRAME_BYTES = MOST_PARTS * MOST_HEAD_BYTES
"""Of all that is not the content of a part: boundaries, headers, what stands before the first and after the last."""
LONGEST_BOUNDARY = 70
"""RFC 2046."""
SCENE, AREA = "scene", "aoi"
AREA_FILE = "area.geojson"
_PIECE = 64 * 2**10
"""Bytes that are parsed at once."""
_PLAIN = frozenset({"", "binary", "8bit", "7bit"})
_SHOWN = 80


class Form:
    """A form on its way to disk. Its calls come from one thread at a time."""

    def __init__(self, boundary: str, folder: Path, default: str | None) -> None:
        """Files go to `folder`; `default` names a scene that does not say how it is called."""
        self.scene: Path | None = None
        self.area: Path | None = None
        self._folder, self._default = folder, default
        self._seen: list[str] = []
        """Names of the parts; the last is the one that is being written."""
        self._parts = self._taken = self._content = self._size = 0
        self._file: BinaryIO | None = None
        self._headers: list[tuple[bytearray, bytearray]] = []
        self._ended = False
        calls: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_begin": lambda: self._headers.append((bytearray(), bytearray())),
            "on_header_field": lambda *what: self._head(0, *what),
            "on_header_value": lambda *what: self._head(1, *what),
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self._finish_part,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary.encode("latin-1"), calls)  # type: ignore[arg-type] # a dict of its names

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            HttpError: 400 or 413.
            OutputError: the disk is full.
        """
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            try:
                self._parser.write(piece)
            except MultipartParseError:
                _refuse("the multipart body is malformed")
            self._taken += len(piece)
            if self._taken - self._content > MOST_FRAME_BYTES:
                _refuse("the multipart body has too much between its parts")

    def finish(self) -> Path:
        """Check that the form was whole; gives the scene.

        Raises:
            HttpError: 400.
        """
        if not self._ended:
            _refuse("the multipart body ends before its last boundary")
        if self.scene is None:
            _refuse(f"the form has no part called {SCENE}")
        return self.scene

    def close(self) -> None:
        """Let go of what is open."""
        if self._file:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            _refuse(f"the form has more than {MOST_PARTS} parts")
        self._headers = []

    def _head(self, which: int, data: bytes, start: int, end: int) -> None:
        """A piece of a header's name (0) or value (1)."""
        self._headers[-1][which].extend(data[start:end])
        if sum(len(name) + len(value) for name, value in self._headers) > MOST_HEAD_BYTES:
            _refuse(f"a part has more than {MOST_HEAD_BYTES:,} bytes of headers")

    def _open(self) -> None:
        """All headers of a part are there: open its file."""
        heads = {bytes(n).strip().lower(): bytes(v).decode("utf-8", "replace").strip() for n, v in self._headers}
        if heads.get(b"content-transfer-encoding", "").lower() not in _PLAIN:
            _refuse("a part is encoded (Content-Transfer-Encoding)", "send its bytes as they are")
        disposition = heads.get(b"content-disposition", "")
        name = parameters(disposition).get("name", "")
        if name not in {SCENE, AREA}:
            _refuse("the form has a part of unknown name", f"send {SCENE}, and {AREA} if there is one", name)
        if name in self._seen:
            _refuse("the form has this part twice", "send it once", name)
        self._seen.append(name)
        self._size = 0
        if name == AREA:
            path = self.area = self._folder / AREA_FILE
        else:
            path = self.scene = self._folder / scene_name(file_name(disposition) or self._default)
        self._file = create(path)

    def _write(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part."""
        self._content += end - start
        self._size += end - start
        if self._seen[-1] == AREA and self._size > MOST_AREA_BYTES:
            cause = f"the area of interest is longer than {MOST_AREA_BYTES:,} bytes"
            raise HttpError(413, cause, "send a simpler one", subject=AREA)
        if self._file:
            write(self._file, memoryview(data)[start:end])

    def _finish_part(self) -> None:
        self.close()
        if self._size == 0:
            _refuse("the part is empty", "send the file's content", self._seen[-1])

    def _end(self) -> None:
        self._ended = True


def boundary_of(content_type: str) -> str:
    """What separates the parts.

    Raises:
        HttpError: 400.
    """
    found = parameters(content_type).get("boundary", "")
    if not 0 < len(found) <= LONGEST_BOUNDARY or not found.isascii() or not found.isprintable():
        _refuse("the Content-Type has no usable boundary", "let your HTTP client write this header")
    return found


def scene_name(told: str | None) -> str:
    """A safe name for a scene, other than that of the area beside it."""
    name = safe_name(told)
    return f"scene-{name}" if name == AREA_FILE else name


def _refuse(
    cause: str, mend: str = "send multipart/form-data as RFC 7578 has it", subject: str | None = None
) -> NoReturn:
    """Say what is wrong with the form."""
    shown = "".join(c if c.isprintable() else "?" for c in subject[:_SHOWN]) if subject else None
    raise HttpError(400, cause, mend, subject=shown)
