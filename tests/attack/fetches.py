"""Making the server ask other machines: those that only it can reach, or in ways that do harm there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.attack.registry import attack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.attack.target import Target
    from tests.wire import Answer


def _asked_nobody(target: Target) -> None:
    """No machine was asked that may not be."""
    assert target.inner.asked == []
    assert not [path for path in target.far.asked if not path.startswith("/tiles/")], target.far.asked


@attack(200)
def what_is_allowed_works(target: Target) -> Answer:
    """A scene under the allowed prefix: else the attacks below would show nothing."""
    return target.job({"url": f"{target.far.url}/tiles/port.png"})


@attack(403)
def other_machines(target: Target) -> Iterable[Answer]:
    """Metadata services of clouds, this machine's own services, machines of the network."""
    for url in (
        "http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "http://[fd00:ec2::254]/",
        "http://100.100.100.200/", "http://127.0.0.1:22/", "http://localhost/", "http://10.0.0.1/", "http://0.0.0.0/",
        f"http://127.0.0.1:{target.port}/v1/jobs", f"{target.inner.url}/secret",
    ):  # fmt: skip
        yield target.job({"url": url})
    _asked_nobody(target)


@attack(403)
def loopback_in_other_words(target: Target) -> Iterable[Answer]:
    """The allowed machine's address as a decimal, octal or hex number, short, mapped to IPv6, by names."""
    port = target.far.server_port
    for host in (
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::7f00:1]", "localhost", "localtest.me", "127.0.0.1.nip.io",
        "127。0。0。1", "①②⑦.0.0.1", "127.0.0.1%2f", "127.0.0.1%00.evil.example",
    ):  # fmt: skip
        found = target.job({"url": f"http://{host}:{port}/tiles/port.png"})
        if not (host == "127.0.0.1." and found.status == 200):  # the same address, written with a dot
            yield found
    _asked_nobody(target)


@attack(403)
def names_that_lead_inside(target: Target) -> Iterable[Answer]:
    """A name that the operator allowed, but that leads to a private address (as after DNS rebinding)."""
    yield target.job({"url": f"http://localhost:{target.inner.server_port}/tiles/a"})
    yield target.job({"url": f"http://LOCALHOST:{target.inner.server_port}/secret"})
    _asked_nobody(target)


@attack(403)
def urls_that_are_read_in_two_ways(target: Target) -> Iterable[Answer]:
    """User names, backslashes, fragments and ports that make one program see the allowed host, another an evil one."""
    host = f"127.0.0.1:{target.far.server_port}"
    inner = f"127.0.0.1:{target.inner.server_port}"
    for url in (
        f"http://{host}@{inner}/secret", f"http://{host}:@{inner}/tiles/a", f"http://{inner}#@{host}/tiles/a",
        f"http://{inner}\\@{host}/tiles/a", f"http://{host}\\@{inner}/tiles/a", f"http://{inner}?@{host}/tiles/a",
        f"http://user:word@{host}/tiles/a", f"http://{host}.evil.example/tiles/a", f"http:{host}/tiles/a",
        f"http:///{host}/tiles/a", f"//{host}/tiles/a", f"http://{host} {inner}/tiles/a",
        f"http://{host}\t@{inner}/tiles/a", f"http://{host}%0d%0aHost:%20evil/tiles/a", f"https://{host}/tiles/a",
        f"HTTP://{host}:80/tiles/a",
    ):  # fmt: skip
        yield target.job({"url": url})
    _asked_nobody(target)


@attack(403)
def paths_out_of_the_prefix(target: Target) -> Iterable[Answer]:
    """The way out of the allowed prefix by nine writings of ../"""
    for path in (
        "/secret", "/tiles/../secret", "/tiles/%2e%2e/secret", "/tiles/.%2e/secret", "/tiles/%252e%252e/secret",
        "/tiles/..%2fsecret", "/tiles/..%5csecret", "/tiles/..;/secret", "/tiles/..\\secret", "/tilesecret", "/TILES/a",
        "/tiles/a%0d%0aX:%20y", "/tiles/a%00", "/tiles", "/tiles/a b", "//tiles/a", "/./tiles/a",
    ):  # fmt: skip
        yield target.job({"url": f"{target.far.url}{path}"})
    _asked_nobody(target)


@attack(403)
def other_schemes(target: Target) -> Iterable[Answer]:
    """file:, gopher:, ftp:, data:, and the virtual files of GDAL."""
    for url in (
        "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "ftp://127.0.0.1/", "dict://127.0.0.1:11211/stat",
        "data:image/png;base64,iVBORw0KGgo=", "jar:http://127.0.0.1!/", "ldap://127.0.0.1/", "s3://bucket/key",
        f"/vsicurl/{target.inner.url}/secret", f"vrt://{target.inner.url}/secret", "netdoc:///etc/passwd", "http:", "",
    ):  # fmt: skip
        found = target.job({"url": url})
        if not (url == "" and found.status == 422):
            yield found
    _asked_nobody(target)


@attack(403, 502)
def redirects(target: Target) -> Iterable[Answer]:
    """Allowed URLs that redirect: to metadata, files, other machines, out of the prefix, in a circle."""
    yield from (target.job({"url": f"{target.far.url}/tiles/{name}"}) for name in (*"0123456", "round"))
    _asked_nobody(target)
