"""Getting in without the token."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from tests.attack.registry import attack
from tests.attack.target import TOKEN
from tests.wire import NOTHING, Answer, head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.attack.target import Target

BEARER = ("Authorization", f"Bearer {TOKEN}")
DATA = "/v1/jobs"


@attack(401)
def no_token(target: Target) -> Answer:
    """No token."""
    return target.ask("GET", DATA, token=None)


@attack(401)
def no_token_on_any_route(target: Target) -> Iterable[Answer]:
    """No token, on each route of the OpenAPI document, by each of its methods."""
    told = json.loads(target.ask("GET", "/openapi.json").body)
    open_to_all = {"/v2/health/live", "/v2/health/ready"}
    asked = [(path, method) for path, item in told["paths"].items() for method in item if path not in open_to_all]
    assert len(asked) > 15
    return [
        target.ask(method.upper(), path.replace("{", "").replace("}", ""), token=None)
        for path, method in [*asked, ("/openapi.json", "get"), ("/metrics", "get")]
        if method in {"get", "head", "post", "put", "patch", "delete"}
    ]


@attack(401)
def wrong_tokens(target: Target) -> Iterable[Answer]:
    """Tokens that are nearly right: a prefix, one character more, other case, twice, in quotes."""
    near = [
        TOKEN[:-1],
        f"{TOKEN}x",
        TOKEN.swapcase(),
        f"{TOKEN} {TOKEN}",
        f'"{TOKEN}"',
        f"{TOKEN},{TOKEN}",
        f"{TOKEN}=",
    ]
    return [target.ask("GET", DATA, token=each) for each in near]


@attack(401)
def no_token_at_all_in_the_header(target: Target) -> Iterable[Answer]:
    """An Authorization header that is empty, or without a token."""
    values = ("", "Bearer", "Bearer ", "Bearer null", "Bearer undefined", "Bearer *")
    return [target.ask("GET", DATA, ("Authorization", value), token=None) for value in values]


@attack(401)
def tokens_that_are_no_text(target: Target) -> Iterable[Answer]:
    """Bytes that are no ASCII, which a comparison of texts would stumble over."""
    return [target.ask("GET", DATA, ("Authorization", f"Bearer {odd}"), token=None) for odd in ("\xff\xfe", "ü" * 24)]


@attack(400, 401, 431, NOTHING)
def a_long_token(target: Target) -> Iterable[Answer]:
    """Tokens of 20 kB and of 1 MB."""
    return [target.ask("GET", DATA, token="x" * size) for size in (20_000, 1_000_000)]


@attack(401)
def other_schemes(target: Target) -> Iterable[Answer]:
    """The right token by Basic, Digest and Token, and without a scheme."""
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    values = (f"Basic {basic}", f"Basic {TOKEN}", f"Digest {TOKEN}", f"Token {TOKEN}", TOKEN)
    return [target.ask("GET", DATA, ("Authorization", value), token=None) for value in values]


@attack(401)
def a_token_elsewhere(target: Target) -> Iterable[Answer]:
    """The right token in the query, a cookie, and headers that proxies use: it would end up in logs there."""
    yield from (target.ask("GET", f"{DATA}?{name}={TOKEN}", token=None) for name in ("token", "access_token", "key"))
    yield target.ask("GET", DATA, ("Cookie", f"token={TOKEN}; Authorization=Bearer {TOKEN}"), token=None)
    for name in ("Proxy-Authorization", "X-Authorization", "X-Api-Key", "X-Forwarded-Authorization"):
        yield target.ask("GET", DATA, (name, f"Bearer {TOKEN}"), token=None)


@attack(401)
def two_tokens(target: Target) -> Iterable[Answer]:
    """A right and a wrong token: two programs could look at different ones."""
    wrong = ("Authorization", "Bearer wrong")
    return [target.ask("GET", DATA, wrong), target.ask("GET", DATA, wrong, BEARER, token=None)]


@attack(400, 401, 404)
def paths_round_the_token(target: Target) -> Iterable[Answer]:
    """Other writings of a path, which look like a page that is open."""
    for path in (
        "/static/../v1/jobs", "/static/%2e%2e/v1/jobs", "/static/..%2fv1/jobs", "/v2/health/live/../../../v1/jobs",
        "//v1/jobs", "/./v1/jobs", "/v1/jobs/", "/v1//jobs", "/V1/jobs", "/v1/jobs;/static/a", "/v1/jobs%00/static/",
        "/v1%2fjobs", "/v1/jobs%20", "/v1/jobs%3f/static/", "/v1/jobs#/static/", "/v1/jobs\\..\\static\\",
    ):  # fmt: skip
        found = target.ask("GET", path, token=None)
        assert b'"jobs"' not in found.body, path
        yield found


@attack(400, 401)
def headers_of_proxies(target: Target) -> Iterable[Answer]:
    """Headers by which a proxy would say that another path or a local client is meant."""
    for header in (
        ("X-Original-URL", "/v2/health/live"), ("X-Rewrite-URL", "/"), ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Prefix", "/static/"), ("X-HTTP-Method-Override", "GET"), ("Forwarded", "for=127.0.0.1"),
    ):  # fmt: skip
        yield target.ask("GET", DATA, header, token=None)


@attack(401)
def a_body_behind_a_refusal(target: Target) -> Answer:
    """A request without a token whose body is a request with one: the body must not be taken for a request."""
    inside = head("DELETE", "/v1/jobs/" + "0" * 32, BEARER)
    found = target.send(head("POST", DATA, ("Content-Length", str(len(inside)))) + inside, "POST")
    assert not [r for r in target.server.log if r.get("method") == "DELETE" and r.get("path") == "/v1/jobs/" + "0" * 32]
    return found
