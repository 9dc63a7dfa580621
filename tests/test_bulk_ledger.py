"""The ledger of a bulk run, against a model of it; and what several workers, readers and listings do to each other."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.bulk.entry import Acquired, Entry, Place
from edge.bulk.ledger import Ledger
from edge.bulk.ledger_listing import Added
from edge.bulk.task import Done, Failure, Task
from edge.errors import OutputError, UsageError
from tests.ledger_workers import PROCESSES, RUN, document, entry, work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.row import SceneRow

MOMENT = datetime(2024, 3, 1, 10, 30, 0, 5, tzinfo=timezone.utc)
ODD = Failure("a part is gone", "get it again")
FULL = 2
"""The file system would have to be synchronised at each commit."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path, RUN) as opened:
        yield opened


def score(ledger: Ledger, *entries: Entry, content: str = "c", **more: Any) -> None:  # noqa: ANN401 - fields of Done
    """Enter scenes, and end all that wait as done."""
    ledger.add(entries)
    for task in ledger.claim(99):
        ledger.finish([Done(task.number, content, document(task.name), **more)])


def states(ledger: Ledger) -> dict[str, str]:
    """By name, of all that have ended."""
    return {row.name: row.state for row in ledger.rows()}


# --- what comes out is what went in ---


def test_a_task_is_what_was_listed(ledger: Ledger) -> None:
    whole = Entry(Place("/a/b.zip", "c/d.tif"), "d.tif", "west", Acquired(MOMENT, "stac"), 0.5, 17, "stamp")
    bare = entry("e.tif", size=None)
    assert ledger.add([whole, bare]) == Added(new=2)
    first, second = ledger.claim(5)
    assert first == Task(first.number, whole.place, "d.tif", 0.5, 17)
    assert second == Task(second.number, bare.place, "e.tif")
    ledger.finish([Done(first.number, "c1", document("d.tif")), Done(second.number, failure=ODD)])
    found = list(ledger.rows())
    assert [(row.number, row.place, row.name, row.terminal, row.acquired) for row in found] == [
        (1, whole.place, "d.tif", "west", Acquired(MOMENT, "stac")),
        (2, bare.place, "e.tif", None, None),
    ]
    assert [(row.state, row.content, row.failure) for row in found] == [("done", "c1", None), ("failed", None, ODD)]


def test_the_time_is_the_listings_and_else_the_files(ledger: Ledger) -> None:
    own = Acquired(MOMENT.astimezone(timezone(timedelta(hours=3))), "exif")
    listed = Acquired(MOMENT - timedelta(days=1), "manifest")
    score(ledger, entry("a.tif"), entry("b.tif", acquired=listed), acquired=own)
    assert [row.acquired for row in ledger.rows()] == [own, listed]


def test_a_document_has_the_name_of_its_scene_and_no_run_time(ledger: Ledger) -> None:
    ledger.add([entry("a.tif"), entry("b.tif")])
    first, second = ledger.claim(2)
    scored = document("a.tif", counts={"vessel": 3}, odd=float("nan"), warnings=["\udcff"])
    ledger.finish([Done(second.number, "c", {**scored, "scene": "b.tif"}, px=5), Done(first.number, "c", known=True)])
    kept = {key: part for key, part in scored.items() if key != "seconds"} | {"odd": None, "warnings": ["?"]}
    assert [row.document for row in ledger.rows()] == [kept, {**kept, "scene": "b.tif"}]
    assert ledger.tally().px == 10, "of both scenes"


def test_rows_are_in_the_order_of_places_whatever_their_names(ledger: Ledger) -> None:
    names = [
        "b",
        "B",
        "a b",
        "a",
        "ä",
        "\udcff",
        "\ud800",
        "z\U0001f6a2",
        "\uffff",
        "a'\"?;",
        "é",
        "e\u0301",
        "10",
        "9",
    ]
    places = [Place(f"/{name}", member) for name in names for member in ("", "\udcfe.tif", "y.tif")]
    random.Random(3).shuffle(places)  # noqa: S311 - no secret
    ledger.add(Entry(place, place.base, terminal=place.base, stamp=place.base) for place in places)
    tasks = ledger.claim(99)
    assert [task.place for task in tasks] == places, "they are taken as they were listed"
    ledger.finish([Done(task.number, failure=Failure(task.name, task.name)) for task in reversed(tasks)])
    found = list(ledger.rows())
    assert [row.place for row in found] == sorted(places)
    assert [row.number for row in found] == list(range(1, len(places) + 1))
    assert all(row.name == row.terminal == row.place.base for row in found)
    assert all(row.failure == Failure(row.name, row.name) for row in found)
    assert ledger.add(Entry(place, place.base, terminal=place.base, stamp=place.base) for place in places).new == 0


# --- what a later listing changes ---

_SAME: dict[str, Any] = {"stamp": "s", "size": 5, "gsd_m": 0.5}


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        (_SAME, _SAME, False),
        (_SAME, {**_SAME, "stamp": "t"}, True),
        (_SAME, {**_SAME, "size": 6}, False),  # the stamp knows better
        (_SAME, {**_SAME, "stamp": None}, False),
        (_SAME, {**_SAME, "stamp": None, "size": 6}, True),
        ({**_SAME, "stamp": None}, _SAME, False),
        ({"size": 5}, {"size": 5}, False),
        ({"size": 5}, {"size": 6}, True),
        ({"size": 5}, {}, True),
        ({}, {}, False),
        (_SAME, {**_SAME, "gsd_m": 0.6}, True),
        (_SAME, {**_SAME, "gsd_m": None}, True),
        ({"gsd_m": 1}, {"gsd_m": 1.0}, False),
    ],
)
def test_what_is_done_waits_again_if_it_is_another(
    ledger: Ledger, before: dict[str, Any], after: dict[str, Any], *, again: bool
) -> None:
    score(ledger, entry("a.tif", **before))
    assert ledger.add([entry("a.tif", **after)]) == (Added(again=1) if again else Added(known=1))
    assert states(ledger) == ({} if again else {"a.tif": "done"})
    assert len(ledger.claim(5)) == again


def test_a_stamp_is_learnt_later(ledger: Ledger) -> None:
    score(ledger, entry("a.tif", size=5))
    assert ledger.add([entry("a.tif", size=5, stamp="s")]) == Added(known=1)
    assert ledger.add([entry("a.tif", size=5)]) == Added(known=1)
    assert ledger.add([entry("a.tif", size=5, stamp="t")]) == Added(again=1)


def test_what_failed_waits_again_and_what_was_corrected_is_taken_over(ledger: Ledger) -> None:
    ledger.add([entry("a.tif"), entry("b.tif"), entry("c.tif"), entry("d.tif")])
    a, b, c, _ = ledger.claim(4)
    ledger.finish([Done(a.number, failure=ODD), Done(b.number, "b", document("b.tif", 0.5), failure=ODD)])
    ledger.finish([Done(c.number, "c", document("c.tif"))])
    told = {"terminal": "east", "acquired": Acquired(MOMENT, "manifest")}
    names = ("a.tif", "b.tif", "c.tif", "d.tif", "new.tif")
    assert ledger.add(entry(name, **told) for name in names) == Added(new=1, again=2, known=2)
    (row,) = ledger.rows()
    assert (row.name, row.terminal, row.acquired, row.state) == ("c.tif", "east", Acquired(MOMENT, "manifest"), "done")
    assert [task.name for task in ledger.claim(9)] == ["a.tif", "b.tif", "new.tif"], "d.tif is running"


def test_a_place_that_is_listed_twice_is_one_scene(ledger: Ledger) -> None:
    assert ledger.add([entry("a.tif", terminal="x"), entry("a.tif", terminal="y")]) == Added(new=1, known=1)
    score(ledger)
    assert [row.terminal for row in ledger.rows()] == ["y"]


def test_a_long_listing_is_entered_piece_by_piece(path: Path, ledger: Ledger) -> None:
    """Others see the first of it while the rest is still being listed."""
    seen: list[int] = []

    def listing() -> Iterator[Entry]:
        for number in range(4500):
            if number % 1500 == 0:
                with Ledger(path, RUN) as other:
                    seen.append(other.left())
            yield entry(f"{number}.tif")

    assert ledger.add(listing()) == Added(new=4500)
    assert seen == [0, 0, 2000]


# --- results ---


def test_the_same_bytes_are_known_by_their_gsd_and_their_run(path: Path, ledger: Ledger) -> None:
    score(ledger, entry("a.tif", gsd_m=1))
    assert ledger.known("c", 1)
    assert ledger.known("c", 1.0)
    assert not ledger.known("c", None)
    assert not ledger.known("d", 1.0)
    with Ledger(path, "other run") as other:
        assert not other.known("c", 1.0)


def test_another_run_leaves_this_one_as_it_is(path: Path) -> None:
    with Ledger(path, RUN) as first:
        score(first, entry("a.tif"), entry("b.tif"))
        before = list(first.rows())
    with Ledger(path, "other run") as second:
        assert list(second.rows()) == []
        assert second.add([entry("a.tif")]) == Added(new=1)
        (task,) = second.claim(9)
        second.finish([Done(task.number, failure=ODD)])
    with Ledger(path, RUN) as again:
        assert list(again.rows()) == before
        assert again.add([entry("a.tif"), entry("b.tif")]) == Added(known=2)
        assert again.left() == 0


def test_the_first_whole_result_stays(ledger: Ledger) -> None:
    ledger.add([entry("a.tif"), entry("b.tif")])
    for task, tag in zip(ledger.claim(2), "xy", strict=True):
        ledger.finish([Done(task.number, "c", document(task.name, tag=tag))])
    assert [row.document and row.document["tag"] for row in ledger.rows()] == ["x", "x"]


def test_a_part_gives_way_to_more_and_then_to_the_whole(ledger: Ledger) -> None:
    ledger.add(entry(f"{k}.tif") for k in range(4))
    half, less, more, whole = ledger.claim(4)
    found = []
    for task, coverage in ((half, 0.5), (less, 0.25), (more, 0.75), (whole, 1.0)):
        failure = ODD if coverage < 1 else None
        assert not ledger.known("c", None)
        ledger.finish([Done(task.number, "c", document(task.name, coverage), failure=failure)])
        found.append([(row.state, row.document and row.document["coverage"], row.failure) for row in ledger.rows()])
    assert ledger.known("c", None)
    assert found == [
        [("partial", 0.5, ODD)],
        [("partial", 0.5, ODD)] * 2,
        [("partial", 0.75, ODD)] * 3,
        [("done", 1.0, None)] * 4,
    ]


def test_a_part_ends_whole_where_the_whole_is_known(ledger: Ledger) -> None:
    ledger.add([entry("a.tif"), entry("b.tif")])
    whole, half = ledger.claim(2)
    ledger.finish([Done(whole.number, "c", document("a.tif"))])
    ledger.finish([Done(half.number, "c", document("b.tif", 0.5), failure=ODD)])
    assert states(ledger) == {"a.tif": "done", "b.tif": "done"}


def test_tiles_that_failed_make_a_part_of_it_without_a_word_of_why(ledger: Ledger) -> None:
    ledger.add([entry("a.tif")])
    (task,) = ledger.claim(1)
    ledger.finish([Done(task.number, "c", document("a.tif", 0.5))])
    assert states(ledger) == {"a.tif": "partial"}
    assert not ledger.known("c", None)


def test_a_result_of_bytes_without_a_hash_is_the_scenes_own(ledger: Ledger) -> None:
    for stamp, tag in (("1", "old"), ("2", "new")):
        ledger.add([entry("a.tif", stamp=stamp), entry("b.tif", stamp=stamp)])
        for task in ledger.claim(2):
            ledger.finish([Done(task.number, None, document(task.name, tag=f"{tag} {task.name}"))])
        tags = [row.document and row.document["tag"] for row in ledger.rows()]
        assert tags == [f"{tag} a.tif", f"{tag} b.tif"]


def test_what_was_known_and_is_forgotten_waits_again(path: Path, ledger: Ledger) -> None:
    ledger.add([entry("a.tif")])
    (task,) = ledger.claim(1)
    ledger.finish([Done(task.number, "c", known=True)])
    assert [task.name for task in ledger.claim(1)] == ["a.tif"]
    assert path.exists()


def test_dones_end_together_or_not_at_all(ledger: Ledger) -> None:
    ledger.add([entry("a.tif"), entry("b.tif")])
    a, b = ledger.claim(2)
    good = Done(a.number, "c", document("a.tif"))
    with pytest.raises(OutputError):
        ledger.finish([good, Done(b.number, "d", document("b.tif"), px=object())])  # type: ignore[arg-type]
    assert states(ledger) == {}
    ledger.finish([good, Done(b.number, "d", document("b.tif"))])
    assert set(states(ledger).values()) == {"done"}


def test_what_is_done_twice_or_was_never_claimed_changes_nothing(ledger: Ledger) -> None:
    score(ledger, entry("a.tif"))
    ledger.add([entry("b.tif")])
    before = list(ledger.rows())
    ledger.finish([Done(number, failure=ODD) for number in (1, 2, 3)])
    assert list(ledger.rows()) == before
    assert ledger.left() == 1


# --- several workers ---


def test_what_a_living_worker_runs_is_its_own(path: Path, ledger: Ledger) -> None:
    ledger.add([entry("a.tif", stamp="s"), entry("b.tif")])
    (task,) = ledger.claim(1)
    with Ledger(path, RUN) as other:
        assert other.add([entry("a.tif", stamp="t", gsd_m=2.0)]) == Added(known=1)
        assert [other_task.name for other_task in other.claim(5)] == ["b.tif"]
        tally = other.tally()
        assert (tally.here, tally.elsewhere, tally.waiting) == (1, 1, 0)
    ledger.finish([Done(task.number, "c", document("a.tif"))])
    assert states(ledger) == {"a.tif": "done"}
    assert [task.name for task in ledger.claim(5)] == ["b.tif"], "the other has given it back when it was closed"


def test_claims_are_given_back_one_by_one(path: Path, ledger: Ledger) -> None:
    ledger.add(entry(f"{k}.tif") for k in range(3))
    first, second, _ = ledger.claim(3)
    ledger.release([second.number])
    with Ledger(path, RUN) as other:
        assert [task.name for task in other.claim(5)] == ["1.tif"]
        ledger.release([second.number, 99])
        assert other.tally().here == 1, "it is not the first one's any more"
    ledger.finish([Done(first.number, failure=ODD)])
    assert states(ledger) == {"0.tif": "failed"}


def test_closing_leaves_nothing_running(path: Path) -> None:
    with Ledger(path, RUN) as watching:
        with Ledger(path, RUN) as ledger:
            ledger.add(entry(f"{k}.tif") for k in range(3))
            first, *_ = ledger.claim(2)
            ledger.finish([Done(first.number, failure=ODD)])
        tally = watching.tally()
        assert (tally.waiting, tally.here, tally.elsewhere, tally.failed) == (2, 0, 0, 1)


def test_nothing_is_remembered_of_what_has_ended(ledger: Ledger) -> None:
    score(ledger, *(entry(f"{k}.tif") for k in range(9)))
    assert not ledger._claims


def test_what_a_worker_that_is_taken_for_dead_brings_is_kept_but_not_as_its_own(path: Path) -> None:
    with Ledger(path, RUN) as slow, Ledger(path, RUN) as quick:
        slow.add([entry("a.tif")])
        (task,) = slow.claim(1)
        next(p for p in (path.parent / ".workers").iterdir() if p.name == slow._worker.token).unlink()
        assert [task.name for task in quick.claim(1)] == ["a.tif"]
        slow.finish([Done(task.number, "c", document("a.tif", tag="slow"))])
        assert states(quick) == {}
        assert quick.known("c", None)
        quick.finish([Done(task.number, "c", known=True)])
        assert [row.document and row.document["tag"] for row in quick.rows()] == ["slow"]


def test_two_that_begin_a_ledger_at_once_share_it(path: Path) -> None:
    with PROCESSES.Pool(3) as pool:
        pool.starmap(work, [(path, 1)] * 6, chunksize=1)
    with Ledger(path, RUN) as ledger:
        assert ledger.left() == 0


def test_a_restart_forgets_this_run_alone(path: Path) -> None:
    with Ledger(path, "other run") as other, Ledger(path, RUN) as ledger:
        score(other, entry("a.tif"))
        score(ledger, entry("a.tif"), entry("b.tif"))
        ledger.add([entry("c.tif")])
        (task,) = ledger.claim(1)
        ledger.restart()
        assert (ledger.left(), ledger.tally().total, list(ledger.rows())) == (0, 0, [])
        assert not ledger.known("c", None)
        ledger.finish([Done(task.number, "c", document("c.tif"))])
        assert not ledger.known("c", None)
        assert other.known("c", None)
        assert states(other) == {"a.tif": "done"}
        assert ledger.add([entry("a.tif")]) == Added(new=1)


def test_there_is_no_restart_while_another_is_at_work(path: Path, ledger: Ledger) -> None:
    score(ledger, entry("a.tif"))
    with Ledger(path, RUN) as other, pytest.raises(UsageError, match=r"--no-resume: process \d+ on .* is at work"):
        other.restart()
    assert states(ledger) == {"a.tif": "done"}


def test_a_ledger_is_for_one_machine(path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bulk.ledger.machine", lambda: "another machine")
    with pytest.raises(OutputError, match=r"in use on another machine.*--engine ray"):
        Ledger(path, RUN)
    ledger.close()
    Ledger(path, RUN).close()


# --- reading beside writing ---


def test_rows_stay_as_they_were_and_nobody_waits_for_them(path: Path, ledger: Ledger) -> None:
    score(ledger, *(entry(f"{k}.tif") for k in range(5)))
    expected = list(ledger.rows())
    reading = ledger.rows()
    first = next(reading)
    score(ledger, entry("0.new.tif"), entry("9.tif"))
    with Ledger(path, "other run") as other:
        other.add([entry("a.tif")])
    assert [first, *reading] == expected
    assert len(list(ledger.rows())) == 7


def test_it_may_be_asked_from_other_threads(ledger: Ledger) -> None:
    ledger.add(entry(f"{k}.tif") for k in range(60))
    wrong: list[str] = []
    over = threading.Event()

    def ask() -> None:
        seen: set[str] = set()
        while not over.is_set():
            for name in [f"{k}.tif" for k in range(60)]:
                if ledger.known(name, None):
                    seen.add(name)
                elif name in seen:
                    wrong.append(name)
            if ledger.tally().total != 60 or ledger.left() > 60:
                wrong.append("tally")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    while tasks := ledger.claim(3):
        ledger.finish([Done(task.number, task.name, document(task.name)) for task in tasks])
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(ledger.known(f"{k}.tif", None) for k in range(60))


# --- against a model ---


@dataclass
class Scene:
    """What the model knows of one."""

    listed: Entry
    state: str = "waiting"
    owner: int | None = None
    content: str | None = None
    result: tuple[str, float | None] | None = None
    failure: Failure | None = None


PLACES = [entry(f"{k}.tif") for k in range(4)]
ENTRIES = st.lists(
    st.builds(
        lambda base, stamp, size, gsd: replace(base, stamp=stamp, size=size, gsd_m=gsd),
        st.sampled_from(PLACES), st.sampled_from([None, "s", "s", "t"]), st.sampled_from([None, 1, 1, 2]),
        st.sampled_from([None, None, 0.5]),
    ),
    max_size=5,
)  # fmt: skip
CONTENTS = st.sampled_from(["x", "y", None])
COVERAGES = st.sampled_from([None, 0.25, 0.5, 1.0, 1.0])


class Model(RuleBasedStateMachine):
    """Two workers on one ledger that claim, end, release, crash and come back, beside dicts that do the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.sqlite"
        self.workers: dict[int, tuple[Ledger, dict[int, Task]]] = {}
        """By a number that never comes again: with its claims."""
        self.zombies: set[int] = set()
        """Have lost their lock, and work on."""
        self.started = self.tags = 0
        self.scenes: dict[Place, Scene] = {}
        self.results: dict[tuple[str, float | None], tuple[float, int]] = {}
        """Coverage and tag."""

    def teardown(self) -> None:
        for ledger, _ in self.workers.values():
            ledger.close()
        self.folder.cleanup()

    @precondition(lambda self: len(self.workers) < 2)
    @rule()
    def start(self) -> None:
        self.workers[self.started] = (Ledger(self.path, RUN), {})
        self.started += 1

    def one(self, chosen: int) -> tuple[int, Ledger, dict[int, Task]]:
        number = sorted(self.workers)[chosen % len(self.workers)]
        return (number, *self.workers[number])

    def free(self, asker: int) -> None:
        for scene in self.scenes.values():
            dead = scene.owner not in self.workers or scene.owner in self.zombies
            if scene.state == "running" and scene.owner != asker and dead:
                scene.state, scene.owner = "waiting", None

    @precondition(lambda self: self.workers)
    @rule(chosen=st.integers(0, 1), entries=ENTRIES)
    def add(self, chosen: int, entries: list[Entry]) -> None:
        number, ledger, _ = self.one(chosen)
        if entries:
            self.free(number)
        counts = Counter(self.listed(each) for each in entries)
        assert ledger.add(entries) == Added(counts["new"], counts["again"], counts["known"])

    def listed(self, new: Entry) -> str:
        scene = self.scenes.get(new.place)
        if scene is None:
            self.scenes[new.place] = Scene(new)
            return "new"
        if scene.state == "running":
            return "known"
        old = scene.listed
        by_stamp = old.stamp is not None and new.stamp is not None
        told = new.stamp is not None or new.size is not None
        same = told and old.gsd_m == new.gsd_m and (old.stamp == new.stamp if by_stamp else old.size == new.size)
        if scene.state == "waiting" or (scene.state == "done" and same):
            scene.listed = replace(new, stamp=new.stamp or (old.stamp if scene.state == "done" else None))
            return "known"
        self.scenes[new.place] = Scene(new)  # in its place in the dict
        return "again"

    @precondition(lambda self: self.workers)
    @rule(chosen=st.integers(0, 1), most=st.integers(1, 3))
    def claim(self, chosen: int, most: int) -> None:
        number, ledger, claims = self.one(chosen)
        self.free(number)
        waiting = [scene for scene in self.scenes.values() if scene.state == "waiting"][:most]
        tasks = ledger.claim(most)
        assert [(task.place, task.gsd_m, task.size) for task in tasks] == [
            (scene.listed.place, scene.listed.gsd_m, scene.listed.size) for scene in waiting
        ]
        for scene, task in zip(waiting, tasks, strict=True):
            scene.state, scene.owner = "running", number
            claims[task.number] = task

    @precondition(lambda self: any(claims for _, claims in self.workers.values()))
    @rule(chosen=st.integers(0, 1), ends=st.lists(st.tuples(CONTENTS, COVERAGES), min_size=1, max_size=3))
    def finish(self, chosen: int, ends: list[tuple[str | None, float | None]]) -> None:
        number, ledger, claims = self.one(chosen)
        dones = [self.end(number, claims.pop(key), *end) for key, end in zip(list(claims), ends, strict=False)]
        ledger.finish(dones)

    def end(self, worker: int, task: Task, content: str | None, coverage: float | None) -> Done:
        self.tags += 1
        whole = coverage == 1
        failure = None if whole else Failure(f"cause {self.tags}", "mend")
        scored = None if coverage is None else document(task.name, coverage, tag=self.tags)
        scene = self.scenes[task.place]
        key = (content or f"own {self.tags}", task.gsd_m)
        if coverage is not None and coverage > self.results.get(key, (0.0, 0))[0]:
            self.results[key] = (coverage, self.tags)
            for other in self.scenes.values() if whole else ():
                if other.state == "partial" and other.result == key:
                    other.state, other.failure = "done", None
        if scene.state == "running" and scene.owner == worker:
            state = "failed" if coverage is None else "done" if self.results[key][0] == 1 else "partial"
            scene.state, scene.owner, scene.content, scene.result = state, None, content, key
            scene.failure = None if state == "done" else failure
        return Done(task.number, content, scored, failure=failure)

    @precondition(lambda self: any(claims for _, claims in self.workers.values()))
    @rule(chosen=st.integers(0, 1))
    def release(self, chosen: int) -> None:
        number, ledger, claims = self.one(chosen)
        released = list(claims.values())[:1]
        ledger.release([task.number for task in released])
        for task in released:
            del claims[task.number]
            self.wait_again(number, task)

    def wait_again(self, worker: int, task: Task) -> None:
        scene = self.scenes[task.place]
        if scene.state == "running" and scene.owner == worker:
            scene.state, scene.owner = "waiting", None

    @precondition(lambda self: self.workers)
    @rule(chosen=st.integers(0, 1))
    def close(self, chosen: int) -> None:
        number, ledger, claims = self.one(chosen)
        ledger.close()
        for task in claims.values():
            self.wait_again(number, task)
        del self.workers[number]

    @precondition(lambda self: self.workers)
    @rule(chosen=st.integers(0, 1))
    def lose_the_lock(self, chosen: int) -> None:
        number, ledger, _ = self.one(chosen)
        ledger._worker._file.close()
        self.zombies.add(number)

    @precondition(lambda self: self.workers)
    @rule(chosen=st.integers(0, 1))
    def crash(self, chosen: int) -> None:
        """As after a kill: the lock is gone, its file is there, and nothing is given back."""
        number, ledger, _ = self.one(chosen)
        ledger._worker._file.close()
        ledger._read.close()
        ledger._write.close()
        del self.workers[number]

    @precondition(lambda self: self.workers)
    @rule(chosen=st.integers(0, 1))
    def restart(self, chosen: int) -> None:
        number, ledger, claims = self.one(chosen)
        if any(other != number and other not in self.zombies for other in self.workers):
            with pytest.raises(UsageError):
                ledger.restart()
            return
        ledger.restart()
        claims.clear()
        self.scenes.clear()
        self.results.clear()
        for other in [other for other in self.workers if other != number]:  # its claims mean nothing any more
            self.workers.pop(other)[0].close()

    @invariant()
    def the_ledger_says_the_same(self) -> None:
        if not self.workers:
            return
        number, ledger, _ = self.one(0)
        found = [self.told(row) for row in ledger.rows()]
        ended = [scene for scene in self.scenes.values() if scene.state in {"done", "partial", "failed"}]
        assert found == [self.expected(scene) for scene in sorted(ended, key=lambda scene: scene.listed.place)]
        states = Counter(scene.state for scene in self.scenes.values())
        tally = ledger.tally()
        assert (tally.waiting, tally.here + tally.elsewhere) == (states["waiting"], states["running"])
        assert (tally.done, tally.partial, tally.failed) == (states["done"], states["partial"], states["failed"])
        assert tally.here == sum(scene.owner == number for scene in self.scenes.values())
        sizes = {place: scene.listed.size or 0 for place, scene in self.scenes.items()}
        assert tally.bytes_total == sum(sizes.values())
        assert ledger.left() == tally.left == states["waiting"] + states["running"]
        for (content, gsd), (coverage, _) in self.results.items():
            assert content.startswith("own ") or ledger.known(content, gsd) == (coverage == 1)

    @staticmethod
    def told(row: SceneRow) -> tuple[Any, ...]:
        said = row.document and (row.document["coverage"], row.document["tag"], row.document["scene"])
        return row.place, row.state, row.content, row.failure, said

    def expected(self, scene: Scene) -> tuple[Any, ...]:
        listed = scene.listed
        said = (*self.results[scene.result], listed.name) if scene.state != "failed" and scene.result else None
        return listed.place, scene.state, scene.content, scene.failure, said


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
