"""Entries set aside: what came of an ended log epoch and does not follow from what was adopted, kept byte for byte.

Theory of operation. A second history of an ended epoch (a cloned disk's, found afterwards) can neither be chained nor
be refused for ever: refused, it would keep the source's later entries waiting, and be lost with its disk. So it is kept
here as it came, nothing is adopted from it, and a case names it. Keeping an entry again changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from restante.core.ids import SourceId
from restante.core.time import Instant
from restante.hub.fleet.records import source_keys
from restante.store import statements
from restante.store.ledger import JournalRow
from restante.store.tables import Tables

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.fleet").items()}


class Aside(Protocol):
    """Where entries are set aside: in the database, or in the simulator's memory. Fault of all: ``StoreDown``."""

    async def keep(self, rows: Sequence[JournalRow], now: Instant) -> tuple[int, int]:
        """Keep entries of one epoch, at least one: the first number kept of that epoch, and how many are by now."""

    async def hashes(self, source: SourceId, epoch: int, span: range) -> frozenset[str]:
        """The hashes of entries kept under these numbers."""

    async def last(self, source: SourceId) -> Mapping[int, int]:
        """The last number kept of each epoch."""

    async def entries(self, source: SourceId) -> Sequence[JournalRow]:
        """Everything kept of a source, in order."""


class PostgresAside:
    """Entries set aside in the database."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def keep(self, rows: Sequence[JournalRow], now: Instant) -> tuple[int, int]:
        """See ``Aside``."""
        keys = {**source_keys(rows[0].source), "epoch": rows[0].epoch}
        given = {
            **keys,
            "now": now,
            "seqs": [row.seq for row in rows],
            "hashes": [row.hash for row in rows],
            "entries": [row.entry for row in rows],
        }
        async with self._tables.transaction() as run:
            await run(_SQL["set_aside"], given)
            [(first, count)] = await run(_SQL["count_aside"], keys)
        return int(first), int(count)

    async def hashes(self, source: SourceId, epoch: int, span: range) -> frozenset[str]:
        """See ``Aside``."""
        given = {**source_keys(source), "epoch": epoch, "first": span.start, "after": span.stop}
        return frozenset(found for (found,) in await self._tables.rows(_SQL["hashes_aside"], given))

    async def last(self, source: SourceId) -> Mapping[int, int]:
        """See ``Aside``."""
        return dict(await self._tables.rows(_SQL["last_aside"], source_keys(source)))

    async def entries(self, source: SourceId) -> Sequence[JournalRow]:
        """See ``Aside``."""
        rows = await self._tables.rows(_SQL["entries_aside"], source_keys(source))
        return [JournalRow(source, epoch, seq, found, bytes(entry)) for epoch, seq, found, entry in rows]


class MemoryAside:
    """Entries set aside in a simulated hub's memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[SourceId, int, int, str], JournalRow] = {}

    async def keep(self, rows: Sequence[JournalRow], now: Instant) -> tuple[int, int]:
        """See ``Aside``."""
        del now
        self._kept |= {(row.source, row.epoch, row.seq, row.hash): row for row in reversed(rows)} | self._kept
        of_epoch = [row.seq for row in await self.entries(rows[0].source) if row.epoch == rows[0].epoch]
        return of_epoch[0], len(of_epoch)

    async def hashes(self, source: SourceId, epoch: int, span: range) -> frozenset[str]:
        """See ``Aside``."""
        return frozenset(
            row.hash for row in await self.entries(source) if row.epoch == epoch and span.start <= row.seq < span.stop
        )

    async def last(self, source: SourceId) -> Mapping[int, int]:
        """See ``Aside``."""
        return {row.epoch: row.seq for row in await self.entries(source)}

    async def entries(self, source: SourceId) -> Sequence[JournalRow]:
        """See ``Aside``."""
        return [self._kept[key] for key in sorted(self._kept) if key[0] == source]
