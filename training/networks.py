"""The one place that imports ultralytics: networks in, networks out."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

os.environ.setdefault("YOLO_OFFLINE", "1")  # nothing is looked up or sent anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator


def _define_nms_where_missing() -> None:
    """Give torchvision its NMS operator on machines where its compiled part does not load.

    A CPU build of torch beside a CUDA build of torchvision is such a machine: importing torchvision then fails for want
    of this one operator, which training here never calls. It is defined to refuse, not to pretend.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(str(library))
            return
    _define_nms_where_missing.library = torch.library.Library("torchvision", "DEF")  # type: ignore[attr-defined]
    _define_nms_where_missing.library.define(  # type: ignore[attr-defined]
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )


_define_nms_where_missing()

from ultralytics.cfg import get_cfg  # noqa: E402 - the operator above must come first
from ultralytics.nn.tasks import OBBModel, load_checkpoint  # noqa: E402

CLASS_NAME = "ship"
"""The class of the finder while it trains: ultralytics then copies the starting weights' row for `ship`."""


def start_from(weights: Path, epochs: int, classes: int = 1) -> Any:
    """An oriented detector from the weights of one that knows `ship`; each class starts as a copy of that one.

    Args:
        weights: an ultralytics checkpoint of an OBB network.
        epochs: over how many calls of `criterion.update` an end-to-end head shifts its weights.
        classes: number of classes.
    """
    source, _ = load_checkpoint(str(weights))
    model = OBBModel(cfg=source.yaml, ch=3, nc=classes, verbose=False)
    model.names = {0: CLASS_NAME, **{i: f"{CLASS_NAME} {i}" for i in range(1, classes)}}
    model.load(source, verbose=False)
    head = model.model[-1]
    for branch in (*head.cv3, *getattr(head, "one2one_cv3", ())):
        last = branch[-1]
        last.weight.data[1:], last.bias.data[1:] = last.weight.data[:1], last.bias.data[:1]
    model.args = get_cfg(overrides={"task": "obb", "mode": "train", "epochs": epochs})
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=True)
    return model


def load_network(weights: Path) -> Any:
    """A checkpoint's network (the averaged one where there is one), in float, set to judge."""
    model, _ = load_checkpoint(str(weights))
    return model.float().eval()


@contextlib.contextmanager
def bfloat16(device: str) -> Iterator[None]:
    """Run the network's convolutions in bfloat16: halves the time of a step on a CPU that has AVX512-BF16 or AMX."""
    with torch.autocast(device.split(":", maxsplit=1)[0], torch.bfloat16):
        yield


def as_float(value: Any) -> Any:
    """The same nest of dicts, lists and tuples with its tensors in float32: the loss must not run in bfloat16."""
    if torch.is_tensor(value):
        return value.float()
    if isinstance(value, dict):
        return {k: as_float(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(as_float(v) for v in value)
    return value
