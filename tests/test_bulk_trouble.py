"""Full disks and stores that cannot be read: a run says so, and the next one ends with the outputs that it should."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from edge import cli
from edge.bulk import scorer
from edge.bulk.stores import Stores
from edge.commands import bulk as command
from tests.bulk_kills import OUT, differences, digests, make_archive
from tests.small_disk import largest_file
from tests.stores import HASTY, web
from tests.toy_model import model_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stores import Web

__all__ = ["web"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("models") / "toy", kinds=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("inputs") / "archive", 6)


def run(inputs: Path, out: Path, model: Path, *words: str) -> int:
    return cli.main(["bulk", str(inputs), "--out", str(out), "--model", str(model), *words])


@pytest.fixture(scope="module")
def expected(archive: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("undisturbed") / OUT
    assert run(archive, out, model) == 4
    return digests(out)


@pytest.mark.parametrize("most_bytes", [100, 30_000, 70_000, 120_000])
def test_a_full_disk_is_told_and_costs_nothing_but_time(
    archive: Path,
    model: Path,
    expected: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    most_bytes: int,
) -> None:
    out = tmp_path / OUT
    with largest_file(most_bytes):
        assert run(archive, out, model) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert str(out) in told
    assert not list(out.rglob("*.tmp"))
    assert run(archive, out, model) == 4
    assert differences(expected, digests(out)) == []


def test_a_disk_without_room_is_told_too(
    archive: Path, model: Path, expected: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file system of its own, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        os.geteuid()
        or not mount
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=320k", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    try:
        assert run(archive, disk / OUT, model) == 2
        assert "space" in capsys.readouterr().err
        subprocess.run([mount, "-o", "remount,size=64m", disk], check=True)
        assert run(archive, disk / OUT, model) == 4
        assert differences(expected, digests(disk / OUT)) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are not waited for."""
    for module in (scorer, command):
        monkeypatch.setattr(module, "Stores", partial(Stores, patience=HASTY))
    monkeypatch.setattr(scorer, "PAUSE_S", 0.001)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("status", [403, 500])
def test_a_store_that_cannot_be_read_for_a_while_costs_nothing_but_time(
    web: Web, archive: Path, model: Path, tmp_path: Path, status: int
) -> None:
    scenes = sorted((archive / "terminal-0").iterdir())
    listing = tmp_path / "listing.csv"
    with listing.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "terminal", "time"])
        for day, path in enumerate(scenes, 1):
            rows.writerow([web.put(f"/{path.name}", path.read_bytes()), "north", f"2024-03-{day:02}T10:00:00Z"])
    undisturbed, out = tmp_path / "undisturbed" / OUT, tmp_path / "disturbed" / OUT
    assert run(listing, undisturbed, model) == 0
    web.status = status
    assert run(listing, out, model, "--tries", "1") == 4
    assert "http" in (out / "scenes.csv").read_text()
    assert differences(digests(undisturbed), digests(out)) != []
    web.status = 0
    assert run(listing, out, model) == 0
    assert differences(digests(undisturbed), digests(out)) == []


@pytest.mark.usefixtures("hasty")
def test_a_store_that_fails_now_and_then_is_asked_again(web: Web, archive: Path, model: Path, tmp_path: Path) -> None:
    url = web.put("/scene.png", (archive / "terminal-0" / "port_20240101.png").read_bytes())
    web.failing = 2
    assert cli.main(["bulk", url, "--out", str(tmp_path / OUT), "--model", str(model), "--format", "jsonl"]) == 0
