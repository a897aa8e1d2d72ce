"""A lock that must cool is nobody's fault: people wait a moment or get another door, and no case is opened."""

import pytest

from restante.core.ids import ParcelId
from restante.edge.boards.steel import Deed
from restante.edge.drivers.evidence import NotPulsed
from restante.edge.drivers.port import RejectedCode
from restante.edge.inputs import Choice
from tests.edge.rig import COURIER, Rig, collect, deposit, parcel, recall

CODE = "12345678"
COOLING = NotPulsed("lock-cooling", 3_000)
BLAMING = ("door-stuck", "condition-seen", "deposit-declined")


def with_a_parcel(*, doors: int = 4) -> tuple[Rig, int]:
    """A bank with one parcel in it, and the door it lies behind."""
    rig = Rig(doors=doors)
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE))
    return rig, rig.put_in(1)


def put_in(rig: Rig) -> list[tuple[ParcelId, int]]:
    """Which parcels were put in behind which doors."""
    return [(entry.data["parcel"], entry.data["door"]) for entry in rig.facts("parcel-put-in")]


def test_a_collection_waits_for_the_coil() -> None:
    """Given a lock that must cool, when a code is typed, then the door opens once it has, on an intent of its own."""
    rig, door = with_a_parcel()
    rig.not_pulsed[door] = COOLING
    rig.code(CODE)
    assert (rig.page, rig.words) == ("door", f"Wait a moment. Door {door} opens in a few seconds.")
    asked = len(rig.pulses)
    rig.tick(seconds=2)
    assert len(rig.pulses) == asked
    rig.tick(seconds=1)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1
    assert len(rig.facts("intent-recorded")) == len(rig.pulses)
    assert rig.facts(*BLAMING) == []


def test_a_deposit_goes_to_another_door_of_the_size() -> None:
    """Given a lock that must cool and another free door of its size, when a parcel is scanned, then that one opens."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.not_pulsed[1] = COOLING
    assert rig.put_in(1) == 2
    assert put_in(rig) == [(parcel(1), 2)]
    assert rig.facts(*BLAMING) == []
    rig.tick(seconds=5)
    assert rig.pulses == [1, 2], "nobody waits for the first door any more"


@pytest.mark.parametrize(("doors", "full"), [(1, 0), (4, 2)], ids=["no other door", "larger doors only"])
def test_a_deposit_waits_rather_than_take_a_larger_door(doors: int, full: int) -> None:
    """Given no other free door of the size, when its lock must cool, then the parcel waits for it and goes in there."""
    rig = Rig(doors=doors)
    rig.install(d1=deposit(1), d2=deposit(2), d3=deposit(3))
    for number in range(2, 2 + full):
        rig.put_in(number)
    door = full + 1
    rig.not_pulsed[door] = COOLING
    rig.code(COURIER)
    rig.scan(1)
    assert rig.words.startswith("Wait a moment.")
    rig.tick(seconds=3)
    rig.do(door, Deed.PUT, Deed.PUSH)
    assert put_in(rig)[-1] == (parcel(1), door)
    assert rig.facts(*BLAMING) == []


def test_a_recall_waits_for_the_coil() -> None:
    """Given a lock that must cool, when a courier takes back, then the door opens once it has."""
    rig, door = with_a_parcel()
    rig.send(r1=recall(1))
    rig.not_pulsed[door] = COOLING
    rig.choose(Choice.TAKE_BACK)
    rig.tick(seconds=3)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


@pytest.mark.parametrize("revoked", ["c1", "d2", "r1"])
def test_what_is_revoked_while_the_coil_rests_opens_nothing(revoked: str) -> None:
    """Given somebody who waits for a coil, when the permission is revoked meanwhile, then the door stays shut."""
    rig, door = with_a_parcel(doors=2)
    if revoked == "d2":
        rig.not_pulsed[2] = COOLING
        rig.scan(2)
    elif revoked == "c1":
        rig.not_pulsed[door] = COOLING
        rig.code(CODE)
    else:
        rig.send(r1=recall(1))
        rig.not_pulsed[door] = COOLING
        rig.choose(Choice.TAKE_BACK)
    assert rig.words.startswith("Wait a moment.")
    asked = len(rig.pulses)
    rig.send(revoked)
    rig.tick(seconds=60)
    assert len(rig.pulses) == asked
    assert "Wait a moment." not in rig.words


@pytest.mark.parametrize("taking_back", [False, True])
def test_a_courier_who_left_is_not_waited_for(*, taking_back: bool) -> None:
    """Given a courier who waits for a coil and closes the round, when it has cooled, then no door opens to nobody."""
    rig, door = with_a_parcel(doors=2)
    rig.send(r1=recall(1))
    rig.not_pulsed |= {door: COOLING, 2: COOLING}
    if taking_back:
        rig.choose(Choice.TAKE_BACK)
    else:
        rig.scan(2)
    rig.choose(Choice.CLOSE_ROUND)
    asked = len(rig.pulses)
    rig.tick(seconds=5)
    assert len(rig.pulses) == asked
    assert rig.words == "Your round is closed."
    assert rig.agent.state.openings == {}


def test_who_waits_for_a_coil_is_not_told_to_shut_a_door() -> None:
    """Given somebody who waits for a coil, when more is typed, then the screen still asks to wait, and only that."""
    rig, door = with_a_parcel()
    rig.not_pulsed[door] = COOLING
    rig.code(CODE)
    rig.code(CODE)
    assert rig.words == f"Wait a moment. Door {door} opens in a few seconds."


def test_a_deposit_that_waits_heeds_a_fork() -> None:
    """Given a parcel that waits for a coil, when the journal is found forked, then it does not go in."""
    rig, _ = with_a_parcel(doors=2)
    rig.not_pulsed[2] = COOLING
    rig.scan(2)
    rig.open_session(forked=True)
    rig.tick(seconds=3)
    assert len(rig.pulses) == 2
    assert rig.words.startswith("This locker takes no parcels in now.")


def test_a_restart_while_a_coil_rests_leaves_nothing_in_doubt() -> None:
    """Given a lock that was not told yet, when the power goes, then the start names nothing unfinished."""
    rig, door = with_a_parcel(doors=2)
    rig.not_pulsed[2] = COOLING
    rig.scan(2)
    rig.wake()
    rig.tick(seconds=60)
    assert rig.agent.state.openings == {}
    assert rig.facts("started")[-1].data.get("unfinished", []) == []
    assert rig.facts(*BLAMING) == []
    assert rig.pulses == [door, 2]


def test_a_door_that_is_forced_while_its_coil_rests_is_told_of() -> None:
    """Given a lock that was not told yet, when its door opens, then that was not us."""
    rig, door = with_a_parcel()
    rig.not_pulsed[door] = COOLING
    rig.code(CODE)
    rig.do(door, Deed.FORCE)
    assert len(rig.facts("door-forced")) == 1
    shut = len(rig.facts("door-shut"))
    rig.do(door, Deed.PUSH)
    assert len(rig.facts("door-shut")) == shut + 1


@pytest.mark.parametrize("verdict", [NotPulsed("deadline-passed"), NotPulsed("lock-cooling", 60_000)])
def test_a_long_wait_is_asked_of_nobody(verdict: NotPulsed) -> None:
    """Given a lock that cannot be told in good time, then a recipient is told to come again, a courier gets on."""
    rig, door = with_a_parcel()
    rig.not_pulsed[door] = verdict
    rig.code(CODE)
    words = f"Door {door} cannot open just now. Wait a minute."
    assert (rig.page, rig.words) == ("help", f"{words} Enter the code again to open it.")
    rig.send(r1=recall(1))
    rig.code(COURIER)
    rig.not_pulsed[door] = verdict
    rig.choose(Choice.TAKE_BACK)
    assert (rig.page, rig.words.startswith(words)) == ("round", True)
    rig.not_pulsed |= {2: verdict, 3: verdict}
    rig.scan(2)
    rig.do(4, Deed.PUT, Deed.PUSH)
    assert put_in(rig)[-1] == (parcel(2), 4)
    assert rig.facts(*BLAMING) == []


@pytest.mark.parametrize("code", ["bus-closed", "unknown-door"])
def test_a_lock_that_nobody_can_pulse_is_somebodys_business(code: RejectedCode) -> None:
    """Given a lock that is not there or out of reach, when a code is typed, then a stuck door is recorded."""
    rig, door = with_a_parcel()
    rig.not_pulsed[door] = NotPulsed(code)
    rig.code(CODE)
    assert [entry.kind for entry in rig.facts(*BLAMING)] == ["door-stuck"]
