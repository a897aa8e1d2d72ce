"""The shell around the pacing of a bus, where its clock is not on time."""

import asyncio

from restante.edge.drivers.bus import Bus, Clock
from restante.edge.drivers.pacing import Pacing
from restante.edge.drivers.port import Rejected


async def test_who_was_to_be_called_already_is_called_at_once() -> None:
    """Given a pulse that waits for the gap, when the loop comes only after it, then nobody waits any longer."""
    now_ms, waited = 0, list[int]()

    async def wait(duration_ms: int) -> None:
        waited.append(duration_ms)

    bus = Bus(Pacing(), Clock(lambda: now_ms, wait))

    async def pulse(door: int) -> Rejected | None:
        async with bus.unlock_turn(door, None) as rejected:
            return rejected

    assert await pulse(1) is None
    second = asyncio.create_task(pulse(2))
    await asyncio.sleep(0)
    now_ms = 60_000
    assert await asyncio.wait_for(second, 5) is None
    assert waited == [0]
    bus.close()
