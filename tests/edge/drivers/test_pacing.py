"""The order and the gentleness of a bus, as a pure rule."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.edge.drivers.pacing import (
    BusQueue,
    Idle,
    Pacing,
    PollTurn,
    Pulse,
    Refuse,
    Serve,
    UnlockTurn,
    Wake,
    ask,
    call_next,
    leave,
)
from restante.edge.drivers.port import Rejected

PACING = Pacing()


def asked(*turns: UnlockTurn | PollTurn) -> BusQueue:
    """A queue in which these turns wait."""
    queue = BusQueue()
    for turn in turns:
        joined = ask(queue, turn, PACING)
        assert isinstance(joined, BusQueue)
        queue = joined
    return queue


def test_an_unlock_goes_before_a_poll() -> None:
    """Given a poll that came first, when the bus is free, then the unlock is served."""
    _, call = call_next(asked(PollTurn(1), UnlockTurn(2, door=7)), PACING, 0)
    assert call == Serve(UnlockTurn(2, door=7))


def test_a_poll_uses_the_gap_between_two_pulses() -> None:
    """Given a pulse just sent, when an unlock and a poll wait, then the poll goes and the unlock waits for the gap."""
    queue, call = call_next(asked(UnlockTurn(1, door=1), PollTurn(2), UnlockTurn(3, door=2)), PACING, 0)
    assert call == Serve(UnlockTurn(1, door=1))
    queue, call = call_next(leave(queue, UnlockTurn(1, door=1)), PACING, 10)
    assert call == Serve(PollTurn(2))
    queue, call = call_next(leave(queue, PollTurn(2)), PACING, 40)
    assert call == Wake(700)
    assert call_next(queue, PACING, 700)[1] == Serve(UnlockTurn(3, door=2))


def test_nobody_is_called_while_somebody_is_served() -> None:
    """Given a turn on the bus, when another waits, then it is not called."""
    queue, _ = call_next(asked(PollTurn(1), PollTurn(2)), PACING, 0)
    assert call_next(queue, PACING, 99)[1] == Idle()


def test_a_third_pulse_within_five_seconds_is_refused_with_the_time_left() -> None:
    """Given pulses at 0 and 1 s on one lock, when a third is due at 2 s, then it must wait 3 s more."""
    queue = BusQueue(waiting=(UnlockTurn(1, door=4),), pulses=(Pulse(4, 0), Pulse(4, 1_000)))
    _, call = call_next(queue, PACING, 2_000)
    assert call == Refuse(UnlockTurn(1, door=4), Rejected("lock-cooling", 3_000))
    assert call_next(queue, PACING, 5_000)[1] == Serve(UnlockTurn(1, door=4))


def test_a_full_queue_rejects() -> None:
    """Given as many waiting as allowed, when one more asks, then it is rejected."""
    pacing = Pacing(waiting_limit=1)
    assert ask(asked(PollTurn(1)), PollTurn(2), pacing) == Rejected("bus-full", 700)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 900)), max_size=40), st.sampled_from([500, 700, 1000]))
def test_whatever_is_asked_the_gap_and_the_limit_per_lock_hold(asks: list[tuple[int, int]], gap_ms: int) -> None:
    """For any unlocks at any times, allowed pulses keep the gap, and no lock gets three within five seconds."""
    pacing = Pacing(gap_ms=gap_ms)
    queue, now_ms, pulses = BusQueue(), 0, list[Pulse]()
    for ticket, (door, wait_ms) in enumerate(asks):
        now_ms += wait_ms
        joined = ask(queue, UnlockTurn(ticket, door), pacing)
        queue = joined if isinstance(joined, BusQueue) else queue
        queue, call = call_next(queue, pacing, now_ms)
        if isinstance(call, Serve):
            assert isinstance(call.turn, UnlockTurn)
            pulses.append(Pulse(call.turn.door, now_ms))
            queue = leave(queue, call.turn)
    assert all(late.at_ms - early.at_ms >= gap_ms for early, late in pairwise(pulses))
    for door in (1, 2, 3):
        times = [pulse.at_ms for pulse in pulses if pulse.door == door]
        assert all(third - first >= 5_000 for first, third in zip(times, times[2:], strict=False))


@pytest.mark.parametrize(("now_ms", "is_served"), [(999, True), (1_000, False)])
def test_at_its_deadline_an_unlock_is_too_late(now_ms: int, *, is_served: bool) -> None:
    """Given an unlock not after a second, when its turn comes a millisecond before, then it is served; then, not."""
    turn = UnlockTurn(1, 4, before_ms=1_000)
    _, call = call_next(asked(turn), PACING, now_ms)
    assert call == (Serve(turn) if is_served else Refuse(turn, Rejected("deadline-passed")))
