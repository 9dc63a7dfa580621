"""The files of jobs: a folder each, on the disk before anybody is told that they are."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from edge.write import document_json
from edge.write.atomic import make_folder, write_text
from edge.write.document_json import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from edge.server.job_record import Job
    from edge.server.uploads import Upload

SCENE, AREA = "scene", "area.geojson"
DOCUMENT, CANDIDATES = "document.json", "candidates.json"


class JobFiles:
    """Where the files of each job lie."""

    def __init__(self, root: Path) -> None:
        """Make the folder of all jobs.

        Raises:
            OutputError: it cannot be made.
        """
        self.root = root
        self.on_removed: list[Callable[[str], None]] = []
        """Called, from any thread, with the id of each job whose files have been removed."""
        make_folder(root)
        settle(root.parent)

    def folder(self, job_id: str) -> Path:
        """Of one job."""
        return self.root / job_id

    def scene(self, job: Job) -> Path:
        """The scene that was uploaded or fetched."""
        return self.folder(job.id) / SCENE / job.scene

    def area(self, job: Job) -> Path | None:
        """Its area of interest."""
        path = self.folder(job.id) / AREA
        return path if path.exists() else None

    def make(self, job_id: str, area: str | None = None) -> Path:
        """Make the folder of a job, and its folder for the scene, which is given.

        Args:
            job_id: of a job that is not in the ledger yet.
            area: GeoJSON.
        """
        folder = self.folder(job_id)
        (folder / SCENE).mkdir(parents=True)
        if area is not None:
            (folder / AREA).write_text(area, encoding="utf-8")
            settle(folder / AREA)
        self.settle(job_id)
        return folder / SCENE

    def announce(self, job: Job, area: str | None) -> None:
        """Make the folder of a new job whose scene comes later, or stays where it is.

        Args:
            job: where it comes in parts, its file is made.
            area: GeoJSON.
        """
        scene = self.make(job.id, area)
        if job.state == "receiving":
            (scene / job.scene).touch(mode=0o600, exist_ok=False)
            self.settle(job.id)

    def take(self, job_id: str, upload: Upload) -> None:
        """Move what a client sent, from the same file system, into a new folder."""
        scene = self.make(job_id)
        settle(upload.path)
        upload.path.replace(scene / upload.path.name)
        if upload.area:
            settle(upload.area)
            upload.area.replace(self.folder(job_id) / AREA)
        self.settle(job_id)

    def write(self, job_id: str, document: dict[str, Any], candidates: dict[str, Any]) -> None:
        """Write the results of a job, each whole or not at all.

        Raises:
            OutputError: the disk is full.
        """
        folder = self.folder(job_id)
        write_text(folder / CANDIDATES, json.dumps(plain(candidates), allow_nan=False))
        document_json.write(document, folder / DOCUMENT)

    def settle(self, job_id: str) -> None:
        """Get the names of a job's files onto the disk."""
        folder = self.folder(job_id)
        for each in (folder / SCENE, folder, self.root):
            settle(each)

    def remove(self, job_id: str) -> None:
        """Delete all files of a job; what is open somewhere goes when it is closed."""
        shutil.rmtree(self.folder(job_id), ignore_errors=True)
        for told in self.on_removed:
            told(job_id)

    def sweep(self, kept: Collection[str]) -> int:
        """Delete all that is of no job; how many there were."""
        orphans = [path for path in self.root.iterdir() if path.name not in kept]
        for path in orphans:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(orphans)


def settle(path: Path) -> None:
    """Get a file's bytes, or a folder's names, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some file systems cannot do this to a folder: nothing better is to be had from them
            raise
    finally:
        os.close(handle)
