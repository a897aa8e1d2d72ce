"""One hub process of the custody benchmark: a lane, a prepared load, and the engine that puts it through."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import msgspec
import uvloop

from benchmarks.cpu import server_seconds
from benchmarks.lifecycle import STEPS, Load
from restante.core.commands import AnyCommand
from restante.core.ids import Lane
from restante.hub.engine import Accepted, Engine, settle_memory
from restante.store.ledger import Ledger
from restante.store.postgres import open_ledger


class Order(msgspec.Struct, frozen=True):
    """What one writer is to do."""

    dsn: str
    postmaster: int
    lane: int
    seed: int
    batch: int
    commands: int


class Stint(msgspec.Struct, frozen=True):
    """What one writer did; instants are seconds of the machine's monotonic clock, which all processes share.

    ``events`` are those the answers told of, ``committed`` those by which the lane grew meanwhile.
    """

    started: float
    ended: float
    accepted: int
    events: int
    committed: int
    batch_seconds: tuple[float, ...]
    own_cpu_seconds: float
    server_cpu_seconds: float
    refused: tuple[str, ...] = ()


Work = Callable[[Order, Barrier, Connection], None]


def work(order: Order, ready: Barrier, answer: Connection) -> None:
    """Prepare, wait for the other writers, put the load through, and report."""
    answer.send_bytes(msgspec.json.encode(uvloop.run(_work(order, ready))))


def together(orders: Sequence[Order], do: Work = work) -> list[Stint]:
    """Let writers work at the same time, each in its own process."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(len(orders))
    ends = [spawn.Pipe(duplex=False) for _ in orders]
    writers = [
        spawn.Process(target=do, args=(order, ready, send)) for order, (_, send) in zip(orders, ends, strict=True)
    ]
    for writer, (_, send) in zip(writers, ends, strict=True):
        writer.start()
        # The writer's copy is now the only one, so its death ends our reading.
        send.close()
    stints = [msgspec.json.decode(receive.recv_bytes(), type=Stint) for receive, _ in ends]
    for writer in writers:
        writer.join()
    return stints


async def _work(order: Order, ready: Barrier) -> Stint:
    async with open_ledger(order.dsn, writers=1, readers=1) as ledger:
        engine, commands = await warmed_up(ledger, order)
        settle_memory()
        before = (await ledger.lane_heads())[Lane(order.lane)]
        ready.wait()
        stint = await put_through(engine, commands, order)
        committed = (await ledger.lane_heads())[Lane(order.lane)] - before
        return msgspec.structs.replace(stint, committed=committed)


async def warmed_up(ledger: Ledger, order: Order) -> tuple[Engine, list[AnyCommand]]:
    """An engine whose banks stand and that has done a little already, and the commands it is to be measured with."""
    parcels = order.commands // STEPS
    load = Load(Lane(order.lane), points=100, seed=order.seed)
    provision, commands = load.provision(), load.commands(parcels, min(2 * order.batch + 50, parcels // 2))
    engine = Engine(ledger, lambda: datetime.now(UTC), max_batch=order.batch, queue_limit=100_000)
    await engine.submit_all(provision)
    warm = Load(Lane(order.lane), points=1, seed=order.seed + 1_000_000)
    await engine.submit_all([*warm.provision(), *warm.commands(2 * STEPS, 2)])
    return engine, commands


async def put_through(engine: Engine, commands: Sequence[AnyCommand], order: Order) -> Stint:
    """Measure how an engine takes commands, batch by batch; what was committed is for the caller to find out."""
    seconds, refused = list[float](), list[str]()
    accepted = events = 0
    own, server = time.process_time(), server_seconds(order.postmaster)
    started = last = time.monotonic()
    for start in range(0, len(commands), order.batch):
        outcomes = await engine.try_all(commands[start : start + order.batch])
        now = time.monotonic()
        seconds.append(now - last)
        last = now
        for outcome in outcomes:
            if isinstance(outcome, Accepted) and not outcome.replayed:
                accepted += 1
                events += len(outcome.positions)
            else:
                refused.append(repr(outcome))
    own, server = time.process_time() - own, server_seconds(order.postmaster) - server
    return Stint(started, last, accepted, events, 0, tuple(seconds), own, server, tuple(refused[:5]))
