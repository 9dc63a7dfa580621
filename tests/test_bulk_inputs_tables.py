"""edge.bulk.inputs: manifests, written by csv and pyarrow, and STAC, written by pystac."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bulk.inputs import ListOptions, list_inputs
from edge.errors import InputError, SceneError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from edge.bulk.entry import Entry

PLAIN = ListOptions()
TAKEN = datetime(2024, 1, 31, 10, 15, 11, tzinfo=timezone.utc)
DAY = datetime(2024, 1, 31, tzinfo=timezone.utc)


def listed(*words: object, options: ListOptions = PLAIN, stores: object = None) -> list[Entry]:
    return list(list_inputs([str(word) for word in words], options, stores))  # type: ignore[arg-type]


def in_csv(path: Path, *rows: Sequence[object], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def in_parquet(file: Path, **columns: Any) -> Path:  # noqa: ANN401 - lists or arrays
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(columns), file, row_group_size=2)
    return file


def times(entries: list[Entry]) -> list[tuple[datetime, str] | None]:
    return [entry.acquired and (entry.acquired.time, entry.acquired.source) for entry in entries]


# --- manifests ---


def test_a_manifest_says_what_it_says_of_each_scene(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.tif").write_bytes(b"aaa")
    rows = (
        ["Path", "GSD ", "who", "TIME", "Terminal"],
        ["sub/a.tif", "0.5", "me", "2024-01-31T12:15:11+02:00", "Pernis"],
    )
    entries = listed(in_csv(tmp_path / "m.csv", *rows, [], [f"{tmp_path}/b, c.png", "", "", " ", ""], ["", "", ""]))
    first, second = entries
    stat = (tmp_path / "sub" / "a.tif").stat()
    assert (str(first.place), first.name, first.terminal) == (str(tmp_path / "sub" / "a.tif"), "a.tif", "Pernis")
    assert (first.gsd_m, first.size, first.stamp) == (0.5, 3, f"{stat.st_mtime_ns}-3")
    assert times(entries) == [(TAKEN, "manifest"), None]
    assert (str(second.place), second.terminal) == (str(tmp_path / "b, c.png"), tmp_path.name)
    assert (second.gsd_m, second.size, second.stamp) == (None, None, None)  # it is missing: the run tells of it


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8"), ("\t", "utf-8-sig"), (",", "utf-8-sig")])
def test_what_spreadsheets_write_is_read(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = ["path", "gsd"], ["ä.tif", "0.5"]
    entries = listed(in_csv(tmp_path / "m.CSV", *rows, delimiter=delimiter, encoding=encoding))
    assert [(entry.name, entry.gsd_m) for entry in entries] == [("ä.tif", 0.5)]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.text("ab ,;\"'\n\tü", min_size=1, max_size=8),
            st.none() | st.floats(0.01, 100),
            st.none() | st.datetimes(datetime(1980, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001
            st.none() | st.text("xyz é,", min_size=1, max_size=5).filter(str.strip),
        ),
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_csv_and_parquet_say_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]) -> None:
    folder = tmp_path_factory.getbasetemp()
    cells = [(f"{at}{text}.tif", gsd, when, terminal) for at, (text, gsd, when, terminal) in enumerate(rows)]
    names = "path", "gsd", "time", "terminal"
    columns = zip(*cells, ("last.tif", None, None, None), strict=True)
    table = {name: list(column) for name, column in zip(names, columns, strict=True)}
    texts = [["" if cell is None else cell for cell in row] for row in cells]
    paths = in_csv(folder / "same.csv", names, *texts, ["last.tif"]), in_parquet(folder / "same.parquet", **table)
    first, second = (listed(path) for path in paths)
    assert first == second
    assert [entry.name for entry in first] == [*(row[0] for row in cells), "last.tif"]
    assert [entry.gsd_m for entry in first] == [*(row[1] for row in cells), None]
    assert [entry.terminal for entry in first] == [*((row[3] or folder.name).strip() for row in cells), folder.name]
    assert times(first) == [*(row[2] and (row[2].replace(tzinfo=timezone.utc), "manifest") for row in cells), None]


def test_parquet_of_any_types_is_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    zone = timezone(timedelta(hours=2))
    columns = {
        "PATH": pa.array(["a.tif", "b.tif", "c.tif"]).dictionary_encode(),
        "gsd": pa.array([Decimal("0.50"), None, Decimal("2.00")]),
        "terminal": pa.array([7, 8, None], pa.int16()),
        "extra": pa.array([{"a": 1}] * 3),
    }
    for time in (
        pa.array([TAKEN.astimezone(zone)] * 3, pa.timestamp("ns", "+02:00")),
        pa.array([TAKEN.replace(tzinfo=None)] * 3, pa.timestamp("ms")),
        pa.array(["2024-01-31 10:15:11"] * 3, pa.large_string()),
    ):
        entries = listed(in_parquet(tmp_path / "m.parquet", **columns, time=time))
        assert times(entries) == [(TAKEN, "manifest")] * 3
        assert [entry.gsd_m for entry in entries] == [0.5, None, 2.0]
        assert [entry.terminal for entry in entries] == ["7", "8", tmp_path.name]
    days = listed(in_parquet(tmp_path / "d.parquet", path=["a.tif"], time=pa.array([date(2024, 1, 31)])))
    assert times(days) == [(DAY, "manifest")]


@pytest.mark.parametrize(
    ("column", "cell", "cause"),
    [
        ("path", "", "is empty"),
        ("path", "folder", "folder is no file"),
        ("path", "a/", "a/ is no file"),
        ("gsd", "half", "half makes no sense"),
        ("gsd", "0,5", "0,5 makes no sense"),
        ("gsd", "0", "0 makes no sense"),
        ("gsd", "-1", "-1 makes no sense"),
        ("gsd", "nan", "nan makes no sense"),
        ("time", "yesterday", "yesterday is no time"),
        ("time", "31.01.2024", "31.01.2024 is no time"),
    ],
)
def test_a_bad_row_is_told_with_file_line_and_column(tmp_path: Path, column: str, cell: str, cause: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").mkdir()
    names = ["path", "gsd", "time", "terminal"]
    good = ["a.tif", "1", "2024-01-31", "x"]
    bad = [cell if name == column else value for name, value in zip(names, good, strict=True)]
    path = in_csv(tmp_path / "m.csv", names, good, [], bad)
    with pytest.raises(InputError, match="; ") as error:
        listed(path)
    assert (error.value.subject, error.value.cause) == (f"{path}, line 4, column {column}", cause)
    path = in_parquet(tmp_path / "m.parquet", **{n: [a, b] for n, a, b in zip(names, good, bad, strict=True)})
    with pytest.raises(InputError) as error:
        listed(path)
    assert (error.value.subject, error.value.cause) == (f"{path}, row 2, column {column}", cause)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"m.csv: has no column path \(its columns: none\)"),
        (b"file,gsd\na.tif,1\n", r"m.csv: has no column path \(its columns: file, gsd\)"),
        (b"path,Path\na.tif,b.tif\n", "m.csv: has two columns path"),
        (b"path,gsd\na.tif,1\nb,c.tif,1\n", "m.csv, line 3: has 3 cells, but the header names 2"),
        (b'path,gsd\n"a.tif,1\n', "m.csv, below line 1: is no CSV"),
        (b'path,gsd\na.tif,1\n"b"x,1\n', "m.csv, below line 2: is no CSV"),
        (b"path\n\xff.tif\n", "m.csv.*: is no CSV in UTF-8"),
        ("path\na.tif\n".encode("utf-16"), "m.csv.*: is no CSV in UTF-8"),
        (b"path\n" + b"a" * 200_000 + b"\n", "m.csv.*: is no CSV in UTF-8"),
        (b"path\n", "m.csv: names no scene"),
    ],
)
def test_what_is_no_manifest_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(InputError, match=told):
        listed(tmp_path / "m.csv")


def test_what_is_no_parquet_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = in_parquet(tmp_path / "m.parquet", path=[f"{at}.tif" for at in range(500)])
    whole = path.read_bytes()
    for data in (b"", b"path\na.tif\n", b"PAR1PAR1", whole[:-1], whole[: len(whole) // 2], b"PAR1\xff\xff\xff\x7fPAR1"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"m.parquet: is no Parquet file, or is damaged"):
            listed(path)
    assert capfd.readouterr() == ("", "")
    path.write_bytes(whole[:4] + bytes(len(whole) - 12) + whole[-8:])
    with pytest.raises(InputError, match=r"m.parquet: is no Parquet file, or is damaged"):
        listed(path)
    with pytest.raises(InputError, match=r"x.parquet: has no column path \(its columns: image\)"):
        listed(in_parquet(tmp_path / "x.parquet", image=["a.tif"]))


def test_a_manifest_names_members_of_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("./x/a.tif", b"aaa")
        archive.writestr("b.tif", b"b")
    (tmp_path / "bad.zip").write_bytes(b"bad")
    rows = ["a.zip!/b.tif"], ["a.zip!/./x/a.tif"], ["a.zip!/gone.tif"], ["bad.zip!/c.tif"], ["gone.zip!/d.tif"]
    entries = listed(in_csv(tmp_path / "m.csv", ["path"], *rows))
    assert [(e.place.member, e.terminal, e.size) for e in entries] == [
        ("b.tif", "a", 1), ("./x/a.tif", "x", 3), ("gone.tif", "a", None), ("c.tif", "bad", None),
        ("d.tif", "gone", None),
    ]  # fmt: skip
    assert entries[:2] == sorted(listed(tmp_path / "a.zip"), key=lambda entry: entry.size or 0)


def test_a_manifest_is_believed_before_a_folder_that_is_named_first(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"a")
    (tmp_path / "b.tif").write_bytes(b"b")
    manifest = in_csv(tmp_path / "m.csv", ["path", "gsd"], ["a.tif", "0.5"], ["./a.tif", "0.7"])
    assert [(e.name, e.gsd_m) for e in listed(tmp_path, manifest)] == [("a.tif", 0.5), ("b.tif", None)]


def test_a_glob_of_manifests(tmp_path: Path) -> None:
    in_csv(tmp_path / "m1.csv", ["path"], ["a.tif"])
    in_csv(tmp_path / "m2.csv", ["path"], ["b.tif"])
    assert [entry.name for entry in listed(tmp_path / "m*.csv")] == ["a.tif", "b.tif"]
    with pytest.raises(SceneError, match="matches no image"):
        listed(tmp_path / "m*")


class Shelf:
    """A store in memory that is only read: nobody asks it for what a manifest names."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects

    def open(self, url: str) -> BinaryIO:
        return io.BytesIO(self._objects[url])


def test_a_manifest_in_a_store_and_of_urls(tmp_path: Path) -> None:
    manifest = b"path\nx/a.tif\n../b.tif\n/c.tif\ns3://other/d.tif\nhttps://host/e%20f.tif?x=/y\n"
    shelf = Shelf(dict.fromkeys(("s3://bucket/sub/m.csv", "https://host/sub/m.csv?sig=/1"), manifest))
    expected = ["sub/x/a.tif", "b.tif", "c.tif"]
    for base, word in (("s3://bucket", "s3://bucket/sub/m.csv"), ("https://host", "https://host/sub/m.csv?sig=/1")):
        entries = listed(word, stores=shelf)
        assert [str(e.place) for e in entries[:3]] == [f"{base}/{path}" for path in expected]
        assert [e.place.base for e in entries[3:]] == ["s3://other/d.tif", "https://host/e%20f.tif?x=/y"]
        assert [e.name for e in entries[3:]] == ["d.tif", "e f.tif"]
        assert [(e.size, e.stamp) for e in entries] == [(None, None)] * 5
    local = in_csv(tmp_path / "m.csv", ["path"], ["s3://other/d.tif"], [f"file://{tmp_path}/g%20h.tif"])
    assert [str(e.place) for e in listed(local)] == ["s3://other/d.tif", f"{tmp_path}/g h.tif"]


# --- STAC ---


def item(name: str, assets: dict[str, Any], **properties: Any) -> Any:  # noqa: ANN401 - a pystac Item
    pystac = pytest.importorskip("pystac")
    when = None if "start_datetime" in properties else properties.pop("datetime", TAKEN)
    made = pystac.Item(name, None, None, when, properties)
    for key, asset in assets.items():
        href, media_type, *roles = asset
        made.add_asset(key, pystac.Asset(href, media_type=media_type, roles=roles or None))
    return made


TIFF, COG = "image/tiff; application=geotiff", "image/tiff; application=geotiff; profile=cloud-optimized"
DATA = {"image": ("a.tif", COG, "data")}


def save(path: Path, stac: Any) -> Path:  # noqa: ANN401 - of pystac
    path.write_text(json.dumps(stac.to_dict(include_self_link=False) if hasattr(stac, "assets") else stac.to_dict()))
    return path


def test_an_item_is_a_scene(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"aaa")
    (entry,) = listed(save(tmp_path / "item.json", item("one", DATA, gsd=0.5, site="Pernis")))
    stat = (tmp_path / "a.tif").stat()
    assert (str(entry.place), entry.name, entry.terminal) == (str(tmp_path / "a.tif"), "a.tif", "Pernis")
    assert (entry.gsd_m, entry.size, entry.stamp) == (0.5, 3, f"{stat.st_mtime_ns}-3")
    assert times([entry]) == [(TAKEN, "stac")]


def test_a_catalog_on_disk_is_walked(tmp_path: Path) -> None:
    pystac = pytest.importorskip("pystac")
    catalog = pystac.Catalog("top", "all")
    extent = pystac.Extent(pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[TAKEN, None]]))
    for site in ("rotterdam", "houston"):
        collection = pystac.Collection(site, site, extent)
        catalog.add_child(collection)
        sub = pystac.Catalog(f"{site}-2024", "a year")
        collection.add_child(sub)
        collection.add_item(item(f"{site}-1", {"data": (f"https://host/{site}-1.tif", TIFF)}))
        sub.add_item(
            item(f"{site}-2", DATA, start_datetime="2024-01-31T10:15:11Z", end_datetime="2024-02-01T00:00:00Z")
        )
    catalog.normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    entries = listed(tmp_path / "catalog.json")
    assert [(e.name, e.terminal) for e in entries] == [
        ("a.tif", "rotterdam"), ("rotterdam-1.tif", "rotterdam"), ("a.tif", "houston"), ("houston-1.tif", "houston"),
    ]  # fmt: skip
    assert str(entries[0].place) == str(tmp_path / "rotterdam" / "rotterdam-2024" / "rotterdam-2" / "a.tif")
    assert times(entries) == [(TAKEN, "stac")] * 4
    assert listed(tmp_path / "rotterdam" / "collection.json") == entries[:2]
    named = listed(tmp_path / "catalog.json", options=ListOptions("Pernis"))
    assert {entry.terminal for entry in named} == {"Pernis"}


def test_links_that_lead_round_in_a_circle_end(tmp_path: Path) -> None:
    pystac = pytest.importorskip("pystac")
    catalog = pystac.Catalog("top", "all")
    for rel, target in (("child", "./catalog.json"), ("child", "../" + tmp_path.name + "/catalog.json"),
                        ("item", "item.json"), ("item", "./item.json"), ("parent", "../none.json"),
                        ("items", "none.json")):  # fmt: skip
        catalog.add_link(pystac.Link(rel, target))
    save(tmp_path / "item.json", item("one", DATA))
    assert [e.name for e in listed(save(tmp_path / "catalog.json", catalog))] == ["a.tif"]


def test_an_item_collection_is_a_scene_each(tmp_path: Path) -> None:
    pystac = pytest.importorskip("pystac")
    items = [item(str(at), {"data": (f"{at}.tif", TIFF)}, terminal=f"t{at}") for at in range(3)]
    path = save(tmp_path / "found.geojson", pystac.ItemCollection(items))
    assert [(e.name, e.terminal) for e in listed(path)] == [("0.tif", "t0"), ("1.tif", "t1"), ("2.tif", "t2")]
    empty = save(tmp_path / "none.geojson", pystac.ItemCollection([]))
    with pytest.raises(SceneError, match=r"none.geojson: names no scene"):
        listed(empty)


def test_stac_of_old_versions_is_read(tmp_path: Path) -> None:
    old = {"type": "Feature", "stac_version": "0.9.0", "id": "old", "geometry": None, "links": [], "collection": "sea",
           "properties": {"datetime": "2024-01-31T10:15:11Z"}, "assets": {"data": {"href": "a.tif"}}}  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(old))
    (entry,) = listed(tmp_path / "old.json")
    assert (entry.name, entry.terminal, times([entry])) == ("a.tif", "sea", [(TAKEN, "stac")])


SENTINEL = {
    "thumbnail": ("t.jpg", "image/jpeg", "thumbnail"),
    "overview": ("o.tif", COG, "overview"),
    "red": ("B04.tif", COG, "data", "reflectance"),
    "visual-jp2": ("TCI.jp2", "image/jp2", "visual"),
    "visual": ("TCI.tif", COG, "visual"),
    "metadata": ("m.xml", "application/xml", "metadata"),
}


@pytest.mark.parametrize(
    ("assets", "chosen"),
    [
        (SENTINEL, "TCI.tif"),
        ({k: v for k, v in SENTINEL.items() if k != "visual"}, "B04.tif"),
        ({k: v for k, v in SENTINEL.items() if k in ("thumbnail", "metadata", "visual-jp2")}, "TCI.jp2"),
        ({k: v for k, v in SENTINEL.items() if k in ("thumbnail", "metadata")}, "t.jpg"),
        ({"preview": ("p.png", "image/png"), "x": ("x.png", "image/png")}, "x.png"),
        ({"x": ("x.png", "image/png"), "analytic": ("a.png", "image/png", "data")}, "a.png"),
        ({"x": ("x.jp2", "image/jp2"), "y": ("y.jpg", "image/jpeg")}, "y.jpg"),
        ({"x": ("x.png", "image/png"), "image": ("i.png", "image/png"), "data": ("d.png", "image/png")}, "d.png"),
        ({"x": ("x.png", "image/png"), "y": ("y.png", "image/png")}, "x.png"),
        ({"xml": ("x.xml", None), "y": ("y.tif?sig=1", None)}, "y.tif?sig=1"),
        ({"labels": ("l.json", "application/json", "data"), "y": ("y.tif", TIFF)}, "y.tif"),
        ({"xml": ("x.xml", None), "y": ("raw", None, "data")}, "raw"),
    ],
)
def test_the_asset_that_is_chosen(tmp_path: Path, assets: dict[str, Any], chosen: str) -> None:
    assert [entry.name for entry in listed(save(tmp_path / "item.json", item("one", assets)))] == [chosen]


def test_the_gsd_of_the_asset_goes_before_that_of_the_item(tmp_path: Path) -> None:
    made = item("one", DATA, gsd=10)
    made.assets["image"].extra_fields["gsd"] = 0.5
    assert listed(save(tmp_path / "item.json", made))[0].gsd_m == 0.5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"assets": {}}, "one: has no asset that is an image"),
        ({"assets": {"m": {"href": "m.xml", "type": "application/xml"}}}, "one: has no asset that is an image"),
        ({"assets": {"m": {}}}, "one: is no STAC Item"),
        ({"assets": []}, "is no STAC Item"),
        ({"properties": {"datetime": "yesterday"}}, "one: is no STAC Item"),
        ({"properties": {"datetime": None, "start_datetime": "never"}}, "one: .*start_datetime"),
        ({"properties": {"datetime": "2024-01-31T00:00:00Z", "gsd": "wide"}}, "one: has a gsd of wide"),
        ({"properties": {"datetime": "2024-01-31T00:00:00Z", "gsd": 0}}, "one: has a gsd of 0"),
        ({"stac_version": None}, "is no STAC Item"),
        ({"type": "Polygon"}, "is no STAC Catalog"),
        ({"type": "FeatureCollection"}, "names no scene"),
        ({"type": "FeatureCollection", "features": [1]}, "is no STAC Item"),
    ],
)
def test_what_is_no_stac_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    made = item("one", DATA).to_dict(include_self_link=False) | change
    (tmp_path / "item.json").write_text(json.dumps({key: value for key, value in made.items() if value is not None}))
    with pytest.raises(InputError, match=rf"item.json.*{told}"):
        listed(tmp_path / "item.json")


@pytest.mark.parametrize("content", ["", "{", "[1]", "1", "[" * 100_000, "\ufeff{}"])
def test_what_is_no_json_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "item.json").write_text(content)
    with pytest.raises(InputError, match=r"item.json: is no (JSON|STAC)"):
        listed(tmp_path / "item.json")


def test_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    pystac = pytest.importorskip("pystac")
    catalog = pystac.Catalog("top", "all")
    catalog.add_link(pystac.Link("item", "gone.json"))
    with pytest.raises(InputError, match=r"gone.json \(.*catalog.json\): cannot be read \(No such file"):
        listed(save(tmp_path / "catalog.json", catalog))


def test_stac_in_a_store(tmp_path: Path) -> None:
    pystac = pytest.importorskip("pystac")
    catalog = pystac.Catalog("top", "all")
    catalog.add_link(pystac.Link("item", "./x/item.json"))
    objects = {
        "s3://bucket/catalog.json": save(tmp_path / "catalog.json", catalog).read_bytes(),
        "s3://bucket/x/item.json": save(tmp_path / "item.json", item("one", DATA)).read_bytes(),
    }
    (entry,) = listed("s3://bucket/catalog.json", stores=Shelf(objects))
    assert (str(entry.place), entry.terminal, times([entry])) == ("s3://bucket/x/a.tif", "x", [(TAKEN, "stac")])


def test_without_pystac_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "item.json", item("one", DATA))
    monkeypatch.setitem(__import__("sys").modules, "pystac", None)
    with pytest.raises(UsageError, match=r"pystac, which is not installed; pip install 'tanker-edge\[bulk\]'"):
        listed(path)
