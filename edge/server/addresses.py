"""Which machines may be fetched from: those of the public internet, and addresses that the operator wrote down himself.

A name can lead anywhere, and elsewhere a moment later (DNS rebinding): it is looked up once, all of what it leads to is
checked, and what was checked is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.server.urls import Url

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out for the public internet."""
_FABRIC = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Public by its number, but served by the cloud's own host to each of its machines (Azure)."""


def find_addresses(url: Url, prefix: Url) -> list[str]:
    """Look a URL's host up, once; the addresses to connect to.

    Args:
        url: what is fetched.
        prefix: what allows it; where it names an address and no name, the operator means that one, whatever it is.

    Raises:
        HttpError: 403, the name leads to an address that is not public; 502, it leads nowhere.
    """
    if prefix.address is not None:  # then the URL, which is under it, has the same one
        return [url.host]
    try:
        rows = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HttpError(502, "the host's name has no address", "check the URL", subject=str(url)) from None
    found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    if not found or not all(is_public(address) for address in found):
        cause = "its host has an address that is not public"
        mend = "the operator can allow it by a prefix that names the address itself, as in http://10.0.0.5:9000/scenes/"
        raise HttpError(403, cause, mend, subject=str(url))
    return found


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet, and none that it carries inside leads elsewhere."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # with a zone, as in fe80::1%eth0, where Python does not take it
        return False
    return all(_plainly_public(each) for each in (address, *_inside(address)))


def _plainly_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address in _NAT64:
            return True  # it is what the IPv4 address in it is, see _inside; versions of Python differ over these
        return address.is_global and address in _UNICAST
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _FABRIC


def _inside(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 one stands for, or passes on to."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
