"""How much work is let in: none once px in flight reach the limit; whoever is refused is told when to come again."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.server import admission
from edge.server.admission import LONGEST_WAIT_S, Admission
from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Clock:
    """A clock that is put forward by hand."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(admission, "time", clock)
    return clock


def _refusal(door: Admission, px: int) -> HttpError:
    with pytest.raises(HttpError) as told, door.admit(px):
        pass
    return told.value


def test_requests_are_let_in_as_long_as_there_is_room() -> None:
    door = Admission(100)
    with door.admit(60), door.admit(40):
        assert (door.px, door.requests) == (100, 2)
        error = _refusal(door, 1)
        assert error.status == 503
        assert 1 <= int(error.headers["Retry-After"]) <= LONGEST_WAIT_S
        assert "2 requests" in error.detail
    assert (door.px, door.requests) == (0, 0)
    with door.admit(100):
        pass


def test_the_door_is_shut_before_anything_is_read_where_nothing_can_be_let_in() -> None:
    door = Admission(100)
    door.check()
    with door.admit(99):
        door.check()
        with door.admit(1), pytest.raises(HttpError):
            door.check()
        door.check()


def test_small_requests_do_not_keep_large_ones_out() -> None:
    door = Admission(100)
    with door.admit(99):
        with door.admit(1000):
            assert _refusal(door, 1).status == 503
        with door.admit(1):
            assert _refusal(door, 1000).status == 503
    assert door.px == 0


def test_px_are_given_back_whatever_happens() -> None:
    door = Admission(100)
    with pytest.raises(ZeroDivisionError), door.admit(80):
        raise ZeroDivisionError
    assert (door.px, door.requests) == (0, 0)


def test_the_wait_follows_from_what_was_measured(clock: Clock) -> None:
    """Half of what is in flight should be done by then."""
    door = Admission(8_000_000)
    for _ in range(60):  # 1 million px/s
        with door.admit(4_000_000):
            clock.now += 4
    with door.admit(8_000_000):
        assert int(_refusal(door, 1).headers["Retry-After"]) == pytest.approx(4, abs=1)


def test_no_client_is_sent_away_for_longer_than_the_longest_wait(clock: Clock) -> None:
    door = Admission(100)
    for _ in range(60):
        with door.admit(1):
            clock.now += 1000
    with door.admit(100_000_000):
        assert int(_refusal(door, 1).headers["Retry-After"]) == LONGEST_WAIT_S


def test_idle_time_is_not_taken_for_slowness(clock: Clock) -> None:
    door = Admission(8_000_000)
    for _ in range(60):
        with door.admit(8_000_000):
            clock.now += 1
        clock.now += 1000
    with door.admit(8_000_000):
        assert int(_refusal(door, 1).headers["Retry-After"]) == 1


def test_what_was_not_done_says_nothing_of_the_speed(clock: Clock) -> None:
    door = Admission(100_000_000)
    for _ in range(60):
        with suppress(ZeroDivisionError), door.admit(1):
            clock.now += 1000
            raise ZeroDivisionError
    with door.admit(100_000_000):
        assert int(_refusal(door, 1).headers["Retry-After"]) == 10, "as before anything was measured"


@given(st.integers(1, 100), st.lists(st.one_of(st.integers(1, 150), st.none()), max_size=60))
def test_px_in_flight_are_those_of_whoever_is_inside(limit: int, steps: list[int | None]) -> None:
    """A number comes in, None lets the first of those inside go."""
    door, inside = Admission(limit), deque[tuple[int, AbstractContextManager[None]]]()
    with ExitStack() as leaving:
        for px in steps:
            if px is None:
                if inside:
                    inside.popleft()[1].__exit__(None, None, None)
            elif sum(size for size, _ in inside) < limit:
                held = door.admit(px)
                held.__enter__()
                inside.append((px, held))
            else:
                assert _refusal(door, px).status == 503
            assert door.px == sum(size for size, _ in inside)
            assert door.requests == len(inside)
        for _, held in inside:
            leaving.callback(held.__exit__, None, None, None)
    assert (door.px, door.requests) == (0, 0)
