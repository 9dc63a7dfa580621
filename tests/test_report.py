"""The page of an evaluation: whole, self-contained, and not to be broken by names."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import toy_model

from edge.errors import InputError
from training import evaluate, report, report_scenes
from training.markup import VOID, Markup, table, tag, text
from training.matching import Judged, Said, Truth, judge
from training.metrics import Outcomes, curve
from training.plots import bar_plot, curve_plot, reliability_plot, wilson
from training.reliability import equal_count, equal_width
from training.report_crops import confusions, inventions, misses
from training.report_scenes import Shown, counts_line, data_uri, marks, tally, worst_first

if TYPE_CHECKING:
    from collections.abc import Sequence

NASTY = """a<b>&"quoted'"""
"""A name that would break a page that does not escape it."""


class Page(HTMLParser):
    """Checks that tags are balanced and collects what a page asks for."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.seen: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(name)
        if name not in VOID:
            self.open.append(name)
        given = dict(attrs)
        assert not [key for key in given if key.startswith("on")], "no script in attributes"
        self.asked += [str(given[key]) for key in ("src", "href", "action", "data", "xlink:href") if key in given]
        if name == "img":
            self.pictures.append(given)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _label(kind: int, column: float, row: float, size: int = toy_model.TILE) -> str:
    """A line of a label file: a vessel 3 cells long and one wide, round the cell."""
    cell = toy_model.CELL
    x, y = (column + 0.5) * cell, (row + 0.5) * cell
    corners = [(x - 12, y - 4), (x + 12, y - 4), (x + 12, y + 4), (x - 12, y + 4)]
    return f"{kind} " + " ".join(f"{v / size:.6f}" for point in corners for v in point)


def _set(folder: Path, pictures: dict[str, tuple[np.ndarray, list[str]]]) -> Path:
    """A labelled set; all of it is val."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    rows = ["image,split,group"]
    for i, (name, (pixels, labels)) in enumerate(pictures.items()):
        done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
        assert done
        (folder / "images" / f"{name}.png").write_bytes(data.tobytes())
        (folder / "labels" / f"{name}.txt").write_text("".join(f"{line}\n" for line in labels))
        quoted = name.replace('"', '""')
        rows.append(f'"{quoted}.png",val,{i}')
    (folder / "split.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    """One hit, one miss and one invention in a picture of nasty name; one hit of the wrong kind; an empty one."""
    size = toy_model.TILE
    first = toy_model.picture(size, size, {(3, 3): 230, (10, 12): 180})
    second = toy_model.picture(size, size, {(8, 8): 250}, green=30)
    return _set(
        tmp_path / "ha<i>fen & co",
        {
            NASTY: (first, [_label(1, 3, 3), _label(0, 11, 3)]),
            "wrong": (second, [_label(0, 8, 8)]),
            "empty": (toy_model.picture(size, size, {}), []),
        },
    )


def _run(folder: Path, model: Path, out: Path, *more: str) -> tuple[dict[str, object], str]:
    """Run the step; its JSON line comes from stdout elsewhere, its page from here."""
    assert evaluate.main(["--model", str(model), "--folder", str(folder), "--out", str(out), *more]) == 0
    return json.loads((out / "figures.json").read_text()), (out / "report.html").read_text()


def test_evaluating_writes_a_page(harbour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = toy_model.model_folder(tmp_path / "toy", kinds=True)
    robust = tmp_path / "robustness.json"
    rows = [{"set": NASTY, "any": 0.5}, {"set": "all", "any": None, "late": 3}]
    robust.write_text(json.dumps({"model": "m", "checks": {"turns": {"title": "T", "note": "N", "rows": rows}}}))
    figures, source = _run(harbour, model, tmp_path / "out", "--robustness", str(robust))
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["page"] == str(tmp_path / "out" / "report.html")
    whole = figures["all fully labelled"]
    assert (whole["vessels"], whole["precision"], whole["recall"]) == (3, 2 / 3, 2 / 3)
    assert whole["confusion"]["tanker"] == {"tanker": 0, "other": 1, "unknown": 0, "missed": 1}
    assert whole["interval"]["vessel"]["all"]["scenes"] == 3
    page = Page(source)
    words = " ".join(page.words)
    assert "do not pass it on" in words
    assert f"{harbour.name} / {NASTY}.png" in words, "names are shown as they are"
    assert "late" in words
    assert NASTY not in source
    assert "<i>" not in source
    scenes = page.pictures[:2]
    assert NASTY in str(scenes[0]["alt"])
    assert "1 found, 0 of the wrong kind, 1 missed, 1 invented" in str(scenes[0]["alt"])
    assert "0 found, 1 of the wrong kind" in str(scenes[1]["alt"])
    assert len(page.pictures) == 2 + 3, "a crop each of the miss, the invention and the confusion; no empty picture"


def test_the_page_asks_for_nothing(harbour: Path, tmp_path: Path) -> None:
    _, source = _run(harbour, toy_model.model_folder(tmp_path / "toy", kinds=True), tmp_path / "out")
    page = Page(source)
    assert page.asked
    assert all(asked.startswith("data:image/jpeg;base64,") for asked in page.asked)
    assert not {"script", "link", "iframe", "object"} & set(page.seen)
    bare = re.sub(r'src="data:[^"]*"', "", source)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", bare)
    assert all(picture["alt"] for picture in page.pictures)
    assert bare.count('role="img"') == bare.count("aria-label=") == 5, "each plot says what it shows"
    assert "prefers-color-scheme: dark" in source
    assert 'content="width=device-width' in source


def test_known_answers_are_taken_again(harbour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_model.model_folder(tmp_path / "toy", kinds=True)
    first, page = _run(harbour, model, tmp_path / "out")
    monkeypatch.setattr("training.scans.predict", lambda *_: pytest.fail("it was scanned before"))
    again, same = _run(harbour, model, tmp_path / "out")
    assert (again, same) == (first, page)
    other, _ = _run(harbour, model, tmp_path / "out", "--conf", "0.8")
    assert other["all fully labelled"]["precision"] == 1, "the invention's score is 0.71"
    assert other["all fully labelled"]["interval"]["vessel"]["all"]["scenes"] == 0, "documents are of another threshold"


def test_what_is_no_robustness_file_is_said(tmp_path: Path) -> None:
    for content in ("", "[]", "{}", "null"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(InputError, match=r"training\.robustness"):
            report.read_robustness(tmp_path / "x.json")


def test_scenes_beyond_the_size_are_named(harbour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_CHARACTERS", 10)
    _, source = _run(harbour, toy_model.model_folder(tmp_path / "toy", kinds=True), tmp_path / "out")
    words = " ".join(Page(source).words)
    assert f"Not shown, to keep the page small: {harbour.name} / {NASTY}.png, {harbour.name} / wrong.png." in words


# --- parts ---


def _judged(name: str, missed: int, invented: int, *, source: str = "s", ignored: bool = False) -> Judged:
    """A picture with a hit, some misses and some inventions, each 60 px long."""
    quads = np.array([[[x, y], [x + 60, y], [x + 60, y + 10], [x, y + 10]] for y in (10, 40, 70) for x in (5, 95, 185)])
    quads = quads.astype(np.float64)
    truths, said = quads[: 1 + missed], quads[[0, *range(1 + missed, 1 + missed + invented)]]
    area = (np.array([[0.0, 60], [300, 60], [300, 100], [0, 100]]),) if ignored else ()
    truth = Truth(name, source, 300, 100, truths, np.zeros(1 + missed, np.int64), np.ones(1 + missed, bool), area)
    score = 0.9 - 0.1 * np.arange(1 + invented)
    return judge(truth, said, score, np.ones(1 + invented, np.int64), np.full(1 + invented, 0.2))


def _shown(*judged: Judged) -> list[Shown]:
    return [Shown(Path("nowhere") / row.truth.name, row) for row in judged]


def test_the_worst_scene_comes_first_and_ties_go_by_name() -> None:
    rows = worst_first(_shown(_judged("b", 1, 1), _judged("c", 0, 0), _judged("a", 2, 0), _judged("d", 1, 2)), 0.25)
    assert [shown.judged.truth.name for shown, _ in rows] == ["d", "a", "b", "c"]
    assert tally(rows[0][1]) == {"hit": 0, "miss": 1, "invention": 2, "wrong-kind": 1, "ignored": 0}


def test_each_outline_has_its_style() -> None:
    judged = _judged("a", 3, 4, ignored=True)
    found = marks(judged, 0.55)
    assert tally(found) == {"hit": 0, "miss": 3, "invention": 2, "wrong-kind": 1, "ignored": 2}, "0.5 is no vessel"
    assert [mark.style for mark in found] == sorted(
        (mark.style for mark in found), key=["ignored", "hit", "wrong-kind", "miss", "invention"].index
    )
    assert set(report_scenes.MARKS) == {mark.style for mark in found} | {"hit"}


def test_counts_are_said_with_their_intervals() -> None:
    judged = _judged("a", 1, 2)
    assert counts_line(judged, 0.25) == "vessels said 3, true 2; tankers said 0, true 2"
    with_document = Judged(judged.truth, judged.predicted, judged.iou, judged.dropped, Said(3, 0, (1, 4), (0, 2)))
    assert counts_line(with_document, 0.25) == "vessels said 3 (1 to 4), true 2; tankers said 0 (0 to 2), true 2"


def test_galleries_are_ranked() -> None:
    scenes = worst_first(_shown(_judged("a", 1, 2), _judged("b", 0, 1)), 0.25)
    assert [round(crop.rank, 2) for crop in inventions(scenes)] == [0.8, 0.8, 0.7]
    assert [crop.shown.judged.truth.name for crop in inventions(scenes)] == ["a", "b", "a"]
    assert [crop.rank for crop in misses(scenes)] == [60]
    assert "no box on it" in misses(scenes)[0].words
    assert [crop.rank for crop in confusions(scenes)] == [0.8, 0.8], "called other, with a belief of 0.2 in a tanker"


def test_a_picture_in_the_page_is_the_picture() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :, 0] = 200
    head, _, body = data_uri(pixels).partition(",")
    assert head == "data:image/jpeg;base64"
    back = cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert np.abs(back[:, :, ::-1].astype(int) - pixels).max() < 8


def test_text_is_escaped_once_and_markup_never() -> None:
    assert text("<&>") == "&lt;&amp;&gt;"
    assert text(text("<")) == "&lt;"
    assert tag("p", {"title": '"<'}, "a<", tag("b", None, 1)) == '<p title="&quot;&lt;">a&lt;<b>1</b></p>'
    assert tag("br") == "<br>"
    assert tag("circle", {"r": 1.23456, "cx": 2.0}) == '<circle r="1.23" cx="2"></circle>'
    assert isinstance(table(["a"], [["<b>"]]), Markup)
    assert "<b>" not in table(["a"], [["<b>"]])


def _numbers(source: str, name: str, keys: Sequence[str]) -> list[tuple[float, ...]]:
    """Attributes of all elements of a name."""
    found = re.findall(rf"<{name} [^>]*>", source)
    return [tuple(float(re.search(rf'\b{key}="([^"]*)"', one)[1]) for key in keys) for one in found]  # type: ignore[index]


def test_plots_place_their_points() -> None:
    outcomes = Outcomes.of([(0.5, True)] * 5 + [(0.5, False)] * 5)
    plot = reliability_plot("<t>", equal_count(outcomes, 1), equal_width(outcomes, 10))
    Page(plot)
    assert "<t>" not in plot
    assert _numbers(plot, "circle", ["cx", "cy"]) == [(46 + 125, 14 + 125)], "half way along both axes"
    assert _numbers(plot, "rect", ["x", "y"]) == [(46 + 125 - 4, 14 + 125 - 4)]
    line = curve(Outcomes.of([(0.9, True), (0.4, False), (0.3, True)]), 2)
    ring = curve_plot("t", line, (0.2, 0.6))
    assert _numbers(ring, "circle", ["cx", "cy"]) == [(46 + 50, 14 + 100)], "y grows downwards"
    assert 'points="171.0,14.0 171.0,139.0 296.0,97.3"' in ring, "(1/2, 1), (1/2, 1/2), (1, 2/3)"
    assert "precision 0.60 at recall 0.20" in ring
    bars = bar_plot("t", [("8-16", 0.5, 4), ("16-32", None, 0)])
    assert [w for (w,) in _numbers(bars, "rect", ["width"])] == [100, 0]
    for empty in (reliability_plot("t", equal_count(Outcomes.of([])), equal_width(Outcomes.of([]))),
                  curve_plot("t", curve(Outcomes.of([]), 0), (None, None)), bar_plot("t", [])):  # fmt: skip
        Page(empty)
        assert "nothing to show" in empty


def test_a_long_curve_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    line = curve(Outcomes(rng.random(5000), rng.random(5000) < 0.5), 4000)
    (points,) = re.findall(r'points="([^"]*)"', curve_plot("t", line, (None, None)))
    assert len(points.split()) <= 400
    x, y = map(float, points.split()[-1].split(","))
    assert (x, y) == pytest.approx((46 + 250 * line.recall[-1], 14 + 250 * (1 - line.precision[-1])), abs=0.06)


def test_intervals_of_shares_solve_the_equation_that_defines_them() -> None:
    """Wilson's bounds are the p for which the observed share lies z standard deviations from p."""
    for share, size in ((0.0, 5.0), (0.3, 10.0), (1.0, 40.0)):
        for bound in wilson(np.array([share]), np.array([size])):
            p = float(bound[0])
            assert (share - p) ** 2 == pytest.approx(1.6449**2 * p * (1 - p) / size, abs=1e-9)
