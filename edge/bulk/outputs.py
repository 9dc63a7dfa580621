"""All outputs of a run, written from the ledger's rows alone: the same rows give the same bytes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.bulk.ledger_file import WORKERS
from edge.bulk.report import Facts, write_report
from edge.bulk.sheet import write_sheets
from edge.bulk.tables import TABLES, write_tables
from edge.errors import UsageError
from edge.scene import open_scene
from edge.write.atomic import sweep, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from edge.bulk.files import Files
    from edge.bulk.row import Rows, SceneRow
    from edge.bulk.settings import Settings
    from edge.scene import Scene

SHEETS, REPORT = "sheets", "report"
FILES = (
    "scenes.parquet", "detections.parquet", "scenes.csv", "detections.csv", "detections.geojson", "coco.json",
    "documents.jsonl", "report.html",
)  # fmt: skip
MARK = ".outputs-of"
"""File that says which run the outputs in the folder are of."""
OUTPUTS = (*TABLES, SHEETS, REPORT)
"""What can be written, in the order in which it is."""


def check_outputs(names: Iterable[str]) -> list[str]:
    """The names, each once, in the order of OUTPUTS; ask before scenes are scored.

    Raises:
        UsageError: one of them is no output.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(OUTPUTS))
    if unknown:
        raise UsageError("--format", f"there is no output {unknown[0]!r}", f"choose from {', '.join(OUTPUTS)}")
    return [name for name in OUTPUTS if name in wanted]


class Outputs:
    """Writes the outputs of one run into its folder."""

    def __init__(self, folder: Path, run: str, settings: Settings, files: Files, facts: Facts) -> None:
        """Nothing is written yet.

        Args:
            folder: of the run.
            run: its key: outputs of another model or other settings do not stay beside these.
            settings: how scenes are read again for pictures.
            files: where they are read from.
            facts: what the report tells of the run, and the rows do not.
        """
        self._folder, self._run, self._settings = folder, run, settings
        self._files, self._facts = files, facts

    def write(self, rows: Rows, names: Iterable[str], telling: Callable[[str], None]) -> list[Path]:
        """Write some of OUTPUTS, each whole or not at all; what was written. Nobody else may write there meanwhile.

        Raises:
            OutputError: one of them cannot be written; those before it are there.
        """
        written: list[Path] = []
        for folder in (self._folder, self._folder / SHEETS):
            sweep(folder)
        self._clear()
        for name in names:
            telling(name)
            if name == SHEETS:
                written += self._sheets(rows)
            elif name == REPORT:
                written.append(write_report(rows, self._folder / "report.html", self._open, self._facts))
            else:
                written += write_tables(rows, self._folder, [name])
        return written

    def _clear(self) -> None:
        """Remove outputs of another run, which could be taken for this one's."""
        mark = self._folder / WORKERS / MARK
        if mark.is_file() and mark.read_text(encoding="utf-8") != self._run:
            for path in [self._folder / name for name in FILES] + list((self._folder / SHEETS).glob("*.jpg")):
                path.unlink(missing_ok=True)
        write_text(mark, self._run)

    def _sheets(self, rows: Rows) -> list[Path]:
        """Contact sheets; those of terminals that there are no more go."""
        sheets = write_sheets(rows, self._folder / SHEETS, self._open)
        for old in set((self._folder / SHEETS).glob("*.jpg")) - set(sheets):
            old.unlink(missing_ok=True)
        return sheets

    @contextmanager
    def _open(self, row: SceneRow) -> Iterator[Scene]:
        """A scene once more, for its picture."""
        with self._files.open(row.place, row.name) as file, open_scene(file, self._settings.reading) as scene:
            yield scene
