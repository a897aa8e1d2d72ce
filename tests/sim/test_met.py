"""What a story met is counted by the faults that were in force then and there, and faults only where they were felt."""

from collections import Counter

import pytest

from restante.sim.clock import HOUR_MS
from restante.sim.faults import Fault, Kind
from restante.sim.met import NO_FAULT, Meeting, every_event, name_of
from restante.sim.prove import Account
from restante.sim.run import run
from restante.sim.telling import Telling, telling_of
from tests.sim.test_prove import outcome

CUT = Fault(5 * HOUR_MS, Kind.LINK_CUT, 1, 3 * HOUR_MS)
KILLED = Fault(6 * HOUR_MS, Kind.HUB_KILLED)


@pytest.mark.parametrize(
    ("at_hours", "source", "faults"),
    [
        (4, 1, {NO_FAULT}),
        (5, 1, {"link-cut"}),
        (5, 0, {NO_FAULT}),
        (5, None, {NO_FAULT}),
        (6, 1, {"link-cut", "hub-killed"}),
        (6, 0, {"hub-killed"}),
        (6, None, {"hub-killed"}),
        (7, 1, {"link-cut"}),
        (8, 1, {NO_FAULT}),
    ],
)
def test_what_happens_counts_for_the_faults_in_force(at_hours: int, source: int | None, faults: set[str]) -> None:
    """Given a fault at a source and one at the hub, when something happens, then it counts for those of them there."""
    meeting = Meeting([CUT, KILLED])
    meeting.note("parcel-deposited", at_hours * HOUR_MS, source)
    assert dict(meeting.met) == {fault: Counter({"parcel-deposited": 1}) for fault in faults}


def test_every_kind_of_event_is_known_by_its_name() -> None:
    """Given the events there are, when their names are asked for, then they are those of the feed."""
    assert {"parcel-announced", "fork-found", "stray-claimed"} <= every_event()
    assert len(every_event()) > 30


def quiet_week(seed: int, *faults: Fault) -> Telling:
    """A story with these faults alone."""
    told = telling_of(seed)
    return Telling(seed, told.plot, faults)


def test_a_story_says_what_was_felt_and_what_it_met() -> None:
    """Given a story whose one fault strikes and one that finds nothing to break, then only the first was felt."""
    board_of_a_counter = telling_of(1).plot.points - 1
    slow = Fault(2 * HOUR_MS, Kind.BOARD_SLOW, board_of_a_counter, HOUR_MS, 3)
    told = run(1, telling=quiet_week(1, KILLED, slow))
    assert told.faults == {"hub-killed": 1, "board-slow": 1}
    assert told.felt == {"hub-killed": 1}
    assert told.met[NO_FAULT]["parcel-announced"] > 3
    assert sum(told.met[NO_FAULT].values()) > 50


def test_an_account_tells_of_its_blind_spots() -> None:
    """Given outcomes, when the account is asked, then it names faults never felt, and events that came never about."""
    account = Account()
    met = {"link-cut": {"parcel-deposited": 3}, "none": {"parcel-deposited": 1, "hold-lapsed": 2}}
    account.add(outcome(1, felt={"link-cut": 2}, met=met))
    account.add(outcome(2, met={"link-cut": {"parcel-deposited": 1}}))
    assert "link-cut" not in account.unfelt()
    assert len(account.unfelt()) == len(Kind) - 1
    told = account.blind_spots()
    assert "link-cut: parcel-deposited 4\n  never: hold-lapsed\n" in told
    assert "fork-found" in told.splitlines()[-1]
    assert "parcel-deposited" not in told.splitlines()[-1]


def test_every_kind_of_fault_has_a_name_of_its_own() -> None:
    """Given the kinds of faults, when accounts name them, then no two bear one name."""
    assert len({name_of(kind) for kind in Kind}) == len(Kind)


@pytest.mark.parametrize("amount", [1, 2])
def test_a_coil_that_rests_is_felt_by_whoever_opens_a_door_again(amount: int) -> None:
    """Given coils that rest for seconds or half an hour, when a code is typed twice, then the lock makes them wait."""
    told = run(3, telling=quiet_week(3, Fault(2 * HOUR_MS, Kind.COILS_HOT, 0, 5 * HOUR_MS, amount)))
    assert told.felt == {"coils-hot": 1}
    assert not told.violations
