"""The only file that opens a runtime: an explicit execution provider and precision, or an error.

`openvino` is Intel's own runtime (the package openvino, extra `[openvino]`), all others are onnxruntime's: its OpenVINO
build would overwrite the plain one, and runs on the CPU without a word where its settings do not suit it.
"""

from __future__ import annotations

import importlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from edge.errors import ModelError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "CPU",
}
"""Names that users give -> the runtime's names."""
PRECISIONS = {
    "cpu": ("fp32", "int8"),
    "cuda": ("fp32", "fp16"),
    "tensorrt": ("fp32", "fp16"),
    "openvino": ("fp32", "bf16"),
}
"""What each provider can compute in. The other way round, int8 gains nothing in OpenVINO (see training/LOG.md)."""
BATCHED = ("cuda", "tensorrt")
"""Providers that gain from a batch; the others are given one image at a time, which also keeps the answer of an image
independent of its neighbours to the last bit."""
_OPENVINO_HINTS = {"fp32": "f32", "bf16": "bf16"}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _openvino() -> Any:  # noqa: ANN401 - an optional module
    """The openvino package; None where it is not installed or does not load."""
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError):
        return None


def available_providers() -> list[str]:
    """Our names of the providers that are installed."""
    built = set(ort.get_available_providers())
    return [ours for ours, theirs in PROVIDERS.items() if theirs in built or (ours == "openvino" and _openvino())]


def check_provider(wanted: str) -> str:
    """The provider that was asked for.

    Raises:
        ProviderError: it is unknown, or not installed.
    """
    if wanted not in PROVIDERS:
        raise ProviderError(wanted, "no such execution provider", f"use auto, {', '.join(PROVIDERS)}")
    if wanted == "openvino" and not _openvino():
        raise ProviderError(
            wanted,
            "the package openvino is not installed",
            "pip install 'tanker-edge[openvino]', or use --provider cpu; see `tanker-edge doctor`",
        )
    present = ["cpu"] if wanted == "cpu" else available_providers()  # which imports openvino, if it is there
    if wanted not in present:
        raise ProviderError(
            wanted,
            f"the installed onnxruntime {ort.__version__} does not have it (there are {', '.join(present)})",
            "install the onnxruntime build for it, or use --provider cpu; see `tanker-edge doctor`",
        )
    return wanted


@dataclass(frozen=True, slots=True)
class Session:
    """One loaded network; safe to run from several threads at once."""

    provider: str
    """Our name of the provider that really runs it."""
    precision: str
    """What it computes in: fp32, bf16, fp16 or int8."""
    forward: Callable[[NDArray[Any]], NDArray[np.float32]]
    """One run of the runtime: a batch -> the first output, which is the caller's to keep."""

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Run a batch (n, ...) -> the first output (n, ...) float32.

        Raises:
            ProviderError: the runtime failed.
        """
        try:
            if self.provider in BATCHED or len(batch) == 1:
                return self.forward(batch)
            return np.concatenate([self.forward(batch[i : i + 1]) for i in range(len(batch))])
        except Exception as error:  # runtimes raise bare Exceptions of their own
            raise ProviderError(
                self.provider, f"the network failed on a batch of shape {batch.shape} ({error})", "see the doctor"
            ) from error


def open_session(path: Path, provider: str = "cpu", precision: str = "fp32", streams: int = 0) -> Session:
    """Load an ONNX file.

    Args:
        path: the file; for int8 and fp16 one that was made for it.
        provider: one of `PROVIDERS`.
        precision: one of the provider's `PRECISIONS`.
        streams: how many threads will run it side by side; 0 for one a core. OpenVINO is told; onnxruntime shares one
            session of one thread among them: as fast as its default where nothing else runs, and far less hurt by a
            busy neighbour.

    Raises:
        ProviderError: the provider is not there, cannot compute in this precision here, or did not take the network
            (never a silent fall back).
        ModelError: the file is not a network that the runtime can load.
    """
    check_provider(provider)
    if precision not in PRECISIONS[provider]:
        raise ProviderError(
            provider, f"does not compute in {precision}", f"use --precision {' or '.join(PRECISIONS[provider])}"
        )
    if provider == "openvino":
        return _open_openvino(path, precision, streams or cores())
    return _open_onnxruntime(path, provider, precision)


def _open_onnxruntime(path: Path, provider: str, precision: str) -> Session:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # one plan of all memory for each shape: half as much again, and no faster
    options.log_severity_level = 3  # its warnings are for developers and go to stderr
    name = PROVIDERS[provider]
    settings = {("tensorrt", "fp16"): {"trt_fp16_enable": "1"}, ("cuda", "fp32"): {"use_tf32": "0"}}.get(
        (provider, precision), {}
    )
    names: list[Any] = [(name, settings)] + ([] if provider == "cpu" else [PROVIDERS["cpu"]])
    try:
        runtime = ort.InferenceSession(str(path), options, providers=names)
    except Exception as error:
        raise ModelError(path, f"onnxruntime cannot load it ({error})", "get the model folder again") from error
    running = runtime.get_providers()[0]
    if running != name:
        raise ProviderError(
            provider, f"onnxruntime fell back to {running}", "mend its libraries (see `tanker-edge doctor`) or use cpu"
        )
    first = runtime.get_inputs()[0].name
    return Session(provider, precision, lambda batch: np.asarray(runtime.run(None, {first: batch})[0]))


class _OpenVino:
    """A compiled network of openvino; a thread has an infer request of its own."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 - openvino is optional, its types are not there
        self._compiled = compiled
        self._mine = threading.local()

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        request = getattr(self._mine, "request", None)
        if request is None:
            request = self._mine.request = self._compiled.create_infer_request()
        request.infer({0: np.ascontiguousarray(batch)}, share_inputs=True)
        # Copied: the request writes over its own buffer the next time.
        return np.array(request.get_output_tensor(0).data, np.float32)


def _open_openvino(path: Path, precision: str, streams: int) -> Session:
    module = _openvino()
    try:
        core = module.Core()
        abilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except Exception as error:  # openvino raises RuntimeErrors of its own
        raise ProviderError("openvino", f"it does not start ({error})", "use --provider cpu") from error
    if precision == "bf16" and "BF16" not in abilities:
        raise ProviderError("openvino", "this processor has no bf16 arithmetic", "use --precision fp32")
    settings = {
        "INFERENCE_PRECISION_HINT": _OPENVINO_HINTS[precision],
        "NUM_STREAMS": str(streams),
        "INFERENCE_NUM_THREADS": streams,
    }
    try:
        compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)
    except Exception as error:
        raise ModelError(path, f"openvino cannot load it ({error})", "get the model folder again") from error
    return Session("openvino", precision, _OpenVino(compiled))
