"""The benchmarks' own machinery; nothing here is timed, and no peer is needed."""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import rasterio
import toy_model
from onnx import TensorProto, helper, numpy_helper

from benchmarks import peers
from benchmarks.agreement import agreement, pairs_of
from benchmarks.all import row_value, says
from benchmarks.children import Child, Run, SideError, read_run
from benchmarks.clock import busy_ticks, foreign_share, process_ticks
from benchmarks.common import table
from benchmarks.parts import Part, PartError, gather, last_line
from benchmarks.peer_common import corners, cut, joined, starts
from benchmarks.peer_model import parity, peer_model, write_peer
from benchmarks.protocol import Found, exchange
from benchmarks.rounds import interleave, steady, summaries
from benchmarks.scenes import SUFFIX, render, scene_file
from edge.decode import from_distances
from edge.geometry import canonical, from_corners, to_corners
from edge.scene import open_scene
from edge.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.protocol import Request

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
COMMANDS = sorted(f.stem for f in FOLDER.glob("*.py") if "\ndef main(" in f.read_text(encoding="utf-8"))
BOXES = np.array([[50.0, 40, 60, 12, 0.3], [150, 90, 80, 16, 2.0], [300, 200, 40, 10, 1.0]])
MOVED = BOXES[:1] + np.array([1, 0, 0, 0, 0])


def _run(seconds: float = 1.0, foreign: float | None = 0.0, boxes: int = 0) -> Run:
    return Run(seconds, 1.0, foreign, 100, np.zeros((boxes, 4, 2)), np.zeros(boxes), {"tiles": 4, "phases": {}})


@pytest.mark.parametrize("name", COMMANDS)
def test_each_has_help_for_each_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main(["--help"])
    assert ended.value.code == 0
    assert f"python -m benchmarks.{name}" in capsys.readouterr().out


# --- the protocol ---


def _answers(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    def run(request: Request) -> Found:
        if request["scene"] == "none":
            raise ValueError(request["scene"])
        return Found(to_corners(BOXES), np.array([0.5, 0.6, 0.7]), {"tiles": request["tile_px"]})

    said = io.StringIO()
    exchange(run, io.StringIO("".join(json.dumps(r) + "\n" for r in requests)), said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_a_child_answers_each_request_and_survives_errors() -> None:
    good = {"do": "run", "scene": "a", "tile_px": 9}
    first, second, third = _answers(good, {**good, "scene": "none"}, good, {"do": "quit"}, good)
    assert second == {"error": "ValueError: none"}
    assert first["notes"] == third["notes"] == {"tiles": 9}
    run = read_run(json.dumps(first))
    assert np.allclose(run.corners, to_corners(BOXES), atol=0.001)
    assert run.score.tolist() == [0.5, 0.6, 0.7]
    assert run.seconds > 0
    with pytest.raises(SideError, match="ValueError: none"):
        read_run(json.dumps(second))


def test_our_engine_as_a_child(tmp_path: Path) -> None:
    import cv2  # noqa: PLC0415

    model = toy_model.model_folder(tmp_path / "toy")
    picture = toy_model.picture(256, 192, {(4, 3): 200, (20, 15): 250})
    cv2.imwrite(str(tmp_path / "scene.png"), picture[..., ::-1])
    with Child("ours", ["--model", str(model)], tmp_path / "logs" / "ours.log") as child:
        assert child.about["provider"] == "cpu"
        request = {"tile_px": 128, "overlap_px": 32, "gsd_m": 1.0, "exhaustive": True}
        run = child.run(tmp_path / "scene.png", **request)
        assert from_corners(run.corners)[:, :2].tolist() == [[36, 28], [164, 124]]
        assert run.notes["tile_px"] == 128
        assert run.notes["overlap_px"] == 32
        with pytest.raises(SideError, match="does not exist"):
            child.run(tmp_path / "absent.png")
        assert len(child.run(tmp_path / "scene.png", **request).score) == 2


def test_a_child_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(SideError, match="no shipped model"):
        Child("ours", ["--model", "nowhere"], tmp_path / "ours.log")


# --- what others did meanwhile ---


def test_busy_ticks_take_in_theft_but_neither_rest_nor_guests() -> None:
    assert busy_ticks("cpu  100 10 20 5000 300 1 2 40 7 7\ncpu0 1 1 1 1\n") == 173


def test_process_ticks_of_a_name_with_blanks_and_brackets() -> None:
    rest = " ".join(str(n) for n in range(4, 30))
    assert process_ticks(f"12 (a ) (b) S {rest}") == 14 + 15


@pytest.mark.parametrize(
    ("busy", "own", "share"), [(3.0, 2.0, 0.25), (2.0, 2.5, 0.0), (9.0, 1.0, 1.0), (None, 1.0, None)]
)
def test_foreign_share(busy: float | None, own: float, share: float | None) -> None:
    assert foreign_share(busy, own, wall_s=2.0, machine_cores=2) == share


def test_the_time_of_a_neighbour_that_is_meant_to_be_there_is_not_foreign() -> None:
    (said,) = _answers({"do": "run", "scene": "a", "tile_px": 1})
    line = json.dumps({**said, "seconds": 1.0, "cpu_s": 1.0, "busy_s": 2.0})
    free, known = read_run(line), read_run(line, known_s=1.0)
    assert free.disturbed
    assert known.foreign == 0
    assert not known.disturbed


# --- rounds ---


def _one_by_one(runs: list[Run]) -> Any:  # noqa: ANN401 - a callable
    waiting: Iterator[Run] = iter(runs)
    return lambda: next(waiting)


def test_a_disturbed_run_is_repeated_and_the_least_disturbed_kept() -> None:
    assert steady(_one_by_one([_run(3, 0.5), _run(2, 0.05)]))[1] == 1
    best, thrown = steady(_one_by_one([_run(1, 0.5), _run(2, 0.3), _run(3, 0.4), _run(4, 0.9)]), 3)
    assert (best.seconds, thrown, best.disturbed) == (2, 3, True)
    assert steady(_one_by_one([_run(1, None)]))[1] == 0


def test_sides_run_in_turn_and_one_that_fails_is_left_out() -> None:
    order = []

    def side(name: str, *seconds: float) -> Any:  # noqa: ANN401 - a callable
        runs = iter(seconds)

        def run() -> Run:
            order.append(name)
            try:
                return _run(next(runs), boxes=3)
            except StopIteration:
                raise SideError("tired") from None

        return run

    out = interleave({"a": side("a", 99, 4, 2, 3), "b": side("b", 99, 1), "c": side("c", 99, 1, 1, 1)}, 3)
    assert "".join(order) == "abcabcabcac"
    assert out.left_out == {"b": "tired"}
    assert (out.median_s("a"), out.median_s("b")) == (3, None)
    assert (out.ratio("c", "a"), out.ratio("b", "a")) == (3.0, None)
    rows = summaries(out, 4_000_000, "a")
    assert [(r["side"], r["ratio"], r["mp_per_s"], r["tiles"]) for r in rows] == [("a", 1.0, 1.33, 4), ("c", 3.0, 4, 4)]
    assert "phases" not in rows[0]
    assert table(rows).splitlines()[0].startswith("side")


# --- agreement ---


def test_the_same_boxes_agree_whatever_corner_they_begin_with() -> None:
    ours = to_corners(BOXES)
    theirs = np.roll(ours[::-1], 1, axis=1)[:, ::-1]
    assert pairs_of(ours, theirs).tolist() == [[0, 2], [1, 1], [2, 0]] or len(pairs_of(ours, theirs)) == 3
    said = agreement(ours, theirs)
    assert (said["matched_share"], said["matched_share_of_ours"]) == (1.0, 1.0)


def test_boxes_are_paired_one_to_one() -> None:
    ours, theirs = (
        to_corners(BOXES[:2]),
        to_corners(np.concatenate([BOXES[:1], MOVED, BOXES[2:]])),
    )
    assert pairs_of(ours, theirs).tolist() == [[0, 0]]
    said = agreement(ours, theirs)
    assert (said["matched_share"], said["matched_share_of_ours"]) == (0.3333, 0.5)


def test_half_a_box_is_no_match_and_nothing_has_no_share() -> None:
    half = BOXES[:1] * [[1, 1, 0.49, 1, 1]]
    assert agreement(to_corners(BOXES[:1]), to_corners(half))["matched"] == 0
    assert agreement(np.empty((0, 4, 2)), to_corners(half))["matched_share_of_ours"] is None


# --- scenes ---


def test_a_scene_is_the_same_in_all_lossless_formats(tmp_path: Path) -> None:
    picture = render(256, 1.0)
    assert (picture == render(256, 1.0)).all()
    files = {kind: scene_file(tmp_path, kind, 256) for kind in SUFFIX}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in files.values())
    for kind in ("geotiff", "cog"):
        with rasterio.open(files[kind]) as file:
            assert (file.read().transpose(1, 2, 0) == picture).all()
            assert file.res == (1.0, 1.0)
    written = files["jpeg"].stat().st_mtime_ns
    assert scene_file(tmp_path, "jpeg", 256).stat().st_mtime_ns == written
    for path in files.values():
        with open_scene(path) as scene:
            assert (scene.width, scene.height) == (256, 256)


@pytest.mark.parametrize(("side", "gsd"), [(512, 1.0), (512, 0.5)])
def test_no_part_of_a_scene_is_plain(side: int, gsd: float) -> None:
    blocks = render(side, gsd).astype(float).reshape(side // 64, 64, side // 64, 64, 3).std((1, 3)).min()
    assert blocks > 1.0


# --- the peers' network ---


def test_the_toy_network_says_the_same_behind_the_peers_ends(tmp_path: Path) -> None:
    folder = toy_model.model_folder(tmp_path / "toy")
    picture = toy_model.picture(128, 128, {(4, 3): 200, (9, 9): 250})
    model = peer_model(onnx.load(str(folder / "model.onnx")), json.loads((folder / "card.json").read_text()), 128)
    onnx.save(model, str(tmp_path / "peer.onnx"))
    assert parity(folder, tmp_path / "peer.onnx", picture)["boxes"] == 2
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["task"], told["imgsz"], told["names"]) == ("obb", "[128, 128]", "{0: 'vessel'}")
    assert [d.dim_param or d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim][1] == 6


def test_networks_that_differ_are_found_out(tmp_path: Path) -> None:
    one, other = toy_model.model_folder(tmp_path / "one"), tmp_path / "two"
    toy_model.model_folder(other)
    toy_model.finder(other / "model.onnx", cell=16)
    card = json.loads((one / "card.json").read_text())
    onnx.save(peer_model(onnx.load(str(one / "model.onnx")), {**card, "input": {"colour": "BGR"}}), tmp_path / "p.onnx")
    with pytest.raises(ValueError, match="differ"):
        parity(one, tmp_path / "p.onnx", toy_model.picture(128, 128, {(4, 3): 200}))


def test_the_shipped_network_behind_the_peers_ends(tmp_path: Path) -> None:
    said = write_peer(FOLDER.parent / "models" / "vessel-n", tmp_path / "peer.onnx", 320)
    assert said["boxes"] > 0


def test_distances_are_decoded_in_the_graph(tmp_path: Path) -> None:
    """The same boxes as edge.decode makes of them."""
    side, anchors = 64, 8 * 8 + 4 * 4 + 2 * 2
    rows = np.random.default_rng(0).uniform(-1, 3, (1, anchors, 6)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["images"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["nchw"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["pixels"], ["most"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["most", "nil"], ["none"]),
        helper.make_node("Add", ["none", "rows"], ["output0"]),
    ]
    known = [numpy_helper.from_array(np.float32(0), "nil"), numpy_helper.from_array(rows, "rows")]
    ends = (("images", TensorProto.UINT8, [1, "h", "w", 3]), ("output0", TensorProto.FLOAT, [1, anchors, 6]))
    first, last = (helper.make_tensor_value_info(*end) for end in ends)
    graph = helper.make_graph(nodes, "distances", [first], [last], known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", toy_model.OPSET)], ir_version=9)
    path = tmp_path / "peer.onnx"
    onnx.save(peer_model(model, {"head": "distances", "input": {"colour": "RGB"}}, side), str(path))
    said = open_session(path, "cpu").run(np.zeros((1, 3, side, side), np.float32))[0].T
    assert np.allclose(said, from_distances(rows[0], 0.0, (side, side)), atol=1e-4)


# --- the peers' helpers ---


def test_tiles_cover_a_scene_and_are_whole() -> None:
    assert starts(8192, 640, 128) == [*range(0, 7552, 512), 7552]
    assert starts(600, 640, 128) == [0]
    picture = np.zeros((700, 1500, 3), np.uint8)
    tiles = list(cut(picture, {"tile_px": 640, "overlap_px": 128}))
    assert [(x, y) for x, y, _ in tiles] == [(x, y) for y in (0, 60) for x in (0, 512, 860)]
    assert {tile.shape for *_, tile in tiles} == {(640, 640, 3)}


def test_a_vessel_that_two_tiles_see_is_joined() -> None:
    twice = [BOXES, MOVED]
    found = joined(twice, [np.array([0.9, 0.8, 0.7]), np.array([0.6])], {"threshold": 0.25}, 2)
    assert found.score.tolist() == [0.9, 0.8, 0.7]
    assert np.allclose(from_corners(found.corners), canonical(BOXES), atol=1e-3)
    assert np.allclose(corners(BOXES), to_corners(BOXES))
    assert len(joined([], [], {"threshold": 0.25}, 0).score) == 0


def test_the_peers_are_pinned_and_have_our_runtime() -> None:
    pinned = peers.pins(peers.requirements())
    assert pinned["sahi"] == "0.12.8"
    assert all(pinned.values())
    assert pinned["onnxruntime"] == importlib.import_module("onnxruntime").__version__


def test_an_environment_that_is_not_there_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(SideError, match="lacks sahi"):
        peers.ready_python(tmp_path)


# --- all of them ---


def test_a_part_that_does_not_run_leaves_null_and_a_reason() -> None:
    def run(part: Part) -> dict[str, Any]:
        if part.name == "broken":
            raise PartError(part.name)
        return {
            "speed": 3,
            "ratio": None,
            "rows": [{"n": 95_000, "s": 0.2}, {"n": 9, "s": 0.1}],
            "left_out": {"x": "y"},
        }

    figures = {**says("speed", "ratio"), "large_s": row_value("n", 1e5, "s", 0.1), "huge_s": row_value("n", 1e6, "s")}
    said = gather([Part("good", (), figures), Part("broken", (), says("other"))], run)
    assert (said["speed"], said["ratio"], said["large_s"], said["huge_s"], said["other"]) == (3, None, 0.2, None, None)
    assert {"broken", "good: x", "ratio", "huge_s"} == set(said["left_out"])
    assert said["left_out"]["broken"] == "broken"


def test_the_last_line_is_the_document() -> None:
    assert last_line('table\n{"a": 1}\n') == {"a": 1}
    for text in ("", "table", "table\n3"):
        with pytest.raises(ValueError):  # noqa: PT011 - of json or ours
            last_line(text)
