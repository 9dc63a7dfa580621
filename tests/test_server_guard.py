"""Who is answered and with which headers, on real servers: hosts, pages of other sites, tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.server.guard import Guard
from edge.server.settings import Settings
from edge.server.shield import HEADERS, Shield
from tests.live import serving
from tests.wire import NOTHING, Answer, ask, head

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "0123456789abcdef-very-secret"  # noqa: S105 - of the tests only
BEARER = ("Authorization", f"Bearer {TOKEN}")
DATA = ("/v1/models", "/v1/jobs", "/v1/nothing", "/v2", "/v2/models/toy", "/metrics", "/openapi.json", "/nothing")
OPEN = ("/v2/health/live", "/v2/health/ready")


def _answer(
    settings: Settings, method: str, path: str, *headers: tuple[str, str], host: str | None = "localhost"
) -> int:
    """Status of an answer of the guard by itself."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    raw += [] if host is None else [(b"host", host.encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "state": {}}
    sent: list[Any] = []

    async def app(_: Any, __: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    asyncio.run(Guard(app, settings)(scope, _never, send))
    status: int = sent[0]["status"]
    return status


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Of a server without a token, and of one with."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder / "a", model=None) as (one, _), serving(folder / "b", token=TOKEN) as (two, _):
        yield one.base_url.port or 0, two.base_url.port or 0


# --- Host ---


def _settings(**changes: Any) -> Settings:  # noqa: ANN401 - fields of Settings
    return Settings(state=Path("state"), **changes)


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8080", "127.0.0.1:1", "[::1]:8080", "localhost.", "quay.local"]
)
def test_names_of_this_server_are_answered(host: str) -> None:
    assert _answer(_settings(hosts=("Quay.local",)), "GET", "/", host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.9", "[::2]", "quay.local"]
)
def test_other_names_are_not(host: str) -> None:
    assert _answer(_settings(), "GET", "/v2/health/live", host=host) == 421


@pytest.mark.parametrize(
    "host", ["", None, "a b", "local\thost", "localhost:", "localhost:x", "u@localhost", "[::1", "é"]
)
def test_what_is_no_host_is_refused(host: str | None) -> None:
    assert _answer(_settings(), "GET", "/", host=host) == 400
    assert _answer(_settings(), "GET", "/", ("Host", "localhost"), host="localhost") == 400


def test_on_all_addresses_a_token_makes_any_name_good_and_without_one_only_addresses_are() -> None:
    for wildcard in ("0.0.0.0", "::"):  # noqa: S104 - that is what is tested
        bare = _settings(host=wildcard, open_to_all=True, hosts=("quay.local",))
        for host, status in {"10.0.0.7:80": 200, "[fe80::1]": 200, "quay.local": 200, "evil.example": 421}.items():
            assert _answer(bare, "GET", "/", host=host) == status
        assert _answer(_settings(host=wildcard, token=TOKEN), "GET", "/", BEARER, host="quay.example") == 200
    own = _settings(host="10.0.0.7", token=TOKEN)
    assert [_answer(own, "GET", "/", BEARER, host=h) for h in ("10.0.0.7:8080", "quay.example")] == [200, 421]
    assert _answer(_settings(host="fd00::7", token=TOKEN), "GET", "/", BEARER, host="[fd00::7]:8080") == 200


# --- other sites' pages ---


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:8080", "localhost:8080", 200),
        ("HTTP://LocalHost:8080", "localhost:8080", 200),
        ("https://localhost", "localhost", 200),
        ("https://localhost:443", "localhost", 200),
        ("http://localhost", "localhost:80", 200),
        ("http://localhost:3000", "localhost:8080", 403),
        ("http://127.0.0.1:8080", "localhost:8080", 403),
        ("https://localhost", "localhost:80", 403),
        ("http://evil.example", "localhost:8080", 403),
        ("http://localhost:8080.evil.example", "localhost:8080", 403),
        ("http://localhost:8080@evil.example", "localhost:8080", 403),
        ("null", "localhost:8080", 403),
        ("", "localhost:8080", 403),
        ("file://", "localhost:8080", 403),
        ("chrome-extension://abc", "localhost:8080", 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_origin_must_be_our_own(origin: str, host: str, status: int, method: str) -> None:
    assert _answer(_settings(), method, "/v1/jobs", ("Origin", origin), host=host) == status


def test_of_two_origins_both_must_be_our_own() -> None:
    two = [("Origin", "http://localhost"), ("Origin", "http://evil.example")]
    assert _answer(_settings(), "GET", "/", *two) == 403


@pytest.mark.parametrize(
    ("site", "mode", "method", "status"),
    [
        ("same-origin", "cors", "POST", 200),
        ("none", "navigate", "GET", 200),
        ("cross-site", "navigate", "GET", 200),
        ("cross-site", "navigate", "POST", 403),
        ("cross-site", "no-cors", "GET", 403),
        ("cross-site", "cors", "POST", 403),
        ("same-site", "no-cors", "GET", 403),
        ("same-site", None, "GET", 403),
        ("nonsense", "no-cors", "GET", 403),
    ],
)
def test_browsers_say_where_a_request_comes_from(site: str, mode: str | None, method: str, status: int) -> None:
    headers = [("Sec-Fetch-Site", site), *([("Sec-Fetch-Mode", mode)] if mode else [])]
    assert _answer(_settings(), method, "/v1/jobs", *headers) == status


def test_a_preflight_of_another_site_gets_no_permission(ports: tuple[int, int]) -> None:
    wishes = [("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")]
    for port in ports:
        found = ask(port, head("OPTIONS", "/v1/count", *wishes))
        assert found.status == 403
        assert not [name for name in found.headers if name.lower().startswith("access-control")]


# --- the token ---

WRONG = [
    (),
    ("Authorization", ""),
    ("Authorization", "Bearer"),
    ("Authorization", "Bearer "),
    ("Authorization", TOKEN),
    ("Authorization", f"Basic {TOKEN}"),
    ("Authorization", f"Bearer {TOKEN[:-1]}"),
    ("Authorization", f"Bearer {TOKEN}x"),
    ("Authorization", f"Bearer {TOKEN.upper()}"),
    ("Authorization", f"Bearer {TOKEN} {TOKEN}"),
    ("Authorization", f"Bearer {TOKEN},"),
    ("Authorization", "Bearer \xff\xfe\xfd"),
    ("Authorization", "Bearer " + "x" * 10_000),
    ("X-Authorization", f"Bearer {TOKEN}"),
    ("Proxy-Authorization", f"Bearer {TOKEN}"),
    ("Cookie", f"token={TOKEN}"),
]


@pytest.mark.parametrize("header", WRONG, ids=lambda header: repr(header[1:])[:40])
def test_no_other_token_will_do(ports: tuple[int, int], header: tuple[str, str] | tuple[()]) -> None:
    found = ask(ports[1], head("GET", "/v1/models", *([header] if header else [])))
    assert found.status == 401
    assert found.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in found.body.decode()


def test_two_tokens_are_none() -> None:
    settings = _settings(token=TOKEN)
    assert _answer(settings, "GET", "/v1/jobs", BEARER) == 200
    assert _answer(settings, "GET", "/v1/jobs", BEARER, BEARER) == 401


def test_the_token_is_taken_as_http_has_it(ports: tuple[int, int]) -> None:
    for value in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN}"):
        assert ask(ports[1], head("GET", "/v2", ("Authorization", value))).status == 200


def test_the_query_is_no_place_for_a_token(ports: tuple[int, int]) -> None:
    for name in ("token", "access_token", "authorization", "api_key"):
        assert ask(ports[1], head("GET", f"/v2?{name}={TOKEN}")).status == 401


@pytest.mark.parametrize("path", DATA)
def test_all_but_health_and_the_page_needs_the_token(ports: tuple[int, int], path: str) -> None:
    assert ask(ports[1], head("GET", path)).status == 401
    assert ask(ports[1], head("GET", path, BEARER)).status in {200, 404}


@pytest.mark.parametrize("path", OPEN)
def test_health_needs_none(ports: tuple[int, int], path: str) -> None:
    assert ask(ports[1], head("GET", path)).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../v1/models", "/static/%2e%2e/v1/models", "/static/..%2fv1/models", "//v1/models", "/./v1/models",
        "/%2e/v1/models", "/v2/health/live/../../models/toy", "/v2/health/live/", "/v2/health/live%2f..%2f..%2f",
        "/STATIC/a", "/static", "/v1/models?/static/", "/v1/models;/static/a", "/v1%2fmodels", "/v1/models#/static/",
    ],
)  # fmt: skip
def test_no_writing_of_a_path_goes_round_the_token(ports: tuple[int, int], path: str) -> None:
    assert ask(ports[1], head("GET", path)).status in {400, 401, 404}
    assert b"sha256" not in ask(ports[1], head("GET", path)).body


def test_what_is_open_is_open_for_reading_only() -> None:
    for path in ("/", "/static/page.js", "/v2/health/live"):
        assert _answer(_settings(token=TOKEN), "GET", path) == 200
        assert _answer(_settings(token=TOKEN), "POST", path) == 401


# --- what is refused, and how ---


def test_a_refusal_reads_no_body_and_does_not_hang(ports: tuple[int, int]) -> None:
    for more in ([("Content-Length", "5000000")], [("Transfer-Encoding", "chunked")]):
        found = ask(ports[1], head("POST", "/v1/count", *more), timeout_s=3)
        assert (found.status, found.closed) == (401, True)
        assert found.problem["mend"] == "send the header `Authorization: Bearer TOKEN`"


def test_a_body_whose_length_is_told_in_two_ways_is_refused_and_what_follows_is_not_read(
    ports: tuple[int, int],
) -> None:
    both = ("Content-Length", "5"), ("Transfer-Encoding", "chunked")
    found = ask(ports[1], head("POST", "/v1/count", *both, BEARER) + b"0\r\n\r\n")
    assert (found.status, found.closed) == (400, True)
    assert _answer(_settings(), "POST", "/v1/count", *both) == 400


@pytest.mark.parametrize("path", ["/v1/jobs/%00", "/%0d%0aSet-Cookie:%20a=b", "/static/%00", "/v1/%1b[31m", "/%7f"])
def test_control_characters_in_a_path_are_refused(ports: tuple[int, int], path: str) -> None:
    assert [ask(port, head("GET", path, BEARER)).status for port in ports] == [400, 400]


@pytest.mark.parametrize(
    "path", ["/%ff", "/v1/jobs/%c0%ae%c0%ae", "/v1/jobs/..%2f..%2fetc", "/" + "a/" * 3000, "/v1/jobs/%25"]
)
def test_odd_paths_are_harmless(ports: tuple[int, int], path: str) -> None:
    assert ask(ports[0], head("GET", path)).status == 404


def test_websockets_are_refused(ports: tuple[int, int]) -> None:
    upgrade = [
        ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]  # fmt: skip
    assert ask(ports[0], head("GET", "/v1/jobs/a/events", *upgrade)).status in {403, 404}
    sent: list[Any] = []

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    asyncio.run(Guard(_never, _settings())({"type": "websocket"}, _never, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def _never(*_: Any) -> Any:  # noqa: ANN401 - ASGI
    message = "not to be called"
    raise RuntimeError(message)


# --- headers of answers ---


def _check_headers(found: Answer) -> None:
    for name, value in HEADERS.items():
        if name != "Content-Security-Policy":
            assert found.headers[name] == value
    policy = found.headers["content-security-policy"]
    for words in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"):
        assert words in policy
    assert "script-src 'self';" in policy
    assert "server" not in found.headers or found.headers["server"] == "uvicorn"


@pytest.mark.parametrize("path", [*DATA, *OPEN, "/", "/docs", "/static/nothing", "/v1/jobs/%00"])
def test_every_answer_has_headers_that_keep_browsers_from_misusing_it(ports: tuple[int, int], path: str) -> None:
    for port in ports:
        for headers in ((), (BEARER,)):
            found = ask(port, head("GET", path, *headers))
            assert found.status != NOTHING
            _check_headers(found)
            if path.startswith(("/v1", "/v2", "/metrics")):
                assert found.headers["cache-control"] == "no-store"


def test_a_failure_of_the_server_has_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.server.routes_count.receive", _never)
    with serving(tmp_path) as (client, _):
        found = ask(client.base_url.port or 0, head("POST", "/v1/count", ("Content-Length", "0")))
    assert found.status == 500
    assert "not to be called" not in found.body.decode()
    _check_headers(found)


def test_a_routes_own_policy_and_caching_stay() -> None:
    sent: list[Any] = []

    async def app(_: Any, __: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        own = [(b"content-security-policy", b"sandbox"), (b"cache-control", b"max-age=9")]
        await send({"type": "http.response.start", "status": 200, "headers": own})

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    asyncio.run(Shield(app)({"type": "http", "path": "/v1/a", "headers": []}, _never, send))
    headers = dict(sent[0]["headers"])
    assert (headers[b"content-security-policy"], headers[b"cache-control"]) == (b"sandbox", b"max-age=9")
    assert headers[b"x-frame-options"] == b"DENY"
