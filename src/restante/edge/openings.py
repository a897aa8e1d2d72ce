"""One opening from the flushed intent to the shut door: what was seen is journalled, and only that counts.

    intent flushed -> PULSED --seen open--> OPEN --seen shut--> the task is done
                        ├── not pulsed: the coil must cool ──> another door of the size, or
                        │         RESTING --has cooled, still permitted--> begun anew, with an intent of its own
                        ├── nothing moved ──> stuck: the task takes another way
                        ├── cannot be told ─> DOUBTFUL --seen open--> OPEN
                        │                        └── still shut after a while --> stuck
                        └── power lost ────> INTERRUPTED --seen open--> OPEN
                                                 └── shut, and the content gone --> the task is done

A counter has no locks: staff stand for the sensor, and the place is open from the start until they press "done", which
their screen offers for as long as it takes, or until they turn to something else.
"""

from typing import Final, assert_never

import msgspec

from restante.core import facts
from restante.core.bank import Condition, SourceKind
from restante.core.stay import By, Evidence
from restante.edge import deposits, doors, permissions, rounds, screens, withdrawals
from restante.edge.draft import Draft
from restante.edge.drivers.evidence import NoChange, NotPulsed, Opened, Unknown, Verdict
from restante.edge.drivers.port import Door, Item
from restante.edge.inputs import Unlock
from restante.edge.state import Opening, Putting, Stage, Taking

DEADLINE_MS: Final = 10_000
SILENT_MS: Final = 60_000
DOUBT_MS: Final = 10_000
AJAR_MS: Final = screens.LINGER_MS
LONGEST_REST_MS: Final = DEADLINE_MS
_UNDER_WAY: Final = frozenset({Stage.PULSED, Stage.RESTING, Stage.DOUBTFUL})
_NOBODY_PULSES: Final = frozenset({"unknown-door", "bus-closed"})
_NOT_SEEN_OPEN: Final = frozenset({Stage.PULSED, Stage.RESTING})
_UNSEEN_YET: Final = frozenset({Stage.DOUBTFUL, Stage.INTERRUPTED})


def begin(draft: Draft, door: int, task: Putting | Taking) -> None:
    """Write down the intent, then tell the lock; the flush between them is the runner's.

    A door that is being dealt with is not begun again: what lies behind it is settled first.
    """
    under_way = draft.state.openings.get(door)
    if under_way is not None and under_way.stage is not Stage.INTERRUPTED:
        draft.show(screens.shut_for_next(door))
        return
    intent = draft.record(facts.IntentRecorded(door, task.grant, action_of(task)))
    staffed = draft.state.kind is SourceKind.COUNTER
    stage, item = Stage.OPEN if staffed else Stage.PULSED, doors.item_behind(draft.state, door)
    opening = Opening(door, intent, task, stage, draft.now_ms, item=item)
    draft.put_opening(opening)
    if staffed:
        _show_open(draft, opening)
        return
    draft.do(Unlock(door, draft.now_ms + DEADLINE_MS))
    draft.show(screens.door_opening(door))


def action_of(task: Putting | Taking) -> str:
    """The word for a task in the journal."""
    match task:
        case Putting():
            return "deposit"
        case Taking():
            return "recall" if task.by is By.COURIER else "collect"
        case _:
            assert_never(task)


def ended(draft: Draft, door: int, verdict: Verdict) -> None:
    """Take the verdict on a door that was to be opened; one that nobody waits for changes nothing."""
    opening = draft.state.openings.get(door)
    if opening is None or opening.stage is not Stage.PULSED:
        return
    match verdict:
        case Opened():
            doors.saw_open(draft, door)
            _seen_open(draft, opening)
        case NoChange():
            _stuck(draft, opening, Condition.JAMMED)
        case NotPulsed():
            _not_pulsed(draft, opening, verdict)
        case Unknown():
            draft.put_opening(msgspec.structs.replace(opening, stage=Stage.DOUBTFUL, since_ms=draft.now_ms))
        case _:
            assert_never(verdict)


def moved(draft: Draft, door: int, *, before: Door, now: Door) -> None:
    """Take a door that two readings saw in a new place."""
    opening = draft.state.openings.get(door)
    is_ours = opening is not None and opening.stage is not Stage.RESTING
    if now is Door.OPEN:
        if opening is not None and opening.stage in _UNSEEN_YET:
            _seen_open(draft, opening)
        elif not is_ours and before is Door.CLOSED:
            draft.record(facts.DoorForced(door))
    elif now is Door.CLOSED:
        if opening is not None and opening.stage is Stage.OPEN:
            draft.record(facts.DoorShut(door))
            _finish(draft, opening, Evidence.SENSOR)
        elif not is_ours and before is Door.OPEN:
            draft.record(facts.DoorShut(door))


def staff_done(draft: Draft, opening: Opening) -> None:
    """Staff say that it is done."""
    _finish(draft, opening, Evidence.STAFF)


def pass_time(draft: Draft) -> None:
    """Settle openings of which nothing is heard any more."""
    for opening in tuple(draft.state.openings.values()):
        waited_ms = draft.now_ms - opening.since_ms
        if opening.stage is Stage.PULSED and waited_ms > SILENT_MS:
            _stuck(draft, opening, Condition.UNKNOWN)
        elif opening.stage is Stage.RESTING and waited_ms >= 0:
            _rested(draft, opening)
        elif opening.stage is Stage.DOUBTFUL and waited_ms > DOUBT_MS:
            shut = doors.is_shut(draft.state, opening.door)
            _stuck(draft, opening, Condition.JAMMED if shut else Condition.UNKNOWN)
        elif opening.stage is Stage.INTERRUPTED and waited_ms > DOUBT_MS:
            _after_interruption(draft, opening)


def _after_interruption(draft: Draft, opening: Opening) -> None:
    """What lay behind the door before the program stopped and is gone now went out by the hands the door opened for."""
    emptied = opening.item is Item.YES and doors.item_behind(draft.state, opening.door) is Item.NO
    if emptied and doors.is_shut(draft.state, opening.door):
        _finish(draft, opening, Evidence.SENSOR)
    else:
        draft.drop_opening(opening.door)


def is_busy(draft: Draft) -> bool:
    """Whether a person must deal with an open door first; one left open for long no longer keeps others waiting."""
    return any(
        opening.stage in _UNDER_WAY or (opening.stage is Stage.OPEN and draft.now_ms - opening.since_ms < AJAR_MS)
        for opening in draft.state.openings.values()
    )


def is_about_to_open(draft: Draft) -> bool:
    """Whether all that people wait for is a door that will open by itself."""
    return all(opening.stage in _NOT_SEEN_OPEN for opening in draft.state.openings.values())


def front(draft: Draft) -> Opening | None:
    """The opening that the person at the screen is dealing with: that of the door which the screen names."""
    door = draft.state.screen.door
    return None if door is None else draft.state.openings.get(door)


def turn_away(draft: Draft) -> None:
    """Staff turn to something else: a hand-over that they did not confirm did not happen, and may begin anew."""
    if draft.state.kind is SourceKind.COUNTER and draft.state.openings:
        draft.put(openings={})


def left_unfinished(draft: Draft) -> tuple[Opening, ...]:
    """What was under way when the program stopped and cannot be told the outcome of; no lock is told anything again.

    A door that had been seen open is simply watched on. One that was unlocked for parcels to be taken out may open yet,
    or may have opened meanwhile: sensors have a while to tell.
    """
    lost = []
    for opening in tuple(draft.state.openings.values()):
        if opening.stage is Stage.OPEN and draft.state.kind is SourceKind.BANK:
            draft.put_opening(msgspec.structs.replace(opening, since_ms=draft.now_ms - AJAR_MS))
            continue
        if opening.stage is Stage.RESTING:
            draft.drop_opening(opening.door)
            continue
        lost.append(opening)
        if isinstance(opening.task, Taking) and draft.state.kind is SourceKind.BANK:
            interrupted = msgspec.structs.replace(opening, stage=Stage.INTERRUPTED, since_ms=draft.now_ms)
            draft.put_opening(interrupted)
        else:
            draft.drop_opening(opening.door)
    return tuple(lost)


def _seen_open(draft: Draft, opening: Opening) -> None:
    draft.record(facts.DoorOpened(opening.door, Evidence.SENSOR))
    if draft.state.conditions.get(opening.door) is Condition.JAMMED:
        doors.note_condition(draft, opening.door, Condition.IN_ORDER)
    opening = msgspec.structs.replace(opening, stage=Stage.OPEN, since_ms=draft.now_ms)
    draft.put_opening(opening)
    _show_open(draft, opening)


def _show_open(draft: Draft, opening: Opening) -> None:
    state, door = draft.state, opening.door
    staffed = state.kind is SourceKind.COUNTER
    match opening.task:
        case Putting(parcel=parcel) as task:
            choices = deposits.choices(state, task)
            named = permissions.parcel_code(state, parcel)
            draft.show(screens.shelve(door, named, choices) if staffed else screens.put_in(door, named, choices))
        case Taking(stays=stays):
            names = [permissions.parcel_code(state, state.stays[str(key)].parcel) for key in stays]
            draft.show(screens.hand_over(door, names) if staffed else screens.take_out(door, len(stays)))
        case _:
            assert_never(opening.task)


def _not_pulsed(draft: Draft, opening: Opening, verdict: NotPulsed) -> None:
    """Nothing was asked of the door yet, so nothing is said about it unless nobody can pulse its lock at all."""
    if verdict.code in _NOBODY_PULSES:
        _stuck(draft, opening, None)
        return
    elsewhere = deposits.of_the_size_elsewhere(draft.state, opening)
    if elsewhere is not None:
        draft.drop_opening(opening.door)
        begin(draft, *elsewhere)
    elif verdict.code == "lock-cooling" and verdict.retry_after_ms <= LONGEST_REST_MS:
        cooled_ms = draft.now_ms + verdict.retry_after_ms
        draft.put_opening(msgspec.structs.replace(opening, stage=Stage.RESTING, since_ms=cooled_ms))
        draft.show(screens.door_rests(opening.door))
    else:
        _given_up(draft, opening)


def _rested(draft: Draft, opening: Opening) -> None:
    """The coil has cooled: decide anew, for permissions and doors may have changed meanwhile, and people gone."""
    draft.drop_opening(opening.door)
    if opening.task.by is By.COURIER and draft.state.round is None:
        return
    match opening.task:
        case Putting():
            follow(draft, deposits.go_on(draft, opening.task))
        case Taking() if withdrawals.is_permitted(draft.state, opening.task):
            begin(draft, opening.door, opening.task)
        case Taking():
            draft.show(rounds.screen(draft.state) if opening.task.by is By.COURIER else screens.CODE_WRONG)
        case _:
            assert_never(opening.task)


def _given_up(draft: Draft, opening: Opening) -> None:
    """The lock cannot be told in good time: another door for what goes in, a little patience for what comes out."""
    draft.drop_opening(opening.door)
    match opening.task:
        case Putting():
            follow(draft, deposits.without_door(draft, opening.task, opening.door))
        case Taking(by=By.COURIER):
            draft.show(rounds.screen(draft.state, screens.opens_later(opening.door)))
        case Taking():
            draft.show(screens.door_later(opening.door))
        case _:
            assert_never(opening.task)


def _stuck(draft: Draft, opening: Opening, condition: Condition | None) -> None:
    draft.record(facts.DoorStuck(opening.door, opening.task.grant))
    if condition is not None:
        doors.note_condition(draft, opening.door, condition)
    draft.drop_opening(opening.door)
    match opening.task:
        case Putting():
            follow(draft, deposits.without_door(draft, opening.task, opening.door))
        case Taking():
            draft.show(screens.door_stuck(opening.door))
        case _:
            assert_never(opening.task)


def _finish(draft: Draft, opening: Opening, evidence: Evidence) -> None:
    draft.drop_opening(opening.door)
    match opening.task:
        case Putting():
            follow(draft, deposits.door_shut(draft, opening, evidence))
        case Taking():
            withdrawals.door_shut(draft, opening, evidence)
        case _:
            assert_never(opening.task)


def follow(draft: Draft, next_door: tuple[int, Putting] | None) -> None:
    """Open the door that a deposit goes on with, if it does."""
    if next_door is not None:
        begin(draft, next_door[0], next_door[1])
