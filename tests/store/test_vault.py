"""What is known of people is sealed, found again by id, and gone for ever once it is forgotten."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.ids import ContactId, Lane, ParcelId, PointId, laned_id
from restante.store import seals, trips
from restante.store.sealed_vault import SealedVault, open_vault
from restante.store.statements import load
from restante.store.vault import CodeUse, ContactDetails, OpenedCode
from tests.fixtures.statements import prepare_all

BORN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AINO = ContactDetails("Aino Näkki", ("aino@people.example",), "+358 40 1234567", "fi", "Katu 1", "ORDER-77")
EETU = ContactDetails("Eetu", ("eetu@people.example", "second@people.example"))


def contact(number: int, lane: int = 0) -> ContactId:
    """The id of the n-th person."""
    return ContactId(laned_id(BORN, number.to_bytes(8, "big"), Lane(lane)))


def use(number: int = 1, parcel: int = 100) -> CodeUse:
    """A use of a code, under the n-th promise."""
    return CodeUse(ParcelId(contact(parcel)), PointId(contact(200)), number)


@pytest.fixture
async def vault(database: str, tmp_path: Path) -> AsyncIterator[SealedVault]:
    """A vault in a database of its own."""
    async with open_vault(database, tmp_path / "state") as vault:
        yield vault


async def test_what_is_remembered_is_recalled(vault: SealedVault) -> None:
    """Given two people in two lanes, when recalled beside a stranger, then the two come back whole."""
    await vault.remember_all({contact(1): AINO, contact(2, lane=1): EETU})
    known = await vault.recall([contact(1), contact(2, lane=1), contact(3)])
    assert known == {contact(1): AINO, contact(2, lane=1): EETU}


async def test_remembering_again_replaces(vault: SealedVault) -> None:
    """A repeat changes nothing, a later word counts."""
    await vault.remember(contact(1), AINO)
    await vault.remember(contact(1), AINO)
    await vault.remember(contact(1), EETU)
    assert await vault.recall([contact(1)]) == {contact(1): EETU}


async def test_a_key_once_made_stands(vault: SealedVault) -> None:
    """Given a person with a code, when remembered again beside a stranger, then all that was sealed can be read."""
    await vault.remember(contact(1), AINO)
    code = OpenedCode(use(), contact(1), "48291730")
    await vault.seal_code(code)
    await vault.remember_all({contact(2): AINO, contact(1): EETU})
    assert await vault.recall([contact(1), contact(2)]) == {contact(1): EETU, contact(2): AINO}
    assert await vault.open_code(use().parcel) == code


async def test_strangers_are_remembered_in_one_trip(vault: SealedVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given people nothing is known of, when remembered, then the server is gone to once."""
    gone: list[object] = []
    trip = trips.trip

    async def counted(db: Any, asked: Any) -> Any:
        gone.append(asked)
        return await trip(db, asked)

    monkeypatch.setattr(trips, "trip", counted)
    await vault.remember_all({contact(number): AINO for number in range(3)})
    assert len(gone) == 1


async def test_nobody_is_remembered_and_recalled_from_nothing(vault: SealedVault) -> None:
    """Empty questions have empty answers."""
    await vault.remember_all({})
    assert await vault.recall([]) == {}
    assert await vault.recall([contact(9)]) == {}
    assert await vault.open_codes([]) == {}


async def test_forgetting_destroys_the_key(vault: SealedVault, database: str) -> None:
    """Given a copy of the sealed row and a sealed code, when a person is forgotten, then neither opens ever again."""
    await vault.remember(contact(1), AINO)
    await vault.seal_code(OpenedCode(use(), contact(1), "48291730"))
    with psycopg.connect(database) as db:
        copy = db.execute("SELECT lane, id, sealed FROM contact").fetchone()
    await vault.forget([contact(1)])
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM person_key.contact_key").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM contact").fetchone() == (0,)
        db.execute("INSERT INTO contact (lane, id, sealed) VALUES (%s, %s, %s)", copy)
    assert await vault.recall([contact(1)]) == {}
    assert await vault.open_code(use().parcel) is None
    assert await vault.seal_code(OpenedCode(use(), contact(1), "11111111")) is None


async def test_a_code_once_sealed_stands(vault: SealedVault) -> None:
    """Given a code, when another is sealed for the same use, then page and mails go on showing the first."""
    await vault.remember(contact(1), AINO)
    first = OpenedCode(use(), contact(1), "48291730", 3)
    assert await vault.seal_code(first) == first
    assert await vault.seal_code(OpenedCode(use(), contact(1), "99999999")) == first
    assert await vault.open_code(use().parcel) == first


async def test_the_newest_code_is_shown(vault: SealedVault) -> None:
    """A parcel that is promised room again has a code for each promise, and the last one counts."""
    await vault.remember(contact(1), AINO)
    codes = [OpenedCode(use(number), contact(1), f"0000000{number}") for number in (2, 1, 3)]
    for code in codes:
        await vault.seal_code(code)
    assert await vault.open_code(use().parcel, use().point) == codes[2]
    assert await vault.open_code(use().parcel, PointId(contact(201))) is None
    assert await vault.open_codes([use(1), use(2), use(4)]) == {use(1): codes[1], use(2): codes[0]}
    await vault.drop_code(use(3))
    await vault.note_epoch(use(2), 7)
    shown = await vault.open_code(use().parcel)
    assert shown is not None
    assert (shown.code, shown.epoch) == ("00000002", 7)


async def test_nothing_is_readable_in_the_tables(vault: SealedVault, database: str) -> None:
    """What is sealed appears in no column of any of its tables, and what is printed by chance says nothing."""
    await vault.remember(contact(1), AINO)
    code = OpenedCode(use(), contact(1), "48291730")
    await vault.seal_code(code)
    with psycopg.connect(database) as db:
        tables = ("contact", "person_key.contact_key", "sealed_code")
        stored = b"".join(repr(db.execute(f"TABLE {name}").fetchall()).encode() for name in tables)
    for mark in ("Aino", "aino@", "1234567", "Katu", "ORDER", "48291730"):
        assert mark.encode() not in stored
        assert mark not in repr(AINO) + repr(code)


async def test_a_row_in_anothers_place_does_not_open(vault: SealedVault, database: str) -> None:
    """Given two people, when their sealed rows or keys are exchanged, then recalling them is a fault, not a mix-up."""
    await vault.remember_all({contact(1): AINO, contact(2): EETU})
    with psycopg.connect(database) as db:
        db.execute("UPDATE contact c SET sealed = o.sealed FROM contact o WHERE o.id <> c.id")
    with pytest.raises(seals.SealBroken):
        await vault.recall([contact(1)])


async def test_the_vault_needs_its_own_key(vault: SealedVault, database: str, tmp_path: Path) -> None:
    """A database copied to another installation opens nothing there."""
    await vault.remember(contact(1), AINO)
    async with open_vault(database, tmp_path / "elsewhere") as other:
        with pytest.raises(seals.SealBroken):
            await other.recall([contact(1)])


def test_the_installations_key_is_made_once(tmp_path: Path) -> None:
    """The second call reads what the first wrote, in a file for its owner alone."""
    key = seals.open_key(tmp_path / "state")
    assert seals.open_key(tmp_path / "state") == key
    file = tmp_path / "state" / seals.KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [seals.KEY_FILE]


@pytest.mark.parametrize(("mode", "size"), [(0o640, 32), (0o600, 31), (0o600, 0)])
def test_an_unfit_key_file_is_refused(tmp_path: Path, mode: int, size: int) -> None:
    """A key that others may have read, or that was cut short, is named and not used."""
    file = tmp_path / seals.KEY_FILE
    file.write_bytes(bytes(size))
    file.chmod(mode)
    with pytest.raises(seals.VaultKeyUnfit, match=seals.KEY_FILE):
        seals.open_key(tmp_path)


@given(st.binary(max_size=200), st.integers(0, 227), st.integers(1, 255))
def test_an_altered_seal_never_opens(plain: bytes, at: int, flip: int) -> None:
    """Given sealed bytes, when any bit of them changes, or what they are about, then they do not open."""
    key = seals.new_key()
    sealed = bytearray(seals.seal(key, plain, "about"))
    assert seals.unseal(key, bytes(sealed), "about") == plain
    with pytest.raises(seals.SealBroken):
        seals.unseal(key, bytes(sealed), "about it")
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(seals.SealBroken):
        seals.unseal(key, bytes(sealed), "about")


@given(st.binary(max_size=40))
def test_bytes_that_were_never_sealed_do_not_open(noise: bytes) -> None:
    """Any byte string is refused in the same way."""
    with pytest.raises(seals.SealBroken):
        seals.unseal(seals.new_key(), noise, "about")


def test_the_statements_fit_the_schema(database: str) -> None:
    """Every statement is understood by the server."""
    with psycopg.connect(database, autocommit=True) as db:
        prepare_all(db, load("restante.store", "sql/vault.sql"))
