"""Jobs on a real server: from the request to the result, and everything that may come between."""

from __future__ import annotations

import errno
import http.server
import json
import socket
import threading
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.errors import OutputError
from edge.server import job_room, job_runner
from edge.server.job_sending import attachment
from edge.server.names import file_name
from tests.live import REAL_SCORE, Gate, serving, wait_until
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from edge.server.core import Core
    from edge.server.scoring import Work

Live = tuple["httpx.Client", "Core"]
ENDED = {"done", "failed", "cancelled"}
RUNNERS = 2
"""Jobs of small scenes that run side by side."""
AREA = {"type": "Polygon", "coordinates": [[[0, 0], [60, 0], [60, 60], [0, 60], [0, 0]]]}
"""Px of the scene of `scene_file`; one of its two vessels is inside."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose files jobs may name."""
    return tmp_path_factory.mktemp("given")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, given: Path) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server"), roots=(given,)) as started:
        yield started


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return scene_file(tmp_path_factory.mktemp("scene") / "a.png").read_bytes()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    held = Gate()
    monkeypatch.setattr(job_runner, "score_open", held.hold)
    yield held
    held.opened.set()


def post(client: httpx.Client, content: bytes, name: str = "port.png", key: str = "", **query: Any) -> httpx.Response:  # noqa: ANN401 - options of a count
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/jobs", params={"name": name, **query}, content=content, headers=headers)


def events(client: httpx.Client, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The job at each of its events, to the end of the stream."""
    with client.stream("GET", job["links"]["events"]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def end(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """The job, once it has ended."""
    assert answer.status_code in {200, 202}, answer.text
    here = answer.json()["links"]["self"]

    def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(here).json()
        return job if job["state"] in ENDED else None

    found: dict[str, Any] = wait_until(ended)
    return found


def without_seconds(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "seconds"}


# --- the usual way ---


def test_a_job_counts_as_a_request_does(live: Live, scene: bytes) -> None:
    client, core = live
    answer = post(client, scene)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    ended = end(client, answer)
    assert ended == client.get(answer.headers["location"]).json()
    assert (ended["state"], ended["scene"], ended["source"]) == ("done", "port.png", "upload")
    assert ended["created"] <= ended["started"] <= ended["ended"] < ended["expires"]
    assert ended["progress"]["done"] == ended["progress"]["planned"] > 0
    assert (ended["attempts"], ended["error"]) == (1, None)
    in_request = client.post("/v1/count", params={"name": "port.png"}, content=scene).json()
    result = client.get(job["links"]["result"]).json()
    assert without_seconds(result) == without_seconds(in_request)
    assert ended["counts"] == result["counts"]
    assert ended["interval"] == result["interval"]
    stored = json.loads((core.jobs.folder(job["id"]) / "candidates.json").read_bytes())
    assert len(stored["detections"]) >= len(result["detections"]) == 2


def test_options_and_area_reach_the_count(live: Live, scene: bytes) -> None:
    client, _ = live
    everything = end(client, post(client, scene, conf=0.3))
    assert everything["options"]["conf"] == 0.3
    assert everything["counts"]["vessel"] == 3
    files = {"scene": ("port.png", scene), "aoi": ("area.json", json.dumps(AREA))}
    inside = end(client, client.post("/v1/jobs", files=files))
    assert (inside["scene"], inside["counts"]["vessel"]) == ("port.png", 1)


def test_a_job_is_told_as_it_goes_on(live: Live, scene: bytes, gate: Gate) -> None:
    client, _ = live
    seen = []
    for job in events(client, post(client, scene).json()):
        seen.append(job["state"])
        if job["state"] == "running":
            gate.opened.set()
    assert seen[-1] == "done"
    assert [state for state in seen if state != "done"] in (["running"], ["waiting", "running"], ["running", "running"])


def test_progress_grows_with_the_tiles(live: Live, scene: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = live
    go_on = threading.Event()

    def stop_half_way(scene: Any, options: Any, work: Work, *rest: Any) -> Any:  # noqa: ANN401 - those of score_open
        assert work.on_tile
        work.on_tile(7, 14)
        go_on.wait(20)
        return REAL_SCORE(scene, options, work, *rest)

    monkeypatch.setattr(job_runner, "score_open", stop_half_way)
    for job in events(client, post(client, scene).json()):
        if job["progress"] == {"done": 7, "planned": 14}:
            go_on.set()
    assert go_on.is_set()


def test_what_is_silent_is_kept_alive(live: Live, scene: bytes, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = live
    monkeypatch.setattr("edge.server.job_events.HEARTBEAT_S", 0.3)
    with client.stream("GET", post(client, scene).json()["links"]["events"]) as answer:
        for line in answer.iter_lines():
            if line.startswith(":"):
                gate.opened.set()
    assert gate.opened.is_set()


FILES = {
    "json": ("application/json", "port.json", '"counts"'),
    "csv": ("text/csv; charset=utf-8", "port.csv", "scene,lon,lat"),
    "coco": ("application/json", "port.coco.json", '"annotations"'),
    "yolo": ("text/plain; charset=utf-8", "port.txt", "1 0."),
}


def test_results_come_as_files_to_keep(live: Live, scene: bytes) -> None:
    client, _ = live
    result = end(client, post(client, scene))["links"]["result"]
    assert "content-disposition" not in client.get(result).headers
    for name, (media, file, text) in FILES.items():
        for _ in range(2):  # made, then kept
            answer = client.get(result, params={"format": name})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == media
            assert file_name(answer.headers["content-disposition"]) == file
            assert text in answer.text
    assert client.get(result, params={"format": "shapefile"}).status_code == 422
    assert client.get(result, params={"format": "geojson"}).status_code == 409  # it has no georeference


def test_the_picture_is_drawn_once(live: Live, scene: bytes) -> None:
    client, core = live
    job = end(client, post(client, scene))
    first = client.get(job["links"]["overlay"])
    assert first.headers["content-type"] == "image/png"
    assert file_name(first.headers["content-disposition"]) == "port.overlay.png"
    assert cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR).shape[1] >= 560
    core.jobs.files.scene(core.jobs.get(job["id"])).unlink()
    assert client.get(job["links"]["overlay"]).content == first.content


def test_jobs_are_listed_the_newest_first(tmp_path: Path, scene: bytes) -> None:
    with serving(tmp_path) as (client, _):
        ids = [end(client, post(client, scene))["id"] for _ in range(3)]
        dropped = client.post("/v1/jobs", json={"upload": {"name": "b.png", "size": 5}}).json()["id"]
        assert [job["id"] for job in client.get("/v1/jobs").json()["jobs"]] == [dropped, *reversed(ids)]
        assert [job["id"] for job in client.get("/v1/jobs?state=done&limit=2").json()["jobs"]] == [ids[2], ids[1]]
        assert client.get("/v1/jobs?state=nonsense").status_code == 422
        assert client.get("/v1/jobs?limit=0").status_code == 422


def test_names_of_all_kinds_fit_into_a_header() -> None:
    for name in ('a"b\\c.png', "zwei\r\nHeiten: 1", "油轮.tif", "a;b%20'c.png", "half\udc80.png"):
        header = attachment(name)
        assert header.isascii()
        assert header.isprintable()
        assert file_name(header) == name.encode("utf-8", "replace").decode()


# --- scenes that are named ---


def test_a_scene_may_be_named_by_a_path_and_stays_there(live: Live, given: Path) -> None:
    client, core = live
    path = scene_file(given / "there.png")
    before = path.stat()
    body = {"path": "there.png", "options": {"conf": 0.3}, "aoi": AREA}
    job = end(client, client.post("/v1/jobs", json=body))
    assert (job["scene"], job["source"], job["counts"]["vessel"]) == ("there.png", "path", 1)
    assert client.get(job["links"]["result"]).json()["scene"] == "there.png"
    assert client.get(job["links"]["overlay"]).status_code == 200
    assert core.jobs.scene_path(core.jobs.get(job["id"])) == path.resolve()
    assert client.delete(job["links"]["self"]).status_code == 204
    assert path.stat() == before


def test_a_path_that_leads_nowhere_any_more_fails_its_job(live: Live, given: Path, gate: Gate, scene: bytes) -> None:
    client, _ = live
    first = [post(client, scene) for _ in range(RUNNERS)]
    path = scene_file(given / "gone.png")
    second = client.post("/v1/jobs", json={"path": str(path)})
    path.unlink()
    gate.opened.set()
    assert [end(client, each)["state"] for each in first] == ["done"] * RUNNERS
    job = end(client, second)
    assert (job["state"], job["error"]["status"]) == ("failed", 404)


@pytest.mark.parametrize("path", ["../outside.png", "/etc/passwd", "there/../../x", "a\0b"])
def test_paths_elsewhere_are_refused(live: Live, path: str) -> None:
    client, _ = live
    answer = client.post("/v1/jobs", json={"path": path})
    assert answer.status_code == 403


def test_a_scene_may_be_fetched_from_a_url(tmp_path: Path) -> None:
    folder = tmp_path / "far"
    folder.mkdir()
    scene_file(folder / "port of call.png")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.func.log_message = lambda *_: None  # type: ignore[method-assign]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as far:
        threading.Thread(target=far.serve_forever, daemon=True).start()
        prefix = f"http://127.0.0.1:{far.server_port}/"
        with serving(tmp_path, urls=(prefix,)) as (client, _):
            answer = client.post("/v1/jobs", json={"url": f"{prefix}port%20of%20call.png"})
            assert answer.status_code == 202
            job = end(client, answer)
            assert (job["state"], job["scene"], job["source"]) == ("done", "port of call.png", "url")
            assert client.get(job["links"]["overlay"]).status_code == 200
            lost = end(client, client.post("/v1/jobs", json={"url": f"{prefix}nothing.png"}))
            assert (lost["state"], lost["error"]["status"]) == ("failed", 502)
            assert client.get(lost["links"]["result"]).status_code == 502
            assert client.post("/v1/jobs", json={"url": "http://127.0.0.1:1/a.png"}).status_code == 403
        far.shutdown()


BODIES = {
    "no JSON": (b"{", 400),
    "not UTF-8": (b'{"path": "\xff"}', 400),
    "NaN": (b'{"path": "a", "aoi": {"x": NaN}}', 400),
    "infinity": (b'{"path": "a", "aoi": {"x": 1e999}}', 422),
    "too deep": (b'{"path": "a", "aoi": ' + b'{"a":' * 100_000, 400),
    "half a pair": (b'{"path": "\\ud800"}', 400),
    "no object": (b"[1]", 422),
    "nothing": (b"{}", 422),
    "two places": (b'{"path": "a", "url": "b"}', 422),
    "more": (b'{"path": "a", "more": 1}', 422),
    "a number": (b'{"path": 1}', 422),
    "null": (b'{"path": null}', 422),
    "a text": (b'{"upload": {"name": "a", "size": "5"}}', 422),
    "no bytes": (b'{"upload": {"name": "a", "size": 0}}', 422),
    "an option": (b'{"path": "a", "options": {"conf": 2}}', 422),
    "digits": (b'{"upload": {"name": "a", "size": 5}, "aoi": {"x": ' + b"9" * 5000 + b"}}", 400),
    "percentiles": (b'{"upload": {"name": "a", "size": 5}, "options": {"stretch": "9,1"}}', 400),
}


@pytest.mark.parametrize("kind", BODIES)
def test_words_that_make_no_sense_are_told(live: Live, kind: str) -> None:
    client, core = live
    body, status = BODIES[kind]
    before = core.jobs.store.numbers()
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert core.jobs.store.numbers() == before


def test_options_are_given_in_one_place(live: Live, given: Path) -> None:
    client, _ = live
    scene_file(given / "options.png")
    there = {"path": "options.png"}
    job = end(client, client.post("/v1/jobs?conf=0.3", json=there))
    assert job["counts"]["vessel"] == 3
    both = client.post("/v1/jobs?conf=0.3", json={**there, "options": {"conf": 0.3}})
    assert both.status_code == 400


# --- ends of other kinds ---


def test_a_job_that_runs_is_cancelled_within_a_tile(live: Live, scene: bytes, gate: Gate) -> None:
    client, core = live
    job = post(client, scene).json()
    assert gate.reached.wait(20)
    assert client.delete(job["links"]["self"]).status_code == 204
    assert client.get(job["links"]["self"]).json()["state"] == "cancelled"
    assert client.get(job["links"]["result"]).status_code == 410
    wait_until(lambda: not core.jobs.folder(job["id"]).exists())
    gate.opened.set()
    assert end(client, post(client, scene))["state"] == "done"
    assert client.get(job["links"]["self"]).json()["state"] == "cancelled"


def test_a_job_that_waits_is_cancelled_at_once(live: Live, scene: bytes, gate: Gate) -> None:
    client, core = live
    first = [post(client, scene) for _ in range(RUNNERS)]
    second = post(client, scene).json()
    assert client.get(second["links"]["result"]).status_code == 409
    assert "waiting" in client.get(second["links"]["result"]).json()["detail"]
    assert client.delete(second["links"]["self"]).status_code == 204
    assert not core.jobs.folder(second["id"]).exists()
    gate.opened.set()
    assert [end(client, each)["state"] for each in first] == ["done"] * RUNNERS
    assert client.get(second["links"]["self"]).json()["attempts"] == 0


def test_a_job_that_has_ended_is_removed(live: Live, scene: bytes) -> None:
    client, core = live
    job = end(client, post(client, scene))
    for _ in range(2):
        assert client.delete(job["links"]["self"]).status_code == 204
    assert not core.jobs.folder(job["id"]).exists()
    for link in ("self", "events", "result", "overlay"):
        assert client.get(job["links"][link]).status_code == 410


@pytest.mark.parametrize("job", ["0" * 32, "..", "x", "%2e%2e%2f", "A" * 5000, "' OR 1=1"])
def test_what_never_was_is_not_found(live: Live, job: str) -> None:
    client, _ = live
    answers = [client.get(f"/v1/jobs/{job}{rest}") for rest in ("", "/events", "/result", "/overlay")]
    answers += [client.delete(f"/v1/jobs/{job}"), client.head(f"/v1/jobs/{job}/scene")]
    answers += [client.patch(f"/v1/jobs/{job}/scene", headers={"Upload-Offset": "0"}, content=b"x")]
    assert {answer.status_code for answer in answers} <= {404, 405}


def test_what_is_no_scene_is_refused_and_not_kept(live: Live) -> None:
    client, core = live
    before = core.jobs.store.numbers()
    answer = post(client, b"nothing like a picture")
    assert answer.status_code == 422
    assert answer.json()["subject"] == "port.png"
    assert core.jobs.store.numbers() == before
    assert_nothing_is_left(core)


def assert_nothing_is_left(core: Core) -> None:
    """No uploads on their way, and no folder without a job."""
    assert not list((core.settings.state / "incoming").iterdir())
    folders = {path.name for path in core.jobs.files.root.iterdir()}
    assert folders <= {job.id for job in core.jobs.store.holding()}


def test_a_failure_says_why_and_names_no_path(live: Live, scene: bytes, tmp_path: Path) -> None:
    client, core = live
    large = tmp_path / "large.bmp"
    cv2.imwrite(str(large), np.zeros((500, 500, 3), np.uint8))
    failures = {
        "cut.bmp": (post(client, large.read_bytes()[:1000], "cut.bmp"), 422),
        "aoi.png": (client.post("/v1/jobs", files={"scene": ("aoi.png", scene), "aoi": ("a.json", "{}")}), 422),
    }
    for name, (answer, status) in failures.items():
        job = end(client, answer)
        assert (job["state"], job["scene"], job["error"]["status"]) == ("failed", name, status), job
        told = client.get(job["links"]["result"])
        assert told.status_code == status
        assert told.json()["detail"] == job["error"]["detail"]
        for text in (json.dumps(job["error"]), told.text):
            assert str(core.settings.state) not in text
            assert "/jobs/" not in text.replace("/v1/jobs", "")
        wait_until(lambda job=job: not core.jobs.folder(job["id"]).exists())


def test_a_scan_that_breaks_fails_its_job_alone(
    live: Live, scene: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = live

    def broken(*_: object) -> None:
        message = "a secret of the server"
        raise RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(job_runner, "score_open", broken)
        job = end(client, post(client, scene))
    assert (job["state"], job["error"]["status"]) == ("failed", 500)
    assert "secret" not in json.dumps(job)
    assert "secret" in caplog.text
    assert end(client, post(client, scene))["state"] == "done"


def test_the_document_tells_what_may_come_of_jobs(live: Live) -> None:
    client, _ = live
    paths = client.get("/openapi.json").json()["paths"]
    assert "507" in paths["/v1/jobs/{job_id}"]["delete"]["responses"]  # the ledger is written
    for path in ("/v1/jobs", "/v1/jobs/{job_id}/scene"):
        for operation in paths[path].values():
            assert "411" not in operation["responses"]  # a length is never asked for


# --- limits ---


def test_limits_are_told_before_a_scene_is_kept(tmp_path: Path, scene: bytes) -> None:
    with serving(tmp_path, max_upload_bytes=1000, max_job_pixels=160 * 96 - 1) as (client, core):
        too_long = post(client, scene + bytes(1000))
        assert too_long.status_code == 413
        without_length = client.post("/v1/jobs", content=iter([scene, bytes(1000)]))
        assert without_length.status_code == 413
        assert client.post("/v1/jobs", json={"upload": {"name": "a", "size": 1001}}).status_code == 413
        too_large = post(client, scene)
        assert too_large.status_code == 413
        assert "160 x 96 pixels" in too_large.json()["detail"]
        assert client.get("/v1/jobs").json() == {"jobs": []}
        assert_nothing_is_left(core)


def test_a_full_queue_says_when_to_come_again(tmp_path: Path, scene: bytes, gate: Gate) -> None:
    with serving(tmp_path, max_waiting_jobs=2) as (client, _):
        kept = [post(client, scene, key=key) for key in "ab"]
        refused = post(client, scene, key="c")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert post(client, scene, key="b").json()["id"] == kept[1].json()["id"]
        assert client.post("/v1/jobs", json={"upload": {"name": "a", "size": 9}}).status_code == 503
        gate.opened.set()
        for answer in kept:
            end(client, answer)
        assert end(client, post(client, scene, key="c"))["state"] == "done"


def test_a_disk_without_room_is_told_before_the_upload(
    live: Live, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = live
    room = 10_000_000
    usage = SimpleNamespace(free=job_room.RESERVE_BYTES + room)
    monkeypatch.setattr(job_room.shutil, "disk_usage", lambda _: usage)
    first = client.post("/v1/jobs", json={"upload": {"name": "a", "size": room - 1}})
    assert first.status_code == 202
    assert post(client, scene).status_code == 507  # the rest of the room is promised
    assert client.delete(first.json()["links"]["self"]).status_code == 204
    assert end(client, post(client, scene))["state"] == "done"


def test_a_full_disk_is_no_end(tmp_path: Path, scene: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runner, "AGAIN_S", 0.01)
    with serving(tmp_path) as (client, core):

        def full(_: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("edge.server.job_files.settle", full)
            answer = post(client, scene)
            assert (answer.status_code, answer.json()["subject"]) == (507, "scene")
        core.jobs.store._database.execute("PRAGMA max_page_count = 1")  # the ledger may not grow
        announced = {"upload": {"name": "x" * 200, "size": 9}}
        statuses = [client.post("/v1/jobs", json=announced).status_code for _ in range(30)]
        assert set(statuses) == {202, 507}
        assert len(list(core.jobs.files.root.iterdir())) == statuses.count(202)
        core.jobs.store._database.execute("PRAGMA max_page_count = 100000")
        real, left = core.jobs.store.move, iter(range(3))

        def full_at_first(*words: Any, **changes: Any) -> bool:  # noqa: ANN401 - those of move
            if words[1] == "done" and next(left, None) is not None:
                raise OutputError("job", "full", "wait")
            return real(*words, **changes)

        monkeypatch.setattr(core.jobs.store, "move", full_at_first)
        assert end(client, post(client, scene))["state"] == "done"
        assert next(left, None) is None


def test_a_client_that_leaves_leaves_nothing(live: Live, scene: bytes) -> None:
    client, core = live
    before = core.jobs.store.numbers()
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {client.base_url.host}\r\nContent-Length: {len(scene)}\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port)) as end_of_mine:
        end_of_mine.sendall(head.encode() + scene[: len(scene) // 2])
        incoming = core.settings.state / "incoming"
        wait_until(lambda: any(path.is_file() for path in incoming.rglob("*")))
    wait_until(lambda: not list(incoming.iterdir()))
    assert core.jobs.store.numbers() == before
    assert_nothing_is_left(core)


def test_uploads_in_parts_have_a_place_in_the_queue_from_the_first_on(tmp_path: Path, scene: bytes, gate: Gate) -> None:
    announced = {"upload": {"name": "a.png", "size": len(scene)}}
    with serving(tmp_path, max_waiting_jobs=2) as (client, core):
        jobs = [client.post("/v1/jobs", json=announced) for _ in range(2)]
        assert client.post("/v1/jobs", json=announced).status_code == 503
        for answer in jobs:
            there = answer.json()["links"]["scene"]
            assert client.patch(there, content=scene, headers={"Upload-Offset": "0"}).status_code == 204
        assert core.jobs.store.numbers()["receiving"] == 0
        assert client.post("/v1/jobs", json=announced).status_code == 503
        assert post(client, scene).status_code == 503
        gate.opened.set()
        assert {end(client, client.get(answer.headers["location"]))["state"] for answer in jobs} == {"done"}
        assert client.post("/v1/jobs", json=announced).status_code == 202


# --- the same job again ---


def test_a_key_makes_one_job_of_many_requests(live: Live, scene: bytes) -> None:
    client, core = live
    before = sum(core.jobs.store.numbers().values())
    first = post(client, scene, key="mine")
    assert first.status_code == 202
    again = post(client, scene, key="mine")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    end(client, first)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(post(client, scene, key="at once"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum(core.jobs.store.numbers().values()) == before + 2
    end(client, answers[0])
    assert_nothing_is_left(core)


def test_a_key_is_that_of_one_request_only(live: Live, scene: bytes) -> None:
    client, core = live
    job = end(client, post(client, scene, key="one"))
    others = [
        post(client, scene, key="one", conf=0.3),
        post(client, scene, key="one", name="other.png"),
        post(client, scene + b" ", key="one"),
        client.post("/v1/jobs", json={"upload": {"name": "port.png", "size": 5}}, headers={"Idempotency-Key": "one"}),
    ]
    assert [answer.status_code for answer in others] == [409] * 4
    assert client.delete(job["links"]["self"]).status_code == 204
    assert post(client, scene, key="one").status_code == 410
    assert_nothing_is_left(core)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "ü"])
def test_keys_are_printable_and_not_long(live: Live, scene: bytes, key: str) -> None:
    client, _ = live
    answer = client.post("/v1/jobs", content=scene, headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 422


# --- another server goes on ---


def test_a_stop_hands_jobs_on_to_the_next_server(tmp_path: Path, scene: bytes, gate: Gate) -> None:
    with serving(tmp_path) as (client, core):
        jobs = [post(client, scene, f"{k}.png", key=str(k)).json() for k in range(3)]
        assert gate.reached.wait(20)
        ended = end(client, post(client, scene, "9.png")) if gate.opened.is_set() else None
        assert ended is None
    assert core.life.stopping.is_set()
    gate.opened.set()
    with serving(tmp_path) as (client, core):
        found = [end(client, client.get(job["links"]["self"])) for job in jobs]
        assert [job["state"] for job in found] == ["done"] * 3
        assert [job["attempts"] for job in found] == [1] * 3  # what was handed back does not count
        assert [job["started"] for job in found] == sorted(job["started"] for job in found)
        assert post(client, scene, "0.png", key="0").json()["id"] == jobs[0]["id"]
        assert_nothing_is_left(core)


def test_events_end_when_the_server_stops(tmp_path: Path, scene: bytes, gate: Gate) -> None:
    with serving(tmp_path) as (client, core):
        job = post(client, scene).json()
        assert gate.reached.wait(20)
        states = []
        for event in events(client, job):
            states.append(event["state"])
            core.stop()
        assert states[0] in {"waiting", "running"}
        assert "done" not in states


def test_results_are_kept_for_a_while_and_then_remembered(tmp_path: Path, scene: bytes) -> None:
    with serving(tmp_path, keep_s=1.0) as (client, core):
        job = end(client, post(client, scene))
        here = job["links"]["self"]
        assert client.get(job["links"]["result"]).status_code == 200
        wait_until(lambda: client.get(here).status_code == 410)
        assert client.get("/v1/jobs").json() == {"jobs": []}
        wait_until(lambda: not core.jobs.folder(job["id"]).exists())
        wait_until(lambda: client.get(here).status_code == 404)
