"""What counting costs on the hot path: microseconds a batch of the engine and a request of the API.

Run as ``python -m benchmarks.instruments``. Each figure is the least of several rounds, for whatever else the machine
does only adds to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from restante.core.ids import Lane
from restante.core.refusals import Refusal
from restante.hub.engine import Accepted
from restante.hub.light import Answering
from restante.hub.measures import Answers, Batches

ROUNDS = 15
TIMES = 2_000
ROUTE = ("POST", "/v1/parcels")


def least_us(act: Callable[[], object]) -> float:
    """Microseconds that ``act`` takes at least."""
    return min(_round_s(act) for _ in range(ROUNDS)) / TIMES * 1e6


def _round_s(act: Callable[[], object]) -> float:
    begun_s = perf_counter()
    for _ in range(TIMES):
        act()
    return perf_counter() - begun_s


def batch_us(size: int, *, refused: int = 0) -> float:
    """What counting a batch of so many commands costs, some of them refused."""
    batches = Batches()
    outcomes = [*[Accepted(((0, 1),))] * (size - refused), *[Refusal("no-room")] * refused]

    def note() -> None:
        begun_s = perf_counter()
        batches.note(Lane(1), outcomes, perf_counter() - begun_s)

    return least_us(note)


def _start() -> dict[str, Any]:
    return {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-type", b"a"), (b"content-length", b"1")],
    }


async def _answer(send: Callable[[Any], Awaitable[None]]) -> None:
    await send(_start())
    await send({"type": "http.response.body", "body": b""})


def request_us() -> tuple[float, float]:
    """What answering a request costs without being counted and named, and what it costs with that."""
    answers, number = Answers(), 0

    async def nowhere(_message: Any) -> None:
        pass

    def bare() -> None:
        _run(_answer(nowhere))

    def counted() -> None:
        nonlocal number
        number += 1
        answering, begun_s = Answering(nowhere, f"0123456789ab-{number}"), perf_counter()
        answers.under_way += 1
        _run(_answer(answering))
        answers.under_way -= 1
        answers.note(ROUTE, answering.status, perf_counter() - begun_s)

    return least_us(bare), least_us(counted)


def _run(answering: Any) -> None:
    try:
        answering.send(None)
    except StopIteration:
        return
    raise AssertionError("nothing here waits")


async def _main() -> None:
    for size, refused in ((1, 0), (16, 0), (256, 0), (256, 128)):
        cost = batch_us(size, refused=refused)
        print(f"a batch of {size:3}, {refused:3} refused: {cost:6.2f} µs, {cost / size:5.3f} µs a command")
    bare, counted = request_us()
    print(f"a request: {counted - bare:.2f} µs ({counted:.2f} against {bare:.2f})")


if __name__ == "__main__":
    asyncio.run(_main())
