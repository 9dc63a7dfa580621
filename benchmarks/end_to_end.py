"""From a scene's file to its boxes: our engine and the peers in turn, at the same tiles, and then ours as it likes.

    python -m benchmarks.end_to_end --rounds 5

Parts: `jpeg` has everybody on the JPEG; `formats` PNG, deflate GeoTIFF and COG; `own` our own tiling; `fine` a scene of
0.5 m, the reference at full resolution beside ours coarse to fine. A ratio is that of medians of one part.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.agreement import agreement
from benchmarks.common import OVERLAP_PX, SIDE_PX, THRESHOLD, add_rounds, add_work, finish, headline, machine, table
from benchmarks.peers import add_venv
from benchmarks.rounds import Rounds, interleave, summaries
from benchmarks.scenes import FINE_GSD_M, scene_file
from benchmarks.sides import BASE, PEERS, PLAN, REFERENCE, VARIANTS, Sides
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from benchmarks.children import Run
    from benchmarks.common import Document

GSD_M = 1.0
SAME = {**PLAN, "gsd_m": GSD_M, "exhaustive": True}
OWN = {"threshold": THRESHOLD, "gsd_m": GSD_M, "exhaustive": True}
SHORTEST_M = 24.0
"""Coarse to fine serves who counts vessels from some length on; from this one on the model's gate let it through, m."""
LIKE_PEERS_M = OVERLAP_PX * GSD_M
"""The longest vessel that the peers' overlap can hold, m."""


@dataclass(slots=True)
class Setting:
    """What all parts need."""

    sides: Sides
    work: Path
    side_px: int
    rounds: int
    repeats: int
    document: Document
    best: str = BASE
    """Our fastest variant at the peers' tiles, once `jpeg` has run."""

    def scene(self, kind: str = "jpeg", gsd_m: float = GSD_M) -> Path:
        """The benchmark's scene in one of its formats."""
        return scene_file(self.work, kind, self.side_px, gsd_m)

    def race(self, title: str, sides: dict[str, Callable[[], Run]]) -> Rounds:
        """Run sides in turn, print and keep the table."""
        out = interleave(sides, self.rounds, self.repeats)
        rows = summaries(out, self.side_px**2, REFERENCE)
        print(f"\n{title}\n{table(rows)}", flush=True)
        self.document["parts"][title] = rows
        self.document["left_out"].update({f"{title}: {name}": why for name, why in out.left_out.items()})
        return out


def _agree(out: Rounds, names: Iterable[str]) -> dict[str, Any]:
    """How each of ours agrees with the reference; nothing where one of both did not run."""
    theirs = out.last(REFERENCE)
    runs = {name: out.last(name) for name in names}
    return {name: agreement(r.corners, theirs.corners) for name, r in runs.items() if r is not None and theirs}


def jpeg(setting: Setting) -> None:
    """Everybody on the JPEG at the same tiles: who is how fast, and who finds the same."""
    path = setting.scene()
    out = setting.race("jpeg", {name: setting.sides.runner(name, path, **SAME) for name in (*PEERS, *VARIANTS)})
    ratios = {name: ratio for name in VARIANTS if (ratio := out.ratio(name, REFERENCE)) is not None}
    medians = {name: median for name in VARIANTS if (median := out.median_s(name)) is not None}
    setting.best = min(medians, key=lambda name: medians[name], default=BASE)
    agreed = _agree(out, VARIANTS)
    setting.document.update(
        sahi_ratio_fp32=ratios.get(BASE),
        sahi_ratio_best=ratios.get(setting.best),
        best=setting.best,
        matched_share=agreed.get(BASE, {}).get("matched_share"),
        agreement=agreed,
    )


def formats(setting: Setting) -> None:
    """The other formats, at the same tiles."""
    for kind in ("png", "geotiff", "cog"):
        path = setting.scene(kind)
        names = dict.fromkeys((REFERENCE, BASE, setting.best))
        setting.race(kind, {name: setting.sides.runner(name, path, **SAME) for name in names})


def own(setting: Setting) -> None:
    """Our own tiling by the best variant: for vessels as long as the peers' overlap, and for all."""
    path = setting.scene()
    out = setting.race(
        "own",
        {
            REFERENCE: setting.sides.runner(REFERENCE, path, **SAME),
            "as long as theirs": setting.sides.runner(setting.best, path, **OWN, max_length_m=LIKE_PEERS_M),
            "any length": setting.sides.runner(setting.best, path, **OWN),
        },
    )
    setting.document.update(
        sahi_ratio_own_tiling=out.ratio("as long as theirs", REFERENCE),
        sahi_ratio_own_tiling_any_length=out.ratio("any length", REFERENCE),
        agreement_own_tiling=_agree(out, ("as long as theirs", "any length")),
    )


def fine(setting: Setting) -> None:
    """A fine scene: the reference at full resolution, our engine coarse to fine, and all of its tiles."""
    for kind, suffix in (("jpeg", ""), ("cog", "_cog")):
        path = setting.scene(kind, FINE_GSD_M)
        default = {"threshold": THRESHOLD, "gsd_m": FINE_GSD_M, "min_length_m": SHORTEST_M}
        out = setting.race(
            f"fine {kind}",
            {
                REFERENCE: setting.sides.runner(REFERENCE, path, **PLAN),
                "coarse to fine": setting.sides.runner(setting.best, path, **default),
                "exhaustive": setting.sides.runner(setting.best, path, **default, exhaustive=True),
            },
        )
        setting.document[f"sahi_ratio_coarse_to_fine{suffix}"] = out.ratio("coarse to fine", REFERENCE)
        setting.document[f"agreement_fine{suffix}"] = _agree(out, ("coarse to fine", "exhaustive"))


PARTS = {"jpeg": jpeg, "formats": formats, "own": own, "fine": fine}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts, print tables and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=headline(__doc__))
    add_rounds(parser)
    add_work(parser)
    add_venv(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px of the scene (%(default)s)")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="which parts (all)")
    parser.add_argument(
        "--best", choices=VARIANTS, default=BASE, help="our fastest, where part jpeg does not find it out (%(default)s)"
    )
    args = parser.parse_args(argv)
    document: Document = {"machine": machine(), "rounds": args.rounds, "side_px": args.side}
    document |= {"threshold": THRESHOLD, "parts": {}, "left_out": {}}
    with Sides(args.work, args.model, args.venv) as sides:
        setting = Setting(sides, args.work, args.side, args.rounds, args.repeats, document, args.best)
        for part in args.parts:
            PARTS[part](setting)
    return finish("end_to_end", document)


if __name__ == "__main__":
    raise SystemExit(main())
