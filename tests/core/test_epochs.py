"""The end of an old log that is heard of late: adopted like any other, and never against what is newer."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.bank import Condition, RoomClass
from restante.core.ids import ParcelId, StayKey
from restante.core.parcel import Collected, stage_of
from restante.core.stay import By, Evidence
from restante.core.world import Reached, SourceHead
from tests.core.scene import BANK_A, PARCELS, SMALL, A, City, put_in, taken_out

MEDIUM = RoomClass("1+seated")
CLASSES = {1: SMALL, 2: SMALL, 3: MEDIUM, 4: MEDIUM, 5: RoomClass("2+seated")}


def entry(city: City, place: tuple[int, int], told: fact.AnyFact) -> cmd.AdoptFact:
    """An entry of bank A's at this epoch and number, which follows the one before it."""
    epoch, seq = place
    before = f"h{epoch}.{seq - 1}" if seq > 1 else ""
    said: dict[str, Any] = city.by() | {"previous_hash": before, "hash": f"h{epoch}.{seq}"}
    return cmd.AdoptFact(**said, source=BANK_A, point=A, epoch=epoch, seq=seq, fact=told)


def a_new_controller() -> tuple[City, StayKey]:
    """A parcel behind door 1, put in under epoch 1, and a controller of epoch 2 that inherited it."""
    city = City()
    for parcel in PARCELS:
        city.announces(parcel)
    stay = city.puts_in(PARCELS[0], A)
    city.does(cmd.StartEpoch(**city.by(), point=A, source=BANK_A, epoch=2))
    city.does(entry(city, (2, 1), fact.StayInherited(PARCELS[0], stay, 1)))
    return city, stay


def head(city: City) -> SourceHead:
    """What is adopted of bank A's journal."""
    found = city.world.sources[BANK_A]
    assert found is not None
    return found


def test_what_an_old_log_tells_late_is_not_the_last_word() -> None:
    """Given a parcel collected in epoch 2, when epoch 1 tells of a courier who took it before, then it is collected."""
    city, _ = a_new_controller()
    parcel = PARCELS[1]
    city.does(entry(city, (2, 2), put_in(parcel, door=2)))
    city.does(entry(city, (2, 3), taken_out(parcel, StayKey(BANK_A, 2, 2), By.RECIPIENT)))
    collected = city.stage(parcel)
    assert isinstance(collected, Collected)
    city.does(entry(city, (1, 2), put_in(parcel, door=3, room_class=MEDIUM)))
    city.does(entry(city, (1, 3), taken_out(parcel, StayKey(BANK_A, 1, 2), By.COURIER)))
    assert city.stage(parcel) == collected


def test_an_old_withdrawal_closes_the_stay_and_leaves_the_new_head() -> None:
    """Given a stay a new controller inherited, when its old log tells it ended, then it is closed and heads stay."""
    city, stay = a_new_controller()
    version = head(city).version
    city.does(entry(city, (1, 2), taken_out(PARCELS[0], stay, By.RECIPIENT)))
    assert head(city).version == version + 1, "whoever decided on the row as it was has to read it again"
    assert isinstance(city.stage(PARCELS[0]), Collected)
    assert (head(city).epoch, head(city).seq, head(city).hash) == (2, 1, "h2.1")
    assert head(city).past == {1: Reached(2, "h1.2")}
    assert city.does(entry(city, (1, 2), taken_out(PARCELS[0], stay, By.RECIPIENT))) == [], "again changes nothing"
    assert city.does(entry(city, (1, 1), fact.DoorShut(1))) == [], "what is known is not asked about again"


@pytest.mark.parametrize(
    ("epoch", "change", "code"),
    [
        (1, {"seq": 3}, "journal-gap"),
        (1, {"previous_hash": "other"}, "journal-fork"),
        (1, {"seq": 1, "hash": "other"}, "journal-fork"),
        (3, {}, "journal-epoch"),
        (0, {}, "journal-epoch"),
    ],
)
def test_an_old_entry_follows_what_is_adopted_of_its_epoch(epoch: int, change: dict[str, Any], code: str) -> None:
    """Given an entry that does not follow in its own epoch, then it is refused and nothing moves."""
    city, _ = a_new_controller()
    before = head(city)
    said = msgspec.structs.replace(entry(city, (epoch, 2), fact.DoorShut(1)), **change)
    assert city.refuses(said) == code
    assert head(city) == before


def test_while_a_fork_is_open_old_entries_wait_too() -> None:
    """Given a fork in the new epoch, when the old log's end comes, then it is refused and kept at its source."""
    city, _ = a_new_controller()
    city.does(cmd.ReportFork(**city.by(), point=A, source=BANK_A, epoch=2, seq=1))
    assert city.refuses(entry(city, (1, 2), fact.DoorShut(1))) == "source-forked"


def test_of_a_compartments_condition_the_latest_epoch_has_the_word() -> None:
    """Given a new controller that told of a door, when the old log tells of it, then only the doors it did not know."""
    city, _ = a_new_controller()
    city.does(entry(city, (2, 2), fact.ConditionSeen(3, MEDIUM, 1, Condition.UNKNOWN)))
    city.does(entry(city, (2, 3), fact.ConditionSeen(4, MEDIUM, 1, Condition.IN_ORDER)))
    assert city.does(entry(city, (1, 2), fact.ConditionSeen(3, MEDIUM, 1, Condition.IN_ORDER))) == []
    assert city.does(entry(city, (1, 3), fact.ConditionSeen(4, MEDIUM, 1, Condition.JAMMED))) == []
    [changed] = city.does(entry(city, (1, 4), fact.ConditionSeen(5, CLASSES[5], 1, Condition.JAMMED)))
    assert isinstance(changed, ev.ConditionChanged)
    room = city.world.rooms[A]
    assert room is not None
    assert {door: broken.condition for door, broken in room.faulty.items()} == {
        "3": Condition.UNKNOWN, "5": Condition.JAMMED,
    }  # fmt: skip


def test_a_head_stored_before_it_had_a_past_is_read() -> None:
    """Given a head as it was stored before earlier epochs were kept, when read, then it has none."""
    stored = b'{"source":"s","point":"p","epoch":2,"seq":5,"hash":"h","forked_at":null,"version":7}'
    found = msgspec.json.decode(stored, type=SourceHead)
    assert (found.reached(2), found.reached(1)) == (Reached(5, "h"), None)
    again = found.moved(2, Reached(6, "i"))
    assert msgspec.json.decode(msgspec.json.encode(again), type=SourceHead) == again


def test_a_head_knows_which_manifest_is_in_force() -> None:
    """Given manifests in force, when a new controller begins, then what the old one said counts no more."""
    city, _ = a_new_controller()
    city.does(entry(city, (2, 2), fact.ManifestApplied(3, 17)))
    assert head(city).in_force == (3, 17)
    city.does(entry(city, (1, 2), fact.ManifestApplied(3, 18)))
    assert head(city).in_force == (3, 17), "the end of an old log"
    city.does(cmd.StartEpoch(**city.by(), point=A, source=BANK_A, epoch=3))
    assert head(city).in_force == (0, 0)


doors = st.sampled_from(sorted(CLASSES))
ends_by = st.sampled_from((By.RECIPIENT, By.COURIER))


@st.composite
def two_logs(draw: st.DrawFn) -> tuple[list[fact.AnyFact], list[fact.AnyFact], list[int]]:
    """The end of an old log and the begin of a new one, each in order with itself, and an order to hear them in.

    The parcel behind door 1 leaves by one of them at most: it left in front of one controller.
    """
    inherited = StayKey(BANK_A, 1, 1)
    is_old = draw(st.booleans())
    logs = []
    for names, has_it in ((PARCELS[1:3], is_old), (PARCELS[2:], not is_old)):
        told: list[fact.AnyFact] = draw(st.lists(_a_fact(names), max_size=5))
        if has_it and draw(st.booleans()):
            leaves = fact.ParcelTakenOut(PARCELS[0], inherited, "g", 1, draw(ends_by), Evidence.SENSOR)
            told.insert(draw(st.integers(0, len(told))), leaves)
        logs.append(told)
    old, new = logs
    return old, new, draw(st.permutations([1] * len(old) + [2] * len(new)))


def _a_fact(names: tuple[ParcelId, ...]) -> Any:
    condition = st.builds(
        lambda door, seen: fact.ConditionSeen(door, CLASSES[door], 1, seen), doors, st.sampled_from(Condition)
    )
    named = st.sampled_from(names)
    deposit = st.builds(lambda name, door: put_in(name, door=door, room_class=CLASSES[door]), named, doors)
    return st.one_of(condition, deposit, st.builds(fact.DoorShut, doors))


def heard(old: list[fact.AnyFact], new: list[fact.AnyFact], order: list[int]) -> Any:
    """What the hub holds after both logs, heard in this order.

    A parcel behind a faulty door is counted there or by its class, as the facts came; both are counted together here.
    """
    city, _ = a_new_controller()
    waiting, seqs = {1: list(old), 2: list(new)}, {1: 1, 2: 1}
    for epoch in order:
        before = head(city)
        seqs[epoch] += 1
        city.does(entry(city, (epoch, seqs[epoch]), waiting[epoch].pop(0)))
        assert head(city).seq >= before.seq
        assert head(city).past[1].seq >= before.past[1].seq
    stages = {
        name: (stage_of(parcel), frozenset(parcel.cases)) for name, parcel in city.world.parcels.items() if parcel
    }
    room = city.world.rooms[A]
    assert room is not None
    inside = Counter(room.in_use)
    for broken in room.faulty.values():
        inside[broken.room_class] += broken.stays
    conditions = {door: broken.condition for door, broken in room.faulty.items()}
    return stages, room.supply, {name: count for name, count in inside.items() if count}, conditions, set(room.cases)


@settings(max_examples=60, deadline=None)
@given(two_logs())
def test_an_old_logs_end_and_a_new_log_commute(case: tuple[list[fact.AnyFact], list[fact.AnyFact], list[int]]) -> None:
    """Given the end of an old log and a new one, when heard in any order, then stages, cases and room are the same."""
    old, new, order = case
    assert heard(old, new, order) == heard(old, new, sorted(order))
