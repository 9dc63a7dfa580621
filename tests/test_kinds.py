from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import toy_model
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_files import write_tiff

from edge.calibration import VesselScale, logit
from edge.detections import Detections, Kind
from edge.detector import Detector, load_detector
from edge.errors import ModelError
from edge.kinds import CHIPS_AT_ONCE, VIEWS, KindTeller, aligned_chip, read_chip
from edge.model_card import KindCard
from edge.pipeline import scan
from edge.scene import Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry import Floats

CARD = KindCard((48, 16), 0.75, 0.6, 0.4, 12.0)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy", kinds=True), "cpu")


def _hull(box: Floats, side: int = 200) -> NDArray[np.uint8]:
    """A picture of one vessel: fore half 200, aft half 100, water 0; px centres decide."""
    x, y, length, beam, angle = box
    across, down = np.meshgrid(np.arange(side) + 0.5 - x, np.arange(side) + 0.5 - y)
    ahead = across * np.cos(angle) + down * np.sin(angle)
    aside = down * np.cos(angle) - across * np.sin(angle)
    inside = (np.abs(ahead) <= length / 2) & (np.abs(aside) <= beam / 2)
    grey = np.where(inside, np.where(ahead > 0, 200, 100), 0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 135, 179])
@pytest.mark.parametrize(("length", "beam"), [(36.0, 10.0), (72.0, 20.0), (120.0, 30.0)])
def test_the_vessel_lies_along_the_crop_and_fills_its_share(degrees: float, length: float, beam: float) -> None:
    box = np.array([101.3, 98.6, length, beam, np.deg2rad(degrees)])
    chip = aligned_chip(_hull(box), box, CARD.chip_px, CARD.length_share)
    assert chip.shape == (16, 48, 3)
    middle = chip[8, :, 0].astype(float)
    assert middle[9:22].mean() == pytest.approx(100, abs=6), "the stern is on the left"
    assert middle[26:39].mean() == pytest.approx(200, abs=6), "the bow is on the right"
    assert middle[:4].max() < 10
    assert middle[44:].max() < 10
    filled = np.flatnonzero(middle > 50)
    assert len(filled) == pytest.approx(36, abs=2)
    assert (filled[0] + filled[-1]) / 2 == pytest.approx(23.5, abs=1), "and in the middle"


def test_an_unturned_crop_of_the_same_size_is_the_picture_itself() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    chip = aligned_chip(pixels, np.array([34.0, 28.0, 36.0, 8.0, 0.0]), (48, 16), 0.75)
    assert np.array_equal(chip, pixels[20:36, 10:58])


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Scene]:
    with open_scene(
        write_tiff(tmp_path / "hull.tif", _hull(np.array([100, 90, 150, 30, 0.6])).transpose(2, 0, 1))
    ) as scene:
        yield scene


def test_a_crop_is_read_from_the_scene_with_no_more_px_than_it_needs(
    port: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    plain = Scene.read
    monkeypatch.setattr(Scene, "read", lambda self, window, scale: asked.append(window) or plain(self, window, scale))
    box = np.array([100, 90, 150, 30, 0.6])
    chip = read_chip(port, box, CARD)
    assert asked[0].width <= 60, "150 px of hull go into 36 px: read reduced by four"
    whole = aligned_chip(_hull(box), box, CARD.chip_px, CARD.length_share)
    assert np.abs(chip.astype(int) - whole).mean() < 12


@pytest.fixture(scope="module")
def chop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, NDArray[np.uint8]]]:
    """A scene where each px differs from the next and none is black, and its pixels."""
    pixels = np.random.default_rng(5).integers(100, 256, (300, 300, 3), np.uint8)
    with open_scene(write_tiff(tmp_path_factory.mktemp("chop") / "chop.tif", pixels.transpose(2, 0, 1))) as scene:
        yield scene, pixels


@settings(deadline=None, max_examples=200)
@given(x=st.floats(120, 180), y=st.floats(120, 180), length=st.floats(4, 71), angle=st.floats(0, 3.14))
def test_a_crop_is_the_one_of_the_whole_picture(
    chop: tuple[Scene, NDArray[np.uint8]], x: float, y: float, length: float, angle: float
) -> None:
    """To a rounding: also in the corners, where the part that is read ends. Up to 71 px it is read unreduced."""
    scene, pixels = chop
    box = np.array([x, y, length, length / 4, angle])
    whole = aligned_chip(pixels, box, CARD.chip_px, CARD.length_share)
    assert np.abs(read_chip(scene, box, CARD).astype(int) - whole).max() <= 1


def test_a_crop_at_the_edge_of_the_scene_is_black_beyond_it(port: Scene) -> None:
    chip = read_chip(port, np.array([2.0, 198.0, 40, 10, 1.0]), CARD)
    assert chip.shape == (16, 48, 3)
    assert chip.max() == 0


class _Told:
    """A network that says what it is told to, by the row, and remembers what it saw."""

    def __init__(self, beliefs: list[float], there: float = 0.0) -> None:
        self.beliefs, self.batches, self.there = np.array(beliefs), [], there

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(batch)
        number = len(batch) // VIEWS
        some, self.beliefs = self.beliefs[:number], self.beliefs[number:]
        return np.tile(np.stack([np.full(number, self.there), logit(np.array(some))], 1), (VIEWS, 1)).astype(np.float32)


def _row(n: int, length: float = 30.0) -> Detections:
    boxes = [[20.0 + i, 50, length, 8, 0.3] for i in range(n)]
    return Detections.of(np.array(boxes), np.full(n, 0.9))


def test_between_the_two_thresholds_nothing_is_told(port: Scene) -> None:
    network: Any = _Told([0.9, 0.6001, 0.59, 0.41, 0.3999, 0.0])
    told = KindTeller(network, CARD).tell(port, _row(6))
    unknown = Kind.UNKNOWN
    assert told.kind.tolist()[:1] == [Kind.TANKER]
    assert told.kind[2:4].tolist() == [unknown, unknown]
    assert told.kind[5] == Kind.OTHER
    assert told.kind_score.tolist() == pytest.approx([0.9, 0.6001, 0.59, 0.41, 0.3999, 0.0], abs=1e-3)


def test_a_vessel_too_short_to_tell_stays_unknown(port: Scene) -> None:
    rows = Detections.concat([_row(1, 11.9), _row(1, 12.0)])
    told = KindTeller(_Told([0.5, 0.99]), CARD).tell(port, rows)  # type: ignore[arg-type]
    assert told.kind.tolist() == [Kind.UNKNOWN, Kind.TANKER]
    assert np.isnan(told.kind_score[0])
    assert np.array_equal(told.xywhr, rows.xywhr)


def test_crops_go_in_bounded_batches_in_all_views_along_the_vessel(port: Scene) -> None:
    network = _Told([0.9] * 35)
    told = KindTeller(network, CARD).tell(port, _row(35))  # type: ignore[arg-type]
    assert (told.kind == Kind.TANKER).all()
    whole, rest = divmod(35, CHIPS_AT_ONCE)
    assert [len(b) for b in network.batches] == [*[VIEWS * CHIPS_AT_ONCE] * whole, VIEWS * rest]
    plain, turned, one, other = network.batches[0].reshape(VIEWS, CHIPS_AT_ONCE, 16, 48, 3)
    assert np.array_equal(turned, plain[:, ::-1, ::-1])
    assert np.array_equal(one, plain[:, ::-1])
    assert np.array_equal(other, plain[:, :, ::-1])


def test_a_look_ends_when_it_is_stopped(port: Scene) -> None:
    network, calls = _Told([0.9] * 35), itertools.count(1)

    def check() -> None:
        if next(calls) > 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        KindTeller(network, CARD).tell(port, _row(35), check=check)  # type: ignore[arg-type]
    assert len(network.batches) == 2


def test_the_second_look_weighs_in_the_score(port: Scene) -> None:
    rows = _row(2)
    scale = VesselScale(finder=0.5, look=2.0, log_length=0.25, offset=-1.0)
    network = _Told([0.5, 0.5], there=1.5)
    told = KindTeller(network, CARD, scale).tell(port, rows, scale=2.0)  # type: ignore[arg-type]
    log_odds = -1 + 0.5 * np.log(0.9 / 0.1) + 2 * 1.5 + 0.25 * np.log(60 / 32)
    assert told.score.tolist() == pytest.approx([1 / (1 + np.exp(-log_odds))] * 2)
    alone = KindTeller(_Told([0.5, 0.5], there=1.5), CARD).tell(port, rows)  # type: ignore[arg-type]
    assert alone.score.tolist() == rows.score.tolist(), "without weights the finder's score stands"


def test_a_network_that_tells_no_kinds_is_refused(port: Scene, tmp_path: Path) -> None:
    """Swapped on purpose, with the right hash: the finder in the place of the teller."""
    folder = toy_model.model_folder(tmp_path / "toy", kinds=True)
    toy_model.finder(folder / "kind.onnx")
    toy_model.bless(folder, "kind.onnx")
    teller = load_detector(folder, "cpu").teller
    assert teller is not None
    with pytest.raises(ModelError, match=r"kind\.onnx: its network answers with shape \(4, 12, 6\)"):
        teller.tell(port, _row(1))


def test_kinds_through_the_pipeline(tmp_path: Path, toy: Detector) -> None:
    """The toy teller takes green for tankers: green hulls are, the others are not."""
    pixels = toy_model.picture(256, 256, {(8, 8): 255, (20, 20): 255, (8, 24): 255})
    pixels[48:88, 40:100, 1] = 255
    pixels[176:216, 40:100, 1] = 128
    with open_scene(write_tiff(tmp_path / "kinds.tif", pixels.transpose(2, 0, 1))) as scene:
        found = scan(scene, toy).found
    assert found.kind.tolist() == [Kind.TANKER, Kind.OTHER, Kind.UNKNOWN]
    assert found.kind_score.tolist() == pytest.approx([1.0, 0.0, 128 / 255], abs=0.01)
