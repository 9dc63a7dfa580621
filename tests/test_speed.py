from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import toy_model

from edge import cli, speed
from edge.commands._model import cache_dir
from edge.detector import load_detector
from edge.errors import ModelError, OutputError, ProviderError
from edge.model_card import ModelCard, PrecisionCard, load_card
from edge.speed import Choice, Speed, Speeds, choose, measure, read_speeds, speeds_file, ways, write_speeds

if TYPE_CHECKING:
    from pathlib import Path

BF16 = PrecisionCard("model.onnx", ("openvino",), accepted=True, verdict="as good")
INT8 = PrecisionCard("model.int8.onnx", ("cpu",), accepted=False, verdict="F1 fell by .1")
MEASURED = Speeds("2026-01-02T03:04:05+00:00", (Speed("openvino", "bf16", 20.0), Speed("cpu", "fp32", 10.0)))


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    return replace(load_card(toy_model.model_folder(tmp_path / "toy")), precisions={"bf16": BF16, "int8": INT8})


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has openvino."""
    monkeypatch.setattr(speed, "available_providers", lambda: ["cpu", "openvino"])
    monkeypatch.setattr(speed, "check_provider", lambda name: name)


@pytest.mark.usefixtures("both")
def test_ways_are_what_is_installed_and_through_the_gate(card: ModelCard) -> None:
    assert ways(card) == [("cpu", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]
    assert ways(replace(card, precisions={})) == [("cpu", "fp32"), ("openvino", "fp32")]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("provider", "precision", "speeds", "expected"),
    [
        ("auto", "auto", None, ("cpu", "fp32")),
        ("auto", "auto", MEASURED, ("openvino", "bf16")),
        ("auto", "fp32", MEASURED, ("cpu", "fp32")),
        ("cpu", "auto", MEASURED, ("cpu", "fp32")),
        ("openvino", "auto", None, ("openvino", "fp32")),
        ("openvino", "fp32", MEASURED, ("openvino", "fp32")),
        ("openvino", "bf16", None, ("openvino", "bf16")),
        ("auto", "bf16", None, ("openvino", "bf16")),
    ],
)
def test_the_choice(
    card: ModelCard, provider: str, precision: str, speeds: Speeds | None, expected: tuple[str, str]
) -> None:
    choice = choose(card, provider, precision, speeds)
    assert (choice.provider, choice.precision) == expected
    assert choice.why


@pytest.mark.usefixtures("both")
def test_what_is_chosen_says_why(card: ModelCard) -> None:
    assert (
        choose(card, "auto", "auto", MEASURED).why == "the fastest of 3 ways measured here on 2026-01-02: 20.0 tiles/s"
    )
    assert "`tanker-edge doctor` measures" in choose(card, "auto", "auto", None).why
    assert choose(card, "cpu", "fp32", None) == Choice("cpu", "fp32", "asked for")
    assert [choose(card, p, "fp32", None).of for p in ("auto", "cpu")] == [2, 1]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(("provider", "precision"), [("cpu", "int8"), ("auto", "int8")])
def test_a_precision_that_was_refused_is_an_error_with_the_figures(
    card: ModelCard, provider: str, precision: str
) -> None:
    with pytest.raises(ModelError, match=r"int8 was refused: F1 fell by \.1"):
        choose(card, provider, precision, MEASURED)


@pytest.mark.parametrize(("provider", "precision"), [("cpu", "bf16"), ("cpu", "fp16"), ("auto", "fp16")])
def test_a_precision_that_nobody_measured_there_is_an_error(card: ModelCard, provider: str, precision: str) -> None:
    with pytest.raises(ModelError, match="never measured against fp32"):
        choose(card, provider, precision, None)


def test_a_provider_that_is_not_there_is_an_error_even_where_auto_could_choose(card: ModelCard) -> None:
    with pytest.raises(ProviderError):
        choose(card, "abacus", "auto", MEASURED)


def test_speeds_are_kept_by_host_model_and_version(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = speeds_file(tmp_path, card)
    assert read_speeds(path) is None
    write_speeds(path, MEASURED)
    assert read_speeds(path) == MEASURED
    others = [speeds_file(tmp_path, replace(card, raw={**card.raw, "files": {"model.onnx": "other"}}))]
    with monkeypatch.context() as patch:
        patch.setattr(speed, "__version__", "0.0.0")
        others.append(speeds_file(tmp_path, card))
    with monkeypatch.context() as patch:
        patch.setattr(speed.platform, "node", lambda: "another host")
        others.append(speeds_file(tmp_path, card))
    others.append(speeds_file(tmp_path, replace(card, name="another")))
    assert len({path, *others}) == 5


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"measured": "x", "rows": [{"provider": "cpu"}]}', '{"rows": 3}'])
def test_a_damaged_file_of_speeds_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "speed.json").write_text(content)
    assert read_speeds(tmp_path / "speed.json") is None


def test_a_cache_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_speeds(tmp_path / "file" / "speed.json", MEASURED)


def test_what_is_measured_runs(card: ModelCard) -> None:
    rows = measure(replace(card, precisions={})).rows
    assert ("cpu", "fp32") in {(r.provider, r.precision) for r in rows}
    assert [r.tiles_per_s for r in rows] == sorted((r.tiles_per_s for r in rows), reverse=True)
    assert all(r.tiles_per_s > 0 for r in rows)


def test_a_way_that_fails_is_told_and_left_out(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_all_ways", lambda _: [("cpu", "fp32"), ("abacus", "fp32")])
    told: list[str] = []
    assert [row.provider for row in measure(card, told.append).rows] == ["cpu"]
    assert "no such execution provider" in told[0]


def test_without_a_home_there_is_no_cache_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pathlib.Path.home", nowhere)
    assert cache_dir() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() is None, "the specification says to ignore it"


def test_the_gate_can_be_left_out_by_those_who_judge(tmp_path: Path) -> None:
    folder = toy_model.model_folder(
        tmp_path / "toy",
        precisions={"int8": {"file": "model.onnx", "providers": ["cpu"], "accepted": False, "verdict": "bad"}},
    )
    with pytest.raises(ModelError, match="int8 was refused: bad"):
        load_detector(folder, "cpu", "int8")
    assert load_detector(folder, "cpu", "int8", gated=False).precision == "int8"


# By the command line.


def _count(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    code = cli.main(["count", *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def test_count_says_what_auto_chose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = toy_model.model_folder(tmp_path / "toy")
    scene = toy_model.scene_file(tmp_path / "scene.png")
    code, document, err = _count(capsys, str(scene), "--model", str(folder))
    assert (code, document["model"]["provider"], document["model"]["precision"]) == (0, "cpu", "fp32")
    assert ("tanker-edge: runs on cpu in fp32" in err) == (len(ways(load_card(folder))) > 1), "if there is a choice"
    code, _, err = _count(capsys, str(scene), "--model", str(folder), "--provider", "cpu", "--precision", "fp32")
    assert (code, "runs on" in err) == (0, False)
    code, document, err = _count(capsys, str(scene), "--model", str(folder), "--precision", "int8")
    assert (code, document) == (3, {})
    assert "never measured" in err


def test_bench_counts_each_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = toy_model.model_folder(tmp_path / "toy")
    scene = toy_model.scene_file(tmp_path / "scene.png")
    assert cli.main(["bench", str(scene), "--model", str(folder), "--provider", "cpu", "--runs", "1"]) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    rows = json.loads(line)["rows"]
    assert [(r["provider"], r["precision"], r["exhaustive"]) for r in rows] == [
        ("cpu", "fp32", True),
        ("cpu", "fp32", False),
    ]
    assert {r["vessels"] for r in rows} == {2}
    assert all(r["wall_s"] > 0 and r["mp_per_s"] > 0 for r in rows)
    assert "MP/s" in err
    assert cli.main(["bench", str(scene), "--model", str(folder), "--runs", "0"]) == 2
    assert cli.main(["bench", str(scene), "--model", str(folder), "--precision", "int8"]) == 3
