"""Scenes through one model in one process: several at a time, whose tiles share the threads that run the network.

A scene is read, planned and merged on the thread that asks for it; its tiles take turns with those of all others on one
FairPool. So reading, inference and writing overlap, small scenes fill the gaps that large ones leave, and with the
providers that gain from batches, tiles of several scenes make one. What is found does not depend on any of this.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.aoi import load_aoi
from edge.batching import MOST_AT_ONCE, batched
from edge.bulk.acquired import acquired
from edge.bulk.files import Files, is_transient
from edge.bulk.inputs_archive import read_again
from edge.bulk.inputs_base import ListOptions, Means, is_archive, path_of
from edge.bulk.settings import Settings, model_sha256, run_key
from edge.bulk.share import Share
from edge.bulk.stores import Stores
from edge.bulk.task import Done, Failure
from edge.detector import FULL, load_detector
from edge.document import build_document
from edge.errors import ModelError, OutputError, ProviderError, StoppedError, TankerEdgeError
from edge.model_card import load_card
from edge.pipeline import Hooks, raise_if_unseen, scan
from edge.scene import open_scene
from edge.session import BATCHED, cores
from edge.workers import FairPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.bulk.entry import Acquired
    from edge.bulk.files import Stored
    from edge.bulk.task import Task
    from edge.detector import Detector

    Known = Callable[[str, float | None], bool]
    """Whether a content, read at an own GSD or None, has its document already."""

LOG = logging.getLogger(__name__)
SPARE = 2
"""Scenes beyond one a thread: they are read while the others keep the networks busy."""
TRIES = 3
PAUSE_S = 1.0
"""Before the second try; twice as long before each further one."""
_FATAL = (ModelError, ProviderError, StoppedError, OutputError)
"""Not the scene's fault: the next one would fail too."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a Scorer, here or in another process."""

    model: Path
    """The model's folder."""
    settings: Settings = field(default_factory=Settings)
    provider: str = "cpu"
    precision: str = FULL
    threads: int = 0
    """That run networks; 0 for one a core."""
    tries: int = TRIES
    """Of a scene whose failure may be gone at the next one."""
    stores: Mapping[str, str] = field(default_factory=dict)
    """How stores are reached; see edge.bulk.stores."""

    def files(self) -> Files:
        """Where scenes are read from."""
        return Files(Stores(self.stores), self.settings.reading.max_pixels)

    def run_key(self) -> str:
        """Under which the results are kept; see `edge.bulk.settings`.

        Raises:
            ModelError: the model is not whole.
        """
        return run_key(model_sha256(load_card(self.model), self.provider, self.precision), self.settings)

    def scorer(self) -> Scorer:
        """Load the model and start the threads.

        Raises:
            ModelError: the model is not whole, or its precision did not pass its gate.
            ProviderError: the provider is not there, or does not run.
        """
        return Scorer(self, load_detector(self.model, self.provider, self.precision, self.threads))


@dataclass(frozen=True, slots=True)
class _Look:
    """What one try at a scene has found out."""

    content: str
    document: dict[str, Any] | None
    failure: Failure | None = None
    px: int = 0
    when: Acquired | None = None


class Scorer:
    """A loaded model and its threads; `score` may be called from several threads at once."""

    def __init__(self, recipe: Recipe, detector: Detector) -> None:
        """Start the threads; `close` ends them."""
        batches = detector.provider in BATCHED
        threads = recipe.threads or (MOST_AT_ONCE if batches else cores())
        self.detector = batched(detector, MOST_AT_ONCE)
        self.at_once = threads + SPARE
        """Scenes to have under way."""
        self._recipe = recipe
        self._files = recipe.files()
        self._pool = FairPool(threads, "infer")
        self._share = Share()
        self._stop = threading.Event()

    def score(self, task: Task, known: Known | None = None) -> Done:
        """Count a scene, and try again where that may help.

        Args:
            task: the scene.
            known: tells what need not be counted again.

        Returns:
            A document, or a failure that is the scene's, or both where a part of it could not be read.

        Raises:
            ModelError: the network is none of ours.
            ProviderError: the network failed.
            StoppedError: `stop` was called.
        """
        begun = time.perf_counter()
        for number in range(1, self._recipe.tries + 1):
            done = self._try(task, known)
            if done.failure is None or not done.failure.transient or number == self._recipe.tries:
                break
            LOG.warning("again", extra={"fields": {"place": str(task.place), "cause": done.failure.cause}})
            if self._stop.wait(PAUSE_S * 2 ** (number - 1)):
                break
        self._check_stopped(task)
        return replace(done, seconds=time.perf_counter() - begun, tries=number)

    def stop(self) -> None:
        """End what runs, within a tile; what begins later ends at once."""
        self._stop.set()
        self._share.open_wide()

    def close(self) -> None:
        """End what runs, and the threads."""
        self.stop()
        self._pool.close()
        self._files.close()

    def _check_stopped(self, task: Task) -> None:
        if self._stop.is_set():
            raise StoppedError(task.name, "was stopped before it was done", "start the same command again")

    def _try(self, task: Task, known: Known | None) -> Done:
        """Count a scene once; what goes wrong with it is a failure."""
        try:
            if not task.place.member and is_archive(path_of(task.place.base)):
                read_again(task.place.base, Means(ListOptions(), self._files.stores))
            with self._files.open(task.place, task.name) as file, self._share.of(_size(task, file)):
                self._check_stopped(task)
                try:
                    look = self._look(file, task, known)
                except TankerEdgeError as error:  # GDAL does not hand on why a read has failed
                    trouble = None if isinstance(file, Path) else file.trouble
                    raise error from (trouble or error.__cause__)
        except _FATAL:
            raise
        except (TankerEdgeError, OSError) as error:
            return Done(task.number, failure=failure_of(task, error))
        except Exception as error:  # what nobody foresaw ends one scene, and not the night's run
            LOG.exception("crashed", extra={"fields": {"place": str(task.place)}})
            cause = f"the program failed on it ({type(error).__name__}: {error})"
            return Done(task.number, failure=Failure(cause, "report it, with the file, as a fault of tanker-edge"))
        known_already = look.document is None
        return Done(task.number, look.content, look.document, known_already, look.when, look.failure, look.px)

    def _look(self, file: Path | Stored, task: Task, known: Known | None) -> _Look:
        """Count what is in a file, unless it is known."""
        before = _stamp(file)
        content = self._files.fingerprint(file)
        if known is not None and known(content, task.gsd_m):
            return _Look(content, None)
        settings = self._recipe.settings
        with open_scene(file, settings.reading_of(task.gsd_m)) as scene:
            aoi = load_aoi(settings.area, scene) if settings.area else None
            result = scan(scene, self.detector, settings.scan, aoi, Hooks(stop=self._stop, lanes=self._pool.lane))
            raise_if_unseen(scene, result)
            document = build_document(scene, self.detector, result)
            when = acquired(file)
            if _stamp(file) != before:
                raise OSError(errno.ESTALE, "has changed while it was being read", str(file))
            failure = _left_out(document, remote=not isinstance(file, Path))
            return _Look(content, document, failure, scene.width * scene.height, when)


def failure_of(task: Task, error: TankerEdgeError | OSError) -> Failure:
    """An error in the ledger's words."""
    if isinstance(error, TankerEdgeError):
        named = error.subject in {str(task.place), task.name}
        return Failure(error.cause if named else f"{error.subject}: {error.cause}", error.mend, is_transient(error))
    cause = f"cannot be read ({error.strerror or error})"
    return Failure(cause, "check that it is there and may be read", is_transient(error))


def _stamp(file: Path | Stored) -> tuple[int, int] | None:
    """Another one when a file on disk is another one; members of archives and objects see to that themselves."""
    if not isinstance(file, Path):
        return None
    info = file.stat()
    return info.st_mtime_ns, info.st_size


def _size(task: Task, file: Path | Stored) -> int | None:
    """Bytes of a scene; a store is asked, which it has to be in any case."""
    if task.size is not None:
        return task.size
    return file.stat().st_size if isinstance(file, Path) else file.size


def _left_out(document: dict[str, Any], *, remote: bool) -> Failure | None:
    """Why a document does not tell of the whole scene; None where it does.

    A part that could not be read may be there at the next try where the bytes come over a network.
    """
    failed = document["tiles"]["failed"]
    if not failed and document["coverage"] > 0:
        return None
    told = "; ".join(
        warning for warning in document["warnings"] if "could not be read" in warning or "not seen" in warning
    )
    mend = "copy or download it again" if failed else "check its nodata value, its mask and the area of interest"
    return Failure(told, mend, transient=bool(failed) and remote)
