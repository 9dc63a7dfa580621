"""Which URLs and which machines a job may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import UsageError
from edge.server.addresses import is_public
from edge.server.problems import HttpError
from edge.server.settings import Settings
from edge.server.urls import check_url, parse_url

# --- which URLs ---

PREFIX = "https://tiles.example.com/scenes/"


@pytest.mark.parametrize(
    "text",
    [
        "https://tiles.example.com/scenes/a.tif",
        "HTTPS://Tiles.EXAMPLE.com:443/scenes/a.tif?key=1#part",
        "https://tiles.example.com./scenes/a%20b.tif",
        "https://tiles.example.com/scenes/",
        "https://tiles.example.com/scenes/sub/..a.tif",
    ],
)
def test_urls_under_a_prefix_are_allowed(text: str) -> None:
    assert check_url(text, ["https://elsewhere.example.com/", PREFIX])[1] == parse_url(PREFIX)


@pytest.mark.parametrize(
    "text",
    [
        "http://tiles.example.com/scenes/a.tif",
        "https://tiles.example.com:444/scenes/a.tif",
        "https://tiles.example.com/scenes",
        "https://tiles.example.com/scenes-other/a.tif",
        "https://tiles.example.com/Scenes/a.tif",
        "https://tiles.example.com/scenes%2fa.tif",
        "https://tiles.example.com.evil.example/scenes/a.tif",
        "https://evil.example/https://tiles.example.com/scenes/a.tif",
        "https://tiles.example.com@evil.example/scenes/a.tif",
        "https://user:word@tiles.example.com/scenes/a.tif",
        "https://evil.example#@tiles.example.com/scenes/",
        "https://evil.example\\@tiles.example.com/scenes/a.tif",
        "https://tiles.example.com\\.evil.example/scenes/a.tif",
        "https://tiles.example.com/scenes/../secret",
        "https://tiles.example.com/scenes/./a.tif",
        "https://tiles.example.com/scenes/%2e%2e/secret",
        "https://tiles.example.com/scenes/%2E./secret",
        "https://tiles.example.com/scenes/%252e%252e/secret",
        "https://tiles.example.com/scenes/..%2fsecret",
        "https://tiles.example.com/scenes/..;/secret",
        "https://tiles.example.com/scenes/..%3b/secret",
        "https://tiles.example.com/scenes/..%5csecret",
        "https://tiles.example.com/scenes/a%0d%0aHost:%20evil",
        "https://tiles.example.com/scenes/a%00.tif",
        "https://tiles.example.com/scenes/" + "%25" * 2 + "2525252e/a",
        "https://tiles.example.com/scenes/a b.tif",
        "https://tiles.example.com/scenes/a\tb.tif",
        "https://tiles.example.com/scenes/a\r\nHost: evil",
        "https://tiles.example.com/scenes/é.tif",
        "https://tïles.example.com/scenes/a.tif",
        "https://tiles.example.com/scenes/\u2025/a.tif",
        "https://tiles。example.com/scenes/a.tif",
        "https://tiles.example.com:/scenes/a.tif",
        "https://tiles.example.com:0/scenes/a.tif",
        "https://tiles.example.com:99999/scenes/a.tif",
        "https://tiles.example.com:+443/scenes/a.tif",
        "https://[::1/scenes/a.tif",
        "https://[v1.a]/scenes/a.tif",
        "https:///scenes/a.tif",
        "https:/tiles.example.com/scenes/a.tif",
        "//tiles.example.com/scenes/a.tif",
        "file:///etc/passwd",
        "ftp://tiles.example.com/scenes/a.tif",
        "gopher://tiles.example.com/scenes/a.tif",
        "data:image/png;base64,AAAA",
        "/vsicurl/https://tiles.example.com/scenes/a.tif",
        "tiles.example.com/scenes/a.tif",
        "",
        "https://tiles.example.com/scenes/" + "x" * 5000,
    ],
)
def test_urls_that_are_not_or_could_be_read_otherwise_are_refused(text: str) -> None:
    with pytest.raises(HttpError) as caught:
        check_url(text, [PREFIX])
    assert caught.value.status == 403


def test_a_prefix_without_a_slash_ends_at_a_segment() -> None:
    prefix = ["http://h.example/a/b"]
    for text in ("http://h.example/a/b", "http://h.example/a/b/c"):
        check_url(text, prefix)
    with pytest.raises(HttpError):
        check_url("http://h.example/a/bc", prefix)
    check_url("http://h.example:80", ["http://H.example"])


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]", "0", "localhost"]
)
def test_no_other_writing_of_an_allowed_address_will_do(host: str) -> None:
    with pytest.raises(HttpError):
        check_url(f"http://{host}:9000/tiles/a", ["http://127.0.0.1:9000/tiles/"])


def test_what_an_operator_allows_is_checked_before_the_start() -> None:
    Settings(state=Path("state"), urls=(PREFIX, "http://127.0.0.1:9000/tiles/"), hosts=("quay.local", "fd00::7"))
    for prefix in ("tiles.example.com", "https://", "file:///data/", "https://a.example/?b=c", "https://a.example/../"):
        with pytest.raises(UsageError, match="--allow-url"):
            Settings(state=Path("state"), urls=(prefix,))
    for name in ("quay.local:8080", "http://quay.local", "", "*", "[fd00::7]"):
        with pytest.raises(UsageError, match="--allow-host"):
            Settings(state=Path("state"), hosts=(name,))


def test_errors_do_not_tell_the_query_which_may_hold_a_key() -> None:
    with pytest.raises(HttpError) as caught:
        check_url("https://evil.example/a.tif?signature=s3cret", [PREFIX])
    assert caught.value.subject == "https://evil.example/a.tif"


# --- which addresses ---


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "168.63.129.16", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "198.18.0.1",
        "192.0.2.1", "0.0.0.0",  # noqa: S104 - nobody listens there
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2002:7f00:1::",
        "2001:0:7f00:1::", "2001:db8::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
        "2002:a9fe:a9fe::", "127.0.0.1.", "0x7f.1", "",
    ],
)  # fmt: skip
def test_addresses_that_are_not(address: str) -> None:
    assert not is_public(address)
