"""The shelf of manifests: which were issued to each source, so that a generation is issued once and never falls.

Theory of operation. A manifest that says nothing new is not issued. One that does is built a second time under the lock
of its source, from a view read under that lock: of two hub processes with one change each, the second sees the first
one's manifest and the first one's change, so no generation names two things and no older view follows a newer one. The
last few are kept, as bases for differences. The epoch of the hub leads the order; a hub restored from a backup begins
a later one with ``begin_hub_epoch``.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from restante.core.ids import SourceId, lane_of
from restante.core.time import Instant, millis
from restante.core.world import SourceHead
from restante.hub.fleet.manifests import KEPT, MAX_GENERATION, Held, manifest_for, next_manifest
from restante.hub.fleet.records import source_keys
from restante.hub.settings import Settings
from restante.store import statements
from restante.store.gathering import Gathering
from restante.store.ledger import Ledger, PointView
from restante.store.tables import Run, Tables
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

    async def is_known(self, head: SourceHead, verifier: str) -> bool:
        """Whether a source knows a code: the manifest that its journal says is in force there names the verifier.

        False also when that manifest is too old to be kept. Fault: ``StoreDown``.
        """


class PostgresShelf:
    """The shelf in the database, shared by all hub processes."""

    def __init__(self, tables: Tables, ledger: Ledger, settings: Settings) -> None:
        self._tables = tables
        self._ledger = ledger
        self._settings = settings
        self._epochs: Gathering[None, int] = Gathering(self._read_epoch)
        self._shelves: Gathering[SourceId, Kept] = Gathering(self._read_kept)

    async def hub_epoch(self) -> int:
        """See ``Shelf``."""
        (epoch,) = await self._epochs.ask([None])
        return epoch

    async def _read_epoch(self, asked: Sequence[None]) -> list[int]:
        return [await _hub_epoch(self._tables.rows)] * len(asked)

    async def _read_kept(self, sources: Sequence[SourceId]) -> list[Kept]:
        kept = await _kept(self._tables.rows, sources)
        return [kept[source] for source in sources]

    async def renew(self, view: PointView, held: Held, now: Instant) -> Kept:
        """See ``Shelf``; the lock is taken only when something is to be issued."""
        (kept,), hub_epoch = await self._shelves.ask([view.head.source]), await self.hub_epoch()
        draft = manifest_for(view, self._settings, now, generation=0, hub_epoch=hub_epoch)
        if next_manifest(draft, kept, held) is None:
            return kept
        async with self._tables.transaction() as run:
            return await self._issue(run, view, held, now=now)

    async def is_known(self, head: SourceHead, verifier: str) -> bool:
        """See ``Shelf``; what a journal says is any number."""
        hub_epoch, generation = head.in_force
        if not (0 < hub_epoch < MAX_GENERATION and 0 < generation < MAX_GENERATION):
            return False
        issued = {**source_keys(head.source), "hub_epoch": hub_epoch, "generation": generation}
        return bool(await self._tables.rows(_SQL["verifier_issued"], {**issued, "verifier": verifier.encode()}))

    async def _issue(self, run: Run, view: PointView, held: Held, *, now: Instant) -> Kept:
        source = view.head.source
        keys = source_keys(source)
        await run(_SQL["know_source"], keys)
        await run(_SQL["lock_source"], keys)
        newer = await self._ledger.view(view.point.id)
        kept, hub_epoch = (await _kept(run, [source]))[source], await _hub_epoch(run)
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
        await run(_SQL["put_manifest"], row)
        after = (issued, *kept)[:KEPT]
        await run(_SQL["trim_manifests"], {**keys, "oldest": after[-1].generation})
        return after


async def begin_hub_epoch(tables: Tables, now: Instant) -> int:
    """Begin a later epoch: to be called once after the database was restored, before the listener starts.

    Epochs follow the clock, so that restoring one backup twice does not begin the same one twice. The database may be
    of an earlier version.
    """
    [(epoch,)] = await tables.rows(_SQL["begin_hub_epoch"], {"floor": millis(now) // 1000, "now": now})
    return int(epoch)


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

    async def is_known(self, head: SourceHead, verifier: str) -> bool:
        """See ``Shelf``."""
        kept = self._kept.get(head.source, ())
        named = (one.grants.values() for one in kept if (one.hub_epoch, one.generation) == head.in_force)
        return any(grant.verifier == verifier for grants in named for grant in grants)


async def _kept(run: Run, sources: Sequence[SourceId]) -> Mapping[SourceId, Kept]:
    asked = list(dict.fromkeys(sources))
    rows = await run(_SQL["manifests"], {"lanes": [*map(lane_of, asked)], "sources": asked, "limit": KEPT})
    kept: dict[SourceId, list[Manifest]] = {source: [] for source in asked}
    for source, document in rows:
        kept[SourceId(source)].append(_MANIFEST.decode(document))
    return {source: tuple(manifests) for source, manifests in kept.items()}


async def _hub_epoch(run: Run) -> int:
    [(epoch,)] = await run(_SQL["hub_epoch"], {})
    return int(epoch)
