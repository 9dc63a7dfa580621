"""Batches from calls of several threads: whoever finds the network free runs all that wait, in one go.

For runtimes that gain from batches only (`edge.session.BATCHED`). Nobody waits for a batch to fill: a network that is
idle runs what comes at once, and a busy one finds its next batch when it is done. So batches grow with the load.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.session import BATCHED

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.detector import Detector
    from edge.session import Session


MOST_AT_ONCE = 8
"""Images in a batch of the server. A guess: no GPU was at hand to measure it on."""


@dataclass(slots=True, eq=False)
class _Call:
    """What one thread wants of the network."""

    batch: NDArray[Any]
    woken: threading.Event = field(default_factory=threading.Event)
    """Set when it is done, or when it is its turn to lead."""
    rows: Future[NDArray[np.float32]] = field(default_factory=Future)

    def fits(self, other: _Call) -> bool:
        """Whether both can be of one batch."""
        return self.batch.shape[1:] == other.batch.shape[1:] and self.batch.dtype == other.batch.dtype


class Batcher:
    """A `Session.forward` that runs calls of several threads together; each gets the rows of its own images.

    First come, first served: a batch is that of the call that has waited longest, with those behind it that fit. Its
    size is a power of two where more than one call is in it, as runtimes prepare themselves for each size anew (cuDNN
    searches for kernels, TensorRT may even build its engine again): there are few sizes to prepare for.
    """

    def __init__(self, forward: Callable[[NDArray[Any]], NDArray[np.float32]], most: int) -> None:
        """Run by `forward`, images (n, ...) -> rows (n, ...), at most `most` images at once.

        A call of more images than that runs alone, as it is.
        """
        self._forward, self._most = forward, most
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._busy = False

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Run images (n, ...) -> their rows (n, ...).

        Raises:
            Exception: whatever the network failed with on these images.
        """
        call = _Call(batch)
        with self._lock:
            self._waiting.append(call)
            leads, self._busy = not self._busy, True
        if not leads:
            call.woken.wait()
        if not call.rows.done():
            self._lead()
        return call.rows.result()

    def _lead(self) -> None:
        """Run the first call that waits, the caller's own, with those that fit; then hand the network on."""
        with self._lock:
            calls = self._take()
        self._run(calls)
        with self._lock:
            heir = self._waiting[0] if self._waiting else None
            self._busy = heir is not None
        for call in [*calls, *([heir] if heir else [])]:
            call.woken.set()

    def _take(self) -> list[_Call]:
        """The calls of the next batch."""
        first = self._waiting[0]
        taken, size, full = [first], len(first.batch), 1
        for call in list(self._waiting)[1:]:
            if first.fits(call):
                size += len(call.batch)
                if size > self._most:
                    break
                taken.append(call)
                full = len(taken) if size.bit_count() == 1 else full
        for call in taken[:full]:
            self._waiting.remove(call)
        return taken[:full]

    def _run(self, calls: list[_Call]) -> None:
        """Answer all calls. Where a batch fails, each runs alone: one must not suffer from its neighbours."""
        try:
            _answer(self._forward, calls)
        except BaseException as error:  # noqa: BLE001 - it is raised where the call came from
            if len(calls) == 1:
                calls[0].rows.set_exception(error)
                return
            for call in calls:
                self._run([call])


def _answer(forward: Callable[[NDArray[Any]], NDArray[np.float32]], calls: list[_Call]) -> None:
    """Run calls as one batch, and share out its rows."""
    if len(calls) == 1:
        calls[0].rows.set_result(forward(calls[0].batch))
        return
    ends = np.cumsum([len(call.batch) for call in calls])
    rows = forward(np.concatenate([call.batch for call in calls]))
    if len(rows) != ends[-1]:
        message = f"{ends[-1]} images got {len(rows)} answers"
        raise ValueError(message)
    for call, part in zip(calls, np.split(rows, ends[:-1]), strict=True):
        call.rows.set_result(part)


def batched(detector: Detector, most: int) -> Detector:
    """The same model, whose networks run calls of several threads as batches where their provider gains from that.

    For the server: wrap the model where it is loaded, `Served(lambda: batched(load_detector(...), most), verify)`, so
    that a model that is swapped in is wrapped too. A batch is made of calls that are under way at the same time, a
    thread each: with these providers give the server's pool (`Settings.threads`) `most` threads, not one a core.

    Args:
        detector: a loaded model; unchanged if its provider is given one image at a time anyway.
        most: images in a batch, as memory allows; a power of two.
    """
    if detector.provider not in BATCHED:
        return detector
    teller = detector.teller
    if teller is not None:
        teller = replace(teller, session=_shared(teller.session, most))
    return replace(detector, finder=_shared(detector.finder, most), teller=teller)


def _shared(session: Session, most: int) -> Session:
    return replace(session, forward=Batcher(session.forward, most))
