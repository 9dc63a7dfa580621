"""Scenes that are none, or that would take all memory or time if they were believed."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import numpy as np

from tests.attack.bombs import MIB, SIDE, bmp, chunk, deflated, gif, jpeg, png, tiff, webp
from tests.attack.registry import attack
from tests.scene_files import HARBOUR, write_tiff
from tests.toy_model import scene_file
from tests.wire import FORM, Answer, form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.attack.target import Target

SMALL = zlib.compress(bytes(25 * 8))


def _scene(target: Target) -> bytes:
    return scene_file(target.folder / "own.png").read_bytes()


@attack(413, 422)
def pictures_of_gigapixels(target: Target) -> Iterable[Answer]:
    """PNG, GIF, JPEG, WebP, BMP and TIFF of a few kB that say they have 250 million px and more."""
    for scene in (
        png(50_000, 50_000, 1, 0, deflated(50_000 * 6_251)), gif(65_535, 65_535, (65_535, 65_535)),
        jpeg(65_500, 65_500), webp(0x0FFFFFFF), bmp(2**31 - 1, 2**31 - 1), bmp(-1, -(2**31)),
        tiff({256: (1, 2**31 - 1), 257: (1, 2**31 - 1)}), tiff({256: (1, 2**32 - 1), 257: (1, 2**32 - 1)}),
        tiff({256: (1, 20_000), 257: (1, 20_000), 278: (1, 20_000)}),
    ):  # fmt: skip
        yield target.count(scene)


@attack(413, 422)
def jobs_of_gigapixels(target: Target) -> Iterable[Answer]:
    """The same as jobs, which may be larger."""
    for scene in (
        png(50_000, 50_000, 1, 0, deflated(50_000 * 6_251)), gif(65_535, 65_535, (65_535, 65_535)),
        jpeg(65_500, 65_500), bmp(40_000, 40_000), tiff({256: (1, 2**31 - 1), 257: (1, 2**31 - 1)}),
    ):  # fmt: skip
        yield target.ended(target.ask("POST", "/v1/jobs", body=scene))


@attack(413, 422)
def pictures_that_say_one_size_and_have_another(target: Target) -> Iterable[Answer]:
    """A frame that is larger than its picture, rows without end or too few, sizes that no decoder takes."""
    for scene in (
        gif(8, 8, (65_535, 65_535)), png(8, 8, 8, 2, deflated(2**28)), png(SIDE, SIDE, 8, 2, SMALL),
        png(30_000_000, 1, 8, 2, deflated(90_000_001)), png(1, 30_000_000, 8, 2, deflated(120_000_000)),
        png(0, 0, 8, 2, SMALL), png(8, 8, 17, 9, SMALL), bmp(0, 0), webp(0), jpeg(0, 0),
    ):  # fmt: skip
        found = target.count(scene)
        if found.status == 200:  # the picture is whole, what follows its rows is nobody's
            assert json.loads(found.body)["width"] == 8
        else:
            yield found


@attack(200, 422)
def pictures_that_unfold_beside_their_px(target: Target) -> Iterable[Answer]:
    """Colour profiles and notes of 500 MB when unfolded, 1,000 frames, rows that are left out."""
    for scene in (
        png(8, 8, 8, 2, SMALL, chunk(b"iCCP", b"x\x00\x00" + deflated(2**29))),
        png(8, 8, 8, 2, SMALL, *[chunk(b"zTXt", b"x\x00\x00" + deflated(2**28))] * 8),
        gif(SIDE, SIDE, (SIDE, SIDE), 1000), bmp(SIDE, SIDE, 1), bmp(SIDE, SIDE, 2),
    ):  # fmt: skip
        yield target.count(scene)


@attack(422)
def pictures_of_crumbs(target: Target) -> Iterable[Answer]:
    """Millions of empty segments, chunks and blocks; a JPEG that is scanned 3,000 times."""
    for scene in (
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * (4 * MIB) + b"\xff\xd9", png(8, 8, 8, 2, SMALL, chunk(b"tEXt", b"") * MIB),
        b"GIF89a\x08\x00\x08\x00\x00\x00\x00" + b"!\xfe\x00" * (4 * MIB) + b";", gif(8, 8, (8, 8), 100_000),
        jpeg(SIDE, SIDE, 3000), b"\xff\xd8" + b"\xff" * (16 * MIB) + b"\xff\xd9",
    ):  # fmt: skip
        yield target.count(scene)


@attack(200, 422)
def tiffs_that_keep_gdal_busy(target: Target) -> Iterable[Answer]:
    """50,000 pages, 60,000 bands, 8 MB of metadata, one strip of everything, blocks far larger than the scene."""
    items = b"".join(b'<Item name="a%d">b</Item>' % n for n in range(300_000))
    notes = b"<GDALMetadata>" + items + b"</GDALMetadata>\x00"
    huge = {256: (1, SIDE), 257: (1, SIDE), 278: (1, SIDE)}
    for scene in (
        tiff({}, pages=50_000), tiff({254: (1, 1)}, pages=50_000), tiff({277: (1, 60_000)}),
        tiff({42112: (len(notes), 200)}, tail=bytes(60) + notes), tiff(huge), tiff({**huge, 277: (1, 4000)}),
        tiff({322: (1, 32_768), 323: (1, 32_768)}), tiff({273: (2**32 - 1, 8)}),
        tiff(dict.fromkeys(range(40000, 44000), (1, 0))), tiff({256: (2**32 - 1, 8)}), tiff({}, next_page=8)[:60],
    ):  # fmt: skip
        yield target.count(scene)


@attack(413, 422)
def files_that_are_no_pictures(target: Target) -> Iterable[Answer]:
    """HTML, SVG with a script, zip, PDF, HDF5, scripts, under names and types of pictures."""
    for scene in (
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', b"PK\x03\x04" + bytes(100),
        b"%PDF-1.7\n", b"\x89HDF\r\n\x1a\n", b"#!/bin/sh\nid\n", b"\x7fELF" + bytes(100), b"\x00" * 100,
        b"GIF89a/*<script>alert(1)</script>*/", b"\xff\xd8\xff\xe0<script>alert(1)</script>", b"BM<script>",
        b"NITF02.10", b"{}", b"P6 1 1 255 abc", b"#?RADIANCE\n", b"\x1f\x8b\x08" + bytes(50),
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    ):  # fmt: skip
        found = target.ask("POST", "/v1/count?name=a.png", ("Content-Type", "image/png"), body=scene)
        assert found.headers["content-type"] == "application/problem+json"
        yield found


@attack(422)
def files_that_name_other_files(target: Target) -> Iterable[Answer]:
    """GDAL's virtual formats, which read what they name: a VRT, WMS, a GTI, a catalogue, an XML external entity."""
    secret = target.folder / "secret.png"
    source = f"<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>"
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    vrt = f'<VRTDataset rasterXSize="9" rasterYSize="9">{band}</VRTDataset>'
    wms = f'<GDAL_WMS><Service name="TMS"><ServerUrl>{target.inner.url}/secret</ServerUrl></Service></GDAL_WMS>'
    xxe = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file://{secret}">]><VRTDataset>&b;</VRTDataset>'
    for text in (
        vrt,
        wms,
        xxe,
        f"<GDALTileIndexDataset><IndexDataset>{secret}</IndexDataset></GDALTileIndexDataset>",
        f"/vsicurl/{target.inner.url}/secret",
    ):
        for name in ("a.vrt", "a.tif", "a.xml"):
            yield target.ask("POST", f"/v1/count?name={name}", body=text.encode())
    (target.root / "a.vrt").write_text(vrt)
    yield target.job({"path": "a.vrt"})
    assert target.inner.asked == []


@attack(200, 422)
def tiffs_that_name_other_files(target: Target) -> Iterable[Answer]:
    """TIFFs whose metadata speak of other files, and names that GDAL would take for more than names."""
    told = f'<GDALMetadata><Item name="SourceFilename">{target.folder}/secret.png</Item></GDALMetadata>\0'.encode()
    scene = tiff({42112: (len(told), 200)}, tail=bytes(70) + told)
    for name in (
        "GTIFF_DIR:1:a.tif",
        "/vsizip/a.zip",
        "a.tif|option",
        "GTIFF_RAW:/etc/passwd",
        "a.tif.aux.xml",
        "a.ovr",
    ):
        yield target.ask("POST", f"/v1/count?name={name}", body=scene)


@attack(400, 413, 422)
def areas_that_are_absurd(target: Target) -> Iterable[Answer]:
    """Areas of interest: nesting without end, numbers without end, no numbers, 5 MB, other types, other files."""
    ring = "[[0,0],[9,0],[9,9],[0,0]]"
    for area in (
        "[" * 200_000, '{"type":"Polygon","coordinates":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"type":"GeometryCollection","geometries":[' * 50_000 + "]}" * 50_000,
        '{"type":"Polygon","coordinates":[[[1e999,0],[9,0],[9,9],[0,0]]]}', "7", "null", "", "{",
        '"file:///etc/passwd"', '{"type":"Polygon","coordinates":[[[NaN,0],[9,0],[9,9],[0,0]]]}',
        '{"type":"Polygon","coordinates":[[]]}',
        '{"type":"Polygon","coordinates":[[[1' + "0" * 5000 + ",0],[9,0],[9,9],[0,0]]]}",
        '{"type":"Point","coordinates":[0,0]}', '{"type":"Polygon","coordinates":[["a","b"]]}',
        '{"type":"Polygon","coordinates":{}}', " " * (5 * MIB), '{"type":"Topology","arcs":[]}', "<gml/>",
        '{"type":"Polygon","coordinates":[' + f"{ring}," * 200_000 + ring + "]}",
        f'{{"type":"Polygon","crs":{{"type":"link","href":"http://127.0.0.1/"}},"coordinates":[{ring}]}}',
    ):  # fmt: skip
        yield target.ask(
            "POST", "/v1/count", FORM, body=form(("name=scene", _scene(target)), ("name=aoi", area.encode()))
        )


@attack(422)
def areas_that_are_long_to_look_at(target: Target) -> Iterable[Answer]:
    """Areas of 180,000 corners, 20,000 rings or polygons, edges round the earth, all within 4 MB."""
    zigzag = ",".join(f"[{n % 160},{(n * 7919) % 96}]" for n in range(180_000))
    ring = "[[{0},0],[{1},0],[{0},90],[{0},0]]"
    rings = [ring.format(n % 99, n % 99 + 1) for n in range(20_000)]
    far = ",".join(f"[{360 * (n % 2) - 180},{n / 2000}]" for n in range(100_000))
    shapes = (
        ("Polygon", f"[[{zigzag},[0,0]]]"), ("Polygon", f"[{','.join(rings)}]"), ("Polygon", f"[[{far},[-180,0]]]"),
        ("MultiPolygon", f"[{','.join(f'[{each}]' for each in rings)}]"),
    )  # fmt: skip
    earth = write_tiff(
        target.folder / "own.tif", np.zeros((1, 64, 64), np.uint8), crs="EPSG:32610", transform=HARBOUR
    ).read_bytes()
    for kind, coordinates in shapes:
        area = f'{{"type":"{kind}","coordinates":{coordinates}}}'.encode()
        for scene in (_scene(target), earth):
            yield target.ask("POST", "/v1/count", FORM, body=form(("name=scene", scene), ("name=aoi", area)))


@attack(200, 400, 422)
def forms_that_are_absurd(target: Target) -> Iterable[Answer]:
    """Forms without an end, with 10,000 parts, unknown parts, headers without end, parts in parts."""
    scene = ("name=scene; filename=a.png", _scene(target))
    inside = form(scene, boundary="inner")
    for body in (
        form(scene)[:-10], form(*[("name=x", b"y")] * 10_000), form(scene, ("name=__proto__", b"x")),
        form(scene, scene), b"--b0undary\r\n" + b"A: b\r\n" * 100_000, b"--b0undary\r\nA: " + b"b" * MIB, b"\r\n" * MIB,
        b"--b0undary" * MIB, form(b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n" + inside),
        form(scene) + form(scene), b"-" * MIB,
    ):  # fmt: skip
        yield target.ask("POST", "/v1/count", FORM, body=body)


@attack(400, 422)
def options_that_are_absurd(target: Target) -> Iterable[Answer]:
    """No numbers, numbers without end, bands that there are not, options that there are not."""
    scene = _scene(target)
    for query in (
        "gsd=nan", "gsd=inf", "gsd=-1", "gsd=0", "gsd=1e-400", "conf=nan", "conf=2", "max_length=inf", "max_length=nan",
        "max_length=0", "min_length=-1", "min_length=nan", "bands=0", "bands=99999", "bands=3,2", "bands=9999",
        "stretch=9,1", "stretch=nan,nan", "stretch=0,0", "timeout=nan", "timeout=-1", "timeout=inf", "exhaustive=2",
        "model=/etc/passwd", "provider=cuda", "max_pixels=1", "gsd=1&gsd=2", "name=" + "x" * 300, "x" * 3000 + "=1",
        "gsd=" + "1" * 3000,
    ):  # fmt: skip
        found = target.count(scene, f"?{query}")
        if query == "gsd=1&gsd=2" and found.status == 200:  # the last one counts
            continue
        yield found


@attack(200, 400, 413, 422)
def options_that_would_take_all_memory(target: Target) -> Iterable[Answer]:
    """Scales and lengths that would make tiles or the working frame huge."""
    scene = _scene(target)
    for query in (
        "gsd=1e-9&max_length=10000", "gsd=1000&max_length=1e-9", "gsd=1e-300",
        "gsd=0.0001&max_length=10000&exhaustive=true", "gsd=1000&min_length=10000", "gsd=0.01&max_length=0.001",
        "min_length=10000&max_length=1", "gsd=1000&exhaustive=1",
    ):  # fmt: skip
        yield target.count(scene, f"?{query}")


@attack(200, 400, 404, 413, 415, 422)
def tensors_that_lie(target: Target) -> Iterable[Answer]:
    """The Open Inference Protocol: shapes and sizes that are not those of the data, other types."""
    model = json.loads(target.ask("GET", "/v1/models").body)
    name = model[0]["name"] if isinstance(model, list) else model["models"][0]["name"]
    where = f"/v2/models/{name}/infer"
    shapes = (
        [2**31, 2**31, 3],
        [-1, 8, 3],
        [0, 0, 3],
        [1, 1, 3],
        [8] * 1000,
        [],
        [1e9, 1, 3],
        ["8", 8, 3],
        [2**64, 1, 3],
        None,
    )
    for shape in shapes:
        tensor = {"name": "image", "datatype": "UINT8", "shape": shape, "data": [0] * 12}
        yield target.json("POST", where, {"inputs": [tensor]})
    for kind in ("FP64", "BYTES", "STRING", "", 7, "UINT8" * 100):
        yield target.json(
            "POST", where, {"inputs": [{"name": "image", "datatype": kind, "shape": [2, 2, 3], "data": [0] * 12}]}
        )
    for size in (-1, 10**18, "12", 11, 13):
        told = {"name": "image", "datatype": "UINT8", "shape": [2, 2, 3], "parameters": {"binary_data_size": size}}
        words = json.dumps({"inputs": [told]}).encode()
        for length in (len(words), 0, 10**9, -1):
            header = ("Inference-Header-Content-Length", str(length))
            yield target.ask("POST", where, header, body=words + bytes(12))
    yield target.ask("POST", where, body=b'{"inputs":' + b"[" * 200_000)
    yield target.ask("POST", "/v2/models/..%2f..%2fetc/infer", body=b"{}")
    yield target.json(
        "POST",
        where,
        {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [2, 2, 3], "data": [300, -1, 1.5] * 4}]},
    )
    yield target.json(
        "POST", where, {"inputs": [], "outputs": [{"name": "x" * 10_000}] * 1000, "parameters": {"gsd": "nan"}}
    )
