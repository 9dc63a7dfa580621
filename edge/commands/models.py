"""`tanker-edge models`: list, show and verify models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.catalogue import DEFAULT_MODEL, find_model, shipped_models
from edge.errors import ModelError, UsageError
from edge.golden import replay
from edge.model_card import ModelCard, load_card

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action", nargs="?", choices=("list", "show", "verify"), default="list", help="what to do (%(default)s)"
    )
    parser.add_argument("model", nargs="?", help="a shipped model or a model folder")


def _line(card: ModelCard) -> str:
    size = card.finder_path.stat().st_size / 1e6
    total = card.raw.get("metrics", {}).get("by_set", {}).get("all fully labelled", {})
    f1 = f"vessel F1 {total['f1']:.3f} on val" if total.get("f1") is not None else "not measured"
    default = " (default)" if card.name == DEFAULT_MODEL else ""
    return f"{card.name:16s} {card.version:4s} {size:5.1f} MB  {f1}  sha256 {card.sha256[:12]}{default}"


def main(args: argparse.Namespace) -> int:
    """List the shipped models, show a card, or check a model's files and golden answers."""
    if args.action == "list":
        for folder in shipped_models():
            print(_line(load_card(folder)))
        return 0
    if not args.model:
        raise UsageError("models", f"{args.action} needs a model", f"say which, such as {DEFAULT_MODEL}")
    card = load_card(find_model(args.model))
    if args.action == "show":
        print(json.dumps(card.raw, indent=1))
        return 0
    wrong = replay(card.folder)
    if wrong:
        raise ModelError(card.golden_path, "; ".join(wrong), "get the model and the onnxruntime again")
    print(f"{card.name}: files and golden answers are right")
    return 0
