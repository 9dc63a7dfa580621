"""GET /v1/models: what is served, as its card says."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from edge.detections import Kind
from edge.server.core import TheCore
from edge.server.problems import documented
from edge.server.served import Loaded

router = APIRouter(prefix="/v1", tags=["models"])


class ServedModel(BaseModel):
    """A model that is served."""

    name: str
    version: str
    sha256: str
    """Of the network that finds vessels, hexadecimal."""
    provider: str
    """What runs it: cpu, openvino, cuda or tensorrt."""
    precision: str
    """What it computes in: fp32, bf16, fp16 or int8."""
    loaded: str
    """When it was loaded, ISO 8601, UTC."""
    kinds: list[str]
    """Kinds of vessels that it tells; all others are unknown."""
    gsd_m: tuple[float, float]
    """Range of ground sample distances that scenes are resampled to, m/px."""
    length_px: tuple[float, float]
    """Shortest and longest vessel that training showed it, px at that distance."""
    tile_px: int
    """Side of its tiles, px."""
    score_threshold: float
    """Vessels of at least this score are counted, if a request says nothing else."""
    score_floor: float
    """The least score that a request may ask for."""
    licence: str | None
    notes: list[str]
    """What its makers warn of."""


class Models(BaseModel):
    """All models that are served."""

    models: list[ServedModel]


@router.get("/models", responses=documented())
async def models(core: TheCore) -> Models:
    """The model that is served, with its hash, how it runs, and what it is made for."""
    return Models(models=[_described(core.served.now)])


def _described(loaded: Loaded) -> ServedModel:
    detector = loaded.detector
    card = detector.card
    return ServedModel(
        name=card.name,
        version=card.version,
        sha256=card.sha256,
        provider=detector.provider,
        precision=detector.precision,
        loaded=loaded.since,
        kinds=[kind.label for kind in (Kind.TANKER, Kind.OTHER)] if detector.teller else [],
        gsd_m=card.gsd_m,
        length_px=card.length_px,
        tile_px=card.tile_px,
        score_threshold=card.score_threshold,
        score_floor=card.score_floor,
        licence=card.raw.get("licence"),
        notes=[str(note) for note in card.raw.get("notes") or []],
    )
