"""A job: what the ledger knows of it, its states, and the document that clients see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel, Field

from edge.server.options import CountOptions
from edge.server.problems import Problem  # noqa: TC001 - pydantic reads it while it runs

State = Literal["receiving", "waiting", "running", "done", "failed", "cancelled"]
Source = Literal["upload", "path", "url"]

MOVES: dict[State, frozenset[State]] = {
    "receiving": frozenset({"waiting", "failed", "cancelled"}),
    "waiting": frozenset({"running", "cancelled"}),
    "running": frozenset({"waiting", "done", "failed", "cancelled"}),
    "done": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
"""The state machine: from each state, where a job may go. From running back to waiting: its server has ended."""
ENDED: frozenset[State] = frozenset(state for state, onward in MOVES.items() if not onward)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the ledger; times in s since 1970."""

    id: str
    """32 hex digits that nobody can guess."""
    state: State
    scene: str
    """What the client calls it."""
    source: Source
    place: str | None = None
    """Path or URL, as the client gave it; None for an upload. Not for the eyes of other clients."""
    length: int | None = None
    """Of an upload, bytes; None where it is not known yet."""
    received: int = 0
    """Of these, bytes that are safe on the disk."""
    px: int | None = None
    """Of the scene, as its file says of itself; None as long as nobody has looked."""
    options: dict[str, Any]
    """Those of CountOptions that the client chose."""
    created: float
    queued: float | None = None
    """When it became ready to run; jobs run in this order."""
    started: float | None = None
    ended: float | None = None
    expires: float | None = None
    """When it is removed; while it is received, when it is given up unless more comes."""
    removed: float | None = None
    """When it was removed: the row is all that is left."""
    attempts: int = 0
    """How often it was begun; a start that was handed back in good order does not count."""
    done: int = 0
    """Tiles."""
    planned: int = 0
    """Tiles."""
    error: dict[str, Any] | None = None
    """A Problem."""
    counts: dict[str, int] | None = None
    interval: dict[str, list[int]] | None = None
    key: str | None = None
    """The client's idempotency key; no other job has it."""
    fingerprint: str | None = None
    """Of the request that had the key."""

    @property
    def count_options(self) -> CountOptions:
        """How to count."""
        return CountOptions(**self.options)


class Progress(BaseModel):
    """Tiles."""

    done: int
    planned: int = Field(description="may grow while the job runs; 0 as long as nothing is planned")


class Links(BaseModel):
    """Where more is."""

    self: str
    events: str
    result: str
    overlay: str
    scene: str | None = Field(None, description="where to send the parts of the scene, while it is received")


class JobDocument(BaseModel):
    """A job, as clients see it."""

    id: str
    state: State
    scene: str
    source: Source
    created: str = Field(description="ISO 8601, UTC, as all times here")
    started: str | None
    ended: str | None
    expires: str | None = Field(description="when it is removed; while it is received: given up, unless more comes")
    progress: Progress
    attempts: int
    error: Problem | None = Field(description="why it failed")
    options: CountOptions
    counts: dict[str, int] | None
    interval: dict[str, list[int]] | None
    links: Links


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobDocument]


def document(job: Job, progress: tuple[int, int] | None = None) -> dict[str, Any]:
    """The document of a job as plain JSON.

    Args:
        job: as the ledger has it.
        progress: tiles done and planned of one that is running.
    """
    done, planned = progress if progress and job.state == "running" else (job.done, job.planned)
    here = f"/v1/jobs/{job.id}"
    links = {"self": here} | {name: f"{here}/{name}" for name in ("events", "result", "overlay")}
    receiving = {"scene": f"{here}/scene"} if job.state == "receiving" else {}
    return {
        "id": job.id,
        "state": job.state,
        "scene": job.scene,
        "source": job.source,
        "created": moment(job.created),
        "started": moment(job.started),
        "ended": moment(job.ended),
        "expires": moment(job.expires),
        "progress": {"done": done, "planned": planned},
        "attempts": job.attempts,
        "error": job.error,
        "options": CountOptions.model_construct(**job.options).model_dump(),  # what was allowed once can be shown
        "counts": job.counts,
        "interval": job.interval,
        "links": links | receiving,
    }


def moment(seconds: float | None) -> str | None:
    """A time in s since 1970 as ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
