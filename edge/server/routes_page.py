"""The page for people at /, the API's documentation at /docs, and the files that they are made of.

All of them come with the package: nothing is loaded from elsewhere. None of them holds anything of the user, so they
need no token; the page asks for one where the API wants it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from edge.server.problems import HttpError
from edge.server.shield import POLICY
from edge.server.zipped import WORTH_BYTES, compressed, takes_gzip

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""Swagger UI sets styles in attributes."""


class Content(NamedTuple):
    """A file of the page."""

    raw: bytes
    small: bytes | None
    """Compressed; None where that saves nothing."""
    tag: str
    media_type: str


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """What there is, relative to the folder: nothing else is ever opened, whatever a path says."""
    return frozenset(p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file() and p.suffix in TYPES)


@lru_cache(maxsize=64)
def content(name: str) -> Content:
    """A file; one of `names`."""
    raw = (FOLDER / name).read_bytes()
    small = compressed(raw) if len(raw) >= WORTH_BYTES else None
    tag = f'"{hashlib.sha256(raw).hexdigest()[:20]}"'
    return Content(raw, small, tag, TYPES[Path(name).suffix])


@router.get("/")
async def page(request: Request) -> Response:
    """The page for people."""
    return _answer(request, "index.html", POLICY)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The API's documentation, to be tried out."""
    return _answer(request, "docs.html", DOCS_POLICY)


@router.get("/static/{name:path}")
async def static(request: Request, name: str) -> Response:
    """A file of the page."""
    if name not in names():
        raise HttpError(404, "there is no such file", "start at /")
    return _answer(request, name, POLICY)


def _answer(request: Request, name: str, policy: str) -> Response:
    """A file, compressed where the client can take that; nothing where it has it."""
    found = content(name)
    headers = {
        "Cache-Control": "no-cache",  # asks each time whether it has changed, so that an upgrade is seen at once
        "Content-Security-Policy": policy,
        "ETag": found.tag,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if found.small and takes_gzip(request):
        return Response(found.small, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type)
    return Response(found.raw, headers=headers, media_type=found.media_type)
