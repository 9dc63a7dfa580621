"""Where the shipped models and sample scenes lie: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from edge.errors import InputError, ModelError

_PACKAGE = Path(__file__).resolve().parent


def _places(name: str) -> list[Path]:
    """Where a folder of assets may lie, the likeliest first.

    The folder beside the package counts in a checkout only: in site-packages it would be another project's.
    """
    places = [_PACKAGE / "_data" / name]
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        places.append(_PACKAGE.parent / name)
    return places


def _find(name: str) -> Path | None:
    """First of the places that is there."""
    return next((place for place in _places(name) if place.is_dir()), None)


def models_dir() -> Path:
    """The folder that holds one folder a shipped model.

    Raises:
        ModelError: the installation is incomplete.
    """
    found = _find("models")
    if found is None:
        raise ModelError(_places("models")[0], "the shipped models are not there", "reinstall tanker-edge")
    return found


def samples_dir() -> Path:
    """The folder that holds the sample scenes; all of them are synthetic.

    Raises:
        InputError: the installation is incomplete.
    """
    found = _find("samples")
    if found is None:
        raise InputError(_places("samples")[0], "the sample scenes are not there", "reinstall tanker-edge")
    return found
