"""Real scenes, counted as a user would count them; the imagery may not be distributed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import SHARED_DATA

from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import load_detector
from edge.pipeline import ScanOptions, scan
from edge.scene import SceneOptions, open_scene
from training.evaluate import file_truth, judge_rows
from training.metrics import match

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


def _truths(name: str) -> list[Path]:
    return sorted((SHARED_DATA / name / "truth").glob("*.json"))


@pytest.mark.parametrize("truth_file", _truths("planet-san-francisco-3m"), ids=lambda p: p.stem)
def test_a_whole_scene_of_a_port(truth_file: Path) -> None:
    truth = file_truth(truth_file, "planet")
    detector = load_detector(find_model(DEFAULT_MODEL))
    picture = truth_file.parent.parent / json.loads(truth_file.read_text())["file"]
    with open_scene(picture, SceneOptions(gsd_m=truth.gsd_m)) as scene:
        result = scan(scene, detector)
    assert result.coverage == 1
    assert result.scale.up == 2, "3 m/px is brought into the model's range"
    judged = judge_rows(truth, result.found.corners, result.found.score, result.found.kind.astype(np.int64))
    answers = match(judged, 0.5)
    right = sum(a is not None and a >= 0 for a in answers)
    wrong = sum(a == -1 for a in answers)
    wanted = judged.iou.shape[1]
    assert right >= 0.7 * wanted, "most vessels are found"
    assert wrong <= 0.5 * wanted, "not many are invented"


def test_the_count_of_a_real_picture_depends_on_nothing_but_the_picture() -> None:
    picture = SHARED_DATA / "fair1m-hrsc-ports" / "images" / "fair1m_1021.jpg"
    detector = load_detector(find_model(DEFAULT_MODEL))
    found = []
    for threads, batch in ((1, 1), (2, 3), (2, 8)):
        with open_scene(picture) as scene:
            found.append(scan(scene, detector, ScanOptions(threads=threads, batch=batch)).candidates)
    assert len(found[0]) > 0
    for other in found[1:]:
        assert np.array_equal(found[0].xywhr, other.xywhr)
        assert np.array_equal(found[0].score, other.score)
        assert np.array_equal(found[0].kind, other.kind)
