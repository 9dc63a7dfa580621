"""The benchmarks of the server: the load generator against servers of the test's own, figures, and short runs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from benchmarks import load as load_command
from benchmarks import overload
from benchmarks.engine_alone import best, scenes_of
from benchmarks.http_raw import Connection, NoAnswerError, ask_bytes, parse_head
from benchmarks.job_load import JobLoad, Progress, rate
from benchmarks.load_run import Ask, Plan, make
from benchmarks.overload_figures import fastest, goals, kept_share
from benchmarks.phases import steady
from benchmarks.samples import Sample, Span, latencies, mixed, percentile, summarise, timeline
from benchmarks.server_child import Server, SideError, Start, free_port, ours
from benchmarks.serving_figures import agreements, capacities, ratios, summaries
from benchmarks.serving_files import Asked, large_file, mix, sample_scene, small_file
from benchmarks.serving_sides import Way as ServerWay
from benchmarks.serving_sides import boxes, litserve_settings, without_look
from benchmarks.watch import Watch, process_tree
from edge.detector import load_detector
from edge.scene import open_scene
from tests.toy_model import model_folder, scene_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAUSE_S = 0.6

# --- a server that answers as it is told ---


@contextmanager
def answering(answer: Callable[[bytes, bytes], bytes]) -> Iterator[int]:
    """A server on a free port that answers a request's head and body with bytes; its one thread can be held up."""
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line[15:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
                said = answer(head, await reader.readexactly(int(lengths[0])) if lengths else b"")
                if not said:
                    return
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_shut(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _shut(server: asyncio.Server) -> None:
    """Wait until all clients have gone, those too that are still to be let in; then take no more."""
    await asyncio.sleep(0.01)
    while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - they end by themselves
        await asyncio.sleep(0.01)
    server.close()


def said(status: int = 200, body: bytes = b"{}", **fields: object) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def plan(port: int, **changes: Any) -> Plan:  # noqa: ANN401 - fields of Plan
    asks = changes.pop("asks", [Ask("get", ask_bytes("/"))])
    return Plan(**{"port": port, "asks": asks, "rate": 100.0, "seconds": 0.5, "patience_s": 5.0, **changes})


# --- the generator ---


def test_requests_are_due_at_even_intervals_and_all_are_counted() -> None:
    with answering(lambda *_: said()) as port:
        told = make(plan(port))
    assert told["requests"] == 50
    assert told["status"] == {"200": 50}
    assert told["failures"] == {}
    assert told["accepted_per_s"] == pytest.approx(100, rel=0.3)
    assert told["generator"]["cpu_ms_per_request"] < 20


def test_a_stalled_server_cannot_hide_the_requests_that_were_due_meanwhile() -> None:
    answered = 0

    def stall(*_: bytes) -> bytes:
        nonlocal answered
        answered += 1
        if answered == 20:
            time.sleep(PAUSE_S)
        return said()

    with answering(stall) as port:
        evenly = make(plan(port, rate=50.0, seconds=1.5))
    answered = 0
    with answering(stall) as port:
        waiting = make(plan(port, rate=None, clients=1, seconds=1.5))
    assert evenly["status"] == {"200": 75}
    # Half of those that were due in the pause, about 30, waited for half of it or more.
    assert evenly["latency_ms"]["p90"] > 1000 * PAUSE_S / 4
    assert waiting["latency_ms"]["max"] > 900 * PAUSE_S
    assert waiting["latency_ms"]["p90"] < 1000 * PAUSE_S / 4


def test_statuses_and_what_those_who_are_refused_are_told() -> None:
    answers = [said(), said(503, retry_after=3), said(503, b""), said(500), said(503, Retry_After=9)]

    with answering(lambda *_: answers.pop(0) if answers else said()) as port:
        told = make(plan(port, rate=None, clients=1, seconds=0.6))
    assert told["status"].keys() == {"200", "500", "503"}
    assert told["status"]["503"] == told["refused"] == 3
    assert told["server_errors"] == 1
    assert told["without_retry_after"] == 1
    assert told["retry_after_s"] == [3, 9]
    assert told["refused_ms"]["max"] > 0


def test_a_mix_comes_by_its_weights_with_bodies_whole(tmp_path: Path) -> None:
    picture = tmp_path / "tile.jpg"
    picture.write_bytes(os.urandom(300_000))
    seen: list[bytes] = []

    def keep(head: bytes, body: bytes) -> bytes:
        seen.append(body)
        return said(200 if head.startswith((b"POST /tile?gsd=1 ", b"GET /live ")) else 404)

    asks = [Ask("tile", ask_bytes("/tile?gsd=1", picture), 3), Ask("live", ask_bytes("/live"))]
    with answering(keep) as port:
        told = make(plan(port, asks=asks, rate=40.0, seconds=1.0))
    assert told["accepted"] == {"tile": 30, "live": 10}
    assert sorted(map(len, seen)) == [0] * 10 + [300_000] * 30
    assert picture.read_bytes() in seen


def test_no_answer_is_no_status() -> None:
    with answering(lambda *_: b"") as port:
        closed = make(plan(port, rate=20.0))
    with answering(lambda *_: time.sleep(0.3) or said()) as port:
        late = make(plan(port, rate=10.0, seconds=0.2, patience_s=0.1))
    refused = make(plan(free_port(), rate=20.0))
    assert (closed["status"], closed["failures"]) == ({}, {"closed": 10})
    assert (late["status"], late["failures"]) == ({}, {"timeout": 2})
    assert (refused["status"], refused["failures"]) == ({}, {"refused": 10})
    assert refused["latency_ms"] is None


def test_connections_are_kept_unless_the_server_closes_them() -> None:
    with answering(lambda *_: said()) as port:

        async def twice() -> tuple[bool, int]:
            _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
            await connection.send(ask_bytes("/"), 5)
            head = await connection.send(ask_bytes("/"), 5)
            usable = connection.usable
            connection.close()
            return usable, head.status

        assert asyncio.run(twice()) == (True, 200)
    with answering(lambda *_: said(connection="close")) as port:
        assert make(plan(port, rate=20.0))["status"] == {"200": 10}


def test_the_head_of_an_answer() -> None:
    head = parse_head(b"HTTP/1.1 503 Full\r\nretry-after: 7\r\nContent-Length: 12")
    assert (head.status, head.length, head.keep, head.retry_after) == (503, 12, True, 7.0)
    assert not parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close").keep
    assert parse_head(b"HTTP/1.1 100 Continue").status == 100
    for wrong in (b"SSH-2.0", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"HTTP/1.1 fine"):
        with pytest.raises(NoAnswerError):
            parse_head(wrong)


def test_an_interim_answer_is_not_the_answer() -> None:
    with answering(lambda *_: b"HTTP/1.1 100 Continue\r\n\r\n" + said(201)) as port:
        assert make(plan(port, rate=20.0))["status"] == {"201": 10}


def test_the_command_ends_with_its_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tile.jpg").write_bytes(b"picture")
    bodies = []
    with answering(lambda _, body: bodies.append(body) or said()) as port:
        options = ["--port", str(port), "--ask", "/count", str(tmp_path / "tile.jpg"), "1", "--field", "scene"]
        assert load_command.main([*options, "--rate", "20", "--seconds", "0.3", "--nice", "0"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["benchmark"] == "load"
    assert told["status"] == {"200": 6}
    assert all(b'name="scene"; filename="tile.jpg"' in body and b"\r\npicture\r\n" in body for body in bodies)


def test_a_plan_that_makes_no_load_is_refused() -> None:
    for wrong in ({"rate": 0.0}, {"asks": []}, {"warmup_s": 0.5}):
        with pytest.raises(ValueError, match="a load needs"):
            plan(1, **wrong)


# --- figures ---


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(n) for n in range(1, 201)]
    assert [percentile(ordered, share) for share in (0.5, 0.9, 0.99, 1.0)] == [100, 180, 198, 200]
    assert percentile([3.0], 0.99) == 3
    assert latencies([]) is None
    assert latencies([0.001, 0.003]) == {"p50": 1.0, "p90": 3.0, "p99": 3.0, "mean": 2.0, "max": 3.0}
    with pytest.raises(ValueError, match="no percentiles"):
        percentile([], 0.5)


def test_only_what_lies_in_the_span_counts() -> None:
    samples = [
        Sample("a", 0.5, 0.5, 0.7, 200),  # due before
        Sample("a", 1.0, 1.1, 1.5, 200),
        Sample("b", 2.0, 2.0, 9.0, 200),  # done after, but due within: its latency counts, not its rate
        Sample("b", 2.5, 2.5, 2.6, failure="timeout"),
    ]
    told = summarise(samples, Span(1.0, 3.0))
    assert told["requests"] == 3
    assert told["accepted"] == {"a": 1}
    assert told["accepted_per_s"] == 0.5
    assert told["by_kind_ms"]["a"]["max"] == 500
    assert told["latency_ms"]["max"] == 7000
    assert told["late_ms"]["max"] == 100
    assert told["failures"] == {"timeout": 1}
    assert [row["requests"] for row in timeline(samples, Span(1.0, 3.0), 1.0)] == [1, 2]


def test_kinds_are_spread_evenly() -> None:
    kinds = mixed([Ask("a", b"", 4), Ask("b", b"", 1)])
    names = "".join(next(kinds).name for _ in range(20))
    assert names.count("b") == 4
    assert "bb" not in names
    assert len(set(names.split("b")[1:-1])) == 1


ENGINE = {
    "small": {"what": "small", "scenes_per_s": 8.0, "done": {"small": 80}, "wall_s": 10.0},
    "large": {"what": "large", "scenes_per_s": 1.0, "done": {"large": 10}, "wall_s": 10.0},
    "mix": {"what": "mix", "scenes_per_s": 4.0, "done": {"small": 32, "large": 8}, "wall_s": 12.0},
}


def test_throughput_is_weighed_by_what_the_engine_needs_for_each_kind() -> None:
    assert kept_share({"small": 32, "large": 8}, 12.0, ENGINE) == 1.0
    assert kept_share({"small": 16, "large": 4}, 12.0, ENGINE) == 0.5
    assert kept_share({"small": 96}, 12.0, ENGINE) == 1.0  # the same engine time, though all of one kind
    assert kept_share({"other": 1}, 12.0, ENGINE) is None
    slower = {name: {**row, "scenes_per_s": row["scenes_per_s"] / 2} for name, row in ENGINE.items()}
    assert fastest(slower, ENGINE) == fastest(ENGINE, slower) == ENGINE
    assert best([ENGINE["mix"], slower["mix"]]) == {"mix": ENGINE["mix"]}


def test_goals_say_what_was_not_measured() -> None:
    flood = {"server_errors": 0, "failures": {}, "without_retry_after": 0, "rss_growth": -0.06}
    job = {"small_ms": {"p99": 299.0}, "idle_ms": {"p50": 100.0}}
    met = goals({"overload": flood, "job": job, "accepted_over_engine": 0.91})
    assert met == {
        "no_5xx_but_503": True,
        "each_503_says_when": True,
        "throughput": True,
        "rss_flat": False,
        "small_beside_job": True,
    }
    assert set(goals({}).values()) == {None}
    assert goals({"overload": {**flood, "failures": {"timeout": 1}}})["no_5xx_but_503"] is False


def test_a_load_that_others_disturbed_is_made_again() -> None:
    runs = iter([{"disturbed": True, "foreign": 0.5}, {"disturbed": True, "foreign": 0.3}, {"disturbed": False}])
    assert steady(lambda: next(runs), 1) == {"disturbed": True, "foreign": 0.3, "repeated": 1}


def test_rates_of_a_job_go_over_several_jobs() -> None:
    rows = [Progress(10.0, 0, 0), Progress(11.0, 8, 0), Progress(12.0, 16, 1), Progress(14.0, 20, 1)]
    assert rate(rows, 0.0, 20.0) == 5.0
    assert rate(rows, 10.0, 12.0) == 8.0
    assert rate(rows, 10.5, 11.5) is None


def test_ratios_are_above_one_where_ours_is_better() -> None:
    row = {"requests": 10, "not_200": 1, "rss_mb": 100.0, "foreign": 0.0, "disturbed": False, "offered_per_s": None}
    rows = [
        {"side": side, "what": "4 clients", "per_s": per_s, "p50_ms": p50, "p99_ms": 2 * p50, **row}
        for side, per_s, p50 in (("ours", 10, 100.0), ("ours", 30, 300.0), ("ours", 20, 200.0), ("litserve", 10, 400.0))
    ]
    medians = summaries(rows)
    assert [(r["side"], r["per_s"], r["p50_ms"], r["not_200"]) for r in medians] == [
        ("ours", 20, 200.0, 3),
        ("litserve", 10, 400.0, 1),
    ]
    assert ratios(medians) == {"litserve": {"4 clients": {"per_s": 2.0, "p50": 2.0, "p99": 2.0}}}
    assert agreements({}) == {}
    known = capacities({"ours": {"capacity_per_s": 30.0}, "litserve": {"capacity_per_s": 20.0}})
    assert (known["litserve_ratio"], known["litserve_ratio_second_look"], known["ultralytics_ratio"]) == (
        1.5,
        None,
        None,
    )


# --- servers as children ---


def test_a_tree_of_processes_is_watched() -> None:
    code = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'print(1, flush=True); input()'], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE); child.stdout.readline(); print(1, flush=True); input(); child.communicate(b'x')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    assert len(process_tree(parent.pid)) == 2
    watch = Watch(parent.pid, 0.02)
    parent.communicate(b"\n")
    assert watch.rows[0].rss_mb > 5
    assert watch.look().cpu_s >= watch.rows[0].cpu_s > 0
    watch.close()
    assert watch.mean_rss(watch.rows[0].at_s, watch.rows[0].at_s + 1e-9) == watch.rows[0].rss_mb
    assert watch.mean_rss(0.0, 1e-9) is None
    assert process_tree(parent.pid) == []


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    for start in (
        Start("broken", [sys.executable, "-c", "raise SystemExit('no model')"]),
        Start("broken", [sys.executable, "-c", "raise SystemExit('no model')"], free_port()),
    ):
        with pytest.raises(SideError, match=r"broken was not ready .*no model"):
            Server(start, tmp_path / "log")


def test_litserve_is_tried_with_a_process_a_core_and_with_batches() -> None:
    tried = [" ".join(options) for options in litserve_settings().values()]
    assert any("--threads 1 --batch 4" in options for options in tried)
    assert any("--batch 1" in options for options in tried)


def test_files_are_made_once(tmp_path: Path) -> None:
    small, scene = mix(tmp_path, sample_scene(), 128)
    assert small.weight == 4
    assert cv2.imread(str(small.path)).shape == (128, 128, 3)
    written = small_file(tmp_path, 128).stat().st_mtime_ns
    assert small_file(tmp_path, 128).stat().st_mtime_ns == written
    assert scene.body
    assert scene.body[1] == "image/tiff"
    with open_scene(large_file(tmp_path, 700)) as water:
        assert (water.width, water.height, water.gsd_m) == (700, 700, 1.0)
    assert [s.pixels for s in scenes_of([[small.target, str(small.path), "4"]])] == [128 * 128]


def toy(folder: Path) -> Path:
    """Toy networks at the tile sizes of the real one; few cells of the sample scene are red enough for a candidate."""
    return model_folder(
        folder / "toy",
        kinds=True,
        input__tile_px=1024,
        input__tile_most_px=1184,
        range__length_px=[8.0, 400.0],
        thresholds__floor=0.6,
        thresholds__score=0.7,
    )


def test_a_model_without_its_second_look(tmp_path: Path) -> None:
    plain = without_look(toy(tmp_path), tmp_path / "plain")
    assert load_detector(plain).teller is None
    assert load_detector(tmp_path / "toy").teller is not None


def test_our_server_as_a_child(tmp_path: Path) -> None:
    model = without_look(toy(tmp_path), tmp_path / "plain")
    tile = scene_file(tmp_path / "tile.png")
    way = ServerWay(
        lambda: ours(tmp_path / "state", ["--model", str(model)]), Asked("/v1/count?conf=0.7", tile), "scene"
    )
    with Server(way.start(), tmp_path / "logs" / "serve.log") as server:
        assert len(boxes(server, way)) == 2
        assert server.pss_mb() > 10
        with pytest.raises(SideError, match="POST /v1/jobs answers 40"), JobLoad(server.port, tile):
            pass
    assert process_tree(server.pid) == []


def test_an_overload_in_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every part once; what is measured in so short a time means nothing."""
    short = {
        "--work": tmp_path / "w", "--model": toy(tmp_path), "--minutes": 0.01, "--times": 8, "--clients": 2,
        "--capacity-seconds": 0.6, "--idle-seconds": 0.4, "--engine-seconds": 0.1, "--warmup": 0.1, "--small-px": 256,
        "--job-side": 1500, "--samples": 4, "--small-rate": 8, "--repeats": 0, "--side-by-side": 2,
        "--scene": scene_file(tmp_path / "scene.png"), "--serve-options": "--max-request-mp 0.1 --max-inflight-mp 0.1",
    }  # fmt: skip
    assert overload.main([str(word) for pair in short.items() for word in pair]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["left_out"] == {}
    assert told["overload"]["status"].keys() == {"200", "503"}
    assert told["overload"]["answers_after"] == 200
    assert told["goals"]["no_5xx_but_503"]
    assert told["goals"]["each_503_says_when"]
    assert told["accepted_over_engine"] > 0
    assert told["engine"]["before"].keys() == {"tile-256px-1", "scene", "mix"}
    assert told["job"]["small_status"] == {"200": 4}
    assert told["job"]["health_status"].keys() == {"200"}
    assert told["job"]["alone_s"] > 0
    assert told["overload"]["generator"]["cpu_share"] < 0.5
