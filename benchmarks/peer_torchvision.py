"""Let ultralytics be imported where torchvision's own binary does not load.

torchvision 0.28.0's wheel wants CUDA libraries that a machine without a GPU lacks; then `import torchvision` fails as
the operator torchvision::nms is not defined. Suppression of oriented boxes never calls it: it only has to be there.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any


def _loads() -> bool:
    """Whether torchvision's binary can be loaded."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True
    binaries = [*Path(spec.origin).parent.glob("_C*.so"), *Path(spec.origin).parent.glob("_C*.pyd")]
    if not binaries:
        return False
    import torch  # noqa: F401, PLC0415 - brings the libraries that the binary is linked to

    try:
        ctypes.CDLL(str(binaries[0]))
    except OSError:
        return False
    return True


def mend() -> Any:  # noqa: ANN401 - torch's library object; it must be kept, or its operators are forgotten
    """Define the operators where they are missing; call before ultralytics is imported, and keep the answer."""
    if _loads():
        return None
    import torch  # noqa: PLC0415 - absent outside the peers' virtual environment

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
