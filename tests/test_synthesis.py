"""Rendered vessels, chips and scenes: repeatable, true to their labels, of believable proportions."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import rasterio

from edge.detections import Kind
from edge.geometry import areas, from_corners, rotated_iou
from training import synthesis
from training.synth_fleet import FLEET, launch, outline, pick_type
from training.synthesis import Rendered, render_chip, render_scene, render_vessel

if TYPE_CHECKING:
    from edge.geometry import Floats

SIZE = (900, 700)
SAMPLES = Path(__file__).resolve().parent.parent / "samples"


@pytest.fixture(scope="module")
def scene() -> Rendered:
    """A terminal of 1.8 x 1.4 km."""
    return render_scene(5, *SIZE, 2.0)


def hull_mask(corners: Floats, size: tuple[int, int], share: float) -> np.ndarray:
    """Mask (height, width) of a box scaled about its middle."""
    middle = corners.mean(0)
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(middle + (corners - middle) * share - 0.5).astype(np.int32), 1)
    return mask > 0


def test_same_seed_same_bytes() -> None:
    first, again, other = (render_scene(s, 250, 240, 2.0) for s in (11, 11, 12))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.corners.tobytes() == again.corners.tobytes()
    assert first.names == again.names
    assert first.image.tobytes() != other.image.tobytes()


def test_scene_has_the_form_it_says(scene: Rendered) -> None:
    n = len(scene.names)
    assert scene.image.shape == (SIZE[1], SIZE[0], 3)
    assert scene.image.dtype == np.uint8
    assert scene.corners.shape == (n, 4, 2)
    assert scene.kind.shape == scene.length_m.shape == (n,)
    assert [FLEET[name].kind for name in scene.names] == scene.kind.tolist()
    assert n >= 10
    assert 2 <= (scene.kind == Kind.TANKER).sum() < n


@pytest.mark.parametrize("seed", [1, 2])
def test_vessels_lie_inside_and_apart(seed: int) -> None:
    scene = render_scene(seed, *SIZE, 2.0)
    assert scene.corners.min() >= 0
    assert (scene.corners.reshape(-1, 2).max(0) <= SIZE).all()
    for a, b in itertools.combinations(scene.corners, 2):
        assert rotated_iou(a, b) < 1e-6


def test_boxes_have_the_lengths_and_headings_of_the_vessels(scene: Rendered) -> None:
    ahead = (scene.corners[:, 0] + scene.corners[:, 1] - scene.corners[:, 2] - scene.corners[:, 3]) / 2
    assert np.hypot(*ahead.T) * 2.0 == pytest.approx(scene.length_m)
    boxes = from_corners(scene.corners)
    for name, (length, beam) in zip(scene.names, boxes[:, 2:4], strict=True):
        low, high = FLEET[name].slender
        assert low * 0.999 <= length / beam <= high * 1.001


def test_some_tankers_are_rafted() -> None:
    """A ship-to-ship transfer: two tankers a few metres apart, side by side."""
    scene = render_scene(4, *SIZE, 2.0)
    tankers = from_corners(scene.corners[scene.kind == Kind.TANKER])
    gaps = [np.hypot(*(a[:2] - b[:2])) - (a[3] + b[3]) / 2 for a, b in itertools.combinations(tankers, 2)]
    assert min(gaps) * 2.0 < 40


def test_a_hull_can_be_seen_against_its_water() -> None:
    """On open water a deck is further from the water's colour than waves are."""
    with_ships = render_scene(21, 500, 400, 2.0, shore=False)
    assert len(with_ships.names) >= 3
    hulls = np.zeros((400, 500), bool)
    for corners in with_ships.corners:
        hulls |= hull_mask(corners, (500, 400), 1.6)
    sea = with_ships.image[~hulls].astype(float)
    ships = with_ships.corners[with_ships.length_m >= 40]
    assert len(ships) >= 2
    for corners in ships:
        deck = with_ships.image[hull_mask(corners, (500, 400), 0.7)].astype(float)
        away = np.abs(deck - np.median(sea, 0)).max(1)
        calm = np.abs(sea - np.median(sea, 0)).max(1)
        assert np.median(away) > 2 * np.median(calm)


@pytest.mark.parametrize("name", FLEET)
def test_sprite_fills_its_box(name: str) -> None:
    rng = np.random.default_rng(3)
    low, high = FLEET[name].length_m
    length = (low + high) / 2
    sprite, corners = render_vessel(rng, name, length, length / 150, 0.7)
    assert sprite.dtype == np.uint8
    height, width = sprite.shape[:2]
    covered = sprite[..., 3] > 127
    inside = hull_mask(corners, (width, height), 1.04)
    assert covered[inside].mean() > 0.62  # a bow tapers; a rectangle would give 1
    assert not covered[~hull_mask(corners, (width, height), 1.12)].any()
    drawn = np.argwhere(covered)[:, ::-1] + 0.5
    ahead = np.array([np.cos(0.7), np.sin(0.7)])
    assert np.ptp(drawn @ ahead) == pytest.approx(150, abs=2.5)
    assert sprite[..., :3][covered].std() > 8  # it is not one flat colour


def test_hull_points_ahead() -> None:
    rng = np.random.default_rng(0)
    for name in FLEET:
        vessel = launch(rng, name)
        hull = outline(rng, vessel)
        assert hull[:, 0].max() == pytest.approx(vessel.length_m / 2)
        assert np.ptp(hull[:, 1]) <= vessel.beam_m * 1.001
        bow = np.abs(hull[hull[:, 0] > 0.495 * vessel.length_m, 1]).max()
        stern = np.abs(hull[hull[:, 0] < -0.495 * vessel.length_m, 1]).max()
        assert bow < stern


def test_fleet_is_of_known_proportions() -> None:
    rng = np.random.default_rng(1)
    for kind in (Kind.TANKER, Kind.OTHER):
        drawn = [launch(rng, pick_type(rng, kind)) for _ in range(200)]
        assert all(v.build.kind == kind for v in drawn)
        assert all(10 <= v.length_m <= 340 and 2 < v.length_m / v.beam_m < 11 for v in drawn)
    vlcc = launch(rng, "vlcc", 333.0)
    assert 57 < vlcc.beam_m < 63  # 333 x 60 m


@pytest.mark.parametrize("kind", [Kind.TANKER, Kind.OTHER, 0, 1])
def test_chip_holds_one_vessel(kind: Kind | int) -> None:
    rng = np.random.default_rng(8)
    for _ in range(15):
        image, corners = render_chip(rng, kind)
        height, width = image.shape[:2]
        assert image.dtype == np.uint8
        assert corners.shape == (4, 2)
        assert (corners >= 0).all()
        assert (corners <= [width, height]).all()
        length = np.hypot(*(corners[1] - corners[2]))
        assert 19.5 <= length <= 300.5
        assert areas(corners[None])[0] > 0
        assert image.std() > 1


def test_chips_repeat_and_kinds_differ() -> None:
    first, again = (render_chip(np.random.default_rng(5), Kind.TANKER) for _ in range(2))
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1].tobytes() == again[1].tobytes()
    other, _ = render_chip(np.random.default_rng(5), Kind.OTHER)
    assert other.tobytes() != first[0].tobytes()


def test_nonsense_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="tanker"):
        render_chip(rng, Kind.UNKNOWN)
    with pytest.raises(ValueError, match="types are"):
        render_vessel(rng, "submarine", 80, 1, 0)
    with pytest.raises(ValueError, match="cannot render"):
        render_scene(1, 0, 100, 1.0)
    with pytest.raises(ValueError, match="cannot render"):
        render_scene(1, 100, 100, float("nan"))


def test_command_writes_a_georeferenced_scene_and_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "scene.tif"
    arguments = ["--out", str(path), "--seed", "5", "--width", "600", "--height", "500", "--gsd", "2.5"]
    assert synthesis.main(arguments) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    truth = json.loads((tmp_path / "new" / "scene.truth.json").read_text())
    with rasterio.open(path) as file:
        pixels = np.moveaxis(file.read(), 0, 2)
        assert (file.width, file.height, file.count) == (600, 500, 3)
        assert file.crs.to_epsg() == 32630
        assert file.res == (2.5, 2.5)
        assert file.profile["tiled"]
        assert "SYNTHETIC" in file.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        assert file.tags()["SYNTHETIC"] == "YES"
    rendered = render_scene(5, 600, 500, 2.5)
    assert np.abs(pixels.astype(int) - rendered.image).mean() < 6  # JPEG
    assert (truth["scene"], truth["width"], truth["height"], truth["gsd_m_per_px"]) == ("scene", 600, 500, 2.5)
    assert truth["ignore"] == []
    assert "SYNTHETIC" in truth["notice"]
    assert len(truth["annotations"]) == len(rendered.names) == report["vessels"]
    assert report["tankers"] == sum(a["class"] == 0 for a in truth["annotations"])
    assert np.array([a["corners"] for a in truth["annotations"]]) == pytest.approx(rendered.corners, abs=0.01)
    assert [a["length_px"] for a in truth["annotations"]] == pytest.approx(rendered.length_m / 2.5, abs=0.06)


def test_command_repeats_its_file(tmp_path: Path) -> None:
    digests = set()
    for name in ("a.tif", "b.tif"):
        synthesis.main(
            ["--out", str(tmp_path / name), "--seed", "3", "--width", "300", "--height", "260", "--gsd", "2"]
        )
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_command_refuses_an_empty_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        synthesis.main(["--out", str(tmp_path / "x.tif"), "--width", "0"])
    assert stop.value.code == 2
    assert "cannot render" in capsys.readouterr().err
    assert not (tmp_path / "x.tif").exists()


def test_the_sample_is_small_and_says_that_it_is_synthetic() -> None:
    path = SAMPLES / "synthetic-terminal.tif"
    truth = json.loads(path.with_suffix(".truth.json").read_text())
    assert path.stat().st_size < 4_000_000
    with rasterio.open(path) as file:
        assert file.tags()["SYNTHETIC"] == "YES"
        assert (file.width, file.height, file.res[0]) == (truth["width"], truth["height"], truth["gsd_m_per_px"])
    assert "SYNTHETIC" in truth["notice"]
    assert 25 <= len(truth["annotations"]) <= 40
    assert 8 <= sum(a["class"] == Kind.TANKER for a in truth["annotations"]) <= 10
