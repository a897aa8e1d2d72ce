"""A door, or a hand-over at a counter, that somebody turned away from: what it was opened for happens once at most."""

import pytest

from restante.core.bank import SourceKind
from restante.core.stay import By
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice
from restante.edge.screens import IDLE
from restante.wire.manifest import Grant, GrantKind, ListedCompartment
from tests.edge.rig import CARRIER, COURIER, Rig, collect, deposit, parcel, verifier

CODE = "12345678"


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_scan_opens_no_second_door_while_the_first_stands_open(*, power_cut: bool) -> None:
    """Given a door left open for a parcel, when it is scanned again later, then no other opens and it goes in once."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    if power_cut:
        rig.wake()
        rig.code(COURIER)
    rig.tick(seconds=61)
    rig.scan(1)
    assert rig.pulses == [1]
    assert rig.words.startswith("Close door 1 to go on.")
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert [entry.data["parcel"] for entry in rig.facts("parcel-put-in")] == [parcel(1)]


def test_a_senders_code_opens_no_second_door_while_the_first_stands_open() -> None:
    """Given a door left open for a sender, when the code is typed again, then no other door opens."""
    rig = Rig()
    rig.install(d1=deposit(1, verifier=verifier(CODE)))
    rig.code(CODE)
    rig.tick(seconds=61)
    rig.code(CODE)
    assert rig.pulses == [1]
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert len(rig.facts("parcel-put-in")) == 1


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_choice_is_about_the_door_on_the_screen(epoch: int) -> None:
    """Given a door left open and another on the screen, in any epoch, when too big is pressed, then that is meant."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.code(COURIER)
    rig.scan(1)
    rig.tick(seconds=61)
    rig.epoch = epoch
    rig.open_session()
    rig.send(service=Grant(GrantKind.SERVICE, CARRIER, verifier=verifier(COURIER, epoch=epoch), max_uses=0))
    rig.code(COURIER)
    rig.scan(2)
    rig.choose(Choice.TOO_BIG)
    assert rig.words == "Close door 2 to go on."
    rig.do(2, Deed.PUSH)
    assert rig.pulses == [1, 2, 4]
    rig.do(4, Deed.PUT, Deed.PUSH)
    rig.choose(Choice.REFUSED)
    rig.do(1, Deed.PUT, Deed.PUSH)
    assert [entry.data["parcel"] for entry in rig.facts("parcel-put-in")] == [parcel(2), parcel(1)]


def counter() -> Rig:
    """A counter with one shelf of three places' room."""
    rig = Rig(kind=SourceKind.COUNTER)
    rig.listed = (ListedCompartment(1, 1, 2, 1000, capacity=3),)
    return rig


def handing_over() -> Rig:
    """A counter that took a parcel in, and whose recipient has just shown the code."""
    rig = counter()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    rig.scan(1)
    rig.choose(Choice.DONE)
    rig.code(CODE, channel="desk")
    return rig


def test_a_counter_asks_for_done_until_it_is_said() -> None:
    """Given staff who look for a parcel longer than a screen stays, when they press done, then it is handed over."""
    rig = handing_over()
    asked = rig.agent.state.screen
    rig.tick(seconds=600)
    assert rig.agent.state.screen == asked
    rig.choose(Choice.DONE)
    assert len(rig.facts("parcel-taken-out")) == 1
    rig.tick(seconds=61)
    assert rig.agent.state.screen == IDLE


def test_what_staff_turned_away_from_is_not_done_later() -> None:
    """Given a hand-over that staff left for a wrong code, when done comes late, then nothing was handed over."""
    rig = handing_over()
    rig.tick(seconds=61)
    rig.code("00000000", channel="desk")
    rig.choose(Choice.DONE)
    assert rig.facts("parcel-taken-out") == []
    assert rig.agent.state.openings == {}


def test_staff_who_were_called_away_take_a_parcel_in_after_all() -> None:
    """Given staff away for longer than a screen stays, when they scan the parcel again, then it is taken in, once."""
    rig = counter()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.scan(1)
    rig.tick(seconds=61)
    rig.scan(2)
    assert "done" in rig.agent.state.screen.choices
    rig.choose(Choice.DONE)
    rig.scan(1)
    assert "done" in rig.agent.state.screen.choices
    rig.choose(Choice.DONE)
    assert [entry.data["parcel"] for entry in rig.facts("parcel-put-in")] == [parcel(2), parcel(1)]


def test_staff_who_were_called_away_hand_over_after_all() -> None:
    """Given staff who look for a parcel longer than a screen stays, when the code is shown again, then as before."""
    rig = handing_over()
    rig.tick(seconds=61)
    rig.code(CODE, channel="desk")
    assert rig.agent.state.screen.choices == ("done",)
    rig.choose(Choice.DONE)
    assert [entry.data["by"] for entry in rig.facts("parcel-taken-out")] == [By.RECIPIENT.value]
    assert rig.agent.state.openings == {}
