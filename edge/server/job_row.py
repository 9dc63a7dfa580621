"""A job as a row of the ledger."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from edge.server.job_record import Job

COLUMNS = tuple(field.name for field in fields(Job))
_JSON = frozenset({"options", "error", "counts", "interval"})


def plain(name: str, value: object) -> object:
    """A field as SQLite holds it."""
    return json.dumps(value) if name in _JSON and value is not None else value


def row_of(job: Job) -> list[object]:
    """The cells of a job, as COLUMNS has them."""
    return [plain(name, getattr(job, name)) for name in COLUMNS]


def job_of(row: tuple[Any, ...]) -> Job:
    """The job of such cells."""
    cells = dict(zip(COLUMNS, row, strict=True))
    return Job(**{name: json.loads(v) if name in _JSON and v is not None else v for name, v in cells.items()})
