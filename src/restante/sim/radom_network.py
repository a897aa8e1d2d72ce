"""The network of a replay: a hub of its own or one that runs, points put up through its API, banks that enrol.

Hub and banks are separate processes over real sockets. Mail goes to a sink in this process, from which the people of
the day read their codes: the hub is told its port.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from restante.core.bank import SourceKind
from restante.core.refusals import Fault
from restante.edge.bank import SourceConfig
from restante.edge.person import Person
from restante.hub.app import operator_key
from restante.sim.demo.api import Api
from restante.sim.demo.children import Children
from restante.sim.demo.ground import Spot
from restante.sim.demo.lines import Line
from restante.sim.polish import LADDER
from restante.sim.radom_banks import write_configs
from restante.sim.radom_plan import PointPlan
from restante.store.embedded import resolve

AT_ONCE: Final = 8
ONLINE_S: Final = 120.0

T = TypeVar("T")

Step = Callable[[], None]
"""Is called after each step that is done."""


class LadderForeign(Fault):
    """The hub's size classes are not A, B and C: start it with the RESTANTE_LADDER that the how-to shows."""

    blame = "partner"


class HubAt(msgspec.Struct, frozen=True):
    """A hub: its API, the operator's key, its database, and its programs if they are ours."""

    url: str
    key: str
    dsn: str
    programs: Children | None = None

    def __repr__(self) -> str:
        return f"<HubAt {self.url}>"


class Network(msgspec.Struct, frozen=True):
    """What the day runs on: the operator's and the carrier's way in, each locker as people meet it, courier codes.

    ``points`` names the locker that a point stands for.
    """

    operator: Api
    carrier: Api
    spots: dict[int, Spot]
    codes: dict[int, str]
    points: dict[str, int]


def ladder_json() -> str:
    """The instance's sizes as the setting RESTANTE_LADDER takes them."""
    return msgspec.json.encode(LADDER).decode()


@asynccontextmanager
async def own_hub(folder: Path, environ: Mapping[str, str], *, mail_port: int, kdf_n: int) -> AsyncIterator[HubAt]:
    """A hub and a worker as processes of their own, over the database of ``environ`` or one over ``folder``."""
    with resolve(environ, folder / "database") as dsn:
        settings = {
            "STATE": str(folder / "hub"),
            "NETWORK": "replay",
            "LADDER": ladder_json(),
            "HTTP_PORT": "0",
            "BANK_PORT": "0",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail_port),
            "KDF_N": str(kdf_n),
        }
        given = {f"RESTANTE_{name}": value for name, value in settings.items()} | {"DATABASE_URL": dsn}
        ours = programs(folder, {**bare(environ), **given})
        try:
            hub = await ours.start("hub", ["hub", "--json"])
            told = await hub.ready()
            worker = await ours.start("worker", ["worker", "--json"])
            await worker.ready()
            yield HubAt(told["api"], operator_key(Path(told["key_file"]).parent), dsn, ours)
        finally:
            await ours.stop()


@asynccontextmanager
async def running_hub(url: str, state: Path, environ: Mapping[str, str]) -> AsyncIterator[HubAt]:
    """A hub that runs on this machine over this state folder, and the database it uses."""
    with resolve(environ, state / "database") as dsn:
        yield HubAt(url, operator_key(state), dsn)


def programs(folder: Path, environ: Mapping[str, str]) -> Children:
    """Programs of a replay, with their logs in one folder."""
    return Children(folder / "logs", environ)


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without settings or secrets of a hub, for programs that need none."""
    return {name: value for name, value in environ.items() if not name.startswith(("RESTANTE_", "DATABASE_URL"))}


async def check_ladder(operator: Api, point: str) -> None:
    """See that a point of the hub knows the instance's sizes. Fault: ``LadderForeign``."""
    shown = await operator.get(f"/points/{point}")
    if [one["size"] for one in shown["room"] if not one["needs"]] != [one.name for one in LADDER.classes]:
        raise LadderForeign


async def put_up(operator: Api, plans: Sequence[PointPlan], *, tag: str, step: Step) -> dict[int, tuple[str, str]]:
    """Provision every locker with its bank; point and source by locker."""
    made: dict[int, tuple[str, str]] = {}

    async def one(plan: PointPlan) -> None:
        point = (await operator.post("/points", plan.point, once=f"{tag}-point-{plan.locker}"))["id"]
        if not made:
            await check_ladder(operator, point)
        built = await operator.post(f"/points/{point}/source", plan.source, once=f"{tag}-source-{plan.locker}")
        made[plan.locker] = (point, built["source"])
        step()

    await one(plans[0])
    await some_at_once(one, plans[1:])
    return made


async def switch_on(
    operator: Api,
    plans: Sequence[PointPlan],
    made: Mapping[int, tuple[str, str]],
    *,
    children: Children,
    folder: Path,
    per_process: int,
    step: Step,
) -> dict[int, Spot]:
    """Start the banks' programs, so many banks to a process, and wait until each has enrolled and has its list."""
    configs: dict[int, SourceConfig] = {}

    async def invite(plan: PointPlan) -> None:
        invited = await operator.post(f"/points/{made[plan.locker][0]}/invitations")
        # Steel has a door, also where the day begins with a full locker and the network has none of it to give away.
        home, board = folder / "banks" / f"{plan.locker:04}", f"emulated:{max(plan.doors, 1)}"
        home.mkdir(mode=0o700, parents=True)
        configs[plan.locker] = SourceConfig(state_directory=home, board=board, invitation=invited["text"])

    await some_at_once(invite, plans)
    for first in range(0, len(plans), per_process):
        group = [configs[plan.locker] for plan in plans[first : first + per_process]]
        program = await children.start(f"banks-{first + 1}", ["banks"], stdin=write_configs(group))
        await program.ready()
    return {plan.locker: await _online(plan, made[plan.locker], configs[plan.locker], step=step) for plan in plans}


async def _online(plan: PointPlan, made: tuple[str, str], config: SourceConfig, *, step: Step) -> Spot:
    person = Person(config.state_directory)
    await person.until(lambda status: status.online and status.generation is not None, seconds=ONLINE_S)
    step()
    point, source = made
    name = plan.point["name"]
    return Spot(name, name, SourceKind.BANK, point, source, config.state_directory, Line(0), person)


async def courier_codes(carrier: Api, spots: Mapping[int, Spot]) -> dict[int, str]:
    """A code for the carrier's couriers at each locker."""
    codes: dict[int, str] = {}

    async def one(locker: int) -> None:
        codes[locker] = (await carrier.post(f"/points/{spots[locker].point}/courier-codes"))["code"]

    await some_at_once(one, list(spots))
    return codes


async def some_at_once(doing: Callable[[T], Awaitable[object]], things: Iterable[T]) -> None:
    """Do it to all things, some at once; the first failure ends it."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(thing: T) -> None:
        async with turns:
            await doing(thing)

    await asyncio.gather(*(one(thing) for thing in things))
