"""POST /v1/count on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


def test_a_scene_is_counted(live: Live, tmp_path: Path) -> None:
    client, core = live
    answer = client.post("/v1/count", params={"name": "port.png"}, content=scene_file(tmp_path / "a.png").read_bytes())
    assert answer.status_code == 200
    assert answer.json()["scene"] == "port.png"
    assert answer.json()["counts"]["vessel"] == 2
    assert core.admission.px == 0


def test_what_is_no_scene_is_told(live: Live) -> None:
    client, _ = live
    answer = client.post("/v1/count", params={"name": "port.png"}, content=b"nothing like a picture")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["subject"] == "port.png"
    assert "is not an image" in answer.json()["detail"]
