"""What a report tells of a run that its rows do not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Facts:
    """No clock and no host: the same run gives the same report, wherever and whenever it is written."""

    folder: str
    """Name of the run's folder, for the title."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the run was told, by option, as in {"--conf": "0.4"}."""
