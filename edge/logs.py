"""The log: one JSON object a line on stderr, or a line for people where stderr is a terminal.

A record carries its event as the message and its facts as `extra={"fields": {...}}`. Nothing of a picture and no token
is ever put into either.
"""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import traceback
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEVELS = ("debug", "info", "warning", "error")
LONGEST = 2000
"""Characters of a field's text; what clients send could be of any length."""

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
"""Of the request that is being answered."""


context: list[Callable[[], Mapping[str, str]]] = []
"""Functions that know more of where a record comes from; see tracing.py."""


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """Send all records of this process, uvicorn's and Python's warnings too, to one place in one form.

    Args:
        level: one of LEVELS; libraries are asked for warnings only, unless it is debug.
        stream: where to; stderr by default.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(People() if stream.isatty() else Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    chosen = getattr(logging, level.upper())
    root.setLevel(max(chosen, logging.WARNING) if level != "debug" else logging.INFO)
    logging.getLogger("edge").setLevel(chosen)
    logging.captureWarnings(capture=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says, in the order in which it is written; values are plain, and not long."""
    told: Mapping[str, Any] = getattr(record, "fields", {})
    found = {
        "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage().strip(),
        "request_id": told.get("request_id", request_id.get()),
        **{key: value for key, value in told.items() if key != "request_id"},
    }
    for more in context:
        found.update(more())
    if not record.name.startswith("edge."):
        found["logger"] = record.name
    if record.exc_info and record.exc_info[0]:
        found["traceback"] = "".join(traceback.format_exception(*record.exc_info))
    limit = {"traceback": 10 * LONGEST}
    return {key: _short(value, limit.get(key, LONGEST)) for key, value in found.items() if value is not None}


def _short(value: object, longest: int) -> object:
    """A text that is not too long; the end of a traceback says more than its start."""
    if not isinstance(value, str) or len(value) <= longest:
        return value
    return f"{value[: longest // 2]} ... {value[-longest // 2 :]}"


class Lines(logging.Formatter):
    """JSON, which also keeps control characters from forging lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One object, one line."""
        return json.dumps(facts(record), default=str)


class People(logging.Formatter):
    """Time, level, event, then facts as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, but for a traceback."""
        found = facts(record)
        shown = found.pop("traceback", "")
        head = f"{found.pop('time')[11:19]} {found.pop('level'):7s} {_printable(found.pop('event'))}"
        rest = " ".join(f"{key}={_printable(value)}" for key, value in found.items())
        return "\n".join(filter(None, (f"{head}  {rest}".rstrip(), shown)))


def _printable(value: object) -> str:
    """A value without what could move the cursor of a terminal or end the line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
