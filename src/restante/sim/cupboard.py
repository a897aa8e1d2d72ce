"""What the worker keeps beside the ledger, in memory: people's details and codes, and what was tried to tell them."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any, Final

import msgspec

from restante.core.commands import Keys
from restante.core.ids import CommandId, ContactId, Lane, ParcelId, PointId, SourceId
from restante.core.parcel import Parcel
from restante.core.time import Instant
from restante.core.world import SourceHead
from restante.hub.fleet.shelf import MemoryShelf
from restante.sim.faults import Kind
from restante.sim.met import Felt
from restante.sim.rows import Break, RowBatch, RowLedger
from restante.store.attempts import Attempt, Errand
from restante.store.ledger import PointView, StoreDown, TaskRow, TimerRow
from restante.store.vault import CodeUse, ContactDetails, OpenedCode

_ROWS: Final = (
    "logs",
    "receipts",
    "kept_parcels",
    "kept_rooms",
    "kept_sources",
    "kept_points",
    "_promises",
    "_stays",
    "_timers",
    "_tasks",
    "_journal",
    "_credentials",
)


class FragileRows(RowLedger):
    """The rows of a story: they can be out of reach, and a worker stopped between a task's effect and crossing it off.

    Everything a hub does begins with one of the calls that fail while the database is down.
    """

    def __init__(self, felt: Felt | None = None) -> None:
        super().__init__()
        self._felt: Felt = Counter() if felt is None else felt
        self.before_finish: Callable[[], None] = _go_on
        self._outages = 0

    def stop(self) -> None:
        """The database is down."""
        self._outages += 1

    def go_on(self) -> None:
        """It is up again, unless something else keeps it down."""
        self._outages = max(0, self._outages - 1)

    def heal(self) -> None:
        """From now on it stays up."""
        self._outages = 0

    def back_up(self) -> Mapping[str, Any]:
        """All rows as they are."""
        return {name: _copy_of(getattr(self, name)) for name in _ROWS}

    def restore(self, rows: Mapping[str, Any]) -> None:
        """All rows are again as they were."""
        for name in _ROWS:
            setattr(self, name, _copy_of(rows[name]))

    def _reach(self) -> None:
        if self._outages:
            self._felt[Kind.STORE_DOWN] += 1
            raise StoreDown

    def take_break(self) -> Break | None:
        """See ``RowLedger.take_break``."""
        broken = super().take_break()
        if broken is not None:
            self._felt[Kind.ANSWER_LOST if broken is Break.AFTER else Kind.COMMIT_LOST] += 1
        return broken

    @asynccontextmanager
    async def transact(
        self, keys: Keys, receipts: Mapping[CommandId, Lane], *, ahead: bool = False
    ) -> AsyncIterator[RowBatch]:
        """See ``Ledger.transact``."""
        self._reach()
        async with super().transact(keys, receipts, ahead=ahead) as batch:
            yield batch

    async def parcels(self, ids: Iterable[ParcelId]) -> Mapping[ParcelId, Parcel]:
        """See ``Ledger.parcels``."""
        self._reach()
        return await super().parcels(ids)

    async def source(self, source: SourceId) -> SourceHead | None:
        """See ``Ledger.source``."""
        self._reach()
        return await super().source(source)

    async def view(self, point: PointId) -> PointView | None:
        """See ``Ledger.view``."""
        self._reach()
        return await super().view(point)

    async def claim_tasks(self, now: Instant, limit: int, lease_seconds: float, *, codes: int) -> Sequence[TaskRow]:
        """See ``Ledger.claim_tasks``."""
        self._reach()
        return await super().claim_tasks(now, limit, lease_seconds, codes=codes)

    async def claim_timers(self, now: Instant, limit: int, lease_seconds: float) -> Sequence[TimerRow]:
        """See ``Ledger.claim_timers``."""
        self._reach()
        return await super().claim_timers(now, limit, lease_seconds)

    async def finish_tasks(self, done: Iterable[TaskRow]) -> None:
        """See ``Ledger.finish_tasks``."""
        self.before_finish()
        await super().finish_tasks(done)


class BackedUpShelf(MemoryShelf):
    """A shelf whose hub can be restored: what was issued is forgotten, and a later epoch begins."""

    def restore(self) -> None:
        """As `restante db restored`."""
        self.epoch += 1
        self._kept.clear()


class MemoryVault:
    """See ``Vault``. Nothing is sealed, because nothing leaves the story."""

    def __init__(self) -> None:
        self._people: dict[ContactId, ContactDetails] = {}
        self._codes: dict[CodeUse, OpenedCode] = {}

    async def remember(self, contact: ContactId, details: ContactDetails) -> None:
        """See ``Vault``."""
        self._people[contact] = details

    async def remember_all(self, people: Mapping[ContactId, ContactDetails]) -> None:
        """See ``Vault``."""
        self._people.update(people)

    async def recall(self, contacts: Iterable[ContactId]) -> Mapping[ContactId, ContactDetails]:
        """See ``Vault``."""
        return {contact: self._people[contact] for contact in sorted(set(contacts)) if contact in self._people}

    async def forget(self, contacts: Iterable[ContactId]) -> None:
        """See ``Vault``."""
        for contact in contacts:
            self._people.pop(contact, None)

    async def kept(self, after: ContactId | None, limit: int) -> Sequence[tuple[ContactId, ParcelId]]:
        """See ``Vault``."""
        kept = ((one, self._people[one].kept_for) for one in sorted(self._people) if after is None or one > after)
        return [(one, parcel) for one, parcel in kept if parcel is not None][:limit]

    async def seal_code(self, code: OpenedCode) -> OpenedCode | None:
        """See ``Vault``."""
        return self._codes.setdefault(code.use, code) if code.holder in self._people else None

    async def open_code(self, parcel: ParcelId, point: PointId | None = None) -> OpenedCode | None:
        """See ``Vault``."""
        found = [code for use, code in self._known() if use.parcel == parcel and point in (None, use.point)]
        return max(found, key=lambda code: code.use.number, default=None)

    async def open_codes(self, uses: Iterable[CodeUse]) -> Mapping[CodeUse, OpenedCode]:
        """See ``Vault``."""
        known = dict(self._known())
        return {use: known[use] for use in uses if use in known}

    async def note_epoch(self, use: CodeUse, epoch: int) -> None:
        """See ``Vault``."""
        if use in self._codes:
            self._codes[use] = msgspec.structs.replace(self._codes[use], epoch=epoch)

    async def drop_code(self, use: CodeUse) -> None:
        """See ``Vault``."""
        self._codes.pop(use, None)

    def _known(self) -> list[tuple[CodeUse, OpenedCode]]:
        return [(use, code) for use, code in self._codes.items() if code.holder in self._people]


class MemoryAttempts:
    """See ``Attempts``."""

    def __init__(self) -> None:
        self._made: dict[Errand, dict[int, Attempt]] = {}

    async def made(self, errand: Errand) -> Sequence[Attempt]:
        """See ``Attempts``."""
        return [attempt for _, attempt in sorted(self._made.get(errand, {}).items())]

    async def add(self, errand: Errand, number: int, attempt: Attempt) -> None:
        """See ``Attempts``."""
        self._made.setdefault(errand, {}).setdefault(number, attempt)

    async def clear(self, errand: Errand) -> None:
        """See ``Attempts``."""
        self._made.pop(errand, None)


def _copy_of(rows: Mapping[Any, Any]) -> dict[Any, Any]:
    """The same rows, and those that change in place are others."""
    return {key: copy(row) for key, row in rows.items()}


def _go_on() -> None:
    """Nothing stops the worker."""
