"""Single vessels, and what was taken for one, as small pictures of their own: what the second look learns from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.detections import Kind
from edge.geometry import Floats, from_corners, to_corners
from training.mine import CANDIDATES, NOTHING
from training.sources import read_picture
from training.steps import progress
from training.synth_chips import render_chip
from training.synth_paste import paste_hull

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MARGIN = 0.9
"""How much of its length is kept round a vessel, for the surroundings and the jitter of the box."""
MIN_LENGTH_PX = 6.0
"""Shorter boxes show nothing that could be learned."""
MAX_LENGTH_PX = 300.0
"""Longer vessels are kept reduced: a crop shows half as much."""
RENDERED, PASTED = "rendered", "pasted"
PASTE_FROM_PX = 40.0
"""Shorter hulls are not worth pasting."""
PASTE_ROOM = 1.4
"""Side of the water that a hull is pasted onto, in hulls."""
WATER_PX = 24
"""Least side of a patch of open water."""
SMOOTH = 14.0
"""Standard deviation of the Laplacian (8-bit grey levels) below which a patch passes for open water."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One box on a small picture: a vessel of a kind, or nothing."""

    pixels: NDArray[np.uint8]
    """Shape (h, w, 3), RGB."""
    box: Floats
    """Shape (5,), xywhr px of the picture."""
    kind: Kind | None
    """None where there is no vessel."""
    ship: str
    """The ship, or the place of an invention; ships are drawn with equal chances."""
    group: str
    """What must stay on one side of any split."""
    source: str

    @property
    def tanker(self) -> bool:
        """Whether it is one."""
        return self.kind is Kind.TANKER

    @property
    def told(self) -> bool:
        """Whether its kind is known."""
        return self.kind in (Kind.TANKER, Kind.OTHER)


def _index(dataset: Path, split: str) -> Iterator[dict[str, Any]]:
    for line in (dataset / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["split"] == split:
            yield row


def _rgb(path: Path) -> NDArray[np.uint8]:
    return np.ascontiguousarray(read_picture(path)[:, :, ::-1])


def _cut(pixels: NDArray[np.uint8], box: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """The part of a picture round a box (5,), and the box in it."""
    reach = int(box[2] * MARGIN) + 4
    x0, y0 = max(0, int(box[0]) - reach), max(0, int(box[1]) - reach)
    crop = pixels[y0 : int(box[1]) + reach, x0 : int(box[0]) + reach].copy()
    return reduced(crop, box - [x0, y0, 0, 0, 0], max(1.0, float(box[2]) / MAX_LENGTH_PX))


def reduced(pixels: NDArray[np.uint8], box: Floats, factor: float) -> tuple[NDArray[np.uint8], Floats]:
    """A picture (h, w, 3) and a box (5,) on it as a sensor of `factor` times coarser px would give them."""
    if factor <= 1:
        return pixels, box
    height, width = pixels.shape[:2]
    small = max(4, round(width / factor)), max(4, round(height / factor))
    out = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
    return out, np.array(box * np.array([small[0] / width, small[1] / height, 1 / factor, 1 / factor, 1.0]))


def _framed(pixels: NDArray[np.uint8], box: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """A picture that ends close to its vessel, mirrored outwards: a black rim would tell made crops from real ones."""
    rim = int(box[2] * MARGIN / 2)
    wider = cv2.copyMakeBorder(pixels, rim, rim, rim, rim, cv2.BORDER_REFLECT_101)
    return np.asarray(wider, np.uint8), np.array(box + np.array([rim, rim, 0, 0, 0]))


def labelled_vessels(dataset: Path, split: str) -> list[Example]:
    """All labelled vessels in the tiles of one split, those of unknown kind too; rendered tiles are left out."""
    examples = []
    for row in _index(dataset, split):
        if not row["vessels"] or row["source"] == RENDERED:
            continue
        pixels = _rgb(dataset / row["image"])
        for (kind, *corners), ship in zip(row["vessels"], row["ships"], strict=True):
            box = from_corners(np.array(corners).reshape(1, 4, 2))[0]
            if box[2] >= MIN_LENGTH_PX:
                examples.append(Example(*_cut(pixels, box), Kind(kind), ship, row["group"], row["source"]))
    return examples


def inventions(dataset: Path, split: str) -> list[Example]:
    """What training.mine found to be no vessel, in the tiles of one split."""
    rows = {Path(row["image"]).name: row for row in _index(dataset, split) if row["source"] != RENDERED}
    examples = []
    for line in (dataset / CANDIDATES).read_text().splitlines():
        mined = json.loads(line)
        row = rows.get(Path(mined["image"]).name)  # its folder is its side, which may have changed since
        wrong = [c["corners"] for c in mined["candidates"] if c["is"] == NOTHING] if row else []
        if not wrong or row is None:
            continue
        pixels = _rgb(dataset / row["image"])
        for i, box in enumerate(from_corners(np.array(wrong, np.float64).reshape(-1, 4, 2))):
            if box[2] >= MIN_LENGTH_PX:
                name = f"{row['image']}!{i}"
                examples.append(Example(*_cut(pixels, box), None, name, row["group"], row["source"]))
    return examples


def cut_outs(folder: Path, kinds: dict[str, Kind]) -> list[Example]:
    """Upright cut-outs of single ships, a sub-folder a class; `kinds` says what each class is."""
    examples = []
    for name, kind in kinds.items():
        for path in sorted((folder / name).glob("*.png")):
            pixels = _rgb(path)
            height, width = pixels.shape[:2]
            box = from_corners(np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64))[0]
            ship = f"{folder.name}:{name}/{path.stem}"
            examples.append(Example(*_framed(pixels, box), kind, ship, ship, folder.name))
    return examples


def rendered(number: int, seed: int) -> list[Example]:
    """Rendered vessels, half of them tankers."""
    rng = np.random.default_rng(seed)
    examples = []
    for i in progress(range(number), number, "rendering"):
        kind = Kind(i % 2)
        pixels, corners = render_chip(rng, kind)
        box = from_corners(np.asarray(corners)[None])[0]
        name = f"{RENDERED}-{i}"
        examples.append(Example(*_framed(np.asarray(pixels, np.uint8), box), kind, name, name, RENDERED))
    return examples


def pasted(real: Sequence[Example], number: int, seed: int) -> list[Example]:
    """Real hulls, half of them tankers, on the water of another picture; each stays an example of its own ship.

    The surroundings of a known ship then say nothing of its kind.
    """
    rng = np.random.default_rng([seed, 1])
    hulls = {k: [e for e in real if e.kind is k and e.box[2] >= PASTE_FROM_PX] for k in (Kind.TANKER, Kind.OTHER)}
    waters = [w for e in real if (w := _water(e)) is not None]
    if not waters or not all(hulls.values()):
        return []
    by_ship = {k: list(_by_ship(some).values()) for k, some in hulls.items()}
    examples = []
    for i in range(number):
        ships = by_ship[Kind(i % 2)]
        ship = ships[rng.integers(len(ships))]
        hull = ship[rng.integers(len(ship))]
        water = _wide(waters[rng.integers(len(waters))], int(PASTE_ROOM * hull.box[2]))
        picture, corners = paste_hull(rng, water, hull.pixels, hull.box)
        box = from_corners(np.asarray(corners)[None])[0]
        examples.append(Example(*_framed(picture, box), hull.kind, hull.ship, hull.group, PASTED))
    return examples


def _wide(water: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A patch of water, mirrored until it is at least `side` px wide and high."""
    height, width = water.shape[:2]
    down, across = max(0, side - height), max(0, side - width)
    return np.asarray(cv2.copyMakeBorder(water, 0, down, 0, across, cv2.BORDER_REFLECT_101), np.uint8)


def _by_ship(examples: Sequence[Example]) -> dict[str, list[Example]]:
    ships: dict[str, list[Example]] = {}
    for e in examples:
        ships.setdefault(e.ship, []).append(e)
    return ships


def _water(example: Example) -> NDArray[np.uint8] | None:
    """The largest corner of an example's picture that its vessel leaves free, if it is large and smooth: open water."""
    if example.kind is None:
        return None
    pixels, box = example.pixels, to_corners(example.box[None])[0]
    height, width = pixels.shape[:2]
    low, high = box.min(0).astype(int) - 4, box.max(0).astype(int) + 4
    strips = [pixels[: low[1]], pixels[high[1] :], pixels[:, : low[0]], pixels[:, high[0] :]]
    best = max((s for s in strips if s.size), key=lambda s: min(s.shape[:2]), default=None)
    if best is None or min(best.shape[:2]) < WATER_PX or min(height, width) < WATER_PX:
        return None
    return best.copy() if float(cv2.Laplacian(best, cv2.CV_32F).std()) < SMOOTH else None


def components(examples: list[Example]) -> dict[str, str]:
    """Group -> the least group that it hangs together with: groups that show one ship belong to one side."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for e in examples:
        one, other = sorted((root(f"ship {e.ship}"), root(e.group)))
        parent[other] = one
    return {e.group: root(e.group) for e in examples}
