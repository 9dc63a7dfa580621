"""Threads that run networks: a scan's own, or some that several scans share and take turns on.

A scan asks for a lane wherever it has work, and closes it after; a lane is a `concurrent.futures.Executor`. Lanes of a
FairPool are served in turn, a task each: a scan of a thousand tiles holds up one of a single tile by no more than the
tasks that are running.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Lanes = Callable[[], Executor]
"""Gives an executor that the caller shuts down when its work is done."""


def own_lanes(threads: int, name: str) -> Lanes:
    """Executors of so many threads, each for one caller alone."""
    return lambda: ThreadPoolExecutor(threads, thread_name_prefix=name)


def be_patient(nice: int) -> None:
    """Let the calling thread, and those that it starts from now on, yield to others (Linux; elsewhere nothing happens).

    On Linux a niceness belongs to a thread and its children inherit it, whatever POSIX says: see sched(7).
    """
    if nice and hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        except OSError:  # a system that has no niceness of threads, or forbids it: work goes on, less politely
            return


@dataclass(frozen=True, slots=True)
class _Task:
    """A call that waits for its turn."""

    future: Future[Any]
    call: Callable[[], Any]

    def run(self) -> None:
        """Run it, unless it was cancelled meanwhile."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call()
        except BaseException as error:  # noqa: BLE001 - it is the waiting thread's, as in ThreadPoolExecutor
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def cancel(self) -> None:
        """Cancel it where it waits no more, and say so: `concurrent.futures.wait` goes by what is said."""
        if self.future.cancel():
            self.future.set_running_or_notify_cancel()


class FairPool:
    """A fixed number of threads that lanes share; safe to use from several threads."""

    def __init__(self, threads: int, name: str = "fair", nice: int = 0) -> None:
        """Start the threads.

        Args:
            threads: how many.
            name: prefix of their names.
            nice: how far they yield to other threads of the machine, 0 to 19.
        """
        self._ready: deque[_Lane] = deque()
        """Lanes that have waiting tasks, each once; the first is served next."""
        self._change = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(nice,), name=f"{name}-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def lane(self) -> Executor:
        """A new lane; shut it down when its work is done."""
        return _Lane(self)

    @property
    def waiting(self) -> int:
        """Tasks that no thread has begun."""
        with self._change:
            return sum(len(lane.tasks) for lane in self._ready)

    def close(self) -> None:
        """End the threads after what they are running; what waits is cancelled."""
        with self._change:
            self._closed = True
            left = [task for lane in self._ready for task in lane.tasks]
            for lane in self._ready:
                lane.tasks.clear()
            self._ready.clear()
            self._change.notify_all()
        for task in left:
            task.cancel()
        for thread in self._threads:
            thread.join()

    def add(self, lane: _Lane, task: _Task) -> None:
        """Queue a task on a lane."""
        with self._change:
            if self._closed:
                message = "the pool is closed"
                raise RuntimeError(message)
            if not lane.tasks:
                self._ready.append(lane)
            lane.tasks.append(task)
            self._change.notify()

    def drop(self, lane: _Lane) -> None:
        """Cancel what waits on a lane."""
        with self._change:
            left = list(lane.tasks)
            lane.tasks.clear()
            if left:
                self._ready.remove(lane)
        for task in left:
            task.cancel()

    def _work(self, nice: int) -> None:
        """Run tasks, lane after lane, until the pool is closed."""
        be_patient(nice)
        while (task := self._next()) is not None:
            task.run()

    def _next(self) -> _Task | None:
        """Wait for a task; None when the pool is closed."""
        with self._change:
            while not self._ready and not self._closed:
                self._change.wait()
            if not self._ready:
                return None
            lane = self._ready.popleft()
            task = lane.tasks.popleft()
            if lane.tasks:  # behind all others
                self._ready.append(lane)
            return task


class _Lane(Executor):
    """What one scan puts into a FairPool."""

    def __init__(self, pool: FairPool) -> None:
        self.tasks: deque[_Task] = deque()
        """Not begun; the pool's lock guards them."""
        self._pool = pool
        self._mine: set[Future[Any]] = set()
        """Not done."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call behind this lane's others."""
        future: Future[T] = Future()
        self._mine.add(future)
        future.add_done_callback(self._mine.discard)
        self._pool.add(self, _Task(future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - Executor's
        """Wait for what was submitted, or cancel what has not begun; the pool goes on."""
        if cancel_futures:
            self._pool.drop(self)
        if wait:
            wait_for(list(self._mine))
