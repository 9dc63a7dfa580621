"""Decode a picture by OpenCV: a small one into memory, a large one into a temporary file (see edge.scene_spill).

Both ways are the same decoder with the same settings, so the px of a scene do not depend on its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import SceneError
from edge.scene_source import COLOUR
from edge.scene_spill import Spill, can_spill

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.scene_header import Header

MOST_BYTES = 48 * 2**20
"""A picture of more bytes than that, decoded, is not held in memory: 16.8 million px of 3 x 8 bits."""
AGAIN = "copy or download it again, or save it anew"
_UNTOUCHED = np.frombuffer(b"px that no decoder has written", np.uint8)
"""What an array begins with before it is decoded to; no picture begins so."""
_TELLS = (4, 11)
"""The first OpenCV whose `imread` into a given array tells when decoding failed."""


def decode(path: Path, kind: str, header: Header) -> tuple[NDArray[Any], Spill | None]:
    """Px with shape (h, w, channels), grey, BGR or BGRA, as stored; and the file that they lie in, if any.

    Raises:
        SceneError: OpenCV cannot decode it.
    """
    spill = _to_disk(path, header)
    if spill is not None:
        return spill.array.reshape(*spill.array.shape[:2], -1), spill
    data = path.read_bytes()
    start, stop = header.control
    array = _to_memory(path, kind, data[:start] + data[stop:] if stop else data)
    return (array if array.ndim == COLOUR else array[..., None]), None


def _to_memory(path: Path, kind: str, data: bytes) -> NDArray[Any]:
    try:
        # UNCHANGED keeps alpha and 16 bits, and leaves the orientation alone.
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError) as error:
        raise SceneError(path, f"OpenCV cannot decode it ({str(error).strip()})", AGAIN) from error
    if array is None:
        raise SceneError(path, f"OpenCV {cv2.__version__} cannot decode this {kind}", AGAIN)
    return array


def _to_disk(path: Path, header: Header) -> Spill | None:
    """A large picture in a temporary file. None where it is small, or this cannot be done: then memory must do."""
    layout = _layout(header)
    if layout is None:
        return None
    shape, dtype = layout
    try:
        spill = Spill(shape, dtype)
        begins = spill.array.reshape(-1)[: len(_UNTOUCHED)]
        begins[:] = _UNTOUCHED[: len(begins)]
        with spill.kept_small():
            # The array is handed over as it is; one of another type is an error, a failure gives None.
            done = cv2.imread(str(path), spill.array, cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):
        return None
    if (begins == _UNTOUCHED[: len(begins)]).all():
        return None  # OpenCV 5 tells nothing of a header that it does not like
    same = done is not None and done.shape == spill.array.shape and np.shares_memory(done[:1, :1], spill.array[:1, :1])
    return spill if same else None


def _layout(header: Header) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Shape and type of what OpenCV decodes a large picture to; None where memory must or may hold it."""
    version = tuple(int(v) for v in cv2.__version__.split(".")[:2])
    if header.channels is None or header.control[1] or version < _TELLS or not can_spill():
        return None
    dtype = np.dtype(np.uint16 if header.bits > 8 else np.uint8)  # noqa: PLR2004 - bits of a byte
    shape = (header.height, header.width, header.channels)
    if shape[0] * shape[1] * shape[2] * dtype.itemsize <= MOST_BYTES:
        return None
    return (shape if header.channels > 1 else shape[:2]), dtype
