"""Overlays, read back and looked at px by px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from scene_documents import HEIGHT, WIDTH, document, fleet, vessel

from edge.errors import OutputError, SceneError, UsageError
from edge.scene import Scene, open_scene
from edge.write import overlay, write_formats
from edge.write.caption import COLOURS, caption

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry import Floats, Window
    from edge.scale import Scale

WATER = (96, 80, 64)
"""BGR."""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with _plain(tmp_path / "plain.png", WIDTH, HEIGHT) as opened:
        yield opened


def _plain(path: Path, width: int, height: int) -> Scene:
    """A scene of nothing but water."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = WATER
    cv2.imwrite(str(path), picture)
    return open_scene(path)


def _along(corners: Floats, count: int) -> Floats:
    """Points (count * 4, 2) on the outline, none within a tenth of a corner."""
    share = np.linspace(0.1, 0.9, count)[:, None, None]
    return np.asarray((corners + (np.roll(corners, -1, 0) - corners) * share).reshape(-1, 2))


def _nearness(picture: NDArray[np.uint8], points: Floats, colour: tuple[int, int, int]) -> NDArray[np.int64]:
    """Largest difference (n,) of a channel to a colour, at its smallest in the 3 x 3 px round each point."""
    column, row = np.floor(points).astype(int).T
    around = [picture[row + i, column + j].astype(np.int64) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return np.asarray(np.min([np.abs(bgr - colour).max(1) for bgr in around], 0))


@pytest.mark.parametrize("kind", COLOURS)
@pytest.mark.parametrize("size", [(200, 60), (60, 14), (14, 5)])
def test_the_outline_has_the_colour_of_the_kind(kind: str, size: tuple[int, int], scene: Scene, tmp_path: Path) -> None:
    row = vessel(1, (400.3, 300.8, *size, 0.6), kind)
    path = write_formats(document([row]), tmp_path, ["overlay"], scene)["overlay"]
    picture = cv2.imread(str(path))
    assert picture is not None
    on_edge = _along(np.array(row["corners"]), 20)
    assert _nearness(picture, on_edge, COLOURS[kind]).max() < 60
    for other in set(COLOURS) - {kind}:
        assert _nearness(picture, on_edge, COLOURS[other]).min() > 60
    centre = np.mean(row["corners"], 0).astype(int)
    assert tuple(picture[centre[1], centre[0]]) == WATER, "the vessel itself stays visible"


DICHROMATS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""What colour-blind eyes make of linear RGB: G. Machado, M. Oliveira and L. Fernandes (2009)."""


@pytest.mark.parametrize("eyes", DICHROMATS)
def test_colours_differ_for_colour_blind_eyes_too(eyes: str) -> None:
    rgb = np.array([*COLOURS.values()])[:, ::-1] / 255
    seen = np.clip(rgb**2.2 @ np.array(DICHROMATS[eyes]).T, 0, 1) ** (1 / 2.2)
    lab = cv2.cvtColor(seen[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(len(lab), 1)]
    assert apart.min() > 30  # 2 can just be told apart


def test_a_box_near_the_threshold_is_dashed(scene: Scene) -> None:
    share = {}
    for near in (False, True):
        row = vessel(1, (400, 300, 300, 80, 0.3), near=near)
        drawn = overlay.draw(document([row]), scene)
        share[near] = float((_nearness(drawn, _along(np.array(row["corners"]), 300), COLOURS["tanker"]) < 60).mean())
    assert share[False] == 1
    assert 0.4 < share[True] < 0.9


def test_the_caption_hides_nothing(scene: Scene) -> None:
    row = vessel(1, (400, HEIGHT - 10, 200, 19, 0))
    drawn = overlay.draw(document([row]), scene)
    assert drawn.shape[0] > HEIGHT
    assert _nearness(drawn, _along(np.array(row["corners"]), 20), COLOURS["tanker"]).max() < 60


def test_labels_cover_no_vessel(scene: Scene) -> None:
    """What is inside a box and off all outlines looks as if there were no labels at all."""
    rows = fleet(30, seed=8)
    bare = [{**row, "corners": row["corners"]} for row in rows]
    drawn = overlay.draw(document(rows), scene)[:HEIGHT]
    inside = np.zeros((HEIGHT, WIDTH), np.uint8)
    outlines = np.zeros((HEIGHT, WIDTH), np.uint8)
    for row in bare:
        points = np.round(row["corners"]).astype(np.int32)
        cv2.fillPoly(inside, [points], (1,))
        cv2.polylines(outlines, [points], True, (1,), 9)  # noqa: FBT003 - closed
    free = (inside == 1) & (outlines == 0)
    assert free.sum() > 10_000
    assert (drawn[free] == WATER).all()


def _changed(drawn: NDArray[np.uint8]) -> int:
    return int((drawn[:HEIGHT] != WATER).any(2).sum())


def test_small_vessels_get_no_label_and_large_ones_do(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(length: float) -> int:
        return _changed(overlay.draw(document([vessel(7, (400, 300, length, length / 4, 0.4))]), scene))

    with_labels = {length: changed(length) for length in (20, 60)}
    monkeypatch.setattr(overlay._Labels, "draw", lambda _: None)
    without = {length: changed(length) for length in (20, 60)}
    assert with_labels[20] == without[20]
    assert with_labels[60] > without[60] + 300


def test_crowded_vessels_are_all_drawn(scene: Scene) -> None:
    rows = [vessel(i, (20 + 12 * (i % 60), 30 + 40 * (i // 60), 30, 8, 1.5)) for i in range(600)]
    drawn = overlay.draw(document(rows), scene)
    for row in rows:
        assert _nearness(drawn, _along(np.array(row["corners"]), 5), COLOURS["tanker"]).max() < 90


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
def test_the_suffix_chooses_the_format(suffix: str, scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / f"overlay{suffix}"
    overlay.write(document(), path, scene=scene)
    assert path.read_bytes()[:2] == (b"\x89P" if suffix == ".png" else b"\xff\xd8")
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == overlay.draw(document(), scene).shape


def test_another_suffix_is_refused_and_so_is_no_scene(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.gif: is neither PNG nor JPEG"):
        overlay.write(document(), tmp_path / "overlay.gif", scene=scene)
    with pytest.raises(OutputError, match="needs the pixels"):
        overlay.write(document(), tmp_path / "overlay.png")
    assert [path.name for path in tmp_path.iterdir()] == ["plain.png"]


def test_colours_of_the_scene_are_kept(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (900, 1000, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), picture)
    with open_scene(tmp_path / "noise.png") as scene:
        drawn = overlay.draw(document([]), scene)
    assert (drawn[:900] == picture).all()


class _Wide:
    """Stands in for a scene far larger than memory; remembers the largest window that was asked for."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.largest = width, height, 0

    def working_size(self, scale: Scale) -> tuple[int, int]:
        return scale.size(self.width, self.height)

    def read(self, window: Window, scale: Scale) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        self.largest = max(self.largest, window.width * scale.down * window.height * scale.down)
        columns = np.arange(window.x, window.right)[None, :, None] // 4
        return np.broadcast_to(columns % 200, (window.height, window.width, 3)).astype(np.uint8), np.ones(1, np.bool_)


def test_large_scenes_are_drawn_small_and_read_in_parts() -> None:
    wide: Any = _Wide(40_000, 20_000)
    row = vessel(1, (30_000, 10_000, 4000, 900, 0.4))
    drawn = overlay.draw(document([row], width=40_000, height=20_000), wide, longest_px=1000)
    assert drawn.shape[1] == 1000
    assert wide.largest <= 2**20
    columns = np.arange(1000) // 4 % 200
    assert (drawn[0, :, 0] == columns).all(), "the parts are put where they belong"
    assert _nearness(drawn, _along(np.array(row["corners"]) / 40, 20), COLOURS["tanker"]).max() < 60


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (40_000, 1), (4096, 4097), (799, 801), (100_000, 99_999)])
def test_scales_fit(size: tuple[int, int]) -> None:
    scale = overlay.fitting_scale(*size, overlay.LONGEST_PX)
    longest = max(scale.size(*size))
    assert longest <= overlay.LONGEST_PX
    assert longest >= min(max(size), overlay.LONGEST_PX // 2)


@pytest.mark.parametrize("size", [(1, 1), (30, 200), (200, 30)])
def test_small_scenes_are_enlarged_and_have_room_for_the_caption(size: tuple[int, int], tmp_path: Path) -> None:
    with _plain(tmp_path / "small.png", *size) as scene:
        drawn = overlay.draw(document([vessel(1, (12, 12, 10, 4, 0.5))]), scene)
    assert drawn.shape[1] >= 560
    assert (drawn[: size[1], : size[0]] == WATER).all(2).any()


def test_parts_that_cannot_be_read_are_hatched(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    read = scene.read

    def damaged(window: Window, scale: Scale) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        if window.x == 0:
            raise SceneError("scene", "is cut off", "copy it again")
        return read(window, scale)

    monkeypatch.setattr(overlay, "_SQUARE_PX", 256)
    whole = overlay.draw(document([]), scene)
    monkeypatch.setattr(scene, "read", damaged)
    drawn = overlay.draw(document([]), scene)
    assert set(np.unique(drawn[:HEIGHT, :256])) == {70, 110}
    assert (drawn[:HEIGHT, 256:] == WATER).all()
    assert drawn.shape[0] > whole.shape[0], "the caption says so"


def _alarms(content: dict[str, Any]) -> bool:
    """Whether some of the caption has the colour of alarm."""
    strip = caption(content, 800, "1:1", []).astype(int)
    return bool((np.abs(strip - [0, 200, 255]).max(2) < 60).any())


def test_a_synthetic_scene_and_a_part_that_was_not_scored_stand_out_in_the_caption() -> None:
    assert not _alarms(document([]))
    assert _alarms(document([], synthetic=True))
    assert _alarms(document([], coverage=0.9))


@pytest.mark.parametrize("width", [560, 800, 1500, 4096])
@pytest.mark.parametrize("name", ["x.tif", "é" * 300 + ".tif", "a\x1b[31m\n.tif"])
def test_captions_stay_inside_their_strip(width: int, name: str) -> None:
    strip = caption(
        document(scene=name, counts=dict.fromkeys(("tanker", "other", "unknown", "vessel"), 10**6)), width, "1:1", []
    )
    assert strip.shape[1] == width
    edge = strip[:, -max(2, width // 200) :]
    assert (edge == edge[0, 0]).all(), "no word touches the right edge"
    assert (strip[-3:] == edge[0, 0]).all(), "nor the lower one"
