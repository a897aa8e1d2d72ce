"""Puts the demo's network up through the public API: points, carriers with keys, machines that enrol."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from restante.core.bank import BankModule, SourceKind
from restante.edge.person import Person
from restante.sim.city import City
from restante.sim.demo.api import Api
from restante.sim.demo.children import Children
from restante.sim.demo.ground import Spot
from restante.sim.demo.lines import open_line
from restante.sim.demo.picture import PointSeen
from restante.sim.faces import BANKS, COUNTERS, LADDER, CounterFace, Face, drawing, modules
from restante.sim.sites import Site

CARRIERS: Final[Mapping[str, str]] = {
    "revontuli": "Revontuli Parcels",
    "satama": "Satama Express",
    "kaarna": "Kaarna Couriers",
}
"""The demo's carriers by the id of their organisation; all invented."""

HOLD_HOURS: Final = 48
STAGGER_S: Final = 0.15

Step = Callable[[str], None]
"""Is told of each step that is done."""


class Plot(msgspec.Struct, frozen=True):
    """A point that the hub knows and no machine stands at yet."""

    site: Site
    face: Face | CounterFace
    point: str
    source: str


def chosen(sites: Sequence[Site], banks: int, counters: int) -> list[Site]:
    """The first banks and counters of a city."""
    wanted = {SourceKind.BANK: banks, SourceKind.COUNTER: counters}
    found: list[Site] = []
    for site in sites:
        if wanted[site.kind] > 0:
            wanted[site.kind] -= 1
            found.append(site)
    return found


async def put_up(api: Api, site: Site) -> Plot:
    """Provision a point and what stands there."""
    face = face_of(site)
    made = await api.post("/points", point_given(site, face), once=f"point-{site.code}")
    built = {"kind": site.kind.value, "modules": [_module(one) for one in modules(face)]}
    installed = await api.post(f"/points/{made['id']}/source", built, once=f"source-{site.code}")
    return Plot(site, face, made["id"], installed["source"])


async def admit(api: Api, org: str, name: str) -> str:
    """Take a carrier into the network; its key."""
    await api.post("/orgs", {"id": org, "role": "carrier", "name": name})
    made = await api.post(f"/orgs/{org}/keys", {"label": "demo"})
    return str(made["key"])


async def switch_on(api: Api, plot: Plot, children: Children, *, folder: Path, hub_port: int) -> Spot:
    """Start the program of a point's machine; it enrols by invitation, through a line of its own."""
    line = await open_line(hub_port)
    invited = await api.post(f"/points/{plot.point}/invitations")
    _, _, secret = str(invited["text"]).partition("#")
    invitation = f"wss://127.0.0.1:{line.port}#{secret}"
    home = folder / plot.site.code
    arguments = [plot.site.kind.value, "--state", str(home), "--invitation", "-", "--json"]
    if isinstance(plot.face, Face):
        doors = max(one.door for module in modules(plot.face) for one in module.compartments)
        arguments += ["--board", f"emulated:{doors}"]
    child = await children.start(plot.site.code, arguments, stdin=invitation.encode() + b"\n")
    await child.ready()
    person = Person(home)
    await person.until(lambda status: status.online and status.generation is not None, seconds=60)
    return Spot(plot.site.code, plot.site.name, plot.site.kind, plot.point, plot.source, home, line, person)


async def build(
    api: Api, sites: Sequence[Site], children: Children, *, folder: Path, hub_port: int, step: Step
) -> tuple[list[Spot], dict[str, PointSeen]]:
    """The whole network: points through the API, then every machine as a process of its own, a little apart."""
    plots = await asyncio.gather(*(put_up(api, site) for site in sites))
    step("points")
    seen = {plot.point: point_seen(plot) for plot in plots}

    async def start(number: int, plot: Plot) -> Spot:
        await asyncio.sleep(number * STAGGER_S)
        spot = await switch_on(api, plot, children, folder=folder, hub_port=hub_port)
        step(spot.name)
        return spot

    return list(await asyncio.gather(*(start(number, plot) for number, plot in enumerate(plots)))), seen


def face_of(site: Site) -> Face | CounterFace:
    """What stands at a site."""
    return BANKS[site.code] if site.kind is SourceKind.BANK else COUNTERS[site.code]


def point_given(site: Site, face: Face | CounterFace) -> dict[str, Any]:
    """A point as the API takes it."""
    hours = [msgspec.to_builtins(one) for one in site.calendar.hours]
    return {
        "name": site.name,
        "kind": site.host_kind,
        "latitude": site.lat,
        "longitude": site.lon,
        "zone": site.calendar.zone,
        "host": site.host,
        "address": site.address,
        "directions": site.directions,
        "hours": hours,
        "hold": {"kind": "elapsed-hours", "hold_hours": HOLD_HOURS},
        "face": drawing(face),
    }


def point_seen(plot: Plot) -> PointSeen:
    """A point as a watcher first knows it: all of its places, none taken."""
    places: dict[int, int] = {}
    for module in modules(plot.face):
        for one in module.compartments:
            places[one.size] = places.get(one.size, 0) + one.capacity
    return PointSeen(plot.site.name, plot.site.kind, places)


def homes(city: City, chance: Random, count: int) -> list[tuple[float, float]]:
    """Where so many recipients live: buildings of the city."""
    return [(one.lat, one.lon) for one in chance.choices(city.buildings, k=count)]


def _module(module: BankModule) -> dict[str, Any]:
    compartments = []
    for one in module.compartments:
        plain: dict[str, Any] = msgspec.to_builtins(one)
        plain["size"] = LADDER.classes[one.size].name
        plain["abilities"] = sorted(plain["abilities"])
        compartments.append(plain)
    return {"number": module.number, "compartments": compartments}
