"""Whatever sources and callers do, in whatever order: counters stay exact, holds never shorten, facts commute."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.bank import Condition, RoomClass
from restante.core.custody import Decision
from restante.core.ids import CaseId, ParcelId, PointId, StayKey
from restante.core.parcel import Direction, Parcel, stage_of
from restante.core.reactions import react
from restante.core.refusals import Refusal
from restante.core.status import STAGES
from restante.core.stay import DOOR, NO_CONTACT, By, Evidence, RecallReason
from restante.core.surprises import standing
from restante.core.timers import timers_of
from restante.core.world import World
from tests.core.scene import BANK_A, BANK_B, COUNTER, DAY, DESK, HOUR, NOW, PARCELS, SMALL, SOURCES, A, B, City, put_in

POINTS = (A, B, COUNTER)
CLASSES = dict(enumerate((SMALL, SMALL, RoomClass("1+seated"), RoomClass("1+seated"), RoomClass("2+seated")), start=1))
STANDING = (ev.CaseKind.IN_TWO_PLACES, ev.CaseKind.DEPOSITED_ELSEWHERE, ev.CaseKind.DEPOSITED_AFTER_END)
STRANGE = ("", "zz", "-1", "1+", "٣", "9" * 300, "\x00\ud800")

parcels = st.sampled_from(PARCELS)
points = st.sampled_from(POINTS)
doors = st.integers(1, 5)
hands = st.sampled_from(By)
jumps = st.sampled_from([timedelta(0), HOUR, -HOUR, timedelta(days=3650), timedelta(days=-3650)])
keys = st.builds(StayKey, st.sampled_from((BANK_A, BANK_B, DESK)), st.just(1), st.integers(1, 4))
strange_parcels = st.one_of(parcels, st.sampled_from(STRANGE), st.just("00000000-0000-8000-8000-00000000ffff"))


@st.composite
def deposits(draw: st.DrawFn, names: Any = parcels) -> fact.ParcelPutIn:
    """A deposit as a source in order would write it: each door has one class."""
    door = draw(doors)
    return put_in(draw(names), door=door, room_class=CLASSES[door], by=draw(hands), shared=draw(st.booleans()))


def withdrawals(names: Any = parcels) -> Any:
    """A withdrawal of some stay, which may not exist, be closed, or belong to somebody else."""
    return st.builds(
        fact.ParcelTakenOut, names, keys, st.just("g"), doors, by=hands, evidence=st.sampled_from(Evidence)
    )


@st.composite
def conditions(draw: st.DrawFn, names: Any = parcels) -> fact.ConditionSeen:
    """A compartment out of order or back, with stays that may be there."""
    door = draw(doors)
    stays = tuple(draw(st.lists(st.tuples(names, keys), max_size=3)))
    return fact.ConditionSeen(door, CLASSES[door], 1, draw(st.sampled_from(Condition)), stays)


@st.composite
def forged_conditions(draw: st.DrawFn) -> fact.ConditionSeen:
    """A condition that no source in order would report."""
    room_class = draw(st.one_of(st.sampled_from(STRANGE), st.sampled_from(list(CLASSES.values()))))
    capacity = draw(st.sampled_from((-5, 0, 1, 10**6)))
    stays = tuple(draw(st.lists(st.tuples(strange_parcels.map(ParcelId), keys), max_size=100)))
    return fact.ConditionSeen(draw(doors), RoomClass(room_class), capacity, draw(st.sampled_from(Condition)), stays)


def other_facts(names: Any) -> Any:
    """Facts that concern no stay."""
    return st.one_of(
        st.builds(fact.DepositDeclined, names, st.text(max_size=5)),
        st.builds(fact.StayInherited, names, keys, doors),
        st.builds(fact.IntentRecorded, doors, st.just("g"), st.just("deposit")),
        st.builds(fact.DoorOpened, doors, st.sampled_from(Evidence)),
        st.builds(fact.DoorShut, doors),
        st.builds(fact.DoorStuck, doors, st.just("g")),
        st.builds(fact.DoorForced, doors),
        st.builds(fact.CodeRefused, st.just("keys")),
        st.builds(fact.CodeEntryClosed, st.text(max_size=5), st.just(60)),
        st.builds(fact.ManifestApplied, st.just(1), st.just(2)),
        st.builds(fact.Started, st.just("1.0"), st.sampled_from(((), ("g1",)))),
        st.builds(fact.Unknown, st.text(max_size=5)),
    )


honest = st.one_of(deposits(), withdrawals(), conditions(), other_facts(parcels))
forged = st.one_of(
    deposits(strange_parcels), withdrawals(strange_parcels), forged_conditions(), other_facts(strange_parcels)
)


def commands(city: City) -> Any:
    """Any command a caller could send about the city's parcels and points."""
    said = city.by()
    until = st.sampled_from((city.now, city.now + HOUR, city.now + DAY))
    ends = st.sampled_from((city.now + HOUR, city.now + 3 * DAY, city.now + 5 * DAY))
    reasons, window = st.sampled_from((NO_CONTACT, DOOR, "storm")), city.reserve().window

    def about(kind: Any, **more: Any) -> Any:
        return st.builds(kind, **{name: st.just(value) for name, value in said.items()}, parcel=parcels, **more)

    def at_source(kind: Any, **more: Any) -> Any:
        named = {name: st.just(value) for name, value in said.items()}
        return points.flatmap(
            lambda point: st.builds(kind, **named, point=st.just(point), source=st.just(SOURCES[point]), **more)
        )

    cases = st.sampled_from(open_cases(city) or [CaseId("none")])
    maybe = st.one_of(st.none(), points)
    return st.one_of(
        about(cmd.ReserveRoom, point=points, window=st.just(window), firmness=..., until=until),
        about(cmd.ReleaseRoom, point=points),
        about(cmd.ExpirePromise, point=points),
        about(cmd.CancelParcel, point=maybe),
        about(cmd.RedirectParcel, to_point=points, window=st.just(window), until=until, from_point=maybe),
        about(cmd.ExtendHold, ends_at=ends, longest_hold_hours=st.just(96)),
        about(cmd.PauseHold, point=points, why=reasons),
        about(cmd.ResumeHold, point=points, why=reasons),
        about(cmd.LapseHold, point=points),
        about(cmd.RecallParcel, point=points, reason=st.sampled_from(RecallReason)),
        about(cmd.ReleaseParcel, point=maybe),
        about(cmd.RecordNotice, notice=..., channel=st.just("mail"), bounced=..., stay=st.none() | keys, point=maybe),
        about(cmd.SettleCase, case=cases, how=st.just("seen")),
        about(cmd.ClaimStray, point=points, stay=keys),
        at_source(cmd.NoteContact, lost=st.booleans()),
        at_source(cmd.ReportFork, epoch=st.just(1), seq=st.just(1)),
        at_source(cmd.StartEpoch, epoch=st.integers(1, 3)),
    )


def open_cases(city: City) -> list[CaseId]:
    """Every case that is open about a parcel."""
    return [case for parcel in city.world.parcels.values() if parcel for case in parcel.cases.values()]


def check_counters(world: World) -> None:
    """Every open stay is counted once, by its class, and every compartment is in order or faulty."""
    for point in POINTS:
        room = world.rooms[point]
        assert room is not None
        counted = Counter(room.in_use)
        for broken in room.faulty.values():
            counted[broken.room_class] += broken.stays
        inside = Counter(
            stay.room_class
            for parcel in world.parcels.values()
            for stay in (parcel.stays if parcel else ())
            if stay.is_open and stay.point == point
        ) + Counter(stray.room_class for stray in room.strays.values())
        for door, extra in room.beside.items():
            counted[CLASSES[int(door)]] += extra
        assert {name: count for name, count in counted.items() if count} == inside
        promised = Counter(
            (str(day), parcel.promise.room_class)
            for parcel in world.parcels.values()
            if parcel and parcel.promise and parcel.promise.point == point
            for day in parcel.promise.window.days()
        )
        held = {(day, name): count for day, counts in room.promised.items() for name, count in counts.items()}
        assert held == promised


def check_holds(before: dict[StayKey, Any], world: World) -> None:
    """No hold that was there ends earlier than it did."""
    for parcel in world.parcels.values():
        for stay in parcel.stays if parcel else ():
            if stay.hold is not None:
                assert stay.hold.ends_at >= before.get(stay.key, stay.hold.ends_at)
                assert (stay.hold.paused_at is None) == (not stay.hold.reasons)
                before[stay.key] = stay.hold.ends_at


def a_city(directions: tuple[Direction, ...] = (Direction.DELIVERY, Direction.DROP_OFF)) -> City:
    """A city in which all parcels but the last are announced."""
    city = City()
    for parcel, direction in zip(PARCELS, (*directions, Direction.DELIVERY), strict=False):
        city.announces(parcel, direction=direction, destination=B if direction is Direction.DROP_OFF else None)
    return city


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans())
def test_no_sequence_breaks_custody(data: st.DataObject, is_forged: bool) -> None:
    """Given any stage, when any command or fact comes, then nothing fails, counts are exact and holds never shorten."""
    city, holds = a_city(), dict[StayKey, Any]()
    for _ in range(data.draw(st.integers(5, 25))):
        city.now += data.draw(st.sampled_from((timedelta(0), HOUR, DAY)))
        before = dict(city.world.parcels)
        if data.draw(st.booleans()):
            decision = city.asks(data.draw(commands(city)))
        else:
            told = data.draw(forged if is_forged else honest)
            entry = city.entry(data.draw(points), told, min(city.now, city.now + data.draw(jumps)))
            decision = city.asks(entry)
            assert isinstance(decision, list) or decision.code == "source-forked"
        check_holds(holds, city.world)
        if not is_forged:
            check_counters(city.world)
        check_followers(decision, city.world)
        check_surprises(before, decision, city.world)


def check_surprises(before: Mapping[ParcelId, Parcel | None], decision: Decision, world: World) -> None:
    """A stay that begins or ends opens the cases of just those surprises that came to be, and settles those gone."""
    events = decision if isinstance(decision, list) else []
    for moved in events:
        if isinstance(moved, ev.ParcelDeposited | ev.ParcelWithdrawn):
            was, is_now = before[moved.parcel], world.parcels[moved.parcel]
            assert was
            assert is_now
            came, went = standing(is_now) - standing(was), standing(was) - standing(is_now)
            told = [one for one in events if isinstance(one, ev.CaseOpened | ev.CaseSettled)]
            opened = {one.what for one in told if isinstance(one, ev.CaseOpened)} & set(STANDING)
            settled = {one.what for one in told if isinstance(one, ev.CaseSettled)}
            assert opened == {kind for kind in came if kind.value not in was.cases}
            assert settled == {kind for kind in went if kind.value in was.cases}


def check_followers(decision: list[ev.AnyEvent] | Refusal, world: World) -> None:
    """Stage, status, timers, reactions and stored form are there for whatever came to be."""
    for event in decision if isinstance(decision, list) else ():
        parcel = world.parcels[event.parcel] if isinstance(event, ev.ParcelEvent) else None
        assert react(event, parcel) == react(event, parcel)
        assert msgspec.json.decode(msgspec.json.encode(event), type=ev.AnyEvent) == event
    for parcel in world.parcels.values():
        if parcel:
            assert type(stage_of(parcel)) in STAGES
            timers_of(parcel)
            assert msgspec.json.decode(msgspec.json.encode(parcel), type=Parcel) == parcel


def outcome(city: City) -> Any:
    """What must not depend on the order in which sources were heard."""
    told = {
        key: (stage_of(parcel), frozenset(parcel.cases), standing(parcel), parcel.promise)
        for key, parcel in city.world.parcels.items()
        if parcel
    }
    return told, {point: city.world.rooms[point] for point in POINTS}


def plain(rooms_and_parcels: Any) -> Any:
    """The outcome without the ids of cases, which are named after the moment they opened."""
    told, rooms = rooms_and_parcels
    return told, {
        point: msgspec.structs.replace(room, cases=dict.fromkeys(room.cases, "")) for point, room in rooms.items()
    }


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[tuple[PointId, fact.AnyFact, Any]], list[PointId], list[PointId]]:
    """Facts of three sources with their wall times, and two orders that keep each source's own."""
    told = draw(st.lists(st.tuples(points, st.one_of(deposits(), withdrawals(), conditions()), jumps), max_size=10))
    order = [point for point, _, _ in told]
    return told, order, draw(st.permutations(order))


@settings(max_examples=120, deadline=None)
@given(interleavings(), st.lists(points, max_size=2))
def test_facts_of_different_sources_commute(case: Any, promised: list[PointId]) -> None:
    """Given the same facts, when sources are heard in another order, then stages, cases and counters are the same."""
    told, *orders = case
    outcomes = []
    for order in orders:
        city = a_city()
        for parcel, point in zip(PARCELS, promised, strict=False):
            city.does(city.reserve(parcel, point))
        waiting = {point: [(what, at) for where, what, at in told if where == point] for point in POINTS}
        for point in order:
            what, jump = waiting[point].pop(0)
            city.tells(point, what, NOW + jump)
        outcomes.append(plain(outcome(city)))
    assert outcomes[0] == outcomes[1]


def test_a_source_cannot_touch_anothers_stay() -> None:
    """Given a parcel at one bank, when another bank says it was taken out, then a case opens and the stay goes on."""
    city = a_city()
    stay = city.puts_in(PARCELS[0], A)
    events = city.tells(B, fact.ParcelTakenOut(PARCELS[0], stay, "g", 1, By.RECIPIENT, Evidence.SENSOR))
    assert [event.what for event in events if isinstance(event, ev.CaseOpened)] == [ev.CaseKind.STAY_UNKNOWN]
    assert len(events) == 1
    assert city.parcel().stays[0].is_open
