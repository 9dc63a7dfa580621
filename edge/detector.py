"""A loaded model: tiles in, Detections out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.decode import COLUMNS, anchors_of, decode, from_distances
from edge.errors import ModelError
from edge.kinds import KindTeller
from edge.model_card import ModelCard, load_card
from edge.session import Session, open_session

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.detections import Detections

FULL = "fp32"
"""The precision that a model was trained and judged in."""


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

    @property
    def precision(self) -> str:
        """What the finder computes in."""
        return self.finder.precision

    def find(self, batch: NDArray[np.uint8], floor: float | None = None) -> list[Detections]:
        """Tiles (n, h, w, 3) uint8 RGB -> each tile's vessels of at least a score, px of the tile.

        Args:
            batch: the tiles.
            floor: least score, 0 to 1; None for the card's.

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
        self._check_anchors(output.shape[1], (batch.shape[1], batch.shape[2]))
        floor, size = self.card.score_floor if floor is None else floor, (batch.shape[1], batch.shape[2])
        rows = (from_distances(o, floor, size) if self.card.head == "distances" else o for o in output)
        return [decode(r, floor, self.card.nms_iou) for r in rows]

    def _check_anchors(self, number: int, size: tuple[int, int]) -> None:
        if self.card.head == "distances" and number % sum(anchors_of(size)):
            raise ModelError(
                self.card.finder_path,
                f"its network has {number} anchors on {size[0]} x {size[1]} px, no multiple of {sum(anchors_of(size))}",
                "export it anew with `python -m training.export`",
            )


def load_detector(
    folder: Path, provider: str = "cpu", precision: str = FULL, streams: int = 0, *, gated: bool = True
) -> Detector:
    """Load a model folder, after checking its files against its card.

    Args:
        folder: the model folder.
        provider: one of `edge.session.PROVIDERS`.
        precision: fp32, or one that the card's gate let through.
        streams: how many threads will use it side by side; 0 for one a core.
        gated: False opens a precision that is not through the gate, as the gate itself must.

    Raises:
        ModelError: the folder is not a whole, untouched model, or the precision did not pass its gate.
        ProviderError: the provider is not there, or does not compute like that.
    """
    return open_detector(load_card(folder), provider, precision, streams, gated=gated)


def open_detector(
    card: ModelCard, provider: str = "cpu", precision: str = FULL, streams: int = 0, *, gated: bool = True
) -> Detector:
    """Load the networks of a model whose card is read, and whose files are checked; see `load_detector`.

    Raises:
        ModelError: a file is no network, or the precision did not pass its gate.
        ProviderError: the provider is not there, or does not compute like that.
    """
    path = finder_file(card, provider, precision, gated=gated)
    finder = open_session(path, provider, precision, streams)
    if card.kind is None:
        return Detector(card, finder, None)
    # The second look always computes in full: it is little work, and decides what is near the threshold.
    told = card.precisions.get(precision)
    scale = told.vessel if told and told.vessel else card.vessel
    teller = KindTeller(open_session(card.kind_path, provider, FULL, streams), card.kind, scale)
    return Detector(card, finder, teller)


def finder_file(card: ModelCard, provider: str, precision: str, *, gated: bool = True) -> Path:
    """The network to open for a precision.

    Raises:
        ModelError: the card does not know the precision on this provider, or its gate refused it.
    """
    if precision == FULL:
        return card.finder_path
    told = card.precisions.get(precision)
    mend = "use --precision fp32, or make it with `python -m training.quantize`"
    if told is None or provider not in told.providers:
        known = [name for name, p in card.precisions.items() if provider in p.providers]
        cause = f"{precision} on {provider} was never measured against fp32 (known there: {', '.join([FULL, *known])})"
        raise ModelError(card.name, cause, mend)
    if gated and not told.accepted:
        raise ModelError(card.name, f"{precision} was refused: {told.verdict}", mend)
    return card.folder / told.file
