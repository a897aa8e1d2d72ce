"""The fault plan of a story: what goes wrong, where, when and for how long, drawn from the seed before it begins.

A plan is a value, so that a story can be told again without one of its faults and the one that matters found.
"""

from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from restante.sim.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


class Kind(StrEnum):
    """What can go wrong. The words are those of the story."""

    LINK_CUT = "the link is cut"
    LINK_ROUGH = "the link drops, doubles and shuffles what it carries"
    ACKS_LOST = "acknowledgements are lost"
    MANIFESTS_LATE = "manifests come late"
    MANIFEST_REPLAYED = "an old manifest is played again"
    BANK_KILLED = "the controller loses power"
    BANK_KILLED_IN_STEP = "the controller loses power in the middle of its work"
    HUB_KILLED = "the hub is killed"
    COMMIT_LOST = "a commit is lost before it is written"
    ANSWER_LOST = "a commit is written and its answer lost"
    WORKER_KILLED = "the worker is killed before a task takes effect"
    WORKER_KILLED_LATE = "the worker is killed after a task took effect, before it is crossed off"
    DOOR_JAMMED = "a door jams"
    DOOR_BLOCKED = "a door is held shut"
    CLOCK_OFF = "the controller's clock is off by minutes"
    CLOCK_JUMPS = "the controller's clock jumps by years"
    DISK_CLONED = "the controller's disk is cloned and runs twice"


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong at a source, by its number, or at the hub (source -1)."""

    at_ms: int
    kind: Kind
    source: int = -1
    lasts_ms: int = 0
    amount: int = 0


_COMMON: Final = {
    Kind.LINK_CUT: 5,
    Kind.LINK_ROUGH: 4,
    Kind.ACKS_LOST: 2,
    Kind.MANIFESTS_LATE: 3,
    Kind.MANIFEST_REPLAYED: 2,
    Kind.BANK_KILLED: 3,
    Kind.BANK_KILLED_IN_STEP: 5,
    Kind.HUB_KILLED: 2,
    Kind.COMMIT_LOST: 3,
    Kind.ANSWER_LOST: 3,
    Kind.WORKER_KILLED: 2,
    Kind.WORKER_KILLED_LATE: 3,
    Kind.DOOR_JAMMED: 2,
    Kind.DOOR_BLOCKED: 1,
    Kind.CLOCK_OFF: 1,
}
"""How often each kind comes up beside the others."""

AT_THE_HUB: Final = frozenset(
    {Kind.HUB_KILLED, Kind.COMMIT_LOST, Kind.ANSWER_LOST, Kind.WORKER_KILLED, Kind.WORKER_KILLED_LATE}
)

CLOCK_JUMPS_SHARE: Final = 0.15
DISK_CLONED_SHARE: Final = 0.08


def plan(chance: Random, *, days: int, sources: int) -> tuple[Fault, ...]:
    """The faults of a story, oldest first: none at all in some seeds, up to two dozen in others."""
    many = chance.choice((0, 2, 4, 6, 9, 12, 16, 24))
    kinds = chance.choices(list(_COMMON), weights=list(_COMMON.values()), k=many)
    drawn = [_draw(kind, chance, days, sources=sources) for kind in kinds]
    if chance.random() < CLOCK_JUMPS_SHARE:
        drawn.append(_draw(Kind.CLOCK_JUMPS, chance, days, sources=sources))
    if chance.random() < DISK_CLONED_SHARE:
        drawn.append(_draw(Kind.DISK_CLONED, chance, days, sources=sources))
    return tuple(sorted(drawn, key=lambda fault: (fault.at_ms, fault.kind, fault.source)))


def _draw(kind: Kind, chance: Random, days: int, *, sources: int) -> Fault:
    return Fault(
        at_ms=chance.randrange(2 * HOUR_MS, days * DAY_MS),
        kind=kind,
        source=-1 if kind in AT_THE_HUB else chance.randrange(sources),
        lasts_ms=_length(kind, chance),
        amount=_amount(kind, chance),
    )


def _length(kind: Kind, chance: Random) -> int:
    match kind:
        case Kind.LINK_CUT:
            return chance.randrange(10 * MINUTE_MS, 18 * HOUR_MS)
        case Kind.LINK_ROUGH | Kind.ACKS_LOST | Kind.MANIFESTS_LATE:
            return chance.randrange(HOUR_MS, 12 * HOUR_MS)
        case Kind.BANK_KILLED | Kind.BANK_KILLED_IN_STEP | Kind.HUB_KILLED:
            return chance.choice((5 * SECOND_MS, 40 * SECOND_MS, 10 * MINUTE_MS, 3 * HOUR_MS))
        case Kind.DOOR_JAMMED | Kind.DOOR_BLOCKED | Kind.DISK_CLONED:
            return chance.randrange(2 * HOUR_MS, 20 * HOUR_MS)
        case Kind.CLOCK_OFF | Kind.CLOCK_JUMPS:
            return chance.randrange(HOUR_MS, DAY_MS)
        case _:
            return 0


def _amount(kind: Kind, chance: Random) -> int:
    """Milliseconds for clocks, the how-manieth write for power cuts, commits and workers, else which door."""
    match kind:
        case Kind.CLOCK_OFF:
            return chance.choice((-1, 1)) * chance.randrange(MINUTE_MS, 30 * MINUTE_MS)
        case Kind.CLOCK_JUMPS:
            return chance.choice((-1, 1)) * chance.randrange(365, 3650) * DAY_MS
        case Kind.BANK_KILLED_IN_STEP:
            return chance.randrange(1, 40)
        case _:
            return chance.randrange(1, 9)
