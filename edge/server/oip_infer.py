"""The scenes of an inference through the shared engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from edge.scene import open_scene
from edge.scene_array import array_scene
from edge.server.oip_answer import Found, answer
from edge.server.scoring import Work, score_open

if TYPE_CHECKING:
    from fastapi.responses import Response

    from edge.pipeline import ScanResult
    from edge.server.oip_request import Inference


def infer_all(asked: Inference, work: Work) -> tuple[Found, Response]:
    """What is in the pictures of a request, and the response that says so.

    Several pictures are looked at side by side.

    Raises:
        TankerEdgeError: as `edge.server.scoring.score`.
    """
    options, reading = asked.options, asked.options.reading(work.max_pixels)
    if asked.file:
        with open_scene(asked.file, reading) as scene:
            scored = [score_open(scene, options, work)]
    else:
        images = asked.images if asked.images is not None else ()

        def one(index: int) -> tuple[dict[str, Any], ScanResult]:
            with array_scene(asked.name(index), images[index], reading) as scene:
                return score_open(scene, options, work)

        with ThreadPoolExecutor(len(images)) as pool:
            scored = list(pool.map(one, range(len(images))))
    found = Found([document for document, _ in scored], [result for _, result in scored])
    return found, answer(asked, work.detector.card, found)
