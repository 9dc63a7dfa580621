"""The Open Inference Protocol v2 (KServe, Triton) over HTTP, with its binary tensor extension."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from edge import __version__
from edge.model_card import ModelCard
from edge.server.core import TheCore
from edge.server.inline import SCENE, admit, admit_px, in_thread, request_folder, run
from edge.server.oip import (
    EXTENSIONS,
    HEADER,
    INPUTS,
    OUTPUTS,
    PLATFORM,
    InferRequest,
    InferResponse,
    Live,
    ModelConfig,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
)
from edge.server.oip_errors import InferenceProblem
from edge.server.oip_infer import infer_all
from edge.server.oip_request import take_apart
from edge.server.problems import HttpError, documented
from edge.server.streams import create, stream_to

router = APIRouter(prefix="/v2", tags=["open inference protocol"])

MODEL, VERSION = "/models/{name}", "/models/{name}/versions/{version}"


def _path(*names: str) -> dict[str, Any]:
    """Parameters of a path as OpenAPI has them; the routes of a model and of a version of it are the same functions."""
    return {"parameters": [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]}


NAMED, VERSIONED = _path("name"), _path("name", "version")
EXAMPLE = {
    "id": "1",
    "parameters": {"gsd": 1.5, "name": "port.png"},
    "inputs": [{"name": "image", "datatype": "UINT8", "shape": [2, 2, 3], "data": [0, 80, 120] * 4}],
    "outputs": [{"name": "boxes"}, {"name": "kinds"}, {"name": "counts"}],
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{InferRequest.__name__}"},
                "example": EXAMPLE,
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
"""The body as OpenAPI has it: it is streamed, so that FastAPI does not see it."""
JSON_LENGTH = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "bytes of the JSON in front of binary data; without it, all of the body is JSON",
    "schema": {"type": "integer", "minimum": 0},
}
BINARY: dict[str, Any] = {
    "description": "JSON, or JSON with binary data behind it where an output is wanted so",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
READY = documented(schema=InferenceProblem)
KNOWN = documented(404, schema=InferenceProblem)
INFERRED: dict[int | str, dict[str, Any]] = {
    200: BINARY,
    **documented(404, 408, 413, 415, 422, 504, 507, schema=InferenceProblem),
}


async def _model(request: Request, core: TheCore) -> ModelCard:
    """The card of the model that the path names.

    Raises:
        HttpError: 404: another one is served.
    """
    card, path = core.served.detector.card, request.path_params
    if path["name"] != card.name:
        raise HttpError(404, f"no model is called {path['name'][:80]!r}", f"{card.name} is served; see GET /v1/models")
    if path.get("version", card.version) != card.version:
        cause = f"{card.name} is not served in version {path['version'][:80]!r}"
        raise HttpError(404, cause, f"version {card.version} is; see GET /v1/models")
    return card


TheModel = Annotated[ModelCard, Depends(_model)]


@router.get("", responses=READY)
async def server_metadata() -> ServerMetadata:
    """What the server is, and which extensions of the protocol it knows."""
    return ServerMetadata(name="tanker-edge", version=__version__, extensions=list(EXTENSIONS))


@router.get("/health/live", responses=READY)
async def live() -> Live:
    """The server runs; it answers whatever it is busy with."""
    return Live(live=True)


@router.get("/health/ready", responses=READY)
async def ready(core: TheCore) -> Ready:
    """The server takes work: 200, or 503 while it starts and once it is to stop."""
    _check_ready(core)
    return Ready(ready=True)


@router.get(f"{MODEL}/ready", responses=KNOWN, openapi_extra=NAMED)
@router.get(f"{VERSION}/ready", responses=KNOWN, openapi_extra=VERSIONED)
async def model_ready(core: TheCore, card: TheModel) -> ModelReady:
    """The model can be used: 200, or 503 as for the server."""
    _check_ready(core)
    return ModelReady(name=card.name, ready=True)


def _check_ready(core: TheCore) -> None:
    if not core.life.ready:
        raise HttpError(503, "the server starts or stops", "try again", headers={"Retry-After": "5"})


@router.get(MODEL, responses=KNOWN, openapi_extra=NAMED)
@router.get(VERSION, responses=KNOWN, openapi_extra=VERSIONED)
async def model_metadata(card: TheModel) -> ModelMetadata:
    """What the model takes (one of its inputs) and gives."""
    return ModelMetadata(
        name=card.name, versions=[card.version], platform=PLATFORM, inputs=list(INPUTS), outputs=list(OUTPUTS)
    )


@router.get(f"{MODEL}/config", responses=KNOWN, openapi_extra=NAMED)
@router.get(f"{VERSION}/config", responses=KNOWN, openapi_extra=VERSIONED)
async def model_config(card: TheModel) -> ModelConfig:
    """The same in the words of Triton's configurations, which some of its tools read."""
    return ModelConfig.of(card.name)


@router.post(
    f"{MODEL}/infer",
    response_model=InferResponse,
    responses=INFERRED,
    openapi_extra={"parameters": [*NAMED["parameters"], JSON_LENGTH], **BODY},
)
@router.post(
    f"{VERSION}/infer",
    response_model=InferResponse,
    responses=INFERRED,
    openapi_extra={"parameters": [*VERSIONED["parameters"], JSON_LENGTH], **BODY},
)
async def infer(request: Request, core: TheCore, _: TheModel) -> Response:
    """Count the vessels of one or several pictures (`image`), or of an image file (`scene`).

    `image` is UINT8, RGB, [h, w, 3] or [n, h, w, 3] with up to 8 pictures; `scene` is BYTES, [1]: a JPEG, TIFF or the
    like, in JSON as base64. Parameters are the options of `/v1/count`, `name`, and `timeout` in microseconds.

    A row a vessel, picture after picture: `boxes` (centre x, y, length, beam in px, angle in radians from +x to +y),
    `corners` (x, y in px, from the bow-left, clockwise), `scores`, `kinds` (0 tanker, 1 other, 2 unknown),
    `kind_scores` (belief in a tanker; NaN, in JSON null, where nothing judged it), `image_index`. A row a picture:
    `counts` (tanker, other, unknown, vessel), `coverage`, `document` (what `/v1/count` answers, as JSON).
    """
    core.admission.check()
    settings = core.settings
    async with request_folder(core, "infer") as (folder, held):
        body = folder / "body"
        with create(body) as file:
            await stream_to(request, file, settings.max_body_bytes, settings.body_timeout_s)
        told = request.headers.get(HEADER)
        asked = await in_thread(core, lambda: take_apart(body, told, folder / SCENE))
        if asked.file:
            await admit(core, held, asked.file)
        elif asked.images is not None:
            number, height, width, _bands = asked.images.shape
            size = f"the input has {number} x {width:,} x {height:,} pixels"
            admit_px(core, held, number * width * height, size, "image")
        timeout_s = (asked.options.timeout or 0) / 1e6 or None
        found, response = await run(core, request, held, lambda work: infer_all(asked, work), timeout_s)
    for document in found.documents:
        core.metrics.counted(document, "infer")
    return response
