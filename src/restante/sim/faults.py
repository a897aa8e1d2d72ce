"""The fault plan of a story: what goes wrong, where, when and for how long, drawn from the seed before it begins.

A plan is a value, so that a story can be told again without one of its faults and the one that matters found.
"""

from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from restante.sim.chance import chance_of
from restante.sim.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS


class Kind(StrEnum):
    """What can go wrong. The words are those of the story."""

    LINK_CUT = "the link is cut"
    LINK_ROUGH = "the link drops, doubles and shuffles what it carries"
    LINK_SLOW = "the link takes up to half a minute for everything"
    ACKS_LOST = "acknowledgements are lost"
    MANIFESTS_LATE = "manifests come late"
    MANIFEST_REPLAYED = "an old manifest is played again"
    ENTRIES_ALTERED = "entries are changed on their way to the hub"
    LINE_NOISY = "bytes that nobody sent come over the link"
    BUS_NOISY = "the bus of the lock board is noisy"
    BANK_KILLED = "the controller loses power"
    BANK_KILLED_IN_STEP = "the controller loses power in the middle of its work"
    DISK_FULL = "the controller's disk is full"
    HUB_KILLED = "the hub is killed"
    COMMIT_LOST = "a commit is lost before it is written"
    ANSWER_LOST = "a commit is written and its answer lost"
    HUB_RESTORED = "the hub is restored from a backup"
    STORE_DOWN = "the database is down"
    WORKER_KILLED = "the worker is killed before a task takes effect"
    WORKER_KILLED_LATE = "the worker is killed after a task took effect, before it is crossed off"
    MAIL_DOWN = "the mail server is out of reach"
    MAIL_REFUSED = "somebody's mailbox refuses mail"
    DOOR_JAMMED = "a door jams"
    DOOR_BLOCKED = "a door is held shut"
    SENSOR_LIES = "a door's sensor says shut when it is open, and open when it is shut"
    BOARD_SLOW = "the lock board takes its time"
    COILS_HOT = "the locks' coils have to rest after each pulse, and somebody opens a door twice"
    CLOCK_OFF = "the controller's clock is off by minutes"
    CLOCK_JUMPS = "the controller's clock jumps by years"
    CLOCK_TURNED = "the controller's clock is turned by years while it runs"
    CLOCK_DRIFTS = "the controller's clock drifts"
    DISK_CLONED = "the controller's disk is cloned and runs twice"
    CONTROLLER_REPLACED = "the controller is replaced, and its old disk turns up later"
    CONTROLLER_LOST = "the controller is lost with its disk, and another takes its place"
    TECHNICIAN_COMES = "a technician opens doors with a key and looks into them"
    DOOR_SHUT_EARLY = "somebody pushes the door shut before the parcel is through"
    ROUND_REVOKED = "a courier's code is taken away in the middle of a round"
    PARCELS_MIXED_UP = "a courier puts two parcels behind each other's doors"
    SIZE_WRONG = "a parcel is larger than was announced"
    CODE_PASSED_ON = "somebody passes a code on, and both come with it"
    CODES_GUESSED = "somebody guesses codes for hours, and pulls the plug in between"


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

_SHARES: Final = {
    Kind.LINK_SLOW: 0.15,
    Kind.ENTRIES_ALTERED: 0.15,
    Kind.LINE_NOISY: 0.15,
    Kind.BUS_NOISY: 0.15,
    Kind.ROUND_REVOKED: 0.15,
    Kind.DISK_FULL: 0.15,
    Kind.STORE_DOWN: 0.15,
    Kind.MAIL_DOWN: 0.15,
    Kind.MAIL_REFUSED: 0.12,
    Kind.SENSOR_LIES: 0.12,
    Kind.BOARD_SLOW: 0.15,
    Kind.COILS_HOT: 0.15,
    Kind.CLOCK_JUMPS: 0.15,
    Kind.CLOCK_TURNED: 0.12,
    Kind.CLOCK_DRIFTS: 0.12,
    Kind.DISK_CLONED: 0.08,
    Kind.CONTROLLER_REPLACED: 0.12,
    Kind.CONTROLLER_LOST: 0.1,
    Kind.TECHNICIAN_COMES: 0.15,
    Kind.HUB_RESTORED: 0.12,
    Kind.DOOR_SHUT_EARLY: 0.15,
    Kind.PARCELS_MIXED_UP: 0.1,
    Kind.SIZE_WRONG: 0.15,
    Kind.CODE_PASSED_ON: 0.15,
    Kind.CODES_GUESSED: 0.08,
}
"""In which share of the stories each other kind comes up, once; every one is drawn from chance of its own."""

AT_THE_HUB: Final = frozenset(
    {
        Kind.HUB_KILLED,
        Kind.HUB_RESTORED,
        Kind.COMMIT_LOST,
        Kind.ANSWER_LOST,
        Kind.STORE_DOWN,
        Kind.WORKER_KILLED,
        Kind.WORKER_KILLED_LATE,
        Kind.MAIL_DOWN,
        Kind.MAIL_REFUSED,
        Kind.SIZE_WRONG,
        Kind.CODE_PASSED_ON,
    }
)
"""What befalls the hub, its carriers or its people, and no source."""


def plan(seed: int, *, days: int, sources: int) -> tuple[Fault, ...]:
    """The faults of a story, oldest first: none of the common ones in some seeds, up to two dozen in others."""
    chance = chance_of(seed, "faults")
    many = chance.choice((0, 2, 4, 6, 9, 12, 16, 24))
    kinds = chance.choices(list(_COMMON), weights=list(_COMMON.values()), k=many)
    drawn = [_draw(kind, chance, days, sources=sources) for kind in kinds]
    for kind, share in _SHARES.items():
        own = chance_of(seed, f"faults/{kind.name}")
        if own.random() < share:
            drawn.append(_draw(kind, own, days, sources=sources))
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
        case (
            Kind.LINK_ROUGH | Kind.LINK_SLOW | Kind.ACKS_LOST | Kind.MANIFESTS_LATE | Kind.ENTRIES_ALTERED
            | Kind.DISK_FULL | Kind.STORE_DOWN | Kind.MAIL_DOWN | Kind.LINE_NOISY
        ):  # fmt: skip
            return chance.randrange(HOUR_MS, 12 * HOUR_MS)
        case Kind.BANK_KILLED | Kind.BANK_KILLED_IN_STEP | Kind.HUB_KILLED:
            return chance.choice((5 * SECOND_MS, 40 * SECOND_MS, 10 * MINUTE_MS, 3 * HOUR_MS))
        case (
            Kind.DOOR_JAMMED | Kind.DOOR_BLOCKED | Kind.SENSOR_LIES | Kind.DISK_CLONED
            | Kind.CONTROLLER_REPLACED | Kind.BOARD_SLOW | Kind.COILS_HOT | Kind.MAIL_REFUSED
            | Kind.BUS_NOISY | Kind.ROUND_REVOKED | Kind.CONTROLLER_LOST | Kind.HUB_RESTORED
        ):  # fmt: skip
            return chance.randrange(2 * HOUR_MS, 20 * HOUR_MS)
        case Kind.CODES_GUESSED:
            return chance.randrange(HOUR_MS, 5 * HOUR_MS)
        case Kind.CLOCK_OFF | Kind.CLOCK_JUMPS | Kind.CLOCK_TURNED | Kind.CLOCK_DRIFTS:
            return chance.randrange(HOUR_MS, DAY_MS)
        case _:
            return 0


def _amount(kind: Kind, chance: Random) -> int:
    """For clocks milliseconds, or how many a second where they drift; else a small number that the kind makes use of.

    It says which door, parcel, person or write it is, or how slow something gets.
    """
    match kind:
        case Kind.CLOCK_OFF:
            return chance.choice((-1, 1)) * chance.randrange(MINUTE_MS, 30 * MINUTE_MS)
        case Kind.CLOCK_DRIFTS:
            return chance.choice((-1, 1)) * chance.choice((1, 20, 200))
        case Kind.CLOCK_JUMPS | Kind.CLOCK_TURNED:
            return chance.choice((-1, 1)) * chance.randrange(365, 3650) * DAY_MS
        case Kind.BANK_KILLED_IN_STEP:
            return chance.randrange(1, 40)
        case _:
            return chance.randrange(1, 9)
