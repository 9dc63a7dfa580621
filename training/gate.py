"""May a cheaper way of running a model stand for the full one? Bounds on what it may lose, and the verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_F1_LOST = 0.005
MOST_MAE_GAINED = 0.02
"""Share of the full way's mean error of a count."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says."""

    accepted: bool
    words: str
    """For cards and error messages."""


def judge_way(full: Mapping[str, Any], cheap: Mapping[str, Any], on: str) -> Verdict:
    """Hold the figures of a cheaper way against those of the full one.

    Args:
        full: f1 and count_mae, as training.metrics.summarise gives them.
        cheap: the same of the cheaper way, on the same pictures.
        on: which pictures, for the verdict.
    """
    slack = 1e-9  # of arithmetic
    # Without a vessel and without a box there is no F1: nothing was found where something could be.
    before, after = full["f1"] or 0.0, cheap["f1"] or 0.0
    lost = before - after
    most = full["count_mae"] * (1 + MOST_MAE_GAINED)
    accepted = lost <= MOST_F1_LOST + slack and cheap["count_mae"] <= most + slack
    words = (
        f"vessel F1 {after:.4f} against {before:.4f}, count MAE {cheap['count_mae']:.4f} against "
        f"{full['count_mae']:.4f} on {on} (allowed: {MOST_F1_LOST} of F1, {MOST_MAE_GAINED:.0%} of MAE)"
    )
    return Verdict(bool(accepted), words)
