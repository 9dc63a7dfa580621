"""The Open Inference Protocol on a real server, by Triton's own client, and by requests that no client would send."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
import threading
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detections import Kind
from edge.server.oip import MOST_IMAGES, OUTPUTS
from edge.server.oip_request import MOST_JSON, MOST_LISTS
from tests.live import idle, serving, wait_until
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.server.core import Core

Live = tuple[httpx.Client, "Core"]
PIXELS = picture(160, 96, {(4, 3): 255, (12, 8): 204, (15, 3): 100}, green=200)
"""Two vessels that count and one that does not."""
OTHERS = np.stack([picture(160, 96, {(4, 3): 255}), picture(160, 96, {}), PIXELS])
NAMES = [spec.name for spec in OUTPUTS]
INFER = "/v2/models/toy/infer"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def client(live: Live) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(live[0].base_url.netloc.decode()) as connected:
        yield connected


def _image(pixels: NDArray[np.uint8] = PIXELS, *, binary: bool = True) -> list[Any]:
    tensor = triton.InferInput("image", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    return [tensor]


def _scene(content: bytes) -> list[Any]:
    tensor = triton.InferInput("scene", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([content], np.object_))
    return [tensor]


def _png(pixels: NDArray[np.uint8] = PIXELS) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def _document(result: Any, index: int = 0) -> dict[str, Any]:  # noqa: ANN401 - the client has no types
    return {**json.loads(result.as_numpy("document")[index]), "seconds": None}


def _counted(live: Live, pixels: NDArray[np.uint8] = PIXELS, **query: Any) -> dict[str, Any]:  # noqa: ANN401 - options of a count
    answer = live[0].post("/v1/count", params=query, content=_png(pixels))
    assert answer.status_code == 200
    return {**answer.json(), "seconds": None}


def _request(*inputs: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"inputs": list(inputs), **more}


def _small(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A picture of 2 x 2 px as an input."""
    return {"name": "image", "datatype": "UINT8", "shape": [2, 2, 3], "data": [0] * 12, **changes}


# --- what there is ---


def test_the_server_and_its_model_describe_themselves(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("toy")
    assert client.is_model_ready("toy", "1")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("toy")
    assert metadata == client.get_model_metadata("toy", "1")
    assert (metadata["name"], metadata["versions"]) == ("toy", ["1"])
    assert metadata["inputs"][0] == {"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}
    assert [output["name"] for output in metadata["outputs"]] == NAMES
    config = client.get_model_config("toy")
    assert config["max_batch_size"] == 0
    assert [tensor["data_type"] for tensor in config["input"]] == ["TYPE_UINT8", "TYPE_STRING"]


def test_another_model_or_version_is_not_there(client: triton.InferenceServerClient) -> None:
    for name, version in (("toyx", ""), ("toy", "2")):
        assert not client.is_model_ready(name, version)
        for ask in (client.get_model_metadata, client.get_model_config):
            with pytest.raises(triton.InferenceServerException, match=r"see GET /v1/models") as told:
                ask(name, version)
            assert told.value.status() == "404"
        with pytest.raises(triton.InferenceServerException, match=r"see GET /v1/models"):
            client.infer(name, _image(), version)


def test_the_models_are_listed(live: Live) -> None:
    client, core = live
    (model,) = client.get("/v1/models").json()["models"]
    assert model["name"] == "toy"
    assert model["sha256"] == core.served.detector.card.sha256
    assert (model["provider"], model["precision"]) == ("cpu", "fp32")
    assert model["loaded"] == core.served.now.since
    assert model["kinds"] == ["tanker", "other"]
    assert model["gsd_m"] == [1.0, 2.0]
    assert model["score_threshold"] == 0.5


def test_readiness_is_told_and_liveness_does_not_depend_on_it(live: Live) -> None:
    client, core = live
    core.life.ready = False
    try:
        for path in ("/v2/health/ready", "/v2/models/toy/ready"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "starts or stops" in answer.json()["error"]
        assert client.get("/v2/health/live").json() == {"live": True}
    finally:
        core.life.ready = True


def test_health_does_not_wait_behind_work(live: Live) -> None:
    client, core = live
    gate = threading.Event()
    pools = [core.urgent.lane(), core.scanners(0), core.clerks]
    held = [pool.submit(gate.wait, 20) for pool in pools for _ in range(20)]
    try:
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/toy/ready", "/v2", "/v2/models/toy"):
            assert client.get(path, timeout=5).status_code == 200
        assert not any(future.done() for future in held)
    finally:
        gate.set()
        for future in held:
            future.result()


# --- inference ---


def test_a_picture_has_the_document_that_it_has_everywhere(client: triton.InferenceServerClient, live: Live) -> None:
    expected = _counted(live, name="port.png", gsd=1.5, max_length=60)
    assert expected["counts"]["vessel"] == 2
    options = {"gsd": 1.5, "max_length": 60, "name": "port.png"}
    for inputs in (_image(), _image(PIXELS[None]), _image(binary=False), _scene(_png())):
        result = client.infer("toy", inputs, request_id="one", parameters=options)
        assert result.get_response()["id"] == "one"
        assert result.get_response()["model_name"] == "toy"
        assert result.get_response()["model_version"] == "1"
        assert _document(result) == expected
    wait_until(lambda: idle(live[1]))


@pytest.mark.parametrize("binary", [True, False])
def test_outputs_say_what_the_document_says(client: triton.InferenceServerClient, *, binary: bool) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in NAMES]
    result = client.infer("toy", _image(), "1", outputs)
    document = _document(result)
    rows = document["detections"]
    assert [output["name"] for output in result.get_response()["outputs"]] == NAMES
    assert np.allclose(result.as_numpy("corners"), [row["corners"] for row in rows], atol=0.01)
    boxes = result.as_numpy("boxes")
    assert boxes.shape == (2, 5)
    assert np.allclose(boxes[:, :2], result.as_numpy("corners").mean(1), atol=0.01)
    assert np.allclose(boxes[:, 2:4], [24, 8])
    assert np.allclose(result.as_numpy("scores"), [row["score"] for row in rows], atol=1e-4)
    assert [Kind(int(kind)).label for kind in result.as_numpy("kinds")] == [row["kind"] for row in rows]
    assert np.allclose(result.as_numpy("kind_scores"), [row["kind_score"] for row in rows], atol=1e-4)
    assert result.as_numpy("image_index").tolist() == [0, 0]
    counts = result.as_numpy("counts")
    assert counts.tolist() == [[document["counts"][kind] for kind in ("tanker", "other", "unknown", "vessel")]]
    assert counts[0, 3] == 2
    assert result.as_numpy("coverage").tolist() == [1.0]
    types = {name: result.as_numpy(name).dtype for name in NAMES[:-1]}
    whole = {"kinds", "image_index", "counts"}
    assert types == {name: np.int32 if name in whole else np.float32 for name in NAMES[:-1]}


def test_several_pictures_are_counted_one_by_one(client: triton.InferenceServerClient, live: Live) -> None:
    result = client.infer("toy", _image(OTHERS), parameters={"name": "port.png"})
    assert result.as_numpy("image_index").tolist() == [0, 2, 2]
    assert result.as_numpy("counts")[:, 3].tolist() == [1, 0, 2]
    assert result.as_numpy("coverage").tolist() == [1, 1, 1]
    for i, pixels in enumerate(OTHERS):
        assert _document(result, i) == _counted(live, pixels, name=f"port-{i}.png")
    unnamed = client.infer("toy", _image(OTHERS))
    assert [_document(unnamed, i)["scene"] for i in range(3)] == ["scene-0", "scene-1", "scene-2"]


def test_where_nothing_is_found_tensors_have_no_rows(client: triton.InferenceServerClient) -> None:
    for binary in (True, False):
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in NAMES]
        result = client.infer("toy", _image(np.zeros((50, 60, 3), np.uint8)), outputs=outputs)
        shapes = [result.as_numpy(name).shape for name in NAMES]
        assert shapes == [(0, 5), (0, 4, 2), (0,), (0,), (0,), (0,), (1, 4), (1,), (1,)]


def test_only_what_is_asked_for_is_answered_and_each_as_asked(client: triton.InferenceServerClient, live: Live) -> None:
    outputs = [
        triton.InferRequestedOutput("scores", binary_data=True),
        triton.InferRequestedOutput("counts", binary_data=False),
        triton.InferRequestedOutput("boxes", binary_data=True),
    ]
    result = client.infer("toy", _image(), outputs=outputs)
    told = result.get_response()["outputs"]
    assert [output["name"] for output in told] == ["scores", "counts", "boxes"]
    assert [output.get("parameters") for output in told] == [{"binary_data_size": 8}, None, {"binary_data_size": 40}]
    assert told[1]["data"][3] == 2
    assert result.as_numpy("scores").shape == (2,)
    body = _request(_small(), outputs=[{"name": "coverage"}], parameters={"binary_data_output": True})
    answer = live[0].post(INFER, json=body)
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 4}
    assert struct.unpack("<f", answer.content[length:]) == (1.0,)


def test_json_answers_json_and_has_no_id_unless_given_one(live: Live) -> None:
    answer = live[0].post(INFER, json=_request(_small()))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in answer.headers
    assert set(answer.json()) == {"model_name", "model_version", "outputs"}


def test_data_may_be_nested_and_a_file_may_be_base64(live: Live) -> None:
    nested = {"name": "image", "datatype": "UINT8", "shape": [96, 160, 3], "data": PIXELS.tolist()}
    file = {
        "name": "scene", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(_png()).decode()],
        "parameters": {"content_type": "base64"},
    }  # fmt: skip
    for tensor in (nested, {**nested, "data": PIXELS.ravel().tolist()}, file):
        answer = live[0].post(INFER, json=_request(tensor, outputs=[{"name": "document"}]))
        assert answer.status_code == 200
        document = {**json.loads(answer.json()["outputs"][0]["data"][0]), "seconds": None}
        assert document == _counted(live)


def test_a_kind_score_that_is_not_known_is_null_or_nan(tmp_path: Path) -> None:
    model = model_folder(tmp_path / "plain")
    with serving(tmp_path, model) as (http, _), triton.InferenceServerClient(http.base_url.netloc.decode()) as client:
        assert http.get("/v1/models").json()["models"][0]["kinds"] == []
        for binary in (True, False):
            outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("kind_scores", "kinds")]
            result = client.infer("plain", _image(), outputs=outputs)
            assert np.isnan(result.as_numpy("kind_scores")).tolist() == [True, True]
            assert result.as_numpy("kinds").tolist() == [Kind.UNKNOWN] * 2
        assert result.get_output("kind_scores")["data"] == [None, None]


def test_options_are_those_of_a_count(client: triton.InferenceServerClient) -> None:
    result = client.infer("toy", _image(), parameters={"conf": 0.9})
    assert _document(result)["settings"]["threshold"] == 0.9
    assert result.as_numpy("counts")[0, 3] == 1
    result = client.infer("toy", _image(PIXELS[..., ::-1].copy()), parameters={"bands": "3,2,1", "exhaustive": True})
    assert _document(result)["settings"]["exhaustive"]
    assert result.as_numpy("counts")[0, 3] == 2


def test_requests_may_come_side_by_side(live: Live) -> None:
    with triton.InferenceServerClient(live[0].base_url.netloc.decode(), concurrency=6) as client:
        asked = [client.async_infer("toy", _image(OTHERS[i % 3])) for i in range(18)]
        counts = [int(call.get_result().as_numpy("counts")[0, 3]) for call in asked]
    assert counts == [1, 0, 2] * 6
    wait_until(lambda: idle(live[1]))


# --- limits ---


def test_a_deadline_in_microseconds_ends_the_work(client: triton.InferenceServerClient, live: Live) -> None:
    pixels = np.random.default_rng(1).integers(0, 60, (3000, 3000, 3), np.uint8)
    with pytest.raises(triton.InferenceServerException, match=r"not done within 0\.05 s") as told:
        client.infer("toy", _image(pixels), timeout=50_000)
    assert told.value.status() == "504"
    wait_until(lambda: idle(live[1]), 5)
    assert client.infer("toy", _image(), timeout=0).as_numpy("counts")[0, 3] == 2


def test_what_is_too_large_is_for_a_job(tmp_path: Path) -> None:
    limits = {"max_request_pixels": 20_000, "max_inflight_pixels": 20_000, "max_body_bytes": 200_000}
    with serving(tmp_path, **limits) as (http, core):
        with triton.InferenceServerClient(http.base_url.netloc.decode()) as client:
            assert client.infer("toy", _image()).as_numpy("counts")[0, 3] == 2
            for inputs in (_image(OTHERS), _scene(_png(np.zeros((200, 200, 3), np.uint8)))):
                with pytest.raises(triton.InferenceServerException, match="POST /v1/jobs") as told:
                    client.infer("toy", inputs)
                assert told.value.status() == "413"
            with pytest.raises(triton.InferenceServerException, match="longer than 200,000 bytes") as told:
                client.infer("toy", _image(np.zeros((300, 300, 3), np.uint8)))
            assert told.value.status() == "413"
        with core.admission.admit(20_000):
            answer = http.post(INFER, json=_request(_small()))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert "no more fits" in answer.json()["error"]
        wait_until(lambda: idle(core))


def test_json_is_bounded(live: Live) -> None:
    answer = live[0].post(INFER, content=b'{"inputs": [' + b" " * MOST_JSON + b"]}")
    assert answer.status_code == 413
    assert "binary data" in answer.json()["mend"]
    answer = live[0].post(INFER, content=b'{"inputs": [' + b"[]," * MOST_LISTS + b"0]}")
    assert answer.status_code == 400
    assert "more than 1,048,576 lists" in answer.json()["detail"]
    answer = live[0].post(INFER, content=b'{"inputs":' + b"[" * 100_000)
    assert answer.status_code == 400


def test_compressed_bodies_are_refused(client: triton.InferenceServerClient, live: Live) -> None:
    with pytest.raises(triton.InferenceServerException, match="Content-Encoding") as told:
        client.infer("toy", _image(), request_compression_algorithm="gzip")
    assert told.value.status() == "415"
    answer = live[0].post(INFER, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


# --- errors ---


def _with(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return _request(_small(), **changes)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "inputs: Field required"),
        ([], "the body: Input should be an object"),
        (_request(), "inputs: List should have at least 1 item"),
        (_request(_small(name="picture")), "'picture' is not known; send one of image, scene"),
        (_request(_small(), _small(name="scene")), r"there are 2 inputs \('image', 'scene'\); send image or scene"),
        (_request(_small(datatype="FP32")), "the datatype 'FP32'; send UINT8"),
        (_request(_small(shape=[2, 2])), r"the shape \[2, 2\]; send \[h, w, 3\] or \[n, h, w, 3\]"),
        (_request(_small(shape=[12])), "the shape"),
        (_request(_small(shape=[3, 2, 2])), "the shape"),
        (_request(_small(shape=[0, 2, 3], data=[])), "no side of 0"),
        (_request(_small(shape=[0, 2, 2, 3], data=[])), "no side of 0"),
        (_request(_small(shape=[1, 1, 2, 2, 3])), "the shape"),
        (_request(_small(shape=[-2, 2, 3])), r"inputs\.0\.shape\.0: Input should be greater than or equal to 0"),
        (_request(_small(shape=[2**40, 2, 3])), r"inputs\.0\.shape\.0: Input should be less than"),
        (_request(_small(shape=[MOST_IMAGES + 1, 1, 1, 3], data=[0] * 27)), "9 pictures; send at most 8"),
        (_request(_small(data=[0] * 11)), r"has 11 numbers; its shape \[2, 2, 3\] needs 12"),
        (_request(_small(data=[256] * 12)), "outside 0 to 255"),
        (_request(_small(data=[-1] * 12)), "outside 0 to 255"),
        (_request(_small(data=[0.5] * 12)), "data of another form"),
        (_request(_small(data=["a"] * 12)), "data of another form"),
        (_request(_small(data=[None] * 12)), "data of another form"),
        (_request(_small(data=[10**40] * 12)), "data of another form"),
        (_request(_small(data=[[0] * 6] * 2)), "data of another form"),
        (_request(_small(data=[[0] * 6, [0] * 5])), "data of another form"),
        (_request(_small(data=None)), "neither data nor binary_data_size"),
        (_request(_small(parameters={"binary_data_size": 12})), "both data and binary_data_size"),
        (
            _request(_small(data=None, parameters={"shared_memory_region": "a"})),
            "parameters.shared_memory_region: is not known here",
        ),
        (_request(_small(data=None, parameters={"binary_data_size": 12})), "the body has .* bytes, and its parts make"),
        (_with(parameters={"gsd": -1}), r"parameters\.gsd: Input should be greater than or equal to 0\.001"),
        (_with(parameters={"conf": "much"}), r"parameters\.conf: Input should be a valid number"),
        (_with(parameters={"bands": "1,2"}), r"parameters\.bands: "),
        (_with(parameters={"sequence_id": 5}), r"parameters\.sequence_id: is not known here"),
        (_with(parameters={"timeout": -1}), r"parameters\.timeout: "),
        (_with(parameters={"name": "a" * 300}), r"parameters\.name: "),
        (_with(parameters={"conf": 0.0001}), "is below 0.05"),
        (_with(parameters={"min_length": 500}), "--min-length"),
        (_with(outputs=[{"name": "masks"}]), "the output 'masks' is not known; ask for some of boxes, corners"),
        (_with(outputs=[{"name": "boxes"}] * 2), "the output 'boxes' is asked for twice"),
        (_with(outputs=[{"name": "boxes", "parameters": {"classification": 2}}]), "classification: is not known here"),
        (_with(id=7), "id: Input should be a valid string"),
        (_request(_small(name="scene", datatype="BYTES")), r"the shape \[2, 2, 3\]; send one file, shape \[1\]"),
        (_request(_small(name="scene", datatype="BYTES", shape=[1])), "data that is not one string"),
        (_request(_small(name="scene", datatype="BYTES", shape=[1], data=["*"])), "data that is no base64"),
        (_request(_small(name="scene", datatype="BYTES", shape=[1], data=["é"])), "data that is no base64"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(live: Live, body: Any, said: str) -> None:  # noqa: ANN401 - JSON
    answer = live[0].post(INFER, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert re.search(said, f"{told.get('subject')}: {told['error']}")
    assert told["error"].startswith(told["detail"])
    assert idle(live[1])


def _binary(body: dict[str, Any], data: bytes, length: str | None = None) -> tuple[bytes, dict[str, str]]:
    """A body with binary data, and its header."""
    text = json.dumps(body).encode()
    return text + data, {"inference-header-content-length": str(len(text)) if length is None else length}


IMAGE = _request(_small(data=None, parameters={"binary_data_size": 12}))
FILE = _request({"name": "scene", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 12}})


@pytest.mark.parametrize(
    ("body", "data", "length", "said"),
    [
        (IMAGE, bytes(11), None, "its parts make"),
        (IMAGE, bytes(13), None, "its parts make"),
        (IMAGE, bytes(12), "-1", "Inference-Header-Content-Length is '-1'"),
        (IMAGE, bytes(12), "", "Inference-Header-Content-Length is ''"),
        (IMAGE, bytes(12), "1_0", "Inference-Header-Content-Length"),
        (IMAGE, bytes(12), "9" * 30, "Inference-Header-Content-Length"),
        (IMAGE, bytes(12), "5", "the body: Invalid JSON"),
        (IMAGE, bytes(12), "0", "the body: Invalid JSON"),
        (
            _request(_small(data=None, shape=[2, 3, 3], parameters={"binary_data_size": 12})), bytes(12), None,
            r"has 12 bytes of binary data, and its shape \[2, 3, 3\] needs 18",
        ),
        (FILE, struct.pack("<I", 9) + bytes(8), None, "an element of 9 bytes; send the file behind its length"),
        (FILE, struct.pack("<I", 4) + bytes(8), None, "an element of 4 bytes"),
        (
            _request({**FILE["inputs"][0], "parameters": {"binary_data_size": 2}}), bytes(2), None,
            "has 2 bytes of binary data with an element without a length",
        ),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_told(
    live: Live, body: dict[str, Any], data: bytes, length: str | None, said: str
) -> None:
    content, headers = _binary(body, data, length)
    answer = live[0].post(INFER, content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert re.search(said, answer.json()["error"])
    assert idle(live[1])


def test_what_is_no_scene_is_told_in_the_clients_words(client: triton.InferenceServerClient, live: Live) -> None:
    with pytest.raises(triton.InferenceServerException, match="is not an image, by its content") as told:
        client.infer("toy", _scene(b"nothing like a picture"), parameters={"name": "../../port.png"})
    assert told.value.status() == "422"
    content, headers = _binary(FILE, struct.pack("<I", 8) + bytes(8))
    answer = live[0].post(INFER, content=content, headers=headers)
    assert answer.json()["subject"] == "scene"
    assert str(live[1].settings.state) not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v2/models", 404), ("GET", "/v2/nothing", 404), ("GET", INFER, 405), ("POST", "/v2", 405)],
)
def test_all_errors_of_the_protocol_carry_its_key(live: Live, method: str, path: str, status: int) -> None:
    answer = live[0].request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"]
    assert answer.json()["status"] == status


def test_errors_of_other_routes_do_not(live: Live) -> None:
    assert "error" not in live[0].post("/v1/count", content=b"no picture").json()
    assert "error" not in live[0].get("/v2x").json()


@settings(max_examples=60, deadline=None)
@given(
    file=st.booleans(),
    damages=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3)), max_size=4),
    cut=st.integers(0, 8),
    shift=st.integers(-3, 3),
)
def test_damaged_bodies_never_break_the_server(
    live: Live, *, file: bool, damages: list[tuple[int, bytes, int]], cut: int, shift: int
) -> None:
    http, core = live
    png = _png(PIXELS[:16, :16])
    size = {"binary_data_size": len(png) + 4}
    body, data = (FILE, struct.pack("<I", len(png)) + png) if file else (IMAGE, bytes(range(12)))
    if file:
        body = _request({**FILE["inputs"][0], "parameters": size})
    content, headers = _binary(body, data)
    for at, new, gone in damages:
        content = content[:at] + new + content[at + gone :]
    content = content[: len(content) - cut]
    headers = {name: str(int(value) + shift) for name, value in headers.items()}
    answer = http.post(INFER, content=content, headers=headers)
    assert answer.status_code in {200, 400, 413, 422}, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]
    wait_until(lambda: idle(core))
