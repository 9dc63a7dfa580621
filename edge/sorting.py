"""Sorting a million numbers in a fraction of numpy's time: by 16 bits at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGIT = 16
"""Bits: the widest integers that numpy sorts by counting, in linear time."""
_CELLS = 2.0**32
"""Steps into which a column of numbers is cut: two passes of 16 bits."""


def order_of_keys(keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """The stable order of keys (n,), none of them negative."""
    most = int(keys.max(initial=0))
    order = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    for shift in range(_DIGIT, most.bit_length(), _DIGIT):
        digit = (keys >> shift).astype(np.uint16)  # wraps: the digits above are not looked at
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def order_of(first: NDArray[np.float64], *others: NDArray[np.float64]) -> NDArray[np.intp]:
    """The stable order of rows by the first column (n,), where those are equal by the next, and so on.

    Sorted by counting in fine steps of the first column; what falls into one step is then sorted in full.
    """
    if len(first) == 0:
        return np.empty(0, np.intp)
    low, high = float(first.min()), float(first.max())
    scale = (_CELLS - 1) / (high - low) if high > low else 0.0
    steps = ((first - low) * scale).astype(np.int64)
    order = order_of_keys(steps)
    steps = steps[order]
    same = steps[1:] == steps[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    rows = order[tied]
    columns = [column[rows] for column in (*others[::-1], first)]
    order[tied] = rows[np.lexsort((*columns, steps[tied]))]
    return order
