"""A Ray cluster to work on, joined or started here, and how many workers there is room for."""

from __future__ import annotations

import importlib
import logging
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.errors import UsageError
from edge.session import BATCHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

QUIET_ENVIRONMENT = {"RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""For the environment before ray is imported: else it prints what it thinks of lost workers on stdout."""
STORE_BYTES = 256 * 2**20
"""Of shared memory on a cluster that is started here: only long documents go through it."""
PROBE_S = 10.0
"""For the cluster's address to answer: Ray itself would try for minutes."""
ENGINE = "--engine ray"
"""What errors that are no option's are about."""
_ADDRESS = "--ray-address"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a cluster."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Places:
    """Workers to ask a cluster for."""

    workers: int
    threads: int
    """That run networks in each; 0 lets the worker choose, as is best on a GPU."""
    cpus: int
    """That each of them takes."""
    gpus: int = 0
    """That each of them takes."""


def import_ray() -> ModuleType:
    """The library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        cause = f"needs ray, which cannot be imported ({error})"
        raise UsageError(ENGINE, cause, "pip install 'tanker-edge[ray]'") from None


@contextmanager
def joined(address: str | None, cpus: int) -> Iterator[ModuleType]:
    """Ray, connected to a cluster; in a program that is connected already, to that one.

    Args:
        address: "auto" or host:port, seen from one of the cluster's nodes; None starts a cluster here, which ends with
            the block.
        cpus: of a cluster that is started here.

    Raises:
        UsageError: there is no such cluster, or it runs another version of Ray or Python.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    words: dict[str, Any] = {"include_dashboard": False, "logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        words |= {"num_cpus": cpus, "object_store_memory": STORE_BYTES}
    else:
        _probe(address)
    try:
        with _signals_kept():
            ray.init(address=address or "local", **words)
    except (OSError, ValueError, RuntimeError) as error:  # a ConnectionError is an OSError
        mend = "give that of a running cluster, as one of its nodes sees it, and use its versions of ray and Python"
        raise UsageError(_ADDRESS if address else ENGINE, _first_line(error), mend) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def nodes_of(ray: ModuleType) -> list[Node]:
    """The living nodes of the cluster."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in found]


def places(nodes: Sequence[Node], provider: str, threads: int = 0, workers: int | None = None) -> Places:
    """How many workers there are to be, and what each of them takes.

    Args:
        nodes: of the cluster.
        provider: with cuda and tensorrt each worker takes a GPU.
        threads: in each worker; 0 for as many as the smallest node has room for.
        workers: None for as many as there is room for. Those without room wait for nodes that join later.

    Raises:
        UsageError: there is no room for any.
    """
    if provider in BATCHED:
        rooms = [node for node in nodes if node.gpus]
        found = Places(
            workers or sum(node.gpus for node in rooms),
            threads,
            threads or max(1, min((node.cpus // node.gpus for node in rooms), default=1)),
            gpus=1,
        )
        lacks = "no node of the cluster has a GPU"
    else:
        cpus = [node.cpus for node in nodes if node.cpus] or [1]
        each = threads or max(1, min(cpus) if workers is None else min(*cpus, sum(cpus) // workers))
        found = Places(workers or sum(node.cpus // each for node in nodes), each, each)
        lacks = f"no node of the cluster has {each} CPUs"
    if not found.workers:
        raise UsageError(ENGINE, lacks, "lower --threads, or add nodes")
    return found


def _probe(address: str) -> None:
    """See that somebody listens.

    Raises:
        UsageError: nobody does, or it is no address.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not (host and port.isdigit()):
        cause = f"{address} is no address of a cluster"
        raise UsageError(_ADDRESS, cause, "give auto or host:port, on one of its nodes")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_S).close()
    except (OSError, OverflowError) as error:
        cause = f"{address} does not answer ({error})"
        raise UsageError(_ADDRESS, cause, "see `ray status` on one of its nodes") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep this program's way to end on SIGTERM: Ray would put its own in its place."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
