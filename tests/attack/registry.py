"""The list of attacks: each a function that says what it does, and what must be answered."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.wire import NOTHING, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.attack.target import Attack, Target

SERVER_FAILS = 500
OVERLOADED = 503
LONGEST_S = 20.0
"""No attack may hold one answer up for longer."""


@dataclass(frozen=True)
class Known:
    """An attack."""

    group: str
    name: str
    told: str
    """What it does."""
    wanted: frozenset[int]
    """Statuses that are right."""
    run: Attack


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    attack: Known
    answered: str
    """Statuses, and how often each."""
    faults: tuple[str, ...]
    """What is wrong with the answers; nothing where the server stood."""
    seconds: float


ATTACKS: list[Known] = []


def attack(*wanted: int) -> Callable[[Attack], Attack]:
    """Put a function on the list; its module is the group, its first line of documentation tells what it does."""

    def listed(run: Attack) -> Attack:
        told = (run.__doc__ or "").strip().splitlines()[0]
        group = run.__module__.rpartition(".")[2]
        ATTACKS.append(Known(group, run.__name__, told, frozenset(wanted), run))
        return run

    return listed


def carry_out(known: Known, target: Target) -> Outcome:
    """Attack, and look at the answers: their statuses, what they give away, whether the server is still there."""
    begun = time.perf_counter()
    faults: list[str] = []
    answers: list[Answer] = []
    try:
        found = known.run(target)
        answers = [found] if isinstance(found, Answer) else list(found)
    except Exception as error:  # noqa: BLE001 - told in the table
        faults.append(f"{type(error).__name__}: {error}"[:300])
    seconds = time.perf_counter() - begun
    for each in answers:
        faults += _faults(each, known.wanted, target)
    if target.ask("GET", "/v2/health/live", token=None).status != 200:
        faults.append("the server is not well afterwards")
    if seconds > LONGEST_S:
        faults.append(f"it took {seconds:.1f} s")
    counted = Counter("closed" if each.status == NOTHING else str(each.status) for each in answers)
    shown = ", ".join(status if n == 1 else f"{status} x {n}" for status, n in sorted(counted.items()))
    return Outcome(known, shown or "nothing", tuple(dict.fromkeys(faults)), seconds)


def _without_echo(body: bytes) -> bytes:
    """A body without what repeats the client's own words."""
    try:
        told = json.loads(body)
    except ValueError:
        return body
    return json.dumps({**told, "subject": None}).encode() if isinstance(told, dict) else body


def _faults(found: Answer, wanted: Iterable[int], target: Target) -> list[str]:
    """What is wrong with an answer."""
    faults = []
    if found.status not in wanted:
        faults.append(f"answered {found.status}: {found.body[:200]!r}")
    if found.status >= SERVER_FAILS and found.status != OVERLOADED and found.status not in wanted:
        faults.append("the server failed")
    whole = str(found.headers).encode() + _without_echo(found.body)
    faults += [f"gives away {secret!r}" for secret in target.secrets() if secret in whole]
    cross = [name for name in found.headers if name.lower().startswith("access-control-")]
    return faults + [f"lets other sites read it: {name}" for name in cross]
