"""What a model says of itself, read from the `card.json` beside it and checked against the files."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.calibration import KindScale, Spread, VesselScale
from edge.errors import ModelError

CARD, GOLDEN, FINDER, TELLER = "card.json", "golden.json", "model.onnx", "kind.onnx"
PRECISIONS = ("bf16", "int8", "fp16")
"""What a network may compute in besides fp32."""
HEADS = ("raw", "end2end", "distances")
"""What comes out of the finder: boxes that need suppression, boxes that do not, or what boxes are made of (they need
suppression too); see edge.decode."""


@dataclass(frozen=True, slots=True)
class KindCard:
    """The classifier that tells a tanker from another vessel on an aligned crop."""

    chip_px: tuple[int, int]
    """Width (along the vessel) and height of a crop, px."""
    length_share: float
    """Share of the crop's width that the vessel fills."""
    tanker_above: float
    """Belief from which a vessel is called a tanker, 0 to 1."""
    other_below: float
    """Belief up to which it is called other; between the two its kind is unknown."""
    min_length_px: float
    """Vessels shorter than this, px of the scene, keep the kind unknown."""
    scale: KindScale = field(default_factory=KindScale)
    """Log-odds -> belief."""

    @property
    def holds(self) -> bool:
        """Whether no belief means both kinds."""
        return self.other_below <= self.tanker_above


@dataclass(frozen=True, slots=True)
class SizeError:
    """How far a length or a beam may be off: sqrt(px² + (share * size)²), px of the working frame."""

    px: float
    """Error that every box has, px."""
    share: float
    """Error that grows with the vessel, share of its size."""


@dataclass(frozen=True, slots=True)
class ErrorsCard:
    """Half-widths that held `level` of the errors of measurement on labelled vessels; `edge.sizes` applies them."""

    length: SizeError
    beam: SizeError
    heading_px: float
    """How far the ends of the long axis may be off sideways: atan(heading_px / length) of heading."""
    heading_floor_deg: float
    """Error of heading that the longest vessel has too, degrees."""
    level: float
    """Share of the errors that are within the bounds, 0 to 1."""


@dataclass(frozen=True, slots=True)
class PrecisionCard:
    """What `training.quantize` found of the model computed in less than fp32."""

    file: str
    """The network to open: the fp32 one where the runtime itself rounds, or one that was made for it."""
    providers: tuple[str, ...]
    """Where it may run."""
    accepted: bool
    """Whether it counts as well as fp32 does, within the bounds of the gate."""
    verdict: str
    """What the gate measured, for people."""
    vessel: VesselScale | None = None
    """How its scores are made; None for the way of fp32."""


@dataclass(frozen=True, slots=True)
class CoarseCard:
    """What `training.quantize` found of finding coarsely first, see edge.coarse."""

    gsd_m: float
    """Coarsest GSD to find at, m/px."""
    score: float
    """Score from which a candidate there is looked at close up, 0 to 1."""
    sure_px: float
    """Vessels of fewer px at the coarse scale may be missed there: it serves who counts longer ones."""
    precisions: tuple[str, ...]
    """In which it counts as well as looking everywhere in fp32, within the bounds of the gate."""
    verdict: str
    """What the gate measured, for people."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The part of a card that the runtime acts on; `raw` holds all of it."""

    name: str
    version: str
    folder: Path
    sha256: str
    """Of model.onnx, hexadecimal."""
    tile_px: int
    """Side of the tiles that the model is run on, px."""
    multiple_px: int
    """Sides of a batch must be multiples of this, px."""
    gsd_m: tuple[float, float]
    """Range of ground sample distances to resample a scene to, m/px."""
    length_px: tuple[float, float]
    """Shortest and longest vessel that training showed it, px of the working frame."""
    score_threshold: float
    """Vessels of at least this score are counted, 0 to 1."""
    score_floor: float
    """Vessels below this score are not even kept, 0 to 1."""
    near: float
    """A score within this of the threshold is marked as near it."""
    nms_iou: float | None
    """Rotated IoU above which two boxes are one vessel; None for a network that needs no suppression."""
    kind: KindCard | None
    """The classifier of kinds; None where every vessel's kind is unknown."""
    raw: dict[str, Any] = field(repr=False, hash=False, compare=False)
    vessel: VesselScale | None = None
    """How finder and second look make a score; None where the finder's score stands."""
    spread: Spread = field(default_factory=Spread)
    """What makes a count uncertain beyond the scores."""
    errors: ErrorsCard | None = None
    """How far measured sizes and headings may be off; None where nobody measured it."""
    head: str = "raw"
    """What comes out of the finder, one of HEADS."""
    precisions: dict[str, PrecisionCard] = field(default_factory=dict)
    """Other precisions than fp32 that were tried, by name."""
    coarse: CoarseCard | None = None
    """How to find coarsely first; None where that was not tried."""
    tile_most_px: int = 0
    """Side that tiles may have where larger ones fit a scene with less overlap, px; at least `tile_px`."""

    @property
    def finder_path(self) -> Path:
        """The network that finds vessels."""
        return self.folder / FINDER

    @property
    def kind_path(self) -> Path:
        """The network that tells kinds."""
        return self.folder / TELLER

    @property
    def golden_path(self) -> Path:
        """Scenes with the answers that this model must give."""
        return self.folder / GOLDEN


class _Fields:
    """Reads a card's fields; a wrong one is an error that names it."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path, self._content = path, content

    def get(self, name: str, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401 - of the type that was asked for
        """The value at a dotted name.

        Raises:
            ModelError: there is none, or it is of another type.
        """
        value: Any = self._content
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                raise ModelError(self._path, f"the card has no field `{name}`", "get the model folder again")
            value = value[part]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not object):
            raise ModelError(self._path, f"the card's field `{name}` has a wrong type", "get the model folder again")
        return value

    def share(self, name: str) -> float:
        """A number in 0 .. 1."""
        value = self.get(name, (int, float))
        if not 0 <= value <= 1:
            raise ModelError(self._path, f"the card's field `{name}` is {value}, not in 0 .. 1", "mend the card")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.get(name, object)
        if value is not True and value is not False:
            raise ModelError(self._path, f"the card's field `{name}` is neither true nor false", "mend the card")
        return value is True

    def length(self, name: str) -> float:
        """A finite number of px, 0 or more."""
        value = self.get(name, (int, float))
        if not 0 <= value <= sys.float_info.max:
            raise ModelError(self._path, f"the card's field `{name}` is {value}, no length in px", "mend the card")
        return float(value)

    def degrees(self, name: str) -> float:
        """An error of heading, 0 .. 90 degrees: a bow is not told from a stern, so none is larger."""
        value = self.get(name, (int, float))
        if not 0 <= value <= 90:  # noqa: PLR2004
            raise ModelError(self._path, f"the card's field `{name}` is {value}, not in 0 .. 90", "mend the card")
        return float(value)

    def words(self, name: str) -> tuple[str, ...]:
        """A list of words."""
        value = self.get(name, list)
        if not all(isinstance(word, str) for word in value):
            raise ModelError(self._path, f"the card's field `{name}` is no list of words", "mend the card")
        return tuple(value)

    def file_name(self, name: str) -> str:
        """The name of a file in the model's own folder."""
        value = str(self.get(name, str))
        if not value or Path(value).name != value:
            cause = f"the card's field `{name}` is {value!r}, not the name of a file beside it"
            raise ModelError(self._path, cause, "mend the card")
        return value

    def head(self, name: str) -> str:
        """One of `HEADS`."""
        value = str(self.get(name, str))
        if value not in HEADS:
            cause = f"the card's field `{name}` is {value!r}, not one of {', '.join(HEADS)}"
            raise ModelError(self._path, cause, "export it anew with `python -m training.export`")
        return value

    def pair(self, name: str) -> tuple[float, float]:
        """Two positive numbers, low before high."""
        low, high = self._two(name)
        if not 0 < low <= high:
            raise ModelError(self._path, f"the card's field `{name}` is not [low, high]", "mend the card")
        return low, high

    def number(self, name: str) -> float:
        """A finite number."""
        value = self.get(name, (int, float))
        if not abs(value) <= sys.float_info.max:
            raise ModelError(self._path, f"the card's field `{name}` is {value}, no finite number", "mend the card")
        return float(value)

    def steps(self, name: str) -> tuple[tuple[float, float], ...]:
        """Pairs (from, value) of numbers of 0 or more, `from` rising."""
        pairs = self.get(name, list)
        sound = all(isinstance(p, list) and len(p) == 2 and all(type(v) in (int, float) for v in p) for p in pairs)  # noqa: PLR2004
        starts = [p[0] for p in pairs] if sound else []
        if (
            not sound
            or starts != sorted(set(starts))
            or not all(0 <= v <= sys.float_info.max for p in pairs for v in p)
        ):
            raise ModelError(self._path, f"the card's field `{name}` is not [[from, value], ...]", "mend the card")
        return tuple((float(start), float(value)) for start, value in pairs)

    def size(self, name: str) -> tuple[int, int]:
        """Width and height, px."""
        width, height = self._two(name)
        if width < 1 or height < 1 or width % 1 or height % 1:
            raise ModelError(self._path, f"the card's field `{name}` is not [width, height]", "mend the card")
        return int(width), int(height)

    def _two(self, name: str) -> tuple[float, float]:
        """Two finite numbers."""
        value = self.get(name, list)
        # JSON's whole numbers have no bound: they are compared as they are, before one becomes a float.
        finite = [type(v) in (int, float) and abs(v) <= sys.float_info.max for v in value]
        if finite != [True, True]:
            raise ModelError(self._path, f"the card's field `{name}` is not two numbers", "mend the card")
        return float(value[0]), float(value[1])

    def pixels(self, name: str) -> int:
        """A whole number of px, above 0."""
        value = self.get(name, int)
        if value < 1:
            raise ModelError(self._path, f"the card's field `{name}` is {value}, not above 0", "mend the card")
        return int(value)


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the model folder."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(path, "the file is not there", "name a model folder, see `tanker-edge models list`") from None
    except (OSError, ValueError, RecursionError) as error:  # not UTF-8, not JSON, a number of 5000 digits, ...
        raise ModelError(path, f"cannot be read as JSON ({error})", "get the model folder again") from None
    if not isinstance(content, dict):
        raise ModelError(path, "is not a JSON object", "get the model folder again")
    return content


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        ModelError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error.strerror})", "get the model folder again") from None
    return digest.hexdigest()


def verify_file(folder: Path, name: str, expected: str) -> None:
    """Refuse a file that is not the one that the card speaks of.

    Raises:
        ModelError: the hashes differ.
    """
    found = file_sha256(folder / name)
    if found != expected:
        raise ModelError(
            folder / name,
            f"is not the file of its card (sha256 {found[:12]}..., the card says {expected[:12]}...)",
            "get the model folder again, or export it anew with `python -m training.export`",
        )


def _kind_card(fields: _Fields, content: dict[str, Any]) -> KindCard | None:
    if content.get("kind") is None:
        return None
    return KindCard(
        chip_px=fields.size("kind.chip_px"),
        length_share=fields.share("kind.length_share"),
        tanker_above=fields.share("kind.tanker_above"),
        other_below=fields.share("kind.other_below"),
        min_length_px=fields.length("kind.min_length_px"),
        scale=KindScale(fields.number("kind.slope"), fields.number("kind.offset")),
    )


def _vessel_scale(fields: _Fields, content: dict[str, Any], at: str = "") -> VesselScale | None:
    if content.get("score") is None:
        return None
    return VesselScale(*(fields.number(f"{at}score.{name}") for name in ("finder", "look", "log_length", "offset")))


def _spread(fields: _Fields, content: dict[str, Any]) -> Spread:
    if content.get("count") is None:
        return Spread()
    return Spread(fields.length("count.scene"), fields.steps("count.misses"))


def _errors_card(fields: _Fields, content: dict[str, Any]) -> ErrorsCard | None:
    if content.get("errors") is None:
        return None
    length, beam = (
        SizeError(px=fields.length(f"errors.{name}.px"), share=fields.share(f"errors.{name}.share"))
        for name in ("length", "beam")
    )
    return ErrorsCard(
        length=length,
        beam=beam,
        heading_px=fields.length("errors.heading_deg.px"),
        heading_floor_deg=fields.degrees("errors.heading_deg.floor"),
        level=fields.share("errors.level"),
    )


def _precisions(fields: _Fields, content: dict[str, Any]) -> dict[str, PrecisionCard]:
    if content.get("precisions") is None:
        return {}
    names = fields.get("precisions", dict)
    return {name: _precision_card(fields, name) for name in PRECISIONS if name in names}


def _precision_card(fields: _Fields, name: str) -> PrecisionCard:
    at = f"precisions.{name}"
    content = fields.get(at, dict)
    return PrecisionCard(
        file=fields.file_name(f"{at}.file"),
        providers=fields.words(f"{at}.providers"),
        accepted=fields.flag(f"{at}.accepted"),
        verdict=fields.get(f"{at}.verdict", str),
        vessel=_vessel_scale(fields, content, f"{at}."),
    )


def _coarse_card(fields: _Fields, content: dict[str, Any]) -> CoarseCard | None:
    if content.get("coarse") is None:
        return None
    return CoarseCard(
        gsd_m=fields.length("coarse.gsd_m"),
        score=fields.share("coarse.score"),
        sure_px=fields.length("coarse.sure_px"),
        precisions=fields.words("coarse.precisions"),
        verdict=fields.get("coarse.verdict", str),
    )


def _check_together(path: Path, card: ModelCard) -> None:
    """Refuse fields that are right by themselves, and contradict each other."""
    checks = (
        ("input.tile_px", "a multiple of `input.multiple_px`", card.tile_px % card.multiple_px == 0),
        ("input.tile_most_px", "at least `input.tile_px`", card.tile_most_px >= card.tile_px),
        ("thresholds.floor", "at most `thresholds.score`", card.score_floor <= card.score_threshold),
        ("input.multiple_px", "a divisor of 64, as `coarse` needs", not card.coarse or 64 % card.multiple_px == 0),
        ("coarse.sure_px", "above 0", not card.coarse or card.coarse.sure_px > 0),
        ("kind.length_share", "above 0", not card.kind or card.kind.length_share > 0),
        ("errors.level", "above 0", not card.errors or card.errors.level > 0),
        ("kind.other_below", "at most `kind.tanker_above`", not card.kind or card.kind.holds),
    )
    for name, wanted, right in checks:
        if not right:
            raise ModelError(path, f"the card's field `{name}` is not {wanted}", "mend the card")


def load_card(folder: Path) -> ModelCard:
    """Read `folder/card.json` and check the files that it names.

    Raises:
        ModelError: a file or a field is missing or wrong, or a hash is not the card's.
    """
    path = folder / CARD
    content = _read_json(path)
    fields = _Fields(path, content)
    hashes = {name: str(value) for name, value in fields.get("files", dict).items()}
    card = ModelCard(
        name=fields.get("name", str),
        version=fields.get("version", str),
        folder=folder,
        sha256=hashes.get(FINDER, ""),
        tile_px=fields.pixels("input.tile_px"),
        multiple_px=fields.pixels("input.multiple_px"),
        gsd_m=fields.pair("range.gsd_m"),
        length_px=fields.pair("range.length_px"),
        score_threshold=fields.share("thresholds.score"),
        score_floor=fields.share("thresholds.floor"),
        near=fields.share("thresholds.near"),
        nms_iou=None if fields.head("head") == "end2end" else fields.share("thresholds.nms_iou"),
        kind=_kind_card(fields, content),
        raw=content,
        vessel=_vessel_scale(fields, content),
        spread=_spread(fields, content),
        errors=_errors_card(fields, content),
        head=fields.head("head"),
        precisions=_precisions(fields, content),
        coarse=_coarse_card(fields, content),
        tile_most_px=fields.pixels(
            "input.tile_most_px" if "tile_most_px" in content.get("input", {}) else "input.tile_px"
        ),
    )
    _check_together(path, card)
    made = [p.file for p in card.precisions.values() if p.accepted]
    for name in dict.fromkeys((FINDER, *([TELLER] if card.kind else []), *made)):
        verify_file(folder, name, hashes.get(name, "nothing"))
    return card
