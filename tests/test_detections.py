from __future__ import annotations

import numpy as np
import pytest

from edge.detections import Detections, Kind

BOXES = np.array([[10.0, 20.0, 4.0, 8.0, 0.0], [30.0, 40.0, 9.0, 3.0, 0.5]])


def test_boxes_become_canonical_and_kinds_unknown() -> None:
    rows = Detections.of(BOXES, np.array([0.5, 0.75]))
    assert rows.xywhr[0].tolist() == pytest.approx([10, 20, 8, 4, np.pi / 2])
    assert rows.kind.tolist() == [Kind.UNKNOWN, Kind.UNKNOWN]
    assert np.isnan(rows.kind_score).all()
    assert rows.corners.shape == (2, 4, 2)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Detections(BOXES, np.zeros(3), np.zeros(2, np.int8), np.zeros(2))
    with pytest.raises(ValueError, match="do not fit"):
        Detections(BOXES[:, :4], np.zeros(2), np.zeros(2, np.int8), np.zeros(2))


def test_rows_are_picked_by_mask_indices_and_slice() -> None:
    rows = Detections.of(BOXES, np.array([0.5, 0.75]))
    assert rows[rows.score > 0.6].score.tolist() == [0.75]
    assert rows[np.array([1, 0])].score.tolist() == [0.75, 0.5]
    assert len(rows[:0]) == 0


def test_parts_are_joined_in_order() -> None:
    one = Detections.of(BOXES[:1], np.array([0.5]), np.array([0], np.int8), np.array([0.9]))
    two = Detections.of(BOXES[1:], np.array([0.7]))
    both = Detections.concat([one, two, Detections.empty()])
    assert both.score.tolist() == [0.5, 0.7]
    assert both.kind.tolist() == [Kind.TANKER, Kind.UNKNOWN]
    assert len(Detections.concat([])) == 0


def test_moving_and_scaling_leave_the_original_alone() -> None:
    rows = Detections.of(BOXES, np.array([0.5, 0.75]))
    before = rows.xywhr.copy()
    assert rows.moved(5, -2).xywhr[1].tolist() == pytest.approx([35, 38, 9, 3, 0.5])
    assert rows.scaled(2).xywhr[1].tolist() == pytest.approx([60, 80, 18, 6, 0.5])
    assert np.array_equal(rows.xywhr, before)


def test_kinds_have_the_numbers_of_the_label_files() -> None:
    assert [(k.value, k.label) for k in Kind] == [(0, "tanker"), (1, "other"), (2, "unknown")]
