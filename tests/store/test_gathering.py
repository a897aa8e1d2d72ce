"""Questions are gathered into trips: nobody is left out, answers go to whoever asked, and an idle hub does not wait."""

import asyncio
from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.store.gathering import MOST_IN_A_TRIP, Gathering, all_have_come
from restante.store.ledger import StoreDown

callers = st.tuples(st.integers(0, 12), st.lists(st.integers(0, 99), max_size=4))


class Trips:
    """A database that says twice the number it is asked for, ``turns`` turns of the loop later."""

    def __init__(self, turns: int = 1) -> None:
        self.asked: list[list[int]] = []
        self._turns = turns

    async def run(self, questions: Sequence[int]) -> Sequence[int]:
        """One trip."""
        self.asked.append(list(questions))
        for _ in range(self._turns):
            await asyncio.sleep(0)
        if -1 in questions:
            raise StoreDown
        return [2 * one for one in questions]


async def after(turns: int) -> None:
    """Let the loop come round some times."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def turns_until_all_have_come(waiting: list[int], most: int, *, joining: Sequence[int] = ()) -> int:
    """After how many turns nobody else is waited for, when somebody joins in each of the turns named."""
    gathering = asyncio.ensure_future(all_have_come(waiting, most))
    for turn in range(200):
        if gathering.done():
            return turn
        if turn in joining:
            waiting.append(turn)
        await asyncio.sleep(0)
    raise AssertionError("it goes on waiting")


async def test_nobody_waits_long_for_nobody() -> None:
    """Given one who asks and nobody else, then a few turns of the loop are enough."""
    assert await turns_until_all_have_come([0], 100) <= 8


async def test_while_others_come_they_are_waited_for() -> None:
    """Given callers who come one after the other, when a gap is too long, then those before it go without the rest."""
    waiting = [0]
    joining = [*range(0, 60, 3), 90]
    assert 60 <= await turns_until_all_have_come(waiting, 100, joining=joining) < 90
    assert len(waiting) == 21


@pytest.mark.parametrize("most", [1, 2, 7])
async def test_a_full_trip_waits_for_nobody(most: int) -> None:
    """Given a flood of callers, when as many wait as go together, then the next one is not waited for."""
    waiting = [0]
    await turns_until_all_have_come(waiting, most, joining=range(200))
    assert len(waiting) in {most, most + 1}


async def test_those_who_come_one_after_the_other_share_a_trip() -> None:
    """Given callers who each come a turn after the last, when they ask, then one trip answers all of them."""
    trips = Trips()
    gathering = Gathering(trips.run)

    async def caller(number: int) -> Sequence[int]:
        await after(number)
        return await gathering.ask([number])

    assert await asyncio.gather(*map(caller, range(30))) == [[2 * number] for number in range(30)]
    assert len(trips.asked) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.lists(st.integers(0, 99), max_size=4)), max_size=12), st.integers(1, 9)
)
def test_everybody_gets_the_answers_to_what_they_asked(asking: list[tuple[int, list[int]]], turns: int) -> None:
    """Given callers at any time with any questions, then each gets its own answers, and each question is asked once."""

    async def answers() -> tuple[list[Sequence[int]], Trips]:
        trips = Trips(turns)
        gathering = Gathering(trips.run)

        async def caller(delay: int, questions: list[int]) -> Sequence[int]:
            await after(delay)
            return await gathering.ask(questions)

        return await asyncio.gather(*(caller(*one) for one in asking)), trips

    told, trips = asyncio.run(answers())
    assert told == [[2 * one for one in questions] for _, questions in asking]
    assert sorted(chain.from_iterable(trips.asked)) == sorted(one for _, questions in asking for one in questions)


async def test_a_trip_holds_no_more_than_it_may() -> None:
    """Given callers with more questions than go in a trip, when they ask at once, then they go in several."""
    trips = Trips()
    gathering = Gathering(trips.run)
    asked = [list(range(200)) for _ in range(6)]
    await asyncio.gather(*map(gathering.ask, asked))
    assert [len(one) for one in trips.asked] == [400, 400, 400]
    assert max(len(one) for one in trips.asked) <= MOST_IN_A_TRIP


async def test_a_fault_befalls_those_of_its_trip_and_nobody_later() -> None:
    """Given a trip that fails, then all its callers hear of it, and whoever asks afterwards is answered."""
    trips = Trips()
    gathering = Gathering(trips.run)
    told = await asyncio.gather(gathering.ask([1]), gathering.ask([-1]), return_exceptions=True)
    assert [type(one) for one in told] == [StoreDown, StoreDown]
    assert await gathering.ask([3]) == [6]


async def test_a_caller_who_left_holds_up_nobody() -> None:
    """Given a caller who gives up while a trip is under way, then the others get their answers."""
    trips = Trips(turns=20)
    gathering = Gathering(trips.run)
    gone, here = (asyncio.ensure_future(gathering.ask([number])) for number in (1, 2))
    await after(8)
    assert trips.asked == [[1, 2]]
    gone.cancel()
    assert await here == [4]
