"""A courier's round lasts no longer than the permission it was opened with."""

from datetime import timedelta

import pytest

from restante.edge.boards.steel import Deed
from restante.edge.drivers.evidence import NotPulsed
from restante.edge.inputs import Choice
from restante.wire.manifest import Grant, GrantKind
from tests.edge.rig import CARRIER, COURIER, START, Rig, deposit, parcel, recall, verifier


def with_a_round() -> Rig:
    """A bank with a parcel in it that is to be taken back, and a courier in an open round."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.put_in(1)
    rig.send(r1=recall(1))
    return rig


@pytest.mark.parametrize("deed", ["scan", "take back"])
def test_a_revoked_code_ends_the_round_it_opened(deed: str) -> None:
    """Given an open round, when its code is revoked, then no further door opens in it and the screen says so."""
    rig = with_a_round()
    rig.send("service")
    assert rig.agent.state.round is None
    assert rig.words == "Your round is closed."
    asked = len(rig.pulses)
    if deed == "scan":
        rig.scan(2)
    else:
        rig.choose(Choice.TAKE_BACK)
    assert len(rig.pulses) == asked


def test_a_code_past_its_end_ends_the_round_it_opened() -> None:
    """Given a round under a code that ends, when that time comes, then the next scan opens no door."""
    rig = Rig()
    ends = START + timedelta(minutes=5)
    ending = Grant(GrantKind.SERVICE, CARRIER, verifier=verifier(COURIER), max_uses=0, expires_at=ends)
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.send(service=ending)
    rig.put_in(1)
    rig.pass_ms(301_000)
    rig.scan(2)
    assert len(rig.pulses) == 1
    assert rig.agent.state.round is None


def test_a_parcel_on_its_way_in_goes_in_when_the_round_ends() -> None:
    """Given a door that stands open for a parcel, when the round's code is revoked, then what was put in is in."""
    rig = with_a_round()
    rig.scan(2)
    rig.send("service")
    rig.do(2, Deed.PUT, Deed.PUSH)
    assert [entry.data["parcel"] for entry in rig.facts("parcel-put-in")] == [parcel(1), parcel(2)]


def test_a_coil_that_rests_wakes_for_no_revoked_courier() -> None:
    """Given a courier who waits for a coil, when the code is revoked, then the door does not open."""
    rig = with_a_round()
    rig.not_pulsed[1] = NotPulsed("lock-cooling", 3_000)
    rig.choose(Choice.TAKE_BACK)
    asked = len(rig.pulses)
    rig.send("service")
    rig.tick(seconds=5)
    assert len(rig.pulses) == asked
