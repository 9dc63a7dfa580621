"""Opens stores by obstore, from URLs and from the settings that are usual in the environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from edge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import ObjectStore

INSTALL = "pip install 'tanker-edge[bulk]'"
WEB = ("http", "https")
"""Schemes whose URLs are percent-encoded and may have a query; in those of object stores ? and % are letters."""
_SETTINGS: Mapping[str, frozenset[str]] = {
    "s3": frozenset(
        f"AWS_{name}"
        for name in (
            "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION", "DEFAULT_REGION", "ENDPOINT_URL",
            "ENDPOINT_URL_S3", "SKIP_SIGNATURE", "VIRTUAL_HOSTED_STYLE_REQUEST", "REQUEST_PAYER", "ROLE_ARN",
            "ROLE_SESSION_NAME", "WEB_IDENTITY_TOKEN_FILE", "CONTAINER_CREDENTIALS_RELATIVE_URI",
            "CONTAINER_CREDENTIALS_FULL_URI", "CONTAINER_AUTHORIZATION_TOKEN_FILE", "METADATA_ENDPOINT",
        )
    ),
    "gs": frozenset(
        f"GOOGLE_{name}"
        for name in ("APPLICATION_CREDENTIALS", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_KEY", "SKIP_SIGNATURE")
    ),
    "az": frozenset(
        f"AZURE_{name}"
        for name in (
            "STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY", "STORAGE_SAS_KEY", "STORAGE_SAS_TOKEN", "STORAGE_ENDPOINT",
            "STORAGE_CLIENT_ID", "STORAGE_CLIENT_SECRET", "STORAGE_TENANT_ID", "CLIENT_ID", "CLIENT_SECRET",
            "TENANT_ID", "FEDERATED_TOKEN_FILE", "MSI_ENDPOINT", "SKIP_SIGNATURE", "USE_AZURE_CLI",
        )
    ),
}  # fmt: skip
"""Names that obstore knows; the environment has others with the same beginnings."""
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AZURE_STORAGE_ENDPOINT", "GOOGLE_SERVICE_ACCOUNT_KEY")
"""Settings that may say that a store is reached by http://."""
_WHOLE = 60
"""Times as long may a whole object take as a part of it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a store; a dead one has failed after about twice `timeout_s`."""

    timeout_s: float = 10.0
    """For one request, of at most some MiB."""
    connect_s: float = 5.0
    """For a connection, within that."""
    retry_s: float = 10.0
    """After which no more is tried."""
    retries: int = 6
    """At most, with growing waits: after a lost connection, and where the store says that it is busy."""
    first_wait_s: float = 0.1
    longest_wait_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where an object or a prefix is."""

    scheme: str
    root: str
    """Bucket or container; of HTTP the URL of the server, with the query."""
    path: str
    """In there, not encoded."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Split a URL.

        Raises:
            UsageError: there are no such stores.
        """
        scheme, _, rest = url.partition("://")
        scheme = scheme.lower()
        if scheme in WEB:
            parts = urlsplit(url)
            root = urlunsplit((scheme, parts.netloc, "/", parts.query, ""))
            return cls(scheme, root, unquote(parts.path).lstrip("/"))
        if scheme not in _SETTINGS:
            raise UsageError(url, f"{scheme}:// is no known store", "use s3://, gs://, az://, https:// or http://")
        root, _, path = rest.partition("/")
        if not root:
            raise UsageError(url, "names no bucket", f"write it as {scheme}://bucket/path")
        return cls(scheme, root, path)

    def __str__(self) -> str:
        """The store, without what may be secret."""
        return f"{self.scheme}://{urlsplit(self.root).hostname if self.scheme in WEB else self.root}"

    def url(self, path: str) -> str:
        """Of another object in the same store; not for HTTP."""
        return f"{self.scheme}://{self.root}/{path}"


def connect(address: Address, config: Mapping[str, str], patience: Patience, *, whole: bool = False) -> ObjectStore:
    """A store; nothing is asked of it yet.

    Args:
        address: of something in it.
        config: by the names of environment variables: AWS_..., GOOGLE_..., AZURE_...
        patience: how long to wait for it.
        whole: whole objects are read, which may take longer.

    Raises:
        UsageError: obstore is not installed, or takes a setting for none.
    """
    try:
        from obstore import store as stores  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(address, "is read by obstore, which is not installed", INSTALL) from error
    options = _options(address, config, patience, whole=whole)
    settings: Any = {name.lower(): value for name, value in config.items() if name in _SETTINGS.get(address.scheme, ())}
    try:
        if address.scheme == "s3":
            return stores.S3Store(address.root, config=settings, **options)
        if address.scheme == "gs":
            return stores.GCSStore(address.root, config=settings, **options)
        if address.scheme == "az":
            return stores.AzureStore(address.root, config=settings, **options)
        return stores.HTTPStore(address.root, **options)
    except Exception as error:
        cause = f"cannot be asked with these settings ({str(error).partition(chr(10))[0]})"
        beginning = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}.get(address.scheme, "HTTP")
        raise UsageError(address, cause, f"check the variables {beginning}_...") from error


def _options(address: Address, config: Mapping[str, str], patience: Patience, *, whole: bool) -> dict[str, Any]:
    """How long to wait, and how often to try."""
    plain = address.root if address.scheme in WEB else " ".join(config.get(name, "") for name in _ENDPOINTS)
    allow_http = "http://" in plain or config.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes")
    return {
        "client_options": {
            "allow_http": allow_http,
            "timeout": timedelta(seconds=patience.timeout_s * (_WHOLE if whole else 1)),
            "connect_timeout": timedelta(seconds=patience.connect_s),
        },
        "retry_config": {
            "max_retries": patience.retries,
            "retry_timeout": timedelta(seconds=patience.retry_s),
            "backoff": {
                "init_backoff": timedelta(seconds=patience.first_wait_s),
                "max_backoff": timedelta(seconds=patience.longest_wait_s),
                "base": 2,
            },
        },
    }
