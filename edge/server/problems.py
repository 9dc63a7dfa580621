"""Errors as HTTP: the status of each kind of error, in one place, and the problem documents of RFC 9457.

A problem says what the client sent, what is wrong with it and how to mend it. It never names a path of the server.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from edge.errors import (
    AoiError,
    InputError,
    ModelError,
    OutputError,
    ProviderError,
    SceneError,
    StoppedError,
    TankerEdgeError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEDIA_TYPE = "application/problem+json"
PLACES = ("query", "path", "header", "cookie", "body")
LONGEST_SUBJECT = 200
COME_AGAIN_S = "5"
"""When a server that stops should be there again, s."""

STATUS: dict[type[TankerEdgeError], int] = {
    UsageError: 400,
    SceneError: 422,
    AoiError: 422,
    InputError: 422,
    OutputError: 507,
    ModelError: 500,
    ProviderError: 500,
    StoppedError: 503,
    TankerEdgeError: 500,
}
"""HTTP status of each error; the first class of an error's ancestry that is here counts."""


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    subject: str | None = Field(None, description="what is wrong, as the client named it")
    mend: str | None = Field(None, description="what to do about it")
    request_id: str | None = None


class HttpError(Exception):
    """A request that cannot be answered, with its status."""

    def __init__(
        self,
        status: int,
        detail: str,
        mend: str | None = None,
        *,
        subject: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts; see `Problem`."""
        super().__init__(detail)
        self.status, self.detail, self.mend, self.subject = status, detail, mend, subject
        self.headers = dict(headers or {})


def stopping() -> HttpError:
    """The answer to work that the server's end leaves undone."""
    return HttpError(503, "the server is stopping", "try again", headers={"Retry-After": COME_AGAIN_S})


def removed() -> HttpError:
    """The answer to a question about a job that is no longer kept."""
    return HttpError(410, "the job and its results have been removed", "send the scene again")


def misfit(fault: Mapping[str, Any]) -> HttpError:
    """A value that does not fit its description.

    Args:
        fault: an entry of `errors()` of pydantic or FastAPI; of the latter, `loc` begins with the place of the value.
    """
    place = [str(part) for part in fault["loc"]]
    where = place[1:] if place[0:1] and place[0] in PLACES and len(place) > 1 else place
    return HttpError(422, str(fault["msg"]), "see /docs", subject=".".join(where)[:LONGEST_SUBJECT] or "body")


def status_of(error: TankerEdgeError) -> int:
    """HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def without_folder(error: TankerEdgeError, *folders: Path) -> TankerEdgeError:
    """The same error in words that name none of these folders, inner ones first: a file is called as by the client."""
    parts = [error.subject, error.cause, error.mend]
    for folder in folders:
        parts = [part.replace(f"{folder}/", "") for part in parts]
    return type(error)(*parts)


def problem(error: HttpError | TankerEdgeError, request_id: str | None = None) -> Problem:
    """The document of an error."""
    if isinstance(error, HttpError):
        status, detail, mend, subject = error.status, error.detail, error.mend, error.subject
    else:
        status, detail, mend, subject = status_of(error), error.cause, error.mend, error.subject
    title = HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail, mend=mend, subject=subject, request_id=request_id)


def respond(told: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response that carries a problem."""
    content = told.model_dump(exclude_none=True)
    return JSONResponse(content, told.status, dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int, schema: type[Problem] = Problem) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the problems that it may answer with; all routes may answer with those of the guard."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({400, 401, 403, 421, 500, 503, *statuses}):
        content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}}}
        found[status] = {"description": HTTPStatus(status).phrase, "content": content}
    return found
