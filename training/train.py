"""Fine-tune a starting network on the tiles of training.dataset.

    python -m training.train --dataset runs/dataset --weights yolov8n-obb.pt --out runs/vessel-n

One class, `ship`: what kind of vessel it is, is told by a classifier on aligned crops (training.kinds). The schedule is
counted in steps, so that it ends at the same learning rate on any machine; an interrupted run goes on from its last
checkpoint. Writes `last.pt` (an ultralytics checkpoint with the averaged weights), `state.pt` and `train.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ultralytics.utils.torch_utils import ModelEMA

from edge.model_card import file_sha256
from training.compose import Composer, batch, read_index
from training.networks import as_float, bfloat16, start_from
from training.steps import finish, progress, run_step

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)  # no slots: the defaults are read off the class
class Settings:
    """What shapes a run; all of it goes into the model's card."""

    weights: str
    steps: int = 4000
    batch: int = 8
    canvas_px: int = 640
    learning_rate: float = 6e-4
    final_share: float = 0.02
    """Learning rate at the end, as a share of the highest."""
    warmup_steps: int = 150
    weight_decay: float = 5e-4
    ema_decay: float = 0.998
    seed: int = 0
    bf16: bool = True
    device: str = "cpu"


class _Samples(torch.utils.data.Dataset[dict[str, Any]]):
    """Batch number i of a run; also after a restart."""

    def __init__(self, composer: Composer, size: int, first: int, last: int) -> None:
        self._composer, self._size, self._first, self._last = composer, size, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, item: int) -> dict[str, Any]:
        number = (self._first + item) * self._size
        arrays = batch([self._composer.sample(number + i) for i in range(self._size)])
        return {k: torch.from_numpy(v) for k, v in arrays.items()}


def learning_rate(step: int, settings: Settings) -> float:
    """Linear warm-up, then half a cosine."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    share = settings.final_share + (1 - settings.final_share) * (1 + math.cos(math.pi * done)) / 2
    return settings.learning_rate * share


def _groups(model: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay for convolution weights only."""
    heavy = [p for p in model.parameters() if p.ndim > 1]
    light = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": heavy, "weight_decay": decay}, {"params": light, "weight_decay": 0.0}]


class Run:
    """A training run: network, averaged network, optimiser and the number of steps done."""

    classes = 1

    def __init__(self, settings: Settings, out: Path) -> None:
        """Start from the weights, or go on where `out/state.pt` ends."""
        torch.manual_seed(settings.seed)
        self.settings, self.out, self.step = settings, out, 0
        epochs = max(1, settings.steps // 100)
        self.model = start_from(Path(settings.weights), epochs, self.classes).to(settings.device)
        self.ema = ModelEMA(self.model, decay=settings.ema_decay, tau=300)
        self.optimiser = torch.optim.AdamW(_groups(self.model, settings.weight_decay), lr=settings.learning_rate)
        self.criterion = self.model.init_criterion()
        self.stages: list[dict[str, Any]] = []
        """Earlier calls of this run: steps, seconds and data of each."""
        self.loss: dict[str, float] = {}
        state = out / "state.pt"
        if state.exists():
            self._resume(torch.load(state, map_location=settings.device, weights_only=False))

    def _resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.ema.ema.load_state_dict(state["ema"])
        self.ema.updates = state["step"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        self.stages = state.get("stages", [])
        for _ in range(self.step // 100):
            self._shift_heads()

    def _shift_heads(self) -> None:
        """Let an end-to-end head move its weight from one-to-many to one-to-one."""
        if hasattr(self.criterion, "update"):
            self.criterion.update()

    def train_step(self, data: dict[str, Any]) -> None:
        """One batch: forward, loss, backward, step."""
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, settings)
        img = data["img"].to(settings.device).float().div_(255)
        if settings.bf16:
            with bfloat16(settings.device):
                predicted = as_float(self.model(img))
        else:
            predicted = self.model(img)
        targets = {k: data[k].to(settings.device) for k in ("bboxes", "batch_idx")}
        targets["cls"] = self.class_targets(data).to(settings.device)
        loss, parts = self.criterion(predicted, targets)
        self.optimiser.zero_grad()
        loss.sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimiser.step()
        self.ema.update(self.model)
        self.step += 1
        if self.step % 100 == 0:
            self._shift_heads()
        for name, value in parts.items():
            self.loss[name] = 0.98 * self.loss.get(name, float(value)) + 0.02 * float(value)

    def class_targets(self, data: dict[str, Any]) -> torch.Tensor:
        """Class (n,) of each labelled vessel: to the finder all are ships."""
        return torch.zeros_like(data["batch_idx"])

    def save(self) -> None:
        """Write the state to go on from, and a checkpoint that ultralytics reads."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "stages": self.stages,
        }
        network = deepcopy(self.ema.ema)
        network.criterion = None
        checkpoint = {"model": network.half(), "train_args": dict(vars(self.model.args)), "epoch": self.step}
        for name, content in (("state.pt", state), ("last.pt", checkpoint)):
            part = self.out / f".{name}.part"
            torch.save(content, part)
            part.replace(self.out / name)


def loader_of(composer: Composer, settings: Settings, first: int) -> Any:
    """Batches from number `first` to the end of the schedule.

    On a CPU they are drawn in this process: a worker's threads and torch's would wait for each other (measured on two
    cores: 3 s a step with a worker, 1.2 s without).
    """
    workers = 0 if settings.device == "cpu" else 8
    samples = _Samples(composer, settings.batch, first, settings.steps)
    return torch.utils.data.DataLoader(samples, batch_size=None, num_workers=workers)


def train(settings: Settings, dataset: Path, out: Path, stop_after_s: float) -> dict[str, Any]:
    """Train to the end of the schedule, or until the time is up; the summary says which."""
    described = json.loads((dataset / "dataset.json").read_text())
    weights = {s["name"]: s["weight"] for s in described["sources"]}
    composer = Composer(read_index(dataset, "train"), weights, settings.canvas_px, settings.seed)
    run = Run(settings, out)
    loader = loader_of(composer, settings, run.step)
    start = last_saved = time.monotonic()
    stage = {"from_step": run.step, "data_sha256": described["data_sha256"], "learning_rate": settings.learning_rate}
    stage |= {"planned_steps": settings.steps, "seconds": 0}
    run.stages.append(stage)
    out.mkdir(parents=True, exist_ok=True)
    log = out / "log.jsonl"
    run.model.train()
    for data in progress(loader, len(loader), "train", every_s=30):
        run.train_step(data)
        now = time.monotonic()
        stage["seconds"] = round(now - start)
        if run.step % 50 == 0:
            with log.open("a") as file:
                row = {"step": run.step, "s": round(now - start, 1), **{k: round(v, 4) for k, v in run.loss.items()}}
                file.write(json.dumps(row) + "\n")
        if now - last_saved > 180:  # noqa: PLR2004 - lose at most three minutes
            run.save()
            last_saved = now
        if now - start > stop_after_s:
            break
    run.save()
    summary = {
        "steps_done": run.step,
        "finished": run.step >= settings.steps,
        "seconds": sum(s["seconds"] for s in run.stages),
        "stages": run.stages,
        "loss": {k: round(v, 4) for k, v in run.loss.items()},
        "data_sha256": described["data_sha256"],
        "start_sha256": file_sha256(Path(settings.weights)),
        "settings": {**asdict(settings), "weights": Path(settings.weights).name},
        "sources": [{"name": s["name"], "licence": s["licence"]} for s in described["sources"]],
    }
    (out / "train.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("runs/dataset"))
    parser.add_argument(
        "--weights", type=Path, required=True, help="starting weights, an OBB network that knows `ship`"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--batch", type=int, default=Settings.batch)
    parser.add_argument("--canvas", type=int, default=Settings.canvas_px, help="size of a training sample, px")
    parser.add_argument("--lr", type=float, default=Settings.learning_rate)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--device", default=Settings.device, help="cpu, or a GPU such as cuda:0")
    parser.add_argument("--no-bf16", action="store_true", help="train in float32")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then; the same command goes on later")
    args = parser.parse_args(argv)
    settings = Settings(
        weights=os.fspath(args.weights),
        steps=args.steps,
        batch=args.batch,
        canvas_px=args.canvas,
        learning_rate=args.lr,
        seed=args.seed,
        device=args.device,
        bf16=not args.no_bf16,
    )
    finish(step="train", out=str(args.out), **train(settings, args.dataset, args.out, args.minutes * 60))
    return 0


if __name__ == "__main__":
    run_step(main)
