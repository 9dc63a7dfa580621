"""How a scene ends in the ledger, and what is kept of its result."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from edge.bulk.ledger_file import raw_of
from edge.bulk.ledger_row import acquired_cells
from edge.bulk.settings import result_key

if TYPE_CHECKING:
    import sqlite3

    from edge.bulk.ledger_row import Packed
    from edge.bulk.row import State
    from edge.bulk.task import Done

_KEEP = """
    INSERT INTO results (key, run, content, document, partial, coverage, px, seconds, acquired, source)
    VALUES (?, (SELECT number FROM runs WHERE key = ?), CAST(? AS TEXT), ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET document = excluded.document, partial = excluded.partial,
        coverage = excluded.coverage, px = excluded.px, seconds = excluded.seconds, acquired = excluded.acquired,
        source = excluded.source
    WHERE results.partial AND (NOT excluded.partial OR excluded.coverage > results.coverage)
"""
"""The first whole result stays; of those in part the one of which least is missing."""
_WHOLE_NOW = """
    UPDATE scenes INDEXED BY partial SET state = 'done', cause = NULL, mend = NULL, transient = NULL
    WHERE key = ? AND state = 'partial'
"""
_END = """
    UPDATE scenes SET state = ?, content = CAST(? AS TEXT), key = ?, px = ?, cause = CAST(? AS TEXT),
        mend = CAST(? AS TEXT), transient = ?, tries = ?, since = ?, owner = NULL
    WHERE number = ? AND owner = ? AND state = 'running'
"""


def key_of(content: str | None, run: str, gsd_m: float | None) -> str:
    """Under which the result of a scene is kept; where its bytes have no hash nobody else ever has that key.

    Args:
        content: hash of its bytes.
        run: from `edge.bulk.settings.run_key`.
        gsd_m: m/px, of its task.
    """
    own = content or f"without a hash {secrets.token_hex(16)}"
    return result_key(own, run, None if gsd_m is None else float(gsd_m))


def keep(database: sqlite3.Connection, run: str, key: str, done: Done, packed: Packed) -> None:
    """Keep a result, in a transaction that has begun, if it is better than what is there."""
    result = packed.document, packed.partial, packed.coverage, done.px, done.seconds, *acquired_cells(done.acquired)
    database.execute(_KEEP, (key, run, raw_of(done.content), *result))
    if not packed.partial:
        database.execute(_WHOLE_NOW, (key,))


def end(database: sqlite3.Connection, owner: str, key: str, done: Done) -> None:
    """End the scene of a result that is kept, or of a failure, if it is still this owner's."""
    found = database.execute("SELECT partial, px FROM results WHERE key = ?", (key,)).fetchone()
    state = _state(done, None if found is None else bool(found[0]))
    bad = done.failure if state in ("partial", "failed") else None
    told = (raw_of(bad.cause), raw_of(bad.mend), bad.transient) if bad else (None, None, None)
    kept, px = (key, done.px or found[1]) if state in ("done", "partial") else (None, done.px)
    cells = state, raw_of(done.content), kept, px, *told, done.tries, time.time()
    database.execute(_END, (*cells, done.number, owner))


def _state(done: Done, partial: bool | None) -> State:  # noqa: FBT001 - of a row
    """What a scene is now, where the result of its bytes is whole, in part, or None at all."""
    if done.document is None and not done.known:
        return "failed"
    if partial is None:  # it was known, but was forgotten meanwhile
        return "waiting"
    return "partial" if partial else "done"
