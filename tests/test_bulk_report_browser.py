"""The report of a bulk run in a real browser: as people read it, from a file, on desk, phone and paper."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from browser import PHONE, overflow, started, violations, visiting
from bulk_rows import START, rows_of, scene_row
from scene_documents import HEIGHT, WIDTH

from edge.bulk.report import Facts, write_report
from edge.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

NASTY = "<script>window.broken = 1</script><img src=http://example.invalid/x onerror='window.broken = 1'>"
VIEWS = {"light": {"color_scheme": "light"}, "dark": {"color_scheme": "dark"}, "phone": PHONE}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a report with all that there can be in one."""
    folder = tmp_path_factory.mktemp("report")
    cv2.imwrite(str(folder / "water.png"), np.full((HEIGHT, WIDTH, 3), (90, 70, 50), np.uint8))
    times = [START + timedelta(days=9 * i) for i in range(30)]
    rows = [scene_row(i + 1, "Europoort", time, tankers=i % 5, others=i % 9) for i, time in enumerate(times)]
    rows += [
        scene_row(40, NASTY, tankers=1200, others=3),
        scene_row(41, "x" * 200, state="partial"),
        scene_row(42, NASTY, state="failed"),
        scene_row(43, None, time=None, synthetic=True),
    ]
    facts = Facts("archive-of-" + "a" * 90, {"--conf": "0.25", "INPUT": "/a" * 100})
    path = write_report(rows_of(rows), folder / "report.html", lambda _: open_scene(folder / "water.png"), facts)
    return path.as_uri()


def shade(page: Page, colour: str) -> float:
    """Mean of red, green and blue of a colour of the page, 0 to 255."""
    told = page.evaluate(f"getComputedStyle(document.body).{colour}")
    return sum(map(int, told.removeprefix("rgb(").removesuffix(")").split(","))) / 3


@pytest.mark.parametrize("view", VIEWS)
def test_everyone_can_read_it_and_it_asks_for_nothing(browser: Browser, address: str, view: str) -> None:
    """The visit fails where the page asks for anything, or breaks its own policy."""
    with visiting(browser, address, **VIEWS[view]) as (page, _):
        page.goto(address)
        assert violations(page) == []
        assert overflow(page) <= 0
        assert page.evaluate("window.broken") is None
        assert (shade(page, "backgroundColor") < shade(page, "color")) == (view == "dark"), "the style sheet holds"
        pictures = page.locator("img")
        assert pictures.count() == 15
        assert page.evaluate("[...document.images].every(each => each.complete && each.naturalWidth === 256)")


def test_charts_and_their_words_keep_their_size_on_a_phone(browser: Browser, address: str) -> None:
    with visiting(browser, address, **PHONE) as (page, _):
        page.goto(address)
        texts = page.locator("#terminal-2 svg text.time:not([y='384'])")
        boxes = [texts.nth(i).bounding_box() for i in range(texts.count())]
        assert len(boxes) >= 3
        ends = [(box["x"], box["x"] + box["width"], box["height"]) for box in boxes if box]
        assert all(height >= 12 for *_, height in ends)
        assert all(left[1] < right[0] for left, right in pairwise(ends)), "none covers another"
        assert ends[0][0] >= 0
        assert ends[-1][1] <= 390


def test_wide_tables_scroll_by_themselves_and_long_ones_unfold(browser: Browser, address: str) -> None:
    with visiting(browser, address, **PHONE) as (page, _):
        page.goto(address)
        assert page.locator("#terminals .wide").evaluate("each => each.scrollWidth > each.clientWidth")
        rows = page.locator("#terminal-2 tbody tr")
        assert not rows.first.is_visible()
        page.get_by_text("30 scenes", exact=True).tap()
        rows.first.wait_for()
        assert rows.count() == 30


def test_links_lead_to_terminals_and_failures(browser: Browser, address: str) -> None:
    in_view = "each => each.getBoundingClientRect().top >= -1 && each.getBoundingClientRect().top < innerHeight"
    links = {"2 scenes that were not counted whole": "#failures", "Europoort": "#terminal-2"}
    with visiting(browser, address, viewport={"width": 1280, "height": 300}) as (page, _):
        for name, key in links.items():
            page.goto(address)
            assert not page.locator(key).evaluate(in_view)
            page.get_by_role("link", name=name).click()
            assert page.locator(key).evaluate(in_view)


def test_on_paper_it_is_black_on_white_and_nothing_is_cut_off(browser: Browser, address: str) -> None:
    with visiting(browser, address, color_scheme="dark", viewport={"width": 718, "height": 1000}) as (page, _):
        page.emulate_media(media="print")  # A4 with margins of 1 cm is 718 px wide
        page.goto(address)
        assert (shade(page, "backgroundColor"), shade(page, "color")) == (255, 0)
        assert overflow(page) <= 0
