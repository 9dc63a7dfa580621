"""Files beside a TIFF that GDAL reads with it: where it lies, its mask, its overviews. They are a part of the scene."""

from __future__ import annotations

import os

_TIFFS = (".tif", ".tiff")
_BESIDE = (".aux.xml", ".msk", ".ovr")
"""After the whole name."""
_INSTEAD = (".tfw", ".tifw", ".tiffw", ".wld")
"""In place of the ending."""


def sidecars(path: str) -> list[str]:
    """Those that are there, in an order that does not change."""
    if not path.lower().endswith(_TIFFS):
        return []
    stem = path.rpartition(".")[0]
    may_be = [path + ending for ending in _BESIDE] + [stem + ending for ending in _INSTEAD]
    return [name for name in may_be if os.path.isfile(name)]  # noqa: PTH113 - paths stay texts: there may be a million
