from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edge import preflight

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def _break_import(monkeypatch: pytest.MonkeyPatch, module: str, message: str) -> None:
    real = importlib.import_module

    def fake(name: str, package: str | None = None) -> ModuleType:
        if name == module:
            raise ImportError(message)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", fake)


def _lose_libraries(monkeypatch: pytest.MonkeyPatch, *lost: str) -> None:
    monkeypatch.setattr(preflight, "_is_there", lambda library: library not in lost)


def test_all_is_well_where_the_tests_run(capsys: pytest.CaptureFixture[str]) -> None:
    preflight.check_native_libraries()
    assert preflight.missing_packages() == []
    assert preflight.main() == 0
    assert capsys.readouterr() == ("", "")


def test_names_the_library_and_every_package_that_a_bare_debian_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "libxcb.so.1: cannot open shared object file: No such file or directory"
    _break_import(monkeypatch, "cv2", message)
    _lose_libraries(monkeypatch, "libGL.so.1", "libxcb.so.1", "libglib-2.0.so.0", "libgthread-2.0.so.0")
    with pytest.raises(preflight.NativeLibraryError) as caught:
        preflight.check_native_libraries()
    assert str(caught.value) == (
        "cv2: the system library libxcb.so.1 is missing; on Debian, Ubuntu or JetPack: "
        "sudo apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libxcb1"
    )
    assert preflight.missing_packages() == ["libgl1", "libglib2.0-0", "libxcb1"]
    assert preflight.main() == caught.value.exit_code == 3
    assert capsys.readouterr() == ("", f"{caught.value}\n")


def test_rasterio_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _break_import(monkeypatch, "rasterio", "libexpat.so.1: cannot open shared object file: No such file or directory")
    _lose_libraries(monkeypatch, "libexpat.so.1")
    with pytest.raises(preflight.NativeLibraryError, match=r"^rasterio: .*libexpat\.so\.1 is missing.* libexpat1$"):
        preflight.check_native_libraries()


def test_a_library_of_unknown_origin_is_named_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    _break_import(monkeypatch, "cv2", "libodd.so.7: cannot open shared object file: No such file or directory")
    _lose_libraries(monkeypatch)
    with pytest.raises(preflight.NativeLibraryError, match=r"libodd\.so\.7 is missing; install the package .*libodd"):
        preflight.check_native_libraries()
    assert preflight.missing_packages() == []


@pytest.mark.parametrize("message", ["No module named 'cv2'", "numpy.core.multiarray failed to import"])
def test_other_failures_ask_for_a_new_installation(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    _break_import(monkeypatch, "cv2", message)
    with pytest.raises(preflight.NativeLibraryError, match=f"{message}.*; .*--force-reinstall opencv-python$"):
        preflight.check_native_libraries()
    assert preflight.missing_packages() == []


def test_the_loader_is_asked_for_real() -> None:
    assert preflight._is_there("libc.so.6")
    assert not preflight._is_there("libno-such-library.so.1")


def test_the_loaders_own_words_are_understood() -> None:
    """The message that is parsed is glibc's: take it from glibc, not from memory."""
    code = "import ctypes; ctypes.CDLL('libno-such-library.so.1')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    words = done.stderr.strip().splitlines()[-1].removeprefix("OSError: ")
    assert preflight._missing_library(ImportError(words)) == "libno-such-library.so.1"


def test_loading_the_check_loads_nothing_heavy() -> None:
    code = "import sys, edge.preflight; print(sorted({'cv2', 'numpy', 'rasterio', 'onnxruntime'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def bare_system(tmp_path: Path) -> dict[str, str]:
    """The environment of a system that lacks libxcb: OpenCV does not load, in the loader's words."""
    (tmp_path / "cv2.py").write_text('raise ImportError("libxcb.so.1: cannot open shared object file: No such file")\n')
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])}


def _tanker_edge(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from edge.cli import main; raise SystemExit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_counting_on_a_bare_system_names_the_library(bare_system: dict[str, str]) -> None:
    done = _tanker_edge(bare_system, "count", "scene.tif")
    assert done.returncode == 3
    assert "cv2: the system library libxcb.so.1 is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_finds_it_on_a_bare_system(bare_system: dict[str, str]) -> None:
    done = _tanker_edge(bare_system, "doctor")
    assert done.returncode == 3
    assert "libxcb.so.1" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["models"]])
def test_what_needs_no_pixels_works_on_a_bare_system(bare_system: dict[str, str], words: list[str]) -> None:
    done = _tanker_edge(bare_system, *words)
    assert (done.returncode, done.stderr) == (0, "")
