"""Threads that scans share: lanes take turns, and one that ends, fails or is cancelled holds up no other."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, deque
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.workers import FairPool, be_patient, own_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Label = tuple[int, int]
"""Number of a lane, and of a task on it."""
SOON_S = 10


@dataclass
class Log:
    """What ran, in order; tasks may be held up."""

    begun: list[Label] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def task(self, label: Label) -> Label:
        with self._lock:
            self.begun.append(label)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        time.sleep(0)
        with self._lock:
            self.running -= 1
        return label


@contextmanager
def _pool(threads: int = 1, name: str = "fair", nice: int = 0) -> Iterator[FairPool]:
    pool = FairPool(threads, name, nice)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def _blocked(pool: FairPool, threads: int = 1) -> Iterator[None]:
    """All threads of a pool are busy inside the block."""
    gate, ready, lane = threading.Event(), threading.Semaphore(0), pool.lane()

    def hold() -> None:
        ready.release()
        assert gate.wait(SOON_S)

    held = [lane.submit(hold) for _ in range(threads)]
    for _ in held:
        assert ready.acquire(timeout=SOON_S)
    try:
        yield
    finally:
        gate.set()
        for future in held:
            future.result(SOON_S)


def _ends(call: Callable[[], object]) -> bool:
    """Whether a call comes back; it runs in a thread that may be left behind."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(SOON_S)
    return not thread.is_alive()


def _in_turn(order: Sequence[int]) -> list[Label]:
    """Tasks in the order in which they should run, of lanes in the order in which they were submitted."""
    lanes: dict[int, deque[Label]] = {}
    for lane in order:
        queue = lanes.setdefault(lane, deque())
        queue.append((lane, len(queue)))
    ready, expected = deque(lanes.values()), []
    while ready:
        queue = ready.popleft()
        expected.append(queue.popleft())
        if queue:
            ready.append(queue)
    return expected


# --- turns ---


def test_a_task_of_a_new_lane_waits_for_one_task_of_each_other() -> None:
    log = Log()
    with _pool() as pool:
        large, small = pool.lane(), pool.lane()
        with _blocked(pool):
            futures = [large.submit(log.task, (0, i)) for i in range(50)]
            futures.append(small.submit(log.task, (1, 0)))
        wait_for(futures, SOON_S)
    assert log.begun.index((1, 0)) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=40))
def test_lanes_take_turns_a_task_each(order: list[int]) -> None:
    log = Log()
    with _pool() as pool:
        lanes = [pool.lane() for _ in range(5)]
        with _blocked(pool):
            numbers: Counter[int] = Counter()
            futures = []
            for lane in order:
                futures.append(lanes[lane].submit(log.task, (lane, numbers[lane])))
                numbers[lane] += 1
            assert pool.waiting == len(order)
        wait_for(futures, SOON_S)
        assert pool.waiting == 0
    assert log.begun == _in_turn(order)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(1, 4))
def test_each_task_runs_once_and_no_more_run_than_there_are_threads(sizes: list[int], threads: int) -> None:
    log = Log()
    with _pool(threads) as pool:
        done: dict[int, list[Label]] = {}

        def scan(lane: int) -> None:
            with pool.lane() as mine:
                done[lane] = list(mine.map(log.task, [(lane, i) for i in range(sizes[lane])]))

        scans = [threading.Thread(target=scan, args=(lane,)) for lane in range(len(sizes))]
        for thread in scans:
            thread.start()
        for thread in scans:
            thread.join(SOON_S)
    assert done == {lane: [(lane, i) for i in range(size)] for lane, size in enumerate(sizes)}
    assert max(Counter(log.begun).values(), default=1) == 1
    assert log.most_running <= threads


def test_a_lane_may_use_all_threads_when_it_is_alone() -> None:
    together = threading.Barrier(3, timeout=SOON_S)
    with _pool(3) as pool, pool.lane() as lane:
        assert sorted(lane.map(lambda _: together.wait(), range(3))) == [0, 1, 2]


# --- ends ---


def test_a_lane_that_ends_leaves_the_others_alone() -> None:
    log = Log()
    with _pool() as pool:
        ending, other = pool.lane(), pool.lane()
        with _blocked(pool):
            lost = [ending.submit(log.task, (0, i)) for i in range(5)]
            kept = [other.submit(log.task, (1, i)) for i in range(5)]
            ending.shutdown(wait=False, cancel_futures=True)
            assert pool.waiting == 5
        wait_for(kept, SOON_S)
        assert all(future.cancelled() for future in lost)
        assert log.begun == [(1, i) for i in range(5)]
        with pool.lane() as later:
            assert later.submit(log.task, (2, 0)).result(SOON_S) == (2, 0)


def test_a_lane_is_let_go_of_though_tasks_on_it_were_cancelled() -> None:
    """As a scan does that is stopped: what has not begun is cancelled, what runs is waited for."""
    gate, begun = threading.Event(), threading.Event()
    with _pool() as pool:
        lane = pool.lane()

        def run() -> None:
            begun.set()
            assert gate.wait(SOON_S)

        running = lane.submit(run)
        waiting = [lane.submit(run) for _ in range(3)]
        assert begun.wait(SOON_S)
        ended = threading.Thread(target=lane.shutdown, kwargs={"wait": True, "cancel_futures": True}, daemon=True)
        ended.start()
        wait_for(waiting, SOON_S)
        assert ended.is_alive(), "it waits for what runs"
        gate.set()
        ended.join(SOON_S)
        assert not ended.is_alive()
        assert running.done()
        assert not running.cancelled()
        assert all(future.cancelled() for future in waiting)


def test_a_task_that_its_owner_cancels_does_not_run() -> None:
    log = Log()
    with _pool() as pool:
        lane = pool.lane()
        with _blocked(pool):
            futures = [lane.submit(log.task, (0, i)) for i in range(3)]
            assert futures[1].cancel()
        assert _ends(lambda: lane.shutdown(wait=True))
    assert log.begun == [(0, 0), (0, 2)]


def test_shutdown_waits_for_all_that_was_submitted() -> None:
    log = Log()
    with _pool(2) as pool:
        with pool.lane() as lane:
            for i in range(20):
                lane.submit(log.task, (0, i))
        assert len(log.begun) == 20


def test_an_empty_lane_ends_at_once() -> None:
    with _pool() as pool:
        pool.lane().shutdown(wait=True, cancel_futures=True)


def test_closing_a_pool_ends_what_runs_and_cancels_what_waits() -> None:
    gate, begun = threading.Event(), threading.Event()
    pool = FairPool(1)
    lane, other = pool.lane(), pool.lane()

    def run() -> str:
        begun.set()
        assert gate.wait(SOON_S)
        return "done"

    running = lane.submit(run)
    assert begun.wait(SOON_S)
    waiting = [lane.submit(run), other.submit(run)]
    closing = threading.Thread(target=pool.close)
    closing.start()
    for future in waiting:
        with pytest.raises(CancelledError):
            future.result(SOON_S)
    gate.set()
    closing.join(SOON_S)
    assert not closing.is_alive()
    assert running.result(0) == "done"
    assert _ends(lambda: lane.shutdown(wait=True))
    assert not any(thread.is_alive() for thread in pool._threads)


def test_a_closed_pool_takes_nothing_and_says_so() -> None:
    pool = FairPool(1)
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.lane().submit(print)
    pool.close()


# --- errors ---


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_what_a_task_fails_with_is_its_owners(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with _pool() as pool, pool.lane() as lane:
        failed: Future[None] = lane.submit(fail)
        assert failed.exception(SOON_S) is error
        assert lane.submit(lambda: 5).result(SOON_S) == 5, "the thread goes on"


def test_map_gives_the_first_error_and_cancels_the_rest() -> None:
    def fail(i: int) -> int:
        if i == 1:
            raise ValueError(i)
        return i

    with _pool() as pool, pool.lane() as lane:
        results = lane.map(fail, range(4))
        assert next(results) == 0
        with pytest.raises(ValueError, match="1"):
            next(results)


# --- threads ---


def test_threads_are_named_after_what_they_do() -> None:
    with _pool(2, "request") as pool, pool.lane() as lane:
        assert lane.submit(lambda: threading.current_thread().name).result(SOON_S).startswith("request-")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no niceness")
def test_patient_threads_are_nice_and_nobody_else_is() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    mine = niceness()
    nicer = min(mine + 3, 19)
    with _pool(1, nice=nicer) as pool, pool.lane() as lane:
        assert lane.submit(niceness).result(SOON_S) == nicer
    with _pool() as pool, pool.lane() as lane:
        assert lane.submit(niceness).result(SOON_S) == mine
    assert niceness() == mine


def test_a_system_that_forbids_niceness_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse, raising=False)
    be_patient(5)


def test_own_lanes_are_for_one_caller_each() -> None:
    lanes = own_lanes(2, "mine")
    with lanes() as first, lanes() as second:
        assert first is not second
        assert first.submit(lambda: threading.current_thread().name).result(SOON_S).startswith("mine")
