"""All benchmarks in turn; the last line holds every figure, the machine and the date.

    python -m benchmarks.all

Each can be run alone, with more options. What cannot run here is null, and `left_out` says why.
"""

from __future__ import annotations

import argparse
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from benchmarks.common import SIDE_PX, add_rounds, add_work, finish, headline, machine, table
from benchmarks.parts import Part, gather
from benchmarks.peers import add_venv, venv_path
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.common import Document

LARGE_SIDE_PX = 40_000
NEAR = 0.2
"""A merge counts for a number of boxes that it misses by this share at the most."""


def says(*names: str) -> dict[str, Callable[[Document], Any]]:
    """Figures that a part's document holds under the same names."""
    return {name: methodcaller("get", name) for name in names}


def row_value(by: str, wanted: float, value: str, near_share: float = 0.0) -> Callable[[Document], Any]:
    """A figure out of the row whose size `by` is nearest to the wanted one, if it misses it by no more than a share."""

    def pick(document: Document) -> Any:  # noqa: ANN401 - what JSON holds
        near = [row for row in document["rows"] if abs(row[by] - wanted) <= near_share * wanted]
        return min(near, key=lambda row: abs(row[by] - wanted))[value] if near else None

    return pick


def parts(args: argparse.Namespace) -> list[Part]:
    """All benchmarks with their options, in the order in which they run."""
    work = ["--work", str(args.work)]
    rounds = ["--rounds", str(args.rounds), "--repeats", str(args.repeats)]
    model, side = ["--model", args.model], ["--side", str(args.side)]
    venv = ["--venv", str(venv_path(args.venv))]
    memory = ["--sides", str(args.large_side), "--jpeg", str(args.side)]
    return [
        Part(
            "end_to_end",
            [*work, *rounds, *model, *side, *venv],
            says(
                "sahi_ratio_fp32", "sahi_ratio_best", "sahi_ratio_own_tiling", "sahi_ratio_coarse_to_fine",
                "matched_share", "best", "sahi_ratio_own_tiling_any_length", "sahi_ratio_coarse_to_fine_cog",
            ),
        ),
        Part(
            "overhead",
            [*work, *rounds, *model, *side],
            says("outside_network_share", "outside_network_share_geotiff"),
        ),
        Part(
            "merge",
            ["--runs", str(args.rounds)],
            {"merge_100k_s": row_value("boxes", 1e5, "s", NEAR), "merge_1m_s": row_value("boxes", 1e6, "s", NEAR)},
        ),
        Part("reading", []),
        Part("costs", [*work, *model, "--repeats", str(args.repeats)]),
        Part(
            "contended",
            [*work, *rounds, *model, *side, *venv],
            says("contended_ratio", "contended_ratio_sahi"),
        ),
        Part(
            "memory",
            [*work, *model, *memory],
            {
                "rss_mb_8192": row_value("side_px", SIDE_PX, "rss_mb"),
                "rss_mb_40000": row_value("side_px", LARGE_SIDE_PX, "rss_mb"),
            },
        ),
        Part(
            "serving",
            [*work, *model, *venv, "--repeats", str(args.repeats)],
            says(
                "litserve_ratio", "ultralytics_ratio", "litserve_ratio_second_look", "ultralytics_ratio_second_look",
                "litserve_ratio_int8", "ultralytics_ratio_int8",
            ),
        ),
        Part(
            "overload",
            [*work, *model, "--repeats", str(args.repeats)],
            says(
                "accepted_over_engine", "overload_rss_growth", "overload_p99_ms", "small_p99_over_idle_p50",
                "job_slower",
            ),
        ),
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run all, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=headline(__doc__))
    add_rounds(parser)
    add_work(parser)
    add_venv(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px of the scene (%(default)s)")
    parser.add_argument("--large-side", type=int, default=LARGE_SIDE_PX, help="px of the largest (%(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="benchmarks to run, such as merge (all)")
    args = parser.parse_args(argv)
    chosen = [part for part in parts(args) if args.only is None or part.name in args.only]
    document = gather(chosen)
    figures = {name: value for name, value in document.items() if name not in {"left_out", "parts"}}
    print(f"\n{table([{'figure': name, 'value': value} for name, value in figures.items()])}", flush=True)
    return finish("all", {"machine": machine(), **document})


if __name__ == "__main__":
    raise SystemExit(main())
