"""The ledger of jobs, and what a new server makes of what an old one has left."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge.errors import OutputError
from edge.server.job_ledger import LEDGER
from edge.server.job_record import ENDED, MOVES, Job, State
from edge.server.job_store import JobStore
from edge.server.options import CountOptions
from tests.live import serving
from tests.test_server_jobs import end, post
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BIG = CountOptions(gsd=0.5, conf=0.25, bands="3,2,1", exhaustive=True)


def job(number: int, **changes: object) -> Job:
    new = Job(
        id=f"{number:032x}", state="waiting", scene=f"{number}.tif", source="upload", length=5, received=5,
        options=BIG.model_dump(exclude_defaults=True), created=time.time(), queued=100.0 + number,
    )  # fmt: skip
    return replace(new, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    opened = JobStore(tmp_path / "jobs.sqlite")
    yield opened
    opened.close()


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    whole = job(
        1, error={"status": 422, "title": "x", "detail": "y"}, counts={"vessel": 3}, interval={"vessel": [2, 4]},
        key="k", fingerprint="f", place="/a/b", expires=7.5, attempts=2, done=3, planned=4,
    )  # fmt: skip
    first = JobStore(tmp_path / "jobs.sqlite")
    assert first.add(whole) == (whole, True)
    first.close()
    second = JobStore(tmp_path / "jobs.sqlite")
    found = second.get(whole.id)
    assert found == whole
    assert found.count_options == BIG
    assert second.by_key("k") == whole
    assert second.get("no such id") is second.by_key("other") is None
    second.close()


def test_every_commit_is_on_the_disk(store: JobStore) -> None:
    full = 2
    assert store._database.execute("PRAGMA synchronous").fetchone() == (full,)
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("origin", MOVES)
def test_a_job_goes_only_where_its_state_allows(store: JobStore, origin: State) -> None:
    for number, to in enumerate(MOVES):
        new = job(number, state=origin)
        store.add(new)
        if to == "running":  # begun, not moved
            continue
        allowed = to in MOVES[origin]
        assert store.move(new.id, to, attempts=9) is allowed
        found = store.get(new.id)
        assert found
        assert (found.state, found.attempts) == ((to, 9) if allowed else (origin, 0))
        assert not store.move(new.id, to) or to not in ENDED, "an end comes twice"


def test_of_many_that_end_a_job_one_succeeds(store: JobStore) -> None:
    new = job(1, state="running")
    store.add(new)
    wins: list[bool] = []
    ends: list[State] = ["done", "failed", "cancelled", "waiting"] * 2
    threads = [threading.Thread(target=lambda to=to: wins.append(store.move(new.id, to))) for to in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = [win for win in wins if win]
    assert len(final) in {1, 2}  # 2 where it was handed back and then cancelled
    assert len(final) == 1 or store.get(new.id) == replace(new, state="cancelled")


def test_jobs_begin_in_the_order_in_which_they_became_ready(store: JobStore) -> None:
    for number, queued in enumerate([30.0, 10.0, 20.0, 10.0]):
        store.add(job(number, queued=queued))
    begun = [store.begin() for _ in range(5)]
    assert [each and int(each.id, 16) for each in begun] == [1, 3, 2, 0, None]
    assert all(each.attempts == 1 and each.started for each in begun if each)


def test_small_jobs_begin_in_their_own_order(store: JobStore) -> None:
    for number, px in enumerate([None, 101, 100, 5]):
        store.add(job(number, px=px))
    begun = [store.begin(100) for _ in range(3)]
    assert [each and int(each.id, 16) for each in begun] == [2, 3, None]
    begun = [store.begin() for _ in range(3)]
    assert [each and int(each.id, 16) for each in begun] == [0, 1, None]


def test_no_job_is_begun_twice(store: JobStore) -> None:
    for number in range(40):
        store.add(job(number, px=number))
    begun: list[Job] = []

    def take(most_px: int | None) -> None:
        while found := store.begin(most_px):
            begun.append(found)

    threads = [threading.Thread(target=take, args=(most,)) for most in (None, 30, None, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(each.id, 16) for each in begun) == list(range(40))


def test_a_key_that_comes_again_leaves_nothing_of_the_job_that_was_not_entered(store: JobStore) -> None:
    assert store.add(job(1, key="k"))[1]
    for number in range(2, 9):
        assert not store.add(job(number, key="k"))[1]
    assert not store.move(job(9).id, "cancelled")
    assert store._versions.keys() <= {job(1).id}


def test_a_version_tells_of_changes_and_of_nothing_else(store: JobStore) -> None:
    store.add(job(1))
    store.add(job(2))
    versions = [store.version(job(1).id)]
    store.begin()
    versions.append(store.version(job(1).id))
    store.move(job(1).id, "done")
    versions.append(store.version(job(1).id))
    store.bury(job(1).id, time.time())
    versions.append(store.version(job(1).id))
    assert versions == sorted(set(versions))
    before = store.version(job(2).id)
    store.get(job(2).id)
    store.newest(None, 9)
    assert store.version(job(2).id) == before


def test_what_is_removed_leaves_no_word_of_its_scene(store: JobStore) -> None:
    store.add(job(1, state="done", place="https://host/a.tif?signature=secret", key="k", counts={"vessel": 1}))
    assert store.bury(job(1).id, time.time())
    assert not store.bury(job(1).id, time.time())
    found = store.by_key("k")
    assert found
    assert (found.place, found.counts) == (None, None)
    assert store.newest(None, 9) == []
    store.forget(time.time() + 1)
    assert store.get(job(1).id) is None


def test_a_change_that_fails_leaves_all_as_it_was(store: JobStore) -> None:
    store.add(job(1))
    with pytest.raises(sqlite3.IntegrityError):
        store.add(job(1))
    with pytest.raises(sqlite3.IntegrityError):
        store.move(job(1).id, "cancelled", options=None)
    assert store.newest(None, 9) == [job(1, created=store.newest(None, 9)[0].created)]


# --- files that are no ledger ---


def _damaged(path: Path) -> None:
    JobStore(path).close()
    whole = bytearray(path.read_bytes())
    whole[4096:] = bytes(len(whole) - 4096)
    path.write_bytes(whole)


def _foreign(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE jobs (id)")
    database.close()


def _newer(path: Path) -> None:
    JobStore(path).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {LEDGER.version + 1}")
    database.close()


UNFIT = {
    "text": (lambda path: path.write_text("no database " * 500), "is no ledger of jobs"),
    "folder": (lambda path: path.mkdir(), "cannot be opened"),
    "foreign": (_foreign, "is a database, but no ledger"),
    "newer": (_newer, "from a newer tanker-edge"),
    "damaged": (_damaged, "is damaged|is no ledger"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_file_that_is_no_ledger_is_told_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "jobs.sqlite"
    make, cause = UNFIT[kind]
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    for _ in range(2):
        with pytest.raises(OutputError, match=cause) as caught:
            JobStore(path)
        assert caught.value.mend
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_ledger_belongs_to_one_server(tmp_path: Path) -> None:
    first = JobStore(tmp_path / "jobs.sqlite")
    with pytest.raises(OutputError, match="in use by another server"):
        JobStore(tmp_path / "jobs.sqlite")
    first.add(job(1))
    first.close()
    second = JobStore(tmp_path / "jobs.sqlite")
    assert second.get(job(1).id)
    second.close()


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    JobStore(tmp_path / "jobs.sqlite").close()
    database = sqlite3.connect(tmp_path / "jobs.sqlite")
    assert database.execute("PRAGMA application_id").fetchone() == (LEDGER.application,)
    assert database.execute("PRAGMA user_version").fetchone() == (LEDGER.version,)
    database.close()


# --- what an old server has left ---


def test_what_a_server_was_running_when_it_died_is_run_again_but_not_for_ever(tmp_path: Path) -> None:
    scene = scene_file(tmp_path / "a.png").read_bytes()
    with serving(tmp_path) as (client, core):
        ids = [end(client, post(client, scene))["id"] for _ in range(3)]
        folder = core.jobs.files.root
    database = sqlite3.connect(tmp_path / "state" / "jobs.sqlite")
    for job_id, attempts in zip(ids, (1, 2, 3), strict=True):
        database.execute(
            "UPDATE jobs SET state = 'running', attempts = ?, ended = NULL, expires = NULL WHERE id = ?",
            (attempts, job_id),
        )
    database.commit()
    database.close()
    (folder / ("f" * 32) / "scene").mkdir(parents=True)
    (folder / "stray").write_text("x")
    with serving(tmp_path) as (client, _):
        jobs = [end(client, client.get(f"/v1/jobs/{job_id}")) for job_id in ids]
        assert [(each["state"], each["attempts"]) for each in jobs] == [("done", 2), ("done", 3), ("failed", 3)]
        assert jobs[2]["error"]["detail"] == "the server ended 3 times while it was running"
        assert client.get(jobs[2]["links"]["result"]).status_code == 500
        assert {path.name for path in folder.iterdir()} == set(ids[:2])
