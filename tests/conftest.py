"""Skips, with the reason, what this machine cannot run: see the markers in pyproject.toml."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
"""Labelled imagery; it may not be distributed, so it lies beside the checkout or nowhere."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and not SHARED_DATA.is_dir():
        pytest.skip("the labelled imagery is not there: ../shared/data, beside the checkout")
    if item.get_closest_marker("train"):
        absent = [name for name in ("torch", "ultralytics") if importlib.util.find_spec(name) is None]
        if absent:
            pytest.skip(f"{' and '.join(absent)} not installed: pip install --editable '.[dev,train]'")
