"""One kill of one bank: a point of its own in the network, an act, an aim, and what came of it."""

import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Final

import msgspec

from restante.core.bank import SourceKind
from restante.core.ids import ParcelId
from restante.core.parcel import Direction
from restante.edge.moments import NOWHERE, Moment, noted
from restante.sim.demo.api import Api
from restante.sim.kill.judge import Verdict, judge
from restante.sim.kill.machine import BROKEN_OFF, DOORS, Machine, Stuck
from restante.sim.kill.network import Network
from restante.sim.kill.patience import patiently
from restante.sim.kill.story import ACTS, Parcel, Story

PARCELS: Final = 2
ROOMY: Final = 400
SHELF: Final = 3
"""How many parcels lie at one place of a counter's shelf."""
MOST_TIMES: Final = 4
"""How many times of reaching a moment within one act are killed at, each in a story of its own."""


class Aim(msgspec.Struct, frozen=True, order=True):
    """Where a bank is killed: in which act, at which moment, and at which time of reaching it."""

    act: str
    moment: str
    count: int

    @property
    def text(self) -> str:
        """As a bank's program is told."""
        return f"{self.moment}:{self.count}" if self.count else NOWHERE


class Outcome(msgspec.Struct, frozen=True):
    """What came of one aim: kills that took place, seconds to serve and to be whole again, and the verdict."""

    aim: Aim
    kills: int
    recoveries: tuple[tuple[float, float], ...]
    verdict: Verdict
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong; a moment that is reached by chance may have been missed."""
        return not (self.verdict.lost or self.verdict.doubled or self.verdict.wrong or self.fault)


async def reached(network: Network, folder: Path, act: str) -> Counter[Moment]:
    """How often each moment is reached in one start of an act, in which nothing is killed. Faults: `Stuck`."""
    story = await put_up(network, folder / f"record-{act}", NOWHERE)
    try:
        before = await _play(story, act)
        starts = [Counter(notes) for notes in _notes(story)[before:]]
    finally:
        await story.machine.close()
    verdict = await judge(story)
    if verdict.lost or verdict.doubled or verdict.wrong:
        raise Stuck(f"{act} goes wrong by itself: {verdict}")
    shutil.rmtree(folder / f"record-{act}", ignore_errors=True)
    return reduce(or_, starts)


async def kill_at(network: Network, folder: Path, aim: Aim) -> Outcome:
    """Play an act and kill the bank where it is aimed at; what it came to."""
    place = folder / f"{aim.act}-{aim.moment}-{aim.count}"
    story = await put_up(network, place, aim.text)
    fault = ""
    try:
        await _play(story, aim.act)
    except (*BROKEN_OFF, AssertionError) as stuck:
        fault = f"{type(stuck).__name__}: {stuck}"
    finally:
        await story.machine.close()
    verdict, machine = await judge(story), story.machine
    fault = fault or astray(aim, machine.died_at)
    outcome = Outcome(aim, machine.kills, tuple(machine.recoveries), verdict, fault)
    if outcome.is_clean:
        shutil.rmtree(place, ignore_errors=True)
    return outcome


def astray(aim: Aim, died_at: Sequence[tuple[Moment | None, int]]) -> str:
    """Where a program was killed that was aimed at elsewhere, in words; nothing if there was no such kill."""
    wrong = [f"{moment}:{count}" for moment, count in died_at if (moment, count) != (aim.moment, aim.count)]
    return f"aimed at {aim.text} and killed at {', '.join(wrong)}" if wrong else ""


def aims(found: Mapping[str, Mapping[Moment, int]], *, most: int = MOST_TIMES) -> list[Aim]:
    """Every kill to be made: each moment in each act that reaches it, as often as it is reached there."""
    return [
        Aim(act, moment.value, count)
        for act in ACTS
        for moment, times in found.get(act, {}).items()
        for count in range(1, min(times, most) + 1)
    ]


async def put_up(
    network: Network,
    folder: Path,
    aim: str,
    *,
    parcels: int = PARCELS,
    kind: SourceKind = SourceKind.BANK,
    drop_offs: int = 0,
) -> Story:
    """A point with a bank or counter that no program runs in yet, and what is announced for it, drop-offs last."""
    operator, once = network.operator, secrets.token_hex(8)
    point = (await _asked(operator, "/points", _POINT, once=f"{once}-point"))["id"]
    built = await _asked(operator, f"/points/{point}/source", _source(DOORS, kind=kind), once=f"{once}-source")
    courier = (await _asked(network.carrier, f"/points/{point}/courier-codes", once=f"{once}-courier"))["code"]
    directions = [Direction.DELIVERY] * parcels + [Direction.DROP_OFF] * drop_offs
    announced = [
        await _announced(network, point, f"{once}-{number}", direction=direction)
        for number, direction in enumerate(directions)
    ]
    invited = await _asked(operator, f"/points/{point}/invitations", once=f"{once}-invitation")
    machine = Machine(point, built["source"], folder, environ=network.environ, kind=kind)
    machine.invitation = invited["text"]
    return Story(network, machine, announced, courier_code=courier, aim=aim)


async def roomy_point(network: Network, name: str) -> str:
    """A point with much room, and nothing at work there."""
    point: str = (await _asked(network.operator, "/points", _POINT, once=f"{name}-point"))["id"]
    await _asked(network.operator, f"/points/{point}/source", _source(ROOMY), once=f"{name}-source")
    return point


async def _asked(api: Api, path: str, given: Any = None, *, once: str) -> dict[str, Any]:
    """What the hub answers under this key, however long that takes it. Faults: those of `Api.post`."""
    return await patiently(lambda: api.post(path, given, once=once))


async def _play(story: Story, act: str) -> int:
    """Play the act; how often the program had been started before the aim was in force."""
    await story.prepare(act)
    before = len(_notes(story))
    await story.play(act)
    return before


def _notes(story: Story) -> list[list[Moment]]:
    """What each start has noted, controller by controller."""
    folder = story.machine.path_of(1).parent.parent
    return [start for one in sorted(folder.glob("controller-*")) for start in noted(one)]


async def _announced(network: Network, point: str, reference: str, *, direction: Direction) -> Parcel:
    email = f"{reference}@homes.example"
    given: dict[str, Any] = {
        "reference": reference,
        "direction": direction.value,
        "dimensions": {"width_mm": 300, "height_mm": 60, "depth_mm": 200},
        "weight_grams": 400,
        "recipient": {"name": "Kaisa", "emails": [email], "language": "en"},
        "point": point,
    }
    told = await _asked(network.carrier, "/parcels", given, once=reference)
    assert told.get("promise"), told
    return Parcel(ParcelId(told["parcel"]), told["code"], email)


def _source(doors: int, *, kind: SourceKind = SourceKind.BANK) -> dict[str, Any]:
    """What stands at a point; at a counter, parcels lie side by side."""
    one = {"size": "S", "reach_height_mm": 1_000, "capacity": {SourceKind.BANK: 1, SourceKind.COUNTER: SHELF}[kind]}
    compartments = [{"door": door, **one} for door in range(1, doors + 1)]
    return {"kind": kind.value, "modules": [{"number": 1, "compartments": compartments}]}


_POINT: Final = {
    "name": "Bank to be killed",
    "kind": "housing",
    "latitude": 60.17,
    "longitude": 24.94,
    "zone": "Europe/Helsinki",
    "hold": {"kind": "elapsed-hours", "hold_hours": 48},
}
