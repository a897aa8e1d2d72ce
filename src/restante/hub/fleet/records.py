"""The fleet's records in the database: enrolment codes, certificates, and which session each source has."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from restante.core.ids import PointId, SourceId, is_laned_id, lane_of
from restante.core.time import Instant
from restante.hub.fleet.authority import Issued
from restante.hub.fleet.enrol import EnrolmentCode
from restante.store import connect, statements
from restante.store.writers import faults_named
from restante.wire.enrol import SourceName

Pool = AsyncConnectionPool[AsyncConnection]

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.fleet").items()}
_WRITES: Final = {**connect.READS, "default_transaction_read_only": "off"}
_CHANNEL: Final = b"LISTEN restante_fleet"


class SessionTaken(msgspec.Struct, frozen=True, tag="taken"):
    """A source has a new session; any other of its sessions is over."""

    source: SourceId
    session: str


class SourceRevoked(msgspec.Struct, frozen=True, tag="revoked"):
    """A source's certificates were revoked."""

    source: SourceId


class PointStirred(msgspec.Struct, frozen=True, tag="stirred"):
    """A point's manifest may have to change for a reason that no event tells of, as a new code."""

    point: PointId


class Restarted(msgspec.Struct, frozen=True, tag="restarted"):
    """News may have been missed: look at everything."""


News = SessionTaken | SourceRevoked | PointStirred | Restarted

_NEWS: Final[msgspec.json.Decoder[News]] = msgspec.json.Decoder(News)


class Beat(msgspec.Struct, frozen=True):
    """A live session of this process, and when its source was last heard from."""

    source: SourceId
    session: str
    heard_at: Instant


class Records:
    """The fleet's tables, shared by all hub processes. Fault of every method: ``StoreDown``."""

    def __init__(self, dsn: str, pool: Pool, network: str) -> None:
        self._dsn = dsn
        self._pool = pool
        self._network = network

    @property
    def pool(self) -> Pool:
        """The connections, for the shelf of manifests."""
        return self._pool

    async def put_code(self, code: EnrolmentCode) -> None:
        """Keep an enrolment code; earlier ones of the source are withdrawn, so that one is good at a time."""
        keys = _keys(SourceId(code.name.source))
        async with self._locked(keys) as db:
            await db.execute(_SQL["drop_codes"], keys)
            await db.execute(_SQL["put_code"], {**keys, "digest": code.digest, "expires_at": code.expires_at})

    async def find_code(self, digest: bytes) -> EnrolmentCode | None:
        """The code kept under this digest."""
        rows = await self._rows("find_code", {"digest": digest})
        for source, found, expires_at, used_by in rows:
            return EnrolmentCode(found, SourceName(self._network, source), expires_at, used_by)
        return None

    async def keep(self, issued: Issued, code: EnrolmentCode | None) -> bool:
        """Record a certificate: see ``enrol.Office.keep``."""
        source = SourceId(issued.peer.name.source)
        if not is_laned_id(source):
            return False
        keys = _keys(source)
        async with self._locked(keys) as db:
            if not await _may_hold(db, issued, code, keys):
                return False
            row = {
                **keys,
                "serial": str(issued.peer.serial),
                "key_sha256": issued.peer.key_sha256,
                "not_before": issued.not_before,
                "not_after": issued.peer.not_after,
            }
            await db.execute(_SQL["put_certificate"], row)
        return True

    async def revoke(self, source: SourceId, now: Instant) -> int:
        """Revoke every certificate of a source and withdraw its codes, and tell all hubs; how many were revoked."""
        keys = _keys(source)
        async with self._locked(keys) as db:
            await db.execute(_SQL["drop_codes"], keys)
            cursor = await db.execute(_SQL["revoke_certificates"], {**keys, "now": now})
            count = len(await cursor.fetchall())
            await _tell(db, SourceRevoked(source))
        return count

    async def revoked(self, now: Instant) -> Mapping[int, Instant]:
        """Serial numbers of revoked certificates that have not run out, and since when."""
        return {int(serial): at for serial, at in await self._rows("revoked_certificates", {"now": now})}

    async def enter(self, source: SourceId, point: PointId, *, session: str, now: Instant) -> None:
        """Record a source's new session and tell all hubs."""
        row = {**_keys(source), "point": point, "session": session, "now": now}
        with faults_named():
            async with self._pool.connection() as db, db.transaction():
                await db.execute(_SQL["enter_session"], row)
                await _tell(db, SessionTaken(source, session))

    async def keep_sessions(self, beats: Sequence[Beat]) -> frozenset[str]:
        """Note that these sessions are alive; those of them that are still their sources'."""
        given = {
            "lanes": [lane_of(beat.source) for beat in beats],
            "sources": [beat.source for beat in beats],
            "sessions": [beat.session for beat in beats],
            "heard": [beat.heard_at for beat in beats],
        }
        return frozenset(session for (session,) in await self._rows("keep_sessions", given))

    async def silent(self, before: Instant) -> Sequence[tuple[SourceId, PointId]]:
        """Sources not heard from since ``before`` of which the engine has not been told."""
        rows = await self._rows("silent_sources", {"before": before})
        return [(SourceId(source), PointId(point)) for source, point in rows]

    async def told_lost(self, sources: Iterable[SourceId], before: Instant) -> None:
        """Note that the engine has been told."""
        with faults_named():
            async with self._pool.connection() as db:
                for source in sources:
                    await db.execute(_SQL["told_lost"], {**_keys(source), "before": before})

    async def stir(self, point: PointId) -> None:
        """Have the manifest of a point brought up to date, in whatever hub process its session is."""
        with faults_named():
            async with self._pool.connection() as db:
                await _tell(db, PointStirred(point))

    async def news(self) -> AsyncIterator[News]:
        """``Restarted`` at once, then what any hub process tells. Fault: ``StoreDown``; then listen again."""
        with faults_named():
            target = connect.conninfo(self._dsn, name="restante fleet news", settings={})
            async with await AsyncConnection.connect(target, autocommit=True) as db:
                await db.execute(_CHANNEL)
                yield Restarted()
                async for notice in db.notifies():
                    yield _NEWS.decode(notice.payload)

    async def _rows(self, name: str, given: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        with faults_named():
            async with self._pool.connection() as db:
                cursor = await db.execute(_SQL[name], given)
                return await cursor.fetchall()

    @asynccontextmanager
    async def _locked(self, keys: Mapping[str, object]) -> AsyncIterator[AsyncConnection]:
        """A transaction that has the source to itself."""
        with faults_named():
            async with self._pool.connection() as db, db.transaction():
                await db.execute(_SQL["know_source"], keys)
                await db.execute(_SQL["lock_source"], keys)
                yield db


@asynccontextmanager
async def open_records(dsn: str, network: str, *, size: int = 4) -> AsyncIterator[Records]:
    """The fleet's records in the migrated database at ``dsn``."""
    target = connect.conninfo(dsn, name="restante fleet", settings=_WRITES)
    pool: Pool = AsyncConnectionPool(
        target,
        kwargs={"autocommit": True},
        min_size=1,
        max_size=size,
        timeout=connect.CONNECT_S,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    async with pool:
        yield Records(dsn, pool, network)


def _keys(source: SourceId) -> dict[str, object]:
    return {"lane": lane_of(source), "source": source}


async def _may_hold(
    db: AsyncConnection, issued: Issued, code: EnrolmentCode | None, keys: Mapping[str, object]
) -> bool:
    """A new machine may hold a certificate by its code, a known one while its source has another that is good."""
    if code is not None:
        cursor = await db.execute(_SQL["use_code"], {**keys, "digest": code.digest, "used_by": code.used_by})
    else:
        cursor = await db.execute(_SQL["live_certificate"], {**keys, "now": issued.not_before})
    return await cursor.fetchone() is not None


async def _tell(db: AsyncConnection, news: News) -> None:
    await db.execute(_SQL["tell_hubs"], {"news": msgspec.json.encode(news).decode()})
