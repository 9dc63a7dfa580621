"""`tanker-edge serve` as a process: how it starts, how it ends, and how it changes its model."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from edge import cli
from edge.commands.serve import default_state, read_token, settings_of
from edge.errors import UsageError
from edge.server import protocol
from edge.server.listen import listen
from edge.server.notify import Notify
from edge.server.state import held
from tests.live import serving, wait_until
from tests.process import Process, command, environment, process, toy
from tests.toy_model import bless, scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of a test


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy model with golden answers."""
    return toy(tmp_path_factory.mktemp("models") / "toy", golden=True)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return scene_file(tmp_path_factory.mktemp("scenes") / "a.png").read_bytes()


def refused(folder: Path, *options: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and last words of a server that does not start."""
    words = command(folder, *options)
    done = subprocess.run(
        words, env=environment(**(env or {})), capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr.splitlines()[-1]


def ask(server: Process) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, trust_env=False, timeout=30)


class Upload:
    """A request whose body stays half sent until it may go on."""

    def __init__(self, url: str, body: bytes) -> None:
        self._body, self._go = body, threading.Event()
        self.begun = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self.answer = self._pool.submit(httpx.post, url, content=self._pieces(), timeout=30, trust_env=False)
        self._pool.shutdown(wait=False)

    def _pieces(self) -> Iterator[bytes]:
        yield self._body[:100]
        self.begun.set()
        self._go.wait(30)
        yield self._body[100:]

    def go_on(self) -> None:
        self._go.set()


@contextmanager
def uploading(server: Process, body: bytes) -> Iterator[Upload]:
    """A request that the server is working on, by its own word."""
    upload = Upload(f"{server.base_url}/v1/count", body)
    try:
        with ask(server) as client:
            wait_until(lambda: "tanker_edge_requests_in_flight 2.0" in client.get("/metrics").text)
        yield upload
    finally:
        upload.go_on()


def wait_for_status(client: httpx.Client, method: str, path: str, status: int) -> httpx.Response:
    """Ask until the answer has a status."""

    def found() -> httpx.Response | None:
        answer = client.request(method, path)
        return answer if answer.status_code == status else None

    return wait_until(found)


# The start.


def test_the_ready_line_tells_where_it_listens_and_what_it_runs(tmp_path: Path, model: Path) -> None:
    with process(tmp_path, model=model) as server:
        ready = server.wait_for("ready")
        assert ready["port"] > 0
        assert (ready["host"], ready["model"], ready["provider"]) == ("127.0.0.1", "toy", "cpu")
        with ask(server) as client:
            answer = client.get("/v2/health/ready")
            assert answer.status_code == 200
            assert "server" not in answer.headers
            assert "date" in answer.headers
        mode = stat.S_IMODE((tmp_path / "state").stat().st_mode)
        assert mode == 0o700


def test_two_servers_do_not_share_a_state_folder(tmp_path: Path, model: Path) -> None:
    with process(tmp_path, model=model):
        code, told = refused(tmp_path)
    assert code == 2
    assert told.startswith("tanker-edge: --state: ")
    assert "is in use by another tanker-edge serve; stop that one" in told


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told = refused(tmp_path, "--port", str(port))
    assert code == 2
    assert told.startswith(f"tanker-edge: --port: {port} is in use on 127.0.0.1; stop what uses it")


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path, "--model", "/nowhere")[0] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0"), "--host: 0.0.0.0 can be reached from other machines, and no token is set"),  # noqa: S104
        (("--deadline", "0"), "--deadline: 0 makes no sense here; give at least 0.1"),
        (("--max-request-mp", "100"), "--max-inflight-mp: 30 makes no sense here; give at least 100"),
        (("--port", "70000"), "--port: 70000 makes no sense here"),
        (("--threads", "-1"), "--threads: -1 makes no sense here"),
        (("--token-file", "/nowhere/token"), "--token-file: /nowhere/token cannot be read (No such file"),
        (("--allow-path", "/nowhere"), "--allow-path: /nowhere is no folder"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_option(options: tuple[str, ...], words: str) -> None:
    args = cli.build_parser("serve").parse_args(["serve", *options])
    with pytest.raises(UsageError, match=re.escape(words)):
        settings_of(args)


@pytest.mark.parametrize("text", ["nan", "inf", "many", ""])
def test_numbers_are_numbers(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.build_parser("serve").parse_args(["serve", "--keep-days", text])
    assert "argument --keep-days: invalid number value" in capsys.readouterr().err


def test_units_are_those_of_the_options() -> None:
    words = ["--max-body-mb", "1.5", "--max-job-mp", "2", "--keep-days", "0.5", "--max-upload-gb", "3"]
    settings = settings_of(cli.build_parser("serve").parse_args(["serve", *words]))
    assert (settings.max_body_bytes, settings.max_job_pixels) == (1_572_864, 2_000_000)
    assert (settings.keep_s, settings.max_upload_bytes) == (43_200, 3 * 2**30)
    assert settings == replace(
        settings_of(cli.build_parser("serve").parse_args(["serve"])),
        **{
            name: getattr(settings, name) for name in ("max_body_bytes", "max_job_pixels", "keep_s", "max_upload_bytes")
        },
    )


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.0.2.1", "--host: cannot listen on 192.0.2.1"),
        ("no-such-host.invalid", "--host: no-such-host.invalid has no address"),
    ],
)
def test_an_address_of_another_machine_is_told(host: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::"])
def test_it_listens_where_it_is_told(host: str) -> None:
    try:
        bound = listen(host, 0)
    except UsageError:
        if ":" in host and not os.path.exists("/proc/net/if_inet6"):  # noqa: PTH110 - no file of ours
            pytest.skip("this machine has no IPv6")
        raise
    with bound:
        bound.listen()
        reached = "::1" if host == "::1" else "127.0.0.1"  # :: takes both
        socket.create_connection((reached, bound.getsockname()[1]), timeout=5).close()


def test_a_state_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--state: .*file/state cannot be written"), held(tmp_path / "file" / "state"):
        pass


def test_a_token_of_the_environment_is_needed_and_leaves_it(tmp_path: Path, model: Path) -> None:
    code, told = refused(tmp_path, env={"TANKER_EDGE_TOKEN": "short"})
    assert code == 2
    assert "16 to 4096 printable ASCII characters" in told
    assert "short" not in told
    with process(tmp_path, model=model, env={"TANKER_EDGE_TOKEN": TOKEN}) as server, ask(server) as client:
        assert client.get("/v1/models").status_code == 401
        assert client.get("/v1/models", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("text", [TOKEN, f"{TOKEN}\n", f"  {TOKEN}\r\n"])
def test_a_token_file_may_end_with_a_line_end(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(text.encode())
    assert read_token(file) == TOKEN


def test_a_token_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff" * 32)
    with pytest.raises(UsageError, match="is no ASCII text"):
        read_token(file)


def test_the_state_folder_is_where_systemd_or_xdg_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_state() == Path("/home/ada/.local/state/tanker-edge")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert default_state() == Path("/xdg/tanker-edge")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/tanker-edge:/var/lib/more")
    assert default_state() == Path("/var/lib/tanker-edge")


def test_what_was_on_its_way_when_a_server_died_is_removed(tmp_path: Path, model: Path, scene: bytes) -> None:
    incoming = tmp_path / "state" / "incoming"
    with process(tmp_path, model=model) as server, uploading(server, scene):
        assert len(list(incoming.iterdir())) == 1
        server.popen.kill()
        server.ended()
    assert len(list(incoming.iterdir())) == 1
    with process(tmp_path, model=model):
        assert not incoming.exists() or not list(incoming.iterdir())


# The end.


def test_a_running_request_is_finished_and_readiness_goes_first(tmp_path: Path, model: Path, scene: bytes) -> None:
    with process(tmp_path, model=model) as server, ask(server) as client, uploading(server, scene) as upload:
        server.signal(signal.SIGTERM)
        assert wait_for_status(client, "GET", "/v2/health/ready", 503)
        assert client.get("/v2/health/live").status_code == 200
        late = client.post("/v1/count", content=scene)
        assert late.status_code == 503
        assert late.headers["content-type"] == "application/problem+json"
        assert late.headers["retry-after"].isdigit()
        assert late.headers["connection"] == "close"
        assert server.popen.poll() is None
        upload.go_on()
        answer = upload.answer.result()
        assert (answer.status_code, answer.json()["counts"]["vessel"]) == (200, 1)
        assert server.ended() == 0
        assert server.log[-1]["event"] == "ended"


def test_a_lame_duck_still_takes_requests(tmp_path: Path, model: Path, scene: bytes) -> None:
    with process(tmp_path, "--lame-duck", "1", model=model) as server, ask(server) as client:
        server.signal(signal.SIGINT)
        wait_for_status(client, "GET", "/v2/health/ready", 503)
        assert client.post("/v1/count", content=scene).status_code == 200
        wait_for_status(client, "POST", "/v1/count", 503)
        assert server.ended() == 0


def test_the_second_signal_ends_it_at_once(tmp_path: Path, model: Path, scene: bytes) -> None:
    with process(tmp_path, "--grace", "600", model=model) as server, uploading(server, scene):
        server.signal(signal.SIGTERM)
        server.wait_for("stopping")
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
        assert time.monotonic() - begun < 5


def test_a_long_count_is_stopped_when_the_grace_is_over(tmp_path: Path, model: Path) -> None:
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((9000, 9000, 3), np.uint8))
    body = (tmp_path / "b.png").read_bytes()
    options = ("--grace", "0.1", "--max-request-mp", "100", "--max-inflight-mp", "100")
    with process(tmp_path, *options, model=model) as server, ask(server) as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/v1/count?exhaustive=true", content=body)
        with ask(server) as other:
            wait_until(lambda: "tanker_edge_scenes_in_flight 1.0" in other.get("/metrics").text)
        server.signal(signal.SIGTERM)
        told = answer.result()
        assert (told.status_code, told.json()["detail"]) == (503, "the server is stopping")
        assert server.ended() == 0


def test_event_streams_end_and_do_not_hold_it_up(tmp_path: Path, model: Path) -> None:
    """A job that still receives its scene sends no event by itself."""
    with process(tmp_path, "--grace", "600", model=model) as server, ask(server) as client:
        job = client.post("/v1/jobs", json={"upload": {"name": "a.tif", "size": 1000}}).json()
        with client.stream("GET", job["links"]["events"]) as stream:
            events = stream.iter_lines()
            assert next(events)
            begun = time.monotonic()
            server.signal(signal.SIGTERM)
            list(events)
        assert server.ended() == 0
        assert time.monotonic() - begun < 8


def test_a_server_that_starts_can_be_ended(tmp_path: Path, model: Path) -> None:
    server = Process(command(tmp_path, model=model), environment())
    wait_until((tmp_path / "state" / "lock").exists)
    server.signal(signal.SIGTERM)
    assert server.ended() == 0
    assert server.popen.stderr
    server.popen.stderr.close()


# Another model.


def copy_of(model: Path, folder: Path, note: str) -> Path:
    """The model in a folder of its own, of another version."""
    shutil.copytree(model, folder)
    card = folder / "card.json"
    card.write_text(card.read_text().replace('"version": "1"', f'"version": "{note}"'))
    return folder


def served(client: httpx.Client) -> str:
    """Version of the model that answers."""
    body = Path(__file__).parent.parent / "samples" / "synthetic-terminal.tif"
    return str(client.post("/v1/count", content=body.read_bytes()).json()["model"]["version"])


def test_another_model_takes_its_place_behind_a_link(tmp_path: Path, model: Path) -> None:
    link = tmp_path / "model"
    link.symlink_to(copy_of(model, tmp_path / "first", "1"))
    second = copy_of(model, tmp_path / "second", "2")
    with process(tmp_path, model=link) as server, ask(server) as client:
        assert served(client) == "1"
        link.unlink()
        link.symlink_to(second)
        server.signal(signal.SIGHUP)
        assert server.wait_for("model_swapped")["model_version"] == "2"
        assert served(client) == "2"
        metrics = client.get("/metrics").text
    assert 'tanker_edge_model_swaps_total{outcome="swapped"} 1.0' in metrics
    assert 'version="2"' in metrics


def test_a_model_that_answers_wrongly_or_is_not_whole_is_refused(tmp_path: Path, model: Path) -> None:
    folder = copy_of(model, tmp_path / "mine", "1")
    with process(tmp_path, model=folder) as server, ask(server) as client:
        golden = folder / "golden.json"
        golden.write_text(golden.read_text().replace('"coverage": 1.0', '"coverage": 0.5'))
        server.signal(signal.SIGHUP)
        assert "does not give its golden answers" in server.wait_for("model_refused")["error"]
        assert served(client) == "1"
        (folder / "model.onnx").write_bytes(b"no network")
        server.signal(signal.SIGHUP)
        server.wait_until(lambda: [r for r in server.log if r["event"] == "model_refused"][1:] or None)
        bless(folder)  # now its hash is right
        server.signal(signal.SIGHUP)
        server.wait_until(lambda: [r for r in server.log if r["event"] == "model_refused"][2:] or None)
        assert served(client) == "1"
        assert 'tanker_edge_model_swaps_total{outcome="refused"} 3.0' in client.get("/metrics").text


@pytest.mark.parametrize("file", ["card.json", "golden.json"])
def test_a_model_on_its_way_does_not_hold_up_the_end(tmp_path: Path, model: Path, file: str) -> None:
    """Neither while it is loaded nor while it is tried: here a file of it never comes to its end."""
    folder = copy_of(model, tmp_path / "mine", "1")
    with process(tmp_path, model=folder) as server:
        (folder / file).unlink()
        os.mkfifo(folder / file)
        server.signal(signal.SIGHUP)
        writer = wait_until(lambda: writer_of(folder / file))
        try:
            server.signal(signal.SIGTERM)
            assert server.ended(10) == 0
            assert server.log[-1]["event"] == "ended"
        finally:
            os.close(writer)


def writer_of(fifo: Path) -> int | None:
    """The other end of a pipe that is being read."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


# Words to systemd.


class Manager:
    """The socket of a service manager."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def hears(self, words: str) -> str:
        """The next message that begins with these words; watchdog pings may come between."""
        while not (heard := self.socket.recv(4096).decode()).startswith(words):
            assert heard == "WATCHDOG=1"
        return heard


def test_systemd_is_told_of_each_step(tmp_path: Path, model: Path) -> None:
    name = f"@tanker-edge-test-{os.getpid()}"
    manager = Manager("\0" + name[1:])
    with process(tmp_path, model=model, env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"}) as server:
        manager.hears("READY=1")
        times = []
        for _ in range(5):
            assert manager.hears("WATCHDOG=1")
            times.append(time.monotonic())
        assert 0.2 < times[-1] - times[0] < 2
        before = time.monotonic_ns() // 1000
        server.signal(signal.SIGHUP)
        stamp = int(manager.hears("RELOADING=1\nMONOTONIC_USEC=").rpartition("=")[2])
        assert before <= stamp <= time.monotonic_ns() // 1000
        manager.hears("READY=1")
        server.signal(signal.SIGTERM)
        manager.hears("STOPPING=1")
        assert server.ended() == 0
    manager.socket.close()


def test_a_manager_may_have_a_path_and_may_be_gone(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    notify = Notify(str(tmp_path / "notify"))
    notify.ready()
    assert manager.hears("READY=1")
    manager.socket.close()
    notify.stopping()
    Notify(None).ready()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("2000000", "", 2.0), ("2000000", str(os.getpid()), 2.0), ("2000000", "1", None), ("", "", None), ("x", "", None)],
)
def test_the_watchdog_is_for_the_process_that_it_names(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert Notify.from_environment().watchdog_s == seconds


# Health, and clients that would hold it up.


def test_health_does_not_wait_for_work(tmp_path: Path) -> None:
    """All threads that work, look into files or scan are taken."""
    go_on = threading.Event()
    with serving(tmp_path) as (client, core):
        lane = core.urgent.lane()
        blocked = [pool.submit(go_on.wait, 30) for pool in (core.scanners(0), core.clerks, lane) for _ in range(64)]
        begun = time.monotonic()
        try:
            assert client.get("/v2/health/live").status_code == 200
            assert client.get("/v2/health/ready").status_code == 200
            assert time.monotonic() - begun < 1
            assert not all(future.done() for future in blocked)
        finally:
            go_on.set()


def test_health_answers_soon_while_scenes_keep_all_workers_busy(tmp_path: Path, model: Path) -> None:
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((1500, 1500, 3), np.uint8))
    body = (tmp_path / "b.png").read_bytes()
    enough = threading.Event()

    def keep_busy() -> int:
        answered = 0
        with ask(server) as busy:
            while not enough.is_set():
                answered += busy.post("/v1/count?exhaustive=true", content=body).status_code == 200
        return answered

    with process(tmp_path, model=model) as server, ask(server) as client, ThreadPoolExecutor(6) as pool:
        working = [pool.submit(keep_busy) for _ in range(6)]
        took = []
        for _ in range(40):
            begun = time.monotonic()
            assert client.get("/v2/health/ready").status_code == 200
            took.append(time.monotonic() - begun)
            time.sleep(0.02)
        enough.set()
        assert sum(future.result() for future in working) >= 6
    assert sorted(took)[-3] < 0.2, took


@pytest.mark.parametrize("start", [b"", b"GET /v2/health/live HTTP/1.1\r\nhost: localh"])
def test_a_client_that_does_not_finish_its_head_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    monkeypatch.setattr("tests.live.uvicorn.Config", with_protocol)
    with serving(tmp_path) as (client, _):
        where = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(where, timeout=10) as end:
            for i in range(len(start)):  # it trickles
                end.sendall(start[i : i + 1])
            assert end.recv(1000) == b""
        with socket.create_connection(where, timeout=10) as end:
            for _ in range(2):  # a connection that is used twice, with a pause
                end.sendall(b"GET /v2/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                answer = b""
                while not answer.endswith(b"}"):  # its head and its body may come one by one
                    piece = end.recv(1000)
                    assert piece
                    answer += piece
                assert answer.startswith(b"HTTP/1.1 200")
                time.sleep(0.4)


def with_protocol(*args: object, **fields: object) -> object:
    """A configuration of uvicorn as `serve` makes it."""
    from uvicorn.config import Config  # noqa: PLC0415 - the name is taken where this is used

    return Config(*args, **fields, http=protocol.Protocol)  # type: ignore[arg-type]


def test_a_head_without_end_is_refused(tmp_path: Path, model: Path) -> None:
    with process(tmp_path, model=model) as server:
        port = server.wait_for("ready")["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
            end.sendall(b"GET /v2/health/live HTTP/1.1\r\nhost: localhost\r\n" + b"x: " + b"y" * 40_000)
            assert end.recv(1000).startswith(b"HTTP/1.1 400")


def is_closed(end: socket.socket) -> bool:
    try:
        return end.recv(1) == b""
    except ConnectionResetError:
        return True


def test_more_connections_than_there_may_be_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST", 2)
    monkeypatch.setattr("tests.live.uvicorn.Config", with_protocol)
    with serving(tmp_path) as (client, _):
        where = (client.base_url.host, client.base_url.port or 0)
        assert client.get("/v2/health/live").status_code == 200
        with socket.create_connection(where, timeout=10), socket.create_connection(where, timeout=10) as third:
            assert is_closed(third)
            assert client.get("/v2/health/live").status_code == 200
