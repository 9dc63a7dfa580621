"""Golden answers: what a model must say of the sample scenes, replayed by every way in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.assets import samples_dir
from edge.detector import FULL, load_detector
from edge.document import build_document
from edge.errors import ModelError
from edge.model_card import GOLDEN
from edge.pipeline import scan
from edge.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.detector import Detector

CORNER_PX = 0.5
"""Corners may differ by this much between builds of the runtime."""
SCORE = 0.01


def answer(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a document that must not change between runs, machines and ways in."""
    rows = [{k: d[k] for k in ("kind", "score", "corners")} for d in document["detections"]]
    return {"counts": document["counts"], "coverage": document["coverage"], "detections": rows}


def answer_to(detector: Detector, scene_path: Path) -> dict[str, Any]:
    """Count a scene with the default options; its answer."""
    with open_scene(scene_path) as scene:
        return answer(build_document(scene, detector, scan(scene, detector)))


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What is not as it should be; nothing where all is well."""
    if expected["counts"] != found["counts"]:
        return [f"the counts are {found['counts']}, not {expected['counts']}"]
    wrong = []
    if expected["coverage"] != found["coverage"]:
        wrong.append(f"the coverage is {found['coverage']}, not {expected['coverage']}")
    for i, (a, b) in enumerate(zip(expected["detections"], found["detections"], strict=True), 1):
        off = max(
            abs(p - q) for c, d in zip(a["corners"], b["corners"], strict=True) for p, q in zip(c, d, strict=True)
        )
        if a["kind"] != b["kind"] or abs(a["score"] - b["score"]) > SCORE or off > CORNER_PX:
            wrong.append(f"vessel {i} is {b['kind']} {b['score']} ({off:.2f} px off), not {a['kind']} {a['score']}")
    return wrong


def _is_answer(value: object) -> bool:
    """Whether it has the parts of an answer."""
    return isinstance(value, dict) and {"counts", "coverage", "detections"} <= value.keys()


def replay(folder: Path, provider: str = "cpu") -> list[str]:
    """Count the sample scenes with a model and compare with its golden answers.

    Raises:
        ModelError: the model has no golden answers, or they are none.
    """
    golden = _golden(folder)
    return _compare(golden, load_detector(folder, provider))


def verify(detector: Detector) -> list[str]:
    """What is wrong with a loaded model by its golden answers, which are those of full precision on a CPU.

    Where it runs another way, its files are judged that way first, and then whether it runs at all.

    Raises:
        ModelError: the model has no golden answers, or they are none.
        ProviderError: it does not run.
    """
    folder = detector.card.folder
    if (detector.provider, detector.precision) == ("cpu", FULL):
        return _compare(_golden(folder), detector)
    wrong = replay(folder)
    if not wrong:
        answer_to(detector, samples_dir() / next(iter(_golden(folder))))
    return wrong


def _golden(folder: Path) -> dict[str, Any]:
    """The golden answers of a model, by scene."""
    path = folder / GOLDEN
    try:
        golden = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(path, f"no golden answers ({error})", "get the model folder again") from None
    if not isinstance(golden, dict) or not golden or not all(map(_is_answer, golden.values())):
        raise ModelError(path, "holds no golden answers", "get the model folder again")
    return golden


def _compare(golden: Mapping[str, Any], detector: Detector) -> list[str]:
    """What a model says otherwise than it must."""
    wrong = []
    for name, expected in golden.items():
        found = answer_to(detector, samples_dir() / name)
        wrong += [f"{name}: {line}" for line in differences(expected, found)]
    return wrong
