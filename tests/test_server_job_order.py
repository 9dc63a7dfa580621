"""Which job runs when: small ones do not wait behind large ones, and one cancelled at its start does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.server import job_runner, job_runners
from edge.server.job_store import JobStore
from tests.live import REAL_SCORE, Gate, serving, wait_until
from tests.test_server_jobs import end, post
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from edge.server.core import Core
    from edge.server.job_record import Job

SMALL, LARGE = 160 * 96, 300 * 300


@pytest.fixture
def large(tmp_path: Path) -> bytes:
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), np.zeros((300, 300, 3), np.uint8))
    return path.read_bytes()


@pytest.fixture
def small(tmp_path: Path) -> bytes:
    return scene_file(tmp_path / "small.png").read_bytes()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Large scenes wait at it."""
    gate = Gate(1, 4)

    def hold(scene: Any, *rest: Any) -> Any:  # noqa: ANN401 - those of score_open
        return gate.hold(scene, *rest) if scene.name == "large.png" else REAL_SCORE(scene, *rest)

    monkeypatch.setattr(job_runner, "score_open", hold)
    monkeypatch.setattr(job_runners, "SMALL_PX", SMALL)
    yield gate
    gate.opened.set()


def by_parts(client: httpx.Client, content: bytes) -> httpx.Response:
    answer = client.post("/v1/jobs", json={"upload": {"name": "parts.png", "size": len(content)}})
    headers = {"Upload-Offset": "0"}
    assert client.patch(answer.json()["links"]["scene"], content=content, headers=headers).status_code == 204
    return answer


def test_a_small_job_does_not_wait_behind_large_ones(tmp_path: Path, large: bytes, small: bytes, held: Gate) -> None:
    with serving(tmp_path, roots=(tmp_path,)) as (client, core):
        first, second = (post(client, large, "large.png").json() for _ in range(2))
        assert held.reached.wait(20)
        for answer in (
            post(client, small),
            client.post("/v1/jobs", json={"path": "small.png"}),
            by_parts(client, small),
        ):
            job = end(client, answer)
            assert (job["state"], job["attempts"]) == ("done", 1)
            assert core.jobs.get(job["id"]).px == SMALL
        assert client.get(first["links"]["self"]).json()["state"] == "running"
        assert client.get(second["links"]["self"]).json()["state"] == "waiting"
        assert core.jobs.get(second["id"]).px == LARGE
        held.opened.set()
        ended = [end(client, client.get(job["links"]["self"])) for job in (first, second)]
        assert [(job["state"], job["attempts"]) for job in ended] == [("done", 1)] * 2
        assert ended[0]["ended"] <= ended[1]["started"]


def test_jobs_that_run_side_by_side_are_told_and_cancelled_each(
    tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(1, 4)
    monkeypatch.setattr(job_runner, "score_open", gate.hold)
    with serving(tmp_path) as (client, core):
        here = [post(client, small).json()["links"]["self"] for _ in range(2)]
        under_way = {"done": 1, "planned": 4}
        for job in here:
            wait_until(lambda job=job: client.get(job).json()["progress"] == under_way)  # type: ignore[misc]
        for job in here:
            assert client.get(job).json()["state"] == "running"
            assert client.delete(job).status_code == 204
            job_id = job.rpartition("/")[2]
            wait_until(lambda job_id=job_id: core.jobs.runner.progress(job_id) is None)  # type: ignore[misc]
            assert not core.jobs.folder(job_id).exists()


def test_a_job_that_is_cancelled_in_the_moment_of_its_start_is_not_counted(
    tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores: list[Core] = []
    cancelled: list[Job] = []
    counted: list[str] = []
    begin = JobStore.begin

    def begin_and_cancel(store: JobStore, most_px: int | None = None) -> Job | None:
        job = begin(store, most_px)
        if job and not cancelled:
            cancelled.append(job)
            cores[0].jobs.delete(job.id)
        return job

    def count(scene: Any, *rest: Any) -> Any:  # noqa: ANN401 - those of score_open
        counted.append(scene.name)
        return REAL_SCORE(scene, *rest)

    monkeypatch.setattr(JobStore, "begin", begin_and_cancel)
    monkeypatch.setattr(job_runner, "score_open", count)
    (tmp_path / "first.png").write_bytes(small)  # it stays there, whatever becomes of its job
    with serving(tmp_path, roots=(tmp_path,)) as (client, core):
        cores.append(core)
        first = client.post("/v1/jobs", json={"path": "first.png"})
        assert end(client, first)["state"] == "cancelled"
        assert end(client, post(client, small, "second.png"))["state"] == "done"
        assert counted == ["second.png"]
        assert not core.jobs.folder(first.json()["id"]).exists()
