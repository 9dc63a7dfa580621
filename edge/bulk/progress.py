"""What is told of a run while it goes on: a bar for people, JSON lines for programs, or nothing."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console

    from edge.bulk.ledger_claim import Tally
    from edge.bulk.ledger_listing import Added
    from edge.bulk.task import Done, Task

LOG = logging.getLogger(__name__)
MEGAPIXEL = 1e6
WINDOW_S = 60.0
"""Rates are of the last minute: a scene of a minute among thousands of small ones must not hide what goes on."""
TOLD_EVERY_S = 10.0
"""Between two records of progress."""


@dataclass(slots=True)
class Tallied:
    """What this process has done in this run."""

    scenes: int = 0
    """Scored, in part too, or known already."""
    partial: int = 0
    failed: int = 0
    px: int = 0
    seconds: float = 0.0
    """Since the run began to score."""

    def add(self, done: Done) -> None:
        """Count a scene."""
        self.px += done.px
        if done.failure is None:
            self.scenes += 1
        elif done.document is None:
            self.failed += 1
        else:
            self.partial += 1

    @property
    def ended(self) -> int:
        """Scenes with any outcome."""
        return self.scenes + self.partial + self.failed


@dataclass(slots=True)
class Rates:
    """Scenes and px a second, over the last minute."""

    seen: deque[tuple[float, int, int]] = field(default_factory=deque)
    """Time, scenes and px until then."""

    def add(self, now: float, scenes: int, px: int) -> None:
        """Note how far it is, at a time in seconds."""
        self.seen.append((now, scenes, px))
        while len(self.seen) > 2 and now - self.seen[1][0] > WINDOW_S:  # noqa: PLR2004 - both ends of a span
            self.seen.popleft()

    @property
    def now(self) -> tuple[float, float]:
        """Scenes a second, MP a second."""
        if len(self.seen) < 2 or self.seen[-1][0] <= self.seen[0][0]:  # noqa: PLR2004 - as above
            return 0.0, 0.0
        (begun, scenes, px), (end, more_scenes, more_px) = self.seen[0], self.seen[-1]
        return (more_scenes - scenes) / (end - begun), (more_px - px) / (end - begun) / MEGAPIXEL


class Watcher(Protocol):
    """Is told what happens."""

    def listed(self, number: int) -> None:
        """So many inputs have been found until now."""

    def begun(self, tally: Tally, added: Added) -> None:
        """The listing is complete; what it held, and how far the run is."""

    def ended(self, task: Task, done: Done, so_far: Tallied, left: int) -> None:
        """A scene has an outcome; so many are left."""

    def waiting(self, scenes: int) -> None:
        """Other processes have so many scenes under way, and nothing else is left."""

    def writing(self, what: str) -> None:
        """An output is being written."""

    def close(self) -> None:
        """The run is over."""


class Quiet:
    """Tells of failures only, a line each on stderr: for logs of cron and the like."""

    def listed(self, number: int) -> None:
        """Nothing."""

    def begun(self, tally: Tally, added: Added) -> None:
        """Nothing."""

    def ended(self, task: Task, done: Done, so_far: Tallied, left: int) -> None:  # noqa: ARG002 - as all watchers
        """A record of a failure."""
        if done.failure:
            LOG.warning("failed", extra={"fields": _facts(task, done)})

    def waiting(self, scenes: int) -> None:
        """Nothing."""

    def writing(self, what: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Records(Quiet):
    """A record of each step in the log: what `--log-json` shows."""

    def __init__(self) -> None:
        """Nothing has been told yet."""
        self._rates, self._told = Rates(), time.monotonic()

    def begun(self, tally: Tally, added: Added) -> None:
        """How much there is to do."""
        self._rates.add(time.monotonic(), 0, 0)
        facts = {"left": tally.left, "new": added.new, "again": added.again, "known": added.known}
        LOG.info("begun", extra={"fields": facts})

    def ended(self, task: Task, done: Done, so_far: Tallied, left: int) -> None:
        """The outcome of a scene, and now and then how far it is."""
        if done.failure:
            LOG.warning("failed", extra={"fields": _facts(task, done)})
        else:
            LOG.info("scored", extra={"fields": _facts(task, done)})
        now = time.monotonic()
        self._rates.add(now, so_far.ended, so_far.px)
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            scenes, megapixels = self._rates.now
            facts = {"done": so_far.ended, "left": left, "failed": so_far.failed, "partial": so_far.partial}
            rates = {"scenes_per_s": round(scenes, 3), "mp_per_s": round(megapixels, 3)}
            LOG.info("progress", extra={"fields": facts | rates})

    def waiting(self, scenes: int) -> None:
        """That others work on the rest."""
        LOG.info("waiting", extra={"fields": {"scenes_elsewhere": scenes}})

    def writing(self, what: str) -> None:
        """Which output is written."""
        LOG.info("writing", extra={"fields": {"output": what}})


class Bar:
    """A bar with rates, time left and failures, where stderr is a terminal."""

    def __init__(self, console: Console) -> None:
        """Draw on a console."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - slow to import

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[faults]}"),
            console=console,
            transient=True,
        )
        self._rates = Rates()
        self._task = self._bar.add_task("listing", total=None, rate="", faults="")
        self._bar.start()

    def listed(self, number: int) -> None:
        """How many inputs there are until now."""
        self._bar.update(self._task, completed=number)

    def begun(self, tally: Tally, added: Added) -> None:
        """Begin to count."""
        if added.known:
            self._bar.console.print(f"{added.known:,} inputs are scored already, {tally.left:,} are left")
        self._rates.add(time.monotonic(), 0, 0)
        self._bar.reset(self._task, total=tally.left, description="scoring", rate="", faults="")

    def ended(self, task: Task, done: Done, so_far: Tallied, left: int) -> None:
        """One more; failures stay on the screen."""
        from rich.markup import escape  # noqa: PLC0415 - as above

        self._rates.add(time.monotonic(), so_far.ended, so_far.px)
        scenes, megapixels = self._rates.now
        rate = f"{scenes:.1f} scenes/s {megapixels:.1f} MP/s"
        faults = f"[red]{so_far.failed} failed[/red]" if so_far.failed else ""
        if so_far.partial:
            faults += f" [yellow]{so_far.partial} in part[/yellow]"
        total = so_far.ended + left
        self._bar.update(self._task, completed=so_far.ended, total=total, rate=rate, faults=faults)
        if done.failure:
            told = (
                done.failure.cause if str(task.place) in done.failure.cause else f"{task.place}: {done.failure.cause}"
            )
            self._bar.console.print(f"[red]failed[/red] {escape(told)}", soft_wrap=True, highlight=False)

    def waiting(self, scenes: int) -> None:
        """That others work on the rest."""
        self._bar.update(self._task, description=f"waiting for {scenes} of another process")

    def writing(self, what: str) -> None:
        """Which output is written."""
        self._bar.refresh()  # shows the end of what came before
        self._bar.reset(self._task, total=None, description=f"writing {what}", rate="", faults="")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def _facts(task: Task, done: Done) -> dict[str, Any]:
    """What a record says of an outcome."""
    facts: dict[str, Any] = {
        "place": str(task.place),
        "px": done.px,
        "seconds": round(done.seconds, 3),
        "tries": done.tries,
    }
    if done.known:
        facts["known"] = True
    if done.document:
        facts["counts"], facts["coverage"] = done.document["counts"], done.document["coverage"]
    if done.failure:
        facts["cause"], facts["mend"] = done.failure.cause, done.failure.mend
    return facts
