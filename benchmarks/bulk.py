"""`tanker-edge bulk` over an archive beside the engine alone on the same px, and beside `sahi predict`.

    python -m benchmarks.bulk --data ../shared/data

The engine alone has every n-th picture before the bulk run and as many others after it, so that a machine that slows
down meanwhile favours nobody. `sahi predict` has every n-th picture, and so has a bulk run after it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from benchmarks.archive import add_archive, archive
from benchmarks.children import SideError
from benchmarks.clock import foreign_share, machine_busy_s
from benchmarks.common import ROOT, cores, finish, headline, machine, say, table
from benchmarks.parts import last_line
from benchmarks.peer_model import write_peer
from benchmarks.peers import add_venv, ready_python
from benchmarks.watch import Watch
from edge.catalogue import DEFAULT_MODEL, find_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.common import Document

PARTS = ("engine", "sahi")
TENTHS = 10
WHOLE = 2
"""The engine alone gets every second picture twice: all of them."""
SAHI_EVERY = 50
"""sahi gets one picture of so many."""


@dataclass(slots=True)
class Bench:
    """One run of this benchmark."""

    args: argparse.Namespace
    folder: Path
    logs: Path

    @property
    def way(self) -> list[str]:
        """Model and way to run it."""
        args = self.args
        told = ["--model", str(find_model(args.model)), "--provider", args.provider, "--precision", args.precision]
        return [*told, "--threads", str(args.threads)]

    def engine(self, part: str) -> Document:
        """The engine alone on a part of the pictures."""
        say(f"the engine alone, part {part}")
        return child([sys.executable, "-m", "benchmarks.bulk_engine", str(self.folder), "--part", part, *self.way])

    def bulk(self, folder: Path) -> Document:
        """The whole command: start, listing, scoring, outputs."""
        say(f"tanker-edge bulk {folder.name}")
        out = self.args.work / "bulk-out"
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, "-m", "edge.cli", "bulk", str(folder), "--out", str(out), "--log-json", "--json"]
        log = self.logs / "bulk.jsonl"
        begun, busy = time.monotonic(), machine_busy_s()
        with log.open("wb") as lines:
            process = subprocess.Popen([*command, *self.way], cwd=ROOT, stdout=subprocess.PIPE, stderr=lines)  # noqa: S603
            watch = Watch(process.pid)
            told, _ = process.communicate()
            watch.close()
        if process.returncode:
            raise SideError(log.read_text(encoding="utf-8")[-2000:])
        wall = time.monotonic() - begun
        cpu = watch.rows[-1].cpu_s
        foreign = foreign_share(
            None if busy is None else (machine_busy_s() or 0) - busy, cpu, wall, os.cpu_count() or 1
        )
        return {**figures(log, json.loads(told)), **memory(watch), "wall_s": round(wall, 2), "foreign": foreign}

    def sahi(self, python: Path, folder: Path) -> Document:
        """`sahi predict` on a folder."""
        say(f"sahi predict {folder.name}")
        network = self.args.work / "peer-640.onnx"
        if not network.exists():
            write_peer(find_model(self.args.model), network)
        project = self.args.work / "sahi-out"
        shutil.rmtree(project, ignore_errors=True)
        where = ["--network", str(network), "--project", str(project)]
        return child([str(python), "-m", "benchmarks.peer_sahi_predict", str(folder), *where])


def child(command: Sequence[str]) -> Document:
    """The JSON line that a command ends with.

    Raises:
        SideError: it failed.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        raise SideError(done.stderr[-2000:])
    return last_line(done.stdout)


def figures(log: Path, summary: Document) -> Document:
    """What the records of a run say: from the first claim to the last outcome, and px."""
    begun = end = 0.0
    px = scenes = vessels = failed = 0
    for text in log.read_text(encoding="utf-8").splitlines():
        told: dict[str, Any] = json.loads(text)
        at = datetime.fromisoformat(told["time"]).timestamp()
        if told["event"] == "begun":
            begun = at
        elif told["event"] in {"scored", "failed"}:
            end = at
            scenes, px = scenes + 1, px + told["px"]
            failed += told["event"] == "failed"
            vessels += told.get("counts", {}).get("vessel", 0)
    seconds = end - begun
    return {
        "scenes": scenes, "failed": failed, "vessels": vessels, "megapixels": round(px / 1e6, 3),
        "seconds": round(seconds, 3), "mp_per_s": round(px / 1e6 / seconds, 3), "summary": summary,
    }  # fmt: skip


def memory(watch: Watch) -> Document:
    """Memory over the run, MB: tenths of it, and how much the last has over the third."""
    first, last = watch.rows[0].at_s, watch.rows[-1].at_s
    step = (last - first) / TENTHS
    tenths = [watch.mean_rss(first + i * step, first + (i + 1) * step) for i in range(TENTHS)]
    grown = None if tenths[2] is None or tenths[-2] is None else tenths[-2] / tenths[2] - 1
    return {
        "rss_mb": [None if t is None else round(t) for t in tenths],
        "rss_grown": None if grown is None else round(grown, 4),
        "peak_rss_mb": round(max(row.rss_mb for row in watch.rows)),
    }


def linked(folder: Path, every: int) -> Path:
    """A folder of links to every n-th picture of an archive, without folders in it: sahi does not look into them."""
    part = folder.with_name(f"{folder.name}-every-{every}")
    shutil.rmtree(part, ignore_errors=True)
    for path in sorted(folder.rglob("*.jpg"))[::every]:
        part.mkdir(exist_ok=True)
        os.link(path, part / "-".join(path.relative_to(folder).parts))
    return part


def beside_engine(bench: Bench) -> Document:
    """A part of the engine, all of bulk, another part of the engine."""
    every = bench.args.engine_every
    first = bench.engine(f"0/{every}")
    bulk = bench.bulk(bench.folder)
    second = bench.engine(f"{every // 2}/{every}")
    halves = [first, second]
    alone = sum(half["megapixels"] for half in halves) / sum(half["seconds"] for half in halves)
    print(table([{"side": "engine alone", "mp_per_s": round(alone, 3)}, {"side": "bulk", **_short(bulk)}]))
    return {
        "engine": halves,
        "engine_mp_per_s": round(alone, 3),
        "bulk": bulk,
        "share_of_engine": round(bulk["mp_per_s"] / alone, 4),
        "share_of_engine_whole_command": round(bulk["megapixels"] / bulk["wall_s"] / alone, 4),
        "same_vessels": bulk["vessels"] == sum(half["vessels"] for half in halves) if every == WHOLE else None,
    }


def beside_sahi(bench: Bench, python: Path) -> Document:
    """The same pictures by both."""
    part = linked(bench.folder, bench.args.sahi_every)
    sahi, bulk = bench.sahi(python, part), bench.bulk(part)
    print(table([{"side": "sahi predict", **sahi}, {"side": "bulk", **_short(bulk)}]))
    return {"sahi": sahi, "bulk_part": bulk, "sahi_ratio": round(sahi["seconds"] / bulk["wall_s"], 3)}


def _short(bulk: Document) -> Document:
    return {key: value for key, value in bulk.items() if key not in {"summary", "rss_mb"}}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=headline(__doc__))
    add_archive(parser)
    add_venv(parser)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (all)")
    parser.add_argument(
        "--engine-every", type=int, default=WHOLE, help="the engine alone gets one picture of N, twice (%(default)s)"
    )
    parser.add_argument("--sahi-every", type=int, default=SAHI_EVERY, help="sahi gets one picture of N (%(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--provider", default="cpu", help="execution provider (%(default)s)")
    parser.add_argument("--precision", default="fp32", help="precision of the network (%(default)s)")
    parser.add_argument("--threads", type=int, default=cores(), help="workers (%(default)s)")
    args = parser.parse_args(argv)
    bench = Bench(args, archive(args.work, args.data, args.tiles, args.large, args.side), args.work / "logs")
    bench.logs.mkdir(parents=True, exist_ok=True)
    document: Document = {}
    if "engine" in args.parts:
        document |= beside_engine(bench)
    if "sahi" in args.parts:
        document |= beside_sahi(bench, ready_python(args.venv))
    return finish("bulk", {**document, "machine": machine()})


if __name__ == "__main__":
    raise SystemExit(main())
