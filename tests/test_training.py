"""From a folder of labels to a model: the sequence of the README, run small; needs torch and ultralytics."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.synthesis import render_scene

REPOSITORY = Path(__file__).resolve().parent.parent
SIDES = {3: "val", 4: "calib"}


def _imagery(folder: Path) -> Path:
    """Five rendered pictures with labels, one of them val and one to calibrate on."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    rows = ["image,split,group"]
    for seed in range(5):
        scene = render_scene(seed, 320, 256, 2.0)
        cv2.imwrite(str(folder / "images" / f"p{seed}.png"), scene.image[:, :, ::-1])
        size = np.array([320, 256])
        lines = [
            f"{int(k)} " + " ".join(f"{v:.6f}" for v in np.clip(c / size, 0, 1).ravel())
            for k, c in zip(scene.kind, scene.corners, strict=True)
        ]
        (folder / "labels" / f"p{seed}.txt").write_text("\n".join(lines) + "\n")
        rows.append(f"p{seed}.png,{SIDES.get(seed, 'train')},{seed}")
    (folder / "split.csv").write_text("\n".join(rows) + "\n")
    return folder


def _starting_weights(path: Path) -> Path:
    """An untrained YOLOv8n-OBB that knows `ship`: nothing has to be fetched."""
    import torch  # noqa: PLC0415 - only where the marker let this run
    from ultralytics.nn.tasks import OBBModel  # noqa: PLC0415

    torch.manual_seed(0)
    model = OBBModel("yolov8n-obb.yaml", ch=3, nc=3, verbose=False)
    model.names = {0: "plane", 1: "ship", 2: "harbor"}
    torch.save({"model": model, "train_args": {}}, path)
    return path


def _step(name: str, *arguments: object, cwd: Path) -> dict[str, object]:
    """Run a step as the README does; its JSON line."""
    done = subprocess.run(
        [sys.executable, "-m", f"training.{name}", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of a checkout that training needs, with imagery and starting weights beside them."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("edge", "training", "samples", "models"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    import training.networks  # noqa: F401, PLC0415 - defines what a CPU torchvision may lack

    _imagery(root / "my-imagery")
    _starting_weights(root / "start.pt")
    return root


def _assert_the_gate_was_asked(folder: Path, said: dict[str, object]) -> None:
    """Each way has a verdict with its figures, and a file stays if it was accepted, and only then."""
    ways = {way["way"]: way for way in said["ways"]}  # type: ignore[attr-defined]
    assert ways["fp16"]["accepted"] is None, "no GPU here"
    card = json.loads((folder / "card.json").read_text())
    assert card["precisions"]["int8"]["accepted"] is ways["int8"]["accepted"]
    assert card["coarse"]["precisions"] == ways["coarse"]["accepted"]
    assert (folder / "model.int8.onnx").exists() == ("model.int8.onnx" in card["files"]) == ways["int8"]["accepted"]
    for way in (card["precisions"]["int8"], card["coarse"]):
        assert "vessel F1" in way["verdict"]
        assert way["verdict"] in (folder / "MODEL_CARD.md").read_text()


@pytest.mark.train
def test_retraining_from_labels_to_a_model(checkout: Path) -> None:
    run = lambda name, *arguments: _step(name, *arguments, cwd=checkout)  # noqa: E731 - a short hand
    made = run("dataset", "--folder", "my-imagery", "--out", "runs/dataset")
    assert made["train"] == 3
    assert made["val"] == 1
    mined = run("mine", "--dataset", "runs/dataset", "--model", "models/vessel-n")
    assert mined["tiles"] == 4, "val is never mined"
    assert mined["vessels"] > 0
    small = ("--steps", 4, "--batch", 2, "--canvas", 128, "--no-bf16")
    begun = run(
        "train", "--dataset", "runs/dataset", "--weights", "start.pt", "--out", "runs/mine", *small, "--minutes", 0
    )
    assert begun["steps_done"] == 1
    trained = run("train", "--dataset", "runs/dataset", "--weights", "start.pt", "--out", "runs/mine", *small)
    assert trained["finished"]
    assert trained["steps_done"] == 4
    assert trained["data_sha256"] == made["data_sha256"]
    brief = ("--steps", 2, "--batch", 4, "--rendered", 6, "--pasted", 2, "--no-bf16")
    evidence = ("--dataset", "runs/dataset", "--weights", "start.pt", *brief)
    told = run("kinds", *evidence, "--out", "runs/kinds")
    assert told["tankers"] > 0
    crossed = run("cross_validate", *evidence, "--folds", 2, "--final", "runs/kinds/kind.pt", "--out", "runs/cross")
    assert crossed["vessels"] > told["tankers"] + told["others"], "the val side is asked about too"
    run("blend", "--run", "runs/mine", "--weights", "start.pt", "--out", "runs/mine-blend")
    places = ("--run", "runs/mine-blend", "--kinds", "runs/kinds", "--name", "mine", "--out", "models")
    exported = run("export", *places, "--dataset", "runs/dataset")
    assert exported["parity"]["max_box_px"] < 0.05
    calibrated = run(
        "calibrate", "--model", "models/mine", "--folder", "my-imagery", "--held-out", "runs/cross/held-out.json"
    )
    assert 0.2 <= calibrated["threshold"] <= 0.7
    scored = run("evaluate", "--model", "models/mine", "--folder", "my-imagery", "--write-card")
    assert scored["pictures"] == 1
    cheap = run(
        "quantize", "--model", "models/mine", "--folder", "my-imagery", "--gsd", 1, "--dataset", "runs/dataset",
        "--way", "int8", "--way", "fp16", "--way", "coarse",
    )  # fmt: skip
    _assert_the_gate_was_asked(checkout / "models/mine", cheap)
    run("golden", "--model", "models/mine")
    card = json.loads((checkout / "models/mine/card.json").read_text())
    assert card["training"]["settings"]["seed"] == 0
    assert card["training"]["blend_share"] == 0.5
    assert card["calibration"]["pictures"] == 1
    assert card["score"]["finder"] == calibrated["finder"]
    assert card["training"]["sources"] == [{"name": "my-imagery", "licence": "your own"}]
    assert card["metrics"]["by_set"]["my-imagery"]["pictures"] == 1
    verify = [sys.executable, "-m", "edge.cli", "models", "verify", "mine"]
    assert subprocess.run(verify, cwd=checkout, check=False).returncode == 0


@pytest.mark.train
def test_the_graph_has_the_promised_face(checkout: Path) -> None:
    import onnx  # noqa: PLC0415

    graph = onnx.load(str(checkout / "models/mine/model.onnx"))
    (images,) = graph.graph.input
    shape = [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim]
    assert shape == ["batch", "height", "width", 3]
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert max(o.version for o in graph.opset_import) <= 21
    assert {"stride", "task", "batch", "imgsz", "names"} <= {p.key for p in graph.metadata_props}


@pytest.mark.train
def test_a_step_says_what_is_wrong_with_a_label(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout / "my-imagery", tmp_path / "bad")
    (tmp_path / "bad/labels/p1.txt").write_text("0 0.1 0.2\n")
    command = [
        sys.executable,
        "-m",
        "training.dataset",
        "--folder",
        str(tmp_path / "bad"),
        "--out",
        str(tmp_path / "o"),
    ]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "p1.txt:1" in done.stderr
    assert "Traceback" not in done.stderr
