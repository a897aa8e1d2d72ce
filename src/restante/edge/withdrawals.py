"""Taking out: by a code, or by a courier who takes back; it counts once the door was seen open and then shut."""

from restante.core import facts
from restante.core.bank import SourceKind
from restante.core.ids import StayKey
from restante.core.stay import By, Evidence
from restante.edge import deposits, doors, permissions, rounds, screens
from restante.edge.draft import Draft
from restante.edge.drivers.port import Item
from restante.edge.state import Opening, OpenStay, State, Taking
from restante.wire.manifest import GrantKind


def collecting(state: State, name: str) -> tuple[int, Taking]:
    """The door of a permission to collect, and every parcel of the same holder behind it."""
    grant = permissions.grant_of(state, name)
    assert grant is not None
    stay = permissions.stay_to_collect(state, name, grant)
    assert stay is not None
    along = [one.key for one in doors.stays_behind(state, stay.door) if _goes_along(state, one, stay)]
    return stay.door, Taking(tuple(sorted(along)), name, By.RECIPIENT)


def next_recall(state: State) -> tuple[int, Taking] | None:
    """The next door that the courier of the open round is to empty."""
    if state.round is None:
        return None
    due = permissions.recalled_stays(state, state.round.org)
    waiting = sorted((state.stays[key].door, key) for key in due if state.stays[key].door not in state.openings)
    if not waiting:
        return None
    door, first = waiting[0]
    together = tuple(sorted(state.stays[key].key for at, key in waiting if at == door))
    return door, Taking(together, due[first], By.COURIER)


def is_permitted(state: State, task: Taking) -> bool:
    """Whether what was to be taken out may still be, by the list in force."""
    if task.by is By.COURIER:
        return all(str(key) in permissions.recalled_stays(state) for key in task.stays)
    grant = permissions.grant_of(state, task.grant)
    return grant is not None and permissions.stay_to_collect(state, task.grant, grant) is not None


def door_shut(draft: Draft, opening: Opening, evidence: Evidence) -> None:
    """The door that was seen open is shut: the parcels are out, unless the content sensor still sees one."""
    task = opening.task
    assert isinstance(task, Taking)
    if doors.item_behind(draft.state, opening.door) is Item.YES:
        draft.show(screens.still_inside(opening.door))
        return
    for key in task.stays:
        _taken_out(draft, key, task, evidence=evidence)
    if task.by is By.COURIER:
        draft.show(rounds.screen(draft.state))
    else:
        staffed = draft.state.kind is SourceKind.COUNTER
        draft.show(screens.taken(staffed=staffed, more=_is_more_waiting(draft.state, task)))


def _taken_out(draft: Draft, key: StayKey, task: Taking, *, evidence: Evidence) -> None:
    state = draft.state
    stay = state.stays.get(str(key))
    if stay is None:
        return
    grant = _own_grant(state, stay, task)
    draft.record(facts.ParcelTakenOut(stay.parcel, key, grant, stay.door, task.by, evidence))
    draft.put(
        stays={name: one for name, one in state.stays.items() if name != str(key)},
        spent={**state.spent, grant: deposits.used_once_more(state, grant)},
        ended={**state.ended, str(key): state.clock.at},
    )


def _own_grant(state: State, stay: OpenStay, task: Taking) -> str:
    """The permission that ends with this withdrawal: the parcel's own, which may not be the one whose code was used."""
    used = permissions.grant_of(state, task.grant)
    if state.manifest is None or used is None or used.parcel == stay.parcel:
        return task.grant
    kind = GrantKind.RECALL if task.by is By.COURIER else GrantKind.COLLECT
    own = (
        name
        for name, grant in state.manifest.manifest.grants.items()
        if grant.kind is kind and grant.parcel == stay.parcel and not permissions.is_spent(state, name, grant)
    )
    return next(own, task.grant)


def _goes_along(state: State, one: OpenStay, with_stay: OpenStay) -> bool:
    if one.key == with_stay.key:
        return True
    return bool(one.holder) and one.holder == with_stay.holder and str(one.key) not in permissions.recalled_stays(state)


def _is_more_waiting(state: State, task: Taking) -> bool:
    """Whether another parcel of the holder waits behind another door."""
    grant = permissions.grant_of(state, task.grant)
    return grant is not None and bool(grant.holder) and any(s.holder == grant.holder for s in state.stays.values())
