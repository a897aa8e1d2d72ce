"""The ledger in PostgreSQL: one or two trips a batch, reads from a pool, leases for the worker's tasks and timers."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from restante.core.commands import Keys
from restante.core.ids import CommandId, Lane, ParcelId, PointId, SourceId, lane_of
from restante.core.parcel import Parcel
from restante.core.refusals import Fault
from restante.core.reservation import Room
from restante.core.time import Instant
from restante.core.timers import TimerKind
from restante.core.world import SourceHead, World
from restante.store import bodies, connect, statements, trips, upkeep
from restante.store.arrays import Column, big_numbers, lanes, numbers, texts, uuids
from restante.store.gathering import Gathering
from restante.store.kept import KeptRows, Row, Stand
from restante.store.ledger import (
    KEPT_DAYS,
    Changes,
    Credential,
    JournalRow,
    OutcomeUnknown,
    PointView,
    Receipt,
    Recorded,
    RowsMoved,
    Signal,
    Standing,
    StoreDown,
    TaskRow,
    TimerRow,
    Unforeseen,
)
from restante.store.trips import Rows
from restante.store.writers import Writers, faults_named
from restante.store.writes import heads_after, writes

_SQL: Final = {
    name: statement
    for file in ("sql/batch.sql", "sql/ledger.sql")
    for name, statement in statements.load("restante.store", file).items()
}
PREPARED: Final = trips.prepared(_SQL)
"""Every statement of the ledger, as each of its writing connections keeps it."""

Found = dict[str, dict[Any, Row]]
Asked = tuple[trips.Prepared, trips.Given]
K = TypeVar("K", bound=str)
_NOT_YET: Final[Row] = (0, None)
# Each kind of row that a batch loads whole: its statement, how its body is read, and what its rows are named by.
_LOADED: Final[Mapping[str, tuple[str, msgspec.json.Decoder[Any], str]]] = {
    "parcels": ("load_parcels", bodies.PARCEL, "id"),
    "rooms": ("load_rooms", bodies.ROOM, "point"),
    "sources": ("load_sources", bodies.SOURCE, "source"),
    "points": ("load_points", bodies.POINT, "id"),
}
_FORGETS: Final = ("forget_receipts", "forget_requests", "forget_attempts", "forget_cases")
_PAGES_KNOWN: Final = 1024
# How far the clocks of two hubs may differ: a page of the feed is looked for from this long before the last one's end.
_CLOCK_SLACK: Final = timedelta(days=1)


class PostgresBatch:
    """Rows to decide on: loaded in an open transaction that has locked their lanes, or kept, and ``foreseen``.

    A foreseen batch begins, looks at its one lane's turn, writes and commits in one trip. It took for granted that the
    parcels in ``made`` do not exist and that no command has a receipt, which the keys of their tables then prove.
    """

    def __init__(
        self,
        db: AsyncConnection,
        keys: Keys,
        found: Found,
        *,
        stands: Mapping[Lane, Stand],
        receipts: Mapping[CommandId, Receipt],
        kept: KeptRows,
        age: int,
        foreseen: bool = False,
    ) -> None:
        rows = {table: {key: row for key, (_, row) in of.items()} for table, of in found.items()}
        self.world = World(
            dict.fromkeys(keys.parcels) | rows["parcels"],
            dict.fromkeys(keys.rooms) | rows["rooms"],
            dict.fromkeys(keys.sources) | rows["sources"],
            dict.fromkeys(keys.points) | rows["points"],
        )
        self.heads: Mapping[Lane, int] = {lane: stand.head for lane, stand in stands.items()}
        self.receipts = receipts
        self._db = db
        self._found = found
        self._stands = stands
        self._kept = kept
        self._age = age
        self._foreseen = foreseen

    async def commit(self, changes: Changes) -> None:
        """Write and commit in one trip: see ``Batch.commit``."""
        db = self._db
        versions = {table: {key: version for key, (version, _) in rows.items()} for table, rows in self._found.items()}
        try:
            with faults_named(db):
                written = [(PREPARED[name], arrays) for name, arrays in writes(changes, versions, self.heads)]
                await trips.trip(db, [*self._begun(changes), *written, (trips.COMMIT, {})])
        except Fault as fault:
            self._kept.let_go()
            if isinstance(fault, StoreDown):
                # Whether the server saw the COMMIT before the connection broke cannot be told from here.
                raise OutcomeUnknown from fault
            if isinstance(fault, RowsMoved) and self._foreseen:
                for lane in self._stands:
                    self._kept.doubt(lane)
                raise Unforeseen from fault
            raise
        self._keep(changes)

    def _begun(self, changes: Changes) -> list[Asked]:
        """What a foreseen batch has to do before it writes. Fault: ``RowsMoved``, when that would not be enough."""
        if not self._foreseen:
            return []
        if any(row is None and key not in changes.parcels for key, row in self.world.parcels.items()):
            # A refusal that rests on a parcel's absence, and nobody has looked.
            raise RowsMoved
        ((lane, stand),) = self._stands.items()
        return [(trips.BEGIN, {}), _asked("hold_lane", {"lane": lane, "turn": stand.turn})]

    def _keep(self, changes: Changes) -> None:
        left, moved = _rows_left(changes, self._found), heads_after(changes, self.heads)
        for lane, before in self._stands.items():
            here = left if len(self._stands) == 1 else _in_lane(left, lane)
            after = _moved(before, moved[lane]) if lane in moved else before
            self._kept.keep(lane, (before, after), here, age=self._age)


class PostgresLedger:
    """The ledger in a PostgreSQL database; made by ``open_ledger``."""

    def __init__(self, dsn: str, *, writers: int, readers: int) -> None:
        self._dsn = dsn
        self._kept = KeptRows()
        # A server that is met anew may be another one, or the same as it was some time ago.
        self._writers = Writers(dsn, limit=writers, statements=PREPARED.values(), opened=self._kept.let_go)
        self._reads = connect.reads_pool(dsn, size=readers)
        self._rows: dict[str, Gathering[str, Any]] = {
            table: Gathering(partial(self._found, table)) for table in _LOADED
        }
        self._turn = 0
        self._pages: dict[tuple[Lane, int], Instant] = {}

    async def open(self) -> None:
        """Open the first connections. Fault: ``StoreDown``."""
        async with self._writers.one():
            pass
        await self._reads.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._reads.close()
        await self._writers.close()

    @asynccontextmanager
    async def transact(
        self, keys: Keys, receipts: Mapping[CommandId, Lane], *, ahead: bool = False
    ) -> AsyncIterator[PostgresBatch]:
        """One batch: see ``Ledger.transact``."""
        async with self._writers.one() as db:
            try:
                with faults_named(db):
                    batch = _foreseen(db, keys, kept=self._kept) if ahead else None
                    batch = batch or await _loaded(db, keys, receipts, kept=self._kept)
                yield batch
            except Fault:
                self._kept.let_go()
                raise
            finally:
                await _left(db)

    async def ensure_lanes(self, count: int) -> None:
        """Make the lanes that are missing."""
        await self._write("ensure_lanes", {"count": count})

    async def lane_heads(self) -> Mapping[Lane, int]:
        """The head of every lane."""
        return {Lane(lane): head for lane, head in await self._read("lane_heads", {})}

    async def cuts(self) -> Mapping[Lane, int]:
        """Of each lane the position up to which days were retired."""
        return {Lane(lane): last for lane, last in await self._read("cuts", {})}

    async def parcels(self, ids: Iterable[ParcelId]) -> Mapping[ParcelId, Parcel]:
        """Those of these parcels that exist."""
        return await self._existing("parcels", ids)

    async def rooms(self, ids: Iterable[PointId]) -> Mapping[PointId, Room]:
        """Those of these rooms that exist."""
        return await self._existing("rooms", ids)

    async def source(self, source: SourceId) -> SourceHead | None:
        """How far a source's journal has been adopted."""
        heads: Mapping[SourceId, SourceHead] = await self._existing("sources", [source])
        return heads.get(source)

    async def journal(self, source: SourceId, epoch: int, span: range) -> Sequence[JournalRow]:
        """Adopted entries whose numbers lie in ``span``, in order."""
        given = {"lane": lane_of(source), "source": source, "epoch": epoch, "first": span.start, "end": span.stop}
        rows = await self._read("journal", given)
        return [JournalRow(source, epoch, seq, hash_, entry) for seq, hash_, entry in rows]

    async def feed(self, lane: Lane, after: int, limit: int) -> Sequence[Recorded]:
        """Events of a lane after a position, in order."""
        since = self._pages.get((lane, after))
        given = {
            "lane": lane,
            "after": after,
            "limit": limit,
            "since": (since - _CLOCK_SLACK).isoformat() if since else "-infinity",
        }
        page = [_recorded(lane, row) for row in await self._read("feed", given)]
        if page:
            self._remember(page[-1])
        return page

    async def history(self, subject: ParcelId | PointId) -> Sequence[Recorded]:
        """Every event about one parcel or point, in order."""
        lane = lane_of(subject)
        rows = await self._read("history", {"lane": lane, "subject": subject})
        return [_recorded(lane, row) for row in rows]

    async def view(self, point: PointId) -> PointView | None:
        """What a point's manifest is made of, in one statement and so in one snapshot."""
        rows = await self._read("view", {"lane": lane_of(point), "point": point})
        if not rows:
            return None
        shown, room, head, promises, stays, credentials = rows[0]
        return PointView(
            bodies.POINT.decode(shown),
            bodies.ROOM.decode(room),
            bodies.SOURCE.decode(head),
            tuple(map(bodies.PROMISE.decode, promises)),
            tuple(map(bodies.STAY.decode, stays)),
            tuple(map(bodies.CREDENTIAL.decode, credentials)),
        )

    async def standing(self, lane: Lane) -> Standing:
        """Every row of custody of a lane, in one statement and so in one snapshot."""
        ((parcels, rooms, promises, stays, *timers),) = await self._read("standing", {"lane": lane})
        return Standing(
            tuple(map(bodies.PARCEL.decode, parcels)),
            tuple(map(bodies.ROOM.decode, rooms)),
            tuple(map(bodies.PROMISE.decode, promises)),
            tuple(map(bodies.STAY.decode, stays)),
            tuple(TimerRow(parcel, TimerKind(kind), due) for parcel, kind, due in zip(*timers, strict=True)),
        )

    async def claim_tasks(self, now: Instant, limit: int, lease_seconds: float, *, codes: int) -> Sequence[TaskRow]:
        """Lease tasks that nobody holds, one lane after the other, oldest first."""
        rows = await self._claim("claim_tasks", now, {"others": limit, "codes": codes}, lease_seconds=lease_seconds)
        claimed = [
            TaskRow(lane, seq, ordinal, bodies.TASK.decode(body), attempts)
            for lane, (seq, ordinal, attempts, body) in rows
        ]
        return sorted(claimed, key=lambda row: (row.seq, row.lane, row.ordinal))

    async def finish_tasks(self, done: Iterable[TaskRow]) -> None:
        """Delete tasks that have had their effect."""
        rows = list(done)
        given = {
            "lanes": numbers(row.lane for row in rows),
            "seqs": big_numbers(row.seq for row in rows),
            "ordinals": numbers(row.ordinal for row in rows),
        }
        await self._write("finish_tasks", given)

    async def postpone_task(self, task: TaskRow, until: Instant) -> None:
        """Give a task back for later."""
        given: trips.Given = {"lane": task.lane, "seq": task.seq, "ordinal": task.ordinal, "until": until}
        await self._write("postpone_task", given)

    async def claim_timers(self, now: Instant, limit: int, lease_seconds: float) -> Sequence[TimerRow]:
        """Lease timers that are due, one lane after the other, the longest due first."""
        rows = await self._claim("claim_timers", now, {"timers": limit}, lease_seconds=lease_seconds)
        claimed = [TimerRow(ParcelId(parcel), TimerKind(kind), due) for _, (parcel, kind, due) in rows]
        return sorted(claimed, key=lambda row: (row.due, row.parcel, row.kind))

    async def points(self) -> Sequence[PointId]:
        """Every point of the network."""
        return [PointId(point) for (point,) in await self._read("points", {})]

    async def tell(self, point: PointId) -> None:
        """Signal that the manifest of a point may have to change; see ``signals``."""
        await self._write("tell", {"points": point})

    async def put_credential(self, credential: Credential) -> bool:
        """Store how a code is recognised; False when another live code at the point has the same verifier."""
        given: trips.Given = {
            "lane": lane_of(credential.point),
            "point": credential.point,
            "subject": credential.subject,
            "verifier": credential.verifier,
            "expires_at": credential.expires_at,
            "body": bodies.encode(credential),
        }
        told = {"points": credential.point}
        async with self._writers.one() as db:
            with faults_named(db):
                try:
                    await trips.trip(db, [(PREPARED["put_credential"], given), (PREPARED["tell"], told)])
                except psycopg.errors.UniqueViolation:
                    return False
        return True

    async def drop_credential(self, point: PointId, subject: str) -> None:
        """Forget how a code is recognised."""
        await self._write("drop_credential", {"lane": lane_of(point), "point": point, "subject": subject})

    async def signals(self) -> AsyncIterator[Signal]:
        """A signal at once, then one for each commit of any hub on this database that left tasks."""
        target = connect.conninfo(self._dsn, name="restante signals", settings={})
        with faults_named():
            async with await AsyncConnection.connect(target, autocommit=True) as db:
                await db.execute(b"LISTEN restante")
                yield Signal()
                async for notice in db.notifies():
                    yield Signal(tuple(PointId(point) for point in notice.payload.split(",") if point))

    async def upkeep(self, now: Instant) -> None:
        """Make the coming days' partitions of the log, and forget old receipts, Idempotency-Keys and attempts."""
        async with self._writers.one() as db:
            with faults_named(db):
                await upkeep.make_days(db, now.date())
                forgotten: trips.Given = {"before": now - timedelta(days=KEPT_DAYS)}
                await trips.trip(db, [(PREPARED[one], forgotten) for one in _FORGETS])

    async def _existing(self, table: str, ids: Iterable[K]) -> dict[K, Any]:
        asked = list(ids)
        with faults_named():
            # What is no id is refused here, before it could spoil the trip of those who ask at the same time.
            _keyed(asked)
        rows = await self._rows[table].ask(asked) if asked else ()
        return {key: row for key, row in zip(asked, rows, strict=True) if row is not None}

    async def _found(self, table: str, ids: Sequence[str]) -> list[Any]:
        """Whole rows of a table, for all who ask just now; None where there is none."""
        name, body, key = _LOADED[table]
        rows = [body.decode(text) for _, text in await self._read(name, _keyed(list(dict.fromkeys(ids))))]
        found = {getattr(row, key): row for row in rows}
        return [found.get(one) for one in ids]

    async def _read(self, name: str, given: Mapping[str, object]) -> Rows:
        with faults_named():
            async with self._reads.connection() as db:
                cursor = await db.execute(_SQL[name].text.encode(), given, binary=True)
                return await cursor.fetchall()

    async def _write(self, name: str, given: trips.Given) -> None:
        async with self._writers.one() as db:
            with faults_named(db):
                await trips.trip(db, [(PREPARED[name], given)])

    async def _claim(
        self, name: str, now: Instant, left: dict[str, int], *, lease_seconds: float
    ) -> list[tuple[Lane, tuple[Any, ...]]]:
        """Claim lane by lane, beginning with another one each time, so that a busy lane cannot starve the others.

        ``left`` says how many may be claimed of each share; the share a row belongs to comes before the row.
        """
        lanes = sorted(await self.lane_heads())
        self._turn = (self._turn + 1) % max(len(lanes), 1)
        found: list[tuple[Lane, tuple[Any, ...]]] = []
        until = now + timedelta(seconds=lease_seconds)
        async with self._writers.one() as db:
            with faults_named(db):
                for lane in (*lanes[self._turn :], *lanes[: self._turn]):
                    if not any(left.values()):
                        break
                    given: trips.Given = {"lane": lane, "now": now, "until": until, **left}
                    (rows,) = await trips.trip(db, [(PREPARED[name], given)])
                    for share, *row in rows:
                        left[share] -= 1
                        found.append((lane, tuple(row)))
        return found

    def _remember(self, last: Recorded) -> None:
        self._pages[last.lane, last.seq] = last.recorded_at
        if len(self._pages) > _PAGES_KNOWN:
            del self._pages[next(iter(self._pages))]


@asynccontextmanager
async def open_ledger(dsn: str, *, writers: int = 4, readers: int = 4) -> AsyncIterator[PostgresLedger]:
    """A ledger over the migrated database at ``dsn``. Fault: ``StoreDown``.

    ``writers`` bounds the batches under way (one per lane is enough) together with the worker's claims.
    """
    ledger = PostgresLedger(dsn, writers=writers, readers=readers)
    try:
        await ledger.open()
        yield ledger
    finally:
        await ledger.close()


def _foreseen(db: AsyncConnection, keys: Keys, *, kept: KeptRows) -> PostgresBatch | None:
    """A batch without a first trip: in a lane of this process's own, every row of it kept or made by its commands."""
    here = keys.lanes()
    stands = {lane: stand for lane in here if len(here) == 1 and (stand := kept.own(lane)) is not None}
    if not stands:
        return None
    wanted = _wanted(keys)
    seen = kept.find(here, wanted)
    needed = wanted | {"parcels": keys.parcels - keys.made}
    if any(not ids <= seen.rows[table].keys() for table, ids in needed.items()):
        return None
    found = {table: dict(rows) for table, rows in seen.rows.items()}
    return PostgresBatch(db, keys, found, stands=stands, receipts={}, kept=kept, age=seen.age, foreseen=True)


async def _loaded(
    db: AsyncConnection, keys: Keys, receipts: Mapping[CommandId, Lane], *, kept: KeptRows
) -> PostgresBatch:
    """The first trip: lock the lanes, then load; each statement sees what was committed before the locks were had.

    Rows that this process kept are not loaded, unless their lane turns out to have been changed by somebody else.
    """
    wanted, touched = _wanted(keys), keys.lanes()
    seen = kept.find(touched, wanted)
    missing = {table: sorted(ids - seen.rows[table].keys()) for table, ids in wanted.items()}
    asked = [(trips.BEGIN, {}), _asked("lock_lanes", {"lanes": numbers(sorted(touched))}), *_loads(missing)]
    if receipts:
        asked.append(_asked("load_receipts", {"lanes": numbers(receipts.values()), "commands": texts(receipts)}))
    _, locked, *read = await trips.trip(db, asked)
    stands = {Lane(lane): Stand(head, turn) for lane, head, turn in locked}
    answered = [Receipt(Lane(lane), *rest) for lane, *rest in (read.pop() if receipts else ())]
    found = {table: dict(rows) for table, rows in seen.rows.items()}
    _take_in(found, missing, read)
    if stale := seen.stale({lane: stand.turn for lane, stand in stands.items()}):
        _take_in(found, stale, await trips.trip(db, _loads(stale)))
    told = {one.command: one for one in answered}
    return PostgresBatch(db, keys, found, stands=stands, receipts=told, kept=kept, age=seen.age)


def _wanted(keys: Keys) -> dict[str, frozenset[Any]]:
    return {"parcels": keys.parcels, "rooms": keys.rooms, "sources": keys.sources, "points": keys.points}


def _moved(before: Stand, head: int) -> Stand:
    """Where a batch leaves a lane whose head it moved; events count as turns, see ``lock_lanes``."""
    return Stand(head, before.turn + 1 + head - before.head)


def _asked(name: str, given: trips.Given) -> Asked:
    return PREPARED[name], given


def _loads(wanted: Mapping[str, Sequence[str]]) -> list[Asked]:
    return [_asked(_LOADED[table][0], _keyed(ids)) for table, ids in wanted.items() if ids]


def _take_in(found: Found, wanted: Mapping[str, Sequence[str]], answers: Iterable[Rows]) -> None:
    """Put the rows that were read in place of what was found of them before; some may be no more."""
    asked = [(table, ids) for table, ids in wanted.items() if ids]
    for (table, ids), rows in zip(asked, answers, strict=True):
        _, body, name = _LOADED[table]
        for key in ids:
            found[table].pop(key, None)
        for version, text in rows:
            row = body.decode(text)
            found[table][getattr(row, name)] = version, row


def _rows_left(changes: Changes, found: Found) -> Found:
    """The rows as a batch leaves them: those it changed or made, and those it only looked at."""
    left: Found = {"parcels": found["parcels"] | {key: (row.version, row) for key, row in changes.parcels.items()}}
    changed: Mapping[str, Mapping[Any, Any]] = {
        "rooms": changes.rooms,
        "sources": changes.sources,
        "points": changes.points,
    }
    for table, rows in changed.items():
        left[table] = found[table] | {key: (found[table].get(key, _NOT_YET)[0] + 1, row) for key, row in rows.items()}
    return left


def _in_lane(rows: Found, lane: Lane) -> Found:
    return {table: {key: row for key, row in of.items() if lane_of(key) == lane} for table, of in rows.items()}


async def _left(db: AsyncConnection) -> None:
    """Roll back what was not committed; a connection that cannot even do that is closed by whoever lent it."""
    if not db.closed and db.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
        with suppress(psycopg.Error):
            await db.rollback()


def _recorded(lane: Lane, row: tuple[Any, ...]) -> Recorded:
    seq, recorded_at, at, version, org, schema, actor, command, body = row
    event = bodies.EVENT.decode(body)
    return Recorded(lane, seq, at, recorded_at, actor, command, event, version, org, schema)


def _keyed(ids: Sequence[str]) -> dict[str, Column]:
    # Ids come first, for they are checked: only of an id can the lane be told.
    return {"ids": uuids(ids), "lanes": lanes(ids)}
