"""What the server counts of itself, for /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Metrics:
    """Counters; safe to use from several threads."""

    def counted(self, document: Mapping[str, Any], way: str) -> None:
        """A scene was counted: its document, and by which way it came (count, job, infer)."""

    def failed(self, error: BaseException, way: str) -> None:
        """A scene was not counted."""
