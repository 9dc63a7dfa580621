"""One scene through the scorer: what is tried again, what is a failure, what ends the run. And how engines feed it."""

from __future__ import annotations

import errno
import itertools
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from scene_files import write_tiff

from edge.bulk import scorer as module
from edge.bulk.engine_local import LocalEngine
from edge.bulk.entry import Place
from edge.bulk.scorer import Recipe, Scorer
from edge.bulk.share import LARGE_BYTES, Share
from edge.bulk.task import Done, Task
from edge.errors import ProviderError, StoppedError
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return Recipe(model_folder(tmp_path_factory.mktemp("models") / "toy", kinds=True), threads=2)


@pytest.fixture
def scorer(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scorer]:
    monkeypatch.setattr(module, "PAUSE_S", 0.001)
    with closing(recipe.scorer()) as made:
        yield made


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = tmp_path / "port_20240131.png"
    cv2.imwrite(str(path), picture(200, 160, {(8, 8): 200})[..., ::-1])
    return Task(7, Place(str(path)), path.name, size=path.stat().st_size)


def failing(monkeypatch: pytest.MonkeyPatch, errors: list[Exception | None]) -> None:
    """Let opening a scene raise these, one after the other; None lets it through."""
    left, opened = iter(errors), module.open_scene

    def open_or_fail(*args: Any) -> Any:  # noqa: ANN401 - as open_scene
        error = next(left)
        if error:
            raise error
        return opened(*args)

    monkeypatch.setattr(module, "open_scene", open_or_fail)


def test_a_scene_has_its_document_its_hash_and_its_time(scorer: Scorer, task: Task) -> None:
    done = scorer.score(task)
    assert done.failure is None
    assert done.document
    assert done.document["counts"]["vessel"] == 1
    assert (done.number, done.px, done.tries) == (7, 200 * 160, 1)
    assert done.acquired is None, "the name's is not that of the bytes"
    assert done.content
    assert done.content == scorer.score(task).content


def test_what_may_pass_is_tried_again(scorer: Scorer, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, [OSError(errno.EIO, "I/O error"), None])
    done = scorer.score(task)
    assert (done.failure, done.tries) == (None, 2)


def test_what_does_not_pass_is_a_failure_in_the_end(
    scorer: Scorer, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, [OSError(errno.EIO, "I/O error")] * 3)
    done = scorer.score(task)
    assert (done.document, done.tries) == (None, 3)
    assert done.failure
    assert done.failure.transient
    assert "I/O error" in done.failure.cause


@pytest.mark.parametrize("content", [b"", b"no picture", b"II*\0 and no more"])
def test_a_broken_scene_is_tried_once(scorer: Scorer, task: Task, content: bytes, tmp_path: Path) -> None:
    (tmp_path / task.name).write_bytes(content)
    done = scorer.score(task)
    assert (done.document, done.tries) == (None, 1)
    assert done.failure
    assert not done.failure.transient
    assert done.failure.mend
    assert str(tmp_path) not in done.failure.cause, "the place is told beside it"


def test_a_scene_that_is_gone_is_a_failure(scorer: Scorer, task: Task, tmp_path: Path) -> None:
    (tmp_path / task.name).unlink()
    failure = scorer.score(task).failure
    assert failure
    assert not failure.transient


def test_what_nobody_foresaw_ends_one_scene_only(scorer: Scorer, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, [ValueError("of all things"), None])
    done = scorer.score(task)
    assert done.failure
    assert "ValueError: of all things" in done.failure.cause
    assert scorer.score(task).failure is None


def test_a_network_that_fails_ends_the_run(scorer: Scorer, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, [ProviderError("cpu", "does not run", "mend it")])
    with pytest.raises(ProviderError):
        scorer.score(task)


def test_a_scene_with_lost_tiles_is_told_in_part(scorer: Scorer, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 40, (3, 512, 512), np.uint8)
    cut = write_tiff(tmp_path / "cut.tif", noise, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    cut.write_bytes(cut.read_bytes()[:-40_000])
    done = scorer.score(Task(1, Place(str(cut)), cut.name))
    assert done.document
    assert done.document["tiles"]["failed"] > 0
    assert done.failure
    assert "could not be read" in done.failure.cause


def test_a_scene_without_valid_pixels_is_no_count_of_none(scorer: Scorer, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "nodata.tif", np.zeros((3, 256, 256), np.uint8), nodata=0)
    done = scorer.score(Task(1, Place(str(path)), path.name))
    assert done.failure
    assert "not seen" in done.failure.cause


def test_what_is_known_is_not_scored(scorer: Scorer, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def known(content: str, gsd_m: float | None) -> bool:
        asked.append((content, gsd_m))
        return True

    failing(monkeypatch, [])  # opening it would raise StopIteration
    done = scorer.score(task, known)
    assert done.known
    assert (done.document, done.failure) == (None, None)
    assert asked == [(done.content, None)]


def test_a_gsd_of_its_own_goes_below_that_of_the_run(recipe: Recipe) -> None:
    assert recipe.settings.reading_of(0.5).gsd_m == 0.5
    assert recipe.settings.reading_of(None).gsd_m is None


def test_a_stopped_scorer_ends_at_once(scorer: Scorer, task: Task) -> None:
    scorer.stop()
    with pytest.raises(StoppedError):
        scorer.score(task)


# --- the local engine ---


class Slow:
    """A scorer whose scenes wait until they are let go."""

    at_once = 3

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.stopped = threading.Event()

    def score(self, task: Task, known: object = None) -> Done:  # noqa: ARG002 - as a scorer
        self.begun.release()
        self.go.acquire()
        if self.stopped.is_set():
            raise StoppedError(task.name, "stopped", "again")
        return Done(task.number)

    def stop(self) -> None:
        self.stopped.set()
        self.go.release(100)


def endless() -> Iterator[Task]:
    return (Task(number, Place(f"/{number}"), str(number)) for number in itertools.count())


def test_the_engine_pulls_no_more_than_it_works_on() -> None:
    pulled, slow = [], Slow()
    tasks = (pulled.append(task.number) or task for task in endless())
    dones = LocalEngine(slow).run(tasks)  # type: ignore[arg-type]
    slow.go.release()
    first = next(dones)
    assert len(pulled) == 3
    slow.go.release()
    second = next(dones)
    assert len(pulled) == 4
    assert first.number != second.number
    dones.close()
    assert slow.stopped.is_set()
    assert len(pulled) == 4


def test_an_error_that_ends_the_run_ends_the_others_first(
    recipe: Recipe, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, [ProviderError("cpu", "does not run", "mend it")] * 10)
    with closing(recipe.scorer()) as made, pytest.raises(ProviderError):
        list(LocalEngine(made).run(iter([task] * 3)))


def test_the_answer_does_not_depend_on_the_threads(recipe: Recipe, tmp_path: Path) -> None:
    tasks = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), picture(300 + 40 * i, 280, {(8 + 2 * i, 8): 200, (5, 15): 150})[..., ::-1])
        tasks.append(Task(i, Place(str(path)), path.name))
    answers = []
    for threads in (1, 3):
        with closing(Recipe(recipe.model, threads=threads).scorer()) as made:
            dones = sorted(LocalEngine(made).run(iter(tasks)), key=lambda done: done.number)
        answers.append([{**(done.document or {}), "seconds": None} for done in dones])
    assert answers[0] == answers[1]


# --- the share of large scenes ---


def test_large_scenes_wait_for_each_other_and_small_ones_do_not() -> None:
    share, inside = Share(1), threading.Event()

    def large() -> None:
        with share.of(LARGE_BYTES):
            inside.set()

    with share.of(None):
        thread = threading.Thread(target=large)
        thread.start()
        with share.of(100):
            assert not inside.is_set()
    thread.join(5)
    assert inside.is_set()
