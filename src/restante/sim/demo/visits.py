"""What one person does at one bank or counter, going by what the screen says and which door stands open.

Everything goes through the machine's loopback door, which stands for its keypad, its screen and its steel. A visit is
alone at its machine, as people are.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from restante.edge import loopback
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice
from restante.edge.loopback import Status
from restante.edge.screens import Screen
from restante.sim.demo.ground import Ground, Item, Spot

DOOR_S: Final = 25.0
MOST_DOORS: Final = 6
_DONE: Final = "kiosk.deposit.done"
_MORE: Final = "kiosk.done.more"


class Visit:
    """One person at one machine; hold ``spot.turn`` while using it."""

    def __init__(self, ground: Ground, spot: Spot) -> None:
        self._ground = ground
        self._spot = spot

    # --- recipients and senders

    async def collect(self, code: str, email: str) -> list[Item]:
        """Type a code and take what is one's own; what was taken, nothing if no door opened."""
        taken: list[Item] = []
        for _ in range(MOST_DOORS):
            seen = await self._after(await self._type(code), _asks_to_take)
            if not _asks_to_take(seen.screen):
                self._note_refusal(seen)
                return taken
            door = _door(seen)
            inside = self._ground.behind(self._spot.source, door)
            mine = [item for item in inside if item.email == email]
            if not mine or (len(mine) < len(inside) and not self._spot.staffed):
                self._ground.breaches.append(f"door {door} of {self._spot.name} opened for {email} on another's parcel")
            seen = await self._out(door)
            if seen.screen.page == "done":
                for item in mine[: _count(seen, len(mine))]:
                    self._ground.take(item, self._spot, by="recipient")
                    taken.append(item)
            if not _says(seen, _MORE):
                return taken
        return taken

    async def drop_off(self, code: str, item: Item) -> bool:
        """Type a sender's code and put the parcel in; whether it is in."""
        return await self._put_where_asked(item, await self._type(code), by="sender")

    async def guess(self, code: str) -> None:
        """Type a code that opens nothing."""
        seen = await self._type(code)
        self._ground.wrong_codes += 1
        if seen.screen.page == "door":
            self._ground.breaches.append(f"a wrong code opened door {seen.screen.door} of {self._spot.name}")

    # --- couriers

    async def open_round(self, code: str) -> bool:
        """Open a round with a courier's code."""
        return (await self._type(code)).screen.page == "round"

    async def deposit(self, item: Item) -> bool:
        """Scan a parcel and put it in where a door opens; whether it is in."""
        by = "courier"
        return await self._put_where_asked(item, await self._spot.person.scan(item.code), by=by)

    async def take_back(self, due: Callable[[int], Sequence[Item]]) -> list[Item]:
        """Take out all that the screen lists for the courier; ``due`` names the parcels wanted from a door."""
        taken: list[Item] = []
        for _ in range(MOST_DOORS * 10):
            seen = await self._spot.person.status()
            if Choice.TAKE_BACK.value not in seen.screen.choices:
                break
            seen = await self._after(await self._spot.person.choose(Choice.TAKE_BACK), _asks_to_take)
            if not _asks_to_take(seen.screen):
                break
            door = _door(seen)
            wanted = due(door)
            count = _listed(seen.screen)
            await self._out(door)
            for item in wanted[:count]:
                self._ground.take(item, self._spot, by="courier")
                taken.append(item)
        return taken

    async def close_round(self) -> None:
        """Leave."""
        await self._spot.person.choose(Choice.CLOSE_ROUND)

    # --- screens and doors

    async def _type(self, code: str) -> Status:
        return await self._spot.person.enter_code(code, self._spot.channel)

    async def _after(self, seen: Status, wanted: Callable[[Screen], bool]) -> Status:
        """Watch the screen while it speaks of a door, until it asks for what is wanted."""
        ends_s = time.monotonic() + DOOR_S
        while seen.screen.page == "door" and not wanted(seen.screen) and time.monotonic() < ends_s:
            seen = await self._watch(seen)
        return seen

    async def _until_shut(self, seen: Status) -> Status:
        """Watch the screen until it has taken note of the shut door, or speaks of another one."""
        ends_s, door = time.monotonic() + DOOR_S, seen.screen.door
        while seen.screen.page == "door" and seen.screen.door == door and time.monotonic() < ends_s:
            seen = await self._watch(seen)
        return seen

    async def _watch(self, seen: Status) -> Status:
        return await self._spot.person.ask(loopback.Watch(seen.screen_number))

    async def _out(self, door: int) -> Status:
        """Take out what lies behind the open door and shut it; at a counter staff say that it is done."""
        seen = await self._spot.person.status()
        if self._spot.staffed:
            return await self._spot.person.choose(Choice.DONE)
        await self._spot.person.touch(door, Deed.TAKE, Deed.PUSH)
        return await self._until_shut(seen)

    async def _put_where_asked(self, item: Item, seen: Status, *, by: str) -> bool:
        """Put the parcel behind each door that the screen asks for, until one keeps it."""
        for _ in range(MOST_DOORS):
            seen = await self._after(seen, _asks_to_put)
            if not _asks_to_put(seen.screen):
                self._note_refusal(seen)
                return False
            door = _door(seen)
            if self._spot.staffed:
                seen = await self._spot.person.choose(Choice.DONE)
            else:
                await self._spot.person.touch(door, Deed.PUT, Deed.PUSH)
                seen = await self._until_shut(seen)
            if _says(seen, _DONE) or seen.screen.page == "done":
                self._ground.put(item, self._spot, door, by=by)
                return True
        return False

    def _note_refusal(self, seen: Status) -> None:
        if any(line.key == "kiosk.stuck.what" for line in seen.screen.lines):
            self._ground.stuck_doors += 1


async def alone(spot: Spot) -> None:
    """Wait for the place in front of the machine."""
    await spot.turn.acquire()
    await asyncio.sleep(0)


def _door(seen: Status) -> int:
    assert seen.screen.door is not None, "a screen about a door names it"
    return seen.screen.door


def _asks_to_put(screen: Screen) -> bool:
    return any(line.key in {"kiosk.door.put", "kiosk.counter.put"} for line in screen.lines)


def _asks_to_take(screen: Screen) -> bool:
    return any(line.key in {"kiosk.door.take", "kiosk.door.take_all", "kiosk.counter.parcel"} for line in screen.lines)


def _says(seen: Status, key: str) -> bool:
    return any(line.key == key for line in seen.screen.lines)


def _listed(screen: Screen) -> int:
    """How many parcels the screen says to take."""
    line = next((line for line in screen.lines if line.key == "kiosk.door.take_all"), None)
    on_the_shelf = sum(line.key == "kiosk.counter.parcel" for line in screen.lines)
    return int(line.values["count"]) if line else max(1, on_the_shelf)


def _count(_: Status, most: int) -> int:
    return most
