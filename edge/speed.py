"""Which provider and precision to use on this device: the fastest of those that count as well as fp32 does.

How fast each is was measured once on this device, by `tanker-edge doctor`, and is kept in a file: one for each host,
model, version of this program and set of installed runtimes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edge import __version__
from edge.assets import samples_dir
from edge.detector import FULL, finder_file
from edge.errors import InputError, ModelError, TankerEdgeError
from edge.geometry import Window
from edge.preflight import installed_version
from edge.scene import Scale, open_scene
from edge.session import PRECISIONS, available_providers, check_provider, cores, open_session
from edge.write.atomic import make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.model_card import ModelCard

AUTO = "auto"
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino")
ROUNDS, TILES_A_THREAD = 3, 2


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one way of running a model is."""

    provider: str
    precision: str
    tiles_per_s: float
    """Tiles of the model's own size, by as many workers as there are cores; the median of a few rounds."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured on a device, the fastest first."""

    measured: str
    """When, ISO 8601, UTC."""
    rows: tuple[Speed, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """How to run a model, and why so."""

    provider: str
    precision: str
    why: str
    of: int = 1
    """Among how many ways it was chosen."""


def ways(card: ModelCard, provider: str = AUTO, precision: str = AUTO) -> list[tuple[str, str]]:
    """Provider and precision of all ways, among those asked for, in which a model may run here; the plainest first."""
    return [w for w in _all_ways(card) if provider in (AUTO, w[0]) and precision in (AUTO, w[1])]


def _all_ways(card: ModelCard) -> list[tuple[str, str]]:
    found = []
    for provider in available_providers():
        for precision in PRECISIONS[provider]:
            told = card.precisions.get(precision)
            if precision == FULL or (told and told.accepted and provider in told.providers):
                found.append((provider, precision))
    return found


def choose(card: ModelCard, provider: str, precision: str, speeds: Speeds | None) -> Choice:
    """The way to run a model: what was asked for, and where that leaves a choice, the fastest that was measured.

    Without a measurement, fp32 on the CPU, or on a GPU where the installed runtime has one.

    Raises:
        ProviderError: the provider is not there, or does not compute like that.
        ModelError: the precision did not pass its gate.
    """
    if provider != AUTO:
        check_provider(provider)
    if AUTO not in (provider, precision):
        finder_file(card, provider, precision)
        return Choice(provider, precision, "asked for")
    open_ways = ways(card, provider, precision)
    if not open_ways:
        raise _no_way(card, precision)
    speeds = speeds or Speeds("", ())
    for row in speeds.rows:
        if (row.provider, row.precision) in open_ways:
            return Choice(row.provider, row.precision, _praise(row, speeds, len(open_ways)), len(open_ways))
    if len(open_ways) == 1:
        return Choice(*open_ways[0], "the only way that is installed here and through the model's gate")
    chosen = next((w for w in open_ways if w[0] == "cuda"), open_ways[0])
    why = f"one of {len(open_ways)} ways; `tanker-edge doctor` measures which is the fastest here"
    return Choice(*chosen, why, len(open_ways))


def _no_way(card: ModelCard, precision: str) -> ModelError:
    """Why no provider here may run a precision: what the gate says, by the first that computes in it."""
    runs = next((p for p in available_providers() if precision in PRECISIONS[p]), "cpu")
    try:
        finder_file(card, runs, precision)
    except ModelError as error:
        return error
    mend = "use --precision auto, or install the runtime for it; see `tanker-edge doctor`"
    return ModelError(card.name, f"nothing here runs {precision}", mend)


def _praise(row: Speed, speeds: Speeds, of: int) -> str:
    return f"the fastest of {of} ways measured here on {speeds.measured[:10]}: {row.tiles_per_s:.1f} tiles/s"


def speeds_file(folder: Path, card: ModelCard) -> Path:
    """Where a device's speeds of a model are kept in a folder."""
    installed = [(name, installed_version(name)) for name in RUNTIMES]
    host = [platform.node(), platform.machine(), cores()]
    about = [host, __version__, installed, card.name, card.raw.get("files"), ways(card)]
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"speed-{key}.json"


def read_speeds(path: Path) -> Speeds | None:
    """What was measured; None where nothing was, or the file is damaged (it is measured anew then)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [Speed(str(r["provider"]), str(r["precision"]), float(r["tiles_per_s"])) for r in content["rows"]]
        return Speeds(str(content["measured"]), tuple(rows))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_speeds(path: Path, speeds: Speeds) -> None:
    """Keep what was measured.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(path.parent)
    write_text(path, json.dumps(asdict(speeds)) + "\n")


def measure(card: ModelCard, on_failure: Callable[[str], None] | None = None) -> Speeds:
    """Run tiles of the sample scene every way that this model may run here; a way that fails is told and left out."""
    tiles = _sample_tiles(card.tile_px)
    rows = []
    for provider, precision in ways(card):
        try:
            rate = _tiles_per_s(card, provider, precision, tiles)
        except TankerEdgeError as error:
            if on_failure:
                on_failure(str(error))
            continue
        rows.append(Speed(provider, precision, round(rate, 2)))
    rows.sort(key=lambda r: -r.tiles_per_s)
    return Speeds(datetime.now(timezone.utc).isoformat(timespec="seconds"), tuple(rows))


def _sample_tiles(side: int) -> list[NDArray[np.uint8]]:
    """Tiles (1, side, side, 3) of the sample scene. Noise would not do: networks run slower on it than on pictures.

    Raises:
        InputError: the sample is not there.
    """
    path = samples_dir() / "synthetic-terminal.tif"
    if not path.is_file():
        raise InputError(path, "is not there", "reinstall tanker-edge")
    with open_scene(path) as scene:
        places = [(0, 0), (scene.width // 3, 0), (0, scene.height // 3), (scene.width // 3, scene.height // 3)]
        return [scene.read(Window(x, y, side, side), Scale())[0][None] for x, y in places]


def _tiles_per_s(card: ModelCard, provider: str, precision: str, tiles: list[NDArray[np.uint8]]) -> float:
    """Median rate of a few rounds, after one that warms up."""
    session = open_session(finder_file(card, provider, precision), provider, precision)
    threads = cores()
    work = [tiles[i % len(tiles)] for i in range(threads * TILES_A_THREAD)]
    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            list(pool.map(session.run, work))
            rates.append(len(work) / (time.perf_counter() - start))
    return statistics.median(rates[1:])
