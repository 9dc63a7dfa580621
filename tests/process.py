"""`tanker-edge serve` as a process of its own, with a toy model that answers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.assets import samples_dir
from edge.detector import load_detector
from edge.golden import answer_to
from edge.model_card import GOLDEN
from tests.toy_model import model_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parent.parent
CAN_COUNT_SAMPLES = {"input__tile_px": 640, "thresholds__score": 0.9, "thresholds__floor": 0.9}
"""Makes a toy model's tiles longer than the longest vessel, and its answer short: to it all that is red is a vessel."""
START_S = 60
"""A start takes a second or two; on a busy machine more."""


class Process:
    """A server that runs, its address, and what it has logged."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.popen = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        """Of stderr, so far."""
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr
        for line in self.popen.stderr:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines that are JSON, read."""
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def wait_for(self, event: str, **fields: object) -> dict[str, Any]:
        """The first line of the log of this event with these fields; waits for it."""
        return self.wait_until(
            lambda: next(
                (r for r in self.log if r["event"] == event and all(r.get(k) == v for k, v in fields.items())), None
            ),
            f"event {event}",
        )

    def wait_until(self, found: Callable[[], Any], what: str = "it", timeout_s: float = START_S) -> Any:  # noqa: ANN401 - whatever is found
        """What a function finds in the log; waits until it is not None."""
        end = time.monotonic() + timeout_s
        with self._more:
            while (result := found()) is None:
                ended = not self._reader.is_alive()
                if ended or time.monotonic() > end:
                    raise AssertionError("\n".join([f"{what} never came:", *self.lines]))
                self._more.wait(0.1)
        return result

    @property
    def base_url(self) -> str:
        """Where it listens."""
        ready = self.wait_for("ready")
        return f"http://127.0.0.1:{ready['port']}"

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def ended(self, timeout_s: float = 30) -> int:
        """Its exit code, when it has ended; all of its log has been read then."""
        code = self.popen.wait(timeout_s)
        self._reader.join(timeout_s)
        return code


def toy(folder: Path, *, golden: bool = False) -> Path:
    """The toy model's folder, made if it is not there; with golden answers of its own if asked for."""
    if not folder.is_dir():
        model_folder(folder, kinds=True, **(CAN_COUNT_SAMPLES if golden else {}))
    if golden:
        detector = load_detector(folder)
        answers = {path.name: answer_to(detector, path) for path in sorted(samples_dir().glob("*.tif"))}
        (folder / GOLDEN).write_text(json.dumps(answers))
    return folder


def command(folder: Path, *options: str, model: Path | None = None) -> list[str]:
    """The command line of a server that keeps its state in `folder`."""
    shown = ("--port", "0", "--state", str(folder / "state"), "--model", str(model or toy(folder / "toy")))
    words = ("serve", *shown, "--provider", "cpu", "--precision", "fp32", "--threads", "2", *options)
    return [sys.executable, "-W", "error", "-m", "edge.cli", *words]


def environment(**more: str) -> dict[str, str]:
    """Of a server: this process's, without what would change how it runs."""
    dropped = ("OTEL_", "TANKER_EDGE_", "NOTIFY_", "WATCHDOG_", "STATE_DIRECTORY")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def process(
    folder: Path, *options: str, model: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """A server that is ready; it is stopped when the block ends, unless it has ended by itself.

    Args:
        folder: for the state, and for the toy model if no other is given.
        options: of `tanker-edge serve`, besides port, state, model and threads.
        model: a model folder.
        env: further variables of its environment.
    """
    running = Process(command(folder, *options, model=model), environment(**(env or {})))
    try:
        running.wait_for("ready")
        yield running
    finally:
        if running.popen.poll() is None:
            running.popen.terminate()
            try:
                running.ended(15)
            except subprocess.TimeoutExpired:
                running.popen.kill()
                running.ended()
        if running.popen.stderr:
            running.popen.stderr.close()
