"""What people, doors and the hub do at a bank, told as journeys: given a manifest, when inputs, then entries."""

from datetime import timedelta

import pytest

from restante.core.bank import Condition, RoomClass
from restante.core.ids import OrgId
from restante.edge.boards.steel import Deed, Knobs
from restante.edge.inputs import Choice, ForkTold, ManifestCame, SessionEnded
from restante.wire.manifest import Grant, GrantKind, Offline, sign, sign_fresh
from tests.edge.rig import (
    CARRIER,
    COURIER,
    KEY,
    SOURCE,
    START,
    Rig,
    collect,
    deposit,
    parcel,
    recall,
    verifier,
)

CODE, OTHER_CODE = "12345678", "87654321"


def test_a_parcel_goes_in_and_out() -> None:
    """Given a deposit and a collection, when courier and recipient come, then every step is journalled in order."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    door = rig.put_in(1)
    assert rig.words.startswith("The parcel is in.")
    rig.choose(Choice.CLOSE_ROUND)
    rig.code("1234 5678")
    assert rig.words == f"Door {door} is open. Take your parcel and close the door."
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert rig.kinds() == [
        "started",
        "manifest-applied",
        *("intent-recorded", "door-opened", "door-shut", "parcel-put-in"),
        *("intent-recorded", "door-opened", "door-shut", "parcel-taken-out"),
    ]
    put_in, taken = rig.facts("parcel-put-in", "parcel-taken-out")
    assert put_in.data["evidence"] == taken.data["evidence"] == "sensor"
    assert (put_in.data["by"], taken.data["by"]) == ("courier", "recipient")
    assert taken.data["stay"] == [SOURCE, 1, put_in.seq]
    assert not rig.agent.state.stays


def test_the_intent_is_flushed_before_the_lock_is_told() -> None:
    """Given a code, when the lock is told, then the book already holds the intent."""
    rig = Rig()
    rig.install(d1=deposit(1))
    seen: list[str] = []
    rig.before_outward = lambda effect: seen.append(f"{type(effect).__name__}:{rig.kinds()[-1]}")
    rig.put_in(1)
    assert "Unlock:intent-recorded" in seen


def test_a_code_works_once() -> None:
    """Given a parcel that was collected, when the code is entered again, then it is a wrong code like any other."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    door = rig.put_in(1)
    rig.code(CODE)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    rig.code(CODE)
    wrong = rig.words
    rig.code("00000000")
    assert rig.words == wrong == "That code does not open a door here. Check the digits or the place."
    assert len(rig.pulses) == 2


def test_a_deposit_works_once() -> None:
    """Given a parcel that is in, when it is scanned again, then no door opens."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.put_in(1)
    rig.scan(1)
    assert rig.words.startswith("This parcel was put in already.")
    assert len(rig.pulses) == 1


def test_the_smallest_compartment_that_keeps_promises() -> None:
    """Given small and large doors and a large parcel expected, when a small one comes, then a small door opens."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2, room_class=RoomClass("2")))
    assert rig.put_in(1) == 1
    assert rig.put_in(2) == 4
    assert [entry.data.get("larger", False) for entry in rig.facts("parcel-put-in")] == [False, False]


def test_too_big_takes_the_next_size_and_says_so() -> None:
    """Given an open small door, when the courier says too big, then the next size opens and the entry says larger."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.TOO_BIG)
    assert rig.words == "Close door 1 to go on."
    rig.do(1, Deed.PUSH)
    assert rig.pulses == [1, 4]
    rig.do(4, Deed.PUT, Deed.PUSH)
    (put_in,) = rig.facts("parcel-put-in")
    assert put_in.data["door"] == 4
    assert put_in.data["larger"] is True
    assert put_in.data["room_class"] == "2"


def test_too_big_for_every_door_is_declined() -> None:
    """Given the largest door, when it is too small too, then the parcel is declined and stays with the courier."""
    rig = Rig()
    rig.install(d1=deposit(1, room_class=RoomClass("2")))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.TOO_BIG)
    rig.do(4, Deed.PUSH)
    assert [entry.data["reason"] for entry in rig.facts("deposit-declined")] == ["too-big"]
    assert not rig.agent.state.stays


@pytest.mark.parametrize("choice", [Choice.REFUSED, Choice.DAMAGED])
def test_a_parcel_that_is_not_put_in(choice: Choice) -> None:
    """Given an open door, when the courier keeps the parcel, then the reason is recorded and nothing put in."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(choice)
    rig.do(1, Deed.PUSH)
    assert [entry.data["reason"] for entry in rig.facts("deposit-declined")] == [choice.value]
    assert not rig.facts("parcel-put-in")


def test_a_compartment_with_something_in_it_is_blocked() -> None:
    """Given an open door, when the courier says it is full, then it is out of order and another door opens."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.code(COURIER)
    rig.scan(1)
    rig.choose(Choice.FULL)
    rig.do(1, Deed.PUSH)
    rig.do(2, Deed.PUT, Deed.PUSH)
    assert rig.agent.state.conditions == {1: Condition.BLOCKED}
    assert rig.put_in(2) == 3


def test_a_stuck_door_is_reported_and_the_next_one_opens() -> None:
    """Given a jammed lock, when a parcel is scanned, then stuck and jammed are recorded and the next door opens."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.do(1, Deed.JAM)
    rig.code(COURIER)
    rig.scan(1)
    assert rig.pulses == [1, 2]
    assert rig.kinds()[-4:-1] == ["door-stuck", "condition-seen", "intent-recorded"]
    rig.do(2, Deed.PUT, Deed.PUSH)
    assert rig.facts("parcel-put-in")[0].data["door"] == 2


def test_no_door_left_is_declined_in_words() -> None:
    """Given one jammed door and no other, when a parcel is scanned, then it is declined for the doors."""
    rig = Rig(doors=1)
    rig.install(d1=deposit(1))
    rig.do(1, Deed.JAM)
    rig.code(COURIER)
    rig.scan(1)
    assert [entry.data["reason"] for entry in rig.facts("deposit-declined")] == ["door"]
    assert rig.words.startswith("No other door opens.")


def test_a_full_bank_declines_in_words() -> None:
    """Given no free door, when a parcel is scanned, then it is declined as full."""
    rig = Rig(doors=1)
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.put_in(1)
    rig.scan(2)
    assert [entry.data["reason"] for entry in rig.facts("deposit-declined")] == ["full"]


def test_a_jam_on_collection_keeps_the_parcel_and_names_the_stay() -> None:
    """Given a parcel behind a jammed door, when its code comes and the door is pushed, then it is not taken out."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    door = rig.put_in(1)
    rig.do(door, Deed.JAM)
    rig.code(CODE)
    rig.do(door, Deed.PUSH)
    assert rig.words.startswith(f"Door {door} did not open. Your parcel is safe.")
    assert not rig.facts("parcel-taken-out")
    (condition,) = rig.facts("condition-seen")
    assert condition.data["stays"] == [[parcel(1), [SOURCE, 1, rig.stay(1).seq]]]
    rig.do(door, Deed.MEND)
    rig.code(CODE)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert rig.kinds()[-4:] == ["door-opened", "condition-seen", "door-shut", "parcel-taken-out"]


def test_a_door_shut_on_the_parcel_leaves_it_in() -> None:
    """Given a content sensor that still sees the parcel, when the door is shut, then it is not taken out."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    door = rig.put_in(1)
    rig.code(CODE)
    rig.do(door, Deed.PUSH)
    assert rig.words.startswith(f"A parcel is still behind door {door}.")
    rig.code(CODE)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


def test_an_empty_compartment_is_no_deposit() -> None:
    """Given a content sensor that sees nothing, when the door is shut, then nothing was put in and the grant lives."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.do(1, Deed.PUSH)
    assert rig.words.startswith("Nothing is behind door 1.")
    rig.put_in(1)
    assert len(rig.facts("parcel-put-in")) == 1


def test_several_parcels_of_one_holder_share_a_door_and_leave_together() -> None:
    """Given two parcels of one holder, when the courier puts them together, then one code takes out both."""
    rig = Rig()
    rig.install(
        d1=deposit(1, holder="h"),
        d2=deposit(2, holder="h"),
        c1=collect(1, CODE, holder="h"),
        c2=collect(2, OTHER_CODE, holder="h"),
    )
    rig.put_in(1)
    rig.scan(2)
    rig.choose(Choice.TOGETHER)
    rig.do(2, Deed.PUSH)
    assert rig.pulses[-1] == 1
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert rig.facts("parcel-put-in")[1].data["shared"] is True
    rig.code(OTHER_CODE)
    assert "Take all 2 parcels" in rig.words
    rig.do(1, Deed.TAKE, Deed.PUSH)
    assert {(entry.data["parcel"], entry.data["grant"]) for entry in rig.facts("parcel-taken-out")} == {
        (parcel(1), "c1"),
        (parcel(2), "c2"),
    }
    rig.code(CODE)
    assert rig.page == "code"


def test_strangers_never_share_a_door() -> None:
    """Given a parcel of another holder, when the courier asks to put them together, then it is not offered nor done."""
    rig = Rig()
    rig.install(d1=deposit(1, holder="a"), d2=deposit(2, holder="b"))
    rig.put_in(1)
    rig.scan(2)
    assert Choice.TOGETHER.value not in rig.agent.state.screen.choices
    rig.choose(Choice.TOGETHER)
    rig.do(2, Deed.PUT, Deed.PUSH)
    assert [entry.data["door"] for entry in rig.facts("parcel-put-in")] == [1, 2]


def test_an_old_list_revives_nothing() -> None:
    """Given a revoked permission, when the list from before comes again, then the code stays wrong."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    before = rig.issued
    assert before is not None
    rig.put_in(1)
    rig.send("c1")
    rig.feed(ManifestCame(sign(before, KEY)))
    rig.code(CODE)
    assert rig.page == "code"


def test_two_people_with_one_code_open_nothing() -> None:
    """Given two people whose grants have the same code, when it is entered, then no door opens for either."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE, holder="a"), c2=collect(2, CODE, holder="b"))
    rig.put_in(1)
    rig.put_in(2)
    rig.code(CODE)
    assert rig.words.startswith("That code does not open a door here.")
    assert len(rig.pulses) == 2


def test_a_sender_drops_off_with_a_code() -> None:
    """Given a return with a code, when the sender comes, then the parcel is in, by the sender, once."""
    rig = Rig()
    wanted = RoomClass("1")
    rig.install(r1=Grant(GrantKind.RETURN, CARRIER, parcel(1), room_class=wanted, verifier=verifier(CODE)))
    rig.code(CODE)
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert rig.facts("parcel-put-in")[0].data["by"] == "sender"
    assert rig.words == "Your parcel is on its way."
    rig.code(CODE)
    assert rig.page == "code"


def test_a_courier_takes_back_door_by_door_what_is_his() -> None:
    """Given recalls of two carriers, when one's courier takes back, then only his parcels leave, one door at a time."""
    rig = Rig()
    other = OrgId("carrier-2")
    rig.install(d1=deposit(1), d2=deposit(2), d3=deposit(3))
    doors = [rig.put_in(number) for number in (1, 2, 3)]
    rig.send(r1=recall(1), r2=recall(2), r3=recall(3, other), c1=collect(1, CODE))
    rig.code(CODE)
    assert rig.page == "code", "an applied recall ends the permission to collect"
    for door in doors[:2]:
        rig.choose(Choice.TAKE_BACK)
        rig.do(door, Deed.TAKE, Deed.PUSH)
    rig.choose(Choice.TAKE_BACK)
    assert [entry.data["parcel"] for entry in rig.facts("parcel-taken-out")] == [parcel(1), parcel(2)]
    assert {entry.data["by"] for entry in rig.facts("parcel-taken-out")} == {"courier"}
    assert rig.stay(3).seq


def test_one_carrier_does_not_see_the_others_parcels() -> None:
    """Given another carrier's parcel, when it is scanned, then the words are those for a parcel nobody expects."""
    rig = Rig()
    rig.install(d1=deposit(1, org=OrgId("carrier-2")))
    rig.code(COURIER)
    rig.scan(1)
    theirs = rig.words
    rig.scan(99)
    assert rig.words == theirs
    assert rig.pulses == []


def test_a_parcel_without_a_round_opens_nothing() -> None:
    """Given no courier's round, when a parcel code is scanned, then nothing opens."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.scan(1)
    assert rig.words == "Type your courier code first."
    rig.code(COURIER)
    rig.tick(minutes=11)
    rig.scan(1)
    assert rig.pulses == []


def test_a_revocation_holds_at_once() -> None:
    """Given a loaded permission, when a manifest revokes it, then the very next code is wrong."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE))
    rig.put_in(1)
    rig.send("c1", "d2")
    rig.code(CODE)
    assert rig.page == "code"
    rig.code(COURIER)
    rig.scan(2)
    assert len(rig.pulses) == 1


def test_a_permission_to_collect_never_ages() -> None:
    """Given no network for a year and a lapsed grant, when the code comes, then the door opens; deposits do not."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE, expires_at=START + timedelta(days=3)))
    door = rig.put_in(1)
    rig.feed(SessionEnded())
    rig.tick(days=365)
    rig.code(COURIER)
    rig.scan(2)
    assert rig.words.startswith("This locker has had no network for too long.")
    rig.code(CODE)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


def test_a_word_that_the_list_stands_lets_deposits_go_on() -> None:
    """Given a list eight days old, when the hub says it stands, then deposits go on."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.tick(days=8)
    rig.code(COURIER)
    rig.scan(1)
    assert rig.pulses == []
    assert rig.issued is not None
    rig.feed(ManifestCame(sign_fresh(rig.issued, rig.hub_time, KEY)))
    rig.scan(1)
    assert rig.pulses == [1]


@pytest.mark.parametrize("years", [-10, 10])
def test_a_wall_clock_that_jumps_moves_no_permission(years: int) -> None:
    """Given a running bank, when its wall clock jumps ten years, then grants begin and end as if it had not."""
    rig = Rig()
    rig.install(
        soon=deposit(1, not_before=START + timedelta(hours=1)),
        gone=deposit(2, expires_at=START + timedelta(hours=1)),
        open=deposit(3),
    )
    rig.wall += timedelta(days=365 * years)
    rig.code(COURIER)
    rig.scan(1)
    assert rig.pulses == []
    rig.scan(2)
    rig.do(1, Deed.PUT, Deed.PUSH)
    rig.put_in(3)
    assert rig.pulses == [1, 2]


def test_a_clock_set_back_at_a_restart_revives_nothing() -> None:
    """Given a grant that has expired, when the bank starts ten years earlier, then it stays expired."""
    rig = Rig()
    rig.install(d1=deposit(1, expires_at=START + timedelta(hours=1)))
    rig.tick(hours=2)
    rig.wall -= timedelta(days=3650)
    rig.wake()
    rig.code(COURIER)
    rig.scan(1)
    assert rig.pulses == []


def test_a_clock_set_ahead_at_a_restart_is_set_right_by_the_hub() -> None:
    """Given a start ten years ahead, when the hub names the time, then deposits go on; collections never stopped."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE))
    door = rig.put_in(1)
    rig.wall += timedelta(days=3650)
    rig.wake()
    rig.code(COURIER)
    rig.scan(2)
    assert len(rig.pulses) == 1
    rig.code(CODE)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    rig.open_session()
    rig.put_in(2)
    assert len(rig.facts("parcel-put-in")) == 2


def test_a_forked_source_takes_nothing_in_and_gives_everything_out() -> None:
    """Given a fork, when courier and recipient come, then no deposit, also after a restart, but the collection."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE))
    rig.put_in(1)
    rig.feed(ForkTold())
    rig.wake()
    rig.code(COURIER)
    rig.scan(2)
    assert rig.words.startswith("This locker takes no parcels in now.")
    rig.code(CODE)
    assert len(rig.pulses) == 2


def test_what_needs_a_network_or_a_person_says_so() -> None:
    """Given grants that ask for more than a bank alone can do, when their codes come, then words and no door."""
    rig = Rig()
    rig.install(
        d1=deposit(1),
        d2=deposit(2),
        c1=collect(1, CODE, offline=Offline.ONLINE_ONLY),
        c2=collect(2, OTHER_CODE, checks=("identity",)),
    )
    rig.put_in(1)
    rig.put_in(2)
    rig.feed(SessionEnded())
    rig.code(CODE)
    assert "network" in rig.words
    rig.code(OTHER_CODE)
    assert "staff" in rig.words
    assert len(rig.pulses) == 2


def test_guessing_is_locked_out_and_restarts_do_not_help() -> None:
    """Given five wrong codes, when more follow and the plug is pulled, then none is tried; time awake frees."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    rig.put_in(1)
    for guess in range(5):
        rig.code(f"0000000{guess}")
    assert rig.kinds()[-1] == "code-entry-closed"
    rig.code(CODE)
    assert rig.words == "Codes work here again in 1 min."
    rig.wake()
    rig.code(CODE)
    assert len(rig.facts("code-refused")) == 5
    assert len(rig.pulses) == 1
    rig.code(CODE, channel="qr")
    assert len(rig.pulses) == 2


def test_words_that_are_no_code_cost_nothing() -> None:
    """Given letters in place of digits, when entered, then the one message, and nobody is counted for it."""
    rig = Rig()
    rig.install()
    for text in ("", "abc", "1234567", "9" * 500):
        rig.code(text)
        assert rig.words.startswith("That code does not open a door here.")
    assert not rig.facts("code-refused")


def test_a_forced_door_is_told_once() -> None:
    """Given a shut door nobody unlocked, when it opens and shuts, then forced and shut, once each."""
    rig = Rig()
    rig.install()
    rig.do(2, Deed.FORCE)
    rig.look()
    rig.do(2, Deed.PUSH)
    assert rig.kinds()[-2:] == ["door-forced", "door-shut"]


def test_a_door_that_is_open_or_unseen_takes_no_parcel() -> None:
    """Given an open door and a board without power, when a parcel comes, then neither is chosen."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.do(1, Deed.FORCE)
    assert rig.put_in(1) == 2
    dark = Knobs(powered=False)
    rig.board = type(rig.board)(rig.board.locks, dark)
    rig.look()
    rig.look()
    rig.scan(2)
    assert len(rig.pulses) == 1


def test_one_lying_reading_settles_nothing() -> None:
    """Given one odd reading between sound ones, when looked at, then no fact."""
    rig = Rig()
    rig.install()
    before = rig.kinds()
    rig.board = type(rig.board)(rig.board.locks, Knobs(lying_doors=frozenset({1, 2})))
    rig.look()
    rig.board = type(rig.board)(rig.board.locks)
    rig.look()
    rig.look()
    assert rig.kinds() == before


def test_an_open_door_holds_up_the_next_person_only_for_a_while() -> None:
    """Given a door left open, when another person comes, then first words, and after a minute the own door."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE, holder="a"), c2=collect(2, OTHER_CODE, holder="b"))
    doors = [rig.put_in(1), rig.put_in(2)]
    rig.code(CODE)
    rig.code(OTHER_CODE)
    assert rig.words.startswith("Close the open door first.")
    rig.tick(seconds=61)
    rig.code(OTHER_CODE)
    rig.do(doors[1], Deed.TAKE, Deed.PUSH)
    rig.do(doors[0], Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 2


def test_a_screen_goes_back_to_rest() -> None:
    """Given a wrong code on the screen, when a minute passes, then the screen is at rest, and not before."""
    rig = Rig()
    rig.install()
    rig.code("00000000")
    rig.tick(seconds=59)
    assert rig.page == "code"
    rig.tick(seconds=2)
    assert rig.page == "idle"
