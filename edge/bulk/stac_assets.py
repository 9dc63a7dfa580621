"""Which asset of a STAC Item is the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.bulk.inputs_base import is_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pystac

_DATA = ("visual", "data")
_KEYS = ("visual", "data", "image")
_PREVIEWS = frozenset({"thumbnail", "overview", "preview", "browse", "quicklook"})
_READABLE = ("image/tiff", "image/vnd.stac.geotiff", "image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
_IMAGE = "image/"


def best_asset(assets: Mapping[str, pystac.Asset]) -> pystac.Asset | None:
    """The scene among the assets of an Item; None where no asset may be an image.

    What has the role data or visual goes first; then what is of a type that can be read; then what has the key visual,
    data or image; visual before data; then the first. A preview (a thumbnail or an overview) is taken where there is
    nothing else.
    """
    ranked = [(_rank(key, asset), at, key) for at, (key, asset) in enumerate(assets.items()) if _may_be(key, asset)]
    return assets[min(ranked)[2]] if ranked else None


def _rank(key: str, asset: pystac.Asset) -> tuple[int, ...]:
    """Of an asset; the least is the best."""
    roles = {role.lower() for role in asset.roles or ()}
    preview = bool(roles & _PREVIEWS) or (not roles and key.lower() in _PREVIEWS)
    named = _KEYS.index(key.lower()) if key.lower() in _KEYS else len(_KEYS)
    return preview, not roles & set(_DATA), not _readable(asset), named, "visual" not in roles


def _may_be(key: str, asset: pystac.Asset) -> bool:
    """Whether an asset may be an image: its type says so, or nothing speaks against it and something for it."""
    if asset.media_type:
        return asset.media_type.lower().startswith(_IMAGE)
    named = key.lower() in _KEYS or bool({role.lower() for role in asset.roles or ()} & set(_DATA))
    return named or is_image(urlsplit(asset.href).path)


def _readable(asset: pystac.Asset) -> bool:
    """Whether an image is of a type that can be read here."""
    if asset.media_type:
        return asset.media_type.lower().startswith(_READABLE)
    return is_image(urlsplit(asset.href).path)
