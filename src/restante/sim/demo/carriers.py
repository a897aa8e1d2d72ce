"""The demo's carriers: they announce parcels over the API, and their couriers make rounds from bank to bank."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from restante.core.time import EPOCH, Instant
from restante.edge.loopback import LoopbackClosed
from restante.sim.demo.api import Api, Declined
from restante.sim.demo.ground import Ground, Item, Role, Spot
from restante.sim.demo.pace import PacedClock
from restante.sim.demo.visits import Visit

MOST_A_ROUND: Final = 10
SPARE: Final = timedelta(hours=3)
"""How long a courier's code must still last for a round to be begun with it."""

LOADED_S: Final = 6.0
SETTLED_S: Final = 0.4
AGAIN_S: Final = 1.5
IDLE_S: Final = 0.25
RELEASE_TRIES: Final = 400

_SIDES_MM: Final = ((300, 60, 200), (340, 170, 400), (360, 380, 500), (370, 560, 600))


class Carrier:
    """One carrier: its key, its couriers' codes, and the parcels it still has to bring or to take back."""

    def __init__(self, org: str, api: Api, ground: Ground, *, spots: Sequence[Spot], clock: PacedClock) -> None:
        self.org = org
        self.api = api
        self._clock = clock
        self._ground = ground
        self._spots = {spot.point: spot for spot in spots}
        self._point_of = {spot.source: spot.point for spot in spots}
        self._codes: dict[str, tuple[str, Instant]] = {}
        self._again_s: dict[str, float] = {}
        self._failures: Counter[str] = Counter()
        self._releasing: set[asyncio.Task[None]] = set()
        self._headed_for: set[str] = set()
        self.kept_away: set[str] = set()
        self.refused = 0

    # --- over the API

    async def announce(self, item: Item, spot: Spot, *, name: str, emails: Sequence[str], language: str) -> None:
        """Announce a parcel for a point; where there is no room, for the next best that the hub names."""
        width, height, depth = _SIDES_MM[item.rank]
        given: dict[str, Any] = {
            "reference": item.reference,
            "direction": "drop-off" if item.role is Role.DROPS_OFF else "delivery",
            "dimensions": {"width_mm": width, "height_mm": height, "depth_mm": depth},
            "weight_grams": 400 + 900 * item.rank,
            "recipient": {"name": name, "emails": list(emails), "language": language},
            "point": spot.point,
        }
        told = await self.api.post("/parcels", given, once=item.reference)
        item.id, item.code = told["parcel"], told["code"]
        item.spot = spot if told.get("promise") else None
        self._ground.add(item)
        if item.spot is None:
            self.refused += 1
            item.spot = await self._elsewhere(item, told["problem"].get("nearest") or [])
        if item.spot is None:
            await self.call_off(item)

    async def _elsewhere(self, item: Item, nearest: Sequence[dict[str, Any]]) -> Spot | None:
        """Room at the nearest of the points that the hub offers."""
        for near in nearest:
            try:
                await self.api.post(f"/parcels/{item.id}/reservation", {"point": near["id"]})
            except Declined:
                continue
            return self._spots[near["id"]]
        return None

    async def call_off(self, item: Item) -> None:
        """Cancel a parcel; one that a courier has put in already is taken back instead."""
        try:
            await self.api.post(f"/parcels/{item.id}/cancellation")
        except Declined as no:
            if no.code != "parcel-in-custody":
                raise
            await self.api.post(f"/parcels/{item.id}/recall", {"reason": "cancelled"})
        else:
            item.ended = "cancelled"

    async def redirect(self, item: Item, spot: Spot) -> bool:
        """Send a parcel to another point; False if the hub says no."""
        try:
            await self.api.post(f"/parcels/{item.id}/redirection", {"point": spot.point})
        except Declined as no:
            item.notes.append(no.code)
            return False
        item.spot = spot
        return True

    async def extend(self, item: Item, hours: int) -> Instant | None:
        """Hold a parcel longer; its new end, or None if the hub says no."""
        shown = await self.api.get(f"/parcels/{item.id}")
        hold = shown.get("stay", {}).get("hold")
        if hold is None:
            return None
        until = _instant(hold["ends_at"]) + timedelta(hours=hours)
        try:
            await self.api.post(f"/parcels/{item.id}/extension", {"ends_at": until.isoformat()})
        except Declined as no:
            item.notes.append(no.code)
            return None
        return until

    async def release(self, item: Item) -> None:
        """Take a parcel out of the network for good, once the hub has heard that a courier has it."""
        for _ in range(RELEASE_TRIES):
            try:
                await self.api.post(f"/parcels/{item.id}/release")
            except Declined as no:
                if no.code not in {"parcel-in-custody", "point-not-named"}:
                    item.notes.append(no.code)
                    return
                await asyncio.sleep(AGAIN_S / 3)
            else:
                item.ended = "released"
                return

    async def renew(self, item: Item) -> None:
        """Have room promised again to a parcel whose promise ran out before a courier could bring it."""
        if item.ended or item.behind is not None or item.spot is None:
            return
        try:
            await self.api.post(f"/parcels/{item.id}/reservation", {"point": item.spot.point})
        except Declined as no:
            item.notes.append(no.code)
            item.spot = await self._elsewhere(item, no.problem.get("nearest") or []) or item.spot

    # --- at the banks

    def due_at(self, spot: Spot) -> list[Item]:
        """Parcels to bring there."""
        return [item for item in self._ground.open_items() if item.spot is spot and self._is_due(item)]

    def _is_due(self, item: Item) -> bool:
        ours = item.org == self.org and item.is_in_hand and item.role is not Role.DROPS_OFF
        return ours and self._again_s.get(item.id, 0.0) <= time.monotonic()

    def to_take_back(self, spot: Spot) -> list[Item]:
        """Parcels there that the hub wants taken out."""
        return [
            item
            for item in self._ground.open_items()
            if item.org == self.org and item.recalled and item.behind is not None and item.behind[0] == spot.source
        ]

    async def drive(self) -> None:
        """One courier: goes where there is most to do and no colleague is headed for, for ever."""
        while True:
            work = self._work()
            if not work:
                await asyncio.sleep(IDLE_S)
                continue
            [(best, _)] = work.most_common(1)
            self._headed_for.add(best)
            try:
                await self._round(self._spots[best])
            except (LoopbackClosed, Declined) as failed:
                self._ground.breaches.append(f"a round at {self._spots[best].name} broke off: {failed}")
                await asyncio.sleep(AGAIN_S)
            finally:
                self._headed_for.discard(best)

    def _work(self) -> Counter[str]:
        """How much there is to do at each point that a courier may go to now."""
        work: Counter[str] = Counter()
        for item in self._ground.open_items():
            if item.spot is not None and self._is_due(item):
                work[item.spot.point] += 1
            elif item.recalled and item.behind is not None and item.org == self.org:
                work[self._point_of[item.behind[0]]] += 1
        for point in list(work):
            is_taken = point in self.kept_away | self._headed_for or self._spots[point].turn.locked()
            if is_taken or self._again_s.get(point, 0.0) > time.monotonic():
                del work[point]
        return work

    async def _round(self, spot: Spot) -> None:
        code = await self.code_for(spot)
        if not code:
            self._later(spot)
            return
        async with spot.turn:
            visit = Visit(self._ground, spot)
            if not await visit.open_round(code):
                self._later(spot)
                return
            self._failures.pop(spot.point, None)
            for item in self.due_at(spot)[:MOST_A_ROUND]:
                if not await visit.deposit(item):
                    self._again_s[item.id] = time.monotonic() + AGAIN_S
            before = len(self.to_take_back(spot))
            taken = await visit.take_back(lambda door: self._due_behind(spot, door))
            await visit.close_round()
        if before and not taken:
            self._later(spot)
        for item in taken:
            self._took_back(item, spot)

    def _released(self, releasing: "asyncio.Task[None]") -> None:
        self._releasing.discard(releasing)
        if not releasing.cancelled() and (wrong := releasing.exception()) is not None:
            self._ground.breaches.append(f"a release broke off: {wrong}")

    def _later(self, spot: Spot) -> None:
        """Come back to a point later; with a new code if the old one opened nothing twice."""
        self._again_s[spot.point] = time.monotonic() + AGAIN_S
        self._failures[spot.point] += 1
        if self._failures[spot.point] >= 2:
            self.forget_code(spot)

    def _took_back(self, item: Item, spot: Spot) -> None:
        """A parcel is on the van: it goes on to its next point, or out of the network."""
        item.recalled = False
        if item.spot is spot:
            releasing = asyncio.create_task(self.release(item))
            self._releasing.add(releasing)
            releasing.add_done_callback(self._released)

    def _due_behind(self, spot: Spot, door: int) -> list[Item]:
        return [item for item in self.to_take_back(spot) if item.behind == (spot.source, door)]

    async def code_for(self, spot: Spot) -> str:
        """The code of this carrier's couriers at a point; a new one is used once the machine has heard of it."""
        code, ends_at = self._codes.get(spot.point, ("", EPOCH))
        if self._clock.now() >= ends_at - SPARE and not spot.line.is_cut:
            before = (await spot.person.status()).generation or 0
            made = await self.api.post(f"/points/{spot.point}/courier-codes")
            code = str(made["code"])
            self._codes[spot.point] = code, _instant(made["expires_at"])
            with suppress(LoopbackClosed):  # the line may break just now; the screen will say that the code is wrong
                await spot.person.until(lambda status: (status.generation or 0) > before, seconds=LOADED_S)
            await asyncio.sleep(SETTLED_S)
        return code

    def forget_code(self, spot: Spot) -> None:
        """Ask for a new code next time."""
        self._codes.pop(spot.point, None)


def _instant(text: str) -> Instant:
    return Instant.fromisoformat(text)
