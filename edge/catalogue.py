"""The models at hand: those that are shipped, and any model folder."""

from __future__ import annotations

from pathlib import Path

from edge.assets import models_dir
from edge.errors import ModelError
from edge.model_card import CARD

DEFAULT_MODEL = "vessel-n"


def shipped_models() -> list[Path]:
    """Folders of the shipped models, by name."""
    return sorted(p.parent for p in models_dir().glob(f"*/{CARD}"))


def find_model(name: str) -> Path:
    """The folder of a shipped model, or a folder that the user names.

    Raises:
        ModelError: there is neither.
    """
    shipped = models_dir() / name
    if (shipped / CARD).is_file():
        return shipped
    folder = Path(name)
    if folder.is_dir():
        return folder
    known = ", ".join(p.name for p in shipped_models())
    raise ModelError(name, "no shipped model and no folder of this name", f"use one of {known}, or a model folder")
