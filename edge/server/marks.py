"""What people say of the boxes of a job: verdicts, and vessels that the model missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_MARKS, MOST_MISSING = 200_000, 20_000

KindName = Literal["tanker", "other", "unknown"]
Coordinate = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


class Mark(BaseModel):
    """A verdict on one box."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[int, Field(ge=1)]
    """Of a row of the job's candidates."""
    verdict: Literal["right", "wrong"]
    kind: KindName | None = None
    """What the vessel is; None for what the model says."""


class Missing(BaseModel):
    """A vessel without a box."""

    model_config = ConfigDict(extra="forbid")

    corners: Annotated[list[Point], Field(min_length=4, max_length=4)]
    """Px of the scene, clockwise from the bow-left."""
    kind: KindName = "unknown"


class Marks(BaseModel):
    """A review, as a client sends it."""

    model_config = ConfigDict(extra="forbid")

    marks: Annotated[list[Mark], Field(max_length=MOST_MARKS)] = []
    missing: Annotated[list[Missing], Field(max_length=MOST_MISSING)] = []
    threshold: Annotated[float | None, Field(ge=0, le=1)] = None
    """From which score boxes were shown; None for the one of the count."""
    searched: bool = False
    """The reviewer has looked through the whole picture for vessels that are missing."""


class Review(Marks):
    """A review, as the server keeps it."""

    expected: int
    """Boxes that need a verdict: those that the model counts, and those that were shown."""
    checked: int
    """Of these, those that have one."""
    complete: bool
    """All have one, and the picture was searched: it goes into the training set."""


def check(marks: Marks, candidates: Mapping[str, Any]) -> None:
    """See that marks fit the boxes of their job.

    Raises:
        HttpError: 422.
    """
    known = {row["id"] for row in candidates["detections"]}
    ids = [mark.id for mark in marks.marks]
    strange = next((i for i in ids if i not in known), None)
    if strange is not None:
        raise HttpError(422, f"there is no box {strange}", "see the candidates of the job", subject="marks")
    if len(set(ids)) < len(ids):
        raise HttpError(422, "a box has two verdicts", "give each at most one", subject="marks")
    if any(not area(missing.corners) for missing in marks.missing):
        raise HttpError(422, "a missing vessel has no area", "give four corners that are apart", subject="missing")


def area(corners: list[list[float]]) -> float:
    """Of a polygon, px²."""
    turned = [*corners[1:], corners[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, turned, strict=True))) / 2


def judge(marks: Marks, candidates: Mapping[str, Any]) -> Review:
    """The same with what the server says of it."""
    threshold = candidates["threshold"]
    expected = shown(candidates, threshold)
    if marks.threshold is not None and marks.threshold < threshold:
        expected = shown(candidates, marks.threshold)
    checked = len(expected & {mark.id for mark in marks.marks})
    return Review(
        **marks.model_dump(),
        expected=len(expected),
        checked=checked,
        complete=marks.searched and checked == len(expected),
    )


def shown(candidates: Mapping[str, Any], threshold: float) -> set[int]:
    """Ids of the boxes that count at a threshold: as many of the best as `recounts` says, as scores are rounded."""
    counted = [row["counts"]["vessel"] for row in candidates["recounts"] if row["threshold"] <= threshold + 1e-9]
    rows = sorted(candidates["detections"], key=lambda row: -row["score"])
    return {row["id"] for row in rows[: counted[-1] if counted else len(rows)]}
