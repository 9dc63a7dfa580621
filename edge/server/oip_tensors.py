"""Tensors of the Open Inference Protocol: from bytes or JSON to arrays, checked, and back."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from edge.server.oip import IMAGE, INPUTS, MOST_IMAGES, SCENE
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.server.oip import RequestInput

    Tensor = NDArray[np.float32] | NDArray[np.int32] | list[bytes]
    """Numbers of any shape, or elements of BYTES."""

LENGTH = 4
"""Bytes in front of each element of BYTES: its length, little-endian."""
_MOST_BYTE = 255
_BANDS = 3


def refuse(tensor: RequestInput, cause: str, mend: str) -> NoReturn:
    """Say what is wrong with an input."""
    raise HttpError(400, f"the input {tensor.name!r} {cause}", mend, subject=tensor.name)


def check_input(tensor: RequestInput) -> None:
    """Refuse an input that the model does not have, of another type or shape.

    Raises:
        HttpError: 400.
    """
    known = {spec.name: spec for spec in INPUTS}
    if tensor.name not in known:
        refuse(tensor, "is not known", f"send one of {', '.join(known)}")
    datatype = known[tensor.name].datatype
    if tensor.datatype != datatype:
        refuse(tensor, f"has the datatype {tensor.datatype!r}", f"send {datatype}")
    if tensor.name == SCENE and tensor.shape != [1]:
        refuse(tensor, f"has the shape {tensor.shape}", "send one file, shape [1]")
    if tensor.name == IMAGE:
        _check_image(tensor)


def _check_image(tensor: RequestInput) -> None:
    """Refuse shapes that are not [h, w, 3] or [n, h, w, 3]."""
    number, *rest = image_shape(tensor)
    if len(rest) != _BANDS or rest[-1] != _BANDS or 0 in (number, *rest):
        refuse(tensor, f"has the shape {tensor.shape}", "send [h, w, 3] or [n, h, w, 3], with no side of 0")
    if number > MOST_IMAGES:
        refuse(tensor, f"has {number} pictures", f"send at most {MOST_IMAGES} in a request")


def image_shape(tensor: RequestInput) -> tuple[int, ...]:
    """(n, h, w, 3) of an input that may leave out n."""
    single = len(tensor.shape) == _BANDS
    return (1, *tensor.shape) if single else tuple(tensor.shape)


def image_of_bytes(tensor: RequestInput, path: Path, start: int, size: int) -> NDArray[np.uint8]:
    """Px (n, h, w, 3) that lie in a file: they are mapped, not read.

    Raises:
        HttpError: 400: they are more or fewer than the shape says.
    """
    shape = image_shape(tensor)
    if size != math.prod(shape):
        cause = f"has {size:,} bytes of binary data, and its shape {tensor.shape} needs {math.prod(shape):,}"
        refuse(tensor, cause, "send 3 bytes a pixel, red, green, blue, row by row")
    return np.memmap(path, np.uint8, "r", start, shape)


def image_of_json(tensor: RequestInput, data: list[Any]) -> NDArray[np.uint8]:
    """Px (n, h, w, 3) of flat or nested lists.

    Raises:
        HttpError: 400: no whole numbers of 0 to 255, or more or fewer than the shape says.
    """
    shape = image_shape(tensor)
    try:
        numbers = np.array(data)
    except (ValueError, OverflowError):  # lists of unlike lengths, or too deep; numbers of thousands of digits
        numbers = np.empty(0, np.object_)
    nested = list(numbers.shape) == tensor.shape
    if numbers.dtype.kind in "iu" and numbers.size != math.prod(shape):
        refuse(tensor, f"has {numbers.size:,} numbers", f"its shape {tensor.shape} needs {math.prod(shape):,}")
    if numbers.dtype.kind not in "iu" or not (nested or numbers.ndim == 1):
        refuse(tensor, "has data of another form", "send whole numbers, flat or nested as its shape says")
    if numbers.min() < 0 or numbers.max() > _MOST_BYTE:
        refuse(tensor, f"has numbers outside 0 to {_MOST_BYTE}", "send bytes")
    return numbers.astype(np.uint8).reshape(shape)


def file_of_bytes(tensor: RequestInput, head: bytes, size: int) -> int:
    """Length of the one element of a BYTES tensor, by the first bytes of its `size`.

    Raises:
        HttpError: 400: there is no element, or more than one.
    """
    length = int.from_bytes(head, "little")
    if len(head) < LENGTH or length != size - LENGTH:
        told = f"of {length:,} bytes" if len(head) == LENGTH else "without a length"
        cause = f"has {size:,} bytes of binary data with an element {told}"
        refuse(tensor, cause, f"send the file behind its length of {LENGTH} bytes, little-endian")
    return length


def file_of_json(tensor: RequestInput, data: list[Any]) -> bytes:
    """The file that a string holds in base64.

    Raises:
        HttpError: 400: it is none.
    """
    if len(data) != 1 or not isinstance(data[0], str):
        refuse(tensor, "has data that is not one string", "send the file in base64, or as binary data")
    try:
        return base64.b64decode(data[0], validate=True)
    except (ValueError, binascii.Error):
        refuse(tensor, "has data that is no base64", "send the file in base64, or as binary data")


def to_bytes(tensor: Tensor) -> bytes:
    """A tensor as binary data: little-endian, row by row."""
    if isinstance(tensor, list):
        return b"".join(len(element).to_bytes(LENGTH, "little") + element for element in tensor)
    return tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()


def to_json(tensor: Tensor) -> Sequence[float | str | None]:
    """A tensor as a flat list; JSON has no NaN, so that null stands for it, which numpy reads as NaN again."""
    if isinstance(tensor, list):
        return [element.decode() for element in tensor]
    values: Sequence[float] = tensor.ravel().tolist()
    return [None if value != value else value for value in values]  # noqa: PLR0124 - only NaN is not itself


def shape_of(tensor: Tensor) -> list[int]:
    """Its shape."""
    return [len(tensor)] if isinstance(tensor, list) else list(tensor.shape)
