from __future__ import annotations

import errno
import os
import struct
import sys
import tempfile
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from scene_files import animated_png, exif_orientation, gif, png, png_chunk, write_tiff

import edge.scene
import edge.scene_cache
import edge.scene_decode
import edge.scene_frame
import edge.scene_geotiff
import edge.scene_spill
from edge.errors import SceneError, UsageError
from edge.geometry import Window
from edge.scene import Scale, Scene, SceneOptions, open_scene, scene_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(7)
WHOLE = Scale()
CV2 = tuple(int(v) for v in cv2.__version__.split(".")[:2])
GIF_IS_READ = CV2 >= (4, 11)


def _rgb(height: int, width: int) -> NDArray[np.uint8]:
    return RNG.integers(1, 256, (3, height, width), np.uint8)


def _all(scene: Scene, scale: Scale = WHOLE) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    return scene.read(Window(0, 0, *scene.working_size(scale)), scale)


# Formats


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif"])
def test_lossless_formats_give_the_stored_px(tmp_path: Path, suffix: str) -> None:
    bands, path = _rgb(20, 31), tmp_path / f"scene{suffix}"
    if suffix == ".tif":
        write_tiff(path, bands)
    else:
        quality = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
        assert cv2.imwrite(str(path), bands.transpose(1, 2, 0)[..., ::-1], quality)
    with open_scene(path) as scene:
        assert (scene.width, scene.height, scene.name) == (31, 20, path.name)
        assert (scene.gsd_m, scene.crs, scene.stretch, scene.warnings) == (None, None, None, [])
        assert scene.to_lonlat(np.zeros((1, 2))) is None
        assert scene.to_ground(np.zeros((1, 2))) is None
        assert scene.from_lonlat(np.zeros((1, 2))) is None
        pixels, valid = _all(scene)
    assert np.array_equal(pixels, bands.transpose(1, 2, 0))
    assert valid.all()


def test_jpeg_agrees_with_gdal(tmp_path: Path) -> None:
    bands = cv2.GaussianBlur(_rgb(48, 64).transpose(1, 2, 0), (0, 0), 3)
    path = tmp_path / "scene.jpg"
    assert cv2.imwrite(str(path), bands)
    with open_scene(path) as scene, pytest.warns(NotGeoreferencedWarning), rasterio.open(path) as oracle:
        assert np.abs(_all(scene)[0].transpose(2, 0, 1).astype(int) - oracle.read()).mean() < 2


def test_cmyk_jpeg_is_read_as_colours(tmp_path: Path) -> None:
    paper = np.full((4, 16, 16), 255, np.uint8)  # JPEG holds what the ink lets through
    paper[1], paper[2] = 0, 0  # magenta and yellow make red
    path = tmp_path / "scene.jpg"
    source = write_tiff(tmp_path / "inks.tif", paper)
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(source) as file:
        rasterio.shutil.copy(file, path, driver="JPEG")
    path.with_name("scene.jpg.aux.xml").unlink(missing_ok=True)
    with open_scene(path) as scene:
        red, green, blue = _all(scene)[0].mean((0, 1))
    assert red > 200
    assert green < 60
    assert blue < 60


def test_grey_px_are_repeated(tmp_path: Path) -> None:
    grey = _rgb(9, 8)[0]
    cv2.imwrite(str(tmp_path / "scene.png"), grey)
    write_tiff(tmp_path / "scene.tif", grey[None])
    for name in ("scene.png", "scene.tif"):
        with open_scene(tmp_path / name) as scene:
            assert np.array_equal(_all(scene)[0], np.repeat(grey[..., None], 3, 2))


def test_transparent_px_are_not_valid(tmp_path: Path) -> None:
    bands, alpha = _rgb(6, 5), np.full((6, 5), 255, np.uint8)
    alpha[2, 3], alpha[4, 4] = 0, 7
    cv2.imwrite(str(tmp_path / "scene.png"), np.dstack([bands[2], bands[1], bands[0], alpha]))
    write_tiff(tmp_path / "scene.tif", np.concatenate([bands, alpha[None]]), photometric="RGB", alpha="YES")
    for name in ("scene.png", "scene.tif"):
        with open_scene(tmp_path / name) as scene:
            pixels, valid = _all(scene)
            assert scene.warnings == []
        assert np.array_equal(valid, alpha > 0)
        assert np.array_equal(pixels, np.where(valid[..., None], bands.transpose(1, 2, 0), 0))


def test_a_fully_transparent_picture_says_so(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "scene.png"), np.zeros((3, 3, 4), np.uint8))
    with open_scene(tmp_path / "scene.png") as scene:
        assert not _all(scene)[1].any()
        assert "transparent" in scene.warnings[0]


def test_palettes_are_looked_up(tmp_path: Path) -> None:
    indices = RNG.integers(0, 3, (1, 8, 7), np.uint8)
    colours = {0: (10, 20, 30, 255), 1: (200, 100, 0, 255), 2: (0, 0, 0, 255)}
    path = write_tiff(tmp_path / "scene.tif", indices, colormap=colours, nodata=2)
    with open_scene(path) as scene:
        pixels, valid = _all(scene)
    for value, (*rgb, _) in colours.items():
        assert (pixels[indices[0] == value] == rgb).all()
    assert np.array_equal(valid, indices[0] != 2)


def test_palette_png(tmp_path: Path) -> None:
    head = png_chunk(b"IHDR", (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([8, 3, 0, 0, 0]))
    body = png(2, 1, b"\x00\x01\x00")
    data = body[:8] + head + png_chunk(b"PLTE", bytes([9, 8, 7, 200, 100, 50])) + body[body.index(b"IDAT") - 4 :]
    (tmp_path / "scene.png").write_bytes(data)
    with open_scene(tmp_path / "scene.png") as scene:
        assert _all(scene)[0].tolist() == [[[200, 100, 50], [9, 8, 7]]]


def test_animations_give_their_first_picture_and_say_so(tmp_path: Path) -> None:
    rows = [(b"\x00" + bytes([grey] * 6)) * 2 for grey in (100, 50, 70)]
    (tmp_path / "scene.png").write_bytes(animated_png(rows))
    (tmp_path / "scene.gif").write_bytes(gif(5, 4, [50, 90]))
    (tmp_path / "still.gif").write_bytes(gif(5, 4, [50]))
    if not GIF_IS_READ:
        with pytest.raises(SceneError, match="cannot decode this GIF"):
            open_scene(tmp_path / "scene.gif")
    for name in ("scene.png", "scene.gif") if GIF_IS_READ else ("scene.png",):
        with open_scene(tmp_path / name) as scene:
            assert (_all(scene)[0] == 100).all()
            assert "animated" in scene.warnings[0]
    if GIF_IS_READ:
        with open_scene(tmp_path / "still.gif") as scene:
            assert scene.warnings == []


def test_exif_orientation_keeps_the_stored_grid_and_says_so(tmp_path: Path) -> None:
    ok, encoded = cv2.imencode(".jpg", _rgb(16, 40).transpose(1, 2, 0))
    data = encoded.tobytes()
    assert ok
    for value in (1, 6):
        (tmp_path / f"{value}.jpg").write_bytes(data[:2] + exif_orientation(value) + data[2:])
    with open_scene(tmp_path / "1.jpg") as upright, open_scene(tmp_path / "6.jpg") as turned:
        assert (turned.width, turned.height) == (40, 16)
        assert np.array_equal(_all(upright)[0], _all(turned)[0])
        assert upright.warnings == []
        assert "orientation 6 is not applied" in turned.warnings[0]


@pytest.mark.parametrize("suffix", [".pgw", ".pngw", ".wld", None])
def test_a_world_file_is_not_used_and_that_is_told(tmp_path: Path, suffix: str | None) -> None:
    cv2.imwrite(str(tmp_path / "scene.png"), np.zeros((4, 4, 3), np.uint8))
    if suffix:
        (tmp_path / "scene").with_suffix(suffix).write_text("0.5\n0\n0\n-0.5\n551000\n4182000\n")
    with open_scene(tmp_path / "scene.png") as scene:
        assert (scene.gsd_m, scene.crs) == (None, None)
        assert sum("world file" in warning for warning in scene.warnings) == bool(suffix)


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    bands = _rgb(4, 4)
    write_tiff(tmp_path / "scene.tif", bands)
    (tmp_path / "scene.tif").rename(tmp_path / "scene #1?.jpg")
    with open_scene(tmp_path / "scene #1?.jpg") as scene:
        assert np.array_equal(_all(scene)[0], bands.transpose(1, 2, 0))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_one_px_is_a_scene(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scene{suffix}"
    if suffix == ".tif":
        write_tiff(path, np.full((3, 1, 1), 90, np.uint8))
    else:
        cv2.imwrite(str(path), np.full((1, 1, 3), 90, np.uint8))
    with open_scene(path) as scene:
        for scale in (WHOLE, Scale(up=4), Scale(down=5)):
            pixels, valid = _all(scene, scale)
            assert (pixels == 90).all()
            assert valid.all()


@pytest.mark.parametrize(
    "layout",
    [
        {"tiled": True, "blockxsize": 16, "blockysize": 32},
        {"tiled": True, "blockxsize": 16, "blockysize": 16, "interleave": "band", "compress": "deflate"},
        {"blockysize": 5, "compress": "lzw"},
        {"BIGTIFF": "YES", "compress": "packbits"},
    ],
)
def test_tiff_layouts(tmp_path: Path, layout: dict[str, Any]) -> None:
    bands = _rgb(70, 51)
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, **layout)) as scene:
        assert np.array_equal(_all(scene)[0], bands.transpose(1, 2, 0))


def test_cloud_optimized_geotiff(tmp_path: Path) -> None:
    bands = _rgb(600, 700)
    write_tiff(tmp_path / "plain.tif", bands)
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(tmp_path / "plain.tif") as file:
        rasterio.shutil.copy(file, tmp_path / "scene.tif", driver="COG", blocksize=128)
    with open_scene(tmp_path / "scene.tif") as scene:
        assert np.array_equal(_all(scene)[0], bands.transpose(1, 2, 0))


def test_pages_are_told(tmp_path: Path) -> None:
    pages = [np.full((4, 4, 3), v, np.uint8) for v in (10, 20, 30)]
    assert cv2.imwritemulti(str(tmp_path / "scene.tif"), pages)
    with open_scene(tmp_path / "scene.tif") as scene:
        assert (_all(scene)[0] == 10).all()
        assert "3 pages" in scene.warnings[0]


# Large pictures


def _chunked(colour: int, bits: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG of 4 x 3 px of any colour type."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, bits, colour, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return png(4, 3, b"")[:8] + head + b"".join(extra) + data


def _encode(suffix: str, pixels: NDArray[Any], *how: int) -> bytes:
    ok, data = cv2.imencode(suffix, pixels, list(how))
    assert ok
    return data.tobytes()


def _smooth(channels: int, dtype: str = "uint8") -> NDArray[Any]:
    noise = np.random.default_rng(5).integers(0, np.iinfo(dtype).max, (67, 90, channels)).astype(dtype)
    return cv2.GaussianBlur(noise, (0, 0), 2).reshape(67, 90, channels)


_NO_FILTER = b"".join(b"\x00" + bytes(range(i, i + 12)) for i in range(3))
PICTURE_FILES = {
    "jpeg": _encode(".jpg", _smooth(3)),
    "jpeg 4:4:4": _encode(".jpg", _smooth(3), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "progressive": _encode(".jpg", _smooth(3), cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "grey jpeg": _encode(".jpg", _smooth(1)),
    "png": _encode(".png", _smooth(3)),
    "grey png": _encode(".png", _smooth(1)),
    "16 bit png": _encode(".png", _smooth(3, "uint16")),
    "16 bit grey png": _encode(".png", _smooth(1, "uint16")),
    "16 bit alpha": _encode(".png", _smooth(4, "uint16")),
    "alpha": _encode(".png", _smooth(4) // 64 * 64),
    "palette": _chunked(3, 8, b"\x00\x00\x01\x00\x01" * 3, png_chunk(b"PLTE", bytes([9, 8, 7, 200, 100, 50]))),
    "palette, one colour clear": _chunked(
        3, 8, b"\x00\x00\x01\x00\x01" * 3, png_chunk(b"PLTE", bytes(range(6))), png_chunk(b"tRNS", b"\x00")
    ),
    "a colour clear": _chunked(2, 8, _NO_FILTER, png_chunk(b"tRNS", struct.pack(">HHH", 0, 1, 2))),
    "grey and alpha": _chunked(4, 8, b"".join(b"\x00" + bytes(range(8)) for _ in range(3))),
    "2 bits": _chunked(0, 2, b"\x00\xe4" * 3),
    "a grey clear": _chunked(0, 8, b"\x00\x01\x02\x03\x04" * 3, png_chunk(b"tRNS", b"\x00\x02")),
    "animated": animated_png([(b"\x00" + bytes([grey] * 6)) * 2 for grey in (100, 50)]),
    "bmp": _encode(".bmp", _smooth(3)),
    "webp": _encode(".webp", _smooth(3)),
}


@pytest.mark.parametrize("name", PICTURE_FILES)
def test_the_px_of_a_picture_do_not_depend_on_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "scene.img"
    path.write_bytes(PICTURE_FILES[name])
    with open_scene(path) as small:
        pixels, valid = _all(small)
        monkeypatch.setattr(edge.scene_decode, "MOST_BYTES", 0)
        monkeypatch.setattr(edge.scene_spill, "_RESIDENT", 10)
        with open_scene(path) as large:
            assert (large.stretch, large.warnings) == (small.stretch, small.warnings)
            for _ in range(2):
                again, again_valid = _all(large)
                assert np.array_equal(again, pixels)
                assert np.array_equal(again_valid, valid)
            on_disk = large._source._spill is not None
    in_memory = {"animated", "bmp", "webp"}
    assert on_disk == (name not in in_memory) or not edge.scene_spill.can_spill() or edge.scene_decode._TELLS > CV2


def test_a_large_picture_that_is_damaged_inside_a_valid_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checksums are right, and rows are missing: no half of it may pass for water."""
    path = tmp_path / "scene.png"
    path.write_bytes(_chunked(2, 8, _NO_FILTER[:13]))
    for limit in (0, 2**20):
        monkeypatch.setattr(edge.scene_decode, "MOST_BYTES", limit)
        with pytest.raises(SceneError, match="cannot decode this PNG"):
            open_scene(path)


def test_a_large_picture_without_room_on_the_disk_is_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "scene.jpg"
    path.write_bytes(PICTURE_FILES["jpeg"])
    monkeypatch.setattr(edge.scene_decode, "MOST_BYTES", 0)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with open_scene(path) as scene:
        assert scene._source._spill is None
        wanted = cv2.imdecode(np.frombuffer(PICTURE_FILES["jpeg"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(_all(scene)[0], wanted[..., ::-1])


def test_a_temporary_file_has_no_name_and_goes_with_the_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = tmp_path / "scene.jpg", tmp_path / "temporary"
    path.write_bytes(PICTURE_FILES["jpeg"])
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(edge.scene_decode, "MOST_BYTES", 0)
    with open_scene(path):
        assert list(folder.iterdir()) == []
        assert not [t for t in threading.enumerate() if t.name == "spill"]


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read from /proc")
def test_a_large_picture_is_not_held_in_memory(tmp_path: Path) -> None:
    """Nor is its file. What the process has in memory afterwards, whatever the machine's load."""
    path = tmp_path / "scene.jpg"
    path.write_bytes(_encode(".jpg", np.zeros((6000, 6000, 3), np.uint8)))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")

    with open_scene(path):
        pass
    before = resident()
    buffer = np.empty((640, 640, 3), np.uint8)
    with open_scene(path) as scene:
        for y in range(0, 6000, 512):
            for x in range(0, 6000, 512):
                scene.read_into(Window(x, y, 640, 640), WHOLE, buffer)
        assert resident() - before < 50 * 2**20, "of 108 MB"


# Quick reads


@pytest.mark.parametrize(("resampling", "trusted"), [("average", True), ("cubic", True), ("nearest", False)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_quick_reads_take_overviews_that_are_means(tmp_path: Path, resampling: str, trusted: bool, dtype: str) -> None:  # noqa: FBT001 - of a table
    noise = cv2.GaussianBlur(_rgb(300, 420).transpose(1, 2, 0), (0, 0), 1.5).transpose(2, 0, 1)
    bands = noise.astype(dtype) * (1 if dtype == "uint8" else 20)
    write_tiff(tmp_path / "plain.tif", bands, nodata=0)
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(tmp_path / "plain.tif") as file:
        rasterio.shutil.copy(file, tmp_path / "s.tif", driver="COG", blocksize=128, overview_resampling=resampling)
    window, scale = Window(3, 5, 50, 40), Scale(down=4)
    with open_scene(tmp_path / "s.tif") as scene:
        quick, quick_valid = scene.read(window, scale, quick=True)
        exact, valid = scene.read(window, scale)
        assert (scene._frame(4, quick=True) is not scene._frame(4)) == trusted
        whole = scene.read(Window(0, 0, *scene.working_size(scale)), scale, quick=True)[0]
    assert np.array_equal(quick_valid, valid)
    assert np.array_equal(whole[5:45, 3:53], quick)
    assert np.abs(quick.astype(int) - exact).max() <= (1 if (resampling, dtype) == ("average", "uint8") else 255)


def test_quick_reads_are_exact_where_there_is_nothing_quicker(tmp_path: Path) -> None:
    bands = _rgb(90, 80)
    write_tiff(tmp_path / "s.tif", bands)
    cv2.imwrite(str(tmp_path / "s.png"), bands.transpose(1, 2, 0))
    for name in ("s.tif", "s.png"):
        with open_scene(tmp_path / name) as scene:
            window, scale = Window(-2, 3, 30, 20), Scale(down=3)
            for part, exact in zip(scene.read(window, scale, quick=True), scene.read(window, scale), strict=True):
                assert np.array_equal(part, exact)


def test_windows_are_read_into_any_array(scenes: list[Scene]) -> None:
    for scene in scenes:
        for scale in (WHOLE, Scale(up=2), Scale(down=2)):
            for window in (Window(-3, -2, 20, 18), Window(1, 1, 9, 8), Window(500, 0, 4, 4)):
                pixels, valid = scene.read(window, scale)
                large = np.full((2, window.height + 5, window.width + 7, 3), 99, np.uint8)
                inside = large[1, 2 : 2 + window.height, 3 : 3 + window.width]
                for target in (inside, np.empty((3, window.height, window.width), np.uint8).transpose(1, 2, 0)):
                    seen = scene.read_into(window, scale, target)
                    assert np.array_equal(target, pixels)
                    assert valid.all() if seen is None else np.array_equal(seen, valid)
                assert (large[0] == 99).all()
                assert (large[1, :2] == 99).all()


# Bands


def test_bands_follow_the_colours_that_the_file_names(tmp_path: Path) -> None:
    bands = np.concatenate([_rgb(5, 6), _rgb(5, 6)[:1]])
    interpretation = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, colorinterp=interpretation)) as scene:
        assert np.array_equal(_all(scene)[0], bands[[2, 1, 0]].transpose(1, 2, 0))
        assert scene.warnings == []


@pytest.mark.parametrize("count", [5, 100])
def test_many_unnamed_bands_give_the_first_three_and_say_so(tmp_path: Path, count: int) -> None:
    bands = RNG.integers(1, 256, (count, 4, 5), np.uint8)
    path = write_tiff(tmp_path / "scene.tif", bands, photometric="MINISBLACK")
    with open_scene(path) as scene:
        assert np.array_equal(_all(scene)[0], bands[:3].transpose(1, 2, 0))
        assert f"{count} bands" in scene.warnings[0]
        assert "--bands" in scene.warnings[0]
    with open_scene(path, SceneOptions(bands=(5, 2, 1))) as scene:
        assert np.array_equal(_all(scene)[0], bands[[4, 1, 0]].transpose(1, 2, 0))
        assert scene.warnings == []


def test_two_bands_give_the_first_as_grey(tmp_path: Path) -> None:
    bands = _rgb(4, 5)[:2]
    with open_scene(write_tiff(tmp_path / "scene.tif", bands)) as scene:
        assert np.array_equal(_all(scene)[0], np.repeat(bands[0][..., None], 3, 2))


def test_bands_of_a_picture_count_in_rgb_order(tmp_path: Path) -> None:
    bands = _rgb(4, 5)
    cv2.imwrite(str(tmp_path / "scene.png"), bands.transpose(1, 2, 0)[..., ::-1])
    with open_scene(tmp_path / "scene.png", SceneOptions(bands=(1,))) as scene:
        assert np.array_equal(_all(scene)[0], np.repeat(bands[0][..., None], 3, 2))
    with open_scene(tmp_path / "scene.png", SceneOptions(bands=(3, 1, 2))) as scene:
        assert np.array_equal(_all(scene)[0], bands[[2, 0, 1]].transpose(1, 2, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_band_that_is_not_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scene{suffix}"
    cv2.imwrite(str(path), _rgb(4, 4).transpose(1, 2, 0))
    with pytest.raises(SceneError, match=r"has 3 bands, not 4.*--bands"):
        open_scene(path, SceneOptions(bands=(1, 2, 4)))


@pytest.mark.parametrize(
    "options",
    [
        {"bands": (1, 2)},
        {"bands": (0, 1, 2)},
        {"gsd_m": 0.0},
        {"gsd_m": float("nan")},
        {"max_pixels": 0},
        {"stretch": (99.0, 1.0)},
        {"stretch": (0.0, 101.0)},
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options)).split("_")[0]):
        SceneOptions(**options)


# Validity


def test_nodata_of_all_bands_is_not_valid(tmp_path: Path) -> None:
    bands = _rgb(5, 5)
    bands[:, 1, 2], bands[0, 3, 3] = 0, 0
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, nodata=0)) as scene:
        _, valid = _all(scene)
    assert valid.sum() == 24
    assert not valid[1, 2]


def test_an_internal_mask_is_obeyed(tmp_path: Path) -> None:
    bands, mask = _rgb(40, 50), RNG.random((40, 50)) < 0.5
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, mask=mask)) as scene:
        pixels, valid = _all(scene)
    assert np.array_equal(valid, mask)
    assert (pixels[~mask] == 0).all()


def test_nan_is_not_valid(tmp_path: Path) -> None:
    bands = RNG.random((3, 6, 7)).astype(np.float32)
    bands[1, 2, 3], bands[:, 4, 4] = np.nan, np.inf
    with open_scene(write_tiff(tmp_path / "scene.tif", bands)) as scene:
        pixels, valid = _all(scene)
    assert sorted(zip(*np.nonzero(~valid), strict=True)) == [(2, 3), (4, 4)]
    assert (pixels[~valid] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_scene_of_nodata_opens_and_says_so(tmp_path: Path, dtype: str) -> None:
    bands = np.full((3, 30, 30), 7, dtype)
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, nodata=7)) as scene:
        pixels, valid = _all(scene)
        assert "no valid pixel" in scene.warnings[0]
    assert not valid.any()
    assert (pixels == 0).all()


# Stretch


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "int8", "uint32", "float64"])
def test_the_stretch_is_linear_between_percentiles_of_the_valid_px(tmp_path: Path, dtype: str) -> None:
    shift = -50 if np.dtype(dtype).kind in "if" else 0
    bands = (RNG.gamma(4.0, 12.0, (3, 60, 80)).clip(1, 170) + shift).astype(dtype)
    bands[:, :10] = shift
    bands[1] = bands[1] // 2
    bands[1, :10] = shift
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, nodata=shift)) as scene:
        pixels, valid = _all(scene)
        record = scene.stretch
    assert record is not None
    assert "percentiles 1 to 99" in record["policy"]
    shown = (bands != shift).any(0)
    assert np.array_equal(valid, shown)
    for c in range(3):
        low, high = np.percentile(bands[c][shown].astype(float), [1, 99])
        assert record["low"][c] == pytest.approx(low)
        assert record["high"][c] == pytest.approx(high)
        wanted = ((bands[c].astype(float) - low) / (high - low) * 255).clip(0, 255)
        assert np.abs(pixels[..., c] - wanted)[shown].max() <= 0.5 + 1e-6


def test_the_percentiles_are_an_option(tmp_path: Path) -> None:
    bands = RNG.integers(100, 3000, (1, 50, 50), np.uint16)
    with open_scene(write_tiff(tmp_path / "scene.tif", bands), SceneOptions(stretch=(0, 100))) as scene:
        assert scene.stretch is not None
        assert (scene.stretch["low"], scene.stretch["high"]) == ([bands.min()], [bands.max()])


def test_16_bit_png_is_stretched(tmp_path: Path) -> None:
    bands = RNG.integers(200, 4000, (40, 50, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "scene.png"), bands[..., ::-1])
    write_tiff(tmp_path / "scene.tif", bands.transpose(2, 0, 1))
    with open_scene(tmp_path / "scene.png") as picture, open_scene(tmp_path / "scene.tif") as tiff:
        assert picture.stretch == tiff.stretch
        assert picture.stretch is not None
        assert np.array_equal(_all(picture)[0], _all(tiff)[0])


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
@pytest.mark.parametrize("value", [0, 3000, 65535])
def test_a_constant_scene_is_black_and_valid(tmp_path: Path, dtype: str, value: int) -> None:
    with open_scene(write_tiff(tmp_path / "scene.tif", np.full((3, 9, 9), value, dtype))) as scene:
        pixels, valid = _all(scene)
    assert valid.all()
    assert (pixels == 0).all()


def test_a_few_bright_px_on_constant_water_are_seen(tmp_path: Path) -> None:
    bands = np.full((1, 100, 100), 500, np.uint16)
    bands[0, 5, 5:9] = [1300, 1300, 2500, 2500]
    with open_scene(write_tiff(tmp_path / "scene.tif", bands)) as scene:
        pixels = _all(scene)[0][..., 0]
    assert pixels[5, 4:10].tolist() == [0, 102, 102, 255, 255, 0]
    assert (pixels > 0).sum() == 4


def test_fewer_than_8_bits_are_stretched(tmp_path: Path) -> None:
    bits = RNG.integers(0, 2, (1, 20, 20), np.uint8)
    with open_scene(write_tiff(tmp_path / "scene.tif", bits, nbits=1)) as scene:
        assert np.array_equal(_all(scene)[0][..., 0], bits[0] * 255)


def test_large_scenes_are_sampled_in_patches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = np.linspace(1000, 9000, 900).astype(np.uint16)
    bands = np.broadcast_to(ramp[None, None, :], (1, 800, 900)).copy()
    path = write_tiff(tmp_path / "scene.tif", bands, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    monkeypatch.setattr(edge.scene_geotiff, "_SAMPLED_WHOLE", 1000)
    monkeypatch.setattr(edge.scene_geotiff, "_PATCH", 4)
    monkeypatch.setattr(edge.scene_geotiff.GeoTiff, "_decimated", None)  # is not called
    with open_scene(path) as scene:
        assert scene.stretch is not None
        assert scene.stretch["low"] == pytest.approx([1080], abs=150)
        assert scene.stretch["high"] == pytest.approx([8920], abs=150)


def test_where_all_patches_are_empty_the_whole_scene_is_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = np.zeros((1, 640, 640), np.uint16)
    bands[0, :4, :4] = np.arange(100, 116).reshape(4, 4)  # patches lie in the middle of 20 px cells
    monkeypatch.setattr(edge.scene_geotiff, "_SAMPLED_WHOLE", 1000)
    monkeypatch.setattr(edge.scene_geotiff, "_PATCH", 4)
    with open_scene(write_tiff(tmp_path / "scene.tif", bands, nodata=0)) as scene:
        assert scene.stretch is not None
        assert scene.stretch["low"] == pytest.approx([100.15])


# Windows and scales


@lru_cache(maxsize=1)
def _stored() -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    rng = np.random.default_rng(3)
    bands = rng.integers(1, 5000, (3, 53, 61)).astype(np.uint16)
    hole = rng.random((53, 61)) < 0.1
    hole[20:30, 10:25] = True
    bands[:, hole] = 0
    return bands, ~hole


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Scene]:
    folder = tmp_path_factory.mktemp("scenes")
    bands, _ = _stored()
    tiled = write_tiff(folder / "t.tif", bands, nodata=0, tiled=True, blockxsize=16, blockysize=16)
    cv2.imwrite(str(folder / "p.png"), (bands >> 5).astype(np.uint8).transpose(1, 2, 0))
    return [open_scene(tiled), open_scene(folder / "p.png")]


SCALES = st.one_of(st.integers(1, 4).map(lambda n: Scale(up=n)), st.integers(2, 7).map(lambda n: Scale(down=n)))


@given(SCALES, st.integers(0, 1), st.data())
@settings(max_examples=120, deadline=None)
def test_a_px_has_one_value_in_all_windows(scenes: list[Scene], scale: Scale, which: int, data: st.DataObject) -> None:
    scene = scenes[which]
    width, height = scene.working_size(scale)
    whole, whole_valid = _all(scene, scale)
    x, y = data.draw(st.integers(-9, width + 4)), data.draw(st.integers(-9, height + 4))
    window = Window(x, y, data.draw(st.integers(1, width + 9)), data.draw(st.integers(1, height + 9)))
    pixels, valid = scene.read(window, scale)
    wanted = np.zeros((window.height, window.width, 3), np.uint8)
    wanted_valid = np.zeros((window.height, window.width), np.bool_)
    rows, columns = np.arange(y, window.bottom), np.arange(x, window.right)
    inside = np.ix_((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    top, left = max(y, 0), max(x, 0)
    wanted[inside] = whole[top : window.bottom, left : window.right] if window.bottom > 0 and window.right > 0 else 0
    wanted_valid[inside] = (
        whole_valid[top : window.bottom, left : window.right] if window.bottom > 0 and window.right > 0 else 0
    )
    assert np.array_equal(pixels, wanted)
    assert np.array_equal(valid, wanted_valid)


@given(st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_going_down_is_the_block_mean_of_what_rasterio_reads(scenes: list[Scene], down: int) -> None:
    bands, valid = _stored()
    scene = scenes[0]
    pixels, working_valid = _all(scene, Scale(down=down))
    full = _all(scene)[0].astype(float)
    assert np.array_equal(_all(scene)[1], valid)
    sums = np.add.reduceat(np.add.reduceat(full * valid[..., None], range(0, 53, down), 0), range(0, 61, down), 1)
    counts = np.add.reduceat(np.add.reduceat(valid.astype(float), range(0, 53, down), 0), range(0, 61, down), 1)
    assert np.array_equal(working_valid, counts > 0)
    mean = sums / np.maximum(counts, 1)[..., None]
    assert np.abs(pixels - mean).max() <= 0.5 + 1e-9
    assert bands.shape[1:] == valid.shape


@pytest.mark.parametrize("scale", [WHOLE, Scale(up=3), Scale(down=3)])
def test_large_reads_go_in_pieces(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch, scale: Scale) -> None:
    whole = [_all(scene, scale) for scene in scenes]
    monkeypatch.setattr(edge.scene, "_PIECE_PX", 200)
    monkeypatch.setattr(edge.scene_frame, "_PIECE_PX", 200)
    for scene in scenes:
        scene._caches[False].clear()
    for scene, (pixels, valid) in zip(scenes, whole, strict=True):
        again, again_valid = _all(scene, scale)
        assert np.array_equal(pixels, again)
        assert np.array_equal(valid, again_valid)


LAYOUTS = [
    {"blockysize": 1},
    {"blockysize": 7},
    {"blockysize": 60},
    {"tiled": True, "blockxsize": 16, "blockysize": 16},
    {"tiled": True, "blockxsize": 32, "blockysize": 16},
]
WINDOWS = [Window(3, 0, 9, 9), Window(0, 40, 61, 13), Window(50, 5, 11, 30), Window(3, 2, 9, 9), Window(20, 9, 3, 3)]


@pytest.fixture
def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.scene_frame, "_CELL_PX", 32 * 16)
    monkeypatch.setattr(edge.scene_frame, "_CELL_ROWS", 16)
    monkeypatch.setattr(edge.scene_frame, "_STRIP_ROWS", 8)
    monkeypatch.setattr(edge.scene_frame, "_MOST_CELL_PX", 2000)


@pytest.mark.parametrize("capacity", [10, 61 * 16 * 3, 2**20])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.usefixtures("small_cells")
def test_blocks_are_read_alike_through_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any], capacity: int
) -> None:
    bands, valid = _stored()
    monkeypatch.setattr(edge.scene_cache, "MOST_BYTES", capacity)
    path = write_tiff(tmp_path / "s.tif", bands, nodata=0, compress="lzw", **layout)
    with open_scene(path) as scene, open_scene(path) as plain:
        monkeypatch.setattr(plain, "_frame", lambda down, **_: edge.scene_frame.Frame(plain._source, down))
        assert np.array_equal(_all(scene)[1], valid)
        for scale in (WHOLE, Scale(up=2), Scale(down=3), Scale(down=2)):
            for window in WINDOWS:
                for part, wanted in zip(scene.read(window, scale), plain.read(window, scale), strict=True):
                    assert np.array_equal(part, wanted)
        assert sum(cell.size for cell in scene._caches[False]._cells.values()) == scene._caches[False]._bytes


def _row_by_row(scene: Scene, side: int, step: int, scale: Scale = WHOLE) -> None:
    width, height = scene.working_size(scale)
    for y in range(0, height, step):
        for x in range(0, width, step):
            scene.read(Window(x, y, side, side), scale)


@pytest.mark.parametrize("scale", [WHOLE, Scale(down=2), Scale(down=3)])
@pytest.mark.parametrize("layout", LAYOUTS[1:])
@pytest.mark.usefixtures("small_cells")
def test_row_by_row_each_px_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any], scale: Scale
) -> None:
    """In the room that a row of tiles needs, not that of the scene."""
    monkeypatch.setattr(edge.scene_frame, "_WASTE", 1000)
    monkeypatch.setattr(edge.scene_frame, "_TILE_ROWS", 32 // scale.down)
    monkeypatch.setattr(edge.scene_frame, "_MOST_CELL_PX", 2**20)
    bands = _rgb(400, 120)
    with open_scene(write_tiff(tmp_path / "s.tif", bands, compress="lzw", **layout)) as scene:
        decoded = np.zeros((400, 120), np.int64)
        plain = scene._source.read_into

        def counted(window: Window, pixels: NDArray[np.uint8]) -> object:
            decoded[window.y : window.bottom, window.x : window.right] += 1
            return plain(window, pixels)

        monkeypatch.setattr(scene._source, "read_into", counted)
        _row_by_row(scene, 24 // scale.down, 20 // scale.down, scale)
        assert (decoded == 1).all()
        assert scene._caches[False]._bytes <= scene._caches[False]._capacity < 3 * 400 * 120 // scale.down**2


def test_strips_too_large_to_keep_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.scene_geotiff, "MOST_BYTES", 100)
    with open_scene(write_tiff(tmp_path / "s.tif", _stored()[0])) as scene:
        assert "TILED=YES" in scene.warnings[0]


def test_threads_may_read_at_once(scenes: list[Scene]) -> None:
    windows = [Window(x, y, 30, 20) for x in range(0, 40, 4) for y in range(0, 40, 8)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda w: scenes[0].read(w, Scale(up=2))[0], windows))
    for window, pixels in zip(windows, read, strict=True):
        assert np.array_equal(pixels, scenes[0].read(window, Scale(up=2))[0])


# --- size without decoding ---


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
def test_the_size_of_a_scene_is_known_without_decoding_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scene{suffix}"
    cv2.imwrite(str(path), np.zeros((70, 130, 3), np.uint8))
    assert scene_size(path) == (130, 70)


def test_the_size_of_what_is_no_scene_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(SceneError, match="is not an image"):
        scene_size(tmp_path / "a.png")
    with pytest.raises(SceneError, match="does not exist"):
        scene_size(tmp_path / "absent.tif")
