"""Our server at four times what it can do, and small requests beside a large job.

    python -m benchmarks.overload --minutes 10

Parts: `engine`, what the engine does without HTTP, before and after the rest; `idle`, the small request alone;
`capacity`, clients that wait; `overload`, even arrivals at a multiple of that; `job`, the small request at a low rate
while a large scene is counted as a job. Everything runs on this machine, the generator too: what it costs is told, and
counts against the server.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.children import SideError
from benchmarks.common import REPEATS, ROOT, add_work, cores, finish, headline, machine, say, table
from benchmarks.job_load import JobLoad, rate
from benchmarks.overload_figures import fastest, goals, headlines, kept_share, rows_of
from benchmarks.phases import Phase, load, run_phase
from benchmarks.server_child import Server, call, ours
from benchmarks.serving_files import LARGE_PX, SMALL_PX, Asked, large_file, mix, sample_scene
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.common import Document

PARTS = ("engine", "idle", "capacity", "overload", "job")
HEALTH = "/v2/health/live"
HEALTH_RATE = 5.0
TENTHS = 10
"""Memory is compared between the third and the last tenth: of ten minutes, the third and the last."""


@dataclass(slots=True)
class Bench:
    """One run of this benchmark."""

    args: argparse.Namespace
    asks: list[Asked]
    document: Document = field(default_factory=dict)

    @property
    def small(self) -> Asked:
        """The small request alone."""
        return self.asks[0]

    def start(self, options: Sequence[str] = ()) -> Server:
        """A fresh server with an empty state."""
        begin = ours(
            self.args.work / "serve-state", [*self.engine_options, *shlex.split(self.args.serve_options), *options]
        )
        return Server(begin, self.args.work / "logs" / "serve.log")

    @property
    def engine_options(self) -> list[str]:
        """Model and way to run it, for the server and for the engine alone."""
        args = self.args
        told = ["--model", args.model, "--provider", args.provider, "--precision", args.precision]
        return [*told, "--threads", str(args.threads)]

    def engine(self) -> Document:
        """Engine alone, in a process of its own.

        Raises:
            SideError: it failed.
        """
        args = self.args
        command = [sys.executable, "-m", "benchmarks.engine_alone", *self.engine_options]
        command += ["--side-by-side", *map(str, args.side_by_side), "--seconds", str(args.engine_seconds)]
        command += [option for ask in self.asks for option in ask.options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            message = f"the engine alone failed: {done.stderr.strip().splitlines()[-1]}"
            raise SideError(message)
        print("\n".join(done.stdout.strip().splitlines()[:-1]), flush=True)
        return dict(json.loads(done.stdout.strip().splitlines()[-1])["best"])


def idle(bench: Bench, server: Server) -> None:
    """The small request, one at a time."""
    phase = Phase(asks=[bench.small], clients=1, seconds=bench.args.idle_seconds, warmup_s=bench.args.warmup)
    bench.document["idle"] = load(server, phase, bench.args.repeats)


def capacity(bench: Bench, server: Server) -> None:
    """What clients that wait can get out of it."""
    args = bench.args
    phase = Phase(asks=bench.asks, clients=args.clients, seconds=args.capacity_seconds, warmup_s=args.warmup)
    bench.document["capacity"] = load(server, phase, args.repeats)


def overload(bench: Bench, server: Server) -> None:
    """Even arrivals at a multiple of the capacity."""
    args = bench.args
    offered = args.times * bench.document["capacity"]["accepted_per_s"]
    seconds = 60 * args.minutes
    say(f"overload: {offered:.1f} requests a second for {seconds:.0f} s")
    begun = time.monotonic()
    # What came while the queue was still empty is no overload; memory is looked at over the whole time all the same.
    told, _ = run_phase(
        server, Phase(asks=bench.asks, rate=offered, seconds=seconds, warmup_s=min(10.0, seconds / 10), patience_s=120)
    )
    tenth = seconds / TENTHS
    third = server.watch.mean_rss(begun + 2 * tenth, begun + 3 * tenth)
    last = server.watch.mean_rss(begun + 9 * tenth, begun + 10 * tenth)
    told["rss_third_mb"] = third and round(third, 1)
    told["rss_last_mb"] = last and round(last, 1)
    told["rss_growth"] = round(last / third - 1, 4) if third and last else None
    told["offered_per_s"] = round(offered, 2)
    told["answers_after"] = None
    with suppress(OSError):
        told["answers_after"] = call(server.port, "POST", bench.small.target, bench.small.body)[0]
    bench.document["overload"] = told


PLAIN = {"idle": idle, "capacity": capacity, "overload": overload}
"""Parts that one server goes through."""


def beside_job(bench: Bench) -> None:
    """The small request at a low rate, and health, while a large scene is counted as a job.

    Raises:
        SideError: the server takes no job, or fails at it.
    """
    args = bench.args
    scene = large_file(args.work, args.job_side)
    seconds = args.samples / args.small_rate
    phase = Phase(asks=[bench.small], rate=args.small_rate, seconds=seconds)
    health = Phase(asks=[Asked(HEALTH, None)], rate=HEALTH_RATE, seconds=seconds)
    with bench.start(["--allow-path", str(scene.parent)]) as server:
        warm = Phase(asks=[bench.small], clients=1, seconds=args.idle_seconds, warmup_s=args.warmup)
        quiet = load(server, warm, args.repeats)
        with JobLoad(server.port, scene) as job:
            job.wait()
            alone_s = job.seconds[0]
            alone = rate(job.rows, 0.0, time.monotonic())
            begun = time.monotonic()
            told, (live,) = run_phase(server, phase, [health])
            besides = rate(job.rows, begun, begun + seconds)
            if job.error:
                raise SideError(job.error)
    bench.document["job"] = {
        "side_px": args.job_side,
        "alone_s": alone_s,
        "alone_tiles_per_s": alone and round(alone, 3),
        "beside_tiles_per_s": besides and round(besides, 3),
        "job_slower": round(alone / besides, 3) if alone and besides else None,
        "idle_ms": quiet["latency_ms"],
        "small_ms": told["latency_ms"],
        "small_status": told["status"],
        "failures": told["failures"],
        "health_ms": live["latency_ms"],
        "health_status": live["status"],
        "foreign": told["foreign"],
        "disturbed": told["disturbed"],
        "server": told["server"],
        "timeline": told["timeline"],
    }


def run(bench: Bench, parts: Sequence[str]) -> Document:
    """All parts that are wanted, in order; one that fails is left out, with the reason."""
    document, left_out = bench.document, {}
    engines = [bench.engine()] if "engine" in parts else []
    plain = {name: part for name, part in PLAIN.items() if name in parts}
    if plain:
        with bench.start() as server:
            document["load_s"] = server.load_s
            for name, part in plain.items():
                say(f"part {name}")
                part(bench, server)
    if "job" in parts:
        say("part job")
        try:
            beside_job(bench)
        except SideError as error:
            left_out["job"] = str(error)
    if "engine" in parts:
        engines.append(bench.engine())
        document["engine"] = {"before": engines[0], "after": engines[1]}
        flood = document.get("overload")
        if flood:
            window = flood["seconds"] - flood["warmup_s"]
            document["accepted_over_engine"] = kept_share(flood["accepted"], window, fastest(*engines))
    return {**headlines(document), **document, "goals": goals(document), "left_out": left_out}


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=headline(__doc__))
    add_work(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--provider", default="cpu", help="execution provider (%(default)s)")
    parser.add_argument("--precision", default="fp32", help="precision of the network (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="workers (one a core)")
    parser.add_argument("--serve-options", default="", metavar="TEXT", help="more for the server, as for a shell")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which parts (all)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of overload (%(default)s)")
    parser.add_argument("--times", type=float, default=4.0, help="the capacity that is offered (%(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="that wait, to find the capacity (%(default)s)")
    parser.add_argument("--capacity-seconds", type=float, default=30.0, help="for the capacity (%(default)s)")
    parser.add_argument("--idle-seconds", type=float, default=30.0, help="of the small request alone (%(default)s)")
    parser.add_argument("--engine-seconds", type=float, default=20.0, help="a row of the engine alone (%(default)s)")
    parser.add_argument("--side-by-side", type=int, nargs="+", default=[2, 4], help="its scenes at a time (2 4)")
    parser.add_argument("--warmup", type=float, default=2.0, help="seconds that do not count (%(default)s)")
    parser.add_argument("--small-px", type=int, default=SMALL_PX, help="side of the small request (%(default)s)")
    parser.add_argument("--scene", type=Path, default=sample_scene(), help="larger one of the mix (the sample scene)")
    parser.add_argument("--job-side", type=int, default=LARGE_PX, help="side of the job's scene, px (%(default)s)")
    parser.add_argument("--samples", type=int, default=200, help="small requests beside the job (%(default)s)")
    parser.add_argument("--small-rate", type=float, default=0.5, help="of them a second (%(default)s)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of short parts that others disturb (%(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts, print a table and a JSON line."""
    parser = options()
    args = parser.parse_args(argv)
    if "overload" in args.parts and "capacity" not in args.parts:
        parser.error("part overload needs part capacity")
    args.work = Path(args.work).absolute()
    asks = mix(args.work, args.scene.absolute(), args.small_px)
    bench = Bench(args, asks, {"machine": machine(), "mix": [f"{a.weight} x {a.target} {a.name}" for a in asks]})
    document = run(bench, args.parts)
    print(table(rows_of(document)))
    print(table([{"goal": name, "met": met} for name, met in document["goals"].items()]))
    settings = {name: value for name, value in vars(args).items() if isinstance(value, int | float | str | list)}
    return finish("overload", {"settings": settings, "cores": cores(), **document})


if __name__ == "__main__":
    raise SystemExit(main())
