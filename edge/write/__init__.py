"""Results as files: one writer a format, each atomic.

A writer takes a scene's document, the path to write and, for the overlay, the open scene.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from edge.errors import OutputError, UsageError
from edge.write import coco, detections_csv, document_json, geojson, overlay, yolo
from edge.write.atomic import make_folder
from edge.write.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.scene import Scene

__all__ = ["FORMATS", "Format", "Writer", "check_formats", "table", "unique_stem", "write_formats"]


class Writer(Protocol):
    """Writes a document to a file, or raises OutputError and leaves everything as it was."""

    def __call__(self, document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:
        """Write; `scene` is open, where its pixels are needed."""


class Format(NamedTuple):
    """A way to write a document."""

    suffix: str
    """What comes after the stem, with the dot."""
    write: Writer


FORMATS: dict[str, Format] = {
    "json": Format(".json", document_json.write),
    "geojson": Format(".geojson", geojson.write),
    "csv": Format(".csv", detections_csv.write),
    "coco": Format(".coco.json", coco.write),
    "yolo": Format(".txt", yolo.write),
    "overlay": Format(".overlay.png", overlay.write),
}
_OPTION = "--format"
_AMBIGUOUS = ".coco"
"""The JSON of a scene of this ending would have the name of another scene's COCO."""


def check_formats(names: Iterable[str]) -> list[str]:
    """The names, each once; ask before the scenes are scored.

    Raises:
        UsageError: one of them is no format.
    """
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise UsageError(_OPTION, f"there is no format {unknown[0]!r}", f"choose from {', '.join(FORMATS)}")
    return wanted


def unique_stem(path: Path | str, taken: set[str]) -> str:
    """Stem for the files of a scene, different from those taken, to which it is added.

    The first scene of a stem keeps it; the next ones get -2, -3 and so on, so the same scenes in the same order have
    the same stems. Upper and lower case are one, as on the file systems of memory cards.
    """
    stem = Path(path).stem
    name, number = stem, 1
    while name.casefold() in taken or name.casefold().endswith(_AMBIGUOUS):
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def write_formats(
    document: dict[str, Any],
    out_dir: Path,
    formats: Sequence[str],
    scene: Scene | None = None,
    *,
    stem: str | None = None,
) -> dict[str, Path]:
    """Write a document in several formats and tell where; the folder is created where it is not there.

    What can be written is written, even where another format fails.

    Args:
        document: the scene's.
        out_dir: folder of the results; what is there under the same names is replaced.
        formats: names in FORMATS.
        scene: the open scene, which the overlay needs.
        stem: from `unique_stem`, where several scenes share the folder; None for that of the scene.

    Raises:
        UsageError: there is no such format; nothing is written then.
        OutputError: the first format that failed.
    """
    wanted = check_formats(formats)
    make_folder(out_dir)
    stem = Path(document["scene"]).stem if stem is None else stem
    written: dict[str, Path] = {}
    first: OutputError | None = None
    for name in wanted:
        path = out_dir / (stem + FORMATS[name].suffix)
        try:
            FORMATS[name].write(document, path, scene=scene)
        except OutputError as error:
            first = first or error
        else:
            written[name] = path
    if first:
        raise first
    return written
