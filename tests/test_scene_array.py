"""Scenes of arrays: the same px and the same answers as those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.detector import load_detector
from edge.document import build_document
from edge.errors import SceneError
from edge.geometry import Window
from edge.pipeline import ScanOptions, scan
from edge.scale import Scale
from edge.scene import SceneOptions, open_scene
from edge.scene_array import array_scene
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PIXELS = np.random.default_rng(5).integers(0, 256, (37, 53, 3), np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "a.png"
    cv2.imwrite(str(path), PIXELS[..., ::-1])
    return path


@given(
    x=st.integers(-9, 60), y=st.integers(-9, 60), width=st.integers(1, 70), height=st.integers(1, 70),
    scale=st.sampled_from([Scale(1, 1), Scale(1, 2), Scale(1, 5), Scale(3, 1)]),
    bands=st.sampled_from([None, (1, 2, 3), (3, 2, 1), (2,), (3, 3, 1)]),
)  # fmt: skip
def test_any_window_is_as_of_a_file(
    file: Path, x: int, y: int, width: int, height: int, scale: Scale, bands: tuple[int, ...] | None
) -> None:
    options, window = SceneOptions(bands=bands), Window(x, y, width, height)
    with open_scene(file, options) as expected, array_scene("a.png", PIXELS, options) as scene:
        for ours, theirs in zip(scene.read(window, scale), expected.read(window, scale), strict=True):
            assert np.array_equal(ours, theirs)


def test_its_document_is_that_of_a_file(tmp_path: Path) -> None:
    detector = load_detector(model_folder(tmp_path / "toy", kinds=True))
    pixels = picture(400, 300, {(4, 3): 255, (12, 8): 204, (30, 20): 230}, green=200)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    options = SceneOptions(gsd_m=1.5)
    told: list[dict[str, Any]] = []
    for opened in (open_scene(tmp_path / "a.png", options), array_scene("a.png", pixels, options)):
        with opened as scene:
            told.append(
                {
                    **build_document(scene, detector, scan(scene, detector, ScanOptions(max_length_m=60))),
                    "seconds": None,
                }
            )
    assert told[0] == told[1]
    assert told[0]["counts"]["vessel"] == 3


@pytest.mark.parametrize("view", [PIXELS[::-1], PIXELS[:, ::2], PIXELS[..., ::-1], PIXELS.transpose(1, 0, 2)])
def test_px_of_any_strides_are_read_without_a_copy(view: NDArray[np.uint8]) -> None:
    with array_scene("a", view) as scene:
        assert np.shares_memory(scene._source._stored, PIXELS)
        assert np.array_equal(scene.read(Window(0, 0, scene.width, scene.height), Scale(1, 1))[0], view)


def test_mapped_px_are_read_and_let_go_of(tmp_path: Path) -> None:
    (tmp_path / "px").write_bytes(b"head" + PIXELS.tobytes())
    mapped = np.memmap(tmp_path / "px", np.uint8, "r", 4, PIXELS.shape)
    with array_scene("a", mapped) as scene:
        assert np.array_equal(scene.read(Window(0, 0, 53, 37), Scale(1, 1))[0], PIXELS)
    assert scene._source._stored.size == 0


def test_it_is_called_as_asked_for() -> None:
    assert array_scene("port.png", PIXELS).name == "port.png"
    assert array_scene("", PIXELS).name == "scene"
    assert array_scene("a", PIXELS, SceneOptions(gsd_m=2.0)).gsd_m == 2.0


@pytest.mark.parametrize(
    "pixels",
    [
        PIXELS[..., :2], PIXELS[..., 0], PIXELS[None], PIXELS.astype(np.uint16), PIXELS.astype(np.float32),
        PIXELS[:0], PIXELS[:, :0], PIXELS > 3,
    ],
)  # fmt: skip
def test_what_is_no_picture_is_told(pixels: NDArray[Any]) -> None:
    with pytest.raises(SceneError, match=r"is an array of shape .* type uint8"):
        array_scene("a", pixels)


def test_bands_that_there_are_not_are_told() -> None:
    with pytest.raises(SceneError, match="has 3 bands, not 4"):
        array_scene("a", PIXELS, SceneOptions(bands=(4,)))


def test_what_is_too_large_is_told() -> None:
    with pytest.raises(SceneError, match="is 53 x 37 pixels, over the limit of 1,960"):
        array_scene("a", PIXELS, SceneOptions(max_pixels=1960))
    array_scene("a", PIXELS, SceneOptions(max_pixels=1961))
