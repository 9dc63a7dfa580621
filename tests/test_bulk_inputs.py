"""edge.bulk.inputs: folders, globs, archives and URLs as scenes. Manifests and STAC: test_bulk_inputs_tables.py."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bulk.entry import Place
from edge.bulk.inputs import ListOptions, list_inputs
from edge.errors import InputError, SceneError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from edge.bulk.entry import Entry

PLAIN = ListOptions()


def fill(folder: Path, *names: str) -> Path:
    """Files of that name in a folder; "/" at the end makes a folder."""
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(os.fsencode(name))
    return folder


def listed(*words: object, options: ListOptions = PLAIN, stores: object = None) -> list[Entry]:
    return list(list_inputs([str(word) for word in words], options, stores))  # type: ignore[arg-type]


def told(entries: list[Entry], top: Path) -> list[tuple[str, str | None]]:
    """Places below a folder, and terminals."""
    return [(str(entry.place).removeprefix(f"{top}/"), entry.terminal) for entry in entries]


def places(entries: list[Entry], top: Path) -> list[str]:
    return [place for place, _ in told(entries, top)]


# --- folders and files ---


def test_a_folder_is_walked_in_order_and_says_the_terminals(tmp_path: Path) -> None:
    top = fill(tmp_path / "sea", "b.TIF", "a.jpeg", "x/2.png", "x/1/z.webp", "x/1/y.gif", "w/c.bmp", "w/readme.txt")
    expected = [("a.jpeg", "sea"), ("b.TIF", "sea"), ("w/c.bmp", "w"), ("x/2.png", "x"), ("x/1/y.gif", "x")]
    assert told(listed(top), top) == [*expected, ("x/1/z.webp", "x")]


def test_an_entry_says_what_is_known_of_a_file(tmp_path: Path) -> None:
    path = fill(tmp_path, "a_20240131.tif") / "a_20240131.tif"
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (entry,) = listed(path)
    assert (entry.place, entry.name, entry.terminal) == (Place(str(path)), path.name, tmp_path.name)
    assert (entry.size, entry.stamp) == (14, "1700000000123456789-14")
    assert (entry.acquired, entry.gsd_m) == (None, None)


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "[sea]/x/a.tif", "[sea]/a.zip")
    monkeypatch.chdir(tmp_path / "[sea]")
    for word in (".", "x", "x/a.tif", "*/a.tif", "../?sea?/x/*", "x/../x/a.t?f", "./**/*.tif"):
        damaged = ["[sea]/a.zip"] if word == "." else []  # which is to fail by itself
        assert places(listed(word), tmp_path) == [*damaged, "[sea]/x/a.tif"], word


def test_the_terminal_that_is_asked_for_goes_first(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.tif")
    pack_zip(tmp_path / "x" / "b.zip", {"y/b.tif": b""})
    assert {entry.terminal for entry in listed(tmp_path, options=ListOptions("Pernis"))} == {"Pernis"}


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.tif", ".b.tif", ".c/d.tif", "__MACOSX/._e.tif", "f/.g/h.tif", "._a.tif")
    assert places(listed(tmp_path), tmp_path) == ["a.tif"]


def test_links_are_followed_without_end_or_repetition(tmp_path: Path) -> None:
    fill(tmp_path, "top/z/a.tif", "elsewhere/b.tif")
    for link, target in (
        ("a_first", "z"), ("z/up", ".."), ("z/self", "self"), ("z/away", "../../elsewhere"), ("z/back", "../a_first"),
        ("c.tif", "z/a.tif"), ("gone.tif", "nowhere"), ("gone", "nowhere"), ("d.tif", "d.tif"),
    ):  # fmt: skip
        (tmp_path / "top" / link).symlink_to(target)
    found = places(listed(tmp_path / "top"), tmp_path / "top")
    assert found == ["c.tif", "d.tif", "gone.tif", "z/a.tif", "z/away/b.tif"]
    assert sorted(places(listed(tmp_path / "top" / "**" / "*.tif"), tmp_path / "top")) == found


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    fill(tmp_path, "a.tif")
    os.mkfifo(tmp_path / "b.tif")
    os.mkfifo(tmp_path / "c.zip")
    (tmp_path / "d.tif").symlink_to("b.tif")
    assert places(listed(tmp_path), tmp_path) == places(listed(tmp_path / "*"), tmp_path) == ["a.tif"]
    with pytest.raises(SceneError, match="neither a file nor a folder"):
        listed(tmp_path / "b.tif")


def test_a_broken_link_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "a.tif").symlink_to("nowhere")
    (entry,) = listed(tmp_path)
    assert (entry.size, entry.stamp) == (None, None)


def test_names_that_are_not_utf_8_are_listed(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.tif")
    fill(tmp_path, name)
    assert [entry.name for entry in listed(tmp_path, tmp_path)] == [name]


def test_each_place_comes_once(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.tif", "x/b.tif")
    pack_zip(tmp_path / "c.zip", {"c.tif": b""})
    words = tmp_path / "x" / "b.tif", tmp_path, tmp_path / "x", tmp_path / "*" / "*.tif", f"file://{tmp_path}/x/a.tif"
    assert sorted(places(listed(*words), tmp_path)) == ["c.zip!/c.tif", "x/a.tif", "x/b.tif"]


def test_a_scene_may_have_any_ending_where_it_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "scene.jp2")
    assert places(listed(tmp_path / "scene.jp2"), tmp_path) == ["scene.jp2"]


def test_a_listing_of_many_files_begins_at_once(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{folder}/{at}.tif" for folder in range(3) for at in range(20)))
    entries = list_inputs([str(tmp_path)], PLAIN)
    assert next(entries).name == "0.tif"
    for folder in range(1, 3):
        (tmp_path / str(folder)).rename(tmp_path / f"{folder}x")  # not looked at yet
    with pytest.raises(InputError, match="cannot be read"):
        list(entries)


# --- globs ---


def test_globs(tmp_path: Path) -> None:
    fill(tmp_path, "x/a1.tif", "x/a2.tif", "x/b.txt", "y/a1.tif", "y/deep/er/a1.tif", ".h/a1.tif", "c.png")

    def found(pattern: str) -> list[str]:
        return sorted(places(listed(tmp_path / pattern), tmp_path))

    every = ["x/a1.tif", "x/a2.tif", "y/a1.tif", "y/deep/er/a1.tif"]
    assert found("x/*.tif") == every[:2]
    assert found("?/a[12].tif") == every[:3]
    assert found("**/*.tif") == found("**/**/*.tif") == every
    assert found("**/a1.tif") == [every[0], *every[2:]]
    assert found("y/**") == every[2:]
    assert found("**") == found("**/*") == sorted(["c.png", *every])
    assert found("*") == sorted(["c.png", *every])  # folders that match are walked
    assert found("**/deep") == every[3:]
    assert found(".*/*.tif") == [".h/a1.tif"]
    assert found("x/a1.tif") == every[:1]


def test_a_glob_gives_the_folder_of_each_file_as_its_terminal(tmp_path: Path) -> None:
    fill(tmp_path, "x/1/a.tif", "x/1/b.tif", "y/c/d.tif")
    assert told(listed(tmp_path / "x/*/*.tif"), tmp_path) == [("x/1/a.tif", "1"), ("x/1/b.tif", "1")]
    assert told(listed(tmp_path / "y*"), tmp_path) == [("y/c/d.tif", "c")]


def test_a_name_with_wildcards_is_taken_as_it_is_where_it_is_there(tmp_path: Path) -> None:
    fill(tmp_path, "a[1].tif", "a1.tif")
    assert places(listed(tmp_path / "a[1].tif"), tmp_path) == ["a[1].tif"]


# --- archives ---


def pack_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def pack_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {"./x/a.tif": b"aaaa", "b.JPG": b"bb", "x/notes.txt": b"", ".h/c.tif": b"", "__MACOSX/x/._a.tif": b"",
           "/abs/d.png": b"d", "../up/e.png": b"ee"}  # fmt: skip
FOUND = [("./x/a.tif", "a.tif", "x", 4), ("b.JPG", "b.JPG", "pack", 2), ("/abs/d.png", "d.png", "abs", 1),
         ("../up/e.png", "e.png", "up", 2)]  # fmt: skip


@pytest.mark.parametrize("ending", ["zip", "ZIP", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_members_are_listed_and_nothing_is_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"pack.{ending}"
    if ending.lower() == "zip":
        pack_zip(path, MEMBERS)
    else:
        mode = {"tar": "w", "bz2": "w:bz2", "xz": "w:xz"}.get(ending[-3:].strip("."), "w:gz")
        pack_tar(path, list(MEMBERS.items()), mode)
    entries = listed(path)
    assert [(e.place.member, e.name, e.terminal, e.size) for e in entries] == FOUND
    assert {entry.place.base for entry in entries} == {str(path)}
    stamp = f"{path.stat().st_mtime_ns}-{path.stat().st_size}-"
    assert all((entry.stamp or "").startswith(stamp) for entry in entries)
    assert len({entry.stamp for entry in entries}) == len(entries)
    assert [p.name for p in tmp_path.rglob("*")] == [path.name]


def test_archives_in_folders_are_listed_too(tmp_path: Path) -> None:
    fill(tmp_path, "x/")
    pack_zip(tmp_path / "jan.zip", {"a.tif": b"", "y/b.tif": b"", "win\\c.tif": b""})
    pack_tar(tmp_path / "x" / "feb.tar.gz", [("y/d.tif", b"")], "w:gz")
    pack_zip(tmp_path / "x" / "empty.zip", {"notes.txt": b""})
    assert told(listed(tmp_path), tmp_path) == [
        ("jan.zip!/a.tif", "jan"), ("jan.zip!/y/b.tif", "y"), ("jan.zip!/win\\c.tif", "win"),
        ("x/feb.tar.gz!/y/d.tif", "x"),
    ]  # fmt: skip
    assert listed(tmp_path / "jan.zip")[2].name == "c.tif"


def test_a_member_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack_zip(tmp_path / "a.zip", {"x/a.tif": b"aaa", "b.tif": b""})
    monkeypatch.chdir(tmp_path)
    expected = [entry for entry in listed(tmp_path / "a.zip") if entry.name == "a.tif"]
    assert listed("a.zip!/x/a.tif") == listed(expected[0].place) == expected
    with pytest.raises(SceneError, match=r"a.zip!/c.tif: is not in the archive"):
        listed("a.zip!/c.tif")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_of_one_name_the_last_is_meant(tmp_path: Path) -> None:
    pack_tar(tmp_path / "a.tar", [("a.tif", b"1"), ("b.tif", b"22"), ("a.tif", b"333")])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in (("a.tif", b"1"), ("b.tif", b"22"), ("a.tif", b"333")):
            archive.writestr(name, data)
    for name in ("a.tar", "a.zip"):
        assert sorted((e.name, e.size) for e in listed(tmp_path / name)) == [("a.tif", 3), ("b.tif", 2)]


def test_links_in_a_tar(tmp_path: Path) -> None:
    """A hard link is a file of its own, as GNU tar packs a file that is there twice; a symbolic link is none."""
    fill(tmp_path, "in/a.tif")
    os.link(tmp_path / "in" / "a.tif", tmp_path / "in" / "b.tif")
    (tmp_path / "in" / "c.tif").symlink_to("a.tif")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "in", "in")
    assert sorted((e.name, e.size) for e in listed(tmp_path / "a.tar")) == [("a.tif", 8), ("b.tif", 8)]


def test_a_symbolic_link_in_a_zip_is_no_scene(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("b.tif")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.tif", b"a")
        archive.writestr(link, b"a.tif")
    assert [entry.name for entry in listed(tmp_path / "a.zip")] == ["a.tif"]


def test_the_stamp_of_a_member_changes_with_its_bytes(tmp_path: Path) -> None:
    path, stamps = tmp_path / "a.zip", set()
    for data in (b"1", b"2"):
        pack_zip(path, {"a.tif": data})
        os.utime(path, ns=(1, 1))
        stamps.add(listed(path)[0].stamp)
    assert len(stamps) == 2


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"a.tif": b"aaa"})
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a.zip: is encrypted \(a.tif\); unpack it"):
        listed(path)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_that_is_cut_off_or_none_is_told(tmp_path: Path, ending: str) -> None:
    path, noise = tmp_path / f"a.{ending}", os.urandom(5000)
    if ending == "zip":
        pack_zip(path, {f"{n}.tif": noise for n in range(4)})
    else:
        pack_tar(path, [(f"{n}.tif", noise) for n in range(4)], f"w:{ending.partition('.')[2]}")
    whole = path.read_bytes()
    for data in (b"", b"x" * 2000, whole[:3], whole[:700], whole[: len(whole) // 2], whole[:-11_000]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=rf"a.{ending}: is no (zip|tar) archive, or is damaged; copy"):
            listed(path)


def test_a_tar_that_is_cut_between_two_members_is_told(tmp_path: Path) -> None:
    path = pack_tar(tmp_path / "a.tar", [("a.tif", b"a"), ("b.tif", b"b")])
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(InputError, match="damaged"):
        listed(path)


def test_a_tar_with_a_damaged_header_is_told(tmp_path: Path) -> None:
    path = pack_tar(tmp_path / "a.tar", [("a.tif", b"a"), ("b.tif", b"b")])
    data = bytearray(path.read_bytes())
    data[1024 + 150] ^= 0xFF  # in its checksum
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        listed(path)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["zip", "tar"]), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8))
def test_a_damaged_archive_is_listed_or_told(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    pack_zip(path, {"a.tif": b"a"}) if kind == "zip" else pack_tar(path, [("a.tif", b"a")])
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data)
    try:
        assert all(entry.place.base == str(path) for entry in listed(path))
    except InputError as error:
        assert path.name in str(error)  # noqa: PT017 - either way is right


# --- what leads nowhere ---


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("none", "is not there"),
        ("none/a.tif", "is not there"),
        ("", "is not there"),
        ("none.zip!/a.tif", "is not there"),
        ("none*", "matches no image"),
        ("sub/*.tif", "matches no image"),
        ("*/*.txt", "matches no image"),
        ("none/**/*.tif", "matches no image"),
        ("sub", "has no image in it"),
        ("s*b", "matches no image"),
        ("empty.zip", "names no scene"),
    ],
)
def test_a_word_that_leads_nowhere_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, cause: str
) -> None:
    fill(tmp_path, "sub/a.txt")
    pack_zip(tmp_path / "empty.zip", {"a.txt": b""})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SceneError, match=f"{cause}; ") as error:
        listed(word)
    assert error.value.subject == word


def test_a_missing_word_is_told_before_anything_is_listed(tmp_path: Path) -> None:
    fill(tmp_path, "a.tif")
    with pytest.raises(SceneError, match="none: is not there"):
        list_inputs([str(tmp_path), str(tmp_path / "none")], PLAIN)


def test_options_check_themselves() -> None:
    with pytest.raises(UsageError, match="--terminal"):
        ListOptions(" ")
    with pytest.raises(UsageError, match="--time-pattern"):
        ListOptions(time_pattern="%Q")
    with pytest.raises(UsageError, match="INPUT"):
        list_inputs([], PLAIN)


# --- stores ---


@dataclass
class Shelf:
    """A store in memory."""

    objects: dict[str, bytes]
    opened: list[str] = field(default_factory=list)

    def list(self, url: str) -> Iterator[tuple[str, int, str | None]]:
        assert url.endswith("/")
        yield from ((key, len(self.objects[key]), self.etag(key)) for key in self.objects if key.startswith(url))

    def stat(self, url: str) -> tuple[int, str | None]:
        if url not in self.objects:
            raise InputError(url, "is not there", "check the key")
        return len(self.objects[url]), self.etag(url)

    def open(self, url: str) -> BinaryIO:
        self.opened.append(url)
        return io.BytesIO(self.objects[url])

    @staticmethod
    def etag(url: str) -> str | None:
        return None if url.startswith("http") else f"tag{len(url)}"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    packed = pack_zip(tmp_path / "a.zip", {"x/a.tif": b"aaa", "b.tif": b""}).read_bytes()
    names = ["s/b.tif", "s/x/c.png", "s/x/y/d%20.tif", "s/x/.h/e.tif", "s/notes.txt", "other/f.tif"]
    objects = {f"s3://bucket/{name}": b"x" for name in names} | {"s3://bucket/s/z.zip": packed}
    return Shelf(objects | {"https://host/a%20b.tif?sig=1/2": b"yy", "https://host/deep/p.zip?sig=1": packed})


def test_a_prefix_is_listed(shelf: Shelf) -> None:
    entries = listed("s3://bucket/s/", stores=shelf)
    assert [(str(e.place).removeprefix("s3://bucket/s/"), e.name, e.terminal) for e in entries] == [
        ("b.tif", "b.tif", "s"), ("x/c.png", "c.png", "x"), ("x/y/d%20.tif", "d%20.tif", "x"),
        ("z.zip!/x/a.tif", "a.tif", "x"), ("z.zip!/b.tif", "b.tif", "z"),
    ]  # fmt: skip
    assert (entries[0].size, entries[0].stamp) == (1, "tag19")
    assert (entries[3].size, (entries[3].stamp or "")[:6]) == (3, "tag19-")
    assert shelf.opened == ["s3://bucket/s/z.zip"]
    assert {e.terminal for e in listed("s3://bucket/", stores=shelf)} == {"s", "other"}


def test_an_object_is_listed(shelf: Shelf) -> None:
    (entry,) = listed("s3://bucket/other/f.tif", stores=shelf)
    assert (entry.name, entry.terminal, entry.size, entry.stamp) == ("f.tif", "other", 1, "tag23")
    (entry,) = listed("https://host/a%20b.tif?sig=1/2", stores=shelf)
    assert (entry.name, entry.terminal, entry.size, entry.stamp) == ("a b.tif", "host", 2, None)
    assert entry.place.base == "https://host/a%20b.tif?sig=1/2"


def test_an_archive_in_a_store_is_listed(shelf: Shelf) -> None:
    entries = listed("https://host/deep/p.zip?sig=1", stores=shelf)
    assert [(e.place.member, e.terminal, e.size, e.stamp) for e in entries] == [
        ("x/a.tif", "x", 3, None), ("b.tif", "p", 0, None),
    ]  # fmt: skip
    (entry,) = listed("s3://bucket/s/z.zip!/x/a.tif", stores=shelf)
    assert (entry.place.base, entry.place.member, entry.size) == ("s3://bucket/s/z.zip", "x/a.tif", 3)


def test_globs_in_a_store(shelf: Shelf) -> None:
    def found(word: str) -> list[str]:
        return [str(e.place).removeprefix("s3://bucket/s/") for e in listed(word, stores=shelf)]

    assert found("s3://bucket/s/*.tif") == ["b.tif"]
    assert found("s3://bucket/s/**/*.tif") == found("s3://bucket/s/**.tif") == ["b.tif", "x/y/d%20.tif"]
    assert found("s3://bucket/s/x*/*") == ["x/c.png"]
    assert found("s3://bucket/s/*.zip") == ["z.zip!/x/a.tif", "z.zip!/b.tif"]
    with pytest.raises(SceneError, match="has no image in it"):
        found("s3://bucket/s/*.jp2")


def test_a_store_that_says_no_is_told(shelf: Shelf) -> None:
    with pytest.raises(InputError, match=r"s3://bucket/none.tif: is not there"):
        listed("s3://bucket/none.tif", stores=shelf)
    with pytest.raises(SceneError, match="s3://bucket/none/: has no image in it"):
        listed("s3://bucket/none/", stores=shelf)
    with pytest.raises(UsageError, match=r"s3://bucket/s/: .*pip install 'tanker-edge\[bulk\]'"):
        listed("s3://bucket/s/")


def test_a_store_that_cannot_be_reached_is_told(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> tuple[int, str]:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(shelf, "stat", refuse)
    with pytest.raises(InputError, match=r"s3://bucket/s/b.tif: cannot be read \(Connection refused\)"):
        listed("s3://bucket/s/b.tif", stores=shelf)


def test_the_time_of_names_is_left_to_the_one_who_opens_the_file(tmp_path: Path) -> None:
    fill(tmp_path, "20240131.tif")
    assert listed(tmp_path, options=ListOptions(time_pattern="%Y%m%d"))[0].acquired is None
