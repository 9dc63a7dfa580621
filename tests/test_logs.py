"""The log of the server: JSON a line, with the request's id, without what it must not tell."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import logs
from tests.live import serving, wait_until
from tests.process import REPOSITORY, process
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "this-is-the-token-that-no-log-may-hold"  # noqa: S105 - of a test
LOG = logging.getLogger("edge.server.observe")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("edge")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(level, stream)
    return stream


def lines(stream: io.StringIO, event: str | None = None) -> list[dict[str, Any]]:
    """All lines; those up to the first of an event, which is waited for, where one is named."""
    wait_until(lambda: not event or f'"event": "{event}"' in stream.getvalue())
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_a_json_object_with_its_facts() -> None:
    stream = written()
    LOG.info("something", extra={"fields": {"count": 3, "name": "port", "absent": None}})
    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "event": "something", "count": 3, "name": "port"}


@given(text=st.text())
def test_no_text_can_forge_a_line_or_move_a_cursor(text: str) -> None:
    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        logs.set_up("info", stream)
        LOG.info("event", extra={"fields": {"path": text}})
    assert len(plain.getvalue().splitlines()) == 1
    assert json.loads(plain.getvalue())["path"] == text
    assert all(c.isprintable() for c in terminal.getvalue().removesuffix("\n"))


def test_a_terminal_gets_a_short_line() -> None:
    stream = Terminal()
    logs.set_up("info", stream)
    LOG.warning("odd", extra={"fields": {"a": 1}})
    assert stream.getvalue()[8:] == " warning odd  a=1\n"


def test_a_long_text_is_cut_in_its_middle() -> None:
    stream = written()
    LOG.info("event", extra={"fields": {"path": "a" * 5000 + "z"}})
    (line,) = lines(stream)
    assert len(line["path"]) < 2100
    assert line["path"].endswith("z")


def test_warnings_and_libraries_come_the_same_way() -> None:
    stream = written()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").info("Waiting for application startup.")
    assert [line["logger"] for line in lines(stream)] == ["py.warnings", "uvicorn.error"]


def test_a_traceback_is_told_in_the_record() -> None:
    stream = written()
    try:
        int("ten")
    except ValueError:
        LOG.exception("unhandled")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "invalid literal for int() with base 10: 'ten'" in line["traceback"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("server")) as (client, core):

        def broken() -> None:
            message = "the secret of the server"
            raise ZeroDivisionError(message)

        core.admission.check = broken  # type: ignore[method-assign]
        yield client


@pytest.mark.parametrize("given", ["abc-1.2_3", "A" * 64])
def test_a_clients_id_is_taken_over(client: httpx.Client, given: str) -> None:
    assert client.get("/nothing", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "A" * 65, "a\tb", "ä", "a;b"])
def test_another_id_is_not(client: httpx.Client, given: str) -> None:
    answer = client.get("/nothing", headers={"x-request-id": given.encode()})
    made = answer.headers["x-request-id"]
    assert made != given
    assert len(made) == 16
    assert answer.json()["request_id"] == made


def test_what_breaks_is_told_with_the_id_and_explained_in_the_log_alone(client: httpx.Client) -> None:
    stream = written()
    answer = client.post("/v1/count", content=b"x", headers={"x-request-id": "me"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == "me"
    assert "secret" not in answer.text
    told = {line["event"]: line for line in lines(stream, "request")}
    assert "the secret of the server" in told["unhandled"]["traceback"]
    assert told["unhandled"]["request_id"] == told["request"]["request_id"] == "me"
    assert (told["request"]["status"], told["request"]["level"]) == (500, "error")


def test_a_request_has_one_line(client: httpx.Client) -> None:
    stream = written()
    client.get("/v1/count?name=secret-harbour.tif")
    (line,) = lines(stream, "request")
    assert (line["event"], line["method"], line["route"], line["path"]) == ("request", "GET", "/v1/count", "/v1/count")
    assert (line["status"], line["client"], line["bytes_in"]) == (405, "127.0.0.1", 0)
    assert line["bytes_out"] > 0
    assert "secret" not in stream.getvalue()


def test_what_machines_ask_again_and_again_is_for_debugging(client: httpx.Client) -> None:
    stream = written()
    client.get("/metrics")
    client.get("/nothing")
    assert [line["path"] for line in lines(stream, "request")] == ["/nothing"]
    stream = written("debug")
    client.get("/metrics")
    assert [line["route"] for line in lines(stream, "request") if line["event"] == "request"] == ["/metrics"]


def test_a_server_logs_json_and_never_its_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o644)
    with process(tmp_path, "--token-file", str(file), "--log-level", "debug") as server:
        scene = scene_file(tmp_path / "a.png").read_bytes()
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            for token in (TOKEN, TOKEN[:-1], "another"):
                client.post("/v1/count", content=scene, headers={"authorization": f"Bearer {token}"})
                client.get(f"/v1/count?token={TOKEN}", headers={"authorization": f"Bearer {token}"})
        server.popen.terminate()
        server.ended()
    assert all(line.startswith("{") for line in server.lines)
    assert len([line for line in server.log if line["event"] == "request"]) == 6
    assert server.wait_for("token_file_is_open")["mend"] == "chmod 600"
    assert TOKEN[:-1] not in "\n".join(server.lines)


def test_help_does_not_load_the_server() -> None:
    program = (
        "import sys; from edge.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([m for m in ('fastapi', 'uvicorn', 'prometheus_client') if m in sys.modules],"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stderr == "[]\n"
