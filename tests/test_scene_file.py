"""Scenes that are no files: the same px, the same errors, and nothing left behind."""

from __future__ import annotations

import errno
import gc
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import toy_model
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_files import HARBOUR, gif, write_tiff

import edge.scene_copy
from edge.detector import load_detector
from edge.document import build_document
from edge.errors import SceneError
from edge.geometry import Window
from edge.pipeline import Hooks, ScanOptions, scan
from edge.scene import Scale, SceneOptions, open_scene
from edge.scene_file import FileTrouble
from edge.scene_plugin import _FILES, OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.detector import Detector
    from edge.scene import Scene


class Held:
    """The bytes of a file, by ranges or in turn; reads fail while `error` is there."""

    def __init__(self, path: Path, *, ranged: bool = True, told_size: int | None = None) -> None:
        self.data, self.name, self.ranged = path.read_bytes(), path.name, ranged
        self.size = len(self.data) if told_size is None else told_size
        self.error: BaseException | None = None
        self.trouble: OSError | None = None
        self.opened: list[io.BytesIO] = []

    def local(self) -> None:
        pass

    def open(self) -> BinaryIO:
        if self.error:
            raise self.error
        self.opened.append(_Stream(self))
        return cast("BinaryIO", self.opened[-1])

    def __str__(self) -> str:
        return f"store://{self.name}"


class _Stream(io.BytesIO):
    def __init__(self, held: Held) -> None:
        super().__init__(held.data)
        self._held = held

    def read(self, size: int | None = -1) -> bytes:
        if self._held.error:
            raise self._held.error
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        assert self._held.ranged, "what is not ranged is only read on"
        return super().seek(offset, whence)

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        return [self.seek(at) * b"" or self.read(size) for at, size in zip(offsets, sizes, strict=True)]


def _smooth(height: int, width: int, bands: int = 3, dtype: type = np.uint8) -> NDArray[Any]:
    noise = np.random.default_rng(5).normal(size=(height, width, bands))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2).reshape(height, width, bands)
    scaled = (smooth - smooth.min()) / (smooth.max() - smooth.min()) * np.iinfo(dtype).max
    return np.ascontiguousarray(scaled.astype(dtype).transpose(2, 0, 1))


PLACE = {"crs": "EPSG:32610", "transform": HARBOUR}
TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def _make(kind: str, folder: Path) -> Path:
    """A scene of 300 x 200 px and of a kind."""
    path = folder / kind
    pixels = _smooth(200, 300)
    stem, suffix = path.stem, path.suffix
    if suffix != ".tif":
        deep = stem == "sixteen"
        stored = _smooth(200, 300, dtype=np.uint16) if deep else pixels
        alpha = np.where(np.arange(300) < 40, 0, 255).astype(np.uint8)[None, None].repeat(200, 1)
        stored = np.concatenate([stored, alpha]) if stem == "alpha" else stored
        assert cv2.imwrite(str(path), stored.transpose(1, 2, 0))
        return path
    if stem == "large":  # several cells of edge.scene_frame, each of several blocks
        return write_tiff(path, _smooth(1100, 2200, bands=1), tiled=True, blockxsize=128, blockysize=128)
    if stem == "larger":
        return write_tiff(path, _smooth(1100, 2200), compress="deflate", tiled=True, blockxsize=256, blockysize=256)
    if stem == "long":
        return write_tiff(path, _smooth(1200, 900), compress="deflate", blockysize=16)
    if stem == "cog":
        flat = write_tiff(folder / "flat.tif", pixels, **PLACE)
        how = {"blocksize": 128, "overview_resampling": "average", "compress": "deflate"}
        rasterio.shutil.copy(flat, path, driver="COG", overview_count=2, **how)
        return path
    profile: dict[str, Any] = {
        "striped": {"compress": "lzw"},
        "plain": TILED,
        "tiled": {"compress": "deflate", **TILED},
        "planes": {"compress": "deflate", "interleave": "band", **TILED, **PLACE},
        "big": {"compress": "deflate", "BIGTIFF": "YES", **TILED, **PLACE},
        "sixteen": {"compress": "deflate", "nodata": 0, **TILED, **PLACE},
        "masked": {"compress": "deflate", **TILED},
    }[stem]
    if stem == "sixteen":
        pixels = _smooth(200, 300, dtype=np.uint16)
        pixels[:, 50:90, 20:60] = 0
    mask = np.arange(200 * 300).reshape(200, 300) % 7 > 2 if stem == "masked" else None
    return write_tiff(path, pixels, mask=mask, **profile)


KINDS = [
    "jpeg.jpg", "sixteen.png", "alpha.png", "lossless.webp", "striped.tif", "plain.tif", "tiled.tif", "planes.tif",
    "big.tif", "sixteen.tif", "masked.tif", "cog.tif",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy"), "cpu")


def _scene(kind: str, folder: Path) -> Path:
    return folder / kind if (folder / kind).exists() else _make(kind, folder)


def _document(scene: Scene, toy: Detector) -> dict[str, Any]:
    document = build_document(scene, toy, scan(scene, toy, ScanOptions(exhaustive=True, threads=1, max_length_m=30)))
    del document["seconds"]
    return document


@pytest.mark.parametrize("ranged", [True, False], ids=["ranged", "in turn"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_are_the_same_scene(kind: str, folder: Path, *, ranged: bool) -> None:
    path = _scene(kind, folder)
    held = Held(path, ranged=ranged)
    with open_scene(held) as scene, open_scene(path) as file:
        for scale, quick in ((Scale(), False), (Scale(up=2), False), (Scale(down=2), True), (Scale(down=4), True)):
            window = Window(-3, 5, *file.working_size(scale))
            for got, wanted in zip(
                scene.read(window, scale, quick=quick), file.read(window, scale, quick=quick), strict=True
            ):
                assert np.array_equal(got, wanted)
        assert (scene.name, scene.width, scene.gsd_m, scene.crs) == (kind, 300, file.gsd_m, file.crs)
        assert (scene.warnings, scene.stretch) == (file.warnings, file.stretch)
    assert all(stream.closed for stream in held.opened)


@pytest.mark.parametrize("kind", ["jpeg.jpg", "sixteen.tif", "cog.tif"])
def test_the_same_bytes_give_the_same_document(kind: str, folder: Path, toy: Detector) -> None:
    path = _scene(kind, folder)
    with open_scene(Held(path)) as scene, open_scene(path) as file:
        assert _document(scene, toy) == _document(file, toy)


@settings(max_examples=40, deadline=None)
@given(windows=st.lists(st.tuples(st.integers(-20, 290), st.integers(-20, 190), st.integers(1, 200)), max_size=4))
def test_windows_in_any_order_are_those_of_the_file(folder: Path, windows: list[tuple[int, int, int]]) -> None:
    path = _scene("cog.tif", folder)
    with open_scene(Held(path)) as scene, open_scene(path) as file:
        for x, y, side in windows:
            window = Window(x, y, side, side)
            assert np.array_equal(scene.read(window, Scale())[0], file.read(window, Scale())[0])


def test_options_are_heard(folder: Path) -> None:
    path = _scene("planes.tif", folder)
    options = SceneOptions(bands=(2,), gsd_m=0.7)
    with open_scene(Held(path), options) as scene, open_scene(path, options) as file:
        assert scene.gsd_m == file.gsd_m == 0.7
        assert scene.warnings == file.warnings
        window = Window(0, 0, 300, 200)
        assert np.array_equal(scene.read(window, Scale())[0], file.read(window, Scale())[0])
    with pytest.raises(SceneError, match=r"^store://planes.tif: has 3 bands, not 4"):
        open_scene(Held(path), SceneOptions(bands=(4,)))


# Copies


def _open_files() -> list[str]:
    """Files, and not the connections that libraries keep."""
    gc.collect()
    links = (str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sorted(link for link in links if link.startswith("/") and not link.startswith("/proc"))


@pytest.mark.parametrize("most_in_memory", [0, 2**20], ids=["on the disk", "in memory"])
def test_copies_are_gone_when_the_scene_is_closed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_in_memory: int
) -> None:
    monkeypatch.setattr(edge.scene_copy, "IN_MEMORY", most_in_memory)
    monkeypatch.setattr(edge.scene_copy, "temporary_folder", lambda: tmp_path)
    paths = [_scene(kind, folder) for kind in ("jpeg.jpg", "striped.tif", "cog.tif")]
    before = _open_files()
    for path in paths:
        with open_scene(Held(path, ranged=False)) as scene, open_scene(path) as file:
            assert np.array_equal(scene.read(Window(0, 0, 9, 9), Scale())[0], file.read(Window(0, 0, 9, 9), Scale())[0])
            assert list(tmp_path.iterdir()) == [], "a copy has no name"
    assert _open_files() == before


def test_a_picture_that_is_too_long_is_not_even_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.scene.copied", None)
    path = tmp_path / "scene.gif"
    path.write_bytes(gif(9, 9, [3, 4]))
    held = Held(path, told_size=100 * 16 + 2**20 + 1)
    with pytest.raises(SceneError, match=r"^store://scene.gif: is 1,050,177 bytes long, over the limit of 100 pixels"):
        open_scene(held, SceneOptions(max_pixels=100))


@pytest.mark.parametrize(("off", "told"), [(-1, "more"), (1, "only [0-9,]+")])
def test_a_copy_has_as_many_bytes_as_were_announced(folder: Path, off: int, told: str) -> None:
    path = _scene("striped.tif", folder)
    held = Held(path, ranged=False, told_size=path.stat().st_size + off)
    with pytest.raises(SceneError, match=f"^store://striped.tif: has {told} bytes, where [0-9,]+ were announced"):
        open_scene(held)


def test_a_full_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = _scene("striped.tif", folder)
    monkeypatch.setattr(edge.scene_copy, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    before = _open_files()
    with pytest.raises(SceneError, match=r"needs [0-9,]+ bytes of room in .* \(No space left on device\); free some"):
        open_scene(Held(path, ranged=False))
    assert _open_files() == before


# What is no scene


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (
            b"%PDF-1.7 and so on",
            "is a PDF file, which is not read; convert it to TIFF, for example: gdal_translate a.b",
        ),
        (b"<VRTDataset/>", "is not an image, by its content"),
        (b"II*\0\x08\0\0\0" + b"\xff\xff" * 20, "has a directory of 65,535 tags"),
        (b"II*\0\x08\0\0\0" + bytes(20), "is not a whole TIFF"),
        (b"\xff\xd8\xff\xe0 and so on", "is 0 x 0 px|is cut off"),
    ],
)
@pytest.mark.parametrize("ranged", [True, False])
def test_what_is_no_scene_is_told_as_of_a_file(tmp_path: Path, data: bytes, told: str, *, ranged: bool) -> None:
    path = tmp_path / "a.b"
    path.write_bytes(data)
    with pytest.raises(SceneError) as of_file:
        open_scene(path)
    with pytest.raises(SceneError, match=f"^store://a.b: .*({told})") as of_held:
        open_scene(Held(path, ranged=ranged))
    assert (of_held.value.cause, of_held.value.mend) == (of_file.value.cause, of_file.value.mend)


# Bytes that cannot be had


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileTrouble("store://name.tif", "sleeps", "wake it"), "store://name.tif: sleeps; wake it"),
        (FileTrouble("store://a.zip", "sleeps", "wake it"), "store://name.tif: store://a.zip: sleeps; wake it"),
        (OSError(errno.EIO, "Input/output error"), "store://name.tif: cannot be read (Input/output error)"),
        (SceneError("store://name.tif", "is damaged", "mend it"), "store://name.tif: is damaged; mend it"),
    ],
)
@pytest.mark.parametrize("kind", ["large.tif", "larger.tif"])
def test_what_fails_in_the_middle_is_told_by_every_read_from_then_on(
    folder: Path, kind: str, error: Exception, told: str
) -> None:
    held = Held(_scene(kind, folder))
    held.name = "name.tif"
    with open_scene(held) as scene:
        scene.read(Window(0, 0, 64, 64), Scale())
        held.error = error
        for failing in (True, False):  # GDAL may have px by now that it made of nothing
            with pytest.raises(SceneError) as caught:
                scene.read(Window(2000, 1000, 90, 90), Scale())
            assert str(caught.value).startswith(told)
            assert caught.value.__cause__ is error
            held.error = error if failing else None


@pytest.mark.parametrize("reads", range(0, 40, 4))
def test_what_fails_while_it_is_opened_is_told_too(folder: Path, monkeypatch: pytest.MonkeyPatch, reads: int) -> None:
    held, left = Held(_scene("sixteen.tif", folder)), [reads]
    sound = _Stream.read

    def read(stream: _Stream, size: int | None = -1) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            held.error = FileTrouble("store://sixteen.tif", "sleeps", "wake it")
        return sound(stream, size)

    monkeypatch.setattr(_Stream, "read", read)
    with (
        pytest.raises(SceneError, match=r"^store://sixteen.tif: sleeps; wake it$") as caught,
        open_scene(held) as scene,
    ):
        scene.read(Window(0, 0, 300, 200), Scale())
    assert caught.value.__cause__ is held.error
    assert all(stream.closed for stream in held.opened)


def test_a_scan_goes_on_without_what_cannot_be_had(folder: Path, toy: Detector) -> None:
    held = Held(_scene("large.tif", folder))
    with open_scene(held) as scene:
        done = []

        def stop_half_way(*_: int) -> None:
            done.append(1)
            if len(done) == 2:
                held.error = FileTrouble(held, "sleeps", "wake it")

        result = scan(scene, toy, ScanOptions(exhaustive=True, threads=1), hooks=Hooks(on_tile=stop_half_way))
    assert result.tiles.failed > 0
    assert result.tiles.scored >= 2
    assert result.coverage < 1
    assert any("sleeps" in warning for warning in result.warnings)


def test_the_user_ends_the_program_in_the_middle_of_a_read(folder: Path) -> None:
    held = Held(_scene("tiled.tif", folder))
    with open_scene(held) as scene:
        held.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            scene.read(Window(0, 0, 300, 200), Scale())


def _read(scene: Scene, window: Window) -> NDArray[np.uint8] | None:
    """Px; None where they cannot be read."""
    try:
        return scene.read(window, Scale())[0]
    except SceneError:
        return None


@pytest.mark.parametrize("kind", ["large.tif", "larger.tif", "long.tif"])
@pytest.mark.parametrize("kept", [0.4, 0.8])
def test_what_is_cut_off_fails_where_the_file_does(folder: Path, tmp_path: Path, kind: str, kept: float) -> None:
    """Windows that are whole are read before and after one that is not."""
    data = _scene(kind, folder).read_bytes()
    path = tmp_path / kind
    path.write_bytes(data[: int(kept * len(data))])
    with open_scene(path) as file, open_scene(Held(path)) as scene:
        seen = []
        for window in [Window(x, y, 64, 64) for y in (1020, 0, 600, 1020, 0) for x in (0, 800)]:
            wanted, got = _read(file, window), _read(scene, window)
            assert got is wanted is None or np.array_equal(got, wanted)
            seen.append(wanted is None)
    assert set(seen) == {True, False}, "some are there, some are not"


# Many at once


def test_scenes_side_by_side_are_read_by_any_thread(folder: Path) -> None:
    """Opened by one thread, read by others, closed by yet another."""
    paths = [_scene(kind, folder) for kind in ("cog.tif", "tiled.tif", "sixteen.tif", "striped.tif")] * 6
    wanted = {}
    for path in set(paths):
        with open_scene(path) as file:
            wanted[path] = [
                file.read(Window(0, 0, 75, 50), Scale(down=4), quick=True)[0],
                file.read(WINDOW, Scale())[0],
            ]
    held = [Held(path) for path in paths]
    before, known = _open_files(), set(_FILES)
    with ThreadPoolExecutor(6) as pool:
        scenes = list(pool.map(open_scene, held))
        coarse = list(pool.map(lambda scene: scene.read(Window(0, 0, 75, 50), Scale(down=4), quick=True)[0], scenes))
        fine = list(pool.map(lambda scene: scene.read(WINDOW, Scale())[0], scenes))
        list(pool.map(lambda scene: scene.close(), scenes))
    for path, got in zip(paths, zip(coarse, fine, strict=True), strict=True):
        assert all(np.array_equal(*pair) for pair in zip(got, wanted[path], strict=True))
    assert all(stream.closed for one in held for stream in one.opened)
    del scenes
    assert _open_files() == before
    assert not OPEN
    assert set(_FILES) <= known


WINDOW = Window(10, 10, 250, 150)


def test_one_plugin_serves_all_scenes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_scene(Held(_scene("tiled.tif", folder))):
        pass
    asked = []
    sound = rasterio.open

    def spy(name: str, **how: object) -> rasterio.DatasetReader:
        asked.append("opener" in how)
        return sound(name, **how)

    monkeypatch.setattr(rasterio, "open", spy)
    for _ in range(5):
        with open_scene(Held(_scene("tiled.tif", folder))) as scene:
            scene.read(WINDOW, Scale())
    assert len(asked) >= 5
    assert not any(asked), "nothing more is installed in GDAL"


def test_a_program_may_end_with_a_scene_open(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.test_scene_file import Held\n"
        "from edge.scene import open_scene\n"
        "scene = open_scene(Held(Path(sys.argv[1])))\n"
        "print(scene.width)"
    )
    repository = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-W", "error", "-c", program, str(_scene("cog.tif", folder))]
    there = {**os.environ, "PYTHONPATH": f"{repository}{os.pathsep}{repository / 'tests'}"}
    done = subprocess.run(command, cwd=repository, env=there, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "300\n", "")
