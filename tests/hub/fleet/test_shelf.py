"""Manifests are issued once: whatever processes, restores and late readers do, no generation names two things."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import psycopg
import pytest

from restante.hub.fleet.manifests import KEPT, Held
from restante.hub.fleet.records import Records, open_records
from restante.hub.fleet.shelf import Kept, MemoryShelf, PostgresShelf, Shelf, begin_hub_epoch
from restante.sim.rows import RowLedger
from restante.store import statements
from restante.store.ledger import Credential, Ledger
from restante.store.postgres import PostgresLedger
from restante.wire.manifest import digest_of
from tests.fixtures.lives import LANES
from tests.fixtures.statements import prepare_all
from tests.hub.fleet.town import FIRST_PROMISE, NOW, POINT, SETTINGS, parcel_id, promised, provisioning, ran


@pytest.fixture
async def records(database: str) -> AsyncIterator[Records]:
    """The fleet's records in a database of the test's own."""
    async with open_records(database, SETTINGS.network) as records:
        yield records


async def renewed(shelf: Shelf, ledger: Ledger, held: Held | None = None) -> Kept:
    """The shelf of the point after a renewal."""
    view = await ledger.view(POINT)
    assert view is not None
    return await shelf.renew(view, held or Held(), NOW)


async def changed(ledger: Ledger, number: int) -> None:
    """Give the point another code, so that its manifest says something new."""
    assert await ledger.put_credential(Credential(POINT, f"org:{number}", number, f"verifier-{number}"))


@pytest.mark.postgres
def test_every_statement_is_one_the_schema_knows(database: str) -> None:
    """Given the packaged schema, when each statement of the fleet is prepared, then tables, columns and types agree."""
    with psycopg.connect(database, autocommit=True) as db:
        prepare_all(db, statements.load("restante.hub.fleet"))


async def both(postgres: PostgresLedger, records: Records) -> list[tuple[Ledger, Shelf]]:
    """The database's shelf and the simulator's, each with its ledger."""
    rows = RowLedger()
    await rows.ensure_lanes(LANES)
    return [
        (postgres, PostgresShelf(records.tables, postgres, SETTINGS)),
        (rows, MemoryShelf(rows, SETTINGS)),
    ]


@pytest.mark.postgres
async def test_both_shelves_issue_the_same(postgres: PostgresLedger, records: Records) -> None:
    """Given the same changes, when the database's and the simulator's shelf are renewed, then they hold the same."""
    shelves = await both(postgres, records)
    results: list[list[Kept]] = []
    for ledger, shelf in shelves:
        await ran(ledger, [*provisioning(), *promised(1)])
        seen = [await renewed(shelf, ledger), await renewed(shelf, ledger)]
        for number in range(KEPT + 2):
            await changed(ledger, number)
            seen.append(await renewed(shelf, ledger))
        seen.append(await renewed(shelf, ledger, Held(1, 99, "unheard of")))
        results.append(seen)
    assert results[0] == results[1]
    assert [kept[0].generation for kept in results[0]] == [1, 1, *range(2, KEPT + 4), 100]
    assert {len(kept) for kept in results[0][KEPT:]} == {KEPT}
    assert f"{parcel_id(1)}/{FIRST_PROMISE}/deposit" in results[0][0][0].grants


@pytest.mark.postgres
async def test_both_shelves_tell_which_codes_a_source_knows(postgres: PostgresLedger, records: Records) -> None:
    """Given a journal that names a manifest, when asked for codes, then those in it are known, and no others."""
    shelves = await both(postgres, records)
    for ledger, shelf in shelves:
        await ran(ledger, provisioning())
        for number in (1, 2):
            await changed(ledger, number)
            await renewed(shelf, ledger)
        view = await ledger.view(POINT)
        assert view is not None
        for in_force, known in {
            (0, 0): [], (1, 1): [1], (1, 2): [1, 2], (2, 2): [], (1, 99): [], (1, 2**63): [], (-1, 2): [],
        }.items():  # fmt: skip
            head = msgspec.structs.replace(view.head, in_force=in_force)
            assert [n for n in (1, 2, 3) if await shelf.is_known(head, f"verifier-{n}")] == known, in_force


@pytest.mark.postgres
async def test_two_processes_never_issue_one_generation_twice(
    postgres: PostgresLedger, records: Records, database: str
) -> None:
    """Given two processes that renew while codes come in, when compared, then each generation has one digest."""
    await ran(postgres, provisioning())
    seen: dict[int, set[str]] = {}

    async def process(shelf: Shelf, first: int) -> None:
        for number in range(first, first + 12):
            await changed(postgres, number)
            newest = (await renewed(shelf, postgres))[0]
            assert f"org:{number}/{number}/service" in newest.grants
            seen.setdefault(newest.generation, set()).add(digest_of(newest))

    async with open_records(database, SETTINGS.network) as others:
        await asyncio.gather(
            process(PostgresShelf(records.tables, postgres, SETTINGS), 0),
            process(PostgresShelf(others.tables, postgres, SETTINGS), 100),
        )
    assert {len(digests) for digests in seen.values()} == {1}
    final = (await renewed(PostgresShelf(records.tables, postgres, SETTINGS), postgres))[0]
    assert len(final.grants) == 24
    assert max(seen) == final.generation


@pytest.mark.postgres
async def test_an_old_view_never_follows_a_new_one(postgres: PostgresLedger, records: Records) -> None:
    """Given a reader that is late, when it renews from what it read before a change, then nothing old is issued."""
    await ran(postgres, provisioning())
    shelf = PostgresShelf(records.tables, postgres, SETTINGS)
    late = await postgres.view(POINT)
    assert late is not None
    await changed(postgres, 1)
    newest = await renewed(shelf, postgres)
    assert await shelf.renew(late, Held(), NOW) == newest
    assert len(newest[0].grants) == 1


@pytest.mark.postgres
async def test_a_restored_hub_begins_a_later_epoch(postgres: PostgresLedger, records: Records) -> None:
    """Given a new hub epoch, when renewed, then a manifest of that epoch is issued, and no two restores share one."""
    await ran(postgres, provisioning())
    shelf = PostgresShelf(records.tables, postgres, SETTINGS)
    before = (await renewed(shelf, postgres))[0]
    assert await shelf.hub_epoch() == before.hub_epoch == 1
    first, second = await begin_hub_epoch(records.tables, NOW), await begin_hub_epoch(records.tables, NOW)
    assert 1 < first < second
    after = (await renewed(shelf, postgres))[0]
    assert (after.hub_epoch, after.generation) == (second, 2)
    assert msgspec.structs.replace(after, hub_epoch=1, generation=1) == before
