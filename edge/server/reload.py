"""Another model on the way: loaded and tried in threads that hold up nothing, the server's end included."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from edge.errors import TankerEdgeError
from edge.golden import verify
from edge.server.core import PATIENCE
from edge.workers import be_patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.detector import Detector
    from edge.server.served import Served

T = TypeVar("T")

LOG = logging.getLogger(__name__)


def aside(name: str, call: Callable[[], T]) -> Future[T]:
    """Run a call in a thread of its own that no exit waits for; the threads of an executor would be waited for."""
    told: Future[T] = Future()
    told.set_running_or_notify_cancel()  # who no longer waits for it cannot cancel it

    def run() -> None:
        try:
            told.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is the waiting thread's, as in ThreadPoolExecutor
            told.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return told


def verify_patiently(detector: Detector) -> list[str]:
    """Replay the golden answers of a model that is to take the place of another, behind what clients wait for."""

    def patiently() -> list[str]:
        be_patient(PATIENCE)
        return verify(detector)

    return aside(
        "verify", patiently
    ).result()  # the caller's thread stays as it is: those of a runtime are its children


def reload(served: Served) -> None:
    """Load the model again; the old one goes on where that fails."""
    try:
        now = served.swap().detector
    except TankerEdgeError as error:
        LOG.error("model_refused", extra={"fields": {"error": str(error)}})  # noqa: TRY400 - told in its own words
    except Exception:
        LOG.exception("model_refused")
    else:
        facts = {"model": now.card.name, "model_version": now.card.version, "sha256": now.card.sha256}
        LOG.info("model_swapped", extra={"fields": {**facts, "provider": now.provider}})
