"""The shelf of manifests: which were issued to each source, so that a generation is issued once and never falls.

Theory of operation. A manifest that says nothing new is not issued. One that does is built a second time under the lock
of its source, from a view read under that lock: of two hub processes with one change each, the second sees the first
one's manifest and the first one's change, so no generation names two things and no older view follows a newer one. The
last few are kept, as bases for differences. The epoch of the hub leads the order; a hub restored from a backup begins
a later one with ``begin_hub_epoch``.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from restante.core.ids import SourceId, lane_of
from restante.core.time import Instant, millis
from restante.hub.fleet.manifests import KEPT, Held, manifest_for, next_manifest
from restante.hub.settings import Settings
from restante.store import statements
from restante.store.ledger import Ledger, PointView
from restante.store.writers import faults_named
from restante.wire.manifest import Manifest, digest_of, document_of

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.fleet").items()}
_MANIFEST: Final = msgspec.json.Decoder(Manifest)

Kept = tuple[Manifest, ...]


class Shelf(Protocol):
    """Where issued manifests are kept: in the database, or in the simulator's memory."""

    async def hub_epoch(self) -> int:
        """The epoch of this hub."""

    async def renew(self, view: PointView, held: Held, now: Instant) -> Kept:
        """The manifests of the point's source, newest first, after issuing one if it is due. Fault: ``StoreDown``."""


class PostgresShelf:
    """The shelf in the database, shared by all hub processes."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], ledger: Ledger, settings: Settings) -> None:
        self._pool = pool
        self._ledger = ledger
        self._settings = settings

    async def hub_epoch(self) -> int:
        """See ``Shelf``."""
        with faults_named():
            async with self._pool.connection() as db:
                return await _hub_epoch(db)

    async def begin_hub_epoch(self, now: Instant) -> int:
        """Begin a later epoch: to be called once after the database was restored, before the listener starts.

        Epochs follow the clock, so that restoring one backup twice does not begin the same one twice.
        """
        with faults_named():
            async with self._pool.connection() as db:
                cursor = await db.execute(_SQL["begin_hub_epoch"], {"floor": millis(now) // 1000, "now": now})
                return int((await _one(cursor))[0])

    async def renew(self, view: PointView, held: Held, now: Instant) -> Kept:
        """See ``Shelf``; the lock is taken only when something is to be issued."""
        with faults_named():
            async with self._pool.connection() as db:
                kept, hub_epoch = await _kept(db, view.head.source), await _hub_epoch(db)
                draft = manifest_for(view, self._settings, now, generation=0, hub_epoch=hub_epoch)
                if next_manifest(draft, kept, held) is None:
                    return kept
                async with db.transaction():
                    return await self._issue(db, view, held, now=now)

    async def _issue(self, db: AsyncConnection, view: PointView, held: Held, *, now: Instant) -> Kept:
        source = view.head.source
        keys = {"lane": lane_of(source), "source": source}
        await db.execute(_SQL["know_source"], keys)
        await db.execute(_SQL["lock_source"], keys)
        newer = await self._ledger.view(view.point.id)
        kept, hub_epoch = await _kept(db, source), await _hub_epoch(db)
        draft = manifest_for(newer or view, self._settings, now, generation=0, hub_epoch=hub_epoch)
        issued = next_manifest(draft, kept, held)
        if issued is None:
            return kept
        row = {
            **keys,
            "hub_epoch": issued.hub_epoch,
            "generation": issued.generation,
            "point": view.point.id,
            "digest": digest_of(issued),
            "document": document_of(issued),
        }
        await db.execute(_SQL["put_manifest"], row)
        after = (issued, *kept)[:KEPT]
        await db.execute(_SQL["trim_manifests"], {**keys, "oldest": after[-1].generation})
        return after


class MemoryShelf:
    """The shelf of a hub that is one process and forgets: the simulator's."""

    def __init__(self, ledger: Ledger, settings: Settings, *, hub_epoch: int = 1) -> None:
        self.epoch = hub_epoch
        self._ledger = ledger
        self._settings = settings
        self._kept: dict[SourceId, Kept] = {}
        self._locks: defaultdict[SourceId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def hub_epoch(self) -> int:
        """See ``Shelf``; set ``epoch`` to begin a later one."""
        return self.epoch

    async def renew(self, view: PointView, held: Held, now: Instant) -> Kept:
        """See ``Shelf``."""
        source = view.head.source
        async with self._locks[source]:
            newer = await self._ledger.view(view.point.id)
            kept = self._kept.get(source, ())
            draft = manifest_for(newer or view, self._settings, now, generation=0, hub_epoch=self.epoch)
            issued = next_manifest(draft, kept, held)
            self._kept[source] = (issued, *kept)[:KEPT] if issued else kept
            return self._kept[source]


async def _kept(db: AsyncConnection, source: SourceId) -> Kept:
    cursor = await db.execute(_SQL["manifests"], {"lane": lane_of(source), "source": source, "limit": KEPT})
    rows: Sequence[tuple[Any, ...]] = await cursor.fetchall()
    return tuple(_MANIFEST.decode(document) for (document,) in rows)


async def _hub_epoch(db: AsyncConnection) -> int:
    return int((await _one(await db.execute(_SQL["hub_epoch"])))[0])


async def _one(cursor: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await cursor.fetchone()
    assert row is not None, "the statement always gives a row"
    return row
