"""What may be wrong with the file of a ledger, and what is said of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge.bulk import ledger_file
from edge.bulk.ledger import Ledger
from edge.bulk.ledger_file import LEDGER, MIGRATIONS, wal_of
from edge.bulk.task import Done
from edge.errors import OutputError
from tests.ledger_workers import RUN, document, entry

if TYPE_CHECKING:
    from pathlib import Path

NORMAL = 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def filled(path: Path, scenes: int = 300) -> None:
    """Make a ledger with scenes that are done."""
    with Ledger(path, RUN) as ledger:
        ledger.add(entry(f"{number}.tif") for number in range(scenes))
        dones = [Done(task.number, task.name, document(task.name)) for task in ledger.claim(scenes)]
        ledger.finish(dones)


def spoil(path: Path) -> None:
    """Overwrite the pages in the middle of a file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(os.urandom(size // 2))


def test_a_ledger_says_what_it_is_and_how_it_is_written(path: Path) -> None:
    with Ledger(path, RUN) as ledger:
        asked = {
            name: ledger._write.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
        }
        assert asked == {"synchronous": NORMAL, "journal_mode": "wal"}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (LEDGER.application,)
        assert database.execute("PRAGMA user_version").fetchone() == (LEDGER.version,)
    assert [found.name for found in path.parent.iterdir() if found.name != ".workers"] == [path.name]


def test_what_is_no_ledger_is_told_and_left_alone(path: Path) -> None:
    path.write_text("scene,count\na,1\n" * 99, encoding="utf-8")
    with pytest.raises(OutputError, match=r"is no ledger of a bulk run.*give another --out"):
        Ledger(path, RUN)
    assert path.read_text(encoding="utf-8").startswith("scene,count\n")


def test_a_database_of_others_is_told_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE jobs (number INTEGER)")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is a database, but no ledger of a bulk run"):
        Ledger(path, RUN)
    assert path.read_bytes() == before


def test_a_newer_version_is_told_and_left_alone(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {LEDGER.version + 1}")
    before = path.read_bytes()
    with pytest.raises(OutputError, match=rf"is of version {LEDGER.version + 1}, from a newer tanker-edge"):
        Ledger(path, RUN)
    assert path.read_bytes() == before


def test_an_older_version_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, 3)
    newer = replace(LEDGER, version=LEDGER.version + 2)
    monkeypatch.setattr(ledger_file, "LEDGER", newer)
    monkeypatch.setitem(MIGRATIONS, LEDGER.version, "ALTER TABLE runs ADD COLUMN note TEXT;")
    monkeypatch.setitem(MIGRATIONS, LEDGER.version + 1, "UPDATE runs SET note = 'migrated';")
    for _ in range(2):
        with Ledger(path, RUN) as ledger:
            assert len(list(ledger.rows())) == 3
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT note FROM runs").fetchall() == [("migrated",)]
        assert database.execute("PRAGMA user_version").fetchone() == (newer.version,)


def test_damage_is_told_when_a_ledger_is_opened_that_was_not_closed(path: Path) -> None:
    filled(path)
    spoil(path)
    Ledger(path, RUN).close()  # it was closed: there is no reason to look through all of it
    spoil(path)
    wal_of(path).write_bytes(b"left by a kill")
    with pytest.raises(OutputError, match="is damaged"):
        Ledger(path, RUN)


def test_damage_is_told_where_it_is_met(path: Path) -> None:
    filled(path)
    spoil(path)
    with Ledger(path, RUN) as ledger, pytest.raises(OutputError, match="is damaged"):
        list(ledger.rows())


def test_a_damaged_document_is_told(path: Path) -> None:
    filled(path, 3)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE results SET document = x'00'")
        database.commit()
    with Ledger(path, RUN) as ledger, pytest.raises(OutputError, match="is damaged"):
        list(ledger.rows())


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be opened"):
        Ledger(path, RUN)


def test_a_file_in_the_place_of_its_folder_is_told(path: Path) -> None:
    path.touch()
    with pytest.raises(OutputError, match="what should be its folder is a file"):
        Ledger(path / "ledger.sqlite", RUN)


@pytest.mark.parametrize(
    ("vfs", "cause"),
    [
        ("vfs=unix-dotfile", "cannot share memory between processes"),  # as on network file systems
        ("mode=ro", "may not be written"),
    ],
)
def test_a_file_system_that_will_not_do_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, vfs: str, cause: str
) -> None:
    """SQLite's own ways of being poorer than a disk is."""
    filled(path, 3)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    connect = sqlite3.connect

    def poorer(name: Path, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - of sqlite3.connect
        return connect(f"{name.as_uri()}?{vfs}", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", poorer)
    with pytest.raises(OutputError, match=cause):
        Ledger(path, RUN)


def test_who_holds_the_ledger_for_too_long_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "BUSY_S", 0.05)
    with Ledger(path, RUN) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="another process has been writing it"):
            ledger.add([entry("a.tif")])
        assert ledger.left() == 0, "reading goes on"
        other.execute("ROLLBACK")
        assert ledger.add([entry("a.tif")]).new == 1


def test_a_disk_without_room_is_told_and_has_room_again_later(path: Path) -> None:
    with Ledger(path, RUN) as ledger:
        pages = ledger._write.execute("PRAGMA page_count").fetchone()[0]
        ledger._write.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(
            OutputError, match="no space is left there; free some space; nothing that was scored is lost"
        ):
            ledger.add(entry(f"{number}.tif") for number in range(1000))
        assert ledger.tally().total == 0
        ledger._write.execute(f"PRAGMA max_page_count = {2**30}")
        assert ledger.add(entry(f"{number}.tif") for number in range(1000)).new == 1000
