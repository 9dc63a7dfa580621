"""What clients ask for when they send no scene but words about one: a path, a URL, or an upload that comes in parts."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from edge.server.job_parts import GIVEN_UP_S
from edge.server.job_record import Job
from edge.server.options import CountOptions
from edge.server.places import LONGEST_PATH
from edge.server.problems import HttpError, misfit
from edge.server.urls import LONGEST_URL

if TYPE_CHECKING:
    from pathlib import Path

    from edge.server.job_record import Source

_PIECE = 2**20


class _Words(BaseModel):
    """What all of them may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: CountOptions | None = Field(None, description="how to count; instead of options in the query")
    aoi: dict[str, Any] | None = Field(None, description="GeoJSON, area of interest")


class ByPath(_Words):
    """A file that the server can read."""

    path: Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]


class ByUrl(_Words):
    """A file that the server fetches."""

    url: Annotated[str, Field(min_length=1, max_length=LONGEST_URL)]


class Parts(BaseModel):
    """An upload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=255)]
    size: Annotated[int, Field(ge=1, le=2**60, description="bytes")]


class ByParts(_Words):
    """A file that the client sends in parts, by PATCH to the job's `links.scene`."""

    upload: Parts


JobRequest = ByPath | ByUrl | ByParts
KINDS: dict[str, type[ByPath | ByUrl | ByParts]] = {"path": ByPath, "url": ByUrl, "upload": ByParts}
"""By the word that only they have."""


def schema() -> dict[str, Any]:
    """All of them as JSON schema, without references."""
    found = []
    for kind in KINDS.values():
        whole = kind.model_json_schema()
        named = whole.pop("$defs", {})
        found.append(_inlined(whole, named))
    return {"oneOf": found}


def _inlined(part: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of a schema
    """A part of a schema, with what it refers to in the references' place."""
    if isinstance(part, dict):
        if "$ref" in part:
            return _inlined(named[part["$ref"].rpartition("/")[2]], named)
        return {key: _inlined(value, named) for key, value in part.items()}
    return [_inlined(each, named) for each in part] if isinstance(part, list) else part


def read_request(body: bytes) -> JobRequest:
    """The request in a body of JSON.

    Raises:
        HttpError: 400, no JSON; 422, not a request for a job.
    """
    try:
        told = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise HttpError(400, f"the body is no JSON: {error}", "see /docs") from None
    words = sorted(KINDS.keys() & told.keys()) if isinstance(told, dict) else []
    if len(words) != 1:
        cause = f"the body has {len(words) or 'none'} of {', '.join(KINDS)}, which say where the scene is"
        raise HttpError(422, cause, "give exactly one, or send the scene itself")
    try:
        return KINDS[words[0]].model_validate(told, strict=True)
    except ValidationError as error:
        raise misfit(error.errors()[0]) from None


def area_text(aoi: dict[str, Any] | None) -> str | None:
    """An area of interest as the text of a file.

    Raises:
        HttpError: 422, it has numbers that no reader takes.
    """
    if aoi is None:
        return None
    try:
        return json.dumps(aoi, allow_nan=False)
    except ValueError as error:
        raise HttpError(422, f"the area is no GeoJSON: {error}", "send polygons", subject="aoi") from None


def new_job(
    source: Source, scene: str, options: CountOptions, about: dict[str, Any], key: str | None, *, parts: bool = False
) -> Job:
    """A job that is not in the ledger yet.

    Args:
        source: where its scene comes from.
        scene: what the client calls it.
        options: how to count.
        about: what else a request must have in common with another of the same key; `length` and `place` are kept.
        key: the client's idempotency key.
        parts: the scene will come in parts.
    """
    now = time.time()
    chosen = options.model_dump(include=set(CountOptions.model_fields), exclude_defaults=True)
    whole = json.dumps([source, scene, chosen, about, parts], sort_keys=True)
    return Job(
        id=secrets.token_hex(16),
        state="receiving" if parts else "waiting",
        scene=scene,
        source=source,
        place=about.get("place"),
        length=about.get("length"),
        received=0 if parts else about.get("length", 0),
        options=chosen,
        created=now,
        queued=None if parts else now,
        expires=now + GIVEN_UP_S if parts else None,
        key=key,
        fingerprint=hashlib.sha256(whole.encode()).hexdigest() if key else None,
    )


def digest(path: Path | None) -> str | None:
    """SHA-256 of a file, hex; None where there is none."""
    if path is None:
        return None
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            whole.update(piece)
    return whole.hexdigest()
