"""The tables of a run: read back by other means, complete, the same for the same rows, whole or not there."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
import weakref
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn

import duckdb
import geopandas
import pyarrow.parquet as pq
import pytest
import shapely
import shapely.geometry
from bulk_rows import CAUSE, START, rows_of, scene_document, scene_row
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_documents import fleet, vessel
from small_disk import largest_file

from edge.bulk.entry import Acquired, Place
from edge.bulk.tables import TABLES, check_tables, write_tables
from edge.errors import OutputError, SceneError, UsageError
from edge.write.detections_csv import COLUMNS
from edge.write.detections_csv import table as count_csv
from edge.write.document_json import line
from edge.write.geojson import feature_collection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.row import SceneRow

FILES = {
    "parquet": ["scenes.parquet", "detections.parquet"],
    "csv": ["scenes.csv", "detections.csv"],
    "geojson": ["detections.geojson"],
    "coco": ["coco.json"],
    "jsonl": ["documents.jsonl"],
}
MIXED = [
    scene_row(1, "north", START, 2, 3),
    scene_row(2, "north", None, 1, 0, georeferenced=False),
    scene_row(3, "south", state="failed"),
    scene_row(4, None, START + timedelta(days=1), 0, 0, warnings=["hazy", "dark"], coverage=float("nan")),
    scene_row(5, "south", START + timedelta(microseconds=1), 4, 1, state="partial", gsd_m=None),
]
EACH = pytest.mark.parametrize("name", TABLES)


def _written(scenes: list[SceneRow], folder: Path, *names: str) -> Path:
    write_tables(rows_of(scenes), folder, names or TABLES)
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _no_constants(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constants)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


# --- all tables ---


@EACH
def test_each_table_tells_which_files_it_wrote(name: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    assert write_tables(rows_of(MIXED), out, [name, name]) == [out / file for file in FILES[name]]
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES[name])


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    first = _hashes(_written(MIXED, tmp_path / "a"))
    assert len(first) == sum(map(len, FILES.values()))
    assert _hashes(_written(MIXED, tmp_path / "b")) == first


def test_an_unknown_table_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no format 'kml'; choose from parquet, csv, geojson, coco, jsonl"):
        write_tables(rows_of(MIXED), tmp_path / "out", ["csv", "kml"])
    assert not (tmp_path / "out").exists()
    assert check_tables(["csv", "coco", "csv"]) == ["csv", "coco"]


@pytest.mark.parametrize("scenes", [[], [scene_row(1, state="failed"), scene_row(2, state="failed")]], ids=str)
def test_an_archive_without_a_vessel_has_all_tables_and_all_columns(scenes: list[SceneRow], tmp_path: Path) -> None:
    out = _written(scenes, tmp_path / "few")
    full = _written(MIXED, tmp_path / "full")
    for table in ("scenes", "detections"):
        count = len(scenes) if table == "scenes" else 0
        few, many = (pq.read_table(folder / f"{table}.parquet") for folder in (out, full))
        assert few.num_rows == len(_csv(out / f"{table}.csv")) == count
        assert few.schema.equals(many.schema)
        assert _csv_header(out / f"{table}.csv") == _csv_header(full / f"{table}.csv")
    assert _json(out / "detections.geojson") == {"type": "FeatureCollection", "features": []}
    assert len(geopandas.read_file(out / "detections.geojson")) == 0
    assert (_json(out / "coco.json")["images"], _json(out / "coco.json")["annotations"]) == ([], [])
    assert len((out / "documents.jsonl").read_text().splitlines()) == len(scenes)


def _csv_header(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0]


class _Document(dict[str, Any]):
    """One that can be watched."""


@EACH
def test_few_documents_are_in_memory_at_once(name: str, tmp_path: Path) -> None:
    """An archive may not fit there."""
    alive = most = 0

    def forget() -> None:
        nonlocal alive
        alive -= 1

    def rows() -> Iterator[SceneRow]:
        nonlocal alive, most
        for number in range(1, 501):
            row = scene_row(number, tankers=1, others=0)
            document = _Document(row.document or {})
            weakref.finalize(document, forget)
            alive += 1
            most = max(most, alive)
            yield replace(row, document=document)

    write_tables(rows, tmp_path, [name])
    assert 1 <= most <= 3


# --- odd names ---

ANY_TEXT = st.text(st.characters(exclude_categories=(), exclude_characters="\0"), min_size=1, max_size=12)
"""Half a surrogate pair too: Python makes one of a byte that is no UTF-8. No file system has a null byte."""


@settings(max_examples=15, deadline=None)
@given(name=ANY_TEXT, terminal=ANY_TEXT, folder=ANY_TEXT)
def test_any_name_is_written_in_all_tables(name: str, terminal: str, folder: str) -> None:
    document = scene_document(name, 1, 0, georeferenced=True)
    row = replace(scene_row(1), name=name, terminal=terminal, place=Place(f"/{folder}", name), document=document)
    said = [text.encode("utf-8", "replace").decode() for text in (name, terminal, f"/{folder}!/{name}")]
    with TemporaryDirectory() as temporary:
        out = _written([row], Path(temporary))
        keys = ["scene", "terminal", "place"]
        for table in ("scenes", "detections"):
            (parquet,) = pq.read_table(out / f"{table}.parquet", columns=keys).to_pylist()
            assert [parquet[key] for key in keys] == said
            (cells,) = _csv(out / f"{table}.csv")
            assert [cells[key].removeprefix("'") for key in keys] == [text.removeprefix("'") for text in said]
        (feature,) = _json(out / "detections.geojson")["features"]
        assert [feature["properties"][key] for key in keys] == said
        assert _json(out / "coco.json")["images"][0]["file_name"] == said[2]
        (told,) = (out / "documents.jsonl").read_text(encoding="ascii").split("\n")[:-1]
        assert json.loads(told)["scene"] == said[0]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_no_text_is_a_formula_in_a_spreadsheet(begins: str, tmp_path: Path) -> None:
    name = f'{begins}HYPERLINK("http://x","y")'
    row = scene_row(1, name, others=0)
    row = replace(row, name=name, acquired=Acquired(START, "name"))
    out = _written([row], tmp_path)
    for table in ("scenes", "detections"):
        (cells,) = _csv(out / f"{table}.csv")
        assert cells["scene"] == cells["terminal"] == f"'{name}"
        (exact,) = pq.read_table(out / f"{table}.parquet").to_pylist()
        assert exact["scene"] == exact["terminal"] == name
    assert cells["lon"].startswith("-122.")  # a negative number stays one


def test_duckdb_reads_names_with_quotes_and_line_ends_from_csv(tmp_path: Path) -> None:
    odd = ['a "b", c', "line\nend", "é 港 \U0001f6a2", ""]
    scenes = [scene_row(i + 1, terminal) for i, terminal in enumerate(odd)]
    out = _written(scenes, tmp_path, "csv")
    found = duckdb.read_csv(str(out / "detections.csv")).aggregate("terminal, count(*)").fetchall()
    assert dict(found) == {name or None: 3 for name in odd}


# --- CSV ---


def test_the_columns_of_count_come_first_and_say_the_same(tmp_path: Path) -> None:
    out = _written(MIXED, tmp_path, "csv")
    with (out / "detections.csv").open(encoding="utf-8", newline="") as file:
        bulk = [row[: len(COLUMNS)] for row in csv.reader(file)]
    alone = [list(csv.reader(count_csv(row.document).splitlines())) for row in MIXED if row.document]
    assert bulk == [list(COLUMNS), *(cells for table in alone for cells in table[1:])]


def test_csv_tells_scenes_that_failed_and_leaves_cells_empty_where_nothing_is_known(tmp_path: Path) -> None:
    scenes = _csv(_written(MIXED, tmp_path, "csv") / "scenes.csv")
    assert [row["state"] for row in scenes] == ["done", "done", "failed", "done", "partial"]
    assert [row["failure"] for row in scenes] == ["", "", CAUSE.cause, "", CAUSE.cause]
    failed = {key: value for key, value in scenes[2].items() if value}
    assert list(failed) == [
        "number",
        "scene",
        "place",
        "terminal",
        "time",
        "time_source",
        "state",
        "content",
        "failure",
    ]
    assert [row["time"] for row in scenes] == [
        "2024-03-01T10:30:00Z", "", "2024-03-01T10:30:00Z", "2024-03-02T10:30:00Z", "2024-03-01T10:30:00.000001Z",
    ]  # fmt: skip
    assert [row["coverage"] for row in scenes] == ["1.0", "1.0", "", "", "0.75"]
    assert scenes[3]["warnings"] == "hazy; dark"
    assert {row["synthetic"] for row in scenes} == {"", "false"}


def test_a_time_of_another_zone_is_told_as_utc(tmp_path: Path) -> None:
    there = datetime(2024, 3, 1, 10, 30, tzinfo=timezone(timedelta(hours=9)))
    out = _written([scene_row(1, time=there)], tmp_path)
    assert _csv(out / "scenes.csv")[0]["time"] == "2024-03-01T01:30:00Z"
    assert pq.read_table(out / "scenes.parquet")["time"][0].as_py() == there


def test_duckdb_reads_the_csv_as_it_reads_the_parquet(tmp_path: Path) -> None:
    out = _written(MIXED, tmp_path, "csv", "parquet")
    questions = {
        "scenes": "count(*), sum(vessel), sum(tanker_low), sum(tiles_failed), epoch_us(max(time)), count(failure), "
        "avg(coverage)",
        "detections": "count(*), sum(score), sum(x1 + y4), sum(lon), sum(deadweight_high_t), epoch_us(max(time)), "
        "count(*) filter (near_threshold)",
    }
    for table, asked in questions.items():
        from_csv, from_parquet = (
            duckdb.read_csv(str(out / f"{table}.csv")),
            duckdb.read_parquet(str(out / f"{table}.parquet")),
        )
        (said,), (expected,) = (relation.aggregate(asked).fetchall() for relation in (from_csv, from_parquet))
        assert said == pytest.approx(expected)
        assert dict(zip(from_csv.columns, map(str, from_csv.types), strict=True))["time"] == "TIMESTAMP WITH TIME ZONE"


# --- GeoJSON ---


def test_geojson_says_of_each_vessel_what_count_says_and_which_scene_it_is_of(tmp_path: Path) -> None:
    found = _json(_written(MIXED, tmp_path, "geojson") / "detections.geojson")
    placed = [row for row in MIXED if row.document and row.document["crs"]]
    alone = [(row, feature) for row in placed for feature in feature_collection(row.document or {})["features"]]
    assert len(found["features"]) == len(alone) == 10
    assert [feature["id"] for feature in found["features"]] == list(range(1, 11))
    for ours, (row, theirs) in zip(found["features"], alone, strict=True):
        assert ours["geometry"] == theirs["geometry"]
        assert theirs["properties"].items() <= ours["properties"].items()
        scene = {"scene_number": row.number, "place": str(row.place), "terminal": row.terminal}
        assert scene.items() <= ours["properties"].items()
        assert row.acquired
        assert datetime.fromisoformat(ours["properties"]["time"].replace("Z", "+00:00")) == row.acquired.time


def test_geojson_opens_where_gdal_opens_it(tmp_path: Path) -> None:
    frame = geopandas.read_file(_written(MIXED, tmp_path, "geojson") / "detections.geojson")
    assert frame.crs == "EPSG:4326"
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    corners = [v["corners_lonlat"] for r in MIXED if r.document and r.document["crs"] for v in r.document["detections"]]
    assert all(a.equals(shapely.Polygon(b)) for a, b in zip(frame.geometry, corners, strict=True))


# --- COCO ---


def test_coco_is_one_data_set_whose_numbers_refer_to_each_other(tmp_path: Path) -> None:
    scenes = [replace(row, number=row.number * 10) for row in MIXED]
    whole = _json(_written(scenes, tmp_path, "coco") / "coco.json")
    assert [(i["id"], i["file_name"]) for i in whole["images"]] == [
        (r.number, str(r.place)) for r in scenes if r.document
    ]
    assert [i.get("date_captured") for i in whole["images"]][:2] == ["2024-03-01T10:30:00Z", None]
    assert [a["id"] for a in whole["annotations"]] == list(range(1, 12))
    assert Counter(a["image_id"] for a in whole["annotations"]) == {10: 5, 20: 1, 50: 5}
    names = {category["id"]: category["name"] for category in whole["categories"]}
    kinds = [(r.number, v["kind"]) for r in scenes if r.document for v in r.document["detections"]]
    assert [(a["image_id"], names[a["category_id"]]) for a in whole["annotations"]] == kinds


def test_coco_boxes_are_cut_at_the_edges_of_their_image(tmp_path: Path) -> None:
    row = scene_row(1, detections=fleet(60), width=400, height=300)
    frame = shapely.box(0, 0, 400, 300)
    annotations = _json(_written([row], tmp_path, "coco") / "coco.json")["annotations"]
    inside = 0
    for told, box in zip(annotations, fleet(60), strict=True):
        part = shapely.Polygon(box["corners"]).intersection(frame)
        assert told["area"] == pytest.approx(part.area, abs=3)
        assert frame.buffer(0.01).contains(
            shapely.box(*told["bbox"][:2], *(told["bbox"][i] + told["bbox"][i + 2] for i in (0, 1)))
        )
        inside += part.area > 0
    assert 5 < inside < 60


# --- documents ---


def test_documents_are_lines_as_count_prints_them_without_the_seconds(tmp_path: Path) -> None:
    first, second = scene_row(1, seconds={"total": 1.5}), scene_row(2, state="failed")
    text = (_written([first, second], tmp_path, "jsonl") / "documents.jsonl").read_text(encoding="ascii")
    document = {key: value for key, value in (first.document or {}).items() if key != "seconds"}
    error = SceneError("scene-00002.tif", "is truncated", "get it again")
    second = replace(second, failure=replace(CAUSE, cause=f"{error.subject}: {error.cause}", mend=error.mend))
    text = (_written([first, second], tmp_path, "jsonl") / "documents.jsonl").read_text(encoding="ascii")
    assert text.split("\n") == [line(document), json.dumps({"scene": "scene-00002.tif", "error": str(error)}), ""]
    assert "seconds" not in json.loads(text.split("\n")[0])


# --- whole or not there ---


@EACH
def test_a_full_disk_leaves_what_was_there(name: str, tmp_path: Path) -> None:
    before = _hashes(_written(MIXED, tmp_path, name))
    many = [replace(scene_row(i), content=hashlib.sha256(b"%d" % i).hexdigest()) for i in range(1, 301)]
    with largest_file(9000), pytest.raises(OutputError, match=r"\w+\.\w+: is larger than a file may be"):
        write_tables(rows_of(many), tmp_path, [name])
    assert _hashes(tmp_path) == before


@EACH
@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), KeyboardInterrupt("stop")], ids=str)
def test_trouble_with_the_rows_is_told_as_it_is_and_leaves_what_was_there(
    name: str, error: BaseException, tmp_path: Path
) -> None:
    def rows() -> Iterator[SceneRow]:
        yield from (scene_row(i) for i in range(100, 200))
        raise error

    before = _hashes(_written(MIXED, tmp_path, name))
    with pytest.raises(type(error), match=str(error)):
        write_tables(rows, tmp_path, [name])
    assert _hashes(tmp_path) == before


def test_one_table_that_fails_keeps_no_other_back(tmp_path: Path) -> None:
    (tmp_path / "scenes.csv").mkdir()
    (tmp_path / "coco.json").mkdir()
    with pytest.raises(OutputError, match=r"scenes\.csv: is a folder"):
        write_tables(rows_of(MIXED), tmp_path, TABLES)
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files == {"scenes.parquet", "detections.parquet", "detections.geojson", "documents.jsonl"}


def test_a_vessel_without_a_place_on_earth_is_kept(tmp_path: Path) -> None:
    lost = vessel(1, (100, 100, 50, 10, 1)) | {"corners_lonlat": [[None, None]] * 4, "lonlat": [None, None]}
    out = _written([scene_row(1, detections=[lost])], tmp_path)
    (feature,) = _json(out / "detections.geojson")["features"]
    assert feature["geometry"] is None
    (found,) = pq.read_table(out / "detections.parquet").to_pylist()
    assert (found["geometry"], found["lon"], found["lat"], found["x1"]) == (None, None, None, lost["corners"][0][0])
    assert _csv(out / "detections.csv")[0]["lon"] == ""
