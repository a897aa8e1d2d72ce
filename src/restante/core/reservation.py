"""Room is promised, not a door: which promises a point can keep.

Parcels ask for (size, needs); a compartment serves whatever is no larger and needs nothing it lacks. A set of promises
can be kept exactly when Hall's condition holds: every group of demands finds at least as many compartments that serve
one of them. It is enough to look at the groups that are closed upwards (a demand with everything harder to place),
because adding the demands whose compartments are already counted only makes the condition sharper.

Room is promised for whole UTC days. Compartments in use count on every day, since nobody knows when they are emptied.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import combinations

import msgspec

from restante.core.bank import Compartment, PointStatus, RoomClass, serves
from restante.core.ids import OrgId, PointId, SourceId
from restante.core.refusals import Refusal
from restante.core.time import Calendar, HoldRule, Instant, day_of

MAX_WINDOW_DAYS = 14


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


class Faulty(msgspec.Struct, frozen=True):
    """A compartment out of service: its class, and how many open stays it holds that nobody counts as in use."""

    room_class: RoomClass
    capacity: int
    stays: int = 0


class Room(msgspec.Struct, frozen=True):
    """What must be known of a point to promise room there; all counts are by class of compartment or of demand."""

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

    def free(self) -> Counter[RoomClass]:
        """Compartments in order and empty, by class."""
        return Counter(
            {RoomClass(name): max(0, count - self.in_use.get(name, 0)) for name, count in self.supply.items()}
        )


def is_feasible(supply: Mapping[RoomClass, int], demands: Mapping[RoomClass, int]) -> bool:
    """Whether every demand finds a compartment of its own (Hall's condition over the up-sets of the demands present)."""
    live = [demand for demand, count in demands.items() if count > 0]
    return all(_holds(group, supply, demands) for group in _up_sets(live))


def _up_sets(demands: list[RoomClass]) -> Iterable[frozenset[RoomClass]]:
    """Every up-set of the demands present, once: the union of what lies above any few of them."""
    above = {low: frozenset(high for high in demands if serves(high, low)) for low in demands}
    seen = set[frozenset[RoomClass]]()
    for size in range(1, len(demands) + 1):
        for few in combinations(demands, size):
            group = frozenset().union(*(above[one] for one in few))
            if group not in seen:
                seen.add(group)
                yield group


def _holds(group: frozenset[RoomClass], supply: Mapping[RoomClass, int], demands: Mapping[RoomClass, int]) -> bool:
    wanted = sum(demands[demand] for demand in group)
    usable = sum(count for name, count in supply.items() if any(serves(name, demand) for demand in group))
    return wanted <= usable


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
    wanted = promise.room_class
    if not any(serves(RoomClass(name), wanted) for name in room.supply):
        return Refusal("never-fits", "room_class", wanted)
    free = room.free()
    for day in promise.window.days():
        demands = Counter({RoomClass(name): count for name, count in room.promised.get(str(day), {}).items()})
        demands[wanted] += 1
        if not is_feasible(free, demands):
            return Refusal("no-room", "room_class", f"{wanted} on day {day}")
    return None


def room_left(room: Room, wanted: RoomClass, day: int) -> int:
    """How many more parcels that ask for ``wanted`` could be promised room on a day."""
    demands = Counter({RoomClass(name): count for name, count in room.promised.get(str(day), {}).items()})
    free = room.free()
    low, high = 0, sum(max(count, 0) for name, count in free.items() if serves(name, wanted))
    before = demands[wanted]
    while low < high:
        middle = (low + high + 1) // 2
        demands[wanted] = before + middle
        low, high = (middle, high) if is_feasible(free, demands) else (low, middle - 1)
    return low


def with_promise(room: Room, promise: Promise, step: int) -> Room:
    """The room with one promise more (``step`` 1) or fewer (-1)."""
    promised = dict(room.promised)
    for day in map(str, promise.window.days()):
        promised[day] = _moved(promised.get(day, {}), promise.room_class, step)
    return msgspec.structs.replace(room, promised={day: counts for day, counts in promised.items() if counts})


def with_stay(room: Room, door: int, room_class: RoomClass, step: int) -> Room:
    """The room with one parcel more (``step`` 1) or fewer (-1) behind ``door``."""
    broken = room.faulty.get(str(door))
    if broken is None:
        return msgspec.structs.replace(room, in_use=_moved(room.in_use, room_class, step))
    changed = msgspec.structs.replace(broken, stays=broken.stays + step)
    return msgspec.structs.replace(room, faulty={**room.faulty, str(door): changed})


def with_compartments(room: Room, compartments: Iterable[Compartment]) -> Room:
    """The room with new compartments in service."""
    supply = dict(room.supply)
    for compartment in compartments:
        name = compartment.room_class
        supply[name] = supply.get(name, 0) + compartment.capacity
    return msgspec.structs.replace(room, supply=supply)


def with_condition(room: Room, door: int, *, broken: Faulty | None) -> Room:
    """The room after the compartment behind ``door`` went out of order (``broken`` tells of it) or came back (None)."""
    before = room.faulty.get(str(door))
    if (before is None) == (broken is None):
        return room
    faulty = {other: value for other, value in room.faulty.items() if other != str(door)}
    if broken is not None:
        return _shifted(room, broken, -1, {**faulty, str(door): broken})
    assert before is not None
    return _shifted(room, before, 1, faulty)


def _shifted(room: Room, compartment: Faulty, sign: int, faulty: dict[str, Faulty]) -> Room:
    name = compartment.room_class
    supply = {**room.supply, name: room.supply.get(name, 0) + sign * compartment.capacity}
    in_use = _moved(room.in_use, name, sign * compartment.stays)
    return msgspec.structs.replace(room, supply=supply, in_use=in_use, faulty=faulty)


def _moved(counts: Mapping[str, int], name: str, step: int) -> dict[str, int]:
    moved = dict(counts)
    moved[name] = moved.get(name, 0) + step
    return {key: count for key, count in moved.items() if count}
