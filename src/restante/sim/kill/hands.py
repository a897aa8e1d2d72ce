"""What people do at a bank or a counter once its screen asks for it, in the words of either version of its program."""

from typing import Final

import msgspec

from restante.core.ids import ParcelId
from restante.edge.loopback import Status
from restante.sim.kill.machine import Machine

ASKS_TO_PUT: Final = frozenset({"kiosk.door.put", "kiosk.counter.put"})
ASKS_TO_TAKE: Final = frozenset({"kiosk.door.take", "kiosk.counter.parcel"})
IS_IN: Final = frozenset({"kiosk.deposit.done", "kiosk.done.dropped_off"})
IS_OUT: Final = frozenset({"kiosk.done.taken", "kiosk.counter.handed_over"})


class Done(msgspec.Struct, frozen=True):
    """At which door or place somebody did what was asked, with which parcel, and how things are afterwards."""

    door: int
    parcel: ParcelId | None
    seen: Status


async def put_in(machine: Machine, parcel: ParcelId) -> Done | None:
    """Put a parcel where the screen asks for one; None if it does not ask. Faults: those of `Machine.until`."""
    door = await _door_of(machine, ASKS_TO_PUT)
    if door is None:
        return None
    await machine.put_in(door, parcel)
    return Done(door, parcel, await machine.until(lambda seen: seen.screen.door != door))


async def take_out(machine: Machine, parcel: ParcelId) -> Done | None:
    """Take what lies where the screen says, this parcel by preference; None if it does not ask for that."""
    door = await _door_of(machine, ASKS_TO_TAKE)
    if door is None:
        return None
    taken = await machine.take_out(door, parcel)
    return Done(door, taken, await machine.until(lambda seen: seen.screen.door != door))


def says(seen: Status, keys: frozenset[str]) -> bool:
    """Whether the screen says one of these sentences."""
    return any(line.key in keys for line in seen.screen.lines)


async def _door_of(machine: Machine, keys: frozenset[str]) -> int | None:
    """The door that the screen speaks of, once it asks; a door that is only about to open is waited for."""
    seen = await machine.until(lambda seen: seen.screen.page != "door" or says(seen, keys))
    return seen.screen.door if says(seen, keys) else None
