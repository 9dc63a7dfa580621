"""The clock of a device is set while a server runs: what is kept is kept as long as it would have been."""

from __future__ import annotations

import time
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from edge.server import job_janitor, job_runner
from tests.live import serving
from tests.test_server_jobs import end, post
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

KEEP_S = 3600
YEARS_S = 50 * 365 * 86_400


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """Let what writes and reads times of expiry see a clock that is ahead by so many s."""
    clock = SimpleNamespace(time=lambda: time.time() + ahead, monotonic=time.monotonic)
    for module in (job_janitor, job_runner):
        monkeypatch.setattr(module, "time", clock)


def left_s(client: httpx.Client, here: str) -> float:
    """For how long a job is still kept, s, by the right clock."""
    return float(datetime.fromisoformat(client.get(here).json()["expires"]).timestamp() - time.time())


@pytest.fixture
def scene(tmp_path: Path) -> bytes:
    return scene_file(tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("ahead", [-YEARS_S, YEARS_S])
def test_a_server_that_starts_by_a_wrong_clock_keeps_all_as_long_as_it_should(
    tmp_path: Path, scene: bytes, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    with serving(tmp_path, keep_s=KEEP_S) as (client, _):
        jobs = [end(client, post(client, scene))]
    for _ in range(2):  # as at each boot of a device without a battery
        set_clock(monkeypatch, ahead)
        with serving(tmp_path, keep_s=KEEP_S) as (client, core):
            jobs.append(end(client, post(client, scene)))
            set_clock(monkeypatch, 0)
            jobs.append(end(client, post(client, scene)))  # before anybody has noticed
            core.jobs.janitor.tidy()
            for job in jobs:
                assert KEEP_S - 60 < left_s(client, job["links"]["self"]) <= KEEP_S


@pytest.mark.parametrize("ahead", [-YEARS_S, YEARS_S])
def test_uploads_in_parts_are_given_up_when_they_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    with serving(tmp_path, keep_s=KEEP_S) as (client, core):
        here = client.post("/v1/jobs", json={"upload": {"name": "a.png", "size": 9}}).json()["links"]["self"]
        before = left_s(client, here)
        set_clock(monkeypatch, ahead)
        core.jobs.janitor.tidy()
        assert left_s(client, here) - ahead == pytest.approx(before, abs=20)


def test_hours_that_go_by_are_no_set_clock(tmp_path: Path, scene: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, keep_s=KEEP_S) as (client, core):
        job = end(client, post(client, scene))
        clock = SimpleNamespace(time=lambda: time.time() + 7200, monotonic=lambda: time.monotonic() + 7200)
        monkeypatch.setattr(job_janitor, "time", clock)
        core.jobs.janitor.tidy()
        assert client.get(job["links"]["self"]).status_code == 410
