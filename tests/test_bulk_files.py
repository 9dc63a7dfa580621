"""Scenes wherever they are: files, archives, archives in stores; what is damaged; what may be tried again."""

from __future__ import annotations

import errno
import gc
import hashlib
import io
import os
import tarfile
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_files import HARBOUR, write_tiff

import edge.bulk.archive_tar
import edge.bulk.archives
import edge.scene_copy
from edge.bulk.archive_tar import CompressedTar
from edge.bulk.entry import Place
from edge.bulk.files import Files, is_transient
from edge.bulk.inputs import ListOptions, list_inputs
from edge.bulk.store_errors import StoreRefusal, StoreTrouble
from edge.errors import SceneError
from edge.geometry import Window
from edge.scene import Scale, open_scene
from tests.stores import HASTY, S3, Web, s3, s3_server, web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.bulk.archive_bytes import ArchiveBytes
    from edge.bulk.archive_zip import ZipArchive

__all__ = ["s3", "s3_server", "web"]
WINDOW = Window(20, 30, 200, 100)
ARCHIVES = ["stored.zip", "packed.zip", "plain.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"]


def _pixels(seed: int, height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the names that they have in archives."""
    folder = tmp_path_factory.mktemp("scenes")
    tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    place = {"crs": "EPSG:32610", "transform": HARBOUR}
    found = {
        "berth/tiled.tif": write_tiff(folder / "tiled.tif", _pixels(1).transpose(2, 0, 1), **tiled, **place),
        "berth/strips.tif": write_tiff(folder / "strips.tif", _pixels(2).transpose(2, 0, 1)),
    }
    for name in ("picture.jpg", "berth/quay/picture.png"):
        found[name] = folder / Path(name).name
        assert cv2.imwrite(str(found[name]), _pixels(len(name)))
    return found


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _archive(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        return _zip(path, members, zipfile.ZIP_STORED if path.stem == "stored" else zipfile.ZIP_DEFLATED)
    return _tar(path, members)


@pytest.fixture
def files() -> Iterator[Files]:
    with closing(Files()) as opened:
        yield opened


def _open_files() -> list[str]:
    """Files, and not the connections that libraries keep."""
    gc.collect()
    links = (str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sorted(link for link in links if link.startswith("/") and not link.startswith("/proc"))


# The same bytes, wherever they are


def test_a_file_stays_a_path(files: Files, scenes: dict[str, Path]) -> None:
    path = scenes["picture.jpg"]
    with files.open(Place(str(path)), "picture.jpg") as file:
        assert file == path
        assert files.fingerprint(file) == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_member_is_read_as_the_file_is(files: Files, scenes: dict[str, Path], tmp_path: Path, name: str) -> None:
    archive = _archive(tmp_path / name, {member: path.read_bytes() for member, path in scenes.items()})
    before = _open_files()
    for entry in list_inputs([str(archive)], ListOptions(), None):
        place, path = entry.place, scenes[entry.place.member]
        with files.open(place, entry.name) as file:
            assert not isinstance(file, Path)
            assert str(file) == f"{archive}!/{place.member}"
            assert (file.name, file.size) == (path.name, path.stat().st_size)
            assert files.fingerprint(file) == files.fingerprint(path), "an archive does not make it another scene"
            with file.open() as stream:
                stream.seek(-9, io.SEEK_END)
                assert stream.read() == path.read_bytes()[-9:]
            with open_scene(file) as scene, open_scene(path) as local:
                assert np.array_equal(scene.read(WINDOW, Scale())[0], local.read(WINDOW, Scale())[0])
                assert (scene.gsd_m, scene.crs, scene.warnings) == (local.gsd_m, local.crs, local.warnings)
    files.close()
    assert _open_files() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [name], "nothing is unpacked beside it"


@pytest.mark.parametrize("name", ["stored.zip", "packed.zip", "plain.tar", "a.tar.gz"])
def test_an_archive_may_lie_in_a_store(s3: S3, scenes: dict[str, Path], tmp_path: Path, name: str) -> None:
    members = {f"filler{number}.png": os.urandom(400_000) for number in range(4)}
    members |= {member: path.read_bytes() for member, path in scenes.items()}
    data = _archive(tmp_path / name, members).read_bytes()
    url, other = s3.put(f"archives/{name}", data), s3.put(f"elsewhere/{name}", data)
    s3.traffic.clear()
    with closing(Files(s3.stores())) as files:
        prints = {}
        for member, path in scenes.items():
            with files.open(Place(url, member), path.name) as file:
                prints[member] = files.fingerprint(file)
                with open_scene(file) as scene, open_scene(path) as local:
                    assert np.array_equal(scene.read(WINDOW, Scale())[0], local.read(WINDOW, Scale())[0])
        if name.endswith(".zip"):
            assert s3.traffic.sent < len(data) * 0.7, "the rest of it is left where it is"
        assert len(set(prints.values())) == len(prints)
        with files.open(Place(other, "picture.jpg"), "picture.jpg") as file:
            sent = s3.traffic.sent
            assert files.fingerprint(file) == prints["picture.jpg"], "the same archive, wherever it lies"
            assert s3.traffic.sent == sent, "nothing is fetched for a fingerprint"


def test_an_archive_on_a_server_without_ranges_is_fetched_once(
    web: Web, scenes: dict[str, Path], tmp_path: Path
) -> None:
    web.ranges = False
    data = _zip(tmp_path / "a.zip", {name: path.read_bytes() for name, path in scenes.items()}).read_bytes()
    url = web.put("/a.zip", data)
    with closing(Files(web.stores())) as files:
        for member, path in scenes.items():
            with files.open(Place(url, member), path.name) as file, open_scene(file) as scene:
                assert scene.width == 300
    assert web.traffic.gets.count("/a.zip whole") == 1


# Compressed tars, which are read in turn


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """40 members of up to 8 KB, each a picture by its first bytes."""
    members = {f"{n:02}.png": b"\x89PNG\r\n\x1a\n" + os.urandom(100 + 200 * n) for n in range(40)}
    return _tar(tmp_path_factory.mktemp("many") / "many.tar.gz", members), members


def _read(files: Files, place: Place) -> bytes:
    with files.open(place, place.member) as file, file.open() as stream:  # type: ignore[union-attr]  # no path
        return stream.read()


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(40)), kept=st.sampled_from([0, 9_000, 40_000, 10**6]))
def test_any_order_gives_the_right_bytes(many: tuple[Path, dict[str, bytes]], order: list[int], kept: int) -> None:
    archive, members = many
    with pytest.MonkeyPatch.context() as patch, closing(Files()) as files:
        patch.setattr(edge.bulk.archive_tar, "PASSED", kept)
        for n in order[:15]:
            assert _read(files, Place(str(archive), f"{n:02}.png")) == members[f"{n:02}.png"]


def test_slight_disorder_among_threads_unpacks_nothing_again(
    many: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, members = many
    back: list[int] = []
    sound = CompressedTar._go_to

    def watched(tar: CompressedTar, start: int) -> None:
        back.append(start < tar._stream.tell())
        sound(tar, start)

    monkeypatch.setattr(edge.bulk.archive_tar, "PASSED", 80_000)
    monkeypatch.setattr(CompressedTar, "_go_to", watched)
    order = sorted(members, key=lambda name: int(name[:2]) + 5 * (int(name[:2]) % 2))
    with closing(Files()) as files, ThreadPoolExecutor(4) as pool:
        got = pool.map(lambda name: _read(files, Place(str(archive), name)), order)
        assert list(got) == [members[name] for name in order]
    assert 3 < len(back) < 40, "some were found among those that had been passed over"
    assert sum(back) == 1, "from the end of the first reading back to the start, and no more"


def test_what_is_kept_of_a_tar_is_bounded(many: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    archive, members = many
    monkeypatch.setattr(edge.bulk.archive_tar, "PASSED", 20_000)
    with closing(Files()) as files:
        for name in ("39.png", "00.png", "30.png"):
            assert _read(files, Place(str(archive), name)) == members[name]
            (slot,) = files._archives._slots.values()
            tar = slot._index
            assert isinstance(tar, CompressedTar)
            assert tar._bytes_kept == sum(map(len, tar._kept.values())) <= 20_000


# Archives that hold odd things


@pytest.mark.parametrize("name", ["packed.zip", "plain.tar", "a.tar.gz"])
def test_of_members_with_one_name_the_last_is_meant(files: Files, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "packed.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", b"\x89PNG first")
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("a.png", b"\x89PNG last")
    else:
        with tarfile.open(path, "w:gz" if name == "a.tar.gz" else "w") as tar:
            for data in (b"\x89PNG first", b"\x89PNG last"):
                info = tarfile.TarInfo("a.png")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    with files.open(Place(str(path), "a.png"), "a.png") as file:
        assert file.size == len(b"\x89PNG last")  # type: ignore[union-attr]  # no path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_hard_links_in_tars_are_read(files: Files, scenes: dict[str, Path], tmp_path: Path, mode: str) -> None:
    path, source = tmp_path / "links.tar", scenes["picture.jpg"]
    with tarfile.open(path, mode) as tar:
        tar.add(source, "a.jpg")
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        tar.addfile(link)
    with files.open(Place(str(path), "b.jpg"), "b.jpg") as file:
        assert files.fingerprint(file) == files.fingerprint(source)


def test_an_archive_that_is_replaced_is_read_anew(files: Files, scenes: dict[str, Path], tmp_path: Path) -> None:
    path, place = tmp_path / "a.zip", Place(str(tmp_path / "a.zip"), "a.jpg")
    for source in ("picture.jpg", "berth/quay/picture.png"):
        _zip(path, {"filler": os.urandom(99), "a.jpg": scenes[source].read_bytes()}, zipfile.ZIP_STORED)
        with files.open(place, "a.jpg") as file:
            assert files.fingerprint(file) == files.fingerprint(scenes[source])


def test_few_archives_are_open_at_a_time(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.bulk.archives, "MOST_OPEN", 2)
    paths = [_tar(tmp_path / f"{n}.tar.gz", {"a.png": b"\x89PNG\r\n\x1a\n" + bytes([n])}) for n in range(6)]
    before = _open_files()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            got = pool.map(lambda path: _read(files, Place(str(path), "a.png"))[-1], paths)
            assert list(got) == list(range(6))
    assert len(_open_files()) - len(before) <= 2
    files.close()
    assert _open_files() == before


# Damage


def _damaged(path: Path, at: bytes, to: bytes) -> None:
    data = path.read_bytes()
    assert data.count(at) == 1
    path.write_bytes(data.replace(at, to))


@pytest.mark.parametrize("use", ["fingerprint", "scene"])
def test_a_stored_member_with_a_wrong_checksum_is_told(
    files: Files, scenes: dict[str, Path], tmp_path: Path, use: str
) -> None:
    path = _zip(tmp_path / "stored.zip", {"a.jpg": scenes["picture.jpg"].read_bytes()}, zipfile.ZIP_STORED)
    _damaged(path, (piece := scenes["picture.jpg"].read_bytes()[5000:5040]), piece[::-1])
    told = rf"^{path}!/a.jpg: is damaged in its archive \(its checksum is wrong\); make the archive anew"
    with files.open(Place(str(path), "a.jpg"), "a.jpg") as file, pytest.raises(SceneError, match=told):
        files.fingerprint(file) if use == "fingerprint" else open_scene(file)


@pytest.mark.parametrize("size", [3, 30], ids=["checksum", "bytes"])
def test_a_packed_member_that_is_damaged_is_told(files: Files, tmp_path: Path, size: int) -> None:
    packed = b"\x89PNG\r\n\x1a\n" + os.urandom(5000) + bytes(500)
    path = _zip(tmp_path / "packed.zip", {"a.png": packed, "b.png": packed})
    if size == 3:  # the checksum in the index
        with zipfile.ZipFile(path) as archive:
            crc = archive.getinfo("a.png").CRC.to_bytes(4, "little")
        data = bytearray(path.read_bytes())
        data[data.rindex(crc, 0, data.rindex(crc)) : data.rindex(crc, 0, data.rindex(crc)) + 4] = b"\1\2\3\4"
        path.write_bytes(data)
    else:
        data = bytearray(path.read_bytes())
        data[2000:2030] = data[2000:2030][::-1]
        path.write_bytes(data)
    with files.open(Place(str(path), "a.png"), "a.png") as file:
        with pytest.raises(SceneError, match=rf"^{path}!/a.png: is damaged in its archive \(.+\)") as caught:
            files.fingerprint(file)
        assert not is_transient(caught.value)
    with files.open(Place(str(path), "b.png"), "b.png") as file:
        assert files.fingerprint(file) == f"sha256:{hashlib.sha256(packed).hexdigest()}", "the others are as they were"


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_cut_off_is_told(files: Files, tmp_path: Path, name: str) -> None:
    path = _archive(tmp_path / name, {f"{n}.png": b"\x89PNG" + os.urandom(9000) for n in range(3)})
    path.write_bytes(path.read_bytes()[:15_000])
    with (
        pytest.raises(
            SceneError, match=rf"^{path}(!/2.png)?: (is a damaged archive|is not in its archive|ends before)"
        ),
        files.open(Place(str(path), "2.png"), "2.png") as file,
    ):
        files.fingerprint(file)


@pytest.mark.parametrize("name", ARCHIVES)
def test_what_is_no_archive_is_told(files: Files, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"no archive at all" * 99)
    with pytest.raises(SceneError, match=rf"^{path}: is a damaged archive"), files.open(Place(str(path), "a"), "a"):
        pass


@pytest.mark.parametrize("name", ["packed.zip", "plain.tar", "a.tar.gz"])
def test_a_member_that_is_gone_is_told(files: Files, tmp_path: Path, name: str) -> None:
    path = _archive(tmp_path / name, {"a.png": b"\x89PNG"})
    told = rf"^{path}!/b.png: is not in its archive; list the inputs anew"
    with pytest.raises(SceneError, match=told), files.open(Place(str(path), "b.png"), "b.png"):
        pass


def test_an_encrypted_member_is_refused(files: Files, tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.png": b"\x89PNG"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(SceneError, match=rf"^{path}!/a.png: is encrypted"), files.open(Place(str(path), "a.png"), "a"):
        pass


def test_an_archive_that_is_not_there_is_told_by_the_system(files: Files, tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar"):
        with pytest.raises(FileNotFoundError), files.open(Place(str(tmp_path / name), "a.png"), "a.png"):
            pass


# Bombs


def test_what_unpacks_to_no_scene_or_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    sound = edge.scene_copy.Copy.write

    def write(copy: edge.scene_copy.Copy, piece: bytes) -> None:
        written.append(len(piece))
        sound(copy, piece)

    monkeypatch.setattr(edge.scene_copy.Copy, "write", write)
    path = _zip(tmp_path / "bomb.zip", {"no.tif": bytes(2**25), "long.bmp": b"BM" + bytes(2**25)})
    with closing(Files(max_pixels=1000)) as files:
        for member, told in (
            ("no.tif", "is not an image"),
            ("long.bmp", "is 33,554,434 bytes long, over the limit of 1,000"),
        ):
            with (
                files.open(Place(str(path), member), member) as file,
                pytest.raises(SceneError, match=rf"^{path}!/{member}: {told}"),
            ):
                files.fingerprint(file)
    assert not written


def test_a_member_that_unpacks_to_more_than_the_index_says_is_told(files: Files, tmp_path: Path) -> None:
    path = _zip(tmp_path / "liar.zip", {"a.png": b"\x89PNG" + bytes(100_000)})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (50_000).to_bytes(4, "little")
    path.write_bytes(data)
    with (
        files.open(Place(str(path), "a.png"), "a.png") as file,
        pytest.raises(SceneError, match=r"!/a.png: is damaged in its archive \(Bad CRC-32"),
    ):
        files.fingerprint(file)


def test_a_full_disk_is_told_of_a_member(
    files: Files, scenes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(edge.scene_copy, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    path = _zip(tmp_path / "a.zip", {"a.tif": scenes["berth/tiled.tif"].read_bytes()})
    told = rf"^{path}!/a.tif: needs [0-9,]+ bytes of room in .*No space left on device"
    with files.open(Place(str(path), "a.tif"), "a.tif") as file, pytest.raises(SceneError, match=told) as caught:
        files.fingerprint(file)
    assert not is_transient(caught.value)


# What may be tried again


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (StoreTrouble("u", "c", "m"), True),
        (StoreRefusal("u", "c", "m"), False),
        *(
            (OSError(number, os.strerror(number)), True)
            for number in (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOMEM)
        ),
        *((OSError(number, os.strerror(number)), False) for number in (errno.ENOENT, errno.EACCES, errno.ENOSPC)),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (SceneError("s", "c", "m"), False),
        (zlib.error("bad"), False),
        (None, False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_what_may_be_gone_at_the_next_try(error: BaseException | None, depth: int, *, transient: bool) -> None:
    told = error
    for number in range(depth):
        outer = SceneError("scene", "cannot be read", "mend it")
        if number % 2:
            outer.__context__ = told
        else:
            outer.__cause__ = told
        told = outer
    assert is_transient(told) == transient


def test_a_circle_of_causes_ends() -> None:
    first, second = SceneError("a", "b", "c"), SceneError("d", "e", "f")
    first.__cause__, second.__context__ = second, first
    assert not is_transient(first)


def test_an_archive_whose_store_has_failed_is_opened_anew(web: Web, scenes: dict[str, Path], tmp_path: Path) -> None:
    data = {"filler": os.urandom(600_000), "a.png": scenes["berth/quay/picture.png"].read_bytes()}
    url = web.put("/a.zip", _zip(tmp_path / "a.zip", data, zipfile.ZIP_STORED).read_bytes())
    with closing(Files(web.stores(HASTY))) as files:
        web.status = 503
        with pytest.raises(StoreTrouble, match=r"/a.zip: its store answers 503"), files.open(Place(url, "a.png"), "a"):
            pass
        web.status = 0
        with files.open(Place(url, "a.png"), "a.png") as file:
            web.status = 503
            with pytest.raises(SceneError, match=r"/a.zip!/a.png: .*/a.zip: its store answers 503") as caught:
                open_scene(file)
            assert is_transient(caught.value)
            web.status = 0
        with files.open(Place(url, "a.png"), "a.png") as file, open_scene(file) as scene:
            assert scene.width == 300


def test_threads_open_an_archive_once(scenes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _zip(tmp_path / "a.zip", {f"{n}.jpg": scenes["picture.jpg"].read_bytes() for n in range(8)})
    opened, sound, together = [], edge.bulk.archives.ZipArchive, threading.Barrier(4)

    def counted(archive: ArchiveBytes, subject: str) -> ZipArchive:
        opened.append(subject)
        return sound(archive, subject)

    def digest(number: int) -> str:
        together.wait(20)
        with files.open(Place(str(path), f"{number}.jpg"), "a.jpg") as file:
            return files.fingerprint(file)

    monkeypatch.setattr(edge.bulk.archives, "ZipArchive", counted)
    with closing(Files()) as files, ThreadPoolExecutor(4) as pool:
        assert set(pool.map(digest, range(8))) == {files.fingerprint(scenes["picture.jpg"])}
    assert len(opened) == 1
