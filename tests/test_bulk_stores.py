"""Scenes in stores: what is fetched, what is told where a store fails, and that the answer is that of the file."""

from __future__ import annotations

import io
import json
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import rasterio.shutil
import toy_model
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_files import HARBOUR, write_tiff

import edge.bulk.ranged
import edge.bulk.store_file
from edge.aoi import load_aoi
from edge.bulk.entry import Place
from edge.bulk.files import Files, is_transient
from edge.bulk.ranged import Cache, Reader
from edge.bulk.store_config import Address
from edge.bulk.stores import StoreFile, StoreRefusal, Stores, StoreTrouble
from edge.detector import load_detector
from edge.document import build_document
from edge.errors import InputError, SceneError, UsageError
from edge.geometry import Window
from edge.pipeline import Hooks, ScanOptions, raise_if_unseen, scan
from edge.scene import Scale, open_scene
from tests.stores import HASTY, S3, Web, s3, s3_server, serving_files, web

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.aoi import Aoi
    from edge.bulk.ranged import Span
    from edge.detector import Detector
    from edge.scene import Scene

__all__ = ["s3", "s3_server", "web"]
MEBI = 2**20
DATA = np.random.default_rng(1).integers(0, 256, 3 * MEBI, np.uint8).tobytes()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy"), "cpu")


@pytest.fixture(scope="module")
def cog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4096 x 4096 px of 0.5 m, three bands, with overviews: some 18 MB."""
    folder = tmp_path_factory.mktemp("cog")
    noise = np.random.default_rng(2).integers(0, 256, (512, 512), np.uint8)
    grey = np.tile(cv2.resize(noise, (1024, 1024)), (4, 4))
    flat = write_tiff(folder / "flat.tif", np.stack([grey] * 3), crs="EPSG:32610", transform=HARBOUR)
    how = {"compress": "JPEG", "QUALITY": 90, "blocksize": 256, "overview_resampling": "average"}
    rasterio.shutil.copy(flat, folder / "cog.tif", driver="COG", **how)
    flat.unlink()
    return folder / "cog.tif"


def _document(scene: Scene, toy: Detector, aoi: Aoi) -> dict[str, Any]:
    options = ScanOptions(max_length_m=12, threads=1, exhaustive=True)
    document = build_document(scene, toy, scan(scene, toy, options, aoi))
    del document["seconds"]
    return document


def _area(path: Path) -> Path:
    """A square of 100 px in the scene `cog`."""
    with open_scene(path) as scene:
        corners = scene.to_lonlat(np.array([[900, 2000], [1000, 2000], [1000, 2100], [900, 2100], [900, 2000]], float))
    area = path.with_name("area.geojson")
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [corners.tolist()]}))
    return area


# What is fetched


def test_a_part_of_a_scene_in_s3_is_counted_without_fetching_the_rest(s3: S3, cog: Path, toy: Detector) -> None:
    url, size = s3.put("harbour/cog.tif", cog.read_bytes()), cog.stat().st_size
    area, files = _area(cog), Files(s3.stores())
    with files.open(Place(url), "cog.tif") as file, open_scene(file) as scene, open_scene(cog) as local:
        assert s3.traffic.sent <= 2**18, "opening takes the directories alone"
        assert len(s3.traffic.gets) == 1
        document = _document(scene, toy, load_aoi(area, scene))
        assert document == _document(local, toy, load_aoi(area, local))
        assert document["coverage"] == 1
        assert document["detections"]
    files.close()
    assert s3.traffic.sent < size / 8
    assert len(s3.traffic.gets) < 12


def test_windows_and_overviews_are_those_of_the_file(s3: S3, cog: Path) -> None:
    url, files = s3.put("cog.tif", cog.read_bytes()), Files(s3.stores())
    with files.open(Place(url), "cog.tif") as file, open_scene(file) as scene, open_scene(cog) as local:
        for window, scale in ((Window(3000, 3000, 700, 500), Scale()), (Window(0, 0, 512, 512), Scale(down=8))):
            for got, wanted in zip(
                scene.read(window, scale, quick=True), local.read(window, scale, quick=True), strict=True
            ):
                assert np.array_equal(got, wanted)
        assert (scene.gsd_m, scene.crs, scene.warnings) == (local.gsd_m, local.crs, local.warnings)
    files.close()


def test_a_small_scene_is_one_request(web: Web, tmp_path: Path, toy: Detector) -> None:
    path = tmp_path / "tile.png"
    cv2.imwrite(str(path), toy_model.picture(300, 200, {(5, 4): 255})[..., ::-1])
    url, files = web.put("/tiles/tile.png", path.read_bytes()), Files(web.stores())
    with files.open(Place(url), "tile.png") as file:
        files.fingerprint(file)
        options = ScanOptions(exhaustive=True, threads=1, max_length_m=30)
        with open_scene(file) as scene, open_scene(path) as local:
            found = [scan(one, toy, options).found.xywhr.tolist() for one in (scene, local)]
    assert found[0] == found[1] != []
    assert web.traffic.gets == ["/tiles/tile.png bytes=0-262143"]
    files.close()


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(0, 5000),
    steps=st.lists(st.tuples(st.integers(0, 5200), st.integers(0, 1500)), max_size=12),
    ranges=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 900)), max_size=6),
)
def test_whatever_is_read_is_what_is_there(
    size: int, steps: list[tuple[int, int]], ranges: list[tuple[float, int]]
) -> None:
    data, fetched = DATA[:size], []

    def fetch(spans: Sequence[Span]) -> list[bytes]:
        assert all(0 <= start < stop <= size for start, stop in spans)
        fetched.extend(spans)
        return [data[start:stop] for start, stop in spans]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"UNIT": 64, "MOST_AHEAD": 512, "CACHED": 1024, "_LARGE": 700}.items():
            patch.setattr(edge.bulk.ranged, name, value)
        cache = Cache(size, fetch, data[:100])
        reader, oracle = Reader(size, cache.read), io.BytesIO(data)
        for at, length in steps:
            assert reader.seek(at) == oracle.seek(at)
            assert reader.read(length) == oracle.read(length)
            assert reader.tell() == oracle.tell() or at > size
        spans = [(int(share * size), min(length, size - int(share * size))) for share, length in ranges]
        spans = [(at, length) for at, length in spans if length]
        got = reader.read_ranges([at for at, _ in spans], [length for _, length in spans])
        assert got == [data[at : at + length] for at, length in spans]
        assert sum(map(len, cache._units.values())) <= 1024


def test_reading_on_takes_few_requests_and_reading_about_takes_small_ones() -> None:
    asked: list[Span] = []

    def fetch(spans: Sequence[Span]) -> list[bytes]:
        asked.extend(spans)
        return [bytes(stop - start) for start, stop in spans]

    reader = Reader(256 * MEBI, Cache(256 * MEBI, fetch).read)
    while reader.read(MEBI):
        pass
    assert len(asked) < 80
    assert sum(stop - start for start, stop in asked) == 256 * MEBI
    asked.clear()
    for at in range(250, 0, -5):
        reader.seek(at * MEBI)
        reader.read(512)
    assert max(stop - start for start, stop in asked) == 2**16
    asked.clear()
    reader = Reader(256 * MEBI, Cache(256 * MEBI, fetch).read)
    for at in range(0, 64 * MEBI, 100_000):  # the headers of a tar of small scenes
        reader.seek(at)
        reader.read(512)
    assert len(asked) < 40


def test_many_readers_share_an_object(web: Web) -> None:
    web.put("/data", DATA)
    file = StoreFile(web.stores(), web.url("/data"))
    starts = range(0, len(DATA) - 5000, 60_000)

    def piece(at: int) -> bytes:
        with file.open() as stream:
            stream.seek(at)
            return stream.read(5000)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(piece, starts)) == [DATA[at : at + 5000] for at in starts]
    assert file.trouble is None


# Lists, names, and what a store says of its objects


def test_a_prefix_is_listed_with_sizes_and_tags(s3: S3) -> None:
    names = ["list/a b.tif", "list/50%25.tif", "list/deep/er/ü+&=.tif", "list2/other.tif"]
    for name in names:
        s3.put(name, name.encode())
    stores = s3.stores()
    found = list(stores.list("s3://archive/list/"))
    assert sorted((url, size) for url, size, _ in found) == sorted(
        (f"s3://archive/{name}", len(name.encode())) for name in names[:3]
    )
    for url, size, tag in found:
        assert stores.stat(url) == (size, tag)
        with stores.open(url) as file:
            assert file.read() == url.removeprefix("s3://archive/").encode()


def test_a_long_list_comes_whole(s3: S3) -> None:
    with ThreadPoolExecutor(4) as pool:
        urls = set(pool.map(lambda number: s3.put(f"many/{number}", b""), range(30)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge.bulk.stores._PAGE", 7)
        assert {url for url, _, _ in s3.stores().list("s3://archive/many/")} == urls


def test_names_of_the_web_are_decoded_and_queries_kept(web: Web) -> None:
    web.put("/a b/ü%41.tif", b"bytes")
    url = web.url("/a b/ü%41.tif") + "?signature=a%2Bb&x=1"
    stores = web.stores()
    with stores.open(url) as file:
        assert file.read() == b"bytes"
    assert stores.stat(url)[0] == 5
    assert all("?signature=a%2Bb&x=1 " in get for get in web.traffic.gets)
    assert StoreFile(stores, url).name == "ü%41.tif"


def test_an_empty_object_is_an_empty_file(s3: S3, web: Web) -> None:
    for stores, url in ((s3.stores(), s3.put("empty.tif", b"")), (web.stores(), web.put("/empty.tif", b""))):
        with stores.open(url) as file:
            assert file.read() == b""
        assert stores.stat(url)[0] == 0
        with pytest.raises(SceneError, match=r"/empty.tif: is empty \(0 bytes\)"):
            open_scene(StoreFile(stores, url))


def test_google_and_azure_are_asked_as_s3_is(web: Web) -> None:
    web.put("/bucket/a/b.tif", b"bytes")
    address = f"http://127.0.0.1:{web.port}"
    account = {
        "gcs_base_url": address,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    stores = web.stores(
        GOOGLE_SERVICE_ACCOUNT_KEY=json.dumps(account), AZURE_STORAGE_ENDPOINT=address,
        AZURE_STORAGE_ACCOUNT_NAME="me", AZURE_SKIP_SIGNATURE="true", AZURE_UNKNOWN="left alone",
    )  # fmt: skip
    for scheme in ("gs", "az", "GS"):
        with stores.open(f"{scheme}://bucket/a/b.tif") as file:
            assert file.read() == b"bytes"


def test_the_same_object_elsewhere_has_the_same_fingerprint_and_nothing_is_fetched_for_it(s3: S3, web: Web) -> None:
    files = Files(s3.stores())
    urls = [s3.put(key, data) for key, data in (("one", DATA), ("two", DATA), ("three", DATA[:-1]))]
    prints = []
    for url in urls:
        with files.open(Place(url), "x.tif") as file:
            prints.append(files.fingerprint(file))
    assert prints[0].startswith("etag:")
    assert prints[0] == prints[1] != prints[2]
    assert s3.traffic.sent <= 3 * 2**18
    web.tags = False
    untagged = [StoreFile(web.stores(), web.put(path, b"same")).fingerprint() for path in ("/a", "/b", "/a")]
    assert untagged[0] == untagged[2] != untagged[1], "without an ETag nobody knows whether two objects are the same"


def test_stores_travel_between_processes_without_what_is_open(s3: S3) -> None:
    url, stores = s3.put("travels", DATA), s3.stores()
    with stores.open(url) as file:
        file.read()
    with pickle.loads(pickle.dumps(stores)).open(url) as file:  # noqa: S301 - our own
        assert file.read() == DATA


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://host/a.tif", "ftp:// is no known store; use s3://"),
        ("s3:///a.tif", "names no bucket; write it as s3://bucket/path"),
    ],
)
def test_urls_that_lead_nowhere_are_refused(url: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Address.of(url)


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match=r"obstore, which is not installed; pip install 'tanker-edge\[bulk\]'"):
        Stores().stat("s3://bucket/a.tif")


def test_settings_that_make_no_sense_are_told() -> None:
    with pytest.raises(UsageError, match=r"^s3://bucket: cannot be asked with these settings .*AWS_"):
        Stores({"AWS_SKIP_SIGNATURE": "perhaps"}).stat("s3://bucket/a.tif")


# Servers that give no parts of files


def test_a_server_without_ranges_is_read_whole_once(web: Web, cog: Path) -> None:
    web.ranges = False
    url, files = web.put("/cog.tif", cog.read_bytes()), Files(web.stores())
    window = Window(3000, 100, 300, 300)
    with files.open(Place(url), "cog.tif") as file:
        files.fingerprint(file)
        with open_scene(file) as scene, open_scene(cog) as local:
            assert np.array_equal(scene.read(window, Scale())[0], local.read(window, Scale())[0])
            assert scene.name == "cog.tif"
    files.close()
    assert web.traffic.gets[1:] == ["/cog.tif whole"]


def test_what_is_no_scene_is_not_copied_from_such_a_server(web: Web) -> None:
    web.ranges = False
    files = Files(web.stores(), max_pixels=100)
    url = web.put("/long.gif", b"GIF89a" + bytes(3 * MEBI))
    with (
        files.open(Place(url), "long.gif") as file,
        pytest.raises(SceneError, match="over the limit of 100 pixels"),
    ):
        open_scene(file)
    with (
        files.open(Place(web.put("/note.tif", b"dear")), "note.tif") as file,
        pytest.raises(SceneError, match="is not an image, by its content"),
    ):
        open_scene(file)
    files.close()


# Stores that fail


@pytest.mark.parametrize(
    ("status", "told"), [(404, "is not in its store"), (403, "may not be read"), (410, "410 Gone")]
)
def test_a_store_that_says_no_is_asked_once(web: Web, status: int, told: str) -> None:
    web.status = status
    with pytest.raises(StoreRefusal, match=rf"/a.tif: .*{told}.*;") as caught:
        web.stores(HASTY).stat(web.url("/a.tif"))
    assert isinstance(caught.value, InputError)
    assert not is_transient(caught.value)
    assert len(web.traffic.gets) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_store_is_asked_again_and_then_told_of(web: Web, status: int) -> None:
    web.status = status
    with pytest.raises(
        StoreTrouble, match=rf"its store answers {status} [A-Z].*; start the same command again"
    ) as told:
        web.stores(HASTY).stat(web.url("/a.tif"))
    assert is_transient(told.value)
    assert len(web.traffic.gets) == 3, "two more tries"
    again = pickle.loads(pickle.dumps(told.value))  # noqa: S301 - our own
    assert (str(again), again.mend) == (str(told.value), told.value.mend)


def test_a_store_that_fails_now_and_then_gives_the_right_bytes(web: Web) -> None:
    web.put("/data", DATA)
    file = StoreFile(web.stores(), web.url("/data"))
    web.failing, web.cutting = 2, 0
    with file.open() as stream:
        assert stream.read(1000) == DATA[:1000]
        web.failing, web.cutting = 1, 2
        assert stream.read() == DATA[1000:]


def test_a_server_that_is_gone_has_failed_soon(web: Web) -> None:
    with serving_files() as other:
        url = other.put("/a.tif", DATA)
    begun = time.monotonic()
    with pytest.raises(StoreTrouble, match=r"its store cannot be reached \(connection refused\)") as caught:
        web.stores(HASTY).stat(url)
    assert time.monotonic() - begun < 10
    assert is_transient(caught.value)


def test_a_server_that_says_nothing_has_failed_soon(web: Web) -> None:
    web.silent = threading.Event()
    begun = time.monotonic()
    with pytest.raises(StoreTrouble, match=r"its store cannot be reached \(no answer in time\)"):
        web.stores(HASTY).stat(web.url("/a.tif"))
    assert 0.9 < time.monotonic() - begun < 10


@pytest.mark.parametrize("other", [DATA[::-1], DATA[: 2 * MEBI], DATA[:100_000]], ids=["other", "shorter", "short"])
def test_an_object_that_changes_while_it_is_read_is_told(web: Web, other: bytes) -> None:
    web.put("/data", DATA)
    file = StoreFile(web.stores(HASTY), web.url("/data"))
    with file.open() as stream:
        stream.read(1000)
        web.put("/data", other)
        stream.seek(-70_000, io.SEEK_END)
        with pytest.raises(StoreTrouble, match="/data: has changed while it was being read") as caught:
            stream.read()
    assert is_transient(caught.value)
    assert file.trouble is caught.value


def test_an_object_that_is_gone_while_it_is_read_is_told(s3: S3) -> None:
    file = StoreFile(s3.stores(HASTY), s3.put("gone", DATA))
    with file.open() as stream:
        stream.read(1000)
        s3.delete("gone")
        with pytest.raises(StoreRefusal, match=r"^s3://archive/gone: is not in its store"):
            stream.read()


def test_a_store_that_dies_in_the_middle_of_a_scan_is_told_of_and_not_taken_for_a_damaged_file(
    web: Web, cog: Path, toy: Detector
) -> None:
    url = web.put("/cog.tif", cog.read_bytes())
    files = Files(web.stores(HASTY))
    with files.open(Place(url), "cog.tif") as file, open_scene(file) as scene:

        def die(done: int, _: int) -> None:
            if done == 3:
                web.status = 503

        options = ScanOptions(max_length_m=12, threads=1, exhaustive=True)
        result = scan(scene, toy, options, hooks=Hooks(on_tile=die))
        assert result.tiles.scored >= 3
        assert result.tiles.failed > 100
        assert 0 < result.coverage < 0.5
        assert any("its store answers 503" in warning for warning in result.warnings)
        with pytest.raises(SceneError, match="its store answers 503 Service Unavailable") as caught:
            scene.read(Window(4000, 4000, 96, 96), Scale())
        assert is_transient(caught.value)
        assert is_transient(file.trouble)
        asked = len(web.traffic.gets)
        with pytest.raises(SceneError):
            scene.read(Window(0, 3000, 96, 96), Scale())
        assert len(web.traffic.gets) == asked, "nothing more is asked of a store that has failed"
    web.status = 0
    with files.open(Place(url), "cog.tif") as file, open_scene(file) as scene:
        result = scan(scene, toy, ScanOptions(max_length_m=12, threads=1, scale=Scale(down=8)))
        raise_if_unseen(scene, result)
        assert result.coverage == 1
    files.close()


def test_a_store_that_fails_while_a_scene_is_opened_is_not_taken_for_a_damaged_file(web: Web, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (1, 800, 800), np.uint8)
    data = write_tiff(tmp_path / "scene.tif", pixels, blockysize=8).read_bytes()
    moved = bytearray(data + bytes(MEBI) + data[8:400])  # its directory lies at the end
    moved[4:8] = (len(data) + MEBI).to_bytes(4, "little")
    url = web.put("/scene.tif", bytes(moved))
    file = StoreFile(web.stores(HASTY), url)
    assert file.size == len(moved)
    web.status = 500
    with pytest.raises(SceneError, match=r"/scene.tif: its store answers 500 Internal Server Error") as caught:
        open_scene(file)
    assert isinstance(caught.value.__cause__, StoreTrouble)
