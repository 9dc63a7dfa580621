"""Scoring on a Ray cluster: real processes and nodes, all on this machine."""

from __future__ import annotations

import itertools
import logging
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gated
import pytest
import toy_model
from gated import GatedRecipe, marks

from benchmarks.watch import process_tree
from edge.bulk.engine_local import LocalEngine
from edge.bulk.engine_ray import RayEngine
from edge.bulk.entry import Place
from edge.bulk.ray_cluster import QUIET_ENVIRONMENT, Node, Places, places
from edge.bulk.scorer import Recipe
from edge.bulk.task import Done, Failure, Task
from edge.errors import ModelError, ProviderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

ray = pytest.importorskip("ray", reason="the [ray] extra is not installed", exc_type=ImportError)
CPUS = 2
PATIENCE_S = 60
HEAD = {
    "num_cpus": CPUS, "include_dashboard": False,
    "_system_config": {"health_check_period_ms": 300, "health_check_failure_threshold": 10},
}  # fmt: skip
"""A node that is gone is missed after three seconds; until then its workers count as there."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head with two CPUs, to which this process is connected; what the workers run here travels to them."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - there may be no ray

    ray.cloudpickle.register_pickle_by_value(gated)
    running = Cluster(initialize_head=True, head_node_args=HEAD)
    ray.init(address=running.address, log_to_driver=False, logging_level=logging.ERROR)
    yield running
    ray.shutdown()
    running.shutdown()


@pytest.fixture
def engine(cluster: object) -> Iterator[Callable[..., RayEngine]]:
    """Makes engines on the cluster, and ends them."""
    assert cluster
    made: list[RayEngine] = []

    def make(*args: Any, **options: Any) -> RayEngine:  # noqa: ANN401 - an engine's
        made.append(RayEngine(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def tasks(folder: Path, *names: str) -> list[Task]:
    """Scenes by name, in files that are there."""
    (folder / "scene").touch()
    return [Task(number, Place(str(folder / "scene")), name) for number, name in enumerate(names, 1)]


def until(found: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is found
    """What a function finds, once it is something."""
    end = time.monotonic() + PATIENCE_S
    while not (it := found()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return it


class Running:
    """An engine that is asked for its Dones in a thread, so that the test can do things meanwhile."""

    def __init__(self, dones: Generator[Done, None, None]) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        self._pool = ThreadPoolExecutor(1)
        self._list = self._pool.submit(list, dones)

    def dones(self) -> list[Done]:
        """All of them, by number, when it is done."""
        found: Any = self._list.result(PATIENCE_S)
        self._pool.shutdown()
        return sorted(found, key=lambda done: done.number)


def numbers(dones: list[Done]) -> list[int]:
    return [done.number for done in dones if done.failure is None]


# --- how many workers ---


@pytest.mark.parametrize(
    ("nodes", "words", "expected"),
    [
        ([Node(2)], {}, Places(1, 2, 2)),
        ([Node(2)], {"workers": 2}, Places(2, 1, 1)),
        ([Node(2)], {"workers": 5}, Places(5, 1, 1)),
        ([Node(16), Node(8), Node(0)], {}, Places(3, 8, 8)),
        ([Node(16), Node(8)], {"threads": 3}, Places(7, 3, 3)),
        ([Node(16)] * 4, {"workers": 8}, Places(8, 8, 8)),
        ([], {"workers": 2, "threads": 4}, Places(2, 4, 4)),
        ([Node(16, 2), Node(8, 1), Node(64)], {"provider": "cuda"}, Places(3, 0, 8, gpus=1)),
        ([Node(16, 2)], {"provider": "tensorrt", "threads": 4, "workers": 1}, Places(1, 4, 4, gpus=1)),
    ],
)
def test_places(nodes: list[Node], words: dict[str, Any], expected: Places) -> None:
    assert places(nodes, **{"provider": "cpu", **words}) == expected


@pytest.mark.parametrize(
    ("provider", "threads", "lacks"), [("cpu", 4, "has 4 CPUs"), ("cuda", 0, "has a GPU"), ("cpu", 0, "has 1 CPUs")]
)
def test_a_cluster_without_room_is_refused(provider: str, threads: int, lacks: str) -> None:
    with pytest.raises(UsageError, match=lacks):
        places([Node(2 if threads else 0)], provider, threads)


# --- what is refused ---


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"tanker-edge\[ray\]"):
        next(RayEngine(GatedRecipe(tmp_path)).run(iter(tasks(tmp_path, "a"))))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "here", "ray://127.0.0.1:10001", "127.0.0.1:70000"])
def test_an_address_where_nobody_listens_is_refused_at_once(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--ray-address: {address}"):
        next(RayEngine(GatedRecipe(tmp_path), address=address).run(iter(tasks(tmp_path, "a"))))


def test_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--ray-workers"):
        RayEngine(GatedRecipe(tmp_path), 0)


def test_a_model_that_is_not_here_is_refused(engine: Callable[..., RayEngine], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        list(engine(Recipe(tmp_path / "absent")).run(iter(tasks(tmp_path, "a"))))


def test_a_model_that_a_worker_cannot_load_is_told_with_the_node(
    engine: Callable[..., RayEngine], tmp_path: Path
) -> None:
    told = rf"^{tmp_path} \(node {platform.node()}\): is no model; give one$"
    with pytest.raises(ModelError, match=told) as found:
        list(engine(GatedRecipe(tmp_path, fault="model")).run(iter(tasks(tmp_path, "a"))))
    assert found.value.exit_code == 3


def test_workers_with_another_model_than_the_ledger_s_are_refused(
    engine: Callable[..., RayEngine], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="another model"):
        list(engine(GatedRecipe(tmp_path, fault="other"), 1).run(iter(tasks(tmp_path, "a"))))
    assert not marks(tmp_path, "score-1")


@pytest.mark.slow
def test_processes_that_die_while_they_load_end_the_run(engine: Callable[..., RayEngine], tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="die before they have a model"):
        list(engine(GatedRecipe(tmp_path, fault="dies"), 1).run(iter(tasks(tmp_path, "a"))))
    assert len(marks(tmp_path, "load")) == 3


# --- what is scored ---


def test_dones_are_those_of_the_local_engine(engine: Callable[..., RayEngine], tmp_path: Path) -> None:
    """A picture, one that cannot be read, and one that is not there, in this order of tasks."""
    recipe = Recipe(toy_model.model_folder(tmp_path / "toy", kinds=True), threads=1, tries=1)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    files = [toy_model.scene_file(tmp_path / "scene.png"), tmp_path / "broken.png", tmp_path / "absent.png"]
    given = [Task(i, Place(str(file)), file.name, size=100) for i, file in enumerate(files * 3, 1)]
    scorer = recipe.scorer()
    try:
        local = sorted(LocalEngine(scorer).run(iter(given)), key=lambda done: done.number)
    finally:
        scorer.close()
    far = sorted(engine(recipe, CPUS).run(iter(given)), key=lambda done: done.number)
    there = [i for i, task in enumerate(given) if task.name != "absent.png"]
    assert [_timeless(far[i]) for i in there] == [_timeless(local[i]) for i in there]
    assert far[0].document
    assert far[0].document["counts"]["vessel"] == 2
    assert far[1].failure == Failure("the PNG is cut off before its end", "copy or download it again, or save it anew")
    assert far[2].failure
    assert far[2].failure.cause == f"is not there on node {platform.node()}"


def _timeless(done: Done) -> Done:
    document = {**done.document, "seconds": None} if done.document else None
    return replace(done, document=document, seconds=0.0)


def test_no_more_tasks_are_pulled_than_there_is_room_for(engine: Callable[..., RayEngine], tmp_path: Path) -> None:
    (tmp_path / "scene").touch()
    pulled = 0

    def endless() -> Iterator[Task]:
        nonlocal pulled
        for pulled in itertools.count(1):
            yield Task(pulled, Place(str(tmp_path / "scene")), "a")

    running = engine(GatedRecipe(tmp_path), CPUS).run(endless())
    for done, _ in enumerate(itertools.islice(running, 50), 1):
        assert pulled <= done + 2 * CPUS + 2 * CPUS  # under way, and answered at once with the one that is looked at
    running.close()


def test_workers_stay_with_their_models_for_the_next_run(engine: Callable[..., RayEngine], tmp_path: Path) -> None:
    one = engine(GatedRecipe(tmp_path), 1)
    for _ in range(2):
        assert len(list(one.run(iter(tasks(tmp_path, *"abcdef"))))) == 6
    assert len(marks(tmp_path, "load")) == 1


# --- what dies ---


def test_a_killed_worker_loses_nothing_and_nothing_comes_twice(
    engine: Callable[..., RayEngine], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = Running(engine(GatedRecipe(tmp_path), CPUS).run(iter(tasks(tmp_path, *["held"] * 12))))
    pids = until(lambda: len(found := set(marks(tmp_path, "score"))) == CPUS and found)
    os.kill(min(pids), signal.SIGKILL)
    until(lambda: "lost" in caplog.messages)
    (tmp_path / "open").touch()
    dones = running.dones()
    assert numbers(dones) == list(range(1, 13))
    again = [done for done in dones if done.tries > 1]
    assert 1 <= len(again) <= 2, "no more than it had under way"
    assert len(marks(tmp_path, "load")) == CPUS + 1


def test_what_kills_its_worker_is_given_up_and_takes_no_other_along(
    engine: Callable[..., RayEngine], tmp_path: Path
) -> None:
    recipe = GatedRecipe(tmp_path, tries=2)
    dones = Running(engine(recipe, 1).run(iter(tasks(tmp_path, "deadly", *"abcdef")))).dones()
    assert numbers(dones) == list(range(2, 8))
    failure = dones[0].failure
    assert failure
    assert failure.transient
    assert failure.cause == "the process or node that scored it died, 2 times"
    assert len(marks(tmp_path, "score-1")) == dones[0].tries == 2


def test_nodes_may_join_and_be_lost_in_mid_run(
    cluster: Any,  # noqa: ANN401 - of ray
    engine: Callable[..., RayEngine],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A worker without room joins with a node, is lost with it, and joins again; its scenes do not wait for it."""
    running = Running(engine(GatedRecipe(tmp_path), CPUS + 1).run(iter(tasks(tmp_path, *["held"] * 12))))
    for workers in (CPUS + 1, CPUS + 2):
        node = cluster.add_node(num_cpus=1, include_dashboard=False)
        until(lambda n=workers: len(set(marks(tmp_path, "score"))) == n)
        cluster.remove_node(node, allow_graceful=False)
    until(lambda: "lost" in caplog.messages)
    (tmp_path / "open").touch()
    dones = running.dones()
    assert numbers(dones) == list(range(1, 13))
    assert any(done.tries > 1 for done in dones)


# --- how a driver ends ---

DRIVER = """
import signal, sys, ray, gated
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where a shell has put the tests behind
from pathlib import Path
from edge.bulk.engine_ray import RayEngine
from edge.bulk.entry import Place
from edge.bulk.task import Task
ray.cloudpickle.register_pickle_by_value(gated)
folder = Path(sys.argv[1])
engine = RayEngine(gated.GatedRecipe(folder), 1)
before = signal.getsignal(signal.SIGTERM)
try:
    list(engine.run(iter([Task(1, Place(str(folder)), "held")])))
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGTERM) == before)
finally:
    engine.close()
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program of its own with a cluster of its own, which holds a scene."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, **QUIET_ENVIRONMENT, "PYTHONPATH": path}
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", DRIVER, str(tmp_path)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        until(lambda: marks(tmp_path, "score"))
        yield running
        running.kill()


def test_an_interrupted_driver_leaves_nothing_and_ray_says_nothing(
    driver: subprocess.Popen[str], tmp_path: Path
) -> None:
    os.kill(marks(tmp_path, "score")[0], signal.SIGKILL)
    until(lambda: len(marks(tmp_path, "score")) == 2)
    started = process_tree(driver.pid)
    assert len(started) > 4
    driver.send_signal(signal.SIGINT)
    out, err = driver.communicate(timeout=PATIENCE_S)
    until(lambda: not any(map(_lives, started)))
    assert (out, err) == ("interrupted True\n", "lost\n")


@pytest.mark.slow
def test_a_killed_driver_takes_its_workers_along(driver: subprocess.Popen[str], tmp_path: Path) -> None:
    """Two helpers of Ray's own notice it a minute later."""
    workers = [pid for pid in process_tree(driver.pid) if pid in marks(tmp_path, "load")]
    driver.kill()
    until(lambda: not any(map(_lives, workers)))
    assert workers


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()
