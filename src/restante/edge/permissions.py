"""Permissions: which grants of the manifest in force permit what, here and now.

A permission to collect ends by a withdrawal, an applied recall or a revocation, and by nothing else: neither the age of
the list nor any time on the grant ends it. Permissions to put in end by their time, by use, and by the age of the list.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from restante.core.access import matches, parse_parcel_code
from restante.core.bank import RoomClass, SourceKind
from restante.core.ids import ParcelId
from restante.edge.attempts import Attempt, asked, compute
from restante.edge.state import OpenStay, State
from restante.wire.manifest import Grant, GrantKind, Offline

_PUTTING = frozenset({GrantKind.DEPOSIT, GrantKind.RETURN})


def grant_of(state: State, name: str) -> Grant | None:
    """A grant of the manifest in force."""
    return None if state.manifest is None else state.manifest.manifest.grants.get(name)


def is_spent(state: State, name: str, grant: Grant) -> bool:
    """Whether every use of the grant is used up; ``max_uses`` 0 sets no bound."""
    used = state.spent.get(name)
    return used is not None and 0 < grant.max_uses <= used.uses


def is_in_time(state: State, grant: Grant) -> bool:
    """Whether the grant's time has come and has not passed, on a clock that never goes back."""
    at = state.clock.at
    return (grant.not_before is None or grant.not_before <= at) and (grant.expires_at is None or at <= grant.expires_at)


def is_list_too_old(state: State) -> bool:
    """Whether the list was last known to stand too long ago for anything to be put in."""
    if state.manifest is None:
        return True
    hours = state.manifest.manifest.settings.deposit_age_hours
    return state.clock.at - state.manifest.as_of > timedelta(hours=hours)


def may_be_used_now(state: State, grant: Grant) -> bool:
    """Whether the grant allows use without a network, or there is one."""
    return state.online or grant.offline is not Offline.ONLINE_ONLY


def is_round_permitted(state: State) -> bool:
    """Whether the permission that the open round was begun with still stands: not revoked, and in time."""
    grant = None if state.round is None else grant_of(state, state.round.grant)
    return grant is not None and is_in_time(state, grant)


def needs_a_person(state: State, grant: Grant) -> bool:
    """Whether something must be checked that a locker bank cannot check."""
    return bool(grant.checks) and state.kind is SourceKind.BANK


def stay_to_collect(state: State, name: str, grant: Grant) -> OpenStay | None:
    """The open stay that a permission to collect is for, if it lives."""
    if grant.kind is not GrantKind.COLLECT or is_spent(state, name, grant):
        return None
    recalled = recalled_stays(state)
    return next(
        (stay for key, stay in state.stays.items() if stay.parcel == grant.parcel and key not in recalled), None
    )


def recalled_stays(state: State, org: str | None = None) -> dict[str, str]:
    """Stays with a live recall, each with its grant; of one organisation if named."""
    found = {}
    for name, grant in _grants(state):
        if grant.kind is not GrantKind.RECALL or is_spent(state, name, grant) or org not in {None, grant.org}:
            continue
        for key, stay in state.stays.items():
            if key == str(grant.stay) or (grant.stay is None and stay.parcel == grant.parcel):
                found[key] = name
    return found


def is_live_deposit(state: State, name: str, grant: Grant) -> bool:
    """Whether a parcel may be put in under this grant, but for the age of the list."""
    usable = grant.kind in _PUTTING and grant.parcel is not None and grant.room_class is not None
    return usable and not is_spent(state, name, grant) and is_in_time(state, grant)


def other_deposits(state: State, name: str) -> Counter[RoomClass]:
    """What the other live permissions to put in ask for."""
    return Counter(
        grant.room_class
        for other, grant in _grants(state)
        if other != name and grant.room_class is not None and is_live_deposit(state, other, grant)
    )


def deposits_of(state: State, text: str) -> list[tuple[str, Grant]]:
    """Permissions of couriers to put in the parcel of this code, live or not."""
    code = parse_parcel_code(text) or text.strip()
    return [
        (name, grant)
        for name, grant in _grants(state)
        if grant.kind is GrantKind.DEPOSIT and not grant.verifier and code and grant.parcel_code == code
    ]


def parcel_code(state: State, parcel: ParcelId) -> str:
    """What people and staff call a parcel, as the list in force has it; its id where the list says nothing of it."""
    named = (grant.parcel_code for _, grant in _grants(state) if grant.parcel == parcel and grant.parcel_code)
    return next(named, parcel)


def recognised(state: State, code: str, attempt: Attempt | None = None) -> tuple[str, ...]:
    """The live grants with this code: one scrypt, and every live verifier compared in constant time.

    The scrypt is spared if ``attempt`` answers what is asked now.
    """
    question = asked(state, code)
    if question is None:
        return ()
    if attempt is None or attempt.question != question:
        attempt = compute(question)
    live = {name: grant.verifier.encode() for name, grant in _grants(state) if _opens_by_code(state, name, grant)}
    return matches(attempt.verifier.encode(), live)


def _opens_by_code(state: State, name: str, grant: Grant) -> bool:
    if not grant.verifier:
        return False
    match grant.kind:
        case GrantKind.COLLECT:
            return stay_to_collect(state, name, grant) is not None
        case GrantKind.DEPOSIT | GrantKind.RETURN:
            return is_live_deposit(state, name, grant)
        case GrantKind.SERVICE:
            return not is_spent(state, name, grant) and is_in_time(state, grant)
        case GrantKind.RECALL:
            return False


def _grants(state: State) -> Iterator[tuple[str, Grant]]:
    return iter(() if state.manifest is None else state.manifest.manifest.grants.items())
