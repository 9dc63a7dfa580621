"""The document of a scene: fixed keys in their order, right numbers, right units."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import toy_model
from affine import Affine
from scene_files import HARBOUR, ground, write_tiff

from edge.detections import Detections, Kind
from edge.detector import Detector, load_detector
from edge.document import build_document, headings
from edge.model_card import ErrorsCard, SizeError
from edge.pipeline import ScanOptions, ScanResult, TileCounts, scan
from edge.scene import Scale, SceneOptions, open_scene
from edge.write.document_json import line

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [
    "scene", "width", "height", "gsd_m", "crs", "counts", "interval", "coverage", "tiles", "detections", "model",
    "seconds", "warnings",
]  # fmt: skip
"""Of design.md; more may follow."""
VESSEL_KEYS = [
    "id", "kind", "score", "kind_score", "corners", "length_m", "beam_m", "heading_deg", "lonlat", "near_threshold",
]  # fmt: skip


MEASURES = ["length_error_m", "beam_error_m", "heading_error_deg", "size_class", "deadweight_t"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy"), "cpu")


def _scene(folder: Path, transform: Affine | None = HARBOUR, crs: object = 32610) -> Path:
    bands = toy_model.picture(320, 240, {(5, 4): 255, (20, 4): 140}).transpose(2, 0, 1)
    place = {"crs": crs, "transform": transform} if transform else {}
    return write_tiff(folder / "scene.tif", bands, **place)


def _result(rows: Detections, **changes: Any) -> ScanResult:  # noqa: ANN401 - fields of a result
    told: dict[str, Any] = {
        "candidates": rows, "threshold": 0.5, "scale": Scale(), "gsd_m": 0.5, "overlap_px": 32, "tile_px": 128,
        "coverage": 1.0, "tiles": TileCounts(9, 9), "seconds": {"total": 1.0, "read": 0.5, "infer": 0.4, "merge": 0.1},
    }  # fmt: skip
    return ScanResult(**{**told, **changes})


def _document(path: Path, toy: Detector, rows: Detections, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    with open_scene(path) as scene:
        return build_document(scene, toy, _result(rows, **changes))


ROWS = Detections.of(
    np.array([[100.0, 50, 20, 8, 0.0], [200, 150, 9, 30, 0.0], [40, 200, 25, 10, 2.0]]),
    np.array([0.9, 0.55, 0.2]),
    np.array([Kind.TANKER, Kind.UNKNOWN, Kind.OTHER], np.int8),
    np.array([0.87654321, np.nan, 0.1]),
)


def test_the_keys_are_there_in_their_order(tmp_path: Path, toy: Detector) -> None:
    with open_scene(_scene(tmp_path, Affine(1, 0, 551000, 0, -1, 4182000))) as scene:
        document = json.loads(line(build_document(scene, toy, scan(scene, toy, ScanOptions(max_length_m=30)))))
    assert list(document)[: len(KEYS)] == KEYS
    assert list(document["counts"]) == ["tanker", "other", "unknown", "vessel"]
    assert list(document["interval"]) == ["tanker", "vessel"]
    assert list(document["tiles"]) == ["planned", "scored", "skipped", "failed"]
    assert list(document["seconds"])[:4] == ["total", "read", "infer", "merge"]
    assert {"name", "sha256", "provider"} <= set(document["model"])
    assert document["detections"]
    for row in document["detections"]:
        assert list(row)[: len(VESSEL_KEYS)] == VESSEL_KEYS
        assert set(MEASURES) <= set(row)


def test_counts_are_those_of_the_vessels_that_are_listed(tmp_path: Path, toy: Detector) -> None:
    document = _document(_scene(tmp_path), toy, ROWS)
    assert document["counts"] == {"tanker": 1, "other": 0, "unknown": 1, "vessel": 2}
    assert [d["id"] for d in document["detections"]] == [1, 2]
    assert [d["kind"] for d in document["detections"]] == ["tanker", "unknown"]
    assert document["interval"]["vessel"][0] <= 2 <= document["interval"]["vessel"][1]


def test_numbers_of_a_vessel_are_in_the_units_that_are_promised(tmp_path: Path, toy: Detector) -> None:
    first, second = _document(_scene(tmp_path), toy, ROWS)["detections"]
    assert first["corners"] == [[110, 46], [110, 54], [90, 54], [90, 46]]
    assert (first["length_m"], first["beam_m"]) == (10.0, 4.0)
    assert (second["length_m"], second["beam_m"]) == (15.0, 4.5)
    assert (first["score"], first["kind_score"], second["kind_score"]) == (0.9, 0.8765, None)
    assert [first["near_threshold"], second["near_threshold"]] == [False, True]


def test_places_are_where_rasterio_says(tmp_path: Path, toy: Detector) -> None:
    import rasterio.warp  # noqa: PLC0415

    first = _document(_scene(tmp_path), toy, ROWS)["detections"][0]
    x, y = ground(HARBOUR, 100, 50)
    lon, lat = rasterio.warp.transform("EPSG:32610", "EPSG:4326", [x], [y])
    assert first["lonlat"] == pytest.approx([lon[0], lat[0]], abs=1e-6)
    corner_x, corner_y = ground(HARBOUR, *first["corners"][0])
    lon, lat = rasterio.warp.transform("EPSG:32610", "EPSG:4326", [corner_x], [corner_y])
    assert first["corners_lonlat"][0] == pytest.approx([lon[0], lat[0]], abs=1e-6)


@pytest.mark.parametrize(("angle", "bearing"), [(0, 90), (90, 0), (45, 135), (135, 45), (170, 80)])
def test_a_heading_is_from_north_clockwise(tmp_path: Path, toy: Detector, angle: float, bearing: float) -> None:
    """On the central meridian of a UTM zone the grid's north is true north."""
    row = Detections.of(np.array([[160, 120, 40, 9, np.deg2rad(angle)]]), np.array([0.9]))
    middle = Affine(0.5, 0, 500_000 - 80, 0, -0.5, 4_182_000)
    found = _document(_scene(tmp_path, middle), toy, row)["detections"][0]["heading_deg"]
    assert 0 <= found < 180
    assert abs((found - bearing + 90) % 180 - 90) < 0.11


def test_a_heading_agrees_with_the_lonlat_of_the_ends(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = Detections.of(
        np.column_stack([rng.uniform(20, 200, (20, 2)), rng.uniform(8, 40, (20, 2)), rng.uniform(0, 3.1, 20)]),
        np.ones(20),
    )
    with open_scene(_scene(tmp_path)) as scene:
        bearings = headings(scene, rows)
        corners = scene.to_lonlat(rows.corners.reshape(-1, 2))
    assert bearings is not None
    assert corners is not None
    quads = corners.reshape(-1, 4, 2)
    bow, stern = quads[:, :2].mean(1), quads[:, 2:].mean(1)
    east = (bow[:, 0] - stern[:, 0]) * np.cos(np.deg2rad(bow[:, 1]))
    expected = np.rad2deg(np.arctan2(east, bow[:, 1] - stern[:, 1])) % 180
    assert np.abs((bearings - expected + 90) % 180 - 90).max() < 0.1


def test_without_a_gsd_or_georeference_nothing_is_made_up(tmp_path: Path, toy: Detector) -> None:
    document = _document(_scene(tmp_path, None), toy, ROWS, gsd_m=None)
    assert document["gsd_m"] is None
    assert document["crs"] is None
    for row in document["detections"]:
        for key in ("length_m", "beam_m", "heading_deg", "lonlat", "corners_lonlat", *MEASURES):
            assert row[key] is None


def test_a_given_gsd_tells_lengths_but_no_places(tmp_path: Path, toy: Detector) -> None:
    with open_scene(_scene(tmp_path, None), SceneOptions(gsd_m=3.0)) as scene:
        first = build_document(scene, toy, _result(ROWS))["detections"][0]
    assert (first["length_m"], first["beam_m"]) == (60.0, 24.0)
    assert first["lonlat"] is None
    assert first["heading_deg"] is None


ERRORS = ErrorsCard(SizeError(3.0, 0.04), SizeError(1.0, 0.0), heading_px=2.0, heading_floor_deg=1.0, level=0.9)
LARGE = Detections.of(
    np.array([[160.0, 120, 100, 18, 0.3], [160, 60, 100, 18, 0.3], [160, 30, 95, 16, 0.0]]),
    np.full(3, 0.9),
    np.array([Kind.TANKER, Kind.OTHER, Kind.TANKER], np.int8),
)


def _with_errors(toy: Detector, errors: ErrorsCard | None = ERRORS) -> Detector:
    return replace(toy, card=replace(toy.card, errors=errors))


@pytest.mark.parametrize("scale", [Scale(), Scale(down=2), Scale(up=3)])
def test_errors_are_those_of_working_px_in_metres(tmp_path: Path, toy: Detector, scale: Scale) -> None:
    with open_scene(_scene(tmp_path, Affine(2.5, 0, 551_000, 0, -2.5, 4_182_000))) as scene:
        first = build_document(scene, _with_errors(toy), _result(LARGE, scale=scale))["detections"][0]
    working = 100 * scale.factor
    assert first["length_m"] == 250.0
    assert first["length_error_m"] == pytest.approx(np.hypot(3, 0.04 * working) * 2.5 / scale.factor, abs=0.051)
    assert first["beam_error_m"] == pytest.approx(2.5 / scale.factor, abs=0.051)
    turn = np.rad2deg(np.arctan2(2, working))
    assert first["heading_error_deg"] == pytest.approx(np.hypot(turn, 1), abs=0.051)


def test_a_tanker_has_the_size_classes_that_its_error_allows(tmp_path: Path, toy: Detector) -> None:
    path = _scene(tmp_path, Affine(2.5, 0, 551_000, 0, -2.5, 4_182_000))
    sure = _document(path, _with_errors(toy, None), LARGE)["detections"]
    assert [(d["size_class"], d["deadweight_t"]) for d in sure] == [
        ("Aframax", [80_000, 120_000]), (None, None), ("Aframax", [80_000, 120_000]),
    ]  # fmt: skip
    assert all(d[key] is None for d in sure for key in MEASURES[:3])
    unsure = _document(path, _with_errors(toy), LARGE)["detections"]
    assert [(d["size_class"], d["deadweight_t"]) for d in unsure] == [
        ("Aframax/Suezmax", [80_000, 200_000]), (None, None), ("Panamax/Aframax", [55_000, 120_000]),
    ]  # fmt: skip


def test_what_is_longer_than_any_tanker_has_no_size_class(tmp_path: Path, toy: Detector) -> None:
    with open_scene(_scene(tmp_path, None), SceneOptions(gsd_m=5.0)) as scene:
        first = build_document(scene, _with_errors(toy), _result(LARGE))["detections"][0]
    assert first["length_m"] == 500.0
    assert (first["size_class"], first["deadweight_t"]) == (None, None)
    assert first["length_error_m"] == 25.0
    assert first["heading_error_deg"] is None, "no heading without a georeference, and so no error of it"


def test_sizes_that_training_never_showed_are_told_in_working_px(tmp_path: Path, toy: Detector) -> None:
    rows = Detections.of(np.array([[50.0, 50, 6, 3, 0], [90, 50, 20, 5, 0], [200, 90, 60, 9, 0]]), np.full(3, 0.9))
    warnings = _document(_scene(tmp_path), toy, rows)["warnings"]
    assert any(w.startswith("2 vessel(s) are shorter or longer than the 8 to 32 px") for w in warnings)
    enlarged = _document(_scene(tmp_path), toy, rows[:2], scale=Scale(up=2))["warnings"]
    assert any(w.startswith("1 vessel(s)") for w in enlarged), "40 px, and 12 px that are fine now"
    reduced = _document(_scene(tmp_path), toy, rows, scale=Scale(down=2))["warnings"]
    assert any(w.startswith("1 vessel(s)") for w in reduced), "3 px; 10 and 30 px are fine"
    assert not _document(_scene(tmp_path), toy, rows[1:2])["warnings"]


def test_what_ran_and_how_is_told(tmp_path: Path, toy: Detector) -> None:
    tiles = TileCounts(9, 6, 2, 1)
    document = _document(
        _scene(tmp_path), toy, ROWS, tiles=tiles, coverage=0.77, scale=Scale(down=2), warnings=["beware"]
    )
    assert document["model"] == {
        "name": "toy",
        "version": "1",
        "sha256": toy.card.sha256,
        "provider": "cpu",
        "precision": "fp32",
    }
    assert document["settings"] == {
        "threshold": 0.5, "working_gsd_m": 0.5, "scale": 0.5, "tile_px": 128, "overlap_px": 32, "stretch": None,
        "found_at_scale": 0.5, "min_length_m": 0.0, "exhaustive": False,
    }  # fmt: skip
    assert document["tiles"] == {"planned": 9, "scored": 6, "skipped": 2, "failed": 1}
    assert document["coverage"] == 0.77
    assert "beware" in document["warnings"]


def test_the_stretch_is_recorded(tmp_path: Path, toy: Detector) -> None:
    bands = np.random.default_rng(0).integers(0, 4000, (3, 60, 60), np.uint16)
    document = _document(write_tiff(tmp_path / "deep.tif", bands), toy, ROWS[:0])
    assert document["settings"]["stretch"]


def test_a_scene_without_vessels_has_an_empty_list_and_its_coverage(tmp_path: Path, toy: Detector) -> None:
    document = _document(_scene(tmp_path), toy, Detections.empty(), coverage=0.0)
    assert document["detections"] == []
    assert document["counts"]["vessel"] == 0
    assert document["coverage"] == 0
