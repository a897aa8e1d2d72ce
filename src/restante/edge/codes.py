"""A code is entered: the lockout first, then one scrypt and one look at every live grant; one word for wrong codes."""

from typing import assert_never

from restante.core import facts
from restante.core.access import Free, Lockout, Off, Verdict, Wait, after_failure, may_try, parse_code
from restante.core.stay import By
from restante.edge import deposits, openings, permissions, rounds, screens, withdrawals
from restante.edge.draft import Draft
from restante.edge.inputs import CodeEntered
from restante.edge.state import Round, State
from restante.wire.manifest import Grant, GrantKind


def entered(draft: Draft, given: CodeEntered) -> None:
    """Try a code on a channel."""
    lockout = draft.state.lockouts.get(given.channel, Lockout())
    verdict = may_try(lockout, draft.state.waking.seconds)
    if not isinstance(verdict, Free):
        draft.show(screens.code_closed(_seconds_left(draft, verdict)))
        return
    code = parse_code(given.text)
    if code is None:
        draft.show(screens.CODE_WRONG)
        return
    name = _one_holder(draft.state, permissions.recognised(draft.state, code, given.attempt))
    if name is None:
        _wrong(draft, given.channel, lockout)
    else:
        _right(draft, name)


def _one_holder(state: State, names: tuple[str, ...]) -> str | None:
    """The grant a code opens; a code that two different people would have opens nothing for either."""
    found: list[tuple[str, Grant]] = []
    for name in sorted(names):
        grant = permissions.grant_of(state, name)
        assert grant is not None
        found.append((name, grant))
    if len(found) > 1 and (len({grant.holder for _, grant in found}) > 1 or not found[0][1].holder):
        return None
    return found[0][0] if found else None


def _wrong(draft: Draft, channel: str, lockout: Lockout) -> None:
    after, verdict = after_failure(lockout, draft.state.waking.seconds)
    draft.record(facts.CodeRefused(channel))
    draft.put(lockouts={**draft.state.lockouts, channel: after})
    if not isinstance(verdict, Free):
        draft.record(facts.CodeEntryClosed(channel, _seconds_left(draft, verdict)))
    draft.show(screens.CODE_WRONG)


def _right(draft: Draft, name: str) -> None:
    state = draft.state
    grant = permissions.grant_of(state, name)
    assert grant is not None
    if permissions.needs_a_person(state, grant):
        draft.show(screens.needs_staff())
    elif not permissions.may_be_used_now(state, grant):
        draft.show(screens.needs_network())
    else:
        _use(draft, name, grant)


def _use(draft: Draft, name: str, grant: Grant) -> None:
    match grant.kind:
        case GrantKind.COLLECT:
            door, task = withdrawals.collecting(draft.state, name)
            openings.begin(draft, door, task)
        case GrantKind.DEPOSIT | GrantKind.RETURN:
            openings.follow(draft, deposits.start(draft, name, grant, by=By.SENDER))
        case GrantKind.SERVICE:
            used = {**draft.state.spent, name: deposits.used_once_more(draft.state, name)}
            draft.put(round=Round(grant.org, name, draft.now_ms), spent=used)
            draft.show(rounds.screen(draft.state))
        case GrantKind.RECALL:
            raise AssertionError("a recall has no code")
        case _:
            assert_never(grant.kind)


def _seconds_left(draft: Draft, verdict: Verdict) -> int:
    match verdict:
        case Free():
            return 0
        case Wait(until_s) | Off(until_s):
            return max(1, until_s - draft.state.waking.seconds)
        case _:
            assert_never(verdict)
