"""Every way round a door that does not do, for a parcel on its way in."""

from functools import partial
from typing import Any

import pytest

from restante.core.bank import Condition, RoomClass, SourceKind
from restante.core.ids import OrgId
from restante.edge.boards.steel import Deed, Knobs
from restante.edge.drivers.evidence import NotPulsed
from restante.edge.inputs import Choice, ForkTold
from restante.wire.manifest import Grant, GrantKind, ListedCompartment
from tests.edge.rig import CARRIER, COURIER, Rig, collect, deposit, parcel, recall, verifier

CODE = "12345678"
COOLING = NotPulsed("lock-cooling", 3_000)


def of_sizes(*sizes: int) -> Rig:
    """A bank whose doors have these sizes."""
    rig = Rig(doors=len(sizes))
    rig.listed = tuple(ListedCompartment(door, 1, size, 1500) for door, size in enumerate(sizes, 1))
    return rig


def declined(rig: Rig) -> list[str]:
    """Why parcels were declined."""
    return [entry.data["reason"] for entry in rig.facts("deposit-declined")]


def test_the_screen_names_the_parcel_that_a_late_door_is_for() -> None:
    """Given a door slow to be seen open, when its courier has scanned another, then the screen names the first."""
    rig = of_sizes(1, 1)
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.code(COURIER)
    rig.scan(1)
    rig.scan(2)
    rig.look()
    rig.look()
    screen = rig.agent.state.screen
    assert screen is not None
    assert (screen.door, screen.texts()[-1]) == (1, "Put parcel P1 in and close the door.")


# --- too big


def test_too_big_asks_for_more_than_the_door_that_was_open() -> None:
    """Given a small parcel at a middle door, when it is too big, then a large door opens and no other middle one."""
    rig = of_sizes(2, 2, 3)
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.TOO_BIG)
    rig.do(1, Deed.PUSH)
    assert rig.pulses == [1, 3]
    rig.do(3, Deed.PUT, Deed.PUSH)
    [fact] = rig.facts("parcel-put-in")
    assert (fact.data["room_class"], fact.data["larger"]) == ("3", True)


def test_a_parcel_keeps_its_needs_when_it_asks_for_more_room() -> None:
    """Given a parcel that must be cold, when its door is too small, then the next one is large and cold."""
    rig = Rig(doors=4)
    cold = ("cold",)
    rig.listed = (
        ListedCompartment(1, 1, 1, 1500, cold),
        ListedCompartment(2, 1, 2, 1500),
        ListedCompartment(3, 1, 3, 1500, cold),
        ListedCompartment(4, 1, 2, 1500),
    )
    rig.install(d1=deposit(1, room_class=RoomClass("1+cold")))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.TOO_BIG)
    rig.do(1, Deed.PUSH)
    assert rig.pulses == [1, 3]


@pytest.mark.parametrize(
    ("sizes", "wanted", "reason", "words"),
    [
        ((1,), "2", "too-big", "No door here is big enough. The parcel stays with you."),
        ((1, 2), "1+cold", "too-big", "No door here is big enough. The parcel stays with you."),
    ],
)
def test_a_parcel_for_which_no_door_was_made_is_declined_in_words(
    sizes: tuple[int, ...], wanted: str, reason: str, words: str
) -> None:
    """Given no door of the size or ability at all, when a parcel is scanned, then it is too big, not "full"."""
    rig = of_sizes(*sizes)
    rig.install(d1=deposit(1, room_class=RoomClass(wanted)))
    rig.code(COURIER)
    rig.scan(1)
    assert declined(rig) == [reason]
    assert rig.words == f"{words} Scan the next parcel."


def test_a_bank_without_a_free_door_says_full() -> None:
    """Given doors that are all taken, when a parcel is scanned, then it is declined as full, in words."""
    rig = of_sizes(1)
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.put_in(1)
    rig.scan(2)
    assert declined(rig) == ["full"]
    assert rig.words == "No door is free. The parcel stays with you. Scan the next parcel."


def test_a_larger_door_that_no_one_asked_for_is_a_choice_on_record() -> None:
    """Given only large doors, when parcels go in, then the entry of a small one says larger, of a large one not."""
    rig = of_sizes(2, 2)
    rig.install(d1=deposit(1), d2=deposit(2, room_class=RoomClass("2")))
    rig.put_in(1)
    rig.put_in(2)
    assert [entry.data["larger"] for entry in rig.facts("parcel-put-in")] == [True, False]


# --- other doors


def test_another_door_is_never_one_that_was_tried() -> None:
    """Given a courier who asks for another door again and again, then each door opens once, and then none is left."""
    rig = Rig(doors=3)
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    for door in (1, 2, 3):
        assert rig.pulses[-1] == door
        rig.choose(Choice.ANOTHER_DOOR)
        assert rig.words == f"Close door {door} to go on."
        rig.do(door, Deed.PUSH)
    assert rig.pulses == [1, 2, 3]
    assert declined(rig) == ["door"]
    assert rig.words.startswith("No other door opens.")
    assert rig.agent.state.conditions == {}


def test_a_door_that_is_full_is_blocked_and_on_record() -> None:
    """Given a door with something in it that no sensor sees, when the courier says full, then it is out of order."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.FULL)
    rig.do(1, Deed.PUSH)
    rig.do(2, Deed.PUT, Deed.PUSH)
    assert rig.agent.state.conditions == {1: Condition.BLOCKED}
    assert rig.facts("parcel-put-in")[0].data["door"] == 2


@pytest.mark.parametrize("choice", [Choice.TAKE_BACK, Choice.DONE])
def test_what_does_not_belong_to_an_open_door_changes_nothing_there(choice: Choice) -> None:
    """Given an open door at a bank, when staff's "done" or "take back" comes, then the parcel still goes in there."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(choice)
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert len(rig.facts("parcel-put-in")) == 1


def test_a_choice_of_putting_in_means_nothing_to_who_takes_out() -> None:
    """Given a recipient at an open door, when something for couriers is pressed, then nothing is declined."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    door = rig.put_in(1)
    rig.choose(Choice.CLOSE_ROUND)
    rig.code(CODE)
    before = rig.kinds()
    rig.choose(Choice.REFUSED)
    assert rig.kinds() == before
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


def test_what_is_revoked_while_a_door_stands_open_goes_into_no_other() -> None:
    """Given a courier who asks for another door, when the parcel is revoked meanwhile, then none opens, in words."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.ANOTHER_DOOR)
    rig.send("d1")
    rig.do(1, Deed.PUSH)
    assert rig.pulses == [1]
    assert rig.words.startswith("This parcel was expected at another time.")


def test_a_fork_while_a_door_stands_open_opens_no_other() -> None:
    """Given a courier who asks for another door, when the journal is found forked meanwhile, then none opens."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.ANOTHER_DOOR)
    rig.feed(ForkTold())
    rig.do(1, Deed.PUSH)
    assert rig.pulses == [1]


# --- together


def with_company(**more: Any) -> Rig:
    """A bank with a parcel of one holder behind door 1, and another of the holder on its way in at door 2."""
    rig = Rig()
    rig.install(d1=deposit(1, holder="h"), d2=deposit(2, holder="h"), **more)
    rig.put_in(1)
    rig.scan(2)
    assert rig.pulses == [1, 2]
    assert Choice.TOGETHER.value in rig.agent.state.screen.choices
    return rig


def test_together_is_offered_once() -> None:
    """Given two parcels of one holder, when they are put together, then it is not offered again at that door."""
    rig = with_company()
    rig.choose(Choice.TOGETHER)
    rig.do(2, Deed.PUSH)
    assert rig.pulses == [1, 2, 1]
    assert Choice.TOGETHER.value not in rig.agent.state.screen.choices
    rig.do(1, Deed.PUSH)
    assert [entry.data["shared"] for entry in rig.facts("parcel-put-in")] == [False, True]


def test_a_parcel_that_was_to_share_goes_elsewhere_when_that_door_is_out_of_order() -> None:
    """Given a parcel that is to lie beside another, when that one's door jams, then it goes into a door of its own."""
    rig = with_company()
    rig.choose(Choice.TOGETHER)
    rig.do(1, Deed.JAM)
    rig.do(2, Deed.PUSH)
    assert rig.pulses == [1, 2, 1, 3]
    rig.do(3, Deed.PUT, Deed.PUSH)
    assert [entry.data["shared"] for entry in rig.facts("parcel-put-in")] == [False, False]


@pytest.mark.parametrize("trouble", ["open", "blocked"])
def test_sharing_is_not_offered_where_the_other_door_is_open_or_out_of_order(trouble: str) -> None:
    """Given a parcel of the holder behind a door that is open or out of order, then sharing is not offered."""
    rig = Rig()
    rig.install(d1=deposit(1, holder="h"), d2=deposit(2, holder="h"))
    rig.put_in(1)
    if trouble == "open":
        rig.do(1, Deed.FORCE)
    else:
        rig.agent.state.conditions[1] = Condition.BLOCKED
    rig.scan(2)
    assert rig.pulses == [1, 2]
    assert Choice.TOGETHER.value not in rig.agent.state.screen.choices


def test_a_shared_parcel_waits_for_the_coil_of_that_door() -> None:
    """Given a parcel that is to lie beside another, when that lock must cool, then it waits and goes in there."""
    rig = with_company()
    rig.choose(Choice.TOGETHER)
    rig.not_pulsed[1] = COOLING
    rig.do(2, Deed.PUSH)
    assert rig.words == "Wait a moment. Door 1 opens in a few seconds."
    rig.tick(seconds=3)
    rig.do(1, Deed.PUSH)
    assert rig.facts("parcel-put-in")[-1].data["door"] == 1


# --- a lock that rests


def test_a_parcel_does_not_wait_where_a_door_as_good_is_free() -> None:
    """Given locks that must cool, when each door of the size was asked, then it waits at the last and not before."""
    rig = of_sizes(1, 1, 2)
    rig.install(d1=deposit(1))
    rig.not_pulsed |= {1: COOLING, 2: COOLING}
    rig.code(COURIER)
    rig.scan(1)
    assert rig.pulses == [1, 2]
    assert rig.words == "Wait a moment. Door 2 opens in a few seconds."


def test_a_cooling_lock_sends_nobody_elsewhere_once_the_grant_is_gone() -> None:
    """Given a grant that ends while its lock is told, when the lock must cool, then no other door is begun."""
    for end in ("revoked", "forked"):
        rig = Rig()
        rig.install(d1=deposit(1))
        rig.code(COURIER)
        rig.not_pulsed[1] = COOLING
        rig.before_outward = partial(_end, rig, end)
        rig.scan(1)
        assert rig.pulses == [1], end


def _end(rig: Rig, how: str, effect: object) -> None:
    if type(effect).__name__ == "Unlock":
        rig.before_outward = lambda _: None
        if how == "revoked":
            rig.send("d1")
        else:
            rig.feed(ForkTold())


# --- what was put in


def test_a_door_shut_without_a_look_inside_counts_as_a_deposit() -> None:
    """Given a bank without content sensors, when the door is shut, then the parcel counts as put in."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.board = type(rig.board)(rig.board.locks, Knobs(blind_doors=frozenset({1})))
    rig.look()
    rig.look()
    rig.board = type(rig.board)(rig.board.locks)
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert len(rig.facts("parcel-put-in")) == 1


def test_a_parcel_at_a_counter_is_put_in_by_staff() -> None:
    """Given a counter without a round, when staff scan a parcel of any carrier, then it is put in by staff."""
    rig = Rig(kind=SourceKind.COUNTER)
    rig.listed = (ListedCompartment(1, 1, 2, 1000, capacity=3),)
    rig.install(d1=deposit(1, org=OrgId("carrier-2")))
    rig.scan(1)
    rig.choose(Choice.DONE)
    [fact] = rig.facts("parcel-put-in")
    assert (fact.data["by"], fact.data["evidence"]) == ("staff", "staff")


def test_a_senders_parcel_needs_room_and_a_free_door_too() -> None:
    """Given a full bank, when a sender types the code, then no door opens and the words are about the door."""
    rig = of_sizes(1)
    sent = Grant(GrantKind.RETURN, CARRIER, parcel(2), room_class=RoomClass("1"), verifier=verifier(CODE))
    rig.install(d1=deposit(1), r2=sent)
    rig.put_in(1)
    rig.choose(Choice.CLOSE_ROUND)
    rig.code(CODE)
    assert (rig.page, rig.words) == ("help", "No door is free. The parcel stays with you.")
    assert declined(rig) == ["full"]


# --- rounds


def offered(rig: Rig) -> list[str]:
    """What may be pressed, and the words."""
    return [*rig.agent.state.screen.choices, rig.words]


def test_a_round_offers_what_may_be_taken_back_and_to_end_it() -> None:
    """Given a courier in a round, then it may be closed; and taking back is offered while something is recalled."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    assert offered(rig) == ["close-round", "Scan the next parcel."]
    door = rig.put_in(1)
    rig.send(r1=recall(1))
    rig.code(COURIER)
    assert offered(rig) == ["take-back", "close-round", "Parcels to take back: 1. Scan the next parcel."]
    rig.choose(Choice.TAKE_BACK)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert offered(rig) == ["close-round", "Scan the next parcel."]


def test_a_round_lasts_while_the_courier_does_something() -> None:
    """Given a courier who does something every nine minutes, then the round stays; after ten idle ones it is over."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    for _ in range(3):
        rig.tick(minutes=9)
        rig.scan(99)
    rig.tick(minutes=10)
    assert rig.agent.state.round is not None
    rig.tick(seconds=1)
    assert rig.agent.state.round is None
