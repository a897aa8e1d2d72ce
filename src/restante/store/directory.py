"""Names that mean one thing only: references, parcel codes, and requests known by their Idempotency-Key.

Theory of operation. A name is written before what it names: whoever finds it taken finds the id that was chosen for it,
and goes on from there. So two callers with one reference, or one caller whose connection broke, end with one parcel.
Callers' questions that come while a trip to the database is under way go together in the next, as the engine's do.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from restante.core.access import parcel_code_from
from restante.core.ids import ContactId, OrgId, ParcelId, derived_id, lane_of
from restante.core.time import Instant
from restante.store import statements, trips
from restante.store.arrays import blobs, instants, plain, texts, uuids
from restante.store.gathering import Gathering
from restante.store.ledger import StoreDown
from restante.store.writers import Writers, faults_named

MOST_CODES_TRIED: Final = 16

_PREPARED: Final = trips.prepared(statements.load("restante.store", "sql/directory.sql"))


class Claim(msgspec.Struct, frozen=True):
    """A parcel to be known under its organisation's reference, and the content that it was announced with."""

    org: OrgId
    name: bytes
    content: bytes
    parcel: ParcelId
    at: Instant


class Named(msgspec.Struct, frozen=True):
    """What a reference means; ``same`` when it was claimed with the same content."""

    parcel: ParcelId
    code: str
    same: bool


class RequestNote(msgspec.Struct, frozen=True):
    """A request with an Idempotency-Key: a hash of the key, a hash of what was asked, and when.

    ``pinned`` is what the first attempt went by, ``answer`` what it was answered with, sealed, where that is kept; not
    ``dated`` is what a hub of the version before noted, by which the instant has no part in what a request chooses.
    """

    org: OrgId
    name: bytes
    content: bytes
    at: Instant
    pinned: str | None = None
    answer: bytes | None = None
    dated: bool = True


def code_of(parcel: ParcelId, attempt: int) -> str:
    """The parcel code tried at an attempt: it follows from the parcel's id, which is mostly chance."""
    for salt in range(100):
        drawn = parcel_code_from(hashlib.sha256(f"{parcel}/{attempt}/{salt}".encode()).digest())
        if drawn is not None:
            return drawn
    raise AssertionError("no letter in 3,200 bytes")


def contact_of(parcel: ParcelId) -> ContactId:
    """The id under which a parcel's person and reference are kept."""
    return ContactId(derived_id(f"contact:{parcel}", lane_of(parcel)))


class Directory:
    """The directory in PostgreSQL; made by ``open_directory``."""

    def __init__(self, writers: Writers, *, key: bytes) -> None:
        assert len(key) >= 32
        self._writers = writers
        self._key = key
        self._claims: Gathering[Claim, Named] = Gathering(self._claim)
        self._requests: Gathering[RequestNote, RequestNote] = Gathering(self._note)

    def keyed(self, *parts: str | bytes) -> bytes:
        """A keyed hash (HMAC-SHA256) of some parts, no two lists of which give the same bytes to hash."""
        encoded = [part.encode() if isinstance(part, str) else part for part in parts]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
        return hmac.digest(self._key, message, "sha256")

    def reference_name(self, org: OrgId, reference: str) -> bytes:
        """The name under which an organisation's reference stands in the directory."""
        return self.keyed("reference", org, reference)

    async def claim(self, claims: Sequence[Claim]) -> Sequence[Named]:
        """Claim references, each with a parcel code of its own; where one is taken, what it means already.

        Fault: ``StoreDown``.
        """
        return await self._claims.ask(claims)

    async def parcel_of(self, name: bytes) -> ParcelId | None:
        """The parcel that a reference means. Fault: ``StoreDown``."""
        rows = await self._fetch("names", {"names": blobs([name])})
        return ParcelId(rows[0][1]) if rows else None

    async def parcel_of_code(self, code: str) -> ParcelId | None:
        """The parcel that a parcel code means. Fault: ``StoreDown``."""
        rows = await self._fetch("codes", {"codes": texts([code])})
        return ParcelId(rows[0][1]) if rows else None

    async def note(self, request: RequestNote) -> RequestNote:
        """Note a request, and get the first one that was made under its key. Fault: ``StoreDown``."""
        return (await self._requests.ask([request]))[0]

    async def pin(self, request: RequestNote, choice: str) -> str:
        """What a request goes by: ``choice``, or that of an earlier attempt. Fault: ``StoreDown``."""
        rows = await self._fetch("pin_request", {"org": request.org, "name": request.name, "pinned": choice})
        return str(rows[0][0]) if rows else choice

    async def keep_answer(self, request: RequestNote, sealed: bytes) -> bytes:
        """The sealed answer to a request: this one, or that of an attempt that was quicker. Fault: ``StoreDown``."""
        rows = await self._fetch("keep_answer", {"org": request.org, "name": request.name, "answer": sealed})
        return bytes(rows[0][0]) if rows else sealed

    async def _claim(self, claims: Sequence[Claim]) -> Sequence[Named]:
        # Sorted, so that two trips that want the same names wait for each other in one order.
        asked = sorted(claims, key=lambda claim: claim.name)
        codes = {claim.parcel: code_of(claim.parcel, 0) for claim in asked}
        ((put,),) = await self._fetch("claim_new", _columns(asked, codes))
        if put == len(asked):
            return [Named(one.parcel, codes[one.parcel], same=True) for one in claims]
        return await self._claimed(claims, {"names": blobs(claim.name for claim in asked)})

    async def _claimed(self, claims: Sequence[Claim], names: trips.Given) -> Sequence[Named]:
        """What claimed names mean, some of them for longer; gives other codes to those whose own is another's."""
        found = {}
        for name, parcel, code, content, is_own in await self._trip([("put_own_codes", names), ("claimed", names)]):
            own = code if is_own else await self._next_code(bytes(name), ParcelId(parcel), code)
            found[bytes(name)] = ParcelId(parcel), own, bytes(content)
        return [Named(*found[one.name][:2], found[one.name][2] == one.content) for one in claims]

    async def _next_code(self, name: bytes, parcel: ParcelId, taken: str) -> str:
        for attempt in range(1, MOST_CODES_TRIED):
            code = code_of(parcel, attempt)
            await self._trip([("change_code", {"name": name, "code": code, "before": taken})])
            code = str((await self._fetch("names", {"names": blobs([name])}))[0][2])
            if await self._put_code(parcel, code):
                return code
            taken = code
        raise AssertionError("sixteen codes in a row were taken")

    async def _put_code(self, parcel: ParcelId, code: str) -> bool:
        """Claim a parcel code, and tell whether it is the parcel's."""
        given: trips.Given = {"codes": texts([code]), "parcels": uuids([parcel])}
        return await self._trip([("put_codes", given), ("codes", {"codes": texts([code])})]) == [(code, parcel)]

    async def _note(self, requests: Sequence[RequestNote]) -> Sequence[RequestNote]:
        asked = sorted(requests, key=lambda one: (one.org, one.name))
        keys: trips.Given = {"orgs": texts(one.org for one in asked), "names": blobs(one.name for one in asked)}
        told: trips.Given = {"contents": blobs(one.content for one in asked), "ats": instants(one.at for one in asked)}
        rows = await self._trip([("put_requests", {**keys, **told}), ("requests", keys)])
        found = {(row[0], bytes(row[1])): RequestNote(row[0], bytes(row[1]), bytes(row[2]), *row[3:]) for row in rows}
        return [found[one.org, one.name] for one in requests]

    async def _fetch(self, name: str, given: trips.Given) -> trips.Rows:
        return await self._trip([(name, given)])

    async def _trip(self, asked: Sequence[tuple[str, trips.Given]]) -> trips.Rows:
        """What the last of some statements returns, run in one trip and one transaction.

        Each may be run twice, which is how a connection that broke while nobody used it is got over.
        """
        queue = [(_PREPARED[name], given) for name, given in asked]
        with suppress(StoreDown):
            return await self._run(queue)
        return await self._run(queue)

    async def _run(self, queue: Sequence[tuple[trips.Prepared, trips.Given]]) -> trips.Rows:
        async with self._writers.one() as db:
            with faults_named(db):
                return (await trips.trip(db, queue))[-1]


@asynccontextmanager
async def open_directory(dsn: str, *, key: bytes, connections: int = 4) -> AsyncIterator[Directory]:
    """The directory in the migrated database at ``dsn``.

    ``key`` keeps anybody without it from trying references against the hashes.
    """
    writers = Writers(dsn, limit=connections, statements=_PREPARED.values())
    try:
        yield Directory(writers, key=key)
    finally:
        await writers.close()


def _columns(claims: Sequence[Claim], codes: Mapping[ParcelId, str]) -> trips.Given:
    return {
        "names": blobs(claim.name for claim in claims),
        "orgs": texts(claim.org for claim in claims),
        "parcels": uuids(claim.parcel for claim in claims),
        "codes": plain(codes[claim.parcel] for claim in claims),
        "contents": blobs(claim.content for claim in claims),
        "ats": instants(claim.at for claim in claims),
    }
