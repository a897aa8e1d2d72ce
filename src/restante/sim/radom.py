"""Replays a real day of a Polish city: its lockers, its free compartments and its orders, through hub and banks.

``restante import radom INSTANCE`` turns an instance (``sim.polish``) into points, banks and announcements through the
public API, runs the day at the banks' doors in real time (``sim.radom_day``), and draws up the account
(``sim.radom_account``). It works for every city of the folder.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from restante.hub.notices.sink import open_sink
from restante.hub.settings import Settings
from restante.sim.demo.api import Api, Declined
from restante.sim.demo.children import Children
from restante.sim.demo.world import admit
from restante.sim.polish import Instance, Malformed, read_instance, repeated
from restante.sim.radom_account import Account, Evidence, as_plain, as_table, ask, draw_up
from restante.sim.radom_day import Day
from restante.sim.radom_network import (
    HubAt,
    Network,
    bare,
    courier_codes,
    own_hub,
    programs,
    put_up,
    running_hub,
    switch_on,
)
from restante.sim.radom_plan import city_of, errands, point_plans
from restante.store import embedded
from restante.store.postgres import open_ledger

LARGEST_FILE_BYTES: Final = 64 * 1024 * 1024
LIGHT_KDF_N: Final = 1_024
"""What one code attempt costs in a replay's own hub: a sixteenth of the product's, for thousands are typed at once."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a day is to be replayed.

    ``folder`` is kept if named. With ``hub`` the day runs on a hub of this machine, whose state folder is ``hub_state``
    and which hands its mail to ``mail_port``; without, on one of its own.
    """

    city: str
    repeat: int = 1
    banks_per_process: int = 27
    seed: int = 1
    kdf_n: int = LIGHT_KDF_N
    folder: Path | None = None
    hub: str = ""
    hub_state: Path | None = None
    mail_port: int = 0


def main(
    path: Path,
    *,
    repeat: int = 1,
    banks_per_process: int = 27,
    seed: int = 1,
    kdf_n: int = LIGHT_KDF_N,
    folder: Path | None = None,
    hub: str = "",
    hub_state: Path | None = None,
    mail_port: int = 0,
    json: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Replay the instance at ``path``; 0 when every order is accounted for and nobody disagrees, else 1.

    Faults: those of the database, of programs that do not start, ``LadderForeign``.
    """
    notes = Console(stderr=True)
    instance = _read(path)
    if isinstance(instance, str):
        notes.print(instance, markup=False, soft_wrap=True)
        return 1
    if bool(hub) != bool(hub_state) or (hub and not mail_port) or repeat < 1 or banks_per_process < 1:
        notes.print("--hub, --hub-state and --mail-port go together; --repeat and --banks-per-process are 1 or more.")
        return 1
    wish = Wish(
        city=city_of(path.stem),
        repeat=repeat,
        banks_per_process=banks_per_process,
        seed=seed,
        kdf_n=kdf_n,
        folder=folder,
        hub=hub,
        hub_state=hub_state,
        mail_port=mail_port,
    )
    try:
        account = asyncio.run(replay(repeated(instance, repeat), wish, environ=environ, notes=notes))
    except Declined as no:
        notes.print(f"The hub declined what the replay needs: {no}", markup=False, soft_wrap=True)
        return 1
    if json:
        print(msgspec.json.format(msgspec.json.encode(as_plain(account))).decode())
    else:
        Console().print(as_table(account))
    return 0 if account.is_settled else 1


def _read(path: Path) -> Instance | str:
    """The instance, or why the file is none: nothing is imported of it then."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            return f"instance-malformed: {path} is larger than {LARGEST_FILE_BYTES} bytes. Nothing was imported."
        read = read_instance(path.read_bytes())
    except OSError as missing:
        return f"{path}: {missing.strerror}. Name an instance of the folder polish_locker_cities/instances."
    if isinstance(read, Malformed):
        return f"{read.code}: {path}, line {read.line}, {read.field}: {read.rule}. Nothing was imported."
    return read


async def replay(instance: Instance, wish: Wish, *, environ: Mapping[str, str], notes: Console) -> Account:
    """The whole day, from an empty network to its account."""
    phases_s: dict[str, float] = {}
    _say_how(instance, wish, notes)
    with _folder(wish.folder) as folder, _bars(notes) as bars:
        async with AsyncExitStack() as stack:
            sink = await stack.enter_async_context(
                await open_sink(folder / "mail", port=wish.mail_port, keep=1_000_000)
            )
            with _timed("hub", phases_s):
                hub = await stack.enter_async_context(_hub(folder, wish, environ=environ, mail_port=sink.port))
            children = programs(folder, bare(environ))
            stack.push_async_callback(children.stop)
            with _timed("network", phases_s):
                network = await stack.enter_async_context(
                    _network(instance, wish, hub, folder=folder, children=children, bars=bars)
                )
            day = Day(instance, network, sink, chance=Random(wish.seed), tell=bars.tell)  # noqa: S311 a made-up day
            await _play(day, instance, wish, bars=bars, phases_s=phases_s)
            with _timed("account", phases_s):
                told = await ask(network, day)
                await children.stop()
                if hub.programs is not None:
                    await hub.programs.stop()
                mails = len(sink.latest(1_000_000))
                evidence = Evidence(instance, day, network, told, mails, phases_s)
                async with open_ledger(hub.dsn) as ledger:
                    return await draw_up(ledger, evidence)


def _say_how(instance: Instance, wish: Wish, notes: Console) -> None:
    deliveries = sum(order.is_delivery for order in instance.orders)
    notes.print(
        f"{wish.city}: {len(instance.lockers)} lockers, {deliveries} deliveries and "
        f"{len(instance.orders) - deliveries} sent parcels, seed {wish.seed}. Places on the map are synthetic, made "
        "from road metres. The instance tells no times: everything is announced in its order, senders drop off in an "
        "order drawn from the seed, couriers take out before they put in, recipients come as soon as their mail has."
    )
    if not wish.hub and wish.kdf_n < Settings().kdf_n:
        notes.print(f"For the replay a code attempt costs scrypt N={wish.kdf_n}, not the product's {Settings().kdf_n}.")


async def _play(day: Day, instance: Instance, wish: Wish, *, bars: "Bars", phases_s: dict[str, float]) -> None:
    """The phases of the day, one after the other."""
    found = errands(instance, f"{wish.city.lower()}-{secrets.token_hex(3)}")
    bars.expect("announced", len(found))
    with _timed("announce", phases_s):
        await day.announce(found)
    bars.expect("next best", sum(1 for way in day.ways if way.refused))
    with _timed("next best", phases_s):
        await day.find_next_best()
    bound = [way.errand.order.is_delivery for way in day.ways if way.locker is not None]
    for name, count in (("dropped off", bound.count(False)), ("taken back", bound.count(False))):
        bars.expect(name, count)
    with _timed("drop off", phases_s):
        await day.drop_off()
    for name in ("deposited", "collected"):
        bars.expect(name, bound.count(True))
    with _timed("deliver and collect", phases_s):
        await day.deliver(instance.vehicles * wish.repeat)
    with _timed("settle", phases_s):
        await day.settle()


@asynccontextmanager
async def _hub(folder: Path, wish: Wish, *, environ: Mapping[str, str], mail_port: int) -> AsyncIterator[HubAt]:
    if wish.hub and wish.hub_state is not None:
        async with running_hub(wish.hub, wish.hub_state, environ) as hub:
            yield hub
    else:
        async with own_hub(folder, environ, mail_port=mail_port, kdf_n=wish.kdf_n) as hub:
            yield hub


@asynccontextmanager
async def _network(
    instance: Instance, wish: Wish, hub: HubAt, *, folder: Path, children: Children, bars: "Bars"
) -> AsyncIterator[Network]:
    """Points, banks and the carrier, all through the API."""
    tag, plans = secrets.token_hex(4), point_plans(instance, wish.city)
    bars.expect("points", len(plans))
    bars.expect("banks on line", len(plans))
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(Api(hub.url, hub.key))
        made = await put_up(operator, plans, tag=tag, step=lambda: bars.tell("points", 1))
        spots = await switch_on(
            operator,
            plans,
            made,
            children=children,
            folder=folder,
            per_process=wish.banks_per_process,
            step=lambda: bars.tell("banks on line", 1),
        )
        for spot in spots.values():
            stack.push_async_callback(spot.person.leave)
        key = await admit(operator, f"carrier-{tag}", f"Carrier of {wish.city}")
        carrier = await stack.enter_async_context(Api(hub.url, key))
        codes = await courier_codes(carrier, spots)
        yield Network(operator, carrier, spots, codes, {point: locker for locker, (point, _) in made.items()})


class Bars:
    """How far each phase of the day is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def expect(self, name: str, count: int) -> None:
        """So many are to come as far as this; nothing is shown of a phase without any."""
        if count:
            self._tasks[name] = self._progress.add_task(name, total=count)

    def tell(self, name: str, count: int) -> None:
        """So many more have."""
        self._progress.advance(self._tasks[name], count)


@contextmanager
def _bars(notes: Console) -> Iterator[Bars]:
    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes) as progress:
        yield Bars(progress)


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """Where the replay keeps its books and logs; a made-up place is deleted with its database at the end."""
    if named is not None:
        named.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield named.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="restante-replay-"))
    try:
        yield folder
    finally:
        embedded.discard(folder / "database")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _timed(name: str, phases_s: dict[str, float]) -> Iterator[None]:
    began_s = time.monotonic()
    try:
        yield
    finally:
        phases_s[name] = phases_s.get(name, 0.0) + time.monotonic() - began_s
