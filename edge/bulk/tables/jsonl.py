"""documents.jsonl: a line a scene, as `count --json` prints it, but for "seconds", which no two runs have alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.write.atomic import replacing
from edge.write.document_json import line, plain

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bulk.row import Rows, SceneRow


def write(rows: Rows, folder: Path) -> list[Path]:
    """Write all documents into a folder; a scene that failed is there with its error.

    Raises:
        OutputError: they cannot be written; what was there is there still.
    """
    path = folder / "documents.jsonl"
    with replacing(path) as file:
        file.writelines(_line(row).encode() + b"\n" for row in rows())
    return [path]


def _line(row: SceneRow) -> str:
    if row.document is not None:
        return line({key: value for key, value in row.document.items() if key != "seconds"})
    failure = row.failure
    error = f"{failure.cause}; {failure.mend}" if failure else "was not scored"
    return json.dumps(plain({"scene": row.name, "error": error}))
