"""`tanker-edge serve`: the HTTP face, until a signal ends it."""

from __future__ import annotations

import logging
import math
import os
import stat
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import logs
from edge.batching import MOST_AT_ONCE, batched
from edge.commands._model import add_model_arguments, load_chosen, log_choice
from edge.errors import UsageError
from edge.server.run import serve
from edge.server.settings import DAY_S, GIB, LONGEST_TOKEN, MIB, Settings

if TYPE_CHECKING:
    import argparse


LOG = logging.getLogger(__name__)
TOKEN = "TANKER_EDGE_TOKEN"  # noqa: S105 - the name of a variable
MEGAPIXEL = 1_000_000

NUMBERS: tuple[tuple[str, str, float, str], ...] = (
    ("--max-body-mb", "max_body_bytes", MIB, "largest body of a request that is answered at once, MiB"),
    ("--max-request-mp", "max_request_pixels", MEGAPIXEL, "largest scene that is counted in the request, million px"),
    (
        "--max-inflight-mp",
        "max_inflight_pixels",
        MEGAPIXEL,
        "scenes being counted in requests, million px in all",
    ),
    ("--max-job-mp", "max_job_pixels", MEGAPIXEL, "largest scene of a job, million px"),
    ("--max-decoded-mp", "max_decoded_pixels", MEGAPIXEL, "largest JPEG, PNG or the like of a job, million px"),
    ("--max-upload-gb", "max_upload_bytes", GIB, "largest file of a job, GiB"),
    ("--max-waiting-jobs", "max_waiting_jobs", 1, "jobs that are received in parts, wait or run"),
    ("--keep-days", "keep_s", DAY_S, "how long results are kept, days"),
    ("--deadline", "deadline_s", 1, "how long a count in the request may take, s"),
    ("--body-timeout", "body_timeout_s", 1, "how long a client may be silent while it sends a body, s"),
    ("--grace", "grace_s", 1, "how long running requests may go on after SIGTERM, s"),
    ("--lame-duck", "lame_duck_s", 1, "how long requests are taken after SIGTERM, s; readiness says no at once"),
)
"""Options that are numbers: their names, fields of Settings, and how much one of the option's units is."""
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Settings)}


def number(text: str) -> float:
    """A finite number; argparse says which option has none."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", default=DEFAULTS["host"], help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULTS["port"], help="0 takes a free one (%(default)s)")
    add_model_arguments(parser)
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder of jobs and results ($XDG_STATE_HOME/tanker-edge)"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"bearer token that requests must carry (or ${TOKEN})"
    )
    parser.add_argument("--open-to-all", action="store_true", help="listen beyond this machine without a token")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name by which clients call the server"
    )
    parser.add_argument(
        "--allow-path",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a folder whose files jobs may name",
    )
    parser.add_argument(
        "--allow-url", action="append", default=[], metavar="PREFIX", help="a prefix of URLs that jobs may name"
    )
    for option, name, unit, told in NUMBERS:
        default = DEFAULTS[name] / unit
        parser.add_argument(option, dest=name, type=number, default=default, metavar="N", help=f"{told} ({default:g})")
    parser.add_argument("--log-level", choices=logs.LEVELS, default="info", help="least that is logged (%(default)s)")


def main(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    logs.set_up(args.log_level)
    settings = settings_of(args, os.environ.pop(TOKEN, None))
    serve(settings, lambda: batched(load_chosen(args, log_choice), MOST_AT_ONCE))
    return 0


def settings_of(args: argparse.Namespace, token: str | None = None) -> Settings:
    """What the options say.

    Args:
        args: parsed options.
        token: of the environment; a file comes before it.

    Raises:
        UsageError: an option makes no sense.
    """
    numbers = {name: args.__dict__[name] * unit for _, name, unit, _ in NUMBERS}
    whole = {name: round(value) if isinstance(DEFAULTS[name], int) else value for name, value in numbers.items()}
    return Settings(
        host=args.host,
        port=args.port,
        state=args.state.absolute() if args.state else default_state(),
        token=read_token(args.token_file) if args.token_file else token,
        open_to_all=args.open_to_all,
        hosts=tuple(args.allow_host),
        roots=tuple(map(_folder, args.allow_path)),
        urls=tuple(args.allow_url),
        threads=args.threads,
        **whole,
    )


def default_state() -> Path:
    """Where systemd says that state belongs, or where this user's programs keep theirs (XDG base directories).

    Raises:
        UsageError: nobody says: a container may run as a user without a home.
    """
    told = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd may give several
    if told:
        return Path(told)
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():
        return base / "tanker-edge"
    try:
        return Path.home() / ".local" / "state" / "tanker-edge"
    except RuntimeError:
        raise UsageError("--state", "this user has no home folder", "give a folder") from None


def read_token(file: Path) -> str:
    """The token in a file, which should be for this user's eyes only.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(LONGEST_TOKEN + 2).decode("ascii")
    except OSError as error:
        raise UsageError("--token-file", f"{file} cannot be read ({error.strerror})", "give a readable file") from None
    except UnicodeDecodeError:
        raise UsageError("--token-file", f"{file} is no ASCII text", "make a token by `openssl rand -hex 32`") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        LOG.warning("token_file_is_open", extra={"fields": {"file": str(file), "mend": "chmod 600"}})
    return text.strip()


def _folder(told: Path) -> Path:
    """A folder that is there, by its real name.

    Raises:
        UsageError: it is not there.
    """
    if not told.is_dir():
        raise UsageError("--allow-path", f"{told} is no folder", "give one that is there")
    return told.resolve()
