"""Workers on a cluster, and the calls that are under way there.

Ray finds room for the workers, starts them, sees when a process or a node dies, and starts those workers anew where
there is room. A call is not left to Ray's own retries: these wait for the very worker that died, which may never find
room again, while others have nothing to do. So a call that was lost goes to whoever is there.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from edge.batching import MOST_AT_ONCE
from edge.bulk.ray_cluster import ENGINE
from edge.bulk.ray_worker import Worker, unpack
from edge.bulk.task import Done, Failure, Task
from edge.errors import ModelError, ProviderError, TankerEdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from edge.bulk.ray_cluster import Places
    from edge.bulk.ray_worker import Hello, MakesScorer

LOG = logging.getLogger(__name__)
SPARE_CALLS = 8
"""Calls that a worker can take beyond one a thread."""
LOADS = 3
"""Times in a row that a worker may die while it loads the model."""
PATIENCE_S = 30.0
"""Without an answer or a worker before that is told."""


@dataclass(slots=True, eq=False)
class _Member:
    """A worker as the driver sees it."""

    actor: Any
    at_once: int = 0
    """Tasks that it takes; 0 until it is there and has its model."""
    under_way: int = 0
    greeted: bool = False
    """Whether it has been asked to be there, and to load its model."""
    fell: int = 0
    """How often it died while it loaded, since it last had its model."""
    alone: bool = False
    """Whether what is under way must have no company."""

    @property
    def room(self) -> int:
        """Tasks that can be added."""
        return 0 if self.alone else self.at_once - self.under_way


@dataclass(frozen=True, slots=True)
class _Call:
    """Something that a worker was asked to do."""

    member: _Member
    what: Task | Literal["meet", "load"]
    lost: int = 0
    """How often the task was lost before."""


class Crew:
    """Hands out tasks and takes in answers; of no use to several threads."""

    def __init__(self, ray: ModuleType, recipe: MakesScorer, places: Places) -> None:
        """Ask the cluster for workers; it gives them when it has room.

        Args:
            ray: connected.
            recipe: what they load.
            places: how many, and what they take.

        Raises:
            ModelError: the model is not whole here.
        """
        self._ray, self._tries, self._run = ray, recipe.tries, recipe.run_key()
        self._most = max(places.threads, MOST_AT_ONCE) + SPARE_CALLS
        actor = ray.remote(Worker).options(
            num_cpus=places.cpus,
            num_gpus=places.gpus,
            max_concurrency=self._most,
            max_restarts=-1,
            scheduling_strategy="SPREAD",
        )
        self._calls: dict[Any, _Call] = {}
        self._lost: deque[tuple[Task, int]] = deque()
        """Tasks whose worker died, and how often that was so."""
        self._members = [_Member(actor.remote(recipe)) for _ in range(places.workers)]
        for member in self._members:
            self._greet(member)

    @property
    def busy(self) -> bool:
        """Whether a task is under way, or waits for another try."""
        return bool(self._lost) or any(isinstance(call.what, Task) for call in self._calls.values())

    def hand_out(self, tasks: Iterator[Task]) -> bool:
        """Give tasks to workers that have room; False when there are no more.

        What was lost goes first. Its last try it has alone: what takes its process down takes no others along.
        """
        while True:
            alone = bool(self._lost) and self._lost[0][1] + 1 >= self._tries
            able = [m for m in self._members if m.room > 0 and not (alone and m.under_way)]
            if not able:
                return True
            if self._lost:
                task, lost = self._lost.popleft()
            elif (following := next(tasks, None)) is not None:
                task, lost = following, 0
            else:
                return False
            member = max(able, key=lambda m: m.room)
            member.under_way += 1
            member.alone = alone
            self._calls[member.actor.score.remote(task)] = _Call(member, task, lost)

    def answers(self) -> Iterator[Done]:
        """What has been done since the last look; waits for something to happen.

        Raises:
            ModelError: a worker has another model than the others, or none; so for ProviderError and other errors that
                each further task would meet.
        """
        refs = list(self._calls)
        first, _ = self._ray.wait(refs, timeout=PATIENCE_S)
        if not first and not any(member.at_once for member in self._members):
            LOG.warning("no_room", extra={"fields": {"workers": len(refs)}})
        ready = self._ray.wait(refs, num_returns=len(refs), timeout=0)[0] if first else []
        for ref in ready:
            done = self._take(self._calls.pop(ref), ref)
            if done is not None:
                yield done

    def close(self) -> None:
        """End the workers' processes at once: nothing that they hold is needed."""
        self._calls.clear()
        for member in self._members:
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(member.actor)

    def _greet(self, member: _Member) -> None:
        """Wait until a worker is there, however long that takes; it is given no tasks until it has its model.

        This call alone is left to Ray's retries. A node that is gone without a word is found out after some seconds:
        until then a call fails at once, though its worker has not been started anew.
        """
        member.at_once = 0
        if not member.greeted:
            member.greeted = True
            self._calls[member.actor.meet.options(max_task_retries=-1).remote()] = _Call(member, "meet")

    def _take(self, call: _Call, ref: object) -> Done | None:
        """One answer; None for what is no task's, or is to be tried again."""
        if not isinstance(call.what, Task):
            self._welcome(call, ref)
            return None
        call.member.under_way -= 1
        call.member.alone = False
        try:
            done = unpack(self._ray.get(ref))
        except self._ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            self._greet(call.member)
            return self._again(call.what, call.lost + 1, error)
        return replace(done, tries=done.tries + call.lost)

    def _again(self, task: Task, lost: int, error: Exception) -> Done | None:
        """Have a lost task wait for another try, or give it up."""
        LOG.warning("lost", extra={"fields": {"place": str(task.place), "times": lost, "cause": str(error)}})
        if lost < self._tries:
            self._lost.append((task, lost))
            return None
        cause = f"the process or node that scored it died, {lost} times"
        mend = "start the same command again; if it always dies, look at its memory and at this file"
        return Done(task.number, failure=Failure(cause, mend, transient=True), tries=lost)

    def _welcome(self, call: _Call, ref: object) -> None:
        """Have a worker that is there load its model, and take it in when it has."""
        member = call.member
        try:
            hello: Hello | None = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            member.greeted, member.fell = False, member.fell + 1
            if call.what == "meet" or member.fell >= LOADS:  # it will never be there, or it dies each time
                cause = f"its workers die before they have a model ({_last_line(error)})"
                mend = "install the same tanker-edge on each node, and run `tanker-edge doctor` there"
                raise ProviderError(ENGINE, cause, mend) from error
            self._greet(member)
            return
        if hello is None:
            self._calls[member.actor.load.remote()] = _Call(member, "load")
            return
        if hello.run != self._run:
            cause = f"node {hello.node} has another model, or another version of tanker-edge"
            mend = "install the same everywhere: results would not belong together"
            raise ModelError(ENGINE, cause, mend)
        member.greeted, member.fell, member.at_once = False, 0, min(hello.at_once, self._most)


def _cause(error: Any) -> Exception:  # noqa: ANN401 - ray's RayTaskError
    """What a worker raised: as it is where a user can mend it, else with the worker's traceback."""
    cause = error.cause
    return cause if isinstance(cause, TankerEdgeError) else error


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
