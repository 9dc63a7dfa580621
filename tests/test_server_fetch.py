"""Scenes that are named by a URL: only what the operator allowed is asked for, whatever it redirects or resolves to."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from edge.errors import StoppedError
from edge.server import dial, fetch
from edge.server.addresses import find_addresses
from edge.server.problems import HttpError
from edge.server.urls import check_url
from tests.far import Far, far, give, send_on

if TYPE_CHECKING:
    import http.server
    from collections.abc import Iterator
    from pathlib import Path

NAME = "a.tif"
SCENE = b"II*\x00" + bytes(300_000)


def fetched(
    url: str, folder: Path, prefixes: list[str], most: int = 10**6, stop: threading.Event | None = None
) -> bytes:
    """Fetch; nothing but the scene may be left in the folder."""
    folder.mkdir(exist_ok=True)
    try:
        fetch.fetch(url, prefixes, folder / NAME, most, stop or threading.Event())
    except BaseException:
        assert not list(folder.iterdir()), "something was left behind"
        raise
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    return (folder / NAME).read_bytes()


def refused(url: str, folder: Path, prefixes: list[str], **how: Any) -> HttpError:  # noqa: ANN401 - those of fetched
    with pytest.raises(HttpError) as caught:
        fetched(url, folder, prefixes, **how)
    return caught.value


# --- names ---


PREFIX = "https://tiles.example.com/scenes/"


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to these, one answer after the other; gives what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *rest: Any, **how: Any) -> Any:  # noqa: ANN401 - as the real one
        if host[0].isdigit():
            return real(host, port, *rest, **how)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_all_addresses_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    url, prefix = check_url("https://tiles.example.com/scenes/a.tif", [PREFIX])
    _resolving(monkeypatch, ["93.184.215.14", "93.184.215.15"], ["93.184.215.14", "10.0.0.1"], [])
    assert find_addresses(url, prefix) == ["93.184.215.14", "93.184.215.15"]
    for _ in range(2):
        with pytest.raises(HttpError) as caught:
            find_addresses(url, prefix)
        assert caught.value.status == 403


def test_a_name_of_this_machine_is_refused_though_it_is_allowed_by_name(tmp_path: Path) -> None:
    with far({"/a.tif": give(SCENE)}) as there:
        url = f"http://localhost:{there.server_port}/a.tif"
        error = refused(url, tmp_path / "to", [f"http://localhost:{there.server_port}/"])
    assert error.status == 403
    assert "not public" in error.detail
    assert there.asked == []


def test_a_name_that_changes_its_address_is_looked_up_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = _resolving(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    dialled: list[str] = []
    monkeypatch.setattr(dial, "_try", lambda address, _: dialled.append(address) or ConnectionRefusedError(111, "no"))
    with far({"/a.tif": give(SCENE)}) as there:
        url = f"http://tiles.example.com:{there.server_port}/a.tif"
        error = refused(url, tmp_path / "to", [f"http://tiles.example.com:{there.server_port}/"])
    assert error.status == 502
    assert (asked, dialled, there.asked) == (["tiles.example.com"], ["93.184.215.14"], [])


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none(*_: Any, **__: Any) -> None:  # noqa: ANN401 - as the real one
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", none)
    assert refused("https://tiles.example.com/scenes/a.tif", tmp_path / "to", [PREFIX]).status == 502


# --- what is fetched ---


def test_a_url_is_asked_for_as_it_is_given(tmp_path: Path) -> None:
    with far({"/s/port%20A.tif": give(SCENE)}) as there:
        assert fetched(f"{there.url}/s/port%20A.tif?key=1", tmp_path / "to", [f"{there.url}/s/"]) == SCENE
        assert there.asked == ["/s/port%20A.tif?key=1"]


def test_what_an_earlier_attempt_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"old")
    (tmp_path / ".fetching").write_bytes(b"part")
    with far({"/a.tif": give(SCENE)}) as there:
        assert fetched(f"{there.url}/a.tif", tmp_path, [there.url]) == SCENE


def test_a_body_in_chunks_and_one_that_ends_with_the_connection_are_read(tmp_path: Path) -> None:
    chunks = b"4\r\nII*\x00\r\n0\r\n\r\n"
    with far(
        {
            "/chunks.tif": give(chunks, Content_Length="", Transfer_Encoding="chunked"),
            "/open.tif": give(SCENE, Content_Length="", Connection="close"),
            "/cut.tif": give(chunks[:9], Content_Length="", Transfer_Encoding="chunked"),
        }
    ) as there:
        assert fetched(f"{there.url}/chunks.tif", tmp_path / "1", [there.url]) == b"II*\x00"
        assert fetched(f"{there.url}/open.tif", tmp_path / "2", [there.url]) == SCENE
        assert refused(f"{there.url}/cut.tif", tmp_path / "3", [there.url]).status == 502


def test_redirects_under_the_prefix_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    with far(
        {
            "/s/a.tif": send_on("b.tif?key=1"),
            "/s/b.tif": send_on("/s/c.tif"),
            "/s/c.tif": give(SCENE),
            "/s/round": send_on("/s/round"),
        }
    ) as there:
        assert fetched(f"{there.url}/s/a.tif", tmp_path / "1", [f"{there.url}/s/"]) == SCENE
        assert (tmp_path / "1" / "a.tif").exists()
        assert there.asked == ["/s/a.tif", "/s/b.tif?key=1", "/s/c.tif"]
        error = refused(f"{there.url}/s/round", tmp_path / "2", [there.url])
        assert "redirects more than 5 times" in error.detail
        assert there.asked.count("/s/round") == 6


def test_redirects_to_elsewhere_are_not_followed(tmp_path: Path) -> None:
    with far({"/secret": give(SCENE)}) as other:
        places = [
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            f"{other.url}/secret",
            f"//127.0.0.1:{other.server_port}/secret",
            "/secret",
            "../secret",
            "%2e%2e/secret",
            "http://[::1",
            "gopher://127.0.0.1:25/",
        ]
        with far({f"/s/{n}": send_on(place) for n, place in enumerate(places)} | {"/secret": give(SCENE)}) as there:
            for n in range(len(places)):
                error = refused(f"{there.url}/s/{n}", tmp_path / "to", [f"{there.url}/s/"])
                assert error.status in {403, 502}, places[n]
            assert [path for path in there.asked if "secret" in path] == []
        assert other.asked == []


def test_what_is_too_long_is_refused_be_it_told_or_not(tmp_path: Path) -> None:
    def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(2**16))

    with far({"/long.tif": give(SCENE), "/endless.tif": endless}) as there:
        for name in ("long.tif", "endless.tif"):
            error = refused(f"{there.url}/{name}", tmp_path / "to", [there.url], most=200_000)
            assert (error.status, error.detail) == (413, "it is longer than 200,000 bytes")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (give(SCENE[:1000], Content_Length="2000"), "broke off after 1,000 of 2,000 bytes"),
        (give(b""), "is empty"),
        (give(gzip.compress(SCENE), Content_Encoding="gzip"), "Content-Encoding"),
        (give(b"no", 404), "answered 404"),
        (give(b"no", 500), "answered 500"),
        (give(SCENE, 206), "answered 206"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n") and handler.finish(), "does not speak HTTP"),
        (lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200), "does not speak HTTP"),
        (lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000), "does not speak HTTP"),
    ],
)
def test_what_the_other_side_gets_wrong_is_told(tmp_path: Path, answer: Any, cause: str) -> None:  # noqa: ANN401 - a call of the handler
    def answer_and_close(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        answer(handler)

    with far({"/a.tif": answer_and_close}) as there:
        error = refused(f"{there.url}/a.tif", tmp_path / "to", [there.url])
    assert error.status == 502
    assert cause in error.detail


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/a.tif"
        assert "the connection failed" in refused(url, tmp_path / "to", [url]).detail


def _dripping(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


def _dripping_head(handler: http.server.BaseHTTPRequestHandler) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize("answer", [_dripping, _dripping_head])
def test_who_sends_a_byte_now_and_then_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:  # noqa: ANN401 - a call of the handler
    monkeypatch.setattr(dial, "SILENCE_S", 0.3)
    with far({"/a.tif": answer}) as there:
        error = refused(f"{there.url}/a.tif", tmp_path / "to", [there.url])
    assert (error.status, "less than 16,384 bytes/s" in error.detail) == (502, True)


def test_a_fetch_that_is_not_wanted_any_more_ends_at_once(tmp_path: Path) -> None:
    stop, hung = threading.Event(), threading.Event()

    def hang(_: http.server.BaseHTTPRequestHandler) -> None:
        stop.set()
        hung.wait(20)

    with far({"/a.tif": hang}) as there:
        begun = time.monotonic()
        with pytest.raises(StoppedError):
            fetched(f"{there.url}/a.tif", tmp_path / "to", [there.url], stop=stop)
        assert time.monotonic() - begun < 5
        hung.set()


# --- TLS ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of tiles.example.com, signed by itself."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tiles.example.com",
            "-addext", "subjectAltName=DNS:tiles.example.com", "-keyout", str(path), "-out",
            str(path.with_suffix(".crt")),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@contextmanager
def far_tls(certificate: Path) -> Iterator[Far]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with far({"/a.tif": give(SCENE)}) as there:
        there.socket = context.wrap_socket(there.socket, server_side=True)
        yield there


def _trusting(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    """Trust the certificate, and take the loopback for a public address."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    monkeypatch.setattr("edge.server.addresses.is_public", lambda _: True)
    _resolving(monkeypatch, ["127.0.0.1"])


def test_tls_is_checked_against_the_name_of_the_url(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with far_tls(certificate) as there:
        url = f"https://tiles.example.com:{there.server_port}/a.tif"
        _trusting(monkeypatch, certificate)
        assert fetched(url, tmp_path / "1", [url]) == SCENE
        url = f"https://other.example.com:{there.server_port}/a.tif"
        error = refused(url, tmp_path / "2", [url])
        assert "certificate is not trusted" in error.detail
        monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
        url = f"https://tiles.example.com:{there.server_port}/a.tif"
        assert "certificate is not trusted" in refused(url, tmp_path / "3", [url]).detail


def test_a_handshake_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "SILENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as there:
        url = f"https://127.0.0.1:{there.getsockname()[1]}/a.tif"
        assert refused(url, tmp_path / "to", [url]).status == 502
