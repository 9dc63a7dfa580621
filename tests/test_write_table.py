"""The table for people: right numbers, nothing important left out, never wider than the terminal."""

from __future__ import annotations

import os

import pytest
from scene_documents import document, fleet

from edge.write import phrases, table

WIDE = 140
COUNTS = ["tanker", "other", "unknown", "vessel", "coverage"]


def test_a_table_says_what_the_document_says() -> None:
    tiles = {"planned": 12, "scored": 7, "skipped": 2, "failed": 3}
    one = document(fleet(12), coverage=0.8349, tiles=tiles, width=4000, height=3000, gsd_m=0.4997)
    head, row = table([one], WIDE).splitlines()
    assert head.split() == [
        "scene", "size", "px", "GSD", "m", "tanker", "interval", "sizes", "other", "unknown", "vessel", "interval",
        "coverage", "tiles", "seconds",
    ]  # fmt: skip
    assert row.split() == [
        "harbour.tif", "4000", "x", "3000", "0.5", "4", "4-5", "4", "Coastal", "4", "4", "12", "11-14", "83.4", "%",
        "7/10,", "3", "failed", "1.2",
    ]  # fmt: skip


def test_columns_stand_below_their_titles() -> None:
    head, *rows = table([document(fleet(n), scene=f"{'x' * n}.tif") for n in (3, 30)], WIDE).splitlines()
    for title in ("tanker", "other", "unknown", "vessel", "coverage", "tiles"):
        end = head.index(title) + len(title)
        assert all(row[end - 1] != " " and row[end : end + 1] in {" ", ""} for row in rows[:2])


def test_several_scenes_have_a_total() -> None:
    rows = table([document(fleet(12)), document(fleet(30)), document([])], WIDE).splitlines()
    assert len(rows) == 5
    assert rows[-1].split() == ["all", "scenes", "14", "14", "Coastal", "14", "14", "42", "3.8"]
    assert len(table([document()], WIDE).splitlines()) == 2


def test_sizes_of_tankers_are_counted_from_the_smallest_on() -> None:
    names = ["VLCC", "Panamax/Aframax", "Coastal", None, "VLCC", "Panamax"]
    rows = [row | {"size_class": name} for row, name in zip(fleet(6), names, strict=True)]
    assert "  1 Coastal, 1 Panamax, 1 Panamax/Aframax, 2 VLCC  " in table([document(rows)], 200)
    assert "VLCC" not in table([document(rows)], 100), "the first column to go where there is no room"
    nothing = [row | {"size_class": None} for row in rows]
    assert phrases.sizes(nothing) == phrases.sizes([]) == "-"


def test_no_scene_is_said() -> None:
    assert table([]) == "no scenes"


@pytest.mark.parametrize("width", range(20, 160, 7))
def test_a_narrow_terminal_keeps_counts_and_coverage(width: int) -> None:
    documents = [
        document(fleet(12), scene="pleiades-2021-03-04-" + "very-long-name-" * 5 + "north.tif", coverage=0.5),
        document(fleet(9), scene="south.tif", warnings=["one of a kind: " + "many words " * 20]),
    ]
    text = table(documents, width)
    assert max(map(len, text.splitlines())) <= width
    for title in COUNTS:
        assert title in text
    assert "50.0 %" in text
    assert "many words" in " ".join(text.split())


def test_more_columns_fit_a_wider_terminal() -> None:
    heads = [table([document()], width).splitlines()[0] for width in range(60, 130)]
    shown = [len(head.split()) for head in heads]
    assert shown == sorted(shown)
    assert len(set(shown)) == 8
    assert all(len(head) <= width for head, width in zip(heads, range(60, 130), strict=True))


def test_long_names_are_shortened_in_the_middle() -> None:
    name = "port-of-somewhere-" + "x" * 80 + "-2024.tif"
    row = table([document(scene=name)], 100).splitlines()[1]
    shown = row.split()[0]
    head, tail = shown.split("...")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert len(row) <= 100


def test_warnings_stand_below_with_their_scene() -> None:
    documents = [document(scene="a.tif"), document(scene="b.tif", warnings=["the GSD is not known", "has 2 pages"])]
    assert table(documents, WIDE).splitlines()[-2:] == [
        "warning: b.tif: the GSD is not known",
        "warning: b.tif: has 2 pages",
    ]


def test_a_synthetic_scene_is_called_so() -> None:
    assert "harbour.tif (SYNTHETIC)" in table([document(synthetic=True)], WIDE)
    assert "SYNTHETIC" not in table([document()], WIDE)


def test_names_cannot_move_the_cursor_or_break_the_table() -> None:
    text = table([document(scene="a\x1b[2J\nb\t.tif", warnings=["x\ry"])], WIDE)
    assert text.splitlines()[1].startswith("a?[2J?b?.tif ")
    assert "warning: a?[2J?b?.tif: x?y" in text
    assert len(text.splitlines()) == 3


def test_a_name_that_is_not_utf8_can_be_printed() -> None:
    table([document(scene=os.fsdecode(b"port\xff.tif"))], WIDE).encode("utf-8")


def test_wide_characters_keep_the_columns_apart() -> None:
    rows = table([document(scene="港湾.tif"), document(scene="harbour.tif")], WIDE).splitlines()
    assert len(rows[1]) == len(rows[2]) - 2


@pytest.mark.parametrize(
    ("share", "words"),
    [(1, "100 %"), (0.999999, "99.9 %"), (0.9996, "99.9 %"), (0.29, "29.0 %"), (0.5, "50.0 %"), (0.0, "0.0 %")],
)
def test_only_all_of_it_is_100_per_cent(share: float, words: str) -> None:
    assert phrases.percent(share) == words


@pytest.mark.parametrize("width", range(0, 30, 3))
@pytest.mark.parametrize("text", ["short", "a rather long name.tif", "港" * 20])
def test_shortened_texts_fit(text: str, width: int) -> None:
    assert phrases.columns(phrases.shorten(text, width)) <= width
