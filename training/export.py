"""A trained network -> a model folder: ONNX, card, golden answers, MODEL_CARD.md.

    python -m training.export --run runs/vessel-n --kinds runs/kinds --name vessel-n --out models

The graph takes uint8 NHWC RGB of any multiple of 32 px a side and any batch, casts and scales inside, and gives
(batch, anchors, 6): how far left, top, right and bottom edge are from the anchor, in strides, the score as log-odds,
and the angle in radians. `edge.decode` makes boxes of the few anchors that survive the threshold. Suppression stays
outside too, where it is exact on oriented boxes. After writing, the graph is compared with the torch network on
pictures, both through `edge.decode`, and the decoding with ultralytics' own; the step fails if they differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

from edge.decode import from_distances
from edge.model_card import file_sha256
from training.cards import write_folder
from training.networks import load_network
from training.sources import read_picture
from training.steps import finish, run_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OPSET = 17
"""onnxruntime 1.18 reads up to 21, TensorRT 8.6 (JetPack 6) and OpenVINO read 17."""
MAX_BOX_DIFFERENCE_PX = 0.05
MAX_SCORE_DIFFERENCE = 1e-4


class Finder(torch.nn.Module):
    """Pixels in, boxes out: what the runtime needs and no more."""

    def __init__(self, network: Any, class_index: int) -> None:
        """Wrap a network; keep the score of one class."""
        super().__init__()
        self.network, self.class_index = network, class_index
        head = network.model[-1]
        head.export, head.dynamic, head.format = True, True, "onnx"
        head.end2end = getattr(head, "one2one_cv2", None) is not None
        self.rows_last = not head.end2end
        head.postprocess = lambda rows: rows  # no top-300: nothing is capped
        self.decodes = False
        """Let ultralytics make the boxes, for comparison."""
        self._ultralytics = head._inference  # noqa: SLF001 - ultralytics has no switch for it
        head._inference = self._said  # noqa: SLF001

    def _said(self, said: dict[str, torch.Tensor]) -> Any:
        """What the head says of each anchor, (n, 4 + classes + 1, anchors), before it is made into boxes."""
        if self.decodes:
            return self._ultralytics(said)
        distances = self.network.model[-1].dfl(said["boxes"])
        return torch.cat([distances, said["scores"], said["angle"]], 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 RGB -> (n, anchors, 6)."""
        x = pixels.permute(0, 3, 1, 2).float() / 255.0
        rows = self.network(x)
        if self.rows_last:
            rows = rows.permute(0, 2, 1)
        box, score, angle = rows[..., :4], rows[..., 4 + self.class_index : 5 + self.class_index], rows[..., -1:]
        return torch.cat([box, score, angle], -1)


class Several(torch.nn.Module):
    """Finders side by side: their boxes in one list, from which suppression picks the best of each vessel."""

    def __init__(self, finders: Sequence[Finder]) -> None:
        """Take finders of the same pixels."""
        super().__init__()
        self.finders = torch.nn.ModuleList(finders)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 RGB -> (n, anchors of all, 6)."""
        return torch.cat([finder(pixels) for finder in self.finders], 1)


def ship_index(network: Any) -> int:
    """Index of the class that means vessel."""
    return next(int(i) for i, name in network.names.items() if name in ("ship", "vessel"))


def export_graph(
    module: torch.nn.Module, example: torch.Tensor, path: Path, axes: dict[int, str], meta: dict[str, str]
) -> None:
    """Trace a module to ONNX, with metadata, checked by onnx itself."""
    part = path.with_name(f".{path.name}.part")
    with torch.no_grad():
        torch.onnx.export(
            module,
            (example,),
            str(part),
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={"images": axes, "output0": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load(str(part))
    try:
        import onnxslim  # noqa: PLC0415 - optional: a smaller graph, the same answers

        graph = onnxslim.slim(graph)
    except ImportError:
        print("onnxslim is not installed: the graph stays as traced", file=sys.stderr)
    for key, value in meta.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    onnx.save(graph, str(part))
    part.replace(path)


def metadata(network: Any, task: str, size: int, names: dict[int, str]) -> dict[str, str]:
    """The entries that ultralytics writes, so that its tools know the file."""
    return {
        "description": "tanker-edge vessel model, derived from ultralytics YOLO",
        "author": "tanker-edge",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "license": "AGPL-3.0-or-later",
        "stride": str(int(max(network.stride))),
        "task": task,
        "batch": "1",
        "imgsz": str([size, size]),
        "names": str(names),
        "channels": "3",
    }


def parity(module: Finder | Several, path: Path, pictures: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
    """Largest differences between torch and ONNX on pictures (h, w, 3), over boxes that anybody would keep.

    Boxes of the ONNX file are made by edge.decode, torch's by ultralytics.

    Raises:
        SystemExit: they differ by more than rounding.
    """
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    finders = module.finders if isinstance(module, Several) else [module]
    box = score = 0.0
    compared = 0
    for picture in pictures:
        batch = picture[None]
        for finder in finders:
            finder.decodes = True
        with torch.no_grad():
            ours = module(torch.from_numpy(batch)).numpy()[0]
        for finder in finders:
            finder.decodes = False
        theirs = from_distances(session.run(None, {"images": batch})[0][0], 0.0, picture.shape[:2])
        score = max(score, float(np.abs(ours[:, 4] - theirs[:, 4]).max()))
        keep = ours[:, 4] > 0.05  # noqa: PLR2004 - boxes of unlikely vessels are never used
        compared += int(keep.sum())
        if keep.any():
            box = max(box, float(np.abs(ours[keep] - theirs[keep])[:, :4].max()))
    if box > MAX_BOX_DIFFERENCE_PX or score > MAX_SCORE_DIFFERENCE:
        message = f"{path}: ONNX differs from torch by {box:.3g} px and {score:.3g} in score; not usable"
        raise SystemExit(message)
    return {"pictures": len(pictures), "boxes": compared, "max_box_px": box, "max_score": score}


def sample_pictures(dataset: Path | None, size: int, most: int = 8) -> list[NDArray[np.uint8]]:
    """Val tiles (size, size, 3) RGB for the parity check; noise where there is no dataset."""
    paths = sorted((dataset / "images" / "val").glob("*.jpg"))[::37][:most] if dataset else []
    pictures = []
    for path in paths:
        pixels = read_picture(path)
        canvas = np.zeros((size, size, 3), np.uint8)
        crop = pixels[:size, :size, ::-1]
        canvas[: crop.shape[0], : crop.shape[1]] = crop
        pictures.append(canvas)
    return pictures or [np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)]


def trained(runs: Sequence[Path]) -> dict[str, Any]:
    """What a card says of the training; that of each member where there are several."""
    summaries = [json.loads((run / "train.json").read_text()) for run in runs]
    if len(summaries) == 1:
        return dict(summaries[0])
    sources = {s["name"]: s for summary in summaries for s in summary.pop("sources")}
    return {"members": summaries, "sources": list(sources.values())}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--run", type=Path, action="append", default=[], help="folder of training.train; several make one larger model"
    )
    parser.add_argument("--weights", type=Path, help="any ultralytics OBB checkpoint that knows `ship`, as a baseline")
    parser.add_argument("--kinds", type=Path, help="folder of training.kinds; without it kinds stay unknown")
    parser.add_argument("--name", required=True, help="name of the model")
    parser.add_argument("--version", default="1")
    parser.add_argument("--out", type=Path, default=Path("models"))
    parser.add_argument("--dataset", type=Path, help="tiles for the parity check")
    parser.add_argument("--conf", type=float, default=0.3, help="score from which a vessel counts")
    parser.add_argument("--note", action="append", default=[], help="a sentence for the card, on where the model fails")
    args = parser.parse_args(argv)
    if bool(args.run) == bool(args.weights):
        parser.error("give --run or --weights")
    checkpoints = [args.weights] if args.weights else [run / "last.pt" for run in args.run]
    networks = [load_network(checkpoint) for checkpoint in checkpoints]
    finders = [Finder(network, ship_index(network)).eval() for network in networks]
    for network in networks:
        network.fuse(verbose=False)
    module = finders[0] if len(finders) == 1 else Several(finders).eval()
    folder = args.out / args.name
    folder.mkdir(parents=True, exist_ok=True)
    size = 320
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    names = {0: "vessel"}
    axes = {0: "batch", 1: "height", 2: "width"}
    with torch.no_grad():
        module(example)  # builds the anchors once before they are traced
    export_graph(module, example, folder / "model.onnx", axes, metadata(networks[0], "obb", 1024, names))
    checked = parity(module, folder / "model.onnx", sample_pictures(args.dataset, 640))
    run = trained(args.run) if args.run else {"baseline": file_sha256(args.weights)}
    # An end-to-end head, trained to say each vessel once, still gives crossed boxes on blurred boats (LOG.md, 11):
    # its boxes are suppressed like any others'.
    head = "distances"
    write_folder(
        folder,
        name=args.name,
        version=args.version,
        head=head,
        run=run,
        parity=checked,
        kinds=args.kinds,
        threshold=args.conf,
        notes=args.note,
    )
    finish(step="export", out=str(folder), head=head, parity=checked, bytes=(folder / "model.onnx").stat().st_size)
    return 0


if __name__ == "__main__":
    run_step(main)
