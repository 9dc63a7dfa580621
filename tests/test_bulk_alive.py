"""Who lives, told by locks: kills, stops, forks, other clocks and numbers, and sweepers beside starters."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.bulk import alive as module
from edge.bulk.alive import Worker, alive, peers, sweep
from edge.bulk.locks import Exclusive, LockFile
from edge.errors import OutputError
from tests.ledger_workers import PROCESSES, RUN, have, live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.context import ForkServerProcess


@contextmanager
def process(target: Callable[..., None], place: Path) -> Iterator[tuple[ForkServerProcess, Any]]:
    """A process, with what it has told; it is killed at the end."""
    here, there = PROCESSES.Pipe()
    started = PROCESSES.Process(target=target, args=(place, there), daemon=True)
    started.start()
    try:
        yield started, here.recv()
    finally:
        started.kill()
        started.join()
        started.close()
        here.close()
        there.close()


def _state(number: int | None) -> str:
    """Of a process, as proc(5) has it."""
    return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_a_worker_lives_until_it_is_closed(tmp_path: Path) -> None:
    with closing(Worker(tmp_path / "workers", RUN)) as worker, closing(Worker(tmp_path / "workers", "other")) as other:
        assert alive(tmp_path / "workers", worker.token)
        assert {(peer.token, peer.alive, peer.run) for peer in peers(tmp_path / "workers")} == {
            (worker.token, True, RUN), (other.token, True, "other"),
        }  # fmt: skip
    assert not alive(tmp_path / "workers", worker.token)
    assert peers(tmp_path / "workers") == []


def test_a_peer_tells_who_it_is(tmp_path: Path) -> None:
    before = time.time()
    with closing(Worker(tmp_path, RUN)):
        (peer,) = peers(tmp_path)
    assert (peer.pid, peer.host, peer.machine) == (os.getpid(), os.uname().nodename, module.machine())
    assert peer.since is not None
    assert before <= peer.since <= time.time()


def test_a_killed_worker_is_dead_though_its_child_lives_on(tmp_path: Path) -> None:
    with process(live, tmp_path) as (worker, (child, token)):
        assert alive(tmp_path, token)
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        try:
            os.kill(child, 0)  # it is there
            assert not alive(tmp_path, token)
        finally:
            os.kill(child, signal.SIGKILL)
    (peer,) = peers(tmp_path)
    assert (peer.token, peer.alive) == (token, False)


def test_a_stopped_worker_lives(tmp_path: Path) -> None:
    with process(live, tmp_path) as (worker, (child, token)):
        os.kill(worker.pid or 0, signal.SIGSTOP)
        while _state(worker.pid) != "T":
            time.sleep(0.001)
        assert alive(tmp_path, token)
        sweep(tmp_path)
        assert alive(tmp_path, token)
        os.kill(child, signal.SIGKILL)


def test_neither_numbers_of_processes_nor_clocks_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"run": RUN, "pid": os.getpid(), "host": "here", "machine": module.machine(), "since": time.time() + 1e6}
    (tmp_path / "dead").write_text(json.dumps(about), encoding="utf-8")
    for now in (0.0, 1e12):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with closing(Worker(tmp_path, RUN)) as worker:
            assert alive(tmp_path, worker.token)
            assert not alive(tmp_path, "dead"), "this process has its number, and no lock"


def test_only_the_dead_are_swept_and_not_those_who_are_to_be_kept(tmp_path: Path) -> None:
    for name in ("dead", "kept", ".opening"):
        (tmp_path / name).touch()
    with closing(Worker(tmp_path, RUN)) as worker:
        sweep(tmp_path, {"kept"})
        assert {path.name for path in tmp_path.iterdir()} == {worker.token, "kept", ".opening"}


def test_workers_start_while_others_sweep(tmp_path: Path) -> None:
    over = threading.Event()

    def sweeping() -> None:
        while not over.is_set():
            sweep(tmp_path)

    sweepers = [threading.Thread(target=sweeping) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        workers = [Worker(tmp_path, RUN) for _ in range(150)]
        assert all(alive(tmp_path, worker.token) for worker in workers)
        assert {worker.token for worker in workers} == {peer.token for peer in peers(tmp_path)}
    finally:
        over.set()
        for sweeper in sweepers:
            sweeper.join()
    for worker in workers:
        worker.close()
    assert peers(tmp_path) == []


def test_a_worker_swept_before_it_has_its_lock_takes_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []
    lock = LockFile.lock

    def late(self: LockFile, how: int) -> bool:
        if how == fcntl.LOCK_EX and not swept:
            swept.extend(path.name for path in tmp_path.iterdir())
            sweep(tmp_path)
        return lock(self, how)

    monkeypatch.setattr(LockFile, "lock", late)
    with closing(Worker(tmp_path, RUN)) as worker:
        assert len(swept) == 1
        assert worker.token not in swept
        assert [peer.token for peer in peers(tmp_path)] == [worker.token]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"colour": 1}', "\udcff"])
def test_a_file_that_says_nothing_is_of_a_worker_all_the_same(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").write_bytes(text.encode("utf-8", "surrogateescape"))
    (peer,) = peers(tmp_path)
    assert (peer.token, peer.alive, peer.pid, peer.run) == ("odd", False, None, None)


def test_where_nobody_was_there_is_nobody(tmp_path: Path) -> None:
    assert peers(tmp_path / "absent") == []
    assert not alive(tmp_path / "absent", "anybody")
    sweep(tmp_path / "absent")


def test_a_lock_has_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = Exclusive(tmp_path / "lock"), Exclusive(tmp_path / "lock")
    assert first.take(wait=False)
    assert not second.take(wait=False)
    taken = threading.Thread(target=second.take)
    taken.start()
    assert not Exclusive(tmp_path / "lock").take(wait=False)
    first.give()
    taken.join()
    with closing(LockFile(tmp_path / "lock", os.O_RDONLY)) as probe:
        assert not probe.lock(fcntl.LOCK_SH | fcntl.LOCK_NB)
        second.give()
        assert probe.lock(fcntl.LOCK_SH | fcntl.LOCK_NB)
    second.give()  # once more is no harm


def test_who_is_killed_lets_go_of_the_lock(tmp_path: Path) -> None:
    lock = Exclusive(tmp_path / "lock")
    with process(have, tmp_path / "lock") as (holder, has_it):
        assert has_it
        assert not lock.take(wait=False)
        os.kill(holder.pid or 0, signal.SIGKILL)
        with lock:  # waits for the end of it
            assert not Exclusive(tmp_path / "lock").take(wait=False)


def test_a_lock_that_cannot_be_had_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"absent.*cannot be locked"):
        Exclusive(tmp_path / "absent" / "lock").take()

    def lockless(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", lockless)
    with pytest.raises(OutputError, match=r"No locks available.*on a disk of this machine"):
        Exclusive(tmp_path / "lock").take()
    with pytest.raises(OutputError, match="No locks available"):
        Worker(tmp_path / "workers", RUN)
