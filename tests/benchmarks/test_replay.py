"""Trips of a load that are recorded and sent again."""

import asyncio
import os

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from benchmarks.replay import replay, twin
from benchmarks.writer import Order, together
from restante.core.ids import Lane
from restante.store.check import check
from restante.store.postgres import open_ledger
from tests.fixtures.lives import LANES, NOW


@pytest.mark.postgres
def test_trips_sent_again_leave_what_they_left(database: str) -> None:
    """Given two databases that began alike, when a load's trips are sent to the second, then both end alike."""

    async def prepare() -> None:
        async with open_ledger(database) as ledger:
            await ledger.ensure_lanes(LANES)
            await ledger.upkeep(NOW)

    asyncio.run(prepare())
    first, second = (Identifier(str(conninfo_to_dict(dsn)["dbname"])) for dsn in (database, twin(database)))
    with psycopg.connect(database, dbname="postgres", autocommit=True) as db:
        db.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(second, first))
        try:
            stints = together([Order(database, os.getpid(), lane, 1, 16, 120) for lane in (0, 1)], replay)
            assert [(one.accepted, one.committed - one.events) for one in stints] == [(120, 0), (120, 0)]
            asyncio.run(_alike(database))
        finally:
            db.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(second))


async def _alike(dsn: str) -> None:
    async with open_ledger(dsn) as recorded, open_ledger(twin(dsn)) as again:
        for lane in (Lane(0), Lane(1)):
            assert await recorded.feed(lane, 0, 1000) == await again.feed(lane, 0, 1000)
            assert await recorded.standing(lane) == await again.standing(lane)
        assert await check(again) == []
