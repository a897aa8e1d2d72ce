"""A new manifest at the source: what it changes there beside the permissions themselves."""

from datetime import timedelta
from typing import Final

from restante.core import facts
from restante.core.bank import Condition, SourceKind
from restante.core.ids import ParcelId
from restante.core.refusals import Refusal
from restante.edge import clock, doors
from restante.edge.draft import Draft
from restante.edge.drivers.port import Item
from restante.edge.inputs import ManifestCame, WholeWanted
from restante.edge.state import OpenStay, State
from restante.wire.manifest import Applied, Pinned, apply, apply_fresh, wants_full
from restante.wire.session import ManifestSent

SPENT_KEPT: Final = timedelta(days=60)
"""How long a used grant that is on no list any more is remembered, should an old list come back."""


def came(draft: Draft, given: ManifestCame) -> None:
    """Take a manifest, or refuse it and ask for the whole where that helps."""
    state = draft.state
    if state.installed is None:
        return
    pinned = Pinned(state.source, state.log_epoch, state.installed.manifest_key)
    if isinstance(given.sent, ManifestSent):
        answer = apply(state.manifest, given.sent, pinned)
    else:
        answer = apply_fresh(state.manifest, given.sent, pinned)
    if isinstance(answer, Refusal):
        if wants_full(answer):
            draft.do(WholeWanted(answer.code))
    elif answer is not state.manifest:
        _in_force(draft, answer)


def _in_force(draft: Draft, applied: Applied) -> None:
    before = draft.state.manifest
    draft.put(manifest=applied, clock=clock.no_earlier(draft.state.clock, applied.as_of))
    if before is not None and before.digest == applied.digest:
        return
    draft.record(facts.ManifestApplied(applied.manifest.hub_epoch, applied.manifest.generation))
    let_go(draft)
    _inherit(draft)
    if before is None and draft.state.log_epoch > 1 and not _has_history(draft.state):
        _doubt_the_rest(draft)
    _forget_spent(draft)


def _inherit(draft: Draft) -> None:
    """Take over the stays of earlier controllers that the hub hands down."""
    assert draft.state.manifest is not None
    for grant in draft.state.manifest.manifest.grants.values():
        state, key = draft.state, grant.stay
        if key is None or grant.door is None or grant.parcel is None or key.epoch >= state.log_epoch:
            continue
        if str(key) in state.stays:
            _doubt_another(draft, state.stays[str(key)], parcel=grant.parcel, door=grant.door)
            continue
        if str(key) in state.inherited or str(key) in state.ended:
            continue
        draft.record(facts.StayInherited(grant.parcel, key, grant.door))
        stay = OpenStay(key, grant.parcel, grant.door, grant.holder)
        draft.put(
            stays={**draft.state.stays, str(key): stay},
            inherited={**draft.state.inherited, str(key): True},
        )


def _doubt_another(draft: Draft, ours: OpenStay, *, parcel: ParcelId, door: int) -> None:
    """Where another disk wrote on under our numbers, its parcel lies behind a door that we think free."""
    if ours.parcel != parcel and ours.door != door and draft.state.kind is SourceKind.BANK:
        doors.note_condition(draft, door, Condition.UNKNOWN)


def let_go(draft: Draft) -> None:
    """Give up stays of earlier controllers that the hub lists no more: it has heard that they ended before.

    Nobody here saw the parcel leave, so its compartment is in doubt until the content sensor or a person has looked;
    on a shelf staff look anyway. A door that is being dealt with is settled first.
    """
    state = draft.state
    if state.manifest is None or not any(key in state.inherited for key in state.stays):
        return
    listed = {str(grant.stay) for grant in state.manifest.manifest.grants.values() if grant.stay is not None}
    for key, stay in state.stays.items():
        if key in state.inherited and key not in listed and stay.door not in state.openings:
            _let_go(draft, key, stay.door)


def _let_go(draft: Draft, key: str, door: int) -> None:
    state = draft.state
    draft.put(
        stays={name: one for name, one in state.stays.items() if name != key},
        inherited={name: True for name in state.inherited if name != key},
    )
    is_empty = doors.is_shut(state, door) and doors.item_behind(state, door) is Item.NO
    if state.kind is SourceKind.BANK and not is_empty:
        doors.note_condition(draft, door, Condition.UNKNOWN)


def _has_history(state: State) -> bool:
    """Whether this book has seen the bank before: then its doors are known as ever."""
    return bool(state.spent or len(state.stays) > len(state.inherited))


def _doubt_the_rest(draft: Draft) -> None:
    """A new controller knows nothing of a compartment that no inherited stay accounts for."""
    if draft.state.kind is SourceKind.COUNTER:
        return
    for door in doors.compartments(draft.state):
        if not doors.stays_behind(draft.state, door):
            doors.note_condition(draft, door, Condition.UNKNOWN)


def _forget_spent(draft: Draft) -> None:
    state = draft.state
    assert state.manifest is not None
    listed, since = state.manifest.manifest.grants, state.clock.at - SPENT_KEPT
    kept = {name: spent for name, spent in state.spent.items() if name in listed or spent.at >= since}
    if len(kept) != len(state.spent):
        draft.put(spent=kept)
    handed_down = {str(grant.stay) for grant in listed.values()}
    ended = {key: at for key, at in state.ended.items() if key in handed_down or at >= since}
    if len(ended) != len(state.ended):
        draft.put(ended=ended)
