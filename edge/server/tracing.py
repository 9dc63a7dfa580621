"""Traces for OpenTelemetry, where the environment asks for them by any OTEL_ variable and the extra [otel] is there.

A span a request, and under it (or by itself, for a job) one a counted scene with the time of its stages. They go out by
OTLP over HTTP. Where nobody asks, nothing of it is imported here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from edge import __version__, logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI
    from opentelemetry.trace import Span, Tracer

    from edge.server.core import Core

LOG = logging.getLogger(__name__)
UNTRACED = "/v2/health,/metrics"
"""Paths that machines ask every few seconds."""
LAST_S = 3.0
"""For spans that have not gone out when the server ends."""
NANO = 1_000_000_000
SPOKEN = {"OTEL_TRACES_EXPORTER": ("", "otlp"), "OTEL_EXPORTER_OTLP_PROTOCOL": ("", "http/protobuf")}
"""Values of standard variables that are understood here; others are told."""


def wanted() -> bool:
    """Whether the environment asks for traces."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(name.startswith("OTEL_") for name in os.environ)


def trace(app: FastAPI, core: Core) -> Callable[[], None]:
    """Trace an application that has not started, if that is wanted and can be; what to call at the end."""
    if not wanted():
        return _nothing
    for name, understood in SPOKEN.items():
        if os.environ.get(name, "") not in understood:
            LOG.warning("tracing_is_off", extra={"fields": {"variable": name, "mend": f"set it to {understood[-1]}"}})
            return _nothing
    try:
        return _trace(app, core)
    except ImportError as error:
        mend = "pip install 'tanker-edge[otel]', or unset OTEL_*"
        LOG.warning("tracing_is_off", extra={"fields": {"missing": str(error), "mend": mend}})
        return _nothing


def _nothing() -> None:
    """There is nothing to end."""


def _trace(app: FastAPI, core: Core) -> Callable[[], None]:
    """Set up the way out, the requests' spans, and the scenes'."""
    # Imported here: they are an extra, and who does not trace shall not pay for them.
    from opentelemetry import trace as api  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "tanker-edge"}
    resource = Resource.create({**named, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    FastAPIInstrumentor.instrument_app(
        app,
        server_request_hook=_without_query,
        tracer_provider=provider,
        excluded_urls=UNTRACED,
        exclude_spans=["receive", "send"],
    )
    tracer = provider.get_tracer("tanker_edge", __version__)
    core.metrics.listeners.append(lambda document, way: _scene(tracer, document, way))

    def present() -> dict[str, str]:
        """The trace that a line of the log belongs to."""
        now = api.get_current_span().get_span_context()
        return {"trace_id": f"{now.trace_id:032x}"} if now.is_valid else {}

    logs.context.append(present)
    LOG.info("tracing_is_on")

    def end() -> None:
        logs.context.remove(present)
        last = threading.Thread(target=provider.shutdown, daemon=True)  # which would wait long for nobody
        last.start()
        last.join(LAST_S)

    return end


def _without_query(span: Span, scope: Mapping[str, Any]) -> None:
    """Take the query out of a request's span: it names files and areas."""
    if not scope.get("query_string"):
        return
    for name in ("http.url", "url.full", "http.target", "url.query"):
        told = getattr(span, "attributes", {}).get(name)
        if isinstance(told, str):
            span.set_attribute(name, "" if name == "url.query" else told.partition("?")[0])


def _scene(tracer: Tracer, document: Mapping[str, Any], way: str) -> None:
    """Spans of a scene that was counted just now. Nothing of what it shows, nor its name."""
    from opentelemetry import trace as api  # noqa: PLC0415 - as above

    seconds = document["seconds"]
    opening, scanning = (round(seconds.get(stage, 0.0) * NANO) for stage in ("open", "total"))
    end = time.time_ns()
    opened, begun = end - scanning, end - scanning - opening
    facts: dict[str, str | int | float] = {
        "tanker_edge.way": way,
        "tanker_edge.width": document["width"],
        "tanker_edge.height": document["height"],
        "tanker_edge.coverage": document["coverage"],
        "tanker_edge.model": document["model"]["name"],
        "tanker_edge.model_sha256": document["model"]["sha256"],
        **{f"tanker_edge.tiles.{name}": number for name, number in document["tiles"].items()},
    }
    # Stages overlap and are sums over the workers, so that they are no spans.
    stages = {f"tanker_edge.seconds.{name}": took for name, took in seconds.items()}
    scene = tracer.start_span("scene", start_time=begun, attributes=facts)
    inside = api.set_span_in_context(scene)
    tracer.start_span("open", inside, start_time=begun).end(opened)
    tracer.start_span("scan", inside, start_time=opened, attributes=stages).end(end)
    scene.end(end)
