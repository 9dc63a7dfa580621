"""Scenes that STAC describes: an Item, an ItemCollection, or a Collection or Catalog whose links lead to Items.

Links are followed here, on disk and in stores; pystac only reads the documents, and never the network.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from edge.bulk.entry import Acquired
from edge.bulk.inputs_base import EXTRA, joined, unreadable
from edge.bulk.inputs_reference import References, Told
from edge.bulk.stac_assets import best_asset
from edge.errors import InputError, UsageError
from edge.scene_source import GSD_M

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pystac

    from edge.bulk.entry import Entry
    from edge.bulk.inputs_base import Means

_ITEM, _ITEMS = "Feature", "FeatureCollection"
_PARENTS = ("Collection", "Catalog")
_MEND = "validate it with a STAC validator, or leave it out"


@dataclass(frozen=True, slots=True)
class _Document:
    """One STAC document that is to be read."""

    base: str
    """Path or URL."""
    collection: str | None = None
    """Id of the Collection that led to it."""


def list_stac(base: str, means: Means) -> Iterator[Entry]:
    """One scene for each Item, in the order of links.

    The scene is the Item's asset that best suits: see `edge.bulk.stac_assets`. Its terminal is the Item's property
    terminal or site, else the run's, else its Collection.

    Args:
        base: path or URL of the document to begin with.
        means: how to list.

    Raises:
        OSError: it cannot be read.
        InputError: it, or what it leads to, is no STAC, or an Item has no image; names the Item.
        UsageError: pystac is not installed.
    """
    pystac = _pystac()
    waiting, seen = [_Document(base)], {base}
    while waiting:
        document = waiting.pop()
        content = _load(document, base, means)
        kind = content.get("type")
        if kind in (_ITEM, _ITEMS):
            references = References(document.base, means)
            items = content.get("features") if kind == _ITEMS else [content]
            for item in items if isinstance(items, list) else ():
                yield _entry(_read(pystac.Item, item, document), document, references, means)
        else:
            parent = _read(pystac.Collection if kind == _PARENTS[0] else pystac.Catalog, content, document)
            links = [link for link in parent.links if link.rel in ("child", "item")]
            bases = dict.fromkeys(joined(document.base, str(link.target)) for link in links)
            collection = parent.id if kind == _PARENTS[0] else document.collection
            waiting.extend(_Document(link, collection) for link in reversed(bases) if link not in seen)
            seen.update(bases)


def _pystac() -> Any:  # noqa: ANN401 - a module
    try:
        import pystac  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("STAC", "is read by pystac, which is not installed", EXTRA) from None
    return pystac


def _load(document: _Document, first: str, means: Means) -> dict[str, Any]:
    """The JSON of a document."""
    try:
        with means.open(document.base) as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise InputError(document.base, f"is no JSON ({error})", "copy it again, or leave it out") from None
    except OSError as error:
        raise unreadable(document.base if document.base == first else f"{document.base} ({first})", error) from error
    if not isinstance(content, dict):
        raise InputError(document.base, "is no STAC: no object, but a list or a value", _MEND)
    return content


def _read(kind: Any, content: Any, document: _Document) -> Any:  # noqa: ANN401 - JSON in, and of the kind out
    """A STAC object, brought to the present version of STAC."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old versions of STAC are none of the user's business
            return kind.from_dict(content, href=document.base, migrate=True, preserve_dict=False)
    except Exception as error:
        name = content.get("id") if isinstance(content, dict) else None
        cause = f"is no STAC {kind.__name__} ({type(error).__name__}: {error})"
        raise InputError(f"{document.base}, {name}" if name else document.base, cause, _MEND) from error


def _entry(item: pystac.Item, document: _Document, references: References, means: Means) -> Entry:
    """The scene of an Item."""
    where = f"{document.base}, {item.id}"
    asset = best_asset(item.assets)
    if asset is None:
        raise InputError(where, "has no asset that is an image", "add one, or leave the Item out")
    said = item.properties.get("terminal") or item.properties.get("site")
    terminal = str(said) if said else means.options.terminal or item.collection_id or document.collection
    return references.entry(asset.href, Told(terminal, _time(item, where), _gsd(item, asset, where)))


def _time(item: pystac.Item, where: str) -> Acquired | None:
    """The Item's datetime, else the start of its interval."""
    try:
        time = item.datetime or item.common_metadata.start_datetime
    except (ValueError, TypeError) as error:
        raise InputError(where, f"has a start_datetime that is no time ({error})", _MEND) from None
    if time is None:
        return None
    aware: datetime = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return Acquired(aware.astimezone(timezone.utc), "stac")


def _gsd(item: pystac.Item, asset: pystac.Asset, where: str) -> float | None:
    """The asset's or the Item's gsd, m/px."""
    value = asset.extra_fields.get("gsd", item.properties.get("gsd"))
    if value is None:
        return None
    try:
        gsd_m = float(value)
    except (ValueError, TypeError):
        gsd_m = 0.0
    if not GSD_M[0] <= gsd_m <= GSD_M[1]:
        raise InputError(where, f"has a gsd of {value}, which makes no sense", "give metres per pixel, as in 0.5")
    return gsd_m
