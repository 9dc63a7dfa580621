"""/metrics, read the way Prometheus reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect

from edge.errors import AoiError, StoppedError
from edge.server.metrics import reason
from edge.server.problems import HttpError
from tests.live import serving
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


class Scrape:
    """What /metrics says at one time."""

    def __init__(self, client: httpx.Client) -> None:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        self.samples = {
            (s.name, frozenset(s.labels.items())): s.value for f in self.families.values() for s in f.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples.get((f"tanker_edge_{name}", frozenset(labels.items())), 0.0)

    def labels(self, name: str, label: str) -> set[str]:
        return {dict(labels)[label] for sample, labels in self.samples if sample == f"tanker_edge_{name}"}


def test_a_counted_scene_is_counted(live: Live, tmp_path: Path) -> None:
    client, _ = live
    before = Scrape(client)
    answer = client.post("/v1/count", content=scene_file(tmp_path / "a.png").read_bytes())
    after = Scrape(client)

    def more(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert answer.status_code == 200
    assert more("requests_total", route="/v1/count", method="POST", status="200") == 1
    assert more("request_seconds_count", route="/v1/count") == 1
    assert more("request_seconds_bucket", route="/v1/count", le="120.0") == 1
    for stage in ("open", "read", "infer", "merge", "look", "total"):
        assert more("scene_seconds_count", way="count", stage=stage) == 1
    document = answer.json()
    for outcome in ("scored", "skipped", "failed"):
        assert more("tiles_total", outcome=outcome) == document["tiles"][outcome]
    for kind in ("tanker", "other", "unknown"):
        assert more("vessels_total", kind=kind) == document["counts"][kind]
    assert more("scenes_not_wholly_seen_total", way="count") == 0


def test_a_scene_that_was_not_wholly_seen_is_told(live: Live, tmp_path: Path) -> None:
    client, _ = live
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:, :32, 3] = 255
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    before = Scrape(client)("scenes_not_wholly_seen_total", way="count")
    answer = client.post("/v1/count", content=(tmp_path / "a.png").read_bytes())
    assert answer.json()["coverage"] < 1
    assert Scrape(client)("scenes_not_wholly_seen_total", way="count") == before + 1


def test_a_scene_that_failed_is_told_with_its_reason(live: Live) -> None:
    client, _ = live
    before = Scrape(client)("failures_total", way="count", reason="scene")
    assert client.post("/v1/count", content=b"no scene").status_code == 422
    assert Scrape(client)("failures_total", way="count", reason="scene") == before + 1


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (HttpError(503, "full"), "http_503"),
        (AoiError("a", "b", "c"), "aoi"),
        (StoppedError("a", "b", "c"), "stopped"),
        (ClientDisconnect(), "client_left"),
        (ValueError("anything: /secret"), "internal"),
    ],
)
def test_reasons_are_a_few_words(error: BaseException, word: str) -> None:
    assert reason(error) == word


def test_clients_cannot_make_labels(live: Live) -> None:
    client, _ = live
    for i in range(20):
        client.get(f"/made/up/{i}")
        client.request(f"VERB{i}", "/v1/count")
        client.get(f"/v1/count/{i}?x={i}")
    now = Scrape(client)
    assert now.labels("requests_total", "method") <= {"GET", "POST", "other"}
    assert now.labels("requests_total", "route") <= {"/v1/count", "/metrics", "unmatched"}
    assert now("requests_total", route="unmatched", method="GET", status="404") >= 40


def test_the_model_and_the_process_are_told(live: Live) -> None:
    client, core = live
    now, detector = Scrape(client), core.served.detector
    (info,) = now.families["tanker_edge_model_info"].samples
    assert info.labels == {
        "name": "toy",
        "version": "1",
        "sha256": detector.card.sha256,
        "provider": "cpu",
        "precision": "fp32",
    }
    page = os.sysconf("SC_PAGE_SIZE")
    assert now.families["process_resident_memory_bytes"].samples[0].value > 1000 * page
    assert 0 < now("uptime_seconds") < 3600
    assert now("ready") == 1
    assert now("model_loaded_timestamp_seconds") > 1e9


def test_what_is_in_hand_is_told(live: Live) -> None:
    client, core = live
    assert Scrape(client)("requests_in_flight") == 1
    with core.admission.admit(12_345):
        now = Scrape(client)
        assert (now("scenes_in_flight"), now("pixels_in_flight")) == (1, 12_345)
    assert Scrape(client)("pixels_in_flight") == 0
    assert {pool: now("waiting_tiles", pool=pool) for pool in ("request", "job")} == {"request": 0, "job": 0}


def test_reloads_are_counted(live: Live) -> None:
    client, core = live
    core.served.swap()
    assert Scrape(client)("model_swaps_total", outcome="swapped") == 1


def test_two_servers_count_apart(live: Live, tmp_path: Path) -> None:
    client, _ = live
    client.get("/first")
    with serving(tmp_path) as (second, _):
        assert Scrape(second)("requests_total", route="unmatched", method="GET", status="404") == 0
