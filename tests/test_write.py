"""Files of results: read back by other means than they were written, and whole or not there."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest
import shapely
import shapely.geometry
from scene_documents import HEIGHT, KINDS, WIDTH, document, fleet, vessel
from small_disk import largest_file

from edge.errors import OutputError, UsageError
from edge.write import FORMATS, check_formats, unique_stem, write_formats
from edge.write.atomic import replacing, write_bytes, write_text
from edge.write.coco import data_set
from edge.write.detections_csv import HEADER
from edge.write.document_json import line, pretty
from edge.write.geojson import feature_collection
from training.sources import Source, read_scenes

VECTORS = ["json", "geojson", "csv", "coco", "yolo"]
NAME = 'a "terminal", at\nnight é.tif'


def _no_constants(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _strict(text: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(text, parse_constant=_no_constants)


def _read(path: Path) -> Any:  # noqa: ANN401 - any JSON
    return _strict(path.read_text(encoding="utf-8"))


def _write(name: str, content: dict[str, Any], folder: Path) -> Path:
    return write_formats(content, folder, [name])[name]


# --- all formats ---


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("rows", [[], fleet(7)], ids=["none", "some"])
def test_every_vessel_is_written_once(name: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = _write(name, document(rows), tmp_path)
    text = path.read_text(encoding="utf-8")
    parsed = None if name in {"csv", "yolo"} else _strict(text)
    found = {
        "json": lambda: len(parsed["detections"]),
        "geojson": lambda: len(parsed["features"]),
        "csv": lambda: len(list(csv.reader(text.splitlines()))) - 1,
        "coco": lambda: len(parsed["annotations"]),
        "yolo": lambda: len(text.splitlines()),
    }[name]()
    assert found == len(rows)
    assert path.name == "harbour" + FORMATS[name].suffix


@pytest.mark.parametrize("name", VECTORS)
def test_the_same_document_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    first = _write(name, document(fleet()), tmp_path / "a").read_bytes()
    assert _write(name, document(fleet()), tmp_path / "b").read_bytes() == first


@pytest.mark.parametrize("name", VECTORS)
def test_a_name_that_is_not_utf8_is_written_all_the_same(name: str, tmp_path: Path) -> None:
    _write(name, document(scene=os.fsdecode(b"port\xff.tif")), tmp_path).read_text(encoding="utf-8")


def test_suffixes_differ_and_the_design_s_formats_are_all_there() -> None:
    assert list(FORMATS) == [*VECTORS, "overlay"]
    assert len({form.suffix for form in FORMATS.values()}) == len(FORMATS)


def test_an_unknown_format_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--format: there is no format 'kml'; choose from json, geojson, csv, coco"):
        write_formats(document(), tmp_path / "out", ["json", "kml"])
    assert not (tmp_path / "out").exists()


def test_formats_are_written_once_each() -> None:
    assert check_formats(["csv", "json", "csv"]) == ["csv", "json"]


def test_one_format_that_fails_keeps_no_other_back(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="georeference"):
        write_formats(document(georeferenced=False), tmp_path, ["geojson", "csv", "json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["harbour.csv", "harbour.json"]


def test_stems_are_unique_and_repeatable() -> None:
    scenes = ["a/port.tif", "b/port.tif", "b/port-2.tif", "c/PORT.png", "d/other.tif", "d/other.coco.tif"]
    runs = []
    for _ in range(2):
        taken: set[str] = set()
        runs.append([unique_stem(scene, taken) for scene in scenes])
    assert runs[0] == runs[1] == ["port", "port-2", "port-2-2", "PORT-3", "other", "other.coco-2"]


def test_no_two_scenes_share_a_file(tmp_path: Path) -> None:
    taken: set[str] = set()
    scenes = ["x.tif", "x.coco.tif", "x.png", "X.tif", "x.overlay.png"]
    paths = []
    for scene in scenes:
        paths += write_formats(document(scene=scene), tmp_path, VECTORS, stem=unique_stem(scene, taken)).values()
    assert len({str(path).casefold() for path in paths}) == len(scenes) * len(VECTORS)


# --- JSON ---


def test_json_lines_and_files_say_the_same() -> None:
    content = document(fleet(5), scene=NAME, warnings=["one", "two"], settings={"nested": [1, {"a": None}]})
    assert _strict(line(content)) == _strict(pretty(content)) == content
    assert len(line(content).splitlines()) == 1
    assert line(content).isascii()


def test_json_has_the_fixed_keys_first_and_in_order() -> None:
    shuffled = dict(reversed(document(fleet(2)).items()))
    shuffled["detections"] = [dict(sorted(row.items())) for row in shuffled["detections"]]
    keys = "scene width height gsd_m crs counts interval coverage tiles detections model seconds warnings settings"
    row = "id kind score kind_score corners length_m beam_m heading_deg lonlat near_threshold"
    for text in (line(shuffled), pretty(shuffled)):
        assert list(_strict(text)) == keys.split()
        assert list(_strict(text)["detections"][1])[:10] == row.split()


def test_what_json_cannot_say_becomes_null() -> None:
    content = document([], gsd_m=float("nan"), settings={"low": -np.inf, "array": np.array([[1.5, np.nan]])})
    content["coverage"] = np.float32(0.5)
    content["width"] = np.int64(7)
    for text in (line(content), pretty(content)):
        parsed = _strict(text)
        assert parsed["gsd_m"] is None
        assert parsed["settings"] == {"low": None, "array": [[1.5, None]]}
        assert (parsed["coverage"], parsed["width"]) == (0.5, 7)


def test_a_json_file_has_a_line_a_vessel() -> None:
    assert sum('"kind_score"' in text for text in pretty(document(fleet(9))).splitlines()) == 9


# --- GeoJSON ---


def test_geojson_polygons_are_valid_closed_and_counterclockwise(tmp_path: Path) -> None:
    rows = fleet()
    for row in rows[::2]:  # either way round: a scene may be mirrored
        row["corners_lonlat"].reverse()
    written = _read(_write("geojson", document(rows), tmp_path))
    assert written["type"] == "FeatureCollection"
    assert "crs" not in written
    for feature, row in zip(written["features"], rows, strict=True):
        rings = feature["geometry"]["coordinates"]
        assert len(rings) == 1
        assert rings[0][0] == rings[0][-1]
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        assert shape.exterior.is_ccw
        assert shape.equals(shapely.Polygon(row["corners_lonlat"]))
        assert feature["id"] == row["id"]


def test_geojson_features_carry_what_is_known() -> None:
    rows = [vessel(1, (100, 100, 50, 10, 1)), vessel(2, (300, 100, 50, 10, 1), "unknown", near=True)]
    first, second = feature_collection(document(rows, scene=NAME))["features"]
    assert first["properties"] == {
        "id": 1, "kind": "tanker", "score": 0.9, "kind_score": 0.75, "length_m": 50, "beam_m": 10, "heading_deg": 45.5,
        "length_error_m": 2.5, "beam_error_m": 1.5, "heading_error_deg": 3.5, "size_class": "Coastal",
        "deadweight_t": [0, 10_000], "scene": NAME, "near_threshold": False,
    }  # fmt: skip
    assert second["properties"]["kind_score"] is None
    assert second["properties"]["near_threshold"] is True


def test_an_empty_geojson_tells_how_much_was_scored() -> None:
    whole = feature_collection(document([], coverage=0.25))
    assert whole["features"] == []
    assert whole["summary"]["coverage"] == 0.25
    assert "detections" not in whole["summary"]


@pytest.mark.parametrize("x", [-100, 0, 5, 30, 50, 60, 100, 200])
def test_geojson_is_cut_at_the_antimeridian(x: int) -> None:
    """The antimeridian runs at x = 50 px."""
    row = vessel(1, (x, 80, 70, 20, 0.7), north_west=(180 - 50e-5, 52.0))
    geometry = feature_collection(document([row]))["features"][0]["geometry"]
    shape = shapely.geometry.shape(geometry)
    assert shape.is_valid
    polygons = list(getattr(shape, "geoms", [shape]))
    assert all(polygon.exterior.is_ccw for polygon in polygons)
    assert all(-180 <= v <= 180 for polygon in polygons for v in polygon.exterior.xy[0])
    pixels = shapely.Polygon(row["corners"])
    left, right = shapely.box(-500, 0, 50, 600), shapely.box(50, 0, 900, 600)
    assert len(polygons) == pixels.intersects(left) + pixels.intersects(right)
    east = shapely.union_all(
        [p if p.centroid.x > 0 else shapely.transform(p, lambda c: c + np.array([360, 0])) for p in polygons]
    )
    expected = shapely.transform(pixels, lambda c: [180 - 50e-5, 52.0] + c * [1e-5, -1e-5])
    assert east.symmetric_difference(expected).area < 0.01 * expected.area


def test_a_vessel_without_a_place_on_earth_is_a_feature_without_geometry() -> None:
    lost, unplaced = vessel(1, (100, 100, 50, 10, 1)), vessel(2, (300, 100, 50, 10, 1))
    lost["corners_lonlat"] = [[float("nan"), float("nan")]] * 4
    unplaced["corners_lonlat"] = [[None, None]] * 4  # as read back from JSON
    assert [f["geometry"] for f in feature_collection(document([lost, unplaced]))["features"]] == [None, None]


def test_geojson_of_a_scene_without_georeference_names_what_works() -> None:
    with pytest.raises(OutputError, match=r"harbour\.tif: has no georeference.*choose coco, csv, yolo"):
        feature_collection(document(georeferenced=False))


# --- CSV ---


def test_csv_reads_back(tmp_path: Path) -> None:
    rows = fleet(6)
    rows[0] |= {"score": float("nan")}
    path = _write("csv", document(rows, scene=NAME), tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file, strict=True))
    assert tuple(read[0])[: len(HEADER)] == HEADER
    assert [row["score"] for row in read] == ["", *(str(row["score"]) for row in rows[1:])]
    assert {row["scene"] for row in read} == {NAME}
    assert [(float(r["lon"]), float(r["lat"])) for r in read] == [tuple(row["lonlat"]) for row in rows]
    assert [(r["kind"], r["length_m"]) for r in read] == [(row["kind"], str(row["length_m"])) for row in rows]


def test_csv_has_the_header_of_the_design_and_empty_cells_for_what_is_not_known(tmp_path: Path) -> None:
    path = _write("csv", document(georeferenced=False), tmp_path)
    assert path.read_bytes() == (
        b"scene,lon,lat,kind,score,length_m,beam_m,heading_deg,"
        b"length_error_m,beam_error_m,heading_error_deg,size_class,deadweight_low_t,deadweight_high_t\r\n"
        b"harbour.tif,,,tanker,0.9,,,,,,,,,\r\nharbour.tif,,,other,0.3,,,,,,,,,\r\n"
    )


def test_csv_tells_errors_and_classes_after_the_fixed_columns(tmp_path: Path) -> None:
    tanker, other = _write("csv", document(), tmp_path).read_text().splitlines()[1:]
    assert tanker.endswith(",120,30,45.5,2.5,1.5,3.5,Coastal,0,10000")
    assert other.endswith(",60,16,45.5,2.5,1.5,3.5,,,")


# --- COCO ---


def test_coco_outlines_are_the_boxes_inside_the_image() -> None:
    rows = fleet(60)
    written = data_set(document(rows))
    frame = shapely.box(0, 0, WIDTH, HEIGHT)
    cut = 0
    for annotation, row in zip(written["annotations"], rows, strict=True):
        outline = np.array(annotation["segmentation"]).reshape(-1, 2)
        shape, whole = shapely.Polygon(outline), shapely.Polygon(row["corners"])
        assert shape.is_valid
        assert annotation["area"] == pytest.approx(shape.area, abs=0.01)
        assert shape.symmetric_difference(whole & frame).area < 0.05 + 0.001 * shape.area
        x, y, w, h = annotation["bbox"]
        assert (x, y, x + w, y + h) == pytest.approx(shape.bounds, abs=0.011)
        assert min(x, y, WIDTH - x - w, HEIGHT - y - h) > -0.011
        cut += not frame.contains(whole)
    assert cut > 3


def test_coco_numbers_refer_to_each_other(tmp_path: Path) -> None:
    rows = fleet(9)
    written = _read(_write("coco", document(rows), tmp_path))
    assert written["images"] == [{"id": 1, "file_name": "harbour.tif", "width": WIDTH, "height": HEIGHT}]
    names = {category["id"]: category["name"] for category in written["categories"]}
    assert names == {1: "tanker", 2: "other", 3: "unknown"}
    assert [names[a["category_id"]] for a in written["annotations"]] == [row["kind"] for row in rows]
    assert [a["score"] for a in written["annotations"]] == [row["score"] for row in rows]
    assert {a["image_id"] for a in written["annotations"]} == {1}
    assert [a["id"] for a in written["annotations"]] == list(range(1, 10))
    assert written["info"]["coverage"] == 1


def test_coco_keeps_a_vessel_outside_the_image() -> None:
    (annotation,) = data_set(document([vessel(1, (-50, 100, 20, 8, 0))]))["annotations"]
    assert annotation["area"] == 0
    assert annotation["bbox"] == [0, 96, 0, 8]


# --- YOLO ---


def test_yolo_labels_read_back_as_a_labelled_set(tmp_path: Path) -> None:
    rows = fleet(30)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "harbour.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    _write("yolo", document(rows), tmp_path / "labels")
    (scene,) = read_scenes(Source("own", tmp_path))
    assert [KINDS[kind] for kind in scene.kinds] == [row["kind"] for row in rows]
    clamped = np.clip([row["corners"] for row in rows], 0, [WIDTH, HEIGHT])
    assert np.abs(scene.corners - clamped).max() < 1e-3
    assert np.abs(clamped - [row["corners"] for row in rows]).max() > 1  # the test has something to clamp


# --- whole or not there ---


def _leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_text(path, "one\r\n")
    write_text(path, "two é")
    assert path.read_bytes() == "two é".encode()
    assert _leftovers(tmp_path) == ["result.json"]


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_bytes(tmp_path / "result", b"")
    assert (tmp_path / "result").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("name", VECTORS)
def test_a_full_disk_leaves_what_was_there(name: str, tmp_path: Path) -> None:
    path = _write(name, document(), tmp_path)
    before = path.read_bytes()
    with largest_file(len(before)), pytest.raises(OutputError, match="larger than a file may be") as caught:
        _write(name, document(fleet(500)), tmp_path)
    assert caught.value.exit_code == 2
    assert path.read_bytes() == before
    assert _leftovers(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space is left there; free some space"),
        (errno.EDQUOT, "no space is left there"),
        (errno.EACCES, "may not be written there; choose a folder that you may write to"),
        (errno.EROFS, "its file system is read-only"),
        (errno.EIO, r"cannot be written \(Input/output error\)"),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_trouble_at_any_step_is_explained(
    step: str, number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "result"
    path.write_text("before")
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OutputError, match=rf"result: {words}"):
        write_text(path, "after")
    assert path.read_text() == "before"
    assert _leftovers(tmp_path) == ["result"]


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "result", "text")
    assert _leftovers(tmp_path) == []


def test_a_file_written_piece_by_piece_is_there_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_text("before")
    with replacing(path) as file:
        file.write(b"one ")
        file.write(bytearray(b"x" * 100_000))
        assert path.read_text() == "before"
    assert path.read_bytes() == b"one " + b"x" * 100_000
    assert _leftovers(tmp_path) == ["result"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError("theirs"), OSError(errno.EIO, "theirs")])
def test_trouble_between_the_pieces_is_told_as_it_is_and_leaves_what_was_there(
    error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "result"
    path.write_text("before")
    with pytest.raises(BaseException, match=r"theirs|^$") as caught, replacing(path) as file:  # noqa: PT012 - as it is used
        file.write(b"half")
        raise error
    assert not isinstance(caught.value, OutputError)
    assert path.read_text() == "before"
    assert _leftovers(tmp_path) == ["result"]


def test_a_piece_that_finds_no_room_names_the_file_and_ends_the_writing(tmp_path: Path) -> None:
    path = tmp_path / "result"
    with largest_file(100_000), pytest.raises(OutputError, match="result: is larger than"), replacing(path) as file:
        file.writelines([b"x" * 50_000] * 10)
    assert _leftovers(tmp_path) == []


def test_places_that_are_no_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    cases = {
        tmp_path: "is a folder, not a file",
        tmp_path / "absent" / "x": "its folder does not exist; create the folder first",
        tmp_path / "file" / "x": "what should be its folder is a file",
        tmp_path / "pipe": "is a device or a pipe",
        tmp_path / ("x" * 300): "its name is too long",
        tmp_path / "a\0b": "is no file name",
    }
    for path, words in cases.items():
        with pytest.raises(OutputError, match=words):
            write_text(path, "text")
    assert _leftovers(tmp_path) == ["file", "pipe"]


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    place = tmp_path / "x" if os.geteuid() else Path("/proc/x")  # root may write everywhere but there
    with pytest.raises(OutputError, match=r"x: (may not be written there|its folder does not exist)"):
        write_text(place, "text")
    tmp_path.chmod(0o700)


def test_the_folder_of_results_is_made(tmp_path: Path) -> None:
    assert _write("csv", document(), tmp_path / "a" / "b") == tmp_path / "a" / "b" / "harbour.csv"


@pytest.mark.parametrize("name", ["file", "file/b", "a\0b"])
def test_a_folder_of_results_that_cannot_be_made_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="folder"):
        _write("csv", document(), tmp_path / name)
