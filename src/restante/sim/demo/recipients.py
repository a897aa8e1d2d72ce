"""The demo's recipients and senders: they read their mail, come with their code, and sometimes do what people do."""

import asyncio
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from restante.core.bank import SourceKind
from restante.edge.boards.steel import Deed
from restante.hub.notices.mail import read_code
from restante.hub.notices.sink import Received, Sink
from restante.sim.demo.carriers import Carrier
from restante.sim.demo.ground import Ground, Item, Role, Spot
from restante.sim.demo.pace import PacedClock
from restante.sim.demo.visits import Visit
from restante.words import catalogue

TRIES: Final = 8
AGAIN_HOURS: Final = 3.0
EXTRA_HOURS: Final = 24
_SUBJECTS: Final[Mapping[str, str]] = {
    "ready": "notice.ready.subject",
    "reminder": "notice.reminder.subject",
    "drop-off": "notice.drop_off.subject",
}


class Recipients:
    """Everybody who gets or sends a parcel."""

    def __init__(
        self, ground: Ground, sink: Sink, carriers: Mapping[str, Carrier], *, clock: PacedClock, chance: Random
    ) -> None:
        self._ground = ground
        self._sink = sink
        self._carriers = carriers
        self._clock = clock
        self._chance = chance

    async def live(self, item: Item, others: Callable[[Spot], Spot]) -> None:
        """The story of one parcel from its recipient's side; ``others`` names another point than a given one."""
        assert item.spot is not None
        match item.role:
            case Role.IS_CALLED_OFF:
                await self._hours(1)
                await self._carriers[item.org].call_off(item)
                return
            case Role.REDIRECTS_EARLY:
                await self._carriers[item.org].redirect(item, others(item.spot))
            case _:
                pass
        await self._read_mails(item, others)

    async def _read_mails(self, item: Item, others: Callable[[Spot], Spot]) -> None:
        after = 0
        while not item.ended:
            mail = await self._sink.next_mail(item.email, after=after)
            after, at_s = mail.number, time.monotonic()
            item.mails += 1
            kind, code = self._read(mail, item)
            if kind == "ready" and item.first_code_s is None:
                item.first_code_s = at_s
            if code is not None:
                await self._act(item, kind, code, others=others)

    def _read(self, mail: Received, item: Item) -> tuple[str, str | None]:
        """What a mail is about, by its subject as people read it, and the code in it."""
        parsed = mail.mail()
        language = str(parsed["Content-Language"] or "en")
        place = item.spot.name if item.spot is not None else ""
        for kind, key in _SUBJECTS.items():
            if str(parsed["Subject"]) == catalogue(language).word(key, point=place):
                return kind, read_code(parsed)
        return "", None

    async def _act(self, item: Item, kind: str, code: str, *, others: Callable[[Spot], Spot]) -> None:
        """What the person does about a mail with a code."""
        match kind, item.role:
            case "drop-off", _:
                await self._hours(self._chance.uniform(0.5, 4))
                await self._drop_off(item, code)
            case "ready", Role.NEVER_COMES | Role.WAITS_FOR_REMINDER:
                pass
            case "reminder", Role.WAITS_FOR_REMINDER:
                await self._hours(0.5)
                await self._collect(item, code)
            case "ready", Role.REDIRECTS_LATE if not item.notes:
                item.notes.append("redirected")
                assert item.spot is not None
                if not await self._carriers[item.org].redirect(item, others(item.spot)):
                    await self._collect(item, code)
            case "ready", role:
                await self._prepare(item, role)
                await self._hours(self._chance.uniform(0.5, 7))
                await self._collect(item, code)
            case _:
                pass

    async def _prepare(self, item: Item, role: Role) -> None:
        """What happens before the person comes for the first time."""
        spot = item.spot
        assert spot is not None
        match role:
            case Role.EXTENDS:
                await self._carriers[item.org].extend(item, EXTRA_HOURS)
            case Role.MISTYPES:
                async with spot.turn:
                    await Visit(self._ground, spot).guess(f"{self._chance.randrange(10**8):08}")
            case Role.MEETS_A_JAM if spot.kind is SourceKind.BANK and item.behind is not None:
                await spot.person.touch(item.behind[1], Deed.JAM)
                item.notes.append(f"door {item.behind[1]} of {spot.name} jammed")
            case _:
                pass

    async def _collect(self, item: Item, code: str) -> None:
        """Come with the code, and again later if no door opened."""
        for _ in range(TRIES):
            spot = item.spot
            assert spot is not None
            if item.ended or item.recalled:
                return
            async with spot.turn:
                taken = await Visit(self._ground, spot).collect(code, item.email)
            for one in taken:
                one.ended = "collected"
            if item in taken:
                return
            await self._hours(AGAIN_HOURS)

    async def _drop_off(self, item: Item, code: str) -> None:
        for _ in range(TRIES):
            spot = item.spot
            assert spot is not None
            async with spot.turn:
                done = await Visit(self._ground, spot).drop_off(code, item)
            if done:
                item.recalled = True
                return
            await self._hours(AGAIN_HOURS)
        await self._carriers[item.org].call_off(item)

    async def _hours(self, count: float) -> None:
        await asyncio.sleep(self._clock.real_seconds(count))
