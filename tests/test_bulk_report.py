"""The report of a bulk run: whole, honest, always the same, and not to be broken by names."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import weakref
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from bulk_rows import START, rows_of, scene_row
from hypothesis import given
from hypothesis import strategies as st
from scene_documents import HEIGHT, WIDTH

from edge.bulk.entry import Place
from edge.bulk.report import Facts, gallery, write_report
from edge.bulk.report.axes import MOST_TIMES, count_ticks, stretch, time_ticks
from edge.bulk.report.pooling import Point, pooled
from edge.bulk.report.survey import Counted, survey
from edge.bulk.task import Failure
from edge.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge.bulk.row import Rows, SceneRow
    from edge.scene import Scene

FACTS = Facts("archive", {"--conf": "0.25"})
NASTY = """</h2><script>alert("1")</script>&<b>'x'\x1b[2J\u202e"""
TIMES = st.datetimes(timezones=st.just(timezone.utc))


@pytest.fixture(scope="module")
def water(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("water") / "water.png"
    cv2.imwrite(str(path), np.full((HEIGHT // 4, WIDTH // 4, 3), 90, np.uint8))
    return path


def gone(_: SceneRow) -> Scene:
    raise OSError


class Page:
    """A report, parsed as XML: whatever is not balanced or not escaped fails."""

    def __init__(self, rows: Iterable[SceneRow] | Rows, folder: Path, opened: Any = gone, facts: Facts = FACTS) -> None:  # noqa: ANN401 - an Opened
        given = rows if callable(rows) else rows_of(rows)
        self.bytes = write_report(given, folder / "report.html", opened, facts).read_bytes()
        text = self.bytes.decode()
        assert text.startswith("<!doctype html>\n")
        self.root = ET.fromstring(text.removeprefix("<!doctype html>\n"))  # noqa: S314 - our own

    def section(self, key: str) -> ET.Element:
        return next(each for each in self.root.iter("section") if each.get("id") == key)

    def table(self, key: str) -> list[list[str]]:
        """Cells of the first table of a section, its head among them."""
        return [[words(cell) for cell in row] for row in next(self.section(key).iter("table")).iter("tr")]

    def count(self, name: str) -> int:
        return sum(1 for _ in self.root.iter(name))


def words(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


class Chart:
    """A chart as its lines and dots say it: places are turned back into numbers by the grid that a reader sees."""

    def __init__(self, svg: ET.Element) -> None:
        self.svg = svg
        lines = [line for line in svg.findall("line") if line.get("x2") == "100%"]
        told = {float(text.get("y", 0)) + 4: text.text for text in svg.findall("text") if text.get("x") == "0"}
        self.grids: list[list[tuple[float, float]]] = []
        for line in lines:
            y = float(line.get("y1", 0))
            if line.get("class") == "base":
                self.grids.append([])
            self.grids[-1].append((y, float(str(told[y]).replace(",", ""))))

    def points(self, series: str) -> list[tuple[float, float, float, float, bool]]:
        """Share of the width, count, low, high and whether the dot is full, a point."""
        number = ["tankers", "vessels"].index(series)
        found = []
        for group in next(each for each in self.svg.findall("g") if each.get("class") == series).findall("g"):
            (line,), (dot,) = group.findall("line"), group.findall("circle")
            assert line.get("x1") == line.get("x2") == dot.get("cx")
            heights = (
                self.value(number, float(part)) for part in (dot.get("cy", 0), line.get("y1", 0), line.get("y2", 0))
            )
            found.append((float(dot.get("cx", "").removesuffix("%")), *heights, dot.get("class") != "part"))
        return found

    def value(self, panel: int, y: float) -> float:
        (y0, v0), (y1, v1) = self.grids[panel][0], self.grids[panel][-1]
        return v0 + (y - y0) / (y1 - y0) * (v1 - v0)


# --- the whole ---


def test_the_report_tells_what_was_run_and_what_came_of_it(water: Path, tmp_path: Path) -> None:
    rows = [
        scene_row(1, "a", tankers=1), scene_row(2, "a", time=START + timedelta(days=40), tankers=4),
        scene_row(3, "b", state="partial"), scene_row(4, "b", state="failed"), scene_row(5, None, time=None),
    ]  # fmt: skip
    rows[1] = replace(rows[1], content=rows[0].content)
    page = Page(rows, tmp_path, lambda _: open_scene(water))
    assert words(next(page.root.iter("h1"))) == "Tankers and other vessels: archive"
    figures = next(each for each in page.root.iter("dl") if each.get("class") == "figures")
    assert [words(part) for part in figures] == [
        "scenes5", "terminals3", "counted whole3", "counted in part1", "not counted1",
    ]  # fmt: skip
    assert page.table("terminals")[1:] == [
        ["a", "2", "2", "0", "0", "2024-03-01", "2024-04-10", "2.5", "4", "4.5", "6"],
        ["b", "2", "0", "1", "1", "2024-03-01", "2024-03-01", "1", "1", "3", "3"],
        ["(no terminal)", "1", "1", "0", "0", "no time", "no time", "1", "1", "3", "3"],
    ]
    assert page.table("terminal-1")[1:] == [
        ["2024-03-01 10:30", "scene-00001.tif", "1 [1, 2]", "3 [2, 5]", "100 %", ""],
        ["2024-04-10 10:30", "scene-00002.tif", "4 [4, 5]", "6 [5, 8]", "100 %", ""],
    ]
    assert page.table("untimed")[1:] == [["(no terminal)", "scene-00005.tif", "1 [1, 2]", "3 [2, 5]", "100 %", ""]]
    assert page.table("failures")[1:] == [
        ["/archive/b/scene-00003.tif", "b", "in part", "the file is truncated", "get it again"],
        ["/archive/b/scene-00004.tif", "b", "failed", "the file is truncated", "get it again"],
    ]
    run = words(page.section("run"))
    for told in (
        "toy 1, fp32 by provider cpu",
        "0" * 64,
        "Threshold of the score0.25",
        "--conf0.25",
        "Side of tiles, px640",
    ):
        assert told in run
    assert "1 scenenot seen whole" in run
    assert "1 scenewith the same bytes" in run
    reading = words(page.section("reading"))
    for told in ("Nothing is summed over scenes", "90 %", "Unknown", "Coverage"):
        assert told in reading


def test_the_same_rows_give_the_same_bytes_in_any_process(water: Path, tmp_path: Path) -> None:
    """Sets have another order in each process, but for the hash seed that is given here."""
    script = (
        "import sys; sys.path[:0] = ['tests', '.']\n"
        "from test_bulk_report import mixed, write_report, FACTS, Path, open_scene\n"
        "write_report(mixed, Path(sys.argv[1]), lambda _: open_scene(sys.argv[2]), FACTS)\n"
    )
    root = Path(__file__).resolve().parent.parent
    path, environment = tmp_path / "other.html", {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, path, water], cwd=root, env=environment, check=True)
    assert path.read_bytes() == Page(mixed, tmp_path, lambda _: open_scene(water)).bytes


def mixed() -> Iterator[SceneRow]:
    """Scenes that differ in whatever is collected."""
    for i in range(1, 30):
        gsd = None if i % 7 == 0 else i / 10
        yield scene_row(i, "abcdefg"[i % 5], START + timedelta(hours=i), i % 3, gsd_m=gsd, warnings=["w"] * (i % 3))


def test_names_break_nothing(tmp_path: Path) -> None:
    row = scene_row(1, NASTY)
    assert row.document is not None
    row.document["model"] = {**row.document["model"], "name": NASTY}
    failure = Failure(f"{NASTY}: {NASTY}", NASTY)
    failed = replace(scene_row(2, NASTY, state="failed"), place=Place(NASTY, NASTY), failure=failure)
    page = Page([replace(row, name=NASTY), failed], tmp_path, facts=Facts(NASTY, {NASTY: NASTY}))
    assert page.count("script") == 0
    assert page.count("b") == 1, "the date of the one picture"
    shown = NASTY.replace("\x1b", "?").replace("\u202e", "?")
    assert words(next(page.root.iter("h1"))).endswith(shown)
    assert [words(each) for each in page.root.iter("h2")][1] == shown
    assert page.table("terminal-1")[1][1] == shown
    assert page.table("failures")[1][3] == f"{shown}: {shown}"
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page.bytes.decode())


def test_the_page_may_load_nothing_and_says_so(water: Path, tmp_path: Path) -> None:
    page = Page([scene_row(1)], tmp_path, lambda _: open_scene(water))
    policy = next(each.get("content", "") for each in page.root.iter("meta") if each.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256((next(page.root.iter("style")).text or "").encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    for element in page.root.iter():
        assert element.tag not in {"script", "link", "iframe", "object"}
        assert not [key for key in element.attrib if key.startswith("on") or key == "style"]
        for key in ("src", "href"):
            assert re.match(r"data:image/jpeg;base64,|#|$", element.get(key, ""))
    anchors = {element.get("id") for element in page.root.iter()}
    assert {element.get("href", "")[1:] for element in page.root.iter("a")} <= anchors


def test_a_run_without_scenes_or_without_counts_is_told_too(tmp_path: Path) -> None:
    assert "There are no scenes." in words(Page([], tmp_path).root)
    waiting = replace(scene_row(1, state="failed"), state="waiting", failure=None)
    page = Page([waiting], tmp_path)
    assert "No scene was counted." in words(page.section("terminal-1"))
    assert page.table("failures")[1][2:] == ["waiting", "it has not been scored yet", "start the same command again"]
    assert page.count("svg") == 0


def test_rows_are_not_kept(water: Path, tmp_path: Path) -> None:
    class Document(dict[str, Any]):
        """One that tells when it is gone."""

    alive: Counter[str] = Counter()

    def rows() -> Iterator[SceneRow]:
        for i in range(1, 120):
            row = scene_row(i, tankers=3)
            document = Document(row.document or {})
            alive["now"] += 1
            weakref.finalize(document, lambda: alive.subtract(["now"]))
            alive["most"] = max(alive["most"], alive["now"])
            yield replace(row, document=document)
            del row, document

    Page(rows, tmp_path, lambda _: open_scene(water))
    assert alive["most"] <= 3


# --- charts ---


def test_dots_and_whiskers_are_at_the_heights_of_the_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows, wanted = [], []
    for i in range(40):
        tankers, others = (int(n) for n in rng.integers(0, 40, 2))
        low, high = tankers - int(rng.integers(0, tankers + 1)), tankers + int(rng.integers(0, 9))
        bounds = {"tanker": [low, high], "vessel": [tankers, tankers + others + 3]}
        time = START + timedelta(hours=int(rng.integers(0, 9000)))
        coverage = 1.0 if i % 5 else 0.5
        rows.append(scene_row(i + 1, time=time, tankers=tankers, others=others, interval=bounds, coverage=coverage))
        wanted.append((time, (tankers, low, high), (tankers + others, *bounds["vessel"]), coverage == 1))
    wanted.sort(key=lambda row: row[0])
    chart = Chart(next(Page(rows, tmp_path).root.iter("svg")))
    first, last = wanted[0][0], wanted[-1][0]
    for series, number in (("tankers", 1), ("vessels", 2)):
        points = chart.points(series)
        assert [point[1:4] for point in points] == [pytest.approx(row[number], abs=0.01) for row in wanted]
        assert [point[4] for point in points] == [row[3] for row in wanted], "hollow where a part was not seen"
        left, right = points[0][0], points[-1][0]
        shares = [(x - left) / (right - left) for x, *_ in points]
        assert shares == pytest.approx([(row[0] - first) / (last - first) for row in wanted], abs=1e-3)


def test_a_chart_tells_what_it_shows_without_being_seen(tmp_path: Path) -> None:
    svg = next(Page([scene_row(1, tankers=2), scene_row(2, tankers=7)], tmp_path).root.iter("svg"))
    texts = {element.get("id"): element.text for element in svg.iter()}
    assert texts[svg.get("aria-labelledby")] == "Counts over time, a"
    assert texts[svg.get("aria-describedby")] == (
        "2 scenes from 2024-03-01 to 2024-03-01. Tankers: from 2 to 7. All vessels: from 4 to 9."
    )
    assert svg.findall(".//polyline") == svg.findall(".//path") == [], "nothing is joined: no trend is invented"


def test_too_many_scenes_are_shown_as_means_of_days_and_it_says_so(tmp_path: Path) -> None:
    times = [START + timedelta(hours=5 * i) for i in range(1200)]
    document = scene_row(1).document
    rows = []
    for i, time in enumerate(times):
        counts = {"tanker": i % 7, "other": 0, "unknown": 0, "vessel": i % 7}
        rows.append(
            replace(scene_row(0, time=time, tankers=0, others=0), number=i + 1, document={**document, "counts": counts})
        )  # type: ignore[dict-item]
    page = Page(rows, tmp_path)
    chart = Chart(next(page.root.iter("svg")))
    days: dict[Any, list[int]] = {}
    for i, time in enumerate(times):
        days.setdefault(time.date(), []).append(i % 7)
    means = [pytest.approx((mean(some), min(some), max(some)), abs=0.01) for some in days.values()]
    assert [point[1:4] for point in chart.points("tankers")] == means
    section = words(page.section("terminal-1"))
    assert "mean of the scenes of one day" in section
    assert "is no interval" in section
    assert len(page.table("terminal-1")) == 501
    assert "First 500 of 1,200 scenes" in section
    assert "All scenes are in scenes.csv" in section


@given(st.lists(TIMES, min_size=1, max_size=60), st.integers(1, 60))
def test_points_stand_for_all_scenes_however_many_there_are(times: list[datetime], most: int) -> None:
    rows = [scene_row(i, time=time, tankers=0, others=0) for i, time in enumerate(times)]
    lines = survey(rows_of(rows)).terminals["a"].timed
    found = pooled(lines, most)
    assert len(found.points) <= most or found.unit == "year"
    assert found.points == sorted(found.points, key=lambda point: point.time)
    assert all(
        point.time <= time.astimezone(timezone.utc)
        for point, time in zip(found.points[:1], sorted(times), strict=False)
    )
    if found.unit:
        told = sum(int(match) for point in found.points for match in re.findall(r", (\d+) scenes?$", point.name))
        assert told == len(times)
    else:
        assert len(found.points) == len(times)


@given(TIMES, TIMES)
def test_ticks_are_round_times_in_order_that_have_room(first: datetime, last: datetime) -> None:
    shown = stretch(min(first, last), max(first, last))
    ticks = time_ticks(shown)
    assert len(ticks) <= MOST_TIMES + 1
    assert [tick.time for tick in ticks] == sorted({tick.time for tick in ticks})
    for tick in ticks:
        assert shown.begin <= tick.time <= shown.end
        assert 0 <= shown.share(tick.time) <= 1
        assert (tick.time.minute, tick.time.second, tick.time.microsecond) == (0, 0, 0)
        assert (str(tick.time.year) in tick.upper + tick.lower) or tick is not ticks[0]
    edge = timedelta(days=400 * 365)
    if shown.end - shown.begin < edge and shown.begin.year > 1 and shown.end.year < 9999:
        assert len(ticks) >= 2


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (0.1, "06:00/2 Mar 2024"), (1, "06:00/2 Mar 2024"), (4, "3 Mar/2024"), (30, "4 Mar/2024"), (150, "Apr/2024"),
        (900, "Jul/2024"), (3000, "2026/"),
    ],
)  # fmt: skip
def test_the_first_tick_tells_the_day_or_the_year(days: float, told: str) -> None:
    begin = datetime(2024, 3, 2, 5, 20, tzinfo=timezone.utc)
    tick = time_ticks(stretch(begin, begin + timedelta(days=days)))[0]
    assert f"{tick.upper}/{tick.lower}" == told


@given(st.integers(0, 10**6))
def test_ticks_of_counts_are_few_whole_and_reach_the_most(most: int) -> None:
    ticks = count_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= max(most, 1)
    assert 2 <= len(ticks) <= 5
    assert len({b - a for a, b in pairwise(ticks)}) == 1


# --- tables and pictures ---


def test_long_tables_are_cut_and_say_where_the_rest_is(tmp_path: Path) -> None:
    failed = scene_row(1, state="failed")
    untimed = scene_row(1, time=None, tankers=0, others=0)
    rows = [replace(failed, number=i) for i in range(1100)] + [replace(untimed, number=1100 + i) for i in range(520)]
    page = Page(rows, tmp_path)
    assert len(page.table("failures")) == 1001
    assert "The first 1,000 of 1,100 scenes; all are in scenes.csv." in words(page.section("failures"))
    assert len(page.table("untimed")) == 501
    assert "The first 500 of 520 scenes" in words(page.section("untimed"))
    assert "520 scenes without time are listed below" in words(page.section("terminal-1"))


def test_up_to_twelve_pictures_a_terminal_evenly_over_time(water: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def opened(row: SceneRow) -> Scene:
        asked.append(row.number)
        return open_scene(water)

    rows = [scene_row(i + 1, time=START + timedelta(days=i)) for i in range(100)]
    page = Page([*rows, scene_row(200, "b", state="partial")], tmp_path, opened)
    assert asked == [*(1 + i * 99 // 11 for i in range(12)), 200]
    images = list(page.root.iter("img"))
    assert len(images) == 13
    assert images[0].get("alt") == "Scene scene-00001.tif with its vessels outlined"
    data = base64.b64decode(images[0].get("src", "").removeprefix("data:image/jpeg;base64,"))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (192, 256, 3) == (int(images[0].get("height", 0)), int(images[0].get("width", 0)), 3)
    assert (
        words(list(page.root.iter("figcaption"))[-1])
        == "2024-03-01 10:301 tanker, 3 vessels (75.0 % seen)scene-00200.tif"
    )


def test_a_report_is_whole_though_no_scene_can_be_opened_again(water: Path, tmp_path: Path) -> None:
    there, absent = Page([scene_row(1)], tmp_path, lambda _: open_scene(water)), Page([scene_row(1)], tmp_path, gone)
    texts = [[words(each) for each in page.root.iter() if each.tag != "img"] for page in (there, absent)]
    assert texts[0] == texts[1]
    assert absent.count("img") == 1


def test_pictures_of_noise_have_few_bytes_too() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    assert 1000 < len(gallery._small(noise)) <= gallery.MOST_BYTES


def test_with_many_terminals_each_gets_less_room(water: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bulk.report.report.MOST_PARTS", 3)
    monkeypatch.setattr("edge.bulk.report.report.POINTS_OF_ALL", 12)
    monkeypatch.setattr("edge.bulk.report.report.ROWS_OF_ALL", 15)
    monkeypatch.setattr("edge.bulk.report.gallery.MOST_OF_ALL", 6)
    rows = [scene_row(i + 1, "abcde"[i % 5], START + timedelta(days=i)) for i in range(50)]
    page = Page(rows, tmp_path, lambda _: open_scene(water))
    assert len(page.table("terminals")) == 6
    assert [each.get("id") for each in page.root.iter("section") if "terminal-" in each.get("id", "")] == [
        "terminal-1", "terminal-2", "terminal-3",
    ]  # fmt: skip
    assert page.count("img") == 6
    assert len(page.table("terminal-2")) == 6
    assert all(len(Chart(svg).points("tankers")) <= 4 for svg in page.root.iter("svg"))
    assert "of one month" in words(page.section("terminal-1"))


def test_all_models_and_ranges_of_settings_are_told(tmp_path: Path) -> None:
    rows = [scene_row(i, gsd_m=0.3 + i / 1000, synthetic=i == 3) for i in range(1, 100)]
    rows.append(scene_row(100, gsd_m=None, model={**(rows[0].document or {})["model"], "precision": "int8"}))
    page = Page(rows, tmp_path)
    run = words(page.section("run"))
    assert "toy 1, fp32 by provider cpu (99 scenes)" in run
    assert "toy 1, int8 by provider cpu (1 scene)" in run
    assert "0.301 to 0.399, by scene; not known for some" in run
    assert "1 scene synthetic: rendered, and of no real place." in words(page.root)
    assert "scene-00003.tif (SYNTHETIC)" in words(page.section("terminal-1"))


def test_medians_are_those_of_the_scenes(tmp_path: Path) -> None:
    counts = [3, 0, 9, 4, 4, 1]
    page = Page([scene_row(i, tankers=n, others=0) for i, n in enumerate(counts)], tmp_path)
    assert page.table("terminals")[1][7:9] == [str(median(counts)), str(max(counts))]


def test_means_are_of_the_scenes_and_bars_from_least_to_most() -> None:
    lines = survey(
        rows_of(scene_row(i, time=START + timedelta(hours=i), tankers=i, others=0) for i in range(6))
    ).terminals["a"]
    assert pooled(lines.timed, 3).points == [
        Point(
            START.replace(hour=0, minute=0),
            "day from 2024-03-01, 6 scenes",
            Counted(2.5, 0, 5),
            Counted(2.5, 0, 5),
            whole=True,
        )
    ]
