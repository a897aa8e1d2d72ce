"""Signals are gathered: none is lost, a busy caller gets many as one, and a fault comes through."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.ids import PointId
from restante.hub.fleet.gathering import gathered, merged
from restante.store.ledger import Signal, StoreDown

points = st.none() | st.lists(st.sampled_from([PointId(name) for name in "abcde"]), max_size=3).map(tuple)
many = st.lists(points.map(Signal), max_size=12)


async def told(signals: Sequence[Signal], *, fault: bool = False) -> AsyncIterator[Signal]:
    """The signals, one each turn of the loop, and a fault at the end if wanted."""
    for signal in signals:
        await asyncio.sleep(0)
        yield signal
    if fault:
        raise StoreDown


@settings(max_examples=60, deadline=None)
@given(many, st.integers(0, 5))
def test_whatever_is_signalled_is_told_of_at_or_after_it(signals: list[Signal], turns: int) -> None:
    """Given signals and a caller that is busy for some turns each time, then all points come out, the last not lost."""

    async def heard() -> list[Signal]:
        found = []
        async for signal in gathered(told(signals)):
            found.append(signal)
            for _ in range(turns):
                await asyncio.sleep(0)
        return found

    found = asyncio.run(heard())
    assert len(found) <= len(signals)
    assert {p for one in found for p in one.points or ()} <= {p for one in signals for p in one.points or ()}
    if all(one.points is not None for one in signals):
        assert {p for one in found for p in one.points or ()} == {p for one in signals for p in one.points or ()}
    assert any(one.points is None for one in found) == any(one.points is None for one in signals)


async def test_what_comes_while_the_caller_works_comes_as_one() -> None:
    """Given a hundred signals about two points while the caller is busy with the first, then one more follows."""
    signals = [Signal((PointId(name),)) for name in "ab" * 50]
    heard = gathered(told(signals))
    first = await anext(heard)
    for _ in range(300):
        await asyncio.sleep(0)
    assert set((await anext(heard)).points or ()) == {"a", "b"}
    assert [one async for one in heard] == []
    assert first == signals[0]


async def test_a_fault_of_the_store_comes_through() -> None:
    """Given signals that end with a fault, when they are heard to the end, then what was told comes first."""
    heard = gathered(told([Signal()], fault=True))
    assert await anext(heard) == Signal()
    with pytest.raises(StoreDown):
        await anext(heard)


def test_signals_about_anything_win() -> None:
    """Merged with one about any point, a signal is about any point."""
    assert merged(Signal(), Signal((PointId("a"),))) == merged(Signal((PointId("a"),)), Signal()) == Signal()
