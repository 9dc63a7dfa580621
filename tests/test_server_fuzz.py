"""Spoiled uploads to a real server: see tests/fuzz_uploads, which `python -m tests.fuzz_uploads` runs at length."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from edge.scene import open_scene
from tests.fuzz_mutations import WAYS, spoil
from tests.fuzz_samples import samples
from tests.fuzz_uploads import RIGHT, case, fuzz

if TYPE_CHECKING:
    from pathlib import Path

CASES = 400


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return samples()


def test_all_samples_are_scenes(whole: dict[str, bytes], tmp_path: Path) -> None:
    assert len(whole) > 35
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
        with open_scene(tmp_path / name) as scene:
            assert scene.width >= 2


def test_a_case_is_the_same_again(whole: dict[str, bytes]) -> None:
    assert case(1, 7, whole) == case(1, 7, whole)
    assert case(1, 7, whole) != case(2, 7, whole)


def test_each_way_spoils(whole: dict[str, bytes]) -> None:
    for way in WAYS:
        rng = Random(way.__name__)  # noqa: S311 - it shall be the same again
        spoiled = 0
        for data in whole.values():
            copy = bytearray(data)
            way(rng, copy, list(whole.values()))
            spoiled += copy != data
        assert spoiled > len(whole) / 2, way.__name__
    assert spoil(Random(1), b"", []) == b""  # noqa: S311 - as above


def test_the_server_takes_spoiled_uploads(tmp_path: Path) -> None:
    seen = fuzz(tmp_path, 4, range(CASES))
    assert seen.faults == []
    assert sum(seen.statuses.values()) == CASES
    assert set(seen.statuses) <= RIGHT
    assert min(seen.statuses[200], seen.statuses[400], seen.statuses[422]) > CASES / 20
