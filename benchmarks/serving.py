"""Our server beside LitServe and ultralytics behind FastAPI: the same tile, the same weights, in turn.

    python -m benchmarks.serving --rounds 3

A JPEG tile goes in as the file of a form, boxes come out. Each side starts afresh in each round: clients that wait (1,
4, 16), then even arrivals at shares of its own capacity. `ours` leaves out the second look, which the peers do not
have; `ours, second look` is all of it; both compute in fp32, as the peers do. `ours, int8` is `ours` in int8, if the
model has that. LitServe runs with the best of several settings.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.children import SideError
from benchmarks.common import (
    LIBRARIES,
    THRESHOLD,
    TILE_PX,
    add_rounds,
    add_work,
    finish,
    headline,
    machine,
    say,
    table,
    versions,
)
from benchmarks.peers import add_venv, installed, pins, requirements, venv_path
from benchmarks.phases import Phase, load
from benchmarks.serving_figures import about_sides, agreements, capacities, ratios, row_of, summaries
from benchmarks.serving_files import small_file
from benchmarks.serving_sides import (
    FAST,
    LITSERVE,
    LOOK,
    OURS,
    SIDES,
    Setting,
    Way,
    boxes,
    litserve_settings,
    litserve_way,
    open_server,
    ways,
)
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.common import Document

CLIENTS = (1, 4, 16)
LOADS = (0.7, 1.5)
SERVER_LIBRARIES = (*LIBRARIES, "fastapi", "uvicorn", "httptools", "uvloop")


def best_litserve(setting: Setting, args: argparse.Namespace) -> tuple[list[str], list[Document]]:
    """The settings by which LitServe does most requests a second, and what each did."""
    tried: list[Document] = []
    settings = litserve_settings()
    for name, options in settings.items():
        say(f"litserve with {name}")
        way = litserve_way(setting, options)
        phase = Phase(
            asks=[way.ask], clients=max(args.clients), seconds=args.seconds, warmup_s=args.warmup, field=way.field
        )
        with open_server(setting, way, LITSERVE) as server:
            told = load(server, phase, args.repeats)
        tried.append({"settings": name, "per_s": told["accepted_per_s"], "foreign": told["foreign"]})
    best = max(tried, key=lambda row: row["per_s"])
    return settings[best["settings"]], tried


def one_round(setting: Setting, args: argparse.Namespace, name: str, way: Way) -> tuple[list[Document], Document]:
    """All phases of a side, on a fresh server; and its boxes and memory.

    Raises:
        SideError: it does not start, or does not answer.
    """
    with open_server(setting, way, name) as server:
        found = boxes(server, way)
        rows = []

        def phase(what: str, **kind: Any) -> Document:  # noqa: ANN401 - fields of Phase
            asked = Phase(asks=[way.ask], seconds=args.seconds, warmup_s=args.warmup, field=way.field, **kind)
            rows.append(row_of(name, what, load(server, asked, args.repeats)))
            say(f"{name}, {what}: {rows[-1]['per_s']} a second, p99 {rows[-1]['p99_ms']} ms")
            return rows[-1]

        capacity = max(phase(f"{n} client{'s' if n > 1 else ''}", clients=n)["per_s"] for n in args.clients)
        if not capacity:
            message = f"{name} accepts nothing: {rows[-1]['status']} {rows[-1]['failures']}"
            raise SideError(message)
        for share in args.loads:
            phase(f"{share:g} of capacity", rate=share * capacity)
        about = {"boxes": found, "load_s": server.load_s, "capacity_per_s": capacity, "pss_mb": round(server.pss_mb())}
    return rows, about


@dataclass(slots=True)
class Outcome:
    """All rounds."""

    rows: list[Document] = field(default_factory=list)
    about: dict[str, list[Document]] = field(default_factory=dict)
    """Of each side, round by round: its boxes, how long it took to start, its capacity, its memory."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Sides that could not run, with the reason."""


def race(setting: Setting, args: argparse.Namespace, out: Outcome, litserve: Sequence[str]) -> None:
    """All sides in turn, round after round; one that fails is left out from there on."""
    known = ways(setting, litserve)
    for number in range(args.rounds):
        for name in args.sides:
            if name in out.left_out:
                continue
            say(f"round {number + 1}  {name}")
            try:
                rows, told = one_round(setting, args, name, known[name]())
            except SideError as error:
                out.left_out[name] = str(error)
                say(f"{name} is left out: {error}")
                continue
            out.rows += rows
            out.about.setdefault(name, []).append(told)


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=headline(__doc__))
    add_rounds(parser, 3)
    add_work(parser)
    add_venv(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), help="which sides (all)")
    parser.add_argument("--tile", type=int, default=TILE_PX, help="px of the tile (%(default)s)")
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS), help="clients that wait (1 4 16)")
    parser.add_argument("--loads", type=float, nargs="*", default=list(LOADS), help="shares of capacity (0.7 1.5)")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each phase (%(default)s)")
    parser.add_argument("--warmup", type=float, default=2.0, help="of them, seconds that do not count (%(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables and a JSON line."""
    args = options().parse_args(argv)
    work = args.work.absolute()
    setting = Setting(work, args.model, small_file(work, args.tile), args.tile, args.venv)
    document: Document = {"machine": machine(), "tile_px": args.tile, "threshold": THRESHOLD, "rounds": args.rounds}
    out = Outcome()
    litserve: list[str] = []
    if LITSERVE in args.sides:
        try:
            litserve, document["litserve_settings"] = best_litserve(setting, args)
        except SideError as error:
            out.left_out[LITSERVE] = str(error)
    race(setting, args, out, litserve)
    rows = summaries(out.rows)
    print(table(rows))
    for name in (OURS, LOOK, FAST):
        by_peer = ratios(rows, name)
        document[f"ratios_{name.replace(', ', '_').replace(' ', '_')}"] = by_peer
        told = [{"side": name, "peer": p, "what": w, **row} for p, by in by_peer.items() for w, row in by.items()]
        print(table(told), end="\n" if told else "")
    sides = about_sides(out.about)
    document |= {**capacities(sides), "rows": rows, "sides": sides, "agreement": agreements(out.about)}
    document |= {"all_rows": out.rows, "versions": versions_of(args.venv), "left_out": out.left_out}
    return finish("serving", document)


def versions_of(venv: Path | None) -> Document:
    """What ours and the peers run on."""
    return {"ours": versions(SERVER_LIBRARIES), "peers": installed(venv_path(venv), pins(requirements()))}


if __name__ == "__main__":
    raise SystemExit(main())
