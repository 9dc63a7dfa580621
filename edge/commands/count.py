"""`tanker-edge count`: scenes in, counts out."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.aoi import load_aoi
from edge.commands._model import add_count_arguments, load_chosen, scan_options, scene_options
from edge.document import build_document
from edge.errors import InputError, OutputError, TankerEdgeError, UsageError
from edge.pipeline import Hooks, scan
from edge.scene import open_scene
from edge.write import FORMATS, check_formats, table, unique_stem, write_formats
from edge.write.document_json import line

if TYPE_CHECKING:
    import argparse

    from edge.detector import Detector
    from edge.scene import Scene

DEFAULT_FORMATS = "json,geojson,csv,overlay"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("scenes", nargs="+", type=Path, metavar="SCENE", help="JPEG, PNG, TIFF or GeoTIFF")
    add_count_arguments(parser)
    parser.add_argument("--batch", type=int, default=1, help="tiles a run of the network (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write result files here")
    parser.add_argument(
        "--format", metavar="F,...", help=f"of {', '.join(FORMATS)} ({DEFAULT_FORMATS}, where the scene allows it)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document a scene, a line each")


def wanted_formats(args: argparse.Namespace) -> list[str]:
    """Formats to write; none without --out.

    Raises:
        UsageError: a format that there is not, or --format without --out.
    """
    if args.out is None:
        if args.format:
            raise UsageError("--format", "says what to write, but not where", "add --out DIR")
        return []
    return check_formats((args.format or DEFAULT_FORMATS).split(","))


def _show_progress(done: int, planned: int) -> None:
    """A line that grows on stderr, where people watch it."""
    print(f"\r  {done} of {planned} tiles", end="" if done < planned else "\r\033[K", file=sys.stderr, flush=True)


class Counter:
    """Counts one scene after the other with the same model and options."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Check all options before the first scene is opened."""
        self._args = args
        self._formats = wanted_formats(args)
        self._reading = scene_options(args)
        self._scan = scan_options(args, args.batch)
        self._detector: Detector = load_chosen(args)
        self._taken: set[str] = set()

    def count(self, path: Path) -> tuple[dict[str, Any], OutputError | None]:
        """The document of one scene, after its files are written; and why some of them were not."""
        args = self._args
        with open_scene(path, self._reading) as scene:
            aoi = load_aoi(args.aoi, scene) if args.aoi else None
            watched = sys.stderr.isatty() and not args.json
            result = scan(scene, self._detector, self._scan, aoi, Hooks(_show_progress if watched else None))
            document = build_document(scene, self._detector, result)
            try:
                self._save(document, path, scene)
            except OutputError as error:
                return document, error
        return document, None

    def _save(self, document: dict[str, Any], path: Path, scene: Scene) -> None:
        """Write the result files, if any are wanted."""
        formats = self._formats
        if scene.crs is None and not self._args.format:  # by default what the scene allows
            formats = [f for f in formats if f != "geojson"]
        if formats:
            write_formats(document, self._args.out, formats, scene, stem=unique_stem(path, self._taken))


def main(args: argparse.Namespace) -> int:
    """Count all scenes; a scene that fails is told and the next one goes on."""
    counter = Counter(args)
    documents, failed, complete = [], 0, True
    code = 0
    try:
        for path in args.scenes:
            try:
                document, unsaved = counter.count(path)
            except (InputError, UsageError) as error:  # an option may suit one scene's GSD and not another's
                failed += 1
                code = error.exit_code
                _tell(path, error, as_json=args.json)
                continue
            if unsaved:
                print(f"tanker-edge: {unsaved}", file=sys.stderr)
            seen = document["coverage"] > 0 and not document["tiles"]["failed"]
            complete = complete and seen and not unsaved
            documents.append(document)
            if args.json:
                print(line(document), flush=True)
    finally:  # what was counted is told, also where the network fails or the user stops at a later scene
        if documents and not args.json:
            print(table(documents, shutil.get_terminal_size((100, 24)).columns))
    if failed and not documents:
        return code
    return 0 if complete and not failed else 4


def _tell(path: Path, error: TankerEdgeError, *, as_json: bool) -> None:
    """An error of one scene: a sentence for people; for programs also a line that is no count."""
    hint = f" (scene {path.name}; --help lists the options)" if isinstance(error, UsageError) else ""
    print(f"tanker-edge: {error}{hint}", file=sys.stderr)
    if as_json:
        print(json.dumps({"scene": path.name, "error": str(error)}), flush=True)
