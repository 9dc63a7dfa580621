"""edge.bulk.acquired: times that files say, written by GDAL, Pillow and by hand."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene_files import HARBOUR, png, png_chunk, write_tiff

from edge.bulk.acquired import acquired
from edge.scene_header import exif_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from edge.bulk.entry import Acquired

TAKEN = datetime(2024, 1, 31, 10, 15, 11, tzinfo=timezone.utc)
PIXELS = np.random.default_rng(6).integers(0, 255, (3, 16, 16), np.uint8)
GROUND = {"transform": HARBOUR, "crs": "EPSG:32610"}
CHANGED, EXIF, ORIGINAL, ZONE, IMAGES = 306, 34665, 36867, 36881, 42112


@dataclass(frozen=True)
class Held:
    """A file that is in memory, as one from an archive."""

    data: bytes
    name: str = "held"
    ranged: bool = False
    trouble: OSError | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


def directory(order: str, tags: dict[int, bytes | int], at: int) -> bytes:
    """A TIFF directory at an offset, with texts and pointers, and what does not fit into it behind."""
    head, tail = struct.pack(f"{order}H", len(tags)), b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        if isinstance(value, int):
            head += struct.pack(f"{order}HHII", tag, 4, 1, value)
            continue
        place = struct.pack(f"{order}I", behind + len(tail)) if len(value) > 4 else value.ljust(4, b"\0")
        head += struct.pack(f"{order}HHI", tag, 2, len(value)) + place
        tail += value if len(value) > 4 else b""
    return head + bytes(4) + tail


def exif(taken: str, zone: str | None = None, changed: str = "2025:01:01 00:00:00", order: str = "<") -> bytes:
    """An EXIF block."""
    texts = {ORIGINAL: taken.encode() + b"\0"} | ({ZONE: zone.encode() + b"\0"} if zone else {})
    first = {CHANGED: changed.encode() + b"\0", EXIF: 0}
    first[EXIF] = 8 + len(directory(order, first, 8))
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return start + directory(order, first, 8) + directory(order, texts, first[EXIF])


def jpeg(block: bytes, *before: bytes) -> bytes:
    data = cv2.imencode(".jpg", np.moveaxis(PIXELS, 0, 2))[1].tobytes()
    segments = [*before, b"Exif\0\0" + block]
    return data[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in segments) + data[2:]


def png_file(block: bytes) -> bytes:
    return png(1, 1, bytes(4), png_chunk(b"eXIf", block))


def webp(block: bytes) -> bytes:
    """Its picture in the extended form, the block behind it."""
    picture = cv2.imencode(".webp", np.moveaxis(PIXELS, 0, 2), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()[12:]
    size = bytes([15, 0, 0])
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + size + size
    chunks = extended + picture + b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def said(data: bytes) -> tuple[datetime, str] | None:
    return parts(acquired(Held(data)))


def parts(found: Acquired | None) -> tuple[datetime, str] | None:
    return (found.time, found.source) if found else None


# --- what files say ---


@pytest.mark.parametrize("make", [jpeg, png_file, webp])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("zone", "hours"), [(None, 0), ("+02:00", 2), ("-05:00", -5), ("  :  ", 0), ("Z", 0)])
def test_exif_says_it(make: type, order: str, zone: str | None, hours: int) -> None:
    data = make(exif("2024:01:31 10:15:11", zone, order=order))
    assert said(data) == (TAKEN - timedelta(hours=hours), "exif")


def test_exif_is_found_behind_other_segments() -> None:
    data = jpeg(exif("2024:01:31 10:15:11"), b"http://ns.adobe.com/xap/1.0/\0<x/>", b"x" * 60_000)
    assert said(data) == (TAKEN, "exif")


def test_gdal_writes_exif_that_is_read(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", PIXELS, **GROUND)
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.update_tags(EXIF_DateTimeOriginal="2024:01:31 10:15:11", EXIF_OffsetTimeOriginal="+02:00")
    rasterio.shutil.copy(tmp_path / "a.tif", tmp_path / "a.jpg", driver="JPEG")
    assert parts(acquired(tmp_path / "a.jpg")) == (TAKEN - timedelta(hours=2), "exif")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_pillow_writes_exif_that_is_read(tmp_path: Path, ending: str) -> None:
    image = pytest.importorskip("PIL.Image", exc_type=ImportError)
    tags = image.Exif()
    tags[CHANGED] = "2025:01:01 00:00:00"
    tags.get_ifd(EXIF)[ORIGINAL], tags.get_ifd(EXIF)[ZONE] = "2024:01:31 10:15:11", "-01:30"
    image.fromarray(np.moveaxis(PIXELS, 0, 2)).save(tmp_path / f"a.{ending}", exif=tags)
    found = acquired(tmp_path / f"a.{ending}")
    assert parts(found) == (TAKEN + timedelta(hours=1, minutes=30), "exif")


@pytest.mark.parametrize("profile", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}, {"tiled": True, "COPY": "COG"}])
def test_gdal_metadata_of_a_tiff_goes_before_its_date(tmp_path: Path, profile: dict[str, object]) -> None:
    driver = profile.pop("COPY", None)
    path = write_tiff(tmp_path / "a.tif", PIXELS, **GROUND, **profile)
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_DATETIME="2025:06:01 12:00:00")
        file.update_tags(1, ACQUISITIONDATETIME="2020-01-01 00:00:00")  # of a band
    if driver:
        rasterio.shutil.copy(path, tmp_path / "b.tif", driver=driver)
        path = tmp_path / "b.tif"
    assert parts(acquired(path)) == (datetime(2025, 6, 1, 12, tzinfo=timezone.utc), "tiff")
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2024-01-31 10:15:11")
    assert parts(acquired(path)) == (TAKEN, "tiff")


def test_acquisition_time_in_the_default_domain(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", PIXELS, **GROUND)
    with rasterio.open(path, "r+") as file:
        file.update_tags(ACQUISITIONDATETIME="2024-01-31T12:15:11+02:00", AREA_OR_POINT="Area")
    assert parts(acquired(path)) == (TAKEN, "tiff")


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_in_a_tiff_goes_before_its_date(order: str) -> None:
    assert said(exif("2024:01:31 12:15:11", "+02:00", order=order)) == (TAKEN, "exif")
    assert said(exif("0000:00:00 00:00:00", changed="2024:01:31 10:15:11", order=order)) == (TAKEN, "tiff")


# --- what they do not say ---


@pytest.mark.parametrize(
    "taken",
    ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "2024:02:30 00:00:00", "1904:01:01 00:00:00", "\xff\xfe"],
)
def test_nonsense_is_not_said(taken: str) -> None:
    for make in (jpeg, png_file, webp):
        assert said(make(exif(taken, "+02:00"))) is None
    assert said(exif(taken, changed=taken)) is None


def test_the_date_of_change_of_a_picture_is_not_taken() -> None:
    """Programs write it whenever they save."""
    assert said(jpeg(exif("", changed="2024:01:31 10:15:11"))) is None


def test_files_may_say_nothing(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", PIXELS, **GROUND)
    assert acquired(path) is None
    for data in (b"", b"x", b"GIF89a", b"PK\x03\x04", cv2.imencode(".bmp", np.moveaxis(PIXELS, 0, 2))[1].tobytes()):
        assert said(data) is None


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        acquired(tmp_path / "a.tif")


def test_a_member_of_an_archive_says_it(tmp_path: Path) -> None:
    data = jpeg(exif("2024:01:31 10:15:11"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", data)

    class Inside(Held):
        def open(self) -> BinaryIO:
            return zipfile.ZipFile(tmp_path / "a.zip").open("a.jpg")  # type: ignore[return-value]

    assert parts(acquired(Inside(data))) == (TAKEN, "exif")


# --- hostile files ---


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(
    st.sampled_from([jpeg, png_file, webp, lambda block: block]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=12),
    st.integers(0, 400),
)
def test_damaged_files_do_no_harm(make: type, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(make(exif("2024:01:31 10:15:11", "+02:00")))
    for at, value in changes:
        data[at % len(data)] = value
    found = said(bytes(data[: max(len(data) - cut, 0)]))
    assert found is None or found[1] in {"exif", "tiff"}


@given(
    st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\xff\xd8\xff", b"RIFF1234WEBP"])
)
def test_noise_does_no_harm(noise: bytes, start: bytes) -> None:
    assert said(start + noise) is None


class Counting(io.BytesIO):
    """Counts what is read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0\0\x10" + bytes(5_000_000),  # no marker anywhere
        b"\xff\xd8" + b"\xff\xe1\0\x02" * 1_000_000,  # empty segments
        b"\x89PNG\r\n\x1a\n" + (bytes(4) + b"crumbs\0\0") * 400_000,
        b"RIFF1234WEBPVP8X\x0a\0\0\0\x08" + bytes(9) + b"EXIF\0\0\0\0" * 600_000,
    ],
)
def test_little_is_read_of_a_file_of_crumbs(data: bytes) -> None:
    file = Counting(data)
    kind = {b"\xff": "JPEG", b"\x89": "PNG", b"R": "WebP"}[data[:1]]
    assert exif_of(kind, file) == b""
    assert file.read_bytes < 200_000


@pytest.mark.parametrize("big", [False, True])
def test_offsets_and_lengths_beyond_the_end_are_no_values(big: bool) -> None:  # noqa: FBT001
    form, head = (
        ("<HHQQ", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 3)) if big else ("<HHII", b"II*\0\x08\0\0\0\x03\0")
    )
    most = 2**64 - 1 if big else 2**32 - 1
    tags = (CHANGED, 2, most, 8), (EXIF, 4, 1, most), (IMAGES, 2, 400, most - 400)
    assert said(head + b"".join(struct.pack(form, *tag) for tag in tags) + bytes(1000)) is None


def test_a_directory_that_is_its_own_exif_ends() -> None:
    first = directory("<", {CHANGED: b"2024:01:31 10:15:11\0", EXIF: 8}, 8)
    assert said(b"II*\0\x08\0\0\0" + first) == (TAKEN, "tiff")


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_a_tile_takes_little_time(tmp_path: Path, kind: str) -> None:
    """0.04 ms where it was measured; it is asked of each of tens of thousands of tiles."""
    path = tmp_path / f"a.{kind}"
    if kind == "jpg":
        path.write_bytes(jpeg(exif("2024:01:31 10:15:11")))
    else:
        write_tiff(path, PIXELS, **GROUND)
    best = min(_seconds(path) for _ in range(50))
    assert best < 0.001


def _seconds(path: Path) -> float:
    begun = time.perf_counter()
    acquired(path)
    return time.perf_counter() - begun
