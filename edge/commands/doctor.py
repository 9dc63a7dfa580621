"""`tanker-edge doctor`: what is installed, which providers really run a network, what is missing and how to mend it."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.errors import TankerEdgeError
from edge.preflight import check_native_libraries, installed_version

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edge.model_card import ModelCard

PACKAGES = ("numpy", "opencv-python", "onnxruntime", "rasterio", "fastapi", "uvicorn", "prometheus-client")
ONE_OF = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino"), "opencv-python": ("opencv-python-headless",)}
"""Distributions that share files: having two of a row breaks both."""
TOY = Path(__file__).with_name("toy.onnx")
"""Doubles its input; made by `python -m tests.toy_model`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--model", help="a shipped model or a model folder whose speed to measure (all shipped ones)")
    parser.add_argument("--bench", action="store_true", help="measure the speed of each way to run a model anew")


def packages() -> list[dict[str, Any]]:
    """Versions of what the runtime needs, with the mend where something is missing or there twice."""
    rows = []
    for name in PACKAGES:
        others = {o: v for o in ONE_OF.get(name, ()) if (v := installed_version(o))}
        found = installed_version(name)
        mend = None
        if found and others:
            mend = f"{name} and {', '.join(others)} overwrite each other: uninstall all of them, then install one"
        elif not found and not others:
            mend = f"pip install {name}"
        rows.append({"name": name, "version": found or next(iter(others.values()), None), "mend": mend})
    return rows


def providers() -> list[dict[str, Any]]:
    """For each provider whether it runs a toy network here, or why not and what to do."""
    import numpy as np  # noqa: PLC0415 - the doctor must also speak where imports fail

    from edge.session import PROVIDERS, open_session  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for name in PROVIDERS:
        try:
            doubled = open_session(TOY, name).run(np.array([[1.0, 2.0]], np.float32))
            works = bool((doubled == [[2.0, 4.0]]).all())
            rows.append({"name": name, "runs": works, "why": None if works else f"it answers {doubled.tolist()}"})
        except TankerEdgeError as error:  # noqa: PERF203 - each provider has a verdict of its own
            rows.append({"name": name, "runs": False, "why": f"{error.cause}; {error.mend}"})
    return rows


def models() -> list[dict[str, Any]]:
    """Whether each shipped model is whole."""
    from edge.catalogue import shipped_models  # noqa: PLC0415
    from edge.model_card import load_card  # noqa: PLC0415

    rows = []
    for folder in shipped_models():
        try:
            load_card(folder)
            rows.append({"name": folder.name, "whole": True, "why": None})
        except TankerEdgeError as error:  # noqa: PERF203 - each model has a verdict of its own
            rows.append({"name": folder.name, "whole": False, "why": str(error)})
    return rows


def speeds(folders: Sequence[Path], *, anew: bool) -> list[dict[str, Any]]:
    """How fast each model runs here, each way that it may; what was measured before is not measured again."""
    from edge.model_card import load_card  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for folder in folders:
        row: dict[str, Any] = {"model": folder.name, "measured": None, "ways": [], "why": None}
        rows.append(row)
        try:
            _measure(load_card(folder), row, anew=anew)
        except TankerEdgeError as error:
            row["why"] = str(error)
    return rows


def _measure(card: ModelCard, row: dict[str, Any], *, anew: bool) -> None:
    """Fill a row with what was measured, now or before; failures are told in `why`."""
    from edge.commands._model import cache_dir  # noqa: PLC0415
    from edge.speed import measure, read_speeds, speeds_file, write_speeds  # noqa: PLC0415

    folder = cache_dir()
    known = None if anew or folder is None else read_speeds(speeds_file(folder, card))
    failures: list[str] = []
    found = known or measure(card, failures.append)
    row["measured"], row["ways"] = found.measured, [asdict(way) for way in found.rows]
    row["why"] = "; ".join(failures) or None
    if folder is None:
        row["why"] = "not kept: there is no home folder; set XDG_CACHE_HOME"
    elif known is None and not failures:
        write_speeds(speeds_file(folder, card), found)


def examine(model: str | None = None, *, anew: bool = False) -> dict[str, Any]:
    """Everything that the doctor knows.

    Args:
        model: a shipped model or a model folder, whose speed to measure; None for all that are shipped.
        anew: measure speeds that are known already.
    """
    from edge.catalogue import find_model, shipped_models  # noqa: PLC0415

    report: dict[str, Any] = {
        "tanker_edge": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "packages": packages(),
        "libraries": None,
        "providers": [],
        "models": [],
        "speeds": [],
    }
    try:
        check_native_libraries()
        report["providers"], report["models"] = providers(), models()
        report["speeds"] = speeds([find_model(model)] if model else shipped_models(), anew=anew)
    except (TankerEdgeError, ImportError) as error:
        report["libraries"] = str(error)
    return report


def main(args: argparse.Namespace) -> int:
    """Print the report; exit 3 where the CPU cannot run the shipped models."""
    report = examine(args.model, anew=args.bench)
    if args.json:
        print(json.dumps(report))
    else:
        _print(report)
    cpu = any(p["name"] == "cpu" and p["runs"] for p in report["providers"])
    whole = [m["whole"] for m in report["models"]]
    well = cpu and report["libraries"] is None and bool(whole) and all(whole)
    return 0 if well and not any(p["mend"] for p in report["packages"]) else 3


def _print(report: dict[str, Any]) -> None:
    print(f"tanker-edge {report['tanker_edge']}, Python {report['python']}, {report['system']}")
    for row in report["packages"]:
        print(f"  {row['name']:16s} {row['version'] or 'missing'}" + (f"   MEND: {row['mend']}" if row["mend"] else ""))
    if report["libraries"]:
        print(f"  MEND: {report['libraries']}", file=sys.stdout)
    for row in report["providers"]:
        print(f"  provider {row['name']:10s} " + ("runs" if row["runs"] else f"not here: {row['why']}"))
    if not report["models"] and not report["libraries"]:
        print("  MEND: no model is here: install tanker-edge again")
    for row in report["models"]:
        print(f"  model {row['name']:13s} " + ("whole" if row["whole"] else f"MEND: {row['why']}"))
    for row in report["speeds"]:
        if row["why"]:
            print(f"  speed {row['model']:13s} MEND: {row['why']}")
        for way in row["ways"]:
            told = f"{way['provider']} in {way['precision']}: {way['tiles_per_s']:.1f} tiles/s"
            print(f"  speed {row['model']:13s} {told}, measured {row['measured'][:10]}")
