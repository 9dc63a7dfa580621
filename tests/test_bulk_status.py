"""What is told of a run from outside, while it lives and after it has died."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.bulk.ledger import Ledger
from edge.bulk.ledger_file import NAME, WORKERS, wal_of
from edge.bulk.ledger_look import look
from edge.bulk.status import as_json, as_text, status_of
from edge.bulk.task import Done, Failure
from edge.errors import InputError
from tests.ledger_workers import PROCESSES, RUN, document, entry, hold, look_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess

ODD = Failure("a part is gone", "get it again")


@contextmanager
def holder(folder: Path, most: int) -> Iterator[ForkServerProcess]:
    """A process that has claimed scenes, and is killed at the end."""
    here, there = PROCESSES.Pipe()
    with closing(here), closing(there):
        process = PROCESSES.Process(target=hold, args=(folder / NAME, most, there))
        process.start()
        here.recv()
        try:
            yield process
        finally:
            process.kill()
            process.join()


def begin(folder: Path, scenes: int = 6) -> None:
    """A run with a scene done, one in part, one failed, and others that wait."""
    with Ledger(folder / NAME, RUN) as ledger:
        ledger.add(entry(f"{number}.tif", size=2_000_000) for number in range(scenes))
        done, part, failed = ledger.claim(3)
        ledger.finish([Done(done.number, "c", document("0.tif"), px=4_000_000)])
        ledger.finish([Done(part.number, "d", document("1.tif", 0.5), failure=ODD, px=1_000_000)])
        ledger.finish([Done(failed.number, failure=Failure("2.tif is no image", "leave it out", transient=True))])


def files(folder: Path) -> dict[str, bytes]:
    """All files there, but for SQLite's shared memory."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".sqlite-shm"
    }


def test_a_run_that_has_ended_is_told_of(tmp_path: Path) -> None:
    begin(tmp_path)
    before = files(tmp_path)
    (run,) = as_json(status_of(tmp_path))["runs"]
    assert run["scenes"] == {"waiting": 3, "done": 1, "partial": 1, "failed": 1, "running": 0, "total": 6}
    assert (run["run"], run["model"], run["alive"], run["workers"]) == (RUN, "toy 1", False, [])
    assert (run["bytes_total"], run["bytes_left"], run["px"]) == (12_000_000, 6_000_000, 5_000_000)
    assert run["seconds_left"] is None
    assert run["failures"] == [
        {
            "place": "/archive/a/2.tif", "state": "failed", "cause": "2.tif is no image", "mend": "leave it out",
            "transient": True,
        },
        {
            "place": "/archive/a/1.tif", "state": "partial", "cause": "a part is gone", "mend": "get it again",
            "transient": False,
        },
    ]  # fmt: skip
    assert files(tmp_path) == before
    assert as_json(status_of(tmp_path / NAME)) == as_json(status_of(tmp_path))


def test_a_living_run_and_a_dead_one_differ_by_their_workers(tmp_path: Path) -> None:
    begin(tmp_path)
    with holder(tmp_path, 2) as process:
        (status,) = status_of(tmp_path)
        ((peer, scenes),) = status.workers
        assert (peer.pid, peer.alive, scenes, status.lives) == (process.pid, True, 2, True)
    before = files(tmp_path)
    assert wal_of(tmp_path / NAME).exists(), "it was killed"
    for _ in range(2):
        (status,) = status_of(tmp_path)
        ((dead, scenes),) = status.workers
        assert (dead.pid, dead.host, dead.alive, scenes, status.lives) == (peer.pid, peer.host, False, 2, False)
        assert (status.tally.waiting, status.tally.elsewhere) == (1, 2)
    assert files(tmp_path) == before
    for path in (tmp_path / WORKERS).iterdir():
        path.unlink()
    (status,) = status_of(tmp_path)
    assert [(gone.token, gone.alive, gone.pid) for gone, _ in status.workers] == [(peer.token, False, None)]
    assert f"worker  {peer.token}: dead, has 2 scenes" in as_text([status])


def test_nobody_waits_for_a_look_nor_a_look_for_anybody(tmp_path: Path) -> None:
    begin(tmp_path)
    with (
        Ledger(tmp_path / NAME, RUN) as ledger,
        closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as busy,
    ):
        busy.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        (status,) = status_of(tmp_path)
        busy.execute("ROLLBACK")
        assert status.tally.waiting == 3
        claimed = look(tmp_path / NAME, lambda _: ledger.claim(2))
        assert time.monotonic() - begun < 20, "of the minute after which waiting is given up"
        assert [task.name for task in claimed] == ["3.tif", "4.tif"]


def test_a_look_at_a_ledger_that_is_opened_meanwhile_is_taken_again(tmp_path: Path) -> None:
    begin(tmp_path)
    opened: list[Ledger] = []

    def ask(database: sqlite3.Connection) -> int:
        if not opened:
            opened.append(Ledger(tmp_path / NAME, RUN))
            opened[0].add([entry("new.tif")])
        return int(database.execute("SELECT count(*) FROM scenes").fetchone()[0])

    assert look(tmp_path / NAME, ask) == 7
    opened[0].close()


def test_a_folder_that_is_read_only_is_told_of_and_left_as_it_is() -> None:
    """To root nothing is read-only: the look is another user's."""
    with tempfile.TemporaryDirectory() as name:  # tmp_path is for its owner alone
        folder = Path(name)
        begin(folder)
        for died in (False, True):
            if died:
                with holder(folder, 1):
                    pass
            folder.chmod(0o555)
            before = sorted(path.name for path in folder.iterdir())
            here, there = PROCESSES.Pipe()
            with closing(here), closing(there):
                process = PROCESSES.Process(target=look_only, args=(folder, there))
                process.start()
                told = here.recv()
                process.join()
            folder.chmod(0o755)
            assert told == as_json(status_of(folder))
            assert told["runs"][0]["scenes"]["running"] == died
            assert sorted(path.name for path in folder.iterdir()) == before


def test_the_rate_is_that_of_the_last_minute_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [1000.0, 1001.0, 5000.0, 5004.0, 5010.0, 5010.0]  # a night lies between
    with Ledger(tmp_path / NAME, RUN) as ledger:
        ledger.add(entry(f"{number}.tif") for number in range(9))
        for end in ends:
            (task,) = ledger.claim(1)
            monkeypatch.setattr(time, "time", lambda end=end: end)
            ledger.finish([Done(task.number, str(task.number), document("x"), px=1000)])
        (status,) = status_of(tmp_path)
    assert status.rate
    assert (status.rate.scenes_per_s, status.rate.px_per_s, status.last) == (0.3, 300.0, 5010.0)
    assert status.seconds_left == pytest.approx(10)
    assert as_json([status])["runs"][0]["last_ended"] == "1970-01-01T01:23:30+00:00"


def test_a_clock_that_was_set_back_makes_no_rate_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = itertools.count(10_000.0, -100.0)
    with Ledger(tmp_path / NAME, RUN) as ledger:
        ledger.add(entry(f"{number}.tif") for number in range(3))
        monkeypatch.setattr(time, "time", lambda: next(times))
        for task in ledger.claim(3):
            ledger.finish([Done(task.number, failure=ODD)])
    (status,) = status_of(tmp_path)
    assert status.rate is None
    assert as_json([status])["runs"][0]["scenes_per_s"] is None


def test_the_run_that_was_last_at_work_comes_last(tmp_path: Path) -> None:
    begin(tmp_path)
    with Ledger(tmp_path / NAME, "other run") as other:
        other.add([entry("a.tif")])
        (task,) = other.claim(1)
        other.finish([Done(task.number, failure=ODD)])
    with Ledger(tmp_path / NAME, "an empty run"):
        pass
    assert [status.run for status in status_of(tmp_path)] == [RUN, "other run"]
    with holder(tmp_path, 1):
        found = status_of(tmp_path)
    assert [status.run for status in found] == ["other run", RUN]


def test_people_are_told_in_a_few_lines(tmp_path: Path) -> None:
    begin(tmp_path)
    with Ledger(tmp_path / NAME, RUN):
        text = as_text(status_of(tmp_path))
    assert text.startswith("toy 1 (run rrrrrrrrrrrr): at work")
    assert "scenes  6: 1 done, 1 in part, 1 failed, 0 running, 3 waiting" in text
    assert "data    6.0 of 12.0 MB, 5.0 MP" in text
    assert f"process {os.getpid()} on {os.uname().nodename}" in text
    assert "failed  /archive/a/2.tif: 2.tif is no image; leave it out" in text
    assert "nobody is at work; the last scene ended at 2" in as_text(status_of(tmp_path))
    assert as_text([]) == "nothing has been listed yet"


def test_what_is_told_is_json_even_before_anything_is_scored(tmp_path: Path) -> None:
    with Ledger(tmp_path / NAME, RUN) as ledger:
        (empty,) = as_json(status_of(tmp_path))["runs"]
        ledger.add([entry("a.tif")])
        (begun,) = json.loads(json.dumps(as_json(status_of(tmp_path))))["runs"]
        text = as_text(status_of(tmp_path))
    assert (empty["scenes"]["total"], begun["scenes"]["total"], begun["model"]) == (0, 1, None)
    assert "no result yet" in text
    assert "rate" not in text
    assert "not begun" in as_text(status_of(tmp_path))


def _nothing(_: Path) -> None:
    """Leave the folder empty."""


def _other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (x)")


def _newer(path: Path) -> None:
    begin(path.parent)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")


def _damaged(path: Path) -> None:
    begin(path.parent)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (_nothing, "has no ledger of a bulk run; give the folder that was the run's --out"),
        (lambda path: path.write_text("no ledger"), "is no ledger of a bulk run"),
        (_other, "is a database, but no ledger of a bulk run"),
        (_newer, "is of version 99, from a newer tanker-edge"),
        (_damaged, "is damaged"),
    ],
)
def test_where_there_is_no_ledger_that_can_be_read_it_is_said(tmp_path: Path, make: Any, cause: str) -> None:  # noqa: ANN401
    make(tmp_path / NAME)
    with pytest.raises(InputError, match=cause):
        status_of(tmp_path)
