"""Scenes that are uploaded in parts, over connections that break."""

from __future__ import annotations

import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.server.streams import BATCH
from tests.live import serving, wait_until
from tests.test_server_jobs import AREA, end, without_seconds
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from edge.server.core import Core

Live = tuple["httpx.Client", "Core"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return scene_file(tmp_path_factory.mktemp("scene") / "a.bmp").read_bytes()


@pytest.fixture(scope="module")
def long_scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One of several pieces."""
    path = tmp_path_factory.mktemp("scene") / "long.bmp"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 9, (600, 600, 3), np.uint8))
    return path.read_bytes()


def announce(client: httpx.Client, scene: bytes, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - of the request
    answer = client.post("/v1/jobs", json={"upload": {"name": "port.bmp", "size": len(scene)}, **more})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert job["state"] == "receiving"
    return job


def part(client: httpx.Client, job: dict[str, Any], offset: int, content: Any) -> httpx.Response:  # noqa: ANN401 - a body
    return client.patch(job["links"]["scene"], content=content, headers={"Upload-Offset": str(offset)})


def offset_of(client: httpx.Client, job: dict[str, Any]) -> int:
    answer = client.head(job["links"]["scene"])
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def send_half(client: httpx.Client, job: dict[str, Any], scene: bytes, offset: int) -> socket.socket:
    """A connection on which a part has begun, and does not go on."""
    there = (client.base_url.host, client.base_url.port)
    connection = socket.create_connection(there)
    head = f"PATCH {job['links']['scene']} HTTP/1.1\r\nHost: {there[0]}\r\nUpload-Offset: {offset}\r\n"
    rest = scene[offset:]
    connection.sendall(f"{head}Content-Length: {len(rest)}\r\n\r\n".encode() + rest[: len(rest) // 2])
    return connection


def test_parts_make_a_job(live: Live, scene: bytes) -> None:
    client, core = live
    job = announce(client, scene, options={"conf": 0.3}, aoi=AREA)
    for offset in range(0, len(scene), 9_999):
        assert offset_of(client, job) == offset
        assert client.get(job["links"]["self"]).json()["state"] == "receiving"
        answer = part(client, job, offset, scene[offset : offset + 9_999])
        assert answer.status_code == 204
        assert answer.headers["upload-offset"] == str(min(offset + 9_999, len(scene)))
        assert answer.headers["upload-length"] == str(len(scene))
    ended = end(client, client.get(job["links"]["self"]))
    assert (ended["state"], ended["scene"], ended["counts"]["vessel"]) == ("done", "port.bmp", 1)
    assert "scene" not in ended["links"]
    whole = client.post("/v1/count", params={"name": "port.bmp"}, content=scene).json()
    again = announce(client, scene)
    assert part(client, again, 0, scene).status_code == 204
    assert end(client, client.get(again["links"]["self"]))["state"] == "done"
    assert without_seconds(client.get(again["links"]["result"]).json()) == without_seconds(whole)
    assert core.jobs.files.scene(core.jobs.get(job["id"])).read_bytes() == scene
    assert part(client, job, 0, scene).status_code == 409  # it is whole
    assert offset_of(client, job) == len(scene)


def test_a_lost_connection_loses_nothing_that_came(live: Live, long_scene: bytes) -> None:
    client, core = live
    job = announce(client, long_scene)
    path = core.jobs.files.scene(core.jobs.get(job["id"]))
    with send_half(client, job, long_scene, 0):
        wait_until(lambda: path.stat().st_size)
    wait_until(lambda: core.jobs.get(job["id"]).received)
    offset = offset_of(client, job)
    assert BATCH <= offset <= len(long_scene) // 2
    assert path.read_bytes() == long_scene[:offset]
    assert part(client, job, offset, long_scene[offset:]).status_code == 204
    assert end(client, client.get(job["links"]["self"]))["state"] == "done"


def test_a_client_that_comes_back_takes_over_from_its_dead_connection(live: Live, long_scene: bytes) -> None:
    client, core = live
    job = announce(client, long_scene)
    path = core.jobs.files.scene(core.jobs.get(job["id"]))
    with send_half(client, job, long_scene, 0) as dead:
        wait_until(lambda: path.stat().st_size)
        begun = time.monotonic()
        offset = offset_of(client, job)
        assert time.monotonic() - begun < core.settings.body_timeout_s / 2
        assert BATCH <= offset <= len(long_scene) // 2
        assert part(client, job, offset, long_scene[offset:]).status_code == 204
        assert b" 409 " in dead.recv(100)
    assert end(client, client.get(job["links"]["self"]))["state"] == "done"
    assert path.read_bytes() == long_scene


def test_of_many_that_send_the_same_part_one_does(live: Live, long_scene: bytes) -> None:
    client, core = live
    job = announce(client, long_scene)
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status_code for answer in pool.map(lambda _: part(client, job, 0, long_scene), range(8))]
    assert set(statuses) <= {204, 409}
    offset = offset_of(client, job)
    assert 204 in statuses or offset < len(long_scene)
    if offset < len(long_scene):  # each was taken over by the next, the last by one that began in the wrong place
        assert part(client, job, offset, long_scene[offset:]).status_code == 204
    assert end(client, client.get(job["links"]["self"]))["state"] == "done"
    assert core.jobs.files.scene(core.jobs.get(job["id"])).read_bytes() == long_scene


def test_a_part_must_go_on_where_the_last_one_ended(live: Live, scene: bytes) -> None:
    client, _ = live
    job = announce(client, scene)
    assert part(client, job, 0, scene[:100]).status_code == 204
    for offset in (0, 99, 101, 10**30):
        answer = part(client, job, offset, b"x")
        assert answer.status_code == 409
        assert answer.headers["upload-offset"] == "100"
    too_long = part(client, job, 100, scene)
    assert too_long.status_code == 413
    assert part(client, job, 100, iter([scene[100:], b"x"])).status_code == 413
    for headers in ({}, {"Upload-Offset": "-1"}, {"Upload-Offset": "x"}):
        assert client.patch(job["links"]["scene"], content=b"x", headers=headers).status_code == 422


def test_only_uploads_have_parts(tmp_path: Path) -> None:
    scene_file(tmp_path / "a.png")
    with serving(tmp_path, roots=(tmp_path,)) as (client, _):
        job = client.post("/v1/jobs", json={"path": "a.png"}).json()
        there = f"{job['links']['self']}/scene"
        assert client.head(there).status_code == 409
        assert client.patch(there, content=b"x", headers={"Upload-Offset": "0"}).status_code == 409


def test_what_is_no_scene_is_told_when_it_is_whole(live: Live) -> None:
    client, _ = live
    job = announce(client, b"nothing")
    assert part(client, job, 0, b"nothing").status_code == 204
    ended = end(client, client.get(job["links"]["self"]))
    assert (ended["state"], ended["error"]["status"]) == ("failed", 422)


def test_an_upload_that_is_deleted_ends_at_once(live: Live, scene: bytes) -> None:
    client, core = live
    job = announce(client, scene)
    with send_half(client, job, scene, 0) as connection:
        wait_until(lambda: core.jobs.parts.sending(job["id"]))
        assert client.delete(job["links"]["self"]).status_code == 204
        assert b" 410 " in connection.recv(100)
    assert not core.jobs.folder(job["id"]).exists()
    assert client.get(job["links"]["self"]).json()["state"] == "cancelled"


def test_an_upload_that_does_not_go_on_is_given_up(
    tmp_path: Path, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.server.job_parts.GIVEN_UP_S", 0.2)
    with serving(tmp_path) as (client, core):
        job = announce(client, scene)
        assert part(client, job, 0, scene[:100]).status_code == 204
        core.jobs.janitor.tidy()
        wait_until(lambda: core.jobs.janitor.tidy() or core.jobs.get(job["id"]).state == "failed")
        told = client.get(job["links"]["self"]).json()
        assert told["error"]["status"] == 408
        later = client.get(job["links"]["result"])  # by 408 many clients would ask again and again
        assert (later.status_code, later.json()["detail"]) == (410, told["error"]["detail"])
        assert not core.jobs.folder(job["id"]).exists()


def test_an_upload_goes_on_at_another_server(tmp_path: Path, scene: bytes) -> None:
    with serving(tmp_path) as (client, core):
        job = announce(client, scene)
        assert part(client, job, 0, scene[:1000]).status_code == 204
        path = core.jobs.files.scene(core.jobs.get(job["id"]))
    with path.open("ab") as file:
        file.write(b"what was written when the power went, and is not known to be whole")
    with serving(tmp_path) as (client, _):
        assert offset_of(client, job) == 1000
        assert part(client, job, 1000, scene[1000:]).status_code == 204
        assert end(client, client.get(job["links"]["self"]))["state"] == "done"
        assert path.read_bytes() == scene


def test_an_upload_that_is_no_longer_whole_is_told(tmp_path: Path, scene: bytes) -> None:
    with serving(tmp_path) as (client, core):
        job = announce(client, scene)
        assert part(client, job, 0, scene[:1000]).status_code == 204
        path = core.jobs.files.scene(core.jobs.get(job["id"]))
    path.write_bytes(scene[:999])
    with serving(tmp_path) as (client, _):
        assert client.get(job["links"]["self"]).json()["state"] == "failed"


def test_an_upload_whose_last_byte_is_safe_is_counted_whatever_happens_then(tmp_path: Path, scene: bytes) -> None:
    """The last byte and the next state are one change of the ledger."""
    with serving(tmp_path) as (client, core):
        core.life.draining = False
        core.life.ready = False  # nothing is begun
        job = announce(client, scene)
        assert part(client, job, 0, scene).status_code == 204
        assert client.get(job["links"]["self"]).json()["state"] == "waiting"
    database = sqlite3.connect(tmp_path / "state" / "jobs.sqlite")
    assert database.execute("SELECT state, received FROM jobs").fetchall() == [("waiting", len(scene))]
    database.close()
    with serving(tmp_path) as (client, _):
        assert end(client, client.get(job["links"]["self"]))["state"] == "done"
