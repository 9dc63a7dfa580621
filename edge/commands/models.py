"""`tanker-edge models`: list, show and verify models."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from edge.catalogue import DEFAULT_MODEL, find_model, shipped_models
from edge.errors import ModelError, UsageError
from edge.model_card import ModelCard, load_card
from edge.preflight import check_native_libraries

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


def _list() -> int:
    """A line a model; one that is broken hides none of the others."""
    code = 0
    for folder in shipped_models():
        try:
            print(_line(load_card(folder)))
        except ModelError as error:  # noqa: PERF203 - each model has a verdict of its own
            print(f"tanker-edge: {error}", file=sys.stderr)
            code = error.exit_code
    return code


def main(args: argparse.Namespace) -> int:
    """List the shipped models, show a card, or check a model's files and golden answers."""
    if args.action == "list":
        return _list()
    if not args.model:
        raise UsageError("models", f"{args.action} needs a model", f"say which, such as {DEFAULT_MODEL}")
    card = load_card(find_model(args.model))
    if args.action == "show":
        print(json.dumps(card.raw, indent=1))
        return 0
    return _verify(card)


def _verify(card: ModelCard) -> int:
    """Replay the golden answers; listing and showing need none of what this imports."""
    check_native_libraries()
    from edge.golden import replay  # noqa: PLC0415 - needs OpenCV, which a bare system cannot load

    wrong = replay(card.folder)
    if wrong:
        raise ModelError(card.golden_path, "; ".join(wrong), "get the model and the onnxruntime again")
    print(f"{card.name}: files and golden answers are right")
    return 0
