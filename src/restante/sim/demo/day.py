"""A day of the demo: who announces what when, which parcel meets which fate, and what goes wrong on purpose."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from random import Random
from typing import Final

import msgspec

from restante.core.bank import SourceKind
from restante.edge.boards.steel import Deed
from restante.hub.notices.sink import Sink
from restante.sim.city import Building, City
from restante.sim.demo.carriers import Carrier
from restante.sim.demo.ground import Ground, Item, Role, Spot
from restante.sim.demo.pace import PacedClock
from restante.sim.demo.recipients import Recipients
from restante.sim.sites import Site

SHARES: Final[Mapping[Role, float]] = {
    Role.NEVER_COMES: 0.03,
    Role.WAITS_FOR_REMINDER: 0.03,
    Role.EXTENDS: 0.02,
    Role.REDIRECTS_EARLY: 0.02,
    Role.REDIRECTS_LATE: 0.02,
    Role.IS_CALLED_OFF: 0.02,
    Role.DROPS_OFF: 0.06,
    Role.MISTYPES: 0.01,
    Role.HAS_A_DEAD_MAILBOX: 0.01,
}
"""How often each fate is met, besides coming and collecting; each at least once where there are parcels enough."""

LEAST_GAP_S: Final = 0.16
"""How close upon another parcel is announced at most, in real time: each one's code costs a twentieth of a second."""

COURIERS: Final = 3
"""How many couriers each carrier has."""

_RANKS: Final = ((0, 0.40), (1, 0.42), (2, 0.15), (3, 0.03))
_WALK_M: Final = 220.0
_METRES_PER_DEGREE: Final = 111_195


class Plan(msgspec.Struct, frozen=True):
    """What a day shall be; hours are the demo's. Without ``parcels`` it never ends, and begins with ``at_first``."""

    parcels: int | None = None
    announce_hours: float = 8.0
    parcels_an_hour: float = 6.0
    at_first: int = 60
    cut_hours: float = 14.0
    cut_after_share: float = 0.5
    cuts: bool = True


class Cast(msgspec.Struct, frozen=True):
    """Who plays: the places, the carriers, the mail server, the city's homes and the account of what is really so."""

    spots: Sequence[Spot]
    carriers: Mapping[str, Carrier]
    sink: Sink
    city: City
    ground: Ground


def roles(count: int, chance: Random) -> list[Role]:
    """A fate for each of so many parcels: rare ones by their share and at least one each, one jam, the rest collect."""
    found: list[Role] = [Role.MEETS_A_JAM]
    for role, share in SHARES.items():
        found += [role] * max(1, round(share * count))
    found = found[:count]
    found += [Role.COLLECTS] * (count - len(found))
    chance.shuffle(found)
    return found


class Day:
    """One day, from the first announcement to the last parcel's end."""

    def __init__(self, cast: Cast, plan: Plan, *, clock: PacedClock, chance: Random) -> None:
        self._cast = cast
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._recipients = Recipients(cast.ground, cast.sink, cast.carriers, clock=clock, chance=chance)
        self._number = 0
        self._lives: set[asyncio.Task[None]] = set()
        self._failed: list[asyncio.Task[None]] = []
        self._some_announced = asyncio.Event()
        self.announced_all = asyncio.Event()
        self.cut_over = asyncio.Event()
        self.doing = ""

    async def run(self, watch: Callable[[], object]) -> None:
        """Play the day; ends when every parcel's story has ended, which a plan without a count of parcels never does.

        ``watch`` is called a few times a second.
        """
        carriers = [carrier for carrier in self._cast.carriers.values() for _ in range(COURIERS)]
        driving = [asyncio.create_task(carrier.drive()) for carrier in carriers]
        acting = [asyncio.create_task(self._announce()), asyncio.create_task(self._cut_a_line())]
        try:
            while not self._is_over():
                watch()
                _raise_first([*driving, *acting, *self._failed])
                await asyncio.sleep(0.2)
        finally:
            for task in (*driving, *acting, *self._lives):
                task.cancel()
            await asyncio.gather(*driving, *acting, *self._lives, return_exceptions=True)

    def _is_over(self) -> bool:
        played = self.announced_all.is_set() and self.cut_over.is_set()
        items = self._cast.ground.items.values()
        return played and all(item.ended and item.is_in_hand for item in items)

    # --- announcing

    async def _announce(self) -> None:
        plan, chance = self._plan, self._chance
        if plan.parcels is None:
            while True:
                for role in roles(100, chance):
                    await self._announce_one(role)
                    if self._number > plan.at_first:
                        await self._hours(chance.expovariate(plan.parcels_an_hour))
        for role in roles(plan.parcels, chance):
            await self._announce_one(role)
            await asyncio.sleep(max(self._clock.real_seconds(plan.announce_hours / plan.parcels), LEAST_GAP_S))
        self.announced_all.set()

    async def _announce_one(self, role: Role) -> None:
        self._number += 1
        number, cast = self._number, self._cast
        if number >= (self._plan.parcels or 120) * self._plan.cut_after_share:
            self._some_announced.set()
        org = next(islice(cycle(cast.carriers), number % len(cast.carriers), None))
        mailbox = f"resident-{number}@homes.example"
        item = Item(f"R-{number:06}", org, mailbox, role, self._rank(role))
        emails = [mailbox]
        if role is Role.HAS_A_DEAD_MAILBOX:
            emails.insert(0, f"resident-{number}@bounce.example")
        language = "fi" if number % 3 == 0 else "en"
        spot = self._near_home(role)
        await cast.carriers[org].announce(item, spot, name=f"Resident {number}", emails=emails, language=language)
        if item.spot is not None:
            life = asyncio.create_task(self._live(item))
            self._lives.add(life)
            life.add_done_callback(self._end_of_life)

    async def _live(self, item: Item) -> None:
        await self._recipients.live(item, self._other)
        if self._plan.parcels is None:
            await self._hours(1)
            self._cast.ground.forget(item)

    def _end_of_life(self, life: "asyncio.Task[None]") -> None:
        self._lives.discard(life)
        if not life.cancelled() and life.exception() is not None:
            self._failed.append(life)

    def _rank(self, role: Role) -> int:
        if role in {Role.REDIRECTS_EARLY, Role.REDIRECTS_LATE, Role.MEETS_A_JAM}:
            return 1
        ranks, weights = zip(*_RANKS, strict=True)
        return int(self._chance.choices(ranks, weights)[0])

    def _near_home(self, role: Role) -> Spot:
        """A point that somebody would choose: the nearer to home, the likelier."""
        home = self._chance.choice(self._cast.city.buildings)
        sites = {site.code: site for site in self._cast.city.sites}
        spots = [spot for spot in self._cast.spots if role is not Role.MEETS_A_JAM or spot.kind is SourceKind.BANK]
        far_m = [_metres(home, sites[spot.code]) for spot in spots]
        weights = [math.exp(-metres / _WALK_M) + 1e-9 for metres in far_m]
        return self._chance.choices(spots, weights)[0]

    def _other(self, spot: Spot) -> Spot:
        return self._chance.choice([one for one in self._cast.spots if one is not spot])

    # --- what the feed asks for

    async def renew(self, item: Item) -> None:
        """Have room promised again to a parcel; see ``Crew``."""
        await self._cast.carriers[item.org].renew(item)

    async def mend(self, point: str, door: int) -> None:
        """A technician comes some hours later and makes the latch work; see ``Crew``."""
        spot = next(spot for spot in self._cast.spots if spot.point == point)
        await self._hours(2)
        await spot.person.touch(door, Deed.MEND)

    # --- what goes wrong on purpose

    async def _cut_a_line(self) -> None:
        """Cut one bank off for hours while people go on there, then mend the line; every day anew if days never end."""
        while self._plan.cuts:
            await self._some_announced.wait()
            await self._cut_off(self._busiest_bank())
            if self._plan.parcels is not None:
                break
            await self._hours(24)
        self.cut_over.set()

    async def _cut_off(self, spot: Spot) -> None:
        await self._load_codes(spot)
        began_s = time.monotonic()
        spot.line.cut()
        spot.cuts.append((began_s, math.inf))
        self.doing = f"the line to {spot.name} is cut"
        await self._hours(self._plan.cut_hours)
        spot.line.heal()
        await spot.person.set_link(up=True)  # as a modem tells its machine that the line is back
        await spot.person.until(lambda status: status.online, seconds=600)
        spot.cuts[-1] = (began_s, time.monotonic())
        self.doing = ""

    def _busiest_bank(self) -> Spot:
        """The bank with most parcels to be brought, so that many are put in while it is cut off."""
        banks = [spot for spot in self._cast.spots if spot.kind is SourceKind.BANK]
        return max(banks, key=lambda spot: sum(len(one.due_at(spot)) for one in self._cast.carriers.values()))

    async def _load_codes(self, spot: Spot) -> None:
        """Couriers get fresh codes for the bank before its line is cut, as they do every morning."""
        for carrier in self._cast.carriers.values():
            carrier.kept_away.add(spot.point)
        for carrier in self._cast.carriers.values():
            carrier.forget_code(spot)
            await carrier.code_for(spot)
        await self._hours(0.5)
        for carrier in self._cast.carriers.values():
            carrier.kept_away.discard(spot.point)

    async def _hours(self, count: float) -> None:
        await asyncio.sleep(self._clock.real_seconds(count))


def _raise_first(tasks: Sequence[asyncio.Task[None]]) -> None:
    """A task that failed fails the day; nothing that went wrong is kept quiet."""
    for task in tasks:
        if task.done() and not task.cancelled() and (wrong := task.exception()) is not None:
            raise wrong


def _metres(home: Building, site: Site) -> float:
    east = (site.lon - home.lon) * math.cos(math.radians(home.lat))
    return math.hypot(site.lat - home.lat, east) * _METRES_PER_DEGREE
