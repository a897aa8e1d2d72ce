"""Room is promised, not a door: which promises a point can keep.

Parcels ask for (size, needs); a compartment serves whatever is no larger and needs nothing it lacks. A set of promises
can be kept exactly when Hall's condition holds: every group of demands finds at least as many compartments that serve
one of them. It is enough to look at the groups that are closed upwards (a demand with everything harder to place),
because adding the demands whose compartments are already counted only makes the condition sharper.

Room is promised for whole UTC days. Compartments in use count on every day, since nobody knows when they are emptied.

The counters only ever move by what an event names, by the same amount there and back, so they are exact again after any
sequence of deposits, faults, repairs and withdrawals, whatever a source claims about its own doors in between: every
open stay counts once, in ``in_use``, in its door's ``Faulty`` or in ``beside``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec

from restante.core.bank import Compartment, Condition, PointStatus, RoomClass, parts, serves
from restante.core.ids import CaseId, OrgId, ParcelId, PointId, SourceId, StayKey
from restante.core.refusals import Refusal
from restante.core.stay import By
from restante.core.time import Calendar, HoldRule, Instant, day_of

MAX_WINDOW_DAYS = 14

NUMBERED_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The numbers of promises are above the seconds since then: 32 bits hold them until 2094."""


class Firmness(StrEnum):
    """A soft promise may be withdrawn for a hard one when agreements say so; a hard one is kept."""

    SOFT = "soft"
    HARD = "hard"


class Window(msgspec.Struct, frozen=True):
    """From when until when a deposit is expected."""

    opens_at: Instant
    closes_at: Instant

    def days(self) -> range:
        """The UTC days the window touches."""
        return range(day_of(self.opens_at), day_of(self.closes_at) + 1)


class Promise(msgspec.Struct, frozen=True):
    """Room for one parcel at one point: what was asked for, for when, for whom, and when the promise ends."""

    point: PointId
    room_class: RoomClass
    window: Window
    org: OrgId
    firmness: Firmness
    until: Instant


def promise_number(before: int, at: Instant) -> int:
    """The number of a parcel's next promise, after ``before``, the number of its last: grants are named by it.

    Counting alone would name two promises alike: a hub restored from a backup knows less than the banks that spent its
    grants. So a number is above the seconds that have passed by ``at``, and what was forgotten is older than that.
    """
    return 1 + max(before, int((at - NUMBERED_SINCE).total_seconds()))


class Faulty(msgspec.Struct, frozen=True):
    """A compartment out of service: its class, and how many open stays it holds that nobody counts as in use."""

    room_class: RoomClass
    capacity: int
    stays: int = 0
    condition: Condition = Condition.UNKNOWN


class Stray(msgspec.Struct, frozen=True):
    """A parcel behind a door that the hub was told of by nobody but its source."""

    parcel: ParcelId
    door: int
    room_class: RoomClass
    by: By
    shared: bool = False


class Room(msgspec.Struct, frozen=True, omit_defaults=True):
    """What must be known of a point to promise room there; counts are by class of compartment or of demand.

    ``beside`` counts, by door, parcels that lie with another one of the same recipient and take up no room of their
    own; ``strays`` are open stays of unannounced parcels, by stay; ``cases`` are the open ones, by kind and subject.
    ``told_in`` is the latest epoch after the first in which the source told of a compartment's condition, by door.
    """

    point: PointId
    status: PointStatus
    calendar: Calendar
    hold: HoldRule
    source: SourceId | None = None
    supply: dict[str, int] = {}
    in_use: dict[str, int] = {}
    promised: dict[str, dict[str, int]] = {}
    faulty: dict[str, Faulty] = {}
    lost_at: Instant | None = None
    version: int = 0
    beside: dict[str, int] = {}
    strays: dict[str, Stray] = {}
    cases: dict[str, CaseId] = {}
    told_in: dict[str, int] = {}

    def free(self) -> dict[RoomClass, int]:
        """Compartments in order and empty, by class."""
        used = self.in_use
        return {RoomClass(name): max(0, count - used.get(name, 0)) for name, count in self.supply.items()}


def is_feasible(supply: Mapping[RoomClass, int], demands: Mapping[RoomClass, int]) -> bool:
    """Whether every demand finds a compartment of its own: Hall's condition over the up-sets of the demands present.

    The up-sets of sizes and needs grow exponentially with the number of needs, so they are not listed. A flow from
    demands to supplies exists exactly when the condition holds (max-flow min-cut), and is found class by class: each
    demand takes what suits it least wastefully, and where that is used up, those who sit there move on if they can.
    """
    if all(supply.get(demand, 0) >= count for demand, count in demands.items()):
        return True
    return _seat_all(supply, demands) is not None


def _seat_all(supply: Mapping[RoomClass, int], demands: Mapping[RoomClass, int]) -> "tuple[_Free, _Seated] | None":
    """What is left free, and who sits where, when every demand has found a compartment; None when one does not."""
    free = {name: count for name, count in sorted(supply.items(), key=_worth) if count > 0}
    seated: _Seated = {name: {} for name in free}
    for demand, count in sorted(demands.items(), key=_worth, reverse=True):
        if _seat_more(demand, free, seated, wanted=count) < count:
            return None
    return free, seated


def _seat_more(demand: RoomClass, free: "_Free", seated: "_Seated", *, wanted: int) -> int:
    """Seat as many more of one demand as can be, at most ``wanted``, and tell how many; whoever sits keeps a place."""
    short = wanted
    while short > 0 and (path := _path(demand, free, seated)) is not None:
        short -= _seat(path, free, seated, wanted=short)
    return wanted - short


def _worth(counted: tuple[RoomClass, int]) -> tuple[int, int]:
    size, abilities = parts(counted[0])
    return len(abilities), size


_Path = list[tuple[RoomClass, RoomClass]]
_Free = dict[RoomClass, int]
_Seated = dict[RoomClass, dict[RoomClass, int]]


def _path(demand: RoomClass, free: Mapping[RoomClass, int], seated: _Seated) -> _Path | None:
    """Moves that make room for one more ``demand``, as (who, into which class); the last class has room left."""
    came_by: dict[RoomClass, tuple[RoomClass, RoomClass | None]] = {
        name: (demand, None) for name in free if serves(name, demand)
    }
    queue = list(came_by)
    for name in queue:
        if free[name]:
            return _traced(name, came_by)
        for mover in seated[name]:
            for other in free:
                if other not in came_by and serves(other, mover):
                    came_by[other] = (mover, name)
                    queue.append(other)
    return None


def _traced(end: RoomClass, came_by: Mapping[RoomClass, tuple[RoomClass, RoomClass | None]]) -> _Path:
    path: _Path = []
    name: RoomClass | None = end
    while name is not None:
        mover, before = came_by[name]
        path.append((mover, name))
        name = before
    return path[::-1]


def _seat(path: _Path, free: dict[RoomClass, int], seated: _Seated, *, wanted: int) -> int:
    """Carry out the moves of a path for as many as can go along it, and tell how many could."""
    leaving = [(left, mover) for (_, left), (mover, _) in pairwise(path)]
    many = min([wanted, free[path[-1][1]], *(seated[left][mover] for left, mover in leaving)])
    for left, mover in leaving:
        seated[left][mover] -= many
        if not seated[left][mover]:
            del seated[left][mover]
    for mover, into in path:
        seated[into][mover] = seated[into].get(mover, 0) + many
    free[path[-1][1]] -= many
    return many


def check_promise(room: Room, promise: Promise, now: Instant) -> Refusal | None:
    """Why room cannot be promised, or None.

    Refusals: ``point-gone``, ``point-closed``, ``window-backwards``, ``window-past``, ``window-too-long``,
    ``never-fits``, ``no-room``.
    """
    if room.status is PointStatus.GONE:
        return Refusal("point-gone", "point")
    if room.status is PointStatus.CLOSED:
        return Refusal("point-closed", "point")
    return _check_window(promise.window, now) or _check_room(room, promise)


def _check_window(window: Window, now: Instant) -> Refusal | None:
    if window.closes_at < window.opens_at:
        return Refusal("window-backwards", "window.closes_at")
    if window.closes_at < now:
        return Refusal("window-past", "window.closes_at")
    if len(window.days()) > MAX_WINDOW_DAYS:
        return Refusal("window-too-long", "window")
    return None


def _check_room(room: Room, promise: Promise) -> Refusal | None:
    wanted, free, days = promise.room_class, room.free(), promise.window.days()
    if is_feasible(free, _with_one_more(wanted, _peak(room, days))):
        return None
    if not any(count > 0 and serves(RoomClass(name), wanted) for name, count in _installed(room).items()):
        return Refusal("never-fits", "room_class", wanted)
    for day in days:
        if not is_feasible(free, _with_one_more(wanted, _peak(room, range(day, day + 1)))):
            return Refusal("no-room", "room_class", f"{wanted} on day {day}")
    return None


def _peak(room: Room, days: range) -> dict[RoomClass, int]:
    """The most promised on any of the days, class by class: what fits at the peak fits on every day."""
    peak: dict[RoomClass, int] = {}
    for day in days:
        for name, count in room.promised.get(str(day), {}).items():
            peak[RoomClass(name)] = max(count, peak.get(RoomClass(name), 0))
    return peak


def _with_one_more(wanted: RoomClass, demands: dict[RoomClass, int]) -> dict[RoomClass, int]:
    return {**demands, wanted: demands.get(wanted, 0) + 1}


def _installed(room: Room) -> Mapping[str, int]:
    """What stands at the point by class, in order or not: a jam today does not mean that a parcel never fits."""
    installed = Counter(room.supply)
    for compartment in room.faulty.values():
        installed[compartment.room_class] += compartment.capacity
    return installed


def room_left(room: Room, wanted: RoomClass, day: int) -> int:
    """How many more parcels that ask for ``wanted`` could be promised room on a day."""
    return rooms_left(room, [wanted], day)[wanted]


def rooms_left(room: Room, wanted: Iterable[RoomClass], day: int) -> dict[RoomClass, int]:
    """As ``room_left``, for each of some demands by itself.

    A further demand never unseats the promised ones (augmenting paths only move them), so these are seated once.
    """
    free = room.free()
    demands = {RoomClass(name): count for name, count in room.promised.get(str(day), {}).items()}
    if not demands:
        return {one: sum(count for name, count in free.items() if serves(name, one)) for one in wanted}
    found = _seat_all(free, demands)
    if found is None:
        return dict.fromkeys(wanted, 0)
    left, seated = found
    most = sum(left.values())
    return {
        one: _seat_more(one, dict(left), {name: dict(sits) for name, sits in seated.items()}, wanted=most)
        for one in wanted
    }


def with_promise(room: Room, promise: Promise, step: int) -> Room:
    """The room with one promise more (``step`` 1) or fewer (-1)."""
    promised = dict(room.promised)
    for day in map(str, promise.window.days()):
        promised[day] = _moved(promised.get(day, {}), promise.room_class, step)
    return msgspec.structs.replace(room, promised={day: counts for day, counts in promised.items() if counts})


def with_deposit(room: Room, door: int, room_class: RoomClass, *, shared: bool = False) -> Room:
    """The room with one parcel more behind ``door``; ``shared`` when it lies beside another and takes up no room."""
    if shared:
        return msgspec.structs.replace(room, beside=_moved(room.beside, str(door), 1))
    return _with_stay(room, door, room_class, step=1)


def with_withdrawal(room: Room, door: int, room_class: RoomClass) -> Room:
    """The room with one parcel fewer behind ``door``; the last one to go gives its room back, whoever came first."""
    if room.beside.get(str(door)):
        return msgspec.structs.replace(room, beside=_moved(room.beside, str(door), -1))
    return _with_stay(room, door, room_class, step=-1)


def _with_stay(room: Room, door: int, room_class: RoomClass, *, step: int) -> Room:
    broken = room.faulty.get(str(door))
    if broken is None or broken.room_class != room_class:
        return msgspec.structs.replace(room, in_use=_moved(room.in_use, room_class, step))
    changed = msgspec.structs.replace(broken, stays=broken.stays + step)
    return msgspec.structs.replace(room, faulty={**room.faulty, str(door): changed})


def with_stray(room: Room, key: StayKey, stray: Stray) -> Room:
    """The room with one unannounced parcel more."""
    kept = msgspec.structs.replace(room, strays={**room.strays, str(key): stray})
    return with_deposit(kept, stray.door, stray.room_class, shared=stray.shared)


def without_stray(room: Room, key: StayKey) -> Room:
    """The room with one unannounced parcel fewer."""
    stray = room.strays[str(key)]
    left = {name: other for name, other in room.strays.items() if name != str(key)}
    return with_withdrawal(msgspec.structs.replace(room, strays=left), stray.door, stray.room_class)


def with_compartments(room: Room, compartments: Iterable[Compartment]) -> Room:
    """The room with new compartments in service."""
    supply = dict(room.supply)
    for compartment in compartments:
        name = compartment.room_class
        supply[name] = supply.get(name, 0) + compartment.capacity
    return msgspec.structs.replace(room, supply=supply)


def with_condition(room: Room, door: int, *, broken: Faulty | None) -> Room:
    """The room after the compartment behind ``door`` went out of order (``broken`` tells of it) or came back (None).

    What was taken out of the counters is what comes back, whatever a second report says about class and capacity.
    """
    before = room.faulty.get(str(door))
    if before is not None and broken is not None:
        worse = msgspec.structs.replace(before, condition=broken.condition)
        return msgspec.structs.replace(room, faulty={**room.faulty, str(door): worse})
    faulty = {other: value for other, value in room.faulty.items() if other != str(door)}
    if broken is not None:
        return _shifted(room, broken, -1, faulty={**faulty, str(door): broken})
    return _shifted(room, before, 1, faulty=faulty) if before is not None else room


def _shifted(room: Room, compartment: Faulty, sign: int, *, faulty: dict[str, Faulty]) -> Room:
    name = compartment.room_class
    supply = {**room.supply, name: room.supply.get(name, 0) + sign * compartment.capacity}
    in_use = _moved(room.in_use, name, sign * compartment.stays)
    return msgspec.structs.replace(room, supply=supply, in_use=in_use, faulty=faulty)


def _moved(counts: Mapping[str, int], name: str, step: int) -> dict[str, int]:
    moved = dict(counts)
    moved[name] = moved.get(name, 0) + step
    return {key: count for key, count in moved.items() if count}
