"""POST /v1/count on a real server: the answer, the door, the deadline, and clients that leave."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from edge.detector import load_detector
from edge.document import build_document
from edge.pipeline import scan
from edge.scene import open_scene
from edge.server.options import CountOptions
from edge.server.scoring import Work, candidates, score_open
from edge.workers import own_lanes
from tests.live import idle, serving, wait_until
from tests.scene_files import write_tiff
from tests.toy_model import model_folder, picture, scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.server.core import Core

Live = tuple[httpx.Client, "Core"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def long_scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A picture, small as a file, that keeps the toy model busy for about a second."""
    path = tmp_path_factory.mktemp("long") / "long.png"
    block = np.random.default_rng(1).integers(0, 9, (700, 700, 3), np.uint8)
    for y, x in np.ndindex(2, 2):
        block[64 + 128 * y :, 64 + 128 * x :][:8, :8, 2] = 200
    cv2.imwrite(str(path), np.tile(block, (6, 6, 1)))
    return path.read_bytes()


def test_a_scene_is_counted_as_everywhere(live: Live, tmp_path: Path) -> None:
    client, core = live
    path = scene_file(tmp_path / "port.png")
    answer = client.post("/v1/count", params={"name": "port.png"}, content=path.read_bytes())
    assert answer.status_code == 200
    with open_scene(path) as scene:
        expected = build_document(scene, core.served.detector, scan(scene, core.served.detector))
    assert expected["counts"]["vessel"] == 2
    assert {**answer.json(), "seconds": None} == {**expected, "seconds": None}
    wait_until(lambda: idle(core))


def test_options_are_those_of_the_command_line(live: Live, tmp_path: Path) -> None:
    client, _ = live
    body = scene_file(tmp_path / "a.png").read_bytes()
    document = client.post("/v1/count", params={"gsd": 1.0, "conf": 0.9, "max_length": 50}, content=body).json()
    assert document["counts"]["vessel"] == 1
    assert document["gsd_m"] == 1.0
    assert document["settings"]["threshold"] == 0.9
    assert document["scene"] == "scene"


@pytest.mark.parametrize(
    "query",
    [
        {"gsd": "-1"}, {"gsd": "nan"}, {"gsd": "inf"}, {"conf": "2"}, {"bands": "1,2"}, {"bands": "0"},
        {"stretch": "x"}, {"max_length": "0"}, {"exhaustive": "perhaps"}, {"no_such_option": "1"}, {"timeout": "-1"},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_named(live: Live, query: dict[str, str]) -> None:
    client, _ = live
    answer = client.post("/v1/count", params=query, content=b"")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["subject"] == next(iter(query))


@pytest.mark.parametrize("query", [{"stretch": "99,1"}, {"min_length": "500"}, {"conf": "0.0001"}])
def test_options_that_do_not_fit_each_other_are_told(live: Live, tmp_path: Path, query: dict[str, str]) -> None:
    client, _ = live
    answer = client.post("/v1/count", params=query, content=scene_file(tmp_path / "a.png").read_bytes())
    assert answer.status_code == 400
    assert answer.json()["mend"]


def test_what_is_no_scene_is_told_in_the_clients_words(live: Live) -> None:
    client, core = live
    answer = client.post("/v1/count", params={"name": "port.png"}, content=b"nothing like a picture")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["subject"] == "port.png"
    assert "is not an image" in answer.json()["detail"]
    assert str(core.settings.state) not in answer.text


def test_a_scene_of_which_nothing_can_be_read_is_a_failure(live: Live, tmp_path: Path) -> None:
    client, _ = live
    pixels = np.random.default_rng(3).integers(0, 99, (3, 96, 160), np.uint8)
    data = write_tiff(tmp_path / "a.tif", pixels, compress="deflate").read_bytes()
    answer = client.post("/v1/count", params={"name": "a.tif"}, content=data[:1000])
    assert answer.status_code == 422
    assert "nothing of it was seen" in answer.json()["detail"]


def test_a_scene_that_is_too_large_is_for_a_job(tmp_path: Path) -> None:
    with serving(tmp_path, max_request_pixels=10_000, max_inflight_pixels=10_000) as (client, core):
        answer = client.post("/v1/count", content=scene_file(tmp_path / "a.png").read_bytes())
        assert answer.status_code == 413
        assert "/v1/jobs" in answer.json()["mend"]
        assert core.admission.px == 0


@pytest.mark.parametrize("path", ["/v1/count", "/v1/jobs"])
def test_a_client_that_sends_on_is_not_cut_off_before_it_knows_why(tmp_path: Path, path: str) -> None:
    """Many a client looks for an answer when it has sent all, and for none when it could not."""
    length = 48 * 2**20
    with serving(tmp_path, max_body_bytes=1000, max_upload_bytes=1000) as (client, _):
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=20) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
            line.sendall(bytes(length))
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in head.lower()
        assert json.loads(body)["status"] == 413


def test_the_door_is_shut_when_enough_is_in_flight(tmp_path: Path, long_scene: bytes) -> None:
    small = scene_file(tmp_path / "a.png").read_bytes()
    with serving(tmp_path, max_request_pixels=4200**2, max_inflight_pixels=4200**2) as (client, core):
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(client.post, "/v1/count", content=long_scene)
            wait_until(lambda: core.admission.px > 0)
            answer = httpx.post(client.base_url.join("/v1/count"), content=small, trust_env=False)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert running.result().status_code == 200
        assert client.post("/v1/count", content=small).status_code == 200
        wait_until(lambda: idle(core))


def test_a_small_scene_overtakes_large_ones(tmp_path: Path, long_scene: bytes) -> None:
    """More of them than are read side by side."""
    small = scene_file(tmp_path / "a.png").read_bytes()
    with serving(tmp_path, max_inflight_pixels=10**9) as (client, core), ThreadPoolExecutor(6) as pool:
        url = client.base_url.join("/v1/count")
        running = [pool.submit(httpx.post, url, content=long_scene, timeout=60, trust_env=False) for _ in range(6)]
        wait_until(lambda: core.admission.requests == 6)
        assert client.post("/v1/count", content=small).status_code == 200
        assert not all(answer.done() for answer in running)
        assert all(answer.result().status_code == 200 for answer in running)


def test_a_deadline_ends_the_work(live: Live, long_scene: bytes) -> None:
    client, core = live
    answer = client.post("/v1/count", params={"timeout": 0.1}, content=long_scene)
    assert answer.status_code == 504
    wait_until(lambda: idle(core), 2)


def test_work_ends_when_its_client_leaves(live: Live, long_scene: bytes) -> None:
    client, core = live
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as line:
        head = f"POST /v1/count HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(long_scene)}\r\n\r\n"
        line.sendall(head.encode() + long_scene)
        wait_until(lambda: core.admission.px > 0)
    wait_until(lambda: idle(core), 2)


def test_what_a_page_recounts_is_what_a_count_would_say(tmp_path: Path) -> None:
    detector = load_detector(model_folder(tmp_path / "toy", kinds=True))
    path = tmp_path / "a.png"
    cells = {(3 + 5 * (i % 6), 3 + 4 * (i // 6)): 60 + 12 * i for i in range(16)}
    cv2.imwrite(str(path), picture(300, 160, cells)[..., ::-1])
    work = Work(detector, own_lanes(1, "test"), 10**8)
    with open_scene(path) as scene:
        told = candidates(scene, detector, score_open(scene, CountOptions(), work)[1])
        for row in told["recounts"][:: len(told["recounts"]) // 8]:
            document = score_open(scene, CountOptions(conf=row["threshold"]), work)[0]
            assert row["counts"] == document["counts"]
            assert row["interval"] == document["interval"]
            above = [d for d in told["detections"] if d["score"] >= row["threshold"]]
            assert [d["corners"] for d in above] == [d["corners"] for d in document["detections"]]
    assert len({row["counts"]["vessel"] for row in told["recounts"]}) > 5
