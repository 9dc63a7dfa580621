"""Run benchmarks as processes of their own, and read what their last line says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.common import ROOT, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.common import Document

_PATIENCE_S = 3 * 3600


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark of several."""

    name: str
    """Module in `benchmarks`."""
    options: Sequence[str] = ()
    figures: Mapping[str, Callable[[Document], Any]] = field(default_factory=dict)
    """Figures of the whole -> where they are in the part's document."""


class PartError(RuntimeError):
    """A part did not run."""


def last_line(text: str) -> Document:
    """The JSON document that a benchmark's output ends with.

    Raises:
        ValueError: there is none.
    """
    lines = text.strip().splitlines()
    document = json.loads(lines[-1] if lines else "")
    if not isinstance(document, dict):
        message = f"the last line is no document: {lines[-1][:80]}"
        raise ValueError(message)  # noqa: TRY004 - the text is wrong, not a type in the program
    return document


def run_part(part: Part) -> Document:
    """Run a benchmark; show its table, give its document.

    Raises:
        PartError: it failed, took too long, or did not end with a document.
    """
    command = [sys.executable, "-m", f"benchmarks.{part.name}", *part.options]
    say(f"--- {' '.join(command[1:])}")
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=_PATIENCE_S
        )
        document = last_line(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise PartError(str(error)) from error
    print("\n".join(done.stdout.strip().splitlines()[:-1]), flush=True)
    return document


def gather(parts: Sequence[Part], run: Callable[[Part], Document] = run_part) -> Document:
    """Run parts in turn: their figures, their documents, and what is left out; a figure that is not there is None."""
    figures: Document = {}
    documents: Document = {}
    left_out: dict[str, str] = {}
    for part in parts:
        figures.update(dict.fromkeys(part.figures))
        try:
            documents[part.name] = run(part)
        except PartError as error:
            left_out[part.name] = str(error)
            continue
        left_out.update({f"{part.name}: {k}": v for k, v in documents[part.name].get("left_out", {}).items()})
        for name, pick in part.figures.items():
            figures[name] = pick(documents[part.name])
            if figures[name] is None:
                left_out.setdefault(
                    name, f"benchmarks.{part.name} has no such figure; its own part of left_out may say why"
                )
    return {**figures, "left_out": left_out, "parts": documents}
