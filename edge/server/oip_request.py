"""The body of an inference: JSON, and maybe binary data behind it, taken apart and checked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import ValidationError

from edge.server.names import safe_name
from edge.server.oip import IMAGE, OUTPUTS, InferRequest
from edge.server.oip_tensors import (
    LENGTH,
    check_input,
    file_of_bytes,
    file_of_json,
    image_of_bytes,
    image_of_json,
    refuse,
)
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.server.oip import InferParameters, RequestInput

MOST_JSON = 8 * 2**20
"""Bytes: objects of Python are many times as large as the text that they come from."""
MOST_LISTS = 2**20
"""Lists and objects in it, for the same reason; px of three numbers are longer."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What a client wants: one of `images` and `file` is there."""

    id: str | None
    options: InferParameters
    outputs: dict[str, bool]
    """Names of the wanted outputs, in the order asked for, and whether each is wanted as binary data."""
    images: NDArray[np.uint8] | None
    """Px (n, h, w, 3)."""
    file: Path | None
    """An image file, under the name that the client gave it."""

    def name(self, index: int) -> str:
        """What a picture is called."""
        path = safe_name(self.options.name)
        if self.images is None or len(self.images) == 1:
            return path
        stem, dot, suffix = path.rpartition(".")
        return f"{stem}-{index}.{suffix}" if dot else f"{path}-{index}"


def take_apart(body: Path, told: str | None, folder: Path) -> Inference:
    """Read a body.

    Args:
        body: a file that holds it.
        told: the header with the length of its JSON; None where all of it is JSON.
        folder: does not exist yet; is made for a scene's file.

    Raises:
        HttpError: 400 or 413.
    """
    size = body.stat().st_size
    length = _json_length(told, size)
    with body.open("rb") as file:
        request = _parse(file.read(length))
        parts = _parts(request, length, size)
        tensor = _only(request.inputs)
        check_input(tensor)
        images = path = None
        if tensor.name == IMAGE:
            data = tensor.data
            images = image_of_bytes(tensor, body, *parts[0]) if data is None else image_of_json(tensor, data)
        else:
            folder.mkdir()
            path = folder / safe_name(request.options.name)
            _save(tensor, file, parts, path)
    return Inference(request.id, request.options, _wanted(request), images, path)


def _json_length(told: str | None, size: int) -> int:
    """Bytes of JSON at the beginning of a body of `size` bytes."""
    length = size
    if told is not None:
        length = int(told) if told.isascii() and told.isdigit() and len(told) < 20 else -1  # noqa: PLR2004 - int64
        if not 0 <= length <= size:
            cause = f"Inference-Header-Content-Length is {told[:40]!r}, and the body has {size:,} bytes"
            raise HttpError(400, cause, "send the length of the JSON in front of the binary data")
    if length > MOST_JSON:
        raise HttpError(
            413, f"the JSON is longer than {MOST_JSON:,} bytes", "send tensors as binary data, or a file as a job"
        )
    return length


def _parse(text: bytes) -> InferRequest:
    """The JSON, checked."""
    if text.count(b"[") + text.count(b"{") > MOST_LISTS:
        raise HttpError(400, f"the JSON has more than {MOST_LISTS:,} lists", "send tensors flat, or as binary data")
    try:
        return InferRequest.model_validate_json(text)
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> HttpError:
    """The first fault of a document, in words."""
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    cause = "is not known here" if first["type"] == "extra_forbidden" else str(first["msg"])
    detail = f"{place[:80]}: {cause}" if place else f"the body: {cause}"
    return HttpError(400, detail, "see /docs", subject=place[:80] or None)


def _parts(request: InferRequest, start: int, size: int) -> list[tuple[int, int]]:
    """Where the binary data of each input lie: offset and length; nothing for an input whose data are JSON."""
    parts = []
    for tensor in request.inputs:
        length = tensor.parameters.binary_data_size if tensor.parameters else None
        if (length is None) == (tensor.data is None):
            fault = "neither data nor" if length is None else "both data and"
            refuse(tensor, f"has {fault} binary_data_size", "send its data as JSON, or as binary data")
        parts.append((start, length or 0))
        start += length or 0
    if start != size:
        raise HttpError(
            400,
            f"the body has {size:,} bytes, and its parts make {start:,}",
            "let Inference-Header-Content-Length and binary_data_size say how long the parts are",
        )
    return parts


def _only(inputs: list[RequestInput]) -> RequestInput:
    """The one input."""
    if len(inputs) > 1:
        names = ", ".join(repr(tensor.name[:80]) for tensor in inputs[:3])
        raise HttpError(400, f"there are {len(inputs)} inputs ({names})", "send image or scene, not both")
    return inputs[0]


def _save(tensor: RequestInput, body: BinaryIO, parts: list[tuple[int, int]], path: Path) -> None:
    """Write the file of a scene."""
    with path.open("xb") as file:
        if tensor.data is not None:
            file.write(file_of_json(tensor, tensor.data))
            return
        body.seek(parts[0][0])
        file_of_bytes(tensor, body.read(min(LENGTH, parts[0][1])), parts[0][1])
        shutil.copyfileobj(body, file)  # nothing comes after it


def _wanted(request: InferRequest) -> dict[str, bool]:
    """See Inference.outputs."""
    binary, known = request.options.binary_data_output, [spec.name for spec in OUTPUTS]
    wanted: dict[str, bool] = {}
    for output in request.outputs or []:
        if output.name not in known or output.name in wanted:
            fault = "is asked for twice" if output.name in wanted else "is not known"
            detail = f"the output {output.name[:80]!r} {fault}"
            raise HttpError(400, detail, f"ask for some of {', '.join(known)}", subject=output.name[:80])
        told = output.parameters.binary_data if output.parameters else None
        wanted[output.name] = binary if told is None else told
    return wanted or dict.fromkeys(known, binary)
