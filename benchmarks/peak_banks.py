"""Locker banks of the hour of peak: enrolled, on lines of their own over TLS, with books that hold entries in memory.

Each speaks the session as a bank does, chains what it tells, answers every manifest with the entry that it is in force,
and sends on while earlier entries are under way. It has no doors, codes or people: those would take the processor that
the hub is to be measured on.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection

from restante.core.facts import Known, ManifestApplied
from restante.core.ids import PointId, SourceId
from restante.core.refusals import Refusal
from restante.edge.enrol import enrol
from restante.edge.identity import Identity
from restante.edge.link import address_of, line
from restante.sim.demo.api import Api
from restante.wire import journal
from restante.wire import session as wire
from restante.wire.enrol import parse_invitation

DOORS: Final = 120
ROOM_CLASS: Final = "0+seated"
_REACH_MM: Final = 1_000
_UNDER_WAY: Final = 2
_CLOCK: Final = journal.Clock("ntp", 20)
_POINT: Final = {
    "kind": "bank",
    "zone": "Europe/Helsinki",
    "hold": {"kind": "elapsed-hours", "hold_hours": 48},
}


class Bank:
    """One bank: its doors, and the entries that the hub has yet to acknowledge."""

    def __init__(self, point: PointId, source: SourceId, identity: Identity) -> None:
        self.point = point
        self.source = source
        self.doors = deque(range(1, DOORS + 1))
        self.wrong: list[str] = []
        self.head = journal.first_head(source, 1)
        self._identity = identity
        self._unsent: deque[str] = deque()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._sent: deque[int] = deque()
        self._wake = asyncio.Event()
        self.is_open = asyncio.Event()

    @property
    def unacknowledged(self) -> int:
        """Entries that the hub has not said it holds."""
        return len(self._waiting)

    def tell(self, fact: Known) -> tuple[int, asyncio.Future[None]]:
        """Put a fact into the book; its number, and what is done once the hub holds it."""
        data: dict[str, Any] = msgspec.to_builtins(fact)
        kind = data.pop("kind")
        stamp = journal.Stamp(1, datetime.now(UTC), int(time.monotonic() * 1000), _CLOCK)
        entry = journal.append_to(self.head, stamp, source=self.source, kind=kind, data=data)
        self.head = journal.head_after(entry)
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsent.append(journal.write_entry(entry).decode())
        self._waiting.append((entry.seq, held))
        self._wake.set()
        return entry.seq, held

    async def run(self) -> None:
        """Be in session until cancelled."""
        async with line(*address_of(self._identity, is_clock_trusted=True)) as connection:
            start = journal.first_head(self.source, 1)
            hello = wire.Hello(
                self.source, wire.VERSIONS, 1, 0, start.hash, 1, "bench", 0, 0, "", wire.SourceClock("ntp", 20)
            )
            await connection.send(wire.encode(hello), text=True)
            sending = asyncio.create_task(self._send(connection))
            try:
                async for frame in connection:
                    await self._hear(connection, wire.read_from_hub(frame))
            finally:
                sending.cancel()

    async def _send(self, connection: ClientConnection) -> None:
        number = 0
        await self.is_open.wait()
        while True:
            while self._unsent and len(self._sent) < _UNDER_WAY:
                number += 1
                part = tuple(self._unsent.popleft() for _ in range(min(wire.JOURNAL_BATCH, len(self._unsent))))
                self._sent.append(number)
                await connection.send(wire.encode(wire.JournalSent(number, part)), text=True)
            self._wake.clear()
            await self._wake.wait()

    async def _hear(self, connection: ClientConnection, message: wire.FromHub | Refusal) -> None:
        match message:
            case wire.Welcome():
                self.is_open.set()
            case wire.Ack(_, seq):
                if self._sent and self._sent[0] <= message.number:
                    self._sent.popleft()
                while self._waiting and self._waiting[0][0] <= seq:
                    self._waiting.popleft()[1].set_result(None)
                self._wake.set()
            case wire.ManifestSent(document):
                told = msgspec.json.decode(document)
                self.tell(ManifestApplied(told["hub_epoch"], told["generation"]))
            case wire.Ping(number):
                await connection.send(wire.encode(wire.Pong(number)), text=True)
            case wire.ManifestFresh() | wire.Pong():
                pass
            case _:
                self.wrong.append(f"a bank was told {message!r}"[:300])


async def put_up(operator: Api, folder: Path, count: int) -> Sequence[Bank]:
    """So many points with a bank each, enrolled, with their identities below ``folder``."""
    places = [folder / f"bank-{number}" for number in range(count)]
    for place in places:
        place.mkdir(mode=0o700)
    return [await _put_up(operator, place, number) for number, place in enumerate(places)]


async def _put_up(operator: Api, folder: Path, number: int) -> Bank:
    place = {"name": f"Bank {number}", "latitude": 60.1 + number / 1000, "longitude": 24.9}
    point = (await operator.post("/points", {**_POINT, **place}))["id"]
    doors = [{"door": door, "size": "S", "reach_height_mm": _REACH_MM} for door in range(1, DOORS + 1)]
    modules = [{"number": 1, "compartments": doors}]
    source = (await operator.post(f"/points/{point}/source", {"kind": "bank", "modules": modules}))["source"]
    invited = parse_invitation((await operator.post(f"/points/{point}/invitations"))["text"])
    assert not isinstance(invited, Refusal)
    identity = await enrol(invited, folder)
    assert isinstance(identity, Identity), identity
    return Bank(PointId(point), SourceId(source), identity)
