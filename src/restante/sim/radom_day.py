"""The day itself: announced through the API, dropped off, taken back, deposited and collected at the banks' doors.

A refusal of room is answered with the next best point: the nearest by the instance's road matrix that the API says has
room. Everything is announced before anything is put in, so room only gets less meanwhile and a point that is full stays
full: a parcel is refused for good when no point of the network has room for it, and is then cancelled.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random
from typing import Any, Final

import msgspec

from restante.hub.notices.mail import read_code
from restante.hub.notices.sink import Sink
from restante.sim.demo.api import Api, Declined
from restante.sim.demo.ground import Ground, Item, Role
from restante.sim.demo.visits import Visit
from restante.sim.polish import LETTERS, Instance
from restante.sim.radom_network import Network, some_at_once
from restante.sim.radom_plan import Errand, announcement, shuffled, tours, with_room

BULK: Final = 1_000
PAGE: Final = 200
MAIL_S: Final = 900.0
SETTLE_S: Final = 300.0
"""Generous: they only end a day whose hub stands still. How long mails really took stands in the account."""
STILL_S: Final = 3.0
TRIES: Final = 10
AGAIN_S: Final = 1.0
ELSEWHERE: Final = frozenset({"no-room", "never-fits"})

Tell = Callable[[str, int], None]
"""Is told that so many parcels more have come as far as a phase of the day."""


class Way(msgspec.Struct):
    """One parcel's way through the day: where it asked for room, what it was told, where it went.

    ``refused`` is the refusal at the point asked for, ``offered`` the lockers that the API named in its place, nearest
    as the crow flies, ``tries`` how many others were asked then; ``failed`` tells what went wrong, if anything.
    """

    errand: Errand
    item: Item
    locker: int | None = None
    refused: str = ""
    offered: tuple[int, ...] = ()
    tries: int = 0
    mailed_s: float = 0.0
    failed: str = ""

    @property
    def is_first_offered(self) -> bool:
        """Whether the next best by road was also the first that the API named."""
        return self.locker is not None and self.offered[:1] == (self.locker,)

    @property
    def is_moved(self) -> bool:
        """Whether it went to another locker than the one it asked for."""
        return self.locker is not None and self.locker != self.errand.order.locker


class Day:
    """A day on its network; its phases are called in the order they stand in."""

    def __init__(self, instance: Instance, network: Network, sink: Sink, *, chance: Random, tell: Tell) -> None:
        self.ways: list[Way] = []
        self.ground = Ground()
        self.tours: tuple[tuple[int, ...], ...] = ()
        self.too_early = 0
        self._instance = instance
        self._network = network
        self._sink = sink
        self._chance = chance
        self._tell = tell
        self._collecting: list[asyncio.Task[None]] = []

    # --- announced and promised

    async def announce(self, errands: Sequence[Errand]) -> None:
        """Announce everything in bulk, in order, each for its own locker."""
        for first in range(0, len(errands), BULK):
            some = errands[first : first + BULK]
            items = [announcement(one, self._network.spots[one.order.locker].point) for one in some]
            told = await self._network.carrier.post("/parcels/bulk", {"items": items})
            for errand, answer in zip(some, told["items"], strict=True):
                self._announced(errand, answer)
            self._tell("announced", len(some))

    def _announced(self, errand: Errand, answer: dict[str, Any]) -> None:
        role = Role.COLLECTS if errand.order.is_delivery else Role.DROPS_OFF
        item = Item(errand.reference, "", errand.email, role, errand.rank)
        way = Way(errand, item)
        self.ways.append(way)
        accepted = answer.get("accepted")
        if accepted is None:
            way.failed = f"not announced: {answer['problem']['code']}"
            return
        item.id, item.code = accepted["parcel"], accepted["code"]
        self.ground.add(item)
        if accepted.get("promise"):
            self._bound(way, errand.order.locker)
            return
        problem = accepted["problem"]
        way.refused = problem["code"]
        near = (self._network.points.get(one["id"]) for one in problem.get("nearest") or ())
        way.offered = tuple(locker for locker in near if locker is not None)

    def _bound(self, way: Way, locker: int) -> None:
        way.locker, way.item.spot = locker, self._network.spots[locker]

    async def find_next_best(self) -> None:
        """Answer each refusal of room with the next best point, in the order of announcements."""
        waiting = [way for way in self.ways if way.refused in ELSEWHERE]
        if not waiting:
            return
        left = await self._room_left()
        for way in waiting:
            await self._elsewhere(way, left)
            self._tell("next best", 1)

    async def _room_left(self) -> dict[int, dict[int, int]]:
        """Room left by rank of size, then by locker, as the API tells the operator."""
        left: dict[int, dict[int, int]] = {rank: {} for rank in range(len(LETTERS))}
        async for point in pages(self._network.operator, "/points"):
            self._note_room(left, point)
        return left

    def _note_room(self, left: dict[int, dict[int, int]], point: dict[str, Any]) -> None:
        locker = self._network.points.get(point["id"])
        for one in point["room"]:
            if locker is not None and not one["needs"]:
                left[LETTERS.index(one["size"])][locker] = one["left"]

    async def _elsewhere(self, way: Way, left: dict[int, dict[int, int]]) -> None:
        for locker in with_room(self._instance, way.errand.order.locker, left[way.errand.rank]):
            way.tries += 1
            point = self._network.spots[locker].point
            try:
                await self._network.carrier.post(f"/parcels/{way.item.id}/reservation", {"point": point})
            except Declined as no:
                if no.code not in ELSEWHERE:
                    raise
            else:
                self._bound(way, locker)
            self._note_room(left, await self._network.operator.get(f"/points/{point}"))
            if way.locker is not None:
                return
        await self._network.carrier.post(f"/parcels/{way.item.id}/cancellation")
        way.item.ended = "cancelled"

    # --- dropped off

    async def drop_off(self) -> None:
        """Every sender reads the code in the mail, goes to the bank and puts the parcel in.

        A way to the bank takes people longer than a list takes to get there, so all set out once the lists stand still:
        a code that is typed too early counts as a wrong one, and five of those close the keypad.
        """
        senders = [way for way in self._promised() if not way.errand.order.is_delivery]
        codes = {way.errand.number: code for way in senders if (code := await self._code(way)) is not None}
        await self._lists_settled()
        order = shuffled([way.errand for way in senders if way.errand.number in codes], self._chance)
        by_number = {way.errand.number: way for way in senders}
        await asyncio.gather(*(self._send(by_number[one.number], codes[one.number]) for one in order))

    async def _lists_settled(self) -> None:
        """Wait until no bank has taken a newer list for a while."""
        before, since_s = list[int | None](), time.monotonic()
        ends_s = since_s + SETTLE_S
        while time.monotonic() < min(ends_s, since_s + STILL_S):
            seen = await asyncio.gather(*(spot.person.status() for spot in self._network.spots.values()))
            if (now := [status.generation for status in seen]) != before:
                before, since_s = now, time.monotonic()
            await asyncio.sleep(AGAIN_S / 4)

    async def _send(self, way: Way, code: str) -> None:
        spot = way.item.spot
        assert spot is not None
        for _ in range(TRIES):
            async with spot.turn:
                if await Visit(self.ground, spot).drop_off(code, way.item):
                    self._tell("dropped off", 1)
                    return
            await self._wait_for_list()
        way.failed = "the sender's code opened nothing"

    async def _code(self, way: Way) -> str | None:
        """The code in the first mail that has come for a person."""
        try:
            async with asyncio.timeout(MAIL_S):
                mail = await self._sink.next_mail(way.item.email)
        except TimeoutError:
            way.failed = "no mail came"
            return None
        way.mailed_s = time.monotonic()
        code = read_code(mail.mail())
        if code is None:
            way.failed = "no code in the mail"
        return code

    async def _wait_for_list(self) -> None:
        """The bank's list has not come yet that knows of this: wait a moment, and come again."""
        self.too_early += 1
        await asyncio.sleep(AGAIN_S)

    # --- taken back, deposited, collected

    async def deliver(self, couriers: int) -> None:
        """All couriers go their tours; recipients collect as soon as their mail has come."""
        load = Counter(way.locker for way in self._promised() if way.locker is not None)
        self.tours = tours(self._instance, couriers, load)
        stops: defaultdict[int, list[Way]] = defaultdict(list)
        for way in self._promised():
            if way.locker is not None:
                stops[way.locker].append(way)
        await asyncio.gather(*(self._tour(tour, stops) for tour in self.tours))
        await asyncio.gather(*self._collecting)

    async def _tour(self, tour: Sequence[int], stops: dict[int, list[Way]]) -> None:
        for locker in tour:
            await self._stop(locker, stops[locker])

    async def _stop(self, locker: int, ways: Sequence[Way]) -> None:
        """A courier's stop: what senders left comes out first, then what the van brings goes in."""
        spot, coming = self._network.spots[locker], [way for way in ways if way.errand.order.is_delivery]
        visit = Visit(self.ground, spot)
        async with spot.turn:
            if not await self._open_round(visit, locker):
                return
            while taken := await visit.take_back(lambda door: self.ground.behind(spot.source, door)):
                self._tell("taken back", len(taken))
            for way in coming:
                await self._deposit(visit, way)
            await visit.close_round()

    async def _open_round(self, visit: Visit, locker: int) -> bool:
        for _ in range(TRIES):
            if await visit.open_round(self._network.codes[locker]):
                return True
            await self._wait_for_list()
        return False

    async def _deposit(self, visit: Visit, way: Way) -> None:
        for _ in range(TRIES):
            if await visit.deposit(way.item):
                self._tell("deposited", 1)
                self._collecting.append(asyncio.create_task(self._collect(way)))
                return
            await self._wait_for_list()
        way.failed = "the bank took the parcel in at no door"

    async def _collect(self, way: Way) -> None:
        spot = way.item.spot
        assert spot is not None
        code = await self._code(way)
        for _ in range(TRIES if code is not None else 0):
            async with spot.turn:
                taken = await Visit(self.ground, spot).collect(code or "", way.item.email)
            if way.item in taken:
                way.item.ended = "collected"
                self._tell("collected", 1)
                return
            await self._wait_for_list()
        way.failed = way.failed or "the recipient's code opened nothing"

    # --- settled

    async def settle(self) -> None:
        """Wait until the hub holds every journal, let what couriers took back leave the network, wait for receipts."""
        await some_at_once(self._heard, self._network.spots)
        await some_at_once(self._release, (way for way in self._promised() if not way.errand.order.is_delivery))
        ends_s = time.monotonic() + SETTLE_S
        while self._owed() and time.monotonic() < ends_s:  # noqa: ASYNC110 looked for in as many boxes as people
            await asyncio.sleep(AGAIN_S / 4)

    async def _heard(self, locker: int) -> None:
        person = self._network.spots[locker].person
        await person.until(lambda status: status.acknowledged == status.head, seconds=SETTLE_S)

    async def _release(self, way: Way) -> None:
        try:
            await self._network.carrier.post(f"/parcels/{way.item.id}/release")
        except Declined as no:
            way.failed = way.failed or f"not released: {no.code}"
        else:
            way.item.ended = "released"

    def _owed(self) -> int:
        """How many who collected wait for their receipt: the second mail to them."""
        collected = (way.item.email for way in self.ways if way.item.ended == "collected")
        return sum(1 for email in collected if len(self._sink.inbox(email)) < 2)

    def _promised(self) -> list[Way]:
        return [way for way in self.ways if way.locker is not None]


async def pages(api: Api, path: str) -> AsyncIterator[dict[str, Any]]:
    """Everything in a list of the API, page by page."""
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await api.get(path, limit=PAGE, **more)
        for item in page["items"]:
            yield item
        cursor = page.get("cursor") or ""
        if not cursor:
            return
