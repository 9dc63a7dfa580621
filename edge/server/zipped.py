"""Texts that are sent compressed, where the client can take that: a page over a slow link is there sooner."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from fastapi import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

LEVEL = 4
WORTH_BYTES = 2048
_GZIP = re.compile(r"(?:^|[,\s])(?:gzip|\*)\s*(?:;\s*q\s*=\s*([\d.]+))?\s*(?:,|$)")


def takes_gzip(request: Request) -> bool:
    """Whether the client can take gzip (Accept-Encoding)."""
    found = _GZIP.search(request.headers.get("accept-encoding", "").lower())
    return found is not None and (found[1] is None or float(found[1].strip(".") or 0) > 0)


def compressed(data: bytes) -> bytes:
    """The same bytes, always the same way."""
    return gzip.compress(data, LEVEL, mtime=0)


def zipped(request: Request, data: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """A response that is compressed where that is worth it and the client can take it."""
    told = dict(headers)
    told["Vary"] = ", ".join(filter(None, (told.get("Vary"), "Accept-Encoding")))
    if len(data) >= WORTH_BYTES and takes_gzip(request):
        told["Content-Encoding"] = "gzip"
        data = compressed(data)
    return Response(data, media_type=media_type, headers=told)
