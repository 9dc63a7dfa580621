from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from scene_files import HARBOUR, ground, write_tiff

from edge.georef import Georef, metres_per_degree
from edge.scene import SceneOptions, open_scene

if TYPE_CHECKING:
    from pathlib import Path

GREY = np.full((1, 100, 200), 9, np.uint8)
UTM10 = CRS.from_epsg(32610)


def test_utm_px_are_as_large_as_the_file_says(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", GREY, crs=UTM10, transform=HARBOUR)
    with open_scene(path) as scene:
        assert scene.gsd_m == 0.5
        assert scene.crs == "EPSG:32610"
        assert scene.warnings == []
        corner = np.array([[200.0, 100.0]])
        assert scene.to_ground(corner) == pytest.approx(np.array([[551100.0, 4181950.0]]))
        lonlat = scene.to_lonlat(corner)
        assert lonlat is not None
        assert lonlat == pytest.approx(np.array([[-122.418, 37.785]]), abs=1e-2)
        assert scene.from_lonlat(lonlat) == pytest.approx(corner, abs=1e-4)


def test_feet_become_metres(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", GREY, crs="EPSG:2227", transform=Affine(2, 0, 6e6, 0, -2, 2.1e6))
    with open_scene(path) as scene:
        assert scene.gsd_m == pytest.approx(2 * 1200 / 3937, rel=1e-9)


@pytest.mark.parametrize(("latitude", "northing"), [(0.0, 0.0), (51.95, 6792500.0), (-60.0, -8399737.9)])
def test_web_mercator_is_corrected_for_latitude(tmp_path: Path, latitude: float, northing: float) -> None:
    transform = Affine(0.6, 0, 460000, 0, -0.6, northing + 30)
    with open_scene(write_tiff(tmp_path / "scene.tif", GREY, crs="EPSG:3857", transform=transform)) as scene:
        assert scene.gsd_m == pytest.approx(0.6 * np.cos(np.radians(latitude)), rel=5e-3)
        assert scene.warnings == []


@pytest.mark.parametrize("latitude", [0.0, 37.8, 68.9])
def test_degrees_become_metres_at_the_centre(tmp_path: Path, latitude: float) -> None:
    step = 1e-5
    transform = Affine(step, 0, 20, 0, -step, latitude + 50 * step)
    with open_scene(write_tiff(tmp_path / "scene.tif", GREY, crs="EPSG:4326", transform=transform)) as scene:
        square = step * 111_195 * np.sqrt(np.cos(np.radians(latitude)))
        assert scene.gsd_m == pytest.approx(square, rel=6e-3)
        assert ("not square" in "".join(scene.warnings)) == (latitude > 20)


def test_metres_per_degree_agree_with_a_projection_true_to_scale_there() -> None:
    for latitude in (0.0, 37.8, 68.9):
        local = CRS.from_proj4(f"+proj=aeqd +lat_0={latitude} +lon_0=0 +datum=WGS84")
        georef = Georef(CRS.from_epsg(4326), Affine.identity())
        around = np.array([[1e-4, latitude], [0, latitude + 1e-4]])
        points = np.array([rasterio.warp.transform(CRS.from_epsg(4326), local, *around.T)]).reshape(2, 2)
        assert metres_per_degree(latitude) == pytest.approx((points[0, 0] * 1e4, points[1, 1] * 1e4), rel=1e-6)
        assert georef.to_lonlat(around) == pytest.approx(around)


def test_px_that_are_not_square_are_told(tmp_path: Path) -> None:
    for side, told in ((0.5, False), (0.52, False), (0.6, True)):
        transform = Affine(0.5, 0, 551000, 0, -side, 4182000)
        with open_scene(write_tiff(tmp_path / "scene.tif", GREY, crs=UTM10, transform=transform)) as scene:
            assert scene.gsd_m == pytest.approx(np.sqrt(0.5 * side))
            assert any("not square" in warning for warning in scene.warnings) == told


@given(st.floats(0, 7), st.floats(0.1, 20), st.floats(0.1, 20))
@settings(max_examples=30, deadline=None)
def test_turned_scenes_work(angle: float, width: float, height: float) -> None:
    cos, sin = math.cos(angle), math.sin(angle)
    transform = Affine(cos * width, sin * height, 551000, sin * width, -cos * height, 4182000)
    georef = Georef(UTM10, transform)
    assert georef.pixel_size_m(10, 10) == pytest.approx((width, height))
    xy = np.array([[0.0, 0.0], [7.5, 3.25], [-4.0, 900.0]])
    assert georef.to_ground(xy) == pytest.approx(np.array([ground(transform, *p) for p in xy]))
    assert georef.from_lonlat(georef.to_lonlat(xy)) == pytest.approx(xy, abs=1e-4)


def test_points_are_mapped_alike_in_any_company() -> None:
    georef = Georef(UTM10, HARBOUR)
    xy = np.random.default_rng(0).random((257, 2)) * 1e4
    together = georef.to_ground(xy)
    assert all(np.array_equal(georef.to_ground(xy[i : i + 1])[0], together[i]) for i in range(257))


def test_no_points_and_points_off_the_map() -> None:
    georef = Georef(UTM10, HARBOUR)
    assert georef.to_lonlat(np.empty((0, 2))).shape == (0, 2)
    out = georef.from_lonlat(np.array([[np.nan, 1.0], [-122.4, 37.8]]))
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()


def test_the_option_counts_where_the_file_says_nothing(tmp_path: Path) -> None:
    with open_scene(write_tiff(tmp_path / "scene.tif", GREY), SceneOptions(gsd_m=0.7)) as scene:
        assert scene.gsd_m == 0.7
        assert scene.warnings == []


@pytest.mark.parametrize(("given_m", "told"), [(0.5, 0), (0.51, 0), (1.0, 1)])
def test_the_option_overrules_the_file_and_says_so(tmp_path: Path, given_m: float, told: int) -> None:
    path = write_tiff(tmp_path / "scene.tif", GREY, crs=UTM10, transform=HARBOUR)
    with open_scene(path, SceneOptions(gsd_m=given_m)) as scene:
        assert scene.gsd_m == given_m
        assert sum("0.5 m" in warning for warning in scene.warnings) == told


def test_a_transform_without_a_crs_is_no_georeference(tmp_path: Path) -> None:
    with open_scene(write_tiff(tmp_path / "scene.tif", GREY, transform=HARBOUR)) as scene:
        assert (scene.gsd_m, scene.crs, scene.to_lonlat(np.zeros((1, 2)))) == (None, None, None)
        assert "no CRS" in scene.warnings[0]


def test_a_transform_without_area_is_no_georeference(tmp_path: Path) -> None:
    flat = Affine(0.5, 0, 551000, 0.5, 0, 4182000)
    with open_scene(write_tiff(tmp_path / "scene.tif", GREY, crs=UTM10, transform=flat)) as scene:
        assert (scene.gsd_m, scene.crs) == (None, None)
        assert "no area" in scene.warnings[0]


def test_control_points_alone_are_no_georeference(tmp_path: Path) -> None:
    points = [GroundControlPoint(row, col, 20 + col / 1e4, 5 - row / 1e4) for row in (0, 99) for col in (0, 199)]
    path = write_tiff(tmp_path / "scene.tif", GREY, gcps=points, crs="EPSG:4326")
    with open_scene(path) as scene:
        assert (scene.gsd_m, scene.crs) == (None, None)
        assert "ground control points" in scene.warnings[0]
        assert "gdalwarp" in scene.warnings[0]


def test_a_local_crs_has_a_ground_but_no_longitude(tmp_path: Path) -> None:
    local = 'LOCAL_CS["port grid",UNIT["metre",1]]'
    transform = Affine(0.3, 0, 10, 0, -0.3, 500)
    with open_scene(write_tiff(tmp_path / "scene.tif", GREY, crs=local, transform=transform)) as scene:
        assert scene.gsd_m is None
        assert scene.to_ground(np.array([[10.0, 10.0]])) == pytest.approx(np.array([[13.0, 497.0]]))
        assert scene.to_lonlat(np.zeros((1, 2))) is None
        assert scene.from_lonlat(np.zeros((1, 2))) is None
        assert "longitude" in scene.warnings[0]
