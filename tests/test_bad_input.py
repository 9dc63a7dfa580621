"""Broken, hostile and mistaken scene files: each gets its own error that says what is wrong and how to mend it."""

from __future__ import annotations

import io
import math
import os
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_files import HARBOUR, animated_png, gif, png, png_chunk, write_tiff

from edge.errors import SceneError, UsageError
from edge.geometry import Window
from edge.scene import Scale, SceneOptions, open_scene, scene_size
from edge.scene_header import PICTURES, kind_of, read_header

OPEN_FILES = Path("/proc/self/fd")
RNG = np.random.default_rng(11)
NOISE = RNG.integers(0, 256, (64, 80, 3), np.uint8)


def _encoded(kind: str) -> bytes:
    """A whole file of one of PICTURES."""
    if kind == "GIF":
        return gif(12, 10, [20, 40])
    ok, data = cv2.imencode("." + kind.lower(), NOISE)
    assert ok
    return data.tobytes()


def _refused(path: Path, options: SceneOptions | None = None) -> SceneError:
    with pytest.raises(SceneError) as caught:
        open_scene(path, options)
    error = caught.value
    assert error.subject == str(path)
    assert str(error) == f"{path}: {error.cause}; {error.mend}"
    return error


def test_missing(tmp_path: Path) -> None:
    assert _refused(tmp_path / "no.tif").cause == "does not exist"
    (tmp_path / "file").touch()
    assert _refused(tmp_path / "file" / "no.tif").cause == "does not exist"


def test_no_file_name_at_all(tmp_path: Path) -> None:
    for name in ("a\0b.tif", "x" * 5000):
        with pytest.raises(SceneError, match=r"is no file name|cannot be read"):
            open_scene(tmp_path / name)


def test_folder(tmp_path: Path) -> None:
    error = _refused(tmp_path)
    assert error.cause == "is a folder, not an image"
    assert "*.tif" in error.mend


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "scene.png").touch()
    assert "is empty" in _refused(tmp_path / "scene.png").cause


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scene.png")
    assert _refused(tmp_path / "scene.png").cause == "is not a regular file"


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX users")
def test_unreadable(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1))
    path.chmod(0)
    root = os.geteuid() == 0  # root reads everything: become somebody else
    try:
        if root:
            os.seteuid(65534)
        error = _refused(path)
    finally:
        if root:
            os.seteuid(0)
    assert "Permission denied" in error.cause
    assert "permissions" in error.mend


@pytest.mark.parametrize(
    ("name", "content"),
    [("notes.png", b"Berth 3 is free.\n"), ("page.jpg", b"<html></html>"), ("zeros.tif", bytes(500)), ("x.tif", b"II")],
)
def test_not_an_image(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    error = _refused(tmp_path / name)
    assert error.cause == "is not an image, by its content"
    assert "GeoTIFF" in error.mend


@pytest.mark.parametrize(
    ("head", "format_name"),
    [
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\x00\x00\x00\x18ftypheic", "HEIF"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04....", "zip"),
        (b"NITF02.10", "NITF"),
    ],
)
def test_a_format_that_is_not_read_is_named(tmp_path: Path, head: bytes, format_name: str) -> None:
    (tmp_path / "scene.tif").write_bytes(head + bytes(100))
    error = _refused(tmp_path / "scene.tif")
    assert format_name in error.cause
    assert "convert" in error.mend


def test_a_picture_under_another_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "scene.jpg").write_bytes(_encoded("PNG"))
    with open_scene(tmp_path / "scene.jpg") as scene:
        assert scene.width == 80


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98, None])
def test_truncated_picture(tmp_path: Path, kind: str, share: float | None, capfd: pytest.CaptureFixture[str]) -> None:
    data, path = _encoded(kind), tmp_path / "scene.img"
    path.write_bytes(data[: max(16, int(len(data) * share)) if share else -1])
    assert "cut off" in _refused(path).cause
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", PICTURES)
def test_each_cut_is_noticed_and_the_whole_file_is_not_blamed(kind: str) -> None:
    data = _encoded(kind)
    assert read_header(kind, io.BytesIO(data)).fault is None
    assert kind_of(data[:32]) == kind
    for end in range(16, len(data), 61):
        assert read_header(kind, io.BytesIO(data[:end])).fault


def test_bytes_after_the_end_of_a_picture_do_no_harm(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "BMP"):
        (tmp_path / kind).write_bytes(_encoded(kind) + b"made by a camera that adds something")
        with open_scene(tmp_path / kind) as scene:
            assert scene.read(Window(0, 0, 80, 64), Scale())[1].all()


@given(st.sampled_from(PICTURES), st.binary(max_size=200), st.integers(8, 60))
@settings(max_examples=200, deadline=None)
def test_walking_garbage_never_raises(kind: str, garbage: bytes, keep: int) -> None:
    header = read_header(kind, io.BytesIO(_encoded(kind)[:keep] + garbage))
    assert header.width >= 0
    assert header.height >= 0


def test_a_damaged_png_is_not_shown_as_water(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(_encoded("PNG"))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "scene.png").write_bytes(data)
    assert "checksum" in _refused(tmp_path / "scene.png").cause
    assert capfd.readouterr().err == ""


def test_zero_size(tmp_path: Path) -> None:
    (tmp_path / "scene.png").write_bytes(png(0, 5, b""))
    assert "0 x 5 pixels" in _refused(tmp_path / "scene.png").cause
    (tmp_path / "scene.gif").write_bytes(gif(0, 0, [1]))
    assert "0 x 0 pixels" in _refused(tmp_path / "scene.gif").cause


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)  # calling it fails the test
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000, b""))
    error = _refused(tmp_path / "bomb.png")
    assert "60,000 x 60,000 pixels, over the limit of 400,000,000" in error.cause
    assert "--max-pixels" in error.mend


def test_the_limit_is_an_option(tmp_path: Path) -> None:
    (tmp_path / "scene.png").write_bytes(_encoded("PNG"))
    assert "over the limit of 5,119" in _refused(tmp_path / "scene.png", SceneOptions(max_pixels=80 * 64 - 1)).cause
    open_scene(tmp_path / "scene.png", SceneOptions(max_pixels=80 * 64)).close()


def test_a_file_far_too_long_for_the_limit_is_not_loaded(tmp_path: Path) -> None:
    with (tmp_path / "scene.png").open("wb") as file:
        file.write(_encoded("PNG"))
        file.truncate(2 * 2**20)
    assert "bytes long" in _refused(tmp_path / "scene.png", SceneOptions(max_pixels=100)).cause


def test_a_huge_block_in_a_tiff_is_refused(tmp_path: Path) -> None:
    path = write_tiff(
        tmp_path / "scene.tif", NOISE[:, :, :1].transpose(2, 0, 1), tiled=True, blockxsize=64, blockysize=64
    )
    error = _refused(path, SceneOptions(max_pixels=64 * 64 - 1))
    assert "one block of it is 64 x 64 pixels" in error.cause


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_truncated_tiff_without_its_directory(tmp_path: Path, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scene.tif"
    assert cv2.imwrite(str(path), NOISE)  # OpenCV writes the directory last
    data = path.read_bytes()
    path.write_bytes(data[: max(8, int(len(data) * share))])
    error = _refused(path)
    assert error.cause.startswith("is not a whole TIFF")
    assert "again" in error.mend
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compress", ["none", "deflate", "lzw", "jpeg"])
def test_truncated_tiff_tells_where(tmp_path: Path, compress: str, capfd: pytest.CaptureFixture[str]) -> None:
    bands = RNG.integers(0, 256, (3, 256, 256), np.uint8)
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": compress}
    path = write_tiff(tmp_path / "scene.tif", bands, **layout)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with open_scene(path) as scene:
        assert scene.read(Window(0, 0, 64, 64), Scale())[1].all()  # this part is there
        with pytest.raises(SceneError) as caught:
            scene.read(Window(100, 200, 100, 100), Scale())
        assert scene.read(Window(0, 0, 64, 64), Scale())[1].all()  # and still is
    assert caught.value.subject == str(path)
    assert caught.value.cause.startswith("columns 100 to 200, rows 200 to 256 cannot be read")
    assert capfd.readouterr().err == ""


def test_a_truncated_16_bit_tiff_fails_when_it_is_sampled(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", RNG.integers(0, 4000, (1, 200, 200), np.uint16))
    path.write_bytes(path.read_bytes()[:20_000])
    assert "cannot be read" in _refused(path).cause


def _tiff(*entries: tuple[int, int, int, int], next_page: int = 0, tail: bytes = b"") -> bytes:
    """A little-endian TIFF of 1 x 1 px with further entries (tag, type, count, value)."""
    plain = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    every = {tag: (tag, 4, 1, value) for tag, value in plain.items()} | {entry[0]: entry for entry in entries}
    rows = b"".join(struct.pack("<HHII", *every[tag]) for tag in sorted(every))
    head = b"II*\x00" + struct.pack("<IH", 8, len(every))
    return head + rows + struct.pack("<I", next_page) + tail


def test_a_tiff_of_crumbs_is_refused_before_gdal_walks_over_them(tmp_path: Path) -> None:
    page = _tiff()[8:-4]
    pages = b"".join(page + struct.pack("<I", 8 + (len(page) + 4) * n) for n in range(1, 6000))
    (tmp_path / "pages.tif").write_bytes(b"II*\x00" + struct.pack("<I", 8) + pages)
    (tmp_path / "tags.tif").write_bytes(_tiff(*[(40_000 + n, 4, 1, 0) for n in range(3000)]))
    (tmp_path / "bands.tif").write_bytes(_tiff((277, 4, 1, 60_000)))
    (tmp_path / "notes.tif").write_bytes(_tiff((42112, 2, 10**6, 200), tail=b"<a>" * 400_000))
    big = b"MM\x00+\x00\x08\x00\x00" + struct.pack(">QQ", 16, 2**63)
    (tmp_path / "big.tif").write_bytes(big)
    for name, cause in {
        "pages": "has more than 4,096 pages", "tags": "has a directory of 3,009 tags", "bands": "has 60,000 bands",
        "notes": "has 1,000,000 bytes of metadata", "big": "has a directory of 9,223,372,036,854,775,808 tags",
    }.items():  # fmt: skip
        assert cause in _refused(tmp_path / f"{name}.tif").cause
        with pytest.raises(SceneError, match=cause.split()[1]):
            scene_size(tmp_path / f"{name}.tif")


def test_colours_of_three_bands_in_a_file_of_one_are_refused(tmp_path: Path) -> None:
    """GDAL 3.10 ends the program over some of them."""
    how = {"compress": "jpeg", "photometric": "YCBCR", "tiled": True, "blockxsize": 32, "blockysize": 32}
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1), **how)
    open_scene(path).close()
    data = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    tags = [struct.unpack_from("<H", data, at + 2 + 12 * n)[0] for n in range(count)]
    struct.pack_into("<H", data, at + 2 + 12 * tags.index(277), 65000)  # no number of bands: then it is 1
    path.write_bytes(data)
    assert "YCbCr in other than three bands" in _refused(path).cause


def test_names_that_are_no_text_are_told_as_of_the_file(tmp_path: Path) -> None:
    lambert = "+proj=lcc +lat_1=40 +lat_2=50 +lat_0=45 +lon_0=3 +ellps=GRS80 +units=m +type=crs"
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1), crs=lambert, transform=HARBOUR)
    data = path.read_bytes()
    assert b"unknown" in data  # the name of its CRS
    path.write_bytes(data.replace(b"unknown", b"unk\xceown"))
    assert "is not a whole TIFF ('utf-8' codec" in _refused(path).cause


def test_what_gdal_tells_late_is_told_as_of_the_file(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1))
    data = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * count, len(data) - 1)  # the next directory
    path.write_bytes(data)
    assert "is not a whole TIFF" in _refused(path).cause


def test_pages_that_go_round_and_ones_far_away_end(tmp_path: Path) -> None:
    (tmp_path / "round.tif").write_bytes(_tiff(next_page=8))
    (tmp_path / "far.tif").write_bytes(_tiff(next_page=2**32 - 2))
    for name in ("round.tif", "far.tif"):
        assert scene_size(tmp_path / name) == (1, 1)


def test_a_block_that_is_far_larger_than_its_scene_is_refused(tmp_path: Path) -> None:
    layout = {"tiled": True, "blockxsize": 4096, "blockysize": 4096, "compress": "deflate", "interleave": "pixel"}
    path = write_tiff(tmp_path / "scene.tif", np.zeros((8, 16, 16), np.uint8), **layout)
    assert "134,217,728 bytes, far more than 16 x 16 pixels need" in _refused(path).cause
    open_scene(write_tiff(path, np.zeros((8, 16, 16), np.uint8), **{**layout, "interleave": "band"})).close()


def _scans(number: int) -> bytes:
    """A progressive JPEG of 8 x 8 px with so many scans, all but the first of which change nothing."""
    tables = b"\xff\xdb\x00\x43\x00" + bytes([1] * 64)
    tables += b"\xff\xc4\x00\x14\x00" + bytes([1] + [0] * 15) + b"\x00"
    tables += b"\xff\xc4\x00\x14\x10" + bytes([1] + [0] * 15) + b"\x00"
    frame = b"\xff\xc2\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    first = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x00"
    more = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00\x00"
    return b"\xff\xd8" + tables + frame + first + more * (number - 1) + b"\xff\xd9"


def test_a_jpeg_that_is_scanned_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "few.jpg").write_bytes(_scans(100))
    open_scene(tmp_path / "few.jpg").close()
    (tmp_path / "many.jpg").write_bytes(_scans(101))
    assert "more than 100 scans" in _refused(tmp_path / "many.jpg").cause


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_picture_of_crumbs_is_refused(tmp_path: Path, kind: str) -> None:
    crumb = {"JPEG": b"\xff\xe1\x00\x02", "PNG": png_chunk(b"tEXt", b""), "GIF": b"!\xfe\x00"}[kind]
    at = {"JPEG": 2, "PNG": 33, "GIF": 13 + 3 * 128}[kind]
    whole = _encoded(kind)
    (tmp_path / "scene").write_bytes(whole[:at] + crumb * 1000 + whole[at:])
    open_scene(tmp_path / "scene").close()
    (tmp_path / "scene").write_bytes(whole[:at] + crumb * 30_000 + whole[at:])
    assert "too many parts" in _refused(tmp_path / "scene").cause


def test_a_long_gif_has_many_blocks_and_is_read(tmp_path: Path) -> None:
    whole, at = _encoded("GIF"), 13 + 3 * 128
    comment = b"!\xfe" + (b"\xff" + bytes(255)) * 60_000 + b"\x00"
    (tmp_path / "scene.gif").write_bytes(whole[:at] + comment + whole[at:])
    open_scene(tmp_path / "scene.gif").close()


def test_a_picture_with_far_more_beside_it_than_in_it_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_bytes", None)  # calling it fails the test
    with (tmp_path / "scene.jpg").open("wb") as file:
        file.write(_encoded("JPEG"))
        file.truncate(65 * 2**20)
    assert "far more than 80 x 64 pixels need" in _refused(tmp_path / "scene.jpg").cause


def test_a_picture_that_opencv_refuses_by_its_size_is_not_shown_as_water(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scene.png").write_bytes(png(20_000_000, 1, bytes(60_000_001)))  # libpng takes a million px a side
    assert "cannot decode" in _refused(tmp_path / "scene.png").cause
    capfd.readouterr()


def test_complex_px(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", np.ones((1, 8, 8), np.complex64))
    error = _refused(path)
    assert "complex" in error.cause
    assert "amplitude" in error.mend


def test_cmyk_tiff(tmp_path: Path) -> None:
    inks = np.zeros((4, 8, 8), np.uint16)
    inks[1:3] = 65535  # magenta and yellow make red
    with open_scene(write_tiff(tmp_path / "8.tif", (inks >> 8).astype(np.uint8), photometric="CMYK")) as scene:
        assert (scene.read(Window(0, 0, 8, 8), Scale())[0] == (255, 0, 0)).all()
    assert "CMYK" in _refused(write_tiff(tmp_path / "16.tif", inks, photometric="CMYK")).cause


def test_a_header_that_lies_about_the_size(tmp_path: Path) -> None:
    data = bytearray(_encoded("JPEG"))
    frame = data.index(b"\xff\xc0")
    fake = bytes(data[frame : frame + 19])
    fake = fake[:5] + struct.pack(">HH", 9, 9) + fake[9:]
    (tmp_path / "scene.jpg").write_bytes(bytes(data[:frame]) + fake + bytes(data[frame:]))
    _refused(tmp_path / "scene.jpg")


def test_an_animation_without_frames_is_its_still_picture(tmp_path: Path) -> None:
    rows = (b"\x00" + bytes([90] * 6)) * 2
    whole = animated_png([rows, rows])
    at = whole.index(b"fcTL") - 4
    (tmp_path / "scene.png").write_bytes(whole[:at] + whole[at + len(png_chunk(b"fcTL", bytes(26))) :])
    with open_scene(tmp_path / "scene.png") as scene:
        assert (scene.read(Window(0, 0, 2, 2), Scale())[0] == 90).all()


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="needs /proc")
def test_files_are_let_go_of_when_opening_fails(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1))
    before = len(list(OPEN_FILES.iterdir()))
    for _ in range(5):
        _refused(path, SceneOptions(bands=(9,)))
    assert len(list(OPEN_FILES.iterdir())) == before


def test_opening_in_many_threads_leaks_no_warning(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                open_scene(path).close()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_picture_that_memory_must_hold_may_be_less_large(tmp_path: Path) -> None:
    data = bytearray(gif(12, 10, [20, 40]))
    data[6:10] = struct.pack("<HH", 20_000, 20_000)
    (tmp_path / "large.gif").write_bytes(data)
    assert "over the limit of 100,000,000 pixels" in _refused(tmp_path / "large.gif").cause


@pytest.mark.parametrize("side", [1e200, 1e-30, 1e300])
def test_a_pixel_size_that_cannot_be_meant_is_not_used(tmp_path: Path, side: float) -> None:
    transform = rasterio.Affine(side, 0, 0, 0, -side, 0)
    path = write_tiff(tmp_path / "scene.tif", NOISE.transpose(2, 0, 1), crs="EPSG:32610", transform=transform)
    with open_scene(path) as scene:
        assert scene.gsd_m is None
        assert any("cannot be meant" in warning for warning in scene.warnings)
    with open_scene(path, SceneOptions(gsd_m=2.0)) as scene:
        assert scene.gsd_m == 2.0


@pytest.mark.parametrize("gsd", [0.0, -1.0, 5e-324, 1e300, math.inf, math.nan])
def test_a_gsd_that_cannot_be_meant_is_refused(gsd: float) -> None:
    with pytest.raises(UsageError, match="--gsd"):
        SceneOptions(gsd_m=gsd)
