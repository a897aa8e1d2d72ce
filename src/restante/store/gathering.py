"""Many callers' questions answered in one trip to the database; what comes during a trip goes together in the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence, Sized
from typing import Final, Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")

MOST_IN_A_TRIP: Final = 512
# After how many turns of the event loop without a newcomer nobody else is about to ask: no time at all in an idle hub.
_QUIET_TURNS: Final = 4


async def all_have_come(waiting: Sized, most: int) -> None:
    """Return when ``most`` wait, or when nobody has joined them for a few turns of the event loop.

    One turn reads what callers have sent meanwhile, and it takes some more until they ask. While there are newcomers it
    pays to wait for the next, for what goes together costs much less.
    """
    size, quiet = len(waiting), 0
    while size < most and quiet < _QUIET_TURNS:
        await asyncio.sleep(0)
        size, before = len(waiting), size
        quiet = quiet + 1 if size == before else 0


class Gathering(Generic[A, B]):
    """Answers many callers' questions in one trip; questions that come during a trip go together in the next."""

    def __init__(self, run: Callable[[Sequence[A]], Awaitable[Sequence[B]]]) -> None:
        self._run = run
        self._waiting: deque[tuple[Sequence[A], asyncio.Future[Sequence[B]]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def ask(self, questions: Sequence[A]) -> Sequence[B]:
        """The answer to each question, in order. Faults: those of the trip."""
        answer: asyncio.Future[Sequence[B]] = asyncio.get_running_loop().create_future()
        self._waiting.append((questions, answer))
        if self._writer is None:
            self._writer = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                await all_have_come(self._waiting, MOST_IN_A_TRIP)
                await self._trip(self._gathered())
        finally:
            self._writer = None

    def _gathered(self) -> list[tuple[Sequence[A], asyncio.Future[Sequence[B]]]]:
        asked = [self._waiting.popleft()]
        size = len(asked[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= MOST_IN_A_TRIP:
            asked.append(self._waiting.popleft())
            size += len(asked[-1][0])
        return asked

    async def _trip(self, asked: list[tuple[Sequence[A], asyncio.Future[Sequence[B]]]]) -> None:
        try:
            answers = await self._run([question for questions, _ in asked for question in questions])
        except Exception as fault:  # noqa: BLE001 every caller of the trip gets the fault, whichever it is
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(fault)
            return
        start = 0
        for questions, answer in asked:
            if not answer.done():
                answer.set_result(answers[start : start + len(questions)])
            start += len(questions)
