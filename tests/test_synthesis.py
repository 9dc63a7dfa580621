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
from training import synth_chips, synth_settings, synthesis
from training.synth_canvas import Sun
from training.synth_fleet import FLEET, Vessel, launch, outline, pick_type
from training.synth_holds import Hatches
from training.synth_paste import hull_alpha, paste_hull
from training.synth_sensor import Sensor, degrade
from training.synth_site import Site
from training.synth_sky import HIDDEN, Sky, cloudy, hazy, hidden
from training.synth_vessels import draw
from training.synth_water import water, whitecaps
from training.synth_works import breakwater, bridge, buoy, fish_pens
from training.synthesis import Rendered, render_chip, render_scene, render_vessel

if TYPE_CHECKING:
    from collections.abc import Callable

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
        assert all(10 <= v.length_m <= 345 and 2 < v.length_m / v.beam_m < 11 for v in drawn)
    vlcc = launch(rng, "vlcc", 333.0)
    assert 57 < vlcc.beam_m < 63  # 333 x 60 m
    assert 53 < launch(rng, "membrane", 345.0).beam_m < 60  # Q-Max: 345 x 53.8 m
    beams = [launch(rng, "product", 200.0).beam_m for _ in range(60)]
    assert 15 < beams.count(32.2) < 45  # the old locks of Panama


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


# --- the fleet's looks ---


def deck(name: str, seed: int, length_m: float) -> np.ndarray:
    """What lies along and across the middle half of a deck (48, 200, 3), bow to the right."""
    sprite, corners = render_vessel(np.random.default_rng(seed), name, length_m, length_m / 400, 0.0)
    x, y = corners.mean(0).round().astype(int)
    return sprite[y - 24 : y + 24, x - 100 : x + 100, :3].astype(float)


def test_no_two_types_have_the_same_deck() -> None:
    longest = {name: deck(name, 4, sum(build.length_m) / 2) for name, build in FLEET.items()}
    oil = {"vlcc", "suezmax", "shuttle", "crude", "product", "chemical", "bunker"}  # one painter, many sizes
    for a, b in itertools.combinations(FLEET, 2):
        if not {a, b} <= oil:
            assert np.abs(longest[a] - longest[b]).mean() > 4, (a, b)


def test_spheres_are_round_and_a_membrane_carrier_has_none() -> None:
    """Along the middle line, spheres come and go as a wave of light; a trunk deck does not."""

    def wave(name: str) -> float:
        rows = np.mean([np.abs(np.fft.rfft(deck(name, seed, 290.0).mean((0, 2))))[2:8].max() for seed in range(6)])
        return float(rows)

    assert wave("lng") > 1.5 * wave("membrane")


def test_a_ship_in_ballast_casts_a_longer_shadow() -> None:
    sun = Sun(0.5 * np.pi, 1.0)
    low, high = (
        draw(np.random.default_rng(2), Vessel("product", 183.0, 32.2, laden), 1.0, 0.0, sun)[0] for laden in (1.0, 0.0)
    )
    assert int((high.cast > 127).sum()) > 1.15 * int((low.cast > 127).sum())


def test_some_bulkers_have_hatches_in_the_paint_of_their_deck() -> None:
    rng, red = np.random.default_rng(0), (122, 62, 50)
    assert all(np.abs(np.array(Hatches.plain(rng, red).cover) - red).max() <= 16 for _ in range(20))
    assert all(Hatches.line(rng, red).half < 0.18 for _ in range(20))


def test_some_container_ships_are_bare() -> None:
    """Boxes are of many hues, hatch covers of one."""
    decks = [deck("container", seed, 300.0) for seed in range(24)]
    spread = [float((d[..., 0] - d[..., 2]).std()) for d in decks]
    assert min(spread) < 0.35 * np.median(spread)


# --- surroundings ---


def site_of(width: int = 400, height: int = 300, gsd_m: float = 2.0) -> Site:
    image = water(np.random.default_rng(0), width, height, gsd_m, (22, 38, 52))
    return Site(image, np.zeros((height, width), np.uint8), gsd_m, 0.3, Sun(1.0, 0.8))


@pytest.mark.parametrize(
    "build",
    [
        lambda site, rng: breakwater(site, rng, -150.0),
        lambda site, rng: bridge(site, rng, -100.0),
        lambda site, rng: fish_pens(site, rng, (0.0, 0.0)),
        lambda site, rng: buoy(site, rng, (0.0, 0.0)),
    ],
    ids=["breakwater", "bridge", "fish_pens", "buoy"],
)
def test_works_are_seen_and_keep_vessels_away(build: Callable[[Site, np.random.Generator], object]) -> None:
    site = site_of()
    before = site.image.copy()
    build(site, np.random.default_rng(7))
    built = site.blocked > 127
    assert 30 < built.sum() < 0.4 * built.size
    assert np.abs(site.image.astype(int) - before)[built].mean() > 10
    assert (site.image == before).all(2).mean() > 0.5


@pytest.mark.parametrize("setting", [setting for _, setting in synth_settings._SETTINGS])
def test_each_setting_leaves_its_chip_a_water_to_lie_on(
    setting: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synth_settings, "_SETTINGS", ((1.0, setting),))
    rng = np.random.default_rng(4)
    for kind in (0, 1, 0, 1):
        image, corners = render_chip(rng, kind)
        assert (corners >= 0).all()
        assert (corners <= image.shape[1::-1]).all()


def test_whitecaps_whiten_about_their_share() -> None:
    calm = np.full((300, 400, 3), 40, np.uint8)
    for cover in (0.005, 0.03):
        rough = calm.copy()
        whitecaps(np.random.default_rng(1), rough, 1.0, cover)
        white = (rough.mean() - 40) / 190
        assert cover / 4 < white < cover * 4


# --- the air ---


def plain_sky(opacity: np.ndarray) -> Sky:
    nothing = np.zeros_like(opacity)
    return Sky(opacity, nothing, nothing, np.full_like(opacity, 240.0))


def test_what_opaque_cloud_covers_is_hidden() -> None:
    opacity = np.zeros((100, 200), np.float32)
    opacity[:, 100:] = 1.0
    boxes = np.array([[[x, 40], [x, 60], [x - 40, 60], [x - 40, 40]] for x in (60.0, 120.0, 190.0)])
    assert hidden(plain_sky(opacity), boxes) == pytest.approx([0, 0.5, 1], abs=0.03)
    assert (hidden(plain_sky(opacity * 0.5), boxes) == 0).all()  # thin cloud hides nothing


def test_hidden_vessels_lose_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "maybe_sky", lambda *_: None)
    clear = render_scene(9, 500, 400, 3.0)
    skies = []

    def overcast(rng: np.random.Generator, size: tuple[int, int], gsd_m: float, sun: Sun) -> Sky:
        skies.append(cloudy(rng, size, gsd_m, sun, 0.6))
        return skies[0]

    monkeypatch.setattr(synthesis, "maybe_sky", overcast)
    scene = render_scene(9, 500, 400, 3.0)
    share = hidden(skies[0], clear.corners)
    assert 0 < (share > HIDDEN).sum() < len(share)
    assert scene.corners.tobytes() == clear.corners[share <= HIDDEN].tobytes()
    assert len(scene.names) == len(scene.kind) == len(scene.length_m) == len(scene.corners)
    assert scene.image.mean() > clear.image.mean()


def test_a_cloud_casts_its_shadow_away_from_the_sun() -> None:
    sun = Sun(0.4, 0.6)
    sky = cloudy(np.random.default_rng(3), (900, 900), 4.0, sun, 0.3)

    def alike(height_m: float) -> float:
        """Correlation of the shadow with the clouds moved as the sun moves the shadow of what is so high up."""
        x, y = np.rint(sun.offset * height_m / 4.0).astype(int).tolist()
        moved = np.roll(sky.opacity, (y, x), (0, 1))
        inner = np.s_[abs(y) : 900 - abs(y), abs(x) : 900 - abs(x)]
        return float(np.corrcoef(moved[inner][::5, ::5].ravel(), sky.shadow[inner][::5, ::5].ravel())[0, 1])

    assert max(alike(h) for h in range(400, 2001, 20)) > 0.9
    assert max(alike(-h) for h in range(400, 1600, 100)) < 0.6


@pytest.mark.parametrize("cover", [0.1, 0.4])
def test_cloud_covers_its_share(cover: float) -> None:
    skies = [cloudy(np.random.default_rng(i), (400, 300), 3.0, Sun(0.0, 0.5), cover) for i in range(12)]
    assert np.mean([(s.opacity > 0.5 * s.opacity.max()).mean() for s in skies]) == pytest.approx(cover, abs=0.15)
    assert all(s.opacity.min() >= 0 and s.opacity.max() <= 1 and s.opacity.shape == (300, 400) for s in skies)


def test_haze_takes_contrast_and_hides_nothing() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (120, 160, 3), np.uint8)
    sky = hazy(rng, (160, 120), 2.0)
    assert sky.over(image).std() < 0.95 * image.std()
    assert hidden(sky, np.array([[[10.0, 10], [60, 10], [60, 40], [10, 40]]])) == [0]


# --- the sensor ---


def test_coarse_pictures_are_blurred_more_surely_and_packed_less() -> None:
    sensors = [Sensor.at(gsd) for gsd in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)]
    assert sensors[0] == sensors[1]
    assert sensors[-1] == sensors[-2]
    for fine, rough in itertools.pairwise(sensors[1:-1]):
        assert fine.blur_px[0] < rough.blur_px[0]
        assert fine.blurred < rough.blurred
        assert fine.quality[0] < rough.quality[0]
        assert fine.packed > rough.packed
    assert all(0 < s.blur_px[0] < s.blur_px[1] and s.noise[0] < s.noise[1] for s in sensors)


def test_degrading_repeats() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    first, again = (degrade(np.random.default_rng(6), image, 2.0) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.shape == image.shape


def test_chips_span_the_ground_sample_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def spy(_: np.random.Generator, image: np.ndarray, gsd_m: float, __: float) -> np.ndarray:
        seen.append(gsd_m)
        return image

    monkeypatch.setattr(synth_chips, "degrade", spy)
    rng = np.random.default_rng(1)
    for i in range(160):
        render_chip(rng, i % 2)
    assert min(seen) < 0.4
    assert max(seen) > 9
    assert 1 < np.median(seen) < 4


# --- real hulls on other water ---


def cut_out(turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a red hull with round ends on teal water, and its box."""
    picture = np.full((160, 180, 3), (28, 54, 58), np.uint8)
    box = np.array([90.0, 80.0, 100.0, 22.0, turn])
    mask = hull_alpha((160, 180), (100.0, 22.0), (0.03, 0.15), 1.0)
    move = cv2.getRotationMatrix2D((89.5, 79.5), -np.rad2deg(turn), 1.0)
    mask = cv2.warpAffine(mask, move, (180, 160))[..., None]
    picture = picture * (1 - mask) + np.array([170, 50, 44]) * mask
    noise = np.random.default_rng(0).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), box


@pytest.mark.parametrize("turn", [0.0, 0.6, 2.5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_pasted_hull_fills_the_corners_it_gives(turn: float, seed: int) -> None:
    hull, box = cut_out(turn)
    sea = np.clip(np.random.default_rng(1).normal(70, 2, (220, 260, 3)), 0, 255).astype(np.uint8)
    picture, corners = paste_hull(np.random.default_rng(seed), sea, hull, box)
    assert picture.shape == sea.shape
    assert picture.dtype == np.uint8
    assert corners.min() >= 0
    assert (corners <= [260, 220]).all()
    drawn = picture[..., 0].astype(int) - picture[..., 2] > 40
    found = cv2.boxPoints(cv2.minAreaRect(np.argwhere(drawn)[:, ::-1].astype(np.float32) + 0.5))
    assert areas(corners[None])[0] > 0  # clockwise, as everywhere
    assert rotated_iou(from_corners_of(found), corners) > 0.85
    boxes = from_corners(corners[None])[0]
    assert 0.6 - 1e-6 <= boxes[2] / 100 <= 1.25 + 1e-6
    assert boxes[3] / boxes[2] == pytest.approx(0.22, abs=1e-4)
    untouched = cv2.dilate(drawn.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert (picture[untouched] == sea[untouched]).mean() > 0.99  # none of the old water comes along


def from_corners_of(points: np.ndarray) -> Floats:
    """Any four corners -> the same box, clockwise."""
    middle = points.mean(0)
    return points[np.argsort(np.arctan2(*(points - middle)[:, ::-1].T))].astype(np.float64)


def test_pasting_repeats_and_changes_neither_picture() -> None:
    hull, box = cut_out(0.4)
    sea = np.full((220, 260, 3), 60, np.uint8)
    kept = hull.copy(), sea.copy()
    first, again, other = (paste_hull(np.random.default_rng(s), sea, hull, box) for s in (1, 1, 2))
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1].tobytes() == again[1].tobytes()
    assert other[1].tobytes() != first[1].tobytes()
    assert (hull == kept[0]).all()
    assert (sea == kept[1]).all()


def test_a_hull_shrinks_to_fit_or_is_refused() -> None:
    hull, box = cut_out(0.0)
    _, corners = paste_hull(np.random.default_rng(0), np.zeros((50, 60, 3), np.uint8), hull, box)
    assert (corners <= [60, 50]).all()
    with pytest.raises(ValueError, match="does not fit"):
        paste_hull(np.random.default_rng(0), np.zeros((9, 9, 3), np.uint8), hull, box)
    for nonsense in ([90, 80, 0, 5, 0], [900, 80, 50, 5, 0], [90, np.nan, 50, 5, 0]):
        with pytest.raises(ValueError, match="no hull can be cut"):
            paste_hull(np.random.default_rng(0), hull, hull, np.array(nonsense, float))
