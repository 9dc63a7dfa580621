"""URLs that jobs may name: those under a prefix that the operator allowed, compared part by part.

What two programs could read in two ways is refused rather than put right: userinfo, backslashes, dot segments however
they are encoded, names that are not ASCII.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from edge.errors import UsageError
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_URL = 4096
PORTS = {"http": 80, "https": 443}
"""Schemes, and the port of each."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without blanks and backslashes."""
_ROUNDS = 4
"""Of decoding; whoever encodes a path oftener than that has no good reason."""
_CONTROL = 32
_MEND_PREFIX = "give how allowed URLs begin, as in https://tiles.example.org/scenes/"
_MEND = "name one under a prefix that its operator allowed, or send the scene itself"


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL in its one normal form."""

    scheme: str
    host: str
    """A name in lower case, or an address as `ipaddress` writes it."""
    port: int
    path: str
    """As the client encoded it; at least /."""
    query: str = ""

    @property
    def target(self) -> str:
        """What is asked of the host."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host, where it is an address and no name."""
        return _address(self.host)

    def __str__(self) -> str:
        """The URL without its query, which may hold a key to the file."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def under(self, prefix: Url) -> bool:
        """Whether it has the prefix's scheme, host and port, and its path or one below it."""
        same = (self.scheme, self.host, self.port) == (prefix.scheme, prefix.host, prefix.port)
        return same and (self.path == prefix.path or self.path.startswith(prefix.path.rstrip("/") + "/"))


def parse_url(text: str) -> Url:
    """A URL, or ValueError that says what is wrong with it."""
    if len(text) > LONGEST_URL:
        message = f"it is longer than {LONGEST_URL:,} characters"
        raise ValueError(message)
    if not _PLAIN.fullmatch(text):
        message = "it has characters other than printable ASCII, or blanks, or backslashes: encode them"
        raise ValueError(message)
    parts = urlsplit(text)
    if parts.scheme not in PORTS:
        message = "it does not begin with http:// or https://"
        raise ValueError(message)
    if "@" in parts.netloc or "%" in parts.netloc:
        message = "it has a user name, a password or an encoded host"
        raise ValueError(message)
    _check_path(parts.path)
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0 or parts.netloc.endswith(":"):
        message = "it has no usable port"
        raise ValueError(message)
    return Url(parts.scheme, _host(parts), port, parts.path or "/", parts.query)


def _host(parts: SplitResult) -> str:
    """A host name or address in its one normal form."""
    host = (parts.hostname or "").lower().removesuffix(".")
    address = _address(host)
    if address is not None:
        return str(address)
    if not _NAME.fullmatch(host):
        message = "it has no usable host"
        raise ValueError(message)
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_path(path: str) -> None:
    """Refuse dot segments and the like, at each depth of encoding: the other side may decode more than once."""
    for _ in range(_ROUNDS):
        segments = [segment.partition(";")[0] for segment in path.split("/")]
        if {".", ".."} & set(segments) or "\\" in path or any(ord(c) < _CONTROL for c in path):
            message = "its path has . or .. segments, backslashes or control characters"
            raise ValueError(message)
        decoded = unquote(path)
        if decoded == path:
            return
        path = decoded
    message = "its path is encoded several times over"
    raise ValueError(message)


def check_prefix(text: str) -> None:
    """Check what an operator allows, so that a mistake is told before the server starts.

    Raises:
        UsageError: it is no URL, or has a query.
    """
    try:
        query = parse_url(text).query
    except ValueError as error:
        raise UsageError("--allow-url", f"{text} is no prefix of URLs: {error}", _MEND_PREFIX) from None
    if query:
        raise UsageError("--allow-url", f"{text} has a query, which is not compared", _MEND_PREFIX)


def check_url(text: str, prefixes: Iterable[str]) -> tuple[Url, Url]:
    """The URL that a client means, and the prefix that allows it.

    Raises:
        HttpError: 403.
    """
    try:
        url = parse_url(text)
    except ValueError as error:
        raise HttpError(403, f"this is no URL that is fetched: {error}", _MEND) from None
    for prefix in map(parse_url, prefixes):
        if url.under(prefix):
            return url, prefix
    raise HttpError(403, "this server fetches no such URL", _MEND, subject=str(url))
