"""How the runs of a ledger are getting on, seen from outside: `tanker-edge bulk status DIR`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from edge.bulk.alive import peers
from edge.bulk.ledger_file import NAME, WORKERS
from edge.bulk.ledger_look import look
from edge.bulk.ledger_status import RunStatus, runs
from edge.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.bulk.alive import Peer
    from edge.bulk.ledger_status import Failed


def status_of(path: Path) -> list[RunStatus]:
    """The runs of a ledger, the one that was last at work last; those who are at work do not notice.

    Args:
        path: of the ledger, or of its folder, which may be one that nobody can write to.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise InputError(path, "has no ledger of a bulk run", "give the folder that was the run's --out")
    seen = peers(file.parent / WORKERS)
    try:
        found = look(file, lambda database: runs(database, seen))
    except OutputError as error:
        raise InputError(error.subject, error.cause, error.mend) from error
    return sorted(found, key=lambda status: (status.lives, status.last or 0))


def as_json(statuses: Sequence[RunStatus]) -> dict[str, Any]:
    """The same in the types of JSON: a list "runs"."""
    return {"runs": [_plain(status) for status in statuses]}


def as_text(statuses: Sequence[RunStatus]) -> str:
    """The same for people, some lines a run."""
    return "\n\n".join("\n".join(_lines(status)) for status in statuses) or "nothing has been listed yet"


def _plain(status: RunStatus) -> dict[str, Any]:
    numbers = asdict(status.tally)
    scenes = {state: numbers.pop(state) for state in ("waiting", "done", "partial", "failed")}
    running = numbers.pop("here") + numbers.pop("elsewhere")
    rate = status.rate
    return {
        "run": status.run,
        "model": status.model,
        "alive": status.lives,
        "scenes": {**scenes, "running": running, "total": status.tally.total},
        **numbers,
        "scenes_per_s": round(rate.scenes_per_s, 3) if rate else None,
        "px_per_s": round(rate.px_per_s) if rate else None,
        "seconds_left": None if status.seconds_left is None else round(status.seconds_left),
        "last_ended": _moment(status.last),
        "workers": [_plain_worker(peer, scenes) for peer, scenes in status.workers],
        "failures": [_plain_failure(failed) for failed in status.failures],
    }


def _plain_worker(peer: Peer, scenes: int) -> dict[str, Any]:
    return {
        "pid": peer.pid,
        "host": peer.host,
        "since": _moment(peer.since),
        "alive": peer.alive,
        "running": scenes,
    }


def _plain_failure(failed: Failed) -> dict[str, Any]:
    why = failed.failure
    told = {"cause": why.cause, "mend": why.mend, "transient": why.transient} if why else {}
    return {"place": str(failed.place), "state": failed.state, **told}


def _lines(status: RunStatus) -> Iterator[str]:
    """A run for people."""
    seen, rate = status.tally, status.rate
    yield f"{status.model or 'no result yet'} (run {status.run[:12]}): {_now(status)}"
    states = {"done": seen.done, "in part": seen.partial, "failed": seen.failed, "running": seen.here + seen.elsewhere}
    counts = ", ".join(f"{number:,} {state}" for state, number in {**states, "waiting": seen.waiting}.items())
    yield f"  scenes  {seen.total:,}: {counts}"
    yield f"  data    {_mega(seen.bytes_total - seen.bytes_left)} of {_mega(seen.bytes_total)} MB, {_mega(seen.px)} MP"
    if rate:
        yield f"  rate    {rate.scenes_per_s:,.2f} scenes/s, {_mega(rate.px_per_s)} MP/s"
    for peer, scenes in status.workers:
        who = f"process {peer.pid} on {peer.host}, since {_moment(peer.since)}" if peer.pid else peer.token
        yield f"  worker  {who}: {'alive' if peer.alive else 'dead'}, has {scenes:,} scenes"
    for failed in status.failures:
        why = failed.failure
        yield f"  {failed.state:7} {failed.place}: {f'{why.cause}; {why.mend}' if why else 'no cause is known'}"


def _now(status: RunStatus) -> str:
    """What is going on."""
    if not status.tally.left:
        if not status.tally.total:
            return "nothing has been listed yet"
        troubles = [(status.tally.partial, "in part only"), (status.tally.failed, "failed")]
        told = ", ".join(f"{number:,} {what}" for number, what in troubles if number) or "all scored"
        return f"ended at {_moment(status.last)}: {told}{'; outputs may be being written' if status.lives else ''}"
    if not status.lives:
        return f"nobody is at work; the last scene ended at {_moment(status.last)}" if status.last else "not begun"
    left = status.seconds_left
    return "at work" if left is None else f"at work, {timedelta(seconds=round(left))} left at this rate"


def _mega(number: float) -> str:
    return f"{number / 1e6:,.1f}"


def _moment(seconds: float | None) -> str | None:
    """A time of the clock, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
