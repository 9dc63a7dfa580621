"""Robustness: variants of pictures, restricted figures, the rule of places, and the step itself with a toy model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import toy_model

from edge.errors import UsageError
from edge.geometry import to_corners
from training import robustness, scans
from training.matching import Judged, Truth, judge, match
from training.metrics import finding
from training.robust_checks import between, change_rows, restricted, shrunk
from training.robust_place import alongside
from training.robust_variants import LIGHTS, TURNS, reduced
from training.scans import Variant, write_variant

if TYPE_CHECKING:
    from pathlib import Path

SIZE = toy_model.TILE


def _boxes(*rows: tuple[float, float, float, float, float]) -> np.ndarray:
    return to_corners(np.array(rows, np.float64).reshape(-1, 5))


def _noise(height: int = 7, width: int = 11, bands: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, bands), np.uint8)


# --- variants ---


def test_turns_are_all_different_and_come_back() -> None:
    pixels = _noise()
    made = {turn.name: turn.change(pixels) for turn in TURNS}
    assert len({m.tobytes() + bytes(m.shape[0]) for m in made.values()}) == len(TURNS) == 5
    assert made["turned-90"].shape == (11, 7, 3)
    assert np.array_equal(made["turned-90"][0, 0], pixels[0, -1]), "anticlockwise: the upper right corner goes left"
    assert np.array_equal(made["left-right"][::-1], made["turned-180"])
    for name, back in (("turned-90", "turned-270"), ("turned-180", "turned-180"), ("up-down", "up-down")):
        change = next(turn.change for turn in TURNS if turn.name == back)
        assert np.array_equal(change(made[name]), pixels)


@pytest.mark.parametrize("factor", [2, 3])
def test_reduced_pictures_are_means(factor: int) -> None:
    pixels = _noise(13, 17)
    small = reduced(factor).change(pixels)
    assert small.shape == (13 // factor, 17 // factor, 3)
    for y in range(small.shape[0]):
        for x in range(small.shape[1]):
            block = pixels[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
            assert np.abs(small[y, x] - block.reshape(-1, 3).mean(0)).max() <= 0.51


def test_a_px_that_is_not_known_in_part_is_not_known() -> None:
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[0, 0, 3] = 0
    assert reduced(2).change(pixels)[:, :, 3].tolist() == [[0, 255], [255, 255]]


def test_haze_and_darkness_by_hand() -> None:
    pixels = np.full((1, 1, 4), 100, np.uint8)
    made = {light.name: light.change(pixels)[0, 0].tolist() for light in LIGHTS}
    hazy, thick = round(100 * 0.7 + 205 * 0.3), round((100 + 205) / 2)
    assert made == {
        "haze-0.3": [hazy] * 3 + [100], "haze-0.5": [thick] * 3 + [100], "darkened-0.5": [50] * 3 + [100],
    }  # fmt: skip


def test_variants_are_written_without_loss(tmp_path: Path) -> None:
    pixels = _noise(40, 30)
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    assert done
    (tmp_path / "p.png").write_bytes(data.tobytes())
    write_variant(tmp_path / "p.png", None, Variant("same", lambda p: p), tmp_path / "v.png")
    back = cv2.imread(str(tmp_path / "v.png"), cv2.IMREAD_UNCHANGED)
    assert back is not None
    assert np.array_equal(back[:, :, ::-1], pixels)
    alpha = np.full((40, 30), 255, np.uint8)
    alpha[:, :9] = 0
    done, data = cv2.imencode(".png", np.dstack([pixels[:, :, ::-1], alpha]))
    assert done
    (tmp_path / "a.png").write_bytes(data.tobytes())
    write_variant(tmp_path / "a.png", None, TURNS[3], tmp_path / "w.png")
    back = cv2.imread(str(tmp_path / "w.png"), cv2.IMREAD_UNCHANGED)
    assert back is not None
    assert np.array_equal(back[:, :, 3], alpha[:, ::-1]), "what is not known turns with the picture"


# --- figures of parts ---


def _judged() -> Judged:
    """A short and a long vessel; a short and a long box on them; a short and a long invention."""
    boxes = _boxes((50, 30, 20, 6, 0), (150, 30, 60, 10, 0), (50, 100, 20, 6, 0), (150, 100, 60, 10, 0))
    truth = Truth("p", "s", 400, 300, boxes[:2], np.array([1, 1]), np.ones(2, bool))
    return judge(truth, boxes, np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 1, 1, 1]))


def test_what_is_outside_the_range_is_neither_right_nor_wrong() -> None:
    part = restricted(_judged(), between(30, np.inf))
    assert match(part, 0.5) == [None, 0, None, -1]
    assert finding([part], 0.25, 0.5) == {"precision": 0.5, "recall": 1, "f1": pytest.approx(2 / 3)}
    whole = restricted(_judged(), between(0, np.inf))
    assert match(whole, 0.5) == match(_judged(), 0.5)
    assert between(20, 60)(_judged().truth.corners).tolist() == [True, False], "the lower end belongs to it"


def test_a_box_that_is_matched_counts_though_it_is_outside_itself() -> None:
    boxes = _boxes((50, 30, 31, 8, 0), (50, 30, 29, 8, 0))
    truth = Truth("p", "s", 400, 300, boxes[:1], np.array([1]), np.ones(1, bool))
    judged = judge(truth, boxes[1:], np.array([0.9]), np.array([1]))
    assert match(restricted(judged, between(30, np.inf)), 0.5) == [0]


def test_the_truth_shrinks_with_the_picture() -> None:
    truth = Truth("p", "s", 101, 60, _boxes((50, 30, 20, 6, 0)), np.array([1]), np.ones(1, bool),
                  (np.array([[0.0, 0], [10, 0], [10, 10]]),), 1.5)  # fmt: skip
    small = shrunk(truth, 2)
    assert (small.width, small.height, small.gsd_m) == (50, 30, 3)
    assert np.allclose(small.corners, _boxes((25, 15, 10, 3, 0)))
    assert small.ignored[0].max() == 5
    assert np.array_equal(shrunk(truth, 1).corners, truth.corners)


def test_changes_of_counts_by_hand() -> None:
    before = np.array([1, 2, 0])
    after = {"a": np.array([1, 4, 0]), "b": np.array([2, 2, 0])}
    groups = {"all": np.ones(3, bool), "second": np.array([False, True, False]), "none": np.zeros(3, bool)}
    rows = change_rows(before, after, groups, "vessels")
    assert rows[0] == pytest.approx(
        {"set": "all", "of": "vessels", "pictures": 3, "a": 1 / 3, "b": 1 / 3, "any": 2 / 3, "mean_change": 3 / 6}
    )
    assert rows[1] == {"set": "second", "of": "vessels", "pictures": 1, "a": 1, "b": 0, "any": 1, "mean_change": 1}
    assert len(rows) == 2


# --- places ---


def _harbour(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """A dark sea with four vessels: alongside a quay, next to another hull (both of them), alone, and with a wake."""
    pixels = np.full((400, 400, 3), (20, 40, 50), np.uint8)
    pixels = np.clip(pixels + np.random.default_rng(0).normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
    rows = [
        (100, 60, 80, 16, 0),
        (100, 160, 80, 16, 0),
        (100, 178, 80, 16, 0),
        (300, 100, 80, 16, 0),
        (300, 300, 80, 16, 0),
    ]
    pixels[40:50, 20:190] = 150  # a quay, 2 px off the first hull
    pixels[292:308, 345:399] = 220  # a wake behind the last
    for x, y, length, beam, _ in rows:
        pixels[y - beam // 2 : y + beam // 2, x - length // 2 : x + length // 2] = 120
    matrix = cv2.getRotationMatrix2D((199.5, 199.5), -np.rad2deg(angle), 1.0)
    turned = cv2.warpAffine(pixels, matrix, (400, 400), flags=cv2.INTER_LINEAR, borderValue=(20, 40, 50))
    boxes = np.array(rows, np.float64)
    away = boxes[:, :2] - 200
    cos, sin = np.cos(angle), np.sin(angle)
    boxes[:, :2] = 200 + np.stack([away[:, 0] * cos - away[:, 1] * sin, away[:, 0] * sin + away[:, 1] * cos], 1)
    boxes[:, 4] = angle
    return np.asarray(turned, np.uint8), to_corners(boxes)


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2])
def test_alongside_a_quay_or_a_hull_and_in_open_water(angle: float) -> None:
    pixels, corners = _harbour(angle)
    assert alongside(pixels, corners).tolist() == [True, True, True, False, False]


def test_a_strip_outside_the_picture_says_nothing() -> None:
    pixels, _ = _harbour(0.0)
    assert alongside(pixels, _boxes((-50, 200, 20, 8, 0), (300, 3, 60, 8, 0))).tolist() == [False, False]
    assert alongside(pixels, np.empty((0, 4, 2))).tolist() == []


# --- the step ---


def _set(folder: Path) -> Path:
    """Two blocks side by side, whose boxes along x are one vessel to the toy; a lone vessel; an empty picture."""
    pictures = {
        "pair": toy_model.picture(SIZE, SIZE, {(5, 5): 250, (6, 5): 240}),
        "lone": toy_model.picture(SIZE, SIZE, {(8, 8): 250}),
        "none": toy_model.picture(SIZE, SIZE, {}),
    }
    pictures["lone"][:, :, 1] = 255  # all green: a tanker
    places = {"pair": (5, 5), "lone": (8, 8)}
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    rows = ["image,split,group"]
    for name, pixels in pictures.items():
        done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
        assert done
        (folder / "images" / f"{name}.png").write_bytes(data.tobytes())
        rows.append(f"{name}.png,val,{name}")
        if name in places:
            x, y = (8 * v + 4 for v in places[name])
            quad = [(x - 12, y - 4), (x + 12, y - 4), (x + 12, y + 4), (x - 12, y + 4)]
            line = "0 " + " ".join(f"{v / SIZE:.6f}" for point in quad for v in point)
            (folder / "labels" / f"{name}.txt").write_text(line + "\n")
    (folder / "split.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def step(tmp_path: Path) -> list[str]:
    model = toy_model.model_folder(tmp_path / "toy", kinds=True)
    return ["--model", str(model), "--folder", str(_set(tmp_path / "port")), "--out", str(tmp_path / "out")]


def _rows(tmp_path: Path, check: str) -> list[dict[str, Any]]:
    return list(json.loads((tmp_path / "out" / "robustness.json").read_text())["checks"][check]["rows"])


def test_turned_pictures_count_as_computed_by_hand(
    step: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Turned by a quarter, the pair stands one below the other: the toy's boxes no longer overlap, and both count."""
    assert robustness.main([*step, "--checks", "turns"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line == {"step": "robustness", "model": "toy", "pictures": 3, "vessels_changed": pytest.approx(1 / 3),
                    "tankers_changed": 0}  # fmt: skip
    rows = {(row["set"], row["of"]): row for row in _rows(tmp_path, "turns")}
    third = pytest.approx(1 / 3)
    assert rows["all", "vessels"] == {
        "set": "all", "of": "vessels", "pictures": 3, "turned-90": third, "turned-180": 0, "turned-270": third,
        "left-right": 0, "up-down": 0, "any": third, "mean_change": pytest.approx(2 / 15),
    }  # fmt: skip
    assert rows["all with a vessel", "vessels"]["any"] == 0.5
    assert rows["port", "tankers"]["pictures"] == 3
    assert rows["port", "tankers"]["any"] == 0


def test_all_checks_run_and_are_not_run_twice(step: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert robustness.main(step) == 0
    written = (tmp_path / "out" / "robustness.json").read_text()
    monkeypatch.setattr("training.scans.predict", lambda *_: pytest.fail("it was scanned before"))
    assert robustness.main(step) == 0
    assert (tmp_path / "out" / "robustness.json").read_text() == written
    gsd = _rows(tmp_path, "gsd")
    assert [row["reduced_by"] for row in gsd] == [1, 2, 3]
    assert (gsd[0]["vessels"], gsd[0]["f1"], gsd[0]["f1_not_reduced"]) == (2, 1, 1)
    assert (gsd[2]["vessels"], gsd[2]["f1_not_reduced"]) == (2, 1), "24 px become 8: still long enough"
    assert [(row["length_px"], row["f1"]) for row in _rows(tmp_path, "length")] == [("16-32", 1)]
    assert sum(row["vessels"] for row in _rows(tmp_path, "place")) == 2
    light = {row["light"]: row for row in _rows(tmp_path, "light")}
    assert [light[f"{name} third"]["pictures"] for name in ("darkest", "middle", "brightest")] == [1, 1, 0]
    assert light["all as they are"]["f1"] == 1
    assert light["darkened-0.5"]["recall"] == 0, "red of 125 of 255 is below the threshold of 0.5"


def test_a_reduced_picture_has_a_coarser_gsd(step: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    honest = scans.predict

    def listening(detector: Any, picture: Path, gsd_m: float | None, scale: Any) -> Any:  # noqa: ANN401 - passed on
        asked.append((picture.name == "variant.png", gsd_m))
        return honest(detector, picture, gsd_m, scale)

    monkeypatch.setattr(scans, "predict", listening)
    assert robustness.main([*step, "--checks", "gsd", "--gsd", "1.5"]) == 0
    assert asked == [(False, 1.5)] * 3 + [(True, 3.0)] * 3 + [(True, 4.5)] * 3


def test_sets_labelled_in_part_are_left_out(step: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "PARTLY_LABELLED", ("port",))
    with pytest.raises(UsageError, match="labelled in part"):
        robustness.main([*step, "--checks", "length"])
    assert robustness.main([*step, "--checks", "length", "--only", "port"]) == 0
    assert _rows(tmp_path, "length")


def test_a_check_that_does_not_exist_is_named(step: list[str]) -> None:
    with pytest.raises(UsageError, match="wind"):
        robustness.main([*step, "--checks", "turns,wind"])
    with pytest.raises(UsageError, match="val"):
        robustness.main([*step, "--only", "elsewhere"])
