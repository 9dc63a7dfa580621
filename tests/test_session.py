from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import toy_model

from edge import cli, session
from edge.errors import ModelError, ProviderError
from edge.session import PRECISIONS, PROVIDERS, available_providers, check_provider, open_session

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def doubler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_model.doubler(tmp_path_factory.mktemp("toy") / "doubler.onnx")


def test_the_toy_network_doubles(doubler: Path) -> None:
    opened = open_session(doubler, "cpu")
    assert opened.provider == "cpu"
    batch = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert np.array_equal(opened.run(batch), batch * 2)


def test_the_answer_for_a_row_does_not_depend_on_the_batch(tmp_path: Path) -> None:
    opened = open_session(toy_model.finder(tmp_path / "finder.onnx"), "cpu")
    batch = np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), np.uint8)
    alone = np.concatenate([opened.run(batch[i : i + 1]) for i in range(8)])
    assert np.array_equal(opened.run(batch), alone)


def test_several_threads_share_a_session(doubler: Path) -> None:
    opened = open_session(doubler, "cpu")
    batches = [np.full((2, 2), i, np.float32) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for i, answer in enumerate(pool.map(opened.run, batches)):
            assert (answer == 2 * i).all()


def test_an_unknown_provider(doubler: Path) -> None:
    with pytest.raises(ProviderError, match="no such execution provider") as caught:
        open_session(doubler, "abacus")
    assert caught.value.subject == "abacus"
    assert caught.value.exit_code == 3
    assert all(name in caught.value.mend for name in ("auto", *PROVIDERS))
    assert check_provider("cpu") == "cpu"


@pytest.mark.parametrize("provider", sorted(set(PROVIDERS) - set(available_providers())))
def test_a_provider_that_is_not_there_is_an_error_that_names_it(doubler: Path, provider: str) -> None:
    with pytest.raises(ProviderError, match=r"does not have it|is not installed") as caught:
        open_session(doubler, provider)
    assert caught.value.subject == provider
    assert "--provider cpu" in caught.value.mend


def test_a_provider_that_is_built_in_and_does_not_start_is_an_error_too(
    doubler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime itself would warn, and run on the CPU."""
    if "tensorrt" in available_providers():
        pytest.skip("TensorRT is built in here")
    monkeypatch.setattr(session, "available_providers", lambda: ["cpu", "tensorrt"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(ProviderError, match="fell back to CPUExecutionProvider") as caught:
            open_session(doubler, "tensorrt")
    assert caught.value.subject == "tensorrt"


@pytest.mark.parametrize(("provider", "precision"), [("cpu", "bf16"), ("cpu", "fp16"), ("cpu", "fp64"), ("cpu", "")])
def test_a_precision_that_the_provider_lacks(doubler: Path, provider: str, precision: str) -> None:
    with pytest.raises(ProviderError, match="does not compute in") as caught:
        open_session(doubler, provider, precision)
    assert all(known in caught.value.mend for known in PRECISIONS[provider])


def test_every_provider_has_fp32() -> None:
    assert PRECISIONS.keys() == PROVIDERS.keys()
    assert all(known[0] == "fp32" for known in PRECISIONS.values())


class _Openvino:
    """As much of openvino as session.py touches, on a processor without bf16; doubles like the toy network."""

    def __init__(self) -> None:
        self.settings: dict[str, object] = {}

    def Core(self) -> _Openvino:  # noqa: N802 - openvino's name
        return self

    def get_property(self, *_: str) -> list[str]:
        return ["FP32", "INT8"]

    def read_model(self, path: str) -> str:
        return path

    def compile_model(self, _model: str, device: str, settings: dict[str, object]) -> _Openvino:
        self.settings = {"device": device, **settings}
        return self


def test_bf16_where_the_processor_has_none_is_an_error(doubler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openvino itself would compute in fp32 without a word."""
    monkeypatch.setattr(session, "_openvino", _Openvino)
    with pytest.raises(ProviderError, match="has no bf16 arithmetic") as caught:
        open_session(doubler, "openvino", "bf16")
    assert caught.value.subject == "openvino"


def test_openvino_is_told_the_precision_and_the_streams(doubler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _Openvino()
    monkeypatch.setattr(session, "_openvino", lambda: fake)
    opened = open_session(doubler, "openvino", "fp32", streams=3)
    assert (opened.provider, opened.precision) == ("openvino", "fp32")
    assert fake.settings["INFERENCE_PRECISION_HINT"] == "f32"
    assert (fake.settings["NUM_STREAMS"], fake.settings["INFERENCE_NUM_THREADS"]) == ("3", 3)


@pytest.mark.skipif("openvino" not in available_providers(), reason="needs the extra [openvino]")
def test_openvino_says_what_onnxruntime_says(tmp_path: Path) -> None:
    path = toy_model.finder(tmp_path / "finder.onnx")
    batch = np.random.default_rng(3).integers(0, 256, (3, 64, 96, 3), np.uint8)
    plain, other = open_session(path, "cpu").run(batch), open_session(path, "openvino").run(batch)
    assert np.allclose(plain, other, atol=1e-4)
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(open_session(path, "openvino").run, [batch] * 12):
            assert np.array_equal(answer, other), "a thread's answer is its own"


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x09\x12"])
def test_a_file_that_is_no_network(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="onnxruntime cannot load it") as caught:
        open_session(path, "cpu")
    assert caught.value.subject == str(path)


def test_a_truncated_network(doubler: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(doubler.read_bytes()[:60])
    with pytest.raises(ModelError):
        open_session(path, "cpu")
    with pytest.raises(ModelError):
        open_session(tmp_path / "nowhere.onnx", "cpu")


def test_a_network_that_fails_says_on_what(doubler: Path) -> None:
    with pytest.raises(ProviderError, match=r"batch of shape \(1, 3\)"):
        open_session(doubler, "cpu").run(np.zeros((1, 3), np.float32))


@pytest.mark.parametrize("provider", ["abacus", *sorted(set(PROVIDERS) - set(available_providers()))])
def test_the_command_line_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str], provider: str) -> None:
    folder = toy_model.model_folder(tmp_path / "toy")
    assert cli.main(["count", "x.tif", "--model", str(folder), "--provider", provider]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert provider in err
