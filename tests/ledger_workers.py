"""Processes that work on ledgers, for the tests: forked from a server that has imported what they need."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import resource
import signal
from typing import TYPE_CHECKING, Any

from edge.bulk.alive import Worker
from edge.bulk.entry import Entry, Place
from edge.bulk.ledger import Ledger
from edge.bulk.locks import Exclusive
from edge.bulk.status import as_json, status_of
from edge.bulk.task import Done, Failure
from edge.errors import OutputError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from edge.bulk.task import Task

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["edge.bulk.ledger", "edge.bulk.status"])
RUN = "r" * 64
NOBODY = 65534


def entry(name: str, folder: str = "/archive/a", **known: Any) -> Entry:  # noqa: ANN401 - fields of Entry
    return Entry(Place(f"{folder}/{name}"), name, **{"size": 100, **known})


def document(name: str, coverage: float = 1.0, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - of any kind
    """As much of one as the ledger looks at."""
    failed = round(4 * (1 - coverage))
    tiles = {"planned": 4, "scored": 4 - failed, "skipped": 0, "failed": failed}
    model = {"name": "toy", "version": "1"}
    return {"scene": name, "coverage": coverage, "tiles": tiles, "seconds": {"total": 0.1}, "model": model, **more}


def content_of(task: Task) -> str:
    """A hash; those of the scenes whose numbers differ by half of 100 are the same."""
    return hashlib.sha256(str(int(task.name.split(".")[0]) % 50).encode()).hexdigest()


def done_of(task: Task, *, known: bool = False) -> Done:
    """What always becomes of a task: a failure of each seventh scene, and documents of the others."""
    if int(task.name.split(".")[0]) % 7 == 0:
        return Done(task.number, failure=Failure(f"{task.place} is odd", "make it even"))
    content = content_of(task)
    scored = None if known else document(task.name, vessels=int(content[:4], 16))
    return Done(task.number, content, scored, known=known, px=100, seconds=0.5)


def work(path: Path, most: int) -> None:
    """Work on a ledger until nothing of it waits."""
    with Ledger(path, RUN) as ledger:
        while tasks := ledger.claim(most):
            for task in tasks:
                ledger.finish([done_of(task, known=ledger.known(content_of(task), None))])


def hold(path: Path, most: int, told: Connection) -> None:
    """Claim scenes of a ledger, say which, and wait to be killed."""
    ledger = Ledger(path, RUN)
    told.send([task.number for task in ledger.claim(most)])
    told.recv()


def live(folder: Path, told: Connection) -> None:
    """Be a worker, and leave a child behind that would live on; tell the child's number and the worker's token."""
    worker = Worker(folder, RUN)
    ready, set_ready = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(set_ready, b"!")
        signal.pause()
    os.read(ready, 1)
    told.send((child, worker.token))
    told.recv()


def have(path: Path, told: Connection) -> None:
    """Take a lock, say so, and wait to be killed."""
    lock = Exclusive(path)
    told.send(lock.take(wait=False))
    told.recv()


def fill(path: Path, room: int, told: Connection) -> None:
    """Enter and end scenes until files may not grow; tell the error, and how many were said to be entered and ended."""
    entered = ended = 0
    with Ledger(path, RUN) as ledger:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            while True:
                entered += ledger.add(entry(f"{entered + k}.tif") for k in range(100)).new
                tasks = ledger.claim(20)
                ledger.finish([done_of(task) for task in tasks])
                ended += len(tasks)
        except OutputError as error:
            told.send((str(error), entered, ended))


def look_only(folder: Path, told: Connection) -> None:
    """Tell the status of a ledger's folder as a user who may not write there."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        (folder / "touched").touch()
    except OSError:
        told.send(as_json(status_of(folder)))
    else:
        told.send("could write")
