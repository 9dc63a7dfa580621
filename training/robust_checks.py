"""The checks of training.robustness: what counts and F1 do in variants of the pictures, and in parts of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detections import Kind
from training.evaluate import judge_rows
from training.matching import Judged, Truth, judge, long_sides
from training.metrics import LENGTH_BINS, bin_names, count_errors, finding
from training.robust_place import alongside
from training.robust_variants import LIGHTS, TURNS, reduced
from training.scans import Found, Scanner, Variant, read_whole
from training.steps import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry import Floats

    Rows = list[dict[str, Any]]
    Pictures = Sequence[tuple[Path, Truth]]

IOU = 0.5
SHORTEST_PX = 8.0
"""Shorter vessels are neither right nor wrong when pictures are reduced."""
REDUCTIONS = (2, 3)


class Bench:
    """A model over the val pictures, as they are and as variants."""

    def __init__(self, scanner: Scanner, pictures: Pictures, threshold: float) -> None:
        """Nothing is scanned yet."""
        self.pictures, self.threshold = pictures, threshold
        self._scanner = scanner

    def found(self, variant: Variant | None = None) -> list[Found]:
        """What is found in each picture, or in a variant of it."""
        name = variant.name if variant else "as they are"
        todo = progress(self.pictures, len(self.pictures), f"robustness, {name}", every_s=15)
        return [self._scanner(path, truth.source, truth.gsd_m, variant) for path, truth in todo]

    def judged(self, variant: Variant | None = None) -> list[Judged]:
        """The same beside the labels."""
        shrink = variant.shrink if variant else 1
        return [
            judge_rows(shrunk(truth, shrink), f.corners, f.score, f.kinds, f.kind_score)
            for (_, truth), f in zip(self.pictures, self.found(variant), strict=True)
        ]


def shrunk(truth: Truth, factor: int) -> Truth:
    """The truth of a picture of which every factor x factor px became one."""
    return replace(
        truth,
        width=truth.width // factor,
        height=truth.height // factor,
        corners=truth.corners / factor,
        ignored=tuple(polygon / factor for polygon in truth.ignored),
        gsd_m=truth.gsd_m * factor if truth.gsd_m else None,
    )


def restricted(judged: Judged, inside: Callable[[Floats], NDArray[np.bool_]]) -> Judged:
    """The same picture where only boxes that `inside` picks out of (n, 4, 2) are right or wrong.

    A vessel outside is no miss, and what is said of it no invention; nor is an unmatched box that is outside itself (as
    COCO does with ranges of area).
    """
    truth, said = judged.truth, judged.predicted
    counted = truth.counted & inside(truth.corners)
    again = judge(replace(truth, counted=counted), said.corners, said.score, said.kinds, said.kind_score)
    return replace(again, dropped=again.dropped | ~inside(said.corners))


def _figures(pictures: Sequence[Judged], threshold: float) -> dict[str, Any]:
    """Vessels, precision, recall, F1."""
    return {"vessels": sum(p.iou.shape[1] for p in pictures), **finding(pictures, threshold, IOU)}


def between(low: float, high: float) -> Callable[[Floats], NDArray[np.bool_]]:
    """Boxes whose length is in low .. high px, `low` included."""

    def inside(corners: Floats) -> NDArray[np.bool_]:
        length = long_sides(corners)
        return np.asarray((length >= low) & (length < high))

    return inside


def said_counts(found: Sequence[Found], threshold: float) -> dict[str, NDArray[np.int64]]:
    """Vessels and tankers counted in each picture (n,)."""
    masks = [f.score >= threshold for f in found]
    tankers = [int((f.kinds[m] == Kind.TANKER).sum()) for f, m in zip(found, masks, strict=True)]
    return {"vessels": np.array([int(m.sum()) for m in masks], np.int64), "tankers": np.array(tankers, np.int64)}


def change_rows(
    before: NDArray[np.int64], after: dict[str, NDArray[np.int64]], groups: dict[str, NDArray[np.bool_]], of: str
) -> Rows:
    """How often counts (n,) change: a row a group of pictures; `after` holds the counts by the name of the variant."""
    changes = {name: np.abs(counts - before) for name, counts in after.items()}
    stacked = np.stack(list(changes.values()))
    return [
        {
            "set": group,
            "of": of,
            "pictures": int(mask.sum()),
            **{name: float((change[mask] > 0).mean()) for name, change in changes.items()},
            "any": float((stacked[:, mask] > 0).any(0).mean()),
            "mean_change": float(stacked[:, mask].mean()),
        }
        for group, mask in groups.items()
        if mask.any()
    ]


def check_turns(bench: Bench) -> Rows:
    """Counts of turned and mirrored pictures."""
    before = said_counts(bench.found(), bench.threshold)
    after = {turn.name: said_counts(bench.found(turn), bench.threshold) for turn in TURNS}
    sources = np.array([truth.source for _, truth in bench.pictures])
    vessels = np.array([bool(truth.counted.any()) for _, truth in bench.pictures])
    groups = {
        "all": np.ones(len(sources), bool),
        "all with a vessel": vessels,
        **{source: sources == source for source in sorted(set(sources.tolist()))},
    }
    return [
        row
        for of, counts in before.items()
        for row in change_rows(counts, {name: c[of] for name, c in after.items()}, groups, of)
    ]


def check_gsd(bench: Bench) -> Rows:
    """F1 of reduced pictures, beside that of the same vessels in the pictures as they are."""
    whole, rows = bench.judged(), []
    for factor in (1, *REDUCTIONS):
        judged = bench.judged(reduced(factor)) if factor > 1 else whole
        long_enough = [restricted(p, between(SHORTEST_PX, np.inf)) for p in judged]
        same = [restricted(p, between(SHORTEST_PX * factor, np.inf)) for p in whole]
        full = finding(same, bench.threshold, IOU)
        rows.append({"reduced_by": factor, **_figures(long_enough, bench.threshold), "f1_not_reduced": full["f1"]})
    return rows


def check_length(bench: Bench) -> Rows:
    """F1 by the length of the vessel."""
    judged = bench.judged()
    bins = zip(bin_names(LENGTH_BINS), LENGTH_BINS, [*LENGTH_BINS[1:-1], np.inf], strict=False)
    rows = [
        {"length_px": name, **_figures([restricted(p, between(low, high)) for p in judged], bench.threshold)}
        for name, low, high in bins
    ]
    return [row for row in rows if row["vessels"]]


def check_place(bench: Bench) -> Rows:
    """F1 of vessels alongside something and in open water."""
    near, far = [], []
    for (path, truth), judged in zip(bench.pictures, bench.judged(), strict=True):
        pixels, _ = read_whole(path, truth.gsd_m)
        near.append(restricted(judged, partial(alongside, pixels)))
        far.append(restricted(judged, partial(_apart, pixels)))
    groups = (("alongside", near), ("open water", far))
    return [{"place": name, **_figures(some, bench.threshold)} for name, some in groups]


def _apart(pixels: NDArray[np.uint8], corners: Floats) -> NDArray[np.bool_]:
    """Which of the boxes lie alongside nothing."""
    return ~alongside(pixels, corners)


def check_light(bench: Bench) -> Rows:
    """F1 by the brightness of the picture, and in haze and darkness."""
    whole = bench.judged()
    busy = [i for i, (_, truth) in enumerate(bench.pictures) if truth.counted.any()]
    light = np.array([_brightness(*bench.pictures[i]) for i in busy], np.float64)
    order = np.array(busy, np.intp)[np.argsort(light, kind="stable")]
    groups = {
        f"{name} third": [whole[i] for i in part]
        for name, part in zip(("darkest", "middle", "brightest"), np.array_split(order, 3), strict=True)
    }
    groups |= {"all as they are": whole, **{v.name: bench.judged(v) for v in LIGHTS}}
    return [
        {"light": name, "pictures": len(some), **_figures(some, bench.threshold), **count_errors(some, bench.threshold)}
        for name, some in groups.items()
    ]


def _brightness(path: Path, truth: Truth) -> float:
    """Mean of a picture's valid px, 0 to 255."""
    pixels, valid = read_whole(path, truth.gsd_m)
    return float(pixels[valid].mean()) if valid.any() else 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a model."""

    run: Callable[[Bench], Rows]
    title: str
    note: str
    """How to read the rows, for the page."""


CHECKS = {
    "turns": Check(
        check_turns,
        "Turned and mirrored",
        "Share of the pictures whose count differs from that of the picture as it is, and the mean change.",
    ),
    "gsd": Check(
        check_gsd,
        "Coarser",
        f"Every 2 x 2 or 3 x 3 px become one, their mean. Vessels of under {SHORTEST_PX:.0f} px are neither right nor "
        "wrong; the last column is the F1 of the same vessels in the pictures as they are.",
    ),
    "length": Check(check_length, "By length", "Vessels of other lengths are neither right nor wrong."),
    "place": Check(
        check_place,
        "Alongside and in open water",
        "By the pixels beside the box (training/robust_place.py has the rule): a quay, a jetty, another hull, and now "
        "and then a wake.",
    ),
    "light": Check(
        check_light,
        "Light and haze",
        "Thirds of the pictures with a vessel, by mean brightness; then all pictures with a share of light grey mixed "
        "in, and at half their brightness.",
    ),
}
"""By name."""
