"""Who is answered: the right host, no other site's pages, and the token where there is one. Else not a byte is read.

Host: a page of another site can let its own name resolve to this machine (DNS rebinding); then the browser takes the
server for that site's, but still says the name. So only names that are ours are answered. An address is no name: it
cannot be rebound.

Origin and Sec-Fetch-Site: a page of another site can also send requests straight to us, and would have the work done
though it cannot read the answer. Browsers say where they come from; other programs do not, and are not asked.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import TYPE_CHECKING

from edge.server.problems import HttpError, problem, respond

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from edge.server.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
OPEN = frozenset({"/", "/docs", "/v2/health/live", "/v2/health/ready"})
"""Read without a token, as is all of STATIC: there is nothing of the user in them, and a browser cannot bring a token
when it is led to a page."""
STATIC = "/static/"
PORTS = {"http": "80", "https": "443"}
_AUTHORITY = r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
_HOST = re.compile(_AUTHORITY)
_ORIGIN = re.compile(r"(?P<scheme>https?)://" + _AUTHORITY)
_OWN = "use the server's own page; a proxy before it must hand on the Host header as it came"
_READS = frozenset({"GET", "HEAD"})
_SPACE, _DELETE = 32, 127


class Guard:
    """ASGI middleware, before all routes."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before an application."""
        self._app = app
        self._token = settings.token.encode() if settings.token else None
        names = {name.lower() for name in (settings.host, *settings.hosts)}
        self._names = LOOPBACK | names | {f"[{name}]" for name in names if ":" in name}
        self._wildcard = settings.host in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not listened on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            try:
                self._check(scope)
            except HttpError as error:
                told = problem(error, scope.get("state", {}).get("request_id"))
                await respond(told, error.headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Refuse what must not be answered.

        Raises:
            HttpError: 400, 401, 403 or 421.
        """
        if any(ord(c) < _SPACE or ord(c) == _DELETE for c in scope["path"]):
            raise HttpError(400, "the path has control characters", "see /docs")
        if _values(scope, b"content-length") and _values(scope, b"transfer-encoding"):
            # A proxy may go by the other one, and take what one client sends for another's request (RFC 9112, 6.1).
            cause = "the request says in two ways how long its body is"
            raise HttpError(400, cause, "let your HTTP client write the headers", headers={"Connection": "close"})
        host = self._check_host(_values(scope, b"host"))
        self._check_site(scope, host)
        if self._token is not None and not is_open(scope["method"], scope["path"]):
            self._check_token(_values(scope, b"authorization"))

    def _check_host(self, told: Sequence[str]) -> re.Match[str]:
        """The Host header, if it is one of ours."""
        found = _HOST.fullmatch(told[0].lower()) if len(told) == 1 else None
        if found is None:
            raise HttpError(400, "the request has no usable Host header, or several", "let your HTTP client write it")
        name = found["host"].removesuffix(".")
        # On all addresses of a machine the server cannot know all its names. With a token it need not: a page of
        # another site has none. Without one an address will do, which cannot be rebound.
        if name in self._names or (self._wildcard and (self._token is not None or _is_address(name))):
            return found
        cause = "this server is not called that (the Host header)"
        raise HttpError(421, cause, "use its address, or start it with --allow-host NAME", subject=name[:80])

    def _check_site(self, scope: Scope, host: re.Match[str]) -> None:
        """Refuse what pages of other sites ask for."""
        for told in _values(scope, b"origin"):
            origin = _ORIGIN.fullmatch(told.lower())
            if origin is None or _place(origin, origin["scheme"]) != _place(host, origin["scheme"]):
                raise HttpError(403, "pages of other sites get no answer (the Origin header)", _OWN)
        mode, moves = _values(scope, b"sec-fetch-mode"), scope["method"] in _READS
        for told in _values(scope, b"sec-fetch-site"):
            if told.lower() not in {"same-origin", "none"} and not (mode == ["navigate"] and moves):
                raise HttpError(403, "pages of other sites get no answer (Sec-Fetch-Site)", _OWN)

    def _check_token(self, told: Sequence[str]) -> None:
        """Compare the bearer token, in a time that does not depend on where it differs."""
        scheme, _, token = (told[0] if len(told) == 1 else "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), self._token or b""):
            return
        error = ', error="invalid_token"' if told else ""
        raise HttpError(
            401,
            "the token is not the server's" if told else "a token is needed",
            "send the header `Authorization: Bearer TOKEN`",
            headers={"WWW-Authenticate": f'Bearer realm="tanker-edge"{error}'},
        )


def is_open(method: str, path: str) -> bool:
    """Whether a request needs no token."""
    return method in _READS and (path in OPEN or (path.startswith(STATIC) and ".." not in path))


def _values(scope: Scope, name: bytes) -> list[str]:
    """All headers of a name."""
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key == name]


def _place(found: re.Match[str], scheme: str) -> tuple[str, str]:
    """Host and port."""
    return found["host"].removesuffix("."), found["port"] or PORTS[scheme]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
