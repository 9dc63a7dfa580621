"""Contact sheets, read back and looked at px by px."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from bulk_rows import START, rows_of, scene_row
from hypothesis import given
from hypothesis import strategies as st
from scene_documents import HEIGHT, WIDTH, vessel
from scene_files import HARBOUR, write_tiff

from edge.bulk import picked, pictures, sheet
from edge.bulk.lettering import Hand
from edge.bulk.picked import evenly, shot_of
from edge.bulk.pictures import SIDE, thumbnail
from edge.bulk.sheet import file_names, write_sheets
from edge.errors import SceneError
from edge.scene import open_scene
from edge.scene_blocks import Blocks
from edge.write.caption import COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.bulk.pictures import Opened
    from edge.bulk.row import SceneRow
    from edge.scene import Scene

WATER = (96, 80, 64)
"""BGR."""
FACTOR = SIDE / WIDTH


@pytest.fixture(scope="module")
def water(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of nothing but water."""
    path = tmp_path_factory.mktemp("water") / "water.png"
    cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), WATER, np.uint8))
    return path


def opener(path: Path) -> Opened:
    """Opens the same file for every row."""
    return lambda _: open_scene(path)


def never(row: SceneRow) -> Scene:
    raise AssertionError(row.name)


def written(rows: Iterable[SceneRow], folder: Path, opened: Opened) -> list[NDArray[np.int64]]:
    """The sheets, BGR (h, w, 3)."""
    paths = write_sheets(rows_of(rows), folder, opened)
    assert sorted(folder.iterdir()) == sorted(paths)
    return [cv2.imread(str(path)).astype(np.int64) for path in paths]


def near(picture: NDArray[Any], colour: tuple[int, int, int], slack: int = 60) -> NDArray[np.bool_]:
    """Px (h, w) of about a colour."""
    return np.asarray(np.abs(picture.astype(np.int64) - colour).max(2) <= slack)


def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is written on pictures from now on."""
    words: list[str] = []
    real = Hand.put

    def put(hand: Hand, picture: Any, text: str, at: tuple[int, int]) -> int:  # noqa: ANN401 - an array
        words.append(text)
        return real(hand, picture, text, at)

    monkeypatch.setattr(Hand, "put", put)
    return words


# --- names ---


@given(st.sets(st.none() | st.text(max_size=9) | st.sampled_from(["CON", "con", "a/b", "a\\b", "..", "no-terminal"])))
def test_names_of_sheets_are_safe_on_every_file_system(terminals: set[str | None]) -> None:
    names = file_names(terminals)
    assert names.keys() == terminals
    assert len({name.casefold() for name in names.values()}) == len(terminals)
    for name in names.values():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9 ._,()+-]{0,99}", name)
        assert not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.IGNORECASE)
        assert not name.endswith((".", " "))


def test_plain_names_are_kept_and_others_do_not_depend_on_their_neighbours() -> None:
    assert file_names(["Fujairah (east)", "b"]) == {"Fujairah (east)": "Fujairah (east)", "b": "b"}
    alone = file_names(["Göteborg"])["Göteborg"]
    assert re.fullmatch("Goteborg-[0-9a-f]{8}", alone)
    assert file_names(["北京", "Göteborg", "a"])["Göteborg"] == alone


@pytest.mark.parametrize("name", ["../../up", "/etc/x", "a\0b", "x" * 400, "", "\udc80"])
def test_a_sheet_stays_in_its_folder(name: str, water: Path, tmp_path: Path) -> None:
    assert len(written([scene_row(1, name)], tmp_path / "out" / "sheets", opener(water))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# --- what is shown ---


@given(st.integers(0, 500), st.integers(1, 60))
def test_things_are_chosen_evenly_from_the_first_to_the_last(total: int, most: int) -> None:
    chosen = evenly(total, most)
    assert len(chosen) == min(total, most)
    gaps = {b - a for a, b in pairwise(chosen)}
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)
    if most > 1 and total:
        assert (chosen[0], chosen[-1]) == (0, total - 1)


def test_up_to_48_scenes_are_shown_in_the_order_of_time(
    water: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = said(monkeypatch)
    order = np.random.default_rng(1).permutation(100)
    rows = [scene_row(i + 1, time=START + timedelta(days=int(day))) for i, day in enumerate(order)]
    rows.append(scene_row(101, time=None))
    asked: list[int] = []

    def opened(row: SceneRow) -> Scene:
        asked.append(row.number)
        return open_scene(water)

    (picture,) = written(rows, tmp_path, opened)
    assert len(asked) == 48
    assert asked[-1] == 101, "what has no time comes last"
    assert [int(order[number - 1]) for number in asked[:-1]] == [i * 100 // 47 for i in range(47)]
    assert picture.shape[0] * picture.shape[1] < 16e6
    assert "48 of 101 scenes shown, 2024-03-01 to 2024-06-08, times in UTC; 1 without time at the end" in words


def test_one_sheet_a_terminal_always_the_same_however_often_rows_are_read(
    water: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(scene_row(i, "abc"[i % 3]) for i in range(1, 12))
    first = [path.read_bytes() for path in write_sheets(rows, tmp_path / "1", opener(water))]
    monkeypatch.setattr(sheet, "_AT_ONCE", 5)
    again = write_sheets(rows, tmp_path / "2", opener(water))
    assert [path.read_bytes() for path in again] == first
    assert [path.name for path in again] == ["a.jpg", "b.jpg", "c.jpg"]
    assert write_sheets(rows_of([]), tmp_path / "3", never) == []


def test_captions_tell_when_how_many_and_what_was_not_seen(
    water: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = said(monkeypatch)
    partial = replace(scene_row(2, "Port é", tankers=1, others=0, state="partial"), name="n" * 90 + "é北.tif")
    written([scene_row(1, "Port é", tankers=3, others=6), partial], tmp_path, opener(water))
    assert {"Port e", "3 tankers, 9 vessels", "1 tanker, 1 vessel", "75.0 % seen", "scene-00001.tif"} <= set(words)
    assert words.count("2024-03-01 10:30") == 2
    (short,) = [text for text in words if text.startswith("nnn")]
    assert short.endswith("e?.tif")
    assert "..." in short


def test_text_is_fitted_into_its_place() -> None:
    hand = Hand(0.5)
    for text in ("", "x", "a scene of some name.tif", "w" * 300, "many short words " * 9):
        for width in (30, 80, 300):
            assert hand.width(hand.fitted(text, width)) <= width
            lines = hand.wrapped(text, width, 4)
            assert len(lines) <= 4
            assert all(hand.width(line) <= width for line in lines)
            whole = hand.wrapped(text, width, 999)
            assert "".join("".join(whole).split()) == "".join(text.split()), "nothing is lost"


# --- pictures ---


def test_boxes_are_where_the_vessels_are(water: Path, tmp_path: Path) -> None:
    boxes = {
        "tanker": (200.0, 150.0, 150, 40, 0.5),
        "other": (600.0, 400.0, 90, 40, 2.0),
        "unknown": (300, 450, 80, 50, 0),
    }
    rows = [vessel(i, box, kind) for i, (kind, box) in enumerate(boxes.items(), 1)]
    (picture,) = written([scene_row(1, detections=rows)], tmp_path, opener(water))
    ys, xs = np.nonzero(near(picture, WATER, 6))
    top, left = ys.min(), xs.min()
    assert (ys.max() - top + 1, xs.max() - left + 1) == (SIDE * HEIGHT // WIDTH, SIDE), "the thumbnail"
    shown = picture[top : ys.max() + 1, left : xs.max() + 1]
    for kind, (cx, cy, *_) in boxes.items():
        ys, xs = np.nonzero(near(shown, COLOURS[kind]))
        corners = np.array(next(row for row in rows if row["kind"] == kind)["corners"]) * FACTOR
        assert (xs.min() + xs.max() + 1) / 2 == pytest.approx(cx * FACTOR, abs=1.5)
        assert (ys.min() + ys.max() + 1) / 2 == pytest.approx(cy * FACTOR, abs=1.5)
        assert xs.max() - xs.min() == pytest.approx(np.ptp(corners[:, 0]), abs=3)
        assert ys.max() - ys.min() == pytest.approx(np.ptp(corners[:, 1]), abs=3)


@pytest.mark.parametrize("kind", COLOURS)
def test_a_vessel_smaller_than_a_px_is_still_marked(kind: str, water: Path) -> None:
    row = scene_row(1, detections=[vessel(1, (400, 300, 3, 0.5, 0.3), kind)])
    drawn = thumbnail(shot_of(row), opener(water))
    ys, xs = np.nonzero(near(drawn, COLOURS[kind], 90))
    assert len(ys) >= 6
    assert (xs.mean(), ys.mean()) == pytest.approx((400 * FACTOR, 300 * FACTOR), abs=1)


@pytest.mark.parametrize("size", [(700, 500), (90, 200), (1, 1), (3000, 2)])
def test_a_thumbnail_is_the_scene_at_another_size(size: tuple[int, int], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
    pixels = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "s.png"), pixels)
    drawn = thumbnail(shot_of(scene_row(1, tankers=0, others=0)), opener(tmp_path / "s.png"))
    longest = min(SIDE, max(size) * 4)
    assert max(drawn.shape) == longest
    method = cv2.INTER_AREA if max(size) > SIDE else cv2.INTER_LINEAR
    wanted = cv2.resize(pixels, drawn.shape[1::-1], interpolation=method)
    assert np.abs(drawn.astype(int) - wanted).mean() < 1.5


def test_a_large_tiff_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side, read = 4096, []
    fine = np.random.default_rng(0).integers(0, 80, (side, side), np.uint8)
    fine += cv2.resize(np.random.default_rng(1).integers(0, 170, (9, 9), np.uint8), (side, side))
    with rasterio.open(
        write_tiff(tmp_path / "plain.tif", fine[None], tiled=True, crs="EPSG:32610", transform=HARBOUR)
    ) as file:
        options = {"blocksize": 128, "compress": "none", "overview_resampling": "average"}
        rasterio.shutil.copy(file, tmp_path / "cog.tif", driver="COG", **options)
    real = Blocks.read_into

    def read_into(blocks: Blocks, window: Any, pixels: Any) -> Any:  # noqa: ANN401 - passed on
        read.append(window.width * window.height * (blocks.width == side))
        return real(blocks, window, pixels)

    monkeypatch.setattr(Blocks, "read_into", read_into)
    drawn = thumbnail(shot_of(scene_row(1, tankers=0, others=0)), opener(tmp_path / "cog.tif"))
    assert sum(read) < side * side / 20
    wanted = cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(drawn.astype(int) - wanted[..., None]).mean() < 2


@given(st.integers(1, 500_000), st.integers(1, 500_000))
def test_what_is_read_is_no_less_than_the_thumbnail_and_no_more_than_memory_has(width: int, height: int) -> None:
    down = pictures.down_for(width, height)
    assert down & (down - 1) == 0, "a factor of overviews"
    assert max(width, height) / down >= min(SIDE, max(width, height))
    assert width * height <= 4 * pictures._MOST_PX * down**2 or max(width, height) / down < 2 * SIDE


def test_what_cannot_be_read_is_hatched_and_the_rest_is_shown(water: Path) -> None:
    class Torn:
        """Without its right half."""

        def __init__(self) -> None:
            self.scene = open_scene(water)
            self.read = self.scene.read
            self.scene.read = self  # type: ignore[method-assign, assignment]

        def __call__(self, window: Any, scale: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
            if window.right * scale.down > WIDTH / 2:
                raise SceneError("water.png", "is cut off", "copy it again")
            return self.read(window, scale, **options)

    drawn = thumbnail(shot_of(scene_row(1, tankers=0, others=0)), lambda _: Torn().scene)
    assert near(drawn[:, : SIDE // 2 - 30], WATER, 2).all()
    torn = drawn[:, SIDE // 2 + 2 :]
    assert not near(torn, WATER, 2).any()
    assert (torn.min(), torn.max()) == (70, 110)


# --- no picture ---


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SceneError("/a/s.tif", "does not exist", "check the path"), "does not exist"),
        (OSError(errno.EIO, "Input/output error"), "it cannot be read again (Input/output error)"),
        (RuntimeError("secret"), "it cannot be opened again (RuntimeError)"),
    ],
)
def test_a_scene_that_is_gone_has_a_grey_card_and_its_counts(
    error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = said(monkeypatch)

    def gone(_: SceneRow) -> Scene:
        raise error

    (picture,) = written([scene_row(1)], tmp_path, gone)
    assert near(picture, pictures._CARD, 4).sum() > SIDE * SIDE * 0.8
    text = " ".join(told)
    assert "no picture" in text
    assert words in text
    assert "1 tanker, 3 vessels" in text


def test_a_scene_that_failed_has_a_card_with_the_cause_and_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = said(monkeypatch)
    failed, waiting = scene_row(1, state="failed"), scene_row(2, state="failed")
    waiting = replace(waiting, state="waiting", failure=None)
    (picture,) = written([failed, waiting], tmp_path, never)
    assert near(picture, pictures._CARD, 4).sum() > SIDE * SIDE * 1.6
    text = " ".join(told)
    assert "the file is truncated" in text
    assert "it has not been scored yet" in text
    assert {"failed", "waiting"} <= set(told)


def test_boxes_of_what_is_shown_are_kept_as_arrays_alone() -> None:
    row = scene_row(1, tankers=40, others=60)
    shots = picked.gather(rows_of([row, scene_row(2)]), {1, 7})
    assert list(shots) == [1]
    assert shots[1].row.document is not None
    assert shots[1].row.document["detections"] == []
    assert shots[1].corners.shape == (100, 4, 2)
    assert row.document is not None
    assert len(row.document["detections"]) == 100, "the row itself is as it was"
