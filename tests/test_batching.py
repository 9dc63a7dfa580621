"""Calls of several threads as batches: each thread gets its own rows, in its turn, and nobody waits without need."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.batching import Batcher, batched
from edge.detector import load_detector
from edge.errors import ProviderError
from tests.live import wait_until
from tests.toy_model import model_folder, picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SHAPES = [((2,), np.float32), ((3,), np.float32), ((2,), np.uint8)]


@dataclass
class Network:
    """Stands in for a runtime: (n, ...) -> (n, 1), the first number of each image times 2; it can be held up."""

    batches: list[NDArray[Any]] = field(default_factory=list)
    """What it was given, in order."""
    open: threading.Event = field(default_factory=threading.Event)
    running: int = 0
    most_running: int = 0
    takes: Callable[[NDArray[Any]], None] = lambda _: None
    """Looks at a batch; may raise."""

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.batches.append(batch)
        assert self.open.wait(20)
        self.running -= 1
        self.takes(batch)
        return batch.reshape(len(batch), -1)[:, :1].astype(np.float32) * 2

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def images(first: int, number: int = 1, kind: int = 0) -> NDArray[Any]:
    """Images (n, ...) that count up from a number."""
    shape, dtype = SHAPES[kind]
    numbers = np.arange(first, first + number, dtype=dtype)
    return np.broadcast_to(numbers.reshape(-1, *[1] * len(shape)), (number, *shape))


def queued(batcher: Batcher, network: Network, calls: list[NDArray[Any]]) -> list[Future[NDArray[np.float32]]]:
    """Answers of calls that come while the network is busy with the first of them, one after the other."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(batcher, calls[0])]
        wait_until(lambda: bool(network.batches))
        for i, call in enumerate(calls[1:], 1):
            futures.append(pool.submit(batcher, call))
            wait_until(lambda i=i: len(batcher._waiting) == i)
        network.open.set()
    return futures


def test_a_free_network_is_not_kept_waiting() -> None:
    network = Network()
    network.open.set()
    batcher = Batcher(network, 8)
    given_ = images(1, 3)
    assert batcher(given_).tolist() == [[2], [4], [6]]
    assert network.batches[0] is given_, "a call alone is not copied"
    assert batcher(images(5)).tolist() == [[10]]
    assert network.sizes == [3, 1]


def test_what_waits_goes_together() -> None:
    network = Network()
    answers = queued(Batcher(network, 8), network, [images(i) for i in range(9)])
    assert network.sizes == [1, 8]
    assert [a.result().tolist() for a in answers] == [[[2 * i]] for i in range(9)]


def test_no_batch_is_larger_than_allowed() -> None:
    network = Network()
    queued(Batcher(network, 4), network, [images(i) for i in range(10)])
    assert network.sizes == [1, 4, 4, 1]


def test_sizes_are_powers_of_two() -> None:
    """A runtime prepares itself for each size anew."""
    network = Network()
    queued(Batcher(network, 16), network, [images(i) for i in range(8)])
    assert network.sizes == [1, 4, 2, 1]


def test_a_call_that_is_too_large_runs_alone_as_it_is() -> None:
    network = Network()
    queued(Batcher(network, 4), network, [images(0), images(1, 64), images(2), images(3)])
    assert network.sizes == [1, 64, 2]


def test_calls_of_another_shape_or_type_keep_their_turn() -> None:
    network = Network()
    kinds = [0, 0, 1, 0, 2, 1]
    answers = queued(Batcher(network, 8), network, [images(i, kind=k) for i, k in enumerate(kinds)])
    together = [(batch[:, 0].tolist(), batch.shape[1:], batch.dtype) for batch in network.batches]
    assert together == [
        ([0], *SHAPES[0]),
        ([1, 3], *SHAPES[0]),
        ([2, 5], *SHAPES[1]),
        ([4], *SHAPES[2]),
    ]
    assert [a.result().tolist() for a in answers] == [[[2 * i]] for i in range(6)]


def test_an_error_is_that_of_the_call_whose_images_are_bad() -> None:
    def takes(batch: NDArray[Any]) -> None:
        if 3 in batch[:, 0]:
            message = "no threes"
            raise RuntimeError(message)

    network = Network(takes=takes)
    batcher = Batcher(network, 8)
    answers = queued(batcher, network, [images(i) for i in range(5)])
    assert network.sizes == [1, 4, 1, 1, 1, 1]
    with pytest.raises(RuntimeError, match="no threes"):
        answers[3].result()
    assert [a.result().tolist() for i, a in enumerate(answers) if i != 3] == [[[0]], [[2]], [[4]], [[8]]]
    assert batcher(images(9)).tolist() == [[18]], "it goes on"


def test_an_error_of_the_network_reaches_each_caller_as_its_own() -> None:
    def takes(_: NDArray[Any]) -> None:
        raise MemoryError

    network = Network(takes=takes)
    errors = [a.exception() for a in queued(Batcher(network, 8), network, [images(i) for i in range(5)])]
    assert [type(error) for error in errors] == [MemoryError] * 5
    assert len(set(map(id, errors))) == 5


def test_a_network_that_loses_images_in_a_batch_is_given_them_one_by_one() -> None:
    network = Network()
    batcher = Batcher(lambda batch: network(batch)[:1], 8)
    answers = queued(batcher, network, [images(i) for i in range(5)])
    assert [a.result().tolist() for a in answers] == [[[2 * i]] for i in range(5)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=40),
    st.sampled_from([1, 2, 4, 8, 16]),
    st.integers(1, 12),
)
def test_under_load_each_call_gets_the_rows_of_its_own_images(
    calls: list[tuple[int, int]], most: int, threads: int
) -> None:
    network = Network()
    network.open.set()
    batcher = Batcher(network, most)
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda c: batcher(images(c[0] * 3, c[0], c[1])), calls))
    for (number, _), answer in zip(calls, answers, strict=True):
        assert answer.tolist() == [[2 * (number * 3 + k)] for k in range(number)]
    assert network.most_running == 1
    assert sum(network.sizes) == sum(number for number, _ in calls)
    assert all(size <= max(most, 5) for size in network.sizes)
    assert not batcher._busy
    assert not batcher._waiting


def test_many_threads_and_many_rounds_lose_nothing() -> None:
    network = Network()
    network.open.set()
    batcher, rounds = Batcher(network, 8), 200

    def work(thread: int) -> bool:
        return all(batcher(images(64 * thread + k % 64)).item() == 2 * (64 * thread + k % 64) for k in range(rounds))

    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(work, range(24)))
    assert network.most_running == 1
    assert sum(network.sizes) == 24 * rounds
    assert max(network.sizes) <= 8
    assert {size.bit_count() for size in network.sizes} == {1}


# --- a model ---


def test_a_model_of_a_provider_that_gains_nothing_stays_as_it_is(tmp_path: Path) -> None:
    detector = load_detector(model_folder(tmp_path / "toy"))
    assert batched(detector, 8) is detector


def test_a_model_of_a_provider_that_gains_finds_the_same_in_batches(tmp_path: Path) -> None:
    plain = load_detector(model_folder(tmp_path / "toy", kinds=True))
    network = Network()

    def forward(batch: NDArray[Any]) -> NDArray[np.float32]:
        network(batch)
        return plain.finder.forward(batch)

    assert plain.teller is not None
    teller = replace(plain.teller, session=replace(plain.teller.session, provider="cuda"))
    detector = batched(replace(plain, finder=replace(plain.finder, provider="cuda", forward=forward), teller=teller), 8)
    assert detector.teller is not None
    assert isinstance(detector.teller.session.forward, Batcher)
    assert isinstance(detector.finder.forward, Batcher)
    tiles = [picture(64, 64, {(3, 3): 150 + 10 * i, (5, 1): 200})[None] for i in range(5)]
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(detector.find, tiles[0])
        wait_until(lambda: bool(network.batches))
        others = [pool.submit(detector.find, tile) for tile in tiles[1:]]
        wait_until(lambda: len(detector.finder.forward._waiting) == 4)
        network.open.set()
    assert network.sizes == [1, 4]
    for tile, answer in zip(tiles, [first, *others], strict=True):
        expected = plain.find(tile)[0]
        found = answer.result()[0]
        assert np.array_equal(found.xywhr, expected.xywhr)
        assert np.array_equal(found.score, expected.score)


def test_what_a_network_fails_with_is_told_as_ever(tmp_path: Path) -> None:
    plain = load_detector(model_folder(tmp_path / "toy"))
    detector = batched(replace(plain, finder=replace(plain.finder, provider="tensorrt")), 8)
    with pytest.raises(ProviderError, match=r"tensorrt: the network failed on a batch of shape \(1, 64, 64\)"):
        detector.finder.run(np.zeros((1, 64, 64), np.uint8))
