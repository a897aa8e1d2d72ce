"""What every vault promises, whether it seals what it keeps or plays one in a story."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from restante.core.ids import ContactId, Lane, ParcelId, PointId, laned_id
from restante.sim.cupboard import MemoryVault
from restante.store.sealed_vault import open_vault
from restante.store.vault import CodeUse, ContactDetails, OpenedCode, Vault

BORN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AINO = ContactDetails("Aino", ("aino@people.example",))


def an_id(number: int, lane: int = 0) -> str:
    """The n-th id."""
    return laned_id(BORN, number.to_bytes(8, "big"), Lane(lane))


PERSON = ContactId(an_id(1, lane=1))
PARCEL = ParcelId(an_id(2))
HERE, THERE = PointId(an_id(3)), PointId(an_id(4))


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def vault(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Vault]:
    """Each implementation of the port in turn."""
    if request.param == "memory":
        yield MemoryVault()
        return
    async with open_vault(request.getfixturevalue("database"), tmp_path) as vault:
        yield vault


def a_code(number: int, point: PointId = HERE, code: str = "48291730") -> OpenedCode:
    """A code for the n-th promise."""
    return OpenedCode(CodeUse(PARCEL, point, number), PERSON, code)


async def test_the_last_word_about_a_person_counts(vault: Vault) -> None:
    """Given a person remembered twice, when recalled with a stranger, then the second word comes back alone."""
    await vault.remember(PERSON, ContactDetails("Nobody"))
    await vault.remember_all({PERSON: AINO})
    assert await vault.recall([PERSON, ContactId(an_id(9))]) == {PERSON: AINO}


async def test_the_first_code_of_a_use_stands(vault: Vault) -> None:
    """Given a sealed code, when another is sealed for its use, then the first one stands."""
    await vault.remember(PERSON, AINO)
    assert await vault.seal_code(a_code(1)) == a_code(1)
    assert await vault.seal_code(a_code(1, code="00000000")) == a_code(1)


async def test_the_newest_code_is_shown(vault: Vault) -> None:
    """Given codes for several promises and points, when opened, then the highest number (at the point) is shown."""
    await vault.remember(PERSON, AINO)
    for code in (a_code(2), a_code(1), a_code(3, THERE)):
        await vault.seal_code(code)
    assert await vault.open_code(PARCEL) == a_code(3, THERE)
    assert await vault.open_code(PARCEL, HERE) == a_code(2)
    await vault.drop_code(a_code(2).use)
    assert await vault.open_code(PARCEL, HERE) == a_code(1)
    assert await vault.open_codes([a_code(1).use, a_code(2).use]) == {a_code(1).use: a_code(1)}


async def test_an_epoch_is_noted(vault: Vault) -> None:
    """Given a code, when its verifier was made for an epoch, then the code says so; noting it for none is no fault."""
    await vault.remember(PERSON, AINO)
    await vault.seal_code(a_code(1))
    await vault.note_epoch(a_code(1).use, 3)
    await vault.note_epoch(a_code(7).use, 3)
    found = await vault.open_code(PARCEL)
    assert found is not None
    assert found.epoch == 3


async def test_people_are_listed_with_the_parcels_they_are_kept_for(vault: Vault) -> None:
    """Given people in two lanes, some kept for a parcel, when listed page by page, then those come once each."""
    people = {ContactId(an_id(number, lane=number % 2)): ParcelId(an_id(number)) for number in range(20, 25)}
    kept = {one: ContactDetails("Aino", kept_for=parcel) for one, parcel in people.items()}
    await vault.remember_all({PERSON: AINO, **kept})
    listed: list[tuple[ContactId, ParcelId]] = []
    while page := await vault.kept(listed[-1][0] if listed else None, 2):
        listed += page
    assert len(listed) == len(people)
    assert dict(listed) == people


async def test_who_is_forgotten_has_no_details_and_no_codes(vault: Vault) -> None:
    """Given a person with a code, when forgotten, then neither is found and no further code is sealed."""
    await vault.remember(PERSON, AINO)
    await vault.seal_code(a_code(1))
    await vault.forget([PERSON])
    assert await vault.recall([PERSON]) == {}
    assert await vault.open_code(PARCEL) is None
    assert await vault.open_codes([a_code(1).use]) == {}
    assert await vault.seal_code(a_code(2)) is None
