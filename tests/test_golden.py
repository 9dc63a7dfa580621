"""Golden answers of the shipped models, replayed by every way in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.assets import samples_dir
from edge.catalogue import DEFAULT_MODEL, shipped_models
from edge.golden import answer, differences, replay
from edge.model_card import GOLDEN, load_card

MODELS = shipped_models()
each_model = pytest.mark.parametrize("folder", MODELS, ids=lambda p: p.name)


def test_the_default_model_is_shipped() -> None:
    assert DEFAULT_MODEL in {folder.name for folder in MODELS}


@each_model
def test_the_library_gives_the_golden_answers(folder: Path) -> None:
    assert replay(folder) == []


@each_model
def test_the_command_gives_the_golden_answers(folder: Path) -> None:
    golden = json.loads((folder / GOLDEN).read_text())
    scenes = [str(samples_dir() / name) for name in golden]
    command = [sys.executable, "-m", "edge.cli", "count", *scenes, "--model", folder.name, "--json", "--batch", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    for document, expected in zip(documents, golden.values(), strict=True):
        assert differences(expected, answer(document)) == []
        assert document["synthetic"]


@each_model
def test_a_card_is_complete_and_small_enough(folder: Path) -> None:
    card = load_card(folder)
    members = card.raw["training"].get("members", [None])
    assert card.finder_path.stat().st_size < 20e6 * len(members), "20 MB a network"
    assert card.raw["training"]["sources"], "the sets and their licences"
    assert all(s["licence"] for s in card.raw["training"]["sources"])
    assert card.raw["metrics"]["command"]
    assert (folder / "MODEL_CARD.md").read_text().startswith(f"# {card.name}")


def test_a_difference_is_told() -> None:
    corners = [[0, 0], [9, 0], [9, 3], [0, 3]]
    row = {"kind": "tanker", "score": 0.8, "corners": corners}
    golden = {"counts": {"vessel": 1}, "coverage": 1.0, "detections": [row]}
    assert differences(golden, golden) == []
    for change in ({"kind": "other"}, {"score": 0.7}, {"corners": [[0, 1], *corners[1:]]}):
        assert differences(golden, {**golden, "detections": [{**row, **change}]})
    assert differences(golden, {**golden, "counts": {"vessel": 2}, "detections": [row, row]})
