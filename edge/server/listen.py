"""The socket: bound before anything heavy is loaded, so that a port in use is told at once."""

from __future__ import annotations

import errno
import socket

from edge.errors import UsageError

UNREAD_MS = 120_000
"""After which a client that takes nothing of what it is sent is let go of: else it would hold its connection for ever,
and a few hundred of them all that there are."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, which does not listen yet.

    Args:
        host: a name or an address of this machine; :: takes IPv4 too, where the system can do that.
        port: 0 takes a free one.

    Raises:
        UsageError: the address is not of this machine, or the port is not to be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageError("--host", f"{host} has no address ({error.strerror})", "give one of this machine's") from None
    family, kind, protocol, _, address = min(found, key=lambda row: row[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections have it from the socket that listens
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _refused(error, host, port) from None
    return bound


def _refused(error: OSError, host: str, port: int) -> UsageError:
    """Why a port is not to be had."""
    if error.errno == errno.EADDRINUSE:
        return UsageError("--port", f"{port} is in use on {host}", "stop what uses it, or give another (0: a free one)")
    if error.errno == errno.EACCES:
        return UsageError("--port", f"this user may not listen on {port}", "give one from 1024 on")
    return UsageError("--host", f"cannot listen on {host} ({error.strerror})", "give an address of this machine")
