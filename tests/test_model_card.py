"""A model folder that is not whole and untouched is refused, by a sentence that names file, cause and mend."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import toy_model

from edge import catalogue, cli
from edge.catalogue import find_model, shipped_models
from edge.detector import load_detector
from edge.errors import ModelError
from edge.model_card import ErrorsCard, SizeError, load_card

if TYPE_CHECKING:
    from pathlib import Path

MISSING = object()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy", kinds=True)


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "toy")


def _refused(folder: Path, file: str = "card.json") -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_card(folder)
    assert caught.value.subject == str(folder / file)
    assert caught.value.mend
    assert caught.value.exit_code == 3
    return caught.value


def _change(folder: Path, name: str, value: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    *sections, field = name.split(".")
    place = card
    for section in sections:
        place = place[section]
    if value is MISSING:
        del place[field]
    else:
        place[field] = value
    (folder / "card.json").write_text(json.dumps(card))


def test_the_card_that_training_writes_is_read(pristine: Path) -> None:
    card = load_card(pristine)
    assert (card.name, card.version, card.tile_px, card.multiple_px) == ("toy", "1", 128, 32)
    assert (card.gsd_m, card.length_px) == ((1.0, 2.0), (8.0, 32.0))
    assert (card.score_threshold, card.score_floor, card.near, card.nms_iou) == (0.5, 0.05, 0.1, 0.4)
    assert card.kind is not None
    assert card.kind.chip_px == (48, 16)
    assert card.finder_path.is_file()
    assert card.kind_path.is_file()
    assert card.raw["task"] == "obb"


def test_a_network_that_needs_no_suppression_needs_no_threshold_for_it(folder: Path) -> None:
    _change(folder, "head", "end2end")
    _change(folder, "thresholds.nms_iou", MISSING)
    assert load_card(folder).nms_iou is None


def test_without_a_kind_network_every_kind_is_unknown(folder: Path) -> None:
    _change(folder, "kind", None)
    assert load_card(folder).kind is None
    assert load_detector(folder, "cpu").teller is None


ERRORS = {
    "length": {"px": 1.5, "share": 0.03},
    "beam": {"px": 1, "share": 0.1},
    "heading_deg": {"px": 0.8, "floor": 0.5},
    "level": 0.9,
}
ERROR_FIELDS = [
    "errors.length.px", "errors.length.share", "errors.beam.px", "errors.beam.share", "errors.heading_deg.px",
    "errors.heading_deg.floor", "errors.level",
]  # fmt: skip


def test_errors_of_measurement_are_read_where_the_card_has_them(folder: Path) -> None:
    assert load_card(folder).errors is None
    _change(folder, "errors", ERRORS | {"pairs": 1234})
    assert load_card(folder).errors == ErrorsCard(SizeError(1.5, 0.03), SizeError(1.0, 0.1), 0.8, 0.5, 0.9)
    _change(folder, "errors", None)
    assert load_card(folder).errors is None


@pytest.mark.parametrize("field", ERROR_FIELDS)
@pytest.mark.parametrize("value", [MISSING, None, True, "1", [1], -0.1, float("nan"), float("inf"), 10**400], ids=repr)
def test_errors_of_measurement_must_make_sense(folder: Path, field: str, value: object) -> None:
    _change(folder, "errors", ERRORS)
    _change(folder, field, value)
    assert f"`{field}`" in _refused(folder).cause


@pytest.mark.parametrize(("field", "value"), [("level", 0), ("level", 1.1), ("heading_deg.floor", 90.1)])
def test_errors_of_measurement_out_of_range(folder: Path, field: str, value: float) -> None:
    _change(folder, "errors", ERRORS)
    _change(folder, f"errors.{field}", value)
    assert f"`errors.{field}`" in _refused(folder).cause


@pytest.mark.parametrize("value", [5, "none", [1], {}])
def test_errors_of_measurement_that_are_no_object(folder: Path, value: object) -> None:
    _change(folder, "errors", value)
    assert "`errors." in _refused(folder).cause


WAYS: dict[str, dict[str, object]] = {
    "precisions": {"int8": {"file": "model.int8.onnx", "providers": ["cpu"], "accepted": False, "verdict": "too bad"}},
    "coarse": {"gsd_m": 2.0, "score": 0.05, "sure_px": 12.0, "precisions": ["fp32"], "verdict": "as good"},
}


def test_cheaper_ways_are_read(folder: Path) -> None:
    for name, value in WAYS.items():
        _change(folder, name, value)
    card = load_card(folder)
    assert card.precisions["int8"].verdict == "too bad"
    assert not card.precisions["int8"].accepted
    assert card.coarse is not None
    assert (card.coarse.gsd_m, card.coarse.sure_px, card.coarse.precisions) == (2.0, 12.0, ("fp32",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("precisions.int8.file", MISSING),
        ("precisions.int8.file", "../elsewhere.onnx"),
        ("precisions.int8.file", "/etc/passwd"),
        ("precisions.int8.file", ""),
        ("precisions.int8.providers", "cpu"),
        ("precisions.int8.accepted", 1),
        ("precisions.int8.accepted", MISSING),
        ("precisions.int8.verdict", None),
        ("precisions.int8.score", {"finder": 1.0}),
        ("coarse.gsd_m", -1),
        ("coarse.score", 2),
        ("coarse.sure_px", 0),
        ("coarse.precisions", "fp32"),
        ("coarse.precisions", [1]),
        ("precisions", 5),
        ("precisions", True),
        ("coarse.verdict", MISSING),
        ("input.tile_most_px", 32),
    ],
)
def test_cheaper_ways_must_make_sense(folder: Path, field: str, value: object) -> None:
    for name, way in WAYS.items():
        _change(folder, name, way)
    _change(folder, field, value)
    assert f"`{field}" in _refused(folder).cause


def test_an_accepted_file_must_be_there_and_be_that_of_the_card(folder: Path) -> None:
    _change(folder, "precisions", {"int8": {**WAYS["precisions"]["int8"], "accepted": True}})  # type: ignore[dict-item]
    for content in (None, b"something"):
        if content:
            (folder / "model.int8.onnx").write_bytes(content)
        with pytest.raises(ModelError) as caught:
            load_card(folder)
        assert caught.value.subject == str(folder / "model.int8.onnx")
    toy_model.bless(folder, "model.int8.onnx")
    assert load_card(folder).precisions["int8"].accepted


REQUIRED = [
    "name", "version", "head", "files", "input.tile_px", "input.multiple_px", "range.gsd_m", "range.length_px",
    "thresholds.score", "thresholds.floor", "thresholds.near", "thresholds.nms_iou", "kind.chip_px",
    "kind.length_share", "kind.tanker_above", "kind.other_below", "kind.min_length_px",
]  # fmt: skip


@pytest.mark.parametrize("field", REQUIRED)
def test_each_field_must_be_there(folder: Path, field: str) -> None:
    _change(folder, field, MISSING)
    assert _refused(folder).cause == f"the card has no field `{field}`"


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.parametrize("value", [None, True, ["x"]], ids=["null", "true", "list"])
def test_each_field_must_be_of_its_type(folder: Path, field: str, value: object) -> None:
    _change(folder, field, value)
    assert f"`{field}`" in _refused(folder).cause


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input.tile_px", 0),
        ("input.tile_px", 100),
        ("input.multiple_px", -32),
        ("range.gsd_m", [2.0, 1.0]),
        ("range.gsd_m", [0.0, 1.0]),
        ("range.gsd_m", [1.0]),
        ("range.gsd_m", [1.0, float("inf")]),
        ("range.length_px", [8, "400"]),
        ("thresholds.score", 1.5),
        ("thresholds.score", float("nan")),
        ("thresholds.score", 0.01),
        ("thresholds.floor", -0.1),
        ("thresholds.near", 2),
        ("kind.chip_px", [48]),
        ("kind.chip_px", [48.5, 16]),
        ("kind.chip_px", [48, 0]),
        ("kind.tanker_above", 7),
        ("kind.other_below", 0.9),
        ("kind.length_share", 0),
        ("kind.min_length_px", float("nan")),
        ("kind.min_length_px", -1),
        ("kind.min_length_px", 10**400),
        ("thresholds.score", 10**400),
        ("range.gsd_m", [1, 10**400]),
        ("head", "two-headed"),
    ],
)
def test_values_that_make_no_sense(folder: Path, field: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    _change(folder, field, value)
    assert f"`{field}`" in _refused(folder).cause


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[1]", "not a JSON object"),
        (b'"card"', "not a JSON object"),
        (b'{"name": ' + b"1" * 5000 + b"}", "JSON"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_a_card_that_is_no_card(folder: Path, content: bytes, cause: str) -> None:
    (folder / "card.json").write_bytes(content)
    assert cause in _refused(folder).cause


def test_no_card_no_folder_and_a_file_in_its_place(folder: Path, tmp_path: Path) -> None:
    (folder / "card.json").unlink()
    assert _refused(folder).cause == "the file is not there"
    assert _refused(tmp_path / "nowhere").cause == "the file is not there"
    (tmp_path / "file").write_text("")
    _refused(tmp_path / "file")


@pytest.mark.parametrize("name", ["model.onnx", "kind.onnx"])
def test_one_flipped_bit_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert "is not the file of its card" in _refused(folder, name).cause


@pytest.mark.parametrize("name", ["model.onnx", "kind.onnx"])
def test_a_file_that_is_missing_or_has_no_hash(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "away")
    assert "cannot be read" in _refused(folder, name).cause
    (folder / "away").rename(folder / name)
    card = json.loads((folder / "card.json").read_text())
    del card["files"][name]
    (folder / "card.json").write_text(json.dumps(card))
    assert "is not the file of its card" in _refused(folder, name).cause


@pytest.mark.parametrize("name", ["model.onnx", "kind.onnx"])
@pytest.mark.parametrize("value", [None, 5, ["x"]], ids=["null", "number", "list"])
def test_a_hash_that_is_no_hash(folder: Path, name: str, value: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["files"][name] = value
    (folder / "card.json").write_text(json.dumps(card))
    assert "is not the file of its card" in _refused(folder, name).cause


@pytest.mark.parametrize("digit", [0, 31, 63])
def test_each_digit_of_a_hash_counts(folder: Path, digit: int) -> None:
    card = json.loads((folder / "card.json").read_text())
    right = card["files"]["model.onnx"]
    card["files"]["model.onnx"] = f"{right[:digit]}{(int(right[digit], 16) + 1) % 16:x}{right[digit + 1 :]}"
    (folder / "card.json").write_text(json.dumps(card))
    assert "is not the file of its card" in _refused(folder, "model.onnx").cause


def test_the_finder_of_another_folder_is_noticed(folder: Path, tmp_path: Path) -> None:
    """It would run: its boxes are of other sizes."""
    shutil.copyfile(toy_model.finder(tmp_path / "other" / "model.onnx", cell=16), folder / "model.onnx")
    assert "is not the file of its card" in _refused(folder, "model.onnx").cause


def test_swapped_networks_are_noticed(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "x")
    (folder / "kind.onnx").rename(folder / "model.onnx")
    (folder / "x").rename(folder / "kind.onnx")
    assert "is not the file of its card" in _refused(folder, "model.onnx").cause


def test_a_network_that_finds_no_boxes_is_told_even_with_the_right_hash(folder: Path) -> None:
    toy_model.teller(folder / "model.onnx")
    toy_model.bless(folder)
    detector = load_detector(folder, "cpu")
    with pytest.raises(ModelError, match=r"answers with shape \(2, 2\)") as caught:
        detector.find(np.zeros((2, 64, 64, 3), np.uint8))
    assert caught.value.subject == str(folder / "model.onnx")


def test_a_name_that_is_no_model() -> None:
    with pytest.raises(ModelError, match="no shipped model and no folder of this name"):
        find_model("no-such-model")


def test_a_shipped_model_is_found_by_its_name_and_others_by_their_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "models_dir", lambda: tmp_path)
    (tmp_path / "unfinished").mkdir()
    assert shipped_models() == [folder]
    assert find_model("toy") == folder
    assert find_model(str(folder)) == folder


@pytest.mark.parametrize("way", ["tampered", "card", "nowhere"])
def test_the_command_line_ends_with_3(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    if way == "tampered":
        (folder / "model.onnx").write_bytes(b"something else")
    elif way == "card":
        _change(folder, "input.tile_px", MISSING)
    else:
        shutil.rmtree(folder)
    for words in (["count", str(tmp_path / "x.tif"), "--model", str(folder)], ["models", "show", str(folder)]):
        assert cli.main(words) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert str(folder) in err
        assert err.count("\n") == 1
