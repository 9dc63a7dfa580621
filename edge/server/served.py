"""The model that is being served, and how another takes its place while requests go on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edge.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.detector import Detector


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, ready."""

    detector: Detector
    since: str
    """When it was loaded, ISO 8601, UTC."""


class Served:
    """Holds one loaded model. Work that has begun with a model ends with it."""

    def __init__(self, load: Callable[[], Detector], verify: Callable[[Detector], list[str]]) -> None:
        """Load the first model.

        Args:
            load: loads the model as it is on disk now; its files are checked against its card.
            verify: what is wrong with the answers of one that is to take the place of another.

        Raises:
            ModelError: the model is not whole.
            ProviderError: it does not run.
        """
        self._load, self._verify = load, verify
        self._swapping = threading.Lock()
        self.swaps = 0
        """How often another model took its place."""
        self.refused = 0
        """How often a model that was to take its place was not let in."""
        self._now = _loaded(load())

    @property
    def now(self) -> Loaded:
        """The model to use for work that begins now."""
        return self._now

    @property
    def detector(self) -> Detector:
        """Of `now`."""
        return self._now.detector

    def swap(self) -> Loaded:
        """Load the model again and use it from now on, if it gives its golden answers.

        Raises:
            ModelError: the model is not whole, or answers wrongly; the old one goes on.
            ProviderError: it does not run; the old one goes on.
        """
        with self._swapping:
            try:
                self._now = self._verified()
            except BaseException:
                self.refused += 1
                raise
            self.swaps += 1
            return self._now

    def _verified(self) -> Loaded:
        """The model on disk, after its golden answers."""
        detector = self._load()
        wrong = self._verify(detector)
        if wrong:
            cause = f"does not give its golden answers: {wrong[0]}"
            raise ModelError(detector.card.name, cause, "get the model folder again; see `tanker-edge models verify`")
        return _loaded(detector)


def _loaded(detector: Detector) -> Loaded:
    return Loaded(detector, datetime.now(timezone.utc).isoformat(timespec="seconds"))
