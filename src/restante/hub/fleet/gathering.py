"""Signals of the ledger, gathered: what comes while manifests are brought up to date is looked at together afterwards.

A thousand codes made for one point in a second are a thousand signals, and one manifest.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from restante.store.ledger import Signal


def merged(one: Signal, other: Signal) -> Signal:
    """One signal about the points of both; about any point if either is."""
    if one.points is None or other.points is None:
        return Signal()
    return Signal(tuple(dict.fromkeys((*one.points, *other.points))))


async def gathered(signals: AsyncIterator[Signal]) -> AsyncGenerator[Signal, None]:
    """The signals as they come, and those that come while the caller is at work on one as one. Faults: the signals'."""
    pending: list[Signal] = []
    some = asyncio.Event()

    async def listen() -> None:
        try:
            async for signal in signals:
                pending[:] = [merged(pending[0], signal) if pending else signal]
                some.set()
        finally:
            some.set()

    listening = asyncio.create_task(listen())
    try:
        while pending or not listening.done():
            await some.wait()
            some.clear()
            if pending:
                yield pending.pop()
        await listening
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
