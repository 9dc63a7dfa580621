"""Servers that are killed while their jobs run: none is lost, none is done twice, each ends as it would have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.kills import WAYS, run

if TYPE_CHECKING:
    from pathlib import Path


def check(told: dict[str, Any], kills: int) -> None:
    assert not told["wrong"]
    assert told["kills"] >= told["while_a_job_ran"] == kills
    assert told["done"] > 0
    assert told["resumed"] > 0
    assert sum(told["ways"].values()) == told["accepted"]


def test_killed_servers_lose_no_job(tmp_path: Path) -> None:
    check(run(tmp_path, kills=3, seed=1), 3)


@pytest.mark.slow
def test_servers_that_are_killed_often_lose_no_job(tmp_path: Path) -> None:
    told = run(tmp_path, kills=50, seed=2)
    check(told, 50)
    assert set(told["ways"]) == set(WAYS)
