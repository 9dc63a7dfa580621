"""Make the virtual environment that the peers run in; a second call installs nothing.

    python -m benchmarks.peers

The peers are pinned in benchmarks/peers.txt; onnxruntime is of the version that we run with, so that a ratio compares
engines and not runtimes. `--venv`, or the environment variable PEERS_VENV, names another place. An environment there
that has all peers and was not made by this step is used as it is; where its versions differ, the answer says so.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.children import SideError
from benchmarks.common import ROOT, finish, headline, say, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REQUIREMENTS = Path(__file__).with_name("peers.txt")
DEFAULT = ROOT / "build" / "peers"
VARIABLE = "PEERS_VENV"
RUNTIMES = ("onnxruntime", "onnxruntime-openvino", "onnxruntime-gpu")
"""Distributions that bring onnxruntime; the peers get the plain one of the same version."""
MARK = "peers.txt"
"""In an environment that was made here: what was installed into it."""
_PROBE = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
)


def venv_path(given: Path | None = None) -> Path:
    """Where the peers' environment is, or is to be."""
    return given or Path(os.environ.get(VARIABLE) or DEFAULT)


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    windows = folder / "Scripts" / "python.exe"
    return windows if windows.exists() else folder / "bin" / "python"


def requirements() -> str:
    """All pins, that of onnxruntime too."""
    found = next(iter(versions(RUNTIMES).values()), None)
    if found is None:
        message = "onnxruntime"
        raise importlib.metadata.PackageNotFoundError(message)
    return f"{REQUIREMENTS.read_text(encoding='utf-8')}onnxruntime=={found}\n"


def pins(text: str) -> dict[str, str]:
    """Distributions -> versions of a file of requirements that are all pinned."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {name: version for name, _, version in (line.partition("==") for line in lines if line)}


def installed(folder: Path, names: Iterable[str]) -> dict[str, str | None]:
    """Versions of distributions in a virtual environment; None for those that are not there."""
    found: dict[str, str] = {}
    if python_of(folder).exists():
        done = subprocess.run(  # noqa: S603 - the interpreter that the peers run in
            [str(python_of(folder)), "-c", _PROBE], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
    return {name: found.get(name) for name in names}


def missing(folder: Path) -> str | None:
    """Why the peers cannot run in an environment; None where they can."""
    absent = [name for name, version in installed(folder, pins(requirements())).items() if version is None]
    return f"{folder} lacks {', '.join(absent)}: run `python -m benchmarks.peers`" if absent else None


def ready_python(given: Path | None = None) -> Path:
    """The peers' interpreter.

    Raises:
        SideError: the environment has not been made.
    """
    folder = venv_path(given)
    reason = missing(folder)
    if reason:
        raise SideError(reason)
    return python_of(folder)


def make(folder: Path) -> bool:
    """Make the environment where it is not there or is out of date; whether anything was installed."""
    wanted, mark = requirements(), folder / MARK
    made_here = mark.is_file()
    if (made_here and mark.read_text(encoding="utf-8") == wanted) or (not made_here and missing(folder) is None):
        return False
    say(f"installing the peers into {folder}, some minutes the first time")
    venv.create(folder, with_pip=True)
    command = [str(python_of(folder)), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*command, *(f"{n}=={v}" for n, v in pins(wanted).items())], check=True)  # noqa: S603 - as above
    mark.write_text(wanted, encoding="utf-8")
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Make, print what is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=headline(__doc__))
    add_venv(parser)
    args = parser.parse_args(argv)
    folder = venv_path(args.venv)
    done = make(folder)
    wanted = pins(requirements())
    there = installed(folder, wanted)
    differ = {name: there[name] for name in wanted if (there[name] or "").partition("+")[0] != wanted[name]}
    return finish("peers", {"venv": str(folder), "installed": done, "versions": there, "not_as_pinned": differ})


def add_venv(parser: argparse.ArgumentParser) -> None:
    """The option that says where the peers' environment is."""
    parser.add_argument("--venv", type=Path, help=f"the peers' virtual environment (${VARIABLE}, or build/peers)")


if __name__ == "__main__":
    raise SystemExit(main())
