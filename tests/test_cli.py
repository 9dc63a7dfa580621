"""The command line: exit codes, what goes to stdout and what to stderr, and that --help needs next to nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import toy_model
from scene_files import HARBOUR, ground, write_tiff
from test_document import KEYS

from edge import __version__, catalogue, cli
from edge.commands import doctor
from edge.errors import ProviderError
from edge.golden import answer
from edge.pipeline import ScanResult, scan
from edge.write import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.scene import Scene

REPOSITORY = Path(__file__).resolve().parent.parent
VESSELS = {(5, 4): 255, (20, 4): 204, (35, 20): 153}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy"))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.tif (0.5 m, georeferenced) and plain.tif (nobody knows) with three vessels; broken.tif and cut.tif."""
    folder = tmp_path_factory.mktemp("scenes")
    bands = toy_model.picture(320, 240, VESSELS).transpose(2, 0, 1)
    fine = np.repeat(np.repeat(bands, 2, 1), 2, 2)
    write_tiff(folder / "good.tif", fine, crs=32610, transform=HARBOUR)
    write_tiff(folder / "plain.tif", bands)
    (folder / "broken.tif").write_bytes((folder / "good.tif").read_bytes()[:100])
    noise = np.random.default_rng(0).integers(0, 40, (3, 512, 512), np.uint8)
    cut = write_tiff(folder / "cut.tif", noise, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    cut.write_bytes(cut.read_bytes()[:-40_000])
    return folder


class Ran:
    """What a command did."""

    def __init__(self, words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
        try:
            self.code: object = cli.main(words)
        except SystemExit as stop:
            self.code = stop.code
        self.out, self.err = capsys.readouterr()

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


# Help, versions and words that make no sense.


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(["--help"], capsys)
    assert ran.code == 0
    assert all(f"  {name} " in ran.out and summary in ran.out for name, summary in cli.COMMANDS.items())
    promised = "Exit codes: 0 all scored, 2 bad usage or input, 3 model or provider, 4 some of it failed."
    assert promised in " ".join(ran.out.split())


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_and_option_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran([command, "--help"], capsys)
    assert ran.code == 0
    assert ran.out.startswith(f"usage: tanker-edge {command}")
    parser = cli.build_parser(command)
    (sub,) = (a for a in parser._actions if a.dest == "command")
    options = sub.choices[command]._actions  # type: ignore[index, call-overload]
    assert all(option.help for option in options)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(["--version"], capsys)
    assert (ran.code, ran.out) == (0, f"tanker-edge {__version__}\n")


@pytest.mark.parametrize("words", [[], ["sail"], ["count"], ["count", "a.tif", "--frobnicate"], ["models", "burn"]])
def test_words_that_are_no_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(words, capsys)
    assert ran.code == 2
    assert ran.out == ""
    assert "usage:" in ran.err


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["count", "--help"], ["models", "--help"], ["doctor", "--help"]]
)
def test_help_needs_no_heavy_module(words: list[str]) -> None:
    """A user whose install is half broken still gets help; `count --help` brings in what declares its options."""
    heavy = (
        ["onnxruntime", "cv2", "numpy", "rasterio", "fastapi"] if words[0].startswith("-") else ["torch", "ultralytics"]
    )
    program = (
        "import sys; from edge.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"except SystemExit: print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stderr.strip() == "[]"
    assert "tanker-edge" in done.stdout


# Counting.


def test_a_table_for_people(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(["count", str(scenes / "good.tif"), "--model", model, "--max-length", "40"], capsys)
    assert ran.code == 0
    assert "vessel" in ran.out.splitlines()[0]
    assert "good.tif" in ran.out.splitlines()[1]
    assert ran.err == ""


def test_one_json_document_a_scene_a_line_each(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["good.tif", "plain.tif"]
    ran = Ran(["count", *(str(scenes / n) for n in names), "--model", model, "--json", "--max-length", "40"], capsys)
    assert ran.code == 0
    assert [d["scene"] for d in ran.documents] == names
    for document in ran.documents:
        assert list(document)[: len(KEYS)] == KEYS
        assert document["counts"]["vessel"] == 3
    assert ran.documents[0]["crs"] == "EPSG:32610"
    assert ran.err == ""


def test_threads_and_batch_change_nothing(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for more in ([], ["--threads", "1", "--batch", "8"], ["--threads", "2", "--batch", "3"]):
        ran = Ran(["count", str(scenes / "plain.tif"), "--model", model, "--json", *more], capsys)
        answers.append(answer(ran.documents[0]))
    assert answers[0] == answers[1] == answers[2]


def test_a_bad_scene_among_good_ones(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(scenes / n) for n in ("plain.tif", "broken.tif", "missing.tif", "good.tif")]
    words = ["count", *paths, "--model", model, "--max-length", "40"]
    ran = Ran([*words, "--json"], capsys)
    assert ran.code == 4
    assert [d["scene"] for d in ran.documents] == ["plain.tif", "broken.tif", "missing.tif", "good.tif"]
    assert ["error" in d for d in ran.documents] == [False, True, True, False]
    assert "counts" not in ran.documents[1], "an error is no count of zero"
    assert ran.err.count("\n") == 2
    assert "missing.tif: does not exist" in ran.err
    ran = Ran(words, capsys)
    assert ran.code == 4
    assert "plain.tif" in ran.out
    assert "good.tif" in ran.out
    assert "missing.tif" not in ran.out


@pytest.mark.parametrize("name", ["broken.tif", "missing.tif", ""])
def test_one_bad_scene_alone(scenes: Path, model: str, capsys: pytest.CaptureFixture[str], name: str) -> None:
    ran = Ran(["count", str(scenes / name), "--model", model], capsys)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("tanker-edge: ")
    assert ran.err.count("\n") == 1


def test_only_bad_scenes_are_2(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["count", str(scenes / "broken.tif"), str(scenes / "missing.tif"), "--model", model]
    for more in ([], ["--json"]):
        ran = Ran([*words, *more], capsys)
        assert ran.code == 2
        broken, missing = ran.err.splitlines()
        assert "broken.tif" in broken
        assert "missing.tif" in missing
    assert [list(d) for d in ran.documents] == [["scene", "error"]] * 2


def test_an_option_that_suits_one_scene_only_spoils_no_other(
    scenes: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows the GSD of plain.tif; a vessel of 400 m does not fit into the tiles of good.tif."""
    words = ["count", *(str(scenes / n) for n in ("plain.tif", "good.tif", "plain.tif")), "--model", model]
    ran = Ran([*words, "--json"], capsys)
    assert ran.code == 4
    assert ["error" in d for d in ran.documents] == [False, True, False]
    assert ran.err.count("\n") == 1
    assert "--max-length" in ran.err
    assert "good.tif" in ran.err
    ran = Ran(words, capsys)
    assert ran.code == 4
    assert ran.out.count("plain.tif ") == 2


def test_what_was_counted_is_told_where_the_network_fails_later(
    scenes: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(scene: Scene, *rest: Any) -> ScanResult:  # noqa: ANN401 - passed on
        if scene.name == "good.tif":
            raise ProviderError("cpu", "the network failed", "see the doctor")
        return scan(scene, *rest)

    monkeypatch.setattr("edge.commands.count.scan", failing)
    ran = Ran(["count", str(scenes / "plain.tif"), str(scenes / "good.tif"), "--model", model], capsys)
    assert ran.code == 3
    assert ran.out.splitlines()[1].startswith("plain.tif ")
    assert "the network failed" in ran.err


def test_a_tile_that_cannot_be_read_is_4(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(["count", str(scenes / "cut.tif"), "--model", model, "--json"], capsys)
    assert ran.code == 4
    (document,) = ran.documents
    assert document["tiles"]["failed"] > 0
    assert 0 < document["coverage"] < 1
    assert any("could not be read" in w for w in document["warnings"])
    ran = Ran(["count", str(scenes / "cut.tif"), "--model", model], capsys)
    assert ran.code == 4
    assert "could not be read" in ran.out


def test_a_network_that_fails_is_3(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = toy_model.model_folder(tmp_path / "swapped")
    toy_model.doubler(folder / "model.onnx")
    toy_model.bless(folder)
    ran = Ran(["count", str(scenes / "plain.tif"), "--model", str(folder)], capsys)
    assert ran.code == 3
    assert "the network failed" in ran.err


def test_debug_shows_where_an_error_came_from(model: str) -> None:
    with pytest.raises(ProviderError):
        cli.main(["--debug", "count", "x.tif", "--model", model, "--provider", "abacus"])


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        (["--conf", "2"], "--conf"),
        (["--conf", "nan"], "--conf"),
        (["--gsd", "0"], "--gsd"),
        (["--gsd", "inf"], "--gsd"),
        (["--max-length", "0"], "--max-length"),
        (["--max-length", "inf"], "--max-length"),
        (["--max-length", "2000", "--gsd", "1"], "--max-length"),
        (["--batch", "0"], "--batch/--threads"),
        (["--threads", "-1"], "--batch/--threads"),
        (["--bands", "red"], "--bands/--stretch"),
        (["--bands", "1,2"], "--bands"),
        (["--stretch", "1"], "--bands/--stretch"),
        (["--stretch", "99,1"], "--stretch"),
        (["--max-pixels", "0"], "--max-pixels"),
        (["--format", "json"], "--format"),
        (["--format", "tea", "--out", "."], "--format"),
    ],
)
def test_options_that_make_no_sense_are_told_before_anything_is_counted(
    scenes: Path, model: str, capsys: pytest.CaptureFixture[str], words: list[str], subject: str
) -> None:
    ran = Ran(["count", str(scenes / "plain.tif"), "--model", model, *words], capsys)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(f"tanker-edge: {subject}: ")
    assert ran.err.count("\n") == 1
    assert "--help" in ran.err


def test_conf_gsd_and_max_length_are_obeyed(scenes: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["count", str(scenes / "plain.tif"), "--model", model, "--json"]
    (plain,) = Ran(words, capsys).documents
    (strict,) = Ran([*words, "--conf", "0.9"], capsys).documents
    (known,) = Ran([*words, "--gsd", "1", "--max-length", "40"], capsys).documents
    assert [d["counts"]["vessel"] for d in (plain, strict, known)] == [3, 1, 3]
    assert (plain["gsd_m"], known["gsd_m"]) == (None, 1.0)
    assert strict["settings"]["threshold"] == 0.9
    assert known["settings"]["overlap_px"] == 40
    assert [d["detections"][0]["length_m"] for d in (plain, known)] == [None, 24.0]
    assert any("GSD is not known" in w for w in plain["warnings"])


def test_an_area_of_interest(scenes: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import rasterio.warp  # noqa: PLC0415

    corners = [(0, 0), (200, 0), (200, 480), (0, 480), (0, 0)]
    x, y = zip(*(ground(HARBOUR, *c) for c in corners), strict=True)
    ring = list(zip(*rasterio.warp.transform("EPSG:32610", "EPSG:4326", x, y), strict=True))
    (tmp_path / "aoi.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    words = ["count", str(scenes / "good.tif"), "--model", model, "--json", "--max-length", "40"]
    (document,) = Ran([*words, "--aoi", str(tmp_path / "aoi.geojson")], capsys).documents
    assert document["counts"]["vessel"] == 1
    assert document["coverage"] == 1
    ran = Ran([*words, "--aoi", str(tmp_path / "nowhere.geojson")], capsys)
    assert ran.code == 2
    assert "nowhere.geojson" in ran.err


def test_result_files(scenes: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["count", str(scenes / "good.tif"), str(scenes / "plain.tif"), "--model", model, "--max-length", "40"]
    ran = Ran([*words, "--out", str(tmp_path / "new" / "folder"), "--format", "json,csv,coco"], capsys)
    assert ran.code == 0
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == [
        "good.coco.json", "good.csv", "good.json", "plain.coco.json", "plain.csv", "plain.json",
    ]  # fmt: skip
    written = json.loads((tmp_path / "new" / "folder" / "good.json").read_text())
    assert written["counts"]["vessel"] == 3


def test_by_default_what_the_scene_allows_is_written(
    scenes: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, formats in (
        ("good", {".json", ".geojson", ".csv", ".overlay.png"}),
        ("plain", {".json", ".csv", ".overlay.png"}),
    ):
        words = [
            "count",
            str(scenes / f"{name}.tif"),
            "--model",
            model,
            "--out",
            str(tmp_path / name),
            "--max-length",
            "40",
        ]
        assert Ran(words, capsys).code == 0
        assert {p.name.removeprefix(name) for p in (tmp_path / name).iterdir()} == formats
    words = ["count", str(scenes / "good.tif"), "--model", model, "--out", str(tmp_path / "all"), "--max-length", "40"]
    ran = Ran([*words, "--format", ",".join(FORMATS)], capsys)
    assert ran.code == 0
    assert len(list((tmp_path / "all").iterdir())) == len(FORMATS)


def test_scenes_of_one_name_do_not_overwrite_each_other(
    scenes: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "plain.tif").write_bytes((scenes / "plain.tif").read_bytes())
    words = ["count", str(scenes / "plain.tif"), str(tmp_path / "other" / "plain.tif"), "--model", model]
    assert Ran([*words, "--out", str(tmp_path / "out"), "--format", "json"], capsys).code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["plain-2.json", "plain.json"]


def test_results_that_cannot_be_written_are_no_success(
    scenes: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["count", str(scenes / "plain.tif"), "--model", model, "--out", str(tmp_path / "file"), "--format", "json"]
    ran = Ran(words, capsys)
    assert ran.code == 4
    assert "plain.tif" in ran.out, "the count itself is told"
    assert str(tmp_path / "file") in ran.err


def test_plain_water_is_a_count_of_none(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_tiff(tmp_path / "water.tif", np.full((3, 200, 300), 60, np.uint8))
    ran = Ran(["count", str(path), "--model", model, "--json"], capsys)
    (document,) = ran.documents
    assert ran.code == 0
    assert (document["counts"]["vessel"], document["coverage"], document["tiles"]["scored"]) == (0, 1, 0)


def test_a_reader_that_has_seen_enough_is_no_error(scenes: Path, model: str) -> None:
    words = [*[str(scenes / "plain.tif")] * 3, "--model", model, "--json", "--provider", "cpu", "--precision", "fp32"]
    command = [sys.executable, "-m", "edge.cli", "count", *words]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


# Models and doctor.


@pytest.fixture
def shipped(model: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy as the only shipped model."""
    folder = Path(model)
    monkeypatch.setattr(catalogue, "models_dir", lambda: folder.parent)
    return folder


def test_models_are_listed_shown_and_verified(
    shipped: Path, scenes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.golden.samples_dir", lambda: scenes)
    for words in (["models"], ["models", "list"]):
        ran = Ran(words, capsys)
        assert ran.code == 0
        assert ran.out.startswith("toy ")
        assert "not measured" in ran.out
    shown = Ran(["models", "show", "toy"], capsys)
    assert json.loads(shown.out) == json.loads((shipped / "card.json").read_text())
    (document,) = Ran(["count", str(scenes / "plain.tif"), "--model", "toy", "--json"], capsys).documents
    (shipped / "golden.json").write_text(json.dumps({"plain.tif": answer(document)}))
    ran = Ran(["models", "verify", "toy"], capsys)
    assert (ran.code, ran.out) == (0, "toy: files and golden answers are right\n")
    document["counts"]["vessel"] += 1
    (shipped / "golden.json").write_text(json.dumps({"plain.tif": answer(document)}))
    ran = Ran(["models", "verify", "toy"], capsys)
    assert ran.code == 3
    assert "plain.tif: the counts are" in ran.err
    for content in ("{}", "[]", "null", "{", '{"plain.tif": {}}'):
        (shipped / "golden.json").write_text(content)
        ran = Ran(["models", "verify", "toy"], capsys)
        assert ran.code == 3, content
        assert "golden.json" in ran.err
    (shipped / "golden.json").unlink()
    ran = Ran(["models", "verify", "toy"], capsys)
    assert ran.code == 3
    assert "no golden answers" in ran.err


@pytest.mark.parametrize("action", ["show", "verify"])
def test_models_must_be_named(shipped: Path, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(["models", action], capsys)
    assert ran.code == 2
    assert "needs a model" in ran.err
    ran = Ran(["models", action, "no-such-model"], capsys)
    assert ran.code == 3
    assert shipped.name in ran.err, "those that there are"


def test_the_doctor_finds_what_runs(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = doctor.examine()
    cpu = next(p for p in report["providers"] if p["name"] == "cpu")
    assert cpu["runs"]
    assert report["models"] == [{"name": shipped.name, "whole": True, "why": None}]
    assert all(p["runs"] or p["why"] for p in report["providers"])
    ran = Ran(["doctor"], capsys)
    assert f"tanker-edge {__version__}" in ran.out
    assert "cpu        runs" in ran.out
    mends = any(p["mend"] for p in report["packages"])
    assert ran.code == (3 if mends else 0)
    ran = Ran(["doctor", "--json"], capsys)
    (document,) = ran.documents
    assert set(document) == {
        "tanker_edge", "python", "machine", "system", "packages", "libraries", "providers", "models",
        "speeds",
    }  # fmt: skip


def test_the_doctor_tells_of_a_broken_model_and_of_packages(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (shipped / "model.onnx").read_bytes()
    installed = {"numpy": "1", "opencv-python": "5", "opencv-python-headless": "5", "rasterio": "1", "fastapi": "1"}
    monkeypatch.setattr(doctor, "installed_version", installed.get)
    (shipped / "model.onnx").write_bytes(content + b"x")
    try:
        ran = Ran(["doctor"], capsys)
    finally:
        (shipped / "model.onnx").write_bytes(content)
    assert ran.code == 3
    assert "model toy           MEND: " in ran.out
    assert "is not the file of its card" in ran.out
    assert "opencv-python and opencv-python-headless overwrite each other" in ran.out
    assert "MEND: pip install onnxruntime" in ran.out
    assert "MEND: pip install uvicorn" in ran.out


def test_a_broken_model_hides_no_other(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogue, "models_dir", lambda: tmp_path)
    (tmp_path / "a-broken").mkdir()
    (tmp_path / "a-broken" / "card.json").write_text("{")
    shutil.copytree(model, tmp_path / "toy")
    ran = Ran(["models"], capsys)
    assert ran.code == 3
    assert ran.out.startswith("toy ")
    assert str(tmp_path / "a-broken" / "card.json") in ran.err


def test_the_doctor_misses_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogue, "models_dir", lambda: tmp_path)
    monkeypatch.setattr(doctor, "packages", list)
    ran = Ran(["doctor"], capsys)
    assert ran.code == 3
    assert "MEND: no model is here" in ran.out


def test_the_doctor_speaks_where_a_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise ProviderError("cv2", "libGL.so.1 is missing", "apt-get install libgl1")

    monkeypatch.setattr(doctor, "check_native_libraries", missing)
    ran = Ran(["doctor"], capsys)
    assert ran.code == 3
    assert "libGL.so.1 is missing" in ran.out


def test_the_doctors_toy_is_the_one_of_toy_model(tmp_path: Path) -> None:
    assert doctor.TOY.read_bytes() == toy_model.doubler(tmp_path / "toy.onnx").read_bytes()
