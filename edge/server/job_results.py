"""Files made of a job's document: written when they are first asked for, then kept with the job."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from edge.errors import TankerEdgeError
from edge.server.inline import in_thread
from edge.server.job_files import DOCUMENT
from edge.server.job_scene import open_job, told_without
from edge.server.problems import HttpError
from edge.write import FORMATS as WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.server.core import Core
    from edge.server.job_record import Job
    from edge.server.jobs import Jobs

MEDIA: dict[str, str] = {
    "json": "application/json",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
    "coco": "application/json",
    "yolo": "text/plain; charset=utf-8",
    "overlay": "image/png",
}
"""Media type of each format."""
AGAIN = {408: 410}
"""What is told later of a job that failed so: clients ask by themselves again what is answered by 408."""


def done(jobs: Jobs, job_id: str) -> Job:
    """A job that has results.

    Raises:
        HttpError: 404; 409, it has not ended; 410, it was cancelled or removed; why it failed, if it did.
    """
    job = jobs.get(job_id)
    if job.error:
        told = job.error
        raise HttpError(
            AGAIN.get(told["status"], told["status"]), told["detail"], told.get("mend"), subject=told.get("subject")
        )
    if job.state == "cancelled":
        raise HttpError(410, "the job was cancelled", "send the scene again")
    if job.state != "done":
        raise HttpError(409, f"the job is {job.state}", f"wait for it: /v1/jobs/{job_id}/events")
    return job


def file_of(jobs: Jobs, job: Job, kind: str) -> Path:
    """Where the file of a format other than the overlay lies; it is written if it is not there yet.

    Raises:
        HttpError: 409, the scene does not allow it; 410, the job has been removed meanwhile.
        OutputError: the disk is full.
    """
    path = _place(jobs, job, kind)
    if not path.exists():
        document = _document(jobs, job)
        if kind == "geojson" and document["crs"] is None:
            cause = "the scene has no georeference, so there is no GeoJSON of it"
            raise HttpError(409, cause, "choose another format, or send a GeoTIFF with a CRS", subject=job.scene)
        _write(jobs, job, path, lambda: WRITERS[kind].write(document, path))
    return path


async def overlay_of(core: Core, job: Job) -> Path:
    """Where the picture with the vessels lies; it is drawn if it is not there yet.

    Raises:
        HttpError: 403, 404, the scene may no longer be read; 410, the job has been removed meanwhile.
        SceneError: the scene is gone, or no longer one.
        OutputError: the disk is full.
    """
    path = _place(core.jobs, job, "overlay")
    if not await in_thread(core, path.exists):
        await asyncio.get_running_loop().run_in_executor(core.jobs.painter, _draw, core, job, path)
    return path


def download_name(job: Job, kind: str) -> str:
    """What a file is called where it is kept."""
    return PurePath(job.scene).stem + WRITERS[kind].suffix


def _draw(core: Core, job: Job, path: Path) -> None:
    if path.exists():  # another request was here before
        return
    document = _document(core.jobs, job)

    def draw() -> None:
        with open_job(job, core.jobs.files, core.settings) as scene, told_without(Path(str(scene.path)).parent):
            WRITERS["overlay"].write(document, path, scene=scene)

    _write(core.jobs, job, path, draw)


def _write(jobs: Jobs, job: Job, path: Path, write: Callable[[], None]) -> None:
    """Write a file; a job that has been removed meanwhile is told as such."""
    try:
        with told_without(path.parent):
            write()
    except (TankerEdgeError, HttpError):
        jobs.get(job.id)
        raise


def _place(jobs: Jobs, job: Job, kind: str) -> Path:
    return jobs.folder(job.id) / (DOCUMENT if kind == "json" else f"result{WRITERS[kind].suffix}")


def _document(jobs: Jobs, job: Job) -> dict[str, Any]:
    """What the job has found."""
    try:
        document: dict[str, Any] = json.loads((jobs.folder(job.id) / DOCUMENT).read_bytes())
    except FileNotFoundError:
        raise gone(jobs, job) from None
    return document


def gone(jobs: Jobs, job: Job) -> HttpError:
    """The answer where a file of a job has vanished: it has been removed, or somebody tidied by hand."""
    jobs.get(job.id)
    return HttpError(410, "the results are no longer there", "send the scene again")
