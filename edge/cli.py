"""The command line: one file a subcommand, imported only when it is asked for, so that --help is quick."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING

from edge import __version__
from edge.errors import TankerEdgeError, UsageError
from edge.preflight import check_native_libraries

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "count": "count the vessels of scenes",
    "bulk": "count the vessels of an archive of scenes",
    "serve": "count over HTTP, with a page for people",
    "bench": "measure how fast a scene is counted on this device",
    "models": "list, show and verify models",
    "doctor": "what is installed, what runs, what is missing",
}
"""Subcommands, each a module of edge.commands with add_arguments() and main()."""
NEEDS_LIBRARIES = ("count", "bulk", "serve", "bench")
"""Subcommands that load OpenCV and rasterio, and so need their system libraries."""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser; only the subcommand that is asked for brings in its own options."""
    parser = argparse.ArgumentParser(
        prog="tanker-edge",
        description="Count oil tankers and other vessels in overhead images of port terminals.",
        epilog="Exit codes: 0 all scored, 2 bad usage or input, 3 model or provider, 4 some of it failed.",
    )
    parser.add_argument("--version", action="version", version=f"tanker-edge {__version__}")
    parser.add_argument("--debug", action="store_true", help="show where in the program an error came from")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == command:
            importlib.import_module(f"edge.commands.{name}").add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((w for w in words if w in COMMANDS), None)
    try:
        if command in NEEDS_LIBRARIES:
            check_native_libraries()  # before the command is imported, and OpenCV with it
        args = build_parser(command).parse_args(words)
        return int(importlib.import_module(f"edge.commands.{args.command}").main(args))
    except TankerEdgeError as error:
        if "--debug" in words:
            raise
        hint = " (--help lists the options)" if isinstance(error, UsageError) else ""
        print(f"tanker-edge: {error}{hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("tanker-edge: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
