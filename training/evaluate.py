"""Score a model on the val split, run the way users run it (edge.pipeline).

    python -m training.evaluate --model models/vessel-n --data ../shared/data --out runs/evaluate

Prints a table by set and ends with one JSON line. `--write-card` puts the figures into the model's card. Pictures that
were scored before with the same model and settings are not scored again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge import __version__
from edge.detector import Detector, load_detector
from edge.pipeline import ScanOptions, scan
from edge.scene import Scale, SceneOptions, open_scene
from training.cards import write_metrics
from training.metrics import Judged, Truth, judge, long_sides, summarise
from training.sources import VAL_SHARE, LabelledScene, Source, gather_sources, read_scenes
from training.steps import finish, progress, run_step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.geometry import Floats

PARTLY_LABELLED = ("naval-harbours-bit-300", "sen2ships-15-port-scenes")
"""Sets whose labels are incomplete: their recall is told, their precision means little and enters no total."""
MIN_LENGTH_M = 40.0
"""Whole scenes with truth files are labelled from this length on."""


def label_truth(scene: LabelledScene) -> Truth:
    """Truth from a label file; all of it counts."""
    return Truth(
        scene.image.name,
        scene.source.name,
        scene.width,
        scene.height,
        scene.corners,
        np.array(scene.kinds, np.int64),
        np.ones(len(scene.kinds), bool),
        scene.ignored,
        scene.source.gsd_m,
        np.array(scene.doubtful, bool) if scene.doubtful else None,
    )


def file_truth(path: Path, source: str) -> Truth:
    """Truth from a truth file: sure vessels of at least MIN_LENGTH_M count."""
    content = json.loads(path.read_text())
    rows = content["annotations"]
    gsd = content.get("gsd_m_per_px")
    shortest = MIN_LENGTH_M / gsd if gsd else 0.0
    return Truth(
        Path(content["file"]).name,
        source,
        content["width"],
        content["height"],
        np.array([r["corners"] for r in rows], np.float64).reshape(-1, 4, 2),
        np.array([r["class"] for r in rows], np.int64),
        np.array([bool(r["sure"]) and r["length_px"] >= shortest for r in rows], bool),
        tuple(np.array(p, np.float64).reshape(-1, 2) for p in content["ignore"]),
        gsd,
    )


def val_pictures(sources: Sequence[Source], data: Path | None) -> list[tuple[Path, Truth]]:
    """Val pictures of all sets with their truth; a truth file is taken before a label file.

    Folders of `data` with `scenes/` and `truth/` are val as a whole.
    """
    pictures = []
    for source in sources:
        truths = {Path(json.loads(p.read_text())["file"]).name: p for p in (source.folder / "truth").glob("*.json")}
        for scene in read_scenes(source):
            if scene.split != "val":
                continue
            known = truths.get(scene.image.name)
            pictures.append((scene.image, file_truth(known, source.name) if known else label_truth(scene)))
    wholes = data.glob("*/scenes") if data else []
    for folder in sorted(p.parent for p in wholes if (p.parent / "truth").is_dir()):
        for path in sorted((folder / "truth").glob("*.json")):
            content = json.loads(path.read_text())
            pictures.append((folder / content["file"], file_truth(path, folder.name)))
    return pictures


def predict(detector: Detector, picture: Path, gsd_m: float | None, scale: Scale | None) -> dict[str, Any]:
    """One picture's candidates: corners, score, kind."""
    with open_scene(picture, SceneOptions(gsd_m=gsd_m)) as scene:
        result = scan(scene, detector, ScanOptions(scale=scale))
    rows = result.candidates
    return {
        "corners": np.round(rows.corners, 3).tolist(),
        "score": rows.score.tolist(),
        "kind": rows.kind.tolist(),
        "kind_score": np.nan_to_num(rows.kind_score, nan=-1.0).tolist(),
    }


def evaluate(
    detector: Detector, pictures: Sequence[tuple[Path, Truth]], cache: Path, scale: Scale | None = None
) -> list[Judged]:
    """Scan and judge all pictures; answers are kept in `cache` by model, picture and settings."""
    said = {k: v for k, v in detector.card.raw.items() if k not in ("metrics", "training", "kind_training")}
    key = hashlib.sha256(json.dumps([said, __version__], sort_keys=True).encode()).hexdigest()[:16]
    stamp = f"{key}-{scale.factor if scale else 'auto'}"
    judged = []
    for path, truth in progress(pictures, len(pictures), "evaluate", every_s=15):
        content = hashlib.sha256(path.read_bytes() + repr(truth.gsd_m).encode()).hexdigest()[:12]
        known = cache / stamp / f"{truth.source}__{path.stem}__{content}.json"
        if not known.exists():
            write_atomic(known, json.dumps(predict(detector, path, truth.gsd_m, scale)))
        found = json.loads(known.read_text())
        corners = np.array(found["corners"], np.float64).reshape(-1, 4, 2)
        score, kinds = np.array(found["score"], np.float64), np.array(found["kind"], np.int64)
        judged.append(judge_rows(truth, corners, score, kinds))
    return judged


def judge_rows(truth: Truth, corners: Floats, score: Floats, kinds: NDArray[np.int64]) -> Judged:
    """Judge predictions (n, 4, 2), (n,), (n,); those too short for a truth file's promise are left out."""
    if truth.gsd_m and not truth.counted.all():
        long_enough = long_sides(corners) >= MIN_LENGTH_M / truth.gsd_m
        corners, score, kinds = corners[long_enough], score[long_enough], kinds[long_enough]
    return judge(truth, corners, score, kinds)


def without_doubtful(pictures: Sequence[Judged]) -> list[Judged]:
    """The same pictures with boxes of doubtful geometry taken as neither right nor wrong."""
    out = []
    for p in pictures:
        doubtful = p.truth.doubtful
        counted = p.truth.counted if doubtful is None else p.truth.counted & ~doubtful
        out.append(judge(replace(p.truth, counted=counted), p.predicted.corners, p.predicted.score, p.predicted.kinds))
    return out


def tables(judged: Sequence[Judged], threshold: float) -> dict[str, dict[str, Any]]:
    """Figures by set, for all fully labelled sets, and inventions a megapixel on pictures without vessels."""
    by_source: dict[str, list[Judged]] = {}
    for picture in judged:
        by_source.setdefault(picture.truth.source, []).append(picture)
    out = {name: summarise(group, threshold) for name, group in sorted(by_source.items())}
    for name, group in by_source.items():
        if any(p.truth.doubtful is not None for p in group):
            out[f"{name}, sure boxes"] = summarise(without_doubtful(group), threshold)
    whole = [p for p in judged if p.truth.source not in PARTLY_LABELLED]
    out["all fully labelled"] = summarise(whole, threshold)
    for name, group in by_source.items():
        if not any(len(p.truth.corners) for p in group):
            megapixels = sum(p.truth.width * p.truth.height for p in group) / 1e6
            said = sum(int((p.predicted.score >= threshold).sum()) for p in group)
            out[name]["inventions_per_mp"] = said / megapixels
    return out


def print_table(figures: dict[str, dict[str, Any]]) -> None:
    """A table by set, for people, on stderr (stdout ends with the JSON line)."""
    names = (
        "pictures",
        "vessels",
        "ap50",
        "ap50_95",
        "precision",
        "recall",
        "f1",
        "count_mae",
        "count_exact",
        "count_within_10",
        "tanker_precision",
        "tanker_recall",
        "tankers",
    )
    print(
        f"{'set':40s}" + "".join(f"{n.replace('tanker_', 't_').replace('count_', 'c_')[:9]:>10s}" for n in names),
        file=sys.stderr,
    )
    for name, row in figures.items():
        cells = (
            "-" if row[n] is None else f"{row[n]:.3f}" if isinstance(row[n], float) else str(row[n]) for n in names
        )
        print(f"{name:40s}" + "".join(f"{c:>10s}" for c in cells), file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--data", type=Path, help="folder of the labelled sets that --sources lists")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="a set of your own: images/, labels/")
    parser.add_argument("--val-share", type=float, default=VAL_SHARE, help="share of your own pictures that is val")
    parser.add_argument("--gsd", type=float, help="ground sample distance of your own pictures, m/px")
    parser.add_argument("--sources", type=Path, default=Path(__file__).with_name("sources.json"))
    parser.add_argument("--only", action="append", default=[], help="only these sets")
    parser.add_argument("--conf", type=float, help="score threshold; the card's if left out")
    parser.add_argument("--up", type=int, default=0, help="resample by this factor instead of by the GSD")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate"))
    parser.add_argument("--write-card", action="store_true", help="put the figures into the model's card")
    args = parser.parse_args(argv)
    detector = load_detector(args.model, "cpu")
    sources = gather_sources(args.data, args.sources, args.folder, args.val_share, args.gsd)
    pictures = [p for p in val_pictures(sources, args.data) if not args.only or p[1].source in args.only]
    scale = Scale(args.up, 1) if args.up else None
    judged = evaluate(detector, pictures, args.out / "cache", scale)
    threshold = detector.card.score_threshold if args.conf is None else args.conf
    figures = tables(judged, threshold)
    print_table(figures)
    write_atomic(args.out / "figures.json", json.dumps(figures, indent=1) + "\n")
    write_atomic(args.out / "predictions.json", json.dumps(_predictions(judged)) + "\n")
    if args.write_card:
        words = [f"--{k} {getattr(args, k)}" for k in ("data", "conf", "gsd") if getattr(args, k) is not None]
        words += [f"--folder {folder}" for folder in args.folder]
        write_metrics(
            args.model, figures, threshold, f"python -m training.evaluate --model {args.model} {' '.join(words)}"
        )
    total = {k: v for k, v in figures["all fully labelled"].items() if not isinstance(v, dict)}
    finish(step="evaluate", model=detector.card.name, threshold=threshold, **total)
    return 0


def _predictions(judged: Sequence[Judged]) -> dict[str, list[dict[str, Any]]]:
    """In the form of the independent scorer."""
    return {
        Path(p.truth.name).stem: [
            {"corners": c.tolist(), "score": float(s), "class": int(k)}
            for c, s, k in zip(p.predicted.corners, p.predicted.score, p.predicted.kinds, strict=True)
        ]
        for p in judged
    }


if __name__ == "__main__":
    run_step(main)
