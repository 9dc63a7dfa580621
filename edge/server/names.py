"""File names that clients choose: made safe, and found in the headers that carry them."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

DEFAULT_NAME = "scene"
LONGEST_NAME = 120
"""Characters."""
LONGEST_NAME_BYTES = 200
"""In UTF-8; a file system takes 255, and files that are made of the scene append to its name."""
_PARAMETER = re.compile(r';\s*([\w*]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s"]*)', re.ASCII)
"""One `; name=value` of a header."""
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[\w-]*'(.*)", re.ASCII | re.IGNORECASE)
"""The value of `filename*` (RFC 8187)."""


def safe_name(told: str | None) -> str:
    """A file name of a client as one that is safe here: no folders, nothing unprintable, not long, not hidden."""
    text = unicodedata.normalize("NFC", told or "").replace("\\", "/").rpartition("/")[2]
    text = re.sub(r"[^\w.()+,= -]", "_", text).strip(" .")[-LONGEST_NAME:]
    while len(text.encode()) > LONGEST_NAME_BYTES:
        text = text[1:]
    return text.lstrip(" .") or DEFAULT_NAME


def parameters(header: str) -> dict[str, str]:
    """The parameters of a header such as Content-Disposition; names in lower case, the first of each name."""
    found: dict[str, str] = {}
    for name, value in _PARAMETER.findall(header):
        text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
        found.setdefault(name.lower(), text)
    return found


def file_name(disposition: str) -> str | None:
    """The file name in a Content-Disposition header, as the client wrote it; None where there is none."""
    told = parameters(disposition)
    extended = _EXTENDED.fullmatch(told.get("filename*", ""))
    if extended:
        return unquote(extended[2], encoding=extended[1], errors="replace")
    return told.get("filename")
