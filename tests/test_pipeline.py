from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import toy_model
from scene_files import HARBOUR, ground, write_tiff

import edge.scene
from edge.aoi import load_aoi
from edge.detector import Detector, load_detector
from edge.engine import AHEAD
from edge.errors import ProviderError, StoppedError, UsageError
from edge.pipeline import Hooks, ScanOptions, plan_scan, scan
from edge.preprocess import fit_tile, round_up
from edge.scene import Scale, SceneOptions, open_scene
from training.cards import FLOOR

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VESSELS = {(5, 4): 255, (20, 4): 204, (35, 20): 153, (12, 27): 100}
"""Cells of 8 px and their red: scores 1, 0.8, 0.6 and 0.39."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy"), "cpu")


def _write(folder: Path, pixels: NDArray[np.uint8], **profile: object) -> Path:
    return write_tiff(folder / "scene.tif", pixels.transpose(2, 0, 1), **profile)


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    """320 x 240 px, no georeference: 3 x 3 tiles of 128 px that overlap by 32."""
    return _write(tmp_path, toy_model.picture(320, 240, VESSELS))


def test_known_vessels_are_found_where_they_are(harbour: Path, toy: Detector) -> None:
    with open_scene(harbour) as scene:
        result = scan(scene, toy, ScanOptions(exhaustive=True))
    found = result.found
    assert found.xywhr[:, :4].tolist() == [[44, 36, 24, 8], [164, 36, 24, 8], [284, 164, 24, 8]]
    assert found.score.tolist() == pytest.approx([1, 0.8, 0.6])
    assert len(result.candidates) == 4, "what is below the threshold is kept for the interval"
    assert (result.tiles.planned, result.tiles.scored, result.coverage) == (9, 9, 1)
    assert (result.tile_px, result.overlap_px, result.scale, result.gsd_m) == (128, 32, Scale(), None)
    assert set(result.seconds) == {"total", "read", "infer", "merge", "look"}


def test_the_threshold_is_the_cards_or_the_users(harbour: Path, toy: Detector) -> None:
    for threshold, vessels in ((None, 3), (0.7, 2), (FLOOR, 4), (1.0, 1)):
        with open_scene(harbour) as scene:
            result = scan(scene, toy, ScanOptions(threshold=threshold))
        assert len(result.found) == vessels
        assert result.threshold == (0.5 if threshold is None else threshold)


def test_a_threshold_below_the_models_floor_is_no_silent_cap(harbour: Path, toy: Detector) -> None:
    with open_scene(harbour) as scene, pytest.raises(UsageError, match="where this model's boxes end"):
        scan(scene, toy, ScanOptions(threshold=FLOOR / 2))


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"threshold": 1.1}, "--conf"),
        ({"threshold": -0.1}, "--conf"),
        ({"threshold": float("nan")}, "--conf"),
        ({"max_length_m": 0}, "--max-length"),
        ({"max_length_m": -5}, "--max-length"),
        ({"max_length_m": float("nan")}, "--max-length"),
        ({"max_length_m": float("inf")}, "--max-length"),
        ({"batch": 0}, "--batch/--threads"),
        ({"threads": -1}, "--batch/--threads"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, float], subject: str) -> None:
    with pytest.raises(UsageError) as caught:
        ScanOptions(**options)  # type: ignore[arg-type]
    assert caught.value.subject == subject


def test_the_overlap_is_the_longest_vessel_in_working_px(harbour: Path, toy: Detector) -> None:
    for gsd, scale, working, overlap in (
        (1.0, Scale(), 1.0, 50),
        (0.5, Scale(down=2), 1.0, 50),
        (0.3, Scale(down=4), 1.2, 42),
        (1.7, Scale(), 1.7, 30),
        (6.0, Scale(up=3), 2.0, 25),
    ):
        with open_scene(harbour, SceneOptions(gsd_m=gsd)) as scene:
            plan = plan_scan(scene, toy, ScanOptions(max_length_m=50))
        assert plan.scale == scale
        assert plan.gsd_m == pytest.approx(working)
        one_tile = max(plan.width, plan.height) <= plan.tile_px
        assert plan.overlap_px == (0 if one_tile else overlap)
        resampled = [w for w in plan.warnings if "resampled" in w]
        assert bool(resampled) == (scale.factor != 1)


def test_without_a_gsd_the_overlap_is_the_models_and_a_warning_says_so(harbour: Path, toy: Detector) -> None:
    with open_scene(harbour) as scene:
        plan = plan_scan(scene, toy, ScanOptions())
    assert plan.overlap_px == 32
    assert "GSD is not known" in plan.warnings[0]
    assert "32 px" in plan.warnings[0]


def test_a_vessel_longer_than_a_tile_cannot_be_promised(harbour: Path, toy: Detector) -> None:
    with open_scene(harbour, SceneOptions(gsd_m=1.0)) as scene:
        with pytest.raises(UsageError, match="more than a tile of 128 px") as caught:
            scan(scene, toy, ScanOptions(max_length_m=128))
        assert "less than 128 m" in caught.value.mend
        assert plan_scan(scene, toy, ScanOptions(max_length_m=127)).overlap_px == 127


def test_a_scene_smaller_than_a_tile_needs_no_overlap(tmp_path: Path, toy: Detector) -> None:
    path = _write(tmp_path, toy_model.picture(70, 40, {(4, 2): 255}))
    with open_scene(path, SceneOptions(gsd_m=1.0)) as scene:
        result = scan(scene, toy)
    assert (result.tile_px, result.overlap_px, result.tiles.planned, result.coverage) == (96, 0, 1, 1)
    assert result.found.xywhr[:, :2].tolist() == [[36, 20]]


def test_one_px(tmp_path: Path, toy: Detector) -> None:
    with open_scene(_write(tmp_path, np.zeros((1, 1, 3), np.uint8))) as scene:
        result = scan(scene, toy)
    assert (len(result.found), result.coverage, result.tiles.scored) == (0, 1, 1)


def test_a_resampled_scene_answers_in_its_own_px(tmp_path: Path, toy: Detector) -> None:
    fine = np.repeat(np.repeat(toy_model.picture(320, 240, VESSELS), 2, 0), 2, 1)
    path = _write(tmp_path, fine, crs=32610, transform=HARBOUR)
    with open_scene(path) as scene:
        result = scan(scene, toy, ScanOptions(max_length_m=40))
    assert result.scale == Scale(down=2)
    assert result.found.xywhr[:, :4].tolist() == [[88, 72, 48, 16], [328, 72, 48, 16], [568, 328, 48, 16]]


def test_only_what_is_asked_for_is_scored_and_counted(tmp_path: Path, harbour: Path, toy: Detector) -> None:
    """The left half, of which the upper left vessel is inside; the lower left one is below the threshold."""
    ring = [[0, 0], [100, 0], [100, 240], [0, 240], [0, 0]]
    (tmp_path / "aoi.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    with open_scene(harbour) as scene:
        result = scan(scene, toy, aoi=load_aoi(tmp_path / "aoi.geojson", scene))
    assert result.found.xywhr[:, :2].tolist() == [[44, 36]]
    assert result.tiles.skipped > 0
    assert result.tiles.skipped + result.tiles.scored == result.tiles.planned
    assert result.coverage == 1, "all that was asked for"


def test_a_warning_of_the_area_of_interest_is_passed_on(tmp_path: Path, harbour: Path, toy: Detector) -> None:
    ring = [[-50, -50], [100, -50], [100, 240], [-50, 240], [-50, -50]]
    (tmp_path / "aoi.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    with open_scene(harbour) as scene:
        result = scan(scene, toy, aoi=load_aoi(tmp_path / "aoi.geojson", scene))
    assert any("reaches beyond the scene" in w for w in result.warnings)


def test_nodata_lowers_the_coverage(tmp_path: Path, toy: Detector) -> None:
    mask = np.full((240, 320), 255, np.uint8)
    mask[:, 200:] = 0
    path = write_tiff(
        tmp_path / "scene.tif", toy_model.picture(320, 240, VESSELS).transpose(2, 0, 1), mask=mask.astype(bool)
    )
    with open_scene(path) as scene:
        result = scan(scene, toy)
    assert result.coverage == pytest.approx(200 / 320)
    assert len(result.found) == 2


def test_a_scene_without_any_valid_pixel_is_not_zero_ships(tmp_path: Path, toy: Detector) -> None:
    bands = toy_model.picture(320, 240, VESSELS).transpose(2, 0, 1)
    path = write_tiff(tmp_path / "scene.tif", bands, mask=np.zeros((240, 320), bool))
    with open_scene(path) as scene:
        result = scan(scene, toy)
        warned = scene.warnings + result.warnings
    assert result.coverage == 0
    assert result.tiles.skipped == result.tiles.planned
    assert any("no valid pixel" in w for w in warned)


def _damaged(folder: Path, *, lost: int = 1) -> Path:
    """A tiled TIFF whose last blocks are cut off, as by a download that broke off."""
    noise = np.random.default_rng(0).integers(0, 40, (3, 512, 512), np.uint8)
    path = write_tiff(folder / "cut.tif", noise, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: -len(content) * lost // 16])
    return path


def test_a_tile_that_cannot_be_read_lowers_the_coverage_and_is_told(tmp_path: Path, toy: Detector) -> None:
    with open_scene(_damaged(tmp_path)) as scene:
        result = scan(scene, toy)
    tiles = result.tiles
    assert 0 < tiles.failed < tiles.planned
    assert tiles.scored == tiles.planned - tiles.failed
    assert 0 < result.coverage < 1
    (told,) = [w for w in result.warnings if "could not be read" in w]
    assert told.startswith(f"{tiles.failed} tile(s) could not be read; the first: columns ")


def test_the_failed_tiles_do_not_depend_on_threads_batches_or_order(tmp_path: Path, toy: Detector) -> None:
    path = _damaged(tmp_path, lost=10)
    answers = []
    for threads, batch, step in ((1, 1, 1), (2, 3, 1), (2, 8, -1)):
        with open_scene(path) as scene:
            result = scan(scene, toy, ScanOptions(threads=threads, batch=batch), order=range(25)[::step])
        answers.append((result.coverage, result.tiles, result.warnings, result.candidates.xywhr.tobytes()))
    assert answers[0] == answers[1] == answers[2]


class _Broken:
    """A network that fails on the third batch."""

    provider, teller = "cpu", None

    def __init__(self, detector: Detector) -> None:
        self.card, self._detector = detector.card, detector
        self.calls = 0

    def find(self, batch: NDArray[np.uint8], floor: float | None = None) -> object:
        self.calls += 1
        if self.calls >= 3:
            raise ProviderError("cpu", "the network failed", "see the doctor")
        return self._detector.find(batch, floor)


def test_a_network_that_fails_stops_the_scan(tmp_path: Path, toy: Detector) -> None:
    path = _write(tmp_path, toy_model.picture(1600, 1600, {}))
    broken = _Broken(toy)
    with open_scene(path) as scene, pytest.raises(ProviderError, match="the network failed"):
        scan(scene, broken, ScanOptions(threads=2, exhaustive=True))  # type: ignore[arg-type]
    assert broken.calls < 20, "the rest of the 289 tiles is not tried"
    assert not [t for t in threading.enumerate() if t.name.startswith("infer")]


def test_a_scan_can_be_stopped(tmp_path: Path, toy: Detector) -> None:
    path = _write(tmp_path, toy_model.picture(1600, 1600, {}))
    stop, seen = threading.Event(), []

    def on_tile(done: int, _: int) -> None:
        seen.append(done)
        if done == 5:
            stop.set()

    with open_scene(path) as scene, pytest.raises(StoppedError, match="stopped before it was done"):
        scan(scene, toy, ScanOptions(threads=2, exhaustive=True), hooks=Hooks(on_tile, stop))
    assert len(seen) < 20
    assert not [t for t in threading.enumerate() if t.name.startswith("infer")]


def test_plain_tiles_are_skipped_and_counted(tmp_path: Path, toy: Detector) -> None:
    path = _write(tmp_path, toy_model.picture(1600, 1600, VESSELS))
    with open_scene(path) as scene:
        usual, exhaustive = scan(scene, toy), scan(scene, toy, ScanOptions(exhaustive=True))
    assert usual.tiles.skipped > 250
    assert usual.tiles.scored + usual.tiles.skipped == usual.tiles.planned == exhaustive.tiles.scored
    assert usual.coverage == exhaustive.coverage == 1, "plain water was seen, and found to be that"
    assert np.array_equal(usual.candidates.xywhr, exhaustive.candidates.xywhr)


def test_a_bounded_number_of_tiles_is_under_way(tmp_path: Path, toy: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    read, done = [0], [0]
    most = 0
    plain = edge.scene.Scene.read_into

    def counted(self: edge.scene.Scene, *args: object, **kwargs: object) -> object:
        nonlocal most
        read[0] += 1
        most = max(most, read[0] - done[0])
        return plain(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(edge.scene.Scene, "read_into", counted)
    path = _write(tmp_path, toy_model.picture(1600, 1600, {}))
    seen: list[int] = []

    def on_tile(so_far: int, planned: int) -> None:
        done[0] = so_far
        seen.append(so_far)
        assert planned == 289

    with open_scene(path) as scene:
        scan(scene, toy, ScanOptions(threads=2, batch=2, exhaustive=True), hooks=Hooks(on_tile))
    assert seen == list(range(1, 290)), "progress is told in order"
    assert most <= 2 * (AHEAD * 2 + 2), "batch x (some a thread, one that is read, and one that is being merged)"


def test_fit_tile() -> None:
    assert [round_up(v, 32) for v in (1, 32, 33)] == [32, 32, 64]
    assert fit_tile(5000, 10, 1024, 32) == 1024
    assert fit_tile(40, 10, 1024, 32) == 64


def test_the_harbour_is_on_earth() -> None:
    """The ground of the test scenes is where the other tests say."""
    assert ground(HARBOUR, 2, 2) == (551001.0, 4181999.0)
