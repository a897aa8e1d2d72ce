"""Putting in: from a parcel code or a sender's code to the stay, with every way round a door that does not do.

Its sentences stand in the catalogue, `restante.words`.
"""

from typing import Final

import msgspec

from restante.core import facts
from restante.core.bank import Compartment, Condition, RoomClass, SourceKind, parts, room_class, serves
from restante.core.choice import choose_compartment
from restante.core.ids import ParcelId, StayKey
from restante.core.stay import By, Evidence
from restante.edge import doors, permissions, rounds, screens
from restante.edge.draft import Draft
from restante.edge.drivers.port import Item
from restante.edge.inputs import Choice
from restante.edge.screens import Line
from restante.edge.state import After, Opening, OpenStay, Putting, Spent, State
from restante.wire.manifest import Grant

AT_THE_DOOR: Final = (Choice.TOO_BIG, Choice.FULL, Choice.REFUSED, Choice.DAMAGED, Choice.ANOTHER_DOOR)

NextDoor = tuple[int, Putting] | None


def scan(draft: Draft, text: str) -> NextDoor:
    """A courier in a round, or staff, offers a parcel: the door for it, or words on the screen."""
    state = draft.state
    org = state.round.org if state.round else None
    found = [(name, grant) for name, grant in permissions.deposits_of(state, text) if org in {None, grant.org}]
    live = [(name, grant) for name, grant in found if permissions.is_live_deposit(state, name, grant)]
    if not live:
        draft.show(rounds.screen(draft.state, _why_not(state, found)))
        return None
    return start(draft, *live[0], by=By.COURIER if state.round else By.STAFF)


def start(draft: Draft, name: str, grant: Grant, *, by: By) -> NextDoor:
    """Begin a deposit under a live grant: the door for it, or words on the screen."""
    if _is_refused(draft, grant):
        return None
    assert grant.parcel is not None
    assert grant.room_class is not None
    waiting = _open_for(draft.state, grant.parcel)
    if waiting is not None:
        draft.show(screens.shut_for_next(waiting))
        return None
    task = Putting(grant.parcel, name, grant.room_class, by, grant.holder)
    return _to_a_door(draft, task, reason="full")


def choices(state: State, task: Putting) -> tuple[str, ...]:
    """What may be pressed while the door stands open for a parcel."""
    together = (Choice.TOGETHER,) if _beside(state, task) is not None and not task.shared else ()
    done = (Choice.DONE,) if state.kind is SourceKind.COUNTER else ()
    return tuple(choice.value for choice in (*done, *AT_THE_DOOR, *together))


def choose(draft: Draft, opening: Opening, choice: Choice) -> None:
    """The person at the open door decides otherwise; it takes effect when the door is shut."""
    task = opening.task
    assert isinstance(task, Putting)
    match choice:
        case Choice.TOO_BIG:
            after = After.LARGER
        case Choice.FULL:
            doors.note_condition(draft, opening.door, Condition.BLOCKED)
            after = After.NEXT_DOOR
        case Choice.ANOTHER_DOOR:
            after = After.NEXT_DOOR
        case Choice.TOGETHER:
            after, task = After.NEXT_DOOR, msgspec.structs.replace(task, shared=True)
        case Choice.REFUSED | Choice.DAMAGED:
            draft.record(facts.DepositDeclined(task.parcel, choice.value))
            after = After.NOTHING
        case _:
            return
    draft.put_opening(msgspec.structs.replace(opening, task=task, after=after))
    draft.show(screens.shut_for_next(opening.door))


def door_shut(draft: Draft, opening: Opening, evidence: Evidence) -> NextDoor:
    """The door is shut again: the parcel is in, or another door is tried."""
    task = opening.task
    assert isinstance(task, Putting)
    match opening.after:
        case After.PUT_IN:
            if doors.item_behind(draft.state, opening.door) is Item.NO:
                draft.show(rounds.screen(draft.state, Line.word("kiosk.deposit.nothing_inside", door=opening.door)))
            else:
                _put_in(draft, opening.door, task, evidence=evidence)
            return None
        case After.NEXT_DOOR:
            return without_door(draft, task, opening.door)
        case After.LARGER:
            return go_on(draft, _larger(draft.state, task, opening.door), reason="too-big")
        case After.NOTHING:
            draft.show(rounds.screen(draft.state, Line.word("kiosk.deposit.declined")))
            return None


def without_door(draft: Draft, task: Putting, door: int) -> NextDoor:
    """Go on with another compartment than this one."""
    return go_on(draft, msgspec.structs.replace(task, tried=(*task.tried, door)))


def go_on(draft: Draft, task: Putting, *, reason: str = "door") -> NextDoor:
    """Choose anew, if the parcel may still be put in by the list in force now; else words on the screen."""
    grant = permissions.grant_of(draft.state, task.grant)
    if grant is None or not permissions.is_live_deposit(draft.state, task.grant, grant):
        draft.show(rounds.screen(draft.state, Line.word("kiosk.deposit.expired")))
        return None
    return None if _is_refused(draft, grant) else _to_a_door(draft, task, reason=reason)


def of_the_size_elsewhere(state: State, opening: Opening) -> NextDoor:
    """Another compartment as good as the one whose lock rests, for a parcel that is not to lie beside another one."""
    task, here = opening.task, doors.compartments(state).get(opening.door)
    if not isinstance(task, Putting) or task.shared or here is None:
        return None
    grant = permissions.grant_of(state, task.grant)
    if grant is None or not permissions.is_live_deposit(state, task.grant, grant) or _objection(state, grant):
        return None
    task = msgspec.structs.replace(task, tried=(*task.tried, opening.door))
    chosen = _chosen(state, task)
    return (chosen.door, task) if chosen is not None and chosen.room_class == here.room_class else None


def _to_a_door(draft: Draft, task: Putting, *, reason: str) -> NextDoor:
    """The compartment for a parcel, or a journalled refusal when none is left for it."""
    state = draft.state
    beside = _beside(state, task) if task.shared else None
    if beside is not None:
        return beside, task
    chosen = _chosen(state, task)
    if chosen is None:
        fits = any(serves(one.room_class, task.wanted) for one in doors.compartments(state).values())
        why = reason if fits else "too-big"
        draft.record(facts.DepositDeclined(task.parcel, why))
        draft.show(rounds.screen(draft.state, _no_room(why)))
        return None
    grant = permissions.grant_of(state, task.grant)
    asked = grant.room_class if grant is not None and grant.room_class is not None else task.wanted
    return chosen.door, msgspec.structs.replace(task, larger=chosen.size > parts(asked)[0], shared=False)


def _chosen(state: State, task: Putting) -> Compartment | None:
    free = [one for one in doors.compartment_states(state) if one.compartment.door not in task.tried]
    return choose_compartment(free, task.wanted, permissions.other_deposits(state, task.grant))


def _put_in(draft: Draft, door: int, task: Putting, *, evidence: Evidence) -> None:
    compartment = doors.compartments(draft.state).get(door)
    taken = compartment.room_class if compartment is not None else task.wanted
    seq = draft.record(
        facts.ParcelPutIn(
            task.parcel, task.grant, door, taken, task.by, evidence, larger=task.larger, shared=task.shared
        )
    )
    state = draft.state
    key = StayKey(state.source, state.log_epoch, seq)
    draft.put(
        stays={**state.stays, str(key): OpenStay(key, task.parcel, door, task.holder)},
        spent={**state.spent, task.grant: used_once_more(state, task.grant)},
    )
    by_sender = task.by is By.SENDER
    draft.show(screens.dropped_off() if by_sender else rounds.screen(state, Line.word("kiosk.deposit.done")))


def used_once_more(state: State, grant: str) -> Spent:
    """The count of a grant's uses after one more."""
    before = state.spent.get(grant)
    return Spent(uses=1 if before is None else before.uses + 1, at=state.clock.at)


def _larger(state: State, task: Putting, door: int) -> Putting:
    """The same parcel, asking for the next size up from the compartment it did not fit into."""
    compartment = doors.compartments(state).get(door)
    size, needs = parts(task.wanted)
    size = max(size, compartment.size if compartment is not None else size) + 1
    wanted: RoomClass = room_class(size, needs)
    return msgspec.structs.replace(task, wanted=wanted, tried=(*task.tried, door))


def _beside(state: State, task: Putting) -> int | None:
    """A door behind which a parcel of the same holder lies, in order and shut."""
    if not task.holder:
        return None
    return next(
        (
            stay.door
            for stay in state.stays.values()
            if stay.holder == task.holder
            and stay.door not in task.tried
            and stay.door not in state.openings
            and state.conditions.get(stay.door, Condition.IN_ORDER) is Condition.IN_ORDER
            and doors.is_shut(state, stay.door)
        ),
        None,
    )


def _is_refused(draft: Draft, grant: Grant) -> bool:
    refused = _objection(draft.state, grant)
    if refused is not None:
        draft.show(rounds.screen(draft.state, refused))
    return refused is not None


def _open_for(state: State, parcel: ParcelId) -> int | None:
    """The door that was opened for this parcel and is not shut yet: it would go in twice if another one opened."""
    under_way = state.openings.values()
    return next((one.door for one in under_way if isinstance(one.task, Putting) and one.task.parcel == parcel), None)


def _objection(state: State, grant: Grant) -> Line | None:
    """Why nothing may be put in under a live grant just now."""
    if state.forked:
        return Line.word("kiosk.deposit.on_hold")
    if permissions.is_list_too_old(state):
        return Line.word("kiosk.deposit.list_old")
    if not permissions.may_be_used_now(state, grant):
        return Line.word("kiosk.code.needs_network")
    return None


def _why_not(state: State, found: list[tuple[str, Grant]]) -> Line:
    """Why none of the grants for a parcel lives; one of somebody else's is not spoken of."""
    if any(permissions.is_spent(state, name, grant) for name, grant in found):
        return Line.word("kiosk.deposit.used")
    return Line.word("kiosk.deposit.expired") if found else Line.word("kiosk.deposit.unknown")


def _no_room(why: str) -> Line:
    match why:
        case "too-big":
            return Line.word("kiosk.deposit.too_big")
        case "door":
            return Line.word("kiosk.deposit.no_door")
        case _:
            return Line.word("kiosk.deposit.full")
