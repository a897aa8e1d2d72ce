"""Which grants permit what, at their first and last moment, at their last use, and to whom."""

from datetime import timedelta
from typing import Any

import pytest

from restante.core.bank import RoomClass
from restante.core.ids import OrgId
from restante.edge import permissions
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice, CodeEntered, ManifestCame, SessionEnded
from restante.wire.manifest import Grant, GrantKind, Offline, sign_fresh
from tests.edge.rig import CARRIER, COURIER, KEY, Rig, collect, deposit, parcel, recall, verifier

CODE, OTHER_CODE = "12345678", "87654321"
MORE = "Another parcel waits here. Enter the code again."


def a_return(number: int, code: str, **more: Any) -> Grant:
    """A sender's permission to put parcel ``number`` in with a code."""
    wanted = RoomClass("1")
    return Grant(GrantKind.RETURN, CARRIER, parcel(number), room_class=wanted, verifier=verifier(code), **more)


def a_service(**more: Any) -> Grant:
    """A courier's permission, bounded."""
    return Grant(GrantKind.SERVICE, CARRIER, verifier=verifier(OTHER_CODE), **{"max_uses": 0} | more)


# --- time


@pytest.mark.parametrize("kind", ["service", "return", "deposit"])
@pytest.mark.parametrize(
    ("begins_ms", "ends_ms", "is_live"),
    [(0, None, True), (1, None, False), (None, 0, True), (None, -1, False), (-1, 1, True)],
)
def test_a_grant_holds_from_its_first_moment_to_its_last(
    kind: str, begins_ms: int | None, ends_ms: int | None, *, is_live: bool
) -> None:
    """Given a grant with a first and a last moment, when used at these, then it holds; a millisecond off, not."""
    rig = Rig()
    rig.install()
    at = rig.agent.state.clock.at
    times = {
        name: None if offset_ms is None else at + timedelta(milliseconds=offset_ms)
        for name, offset_ms in (("not_before", begins_ms), ("expires_at", ends_ms))
    }
    rig.send(s=a_service(**times), r1=a_return(1, CODE, **times), d2=deposit(2, **times))
    if kind == "service":
        rig.code(OTHER_CODE)
    elif kind == "return":
        rig.code(CODE)
    else:
        rig.code(COURIER)
        rig.scan(2)
    if kind == "service":
        assert rig.page == ("round" if is_live else "code")
    else:
        assert bool(rig.pulses) == is_live


@pytest.mark.parametrize(("late_ms", "opens"), [(0, True), (1, False)])
def test_a_list_that_is_too_old_takes_nothing_in_from_the_next_moment_on(late_ms: int, *, opens: bool) -> None:
    """Given a list at the end of its age, when a parcel comes, then it goes in; a millisecond later it does not."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.send(d2=deposit(2))
    applied = rig.agent.state.manifest
    assert applied is not None
    age = applied.as_of + timedelta(hours=applied.manifest.settings.deposit_age_hours) - rig.agent.state.clock.at
    rig.tick(milliseconds=age / timedelta(milliseconds=1) + late_ms)
    rig.code(COURIER)
    rig.scan(1)
    assert bool(rig.pulses) == opens
    assert rig.issued is not None
    rig.feed(ManifestCame(sign_fresh(rig.issued, rig.hub_time, KEY)))
    rig.scan(1)
    assert rig.pulses == [1]


# --- uses


@pytest.mark.parametrize(("max_uses", "rounds"), [(1, 1), (2, 2), (0, 4)])
def test_a_code_opens_as_many_rounds_as_it_may(max_uses: int, rounds: int) -> None:
    """Given a courier's code for so many uses, 0 meaning any number, when it is typed again, then no more than that."""
    rig = Rig()
    rig.install()
    rig.send("service", s=a_service(max_uses=max_uses))
    opened = 0
    for _ in range(4):
        rig.code(OTHER_CODE)
        opened += rig.page == "round"
        rig.choose(Choice.CLOSE_ROUND)
    assert opened == rounds


def test_a_senders_code_is_for_one_parcel_once() -> None:
    """Given two senders' codes, when one is used, then it is wrong from then on and the other is not."""
    rig = Rig()
    rig.install(r1=a_return(1, CODE), r2=a_return(2, OTHER_CODE))
    for code in (CODE, OTHER_CODE):
        rig.code(code)
        rig.do(rig.pulses[-1], Deed.PUT, Deed.PUSH)
        assert rig.words == "Your parcel is on its way."
        rig.code(code)
        assert rig.page == "code"
    assert len(rig.facts("parcel-put-in")) == 2


def test_a_recall_that_was_carried_out_is_due_no_more() -> None:
    """Given a recall, when the parcel was taken back, then none is due, also where the parcel comes in once more."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(1))
    door = rig.put_in(1)
    rig.send(r1=recall(1))
    rig.choose(Choice.TAKE_BACK)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    rig.put_in(1)
    assert permissions.recalled_stays(rig.agent.state) == {}


# --- whose


def test_a_recall_is_of_the_stay_it_names_or_of_all_of_its_parcel() -> None:
    """Given a recall of a stay, and one of a parcel, when asked which stays are recalled, then these and no other."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), d3=deposit(3))
    for number in (1, 2, 3):
        rig.put_in(number)
    rig.send(
        r1=Grant(GrantKind.RECALL, CARRIER, parcel(3), stay=rig.stay(1)),
        r2=Grant(GrantKind.RECALL, OrgId("carrier-2"), parcel(2)),
    )
    state = rig.agent.state
    assert permissions.recalled_stays(state) == {str(rig.stay(1)): "r1", str(rig.stay(2)): "r2"}
    assert permissions.recalled_stays(state, CARRIER) == {str(rig.stay(1)): "r1"}


def test_no_other_carriers_parcel_goes_in_under_a_round() -> None:
    """Given a parcel that two carriers may put in, when one's courier scans it, then it goes in under his grant."""
    rig = Rig()
    rig.install(theirs=deposit(1, org=OrgId("carrier-2")), ours=deposit(1))
    rig.put_in(1)
    assert rig.facts("parcel-put-in")[0].data["grant"] == "ours"


@pytest.mark.parametrize("text", ["P1", "  P1 ", "P1\n"])
def test_a_scanned_code_is_read_without_the_space_around_it(text: str) -> None:
    """Given a parcel code with space around it, when scanned, then it is that parcel."""
    rig = Rig()
    rig.install(d1=deposit(1))
    assert [name for name, _ in permissions.deposits_of(rig.agent.state, text)] == ["d1"]


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_is_no_parcel(text: str) -> None:
    """Given a grant without a parcel code, when nothing is scanned, then no parcel is found."""
    rig = Rig()
    rig.install(d1=Grant(GrantKind.DEPOSIT, CARRIER, parcel(1), room_class=RoomClass("1")))
    assert permissions.deposits_of(rig.agent.state, text) == []


def test_a_senders_parcel_is_not_for_a_courier_to_scan() -> None:
    """Given a deposit with a code of its own, when a courier scans the parcel, then it is not expected of him."""
    rig = Rig()
    rig.install(d1=deposit(1, verifier=verifier(CODE)))
    rig.code(COURIER)
    rig.scan(1)
    assert rig.pulses == []
    assert rig.words.startswith("No parcel with this code is expected here.")


# --- codes of several grants


def test_one_person_with_one_code_for_two_parcels_gets_both_doors() -> None:
    """Given one collector's code on two grants, when typed, then one door opens and more is told of; then the other."""
    rig = Rig()
    rig.install(
        d1=deposit(1, holder="h"), d2=deposit(2, holder="h"),
        c1=collect(1, CODE, holder="h"), c2=collect(2, CODE, holder="h"),
    )  # fmt: skip
    doors = [rig.put_in(number) for number in (1, 2)]
    rig.choose(Choice.CLOSE_ROUND)
    rig.code(CODE)
    assert rig.pulses[-1] == doors[0], "the first by name"
    rig.do(doors[0], Deed.TAKE, Deed.PUSH)
    assert rig.words.endswith(MORE)
    rig.code(CODE)
    rig.do(doors[1], Deed.TAKE, Deed.PUSH)
    assert not rig.words.endswith(MORE)
    assert len(rig.facts("parcel-taken-out")) == 2


def test_one_code_of_two_grants_for_nobody_opens_nothing() -> None:
    """Given two grants with one code and no holder, when it is typed, then it opens nothing, as for two people."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE), c2=collect(2, CODE))
    rig.put_in(1)
    rig.put_in(2)
    rig.code(CODE)
    assert rig.page == "code"
    assert len(rig.facts("code-refused")) == 1


def test_a_parcel_that_is_alone_tells_of_no_other() -> None:
    """Given two parcels without a holder, when one is collected, then nothing is said of the other."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE), c2=collect(2, OTHER_CODE))
    doors = [rig.put_in(number) for number in (1, 2)]
    rig.choose(Choice.CLOSE_ROUND)
    rig.code(CODE)
    rig.do(doors[0], Deed.TAKE, Deed.PUSH)
    assert (rig.page, rig.words.endswith(MORE)) == ("done", False)


@pytest.mark.parametrize(
    ("offline", "opens"), [(Offline.ALWAYS, True), (Offline.ALLOWED, True), (Offline.ONLINE_ONLY, False)]
)
def test_without_a_network_only_what_asks_for_one_waits(offline: Offline, *, opens: bool) -> None:
    """Given no session, when a grant is used that asks for one, then words about the network; others open."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE, offline=offline), d2=deposit(2, offline=offline))
    door = rig.put_in(1)
    rig.feed(SessionEnded())
    rig.scan(2)
    assert (len(rig.pulses) == 2) == opens
    if opens:
        rig.do(2, Deed.PUT, Deed.PUSH)
    rig.code(CODE)
    assert (rig.pulses[-1] == door and len(rig.pulses) == 3) == opens
    assert opens or "network" in rig.words


# --- guesses


def test_the_wait_after_wrong_codes_is_told_in_whole_minutes() -> None:
    """Given five wrong codes, when seconds pass, then the minutes shown never fall below one, and then codes work."""
    rig = Rig()
    rig.install()
    for guess in range(5):
        rig.code(f"0000000{guess}")
    closed = rig.facts("code-entry-closed")
    assert [entry.data["channel"] for entry in closed] == ["keypad"]
    wait_s = closed[0].data["seconds"]
    rig.tick(seconds=wait_s - 1)
    rig.code(COURIER)
    assert rig.words == "Codes work here again in 1 min."
    rig.tick(seconds=1)
    rig.code(COURIER)
    assert rig.page == "round"


def test_a_code_on_another_channel_is_counted_there() -> None:
    """Given wrong codes by keypad and by camera, when counted, then each channel has its own five."""
    rig = Rig()
    rig.install()
    for guess in range(4):
        rig.code(f"0000000{guess}")
        rig.feed(CodeEntered(f"0000000{guess}", "qr"))
    assert rig.facts("code-entry-closed") == []
    rig.feed(CodeEntered("00000009", "qr"))
    assert [entry.data["channel"] for entry in rig.facts("code-entry-closed")] == ["qr"]


def test_a_deposit_that_says_too_little_is_no_permission() -> None:
    """Given a deposit without a size or without a parcel, when it is scanned, then no door opens, in words."""
    rig = Rig()
    rig.install(
        d1=Grant(GrantKind.DEPOSIT, CARRIER, parcel(1), "P1"),
        d2=Grant(GrantKind.DEPOSIT, CARRIER, None, "P2", RoomClass("1")),
    )
    rig.code(COURIER)
    for number in (1, 2):
        rig.scan(number)
        assert rig.words.startswith("This parcel was expected at another time.")
    assert rig.pulses == []
