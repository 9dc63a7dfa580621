"""How all scenes of a run are counted, and the hashes under which results are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import edge
from edge.pipeline import ScanOptions
from edge.scene import SceneOptions

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model_card import ModelCard

_NEVER_MATTER = ("threads", "batch", "scale")
"""Options of a scan that do not change its answer, or that a run cannot be given."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to count; the same for all scenes but for the GSD, which a scene may bring along."""

    scan: ScanOptions = field(default_factory=ScanOptions)
    reading: SceneOptions = field(default_factory=SceneOptions)
    area: Path | None = None
    """GeoJSON: only what is inside is counted."""

    def reading_of(self, gsd_m: float | None) -> SceneOptions:
        """How to read a scene that brings a GSD along, m/px; None where it does not. The run's own goes first."""
        return self.reading if self.reading.gsd_m is not None else replace(self.reading, gsd_m=gsd_m)

    def sha256(self) -> str:
        """Hash of all that may change an answer, the version of this program too."""
        scan = {name: value for name, value in asdict(self.scan).items() if name not in _NEVER_MATTER}
        area = hashlib.sha256(self.area.read_bytes()).hexdigest() if self.area else None
        told = {"scan": scan, "reading": asdict(self.reading), "area": area, "version": edge.__version__}
        return _hash(told)


def model_sha256(card: ModelCard, provider: str, precision: str) -> str:
    """Hash of a model and of how it runs: other providers and precisions round in other ways."""
    return _hash([card.name, card.version, card.sha256, provider, precision])


def result_key(content: str, run: str, gsd_m: float | None) -> str:
    """Under which the result of a scene is kept.

    Args:
        content: hash of its bytes.
        run: from `run_key`.
        gsd_m: m/px that the scene brings along.
    """
    return _hash([content, run, gsd_m])


def run_key(model: str, settings: Settings) -> str:
    """Hash of a model, from `model_sha256`, and of the settings: results of one key belong together."""
    return _hash([model, settings.sha256()])


def _hash(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
