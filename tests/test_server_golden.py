"""Each golden scene by the command line, bulk, POST, a job, and the Open Inference Protocol: the same document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http as triton

from edge.assets import samples_dir
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.golden import answer, differences
from edge.model_card import GOLDEN
from tests.live import serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

MODEL = find_model(DEFAULT_MODEL)
SCENES = json.loads((MODEL / GOLDEN).read_text())
Document = dict[str, Any]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("server"), MODEL, roots=(samples_dir(),)) as (started, _):
        yield started


def _by_post(client: httpx.Client, path: Path) -> Document:
    return client.post("/v1/count", params={"name": path.name}, content=path.read_bytes()).raise_for_status().json()


def _by_multipart(client: httpx.Client, path: Path) -> Document:
    with path.open("rb") as file:
        return client.post("/v1/count", files={"scene": (path.name, file, "image/tiff")}).raise_for_status().json()


def _done(client: httpx.Client, job: Document) -> Document:
    def ended() -> Document | None:
        now = client.get(job["links"]["self"]).raise_for_status().json()
        return None if now["state"] in {"waiting", "running"} else now

    told = wait_until(ended, 60)
    assert told["state"] == "done", told
    return client.get(job["links"]["result"]).raise_for_status().json()


def _by_job(client: httpx.Client, path: Path) -> Document:
    sent = client.post("/v1/jobs", params={"name": path.name}, content=path.read_bytes())
    return _done(client, sent.raise_for_status().json())


def _by_path(client: httpx.Client, path: Path) -> Document:
    return _done(client, client.post("/v1/jobs", json={"path": path.name}).raise_for_status().json())


def _by_parts(client: httpx.Client, path: Path) -> Document:
    data = path.read_bytes()
    told = {"upload": {"name": path.name, "size": len(data)}}
    job = client.post("/v1/jobs", json=told).raise_for_status().json()
    for start in range(0, len(data), 100_000):
        part = data[start : start + 100_000]
        url = f"{job['links']['self']}/scene"
        client.patch(url, content=part, headers={"Upload-Offset": str(start)}).raise_for_status()
    return _done(client, client.get(job["links"]["self"]).json())


def _by_infer(client: httpx.Client, path: Path) -> Document:
    scene = triton.InferInput("scene", [1], "BYTES")
    scene.set_data_from_numpy(np.array([path.read_bytes()], object))
    with triton.InferenceServerClient(f"{client.base_url.host}:{client.base_url.port}", network_timeout=60) as other:
        told = other.infer(DEFAULT_MODEL, [scene], parameters={"name": path.name})
    return json.loads(told.as_numpy("document")[0])


WAYS: list[Callable[[httpx.Client, Path], Document]] = [
    _by_post, _by_multipart, _by_job, _by_path, _by_parts, _by_infer,
]  # fmt: skip


def _told(*words: str) -> str:
    """What a command prints that counts all scenes."""
    scenes = [str(samples_dir() / name) for name in SCENES]
    command = [sys.executable, "-m", "edge.cli", words[0], *scenes, "--provider", "cpu", "--precision", "fp32"]
    root = Path(__file__).resolve().parent.parent
    return subprocess.run([*command, *words[1:]], capture_output=True, text=True, check=True, cwd=root).stdout


def _by_scene(lines: str) -> dict[str, Document]:
    return {document["scene"]: document for document in map(json.loads, lines.splitlines())}


@pytest.fixture(scope="module")
def counted() -> dict[str, Document]:
    """What the command line says, by scene."""
    return _by_scene(_told("count", "--json"))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_golden_scene_has_the_same_document_by_every_way_in(
    client: httpx.Client, counted: dict[str, Document], way: Callable[[httpx.Client, Path], Document], name: str
) -> None:
    document = way(client, samples_dir() / name)
    assert differences(SCENES[name], answer(document)) == []
    assert document["seconds"].keys() == counted[name]["seconds"].keys()
    assert {**document, "seconds": None} == {**counted[name], "seconds": None}


def test_golden_scenes_have_the_same_documents_in_bulk(counted: dict[str, Document], tmp_path: Path) -> None:
    _told("bulk", "--out", str(tmp_path), "--format", "jsonl")
    found = _by_scene((tmp_path / "documents.jsonl").read_text())
    assert found == {name: {k: v for k, v in told.items() if k != "seconds"} for name, told in counted.items()}
