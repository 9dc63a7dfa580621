from __future__ import annotations

import pytest

from training.gate import judge_way

FULL = {"f1": 0.83, "count_mae": 0.1}


@pytest.mark.parametrize(
    ("f1", "mae", "accepted"),
    [
        (0.83, 0.1, True),
        (0.9, 0.05, True),
        (0.825, 0.1, True),
        (0.8249, 0.1, False),
        (0.83, 0.102, True),
        (0.83, 0.1021, False),
        (0.9, 0.2, False),
    ],
)
def test_the_gate(f1: float, mae: float, *, accepted: bool) -> None:
    verdict = judge_way(FULL, {"f1": f1, "count_mae": mae}, "7 val pictures")
    assert verdict.accepted is accepted
    assert f"F1 {f1:.4f} against 0.8300" in verdict.words
    assert "7 val pictures" in verdict.words
