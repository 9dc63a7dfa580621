"""Scenes of jobs as tiles and crops, and what people say of their boxes, on a real server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.scene_source import SceneOptions
from edge.server import open_scenes, views
from edge.server import reviews as review_files
from edge.server.job_record import ENDED
from edge.server.marks import Marks, judge, shown
from edge.server.open_scenes import OpenScenes
from edge.server.pyramid import PREVIEW_PX, TILE_PX, Pyramid
from edge.server.views import PACK, crop_window
from tests.live import serving, wait_until
from tests.scene_files import write_tiff
from tests.toy_model import scene_file
from training.sources import Source, read_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from edge.server.core import Core

Live = tuple["httpx.Client", "Core"]
ALL_RIGHT = [{"id": 1, "verdict": "right"}, {"id": 3, "verdict": "right"}]
"""Of the toy scene; box 2 is below the threshold."""
LOST = {"corners": [[20, 60], [20, 68], [44, 68], [44, 60]], "kind": "other"}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose files jobs may name."""
    return tmp_path_factory.mktemp("given")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, given: Path) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server"), roots=(given,)) as started:
        yield started


def ended(core: Core, job: str) -> str:
    """The state of a job when it has ended."""
    wait_until(lambda: core.jobs.get(job).state in ENDED)
    return core.jobs.get(job).state


def counted(live: Live, path: Path, name: str | None = None) -> str:
    """The id of a job of a file, which is done."""
    client, core = live
    answer = client.post("/v1/jobs", params={"name": name or path.name}, content=path.read_bytes())
    assert answer.status_code == 202, answer.text
    assert ended(core, answer.json()["id"]) == "done"
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def small(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A job of the toy scene: two boxes that count, one that does not."""
    return counted(live, scene_file(tmp_path_factory.mktemp("small") / "port.png"))


def wide(path: Path, width: int = 700, height: int = 400) -> Path:
    """A smooth scene, which JPEG hardly changes, with little red, in which the toy model finds little."""
    noise = np.random.default_rng(0).integers(0, 255, (8, 16, 3), np.uint8) // (1, 1, 16)
    noise = noise.astype(np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))
    return path


def decoded(answer: httpx.Response) -> Any:  # noqa: ANN401 - an array, BGR (h, w, 3)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


# --- tiles ---


@pytest.mark.parametrize("size", [(1, 1), (256, 256), (257, 1), (160, 96), (4096, 4097), (20_000, 17_001), (1, 70_000)])
def test_levels_halve_down_to_one_tile_and_their_tiles_cover_them(size: tuple[int, int]) -> None:
    pyramid = Pyramid(*size)
    assert pyramid.size(pyramid.levels - 1) == size
    assert pyramid.grid(0) == (1, 1)
    assert pyramid.levels == 1 or max(pyramid.size(1)) > TILE_PX
    assert all(
        pyramid.size(a) == tuple(-(-n // 2) for n in pyramid.size(b)) for a, b in pairwise(range(pyramid.levels))
    )
    assert max(pyramid.size(pyramid.coarse - 1)) <= PREVIEW_PX
    assert pyramid.coarse == pyramid.levels or max(pyramid.size(pyramid.coarse)) > PREVIEW_PX
    tiles = list(pyramid.tiles(pyramid.coarse))
    assert [pyramid.place(*tile) for tile in tiles] == list(range(len(tiles)))
    for level in range(pyramid.coarse):
        windows = [pyramid.window(*tile) for tile in tiles if tile[0] == level]
        width, height = pyramid.size(level)
        assert sum(w.width * w.height for w in windows if w) == width * height


@pytest.mark.parametrize("preview_px", [256, 4096], ids=["fine", "coarse"])
def test_tiles_show_the_scene(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preview_px: int) -> None:
    """By windows of the scene, and out of the tiles that are made in advance."""
    monkeypatch.setattr("edge.server.pyramid.PREVIEW_PX", preview_px)
    client, _ = live
    path = wide(tmp_path / "wide.png")
    job = counted(live, path)
    told = client.get(f"/v1/jobs/{job}/picture").json()
    assert (told["width"], told["height"], told["tile"], told["levels"]) == (700, 400, 256, 3)
    truth = cv2.imread(str(path))
    for level in range(told["levels"]):
        down = 2 ** (told["levels"] - 1 - level)
        small = cv2.resize(truth, None, fx=1 / down, fy=1 / down, interpolation=cv2.INTER_AREA).astype(int)
        columns, rows = -(-small.shape[1] // 256), -(-small.shape[0] // 256)
        for x, y in np.ndindex(columns, rows):
            where = told["tiles"].format(level=level, x=x, y=y)
            part = small[y * 256 : y * 256 + 256, x * 256 : x * 256 + 256]
            tile = decoded(client.get(where))[: part.shape[0], : part.shape[1]]
            assert np.abs(tile.astype(int) - part).mean() < 3


@pytest.mark.parametrize("tile", ["1/0/0", "-1/0/0", "0/1/0", "0/0/1", "0/-1/0", "99/0/0"])
def test_what_is_no_tile_is_not_found(live: Live, small: str, tile: str) -> None:
    answer = live[0].get(f"/v1/jobs/{small}/tiles/{tile}.jpg")
    assert answer.status_code == 404
    assert "there is no tile" in answer.json()["detail"]


def test_a_browser_keeps_tiles_and_need_not_get_them_twice(live: Live, small: str) -> None:
    client, _ = live
    where = f"/v1/jobs/{small}/tiles/0/0/0.jpg"
    first = client.get(where)
    assert first.headers["cache-control"] == "private, max-age=86400"
    assert first.headers["vary"] == "Authorization"
    again = client.get(where, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_coarse_tiles_are_made_once_however_many_ask(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, core = live
    job = counted(live, wide(tmp_path / "wide.png"))
    made, real = [], views.pack

    def pack(*arguments: Any) -> bytes:  # noqa: ANN401 - those of pack
        made.append(threading.current_thread().name)
        time.sleep(0.05)  # long enough for all to ask
        return real(*arguments)

    monkeypatch.setattr(views, "pack", pack)
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda y: client.get(f"/v1/jobs/{job}/tiles/2/0/{y % 2}.jpg").status_code, range(16)))
    assert set(answers) == {200}
    assert len(made) == 1
    assert made[0].startswith("view")
    assert (core.jobs.folder(job) / PACK).is_file()


def test_a_16_bit_scene_is_shown_as_it_was_counted(live: Live, tmp_path: Path) -> None:
    """Stretched, not cut off at 255: else it would be white all over."""
    client, _ = live
    ramp = np.linspace(1000, 3000, 200 * 300, dtype=np.uint16).reshape(1, 200, 300).repeat(3, 0)
    job = counted(live, write_tiff(tmp_path / "deep.tif", ramp))
    tile = decoded(client.get(f"/v1/jobs/{job}/tiles/1/0/0.jpg"))
    assert tile[:4].mean() < 10
    assert tile[-4:].mean() > 245
    assert 110 < tile[98:102].mean() < 145


def test_what_is_damaged_is_hatched(live: Live, tmp_path: Path) -> None:
    client, _ = live
    path = write_tiff(
        tmp_path / "a.tif", np.full((3, 512, 512), 200, np.uint8), tiled=True, blockxsize=256, blockysize=256
    )
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 256 * 256)
    job = counted(live, path)
    assert client.get(f"/v1/jobs/{job}/result").json()["tiles"]["failed"] > 0
    whole, broken = (decoded(client.get(f"/v1/jobs/{job}/tiles/1/{x}/{y}.jpg")) for x, y in ((0, 0), (1, 1)))
    assert whole.min() > 190
    assert 60 < broken.mean() < 120
    assert broken.std() > 10


def test_a_scene_that_has_gone_is_told(live: Live, given: Path) -> None:
    client, core = live
    path = scene_file(given / "brief.png")
    job = client.post("/v1/jobs", json={"path": str(path)}).json()["id"]
    assert ended(core, job) == "done"
    assert client.get(f"/v1/jobs/{job}/tiles/0/0/0.jpg").status_code == 200
    core.views.forget(job)
    path.unlink()
    for what in ("picture", "tiles/0/0/0.jpg", "crops/1.jpg"):
        answer = client.get(f"/v1/jobs/{job}/{what}")
        assert answer.status_code in {404, 410}
        assert str(given) not in answer.text


def test_nothing_is_shown_of_no_job_and_of_one_that_is_still_sent(live: Live) -> None:
    client, _ = live
    assert client.get(f"/v1/jobs/{'0' * 32}/picture").status_code == 404
    job = client.post("/v1/jobs", json={"upload": {"name": "a.png", "size": 100}}).json()["id"]
    assert client.get(f"/v1/jobs/{job}/picture").status_code == 409
    assert client.get(f"/v1/jobs/{job}/candidates").status_code == 409
    client.delete(f"/v1/jobs/{job}")


def test_a_scene_that_is_still_to_be_fetched_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        prefix = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with serving(tmp_path, urls=(prefix,)) as (client, core):
            jobs = [client.post("/v1/jobs", json={"url": f"{prefix}{i}.png"}).json()["id"] for i in range(2)]
            wait_until(lambda: core.jobs.get(jobs[0]).state == "running")
            for job, state in zip(jobs, ("running", "waiting"), strict=True):
                for what in ("picture", "tiles/0/0/0.jpg", "crops/1.jpg"):
                    assert core.jobs.get(job).state == state
                    answer = client.get(f"/v1/jobs/{job}/{what}")
                    assert (answer.status_code, answer.json()["detail"]) == (409, "the scene has not been fetched yet")
                client.delete(f"/v1/jobs/{job}")


# --- crops and candidates ---


def test_a_crop_shows_its_vessel_in_the_middle(live: Live, small: str) -> None:
    client, _ = live
    row = client.get(f"/v1/jobs/{small}/result").json()["detections"][0]
    answer = client.get(f"/v1/jobs/{small}/crops/1.jpg")
    x, y, width, height = (int(v) for v in answer.headers["crop-window"].split(","))
    picture = decoded(answer)
    assert picture.shape[:2] == (height, width)
    low, high = np.min(row["corners"], 0), np.max(row["corners"], 0)
    assert (low > (x, y)).all()
    assert (high < (x + width, y + height)).all()
    assert np.abs((low + high) / 2 - (x + width / 2, y + height / 2)).max() <= 1
    middle = picture[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2].reshape(-1, 3).mean(0)
    assert middle[2] > 150 > middle[0]


def test_crops_of_long_vessels_are_small_pictures() -> None:
    window, down = crop_window(np.array([[0.0, 0], [3000, 2000], [2990, 2010], [-10, 10]]))
    assert max(window.width, window.height) <= views.CROP_PX
    assert window.x * down < -10
    assert window.right * down > 3000


@pytest.mark.parametrize("number", [0, -1, 4, 10**30])
def test_what_is_no_candidate_has_no_crop(live: Live, small: str, number: int) -> None:
    assert live[0].get(f"/v1/jobs/{small}/crops/{number}.jpg").status_code in {404, 422}


def test_candidates_hold_what_did_not_count_too(live: Live, small: str) -> None:
    client, _ = live
    told = client.get(f"/v1/jobs/{small}/candidates").json()
    counts = client.get(f"/v1/jobs/{small}/result").json()["counts"]
    assert next(row["counts"] for row in told["recounts"] if row["threshold"] == told["threshold"]) == counts
    assert len(told["detections"]) == 3
    assert counts["vessel"] == 2
    assert client.get(f"/v1/jobs/{small}/candidates").headers["content-encoding"] == "gzip"
    plain = client.get(f"/v1/jobs/{small}/candidates", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == told


# --- scenes that stay open ---


class FakeScene:
    """Knows whether it is open."""

    def __init__(self, path: Path, _: SceneOptions) -> None:
        self.path, self.closed, self.closed_by = path, False, ""

    def close(self) -> None:
        assert not self.closed
        self.closed_by = threading.current_thread().name
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FakeScene]:
    """All scenes that were opened."""
    found: list[FakeScene] = []

    def open_scene(path: Path, options: SceneOptions) -> FakeScene:
        found.append(FakeScene(path, options))
        return found[-1]

    monkeypatch.setattr(open_scenes, "open_scene", open_scene)
    return found


def test_scenes_stay_open_until_others_take_their_place(opened: list[FakeScene], tmp_path: Path) -> None:
    scenes = OpenScenes(most=2)
    for name in ("a", "b", "a", "c", "a"):
        with scenes.use(name, tmp_path / name, SceneOptions()):
            assert sum(not scene.closed for scene in opened) <= 2
    assert [scene.path.name for scene in opened] == ["a", "b", "c"]
    assert [scene.closed for scene in opened] == [False, True, False]
    scenes.close()
    assert all(scene.closed for scene in opened)


def test_a_scene_that_is_being_read_is_not_closed(opened: list[FakeScene], tmp_path: Path) -> None:
    scenes = OpenScenes(most=1)
    with scenes.use("a", tmp_path / "a", SceneOptions()):
        with scenes.use("b", tmp_path / "b", SceneOptions()):
            scenes.forget("a")
            scenes.tidy()
            assert not opened[0].closed
        assert not opened[0].closed
    assert opened[0].closed


def test_a_scene_that_nobody_looks_at_is_closed_after_a_while(opened: list[FakeScene], tmp_path: Path) -> None:
    scenes = OpenScenes(idle_s=0)
    with scenes.use("a", tmp_path / "a", SceneOptions()):
        scenes.tidy()
    assert not opened[0].closed
    scenes.tidy()
    assert opened[0].closed
    with scenes.use("a", tmp_path / "a", SceneOptions()):
        assert len(opened) == 2


def test_views_close_what_nobody_looks_at_outside_the_event_loop(
    opened: list[FakeScene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle_s = 0.05

    def read(*_: object) -> None:
        time.sleep(3 * idle_s)  # the first look for what can be closed comes meanwhile

    monkeypatch.setattr(views, "read", read)
    monkeypatch.setattr(views, "encode", lambda _: b"jpeg")
    looking = views.Views(0, threading.Event(), idle_s)
    seen = views.Shown("a", tmp_path / "a.png", SceneOptions(), tmp_path)

    async def look() -> None:
        for i in range(2):
            assert (await looking.crop(seen, np.zeros((4, 2)))).jpeg == b"jpeg"
            await asyncio.to_thread(wait_until, lambda i=i: opened[i].closed)

    asyncio.run(look())
    assert [scene.closed_by.split("_")[0] for scene in opened] == ["view", "view"]
    looking.close()


def test_a_scene_that_cannot_be_opened_is_tried_again(
    opened: list[FakeScene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes, well = OpenScenes(), open_scenes.open_scene

    def broken(*_: object) -> FakeScene:
        raise OSError

    monkeypatch.setattr(open_scenes, "open_scene", broken)
    with pytest.raises(OSError), scenes.use("a", tmp_path / "a", SceneOptions()):  # noqa: PT011 - it has no message
        pass
    monkeypatch.setattr(open_scenes, "open_scene", well)
    with scenes.use("a", tmp_path / "a", SceneOptions()):
        assert len(opened) == 1


def test_the_files_of_a_removed_job_are_let_go_of(live: Live, tmp_path: Path) -> None:
    client, core = live
    job = counted(live, wide(tmp_path / "wide.png"))
    client.get(f"/v1/jobs/{job}/crops/1.jpg")
    client.get(f"/v1/jobs/{job}/tiles/0/0/0.jpg")
    assert job in core.views._scenes._kept
    client.delete(f"/v1/jobs/{job}")
    assert job not in core.views._scenes._kept
    assert client.get(f"/v1/jobs/{job}/tiles/0/0/0.jpg").status_code == 410


# --- marks ---


@pytest.fixture
def fresh(live: Live, tmp_path: Path) -> str:
    """A job of the toy scene that nobody has reviewed."""
    return counted(live, scene_file(tmp_path / "port.png"))


def reviews(core: Core, job: str) -> tuple[list[str], list[str]]:
    """Names of the pictures and of the labels of a job."""
    root = core.settings.state / "reviews"
    return tuple(sorted(p.name for p in (root / part).glob(f"{job}*")) for part in ("images", "labels"))  # type: ignore[return-value]


def test_marks_are_kept_and_counted(live: Live, fresh: str) -> None:
    client, _ = live
    where = f"/v1/jobs/{fresh}/marks"
    empty = client.get(where)
    assert empty.json() == {
        "marks": [], "missing": [], "threshold": None, "searched": False,
        "expected": 2, "checked": 0, "complete": False,
    }  # fmt: skip
    body = {"marks": [{"id": 1, "verdict": "wrong"}], "missing": [LOST], "threshold": 0.5}
    saved = client.put(where, json=body, headers={"If-Match": empty.headers["etag"]})
    assert saved.status_code == 200, saved.text
    assert (saved.json()["checked"], saved.json()["complete"]) == (1, False)
    again = client.get(where)
    assert again.json() == saved.json()
    assert again.headers["etag"] == saved.headers["etag"] != empty.headers["etag"]


def test_a_review_is_sent_as_it_lies(live: Live, fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not made anew on the event loop, which a long one would hold up: here, its spaces would be lost."""
    client, core = live
    monkeypatch.setattr(review_files, "_told", lambda review: json.dumps(review.model_dump(), indent=3))
    where = f"/v1/jobs/{fresh}/marks"
    assert client.get(where).text == json.dumps(client.get(where).json(), indent=3)
    saved = client.put(where, json={"marks": ALL_RIGHT})
    assert saved.content == (core.jobs.folder(fresh) / review_files.MARKS).read_bytes()
    assert saved.text == json.dumps(saved.json(), indent=3)
    again = client.get(where)
    assert (again.content, again.headers["etag"]) == (saved.content, saved.headers["etag"])
    assert again.headers["content-type"] == saved.headers["content-type"] == "application/json"


def test_nobody_saves_over_what_another_has_saved(live: Live, fresh: str) -> None:
    client, _ = live
    where = f"/v1/jobs/{fresh}/marks"
    tag = client.get(where).headers["etag"]
    assert client.put(where, json={"marks": ALL_RIGHT}, headers={"If-Match": tag}).status_code == 200
    late = client.put(where, json={"marks": []}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert late.json()["mend"] == "get them anew, then change those"
    assert client.get(where).json()["checked"] == 2
    assert client.put(where, json={"marks": []}).status_code == 200


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ({"marks": [{"id": 9, "verdict": "right"}]}, "marks"),
        ({"marks": [*ALL_RIGHT, ALL_RIGHT[0]]}, "marks"),
        ({"marks": [{"id": 1, "verdict": "perhaps"}]}, "marks.0.verdict"),
        ({"missing": [{"corners": [[1, 1]] * 4}]}, "missing"),
        ({"missing": [{"corners": [[1, 1]] * 3}]}, "missing.0.corners"),
        ({"missing": [{"corners": [[1e300, 1]] * 4}]}, "missing.0.corners.0.0"),
        ({"strange": 1}, "strange"),
        ([], "body"),
    ],
)
def test_marks_that_make_no_sense_are_refused(live: Live, fresh: str, body: object, subject: str) -> None:
    answer = live[0].put(f"/v1/jobs/{fresh}/marks", json=body)
    assert answer.status_code == 422
    assert answer.json()["subject"] == subject


def test_too_many_marks_are_refused_before_they_are_read(
    live: Live, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.server.routes_view.MOST_MARKS_BYTES", 100)
    assert live[0].put(f"/v1/jobs/{fresh}/marks", content=b" " * 101).status_code == 413


def test_only_complete_reviews_are_learned_from(live: Live, fresh: str) -> None:
    client, core = live
    where = f"/v1/jobs/{fresh}/marks"
    picture = [f"{fresh}-port.png"]
    steps = [
        ({"marks": ALL_RIGHT[:1], "searched": True}, []),  # a box is not checked
        ({"marks": ALL_RIGHT}, []),  # nobody looked for missing ones
        ({"marks": ALL_RIGHT, "searched": True}, picture),
        ({"marks": ALL_RIGHT, "searched": True, "threshold": 0.2}, []),  # a box of a lower score was shown
        ({"marks": [*ALL_RIGHT, {"id": 2, "verdict": "wrong"}], "searched": True, "threshold": 0.2}, picture),
        ({"marks": ALL_RIGHT, "searched": True, "threshold": 0.99}, picture),  # what counts counts
        ({"marks": []}, []),
    ]
    for body, images in steps:
        assert client.put(where, json=body).json()["complete"] is bool(images)
        assert reviews(core, fresh) == (images, [f"{fresh}-port.txt"])


def test_labels_are_what_the_training_reads(live: Live, fresh: str) -> None:
    """Right ones in the kind that was said, missing ones, nothing that is wrong; by the training's own reader."""
    client, core = live
    rows = client.get(f"/v1/jobs/{fresh}/candidates").json()["detections"]
    marks = [{"id": 1, "verdict": "right", "kind": "unknown"}, {"id": 3, "verdict": "wrong"}]
    client.put(f"/v1/jobs/{fresh}/marks", json={"marks": marks, "missing": [LOST], "searched": True})
    source = Source("reviews", core.settings.state / "reviews")
    scene = next(s for s in read_scenes(source) if s.image.stem == f"{fresh}-port")
    assert (scene.width, scene.height) == (160, 96)
    assert scene.kinds == (2, 1)
    assert np.allclose(scene.corners, [rows[0]["corners"], LOST["corners"]], atol=0.01)
    text = client.get(f"/v1/jobs/{fresh}/labels")
    assert text.text == (core.settings.state / "reviews" / "labels" / f"{fresh}-port.txt").read_text()
    assert text.headers["content-disposition"].startswith("attachment")


def test_pictures_of_reviews_outlive_their_jobs(live: Live, fresh: str) -> None:
    client, core = live
    client.put(f"/v1/jobs/{fresh}/marks", json={"marks": ALL_RIGHT, "searched": True})
    image = core.settings.state / "reviews" / "images" / f"{fresh}-port.png"
    scene = core.jobs.scene_path(core.jobs.get(fresh))
    assert image.samefile(scene)
    client.delete(f"/v1/jobs/{fresh}")
    assert not scene.exists()
    assert image.read_bytes()
    assert reviews(core, fresh)[1] == [f"{fresh}-port.txt"]


def test_pictures_are_copied_where_there_are_no_hard_links(
    live: Live, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    client, core = live
    client.put(f"/v1/jobs/{fresh}/marks", json={"marks": ALL_RIGHT, "searched": True})
    image = core.settings.state / "reviews" / "images" / f"{fresh}-port.png"
    scene = core.jobs.scene_path(core.jobs.get(fresh))
    assert not image.samefile(scene)
    assert image.read_bytes() == scene.read_bytes()


def test_a_scene_that_was_named_by_its_path_is_linked_to(live: Live, given: Path) -> None:
    client, core = live
    path = scene_file(given / "kept.png")
    job = client.post("/v1/jobs", json={"path": str(path)}).json()["id"]
    assert ended(core, job) == "done"
    client.put(f"/v1/jobs/{job}/marks", json={"marks": ALL_RIGHT, "searched": True})
    image = core.settings.state / "reviews" / "images" / f"{job}-kept.png"
    assert image.is_symlink()
    assert image.samefile(path)


def test_the_training_finds_scenes_whose_names_do_not_say_what_they_are(live: Live, tmp_path: Path) -> None:
    client, core = live
    path = scene_file(tmp_path / "port.png").rename(tmp_path / "port.2024")
    job = counted(live, path)
    client.put(f"/v1/jobs/{job}/marks", json={"marks": ALL_RIGHT, "searched": True})
    assert reviews(core, job) == ([f"{job}-port.png"], [f"{job}-port.txt"])


def test_as_many_boxes_are_shown_as_are_counted() -> None:
    """Scores are rounded in documents: .49996 reads .5, and does not count at .5."""
    rows = [{"id": 1, "score": 0.5}, {"id": 2, "score": 0.9}, {"id": 3, "score": 0.5}]
    recounts = [{"threshold": t, "counts": {"vessel": n}} for t, n in ((0.4, 3), (0.5, 2), (1.0, 0))]
    found = {"threshold": 0.5, "detections": rows, "recounts": recounts}
    assert shown(found, 0.5) == {1, 2}
    assert shown(found, 0.4) == {1, 2, 3}
    assert shown(found, 1.0) == set()
    nothing = {**found, "threshold": 1.0}
    assert judge(Marks(searched=True), nothing).complete
    assert not judge(Marks(), nothing).complete
