"""The scene of a job: fetched, found and opened, wherever it lies."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import TankerEdgeError
from edge.scene import open_scene, scene_size
from edge.server.fetch import fetch
from edge.server.job_files import SCENE, settle
from edge.server.places import allowed_path
from edge.server.problems import HttpError, without_folder

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from edge.scene import Scene
    from edge.server.job_files import JobFiles
    from edge.server.job_record import Job
    from edge.server.settings import Settings


def scene_path(job: Job, files: JobFiles, settings: Settings) -> Path:
    """Where the scene of a job lies. One that was named by a path is looked for again each time.

    Raises:
        HttpError: 403 or 404, a path that may not be read, or no longer leads to a file.
    """
    return allowed_path(job.place or "", settings.roots) if job.source == "path" else files.scene(job)


def check_size(path: Path, most_px: int, name: str) -> int:
    """Refuse a scene by what its file says of itself, before anything is decoded.

    Args:
        path: of the scene.
        most_px: that are allowed.
        name: what the client calls it.

    Returns:
        How many px it has.

    Raises:
        HttpError: 413.
        SceneError: it is no scene.
    """
    width, height = scene_size(path)
    if width * height > most_px:
        cause = f"the scene has {width:,} x {height:,} pixels, more than the {most_px:,} of a job"
        raise HttpError(413, cause, "cut it into parts", subject=name)
    return width * height


def open_job(job: Job, files: JobFiles, settings: Settings) -> Scene:
    """Open the scene of a job by the options of the job; it is called what the client calls it.

    Raises:
        HttpError: 403, 404 or 413.
        SceneError: it is no scene, or gone.
        UsageError: the options do not suit it.
    """
    path = scene_path(job, files, settings)
    with told_without(path.parent):
        check_size(path, settings.max_job_pixels, job.scene)
        scene = open_scene(path, job.count_options.reading(settings.max_decoded_pixels))
    scene.name = job.scene
    return scene


@contextmanager
def told_without(*folders: Path) -> Iterator[None]:
    """Errors that come out of the block name none of these folders."""
    try:
        yield
    except TankerEdgeError as error:
        raise without_folder(error, *folders) from error


def fetch_scene(job: Job, files: JobFiles, settings: Settings, stop: threading.Event) -> None:
    """Fetch the scene of a job from its URL; what an earlier run has left of it is replaced.

    Raises:
        HttpError: it cannot be fetched, or is too long.
        OutputError: the disk is full.
        StoppedError: `stop` was set.
    """
    folder = files.folder(job.id) / SCENE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with told_without(folder):
        fetch(job.place or "", settings.urls, files.scene(job), settings.max_upload_bytes, stop)
    settle(files.scene(job))
    files.settle(job.id)
