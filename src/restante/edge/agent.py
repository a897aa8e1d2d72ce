"""The agent of a locker bank or counter: what people, doors and the hub do there, as one step.

Theory of operation. `step` is pure: `(state, input, now) -> (state, effects)`. The effects begin with what is written
down; the runner puts these facts and the state after the step into the book in one flushed transaction, and only then
does the rest: tells a lock, shows a screen, asks the hub. So a door moves only on a permission that was checked and an
intent that will survive a crash, and a screen never tells of something that may be forgotten.

A story runs like this: a code or a parcel code is recognised by a grant of the manifest in force (`codes`,
`permissions`); a compartment is chosen (`deposits`) or found (`withdrawals`); the intent is recorded and the lock told
(`openings`); sensors say what the door did (`doors`); when it is seen shut the parcel is in, or out. There is no
offline mode: nothing here knows the network, but for permissions that say so.

A counter is the same agent with shelf places and staff where a bank has doors and sensors.
"""

from typing import assert_never

import msgspec

from restante.core import access, facts
from restante.core.bank import Condition, SourceKind
from restante.edge import clock, codes, deposits, doors, lists, openings, permissions, rounds, screens, withdrawals
from restante.edge.clock import Now
from restante.edge.draft import Draft
from restante.edge.inputs import (
    Choice,
    Chosen,
    CodeEntered,
    DoorsSeen,
    Effect,
    ForkTold,
    FromPerson,
    HubTime,
    Input,
    Inspected,
    ManifestCame,
    OpeningEnded,
    ParcelScanned,
    SessionEnded,
    SessionOpened,
    Ticked,
    Woke,
)
from restante.edge.state import Installed, Opening, Putting, State

ROUND_IDLE_MS = 600_000


def step(state: State, given: Input, now: Now) -> tuple[State, tuple[Effect, ...]]:
    """Take one input at this reading of the clocks: the state after it, and what is to be done, in order."""
    draft = Draft(state)
    draft.put(
        clock=clock.brought_up(state.clock, now),
        waking=access.tick(state.waking, boot=now.boot, monotonic_ms=now.monotonic_ms),
    )
    _end_round(draft)
    match given:
        case CodeEntered() | ParcelScanned() | Chosen() | Inspected():
            _person(draft, given)
        case DoorsSeen() | OpeningEnded():
            _doors(draft, given)
        case SessionOpened() | HubTime() | SessionEnded() | ForkTold() | ManifestCame():
            _hub(draft, given)
        case Woke(software):
            _woke(draft, software)
        case Ticked():
            _pass_time(draft)
        case _:
            assert_never(given)
    _end_round(draft)
    return draft.state, tuple(draft.effects)


def _end_round(draft: Draft) -> None:
    """Close a round whose code would open none any more, before anything else is decided by it."""
    if draft.state.round is None or permissions.is_round_permitted(draft.state):
        return
    draft.put(round=None)
    if draft.state.screen.page == "round":
        draft.show(screens.round_closed())


def _person(draft: Draft, given: FromPerson) -> None:
    """Somebody stands there."""
    if draft.state.manifest is None:
        draft.show(screens.NOT_INSTALLED)
        return
    if draft.state.round is not None:
        draft.put(round=msgspec.structs.replace(draft.state.round, touched_ms=draft.now_ms))
    if isinstance(given, Chosen):
        _chosen(draft, given.choice)
    elif openings.is_busy(draft):
        _shut_first(draft)
    else:
        openings.turn_away(draft)
        _began(draft, given)


def _began(draft: Draft, given: CodeEntered | ParcelScanned | Inspected) -> None:
    match given:
        case CodeEntered():
            codes.entered(draft, given)
        case ParcelScanned():
            _scanned(draft, given)
        case Inspected(door):
            _inspected(draft, door)
        case _:
            assert_never(given)


def _scanned(draft: Draft, given: ParcelScanned) -> None:
    if draft.state.round is None and draft.state.kind is SourceKind.BANK:
        draft.show(screens.code_first())
        return
    openings.follow(draft, deposits.scan(draft, given.text))


def _chosen(draft: Draft, choice: Choice) -> None:
    opening = openings.front(draft)
    match choice:
        case Choice.CLOSE_ROUND:
            draft.put(round=None)
            draft.show(screens.round_closed())
        case Choice.TAKE_BACK:
            _take_back(draft)
        case Choice.DONE:
            if opening is not None and draft.state.kind is SourceKind.COUNTER:
                openings.staff_done(draft, opening)
        case _:
            _chosen_at_the_door(draft, opening, choice)


def _chosen_at_the_door(draft: Draft, opening: Opening | None, choice: Choice) -> None:
    """A courier or sender at an open door decides otherwise; at a counter nothing needs to be shut first."""
    if opening is None or not isinstance(opening.task, Putting):
        return
    if choice.value not in deposits.choices(draft.state, opening.task):
        return
    deposits.choose(draft, opening, choice)
    changed = draft.state.openings[opening.door]
    if draft.state.kind is SourceKind.COUNTER:
        openings.staff_done(draft, changed)


def _take_back(draft: Draft) -> None:
    if openings.is_busy(draft):
        _shut_first(draft)
        return
    openings.turn_away(draft)
    following = withdrawals.next_recall(draft.state)
    if following is None:
        draft.show(rounds.screen(draft.state))
    else:
        openings.begin(draft, *following)


def _inspected(draft: Draft, door: int) -> None:
    if draft.state.round is not None or draft.state.kind is SourceKind.COUNTER:
        draft.drop_opening(door)
        doors.note_condition(draft, door, Condition.IN_ORDER)


def _shut_first(draft: Draft) -> None:
    """Say once more what must be done first; the screen of the open door stays."""
    lines = draft.state.screen.lines
    if screens.SHUT_THE_DOOR_FIRST not in lines and not openings.is_about_to_open(draft):
        lines = (screens.SHUT_THE_DOOR_FIRST, *lines)
    draft.show(msgspec.structs.replace(draft.state.screen, lines=lines))


def _doors(draft: Draft, given: DoorsSeen | OpeningEnded) -> None:
    """Sensors, or the driver's verdict on an opening."""
    if isinstance(given, OpeningEnded):
        openings.ended(draft, given.door, given.verdict)
        return
    for door, before, now in doors.look(draft, given.readings):
        openings.moved(draft, door, before=before, now=now)
    doors.clear_doubt(draft, given.readings)


def _hub(draft: Draft, given: SessionOpened | HubTime | SessionEnded | ForkTold | ManifestCame) -> None:
    """The other end of the line."""
    match given:
        case SessionOpened():
            _session_opened(draft, given)
        case HubTime(at):
            draft.put(clock=clock.corrected(draft.state.clock, at))
        case SessionEnded():
            draft.put(online=False)
        case ForkTold():
            draft.put(forked=True)
        case ManifestCame():
            lists.came(draft, given)
            if draft.state.screen == screens.NOT_INSTALLED:
                draft.show(_resting(draft.state))
        case _:
            assert_never(given)


def _session_opened(draft: Draft, given: SessionOpened) -> None:
    """The first session installs the source; every later one may bring a new key of codes and a later log epoch."""
    before = draft.state.installed
    if given.log_epoch > draft.state.log_epoch:
        draft.begin_epoch(given.log_epoch)
    draft.put(
        clock=clock.corrected(draft.state.clock, given.hub_time),
        installed=Installed(given.source_key, before.manifest_key if before else given.manifest_key),
        forked=given.forked or given.log_epoch < draft.state.log_epoch,
        online=True,
    )
    if before is None:
        draft.record(facts.Started(draft.state.software))


def _woke(draft: Draft, software: str) -> None:
    """Report the start, and what it interrupted; before the first session there is no journal to report to."""
    draft.put(software=software, seen={}, round=None, online=False)
    draft.show(_resting(draft.state))
    lost = openings.left_unfinished(draft)
    if draft.state.installed is None:
        return
    names = tuple(f"{draft.state.log_epoch}/{opening.intent} door {opening.door}" for opening in lost)
    draft.record(facts.Started(software, names))
    for opening in lost:
        # A parcel may lie behind a door that was unlocked for one: in doubt until a sensor or a person has looked.
        if isinstance(opening.task, Putting) and draft.state.kind is SourceKind.BANK:
            doors.note_condition(draft, opening.door, Condition.UNKNOWN)


def _pass_time(draft: Draft) -> None:
    openings.pass_time(draft)
    lists.let_go(draft)
    state = draft.state
    if state.round is not None and draft.now_ms - state.round.touched_ms > ROUND_IDLE_MS:
        draft.put(round=None)
    is_over = draft.now_ms - state.shown_ms > screens.LINGER_MS and Choice.DONE not in state.screen.choices
    if is_over and not openings.is_busy(draft):
        draft.show(_resting(draft.state))


def _resting(state: State) -> screens.Screen:
    if state.manifest is None:
        return screens.NOT_INSTALLED
    return screens.IDLE if state.round is None else rounds.screen(state)
