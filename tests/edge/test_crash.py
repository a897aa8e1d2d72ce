"""Loss of power at every boundary: before a flush, between flush and lock, after the lock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from restante.core.bank import Condition
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Outward, Unlock
from restante.edge.memory import MemoryBook, MemoryStep
from tests.edge.rig import COURIER, Crash, Rig, collect, deposit

CODE = "12345678"


class FailingBook(MemoryBook):
    """A book whose n-th flush from now never happens; the power is gone before it."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.flushes_left = -1

    @contextmanager
    def step(self) -> Iterator[MemoryStep]:
        """One transaction, unless the power goes."""
        if self.flushes_left == 0:
            raise Crash
        self.flushes_left -= 1
        with super().step() as writing:
            yield writing


class CrashRig(Rig):
    """A bank whose book may fail."""

    def wake(self) -> None:
        """Start on what was flushed."""
        if not isinstance(self.book, FailingBook):
            self.book = FailingBook(self.book.source)
        self.book.flushes_left = -1
        super().wake()

    def fail_at(self, flush: int) -> None:
        """Let the power go before this flush, counted from 0."""
        assert isinstance(self.book, FailingBook)
        self.book.flushes_left = flush


def at_a_bank() -> CrashRig:
    """A bank with a parcel in it and one to come."""
    rig = CrashRig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE))
    rig.put_in(1)
    return rig


def a_visit(rig: Rig) -> None:
    """Parcel 1 is collected and parcel 2 put in, door by door."""
    rig.code(CODE)
    rig.do(1, Deed.TAKE, Deed.PUSH)
    rig.code(COURIER)
    rig.scan(2)
    rig.do(rig.pulses[-1], Deed.PUT, Deed.PUSH)


def a_deposit(rig: Rig) -> None:
    """Parcel 1 is put in behind door 1."""
    rig.scan(1)
    rig.do(1, Deed.PUT, Deed.PUSH)


def until_power_goes(rig: CrashRig, flush: int, act: Callable[[Rig], None]) -> None:
    """Do something until this flush; power goes at the end at the latest."""
    rig.fail_at(flush)
    with suppress(Crash):
        act(rig)


@pytest.mark.parametrize("flush", range(9))
def test_no_lock_is_told_twice_whichever_flush_is_lost(flush: int) -> None:
    """Given a visit, when power goes before any one flush, then each pulse has its flushed intent and a report."""
    rig = at_a_bank()
    until_power_goes(rig, flush, a_visit)
    pulses_before = len(rig.pulses)
    rig.wake()
    rig.tick(seconds=120)
    assert len(rig.pulses) == pulses_before, "a start unlocks nothing"
    intents = rig.facts("intent-recorded")
    assert len(intents) >= len(rig.pulses)
    unfinished = [name for entry in rig.facts("started") for name in entry.data["unfinished"]]
    opened = rig.facts("door-opened", "door-stuck")
    assert len(opened) + len(unfinished) >= len(intents), "each intent is reported, an interrupted one maybe twice"


def test_between_the_flush_and_the_lock_nothing_moves() -> None:
    """Given a flushed intent, when power goes before the lock is told, then the start reports it and the code works."""
    rig = at_a_bank()

    def cut(effect: Outward) -> None:
        if isinstance(effect, Unlock):
            raise Crash

    rig.before_outward = cut
    with pytest.raises(Crash):
        rig.code(CODE)
    rig.before_outward = lambda effect: None
    pulses = list(rig.pulses)
    rig.wake()
    assert rig.pulses == pulses
    (name,) = rig.facts("started")[-1].data["unfinished"]
    assert name == f"1/{rig.facts('intent-recorded')[-1].seq} door 1"
    rig.code(CODE)
    rig.do(1, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


def test_a_compartment_that_may_hold_a_parcel_is_in_doubt_until_seen_empty() -> None:
    """Given power lost between lock and verdict of a deposit, when it is back, then that door is taken for no other."""
    rig = CrashRig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.fail_at(1)
    with pytest.raises(Crash):
        rig.scan(1)
    assert rig.pulses == [1]
    rig.wake()
    assert rig.agent.state.conditions == {1: Condition.UNKNOWN}
    rig.do(1, Deed.PUT, Deed.PUSH)
    rig.put_in(1)
    assert rig.pulses == [1, 2]


def test_a_door_left_open_by_the_crash_is_watched_on() -> None:
    """Given power lost while the door stood open, when it is shut later, then the parcel is out, once."""
    rig = at_a_bank()
    rig.code(CODE)
    rig.wake()
    assert rig.facts("started")[-1].data["unfinished"] == []
    assert len(rig.facts("door-forced")) == 0
    rig.do(1, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1
    rig.code(CODE)
    assert rig.page == "code"


def test_a_use_survives_as_the_fact_does() -> None:
    """Given the flush of a deposit is lost, when the parcel is offered again, then it is in already."""
    for flush in (2, 3):
        rig = CrashRig()
        rig.install(d1=deposit(1))
        rig.code(COURIER)
        until_power_goes(rig, flush, a_deposit)
        rig.wake()
        assert len(rig.facts("parcel-put-in")) == 1, "a door seen open is watched on"
        pulses = len(rig.pulses)
        rig.code(COURIER)
        rig.scan(1)
        assert len(rig.pulses) == pulses, "it is in, whichever flush was lost"
