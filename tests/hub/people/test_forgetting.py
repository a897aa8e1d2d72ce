"""People are forgotten by age: so long after the last thing that happened to their parcel, and not before."""

from datetime import UTC, datetime, timedelta

import pytest

from restante.core.ids import ContactId, Lane, ParcelId, laned_id
from restante.core.stay import By
from restante.hub.people.forgetting import PAGE, forget_old
from restante.sim.cupboard import MemoryVault
from restante.sim.rows import RowLedger
from restante.store.directory import contact_of
from restante.store.vault import ContactDetails
from tests.hub.api import DIMENSIONS, Api
from tests.hub.worker.town import HOUR, START, Town

DAY = timedelta(days=1)


async def kept(town: Town, parcel: ParcelId) -> ContactId:
    """Keep a parcel's recipient for that parcel, as the intake does."""
    person = (await town.parcel(parcel)).recipient
    assert person is not None
    await town.vault.remember(person, ContactDetails("Aino Näkki", ("aino@people.example",), kept_for=parcel))
    return person


@pytest.mark.postgres
async def test_the_worker_forgets_whoever_is_kept_long_enough(town: Town) -> None:
    """Given one parcel taken out and one still there, when days pass, then the worker forgets the first's person."""
    point = await town.open_point()
    gone, there = [await town.announce(point) for _ in range(2)]
    people = [await kept(town, gone), await kept(town, there)]
    stays = [await town.deposit(parcel, point, door=door) for door, parcel in enumerate((gone, there), start=1)]
    town.now += HOUR
    await town.withdraw(gone, point, stays[0])
    left_at, worker = town.now, town.worker()
    town.now = left_at + 90 * DAY
    await worker.reconcile()
    assert set(await town.vault.recall(people)) == set(people), "nobody is forgotten before the time"
    town.now = left_at + 91 * DAY
    await worker.reconcile()
    assert set(await town.vault.recall(people)) == {people[1]}, "whose parcel still lies there stays known"


@pytest.mark.postgres
async def test_the_intake_says_for_which_parcel_a_person_is_kept(api: Api) -> None:
    """Given an announced parcel, when its person's time is over, then the reference can no longer be shown either."""
    told = await api.post("/parcels", {"reference": "A-1", "dimensions": DIMENSIONS}, by="swift")
    parcel = ParcelId(told["parcel"])
    assert await forget_old(api.parts.vault, api.ledger, api.time.at - DAY) == 0
    assert (await api.get(f"/parcels/{parcel}", by="swift"))["reference"] == "A-1"
    assert await forget_old(api.parts.vault, api.ledger, api.time.at + DAY) == 1
    assert await api.parts.vault.recall([contact_of(parcel)]) == {}
    assert (await api.get(f"/parcels/{parcel}", by="swift"))["reference"] == ""


@pytest.mark.postgres
async def test_room_promised_keeps_a_person(town: Town) -> None:
    """Given a parcel with room promised and one without, when old, then the one without is forgotten."""
    point = await town.open_point()
    promised, idle = await town.announce(point), await town.announce(None)
    people = [await kept(town, promised), await kept(town, idle)]
    await forget_old(town.vault, town.ledger, town.now + 1000 * DAY)
    assert set(await town.vault.recall(people)) == {people[0]}


@pytest.mark.postgres
async def test_a_parcel_taken_back_is_as_old_as_that(town: Town) -> None:
    """Given a lapsed parcel that a courier took out, then its person is kept from that moment on."""
    point = await town.open_point()
    parcel = await town.announce(point)
    person = await kept(town, parcel)
    stay = await town.deposit(parcel, point)
    town.now += 10 * DAY
    await town.withdraw(parcel, point, stay, by=By.COURIER)
    assert await forget_old(town.vault, town.ledger, START + 9 * DAY) == 0
    assert await forget_old(town.vault, town.ledger, START + 11 * DAY) == 1
    assert await town.vault.recall([person]) == {}


async def test_a_parcel_never_announced_is_as_old_as_its_id() -> None:
    """Given people remembered for parcels that never reached the engine, more than a page, then all are forgotten."""
    vault, born = MemoryVault(), datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(PAGE + 3):
        parcel = ParcelId(laned_id(born, number.to_bytes(8, "big"), Lane(0)))
        await vault.remember(contact_of(parcel), ContactDetails("Aino", kept_for=parcel))
    assert await forget_old(vault, RowLedger(), born) == 0
    assert await forget_old(vault, RowLedger(), born + DAY) == PAGE + 3
    assert await vault.kept(None, 1) == []
