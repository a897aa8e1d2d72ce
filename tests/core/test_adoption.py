"""Adoption: given what a hub knows, when a source tells a fact, then these events and cases follow."""

import msgspec
import pytest

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.adoption import MAX_POINT_CASES, MAX_STRAYS
from restante.core.bank import Condition, RoomClass
from restante.core.ids import ParcelId, StayKey
from restante.core.parcel import (
    Announced,
    Collected,
    Deposited,
    Direction,
    DroppedOff,
    Promised,
    Released,
    WithCourier,
    leg_of,
)
from restante.core.reactions import GiveBackRoom, OrderRecall, ReserveOnward, SendNotice, react
from restante.core.refusals import Refusal
from restante.core.stay import By, Evidence, RecallReason
from restante.core.surprises import words
from tests.core.scene import BANK_A, DAY, HOUR, NOW, PARCEL, PARCELS, SMALL, A, B, City, kinds, put_in, taken_out

STRANGER = PARCELS[3]


def cases(city: City) -> set[str]:
    """The kinds of case open about the parcel."""
    return set(city.parcel().cases)


@pytest.fixture
def city() -> City:
    """A city in which a parcel is announced."""
    city = City()
    city.announces()
    return city


def test_an_entry_is_adopted_once_and_in_order(city: City) -> None:
    """Given a journal's head, when an entry is repeated, skipped, forged or foreign, then it is ignored or refused."""
    first = city.entry(A, fact.DoorForced(1))
    assert kinds(city.does(first)) == ["PointCaseOpened"]
    assert city.does(first) == []
    change = msgspec.structs.replace
    assert city.refuses(change(first, seq=3)) == "journal-gap"
    assert city.refuses(change(first, hash="other")) == "journal-fork"
    assert city.refuses(change(first, seq=2, previous_hash="other")) == "journal-fork"
    assert city.refuses(change(first, epoch=2)) == "journal-epoch"
    assert city.refuses(change(first, point=B)) == "source-unknown"
    second = city.entry(A, fact.DoorShut(1))
    city.does(cmd.ReportFork(**city.by(), point=A, source=BANK_A, epoch=1, seq=1))
    assert city.refuses(second) == "source-forked"


def test_a_deposit_where_it_was_not_bound_for(city: City) -> None:
    """Given room at A, when the parcel is put in at B, then a case opens and A's room is owed back."""
    city.does(city.reserve())
    stay = city.puts_in(point=B)
    assert cases(city) == {"deposited-elsewhere"}
    assert react(city.log[-2], city.parcel())[1:2] == [GiveBackRoom(PARCEL, A)]
    receipt = react(city.takes_out(stay)[0], city.parcel())
    assert isinstance(receipt[0], SendNotice)
    assert receipt[1] == GiveBackRoom(PARCEL, A)
    assert cases(city) == set()


def test_a_deposit_after_the_end(city: City) -> None:
    """Given a cancelled parcel, when it is put in, then a case opens and its recall is owed."""
    city.does(cmd.CancelParcel(**city.by(), parcel=PARCEL))
    stay = city.puts_in()
    assert cases(city) == {"deposited-after-end"}
    assert react(city.log[-2], city.parcel())[-1] == OrderRecall(PARCEL, A, RecallReason.CANCELLED)
    city.takes_out(stay, By.COURIER)
    assert isinstance(city.stage(), WithCourier)
    assert city.refuses(city.reserve()) == "already-cancelled"
    city.does(cmd.ReleaseParcel(**city.by(), parcel=PARCEL))
    city.puts_in()
    city.takes_out(StayKey(BANK_A, 1, 3), By.STAFF)
    assert isinstance(city.stage(), Released)
    city.puts_in()
    released = msgspec.structs.replace(city.parcel(), cancelled_at=None)
    assert not [task for task in react(city.log[-2], released) if isinstance(task, SendNotice | OrderRecall)]


def test_in_two_places(city: City) -> None:
    """Given a parcel behind one door, when another bank has it too, then a case opens until one stay is closed."""
    first, second = city.puts_in(point=A), city.puts_in(point=B)
    assert cases(city) == {"in-two-places"}
    city.does(cmd.SettleCase(**city.by(), parcel=PARCEL, case=next(iter(city.parcel().cases.values())), how="seen"))
    assert kinds(city.takes_out(first)) == ["ParcelWithdrawn", "CaseOpened"]
    assert cases(city) == {"deposited-after-end"}
    assert kinds(city.takes_out(first)) == ["CaseOpened"]
    assert "taken-out-twice" in cases(city)
    city.takes_out(second, By.STAFF)
    assert isinstance(city.stage(), Collected)


def test_of_two_places_the_one_it_was_bound_for_counts(city: City) -> None:
    """Given two banks holding a parcel, when one's clock is years ahead, then the point it was bound for counts."""
    city.does(city.reserve())
    city.puts_in(point=A)
    city.tells(B, put_in(), NOW + 3650 * DAY)
    assert getattr(city.stage(), "point", None) == A


def test_a_collected_parcel_stays_collected_whatever_the_clocks_say(city: City) -> None:
    """Given a collection, when another bank's clock puts a courier's withdrawal years later, then it is collected."""
    stay = city.puts_in(point=B)
    city.tells(B, taken_out(PARCEL, stay, By.COURIER), NOW + 3650 * DAY)
    city.takes_out(city.puts_in(point=A))
    assert city.stage() == Collected(NOW, By.RECIPIENT)


def test_one_sources_own_order_beats_its_clock(city: City) -> None:
    """Given a parcel collected and put back, when a courier takes it with the clock set back, then it is his."""
    city.takes_out(city.puts_in())
    again = city.puts_in()
    city.tells(A, taken_out(PARCEL, again, By.COURIER), NOW - 3650 * DAY)
    assert isinstance(city.stage(), WithCourier)


def test_a_courier_takes_out_what_nobody_recalled(city: City) -> None:
    """Given a parcel waiting, when a courier takes it without recall, then a case opens; after a recall none does."""
    asked = city.puts_in()
    city.does(cmd.RecallParcel(**city.by(), parcel=PARCEL, point=A, reason=RecallReason.RETURNED))
    assert kinds(city.takes_out(asked, By.COURIER)) == ["ParcelWithdrawn"]
    assert cases(city) == set()
    city.takes_out(city.puts_in(), By.COURIER)
    assert cases(city) == {"taken-out-unasked"}


def test_a_courier_has_what_was_taken_out_last(city: City) -> None:
    """Given a parcel that couriers took from two places, when its stage is asked, then it is with the later of them."""
    first, second = city.puts_in(point=A), city.puts_in(point=B)
    city.tells(B, taken_out(PARCEL, second, By.COURIER), NOW + HOUR)
    city.tells(A, taken_out(PARCEL, first, By.COURIER), NOW)
    assert city.stage() == WithCourier(NOW + HOUR)


def test_only_a_drop_off_is_taken_further() -> None:
    """Given a delivery bound for B, when a courier takes it out of A, then no room is owed, whoever puts it in."""
    city = City()
    city.announces(destination=B)
    stay = city.puts_in()
    city.does(cmd.RecallParcel(**city.by(), parcel=PARCEL, point=A, reason=RecallReason.RETURNED))
    [taken] = city.takes_out(stay, By.COURIER)
    assert react(taken, city.parcel()) == []
    city.puts_in(by=By.SENDER)
    assert isinstance(city.stage(), Deposited)


def test_a_sender_who_takes_a_bound_parcel_back_owes_no_room() -> None:
    """Given a drop-off bound for B, when its sender takes it back, then no room is promised at B."""
    city = City()
    city.announces(direction=Direction.DROP_OFF, destination=B)
    [taken] = city.takes_out(city.puts_in(by=By.SENDER), By.SENDER)
    assert react(taken, city.parcel()) == []


def test_a_recipient_gets_a_receipt_for_that_very_stay(city: City) -> None:
    """Given a parcel behind a door, when its recipient takes it, then a receipt of that stay is owed to them."""
    stay = city.puts_in()
    [taken] = city.takes_out(stay)
    assert react(taken, city.parcel()) == [SendNotice(PARCEL, ev.NoticeKind.RECEIPT, A, stay)]


def test_a_source_that_skips_is_told_where_to_go_on(city: City) -> None:
    """Given two entries adopted, when the fourth comes, then the refusal names the third."""
    city.puts_in()
    city.tells(A, fact.Started("0.1"))
    skipping = msgspec.structs.replace(city.entry(A, fact.Started("0.1")), seq=4)
    refused = city.asks(skipping)
    assert refused == Refusal("journal-gap", "seq", "3")


@pytest.mark.parametrize(("capacity", "kind"), [(0, "PointCaseOpened"), (1, "ConditionChanged")])
def test_a_compartment_holds_at_least_one_parcel(city: City, capacity: int, kind: str) -> None:
    """Given a compartment's condition, when it is said to hold no parcel at all, then that is a case and not room."""
    seen = fact.ConditionSeen(1, SMALL, capacity, Condition.JAMMED, ())
    assert kinds(city.tells(A, seen)) == [kind]


def test_a_drop_off_goes_on_as_a_delivery() -> None:
    """Given a drop-off bound for B, when a courier has taken it, then room at B is owed, and there it is a delivery."""
    city = City()
    city.announces(direction=Direction.DROP_OFF, destination=B)
    stay = city.puts_in(by=By.SENDER)
    assert isinstance(city.stage(), DroppedOff)
    assert leg_of(city.parcel()) is Direction.DROP_OFF
    assert not [task for task in react(city.log[-1], city.parcel()) if isinstance(task, SendNotice)]
    assert kinds(city.notifies(stay)) == ["NoticeGiven"]
    [taken] = city.takes_out(stay, By.COURIER)
    assert react(taken, city.parcel()) == [ReserveOnward(PARCEL, B)]
    assert leg_of(city.parcel()) is Direction.DELIVERY
    city.does(city.reserve(point=B))
    assert isinstance(city.stage(), Promised)
    assert react(taken, city.parcel()) == []
    there = city.puts_in(point=B)
    assert kinds(city.notifies(there)) == ["NoticeGiven", "HoldStarted"]


def test_a_drop_off_at_its_own_destination_is_ready_at_once() -> None:
    """Given a drop-off whose destination is this point, when the sender puts it in, then its recipient is told."""
    city = City()
    city.announces(direction=Direction.DROP_OFF, destination=A)
    city.puts_in(by=By.SENDER)
    assert isinstance(react(city.log[-1], city.parcel())[-1], SendNotice)


def test_a_sender_takes_the_parcel_back() -> None:
    """Given a drop-off behind a door, when its sender takes it back, then it is as it was before."""
    city = City()
    city.announces(direction=Direction.DROP_OFF)
    [taken] = city.takes_out(city.puts_in(by=By.SENDER), By.SENDER)
    assert isinstance(city.stage(), Announced)
    assert leg_of(city.parcel()) is Direction.DROP_OFF
    assert react(taken, city.parcel()) == []
    assert leg_of(msgspec.structs.replace(city.parcel(), direction=Direction.DELIVERY)) is Direction.DELIVERY


def test_a_parcel_nobody_announced(city: City) -> None:
    """Given an unannounced parcel behind a door, when it is announced and claimed, then its stay goes on."""
    stay = city.puts_in(STRANGER)
    assert kinds(city.log[-2:]) == ["StrayDeposited", "PointCaseOpened"]
    assert city.tells(A, fact.StayInherited(STRANGER, stay, 1)) == []
    city.tells(A, fact.ConditionSeen(1, SMALL, 1, Condition.JAMMED, ((STRANGER, stay),)))
    room = city.world.rooms[A]
    assert room
    assert (room.in_use, room.faulty["1"].stays) == ({}, 1)
    city.tells(A, fact.ConditionSeen(1, SMALL, 1, Condition.IN_ORDER))
    claim = cmd.ClaimStray(**city.by(), parcel=STRANGER, point=A, stay=stay)
    assert city.refuses(claim) == "parcel-unknown"
    city.announces(STRANGER)
    assert city.refuses(msgspec.structs.replace(claim, stay=StayKey(BANK_A, 9, 9))) == "stray-unknown"
    assert city.refuses(msgspec.structs.replace(claim, parcel=PARCEL)) == "stray-unknown"
    assert kinds(city.does(claim)) == ["StrayClaimed", "PointCaseSettled", "ParcelDeposited"]
    room = city.world.rooms[A]
    assert room
    assert (room.in_use, room.strays, room.cases) == ({SMALL: 1}, {}, {})
    assert isinstance(city.takes_out(stay, parcel=STRANGER)[0], ev.ParcelWithdrawn)


def test_a_claim_after_its_case_was_settled(city: City) -> None:
    """Given a stray whose case a person settled, when it is claimed, then nothing is left to settle."""
    stay = city.puts_in(STRANGER)
    room = city.world.rooms[A]
    assert room
    [case] = room.cases.values()
    assert kinds(city.does(cmd.SettlePointCase(**city.by(), point=A, case=case, how="seen"))) == ["PointCaseSettled"]
    city.announces(STRANGER)
    claimed = city.does(cmd.ClaimStray(**city.by(), parcel=STRANGER, point=A, stay=stay))
    assert kinds(claimed) == ["StrayClaimed", "ParcelDeposited"]


def test_a_parcel_nobody_announced_goes_again(city: City) -> None:
    """Given an unannounced parcel behind a door, when it is taken out, then its room is free."""
    stay = city.puts_in(STRANGER)
    assert kinds(city.takes_out(stay, parcel=STRANGER)) == ["StrayWithdrawn"]
    assert city.takes_out(stay, parcel=STRANGER) == []
    room = city.world.rooms[A]
    assert room
    assert (room.in_use, room.strays) == ({}, {})


@pytest.mark.parametrize("name", ["", "zz", "\x00\ud800" + "x" * 9999])
def test_names_that_are_none_of_ours(city: City, name: str) -> None:
    """Given a source that writes anything, when it names parcels that cannot be, then cases open and nothing fails."""
    parcel, stay = ParcelId(name), StayKey(BANK_A, 1, 99)
    told: list[fact.AnyFact] = [
        put_in(parcel),
        taken_out(parcel, stay),
        fact.DepositDeclined(parcel, "full"),
        fact.StayInherited(parcel, stay, 1),
        fact.ConditionSeen(1, SMALL, 1, Condition.JAMMED, ((parcel, stay),) * 99),
        fact.ConditionSeen(1, RoomClass(name), 1, Condition.JAMMED),
        fact.ConditionSeen(1, SMALL, -1, Condition.JAMMED),
        put_in(room_class=RoomClass(name)),
        fact.Unknown(name, {"a": 1}),
    ]
    opened = {event.what for each in told for event in city.tells(A, each) if isinstance(event, ev.PointCaseOpened)}
    assert opened == {ev.CaseKind.PARCEL_UNKNOWN, ev.CaseKind.FACT_UNKNOWN}
    msgspec.json.encode(city.log)
    assert city.asks(city.reserve()) != Refusal("never-fits")


def test_a_flood_of_surprises_is_bounded(city: City) -> None:
    """Given a source gone mad, when it floods its journal with surprises, then its row stays bounded."""
    for number in range(MAX_STRAYS + 5):
        city.tells(A, put_in(ParcelId(f"p{number}")))
    room = city.world.rooms[A]
    assert room
    assert (len(room.strays), len(room.cases)) == (MAX_STRAYS, MAX_POINT_CASES)
    assert city.tells(A, fact.DoorForced(1)) == []


def test_the_same_surprise_opens_one_case(city: City) -> None:
    """Given an open case about a door, when the door is forced again, then no second one opens."""
    assert kinds(city.tells(A, fact.DoorForced(1))) == ["PointCaseOpened"]
    assert kinds(city.tells(A, fact.DoorForced(1))) == []
    assert kinds(city.tells(A, fact.DoorForced(2))) == ["PointCaseOpened"]


def test_a_surprise_without_a_door_opens_a_case_too(city: City) -> None:
    """Given a bank where codes were guessed at, or that does not know what it did, then its point has a case."""
    closed, unsure = fact.CodeEntryClosed("screen", 60), fact.Started("0.1", ("pulse 1",))
    assert kinds(city.tells(A, closed)) == ["PointCaseOpened"]
    assert kinds(city.tells(A, unsure)) == ["PointCaseOpened"]


def test_a_declined_deposit(city: City) -> None:
    """Given a promised parcel, when it could not be put in, then the decline and a case are recorded."""
    declined, opened = city.tells(A, fact.DepositDeclined(PARCEL, "too-big"))
    assert kinds([declined, opened]) == ["DepositDeclined", "CaseOpened"]
    assert react(opened, city.parcel()) == []
    assert kinds(city.tells(A, fact.DepositDeclined(PARCEL, "too-big"))) == ["DepositDeclined"]


def test_a_new_controller_takes_over(city: City) -> None:
    """Given an open stay, when a new controller inherits it, then it is noted; a closed one is a surprise."""
    stay = city.puts_in()
    assert kinds(city.tells(A, fact.StayInherited(PARCEL, stay, 1))) == ["StayInherited"]
    city.takes_out(stay)
    assert kinds(city.tells(A, fact.StayInherited(PARCEL, stay, 1))) == ["CaseOpened"]
    assert "stay-unknown" in cases(city)


def test_a_stay_at_another_door_is_not_behind_this_one(city: City) -> None:
    """Given a parcel behind door 1, when door 2 jams and claims it, then nothing of it is moved."""
    stay = city.puts_in()
    [changed] = city.tells(A, fact.ConditionSeen(2, SMALL, 1, Condition.JAMMED, ((PARCEL, stay),)))
    assert isinstance(changed, ev.ConditionChanged)
    assert changed.stays == 0


def test_what_a_machine_wrote_is_kept_short_and_printable() -> None:
    """Given any text, when it is kept in an event, then it is short and holds no unprintable sign."""
    assert words("a\x00b\ud800c" + "d" * 999) == "abc" + "d" * 195


def test_evidence_travels(city: City) -> None:
    """Given a deposit seen by a sensor, when it is adopted, then the event says what it rests on."""
    city.puts_in(evidence=Evidence.ACK)
    [opened] = [event for event in city.log if isinstance(event, ev.ParcelDeposited)]
    assert opened.evidence is Evidence.ACK
