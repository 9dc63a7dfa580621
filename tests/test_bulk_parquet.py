"""The Parquet files of a run, as DuckDB, GeoPandas and pyarrow read them; shapely judges the outlines."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import duckdb
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import shapely.geometry
from bulk_rows import MODEL, START, rows_of, scene_row
from scene_documents import fleet, vessel
from small_disk import largest_file

from edge.bulk.tables import parquet
from edge.bulk.tables.geo import Summary, outline, wkb
from edge.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.bulk.row import SceneRow

TEXT, WHOLE, REAL, TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME = pa.timestamp("us", "UTC")
SCENES = {
    "number": WHOLE, "scene": TEXT, "place": TEXT, "terminal": TEXT, "time": TIME, "time_source": TEXT, "state": TEXT,
    "width": WHOLE, "height": WHOLE, "gsd_m": REAL, "crs": TEXT, "tanker": WHOLE, "other": WHOLE, "unknown": WHOLE,
    "vessel": WHOLE, "tanker_low": WHOLE, "tanker_high": WHOLE, "vessel_low": WHOLE, "vessel_high": WHOLE,
    "coverage": REAL, "tiles_planned": WHOLE, "tiles_scored": WHOLE, "tiles_skipped": WHOLE, "tiles_failed": WHOLE,
    "model": TEXT, "model_version": TEXT, "model_sha256": TEXT, "provider": TEXT, "precision": TEXT, "threshold": REAL,
    "content": TEXT, "warnings": TEXT, "failure": TEXT, "synthetic": TRUTH,
}  # fmt: skip
DETECTIONS = {
    "scene_number": WHOLE, "scene": TEXT, "place": TEXT, "terminal": TEXT, "time": TIME, "id": WHOLE, "kind": TEXT,
    "score": REAL, "kind_score": REAL, "length_m": REAL, "beam_m": REAL, "heading_deg": REAL, "length_error_m": REAL,
    "beam_error_m": REAL, "heading_error_deg": REAL, "size_class": TEXT, "deadweight_low_t": WHOLE,
    "deadweight_high_t": WHOLE, "near_threshold": TRUTH, "x1": REAL, "y1": REAL, "x2": REAL, "y2": REAL, "x3": REAL,
    "y3": REAL, "x4": REAL, "y4": REAL, "lon": REAL, "lat": REAL, "geometry": pa.binary(),
}  # fmt: skip
BARE = {"gsd_m": None, "warnings": [], "model": {}, "settings": {}, "synthetic": None, "coverage": float("nan")}
MIXED = [
    scene_row(1, "north", START, 2, 3),
    scene_row(2, "north", None, 1, 1, georeferenced=False),
    scene_row(3, None, state="failed"),
    scene_row(4, "south", START + timedelta(days=1, microseconds=5), 3, 0, state="partial"),
    scene_row(5, None, None, 0, 0, **BARE),
]
UNPLACED = [scene_row(1, georeferenced=False), scene_row(2, georeferenced=False)]


def _written(scenes: list[SceneRow], folder: Path) -> Path:
    parquet.write(rows_of(scenes), folder)
    return folder


def _vessels(scenes: list[SceneRow]) -> list[dict[str, Any]]:
    return [vessel for row in scenes if row.document for vessel in row.document["detections"]]


def _geo(folder: Path) -> dict[str, Any]:
    metadata = pq.read_metadata(folder / "detections.parquet").metadata
    return dict(json.loads(metadata[b"geo"]))


# --- what the files are ---


@pytest.mark.parametrize(
    "scenes", [[], MIXED, UNPLACED, MIXED[2:3], MIXED[4:]], ids=["none", "mixed", "px", "failed", "bare"]
)
def test_the_schema_does_not_depend_on_the_data(scenes: list[SceneRow], tmp_path: Path) -> None:
    out = _written(scenes, tmp_path)
    for name, expected in (("scenes", SCENES), ("detections", DETECTIONS)):
        schema = pq.read_schema(out / f"{name}.parquet")
        assert dict(zip(schema.names, schema.types, strict=True)) == expected
        assert list(schema.names) == list(expected)
        assert all(schema.field(column).nullable for column in schema.names)


def test_columns_are_compressed_and_nothing_of_this_run_is_in_the_metadata(tmp_path: Path) -> None:
    out = _written(MIXED, tmp_path)
    for name, keys in (("scenes", None), ("detections", {b"geo"})):
        metadata = pq.read_metadata(out / f"{name}.parquet")
        group = metadata.row_group(0)
        assert {group.column(i).compression for i in range(metadata.num_columns)} == {"ZSTD"}
        assert (metadata.metadata and set(metadata.metadata)) == keys
        assert metadata.created_by.startswith("tanker-edge version ")


def test_row_groups_are_bounded_and_all_rows_are_there_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BATCH", 7)
    monkeypatch.setattr(parquet, "GROUP", 20)
    scenes = [scene_row(i, tankers=i % 4, others=0) for i in range(1, 51)]
    out = _written(scenes, tmp_path)
    metadata = pq.read_metadata(out / "detections.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [20, 20, 20, 15]
    table = pq.read_table(out / "detections.parquet").to_pydict()
    assert list(zip(table["scene_number"], table["id"], strict=True)) == [
        (row.number, i + 1) for row in scenes for i in range(row.number % 4)
    ]


def test_rows_are_written_while_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were they gathered first, an archive would have to fit into memory."""
    monkeypatch.setattr(parquet, "BATCH", 64)
    monkeypatch.setattr(parquet, "GROUP", 256)
    sizes = []

    def rows() -> Iterator[SceneRow]:
        for number in range(1, 2001):
            sizes.extend(path.stat().st_size for path in tmp_path.glob(".*.tmp"))
            yield replace(scene_row(number, tankers=0, others=0), content=sha256(b"%d" % number).hexdigest())

    parquet.write_table(tmp_path / "scenes.parquet", parquet.SCENES, rows())
    assert len(sizes) == 2000
    assert 0 < sizes[1000] < sizes[-1] < (tmp_path / "scenes.parquet").stat().st_size


def test_no_more_rows_are_asked_for_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH", 64)
    monkeypatch.setattr(parquet, "GROUP", 256)
    taken = 0

    def rows() -> Iterator[SceneRow]:
        nonlocal taken
        for taken in range(1, 5001):
            yield replace(scene_row(taken, tankers=0, others=0), content=sha256(b"%d" % taken).hexdigest())

    with largest_file(20_000), pytest.raises(OutputError, match=r"scenes\.parquet: is larger than a file may be"):
        parquet.write_table(tmp_path / "scenes.parquet", parquet.SCENES, rows())
    assert 256 <= taken <= 1000


# --- what they say ---


def test_duckdb_finds_every_scene_with_its_counts(tmp_path: Path) -> None:
    out = _written(MIXED, tmp_path)
    documents = [row.document for row in MIXED if row.document]
    asked = duckdb.execute(
        "select count(*), count(width), sum(tanker), sum(other), sum(vessel), sum(vessel_high), sum(tiles_failed), "
        "count(coverage), count(model), count(failure), count(time), max(time) from read_parquet(?)",
        [str(out / "scenes.parquet")],
    )
    expected = (
        5, 4, *(sum(d["counts"][kind] for d in documents) for kind in ("tanker", "other", "vessel")),
        sum(d["interval"]["vessel"][1] for d in documents), 1, 3, 3, 2, 3, START + timedelta(days=1, microseconds=5),
    )  # fmt: skip
    assert asked.fetchall() == [expected]


def test_every_cell_of_a_scene_is_what_its_row_says(tmp_path: Path) -> None:
    first, _, failed, partial, bare = pq.read_table(_written(MIXED, tmp_path) / "scenes.parquet").to_pylist()
    assert first == {
        "number": 1, "scene": "scene-00001.tif", "place": "/archive/north/scene-00001.tif", "terminal": "north",
        "time": START, "time_source": "tiff", "state": "done", "width": 800, "height": 600, "gsd_m": 1.0,
        "crs": "EPSG:32610", "tanker": 2, "other": 3, "unknown": 0, "vessel": 5, "tanker_low": 2, "tanker_high": 3,
        "vessel_low": 4, "vessel_high": 7, "coverage": 1.0, "tiles_planned": 4, "tiles_scored": 4, "tiles_skipped": 0,
        "tiles_failed": 0, "model": "toy", "model_version": "1", "model_sha256": MODEL["sha256"], "provider": "cpu",
        "precision": "fp32", "threshold": 0.25, "content": f"{1:064x}", "warnings": None, "failure": None,
        "synthetic": False,
    }  # fmt: skip
    assert {key for key, value in failed.items() if value is not None} == {
        "number", "scene", "place", "time", "time_source", "state", "content", "failure",
    }  # fmt: skip
    assert (partial["state"], partial["failure"], partial["coverage"]) == ("partial", "the file is truncated", 0.75)
    unknown = ("gsd_m", "warnings", "model", "provider", "threshold", "synthetic", "coverage", "time", "terminal")
    assert [bare[key] for key in unknown] == [None] * len(unknown)


def test_duckdb_finds_every_vessel(tmp_path: Path) -> None:
    out, vessels = _written(MIXED, tmp_path), _vessels(MIXED)
    asked = duckdb.execute(
        "select count(*), count(geometry), count(lon), sum(score), sum(x1 + x2 + x3 + x4), sum(lat), "
        "sum(deadweight_high_t), count(distinct (scene_number, id)) "
        "from read_parquet(?)",
        [str(out / "detections.parquet")],
    )
    placed = [v for v in vessels if v["lonlat"]]
    expected = (
        len(vessels), len(placed), len(placed), sum(v["score"] for v in vessels),
        sum(x for v in vessels for x, _ in v["corners"]), sum(v["lonlat"][1] for v in placed),
        sum(v["deadweight_t"][1] for v in vessels if v["deadweight_t"]), len(vessels),
    )  # fmt: skip
    assert asked.fetchall()[0] == pytest.approx(expected)
    joined = duckdb.execute(
        "select d.terminal, count(*) from read_parquet(?) s join read_parquet(?) d "
        "on s.number = d.scene_number and s.place = d.place group by d.terminal",
        [str(out / "scenes.parquet"), str(out / "detections.parquet")],
    )
    assert dict(joined.fetchall()) == {"north": 7, "south": 3}


def test_every_cell_of_a_vessel_is_what_its_document_says(tmp_path: Path) -> None:
    found = pq.read_table(_written(MIXED[:1], tmp_path) / "detections.parquet").to_pylist()
    for row, said in zip(found, _vessels(MIXED[:1]), strict=True):
        same = {key: said[key] for key in row if key in said}
        assert len(same) == 12
        assert same.items() <= row.items()
        assert [[row[f"x{i}"], row[f"y{i}"]] for i in (1, 2, 3, 4)] == said["corners"]
        assert [row["lon"], row["lat"]] == said["lonlat"]
        assert (said["deadweight_t"] or [None, None]) == [row["deadweight_low_t"], row["deadweight_high_t"]]
        assert (row["scene_number"], row["place"], row["time"]) == (1, str(MIXED[0].place), START)


# --- outlines ---


def test_geopandas_finds_every_outline_in_its_place(tmp_path: Path) -> None:
    scenes = [scene_row(1, detections=fleet()), *UNPLACED[1:]]
    frame = geopandas.read_parquet(_written(scenes, tmp_path) / "detections.parquet")
    assert frame.crs == "OGC:CRS84"
    corners = [v["corners_lonlat"] for v in _vessels(scenes)]
    assert [g is None for g in frame.geometry] == [c is None for c in corners]
    assert all(a.equals(shapely.Polygon(b)) for a, b in zip(frame.geometry, corners, strict=True) if b)
    known = np.array([c for c in corners if c])
    bounds = [*known.min((0, 1)), *known.max((0, 1))]
    assert frame.total_bounds.tolist() == _geo(tmp_path)["columns"]["geometry"]["bbox"] == bounds
    assert str(duckdb.read_parquet(str(tmp_path / "detections.parquet")).types[-1]) == "GEOMETRY('OGC:CRS84')"


def test_the_metadata_are_those_of_geoparquet(tmp_path: Path) -> None:
    told = _geo(_written(MIXED, tmp_path))
    assert (told["version"], told["primary_column"], list(told["columns"])) == ("1.1.0", "geometry", ["geometry"])
    column = told["columns"]["geometry"]
    column.pop("bbox")
    assert column == {
        "encoding": "WKB", "geometry_types": ["Polygon"], "edges": "planar", "orientation": "counterclockwise",
    }  # fmt: skip


@pytest.mark.parametrize("scenes", [[], UNPLACED], ids=["none", "px"])
def test_it_is_geoparquet_also_where_nothing_is_georeferenced(scenes: list[SceneRow], tmp_path: Path) -> None:
    out = _written(scenes, tmp_path)
    column = _geo(out)["columns"]["geometry"]
    assert column["geometry_types"] == []
    assert "bbox" not in column
    frame = geopandas.read_parquet(out / "detections.parquet")
    assert len(frame) == len(_vessels(scenes))
    assert frame.geometry.isna().all()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("x", [-100, 0, 5, 30, 50, 60, 100, 200])
def test_outlines_are_valid_counterclockwise_and_cut_at_the_antimeridian(x: int, mirrored: bool) -> None:  # noqa: FBT001
    """The antimeridian runs at x = 50 px; a scene may be mirrored."""
    row = vessel(1, (x, 80, 70, 20, 0.7), north_west=(180 - 50e-5, 52.0))
    if mirrored:
        row["corners_lonlat"].reverse()
    shape = shapely.from_wkb(wkb(outline(row)) or b"")
    assert shape.is_valid
    parts = list(getattr(shape, "geoms", [shape]))
    assert all(part.exterior.is_ccw and part.exterior.is_closed for part in parts)
    assert all(-180 <= lon <= 180 for part in parts for lon in part.exterior.xy[0])
    pixels = shapely.Polygon(row["corners"])
    assert len(parts) == sum(
        pixels.intersects(side) for side in (shapely.box(-500, 0, 50, 600), shapely.box(50, 0, 900, 600))
    )
    assert shape.area == pytest.approx(pixels.area * 1e-10, rel=0.01)
    assert (shape.geom_type == "MultiPolygon") == (len(parts) == 2)


def test_outlines_on_both_sides_of_the_antimeridian_are_read_and_summed_up(tmp_path: Path) -> None:
    there = [vessel(i + 1, (x, 80, 70, 20, 0.7), north_west=(180 - 50e-5, 52.0)) for i, x in enumerate((-100, 50, 200))]
    out = _written([scene_row(1, detections=there)], tmp_path)
    column = _geo(out)["columns"]["geometry"]
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    frame = geopandas.read_parquet(out / "detections.parquet")
    assert column["bbox"] == frame.total_bounds.tolist()
    assert column["bbox"][::2] == [-180, 180]
    assert frame.geometry.is_valid.all()


def test_well_known_binary_is_shapely_s_own() -> None:
    for row in fleet(12):
        polygon = outline(row)
        assert polygon
        assert wkb(polygon) == shapely.to_wkb(shapely.geometry.shape(polygon), byte_order=1)
    assert wkb(None) is None


def test_a_summary_of_nothing_has_no_bounds() -> None:
    summary = Summary()
    summary.add(None)
    assert "bbox" not in json.loads(summary.metadata())["columns"]["geometry"]
