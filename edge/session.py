"""The only file that opens a runtime: an explicit execution provider, or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from edge.errors import ModelError, ProviderError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Names that users give -> onnxruntime's names."""
BATCHED = ("cuda", "tensorrt")
"""Providers that gain from a batch; the others are given one image at a time, which also keeps the answer of an image
independent of its neighbours to the last bit."""


def available_providers() -> list[str]:
    """Our names of the providers that the installed onnxruntime was built with."""
    built = set(ort.get_available_providers())
    return [ours for ours, theirs in PROVIDERS.items() if theirs in built]


def choose_provider(wanted: str) -> str:
    """The provider to use: the one that was asked for, or for `auto` the first accelerator that is built in, else cpu.

    Raises:
        ProviderError: the wanted one is unknown, or the installed onnxruntime does not have it.
    """
    present = available_providers()
    if wanted == "auto":
        return next((p for p in ("cuda", "cpu") if p in present), "cpu")
    if wanted not in PROVIDERS:
        raise ProviderError(wanted, "no such execution provider", f"use auto, {', '.join(PROVIDERS)}")
    if wanted not in present:
        raise ProviderError(
            wanted,
            f"the installed onnxruntime {ort.__version__} does not have it (it has {', '.join(present)})",
            "install the onnxruntime build for it, or use --provider cpu; see `tanker-edge doctor`",
        )
    return wanted


@dataclass(frozen=True, slots=True)
class Session:
    """One loaded network; safe to run from several threads at once."""

    provider: str
    """Our name of the provider that really runs it."""
    runtime: Any
    input_name: str

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Run a batch (n, ...) -> the first output (n, ...) float32.

        Raises:
            ProviderError: the runtime failed.
        """
        try:
            if self.provider in BATCHED or len(batch) == 1:
                return np.asarray(self.runtime.run(None, {self.input_name: batch})[0])
            rows = [self.runtime.run(None, {self.input_name: batch[i : i + 1]})[0] for i in range(len(batch))]
            return np.concatenate(rows)
        except Exception as error:  # onnxruntime raises bare Exceptions of its own
            raise ProviderError(
                self.provider, f"the network failed on a batch of shape {batch.shape} ({error})", "see the doctor"
            ) from error


def open_session(path: Path, provider: str = "auto", intra_threads: int = 1) -> Session:
    """Load an ONNX file.

    Args:
        path: the file.
        provider: one of `PROVIDERS`, or `auto`.
        intra_threads: threads inside one run. The pipeline shares one session of one thread among as many workers as
            cores: 1.2 times as fast as onnxruntime's default on two cores, and far less hurt by a busy neighbour.

    Raises:
        ProviderError: the provider is not there, or did not take the network (never a silent fall back to the CPU).
        ModelError: the file is not a network that onnxruntime can load.
    """
    chosen = choose_provider(provider)
    options = ort.SessionOptions()
    options.intra_op_num_threads = intra_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # its warnings are for developers and go to stderr
    options.enable_cpu_mem_arena = False  # the arena keeps the peak of every shape for good
    names = [PROVIDERS[chosen]] + ([] if chosen == "cpu" else [PROVIDERS["cpu"]])
    try:
        runtime = ort.InferenceSession(str(path), options, providers=names)
    except Exception as error:
        raise ModelError(path, f"onnxruntime cannot load it ({error})", "get the model folder again") from error
    running = runtime.get_providers()[0]
    if running != PROVIDERS[chosen]:
        raise ProviderError(
            chosen, f"onnxruntime fell back to {running}", "mend its libraries (see `tanker-edge doctor`) or use cpu"
        )
    return Session(chosen, runtime, runtime.get_inputs()[0].name)
