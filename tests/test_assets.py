from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge import assets
from edge.errors import InputError, ModelError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty installation."""
    folder = tmp_path / "edge"
    folder.mkdir()
    monkeypatch.setattr(assets, "_PACKAGE", folder)
    return folder


def test_an_installed_package_finds_its_own_data(package: Path) -> None:
    for name in ("models", "samples"):
        (package / "_data" / name).mkdir(parents=True)
    assert assets.models_dir() == package / "_data" / "models"
    assert assets.samples_dir() == package / "_data" / "samples"


def test_a_checkout_finds_the_folders_beside_the_package(package: Path) -> None:
    (package.parent / "pyproject.toml").touch()
    for name in ("models", "samples"):
        (package.parent / name).mkdir()
    assert assets.models_dir() == package.parent / "models"
    assert assets.samples_dir() == package.parent / "samples"


def test_the_packaged_data_win_over_the_folders_beside(package: Path) -> None:
    (package.parent / "pyproject.toml").touch()
    (package.parent / "models").mkdir()
    (package / "_data" / "models").mkdir(parents=True)
    assert assets.models_dir() == package / "_data" / "models"


def test_a_neighbour_in_site_packages_is_never_taken_for_ours(package: Path) -> None:
    (package.parent / "models").mkdir()
    with pytest.raises(ModelError, match=r"_data/models: .*not there; reinstall"):
        assets.models_dir()


def test_an_incomplete_installation_says_so(package: Path) -> None:
    assert not list(package.iterdir())
    with pytest.raises(InputError, match=r"_data/samples: .*not there; reinstall"):
        assets.samples_dir()


def test_this_checkout_has_both() -> None:
    assert any(assets.models_dir().glob("*/card.json"))
    assert (assets.samples_dir() / "synthetic-terminal.tif").is_file()
