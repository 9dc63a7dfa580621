"""What the server counts of itself, for /metrics: a registry of its own, as several servers may be in one process."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import ClientDisconnect

from edge.errors import TankerEdgeError
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from edge.server.core import Core

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SCENE_S = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600, 10_000)
KINDS = ("tanker", "other", "unknown")
OUTCOMES = ("scored", "skipped", "failed")
SPACE = "tanker_edge"
_without_creation: Callable[[], None] = disable_created_metrics
_without_creation()  # a second series for each, of when it began


class Metrics:
    """Counters; safe to use from several threads."""

    def __init__(self) -> None:
        """All counts begin at 0."""
        self.registry = CollectorRegistry()
        self.listeners: list[Callable[[Mapping[str, Any], str], None]] = []
        """Are told of each scene that was counted, as `counted` is."""
        self._requests = self._counter("requests", "Requests that were answered", "route", "method", "status")
        self._seconds = self._histogram("request_seconds", "From its head to its answer's end", REQUEST_S, "route")
        self._stages = self._histogram(
            "scene_seconds",
            "Of a scene by stage; read, infer and look are sums over the workers",
            SCENE_S,
            "way",
            "stage",
        )
        self._tiles = self._counter("tiles", "Tiles of counted scenes by what became of them", "outcome")
        self._vessels = self._counter("vessels", "Vessels that were counted", "kind")
        self._failures = self._counter("failures", "Scenes that were not counted", "way", "reason")
        self._partial = self._counter("scenes_not_wholly_seen", "Counted scenes with a coverage below 1", "way")
        for outcome in OUTCOMES:
            self._tiles.labels(outcome)
        for kind in KINDS:
            self._vessels.labels(kind)
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(name, told, labels, namespace=SPACE, registry=self.registry)

    def _histogram(self, name: str, told: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, told, labels, namespace=SPACE, registry=self.registry, buckets=buckets)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered.

        Args:
            route: the route's template; never a path, of which clients can make any number.
            method: as the client sent it.
            status: of the answer.
            seconds: from its head to the answer's end.
        """
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def counted(self, document: Mapping[str, Any], way: str) -> None:
        """A scene was counted: its document, and by which way it came (count, job, infer)."""
        for stage, seconds in document["seconds"].items():
            self._stages.labels(way, stage).observe(seconds)
        for outcome in OUTCOMES:
            self._tiles.labels(outcome).inc(document["tiles"][outcome])
        for kind in KINDS:
            self._vessels.labels(kind).inc(document["counts"][kind])
        if document["coverage"] < 1:
            self._partial.labels(way).inc()
        for listener in self.listeners:
            listener(document, way)

    def failed(self, error: BaseException, way: str) -> None:
        """A scene was not counted."""
        self._failures.labels(way, reason(error)).inc()

    def watch(self, core: Core) -> None:
        """From now on show, too, what the core has in hand."""
        self.registry.register(_InHand(core))

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


def reason(error: BaseException) -> str:
    """Why a scene was not counted, in one of a few words."""
    if isinstance(error, HttpError):
        return f"http_{error.status}"
    if isinstance(error, ClientDisconnect):
        return "client_left"
    if isinstance(error, TankerEdgeError):
        return type(error).__name__.removesuffix("Error").lower()
    return "internal"


class _InHand(Collector):
    """What is not counted but looked at, each time that somebody asks."""

    def __init__(self, core: Core) -> None:
        self._core, self._begun = core, time.monotonic()

    def collect(self) -> Iterable[Metric]:
        """The present values."""
        core, life = self._core, self._core.life
        now = core.served.now
        yield _gauge("uptime_seconds", "Since the start", time.monotonic() - self._begun)
        yield _gauge("ready", "1 while the server takes work", int(life.ready))
        yield _gauge("requests_in_flight", "Requests that are being answered", life.requests)
        yield _gauge("event_streams", "Clients that listen for events", life.streams)
        yield _gauge("scenes_in_flight", "Scenes of requests that are being counted", core.admission.requests)
        yield _gauge("pixels_in_flight", "Their pixels", core.admission.px)
        waiting = GaugeMetricFamily(f"{SPACE}_waiting_tiles", "Tiles that no worker has begun", labels=["pool"])
        waiting.add_metric(["request"], core.urgent.waiting)
        waiting.add_metric(["job"], core.patient.waiting)
        yield waiting
        jobs = GaugeMetricFamily(f"{SPACE}_jobs", "Jobs that are kept, by state", labels=["state"])
        for state, number in core.jobs.store.numbers().items():
            jobs.add_metric([state], number)
        yield jobs
        card, detector = now.detector.card, now.detector
        facts = {
            "name": card.name,
            "version": card.version,
            "sha256": card.sha256,
            "provider": detector.provider,
            "precision": detector.precision,
        }
        info = GaugeMetricFamily(f"{SPACE}_model_info", "The model that is served", labels=list(facts))
        info.add_metric([str(fact) for fact in facts.values()], 1)
        yield info
        since = datetime.fromisoformat(now.since).timestamp()
        yield _gauge("model_loaded_timestamp_seconds", "When that was, since 1970", since)
        swaps = CounterMetricFamily(f"{SPACE}_model_swaps", "Reloads of the model", labels=["outcome"])
        swaps.add_metric(["swapped"], core.served.swaps)
        swaps.add_metric(["refused"], core.served.refused)
        yield swaps


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{SPACE}_{name}", told, value)
