"""Kills a server at random moments while its jobs run, starts it again, and looks whether a job was lost or done twice.

`python -m tests.kills --kills 50 --seed 1` prints one JSON line, and ends with 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np

from edge.detector import load_detector
from edge.server.options import CountOptions
from edge.server.scoring import Work, score
from edge.workers import own_lanes
from tests.process import Process, command, environment
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE_PX = 1400
"""Of the scenes: the toy model has some half a second of work with one."""
CLIENTS = 3
WAYS = ("whole", "keyed", "parts", "path")
CANCELLED_SHARE = 0.1
LONGEST_DELAY_S = 1.0
"""From a job seen running to the kill."""
PATIENCE_S = 120


@dataclass(slots=True)
class Sent:
    """A job that a client wanted."""

    name: str
    """Of its scene; no other job has it."""
    way: str
    scene: Path
    id: str | None = None
    """Once the server has said 202 or 200."""
    to_cancel: bool = False
    acked: int = 0
    """Bytes that the server has said are safe."""


@dataclass(slots=True)
class Campaign:
    """Servers that are killed, and clients that go on."""

    folder: Path
    seed: int
    sent: list[Sent] = field(default_factory=list)
    hit: Counter[str] = field(default_factory=Counter)
    """By job: kills that found it running."""
    kills: int = 0
    """That found a job running."""
    wrong: list[str] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    """No more jobs are wanted."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def scenes(self) -> dict[Path, dict[str, Any]]:
        """Pictures, and the documents that they have when nothing disturbs."""
        model = model_folder(self.folder / "toy", kinds=True)
        detector = load_detector(model)
        found = {}
        for k in range(2):
            path = self.folder / f"scene-{k}.bmp"
            noise = np.random.default_rng(k).integers(0, 9, (SIDE_PX, SIDE_PX, 3), np.uint8)
            vessels = picture(SIDE_PX, SIDE_PX, {(20 * i + 9 + k, 7 * i + 5): 255 - 9 * i for i in range(9)})
            cv2.imwrite(str(path), np.maximum(noise, vessels)[..., ::-1])
            work = Work(detector, own_lanes(2, "undisturbed"), SIDE_PX**2)
            found[path] = plain(score(path, CountOptions(), work))
        return found

    def start(self) -> Process:
        """A server that is ready."""
        given = self.folder / "given"
        server = Process(command(self.folder, "--allow-path", str(given)), environment())
        self.url = server.base_url
        return server

    def end(self, server: Process, number: int) -> None:
        """End a server by a signal."""
        server.signal(number)
        server.ended(PATIENCE_S)
        if server.popen.stderr:
            server.popen.stderr.close()

    def kill(self, moment: random.Random) -> None:
        """Start a server, and kill it while a job runs."""
        server = self.start()
        self.insist(lambda client: client.get("/v1/jobs?state=running").json()["jobs"] or None)
        time.sleep(moment.uniform(0, LONGEST_DELAY_S))
        self.end(server, signal.SIGKILL)
        found = self.running()
        self.hit.update(found)
        self.kills += bool(found)

    def running(self) -> list[str]:
        """Jobs that a killed server was running, by a copy of its ledger."""
        copy = Path(tempfile.mkdtemp(dir=self.folder))
        for path in (self.folder / "state").glob("jobs.sqlite*"):
            shutil.copy(path, copy)
        database = sqlite3.connect(copy / "jobs.sqlite")
        found = [row[0] for row in database.execute("SELECT id FROM jobs WHERE state = 'running'")]
        database.close()
        shutil.rmtree(copy)
        return found

    def insist(self, call: Callable[[httpx.Client], Any]) -> Any:  # noqa: ANN401 - whatever the call gives
        """Call until a server answers with something; it may be killed meanwhile, and another takes its place."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as client:
                    if (result := call(client)) is not None:
                        return result
            except (httpx.TransportError, json.JSONDecodeError):
                pass
            time.sleep(0.02)
        message = "no server answered"
        raise AssertionError(message)

    def client(self, number: int, scenes: list[Path]) -> None:
        """Want one job after the other, each until it has ended."""
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - no secret
        try:
            while not self.over.is_set():
                scene = chance.choice(scenes)
                with self.lock:
                    number = len(self.sent)
                    job = Sent(f"{number}.bmp", WAYS[number % len(WAYS)], scene)
                    self.sent.append(job)
                job.to_cancel = chance.random() < CANCELLED_SHARE
                Client(self, job, chance).go()
        except BaseException as error:  # told by the main thread
            self.wrong.append(f"client {number}: {error!r}")
            raise


@dataclass(slots=True)
class Client:
    """Sends one job."""

    campaign: Campaign
    job: Sent
    chance: random.Random

    def go(self) -> None:
        """Send it, and wait for its end."""
        getattr(self, self.job.way)()
        if self.job.id is None:
            return
        here = f"/v1/jobs/{self.job.id}"
        if self.job.to_cancel:
            time.sleep(self.chance.uniform(0, 0.5))
            self.campaign.insist(lambda client: client.delete(here).status_code == 204 or None)
        self.campaign.insist(lambda client: ended(client.get(here)))

    def accepted(self, answer: httpx.Response) -> bool | None:
        """Take note of an answer; None where it was none of the expected."""
        if answer.status_code not in {200, 202}:
            self.campaign.wrong.append(f"{self.job}: {answer.status_code} {answer.text}")
            return None
        self.job.id = answer.json()["id"]
        return True

    def whole(self) -> None:
        """In one go, once: where the answer is lost nobody knows whether it was accepted."""
        try:
            with httpx.Client(base_url=self.campaign.url, timeout=30, trust_env=False) as client:
                self.accepted(self.post(client))
        except httpx.TransportError:
            time.sleep(0.1)

    def keyed(self) -> None:
        """In one go, again and again by the same key."""
        self.campaign.insist(lambda client: self.accepted(self.post(client, **self.key)))

    def path(self) -> None:
        """By a path."""
        os.link(self.job.scene, self.campaign.folder / "given" / self.job.name)
        self.words({"path": self.job.name})

    def parts(self) -> None:
        """In parts, each from where the server is."""
        data = self.job.scene.read_bytes()
        self.words({"upload": {"name": self.job.name, "size": len(data)}})
        self.campaign.insist(lambda client: self.part(client, data))

    def part(self, client: httpx.Client, data: bytes) -> bool | None:
        """Send some of what is still missing; whether nothing is."""
        here = f"/v1/jobs/{self.job.id}/scene"
        offset = int(client.head(here).headers["upload-offset"])
        assert offset >= self.job.acked, f"{self.job}: only {offset} bytes are left"
        self.job.acked = offset
        if offset == len(data):
            return True
        size = self.chance.randrange(1, len(data) // 2)
        answer = client.patch(here, content=data[offset : offset + size], headers={"Upload-Offset": str(offset)})
        assert answer.status_code == 204, answer.text
        self.job.acked = int(answer.headers["upload-offset"])
        return None

    def post(self, client: httpx.Client, **headers: str) -> httpx.Response:
        """The scene itself."""
        with self.job.scene.open("rb") as file:
            return client.post("/v1/jobs", params={"name": self.job.name}, content=file, headers=headers)

    def words(self, body: dict[str, Any]) -> None:
        """Words about it."""
        self.campaign.insist(lambda client: self.accepted(client.post("/v1/jobs", json=body, headers=self.key)))

    @property
    def key(self) -> dict[str, str]:
        return {"Idempotency-Key": f"key of {self.job.name}"}


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """What of a document must always be the same."""
    kept: dict[str, Any] = json.loads(json.dumps({k: v for k, v in document.items() if k not in {"seconds", "scene"}}))
    return kept


def ended(answer: httpx.Response) -> str | None:
    """How a job has ended; None while it has not."""
    if answer.status_code == 410:
        return "removed"
    state: str = answer.json()["state"]
    return state if state in {"done", "failed", "cancelled"} else None


def judge(campaign: Campaign, undisturbed: dict[Path, dict[str, Any]]) -> Counter[str]:
    """How all jobs ended; what is wrong goes into `campaign.wrong`."""
    states: Counter[str] = Counter()
    with httpx.Client(base_url=campaign.url, timeout=30, trust_env=False) as client:
        listed = client.get("/v1/jobs?limit=500").json()["jobs"]
        names = Counter(job["scene"] for job in listed)
        known = {job["id"]: job for job in listed}
        for sent in campaign.sent:
            if names[sent.name] > 1:
                campaign.wrong.append(f"twice: {sent}")
            if sent.id is None:
                states["unanswered"] += 1
            else:
                states[_judge(campaign, client, sent, known.get(sent.id), undisturbed[sent.scene])] += 1
    folders = {path.name for path in (campaign.folder / "state" / "jobs").iterdir()}
    done = {job["id"] for job in listed if job["state"] == "done"}
    orphans = (folders ^ done) | {str(path) for path in (campaign.folder / "state" / "incoming").glob("*")}
    campaign.wrong += [f"orphan, or lost: {name}" for name in orphans]
    campaign.wrong += [f"not ended: {job}" for job in listed if job["state"] not in {"done", "failed", "cancelled"}]
    return states


def _judge(
    campaign: Campaign, client: httpx.Client, sent: Sent, job: dict[str, Any] | None, expected: dict[str, Any]
) -> str:
    """How a job ended."""
    if job is None:
        gone = client.get(f"/v1/jobs/{sent.id}").status_code == 410
        if not (sent.to_cancel and gone):  # a DELETE that came twice, or after the end, removes
            campaign.wrong.append(f"lost: {sent}")
        return "removed"
    state: str = job["state"]
    if state == "done":
        document = client.get(job["links"]["result"]).json()
        if plain(document) != expected or document["scene"] != sent.name:
            campaign.wrong.append(f"another result: {sent}")
        if job["attempts"] != 1 + campaign.hit[job["id"]]:
            campaign.wrong.append(f"begun {job['attempts']} times, killed {campaign.hit[job['id']]} times: {sent}")
    elif state == "failed":
        if not (campaign.hit[job["id"]] == 3 and "ended 3 times" in job["error"]["detail"]):
            campaign.wrong.append(f"failed: {job}")
    elif not sent.to_cancel:
        campaign.wrong.append(f"nobody cancelled it: {job}")
    return state


def run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill servers until so many were running a job at that moment; what came of the jobs."""
    begun = time.monotonic()
    (folder / "given").mkdir()
    campaign = Campaign(folder, seed)
    undisturbed = campaign.scenes()
    clients = [
        threading.Thread(target=campaign.client, args=(k, list(undisturbed)), daemon=True) for k in range(CLIENTS)
    ]
    moment = random.Random(seed)  # noqa: S311 - no secret
    campaign.url = "http://127.0.0.1:9"  # nobody listens yet
    for thread in clients:
        thread.start()
    servers = 0
    while campaign.kills < kills and not campaign.wrong:
        campaign.kill(moment)
        servers += 1
    campaign.over.set()
    last = campaign.start()
    for thread in clients:
        thread.join(PATIENCE_S)
    states = campaign.insist(lambda client: _quiet(client) and judge(campaign, undisturbed))
    campaign.end(last, signal.SIGTERM)
    return {
        "kills": servers,
        "while_a_job_ran": campaign.kills,
        "accepted": sum(sent.id is not None for sent in campaign.sent),
        **states,
        "resumed": len(campaign.hit),
        "ways": Counter(sent.way for sent in campaign.sent if sent.id),
        "wrong": campaign.wrong,
        "seconds": round(time.monotonic() - begun, 1),
    }


def _quiet(client: httpx.Client) -> bool | None:
    """Whether nothing waits or runs: a job whose 202 was lost has no client that waits for it."""
    open_states = ("receiving", "waiting", "running")
    return None if any(client.get(f"/v1/jobs?state={state}").json()["jobs"] for state in open_states) else True


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), args.kills, args.seed)
    print(json.dumps(result))  # noqa: T201 - its output
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
