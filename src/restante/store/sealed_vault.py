"""The vault in PostgreSQL: sealed rows, and the keys to them in a schema that backups treat apart."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from restante.core.ids import ContactId, ParcelId, PointId, lane_of
from restante.store import seals, statements, trips
from restante.store.arrays import blobs, lanes, plain, uuids
from restante.store.vault import CodeUse, ContactDetails, OpenedCode
from restante.store.writers import Writers, faults_named

_PREPARED: Final = trips.prepared(statements.load("restante.store", "sql/vault.sql"))
_DETAILS: Final = msgspec.json.Decoder(ContactDetails)
_encode: Final = msgspec.json.Encoder().encode

_BEFORE_ALL: Final = "00000000-0000-0000-0000-000000000000"


class SealedVault:
    """The vault in a PostgreSQL database; made by ``open_vault``. See ``Vault`` for what each question promises."""

    def __init__(self, writers: Writers, key: bytes) -> None:
        self._writers = writers
        self._key = key

    async def remember(self, contact: ContactId, details: ContactDetails) -> None:
        """Keep a person's details in place of earlier ones."""
        await self.remember_all({contact: details})

    async def remember_all(self, people: Mapping[ContactId, ContactDetails]) -> None:
        """Keep the details of many people, all or none of them."""
        # Ascending, so that two callers who remember the same people cannot wait for one another.
        ids = sorted(people)
        if not ids:
            return
        keys = {contact: seals.new_key() for contact in ids}
        wrapped = {contact: seals.wrap(self._key, key, contact) for contact, key in keys.items()}
        given = _keyed(ids) | {
            "keys": blobs(wrapped.values()),
            "parcels": plain(people[one].kept_for or "NULL" for one in ids),
        }
        ((put,),) = await self._ask("remember_new", given | {"bodies": _sealed(people, keys)})
        if put < len(ids):
            await self._remember_known(people, keys, wrapped=wrapped, given=given)

    async def _remember_known(
        self,
        people: Mapping[ContactId, ContactDetails],
        fresh: Mapping[ContactId, bytes],
        *,
        wrapped: Mapping[ContactId, bytes],
        given: trips.Given,
    ) -> None:
        """Keep details of people, some of whom have keys, which then stand."""
        async with self._writers.one() as db:
            with faults_named(db):
                _, held = await trips.trip(db, [(trips.BEGIN, {}), (_PREPARED["hold_keys"], given)])
                old = {contact: key for contact, key in held if key != wrapped[contact]}
                keys = {one: seals.unwrap(self._key, old[one], one) if one in old else fresh[one] for one in fresh}
                put = {**given, "bodies": _sealed(people, keys)}
                await trips.trip(db, [(_PREPARED["put_contacts"], put), (trips.COMMIT, {})])

    async def recall(self, contacts: Iterable[ContactId]) -> Mapping[ContactId, ContactDetails]:
        """The details of those who are known and not forgotten."""
        ids = sorted(set(contacts))
        keys = await self._keys(ids)
        rows = await self._ask("contacts", _keyed(ids)) if keys else []
        return {
            contact: _DETAILS.decode(seals.unseal(keys[contact], sealed, _about_person(contact)))
            for contact, sealed in rows
            if contact in keys
        }

    async def forget(self, contacts: Iterable[ContactId]) -> None:
        """Destroy the keys of these people, then the rows."""
        given = _keyed(sorted(set(contacts)))
        # Each by itself: rows without their keys tell nothing, and whoever looks for people to forget finds them again.
        await self._ask("forget_keys", given)
        await self._ask("forget_contacts", given)

    async def kept(self, after: ContactId | None, limit: int) -> Sequence[tuple[ContactId, ParcelId]]:
        """People who are kept for a parcel, with that parcel, by lane and id."""
        lane = -1 if after is None else lane_of(after)
        rows = await self._ask("kept", {"lane": lane, "after": after or _BEFORE_ALL, "limit": limit})
        return [(ContactId(contact), ParcelId(parcel)) for contact, parcel in rows]

    async def seal_code(self, code: OpenedCode) -> OpenedCode | None:
        """Keep a code unless the use has one, and return the one that stands."""
        keys = await self._keys([code.holder])
        if not keys:
            return None
        sealed = seals.seal(keys[code.holder], code.code.encode(), _about_code(code.use))
        await self._ask("add_code", {**_of_use(code.use), "holder": code.holder, "epoch": code.epoch, "sealed": sealed})
        return (await self.open_codes([code.use])).get(code.use)

    async def open_code(self, parcel: ParcelId, point: PointId | None = None) -> OpenedCode | None:
        """The newest code of a parcel (at this point)."""
        found = [code for code in await self._codes([parcel]) if point in (None, code.use.point)]
        return found[-1] if found else None

    async def open_codes(self, uses: Iterable[CodeUse]) -> Mapping[CodeUse, OpenedCode]:
        """The codes of those uses that have one whose holder is not forgotten."""
        wanted = set(uses)
        found = await self._codes(sorted({use.parcel for use in wanted}))
        return {code.use: code for code in found if code.use in wanted}

    async def note_epoch(self, use: CodeUse, epoch: int) -> None:
        """Say for which log epoch the verifier of a code was made."""
        await self._ask("note_epoch", {**_of_use(use), "epoch": epoch})

    async def drop_code(self, use: CodeUse) -> None:
        """Give up a code that can no longer be used."""
        await self._ask("drop_code", _of_use(use))

    async def _codes(self, parcels: Sequence[ParcelId]) -> list[OpenedCode]:
        rows = await self._ask("codes", _keyed(parcels)) if parcels else []
        keys = await self._keys(sorted({ContactId(row[3]) for row in rows}))
        found = []
        for parcel, point, number, holder, epoch, sealed in rows:
            use = CodeUse(parcel, point, number)
            if holder in keys:
                code = seals.unseal(keys[holder], sealed, _about_code(use)).decode()
                found.append(OpenedCode(use, holder, code, epoch))
        return found

    async def _keys(self, contacts: Sequence[ContactId]) -> dict[ContactId, bytes]:
        rows = await self._ask("keys", _keyed(contacts)) if contacts else []
        return {contact: seals.unwrap(self._key, wrapped, contact) for contact, wrapped in rows}

    async def _ask(self, name: str, given: trips.Given) -> trips.Rows:
        async with self._writers.one() as db:
            with faults_named(db):
                return (await trips.trip(db, [(_PREPARED[name], given)]))[0]


@asynccontextmanager
async def open_vault(dsn: str, state: Path, *, connections: int = 2) -> AsyncIterator[SealedVault]:
    """A vault over the migrated database at ``dsn``, with the key in the ``state`` folder. Fault: ``VaultKeyUnfit``."""
    writers = Writers(dsn, limit=connections, statements=_PREPARED.values())
    try:
        yield SealedVault(writers, seals.open_key(state))
    finally:
        await writers.close()


def _about_person(contact: ContactId) -> str:
    return f"contact/{contact}"


def _about_code(use: CodeUse) -> str:
    return f"code/{use.parcel}/{use.point}/{use.number}"


def _sealed(people: Mapping[ContactId, ContactDetails], keys: Mapping[ContactId, bytes]) -> bytes:
    """The details of people, each under its key and in the order of the keys."""
    return blobs(seals.seal(key, _encode(people[one]), _about_person(one)) for one, key in keys.items())


def _of_use(use: CodeUse) -> dict[str, str | int | bytes]:
    return {"lane": lane_of(use.parcel), "parcel": use.parcel, "point": use.point, "number": use.number}


def _keyed(ids: Sequence[str]) -> dict[str, str | bytes]:
    return {"lanes": lanes(ids), "ids": uuids(ids)}
