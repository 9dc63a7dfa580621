"""How far two answers for the same scene agree: boxes paired one to one at a rotated IoU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.geometry import envelopes, from_corners, overlapping_pairs, paired_iou, to_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.geometry import Floats

MATCH_IOU = 0.5


def pairs_of(ours: Floats, theirs: Floats, iou: float = MATCH_IOU) -> NDArray[np.intp]:
    """Pairs (m, 2) of boxes (n, 4, 2) and (k, 4, 2) px that overlap by `iou` or more, the best first, one to one."""
    ours, theirs = to_corners(from_corners(ours)), to_corners(from_corners(theirs))  # one turn of corners for all sides
    near = overlapping_pairs(envelopes(ours), envelopes(theirs))
    fit = paired_iou(ours[near[:, 0]], theirs[near[:, 1]])
    order = np.argsort(-fit, kind="stable")
    order = order[fit[order] >= iou]
    kept, first, second = [], set(), set()
    for a, b in near[order].tolist():
        if a not in first and b not in second:
            kept.append((a, b))
            first.add(a)
            second.add(b)
    return np.array(kept, np.intp).reshape(-1, 2)


def agreement(ours: Floats, theirs: Floats, iou: float = MATCH_IOU) -> dict[str, float | int | None]:
    """Counts of both sides, and the share of each that has a partner on the other; None of a side without boxes."""
    matched = len(pairs_of(ours, theirs, iou))
    return {
        "ours": len(ours),
        "theirs": len(theirs),
        "matched": matched,
        "matched_share": round(matched / len(theirs), 4) if len(theirs) else None,
        "matched_share_of_ours": round(matched / len(ours), 4) if len(ours) else None,
    }
