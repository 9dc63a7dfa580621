"""The server under attack: see tests/attack, which `python -m tests.attack` runs with a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attack.__main__ import carry_out_all
from tests.attack.registry import ATTACKS, attack, carry_out
from tests.attack.target import TOKEN, Target, deployment
from tests.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MEMORY = 800 * 2**20
"""Bytes that all attacks together may make the server take at a time; two scenes of a request take half of it."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with deployment(tmp_path_factory.mktemp("deployment")) as found:
        yield found


def test_an_attack_that_succeeds_is_told(target: Target) -> None:
    """What looks at the answers sees a wrong status, a leak, and a server that hangs."""
    before = list(ATTACKS)

    @attack(401)
    def reading(target: Target) -> Answer:
        """Reads what it may not."""
        found = target.ask("GET", "/v1/jobs")
        return Answer(found.status, found.headers, TOKEN.encode(), found.closed)

    outcome = carry_out(ATTACKS[-1], target)
    ATTACKS[:] = before
    assert outcome.answered == "200"
    assert outcome.faults == (f"answered 200: {TOKEN.encode()!r}", f"gives away {TOKEN.encode()!r}")


def test_the_server_stands(target: Target) -> None:
    at_first = target.memory()
    outcomes = list(carry_out_all(target))
    assert len(outcomes) >= 70
    assert {f"{each.attack.group}.{each.attack.name}": each.faults for each in outcomes if each.faults} == {}
    assert target.memory() - at_first < MOST_MEMORY
    log = "\n".join(target.server.lines)
    assert TOKEN not in log
    assert "Traceback" not in log
    assert not [record for record in target.server.log if record.get("status", 0) == 500]
