"""Cutting labelled pictures into tiles, and drawing training samples from them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from edge.geometry import Window, canonical, to_corners
from training.compose import Composer, batch, read_index
from training.dataset import build, tile_labels
from training.sources import Source, gather_sources, load_sources, read_scenes


def _quad(x: float, y: float, length: float, beam: float, angle: float) -> np.ndarray:
    return to_corners(canonical(np.array([[x, y, length, beam, angle]])))


@given(
    st.floats(-50, 250),
    st.floats(-50, 250),
    st.floats(5, 200),
    st.floats(2, 40),
    st.floats(0, 6.3),
    st.floats(0.1, 0.9),
)
def test_a_vessel_is_shown_by_its_visible_share(
    x: float, y: float, length: float, beam: float, angle: float, share: float
) -> None:
    quad = _quad(x, y, length, beam, angle)
    window = Window(10, 20, 150, 130)
    shown, hidden = tile_labels(quad, [0], window, share)
    whole = Polygon(quad[0])
    seen = whole.intersection(box(10, 20, 160, 150))
    visible = seen.area / whole.area
    if abs(visible - share) < 1e-6 or visible < 1e-9:
        return
    assert len(shown) == (visible >= share)
    assert len(hidden) == (visible < share)
    if shown:
        found = Polygon(shown[0][1] + [10, 20]).buffer(1e-6)
        assert found.covers(seen)
        assert found.area <= whole.area * 1.001


def _folder(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        cv2.imwrite(str(root / "images" / f"{name}.png"), rng.integers(0, 255, (300, 500, 3), np.uint8))
        lines = ["0 0.1 0.1 0.3 0.1 0.3 0.2 0.1 0.2", "2 0.5 0.5 0.6 0.5 0.6 0.7 0.5 0.7"]
        (root / "labels" / f"{name}.txt").write_text("\n".join(lines))
    (root / "split.csv").write_text("image,split,group\na.png,train,1\nb.png,train,1\nc.png,val,2\n")
    return root


def test_splits_groups_and_kinds_are_kept(tmp_path: Path) -> None:
    source = Source("mine", _folder(tmp_path / "mine"), split="split.csv")
    summary = build([source], tmp_path / "out", 256, 64, 0.4)
    rows = [json.loads(line) for line in (tmp_path / "out/index.jsonl").read_text().splitlines()]
    assert {(r["scene"], r["split"], r["group"]) for r in rows} == {
        ("a.png", "train", "mine:1"),
        ("b.png", "train", "mine:1"),
        ("c.png", "val", "mine:2"),
    }
    assert {v[0] for r in rows for v in r["vessels"]} == {0, 2}
    assert all((tmp_path / "out" / r["image"]).parent.name == r["split"] for r in rows)
    assert summary == build([source], tmp_path / "out", 256, 64, 0.4), "a second run changes nothing"


def test_a_changed_label_changes_the_data_hash(tmp_path: Path) -> None:
    source = Source("mine", _folder(tmp_path / "mine"), split="split.csv")
    before = build([source], tmp_path / "out", 256, 64, 0.4)["data_sha256"]
    (tmp_path / "mine/labels/a.txt").write_text("1 0.1 0.1 0.3 0.1 0.3 0.2 0.1 0.2\n")
    assert build([source], tmp_path / "out", 256, 64, 0.4)["data_sha256"] != before


def test_the_hash_split_never_moves_a_picture(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "mine")
    (folder / "split.csv").unlink()
    (source,) = gather_sources(None, Path("none"), [folder], 0.5, None)
    first = {s.image.name: s.split for s in read_scenes(source)}
    (folder / "images/b.png").unlink()
    second = {s.image.name: s.split for s in read_scenes(source)}
    assert second == {k: v for k, v in first.items() if k != "b.png"}


def test_the_projects_own_list_of_sets_can_be_read(tmp_path: Path) -> None:
    listing = Path(__file__).parent.parent / "training/sources.json"
    for entry in json.loads(listing.read_text()):
        (tmp_path / entry.get("folder", entry["name"])).mkdir(parents=True)
    assert len(load_sources(listing, tmp_path)) == len(json.loads(listing.read_text()))


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    root = tmp_path_factory.mktemp("compose")
    build([Source("mine", _folder(root / "mine"), split="split.csv")], root / "out", 256, 64, 0.4)
    return Composer(read_index(root / "out", "train"), {}, 192, seed=3)


def test_a_sample_depends_on_its_number_alone(composer: Composer) -> None:
    for number in range(12):
        first, second = composer.sample(number), composer.sample(number)
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(composer.sample(0)[0], composer.sample(1)[0])


def test_labels_of_a_sample_lie_on_the_canvas(composer: Composer) -> None:
    seen = 0
    for number in range(40):
        pixels, kinds, boxes = composer.sample(number)
        assert pixels.shape == (192, 192, 3)
        assert len(kinds) == len(boxes)
        corners = to_corners(boxes).reshape(-1, 2)
        assert (corners > -40).all()
        assert (corners < 232).all()
        assert ((boxes[:, :2] >= 0) & (boxes[:, :2] <= 192)).all()
        seen += len(boxes)
    assert seen > 20


def test_a_batch_has_the_form_of_the_loss(composer: Composer) -> None:
    made = batch([composer.sample(i) for i in range(3)])
    assert made["img"].shape == (3, 3, 192, 192)
    assert made["bboxes"].shape == (len(made["kinds"]), 5)
    assert (made["bboxes"][:, :2] <= 1).all()
    assert set(made["batch_idx"]) <= {0, 1, 2}
