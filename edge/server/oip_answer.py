"""The answer to an inference: what was found, as the tensors that are wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi.responses import Response

from edge.detections import Detections
from edge.server.oip import HEADER, OUTPUTS
from edge.server.oip_tensors import shape_of, to_bytes, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.model_card import ModelCard
    from edge.pipeline import ScanResult
    from edge.server.oip_request import Inference
    from edge.server.oip_tensors import Tensor

KINDS = ("tanker", "other", "unknown", "vessel")
"""Columns of `counts`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in the pictures of a request."""

    documents: Sequence[dict[str, Any]]
    """One a picture."""
    results: Sequence[ScanResult]
    """One a picture."""

    @property
    def vessels(self) -> Detections:
        """Those that count, picture after picture, in the order of the documents."""
        return Detections.concat([result.found for result in self.results])

    @property
    def image_index(self) -> Tensor:
        """The picture of each vessel, from 0."""
        return np.repeat(np.arange(len(self.results)), [len(result.found) for result in self.results]).astype(np.int32)


MAKE: dict[str, Callable[[Found], Tensor]] = {
    "boxes": lambda found: found.vessels.xywhr.astype(np.float32),
    "corners": lambda found: found.vessels.corners.astype(np.float32),
    "scores": lambda found: found.vessels.score.astype(np.float32),
    "kinds": lambda found: found.vessels.kind.astype(np.int32),
    "kind_scores": lambda found: found.vessels.kind_score.astype(np.float32),
    "image_index": lambda found: found.image_index,
    "counts": lambda found: np.array([[d["counts"][kind] for kind in KINDS] for d in found.documents], np.int32),
    "coverage": lambda found: np.array([d["coverage"] for d in found.documents], np.float32),
    "document": lambda found: [_compact(document) for document in found.documents],
}
"""How each output is made."""


def _compact(document: dict[str, Any]) -> bytes:
    """JSON without blanks."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def answer(inference: Inference, card: ModelCard, found: Found) -> Response:
    """The response, with the tensors that are wanted, in the order asked for.

    Args:
        inference: what was asked for.
        card: the model that found it.
        found: what there is to tell.
    """
    datatypes = {spec.name: spec.datatype for spec in OUTPUTS}
    outputs: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for name, binary in inference.outputs.items():
        tensor = MAKE[name](found)
        told: dict[str, Any] = {"name": name, "datatype": datatypes[name], "shape": shape_of(tensor)}
        if binary:
            behind.append(to_bytes(tensor))
            told["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            told["data"] = to_json(tensor)
        outputs.append(told)
    head: dict[str, Any] = {"model_name": card.name, "model_version": card.version}
    if inference.id is not None:
        head["id"] = inference.id
    text = _compact({**head, "outputs": outputs})
    if not behind:
        return Response(text, media_type="application/json")
    headers = {HEADER: str(len(text))}
    return Response(b"".join([text, *behind]), headers=headers, media_type="application/octet-stream")
