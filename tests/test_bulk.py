"""`tanker-edge bulk` from end to end: what is scored, kept, written and said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import cv2
import duckdb
import pytest

from edge import cli
from tests.bulk_kills import OUT, Bulk, differences, digests, make_archive, states
from tests.process import environment
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("models") / "toy", kinds=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See make_archive: 20 scenes, one of which is broken."""
    return make_archive(tmp_path_factory.mktemp("inputs") / "archive")


@pytest.fixture(scope="module")
def undisturbed(model: Path, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Hashes of the outputs that the archive has."""
    out = tmp_path_factory.mktemp("undisturbed") / OUT
    assert Bulk([str(archive)], model).run(out)[0] == 4
    return digests(out)


@pytest.fixture
def bulk(model: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; exit code, stdout, stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        before = signal.getsignal(signal.SIGTERM)
        code = cli.main(["bulk", *map(str, words), "--model", str(model)])
        assert signal.getsignal(signal.SIGTERM) == before
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def documents(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "documents.jsonl").read_text().splitlines()]


def scene(path: Path, red: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(200, 160, {(8, 8): red})[..., ::-1])
    return path


def test_an_archive_is_scored_and_told_of(bulk: Run, archive: Path, tmp_path: Path) -> None:
    code, said, errors = bulk(archive, "--out", tmp_path / "out")
    assert code == 4  # a scene of it is broken
    assert "19 of 20 scenes are scored; 1 failed" in said
    assert "broken.tif" in errors
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {
        "scenes.parquet", "detections.parquet", "scenes.csv", "detections.csv", "detections.geojson", "coco.json",
        "documents.jsonl", "report.html", "ledger.sqlite", "sheets",
    }  # fmt: skip
    sheets = {path.name for path in (tmp_path / "out" / "sheets").iterdir()}
    assert sheets == {"terminal-0.jpg", "terminal-1.jpg", "tarred.jpg", "zipped.jpg"}
    table = tmp_path / "out" / "scenes.parquet"
    with duckdb.connect() as database:
        scenes = database.read_parquet(str(table))
        rows = scenes.aggregate("terminal, count(*), min(time)::DATE").order("terminal").fetchall()
        failed = scenes.filter("state = 'failed'").project("scene, failure").fetchall()
    assert [(terminal, number, str(day)) for terminal, number, day in rows] == [
        ("tarred", 3, "2023-06-01"), ("terminal-0", 6, "2024-01-01"), ("terminal-1", 8, "2024-01-02"),
        ("zipped", 3, "2023-05-01"),
    ]  # fmt: skip
    assert [name for name, _ in failed] == ["broken.tif"]
    assert failed[0][1]


def test_documents_are_those_of_count(
    bulk: Run, archive: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bulk(
        archive / "terminal-0",
        "--out",
        tmp_path,
        "--conf",
        "0.5",
        "--gsd",
        "1",
        "--max-length",
        "40",
        "--format",
        "jsonl",
    )
    scenes = sorted((archive / "terminal-0").iterdir())
    assert (
        cli.main(
            [
                "count",
                *map(str, scenes),
                "--model",
                str(model),
                "--conf",
                "0.5",
                "--gsd",
                "1",
                "--max-length",
                "40",
                "--json",
            ]
        )
        == 0
    )
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert documents(tmp_path) == [{k: v for k, v in told.items() if k != "seconds"} for told in counted]
    assert any(told["counts"]["vessel"] for told in counted)


def test_a_second_run_scores_nothing_and_writes_the_same(bulk: Run, archive: Path, tmp_path: Path) -> None:
    first = json.loads(bulk(archive, "--out", tmp_path, "--json")[1])
    assert first["this_run"]["scenes"] == 20
    before = digests(tmp_path)
    second = json.loads(bulk(archive, "--out", tmp_path, "--json")[1])
    assert second["this_run"]["scenes"] == 1, "only the broken one is tried again"
    assert second["scenes"] == first["scenes"] == {"done": 19, "partial": 0, "failed": 1, "left": 0}
    assert differences(before, digests(tmp_path)) == []


def test_no_resume_scores_all_of_it_again(bulk: Run, archive: Path, tmp_path: Path) -> None:
    bulk(archive, "--out", tmp_path, "--format", "jsonl")
    again = json.loads(bulk(archive, "--out", tmp_path, "--format", "jsonl", "--no-resume", "--json")[1])
    assert again["this_run"]["scenes"] == 20


def test_a_changed_scene_is_scored_again_and_other_settings_are_another_run(bulk: Run, tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    scene(inputs / "a.png"), scene(inputs / "b.png", 150)
    run = lambda *words: json.loads(bulk(inputs, "--out", out, "--json", "--format", "jsonl", *words)[1])  # noqa: E731
    assert run()["this_run"]["scenes"] == 2
    scene(inputs / "a.png", 0)
    os.utime(inputs / "a.png", ns=(1, 1))
    assert run()["this_run"]["scenes"] == 1
    assert [told["counts"]["vessel"] for told in documents(out)] == [0, 1]
    assert run("--conf", "0.9")["this_run"]["scenes"] == 2
    assert [told["counts"]["vessel"] for told in documents(out)] == [0, 0]
    assert run()["this_run"]["scenes"] == 0, "what the first settings found is still there"


def test_a_mended_scene_is_no_failure_any_more(bulk: Run, tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    whole = scene(inputs / "a.png").read_bytes()
    (inputs / "a.png").write_bytes(whole[:-30])
    scene(inputs / "b.png", 150)
    assert bulk(inputs, "--out", out, "--format", "jsonl")[0] == 4
    assert "error" in documents(out)[0]
    (inputs / "a.png").write_bytes(whole)
    assert bulk(inputs, "--out", out, "--format", "jsonl")[0] == 0
    assert [told["counts"]["vessel"] for told in documents(out)] == [1, 1]


def test_too_many_failures_end_the_run(bulk: Run, tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    for i in range(12):
        scene(inputs / f"{i:02}.png").write_bytes(b"no picture")
    scene(inputs / "99.png")
    code, said, _ = bulk(inputs, "--out", out, "--max-failures", "1", "--threads", "1", "--json")
    told = json.loads(said)
    assert code == 4
    assert told["stopped_by_max_failures"]
    assert told["scenes"]["failed"] < 12
    assert told["scenes"]["left"] > 0
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "--out"),
        (["--out", "{out}", "--format", "parquet,psd"], 2, "there is no output 'psd'"),
        (["--out", "{out}", "--tries", "0"], 2, "--tries"),
        (["--out", "{out}", "--ray-workers", "2"], 2, "add --engine ray"),
        (["--out", "{out}", "--aoi", "nowhere.geojson"], 2, "nowhere.geojson"),
        (["--out", "{out}", "--gsd", "0"], 2, "--gsd"),
        (["nothing-here", "--out", "{out}"], 2, "nothing-here"),
        (["--out", "{out}", "--provider", "nonesuch"], 3, "nonesuch"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_scored(
    bulk: Run, tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    scene(tmp_path / "in" / "a.png")
    found, _, errors = bulk(tmp_path / "in", *(word.format(out=tmp_path / "out") for word in words))
    assert found == code
    assert told in errors
    assert not (tmp_path / "out" / "report.html").exists()


def test_status_tells_of_a_run_that_has_ended(bulk: Run, archive: Path, tmp_path: Path) -> None:
    bulk(archive, "--out", tmp_path, "--format", "jsonl")
    code, said, _ = bulk("status", tmp_path)
    assert code == 0
    assert "broken.tif" in said
    told = json.loads(bulk("status", tmp_path, "--json")[1])["runs"][0]
    assert told["scenes"] == {"waiting": 0, "running": 0, "done": 19, "partial": 0, "failed": 1, "total": 20}
    assert bulk("status", tmp_path / "elsewhere")[0] == 2


def test_json_lines_tell_of_each_scene(bulk: Run, archive: Path, tmp_path: Path) -> None:
    _, _, errors = bulk(archive, "--out", tmp_path, "--log-json", "--format", "jsonl")
    told = [json.loads(line) for line in errors.splitlines()]
    events = [line["event"] for line in told]
    assert events[0] == "begun"
    assert (events.count("scored"), events.count("failed")) == (19, 1)
    assert {line["place"] for line in told if line["event"] == "failed"} == {str(archive / "terminal-1" / "broken.tif")}
    assert sum("known" in line for line in told if line["event"] == "scored") <= 1, (
        "the same bytes are scored once, or twice side by side"
    )


def test_sigterm_gives_back_what_is_claimed_and_the_next_run_goes_on(
    model: Path, archive: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    run, stopped = Bulk([str(archive)], model), tmp_path / OUT
    with run.start(stopped) as process:
        assert process.stderr
        next(line for line in process.stderr if b'"scored"' in line)
        process.terminate()
        rest = process.stderr.read().decode()
    assert process.returncode == 130
    assert "the same command goes on from there" in rest
    found = states(stopped)
    assert found["running"] == 0
    assert found["waiting"] > 0
    assert not (stopped / "report.html").exists()
    assert run.run(stopped)[0] == 4
    assert differences(undisturbed, digests(stopped)) == []


def test_two_processes_share_the_work(model: Path, archive: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    run, shared = Bulk([str(archive)], model), tmp_path / OUT
    processes = [run.start(shared) for _ in range(2)]
    said = [b"", b""]

    def listen(i: int) -> None:
        said[i] = processes[i].communicate(timeout=60)[1]

    threads = [threading.Thread(target=listen, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.returncode for process in processes] == [4, 4]
    told = [[json.loads(line) for line in text.splitlines()] for text in said]
    ended = [[line["place"] for line in lines if line["event"] in {"scored", "failed"}] for lines in told]
    assert all(ended), "both have worked"
    broken = str(archive / "terminal-1" / "broken.tif")
    scored = [place for places in ended for place in places if place != broken]
    assert len(scored) == len(set(scored)) == 19
    assert differences(undisturbed, digests(shared)) == []


def test_a_kill_loses_nothing(model: Path, archive: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    """One kill in the middle of the work; `python -m tests.bulk_kills` has hundreds, at random moments."""
    run, killed = Bulk([str(archive)], model), tmp_path / OUT
    process = run.start(killed)
    assert process.stderr
    next(line for line in process.stderr if b'"scored"' in line)
    process.kill()
    process.communicate()
    found = states(killed)
    assert found["done"] >= 1
    assert found["waiting"] + found["running"] > 0
    assert run.run(killed)[0] == 4
    assert differences(undisturbed, digests(killed)) == []


def test_the_bar_shows_where_stderr_is_a_terminal(model: Path, archive: Path, tmp_path: Path) -> None:
    words = ["bulk", str(archive), "--out", str(tmp_path), "--model", str(model), "--format", "jsonl"]
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "edge.cli", *words],
        env=environment(TERM="xterm", COLUMNS="120"),
        stdout=subprocess.DEVNULL,
        stderr=slave,
    ) as process:
        os.close(slave)
        seen = b""
        with suppress(OSError):  # the other end is closed
            while True:
                seen += os.read(master, 4096)
    os.close(master)
    text = seen.decode()
    assert process.returncode == 4
    assert "scenes/s" in text
    assert "MP/s" in text
    assert "1 failed" in text
    assert "broken.tif" in text


def test_a_damaged_archive_in_a_folder_fails_alone(bulk: Run, tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    scene(inputs / "a.png")
    (inputs / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    code, _, errors = bulk(inputs, "--out", out, "--format", "jsonl")
    assert code == 4
    assert "is no zip archive, or is damaged" in errors
    assert documents(out)[0]["counts"]["vessel"] == 1
    with zipfile.ZipFile(inputs / "cut.zip", "w") as archive:
        archive.write(scene(tmp_path / "b.png", 150), "b.png")
    assert bulk(inputs, "--out", out, "--format", "jsonl")[0] == 0
    assert [told["scene"] for told in documents(out)] == ["a.png", "b.png"]
