"""Cheaper ways to run a model, and the gate that each must pass.

    python -m training.quantize --model models/vessel-n --dataset runs/dataset --data ../shared/data

Precisions: `int8` is a network of its own (QDQ, activations uint8, weights int8 per channel; all of it but the head's
last layers and the attention), calibrated on tiles of the train side; `fp16` is the fp32 network with halved weights,
for GPUs; `bf16` is the fp32 network, which OpenVINO rounds while it runs. Coarse to fine (`edge.coarse`) is a way to
scan. The scores of a precision are calibrated on the calib side, as fp32's are. Each is judged on val beside the full
way, by the runtime, the way users run it; the card keeps figures and verdict. A way that loses too much is refused, by
the card and so by the runtime. A refused file is not kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from edge.coarse import coarse_scale
from edge.detector import FULL, load_detector
from edge.errors import UsageError
from edge.model_card import CARD, FINDER, PRECISIONS, CoarseCard, ModelCard, file_sha256
from edge.scale import choose_scale
from edge.session import PRECISIONS as COMPUTES
from edge.session import available_providers
from edge.speed import ways
from training.calibrate import as_fields, calib_pictures, fit_vessel, looked
from training.cards import save_card
from training.evaluate import PARTLY_LABELLED, add_set_arguments, evaluate, gather_pictures
from training.gate import Verdict, judge_way
from training.matching import long_sides
from training.metrics import summarise
from training.scans import Scanner
from training.sources import gather_sources, read_picture
from training.steps import finish, run_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.calibration import VesselScale
    from edge.detector import Detector
    from training.matching import Truth

WAYS = (*PRECISIONS, "coarse")
TILES, SIDE = 48, 512
"""Calibration tiles of the train side, and how much of each is shown, px."""
PERCENTILE = 99.999
"""Of activations, that int8 still tells apart: the few beyond would take the steps from all others (LOG.md, 17)."""
FIGURES = ("f1", "count_mae")
ALL_PRECISIONS = (FULL, *PRECISIONS)
COARSE_SCORE, SURE_PX = 0.05, 12.0
"""Chosen on the calib side (LOG.md, 18)."""


def make_int8(source: Path, target: Path, tiles: Sequence[NDArray[np.uint8]]) -> None:
    """Quantise a network (QDQ) from what runs through it on tiles (1, h, w, 3)."""
    from onnxruntime.quantization import (  # noqa: PLC0415 - heavy, and only this step needs it
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._tiles = iter(tiles)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            tile = next(self._tiles, None)
            return None if tile is None else {"images": tile}

    with tempfile.TemporaryDirectory() as folder:
        prepared = str(Path(folder) / "prepared.onnx")
        quant_pre_process(str(source), prepared, skip_symbolic_shape=True)

        def quantise(method: CalibrationMethod) -> None:
            quantize_static(
                prepared,
                str(target),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=method,
                nodes_to_exclude=_kept_float(onnx.load(prepared)),
                extra_options={"WeightSymmetric": True, "ActivationSymmetric": False, "CalibPercentile": PERCENTILE},
            )

        try:
            quantise(CalibrationMethod.Percentile)
        except ValueError as error:  # an activation that hardly varies has no histogram
            print(f"int8: calibrated by extremes, not by percentiles ({error})", file=sys.stderr)
            quantise(CalibrationMethod.MinMax)


def _kept_float(model: Any) -> list[str]:
    """Names of the nodes that stay in float.

    They are what prepares the px, the attention, the head's last layers, whose output is a distance or a log-odds, and
    what lays these out.
    """
    nodes = list(model.graph.node)
    convolutions = [i for i, n in enumerate(nodes) if n.op_type == "Conv"]
    names = [n.name for n in nodes[: convolutions[0]] + nodes[convolutions[-1] + 1 :]]
    return names + [n.name for n in nodes if "/attn/" in n.name or n.name.endswith("2/Conv")]


def make_fp16(source: Path, target: Path) -> None:
    """Halve the weights of a network; its input and output stay what they are."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415

    model = convert_float_to_float16(onnx.load(str(source)), keep_io_types=True)
    onnx.save(model, str(target))


def train_tiles(dataset: Path, number: int = TILES) -> list[NDArray[np.uint8]]:
    """Tiles (1, SIDE, SIDE, 3) RGB of a dataset's train side, picked evenly.

    Raises:
        UsageError: there are none.
    """
    paths = sorted((dataset / "images" / "train").glob("*.jpg"))
    if not paths:
        raise UsageError("--dataset", f"{dataset} has no train tiles", "make it with `python -m training.dataset`")
    step = max(1, len(paths) // number)
    tiles = []
    for path in paths[::step][:number]:
        pixels = read_picture(path)[:SIDE, :SIDE, ::-1]
        canvas = np.zeros((1, SIDE, SIDE, 3), np.uint8)
        canvas[0, : pixels.shape[0], : pixels.shape[1]] = pixels
        tiles.append(canvas)
    return tiles


def figures(
    detector: Detector,
    cache: Path,
    pictures: Sequence[tuple[Path, Truth]],
    *,
    exhaustive: bool,
    min_length_m: float = 0.0,
) -> dict[str, Any]:
    """F1 and count MAE of a way to run a model on pictures, at the card's threshold."""
    scanner = Scanner(detector, cache, exhaustive=exhaustive, min_length_m=min_length_m)
    row = summarise(evaluate(scanner, pictures), detector.card.score_threshold)
    return {k: row[k] for k in FIGURES}


def judged_on(name: str) -> str | None:
    """The provider that a precision is judged on here; None where there is none for it."""
    return next((p for p in available_providers() if name in COMPUTES[p]), None)


def try_precision(name: str, args: argparse.Namespace, pictures: Sequence[tuple[Path, Truth]]) -> dict[str, Any]:
    """Make, judge, and write into the card; a file stays only if the gate lets it through."""
    folder: Path = args.model
    provider = judged_on(name)
    if provider is None:
        wanted = ", ".join(p for p, computes in COMPUTES.items() if name in computes)
        print(f"{name}: not judged, none of {wanted} is here", file=sys.stderr)
        return {"way": name, "accepted": None}
    file = FINDER if name == "bf16" else f"model.{name}.onnx"
    if name == "int8":
        make_int8(folder / FINDER, folder / file, train_tiles(args.dataset))
    if name == "fp16":
        make_fp16(folder / FINDER, folder / file)
    _tell_precision(folder, name, file, Verdict(accepted=False, words="not judged yet"), None)
    scale = _recalibrated(args, load_detector(folder, provider, name, gated=False))
    _tell_precision(folder, name, file, Verdict(accepted=False, words="not judged yet"), scale)
    full = figures(load_detector(folder), args.out / "cache", pictures, exhaustive=True)
    cheap = figures(load_detector(folder, provider, name, gated=False), args.out / "cache", pictures, exhaustive=True)
    verdict = judge_way(full, cheap, f"{len(pictures)} val pictures, on {provider}")
    if file != FINDER and not verdict.accepted:
        (folder / file).unlink()
    _tell_precision(folder, name, file, verdict, scale)
    return {"way": name, "accepted": verdict.accepted, "full": full, "cheap": cheap}


def _recalibrated(args: argparse.Namespace, detector: Detector) -> VesselScale | None:
    """What makes a score of this precision's answers, fitted on the calib side as fp32's was; None without a teller."""
    if detector.teller is None:
        return None
    return fit_vessel(looked(detector, detector.teller, calib_pictures(args), args.out / "calib"))


def _tell_precision(folder: Path, name: str, file: str, verdict: Verdict, scale: VesselScale | None) -> None:
    """Put a verdict into the card, its own calibration, and the hash of a file that was made for it."""
    card = _card(folder)
    sha256 = file_sha256(folder / file) if (folder / file).exists() else None
    entry = {
        "file": file,
        "providers": [judged_on(name)],
        "accepted": verdict.accepted,
        "verdict": verdict.words,
        "score": as_fields(scale) if scale else None,
        "sha256": sha256,
    }
    card["precisions"] = {**(card.get("precisions") or {}), name: entry}
    if file != FINDER:
        card["files"].pop(file, None)
        card["files"] |= {file: sha256} if verdict.accepted else {}
    save_card(folder, card)


def try_coarse(args: argparse.Namespace, pictures: Sequence[tuple[Path, Truth]]) -> dict[str, Any]:
    """Judge finding coarsely first, on pictures fine enough for it; without a GSD, their set's description has one."""
    folder: Path = args.model
    detector = load_detector(folder)
    way = CoarseCard(detector.card.gsd_m[1], args.coarse_score, SURE_PX, ALL_PRECISIONS, verdict="")
    shortest = way.sure_px * way.gsd_m
    sources = gather_sources(args.data, args.sources, args.folder, args.val_share, args.gsd)
    about = {s.name: s.about_gsd_m for s in sources}
    fine = [(p, replace(t, gsd_m=t.gsd_m or about.get(t.source))) for p, t in pictures]
    fine = [(p, _longer(t, shortest)) for p, t in fine if _fits(t, detector.card, way)]
    if not any(truth.counted.any() for _, truth in fine):
        print("coarse: not judged, no picture with vessels is fine enough", file=sys.stderr)
        return {"way": "coarse", "accepted": None}
    full = figures(detector, args.out / "cache", fine, exhaustive=True, min_length_m=shortest)
    told = f"vessels of {shortest:g} m and more in {len(fine)} {args.split} pictures that are fine enough"
    accepted, verdicts, cheap = [], [], {}
    providers: dict[str, str] = {}
    for provider, precision in ways(detector.card):  # fp32, and what went through the gate and runs here
        providers.setdefault(precision, provider)
    for precision, provider in providers.items():
        trial = load_detector(folder, provider, precision)
        trial = replace(trial, card=replace(trial.card, coarse=way))
        cheap[precision] = figures(trial, args.out / "cache", fine, exhaustive=False, min_length_m=shortest)
        verdict = judge_way(full, cheap[precision], told)
        verdicts.append(f"{precision} {'accepted' if verdict.accepted else 'refused'}: {verdict.words}")
        accepted += [precision] if verdict.accepted else []
    if args.split == "val":
        card = _card(folder)
        card["coarse"] = asdict(replace(way, precisions=tuple(accepted), verdict="; ".join(verdicts)))
        save_card(folder, card)
    return {"way": "coarse", "accepted": accepted, "pictures": len(fine), "full": full, "cheap": cheap}


def _fits(truth: Truth, card: ModelCard, way: CoarseCard) -> bool:
    """Whether a picture is fine enough to be looked at coarsely first."""
    working = choose_scale(truth.gsd_m, card.gsd_m)
    return coarse_scale(working, truth.gsd_m, way, way.sure_px * way.gsd_m) is not None


def _longer(truth: Truth, shortest_m: float) -> Truth:
    """Only vessels of a length or more count; shorter ones are neither right nor wrong."""
    long = long_sides(truth.corners) * (truth.gsd_m or 0) >= shortest_m
    return replace(truth, counted=truth.counted & long)


def _card(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / CARD).read_text()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.quantize", description=(__doc__ or "").splitlines()[0])
    add_set_arguments(parser)
    parser.add_argument("--dataset", type=Path, help="folder of training.dataset, for the calibration tiles of int8")
    parser.add_argument("--way", action="append", choices=WAYS, help="only these (all that can be judged here)")
    parser.add_argument("--coarse-score", type=float, default=COARSE_SCORE, help="candidates looked at close up")
    parser.add_argument("--split", default="val", choices=("val", "calib"), help="calib: only look, at --way coarse")
    parser.add_argument("--out", type=Path, default=Path("runs/quantize"), help="folder of kept answers")
    args = parser.parse_args(argv)
    wanted = args.way or [w for w in WAYS if w != "int8" or args.dataset]
    if "int8" in wanted and not args.dataset:
        raise UsageError("--dataset", "int8 is calibrated on tiles", "name a folder of training.dataset")
    if args.split == "calib" and wanted != ["coarse"]:
        raise UsageError("--split", "precisions are calibrated on calib", "add --way coarse, or leave it out")
    pictures = [p for p in gather_pictures(args, args.split) if p[1].source not in PARTLY_LABELLED]
    done = [try_coarse(args, pictures) if way == "coarse" else try_precision(way, args, pictures) for way in wanted]
    finish(step="quantize", model=args.model.name, ways=done)
    return 0


if __name__ == "__main__":
    run_step(main)
