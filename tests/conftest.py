"""Skips, with the reason, what this machine cannot run: see the markers in pyproject.toml."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
"""Labelled imagery; it may not be distributed, so it lies beside the checkout or nowhere."""


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep for later is kept out of the user's own cache, and the user's out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _one_provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `auto` choose as on a machine with plain onnxruntime, whatever is installed; test_speed.py chooses itself."""
    if request.path.stem != "test_speed":
        monkeypatch.setattr("edge.speed.available_providers", lambda: ["cpu"])


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and not SHARED_DATA.is_dir():
        pytest.skip("the labelled imagery is not there: ../shared/data, beside the checkout")
    if item.get_closest_marker("train"):
        absent = [name for name in ("torch", "ultralytics") if importlib.util.find_spec(name) is None]
        if absent:
            pytest.skip(f"{' and '.join(absent)} not installed: pip install --editable '.[dev,train]'")
