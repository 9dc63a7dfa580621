"""`tanker-edge bulk`: an archive of scenes in, tables and a report out; what was killed goes on from where it was."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import logs
from edge.bulk.engine_local import LocalEngine
from edge.bulk.inputs import ListOptions, list_inputs
from edge.bulk.ledger import Ledger
from edge.bulk.ledger_file import NAME, WORKERS
from edge.bulk.locks import Exclusive
from edge.bulk.outputs import OUTPUTS, Outputs, check_outputs
from edge.bulk.progress import MEGAPIXEL, Bar, Quiet, Records
from edge.bulk.report import Facts
from edge.bulk.row_times import with_times
from edge.bulk.run import Scoring, counted
from edge.bulk.scorer import TRIES, Recipe
from edge.bulk.settings import Settings
from edge.bulk.status import as_json, as_text, status_of
from edge.bulk.stores import Stores
from edge.commands._model import add_count_arguments, choose_model, log_choice, say, scan_options, scene_options
from edge.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge.bulk.ledger_claim import Tally
    from edge.bulk.progress import Watcher
    from edge.bulk.run import Engine

STATUS = "status"
WRITING = ".writing"
"""Held while outputs are written: of two processes that end at the same time, one after the other."""
STORE_VARIABLES = ("AWS_", "GOOGLE_", "AZURE_")
"""How variables of the environment begin that say how stores are reached."""
TOLD = (
    "gsd", "aoi", "conf", "min_length", "max_length", "exhaustive", "tile", "overlap", "bands", "stretch", "max_pixels",
)  # fmt: skip
"""Options that the report repeats: those that change counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="folders, globs, images, zip and tar archives, manifests (CSV, Parquet), STAC (JSON), s3:// and https://"
        " URLs; or `status DIR`, to look at a run",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the ledger and of all outputs")
    parser.add_argument("--format", metavar="F,...", default=",".join(OUTPUTS), help="outputs to write (%(default)s)")
    parser.add_argument(
        "--terminal", metavar="NAME", help="terminal of all inputs that do not say (the name of their folder)"
    )
    parser.add_argument(
        "--time-pattern",
        metavar="P",
        help="where file names tell the time, as in %%Y%%m%%d_%%H%%M (usual forms are known)",
    )
    add_count_arguments(parser)
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where to score (%(default)s)")
    parser.add_argument(
        "--ray-address", metavar="A", help="a Ray cluster to join: auto, or host:port (one on this machine)"
    )
    parser.add_argument(
        "--ray-workers", type=int, metavar="N", help="processes, each with a model (all that the cluster has CPUs for)"
    )
    parser.add_argument(
        "--no-resume", action="store_true", help="forget what an earlier run with these settings has scored"
    )
    parser.add_argument(
        "--tries", type=int, default=TRIES, metavar="N", help="of an input whose failure may pass (%(default)s)"
    )
    parser.add_argument(
        "--max-failures", type=int, metavar="N", help="end the run when more inputs than that have failed"
    )
    parser.add_argument("--log-json", action="store_true", help="a JSON line a scene on stderr, instead of a bar")
    parser.add_argument("--json", action="store_true", help="print the summary, or the status, as JSON")


def main(args: argparse.Namespace) -> int:
    """Score an archive, or tell how far a run is."""
    if args.inputs[0] == STATUS and not Path(STATUS).exists():
        return _status(args)
    if args.out is None:
        raise UsageError("--out", "is missing: a run needs a folder for its ledger and its results", "add --out DIR")
    if args.tries < 1 or (args.max_failures is not None and args.max_failures < 0):
        raise UsageError("--tries/--max-failures", "must be positive", "leave them out, or give a number")
    if args.engine != "ray" and (args.ray_address or args.ray_workers is not None):
        raise UsageError("--ray-address/--ray-workers", "have no effect", "add --engine ray")
    if args.aoi and not args.aoi.is_file():
        raise UsageError("--aoi", f"{args.aoi} is no file", "give a GeoJSON file with a polygon")
    formats = check_outputs(args.format.split(","))
    try:
        with ExitStack() as stack:
            stack.enter_context(_ended_by_sigterm())
            return _run(args, formats, stack)
    except KeyboardInterrupt:
        print("tanker-edge: what is done is kept: the same command goes on from there", file=sys.stderr)
        raise


def _run(args: argparse.Namespace, formats: list[str], stack: ExitStack) -> int:
    """List, score, write, tell."""
    logs.set_up("info" if args.log_json else "warning")
    recipe = _recipe(args)
    run = recipe.run_key()
    ledger = stack.enter_context(Ledger(args.out / NAME, run))
    entries = list_inputs(args.inputs, ListOptions(args.terminal, args.time_pattern), Stores(recipe.stores))
    engine = _engine(args, recipe, ledger, stack)
    if args.no_resume:  # once it is known that the inputs are there and the model runs
        ledger.restart()
    watcher = _watcher(args)
    stack.callback(watcher.close)
    added = ledger.add(counted(entries, watcher))
    ledger.forget_failures()  # of inputs that are not listed any more
    watcher.begun(ledger.tally(), added)
    scoring = Scoring(ledger, engine, watcher, args.max_failures)
    scoring.run()
    files = stack.enter_context(closing(recipe.files()))
    outputs = Outputs(args.out, run, recipe.settings, files, _facts(args))
    with Exclusive(args.out / WORKERS / WRITING), ledger.snapshot() as rows:
        written = outputs.write(with_times(rows, args.time_pattern), formats, watcher.writing)
    tally = ledger.tally()
    watcher.close()
    _tell(args, tally, scoring, written)
    return 4 if tally.failed or tally.partial or tally.left else 0


def _recipe(args: argparse.Namespace) -> Recipe:
    """What scores, from the command line's words and the environment."""
    settings = Settings(scan_options(args), scene_options(args), args.aoi.absolute() if args.aoi else None)
    card, choice = choose_model(args, log_choice if args.log_json else say)
    return Recipe(
        model=card.folder.absolute(),
        settings=settings,
        provider=choice.provider,
        precision=choice.precision,
        threads=args.threads,
        tries=args.tries,
        stores={name: value for name, value in os.environ.items() if name.startswith(STORE_VARIABLES)},
    )


def _engine(args: argparse.Namespace, recipe: Recipe, ledger: Ledger, stack: ExitStack) -> Engine:
    """Where scenes are scored."""
    if args.engine == "ray":
        from edge.bulk.engine_ray import RayEngine  # noqa: PLC0415 - needs an extra
        from edge.bulk.ray_cluster import QUIET_ENVIRONMENT  # noqa: PLC0415 - as above

        os.environ.update(QUIET_ENVIRONMENT)  # before Ray is loaded, which prints to stdout
        return stack.enter_context(closing(RayEngine(recipe, args.ray_workers, args.ray_address)))
    return LocalEngine(stack.enter_context(closing(recipe.scorer())), ledger.known)


def _watcher(args: argparse.Namespace) -> Watcher:
    """Who tells what happens: lines for programs, a bar for people, else failures only."""
    if args.log_json:
        return Records()
    if sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415 - slow to import

        return Bar(Console(stderr=True))
    return Quiet()


def _facts(args: argparse.Namespace) -> Facts:
    """What the report tells of the run."""
    told = {f"--{name.replace('_', '-')}": args.__dict__[name] for name in TOLD}
    return Facts(args.out.absolute().name, {option: str(value) for option, value in told.items() if value})


def _tell(args: argparse.Namespace, tally: Tally, scoring: Scoring, written: list[Path]) -> None:
    """The summary, on stdout."""
    done = scoring.tallied
    if args.json:
        document = {
            "out": str(args.out),
            "scenes": {"done": tally.done, "partial": tally.partial, "failed": tally.failed, "left": tally.left},
            "this_run": {"scenes": done.ended, "px": done.px, "seconds": round(done.seconds, 3)},
            "stopped_by_max_failures": scoring.stopped,
            "written": [str(path) for path in written],
        }
        print(json.dumps(document))
        return
    parts = [f"{tally.done:,} of {tally.total:,} scenes are scored"]
    parts += [f"{number:,} {what}" for number, what in _troubles(tally) if number]
    print("; ".join(parts))
    if done.ended:
        rate = done.px / MEGAPIXEL / max(done.seconds, 1e-9)
        print(f"this run: {done.ended:,} scenes in {done.seconds:.1f} s, {rate:.2f} MP/s")
    if scoring.stopped:
        print(f"ended early: more than {args.max_failures} failed (--max-failures)")
    print(f"written: {', '.join(path.relative_to(args.out).as_posix() for path in written)} in {args.out}")


def _troubles(tally: Tally) -> list[tuple[int, str]]:
    return [(tally.partial, "in part only"), (tally.failed, "failed"), (tally.left, "left to do")]


def _status(args: argparse.Namespace) -> int:
    """How far the runs in a folder are."""
    if len(args.inputs) != 2:  # noqa: PLR2004 - the word, and a folder
        mend = "give that of --out, as in tanker-edge bulk status results"
        raise UsageError("bulk", f"{STATUS} needs one folder", mend)
    told = status_of(Path(args.inputs[1]))
    print(json.dumps(as_json(told)) if args.json else as_text(told))
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: what is claimed is given back."""

    def end(*_: Any) -> None:  # noqa: ANN401 - a frame, of which nothing is asked
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
