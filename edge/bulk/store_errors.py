"""What stores answer where they give nothing, as errors that say whether it may be otherwise at the next try."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge.scene_file import FileTrouble

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE = "status code: "
_STATUS = re.compile(_CODE + r"(\d{3})[ \w]*")
_URLS, _LONGEST = re.compile(r"https?://\S+"), 150
_BUSY = (408, 425, 429)
"""Client errors that time mends, beside all of the server's own (500 and more)."""
_DENIED = ("PermissionDeniedError", "UnauthenticatedError")
_NAMES = ("ValueError", "InvalidPathError")
_REGION, _LENGTH = "configured region", "Content-Length"
_REASONS: Mapping[str, str] = {
    "dns error": "no such host",
    "refused": "connection refused",
    "ertificate": "its certificate is not valid",
    "imed out": "no answer in time",
    "TimedOut": "no answer in time",
    "Timeout": "no answer in time",
    "body error": "the connection broke",
    "ConnectionReset": "the connection broke",
    "IncompleteMessage": "the connection broke",
}
"""What is found in the many lines that obstore gives -> what it means."""
_AGAIN = "check the network and the endpoint, and start the same command again"
_INSTANCE = "//169.254.169.254"
"""Where machines of a cloud find credentials: asked where no others were given."""
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for what everybody may read",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true for what everybody may read",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true",
}


class StoreTrouble(FileTrouble):
    """A store that does not answer, or not now: another try may help."""


class StoreRefusal(FileTrouble):
    """A store that says no: it will say the same the next time."""


def changed(url: str) -> StoreTrouble:
    """An object that is not the one that was opened."""
    return StoreTrouble(url, "has changed while it was being read", "start the same command again when it is complete")


def trouble(url: str, error: Exception) -> FileTrouble:
    """What obstore raised, for an object or prefix, in words.

    Its own words are many lines, with the addresses of requests in them; these may hold signatures.
    """
    text, kind = str(error), type(error).__name__
    found = _STATUS.search(text)
    phrase = found[0].removeprefix(_CODE).strip() if found else ""
    if kind == "PreconditionError":
        return changed(url)
    for sign, cause, mend in (
        (isinstance(error, FileNotFoundError), "is not in its store", "check the URL, and that it is there still"),
        (kind in _DENIED, f"may not be read ({phrase or 'denied'})", f"give the right credentials: {_keys(url)}"),
        (_REGION in text, "is in another region than its store was asked in", "set AWS_REGION"),
        (_INSTANCE in text, "needs credentials, and none were found", f"give {_keys(url)}"),
        (kind in _NAMES, "is no name that a store can have", "check it for empty parts, as in a//b"),
        (_LENGTH in text, "comes from a server that does not say how long it is", "download it"),
        (_is_final(status_of(error)), f"its store answers {phrase}", "check the URL"),
    ):
        if sign:
            return StoreRefusal(url, cause, mend)
    if found:
        return StoreTrouble(url, f"its store answers {phrase}", "start the same command again, later")
    first = _URLS.sub("...", text.partition("\n")[0])[:_LONGEST]
    reason = next((said for sign, said in _REASONS.items() if sign in text), first)
    return StoreTrouble(url, f"its store cannot be reached ({reason})", _AGAIN)


def status_of(error: Exception) -> int:
    """Of HTTP, that a store answered with; 0 where it gave none."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def _is_final(status: int) -> bool:
    """Whether a status would be the same another time."""
    return status // 100 in (3, 4) and status not in _BUSY


def _keys(url: str) -> str:
    return _KEYS.get(url.partition("://")[0].lower(), "a URL with a signature")
