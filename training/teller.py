"""The network of the second look: crops along a box -> is a vessel there, and is it a tanker? How it learns."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edge.detections import Kind
from edge.kinds import aligned_chip, views
from training.examples import RENDERED, Example, reduced
from training.looks import degrade, recolour
from training.networks import as_float, bfloat16, load_network
from training.steps import progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    from edge.geometry import Floats

CHIP_PX = (192, 80)
LENGTH_SHARE = 0.75
SHARES = (0.3, 0.3, 0.14, 0.26)
"""How often a tanker, another vessel, a vessel of unknown kind, and nothing is drawn. Both kinds alike: what they are
worth in the world is set by the calibration, not by the draw."""
TOP_PX = 128
"""Channels of the backbone's layer 6."""
UNSURE = 0.02
"""Label smoothing."""


@dataclass(frozen=True)  # no slots: the defaults are read off the class
class Recipe:
    """What shapes a training of the second look."""

    steps: int = 800
    batch: int = 48
    learning_rate: float = 2e-3
    rendered_share: float = 0.35
    """Share of the tankers and the others that is rendered."""
    seed: int = 0
    bf16: bool = True


class Drawer:
    """Draws training crops: what, then real or rendered, then the set, then the ship, then one of its pictures."""

    def __init__(self, examples: Sequence[Example], rendered_share: float, seed: int) -> None:
        """Sort the examples by what they are, by origin, by set and by ship."""
        self._rng = np.random.default_rng(seed)
        self._rendered_share = rendered_share
        sets: dict[tuple[Kind | None, bool], dict[str, dict[str, list[Example]]]] = defaultdict(dict)
        for e in examples:
            ships = sets[e.kind, e.source == RENDERED].setdefault(e.source, defaultdict(list))
            ships[e.ship].append(e)
        self._pools = {key: [list(ships.values()) for _, ships in sorted(by.items())] for key, by in sets.items()}
        # A set weighs as the root of its ships: a large one does not drown the others, a small one is not worn out.
        self._weights = {k: _shares([math.sqrt(len(s)) for s in pools]) for k, pools in self._pools.items()}
        present = [w if self._pool(kind) else 0.0 for w, kind in zip(SHARES, (*Kind, None), strict=True)]
        self._what = _shares(present)

    def _pool(self, kind: Kind | None) -> bool:
        return (kind, False) in self._pools or (kind, True) in self._pools

    def draw(self) -> tuple[NDArray[np.uint8], Kind | None]:
        """One crop (h, w, 3) RGB and what it shows."""
        rng = self._rng
        kind = (*Kind, None)[rng.choice(4, p=self._what)]
        key = kind, bool(rng.random() < self._rendered_share)
        if key not in self._pools:
            key = kind, not key[1]
        ships = self._pools[key][rng.choice(len(self._pools[key]), p=self._weights[key])]
        ship = ships[rng.integers(len(ships))]
        return jittered_chip(rng, ship[rng.integers(len(ship))]), kind


def _shares(weights: list[float]) -> Floats:
    return np.array(weights) / sum(weights)


def jittered_chip(rng: Generator, example: Example) -> NDArray[np.uint8]:
    """A crop as a detector's loose box would give it, on another day, to another sensor."""
    box = example.box.copy()
    box[:2] += rng.normal(0, 0.03, 2) * box[2]
    box[2] *= float(np.exp(rng.normal(0, 0.07)))
    box[4] += rng.normal(0, 0.06) + (np.pi if rng.random() < 0.5 else 0.0)  # noqa: PLR2004 - either end first
    pixels = example.pixels
    coarsest = min(6.0, box[2] / 16.0)
    if coarsest > 1.1 and rng.random() < 0.6:  # noqa: PLR2004 - down to 16 px, below which kinds are not told
        factor = float(np.exp(rng.uniform(0, np.log(coarsest))))
        pixels, box = reduced(pixels, box, factor)
    chip = aligned_chip(pixels, box, CHIP_PX, LENGTH_SHARE)
    if rng.random() < 0.5:  # noqa: PLR2004 - port and starboard alike
        chip = np.ascontiguousarray(chip[::-1])
    return recolour(rng, degrade(rng, chip, min_vessel_px=40.0))


class Teller(torch.nn.Module):
    """The first stages of a detector's backbone, pooled: crops (n, h, w, 3) uint8 -> logits (n, 2)."""

    def __init__(self, network: Any) -> None:
        """Take layers 0 to 6 (stride 16) of a YOLOv8-like network."""
        super().__init__()
        self.backbone = torch.nn.Sequential(*list(network.model[:7]))
        self.drop = torch.nn.Dropout(0.3)
        self.head = torch.nn.Linear(2 * TOP_PX, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Crops -> log-odds that a vessel is there, and that it is a tanker if one is."""
        x = self.backbone(pixels.permute(0, 3, 1, 2).float() / 255.0)
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        return self.head(self.drop(pooled))


def loss_of(logits: torch.Tensor, what: Sequence[Kind | None]) -> torch.Tensor:
    """Cross-entropy of both answers; the second only where the kind is known."""
    there = torch.tensor([k is not None for k in what]).float()
    told = torch.tensor([k in (Kind.TANKER, Kind.OTHER) for k in what])
    tanker = torch.tensor([k is Kind.TANKER for k in what]).float()
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    soft = 1 - 2 * UNSURE
    loss = bce(logits[:, 0], there * soft + UNSURE)
    if told.any():
        loss = loss + bce(logits[told, 1], tanker[told] * soft + UNSURE)
    return loss


def train(weights: Path, examples: Sequence[Example], recipe: Recipe, path: Path, label: str) -> Teller:
    """Train a network on examples, or go on where `path` ends."""
    torch.manual_seed(recipe.seed)
    model = Teller(load_network(weights))
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=True)
    slow = {"params": model.backbone.parameters(), "lr": recipe.learning_rate * 0.3}
    fast = {"params": model.head.parameters(), "lr": recipe.learning_rate}
    optimiser = torch.optim.AdamW([slow, fast], weight_decay=0.02)
    peaks = [g["lr"] for g in optimiser.param_groups]
    first = 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    drawer = Drawer(examples, recipe.rendered_share, recipe.seed + first)
    model.train()
    for step in progress(range(first, recipe.steps), recipe.steps - first, label, every_s=20):
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 50) * (1 + math.cos(math.pi * step / recipe.steps)) / 2
        _step(model, optimiser, [drawer.draw() for _ in range(recipe.batch)], bf16=recipe.bf16)
        if (step + 1) % 200 == 0 or step + 1 == recipe.steps:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, path)
    model.eval()
    return model


def _step(model: Teller, optimiser: Any, drawn: list[tuple[NDArray[np.uint8], Kind | None]], *, bf16: bool) -> None:
    """One batch."""
    pixels = torch.from_numpy(np.stack([d[0] for d in drawn]))
    if bf16:
        with bfloat16("cpu"):
            logits = as_float(model(pixels))
    else:
        logits = model(pixels)
    loss = loss_of(logits, [d[1] for d in drawn])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def logits_of(model: Teller, examples: Sequence[Example]) -> Floats:
    """Logits (n, 2), the mean over all views, as the runtime takes them."""
    out = []
    with torch.no_grad():
        for e in examples:
            chip = aligned_chip(e.pixels, e.box, CHIP_PX, LENGTH_SHARE)
            out.append(model(torch.from_numpy(views(chip[None]))).mean(0).numpy())
    return np.array(out, np.float64).reshape(-1, 2)
