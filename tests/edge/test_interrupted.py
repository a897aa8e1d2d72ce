"""Openings nobody heard the end of: a program that stopped, a verdict that never came, a door that told nothing."""

import pytest

from restante.core.bank import Condition, SourceKind
from restante.edge.boards import steel
from restante.edge.boards.steel import Deed, Knobs
from restante.edge.drivers.evidence import Evidence, NoChange, NotPulsed, Opened, Unknown, Verdict
from restante.edge.drivers.port import Door, DoorReading, Item
from restante.edge.inputs import Choice, DoorsSeen, OpeningEnded, Outward, Unlock
from restante.edge.state import Stage
from restante.wire.manifest import ListedCompartment
from tests.edge.rig import COURIER, Crash, Rig, collect, deposit, parcel, recall

CODE = "12345678"


def with_a_parcel() -> tuple[Rig, int]:
    """A bank with one parcel in it, the door it lies behind, and nobody at work."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2), c1=collect(1, CODE))
    door = rig.put_in(1)
    rig.choose(Choice.CLOSE_ROUND)
    return rig, door


def stopped_at_the_lock(rig: Rig) -> None:
    """The power goes between the flushed intent and the lock, and comes back."""

    def cut(effect: Outward) -> None:
        if isinstance(effect, Unlock):
            raise Crash

    rig.before_outward = cut
    with pytest.raises(Crash):
        rig.code(CODE)
    rig.before_outward = lambda effect: None
    rig.wake()


def unheard(rig: Rig, verdict: Verdict | None = None) -> None:
    """A code is typed, and of the lock nothing is heard, or that."""
    rig.is_deaf = True
    rig.code(CODE)
    if verdict is not None:
        rig.feed(OpeningEnded(rig.pulses[-1], verdict))


# --- after a stop


def test_a_door_that_opens_after_the_start_is_the_one_that_was_unlocked() -> None:
    """Given a stop at the lock, when the door is seen open and shut within seconds, then the parcel was taken out."""
    rig, door = with_a_parcel()
    stopped_at_the_lock(rig)
    assert rig.agent.state.openings[door].stage is Stage.INTERRUPTED
    rig.do(door, Deed.FORCE)
    assert rig.kinds()[-1] == "door-opened"
    assert rig.words == f"Door {door} is open. Take your parcel and close the door."
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert rig.kinds()[-2:] == ["door-shut", "parcel-taken-out"]
    assert rig.facts("door-forced") == []


@pytest.mark.parametrize(("after_s", "is_settled"), [(10, False), (11, True)])
def test_what_is_gone_after_a_stop_went_out_by_the_hands_the_door_opened_for(after_s: int, *, is_settled: bool) -> None:
    """Given a parcel that was there before a stop and is gone after it, then it counts as taken out after a while."""
    rig, door = with_a_parcel()
    rig.before_outward = lambda effect: _emptied(rig, door, effect)
    with pytest.raises(Crash):
        rig.code(CODE)
    rig.before_outward = lambda effect: None
    rig.wake()
    rig.tick(seconds=after_s)
    assert len(rig.facts("parcel-taken-out")) == is_settled
    assert (rig.agent.state.openings == {}) == is_settled
    if is_settled:
        assert rig.facts("parcel-taken-out")[0].data["evidence"] == "sensor"


def _emptied(rig: Rig, door: int, effect: Outward) -> None:
    if isinstance(effect, Unlock):
        for deed in (Deed.FORCE, Deed.TAKE, Deed.PUSH):
            rig.board, _ = steel.step(rig.board, steel.Touch(door, deed), rig.monotonic_ms)
        raise Crash


@pytest.mark.parametrize("trouble", ["still there", "never seen", "door open"])
def test_nothing_is_taken_for_granted_after_a_stop(trouble: str) -> None:
    """Given a stop at the lock, when the parcel is there still, or no sensor tells, then it was not taken out."""
    rig, door = with_a_parcel()
    if trouble == "never seen":
        rig.board = type(rig.board)(rig.board.locks, Knobs(blind_doors=frozenset({door})))
        rig.look()
        rig.look()
    stopped_at_the_lock(rig)
    if trouble == "door open":
        for _ in range(2):
            rig.feed(DoorsSeen({door: DoorReading(Door.UNKNOWN, Item.NO)}))
    rig.tick(seconds=11)
    assert rig.facts("parcel-taken-out") == []
    assert rig.agent.state.openings == {}
    assert [stay.parcel for stay in rig.agent.state.stays.values()] == [parcel(1)]


def test_a_hand_over_at_a_counter_is_begun_anew_after_a_stop() -> None:
    """Given staff about to hand over, when the program stops, then nothing was handed over, and nothing is watched."""
    rig = Rig(kind=SourceKind.COUNTER)
    rig.listed = (ListedCompartment(1, 1, 2, 1000, capacity=3),)
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    rig.scan(1)
    rig.choose(Choice.DONE)
    rig.code(CODE, channel="desk")
    rig.wake()
    assert rig.agent.state.openings == {}
    assert len(rig.facts("started")[-1].data["unfinished"]) == 1
    rig.tick(seconds=60)
    assert rig.facts("parcel-taken-out") == []
    assert rig.facts("condition-seen") == []


def test_a_door_left_open_by_a_stop_keeps_nobody_waiting() -> None:
    """Given a door that stood open when the program stopped, when somebody else comes, then the own door opens."""
    rig, door = with_a_parcel()
    rig.code(CODE)
    rig.wake()
    rig.code(COURIER)
    rig.scan(2)
    assert len(rig.pulses) == 3
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


# --- a verdict that does not come, or tells nothing


@pytest.mark.parametrize(("seconds", "is_stuck"), [(60, False), (61, True)])
def test_a_lock_of_which_nothing_is_heard_is_stuck_after_a_minute(seconds: int, *, is_stuck: bool) -> None:
    """Given a lock that was told, when no verdict comes for more than a minute, then it is stuck and in doubt."""
    rig, door = with_a_parcel()
    unheard(rig)
    rig.tick(seconds=seconds)
    assert bool(rig.facts("door-stuck")) == is_stuck
    assert (rig.agent.state.conditions.get(door) is Condition.UNKNOWN) == is_stuck
    assert (rig.page == "help") == is_stuck


@pytest.mark.parametrize(("seconds", "is_stuck"), [(10, False), (11, True)])
@pytest.mark.parametrize(("blind", "condition"), [(False, Condition.JAMMED), (True, Condition.UNKNOWN)])
def test_a_door_that_nobody_can_tell_of_is_stuck_after_a_while(
    seconds: int, condition: Condition, *, is_stuck: bool, blind: bool
) -> None:
    """Given a verdict that tells nothing, when ten seconds pass, then jammed if seen shut, else in doubt."""
    rig, door = with_a_parcel()
    if blind:
        rig.board = type(rig.board)(rig.board.locks, Knobs(blind_doors=frozenset({door})))
        rig.look()
        rig.look()
    unheard(rig, Unknown(Evidence.ACK))
    rig.tick(seconds=seconds)
    assert bool(rig.facts("door-stuck")) == is_stuck
    assert rig.agent.state.conditions.get(door) == (condition if is_stuck else None)


def test_a_doubtful_door_that_is_seen_open_is_open() -> None:
    """Given a verdict that tells nothing, when the door is seen open after all, then it goes on as if it had told."""
    rig, door = with_a_parcel()
    unheard(rig, Unknown(Evidence.NONE))
    rig.do(door, Deed.FORCE)
    assert rig.kinds()[-1] == "door-opened"
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


def test_an_open_door_is_believed_before_the_next_look() -> None:
    """Given the driver's word that a door opened, then it is open at once, and two looks that say shut shut it."""
    rig, door = with_a_parcel()
    unheard(rig, Opened())
    assert rig.agent.state.seen[door].settled == DoorReading(Door.OPEN, Item.UNKNOWN)
    shut = {door: DoorReading(Door.CLOSED, Item.NO)}
    rig.feed(DoorsSeen(shut))
    assert rig.facts("parcel-taken-out") == []
    rig.feed(DoorsSeen(shut))
    assert len(rig.facts("parcel-taken-out")) == 1


@pytest.mark.parametrize("verdict", [Opened(), NoChange(), Unknown(Evidence.ACK)])
def test_a_verdict_that_nobody_waits_for_changes_nothing(verdict: Verdict) -> None:
    """Given a door that is not being opened, or is open already, when a verdict comes, then nothing happens."""
    rig, door = with_a_parcel()
    before = rig.agent.state
    rig.feed(OpeningEnded(door, verdict))
    assert rig.agent.state.openings == before.openings
    rig.code(CODE)
    kinds = rig.kinds()
    rig.feed(OpeningEnded(door, verdict))
    assert rig.kinds() == kinds


def test_a_lock_that_jams_again_is_no_news() -> None:
    """Given a lock on record as jammed, when it jams again, then it is stuck again, and its condition is told once."""
    rig, door = with_a_parcel()
    rig.do(door, Deed.JAM)
    rig.code(CODE)
    rig.code(CODE)
    assert len(rig.facts("door-stuck")) == 2
    assert [entry.data["condition"] for entry in rig.facts("condition-seen")] == ["jammed"]


# --- doors that move by themselves


def test_a_door_that_was_never_seen_shut_was_not_forced() -> None:
    """Given a door that no sensor told of before, when it is seen open, then nobody is said to have forced it."""
    rig = Rig()
    rig.install()
    rig.board = type(rig.board)(rig.board.locks, Knobs(blind_doors=frozenset({2})))
    rig.look()
    rig.look()
    rig.board = type(rig.board)(rig.board.locks)
    rig.do(2, Deed.FORCE)
    assert rig.facts("door-forced", "door-shut") == []
    rig.do(2, Deed.PUSH)
    assert len(rig.facts("door-shut")) == 1


def test_an_open_door_that_is_lost_sight_of_is_not_shut() -> None:
    """Given an open door, when the sensor fails and the door is shut unseen, then it is shut once it is seen so."""
    rig, door = with_a_parcel()
    rig.code(CODE)
    rig.board = type(rig.board)(rig.board.locks, Knobs(blind_doors=frozenset({door})))
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert rig.facts("parcel-taken-out") == []
    rig.board = type(rig.board)(rig.board.locks)
    rig.look()
    rig.look()
    assert len(rig.facts("parcel-taken-out")) == 1


# --- while somebody waits


def test_words_to_shut_the_door_stand_once() -> None:
    """Given a door that stands open, when more is typed, then the screen says once what to do first, above the rest."""
    rig, door = with_a_parcel()
    rig.code(CODE)
    said = rig.words
    for _ in range(2):
        rig.code(COURIER)
        assert rig.words == f"Close the open door first. {said}"
    assert rig.agent.state.screen.door == door


def test_a_recipient_whose_lock_rests_is_served_whether_or_not_a_courier_is_there() -> None:
    """Given a recipient who waits for a coil, when it has cooled, then the door opens, without a round."""
    rig, door = with_a_parcel()
    rig.not_pulsed[door] = NotPulsed("lock-cooling", 3_000)
    rig.code(CODE)
    rig.tick(seconds=3)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert len(rig.facts("parcel-taken-out")) == 1


def test_a_recall_that_ended_while_its_lock_rested_sends_the_courier_on() -> None:
    """Given a courier who waits to take back, when the recall is revoked, then the round goes on in words."""
    rig, door = with_a_parcel()
    rig.send(r1=recall(1))
    rig.code(COURIER)
    rig.not_pulsed[door] = NotPulsed("lock-cooling", 3_000)
    rig.choose(Choice.TAKE_BACK)
    rig.send("r1")
    rig.tick(seconds=3)
    assert (rig.page, rig.words) == ("round", "Scan the next parcel.")
    rig.not_pulsed[door] = NotPulsed("lock-cooling", 3_000)
    rig.choose(Choice.CLOSE_ROUND)
    rig.code(CODE)
    rig.send("c1")
    rig.tick(seconds=3)
    assert (rig.page, rig.words.startswith("That code does not open a door here.")) == ("code", True)


# --- what is on record


def test_the_journal_says_what_each_door_was_opened_for() -> None:
    """Given a deposit, a collection and a recall, when doors are opened, then intents say door, grant and action."""
    rig, door = with_a_parcel()
    rig.put_in(2)
    rig.send(r2=recall(2))
    rig.choose(Choice.TAKE_BACK)
    rig.do(2, Deed.TAKE, Deed.PUSH)
    rig.code(CODE)
    intents = [entry.data for entry in rig.facts("intent-recorded")]
    assert [(one["door"], one["grant"], one["action"]) for one in intents] == [
        (door, "d1", "deposit"),
        (2, "d2", "deposit"),
        (2, "r2", "recall"),
        (door, "c1", "collect"),
    ]


def test_the_journal_says_whose_door_was_stuck() -> None:
    """Given a jammed lock, when a code is typed, then the stuck door is on record with its grant."""
    rig, door = with_a_parcel()
    rig.do(door, Deed.JAM)
    rig.code(CODE)
    [entry] = rig.facts("door-stuck")
    assert entry.data == {"door": door, "grant": "c1"}
