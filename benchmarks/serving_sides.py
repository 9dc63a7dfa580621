"""The servers that are compared: how each is started, and what it is asked."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.children import SideError
from benchmarks.common import THRESHOLD, cores
from benchmarks.http_raw import form
from benchmarks.peers import ready_python
from benchmarks.server_child import Server, Start, call, free_port, ours
from benchmarks.serving_files import Asked
from benchmarks.sides import peer_network
from edge.catalogue import find_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

OURS, LOOK, FAST, LITSERVE, ULTRALYTICS = "ours", "ours, second look", "ours, int8", "litserve", "ultralytics"
SIDES = (OURS, LOOK, FAST, LITSERVE, ULTRALYTICS)
PEERS = (LITSERVE, ULTRALYTICS)


@dataclass(frozen=True, slots=True)
class Way:
    """How a side is started and asked."""

    start: Callable[[], Start]
    ask: Asked
    field: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What all sides need."""

    work: Path
    """Folder of scenes and logs."""
    model: str
    tile: Path
    tile_px: int
    venv: Path | None = None
    """Where the peers are."""


def without_look(folder: Path, out: Path) -> Path:
    """A copy of a model folder that has no second look."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    card["kind"] = None
    card["files"].pop("kind.onnx", None)
    for name in card["files"]:
        shutil.copyfile(folder / name, out / name)
    (out / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return out


def _ours(setting: Setting, model: str, query: str, provider: str = "cpu", precision: str = "fp32") -> Way:
    """Our server, with a state folder of its own."""
    options = ["--model", model, "--provider", provider, "--precision", precision]

    def start() -> Start:
        return ours(setting.work / "serve-state", options)

    return Way(start, Asked(f"/v1/count?{query}", setting.tile), "scene")


def litserve_settings() -> dict[str, list[str]]:
    """What a user of this machine would try: a process a core, or all cores for one; batches or none."""
    tried = ((cores(), 1, 4), (cores(), 1, 1), (1, cores(), 4), (1, cores(), 1))
    return {
        f"{workers} workers, {threads} threads, batches of {batch}": [
            "--workers", str(workers), "--threads", str(threads), "--batch", str(batch),
        ]
        for workers, threads, batch in dict.fromkeys(tried)
    }  # fmt: skip


def _peer(setting: Setting, name: str, module: str, options: Sequence[str] = ()) -> Way:
    """A peer, in its own environment.

    Raises:
        SideError: the environment is not there.
    """
    python = ready_python(setting.venv)
    network = peer_network(setting.work, setting.model, python, setting.tile_px)
    # What a peer would ask the network for, or write into the home folder, is no part of the measurement.
    quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(setting.work)}

    def start() -> Start:
        port = free_port()
        command = [str(python), "-m", f"benchmarks.{module}", "--network", str(network), "--port", str(port), *options]
        return Start(name, command, port, env=quiet)

    return Way(start, Asked("/predict", setting.tile), "file")


def litserve_way(setting: Setting, options: Sequence[str]) -> Way:
    """LitServe with settings of its own.

    Raises:
        SideError: the peers' environment is not there.
    """
    return _peer(setting, LITSERVE, "peer_litserve", options)


def ways(setting: Setting, litserve: Sequence[str]) -> dict[str, Callable[[], Way]]:
    """All sides."""

    def plain(provider: str, precision: str) -> Way:
        model = without_look(find_model(setting.model), setting.work / "model-without-look")
        return _ours(setting, str(model), f"gsd=1&conf={THRESHOLD}", provider, precision)

    return {
        OURS: lambda: plain("cpu", "fp32"),
        LOOK: lambda: _ours(setting, setting.model, "gsd=1"),
        FAST: lambda: plain("cpu", "int8"),
        LITSERVE: lambda: litserve_way(setting, litserve),
        ULTRALYTICS: lambda: _peer(setting, ULTRALYTICS, "peer_ultralytics_server", ["--side", str(setting.tile_px)]),
    }


def open_server(setting: Setting, way: Way, name: str) -> Server:
    """Start a side.

    Raises:
        SideError: it does not start.
    """
    return Server(way.start(), setting.work / "logs" / f"serving-{name.replace(' ', '-').replace(',', '')}.log")


def boxes(server: Server, way: Way) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What a side finds in the tile: corners (n, 4, 2) px.

    Raises:
        SideError: it does not answer.
    """
    assert way.ask.path is not None  # noqa: S101 - all sides are sent the tile
    status, told = call(server.port, "POST", way.ask.target, form(way.field, way.ask.path))
    if status != 200:  # noqa: PLR2004 - OK
        message = f"{server.name} answers {status}: {json.dumps(told)[:200]}"
        raise SideError(message)
    found = [d["corners"] for d in told["detections"]] if "detections" in told else told["corners"]
    return np.asarray(found, np.float64).reshape(-1, 4, 2)
