"""What commands that run a model share: the options that name it, and how it is loaded."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import Detector, open_detector
from edge.errors import UsageError
from edge.model_card import ModelCard, load_card
from edge.plan import MAX_LENGTH_M, ScanOptions
from edge.scene import SceneOptions
from edge.speed import AUTO, Choice, choose, read_speeds, speeds_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


LOG = logging.getLogger(__name__)


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


def add_count_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what all commands that count scenes are told of how to do it."""
    add_model_arguments(parser)
    add_scan_arguments(parser)
    parser.add_argument("--aoi", type=Path, metavar="FILE", help="GeoJSON polygon: only what is inside is counted")
    parser.add_argument("--conf", type=float, metavar="T", help="score from which a vessel counts (the model's own)")
    parser.add_argument(
        "--exhaustive",
        action="store_true",
        help="look at every tile at full resolution: skip nothing, find nothing coarsely",
    )
    parser.add_argument("--tile", type=int, metavar="PX", help="side of the tiles, px (chosen by the scene's size)")
    parser.add_argument("--overlap", type=int, metavar="PX", help="what tiles share, px (the longest vessel)")
    parser.add_argument("--bands", metavar="B", help="bands to see: one, or red,green,blue, counted from 1")
    parser.add_argument(
        "--stretch", metavar="LO,HI", default="1,99", help="percentiles for 16-bit scenes (%(default)s)"
    )
    parser.add_argument("--max-pixels", type=int, metavar="N", help="largest picture to decode whole, px")


def scene_options(args: argparse.Namespace) -> SceneOptions:
    """Options of reading, from the command line's words.

    Raises:
        UsageError: one of them makes no sense.
    """
    words: dict[str, Any] = {"gsd_m": args.gsd}
    try:
        if args.bands:
            words["bands"] = tuple(int(b) for b in args.bands.split(","))
        low, high = (float(v) for v in args.stretch.split(","))
        words["stretch"] = (low, high)
    except ValueError:
        raise UsageError("--bands/--stretch", "is not a list of numbers", "write 3,2,1 or 1,99") from None
    if args.max_pixels is not None:
        words["max_pixels"] = args.max_pixels
    return SceneOptions(**words)


def scan_options(args: argparse.Namespace, batch: int = 1) -> ScanOptions:
    """Options of counting, from the command line's words.

    Raises:
        UsageError: one of them makes no sense.
    """
    return ScanOptions(
        threshold=args.conf,
        max_length_m=args.max_length,
        min_length_m=args.min_length,
        threads=args.threads,
        batch=batch,
        tile_px=args.tile,
        overlap_px=args.overlap,
        exhaustive=args.exhaustive,
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


def log_choice(choice: Choice) -> None:
    """Say in the log what `auto` chose."""
    facts = {"provider": choice.provider, "precision": choice.precision, "why": choice.why}
    LOG.info("model_way", extra={"fields": facts})


def load_chosen(args: argparse.Namespace, tell: Callable[[Choice], None] = say) -> Detector:
    """Load the model that the options name, as it is on disk now.

    Args:
        args: the options of `add_model_arguments`.
        tell: is told what `auto` chose, where there was a choice.

    Raises:
        ModelError: the model is not whole, or the precision did not pass its gate.
        ProviderError: the provider is not there, or does not run.
    """
    card, choice = choose_model(args, tell)
    return open_detector(card, choice.provider, choice.precision, args.threads)


def choose_model(args: argparse.Namespace, tell: Callable[[Choice], None] = say) -> tuple[ModelCard, Choice]:
    """The model that the options name, its files checked, and how to run it here; see `load_chosen`.

    Raises:
        ModelError: the model is not whole.
        ProviderError: the provider is not there.
    """
    card = load_card(find_model(args.model))
    choice = choose_way(card, args)
    if choice.of > 1:
        tell(choice)
    return card, choice
