"""What commands that run a model share: the options that name it, and how it is loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import Detector, open_detector
from edge.model_card import ModelCard, load_card
from edge.plan import MAX_LENGTH_M
from edge.speed import AUTO, Choice, choose, read_speeds, speeds_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--provider", default=AUTO, help="auto, cpu, openvino, cuda or tensorrt (%(default)s)")
    parser.add_argument(
        "--precision", default=AUTO, metavar="P", help="auto, fp32, bf16, fp16 or int8, as the provider allows"
    )
    parser.add_argument("--threads", type=int, default=0, help="workers (one a core)")


def add_scan_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a count and a measurement are told of a scene and its vessels."""
    parser.add_argument("--gsd", type=float, metavar="M", help="ground sample distance, m/px, where the file has none")
    parser.add_argument(
        "--max-length", type=float, default=MAX_LENGTH_M, metavar="M", help="longest vessel, m (%(default).0f)"
    )
    parser.add_argument(
        "--min-length", type=float, default=0.0, metavar="M", help="shortest vessel that counts, m (%(default).0f)"
    )


def cache_dir() -> Path | None:
    """Where this user's programs keep what they can make again (XDG base directory specification).

    None where nobody says: a container may run as a user without a home.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "tanker-edge"
    try:
        return Path.home() / ".cache" / "tanker-edge"
    except RuntimeError:
        return None


def choose_way(card: ModelCard, args: argparse.Namespace) -> Choice:
    """How to run a model on this device.

    Raises:
        ProviderError: the provider is not there.
        ModelError: the precision did not pass its gate.
    """
    folder = cache_dir()
    speeds = read_speeds(speeds_file(folder, card)) if folder else None
    return choose(card, args.provider, args.precision, speeds)


def say(choice: Choice) -> None:
    """Say on stderr what `auto` chose."""
    print(f"tanker-edge: runs on {choice.provider} in {choice.precision}, {choice.why}", file=sys.stderr)


def load_chosen(args: argparse.Namespace, tell: Callable[[Choice], None] = say) -> Detector:
    """Load the model that the options name, as it is on disk now.

    Args:
        args: the options of `add_model_arguments`.
        tell: is told what `auto` chose, where there was a choice.

    Raises:
        ModelError: the model is not whole, or the precision did not pass its gate.
        ProviderError: the provider is not there, or does not run.
    """
    card = load_card(find_model(args.model))
    choice = choose_way(card, args)
    if choice.of > 1:
        tell(choice)
    return open_detector(card, choice.provider, choice.precision, args.threads)
