from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio.warp
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from scene_files import HARBOUR, ground, write_tiff

import edge.polygon
from edge.aoi import Aoi, load_aoi
from edge.errors import AoiError
from edge.geometry import Window
from edge.scene import Scale, Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

GREY = np.full((1, 300, 400), 9, np.uint8)
SQUARE = [[100, 50], [300, 50], [300, 250], [100, 250], [100, 50]]
"""In px of the scene."""


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """400 x 300 px of 0.5 m in UTM zone 10."""
    folder = tmp_path_factory.mktemp("harbour")
    return open_scene(write_tiff(folder / "harbour.tif", GREY, crs="EPSG:32610", transform=HARBOUR))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """400 x 300 px without a place on earth."""
    return open_scene(write_tiff(tmp_path_factory.mktemp("plain") / "plain.tif", GREY))


def _lonlat(pixels: Sequence[Sequence[float]]) -> list[list[float]]:
    """Px of the harbour -> degrees, by rasterio alone."""
    points = [ground(HARBOUR, *p) for p in pixels]
    xs, ys = rasterio.warp.transform(CRS.from_epsg(32610), CRS.from_epsg(4326), *zip(*points, strict=True))
    return [[x, y] for x, y in zip(xs, ys, strict=True)]


def _polygon(*rings: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def _load(folder: Path, scene: Scene, document: object) -> Aoi:
    path = folder / "aoi.geojson"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return load_aoi(path, scene)


def _refused(folder: Path, scene: Scene, document: object) -> AoiError:
    with pytest.raises(AoiError) as caught:
        _load(folder, scene, document)
    assert caught.value.subject == str(folder / "aoi.geojson")
    return caught.value


def _wrapped(polygon: dict[str, Any]) -> list[dict[str, Any]]:
    feature = {"type": "Feature", "properties": None, "geometry": polygon}
    return [
        polygon,
        {"type": "MultiPolygon", "coordinates": [polygon["coordinates"]]},
        feature,
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}, feature]},
        {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [0, 0]}, polygon]},
    ]


@pytest.mark.parametrize("wrapping", range(5))
def test_all_wrappings_of_a_polygon_in_degrees(tmp_path: Path, harbour: Scene, wrapping: int) -> None:
    aoi = _load(tmp_path, harbour, _wrapped(_polygon(_lonlat(SQUARE)))[wrapping])
    assert aoi.bounds == pytest.approx((100, 50, 300, 250), abs=1e-3)
    assert aoi.contains(np.array([[101, 51], [299, 249], [99, 150], [200, 251]])).tolist() == [True, True, False, False]
    mask = aoi.mask(Window(0, 0, 400, 300), Scale())
    assert mask.sum() == 200 * 200
    assert mask[50:250, 100:300].all()
    assert aoi.warnings == []


def test_pixels_where_the_scene_is_not_georeferenced(tmp_path: Path, plain: Scene) -> None:
    hole = [[150, 100], [200, 100], [200, 150], [150, 150], [150, 100]]
    aoi = _load(tmp_path, plain, _polygon(SQUARE, hole))
    mask = aoi.mask(Window(0, 0, 400, 300), Scale())
    assert mask.sum() == 200 * 200 - 50 * 50
    assert not mask[100:150, 150:200].any()
    assert aoi.mask(Window(0, 0, 200, 150), Scale(down=2)).sum() == 100 * 100 - 25 * 25
    assert aoi.mask(Window(0, 0, 800, 600), Scale(up=2)).sum() == 400 * 400 - 100 * 100


def test_of_polygons_that_overlap_the_union_counts(tmp_path: Path, plain: Scene) -> None:
    shifted = [[x + 50, y] for x, y in SQUARE]
    aoi = _load(tmp_path, plain, {"type": "MultiPolygon", "coordinates": [[SQUARE], [shifted]]})
    assert aoi.mask(Window(0, 0, 400, 300), Scale()).sum() == 250 * 200


def test_heights_and_a_byte_order_mark_do_no_harm(tmp_path: Path, plain: Scene) -> None:
    path = tmp_path / "aoi.geojson"
    path.write_text(json.dumps(_polygon([[x, y, 7.5] for x, y in SQUARE])), encoding="utf-8-sig")
    assert load_aoi(path, plain).bounds == (100, 50, 300, 250)


@pytest.mark.parametrize("name", ["EPSG:32610", "urn:ogc:def:crs:EPSG::32610", "urn:ogc:def:crs:EPSG:6.3:32610"])
def test_an_old_style_crs_is_obeyed(tmp_path: Path, harbour: Scene, name: str) -> None:
    points = [ground(HARBOUR, *p) for p in SQUARE]
    crs = {"type": "name", "properties": {"name": name}}
    aoi = _load(tmp_path, harbour, {**_polygon(points), "crs": crs})
    assert aoi.bounds == pytest.approx((100, 50, 300, 250), abs=1e-6)


def test_crs84_by_name_is_longitude_and_latitude(tmp_path: Path, harbour: Scene) -> None:
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326"):
        crs = {"type": "name", "properties": {"name": name}}
        aoi = _load(tmp_path, harbour, {**_polygon(_lonlat(SQUARE)), "crs": crs})
        assert aoi.bounds == pytest.approx((100, 50, 300, 250), abs=1e-3)


def test_long_edges_are_straight_in_degrees(tmp_path: Path) -> None:
    transform = Affine(30, 0, 551000, 0, -30, 4182000)  # 12 km wide
    with open_scene(write_tiff(tmp_path / "wide.tif", GREY, crs="EPSG:32610", transform=transform)) as scene:
        ring = np.array([[-123.5, 37.75], [-121.5, 37.75], [-121.5, 38.5], [-123.5, 38.5]])
        aoi = _load(tmp_path, scene, _polygon(ring.tolist()))
        middle = scene.from_lonlat(np.array([[-122.39, 37.75]]))
        assert middle is not None
        x, edge_y = middle[0]
        assert 0 < x < 400
        assert aoi.contains(np.array([[x, edge_y - 0.01], [x, edge_y + 0.01]])).tolist() == [True, False]


def test_reaching_beyond_the_scene_is_told(tmp_path: Path, harbour: Scene, plain: Scene) -> None:
    wide = [[100, 50], [900, 50], [900, 250], [100, 250]]
    for scene, ring in ((plain, wide), (harbour, _lonlat(wide))):
        aoi = _load(tmp_path, scene, _polygon(ring))
        assert aoi.mask(Window(0, 0, 400, 300), Scale()).sum() == 300 * 200
        assert "beyond the scene" in aoi.warnings[0]


# Errors


def test_outside_the_scene(tmp_path: Path, harbour: Scene, plain: Scene) -> None:
    away = [[x + 1000, y] for x, y in SQUARE]
    error = _refused(tmp_path, plain, _polygon(away))
    assert "outside the scene" in error.cause
    assert "pixels" in error.mend
    error = _refused(tmp_path, harbour, _polygon(_lonlat(away)))
    assert "outside the scene" in error.cause
    assert "longitude -122.4" in error.mend
    assert "latitude 37.7" in error.mend


def test_round_the_scene_without_touching_it(tmp_path: Path, plain: Scene) -> None:
    frame = [[-50, -50], [500, -50], [500, 400], [-50, 400]]
    hole = [[-10, -10], [450, -10], [450, 350], [-10, 350]]
    assert "covers no pixel" in _refused(tmp_path, plain, _polygon(frame, hole)).cause


def test_between_the_centres_of_px(tmp_path: Path, plain: Scene) -> None:
    speck = [[10.1, 10.1], [10.3, 10.1], [10.3, 10.3]]
    assert "covers no pixel" in _refused(tmp_path, plain, _polygon(speck)).cause


def test_coordinates_of_another_system(tmp_path: Path, harbour: Scene) -> None:
    error = _refused(tmp_path, harbour, _polygon([ground(HARBOUR, *p) for p in SQUARE]))
    assert "(551050, 4181975) is no longitude and latitude" in error.cause
    assert "4326" in error.mend


def test_latitude_before_longitude(tmp_path: Path, harbour: Scene, tmp_path_factory: pytest.TempPathFactory) -> None:
    swapped = [[y, x] for x, y in _lonlat(SQUARE)]  # latitude -122 is none
    assert "swapped" in _refused(tmp_path, harbour, _polygon(swapped)).mend
    folder = tmp_path_factory.mktemp("rotterdam")
    transform = Affine(1e-5, 0, 4, 0, -1e-5, 52.003)
    path = write_tiff(folder / "rotterdam.tif", GREY, crs="EPSG:4326", transform=transform)
    with open_scene(path) as rotterdam:  # 4 and 52 would both do for a latitude
        ring = [[4.001, 52.001], [4.002, 52.001], [4.002, 52.002]]
        assert _load(tmp_path, rotterdam, _polygon(ring)).bounds[0] == pytest.approx(100)
        error = _refused(tmp_path, rotterdam, _polygon([[y, x] for x, y in ring]))
        assert "outside" in error.cause
        assert "swapped" in error.mend


def test_a_crs_for_a_scene_without_one(tmp_path: Path, plain: Scene) -> None:
    crs = {"type": "name", "properties": {"name": "EPSG:4326"}}
    error = _refused(tmp_path, plain, {**_polygon(SQUARE), "crs": crs})
    assert "not georeferenced" in error.cause


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "name", "properties": {"name": "EPSG:99999999"}},
        {"type": "name", "properties": {"name": "http://127.0.0.1:1/wkt"}},
        {"type": "name", "properties": {"name": "/etc/hostname"}},
        {"type": "name", "properties": {"name": 32610}},
        {"type": "link", "properties": {"href": "http://127.0.0.1:1/"}},
        "EPSG:4326",
    ],
)
def test_a_crs_that_is_not_understood(tmp_path: Path, harbour: Scene, crs: object) -> None:
    assert "not understood" in _refused(tmp_path, harbour, {**_polygon(_lonlat(SQUARE)), "crs": crs}).cause


def test_no_place_in_the_scenes_system(tmp_path: Path) -> None:
    local = 'LOCAL_CS["port grid",UNIT["metre",1]]'
    with open_scene(write_tiff(tmp_path / "s.tif", GREY, crs=local, transform=HARBOUR)) as scene:
        assert "no place" in _refused(tmp_path, scene, _polygon(_lonlat(SQUARE))).cause


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "no GeoJSON object"),
        ("{}", "is not valid GeoJSON"),
        ({"type": "Topology"}, "'Topology' is unknown"),
        ({"type": "FeatureCollection", "features": []}, "has no polygon"),
        ({"type": "FeatureCollection"}, "is not valid GeoJSON"),
        ({"type": "FeatureCollection", "features": [7]}, "is not valid GeoJSON"),
        ({"type": "Point", "coordinates": [1, 2]}, "has no polygon"),
        ({"type": "Polygon", "coordinates": []}, "has no polygon"),
        ({"type": "Polygon", "coordinates": 5}, "is not valid GeoJSON"),
        ({"type": "Polygon", "coordinates": [[]]}, "has 0 corners"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2]]]}, "has 2 corners"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3], [5, 6]]]}, "is not valid GeoJSON"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, "x"], [5, 6]]]}, "is not valid GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[1, 2], [3, NaN], [5, 6]]]}', "not a finite number"),
    ],
)
def test_files_that_are_no_area(tmp_path: Path, plain: Scene, document: object, cause: str) -> None:
    error = _refused(tmp_path, plain, document)
    assert cause in error.cause
    assert "GeoJSON" in error.mend


def test_files_that_cannot_be_read(tmp_path: Path, plain: Scene) -> None:
    with pytest.raises(AoiError, match="does not exist"):
        load_aoi(tmp_path / "no.geojson", plain)
    with pytest.raises(AoiError, match="is a folder"):
        load_aoi(tmp_path, plain)
    (tmp_path / "aoi.geojson").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(AoiError, match="is not JSON"):
        load_aoi(tmp_path / "aoi.geojson", plain)


# Arithmetic, against shapely


def _star(rng: np.random.Generator, corners: int, centre: tuple[float, float], radius: float) -> NDArray[np.float64]:
    """A simple polygon round its centre: corners in order of their bearing, no two far apart."""
    bearing = (np.arange(corners) + 0.9 * rng.random(corners)) / corners * 2 * np.pi
    reach = radius * rng.uniform(0.3, 1, corners)
    return np.stack([np.cos(bearing), np.sin(bearing)], 1) * reach[:, None] + centre


@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
@settings(max_examples=60, deadline=None)
def test_contains_agrees_with_shapely(seed: int, corners: int) -> None:
    rng = np.random.default_rng(seed)
    outline, hole = _star(rng, corners, (50, 40), 45), _star(rng, 5, (50, 40), 10)
    polygon = shapely.Polygon(outline).symmetric_difference(
        shapely.Polygon(hole)
    )  # the even-odd rule, where they cross
    points = rng.uniform(-10, 110, (500, 2))
    clear = shapely.distance(shapely.points(points), polygon.boundary) > 1e-6
    assert np.array_equal(Aoi([[outline, hole]]).contains(points)[clear], shapely.contains_xy(polygon, points)[clear])


WHOLE_CORNERS = st.lists(st.tuples(st.integers(-3, 14), st.integers(-3, 14)), min_size=3, max_size=9, unique=True)


@given(WHOLE_CORNERS, st.sampled_from([Scale(), Scale(up=2), Scale(up=4), Scale(down=2), Scale(down=3)]), st.data())
@settings(max_examples=150, deadline=None)
def test_a_mask_is_what_contains_says_of_the_centres(
    corners: list[tuple[int, int]], scale: Scale, data: st.DataObject
) -> None:
    ring = np.array(corners, np.float64) / 2  # corners and level edges lie on centres of px, where it is delicate
    aoi = Aoi([[ring]])
    window = Window(*(data.draw(st.integers(-4, 9)) for _ in "xy"), *(data.draw(st.integers(1, 12)) for _ in "wh"))
    columns, rows = np.meshgrid(np.arange(window.x, window.right), np.arange(window.y, window.bottom))
    centres = (np.stack([columns, rows], 2).reshape(-1, 2) + 0.5) / scale.factor
    assert np.array_equal(aoi.mask(window, scale).ravel(), aoi.contains(centres))


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
@settings(max_examples=100, deadline=None)
def test_areas_that_share_an_edge_share_no_point_and_leave_none(a: float, b: float, c: float) -> None:
    left = np.array([[-2e3, -2e3], [a, -2e3], [b, c], [a, 2e3], [-2e3, 2e3]])
    right = np.array([[2e3, 2e3], [a, 2e3], [b, c], [a, -2e3], [2e3, -2e3]])
    points = np.array([[a, 0.0], [b, c], [b, c / 2], [(a + b) / 2, (c - 2e3) / 2], [(a + b) / 2, (c + 2e3) / 2]])
    assert np.array_equal(Aoi([[left]]).contains(points), ~Aoi([[right]]).contains(points))


def test_many_points_are_taken_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    aoi, points = Aoi([[_star(rng, 30, (0, 0), 10)]]), rng.uniform(-10, 10, (999, 2))
    whole = aoi.contains(points)
    monkeypatch.setattr(edge.polygon, "_CHUNK", 100)
    assert np.array_equal(aoi.contains(points), whole)
    assert 0 < whole.sum() < 999


def test_areas_that_would_take_all_memory_or_hours_are_refused(tmp_path: Path, plain: Scene, harbour: Scene) -> None:
    """A mask costs by row as many steps as outlines cross it; a long edge is cut into thousands of pieces."""
    comb = [[n % 400, 300 * (n % 2)] for n in range(5000)]
    dots = [[[[n % 390, 1], [n % 390 + 1, 1], [n % 390, 2]]] for n in range(10_001)]
    for scene, document, cause in (
        (plain, _polygon(comb), "crosses one row of pixels 5,000 times"),
        (plain, _polygon([[n % 400, n // 400] for n in range(200_001)]), "has 200,001 corners in 1 polygons"),
        (plain, {"type": "MultiPolygon", "coordinates": dots}, "has 30,003 corners in 10,001 polygons"),
        (harbour, _polygon([[-180 + 360 * (n % 2), n / 10] for n in range(800)]), "far longer than a scene"),
    ):
        with pytest.raises(AoiError) as caught:
            _load(tmp_path, scene, document)
        assert cause in caught.value.cause
        assert "simplify" in caught.value.mend


def test_thousands_of_small_polygons_are_looked_at_one_by_one_and_only_where_they_are(
    tmp_path: Path, plain: Scene
) -> None:
    corners = [(8 * (n % 49), 8 * (n // 49)) for n in range(49 * 37)]
    dots = [[[[x + 1, y + 1], [x + 4, y + 1], [x + 4, y + 4], [x + 1, y + 4]]] for x, y in corners]
    aoi = _load(tmp_path, plain, {"type": "MultiPolygon", "coordinates": dots})
    whole = aoi.mask(Window(0, 0, 400, 300), Scale())
    assert whole.sum() == 9 * len(dots)
    assert whole[1:4, 1:4].all()
    window = Window(37, 21, 111, 87)
    assert (aoi.mask(window, Scale()) == whole[21:108, 37:148]).all()
    centres = np.stack(np.meshgrid(np.arange(400) + 0.5, np.arange(300) + 0.5), -1).reshape(-1, 2)
    assert (aoi.contains(centres).reshape(300, 400) == whole).all()
