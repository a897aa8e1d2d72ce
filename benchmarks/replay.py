"""What driver and server do of a load by themselves: its very trips, recorded and sent again with no hub around them.

Each writer first puts its load through in one database and keeps every trip as it went to the server. Then it sends
them to another database that began the same way, so that each finds the rows, heads and turns it found before. What
is left out is everything the hub does between two trips: decide, encode, keep.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import msgspec
import psycopg
import uvloop
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.cpu import server_seconds
from benchmarks.writer import Order, Stint, put_through, warmed_up
from restante.hub.engine import settle_memory
from restante.store import trips
from restante.store.postgres import PREPARED, open_ledger
from restante.store.trips import Call, Given, Prepared
from restante.store.writers import Writers

Tape = list[list[Call]]
"""Trips in the order in which they were made."""


def replay(order: Order, ready: Barrier, answer: Connection) -> None:
    """Record a load in the order's database, wait for the others, and send it to its twin, which began alike."""
    answer.send_bytes(msgspec.json.encode(uvloop.run(_replay(order, ready))))


def twin(dsn: str) -> str:
    """The database, beside the one a load is recorded in, to which its trips are sent again."""
    return make_conninfo(dsn, dbname=f"{conninfo_to_dict(dsn)['dbname']}_again")


@contextmanager
def _recording() -> Iterator[Tape]:
    """Every trip that is made meanwhile."""
    tape: Tape = []
    calls = trips.calls

    def kept(asked: Iterable[tuple[Prepared, Given]]) -> list[Call]:
        tape.append(calls(asked))
        return tape[-1]

    trips.calls = kept
    try:
        yield tape
    finally:
        trips.calls = calls


async def _replay(order: Order, ready: Barrier) -> Stint:
    with _recording() as tape:
        async with open_ledger(order.dsn, writers=1, readers=1) as ledger:
            engine, commands = await warmed_up(ledger, order)
            begun = len(tape)
            first = await put_through(engine, commands, order)
    again = twin(order.dsn)
    writers = Writers(again, limit=1, statements=PREPARED.values())
    try:
        async with writers.one() as db:
            for queue in tape[:begun]:
                await trips.send(db, queue)
            before = _head(again, order.lane)
            settle_memory()
            ready.wait()
            stint = await _timed(db, tape[begun:], order)
    finally:
        await writers.close()
    committed = _head(again, order.lane) - before
    return msgspec.structs.replace(stint, accepted=first.accepted, events=first.events, committed=committed)


async def _timed(db: AsyncConnection, tape: Tape, order: Order) -> Stint:
    own, server = time.process_time(), server_seconds(order.postmaster)
    seconds, started = list[float](), time.monotonic()
    last = started
    for queue in tape:
        await trips.send(db, queue)
        now = time.monotonic()
        seconds.append(now - last)
        last = now
    own, server = time.process_time() - own, server_seconds(order.postmaster) - server
    return Stint(started, last, 0, 0, 0, tuple(seconds), own, server)


def _head(dsn: str, lane: int) -> int:
    with psycopg.connect(dsn) as db:
        row = db.execute("SELECT head FROM lane WHERE lane = %s", [lane]).fetchone()
    assert row is not None
    return int(row[0])
