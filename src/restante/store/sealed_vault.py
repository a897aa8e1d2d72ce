"""The vault in PostgreSQL: sealed rows, and the keys to them in a schema that backups treat apart."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from restante.core.ids import ContactId, ParcelId, PointId, lane_of
from restante.store import seals, statements
from restante.store.arrays import blobs, lanes, plain, uuids
from restante.store.vault import CodeUse, ContactDetails, OpenedCode
from restante.store.writers import Writers, faults_named

_SQL: Final = {name: one.text.encode() for name, one in statements.load("restante.store", "sql/vault.sql").items()}
_DETAILS: Final = msgspec.json.Decoder(ContactDetails)
_encode: Final = msgspec.json.Encoder().encode

_BEFORE_ALL: Final = "00000000-0000-0000-0000-000000000000"

_Rows = list[tuple[Any, ...]]


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
        fresh = {contact: seals.new_key() for contact in ids}
        wrapped = {contact: seals.wrap(self._key, key, contact) for contact, key in fresh.items()}
        async with self._writers.one() as db:
            with faults_named(db):
                async with db.transaction():
                    held = await _fetch(db, "hold_keys", {**_keyed(ids), "keys": blobs(wrapped.values())})
                    old = {contact: key for contact, key in held if key != wrapped[contact]}
                    keys = fresh | {contact: seals.unwrap(self._key, key, contact) for contact, key in old.items()}
                    rows = blobs(seals.seal(keys[one], _encode(people[one]), _about_person(one)) for one in ids)
                    parcels = plain(people[one].kept_for or "NULL" for one in ids)
                    await db.execute(_SQL["put_contacts"], {**_keyed(ids), "bodies": rows, "parcels": parcels})

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
        await self._do("forget_keys", given)
        await self._do("forget_contacts", given)

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
        await self._do("add_code", {**_of_use(code.use), "holder": code.holder, "epoch": code.epoch, "sealed": sealed})
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
        await self._do("note_epoch", {**_of_use(use), "epoch": epoch})

    async def drop_code(self, use: CodeUse) -> None:
        """Give up a code that can no longer be used."""
        await self._do("drop_code", _of_use(use))

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

    async def _ask(self, name: str, given: Mapping[str, object]) -> _Rows:
        async with self._writers.one() as db:
            with faults_named(db):
                return await _fetch(db, name, given)

    async def _do(self, name: str, given: Mapping[str, object]) -> None:
        async with self._writers.one() as db:
            with faults_named(db):
                await db.execute(_SQL[name], given)


@asynccontextmanager
async def open_vault(dsn: str, state: Path, *, connections: int = 2) -> AsyncIterator[SealedVault]:
    """A vault over the migrated database at ``dsn``, with the key in the ``state`` folder. Fault: ``VaultKeyUnfit``."""
    writers = Writers(dsn, limit=connections)
    try:
        yield SealedVault(writers, seals.open_key(state))
    finally:
        await writers.close()


async def _fetch(db: AsyncConnection, name: str, given: Mapping[str, object]) -> _Rows:
    return await (await db.execute(_SQL[name], given, binary=True)).fetchall()


def _about_person(contact: ContactId) -> str:
    return f"contact/{contact}"


def _about_code(use: CodeUse) -> str:
    return f"code/{use.parcel}/{use.point}/{use.number}"


def _of_use(use: CodeUse) -> dict[str, object]:
    return {"lane": lane_of(use.parcel), "parcel": use.parcel, "point": use.point, "number": use.number}


def _keyed(ids: Sequence[str]) -> dict[str, object]:
    return {"lanes": lanes(ids), "ids": uuids(ids)}
