"""Sets the stage: a fresh folder, database, mail sink, hub, worker, machines, carriers; and clears it again."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Final, Protocol

import msgspec

from restante.core.refusals import Fault
from restante.hub.notices.sink import open_sink
from restante.sim.city import City, assumed_city, cache_dir, load_city, prepare
from restante.sim.demo.api import Api
from restante.sim.demo.carriers import Carrier
from restante.sim.demo.children import Children
from restante.sim.demo.day import Cast
from restante.sim.demo.ground import Ground, Spot
from restante.sim.demo.pace import PacedClock, real_now
from restante.sim.demo.picture import Picture
from restante.sim.demo.world import CARRIERS, admit, build, chosen
from restante.sim.faces import LADDER
from restante.store import embedded

MARK: Final = "restante-demo"
_MARK_TEXT: Final = "The state of a demo of Restante. It is deleted when the next demo starts here.\n"
_MAP_S: Final = 20.0


class FolderTaken(Fault):
    """The folder is not a demo's; name another one with --state."""


class DemoRuns(Fault):
    """Another demo runs in this folder; end it, or name another folder with --state."""


class Told(Protocol):
    """Who is told how far the set-up is."""

    def step(self, name: str, *, of: int) -> None:
        """A step is done, one of so many."""


class Stage(msgspec.Struct, frozen=True):
    """Everything that stands once the demo is set up."""

    api: Api
    cast: Cast
    picture: Picture
    children: Children
    clock: PacedClock
    links: Mapping[str, str]
    dsn: str


@asynccontextmanager
async def set_up(folder: Path, *, pace: float, banks: int, counters: int, show: Told) -> AsyncIterator[Stage]:
    """The whole network, until left. Faults: ``FolderTaken``, ``DemoRuns``, ``ChildFailed``, the database's."""
    steps = 6 + banks + counters
    async with AsyncExitStack() as stack:
        stack.enter_context(_own(folder))
        mapping = asyncio.create_task(_city())
        server = await asyncio.to_thread(stack.enter_context, embedded.server(folder / "hub" / "database"))
        show.step("database", of=steps)
        sink = await stack.enter_async_context(await open_sink(folder / "mail"))
        clock = PacedClock(real_now(), pace)
        children = Children(folder / "log", _environment(folder, clock, sink.port))
        spots: list[Spot] = []
        stack.push_async_callback(_hang_up, spots)
        stack.push_async_callback(children.stop)
        hub = await children.start("hub", ["hub", "--json"])
        worker = await children.start("worker", ["worker", "--json"])
        told = await hub.ready()
        show.step("hub", of=steps)
        await worker.ready()
        show.step("worker", of=steps)
        key = _read(told["key_file"])
        api = await stack.enter_async_context(Api(told["api"], key))
        hub_port = int(str(told["banks"]).rpartition(":")[2])
        city = await mapping
        show.step("city", of=steps)
        sites = chosen(city.sites, banks, counters)
        built, seen = await build(
            api,
            sites,
            children,
            folder=folder / "machines",
            hub_port=hub_port,
            step=lambda name: show.step(name, of=steps),
        )
        spots += built
        ground, carriers = Ground(), dict[str, Carrier]()
        for org, name in CARRIERS.items():
            calls = await stack.enter_async_context(Api(told["api"], await admit(api, org, name)))
            carriers[org] = Carrier(org, calls, ground, spots=spots, clock=clock)
        show.step("carriers", of=steps)
        links = {
            "API": f"{told['api']}/v1/openapi.json  (key in {_short(Path(told['key_file']))})",
            "mail": _short(folder / "mail"),
            "logs": _short(folder / "log"),
            "docs": "docs/tutorials/first-parcel.md",
        }
        cast = Cast(spots, carriers, sink, city, ground)
        yield Stage(api, cast, Picture(seen), children, clock, links, server.dsn)


@contextmanager
def _own(folder: Path) -> Iterator[None]:
    """A fresh folder that is this demo's alone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FolderTaken(f"{folder}: {FolderTaken.__doc__}")
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRuns(f"{folder}: {DemoRuns.__doc__}") from None
        discard(folder)
        folder.mkdir(mode=0o711)
        (folder / MARK).write_text(_MARK_TEXT, encoding="utf-8")
        (folder / "hub").mkdir(mode=0o711)
        yield


def discard(folder: Path) -> None:
    """Delete what a demo left, its database included."""
    embedded.discard(folder / "hub" / "database")
    shutil.rmtree(folder, ignore_errors=True)


async def _city() -> City:
    """The city on its map if the map can be had soon, else the assumed one."""
    chance = Random(1)  # noqa: S311 -- a story, not a secret
    try:
        async with asyncio.timeout(_MAP_S):
            await asyncio.to_thread(prepare, cache_dir())
    except TimeoutError:
        return assumed_city(chance)
    return load_city(cache_dir(), chance=chance)


def _short(path: Path) -> str:
    """A path as people write it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


async def _hang_up(spots: Sequence[Spot]) -> None:
    """Leave every machine, once its program has stopped."""
    await asyncio.gather(*(spot.person.leave() for spot in spots), *(spot.line.close() for spot in spots))


def _read(key_file: str) -> str:
    return Path(key_file).read_text(encoding="ascii").strip()


def _environment(folder: Path, clock: PacedClock, mail_port: int) -> dict[str, str]:
    """What the hub's and the machines' programs are told; the demo always keeps a database of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESTANTE_")}
    inherited.pop("DATABASE_URL", None)
    return inherited | clock.environment() | {
        "RESTANTE_STATE": str(folder / "hub"),
        "RESTANTE_NETWORK": "helsinki",
        "RESTANTE_LADDER": msgspec.json.encode(LADDER).decode(),
        "RESTANTE_PROMISE_HOURS": "168",
        "RESTANTE_HTTP_PORT": "0",
        "RESTANTE_BANK_PORT": "0",
        "RESTANTE_SMTP_HOST": "127.0.0.1",
        "RESTANTE_SMTP_PORT": str(mail_port),
        "RESTANTE_MAIL_FROM": "parcels@helsinki.example",
    }  # fmt: skip
