"""What a ledger tells of how its runs are getting on."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.bulk.alive import Peer
from edge.bulk.entry import Place
from edge.bulk.ledger_claim import tally
from edge.bulk.ledger_row import failure_of, unpack

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge.bulk.ledger_claim import Tally
    from edge.bulk.row import State
    from edge.bulk.task import Failure

RECENT_S = 60.0
"""Of work, the last of it: what a rate is taken over."""
MOST_RECENT = 2000
"""Scenes of it."""
FAILURES = 10
"""The last ones, which are told."""
_ENDED = """
    SELECT since, px FROM scenes INDEXED BY ended WHERE run = ? AND state IN ('done', 'partial', 'failed')
    ORDER BY since DESC LIMIT ?
"""
_FAILED = """
    SELECT base, member, state, cause, mend, transient FROM scenes INDEXED BY failed
    WHERE run = ? AND state IN ('partial', 'failed') ORDER BY since DESC LIMIT ?
"""
_DOCUMENT = """
    SELECT document FROM scenes INDEXED BY ended JOIN results ON results.key = scenes.key
    WHERE scenes.run = ? AND state IN ('done', 'partial', 'failed') LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """How quickly scenes ended when they last did."""

    scenes_per_s: float
    px_per_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A scene that failed, or of which a part did."""

    place: Place
    state: State
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run: a model and its settings."""

    run: str
    """From `edge.bulk.settings.run_key`."""
    model: str | None
    """Name and version, as the results have them; None where there are none."""
    tally: Tally
    """As a stranger sees it: what runs does so elsewhere."""
    workers: tuple[tuple[Peer, int], ...]
    """Who is at work on it, or died of it and has not been cleared away, each with the scenes that it has."""
    rate: Rate | None
    """None where too few scenes have ended."""
    last: float | None
    """When the last scene ended, by the clock, s."""
    failures: tuple[Failed, ...]
    """The last first."""

    @property
    def lives(self) -> bool:
        """Whether anybody is at work on it."""
        return any(peer.alive for peer, _ in self.workers)

    @property
    def seconds_left(self) -> float | None:
        """At the rate that it has; None where it has none, or nobody is at work."""
        return self.tally.left / self.rate.scenes_per_s if self.rate and self.lives else None


def runs(database: sqlite3.Connection, seen: Sequence[Peer]) -> list[RunStatus]:
    """Of all runs of a ledger of which there is anything to tell; `seen` are its workers."""
    found = database.execute("SELECT number, key FROM runs ORDER BY number").fetchall()
    told = [_status(database, number, key, seen) for number, key in found]
    return [status for status in told if status.tally.total or status.workers]


def _status(database: sqlite3.Connection, number: int, key: str, seen: Sequence[Peer]) -> RunStatus:
    ended = database.execute(_ENDED, (number, MOST_RECENT)).fetchall()
    failed = database.execute(_FAILED, (number, FAILURES)).fetchall()
    return RunStatus(
        run=key,
        model=_model(database, number),
        tally=tally(database, number, None),
        workers=tuple(_workers(database, number, [peer for peer in seen if peer.run == key])),
        rate=_rate(ended),
        last=ended[0][0] if ended else None,
        failures=tuple(Failed(Place(base, member), state, failure_of(*why)) for base, member, state, *why in failed),
    )


def _workers(database: sqlite3.Connection, number: int, seen: Sequence[Peer]) -> list[tuple[Peer, int]]:
    """Workers with the scenes that each has, those of whom nothing but these is left too."""
    command = "SELECT owner FROM scenes INDEXED BY running WHERE run = ? AND state = 'running'"
    has = Counter(owner for (owner,) in database.execute(command, (number,)))
    gone = [Peer(token, alive=False) for token in has.keys() - {peer.token for peer in seen}]
    everybody = [*seen, *gone]
    return [(peer, has[peer.token]) for peer in sorted(everybody, key=lambda peer: (peer.since or 0, peer.token))]


def _model(database: sqlite3.Connection, number: int) -> str | None:
    found = database.execute(_DOCUMENT, (number,)).fetchone()
    try:
        model = unpack(found[0]).get("model") if found else None
    except (zlib.error, ValueError):  # damaged: the other numbers can be told all the same
        return None
    return " ".join(str(model[word]) for word in ("name", "version") if word in model) if model else None


def _rate(ended: Sequence[tuple[float, int]]) -> Rate | None:
    """Over what ended in the last RECENT_S of work.

    Args:
        ended: when, and how many px; the last first. The clock may have been set meanwhile.
    """
    recent = [(since, px) for since, px in ended if ended[0][0] - since <= RECENT_S]
    if not recent:
        return None
    first = recent[-1][0]
    counted = [px for since, px in recent if since > first]  # the time that the first ones took is not known
    seconds = recent[0][0] - first
    return Rate(len(counted) / seconds, sum(counted) / seconds) if counted else None
