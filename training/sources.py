"""Labelled sets: where they are, how they are split, and what in them is neither vessel nor background."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.geometry import Floats

VAL_SHARE = 0.15
"""Share of a user's own pictures that is held back, unless they come with a split.csv."""
CALIB_SHARE = 0.12
"""Share of a user's own other pictures that scores are calibrated on, unless they come with a split.csv."""
LICENCE_NOTE = "licence.txt"
"""One line in a folder of labelled imagery that says its licence, for the card."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class Source:
    """One labelled set. `images/` and YOLO-OBB `labels/` lie in `folder`; the rest says how to read them."""

    name: str
    folder: Path
    images: str = "images"
    labels: str | None = "labels"
    """Folder of the label files; None where no picture shows a vessel."""
    split: str = "train"
    """How to tell train from val: `split.csv` (columns image, split, group), `train` or `val` for all, `train!a,b`
    where pictures a and b are val, or `hash:0.15` where that share, picked by the hash of the name, is val."""
    gsd_m: float | None = None
    about_gsd_m: float | None = None
    """Rough GSD by the set's description, where pictures have none of their own: to judge ways of scanning that need
    one, never to scan or to measure."""
    licence: str = "not stated"
    weight: float = 1.0
    """Share of the training samples, relative to the other sets."""
    ignore: dict[str, Any] = field(default_factory=dict)
    """What to hide: {"truth": folder of truth files, "candidates": csv, "classes": [csv, values]}."""
    groups: str | None = None
    """Name under which sets number their groups together; the set's own if left out."""
    together: list[list[str]] = field(default_factory=list)
    """Pictures (stems) of one place or ship, which must stay on one side, where the split does not say it."""
    calib: float = 0.0
    """Share of the train side, picked by the hash of the group, that is put on a third side, `calib`: scores are
    calibrated there (training.calibrate), on pictures that no network was trained on and that are not val either."""
    ships: str | None = None
    """Table (columns ship, set, image, index) of the ships that were known again, relative to the set's folder."""
    doubtful: list[Any] | None = None
    """[csv, column, values]: boxes whose geometry the labellers doubt: scored as they are, and once without."""
    upright: bool = False
    """All boxes are upright ones round turned vessels: doubtful geometry, all of it."""


@dataclass(frozen=True, slots=True)
class LabelledScene:
    """One picture with its labels, px of the picture."""

    source: Source
    image: Path
    split: str
    group: str
    width: int
    height: int
    corners: Floats
    """Labelled vessels, shape (n, 4, 2)."""
    kinds: tuple[int, ...]
    """Class of each, values of edge.detections.Kind."""
    ignored: tuple[Floats, ...]
    """Polygons (k, 2) that are neither vessel nor background."""
    doubtful: tuple[bool, ...] = ()
    """Whether the geometry of each vessel is doubtful; empty where no one says."""
    ships: tuple[str, ...] = ()
    """Name of each vessel: the same in every picture of that ship where the labellers knew it again."""

    @property
    def key(self) -> str:
        """Name that is unique over all sets."""
        return f"{self.source.name}__{self.image.stem}"


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture's pixels (h, w, 3), BGR as OpenCV has them.

    Raises:
        InputError: it cannot be read.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise InputError(path, "is not a picture that can be read", "mend or remove it")
    return np.asarray(pixels, np.uint8)


def load_sources(listing: Path, data: Path) -> list[Source]:
    """Read a list of sets (JSON, one object a set; folders are relative to `data`).

    Raises:
        InputError: a set's folder is not there.
    """
    sources = []
    for entry in json.loads(listing.read_text()):
        folder = data / entry.pop("folder", entry["name"])
        if not folder.is_dir():
            raise InputError(folder, "the labelled set is not there", f"get it, or take it out of {listing}")
        sources.append(Source(folder=folder, **entry))
    return sources


def gather_sources(
    data: Path | None, listing: Path, folders: Sequence[Path], val_share: float, gsd_m: float | None
) -> list[Source]:
    """The sets of `listing` under `data`, and folders of a user's own (`images/`, `labels/`, perhaps `split.csv`).

    Raises:
        UsageError: neither is given.
        InputError: a folder is not there.
    """
    if not data and not folders:
        raise UsageError("--data/--folder", "neither says where the imagery is", "give one of them")
    sources = load_sources(listing, data) if data else []
    for folder in folders:
        if not (folder / "images").is_dir():
            raise InputError(folder, "has no folder `images`", "put the pictures into images/, the labels into labels/")
        # Who brings a split.csv says there what is for what.
        split, calib = ("split.csv", 0.0) if (folder / "split.csv").exists() else (f"hash:{val_share}", CALIB_SHARE)
        note = folder / LICENCE_NOTE
        licence = note.read_text(encoding="utf-8").strip() if note.exists() else "your own"
        sources.append(Source(folder.name, folder, split=split, gsd_m=gsd_m, licence=licence, calib=calib))
    return sources


def read_scenes(source: Source) -> list[LabelledScene]:
    """All pictures of a set, in the order of their names."""
    splits = _splits(source)
    hidden, doubtful, not_one = _ignored(source), _doubtful(source), _dropped(source)
    known = _ships(source)
    scenes = []
    for image in sorted(p for p in (source.folder / source.images).iterdir() if p.suffix.lower() in SUFFIXES):
        height, width = read_picture(image).shape[:2]
        rows = _labels(source, image)
        split, group = splits(image)
        group = next((f"{source.name}:{some[0]}" for some in source.together if image.stem in some), group)
        # By the number alone: sets whose groups are numbered together must put them on the same side.
        if split == "train" and _unit_hash("calib " + group.partition(":")[2]) < source.calib:
            split = "calib"
        size = np.array([width, height], np.float64)
        corners = np.array([r[1:] for r in rows], np.float64).reshape(-1, 4, 2) * size
        kinds = [int(r[0]) for r in rows]
        polygons = [p if absolute else p * size for p, absolute in hidden.get(image.stem, [])]
        dropped = not_one.get(image.name, set())
        keep = [i for i in range(len(kinds)) if i not in dropped]
        polygons += [corners[i] for i in dropped if i < len(kinds)]
        told = tuple(kinds[i] for i in keep)
        unsure = range(len(kinds)) if source.upright else doubtful.get(image.name, ())
        doubts = tuple(i in unsure for i in keep) if source.doubtful or source.upright else ()
        ships = tuple(known.get((image.name, i), f"{source.name}:{image.stem}#{i}") for i in keep)
        scenes.append(
            LabelledScene(
                source, image, split, group, width, height, corners[keep], told, tuple(polygons), doubts, ships
            )
        )
    return scenes


def _labels(source: Source, image: Path) -> list[list[float]]:
    """Rows `class x1 y1 ... x4 y4` of a picture's label file; none where it has no file."""
    if source.labels is None:
        return []
    path = source.folder / source.labels / f"{image.stem}.txt"
    rows = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip():
            continue
        try:
            values = [float(v) for v in line.split()]
        except ValueError:
            values = []
        if len(values) != 9 or int(values[0]) not in (0, 1, 2):  # noqa: PLR2004 - a class and four corners
            line_name = f"{path}:{number}"
            raise InputError(line_name, "is not `class x1 y1 x2 y2 x3 y3 x4 y4` with class 0, 1 or 2", "mend the line")
        rows.append(values)
    return rows


def _splits(source: Source) -> Any:
    """A function picture -> (split, group)."""
    table = source.folder / "split.csv"
    if source.split == "split.csv":
        with table.open() as lines:
            rows = {r["image"]: (r["split"], r.get("group") or r["image"]) for r in csv.DictReader(lines)}
        prefix = source.groups or source.name
        return lambda image: (rows[image.name][0], f"{prefix}:{rows[image.name][1]}")
    if source.split.startswith("hash:"):
        share = float(source.split.removeprefix("hash:"))
        return lambda image: ("val" if _unit_hash(image.stem) < share else "train", f"{source.name}:{image.stem}")
    default, _, names = source.split.partition("!")
    held = set(names.split(",")) if names else set()
    return lambda image: ("val" if image.stem in held else default, f"{source.name}:{image.stem}")


def _unit_hash(name: str) -> float:
    """A number in 0 .. 1 that depends on the name alone, so that a picture never changes sides."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def _ignored(source: Source) -> dict[str, list[tuple[Floats, bool]]]:
    """Polygons to hide, by picture stem; the flag says that they are in px already."""
    out: dict[str, list[tuple[Floats, bool]]] = {}
    if "truth" in source.ignore:
        for path in sorted((source.folder / source.ignore["truth"]).glob("*.json")):
            truth = json.loads(path.read_text())
            stem = Path(truth["file"]).stem
            out.setdefault(stem, []).extend((np.array(p, np.float64).reshape(-1, 2), True) for p in truth["ignore"])
    if "candidates" in source.ignore:
        with (source.folder / source.ignore["candidates"]).open() as lines:
            for row in csv.DictReader(lines):
                quad = np.array([[float(row[f"x{i}"]), float(row[f"y{i}"])] for i in range(1, 5)])
                out.setdefault(Path(row["image"]).stem, []).append((quad, False))
    return out


def _rows_where(table: Path, column: str, values: list[str], number: str) -> dict[str, set[int]]:
    """Numbers of the label rows whose `column` has one of the values, by picture."""
    out: dict[str, set[int]] = {}
    with table.open() as lines:
        for row in csv.DictReader(lines):
            if row[column] in values:
                out.setdefault(row["image"], set()).add(int(row[number]))
    return out


def _doubtful(source: Source) -> dict[str, set[int]]:
    """Rows of doubtful geometry, by picture."""
    if not source.doubtful:
        return {}
    table, column, values = source.doubtful
    return _rows_where(source.folder / table, column, values, "index")


def _ships(source: Source) -> dict[tuple[str, int], str]:
    """Names of the ships that were known again, by picture and row of its label file."""
    if not source.ships:
        return {}
    with (source.folder / source.ships).open() as lines:
        rows = [r for r in csv.DictReader(lines) if r["set"] == source.name]
    return {(r["image"], int(r["index"])): r["ship"].split()[0] for r in rows}


def _dropped(source: Source) -> dict[str, set[int]]:
    """Rows that stand for something else than one vessel, by picture."""
    if "classes" not in source.ignore:
        return {}
    table, values = source.ignore["classes"]
    return _rows_where(source.folder / table, "original class", values, "object")
