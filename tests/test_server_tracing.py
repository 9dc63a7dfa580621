"""Traces, received by a real little collector of OTLP over HTTP."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from edge.server.tracing import wanted
from tests.process import REPOSITORY, process
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Takes spans."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.spans: list[Span] = []
        self.services: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            self.server.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def facts(span: Span) -> dict[str, object]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "") for pair in span.attributes}


def test_a_request_is_a_span_with_its_scene_and_stages_under_it(tmp_path: Path) -> None:
    scene = scene_file(tmp_path / "a.png").read_bytes()
    with collecting() as collector:
        with process(tmp_path, env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as server:
            with httpx.Client(base_url=server.base_url, trust_env=False) as client:
                client.post("/v1/count?name=secret-harbour.png", content=scene, headers={"traceparent": PARENT})
                client.get("/v2/health/live")
                client.get("/metrics")
            server.popen.terminate()  # what has not gone out by then goes at the end
            assert server.ended() == 0
        line = next(r for r in server.log if r["event"] == "request")
    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"POST /v1/count", "scene", "open", "scan"}
    assert collector.services == {"tanker-edge"}
    request, found = spans["POST /v1/count"], spans["scene"]
    assert {span.trace_id.hex() for span in spans.values()} == {PARENT.split("-")[1]} == {line["trace_id"]}
    assert request.parent_span_id.hex() == PARENT.split("-")[2]
    assert found.parent_span_id == request.span_id
    assert {spans[name].parent_span_id for name in ("open", "scan")} == {found.span_id}
    assert spans["open"].end_time_unix_nano == spans["scan"].start_time_unix_nano
    assert facts(found)["tanker_edge.tiles.scored"] == 2
    assert "tanker_edge.seconds.infer" in facts(spans["scan"])
    assert "secret" not in str(collector.spans)


def test_a_collector_that_is_not_there_holds_nothing_up(tmp_path: Path) -> None:
    scene = scene_file(tmp_path / "a.png").read_bytes()
    with process(tmp_path, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as server:
        answer = httpx.post(f"{server.base_url}/v1/count", content=scene, trust_env=False)
        assert answer.status_code == 200
        begun = time.monotonic()
        server.popen.terminate()
        assert server.ended() == 0
        assert time.monotonic() - begun < 8


@pytest.mark.parametrize(
    ("variables", "mend"),
    [
        ({"OTEL_SERVICE_NAME": "x", "BLOCKED": "yes"}, "pip install 'tanker-edge[otel]', or unset OTEL_*"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "set it to http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "set it to otlp"),
    ],
)
def test_traces_that_cannot_be_are_a_warning(tmp_path: Path, variables: dict[str, str], mend: str) -> None:
    if "BLOCKED" in variables:  # as in an install without the extra
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.sdk'] = None\n")
        variables = {**variables, "PYTHONPATH": str(tmp_path)}
    with process(tmp_path, env=variables) as server:
        assert server.wait_for("tracing_is_off")["mend"] == mend
        assert httpx.get(f"{server.base_url}/v2/health/ready", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_made_where_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, on: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wanted() is on


def test_nothing_of_it_is_loaded_where_nobody_asks() -> None:
    """But for the interface, which late versions of FastAPI import by themselves."""
    program = (
        "import sys; import edge.commands.serve\n"
        "parts = tuple(f'opentelemetry.{part}' for part in ('sdk', 'exporter', 'instrumentation'))\n"
        "print([m for m in sys.modules if m.startswith(parts)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout == "[]\n"
