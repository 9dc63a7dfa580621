"""What an operator decides about the server; checked when it is made, so that a bad option is told before it starts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import UsageError
from edge.server.urls import check_prefix

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
GIB = 2**30
DAY_S = 86_400.0
HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
LONGEST_TOKEN, SHORTEST_TOKEN = 4096, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the server runs."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8080
    """0 takes a free one."""
    state: Path
    """Folder of jobs, their results, uploads on their way, and labels that people made."""
    token: str | None = None
    """Bearer token that requests must carry; None for none."""
    open_to_all: bool = False
    """Allow an address other than loopback without a token."""
    hosts: tuple[str, ...] = ()
    """Names, besides `host` and those of loopback, by which clients may call the server (the Host header)."""
    roots: tuple[Path, ...] = ()
    """Folders whose files jobs may name by path."""
    urls: tuple[str, ...] = ()
    """Prefixes of URLs that jobs may name."""
    max_body_bytes: int = 64 * MIB
    """Of a request that is answered at once."""
    max_upload_bytes: int = 16 * GIB
    """Of a job's scene."""
    max_request_pixels: int = 20_000_000
    """Largest scene that is counted in the request; larger ones are jobs."""
    max_inflight_pixels: int = 30_000_000
    """Px of all scenes that are being counted in requests, or wait for that, from which on the answer is 503."""
    max_job_pixels: int = 4_000_000_000
    """Largest scene of a job."""
    max_decoded_pixels: int = 400_000_000
    """Largest JPEG, PNG or the like that a job may decode: that is done at once."""
    max_waiting_jobs: int = 100
    """Jobs that are received in parts, wait or run; beyond it the answer is 503."""
    keep_s: float = 7 * DAY_S
    """How long results are kept after a job has ended, s."""
    body_timeout_s: float = 60.0
    """How long a client may be silent while it sends a body, s."""
    deadline_s: float = 60.0
    """How long a count in the request may take, s; a client may ask for less."""
    grace_s: float = 25.0
    """How long running work may go on after SIGTERM, s."""
    lame_duck_s: float = 0.0
    """How long requests are still taken after SIGTERM, s, while readiness already says no."""
    threads: int = 0
    """Workers; 0 for one a core."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and what would leave the server open."""
        numbers = (
            ("--port", self.port, 0, 65_535),
            ("--threads", self.threads, 0, 1024),
            ("--max-body-mb", self.max_body_bytes, 1, None),
            ("--max-upload-gb", self.max_upload_bytes, 1, None),
            ("--max-request-mp", self.max_request_pixels, 1, None),
            ("--max-inflight-mp", self.max_inflight_pixels / 1e6, self.max_request_pixels / 1e6, None),
            ("--max-job-mp", self.max_job_pixels, 1, None),
            ("--max-decoded-mp", self.max_decoded_pixels, 1, None),
            ("--max-waiting-jobs", self.max_waiting_jobs, 1, None),
            ("--keep-days", self.keep_s, 0, None),
            ("--body-timeout", self.body_timeout_s, 0.1, None),
            ("--deadline", self.deadline_s, 0.1, None),
            ("--grace", self.grace_s, 0, None),
            ("--lame-duck", self.lame_duck_s, 0, None),
        )
        for option, value, low, high in numbers:
            if not low <= value or (high is not None and value > high):
                limit = f"at least {low:g}" if high is None else f"from {low} to {high}"
                raise UsageError(option, f"{value:g} makes no sense here", f"give {limit}")
        self._check_token()
        for prefix in self.urls:
            check_prefix(prefix)
        for name in self.hosts:
            if not HOST_NAME.fullmatch(name):
                raise UsageError("--allow-host", f"{name} is no name of a host", "give the name alone, without a port")

    def _check_token(self) -> None:
        """A token must be hard to guess, and must be there where strangers can reach the server."""
        if self.token is not None:
            printable = self.token.isascii() and self.token.isprintable() and " " not in self.token
            if not printable or not SHORTEST_TOKEN <= len(self.token) <= LONGEST_TOKEN:
                cause = (
                    f"the token is not {SHORTEST_TOKEN} to {LONGEST_TOKEN} printable ASCII characters without blanks"
                )
                raise UsageError("--token-file", cause, "make one by `openssl rand -hex 32`")
        elif not self.on_loopback and not self.open_to_all:
            raise UsageError(
                "--host",
                f"{self.host} can be reached from other machines, and no token is set",
                "set one (--token-file, or TANKER_EDGE_TOKEN), or say --open-to-all",
            )

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
