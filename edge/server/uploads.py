"""Scenes in the bodies of requests, streamed to disk: raw, or as a form. Only their content tells what they are."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge.server.multipart import Form, boundary_of, scene_name
from edge.server.names import file_name
from edge.server.problems import HttpError
from edge.server.streams import batches, create, off_loop, stream_to

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import Request

FORM = "multipart/form-data"


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


def media_type(request: Request) -> str:
    """What a client calls its body, without parameters; "" where it says nothing."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def receive(request: Request, folder: Path, most_bytes: int, silence_s: float) -> Upload:
    """Stream a body into a folder: the raw bytes of a scene, or a form with `scene` and maybe `aoi`.

    A raw scene is called what the query's `name` says, else the `filename` of Content-Disposition. Its Content-Type is
    of no account, as long as it is not another form's or JSON's.

    Args:
        request: its body has not been read.
        folder: empty, of this request alone.
        most_bytes: of the body.
        silence_s: how long the client may send nothing, s; see `edge.server.streams.Patience`.

    Raises:
        HttpError: 400, 408, 413 or 415.
        OutputError: the disk is full.
        ClientDisconnect: the client has left.
    """
    kind = media_type(request)
    if kind == FORM:
        return await _form(request, folder, most_bytes, silence_s)
    if kind.startswith("multipart/") or kind == "application/json" or kind.endswith("+json"):
        raise HttpError(415, "this is no scene", f"send an image as the body, or as {FORM}", subject=kind[:80])
    told = request.query_params.get("name") or file_name(request.headers.get("content-disposition", ""))
    path = folder / scene_name(told)
    with create(path) as file:
        size = await stream_to(request, file, most_bytes, silence_s)
    if size == 0:
        raise HttpError(400, "the body is empty", "send the image as the body, or as the part `scene` of a form")
    return Upload(path)


async def _form(request: Request, folder: Path, most_bytes: int, silence_s: float) -> Upload:
    """See `receive`."""
    form = Form(boundary_of(request.headers["content-type"]), folder, request.query_params.get("name"))
    try:
        async with aclosing(batches(request, most_bytes, silence_s)) as parts:
            async for part in parts:
                await off_loop(partial(form.feed, part))
        return Upload(form.finish(), form.area)
    finally:
        form.close()
