from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import toy_model

from edge.detector import load_detector
from edge.geometry import to_corners
from training.compose import read_index
from training.metrics import Truth
from training.mine import CANDIDATES, NO_EVIDENCE, NOTHING, mine_tile, sort_out
from training.sources import Source, read_scenes
from training.steps import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from edge.geometry import Floats


def _boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return to_corners(np.array([[*row, 0.0] for row in rows]))


def _truth(corners: Floats, ignored: tuple[Floats, ...] = ()) -> Truth:
    n = len(corners)
    return Truth("a.png", "s", 200, 200, corners, np.zeros(n, np.int64), np.ones(n, bool), ignored)


def test_boxes_are_sorted_by_what_the_labels_say() -> None:
    truth = _truth(_boxes((50, 50, 40, 10), (50, 100, 40, 10)), (_boxes((150, 150, 60, 60))[0],))
    found = _boxes((52, 100, 40, 10), (50, 57, 40, 10), (100, 20, 30, 8), (150, 150, 20, 8))
    rows = sort_out(truth, found, np.array([0.9, 0.8, 0.7, 0.6]), complete=True)
    assert [r["is"] for r in rows] == [1, NO_EVIDENCE, NOTHING, NO_EVIDENCE], "hit, half a hit, nothing, in a mask"
    assert [r["score"] for r in rows] == [0.9, 0.8, 0.7, 0.6]


def test_where_labels_are_incomplete_nothing_is_called_an_invention() -> None:
    rows = sort_out(_truth(_boxes((50, 50, 40, 10))), _boxes((100, 150, 40, 10)), np.array([0.9]), complete=False)
    assert [r["is"] for r in rows] == [NO_EVIDENCE]


def test_mined_inventions_reach_the_samples(tmp_path: Path) -> None:
    """The toy finder sees red; the label says that one of the two red places is a vessel."""
    detector = load_detector(toy_model.model_folder(tmp_path / "toy"), "cpu")
    pixels = toy_model.picture(128, 128, {(4, 4): 255, (10, 12): 255})
    name = "images/train/a.png"
    (tmp_path / "images/train").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / name), pixels[:, :, ::-1])
    vessel = [1, *to_corners(np.array([[36.0, 36.0, 24.0, 8.0, 0.0]])).ravel().tolist()]
    row = {"image": name, "source": "s", "split": "train", "group": "s:1", "window": [0, 0, 128, 128], "gsd_m": None}
    row |= {"vessels": [vessel], "ships": ["s:a#0"], "ignored": []}
    write_atomic(tmp_path / "index.jsonl", json.dumps(row) + "\n")
    mined = mine_tile(detector, tmp_path, row)
    assert sorted(c["is"] for c in mined["candidates"]) == [NOTHING, 0]
    assert read_index(tmp_path, "train")[0].inventions.shape == (0, 3)
    write_atomic(tmp_path / CANDIDATES, json.dumps(mined) + "\n")
    (record,) = read_index(tmp_path, "train")
    assert record.inventions.round().tolist() == [[84, 100, 24]]


def test_ships_keep_their_name_over_pictures_and_sets(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for name in ("a", "b"):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), np.zeros((50, 50, 3), np.uint8))
        line = "0 .1 .1 .5 .1 .5 .2 .1 .2\n"
        (folder / "labels" / f"{name}.txt").write_text(line * 2)
    table = "ship,set,image,index\nT01,mine,a.png,1\nT01 (again),mine,b.png,0\nT02,another,a.png,0\n"
    (tmp_path / "same.csv").write_text(table)
    one, two = read_scenes(Source("mine", folder, ships="../same.csv"))
    assert one.ships == ("mine:a#0", "T01")
    assert two.ships == ("T01", "mine:b#1")


def test_the_calib_side_is_taken_from_train_by_the_groups_number(tmp_path: Path) -> None:
    sides = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        rows = ["image,split,group"]
        for i in range(30):
            cv2.imwrite(str(folder / "images" / f"{name}{i:02d}.png"), np.zeros((8, 8, 3), np.uint8))
            rows.append(f"{name}{i:02d}.png,{'val' if i % 3 == 0 else 'train'},{i}")
        (folder / "split.csv").write_text("\n".join(rows) + "\n")
        sides.append([s.split for s in read_scenes(Source(name, folder, split="split.csv", calib=0.3))])
    assert sides[0] == sides[1], "groups that are numbered together change sides together"
    assert {s for i, s in enumerate(sides[0]) if i % 3 == 0} == {"val"}
    assert 2 <= sides[0].count("calib") <= 12
