"""The rules of the project that no linter knows: layout, directions of imports, documented commands that really run."""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
EDGE = REPOSITORY / "edge"

ORDER = [
    "errors", "logs", "sqlite_file", "assets", "preflight", "workers", "sorting", "pairs", "geometry", "polygon",
    "calibration", "model_card", "catalogue", "tiling", "detections", "scale", "stretch", "georef", "scene_file",
    "scene_source", "scene_bands", "scene_blocks", "scene_cache", "scene_frame", "scene_overview", "scene_header",
    "scene_tiff", "scene_spill", "scene_copy", "scene_plugin", "scene_gdal", "scene_decode", "scene_picture",
    "scene_geotiff", "scene", "scene_array", "aoi_geojson", "aoi", "preprocess", "session", "decode", "merge_offers",
    "merge_bounds", "merge_rules", "merge_groups", "merge_choice", "merge", "count", "kinds", "sizes", "detector",
    "batching", "plan", "featureless", "coarse", "engine", "pipeline", "document", "golden", "write", "speed", "bulk",
    "server", "commands", "cli",
]  # fmt: skip
"""The parts of `edge`, in the order in which data flow: each imports only what stands before it."""

PURE = {
    "sorting", "pairs", "geometry", "calibration", "tiling", "detections", "decode", "merge_offers", "merge_bounds",
    "merge_rules", "merge_groups", "merge_choice", "merge", "count",
}  # fmt: skip
"""Parts that do no I/O."""
PURE_IMPORTS = {
    "__future__", "bisect", "collections", "collections.abc", "cv2", "dataclasses", "enum", "functools", "heapq",
    "itertools", "math", "numpy", "numpy.typing", "operator", "statistics", "typing",
}  # fmt: skip
"""All that those parts may import from outside `edge`."""
IO_NAMES = re.compile(
    r"(open|print|input|exec|eval|breakpoint|__import__)"
    r"|cv2\.(im(read|write|show|count|decode|encode)\w*|have\w+|VideoCapture|VideoWriter|FileStorage|FileNode)"
    r"|(np|numpy)\.(load|save|memmap|fromfile|genfromtxt)\w*"
    r"|.*\.(tofile|dump|read_text|write_text|read_bytes|write_bytes)"
)
"""Calls that read or write, of what those parts can reach."""

LAYOUT = [
    "pyproject.toml", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile.jetson",
    ".ci/run", "edge/cli.py", "edge/commands", "edge/write", "training/LOG.md", "models/CHANGELOG.md",
    "samples/synthetic-terminal.tif", "benchmarks/smoke.py",
]  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One imported module or name, with where and how."""

    file: Path
    line: int
    name: str
    """Dotted: `import a.b` is a.b, and `from a import b` is a.b too."""
    for_types: bool
    """Only type checkers see it."""

    def __str__(self) -> str:
        return f"{self.file.relative_to(REPOSITORY)}:{self.line} imports {self.name}"

    def is_in(self, *packages: str) -> bool:
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)


def _sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _type_only(tree: ast.Module) -> set[ast.AST]:
    """Nodes under `if TYPE_CHECKING:`."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test).endswith("TYPE_CHECKING")]
    return {node for block in blocks for statement in block.body for node in ast.walk(statement)}


def _names(node: ast.AST) -> list[str]:
    """What one node imports: a statement, or importlib.import_module("...")."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "the project imports by full names"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")) and node.args:
        first = node.args[0]
        return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
    return []


def _imports(file: Path) -> Iterator[Import]:
    """All imports of a file, those inside functions too."""
    tree = _parse(file)
    type_only = _type_only(tree)
    for node in ast.walk(tree):
        for name in _names(node):
            yield Import(file, getattr(node, "lineno", 0), name, node in type_only)


def _dotted(file: Path) -> Iterator[tuple[str, int]]:
    """Every dotted name that a file uses, with its line; `import os as system` does not hide os."""
    tree = _parse(file)
    imported = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    aliases = {alias.asname: alias.name for alias in imported if alias.asname not in {None, "np"}}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            head, _, rest = ast.unparse(node).partition(".")
            yield f"{aliases.get(head, head)}.{rest}" if rest else aliases.get(head, head), node.lineno


def _is_source(path: Path) -> bool:
    """Whether something in `edge` is one of its parts: a module, or a package with modules."""
    return path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))


def _part(file: Path) -> str:
    """Name in ORDER of a file of `edge`."""
    return file.relative_to(EDGE).parts[0].removesuffix(".py")


def _ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(REPOSITORY)) for path in paths]


EDGE_FILES = [file for file in _sources(EDGE) if file != EDGE / "__init__.py"]
each_edge_file = pytest.mark.parametrize("file", EDGE_FILES, ids=_ids(EDGE_FILES))


# --- layout ---


@pytest.mark.parametrize("path", LAYOUT)
def test_layout(path: str) -> None:
    assert (REPOSITORY / path).exists()


def test_the_licence_is_the_agpl_word_for_word() -> None:
    """The hash is that of https://www.gnu.org/licenses/agpl-3.0.txt."""
    digest = hashlib.sha256((REPOSITORY / "LICENSE").read_bytes()).hexdigest()
    assert digest == "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"


def test_the_readme_has_a_line_for_each_file() -> None:
    """The tree in the README names every part of `edge`, every step of training and every benchmark."""
    tree = max(re.findall(r"^```text\n(.*?)^```", README, re.DOTALL | re.MULTILINE), key=len, default="")
    parts = {f"{path.name}/" if path.is_dir() else path.name for path in EDGE.iterdir() if _is_source(path)}
    steps = {path.name for folder in ("training", "benchmarks") for path in (REPOSITORY / folder).glob("*.py")}
    absent = sorted(name for name in (parts | steps) - {"__init__.py"} if name not in tree)
    assert not absent, f"the tree in README.md (its longest ```text block) does not name {absent}"


def test_the_device_image_copies_what_the_wheel_is_built_from() -> None:
    recipe = (REPOSITORY / "Dockerfile.jetson").read_text(encoding="utf-8")
    copied = {
        word.rstrip("/") for line in re.findall(r"^COPY (?!--from)(.*)$", recipe, re.MULTILINE) for word in line.split()
    }
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    table = project.split("[tool.hatch.build.targets.wheel.force-include]\n")[1].split("\n\n")[0]
    included = {line.split("=")[0].strip() for line in table.splitlines()}
    assert included == {"models", "samples"}
    assert {"pyproject.toml", "README.md", "LICENSE", "edge", *included} <= copied


# --- directions ---


@each_edge_file
def test_every_part_has_a_place_in_the_order(file: Path) -> None:
    assert _part(file) in ORDER, f"give edge/{_part(file)} a place in ORDER, as the README's tree has it"


@each_edge_file
def test_imports_run_down_the_list(file: Path) -> None:
    place = ORDER.index(_part(file))
    later = [f"edge.{part}" for part in ORDER[place + 1 :]]
    assert not [str(found) for found in _imports(file) if found.is_in(*later)]


@each_edge_file
def test_the_runtime_knows_nothing_of_training(file: Path) -> None:
    forbidden = ("training", "benchmarks", "tests", "torch", "torchvision", "ultralytics", "onnx")
    assert not [str(found) for found in _imports(file) if found.is_in(*forbidden)]


@each_edge_file
def test_one_file_opens_the_runtime(file: Path) -> None:
    if file != EDGE / "session.py":
        runtimes = ("onnxruntime", "openvino", "tensorrt")
        assert not [str(found) for found in _imports(file) if found.is_in(*runtimes)]


def test_training_and_benchmarks_open_no_runtime_of_their_own() -> None:
    """They judge a model the way users run it: through edge."""
    files = [*_sources(REPOSITORY / "training"), *_sources(REPOSITORY / "benchmarks")]
    # The parity check holds the exported graph against the torch model: it needs the runtime bare. quantize.py rewrites
    # networks by the runtime's own tools and opens none; peers' loops are no part of this project.
    bare = (
        "training/export.py", "training/quantize.py", "benchmarks/peer_loop.py", "benchmarks/peer_litserve.py",
    )  # fmt: skip
    others = [file for file in files if file.relative_to(REPOSITORY).as_posix() not in bare]
    assert not [str(found) for file in others for found in _imports(file) if found.is_in("onnxruntime")]


@each_edge_file
def test_only_commands_and_server_read_argv_and_the_environment(file: Path) -> None:
    if _part(file) in {"commands", "cli", "server"}:
        return
    names = {f"{a}.{b}" for a, b in (("os", "environ"), ("os", "environb"), ("os", "getenv"), ("sys", "argv"))}
    modules = ("argparse", "getopt", "optparse", "click")
    read = [str(found) for found in _imports(file) if found.name in names or found.is_in(*modules)]
    read += [f"{name} in line {line}" for name, line in _dotted(file) if name in names]
    assert not read


@pytest.mark.parametrize("part", sorted(PURE))
def test_pure_parts_do_no_io(part: str) -> None:
    file = EDGE / f"{part}.py"
    allowed = {f"edge.{name}" for name in PURE | {"errors"}}
    for found in _imports(file):
        module = found.name.rpartition(".")[0]  # `from a import b` is a.b
        ours = found.is_in(*allowed)
        assert found.for_types or ours or {found.name, module} & PURE_IMPORTS, f"{found}: a pure part has no need of it"
    calls = [f"{name} in line {line}" for name, line in _dotted(file) if IO_NAMES.fullmatch(name)]
    assert not calls


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    """A rule that finds nothing anywhere is no rule."""
    file = tmp_path / "bad.py"
    file.write_text(
        "import os as system\nfrom sys import argv\nimport importlib\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from torch import nn\n"
        "def f():\n    import onnxruntime as ort\n    importlib.import_module('ultralytics.nn')\n"
        "    open('x'); system.environ['A']; np.load('x'); cv2.imread('x'); path.read_text()\n"
    )
    found = {entry.name: entry.for_types for entry in _imports(file)}
    assert found["torch.nn"]
    assert not any(found[name] for name in ("os", "sys.argv", "onnxruntime", "ultralytics.nn"))
    names = [name for name, _ in _dotted(file)]
    assert "os.environ" in names
    assert {name for name in names if IO_NAMES.fullmatch(name)} == {"open", "np.load", "cv2.imread", "path.read_text"}


# --- commands and what is said of them ---


COMMANDS = sorted(file.stem for file in (EDGE / "commands").glob("*.py") if not file.stem.startswith("_"))
"""Subcommands: one file each; what several of them share begins with an underscore."""


def test_each_command_has_a_file_and_each_file_is_a_command() -> None:
    assert sorted(cli.COMMANDS) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_each_of_its_options_has_help(name: str) -> None:
    parser = argparse.ArgumentParser()
    importlib.import_module(f"edge.commands.{name}").add_arguments(parser)
    silent = [action.dest for action in parser._actions if not action.help]
    assert not silent
    assert cli.COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_readme(name: str) -> None:
    assert any(re.match(rf"tanker-edge {name}\b", line) for line in TYPED)


def test_help_lists_each_command(tanker_edge: Shell, tmp_path: Path) -> None:
    text = tanker_edge("tanker-edge --help", tmp_path)
    assert [name for name in COMMANDS if re.search(rf"^ +{name} ", text, re.MULTILINE)] == COMMANDS


# --- what the README says to type ---
#
# Each line that starts with "$ " in a block named `console` is a command that a reader may type, and each is exercised:
# those of tanker-edge are run here, block by block, in an empty folder that has `samples` and `models` in it, a server
# together with the requests that follow it; those of make by .ci/run or below; steps of training are checked against
# their own --help. Blocks of other names are not run.

NOT_RUN = {
    "git": "there may be no network",
    "cd": "each block starts in the right folder",
    "pip": ".ci/run installs the wheel",
    "docker": "the image is for another machine",
}
"""Commands that the README may show and that no test runs, with the reason."""


def _console_blocks(text: str) -> list[list[str]]:
    """Commands of each block, with continued lines joined."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    joined = (block.replace("\\\n", " ") for block in blocks)
    return [[line[2:].strip() for line in block.splitlines() if line.startswith("$ ")] for block in joined]


def _program(line: str) -> str:
    """What a command line starts, without the folder it lies in."""
    return Path(shlex.split(line, comments=True)[0]).name


def _training_step(line: str) -> str | None:
    """Name of the step that `python -m training.<step>` runs."""
    found = re.search(r"\bpython3? -m training\.(\w+)", line)
    return found.group(1) if found else None


def _serves(line: str) -> bool:
    """Whether a line starts the server, which runs beside the lines after it."""
    return line.startswith("tanker-edge serve")


README = (REPOSITORY / "README.md").read_text(encoding="utf-8") if (REPOSITORY / "README.md").exists() else ""
CONSOLE = _console_blocks(README)
TYPED = [line for block in CONSOLE for line in block]
SERVED = [block for block in CONSOLE if any(map(_serves, block))]
RUN_HERE = [[line for line in block if _program(line) == "tanker-edge"] for block in CONSOLE if block not in SERVED]
STEPS = [line for line in TYPED if _training_step(line)]


class Shell:
    """Runs command lines as a user would type them, with `tanker-edge` of this checkout on the PATH."""

    def __init__(self, binaries: Path) -> None:
        """Put the command into `binaries`, a folder that is empty."""
        command = binaries / "tanker-edge"
        command.write_text(
            f"#!/bin/sh\nexec {sys.executable} -c 'from edge.cli import main; raise SystemExit(main())' \"$@\"\n"
        )
        command.chmod(0o755)
        path = os.pathsep.join([str(binaries), str(Path(sys.executable).parent), os.environ["PATH"]])
        cache = str(binaries / "cache")
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": cache}

    def __call__(self, line: str, folder: Path) -> str:
        """Run one line in a folder; gives stdout, and fails with stderr where the command does."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {line}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def tanker_edge(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("bin"))


def test_console_blocks_are_read() -> None:
    text = "```console\n$ a --b \\\n    c  # why\noutput\n$ d\n```\n```bash\n$ e\n```\n"
    assert _console_blocks(text) == [["a --b      c  # why", "d"]]
    assert [_program(line) for line in ("a --b  # why", ".venv/bin/tanker-edge count x")] == ["a", "tanker-edge"]


def test_the_readme_shows_commands() -> None:
    assert {"make", "tanker-edge"} <= {_program(line) for line in TYPED}
    assert STEPS, "how to retrain is not shown"


@pytest.mark.parametrize("line", TYPED)
def test_each_documented_command_is_exercised(line: str) -> None:
    known = {"tanker-edge", "make", "curl", *NOT_RUN}
    assert _program(line) in known or _training_step(line), "say how a test exercises it"


@pytest.mark.parametrize("block", [block for block in RUN_HERE if block], ids=" && ".join)
def test_documented_commands_run(block: list[str], tanker_edge: Shell, tmp_path: Path) -> None:
    for name in ("samples", "models"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    for line in block:
        tanker_edge(line, tmp_path)


@pytest.mark.parametrize("block", SERVED, ids=" && ".join)
def test_documented_requests_are_answered(block: list[str], tanker_edge: Shell, tmp_path: Path) -> None:
    """The server of the first line answers the requests of the others, on a port that is free here."""
    for name in ("samples", "models"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    first, *others = (line.replace("8080", port) for line in block)
    environment = {**tanker_edge.environment, "XDG_STATE_HOME": str(tmp_path / "state")}
    log = tmp_path / "log"
    with (
        log.open("wb") as lines,
        subprocess.Popen(
            ["bash", "-c", f"exec {first.removesuffix('&')}"], cwd=tmp_path, env=environment, stderr=lines
        ) as server,
    ):
        try:
            end = time.monotonic() + 60
            while b'"ready"' not in log.read_bytes():
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            assert all(_program(line) == "curl" for line in others)
            answers = [json.loads(tanker_edge(line, tmp_path)) for line in others]
        finally:
            server.terminate()
    assert server.returncode == 0
    assert answers[0]["counts"]["vessel"] > 0


@pytest.mark.train
@pytest.mark.parametrize("line", STEPS)
def test_documented_training_steps_know_their_options(line: str) -> None:
    step = _training_step(line)
    done = subprocess.run(
        [sys.executable, "-m", f"training.{step}", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    unknown = [
        word
        for word in shlex.split(line, comments=True)
        if word.startswith("--") and word.split("=")[0] not in done.stdout
    ]
    assert not unknown


# --- make ---

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = [name for line in re.findall(r"^\.PHONY:(.*)$", MAKEFILE, re.MULTILINE) for name in line.split()]
EXERCISED_BELOW = {"help", "clean"}
TOO_LONG = {"bench"}
"""`make bench` takes hours; its parts are exercised small by `make bench-smoke` and tests/test_benchmarks.py."""


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder with a copy of the Makefile, out of reach of the make that may be running these tests."""
    shutil.copy(REPOSITORY / "Makefile", folder)
    (folder / "edge").mkdir(exist_ok=True)
    for name in ("pyproject.toml", "edge/__init__.py"):
        (folder / name).touch()
    environment = {"PATH": os.environ["PATH"]}  # not VENV and MAKEFLAGS: they would lead out of the folder
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def _fake_python(folder: Path, body: str) -> Path:
    """A program that stands in for Python."""
    file = folder / "python-for-make"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_is_exercised_and_documented(target: str) -> None:
    ci = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert target in EXERCISED_BELOW | TOO_LONG or re.search(rf'^"\$\{{make\[@\]\}}" {target}$', ci, re.MULTILINE)
    assert re.search(rf"^{target}:.*## \w", MAKEFILE, re.MULTILINE), "`make help` does not explain it"
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"make {target}" in README + guide


def test_documented_targets_exist() -> None:
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    typed = [
        line
        for line in [*TYPED, *(line for block in _console_blocks(guide) for line in block)]
        if _program(line) == "make"
    ]
    words = {word for line in typed for word in shlex.split(line, comments=True)[1:] if "=" not in word}
    assert words <= set(TARGETS)


def test_make_alone_lists_the_targets(tmp_path: Path) -> None:
    done = _make(tmp_path)
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == TARGETS


def test_clean_removes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    made = [".venv/bin", "demo-output", "dist", ".mypy_cache", "edge/__pycache__"]
    kept = ["runs/first", "samples", "edge", "elsewhere/venv", "elsewhere/results"]
    for name in [*made, *kept]:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    assert _make(tmp_path, "clean", "VENV=elsewhere/venv", "DEMO_OUT=elsewhere/results").returncode == 0
    assert not [name for name in made if (tmp_path / name).exists()]
    assert [name for name in kept if (tmp_path / name).is_dir()] == kept


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = _make(tmp_path, "demo", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "no-such-python is not there or does not run" in done.stderr


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    python = _fake_python(tmp_path, 'case "$1$2" in --version) echo Python 3.9.1;; *version_info*) exit 1;; esac')
    done = _make(tmp_path, "demo", f"PYTHON={python}")
    assert done.returncode != 0
    assert "Python 3.9.1 will not do, Python 3.10 to 3.13 is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_is_told_the_package(tmp_path: Path) -> None:
    python = _fake_python(tmp_path, 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    done = _make(tmp_path, "demo", f"PYTHON={python}", "SYSTEM_PACKAGES=no")
    assert done.returncode != 0
    assert "sudo apt-get install -y --no-install-recommends python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()
