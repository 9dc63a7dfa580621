"""The documents of the Open Inference Protocol v2 (KServe, Triton) as this server speaks it.

One input: `image`, px of one or several pictures, or `scene`, an image file as it is. Outputs have a row a vessel
(`boxes` to `image_index`) or a row a picture (`counts`, `coverage`, `document`): see `edge.server.routes_oip.infer`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.server.options import CountOptions

EXTENSIONS = ("binary_tensor_data", "model_configuration", "parameters")
PLATFORM = "onnxruntime_onnx"
HEADER = "inference-header-content-length"
"""Bytes of the JSON in front of binary data."""
IMAGE, SCENE = "image", "scene"
MOST_IMAGES = 8
"""Pictures in a request."""
MOST_DIMENSIONS = 8
DAY_US = 86_400_000_000
Word = Annotated[str, Field(max_length=255)]
Size = Annotated[int, Field(ge=0, lt=2**31)]


class TensorMetadata(BaseModel):
    """What a tensor looks like; -1 stands for any size."""

    name: str
    datatype: str
    shape: list[int]


INPUTS = (
    TensorMetadata(name=IMAGE, datatype="UINT8", shape=[-1, -1, -1, 3]),
    TensorMetadata(name=SCENE, datatype="BYTES", shape=[1]),
)
"""One of them is sent; a single image may also have the shape [h, w, 3]."""
OUTPUTS = (
    TensorMetadata(name="boxes", datatype="FP32", shape=[-1, 5]),
    TensorMetadata(name="corners", datatype="FP32", shape=[-1, 4, 2]),
    TensorMetadata(name="scores", datatype="FP32", shape=[-1]),
    TensorMetadata(name="kinds", datatype="INT32", shape=[-1]),
    TensorMetadata(name="kind_scores", datatype="FP32", shape=[-1]),
    TensorMetadata(name="image_index", datatype="INT32", shape=[-1]),
    TensorMetadata(name="counts", datatype="INT32", shape=[-1, 4]),
    TensorMetadata(name="coverage", datatype="FP32", shape=[-1]),
    TensorMetadata(name="document", datatype="BYTES", shape=[-1]),
)


class ServerMetadata(BaseModel):
    """What the server is, and which extensions of the protocol it knows."""

    name: str
    version: str
    extensions: list[str]


class ModelMetadata(BaseModel):
    """What the model takes and gives. It takes one of its inputs, not all."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class TensorConfig(BaseModel):
    """A tensor in the words of Triton."""

    name: str
    data_type: str
    dims: list[int]
    optional: bool = False

    @classmethod
    def of(cls, spec: TensorMetadata, *, optional: bool = False) -> TensorConfig:
        """Translate."""
        words = {"BYTES": "TYPE_STRING"}
        data_type = words.get(spec.datatype, f"TYPE_{spec.datatype}")
        return cls(name=spec.name, data_type=data_type, dims=spec.shape, optional=optional)


class ModelConfig(BaseModel):
    """The part of Triton's configuration of a model that its clients read."""

    name: str
    platform: str
    max_batch_size: int
    input: list[TensorConfig]
    output: list[TensorConfig]

    @classmethod
    def of(cls, name: str) -> ModelConfig:
        """That of a model of this server. Its pictures are no batch in Triton's sense: 0."""
        inputs = [TensorConfig.of(spec, optional=True) for spec in INPUTS]
        outputs = [TensorConfig.of(spec) for spec in OUTPUTS]
        return cls(name=name, platform=PLATFORM, max_batch_size=0, input=inputs, output=outputs)


class Live(BaseModel):
    """The server runs."""

    live: bool


class Ready(BaseModel):
    """The server takes work."""

    ready: bool


class ModelReady(BaseModel):
    """The model can be used."""

    name: str
    ready: bool


class InputParameters(BaseModel):
    """How an input is sent."""

    model_config = ConfigDict(extra="forbid")

    binary_data_size: Size | None = None
    """Its bytes behind the JSON; without it, `data` holds the tensor."""
    content_type: str | None = None
    """A hint of some clients; what a tensor holds is told by its name."""


class RequestInput(BaseModel):
    """A tensor of a request."""

    name: Word
    datatype: Word
    shape: Annotated[list[Size], Field(min_length=1, max_length=MOST_DIMENSIONS)]
    parameters: InputParameters | None = None
    data: list[Any] | None = None
    """Numbers, flat or nested as `shape` says; for `scene` one string, the file in base64."""


class OutputParameters(BaseModel):
    """How an output is wanted."""

    model_config = ConfigDict(extra="forbid")

    binary_data: bool | None = None
    """Behind the JSON, not in it; as `binary_data_output` says where this is left out."""


class RequestOutput(BaseModel):
    """A tensor that is wanted."""

    name: Word
    parameters: OutputParameters | None = None


class InferParameters(CountOptions):
    """Options of a count, and of this protocol."""

    name: Annotated[str | None, Field(max_length=255)] = None
    """What the scene is called; several pictures have their index appended."""
    timeout: Annotated[int | None, Field(ge=0, le=DAY_US)] = None
    """Microseconds after which the client no longer wants an answer; 0 for none."""
    binary_data_output: bool = False
    """All outputs are wanted behind the JSON, not in it."""


class InferRequest(BaseModel):
    """The JSON of a request."""

    id: Annotated[str | None, Field(max_length=1024)] = None
    """Comes back in the answer."""
    parameters: InferParameters | None = None
    inputs: Annotated[list[RequestInput], Field(min_length=1)]
    outputs: list[RequestOutput] | None = None
    """Those that are wanted; none means all."""

    @property
    def options(self) -> InferParameters:
        """The parameters, or those of a request that has none."""
        return self.parameters or InferParameters()


class ResponseOutput(BaseModel):
    """A tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = None
    """`binary_data_size` where the tensor stands behind the JSON."""
    data: list[float | str | None] | None = None
    """Row by row, flat; null for a number that is not known (NaN where it is binary)."""


class InferResponse(BaseModel):
    """The JSON of an answer."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]
