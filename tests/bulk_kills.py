"""Kills `tanker-edge bulk` at random moments, and looks whether its outputs are still those of an undisturbed run.

`python -m tests.bulk_kills --kills 200 --seed 1` prints one JSON line, and ends with 1 where something was wrong. Each
trial is an empty folder, one kill or more, and runs until one has ended by itself; in a part of the trials a second
process works on the same ledger. Outputs are compared byte for byte, all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from tests.process import environment
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

OUT = "out"
"""Name of all folders of results: the report has it in its title."""
MAIN = "from edge.cli import main; raise SystemExit(main())"
SIDE_PX = 1600
"""Of most scenes: the toy model has some tenths of a second of work with one."""
EARLY_SHARE = 0.1
"""Of kills that may come before the listing is complete: the start of Python is most of that time."""
PARTIAL = 4
"""Exit code where some scene failed: one of the archive always does."""
PAIRED_SHARE = 0.3
"""Of trials in which two processes share the work."""
TWICE_SHARE = 0.2
"""Of trials in which the run that goes on is killed too."""
PATIENCE_S = 120


def make_archive(folder: Path, scenes: int = 12, side: int = 600) -> Path:
    """A folder with two terminals, a zip, a tar, the same bytes under two names, and a file that is no picture."""
    folder.mkdir(parents=True)
    for i in range(scenes):
        path = folder / f"terminal-{i % 2}" / f"port_202401{i + 1:02}.png"
        path.parent.mkdir(exist_ok=True)
        vessels = {(4 + i, 8): 220, (40, 10 + i): 90 + 9 * i}
        cv2.imwrite(str(path), picture(side, side - 8 * i, vessels)[..., ::-1])
    shutil.copy(folder / "terminal-0" / "port_20240101.png", folder / "terminal-1" / "again_20240220.png")
    (folder / "terminal-1" / "broken.tif").write_bytes(b"II*\0 no more of it")
    with zipfile.ZipFile(folder / "more.zip", "w") as more, tarfile.open(folder / "most.tar.gz", "w:gz") as most:
        for i in range(3):
            part = folder / f"part-{i}.png"
            cv2.imwrite(str(part), picture(side, side // 2, {(8 + i, 8): 200})[..., ::-1])
            more.write(part, f"zipped/{i}_2023-05-0{i + 1}.png")
            cv2.imwrite(str(part), picture(side, side // 2, {(8, 8 + i): 210})[..., ::-1])
            most.add(part, f"tarred/{i}_2023-06-0{i + 1}.png")
            part.unlink()
    return folder


@dataclass(slots=True)
class Bulk:
    """The command, on one archive."""

    inputs: Sequence[str]
    model: Path
    options: Sequence[str] = ()

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        """A run into a folder."""
        words = ["bulk", *self.inputs, "--out", str(out), "--model", str(self.model), "--log-json", *self.options]
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *words], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def run(self, out: Path) -> tuple[int, str]:
        """A run to its end; exit code and what it said."""
        process = self.start(out)
        _, said = process.communicate(timeout=PATIENCE_S)
        return process.returncode, said.decode()


def listed(process: subprocess.Popen[bytes]) -> None:
    """Wait until a run has listed its inputs, or has ended."""
    next((line for line in process.stderr or () if b'"begun"' in line), None)


def digests(out: Path) -> dict[str, str]:
    """Hashes of all outputs, by name: everything in the folder that is not the ledger's."""
    files = [path for path in out.rglob("*") if path.is_file()]
    kept = [path for path in files if not path.name.startswith("ledger.sqlite") and ".workers" not in path.parts]
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Outputs that are absent, too many, or of other bytes."""
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def states(out: Path) -> Counter[str]:
    """States of the scenes in a ledger; none where it has not begun."""
    if not (out / "ledger.sqlite").exists():
        return Counter()
    try:
        with closing(sqlite3.connect(out / "ledger.sqlite", timeout=30)) as database:
            return Counter(dict(database.execute("SELECT state, count(*) FROM scenes GROUP BY state").fetchall()))
    except sqlite3.OperationalError:  # killed before it had its tables
        return Counter()


@dataclass(slots=True)
class Campaign:
    """Trials, and what came of them."""

    bulk: Bulk
    folder: Path
    random: random.Random
    expected: dict[str, str] = field(default_factory=dict)
    length_s: float = 0.0
    """Of an undisturbed run, once it has listed its inputs."""
    kills: int = 0
    in_work: int = 0
    """Kills that found some scenes done, and some not."""
    while_writing: int = 0
    """Kills that found all scenes done."""
    wrong: list[str] = field(default_factory=list)

    def undisturbed(self) -> None:
        """What the outputs must be; twice, which shows that they can be compared."""
        seen = []
        for number in range(2):
            out = self.folder / f"undisturbed-{number}" / OUT
            process = self.bulk.start(out)
            listed(process)
            begun = time.monotonic()
            said = process.communicate(timeout=PATIENCE_S)[1].decode()
            self.length_s, code = time.monotonic() - begun, process.returncode
            if code != PARTIAL:
                message = f"exit code {code}: {said[-1500:]}"
                raise SystemExit(message)
            seen.append(digests(out))
        self.expected = seen[0]
        self.wrong += [f"undisturbed runs differ in {name}" for name in differences(*seen)]

    def trial(self, number: int) -> None:
        """Kill, go on, compare."""
        out = self.folder / f"trial-{number}" / OUT
        self._kill(out, beside=self.random.random() < PAIRED_SHARE)
        if self.random.random() < TWICE_SHARE:
            self._kill(out, beside=False)
        code, said = self.bulk.run(out)
        if code != PARTIAL:
            self.wrong.append(f"trial {number}: exit code {code}: {said[-500:]}")
        wrong = differences(self.expected, digests(out))
        self.wrong += [f"trial {number}: {name} is not as it was" for name in wrong]
        if not wrong:
            shutil.rmtree(out.parent)

    def _kill(self, out: Path, *, beside: bool) -> None:
        """Start a run, or two, and kill one of them at a random moment; the other one runs to its end."""
        first = self.bulk.start(out)
        second = self.bulk.start(out) if beside else None
        if self.random.random() >= EARLY_SHARE:
            listed(first)
        time.sleep(self.random.uniform(0, self.length_s))
        first.send_signal(signal.SIGKILL)
        first.communicate()
        if first.returncode == -signal.SIGKILL:
            self.kills += 1
            found = states(out)
            ended = sum(found[state] for state in ("done", "failed", "partial"))
            self.in_work += 0 < ended < found.total()
            self.while_writing += 0 < ended == found.total()
        if second:
            second.communicate(timeout=PATIENCE_S)
            if second.returncode != PARTIAL:
                self.wrong.append(
                    f"{out.parent.name}: the process beside the killed one ended with {second.returncode}"
                )


def campaign(kills: int, seed: int, folder: Path) -> Campaign:
    """Trials until there were so many kills."""
    archive, model = make_archive(folder / "archive", side=SIDE_PX), model_folder(folder / "toy", kinds=True)
    run = Campaign(Bulk([str(archive)], model), folder, random.Random(seed))  # noqa: S311 - no secret
    run.undisturbed()
    number = 0
    while run.kills < kills:
        run.trial(number)
        number += 1
        print(f"\r{run.kills} kills, {len(run.wrong)} wrong", end="", file=sys.stderr, flush=True)  # noqa: T201
    print(file=sys.stderr)  # noqa: T201
    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Run trials, print a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bulk_kills", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (%(default)s)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        run = campaign(args.kills, args.seed, Path(folder))
        print(  # noqa: T201 - the answer
            json.dumps({
                "kills": run.kills, "in_work": run.in_work, "while_writing": run.while_writing,
                "undisturbed_s": round(run.length_s, 2), "seconds": round(time.monotonic() - begun, 1),
                "outputs": len(run.expected), "wrong": run.wrong[:20],
            })
        )  # fmt: skip
    return 1 if run.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
