"""The feed: every event a caller may see, lane by lane in the order of the log, with a cursor over all lanes.

A cursor maps each lane to the last position that was looked at, seen or not, so that a reader with few events of its
own does not pass over the others' again. Nothing is skipped and nothing comes twice to whoever keeps the cursor with
what it read: positions in a lane are gapless and become visible in order. So a position that is missing was retired
with its day, and whoever comes to it is told so, and never what lies behind it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, NoReturn, cast

import msgspec
from msgspec import Meta

from restante.core.ids import Lane
from restante.core.refusals import Fault, Refusal
from restante.core.status import EVENTS
from restante.hub.callers import Principal
from restante.hub.journeys.schemas import EventShown, FeedPage
from restante.hub.measures import Readers
from restante.hub.paging import read_cursor, write_cursor
from restante.hub.problems import Refused
from restante.store.ledger import Ledger, Recorded

POLL_S: Final = 0.15
PAGE_READ: Final = 500
MOST_READ: Final = 10_000

Positions = dict[Lane, int]
_Cursor = dict[Annotated[int, Meta(ge=0, le=65_535)], Annotated[int, Meta(ge=0, le=2**62)]]


class PositionMissing(Fault):
    """The log lacks a position, and no retired day explains it; `restante db check` tells more."""

    retryable = True


class HeadWatch:
    """Tells waiting readers when some lane has moved on: one look at the lanes serves all of them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._heads: Mapping[Lane, int] = {}
        self._moved = asyncio.Event()
        self._waiting = 0
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, seen: Mapping[Lane, int], *, seconds: float) -> None:
        """Return when a lane has moved beyond the heads ``seen``, or when the time is over."""
        deadline_s = time.monotonic() + seconds
        self._waiting += 1
        try:
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.create_task(self._watch())
            while self._heads == seen or not self._heads:
                async with asyncio.timeout(max(0.0, deadline_s - time.monotonic())):
                    await self._moved.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

    async def _watch(self) -> None:
        while self._waiting:
            try:
                heads = await self._ledger.lane_heads()
            except Fault:
                # Whoever waits asks the ledger next, and is told of the fault there.
                heads = {}
            if heads != self._heads:
                self._heads, moved = heads, self._moved
                self._moved = asyncio.Event()
                moved.set()
            await asyncio.sleep(POLL_S)
        self._heads = {}


class Feed:
    """The feed as callers read it."""

    def __init__(self, ledger: Ledger, readers: Readers) -> None:
        self._ledger = ledger
        self._readers = readers
        self._watch = HeadWatch(ledger)

    async def check(self) -> None:
        """Ask the database for the lanes once. Fault: ``StoreDown``."""
        await self._ledger.lane_heads()

    async def begin(self, cursor: str) -> Positions:
        """Where a reader begins who shows this cursor; none is the beginning of what has not been retired.

        Refused with ``cursor-malformed``. Fault: ``StoreDown``.
        """
        return self.positions(cursor) if cursor else dict(await self._ledger.cuts())

    def positions(self, cursor: str) -> Positions:
        """The positions a cursor stands for. Refused with ``cursor-malformed``."""
        return {Lane(lane): seq for lane, seq in read_cursor("feed", cursor, _Cursor).items()}

    async def read(
        self, caller: Principal, after: Positions, *, lane: int | None, limit: int, wait_s: float
    ) -> FeedPage:
        """What follows ``after``, waiting for it if there is nothing yet.

        Refused with ``cursor-too-old``, and the cursor to go on from, where what follows was retired. Faults:
        ``StoreDown``, ``PositionMissing``.
        """
        deadline_s = time.monotonic() + wait_s
        positions = dict(after)
        while True:
            heads = await self._ledger.lane_heads()
            items = await self._collect(caller, positions, heads=_of(heads, lane), limit=limit)
            left_s = deadline_s - time.monotonic()
            if items or left_s <= 0:
                self._readers.note(caller.org, positions)
                return FeedPage(items, write_cursor("feed", positions))
            if all(positions.get(one, 0) >= head for one, head in _of(heads, lane).items()):
                await self._watch.wait(heads, seconds=left_s)

    async def _collect(
        self, caller: Principal, positions: Positions, *, heads: Mapping[Lane, int], limit: int
    ) -> list[EventShown]:
        """Read on in every lane that has more, each getting its share of the page, and move the positions.

        A page ends before a position that is missing; a page that would begin with one is refused.
        """
        items: list[EventShown] = []
        read = 0
        while len(items) < limit and read < MOST_READ:
            behind = [lane for lane, head in heads.items() if positions.get(lane, 0) < head]
            if not behind:
                break
            share = max(1, (limit - len(items)) // len(behind))
            for lane in behind[: limit - len(items)]:
                at = positions.get(lane, 0)
                rows = _unbroken(await self._ledger.feed(lane, at, PAGE_READ), after=at)
                if not rows:
                    return items or await self._refuse(positions, heads)
                shown, positions[lane] = _share(rows, caller, most=share)
                items += shown
                read += len(rows)
        return items

    async def _refuse(self, positions: Positions, heads: Mapping[Lane, int]) -> NoReturn:
        """Name the positions after the retired days, in the lanes that are read."""
        cuts = await self._ledger.cuts()
        later = {lane: cut for lane, cut in cuts.items() if lane in heads and cut > positions.get(lane, 0)}
        if not later:
            raise PositionMissing
        raise Refused(Refusal("cursor-too-old", "cursor", write_cursor("feed", positions | later)))


def _unbroken(rows: Sequence[Recorded], *, after: int) -> Sequence[Recorded]:
    """The first of these rows, up to the first position that is missing."""
    return [row for seq, row in enumerate(rows, after + 1) if row.seq == seq]


def _of(heads: Mapping[Lane, int], lane: int | None) -> Mapping[Lane, int]:
    return heads if lane is None else {one: head for one, head in heads.items() if one == lane}


def _share(rows: Sequence[Recorded], caller: Principal, *, most: int) -> tuple[list[EventShown], int]:
    """The first events of these that the caller may see, and the position of the last one looked at."""
    shown: list[EventShown] = []
    for row in rows:
        if caller.may_see(row.org):
            shown.append(show_event(row))
            if len(shown) == most:
                return shown, row.seq
    return shown, rows[-1].seq


_ENCODER: Final = msgspec.json.Encoder()


def show_event(row: Recorded) -> EventShown:
    """An event as the API tells it."""
    status = EVENTS[type(row.event)]
    return EventShown(
        lane=row.lane,
        seq=row.seq,
        at=row.at,
        recorded_at=row.recorded_at,
        by=row.actor,
        phase=status.phase,
        actor=status.actor,
        is_terminal=status.is_terminal,
        event=cast(dict[str, Any], msgspec.Raw(_ENCODER.encode(row.event))),
        version=row.version,
        org=row.org,
    )
