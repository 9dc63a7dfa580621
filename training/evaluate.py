"""Score a model on the val split, run the way users run it (edge.pipeline).

    python -m training.evaluate --model models/vessel-n --data ../shared/data --out runs/evaluate

Prints a table by set, writes a page with pictures (OUT/report.html) and ends with one JSON line. `--write-card` puts
the figures into the model's card. Pictures that were scored before with the same model and settings are not scored
again.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detector import load_detector
from edge.errors import UsageError
from edge.scene import Scale
from training.cards import TABLE, cell, write_metrics
from training.matching import Judged, Truth, judge, long_sides
from training.metrics import summarise
from training.reliability import trust
from training.report import Report, build_page, read_robustness
from training.report_scenes import Shown
from training.scans import Scanner
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


def held_out(sources: Sequence[Source], data: Path | None, split: str = "val") -> list[tuple[Path, Truth]]:
    """Pictures of one side of all sets with their truth; a truth file is taken before a label file.

    Folders of `data` with `scenes/` and `truth/` are val as a whole.
    """
    pictures = []
    for source in sources:
        truths = {Path(json.loads(p.read_text())["file"]).name: p for p in (source.folder / "truth").glob("*.json")}
        for scene in read_scenes(source):
            if scene.split != split:
                continue
            known = truths.get(scene.image.name)
            pictures.append((scene.image, file_truth(known, source.name) if known else label_truth(scene)))
    wholes = data.glob("*/scenes") if data and split == "val" else []
    for folder in sorted(p.parent for p in wholes if (p.parent / "truth").is_dir()):
        for path in sorted((folder / "truth").glob("*.json")):
            content = json.loads(path.read_text())
            pictures.append((folder / content["file"], file_truth(path, folder.name)))
    return pictures


def evaluate(scanner: Scanner, pictures: Sequence[tuple[Path, Truth]]) -> list[Judged]:
    """Scan and judge all pictures."""
    judged = []
    for path, truth in progress(pictures, len(pictures), "evaluate", every_s=15):
        found = scanner(path, truth.source, truth.gsd_m)
        rows = judge_rows(truth, found.corners, found.score, found.kinds, found.kind_score)
        judged.append(replace(rows, said=found.said))
    return judged


def judge_rows(
    truth: Truth, corners: Floats, score: Floats, kinds: NDArray[np.int64], kind_score: Floats | None = None
) -> Judged:
    """Judge predictions (n, 4, 2), (n,), (n,), (n,); those too short for a truth file's promise are left out."""
    told = np.full(len(score), np.nan) if kind_score is None else kind_score
    if truth.gsd_m and not truth.counted.all():
        keep = long_sides(corners) >= MIN_LENGTH_M / truth.gsd_m
        corners, score, kinds, told = corners[keep], score[keep], kinds[keep], told[keep]
    return judge(truth, corners, score, kinds, told)


def without_doubtful(pictures: Sequence[Judged]) -> list[Judged]:
    """The same pictures with boxes of doubtful geometry taken as neither right nor wrong."""
    out = []
    for p in pictures:
        said = p.predicted
        again = judge(p.truth.without_doubtful(), said.corners, said.score, said.kinds, said.kind_score)
        out.append(replace(again, said=p.said))
    return out


def figures_of(judged: Sequence[Judged], threshold: float) -> dict[str, Any]:
    """All figures of some pictures."""
    return {**summarise(judged, threshold), **trust(judged, threshold)}


def tables(judged: Sequence[Judged], threshold: float) -> dict[str, dict[str, Any]]:
    """Figures by set, for all fully labelled sets, and inventions a megapixel on pictures without vessels."""
    by_source: dict[str, list[Judged]] = {}
    for picture in judged:
        by_source.setdefault(picture.truth.source, []).append(picture)
    out = {name: figures_of(group, threshold) for name, group in sorted(by_source.items())}
    for name, group in by_source.items():
        if any(p.truth.doubtful is not None for p in group):
            out[f"{name}, sure boxes"] = figures_of(without_doubtful(group), threshold)
    whole = fully_labelled(judged)
    out["all fully labelled"] = figures_of(whole, threshold)
    for name, group in by_source.items():
        if not any(len(p.truth.corners) for p in group):
            megapixels = sum(p.truth.width * p.truth.height for p in group) / 1e6
            said = sum(int((p.predicted.score >= threshold).sum()) for p in group)
            out[name]["inventions_per_mp"] = said / megapixels
    return out


def fully_labelled(judged: Sequence[Judged]) -> list[Judged]:
    """The pictures whose inventions mean something."""
    return [p for p in judged if p.truth.source not in PARTLY_LABELLED]


def print_table(figures: dict[str, dict[str, Any]]) -> None:
    """A table by set, for people, on stderr (stdout ends with the JSON line)."""
    after = TABLE.index("count_mae") + 1
    names = (*TABLE[:after], "count_exact", "count_within_10", *TABLE[after:], "tankers")
    print(
        f"{'set':40s}" + "".join(f"{n.replace('tanker_', 't_').replace('count_', 'c_')[:9]:>10s}" for n in names),
        file=sys.stderr,
    )
    for name, row in figures.items():
        print(f"{name:40s}" + "".join(f"{cell(row[n]):>10s}" for n in names), file=sys.stderr)


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model judges which pictures."""
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--data", type=Path, help="folder of the labelled sets that --sources lists")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="a set of your own: images/, labels/")
    parser.add_argument("--val-share", type=float, default=VAL_SHARE, help="share of your own pictures that is val")
    parser.add_argument("--gsd", type=float, help="ground sample distance of your own pictures, m/px")
    parser.add_argument(
        "--sources", type=Path, default=Path(__file__).with_name("sources.json"), help="list of the sets of --data"
    )
    parser.add_argument("--only", action="append", default=[], help="only these sets")


def add_judging_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model judges which pictures, and how."""
    add_set_arguments(parser)
    parser.add_argument("--conf", type=float, help="score threshold; the card's if left out")
    parser.add_argument(
        "--split", default="val", choices=("val", "calib"), help="side to look at; choose between models on calib"
    )


def gather_pictures(args: argparse.Namespace, split: str) -> list[tuple[Path, Truth]]:
    """The pictures of one side that the arguments name.

    Raises:
        UsageError: there is none.
        InputError: a set is not there.
    """
    sources = gather_sources(args.data, args.sources, args.folder, args.val_share, args.gsd)
    pictures = [p for p in held_out(sources, args.data, split) if not args.only or p[1].source in args.only]
    if not pictures:
        mend = "name other sets, or a larger --val-share" if split == "val" else "add rows `calib` to split.csv"
        raise UsageError("--only/--folder", f"no {split} picture is left", mend)
    return pictures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=(__doc__ or "").splitlines()[0])
    add_judging_arguments(parser)
    parser.add_argument("--up", type=int, default=0, help="resample by this factor instead of by the GSD")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate"), help="folder of what is written")
    parser.add_argument("--robustness", type=Path, help="a robustness.json of training.robustness, for the page")
    parser.add_argument("--write-card", action="store_true", help="put the figures into the model's card")
    args = parser.parse_args(argv)
    if args.write_card and (args.split != "val" or args.only or args.up):
        raise UsageError("--write-card", "a card tells of the whole val side", "leave out --split, --only and --up")
    given = read_robustness(args.robustness) if args.robustness else None
    detector = load_detector(args.model, "cpu")
    pictures = gather_pictures(args, args.split)
    judged = evaluate(Scanner(detector, args.out / "cache", Scale(args.up, 1) if args.up else None), pictures)
    threshold = detector.card.score_threshold if args.conf is None else args.conf
    if threshold != detector.card.score_threshold:
        # The documents were made at the card's threshold: their counts and intervals are no others'.
        judged = [replace(p, said=None) for p in judged]
    figures = tables(judged, threshold)
    print_table(figures)
    write_atomic(args.out / "figures.json", json.dumps(figures, indent=1) + "\n")
    write_atomic(args.out / "predictions.json", json.dumps(_predictions(judged)) + "\n")
    shown = [Shown(path, row) for (path, _), row in zip(pictures, judged, strict=True)]
    report = Report(f"{detector.card.name} {detector.card.version}", threshold, figures, shown, PARTLY_LABELLED, given)
    page = args.out / "report.html"
    write_atomic(page, build_page(report))
    if args.write_card:
        words = [f"--{k} {getattr(args, k)}" for k in ("data", "conf", "gsd") if getattr(args, k) is not None]
        words += [f"--folder {folder}" for folder in args.folder]
        write_metrics(
            args.model, figures, threshold, f"python -m training.evaluate --model {args.model} {' '.join(words)}"
        )
    total = {k: v for k, v in figures["all fully labelled"].items() if not isinstance(v, dict)}
    finish(step="evaluate", model=detector.card.name, threshold=threshold, page=str(page), **total)
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
