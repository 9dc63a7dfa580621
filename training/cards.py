"""Write what a model says of itself: card.json for programs, MODEL_CARD.md for people."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from edge.model_card import file_sha256
from training.steps import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

GSD_M = (1.0, 2.0)
"""Finer scenes are reduced and coarser ones enlarged to this range: whole factors reach it from any GSD up to 8 m."""
LENGTH_PX = (8.0, 400.0)
TILE_PX, TILE_MOST_PX = 1024, 1184
FLOOR, NEAR, NMS_IOU = 0.05, 0.1, 0.4
OUTPUTS = {
    "raw": "batch x anchors x (cx, cy, w, h px, score, angle rad)",
    "end2end": "batch x vessels x (cx, cy, w, h px, score, angle rad)",
    "distances": "batch x anchors x (left, top, right, bottom strides, log-odds, angle rad)",
}
TABLE = (
    "pictures",
    "vessels",
    "ap50",
    "ap50_95",
    "precision",
    "recall",
    "f1",
    "count_mae",
    "tanker_precision",
    "tanker_recall",
)


def write_folder(  # noqa: PLR0913 - what a card says comes from as many places
    folder: Path,
    *,
    name: str,
    version: str,
    head: str,
    run: dict[str, Any],
    parity: dict[str, float],
    kinds: Path | None,
    threshold: float,
    notes: list[str],
) -> None:
    """Write card.json and MODEL_CARD.md beside model.onnx, and bring kind.onnx in."""
    card: dict[str, Any] = {
        "name": name,
        "version": version,
        "task": "obb",
        "classes": ["tanker", "other", "unknown"] if kinds else ["unknown"],
        "head": head,
        "licence": "AGPL-3.0-or-later",
        "files": {"model.onnx": file_sha256(folder / "model.onnx")},
        "input": {
            "layout": "NHWC",
            "dtype": "uint8",
            "colour": "RGB",
            "tile_px": TILE_PX,
            "tile_most_px": TILE_MOST_PX,
            "multiple_px": 32,
        },
        "output": OUTPUTS[head],
        "range": {"gsd_m": list(GSD_M), "length_px": list(LENGTH_PX)},
        "thresholds": {"score": threshold, "floor": FLOOR, "near": NEAR, "nms_iou": NMS_IOU},
        "kind": None,
        "training": run,
        "onnx_parity": parity,
        "metrics": {},
        "notes": notes,
    }
    if kinds:
        shutil.copyfile(kinds / "kind.onnx", folder / "kind.onnx")
        card["files"]["kind.onnx"] = file_sha256(folder / "kind.onnx")
        told = json.loads((kinds / "kinds.json").read_text())
        card["kind"] = told["card"]
        card["kind_training"] = {k: v for k, v in told.items() if k != "card"}
    save_card(folder, card)


def save_card(folder: Path, card: dict[str, Any]) -> None:
    """Write a card and the page for people that follows from it."""
    write_atomic(folder / "card.json", json.dumps(card, indent=1, allow_nan=False) + "\n")
    write_atomic(folder / "MODEL_CARD.md", page(card))


def write_metrics(folder: Path, figures: dict[str, dict[str, Any]], threshold: float, command: str) -> None:
    """Put the figures of training.evaluate into a card, with the command that gives them."""
    card = json.loads((folder / "card.json").read_text())
    card["metrics"] = {
        "split": "val",
        "threshold": threshold,
        "command": command,
        "by_set": {k: _rounded(v) for k, v in figures.items()},
    }
    save_card(folder, card)


def _rounded(value: Any) -> Any:
    """Floats with six digits, at any depth; tables round once more, to three."""
    if isinstance(value, float):
        return round(value, 6)
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def page(card: dict[str, Any]) -> str:
    """MODEL_CARD.md."""
    run = card["training"]
    sources = [f"- {s['name']}: {s['licence']}" for s in run.get("sources", [])]
    if cutouts := card.get("kind_training", {}).get("cutouts"):
        sources.append(f"- {cutouts} (kinds only): not stated")
    trained = "\n".join(_trained(member) for member in run.get("members", [run]))
    sets = "\n".join(sources) or "- none of this project's"
    low, high = card["range"]["length_px"]
    notes = "\n".join(f"- {note}" for note in card.get("notes", []))
    finest, coarsest = card["range"]["gsd_m"]
    return f"""# {card["name"]} {card["version"]}

Finds vessels as oriented boxes in overhead optical pictures of ports, terminals and open water, and says of each
whether it is a tanker, another vessel, or of unknown kind.

**For**: counting vessels and tankers at oil terminals in satellite and aerial pictures of 0.3 to 3 m a pixel, with a
person who looks at the answer.
**Not for**: navigation, collision avoidance, targeting, law enforcement without a person's check, SAR or infrared
pictures, oblique views, or as proof that a place had *no* vessel.
**Where it fails**: vessels under {low:.0f} px or over {high:.0f} px (in the working frame); small craft in marinas;
hulls in deep shadow or under cloud; jetties, cranes and islets may be taken for vessels.
{notes}

Input: uint8 RGB tiles of {card["input"]["tile_px"]} px. Scenes of known GSD are brought to {finest} to {coarsest} m/px.
Score threshold {card["thresholds"]["score"]}. Licence {card["licence"]} (derived from ultralytics weights).

## Cheaper ways to run it

{_ways(card)}

## Trained on

{sets}

{trained}
All settings are in card.json.

## What the numbers mean

{_calibration(card)}

## Figures on val

{_figures(card["metrics"])}
"""


def _ways(card: dict[str, Any]) -> str:
    """Precisions and coarse to fine, with what the gate said of each."""
    tried = (card.get("precisions") or {}).items()
    lines = [f"- {name}: {'accepted' if p['accepted'] else 'refused'}: {p['verdict']}." for name, p in tried]
    if coarse := card.get("coarse"):
        lines.append(f"- coarse to fine, at up to {coarse['gsd_m']:g} m/px: {coarse['verdict']}.")
    return "\n".join(lines) or "None was tried: `python -m training.quantize`."


def _trained(run: dict[str, Any]) -> str:
    """One finder's training."""
    weights = run.get("settings", {}).get("weights", "-")
    return f"""- {weights} ({run.get("start_sha256", "-")[:16]}), {run.get("steps_done", "-")} steps on data
  {run.get("data_sha256", "-")[:16]}; {run.get("blend_share", 1)} of the tuned weights, the rest of the start"""


def _calibration(card: dict[str, Any]) -> str:
    """What score, kind, interval and errors rest on."""
    told = card.get("calibration")
    if not told:
        return "Scores are the networks' own, not calibrated: run `python -m training.calibrate`."
    misses = ", ".join(f"{at:g}: {rate:.2f}" for at, rate in card["count"]["misses"])
    lines = [
        f"""- `score`: probability of a vessel, fitted on {told["candidates"]} candidates, {told["right"]} of them
  vessels, of {told["pictures"]} pictures that no network was trained on. Expected calibration error with the weights of
  each fifth from the other four: {cell(told["cross_fitted_ece"])}.""",
        f"""- `interval`: 90 %, from the scores, from vessels without a candidate (for each one with, by length from px:
  {misses}) and from scenes that differ as a whole (log-odds +- {card["count"]["scene"]:g}).""",
    ]
    if kind := card.get("kind"):
        lines.append(
            f"""- `kind`: tanker from {kind["tanker_above"]:g}, other up to {kind["other_below"]:g}, unknown between
  them and under {kind["min_length_px"]:g} px of the scene. `kind_score` is calibrated on
  {told.get("kind_tanker_ships", 0)} tankers among {told.get("kind_ships", 0)} ships, each judged by a network that
  never saw it."""
        )
    if errors := card.get("errors"):
        length, heading = errors["length"], errors["heading_deg"]
        lines.append(
            f"""- Sizes: 90 % of lengths are right to sqrt({length["px"]:.2f}² + ({length["share"]:.3f} x length)²) px
  of the working frame, of headings to {heading["floor"]:.1f} degrees and {heading["px"]:.2f} px at the ends."""
        )
    return "\n".join(lines)


def cell(value: Any) -> str:
    """A figure for a table: three digits, whole numbers as they are, a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _figures(metrics: dict[str, Any]) -> str:
    """A table by set."""
    if not metrics:
        return "Not measured yet: run `python -m training.evaluate --write-card`."
    head = "| set | " + " | ".join(TABLE) + " |\n|---|" + "---|" * len(TABLE) + "\n"
    rows = []
    for name, row in metrics["by_set"].items():
        rows.append(f"| {name} | " + " | ".join(cell(row[k]) for k in TABLE) + " |")
    return f"Rotated IoU 0.5, threshold {metrics['threshold']}, by `{metrics['command']}`.\n\n{head}" + "\n".join(rows)
