"""What a network says -> probabilities that mean what they say: logistic models over log-odds, fitted by training.

Platt scaling (Platt, "Probabilistic outputs for support vector machines", 1999) with one input more than usual: the
finder's score, the second look's and the length each weigh in. `training.calibrate` fits the numbers on pictures that
no network was trained on and writes them into the card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge.geometry import Floats

SURE = 1e-4
"""Scores are kept this far from 0 and 1 before their log-odds are taken."""


def logit(probability: Floats) -> Floats:
    """Log-odds of probabilities (n,)."""
    p = np.clip(probability, SURE, 1 - SURE)
    return np.asarray(np.log(p / (1 - p)))


def sigmoid(log_odds: Floats) -> Floats:
    """Probabilities of log-odds (n,)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))))


@dataclass(frozen=True, slots=True)
class VesselScale:
    """Weights of what speaks for a vessel."""

    finder: float
    """Of the log-odds of the finder's score."""
    look: float
    """Of the second look's log-odds."""
    log_length: float
    """Of log(length / 32 px of the working frame): small boats are sooner invented, or sooner missed."""
    offset: float

    def probability(self, score: Floats, look: Floats, length_px: Floats) -> Floats:
        """Probability (n,) that a vessel is there, from scores, log-odds and lengths in px, each (n,)."""
        return self.weigh(self.inputs(score, look, length_px))

    def weigh(self, inputs: Floats) -> Floats:
        """Probability (n,) of what `inputs` gives, shape (n, 3)."""
        return sigmoid(self.offset + inputs @ [self.finder, self.look, self.log_length])

    @staticmethod
    def inputs(score: Floats, look: Floats, length_px: Floats) -> Floats:
        """What is weighed, shape (n, 3)."""
        return np.stack([logit(score), look, np.log(np.maximum(length_px, 1.0) / 32.0)], 1)


@dataclass(frozen=True, slots=True)
class KindScale:
    """Log-odds of a tanker -> probability."""

    slope: float = 1.0
    offset: float = 0.0

    def probability(self, look: Floats) -> Floats:
        """Probability (n,) that a vessel is a tanker, from the second look's log-odds (n,)."""
        return sigmoid(self.slope * look + self.offset)


@dataclass(frozen=True, slots=True)
class Spread:
    """What makes a count uncertain beyond each vessel's own probability."""

    scene: float = 0.0
    """Standard deviation of the log-odds that a scene's vessels share: whole scenes are easier or harder."""
    misses: tuple[tuple[float, float], ...] = ()
    """(length from which it holds, px of the working frame; vessels without a candidate for each one with), rising."""

    def missed(self, probability: Floats, length_px: Floats) -> float:
        """Expected number of vessels that left no candidate, from the candidates' probabilities and lengths (n,)."""
        if not self.misses:
            return 0.0
        starts, rates = np.array(self.misses).T
        return float((probability * rates[np.maximum(np.searchsorted(starts, length_px, "right") - 1, 0)]).sum())
