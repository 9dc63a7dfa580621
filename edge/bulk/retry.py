"""Which failures may be gone at the next try."""

from __future__ import annotations

import errno

from edge.bulk.store_errors import StoreTrouble

TRANSIENT = frozenset(
    {
        errno.EIO, errno.ETIMEDOUT, errno.ESTALE, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED,
        errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN,
    }
)  # fmt: skip
"""A disk or network that fails now and then, or a system that is short of something; not what is missing or denied."""
_ALWAYS = (StoreTrouble, ConnectionError, TimeoutError)


def is_transient(error: BaseException | None) -> bool:
    """Whether an error, or one of those that led to it, is of a kind that another try may not meet."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, _ALWAYS) or (isinstance(error, OSError) and error.errno in TRANSIENT):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False
