"""What is asked of a network with a past: holds of stored parcels, timers, tasks, the feed, and pages over HTTP."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from benchmarks import stored
from benchmarks.http import hub
from benchmarks.lifecycle import START
from benchmarks.waits import Waits, waits
from benchmarks.writer import Stint
from restante.core import commands as cmd
from restante.core.ids import CommandId, Lane, laned_id
from restante.hub.app import operator_key
from restante.hub.engine import Accepted, Engine
from restante.hub.paging import write_cursor
from restante.store.directory import code_of
from restante.store.ledger import Ledger
from restante.store.postgres import open_ledger

EXTENSIONS: Final = 6_000
BATCH: Final = 256
CLAIMS: Final = 30
PAGES: Final = 150
PAGE: Final = 500
CLAIMED: Final = 32
LEASE_S: Final = 0.05
"""Short, so that the few timers of the smallest network are due again for the next claim."""


class Round(msgspec.Struct, frozen=True):
    """One round at one size: rates a second and waits by what was asked, and what went wrong."""

    rates: dict[str, float] = {}
    waits: dict[str, Waits] = {}
    wrong: list[str] = []

    def __add__(self, other: "Round") -> "Round":
        return Round(self.rates | other.rates, self.waits | other.waits, self.wrong + other.wrong)


class Asked(msgspec.Struct, frozen=True):
    """Of which database what is asked, and how much of it."""

    dsn: str
    folder: Path
    probes: list[stored.Probe]
    scale: float
    extending: str

    def some(self, count: int) -> int:
        """How many times, at this scale; at least a few."""
        return max(5, round(count * self.scale))


def events_of(name: str, stints: Sequence[Stint]) -> Round:
    """The rate of writers that worked at the same time; wrong where one was refused or lost something."""
    took_s = max(one.ended for one in stints) - min(one.started for one in stints)
    wrong = [word for one in stints for word in one.refused]
    wrong += [
        f"{one.events} events in accepted answers, {one.committed} committed"
        for one in stints
        if one.events != one.committed
    ]
    batches = [seconds for one in stints for seconds in one.batch_seconds]
    return Round({name: sum(one.accepted for one in stints) / took_s}, {"a batch of new lives": waits(batches)}, wrong)


async def ask(asked: Asked, stack: AsyncExitStack) -> Round:
    """Everything that is asked of what is stored."""
    ledger = await stack.enter_async_context(open_ledger(asked.dsn))
    told = await _extend(asked, ledger)
    told += await _claims(asked, ledger)
    told += await _feed(asked, ledger)
    return told + await _pages(asked, stack)


async def _extend(asked: Asked, ledger: Ledger) -> Round:
    """Holds of parcels that lie somewhere, in whole batches: rows that nobody has looked at for long."""
    engine = Engine(ledger, lambda: datetime.now(UTC), max_batch=BATCH, queue_limit=100_000)
    held = [probe for probe in asked.probes if probe.is_held]
    chance = random.Random(time.time_ns())
    count = min(len(held), asked.some(EXTENSIONS))
    chosen = chance.sample(held, count - count % BATCH if count > BATCH else count)
    commands = [_extension(probe, chance) for probe in chosen]
    took, refused = list[float](), list[str]()
    for start in range(0, len(commands), BATCH):
        begun_s = time.perf_counter()
        outcomes = await engine.try_all(commands[start : start + BATCH])
        took.append(time.perf_counter() - begun_s)
        refused += [repr(one) for one in outcomes if not isinstance(one, Accepted)]
    await engine.close()
    return Round({asked.extending: len(commands) / sum(took)}, {"a batch of holds": waits(took)}, refused[:3])


def _extension(probe: stored.Probe, chance: random.Random) -> cmd.ExtendHold:
    """A later end than any earlier round gave: the seconds of this one since the load's beginning."""
    now = datetime.now(UTC)
    name = CommandId(laned_id(now, chance.randbytes(8), Lane(int(probe.parcel[-4:], 16))))
    return cmd.ExtendHold(name, "recipient", START, probe.parcel, now + timedelta(days=30), 24 * 366 * 10)


async def _claims(asked: Asked, ledger: Ledger) -> Round:
    """Timers that are due and tasks that are owed, claimed as a worker does; tasks are done, timers left leased."""
    timers, tasks, wrong = list[float](), list[float](), list[str]()
    for _ in range(asked.some(CLAIMS)):
        now, begun_s = datetime.now(UTC), time.perf_counter()
        due = await ledger.claim_timers(now, CLAIMED, LEASE_S)
        timers.append(time.perf_counter() - begun_s)
        begun_s = time.perf_counter()
        owed = await ledger.claim_tasks(now, CLAIMED, LEASE_S, codes=0)
        await ledger.finish_tasks(owed)
        tasks.append(time.perf_counter() - begun_s)
        wrong += [] if due else ["no timer was due"]
        wrong += [] if owed else ["no task was owed"]
    return Round({}, {"timers claimed": waits(timers), "tasks claimed and done": waits(tasks)}, wrong[:3])


async def _feed(asked: Asked, ledger: Ledger) -> Round:
    """Pages of the feed: the newest, as those who keep up read, and from anywhere in the log, as those who begin."""
    newest, anywhere, wrong = list[float](), list[float](), list[str]()
    chance = random.Random(7)
    heads = await ledger.lane_heads()
    for number in range(asked.some(PAGES)):
        lane = Lane(number % stored.LANES)
        for took, after in ((newest, heads[lane] - PAGE), (anywhere, chance.randrange(heads[lane] - PAGE))):
            begun_s = time.perf_counter()
            page = await ledger.feed(lane, after, PAGE)
            took.append(time.perf_counter() - begun_s)
            wrong += [] if page else [f"no events after {after} of {heads[lane]}"]
    return Round({}, {"newest page of the feed": waits(newest), "any page of the feed": waits(anywhere)}, wrong[:3])


Page = Callable[[httpx.AsyncClient, stored.Probe, str], Awaitable[bool]]
"""Ask for a page about a stored parcel, given a cursor; whether it is the right one."""


async def _by_reference(client: httpx.AsyncClient, probe: stored.Probe, _: str) -> bool:
    return await _is(client, "/parcels/by-reference", probe, reference=probe.reference)


async def _by_code(client: httpx.AsyncClient, probe: stored.Probe, _: str) -> bool:
    return await _is(client, f"/parcels/by-code/{code_of(probe.parcel, 0)}", probe)


async def _is(client: httpx.AsyncClient, path: str, probe: stored.Probe, **query: str) -> bool:
    answer = await client.get(path, params=query)
    return answer.status_code == httpx.codes.OK and answer.json()["id"] == probe.parcel


async def _history(client: httpx.AsyncClient, probe: stored.Probe, _: str) -> bool:
    answer = await client.get(f"/parcels/{probe.parcel}/events")
    return answer.status_code == httpx.codes.OK


async def _first(client: httpx.AsyncClient, _: stored.Probe, __: str) -> bool:
    answer = await client.get("/parcels", params={"limit": 50})
    return answer.status_code == httpx.codes.OK and len(answer.json()["items"]) == 50


async def _next(client: httpx.AsyncClient, _: stored.Probe, cursor: str) -> bool:
    answer = await client.get("/parcels", params={"limit": 50, "cursor": cursor})
    return answer.status_code == httpx.codes.OK and bool(answer.json()["items"])


_PAGES: Final[dict[str, Page]] = {
    "a parcel by reference, HTTP": _by_reference,
    "a parcel by code, HTTP": _by_code,
    "a parcel's history, HTTP": _history,
    "50 parcels, HTTP": _first,
    "50 parcels from the middle, HTTP": _next,
}


async def _pages(asked: Asked, stack: AsyncExitStack) -> Round:
    port, _ = await stack.enter_async_context(hub(asked.dsn, asked.folder, max_batch=BATCH))
    base = f"http://127.0.0.1:{port}/v1"
    client = await stack.enter_async_context(httpx.AsyncClient(base_url=base, trust_env=False, timeout=60.0))
    client.headers["Authorization"] = f"Bearer {await _key(client, asked.folder)}"
    named = [probe for probe in asked.probes if probe.reference]
    took: dict[str, list[float]] = {name: [] for name in _PAGES}
    wrong = list[str]()
    for number in range(asked.some(PAGES)):
        probe = named[number * 7919 % len(named)]
        for name, page in _PAGES.items():
            cursor = write_cursor("parcels::", named[len(named) // 2].parcel)
            begun_s = time.perf_counter()
            is_right = await page(client, probe, cursor)
            took[name].append(time.perf_counter() - begun_s)
            wrong += [] if is_right else [f"{name}: not the page of {probe.parcel}"]
    return Round({}, {name: waits(one) for name, one in took.items()}, wrong[:3])


async def _key(client: httpx.AsyncClient, folder: Path) -> str:
    """A key of the organisation that the stored parcels belong to."""
    asked: dict[str, Any] = {"headers": {"Authorization": f"Bearer {operator_key(folder)}"}}
    await client.post("/orgs", json={"id": stored.ORG, "role": "carrier", "name": "Nord Post"}, **asked)
    made = await client.post(f"/orgs/{stored.ORG}/keys", json={"label": "bench"}, **asked)
    made.raise_for_status()
    return str(made.json()["key"])
