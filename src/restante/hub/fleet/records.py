"""The fleet's records in the database: enrolment codes, certificates, and which session each source has."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from restante.core.ids import PointId, SourceId, is_laned_id, lane_of
from restante.core.time import Instant
from restante.hub.fleet.authority import Issued
from restante.hub.fleet.enrol import EnrolmentCode
from restante.store import statements
from restante.store.gathering import Gathering
from restante.store.news import STARTED, heard
from restante.store.tables import Asked, Run, Tables, open_tables
from restante.wire.enrol import SourceName

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.hub.fleet").items()}
_CHANNEL: Final = "restante_fleet"


class SessionTaken(msgspec.Struct, frozen=True, tag="taken"):
    """A source has a new session; any other of its sessions is over."""

    source: SourceId
    session: str


class SourceRevoked(msgspec.Struct, frozen=True, tag="revoked"):
    """A source's certificates were revoked."""

    source: SourceId


class Restarted(msgspec.Struct, frozen=True, tag="restarted"):
    """News may have been missed: look at everything."""


News = SessionTaken | SourceRevoked | Restarted

_NEWS: Final[msgspec.json.Decoder[News]] = msgspec.json.Decoder(News)


class Beat(msgspec.Struct, frozen=True):
    """A live session of this process, and when its source was last heard from."""

    source: SourceId
    session: str
    heard_at: Instant


class Entry(msgspec.Struct, frozen=True):
    """A source's new session, and when it began."""

    source: SourceId
    point: PointId
    session: str
    at: Instant


class Records:
    """The fleet's tables, shared by all hub processes. Fault of every method: ``StoreDown``."""

    def __init__(self, dsn: str, tables: Tables, network: str) -> None:
        self.tables = tables
        self._dsn = dsn
        self._network = network
        self._entering: Gathering[Entry, None] = Gathering(self._enter)

    async def put_code(self, code: EnrolmentCode) -> None:
        """Keep an enrolment code; earlier ones of the source are withdrawn, so that one is good at a time."""
        keys = source_keys(SourceId(code.name.source))
        async with self._locked(keys) as run:
            await run(_SQL["drop_codes"], keys)
            await run(_SQL["put_code"], {**keys, "digest": code.digest, "expires_at": code.expires_at})

    async def find_code(self, digest: bytes) -> EnrolmentCode | None:
        """The code kept under this digest."""
        rows = await self.tables.rows(_SQL["find_code"], {"digest": digest})
        for source, found, expires_at, used_by in rows:
            return EnrolmentCode(found, SourceName(self._network, source), expires_at, used_by)
        return None

    async def keep(self, issued: Issued, code: EnrolmentCode | None) -> bool:
        """Record a certificate: see ``enrol.Office.keep``."""
        source = SourceId(issued.peer.name.source)
        if not is_laned_id(source):
            return False
        keys = source_keys(source)
        async with self._locked(keys) as run:
            if not await _may_hold(run, issued, code):
                return False
            row = {
                **keys,
                "serial": str(issued.peer.serial),
                "key_sha256": issued.peer.key_sha256,
                "not_before": issued.not_before,
                "not_after": issued.peer.not_after,
            }
            await run(_SQL["put_certificate"], row)
        return True

    async def revoke(self, source: SourceId, now: Instant) -> int:
        """Revoke every certificate of a source and withdraw its codes, and tell all hubs; how many were revoked."""
        keys = source_keys(source)
        async with self._locked(keys) as run:
            await run(_SQL["drop_codes"], keys)
            ended = await run(_SQL["revoke_certificates"], {**keys, "now": now})
            await run(*_told(SourceRevoked(source)))
        return len(ended)

    async def revoked(self, now: Instant) -> Mapping[int, Instant]:
        """Serial numbers of revoked certificates that have not run out, and since when."""
        return {int(serial): at for serial, at in await self.tables.rows(_SQL["revoked_certificates"], {"now": now})}

    async def enter(self, source: SourceId, point: PointId, *, session: str, now: Instant) -> None:
        """Record a source's new session and tell all hubs."""
        await self._entering.ask([Entry(source, point, session, now)])

    async def _enter(self, entries: Sequence[Entry]) -> Sequence[None]:
        latest = list({one.source: one for one in entries}.values())
        rows = {
            "lanes": [lane_of(one.source) for one in latest],
            "sources": [one.source for one in latest],
            "points": [one.point for one in latest],
            "sessions": [one.session for one in latest],
            "heard": [one.at for one in latest],
        }
        news = [SessionTaken(one.source, one.session) for one in latest]
        await self.tables.trip([(_SQL["enter_sessions"], rows), _told(*news)])
        return [None] * len(entries)

    async def keep_sessions(self, beats: Sequence[Beat]) -> frozenset[str]:
        """Note that these sessions are alive; those of them that are still their sources'."""
        given = {
            "lanes": [lane_of(beat.source) for beat in beats],
            "sources": [beat.source for beat in beats],
            "sessions": [beat.session for beat in beats],
            "heard": [beat.heard_at for beat in beats],
        }
        return frozenset(session for (session,) in await self.tables.rows(_SQL["keep_sessions"], given))

    async def silent(self, before: Instant) -> Sequence[tuple[SourceId, PointId]]:
        """Sources not heard from since ``before`` of which the engine has not been told."""
        rows = await self.tables.rows(_SQL["silent_sources"], {"before": before})
        return [(SourceId(source), PointId(point)) for source, point in rows]

    async def told_lost(self, sources: Iterable[SourceId], before: Instant) -> None:
        """Note that the engine has been told."""
        told = list(sources)
        given = {"lanes": [lane_of(source) for source in told], "sources": told, "before": before}
        await self.tables.rows(_SQL["told_lost"], given)

    async def stir(self, point: PointId) -> None:
        """Have the manifest of a point brought up to date, in whatever hub process its session is."""
        await self.tables.rows(_SQL["stir_point"], {"point": point})

    async def news(self) -> AsyncIterator[News]:
        """``Restarted`` at once, then what any hub process tells. Fault: ``StoreDown``; then listen again."""
        async for told in heard(self._dsn, _CHANNEL):
            yield Restarted() if told == STARTED else _NEWS.decode(told)

    @asynccontextmanager
    async def _locked(self, keys: Mapping[str, object]) -> AsyncIterator[Run]:
        """A transaction that has the source to itself."""
        async with self.tables.transaction() as run:
            await run(_SQL["know_source"], keys)
            await run(_SQL["lock_source"], keys)
            yield run


@asynccontextmanager
async def open_records(dsn: str, network: str, *, size: int = 4) -> AsyncIterator[Records]:
    """The fleet's records in the migrated database at ``dsn``."""
    async with open_tables(dsn, name="restante fleet", size=size) as tables:
        yield Records(dsn, tables, network)


def source_keys(source: SourceId) -> dict[str, object]:
    """The parameters that name a source's rows in every statement of the fleet."""
    return {"lane": lane_of(source), "source": source}


async def _may_hold(run: Run, issued: Issued, code: EnrolmentCode | None) -> bool:
    """A new machine may hold a certificate by its code, a known one while its source has another that is good."""
    keys = source_keys(SourceId(issued.peer.name.source))
    if code is not None:
        return bool(await run(_SQL["use_code"], {**keys, "digest": code.digest, "used_by": code.used_by}))
    return bool(await run(_SQL["live_certificate"], {**keys, "now": issued.not_before}))


def _told(*news: News) -> Asked:
    return _SQL["tell_hubs"], {"news": [msgspec.json.encode(one).decode() for one in news]}
