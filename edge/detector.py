"""A loaded model: tiles in, Detections out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.decode import COLUMNS, decode
from edge.errors import ModelError
from edge.kinds import KindTeller
from edge.model_card import ModelCard, load_card
from edge.session import Session, open_session

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.detections import Detections


@dataclass(frozen=True, slots=True)
class Detector:
    """Card, finder and teller; safe to use from several threads."""

    card: ModelCard
    finder: Session
    teller: KindTeller | None

    @property
    def provider(self) -> str:
        """Name of the execution provider that runs the finder."""
        return self.finder.provider

    def find(self, batch: NDArray[np.uint8]) -> list[Detections]:
        """Tiles (n, h, w, 3) uint8 RGB -> each tile's vessels, px of the tile.

        Raises:
            ModelError: the network finds no boxes, though its hash is the card's.
            ProviderError: the network failed.
        """
        output = self.finder.run(batch)
        if output.ndim != 3 or output.shape[2] != COLUMNS:  # noqa: PLR2004 - tile, box, column
            raise ModelError(
                self.card.finder_path,
                f"its network answers with shape {output.shape}, not (tiles, boxes, {COLUMNS})",
                "export it anew with `python -m training.export`",
            )
        return [decode(rows, self.card.score_floor, self.card.nms_iou) for rows in output]


def load_detector(folder: Path, provider: str = "auto") -> Detector:
    """Load a model folder, after checking its files against its card.

    Raises:
        ModelError: the folder is not a whole, untouched model.
        ProviderError: the provider is not there.
    """
    card = load_card(folder)
    finder = open_session(card.finder_path, provider)
    teller = KindTeller(open_session(card.kind_path, finder.provider), card.kind, card.vessel) if card.kind else None
    return Detector(card, finder, teller)
