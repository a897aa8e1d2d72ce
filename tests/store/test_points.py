"""The worker's round of the points, and its signal."""

import asyncio
from datetime import UTC, datetime

import psycopg

from restante.core.ids import Lane, PointId, laned_id
from restante.store.ledger import Signal
from restante.store.postgres import open_ledger
from restante.store.statements import load
from tests.fixtures.ledgers import town
from tests.fixtures.statements import prepare_all

POINT = PointId(laned_id(datetime(2026, 3, 2, tzinfo=UTC), bytes(8), Lane(0)))


async def test_every_point_is_named(database: str) -> None:
    """Given two lanes with points, when asked, then all of them are named; and none in an empty network."""
    async with open_ledger(database) as ledger:
        assert await ledger.points() == []
        await ledger.ensure_lanes(2)
        loads = [await town(ledger, lane, seed=lane) for lane in range(2)]
        assert {*await ledger.points()} == {bank.point for load in loads for bank in load.banks}


async def test_a_signal_reaches_whoever_listens(database: str) -> None:
    """Given a listener to the ledger, when a point is signalled, then it hears which one."""
    async with open_ledger(database) as ledger, asyncio.timeout(10):
        signals = ledger.signals()
        assert await anext(signals) == Signal()
        await ledger.tell(POINT)
        assert await anext(signals) == Signal((POINT,))
        await signals.aclose()  # type: ignore[attr-defined]


def test_the_statements_fit_the_schema(database: str) -> None:
    """Every statement is understood by the server."""
    with psycopg.connect(database, autocommit=True) as db:
        prepare_all(db, load("restante.store", "sql/attempts.sql"))
