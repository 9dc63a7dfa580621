"""The page at / in a real browser, on real servers: with the toy model, and with the shipped one on the sample."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.server import job_runner
from edge.server.job_record import ENDED
from edge.server.routes_page import FOLDER
from edge.server.shield import POLICY
from edge.write.caption import COLOURS
from tests import browser
from tests.live import serving
from tests.toy_model import picture, scene_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    from playwright.sync_api import Browser, Page, Route

    from edge.server.core import Core

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE = REPOSITORY / "samples" / "synthetic-terminal.tif"
TOKEN = "a-token-of-more-than-16-letters"  # noqa: S105 - of a test
OURS = [path for path in sorted(FOLDER.rglob("*")) if path.is_file() and "vendor" not in path.parts]


class Site:
    """A server, and a job of it that is done."""

    def __init__(self, client: httpx.Client, core: Core, scene: Path) -> None:
        self.client, self.core = client, core
        self.base = str(client.base_url)
        self.job = self.count(scene)

    def count(self, scene: Path) -> str:
        """The id of a job of a scene, which has ended."""
        answer = self.client.post("/v1/jobs", params={"name": scene.name}, content=scene.read_bytes())
        job = str(answer.json()["id"])
        pause = threading.Event()
        while self.core.jobs.get(job).state not in ENDED:
            pause.wait(0.02)
        return job

    def get(self, what: str) -> Any:  # noqa: ANN401 - JSON
        """What the server tells of the job."""
        answer = self.client.get(f"/v1/jobs/{self.job}/{what}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def labels(self) -> list[list[float]]:
        """Rows of the label file that reviews of the job have made."""
        (file,) = (self.core.settings.state / "reviews" / "labels").glob(f"{self.job}-*.txt")
        return [[float(v) for v in line.split()] for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as running:
        yield running


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    assert chromium
    folder = tmp_path_factory.mktemp("toy")
    with serving(folder) as (client, core):
        yield Site(client, core, scene_file(folder / "port.png"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    """The shipped model, and the sample scene counted."""
    assert chromium
    with serving(tmp_path_factory.mktemp("real"), REPOSITORY / "models" / "vessel-n") as (client, core):
        yield Site(client, core, SAMPLE)


@contextmanager
def shown(chromium: Browser, site: Site, where: str = "", **options: Any) -> Iterator[Page]:  # noqa: ANN401 - of a context
    """The page with the result of the site's job."""
    with browser.visiting(chromium, site.base, **options) as (page, _):
        page.goto(f"/#job={site.job}{where}")
        page.wait_for_selector(".boxes path.casing")
        yield page


@pytest.fixture(scope="module")
def desk(chromium: Browser, real: Site) -> Iterator[Page]:
    """The page with the sample's result, for tests that leave it as it was."""
    with shown(chromium, real) as page:
        yield page


def centre(page: Page) -> tuple[int, int]:
    """Px of the scene in the middle of the picture, as the page tells it."""
    x, y = re.findall(r"[xy] (-?[\d,]+)", page.inner_text("#readout"))
    return int(x.replace(",", "")), int(y.replace(",", ""))


def press(page: Page, key: str) -> None:
    """Press a key that moves the picture or zooms, and wait until that has come to rest."""
    before = last = page.inner_text("#readout")
    page.keyboard.press(key)
    for _ in range(100):
        page.wait_for_timeout(40)
        now = page.inner_text("#readout")
        if now == last != before:
            return
        last = now
    pytest.fail(f"{key} does not move the picture")


def middle(row: dict[str, Any]) -> Any:  # noqa: ANN401 - an array
    return np.mean(row["corners"], 0)


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a px of the scene is in the window, when it has been drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    scale, a, b = page.evaluate(
        "() => { const m = document.querySelector('.boxes > g').transform.baseVal[0].matrix; return [m.a, m.e, m.f]; }"
    )
    box = page.locator("#viewer").bounding_box()
    assert box
    return box["x"] + x * scale + a, box["y"] + y * scale + b


def saved(page: Page) -> None:
    """Wait until all marks are saved."""
    page.wait_for_selector("#saved:text-is('Saved')")


def set_threshold(page: Page, value: float) -> None:
    page.locator("#threshold").evaluate(
        "(node, v) => { node.value = v; node.dispatchEvent(new Event('input')); }", value
    )


# --- the files ---


def test_the_libraries_are_those_that_the_list_names() -> None:
    told = (FOLDER / "vendor" / "README.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` .*\| `([0-9a-f]{64})` \|$", told, re.MULTILINE))
    there = {p.relative_to(FOLDER / "vendor").as_posix(): p for p in (FOLDER / "vendor").rglob("*") if p.is_file()}
    there.pop("README.md")
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()} == listed
    assert not [name for name, path in there.items() if b"sourceMappingURL=" in path.read_bytes()]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_of_the_page_is_elsewhere_or_inline(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert not re.search(r"\sstyle=|\son[a-z]+=\"|<style|<script>|innerHTML|insertAdjacentHTML|\beval\(|alert\(", text)


def test_the_colours_of_the_kinds_are_those_of_the_overlay() -> None:
    style = (FOLDER / "style.css").read_text("utf-8")
    told = {name: re.search(rf"--{name}: #([0-9a-f]{{6}});", style) for name in COLOURS}
    assert {k: m and tuple(bytes.fromhex(m[1]))[::-1] for k, m in told.items()} == COLOURS


def test_the_wheel_has_the_page() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    builder = wheel.WheelBuilder(str(REPOSITORY))
    found = {file.distribution_path for file in builder.recurse_included_files()}
    files = [p.relative_to(REPOSITORY).as_posix() for p in FOLDER.rglob("*") if p.is_file()]
    assert len(files) > 20
    assert set(files) <= found


def test_files_are_sent_compressed_and_only_when_they_have_changed(toy: Site) -> None:
    first = toy.client.get("/static/app.js")
    assert first.headers["content-encoding"] == "gzip"
    assert first.text == (FOLDER / "app.js").read_text("utf-8")
    assert first.headers["content-security-policy"] == POLICY
    again = toy.client.get("/static/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["../routes_page.py", "..%2froutes_page.py", "vendor", "", "app.js/", "vendor/../../core.py"]
)
def test_no_other_files_are_served(toy: Site, name: str) -> None:
    assert toy.client.get(f"/static/{name}").status_code in {307, 401, 404}


# --- a count ---


def test_the_page_tells_what_the_document_tells(desk: Page, real: Site) -> None:
    told = real.get("result")
    low, high = told["interval"]["tanker"]
    assert desk.inner_text("#tankers") == f"{told['counts']['tanker']} tankers"
    assert desk.inner_text("#tankers-interval") == f"({low} to {high})"
    assert desk.inner_text("#vessels") == f"{told['counts']['vessel']} vessels in all"
    assert [int(t) for t in desk.locator(".kind-button .n").all_inner_texts()] == [
        told["counts"][kind] for kind in ("tanker", "other", "unknown")
    ]
    trust = desk.inner_text("#trust")
    assert all(part in trust for part in ("Coverage 100 %", "1 m/px", "vessel-n", told["model"]["sha256"][:8]))
    assert desk.is_visible("#synthetic")
    desk.click("text=How sure?")
    assert told["model"]["sha256"] in desk.inner_text("#facts")
    desk.click("text=How sure?")
    assert desk.is_hidden("#facts")
    assert desk.locator("#list").get_attribute("aria-rowcount") == str(told["counts"]["vessel"])


def test_the_slider_counts_anew_at_once(desk: Page, real: Site) -> None:
    told = real.get("candidates")
    for row in told["recounts"][::8] + told["recounts"][-1:]:
        set_threshold(desk, row["threshold"])
        tankers, vessels = row["counts"]["tanker"], row["counts"]["vessel"]
        assert desk.inner_text("#tankers").split()[0] == str(tankers)
        assert desk.inner_text("#vessels").split()[0] == str(vessels)
        assert desk.inner_text("#vessels-interval") == "({} to {})".format(*row["interval"]["vessel"])
        assert desk.locator("#list").get_attribute("aria-rowcount") == str(vessels)
        drawn = desk.locator(".boxes path.line").evaluate_all("ps => ps.map(p => p.getAttribute('d')).join('')")
        assert drawn.count("Z") == vessels
    desk.click("#threshold-back")
    assert desk.inner_text("#threshold-value") == str(told["threshold"])
    assert desk.evaluate("document.activeElement.id") == "threshold"
    desk.keyboard.press("ArrowRight")
    assert desk.inner_text("#threshold-value") == f"{told['threshold'] + 0.01:.2f}"
    desk.keyboard.press("ArrowLeft")


def test_a_row_leads_to_its_vessel_and_a_link_too(chromium: Browser, real: Site) -> None:
    rows = sorted(real.get("candidates")["detections"], key=lambda row: -row["score"])
    with shown(chromium, real) as page:
        page.locator("#list .vessel").nth(3).click()
        assert np.abs(middle(rows[3]) - centre(page)).max() <= 1
        assert page.url.endswith(f"&vessel={rows[3]['id']}")
        assert page.locator("[aria-selected=true] .number").inner_text() in page.inner_text("#about")
    with shown(chromium, real, f"&vessel={rows[20]['id']}") as page:
        page.wait_for_selector("[aria-selected=true]")
        assert np.abs(middle(rows[20]) - centre(page)).max() <= 1
        assert page.locator("[aria-selected=true]").is_visible()


def test_a_click_on_the_picture_chooses_a_vessel(desk: Page, real: Site) -> None:
    row = max(real.get("result")["detections"], key=lambda row: row["length_m"])
    desk.mouse.click(*on_screen(desk, *middle(row)))
    desk.wait_for_selector(f"#about strong:text-matches('^{row['id']} ')")
    assert desk.locator("[aria-selected=true] .number").inner_text() == str(row["id"])
    assert f"{row['length_m']:.0f} m ± {row['length_error_m']:.0f} m" in desk.inner_text("#about")


def test_kinds_can_be_hidden_and_rows_sorted(desk: Page, real: Site) -> None:
    found = real.get("result")["detections"]
    desk.click("#kind-other")
    assert desk.locator("#kind-other").get_attribute("aria-pressed") == "false"
    tankers = [row for row in found if row["kind"] == "tanker"]
    assert desk.locator("#list").get_attribute("aria-rowcount") == str(len(tankers))
    desk.select_option("#sort", "length")
    longest = max(tankers, key=lambda row: row["length_m"])
    assert desk.locator("#list .number").first.inner_text() == str(longest["id"])
    assert desk.inner_text("#tankers").startswith(f"{len(tankers)} ")
    desk.click("#kind-other")
    desk.select_option("#sort", "score")
    assert desk.locator("#list").get_attribute("aria-rowcount") == str(len(found))


# --- the review ---


def test_marks_become_labels(chromium: Browser, real: Site) -> None:
    found = real.get("result")["detections"]
    rows = {row["id"]: row for row in real.get("candidates")["detections"]}
    best = sorted(rows.values(), key=lambda row: -row["score"])
    with shown(chromium, real) as page:
        page.locator("#list .verdict.right").nth(0).click()
        page.locator("#list .verdict.wrong").nth(1).click()
        page.locator("#list .vessel").nth(2).click()
        page.select_option("#kind", "unknown")
        assert page.inner_text("#checked") == f"3 of {len(found)} checked"
        page.click("#add-missing")
        page.select_option("#missing-kind", "tanker")
        page.click("#zoom-all")
        for x, y in ((900, 900), (800, 900), (850, 910)):
            page.mouse.click(*on_screen(page, x, y))
        saved(page)
        kinds = [int(row[0]) for row in real.labels()]
        own = {"tanker": 0, "other": 1, "unknown": 2}[best[0]["kind"]]
        assert sorted(kinds) == sorted([own, 2, 0])
        drawn = (np.array(real.labels()[-1][1:]).reshape(4, 2) * (2400, 1800)).round()
        assert np.abs(drawn - [[900, 890], [900, 910], [800, 910], [800, 890]]).max() <= 4
        page.click("text=Undo")
        saved(page)
        assert len(real.labels()) == 2
        page.click("#rest-right")
        assert page.inner_text("#checked") == f"{len(found)} of {len(found)} checked"
        saved(page)
        images = real.core.settings.state / "reviews" / "images"
        assert not list(images.glob(f"{real.job}*"))
        page.click("text=Checks")
        page.check("#searched")
        saved(page)
        assert page.inner_text("#complete").startswith("Complete")
        assert [p.name for p in images.glob(f"{real.job}*")] == [f"{real.job}-{SAMPLE.name}"]
        assert len(real.labels()) == len(found) - 1
    with shown(chromium, real) as page:  # what was said is still there
        assert page.inner_text("#checked") == f"{len(found)} of {len(found)} checked"
        assert page.locator(".boxes path.wrong").count() == 1


def test_a_line_along_a_vessel_draws_it_too(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    site = Site(toy.client, toy.core, scene_file(tmp_path / "line.png"))
    with shown(chromium, site) as page:
        page.click("#add-missing")
        page.mouse.move(*on_screen(page, 110, 20))
        page.mouse.down()
        page.mouse.move(*on_screen(page, 90, 20), steps=4)
        page.mouse.move(*on_screen(page, 70, 20), steps=4)
        page.mouse.up()
        page.wait_for_selector("#drawing-step:text('3 of 3')")
        page.mouse.move(*on_screen(page, 80, 24))
        page.mouse.click(*on_screen(page, 80, 24))
        saved(page)
        (row,) = site.labels()
        assert (
            np.abs(np.array(row[1:]).reshape(4, 2) * (160, 96) - [[110, 16], [110, 24], [70, 24], [70, 16]]).max() < 1
        )
        page.click("text=Checks")
        page.click("#missing-list >> text=Remove")
        saved(page)
        assert site.labels() == []


def test_two_windows_do_not_undo_each_other(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    site = Site(toy.client, toy.core, scene_file(tmp_path / "two.png"))
    expected = ("412",)
    with (
        browser.visiting(chromium, site.base) as (first, _),
        browser.visiting(chromium, site.base) as (second, watch),
    ):
        watch.expected = expected
        for page in (first, second):
            page.goto(f"/#job={site.job}")
            page.wait_for_selector(".boxes path.casing")
        first.locator("#list .verdict.right").nth(0).click()
        saved(first)
        second.locator("#list .verdict.wrong").nth(1).click()
        saved(second)
        assert second.inner_text("#checked") == "2 of 2 checked"
    assert sorted(mark["verdict"] for mark in site.get("marks")["marks"]) == ["right", "wrong"]


def test_marks_that_are_not_saved_are_told(chromium: Browser, toy: Site) -> None:
    with browser.visiting(chromium, toy.base) as (page, watch):
        watch.expected = ("507",)
        problem = {
            "title": "Insufficient Storage",
            "status": 507,
            "detail": "no space is left there",
            "mend": "free some",
        }
        page.route(
            "**/marks", lambda route: refuse(route, problem) if route.request.method == "PUT" else route.continue_()
        )
        page.goto(f"/#job={toy.job}")
        page.locator("#list .verdict.right").nth(0).click()
        page.wait_for_selector("#errors >> text=no space is left there")
        assert page.inner_text("#saved") == "Not saved"
        page.unroute("**/marks")
        page.locator("#undo").click()
        saved(page)


def test_a_picture_that_has_gone_leaves_the_count(chromium: Browser, toy: Site) -> None:
    gone = {"title": "Gone", "status": 410, "detail": "the scene is no longer there", "mend": "count it again"}
    for what in ("**/picture", "**/tiles/**"):
        with browser.visiting(chromium, toy.base) as (page, watch):
            watch.expected = ("410", "Tile")  # which the viewer's library tells, too
            page.route(what, lambda route: refuse(route, gone))
            page.goto(f"/#job={toy.job}")
            page.wait_for_selector("#errors >> text=the scene is no longer there")
            assert page.inner_text("#vessels") == "2 vessels in all"
            page.locator("#list .vessel").first.click()
            assert page.locator("#about strong").count() == 1


def refuse(route: Route, problem: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    headers = {"Content-Type": "application/problem+json", **(headers or {})}
    route.fulfill(status=problem["status"], headers=headers, body=json.dumps(problem))


# --- files ---


def test_downloads_arrive(chromium: Browser, real: Site, tmp_path: Path) -> None:
    counts = real.get("result")["counts"]
    with shown(chromium, real) as page:
        page.click("text=Downloads")
        for suffix in ("geojson", "csv", "overlay.png", "json", "txt"):
            with page.expect_download() as wait:
                page.click(f"[data-format='{suffix}']")
            path = tmp_path / wait.value.suggested_filename
            wait.value.save_as(path)
            assert path.name == f"{SAMPLE.stem}.{suffix}"
        assert len(json.loads((tmp_path / f"{SAMPLE.stem}.geojson").read_text())["features"]) == counts["vessel"]
        assert len((tmp_path / f"{SAMPLE.stem}.csv").read_text().splitlines()) == counts["vessel"] + 1
        assert cv2.imread(str(tmp_path / f"{SAMPLE.stem}.overlay.png")).shape[1] == 2400
        assert json.loads((tmp_path / f"{SAMPLE.stem}.json").read_text())["counts"] == counts
        assert len((tmp_path / f"{SAMPLE.stem}.txt").read_text().splitlines()) == counts["vessel"]


# --- sending scenes ---


def test_a_scene_is_sent_counted_and_shown(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    scene = scene_file(tmp_path / "sent.png")
    with browser.visiting(chromium, toy.base) as (page, _):
        page.goto("/")
        page.set_input_files("#file", scene)
        page.click("#go")
        page.wait_for_selector("#vessels:text('2 vessels')")
        assert page.inner_text("#scene-name") == "sent.png"
        page.click("#to-start")
        page.wait_for_selector(".job >> text=sent.png")
        assert "2 vessels in all" in page.locator(".job", has_text="sent.png").inner_text()
        page.set_input_files("#file", scene)
        page.fill("#gsd", "0.5")
        page.fill("#min-length", "30")
        with page.expect_request(lambda request: request.method == "POST") as asked:
            page.click("#go")
        assert asked.value.url.endswith("?name=sent.png&gsd=0.5&min_length=30")


def test_a_scene_can_be_dropped(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    scene = scene_file(tmp_path / "dropped.png")
    with browser.visiting(chromium, toy.base) as (page, _):
        page.goto("/")
        page.wait_for_selector(".job")
        data = page.evaluate_handle(
            """bytes => { const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png")); return data; }""",
            list(scene.read_bytes()),
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": data})
        assert page.inner_text("#file-name") == "dropped.png"
        page.click("#go")
        page.wait_for_selector("#scene-name:text('dropped.png')")


def large(path: Path) -> Path:
    """A scene of 10 MB with two vessels, nearly all of it plain."""
    cv2.imwrite(str(path), picture(2304, 1536, {(40, 30): 255, (120, 80): 204})[..., ::-1])
    return path


def test_a_large_scene_goes_on_after_a_lost_connection(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    """In parts; the second is cut off once, then the server has too much to do."""
    sent: list[str] = []

    def part(route: Route) -> None:
        sent.append(route.request.headers["upload-offset"])
        if len(sent) == 2:
            route.abort("connectionreset")
        elif len(sent) == 3:
            refuse(route, {"title": "Service Unavailable", "status": 503, "detail": "full"}, {"Retry-After": "1"})
        else:
            route.continue_()

    with browser.visiting(chromium, toy.base) as (page, watch):
        watch.expected = ("ERR_CONNECTION_RESET", "503")
        page.route(
            re.compile("/scene$"), lambda route: part(route) if route.request.method == "PATCH" else route.continue_()
        )
        page.goto("/")
        page.set_input_files("#file", large(tmp_path / "large.bmp"))
        page.click("#go")
        page.wait_for_selector("#progress-text:text('trying again')")
        page.wait_for_selector("#vessels:text('2 vessels')")
        assert sent == ["0", str(8 * 2**20), str(8 * 2**20), str(8 * 2**20)]


def test_an_upload_goes_on_in_another_window(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    scene = large(tmp_path / "again.bmp")
    data = scene.read_bytes()
    asked = {"upload": {"name": scene.name, "size": len(data)}}
    job = toy.client.post("/v1/jobs", json=asked).json()["id"]
    toy.client.patch(
        f"/v1/jobs/{job}/scene", content=data[:1000],
        headers={"Upload-Offset": "0", "Content-Type": "application/octet-stream"},
    )  # fmt: skip
    with browser.visiting(chromium, toy.base) as (page, _):
        page.goto(f"/#job={job}")
        page.wait_for_selector("#progress-again")
        page.set_input_files("#again-file", scene_file(tmp_path / "other.bmp"))
        page.wait_for_selector("#errors >> text=This is another file")
        page.set_input_files("#again-file", scene)
        page.wait_for_selector("#vessels:text('2 vessels')")


def test_a_job_that_failed_says_why(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    scene = tmp_path / "cut.png"
    scene.write_bytes(scene_file(tmp_path / "whole.png").read_bytes()[:-60])
    job = toy.count(scene)
    with browser.visiting(chromium, toy.base) as (page, _):
        page.goto("/")
        page.click(f".job[href='#job={job}']")
        page.wait_for_selector("#progress-problem .notice")
        assert "cut.png" in page.inner_text("#progress-problem")
        assert "What helps" in page.inner_text("#progress-problem")
        assert page.inner_text("#progress-state") == "Not counted"
        assert not browser.violations(page)


def test_what_is_no_scene_is_refused_in_words(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with browser.visiting(chromium, toy.base) as (page, watch):
        watch.expected = ("422",)
        page.goto("/")
        page.set_input_files("#file", tmp_path / "notes.txt")
        page.click("#go")
        page.wait_for_selector("#errors >> text=is not an image")
        assert page.is_visible("#start")
        page.goto(f"/#job={'0' * 32}")
        watch.expected = ("422", "404")
        page.wait_for_selector("#errors >> text=there is no such job")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Jobs wait before their tiles, until this is called or they are stopped."""
    opened, real = threading.Event(), job_runner.score_open

    def hold(scene: Any, options: Any, work: Any, *rest: Any) -> Any:  # noqa: ANN401 - those of score_open
        work.on_tile(1, 4)
        while not (opened.wait(0.02) or work.stop.is_set()):
            pass
        return real(scene, options, work, *rest)

    monkeypatch.setattr(job_runner, "score_open", hold)
    yield opened.set
    opened.set()


def test_progress_is_shown_and_a_job_can_be_cancelled(
    chromium: Browser, toy: Site, held: Callable[[], None], tmp_path: Path
) -> None:
    with browser.visiting(chromium, toy.base) as (page, _):
        for name in ("held.png", "stopped.png"):
            page.goto("/")
            page.set_input_files("#file", scene_file(tmp_path / name))
            page.click("#go")
            page.wait_for_selector("#progress-text:text('1 of 4 tiles')")
            assert page.locator("#progress-bar").get_attribute("max") == "4"
            assert "Counting" in page.inner_text("#status")
            job = page.url.split("job=")[1]
            if name == "held.png":
                assert not browser.violations(page)
                page.click("#cancel")
                page.wait_for_selector("#start:visible")
                assert toy.core.jobs.get(job).state == "cancelled"
        held()
        page.wait_for_selector("#vessels:text('2 vessels')")


# --- what must not be overlooked ---


def test_what_was_not_seen_is_no_zero(chromium: Browser, toy: Site) -> None:
    told = toy.get("result")
    cases = [
        (
            {"coverage": 0.81239, "tiles": {"planned": 16, "scored": 10, "skipped": 3, "failed": 3}},
            "3 of 16 tiles failed",
        ),
        ({"coverage": 0.99999, "warnings": ["the GSD is not known"]}, "Only 99.9 % of the area was seen"),
    ]
    for change, text in cases:
        with browser.visiting(chromium, toy.base) as (page, _):
            changed = {**told, **change}
            page.route("**/result", lambda route: route.fulfill(json=changed))  # noqa: B023 - the page is left in the loop
            page.goto(f"/#job={toy.job}")
            page.wait_for_selector(f"#alerts .notice >> text={text}")
            assert all(t[0].upper() + t[1:] in page.inner_text("#alerts") for t in change.get("warnings", []))
            assert not browser.violations(page)


def many(toy: Site, n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document and candidates of n vessels."""
    told, found = toy.get("result"), toy.get("candidates")
    first = found["detections"][0]
    rows = []
    for i in range(n):
        x, y = 0.9 + i % 100 * 1.5, 0.9 + i // 100 * 1.5
        corners = [[x + 1, y], [x + 1, y + 0.5], [x, y + 0.5], [x, y]]
        rows.append({**first, "id": i + 1, "score": round(1 - i / (2 * n), 4), "corners": corners})
    recounts = [
        {"threshold": t / 100, "counts": {"tanker": k, "other": 0, "unknown": 0, "vessel": k},
         "interval": {"tanker": [k, k], "vessel": [k, k]}}
        for t in range(5, 101) for k in [sum(row["score"] >= t / 100 for row in rows)]
    ]  # fmt: skip
    return {**told, "detections": rows}, {**found, "threshold": 0.5, "detections": rows, "recounts": recounts}


def test_thousands_of_vessels_stay_quick(chromium: Browser, toy: Site) -> None:
    told, found = many(toy, 5000)
    with browser.visiting(chromium, toy.base) as (page, watch):
        watch.expected = ("404",)  # the server knows nothing of them
        page.route("**/result", lambda route: route.fulfill(json=told))
        page.route("**/candidates", lambda route: route.fulfill(json=found))
        page.goto(f"/#job={toy.job}")
        page.wait_for_selector(".boxes path.casing")
        assert page.locator("#list").get_attribute("aria-rowcount") == "5000"
        assert page.locator("#list .row").count() < 40
        assert page.locator(".boxes path").count() < 20
        seconds = page.locator("#threshold").evaluate(
            """node => { const begun = performance.now();
            for (let v = 0.6; v < 0.7; v += 0.01) { node.value = v; node.dispatchEvent(new Event('input')); }
            return (performance.now() - begun) / 10000; }"""
        )
        assert seconds < 0.2
        page.click("#threshold-back")
        page.locator("#list .vessel").first.focus()
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.closest('.row').getAttribute('aria-rowindex')") == "5000"
        assert page.locator("#list .row").count() < 60


# --- people ---


def test_all_can_be_done_by_keyboard(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    site = Site(toy.client, toy.core, scene_file(tmp_path / "keys.png"))
    rows = {row["id"]: row for row in site.get("result")["detections"]}

    def tab_to(page: Page, selector: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        pytest.fail(f"no Tab leads to {selector}")

    with browser.visiting(chromium, site.base) as (page, _):
        page.goto("/")
        page.wait_for_selector(f".job[href='#job={site.job}']")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        tab_to(page, f".job[href='#job={site.job}']")
        page.keyboard.press("Enter")
        page.wait_for_selector(".boxes path.casing")
        assert page.evaluate("document.activeElement.id") == "main"
        tab_to(page, ".openseadragon-canvas")
        press(page, "Equal")
        x, y = centre(page)
        press(page, "ArrowRight")
        assert centre(page)[0] > x
        assert centre(page)[1] == y
        tab_to(page, "#add-missing")
        page.keyboard.press("Enter")
        assert "openseadragon-canvas" in page.evaluate("document.activeElement.className")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "add-missing"
        tab_to(page, "#threshold")
        page.keyboard.press("ArrowLeft")
        assert page.inner_text("#threshold-value") == "0.49"
        page.keyboard.press("ArrowRight")
        tab_to(page, "#list .vessel")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        number = int(page.locator("[aria-selected=true] .number").inner_text())
        assert np.abs(middle(rows[number]) - centre(page)).max() <= 1
        page.keyboard.press("t")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("w")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.className") == "verdict right"
        saved(page)
    assert [int(row[0]) for row in site.labels()] == [0]


def test_a_vessel_can_be_added_by_keyboard(chromium: Browser, toy: Site, tmp_path: Path) -> None:
    site = Site(toy.client, toy.core, scene_file(tmp_path / "points.png"))
    with shown(chromium, site) as page:
        page.locator("#add-missing").focus()
        page.keyboard.press("Enter")
        points = []
        for key, times in (("ArrowRight", 0), ("ArrowRight", 2), ("ArrowDown", 1)):
            for _ in range(times):
                press(page, key)
            points.append(centre(page))
            page.keyboard.press("Enter")
        saved(page)
        (row,) = site.labels()
        box = np.array(row[1:]).reshape(4, 2) * (160, 96)
        assert np.abs(box.mean(0) - np.mean(points[:2], 0)).max() < 2


@pytest.mark.parametrize(("scheme", "device"), [("light", "desk"), ("dark", "phone")])
def test_nothing_is_in_the_way_of_people_with_disabilities(
    chromium: Browser, real: Site, scheme: str, device: str
) -> None:
    options = browser.PHONE if device == "phone" else {}
    with browser.visiting(chromium, real.base, color_scheme=scheme, **options) as (page, _):
        page.goto("/")
        page.wait_for_selector(".job")
        assert not browser.violations(page)
        page.goto(f"/#job={real.job}")
        page.wait_for_selector(".boxes path.casing")
        page.locator("#list .vessel").first.click()
        page.click("text=How sure?")
        assert not browser.violations(page)
        page.click("text=Checks")
        page.click("#add-missing")
        assert not browser.violations(page)


def test_it_fits_on_a_phone(chromium: Browser, real: Site) -> None:
    sizes = [{"width": 390, "height": 844}, {"width": 320, "height": 640}, {"width": 844, "height": 390}]
    with browser.visiting(chromium, real.base, **browser.PHONE) as (page, _):
        page.goto("/")
        page.wait_for_selector(".job")
        for size in sizes:
            page.set_viewport_size(size)
            assert browser.overflow(page) == 0
        page.goto(f"/#job={real.job}")
        page.wait_for_selector(".boxes path.casing")
        for size in sizes:
            page.set_viewport_size(size)
            for tab in page.locator(".tabs button").all():
                tab.click()
                assert browser.overflow(page) == 0
            small = page.locator(
                "button:visible, select:visible, .tick:visible, input[type=range]:visible"
            ).evaluate_all(
                "nodes => nodes.map(n => [n.id || n.className, n.getBoundingClientRect()])"
                ".filter(([, b]) => b.width < 44 || b.height < 44).map(([name]) => name)"
            )
            assert small == []
        page.locator("#list .vessel").first.tap()
        assert page.locator("#about strong").count() == 1


# --- the token ---


def test_the_token_is_asked_for_and_kept_in_the_tab_alone(chromium: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as (client, core):
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        site = Site(client, core, scene_file(tmp_path / "secret.png"))
        with browser.visiting(chromium, site.base) as (page, watch):
            watch.expected = ("401",)
            page.goto(f"/#job={site.job}")
            page.wait_for_selector("#token-dialog[open]")
            assert not browser.violations(page)
            page.fill("#token", "not-the-token-of-this-server")
            page.keyboard.press("Enter")
            page.wait_for_selector("#token-why:text('not the server')")
            page.fill("#token", TOKEN)
            page.keyboard.press("Enter")
            page.wait_for_selector(".boxes path.casing")
            page.wait_for_selector(".thumb img")
            assert page.evaluate("sessionStorage.getItem('tanker-edge-token')") == TOKEN
            assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
            assert TOKEN not in page.url
            page.set_input_files("#file", scene_file(tmp_path / "more.png"))
            page.click("#to-start")
            page.click("#go")
            page.wait_for_selector("#scene-name:text('more.png')")
            page.goto("/docs")
            page.wait_for_selector(".opblock")
        with browser.visiting(chromium, site.base) as (page, watch):
            watch.expected = ("401",)
            page.goto("/")
            page.click("#token-cancel")
            page.wait_for_selector("#errors >> text=A token is needed")
            page.goto("/docs")
            page.wait_for_selector("text=This server asks for a token")


# --- the documentation ---


def test_the_documentation_shows_every_route(chromium: Browser, toy: Site) -> None:
    paths = toy.client.get("/openapi.json").json()["paths"]
    with browser.visiting(chromium, toy.base) as (page, _):
        page.goto("/docs")
        page.wait_for_selector(".opblock")
        assert page.locator(".opblock").count() == sum(len(operations) for operations in paths.values())
