"""Room: what can be promised is what a maximum flow can place, and the compartment chosen spoils nobody's promise."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.bank import (
    Ability,
    Compartment,
    CompartmentState,
    Condition,
    PointStatus,
    RoomClass,
    room_class,
    serves,
)
from restante.core.choice import choose_compartment
from restante.core.ids import StayKey
from restante.core.refusals import Refusal
from restante.core.reservation import (
    NUMBERED_SINCE,
    Faulty,
    Firmness,
    Promise,
    Room,
    Stray,
    Window,
    check_promise,
    is_feasible,
    promise_number,
    room_left,
    rooms_left,
    with_compartments,
    with_condition,
    with_deposit,
    with_promise,
    with_stray,
    with_withdrawal,
    without_stray,
)
from restante.core.stay import By
from restante.core.time import ElapsedHours, Instant, day_of
from tests.core.scene import BANK_A, CALENDAR, DAY, HOUR, NOW, ORG, PARCEL, A

NEEDS = ((), ("cold",), ("seated",), ("cold", "seated"))
CLASSES = [room_class(size, needs) for size in range(5) for needs in NEEDS]
classes = st.sampled_from(CLASSES)
counts = st.dictionaries(classes, st.integers(0, 4), max_size=7)


def max_flow(supply: Mapping[RoomClass, int], demands: Mapping[RoomClass, int]) -> int:
    """How many demands can be placed: Edmonds and Karp (1972), on source, demands, supplies and sink."""
    left: Counter[tuple[str, str]] = Counter()
    for demand, count in demands.items():
        left["source", f"d{demand}"] = count
        for name in supply:
            if serves(name, demand):
                left[f"d{demand}", f"s{name}"] = 10**6
    for name, count in supply.items():
        left[f"s{name}", "sink"] = max(0, count)
    nodes = {node for edge in left for node in edge}
    flow = 0
    while True:
        came: dict[str, str] = {"source": ""}
        queue = deque(["source"])
        while queue and "sink" not in came:
            here = queue.popleft()
            for node in nodes - came.keys():
                if left[here, node] > 0:
                    came[node] = here
                    queue.append(node)
        if "sink" not in came:
            return flow
        path, node = list[tuple[str, str]](), "sink"
        while node != "source":
            path.append((came[node], node))
            node = came[node]
        step = min(left[edge] for edge in path)
        for start, end in path:
            left[start, end] -= step
            left[end, start] += step
        flow += step


def hall(supply: Mapping[RoomClass, int], demands: Mapping[RoomClass, int]) -> bool:
    """Hall's condition, over every group of demands there is."""
    live = [demand for demand, count in demands.items() if count]
    return all(
        sum(demands[demand] for demand in group)
        <= sum(max(0, count) for name, count in supply.items() if any(serves(name, demand) for demand in group))
        for size in range(1, len(live) + 1)
        for group in combinations(live, size)
    )


@settings(max_examples=300, deadline=None)
@given(counts, counts)
def test_feasible_is_hall_is_flow(supply: dict[RoomClass, int], demands: dict[RoomClass, int]) -> None:
    """Given any supply, when demands are weighed, then the answer is Hall's condition and the maximum flow's."""
    placed = max_flow(supply, demands) == sum(demands.values())
    assert is_feasible(supply, demands) == placed == hall(supply, demands)


def test_who_sits_too_well_moves_on() -> None:
    """Given a cold parcel in the only large compartment, when a large one comes, then the cold one moves, if it can."""
    supply = {RoomClass("4+cold"): 1, RoomClass("0+cold+seated"): 1}
    assert is_feasible(supply, {RoomClass("0+cold"): 1, RoomClass("4"): 1})
    assert is_feasible(dict.fromkeys(supply, 3), {RoomClass("0+cold"): 4, RoomClass("4"): 2})
    assert not is_feasible(supply, {RoomClass("1+cold"): 1, RoomClass("4"): 1})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(NEEDS), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=12),
    st.data(),
)
def test_what_just_fits_is_feasible(found: list[tuple[tuple[str, ...], int, int]], data: st.DataObject) -> None:
    """Given as many demands as compartments, each served by one, when weighed, then they fit."""
    supply, demands = Counter[RoomClass](), Counter[RoomClass]()
    for needs, size, smaller in found:
        supply[room_class(size, needs)] += 1
        kept = needs if data.draw(st.booleans()) else ()
        demands[room_class(max(0, size - smaller), kept)] += 1
    assert is_feasible(supply, demands)
    demands[data.draw(classes)] += 1
    assert not is_feasible(supply, demands)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=20, max_size=20),
    st.lists(classes, min_size=12, max_size=12, unique=True),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
)
def test_twelve_kinds_of_demand(have: list[int], kinds: list[RoomClass], wanted: list[int]) -> None:
    """Given 5 sizes and 4 sets of needs, when twelve kinds of demand are weighed, then the flow agrees."""
    supply, demands = dict(zip(CLASSES, have, strict=True)), dict(zip(kinds, wanted, strict=True))
    assert is_feasible(supply, demands) == (max_flow(supply, demands) == sum(wanted))


def test_the_widest_ladder_is_weighed_quickly() -> None:
    """Given demands of all twenty classes that just fit, when one more is weighed, then it takes less than 5 ms."""
    supply = dict.fromkeys(CLASSES, 7)
    tight = {name: 7 for name in CLASSES if name not in {"0", "4+cold+seated"}} | {RoomClass("0"): 14}
    assert is_feasible(supply, tight)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        assert not is_feasible(supply, {**tight, RoomClass("1"): 8})
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.005


def a_room(**supply: int) -> Room:
    """A room with so many compartments of each class, written ``c0``, ``c1``."""
    held = {name.removeprefix("c"): count for name, count in supply.items()}
    return Room(A, PointStatus.OPEN, CALENDAR, ElapsedHours(48), supply=held)


def a_promise(wanted: str = "0", opens: int = 0, closes: int = 0) -> Promise:
    """A promise from some days hence to some days hence."""
    return Promise(A, RoomClass(wanted), Window(NOW + opens * DAY, NOW + closes * DAY), ORG, Firmness.HARD, NOW + DAY)


def code(room: Room, promise: Promise) -> str:
    """The code with which a promise is refused, or nothing."""
    refused = check_promise(room, promise, NOW)
    return refused.code if isinstance(refused, Refusal) else ""


def test_every_way_to_refuse_room() -> None:
    """Given a point, when room is asked for, then each rule refuses with its own code."""
    room = a_room(c0=1)
    closed, gone = (Room(A, status, CALENDAR, ElapsedHours(1)) for status in (PointStatus.CLOSED, PointStatus.GONE))
    assert code(room, a_promise()) == ""
    assert code(closed, a_promise()) == "point-closed"
    assert code(gone, a_promise()) == "point-gone"
    assert code(room, a_promise(opens=1, closes=0)) == "window-backwards"
    assert code(room, a_promise(opens=-2, closes=-1)) == "window-past"
    assert code(room, a_promise(closes=14)) == "window-too-long"
    assert code(room, a_promise("1")) == "never-fits"
    assert code(with_promise(room, a_promise(), 1), a_promise()) == "no-room"
    assert code(with_promise(room, a_promise(opens=1, closes=1), 1), a_promise()) == ""


def test_every_day_is_weighed_by_itself() -> None:
    """Given days that are full of different classes, when no day is full of both, then there is room all the same."""
    room = with_promise(a_room(c0=1, c1=1), a_promise("1"), 1)
    other = with_promise(room, a_promise("0", opens=1, closes=1), 1)
    assert code(other, a_promise(closes=1)) == ""
    full = with_promise(other, a_promise("0", opens=1, closes=1), 1)
    assert code(full, a_promise(closes=1)) == "no-room"


def test_a_jam_is_not_a_never() -> None:
    """Given the only compartment out of order, when room is asked for, then there is none now, but it does fit."""
    broken = with_condition(a_room(c0=1), 1, broken=Faulty(RoomClass("0"), 1))
    assert code(broken, a_promise()) == "no-room"


def test_room_left_beside_promises() -> None:
    """Given two doors, when none, one, both or more than both are promised, then what is left is told by class."""
    day, small, large = day_of(NOW), RoomClass("0"), RoomClass("1")
    for promised, left in (
        ({}, (2, 1)),
        ({"0": 1}, (1, 1)),
        ({"1": 1}, (1, 0)),
        ({"0": 2}, (0, 0)),
        ({"1": 2}, (0, 0)),
    ):
        room = msgspec.structs.replace(a_room(c0=1, c1=1), promised={str(day): promised})
        assert rooms_left(room, [small, large], day) == dict(zip((small, large), left, strict=True))
        assert room_left(room, large, day) == left[1]


@settings(max_examples=150, deadline=None)
@given(counts, counts, classes)
def test_room_left_is_what_can_still_be_promised(
    supply: dict[RoomClass, int], promised: dict[RoomClass, int], wanted: RoomClass
) -> None:
    """Given a day's promises, when room left is n, then n more can be promised and n + 1 cannot."""
    day = day_of(NOW)
    room = Room(
        A,
        PointStatus.OPEN,
        CALENDAR,
        ElapsedHours(48),
        supply={str(name): count for name, count in supply.items()},
        promised={str(day): {str(name): count for name, count in promised.items()}},
    )
    left = room_left(room, wanted, day)
    demands = Counter(promised)
    demands[wanted] += left
    assert left == 0 or is_feasible(supply, demands)
    demands[wanted] += 1
    assert not is_feasible(supply, demands)


@settings(max_examples=100, deadline=None)
@given(counts, counts, st.lists(classes, max_size=4))
def test_room_left_for_many_is_that_of_each(
    supply: dict[RoomClass, int], promised: dict[RoomClass, int], wanted: list[RoomClass]
) -> None:
    """Given several demands, when room left is told for all of them, then each is told what it is told alone."""
    days = {str(day_of(NOW)): {str(name): count for name, count in promised.items()}}
    room = msgspec.structs.replace(a_room(), supply={str(name): count for name, count in supply.items()}, promised=days)
    assert rooms_left(room, wanted, day_of(NOW)) == {one: room_left(room, one, day_of(NOW)) for one in wanted}


def test_a_second_report_of_a_fault_takes_nothing_twice() -> None:
    """Given a faulty door, when it is reported again otherwise, then the repair gives back what it took."""
    room = with_deposit(with_compartments(a_room(), [Compartment(1, 0, 0)]), 1, RoomClass("0"))
    first = with_condition(room, 1, broken=Faulty(RoomClass("0"), 1, 1, Condition.JAMMED))
    assert (first.supply, first.in_use) == ({"0": 0}, {})
    again = with_condition(first, 1, broken=Faulty(RoomClass("4"), 9, 9, Condition.DIRTY))
    assert again.faulty["1"] == Faulty(RoomClass("0"), 1, 1, Condition.DIRTY)
    assert with_condition(again, 1, broken=None) == room
    assert with_condition(room, 2, broken=None) == room


def test_a_withdrawal_from_a_faulty_door_is_counted_when_it_is_repaired() -> None:
    """Given a parcel behind a faulty door, when it is taken out and the door repaired, then the compartment is free."""
    room = with_deposit(a_room(c0=2), 1, RoomClass("0"))
    broken = with_condition(room, 1, broken=Faulty(RoomClass("0"), 1, 1))
    emptied = with_withdrawal(broken, 1, RoomClass("0"))
    assert emptied.free() == broken.free() == {"0": 1}
    assert with_condition(emptied, 1, broken=None) == a_room(c0=2)


def test_parcels_side_by_side_take_one_place() -> None:
    """Given two parcels of one recipient behind one door, when both have gone, in any order, then the place is free."""
    room = with_deposit(with_deposit(a_room(c0=2), 1, RoomClass("0")), 1, RoomClass("0"), shared=True)
    assert room.free() == {"0": 1}
    one = with_withdrawal(room, 1, RoomClass("0"))
    assert one.free() == {"0": 1}
    assert with_withdrawal(one, 1, RoomClass("0")).free() == {"0": 2}


def test_a_stray_takes_room_until_it_goes() -> None:
    """Given an unannounced parcel behind a door, when it goes, then the room is as before."""
    room, key = a_room(c0=2), StayKey(BANK_A, 1, 1)
    inside = with_stray(room, key, Stray(PARCEL, 1, RoomClass("0"), By.COURIER))
    assert inside.free() == {"0": 1}
    assert without_stray(inside, key) == room


states = st.lists(
    st.builds(
        CompartmentState,
        st.builds(
            Compartment,
            st.integers(1, 9),
            st.integers(0, 3),
            st.sampled_from((200, 900)),
            st.sampled_from(((), ("cold",))),
            capacity=st.integers(1, 3),
        ),
        st.sampled_from((Condition.IN_ORDER, Condition.IN_ORDER, Condition.JAMMED, Condition.UNKNOWN)),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=6,
    unique_by=lambda state: state.compartment.door,
)


@settings(max_examples=300, deadline=None)
@given(
    states, st.sampled_from(CLASSES[:12]), st.dictionaries(st.sampled_from(CLASSES[:12]), st.integers(1, 2), max_size=3)
)
def test_the_choice_spoils_no_promise(
    found: list[CompartmentState], wanted: RoomClass, others: dict[RoomClass, int]
) -> None:
    """Given doors in any state, when one is chosen, then it is free, serves and spoils no promise it need not."""
    chosen = choose_compartment(found, wanted, others)
    usable = {
        state.compartment.door: state
        for state in found
        if state.is_free and serves(state.compartment.room_class, wanted)
    }
    assert (chosen is None) == (not usable)
    supply = Counter[RoomClass]()
    for state in found:
        if state.is_free:
            supply[state.compartment.room_class] += state.compartment.capacity - state.parcels
    possible = [
        door
        for door, state in usable.items()
        if hall({name: n - (name == state.compartment.room_class) for name, n in supply.items()}, others)
    ]
    if chosen is not None:
        assert chosen.door in (possible or usable)
        state = usable[chosen.door]
        assert state.condition is Condition.IN_ORDER
        assert state.door_shut
        assert all(chosen.size <= usable[door].compartment.size for door in possible)


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("shut", [True, False])
@pytest.mark.parametrize(("parcels", "capacity"), [(0, 1), (1, 1), (2, 3), (3, 3)])
def test_what_may_take_a_parcel(condition: Condition, shut: bool, parcels: int, capacity: int) -> None:
    """Given a compartment, when one more is to go in, then it is free in order, shut, and with a place left only."""
    state = CompartmentState(Compartment(1, 0, 900, capacity=capacity), condition, shut, parcels)
    assert state.is_free == (condition is Condition.IN_ORDER and shut and parcels < capacity)


def test_a_larger_compartment_is_taken_where_the_smaller_is_promised() -> None:
    """Given one of two doors that alone serves a promise, when a parcel could take it, then it takes the other."""
    cold, large = Compartment(1, 0, 100, (Ability.COLD,)), Compartment(2, 1, 100)
    doors = [CompartmentState(cold), CompartmentState(large)]
    wanted = RoomClass("0")
    assert choose_compartment(doors, wanted, {}) == cold
    assert choose_compartment(doors, wanted, {RoomClass("0+cold"): 1}) == large
    assert choose_compartment(doors, wanted, {RoomClass("1"): 1}) == cold
    assert choose_compartment(doors, wanted, {RoomClass("0+cold"): 1, RoomClass("1"): 1}) == cold


def test_a_parcel_at_the_door_comes_before_promises_and_finds_nothing_in_a_full_bank() -> None:
    """Given doors that are all promised, then the first is taken; given none that is free, then none."""
    taken = CompartmentState(Compartment(1, 0, 100), parcels=1)
    free = [CompartmentState(Compartment(door, 0, 100)) for door in (2, 3)]
    wanted = RoomClass("0")
    assert choose_compartment([taken, *free], wanted, {wanted: 2}) == free[0].compartment
    assert choose_compartment([taken], wanted, {}) is None


def test_nobody_is_seated_twice() -> None:
    """Given who had to move on once, when another demand would send them on again, then only those there are can go."""
    supply = {RoomClass("0+cold+seated"): 2, RoomClass("2+cold"): 1}
    assert is_feasible(supply, {RoomClass("1"): 1, RoomClass("0+cold"): 2})
    assert not is_feasible(supply, {RoomClass("1"): 2, RoomClass("0+cold"): 1})


def test_one_of_two_that_serve_a_promise_is_given_away() -> None:
    """Given two cold doors and one promise of the cold, when a parcel comes, then it takes one of them."""
    doors = [CompartmentState(Compartment(door, 0, 100, (Ability.COLD,))) for door in (1, 2)]
    doors.append(CompartmentState(Compartment(3, 1, 100)))
    chosen = choose_compartment(doors, RoomClass("0"), {RoomClass("0+cold"): 1})
    assert chosen == doors[0].compartment


few = st.dictionaries(
    st.sampled_from([room_class(size, needs) for size in range(3) for needs in NEEDS]), st.integers(1, 3), max_size=6
)


@settings(max_examples=400, deadline=None)
@given(few, few)
def test_scarce_room_is_weighed_by_hall(supply: dict[RoomClass, int], demands: dict[RoomClass, int]) -> None:
    """Given few classes that many could use, when demands move each other on, then the answer is Hall's condition."""
    assert is_feasible(supply, demands) == hall(supply, demands)


def test_a_window_touches_whole_days() -> None:
    """Given a window across midnight, when its days are counted, then both count."""
    assert len(Window(NOW, NOW + 15 * HOUR).days()) == 2


INSTANTS = st.lists(
    st.integers(0, 10**9).map(lambda seconds: NUMBERED_SINCE + timedelta(seconds=seconds)), max_size=8, unique=True
)


@given(kept=INSTANTS, forgotten=INSTANTS, after=INSTANTS)
def test_a_promise_never_gets_the_number_of_a_forgotten_one(
    kept: list[Instant], forgotten: list[Instant], after: list[Instant]
) -> None:
    """Given promises of which a backup knows the first, when it is restored, then no later one is numbered alike."""
    told = sorted({*kept, *forgotten, *after})
    first, last = len(kept), len(kept) + len(forgotten)
    known = numbered(0, told[:first])
    lost = numbered(known[-1] if known else 0, told[first:last])
    anew = numbered(known[-1] if known else 0, told[last:])
    assert set(anew).isdisjoint({*known, *lost})
    assert [*known, *lost] == sorted({*known, *lost})


def numbered(before: int, told: list[Instant]) -> list[int]:
    """The numbers of a parcel's promises made at these instants, after that one."""
    numbers = [before]
    for at in told:
        numbers.append(promise_number(numbers[-1], at))
    return numbers[1:]


def test_the_number_of_a_promise_is_above_the_seconds_since_2026() -> None:
    """Given the second day of 2026, then numbers begin above a day's seconds, and rise by one within a second."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert numbered(0, [at, at]) == [86_401, 86_402]
    assert numbered(100_000, [at]) == [100_001]


@pytest.mark.parametrize("at", [NUMBERED_SINCE, NUMBERED_SINCE - timedelta(days=9_000)])
def test_promises_are_numbered_from_one_by_a_clock_that_is_behind(at: Instant) -> None:
    """Given a clock that stands before the time that numbers count from, then numbers rise from promise to promise."""
    assert numbered(0, [at, at, at]) == [1, 2, 3]
