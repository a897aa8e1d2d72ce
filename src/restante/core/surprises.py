"""Surprises: what a parcel's stays say that its intention did not foresee, as cases that come and go with the facts.

Theory of operation. Whether a *standing* surprise is there is a function of the parcel alone, so the cases open after a
set of facts do not depend on the order in which sources reported them. A case opens when its surprise comes to be, and
is settled by whatever fact ends it; a person may settle it sooner.
"""

from typing import Final

from restante.core import events as ev
from restante.core.ids import CaseId, derived_id, lane_of
from restante.core.parcel import Parcel, is_over
from restante.core.time import Instant
from restante.core.world import evolve_parcel

MAX_WORDS_CHARACTERS: Final = 200


def words(text: str) -> str:
    """What a machine wrote, as an event may keep it: short, and without signs that no screen or database takes."""
    short = text[:MAX_WORDS_CHARACTERS]
    return short if short.isprintable() else "".join(letter for letter in short if letter.isprintable())


def standing(parcel: Parcel) -> frozenset[ev.CaseKind]:
    """The surprises that hold of a parcel as it is."""
    inside = [stay for stay in parcel.stays if stay.withdrawn is None]
    if not inside:
        return frozenset()
    found = (
        (ev.CaseKind.IN_TWO_PLACES, len(inside) > 1),
        (ev.CaseKind.DEPOSITED_ELSEWHERE, any(not stay.expected for stay in inside)),
        (ev.CaseKind.DEPOSITED_AFTER_END, is_over(parcel)),
    )
    return frozenset([kind for kind, holds in found if holds])


def deposited(parcel: Parcel, opened: ev.ParcelDeposited, at: Instant) -> list[ev.AnyEvent]:
    """A stay that begins, the promise it keeps, and the surprises it causes.

    A promise of room at another point is given back by a reaction, since its row is not at hand.
    """
    kept: list[ev.AnyEvent] = []
    if parcel.promise is not None and parcel.promise.point == opened.point:
        kept = [ev.PromiseEnded(parcel.id, parcel.promise, ev.PromiseEnd.KEPT)]
    return [opened, *kept, *changed_surprises(parcel, opened, at)]


def changed_surprises(parcel: Parcel, event: ev.ParcelDeposited | ev.ParcelWithdrawn, at: Instant) -> list[ev.AnyEvent]:
    """The cases that an event opens and those it settles."""
    if _is_ordinary(parcel, event):
        return []
    before, after = standing(parcel), standing(evolve_parcel(parcel, event, at))
    changed: list[ev.AnyEvent] = []
    for kind in sorted(after - before):
        changed += opened_case(parcel, kind, str(event.stay))
    for kind in sorted(before - after):
        if (case := parcel.cases.get(kind.value)) is not None:
            changed.append(ev.CaseSettled(parcel.id, case, kind, str(event.stay)))
    return changed


def _is_ordinary(parcel: Parcel, event: ev.ParcelDeposited | ev.ParcelWithdrawn) -> bool:
    """Whether it shows at once that no case opens or is settled, as nearly always: then there is nothing to compare."""
    if isinstance(event, ev.ParcelWithdrawn):
        return len(parcel.stays) == 1 and not parcel.cases
    wanted = parcel.cancelled_at is None and parcel.released_at is None
    return wanted and not parcel.stays and parcel.bound_for in (None, event.point)


def opened_case(parcel: Parcel, what: ev.CaseKind, detail: str = "") -> list[ev.AnyEvent]:
    """The opening of a case about a parcel, unless one of its kind is open already."""
    if what.value in parcel.cases:
        return []
    case = CaseId(derived_id(f"case:{what}:{parcel.id}:{parcel.version}", lane_of(parcel.id)))
    return [ev.CaseOpened(parcel.id, case, what, words(detail))]
