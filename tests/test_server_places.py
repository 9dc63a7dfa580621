"""Scenes that are named by a path: nothing outside the allowed folders is read, nor told about."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from edge.server.places import allowed_path
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """Two roots with a scene each; beside them a file that is nobody's business."""
    for name in ("first", "second"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / f"{name}.tif").write_bytes(b"II")
    (tmp_path / "secret.tif").write_bytes(b"II")
    (tmp_path / "first-other").mkdir()
    (tmp_path / "first-other" / "a.tif").write_bytes(b"II")
    return [tmp_path / "first", tmp_path / "second"]


def _refused(text: str, roots: list[Path]) -> HttpError:
    with pytest.raises(HttpError) as caught:
        allowed_path(text, roots)
    return caught.value


def test_a_file_in_a_root_is_found(roots: list[Path], tmp_path: Path) -> None:
    first, second = tmp_path / "first/sub/first.tif", tmp_path / "second/sub/second.tif"
    assert allowed_path(str(first), roots) == first
    assert allowed_path("sub/first.tif", roots) == first
    assert allowed_path("sub/second.tif", roots) == second
    assert allowed_path("./sub/../sub//second.tif", roots) == second
    assert allowed_path("../second/sub/second.tif", roots) == second


def test_without_roots_nothing_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    error = _refused(str(tmp_path / "a.tif"), [])
    assert error.status == 403
    assert "no scenes by path" in error.detail


OUTSIDE = [
    "/etc/passwd", "/etc/none", "../secret.tif", "sub/../../secret.tif", "../absent.tif", "../first-other/a.tif",
    "/proc/self/environ", "/proc/self/cwd/pyproject.toml", "/proc/self/fd/0", "/dev/zero", "/dev/stdin", "/", "..",
    "a\0.tif", "\0", "", "x" * 5000, "\ud800.tif", "../" * 40 + "etc/passwd", "~root/../../secret.tif",
]  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_outside_is_refused_in_the_same_words_there_or_not(roots: list[Path], text: str) -> None:
    error, absent = _refused(text, roots), _refused("/no/such/place/at/all", roots)
    assert (error.status, error.detail, error.mend) == (403, absent.detail, absent.mend)


def test_symlinks_out_of_a_root_are_refused_those_within_are_followed(roots: list[Path], tmp_path: Path) -> None:
    first = tmp_path / "first"
    (first / "out.tif").symlink_to(tmp_path / "secret.tif")
    (first / "gone.tif").symlink_to(tmp_path / "absent.tif")
    (first / "up").symlink_to(tmp_path)
    (first / "chain.tif").symlink_to("out.tif")
    (first / "proc").symlink_to("/proc/self")
    for text in ("out.tif", "gone.tif", "up/secret.tif", "chain.tif", "proc/environ"):
        assert _refused(text, roots[:1]).status == 403
        assert _refused(str(first / text), roots).status == 403
    (first / "in.tif").symlink_to(first / "sub" / "first.tif")
    (first / "across.tif").symlink_to(tmp_path / "second" / "sub" / "second.tif")
    assert allowed_path("in.tif", roots) == first / "sub" / "first.tif"
    assert allowed_path("across.tif", roots) == tmp_path / "second" / "sub" / "second.tif"
    assert allowed_path("up/second/sub/second.tif", roots) == tmp_path / "second" / "sub" / "second.tif"


def test_a_root_that_is_a_symlink_itself(roots: list[Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(roots[0])
    found = tmp_path / "first" / "sub" / "first.tif"
    assert allowed_path(str(tmp_path / "link" / "sub" / "first.tif"), [tmp_path / "link"]) == found
    assert allowed_path("sub/first.tif", [tmp_path / "link"]) == found
    assert _refused("../secret.tif", [tmp_path / "link"]).status == 403


def test_what_is_absent_or_no_file_in_a_root_is_not_found(roots: list[Path], tmp_path: Path) -> None:
    first = tmp_path / "first"
    os.mkfifo(first / "pipe.tif")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(first / "socket.tif"))
    (first / "loop").symlink_to("loop")
    (first / "~").mkdir()
    for text in (
        "absent.tif",
        "sub",
        "sub/absent/../..",
        "pipe.tif",
        "socket.tif",
        "loop",
        "sub/first.tif/x",
        "~",
        "~/a",
    ):
        error = _refused(text, roots)
        assert (error.status, error.detail) == (404, "there is no such file")


def test_a_file_that_was_swapped_for_a_symlink_is_refused_when_it_is_asked_for_again(
    roots: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "first" / "sub" / "first.tif"
    again = allowed_path("sub/first.tif", roots)
    path.unlink()
    path.symlink_to(tmp_path / "secret.tif")
    assert _refused(str(again), roots).status == 403


def test_what_is_told_is_printable_and_short(roots: list[Path]) -> None:
    assert _refused("/etc/\x1b[31m\n" + "x" * 500, roots).subject == "/etc/?[31m?" + "x" * 109 + "…"
