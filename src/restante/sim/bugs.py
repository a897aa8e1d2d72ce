"""Planted bugs: each breaks one rule of the real code where it is kept, to see after how many seeds it is noticed.

A rule that nothing could breach would prove nothing. So every rule that is asked in a story has a bug here that it
must catch, and `restante prove bugs` says after how many stories it does.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec

from restante.core import adoption, clocks, custody, stay, world
from restante.core.access import Free
from restante.core.bank import CompartmentState
from restante.core.events import NoticeKind
from restante.edge import agent, codes, doors, keeping, openings, permissions, withdrawals
from restante.edge.drivers import xor8a_frames
from restante.edge.inputs import Unlock
from restante.edge.keeping import KeptAgent
from restante.hub.fleet import session
from restante.hub.worker.steps import Steps
from restante.sim import noise, typed, visits, watch
from restante.sim.faults import Kind
from restante.sim.rows import RowLedger
from restante.sim.run import NO_BUG_LOGGED, NOTHING_RAISES
from restante.wire import journal, manifest
from restante.wire import session as wire_session

Change = tuple[Any, str, Callable[[Any], Any]]
"""What is changed: its owner, its name, and what takes its place, made from what stands there."""

replace = msgspec.structs.replace


class Bug(msgspec.Struct, frozen=True):
    """A bug, the rule that has to catch it, and the fault without which a story cannot show it."""

    does: str
    rule: str
    changes: tuple[Change, ...]
    needs: Kind | None = None


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """The product's code with this bug in it."""
    with ExitStack() as mended:
        for owner, name, make in bug.changes:
            real = owner.__dict__[name]
            mended.callback(setattr, owner, name, real)
            setattr(owner, name, make(real))
        yield


def _instead(other: Callable[..., Any]) -> Callable[[Any], Any]:
    """Put this in the place of a function, with the function as its first argument."""
    return lambda real: lambda *given, **named: other(real, *given, **named)


def _always(value: Any) -> Callable[[Any], Any]:
    """Put a function in the place of one that gives back the same whatever it is asked."""
    return lambda _real: lambda *_given, **_named: value


def _writes_no_intent(real: Any, fact: Any) -> Any:
    return ("intent-noted", {"door": 0}) if type(fact).__name__ == "IntentRecorded" else real(fact)


def _names_no_grant(real: Any, fact: Any) -> Any:
    kind, data = real(fact)
    return (kind, {**data, "grant": "none"}) if kind == "intent-recorded" else (kind, data)


def _unlocks_again(real: Any, self: KeptAgent, *fed: Any) -> Any:
    given, now = fed
    before = dict(self.state.openings)
    done = real(self, given, now)
    if type(given).__name__ == "Woke":
        return (*done, *(Unlock(door, now.monotonic_ms + 10_000) for door in before))
    return done


def _keeps_the_stay(real: Any, draft: Any, *told: Any, evidence: Any) -> None:
    before = draft.state.stays
    real(draft, *told, evidence=evidence)
    draft.put(stays=before, spent={})


def _forgets_entries(real: Any, self: RowLedger, changes: Any) -> Any:
    changes.journal = [row for row in changes.journal if row.seq % 7]
    return real(self, changes)


def _swaps_events(real: Any, self: RowLedger, changes: Any) -> Any:
    rows = changes.events
    if len(rows) > 1 and rows[0].lane == rows[1].lane:
        first, second = rows[0], rows[1]
        rows[0], rows[1] = replace(second, seq=first.seq), replace(first, seq=second.seq)
    return real(self, changes)


def _numbers_twice(real: Any, self: RowLedger, changes: Any) -> Any:
    real(self, changes)
    for log in self.logs.values():
        if len(log) % 10 == 9:
            log[-1] = replace(log[-1], seq=log[-1].seq - 1)


def _believes_forks(real: Any, head: Any, entries: Any, **more: Any) -> Any:
    found = real(head, entries, **more)
    return journal.Accepted((), head) if isinstance(found, journal.Fork) else found


def _takes_all(_real: Any, head: Any, entries: Any) -> Any:
    fresh = tuple(entry for entry in entries if entry.seq > head.seq)
    return journal.Accepted(fresh, journal.head_after(fresh[-1]) if fresh else head)


def _forked_by_news(hello: Any, head: Any) -> tuple[int, int] | None:
    return (head.epoch, head.seq) if hello.last_seq > head.seq > 0 else None


def _has_room(self: CompartmentState) -> bool:
    return self.door_shut and self.parcels < self.compartment.capacity


def _forgets_wrong_codes(real: Any, book: Any, kind: Any) -> Any:
    return replace(real(book, kind), lockouts={})


def _resumes_earlier(_real: Any, hold: stay.Hold, *told: Any) -> stay.Hold:
    why, at = told
    return replace(stay.resumed(hold, why, at), ends_at=at)


def _counts_days_of_24_hours(real: Any, rule: Any, *told: Any) -> Any:
    start, calendar = told
    days = getattr(rule, "days", None)
    return real(rule, start, calendar) if days is None else start + timedelta(days=days)


async def _tells_no_receipt(real: Any, self: Steps, *asked: Any) -> None:
    if asked[0].kind is not NoticeKind.RECEIPT:
        await real(self, *asked)


async def _trips_over_a_receipt(real: Any, self: Steps, *asked: Any) -> None:
    if asked[0].kind is NoticeKind.RECEIPT:
        raise ZeroDivisionError
    await real(self, *asked)


async def _crosses_some_off(real: Any, self: RowLedger, done: Any) -> None:
    await real(self, [row for row in done if row.seq % 31])


def _trips_over_a_scan(_real: Any, _draft: Any, _given: Any) -> None:
    raise ZeroDivisionError


def _unlocks_at_the_next_look(real: Any, self: KeptAgent, *fed: Any) -> Any:
    late = self.__dict__.setdefault("late", [])
    done = real(self, *fed)
    unlocks = [effect for effect in done if isinstance(effect, Unlock)]
    before, late[:] = list(late), unlocks
    return (*before, *(effect for effect in done if not isinstance(effect, Unlock)))


def _asks_the_hub_first(real: Any, state: Any, grant: Any) -> Any:
    return state.online and real(state, grant)


def _reads_no_further(_real: Any, decoder: Any, frame: Any) -> Any:
    return decoder.decode(frame)


def _waits_for_sense(real: Any, buffer: bytes, *, is_silent: bool) -> Any:
    taken = real(buffer, is_silent=is_silent)
    return None if taken == (1, None) else taken


def _remembering() -> tuple[Change, Change]:
    """Grants that were ever on a list stay good."""
    known: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def all_ever(real: Any, state: Any) -> Any:
        known[state.source] |= dict(real(state))
        return iter(known[state.source].items())

    def one_ever(real: Any, state: Any, name: str) -> Any:
        return real(state, name) or known[state.source].get(name)

    return (permissions, "_grants", _instead(all_ever)), (permissions, "grant_of", _instead(one_ever))


_COUNTING_PROMISES: Final = ((custody, "promise_number", lambda _: lambda before, _at: before + 1),)

BUGS: Final = (
    Bug("tells the lock without an intent", watch.FLUSHED, ((keeping, "entry_parts", _instead(_writes_no_intent)),)),
    Bug("tells the lock again after a start", watch.ONCE, ((KeptAgent, "feed", _instead(_unlocks_again)),)),
    Bug(
        "lets a code open twice",
        visits.USED_CODE,
        ((withdrawals, "_taken_out", _instead(_keeps_the_stay)), *_remembering()),
        Kind.CODE_PASSED_ON,
    ),
    Bug(
        "ends a stay twice",
        "2: no single-use credential acts twice",
        ((withdrawals, "_taken_out", _instead(_keeps_the_stay)),),
    ),
    Bug("names promises again after a restore", watch.NAMED_ONCE, _COUNTING_PROMISES, Kind.HUB_RESTORED),
    Bug(
        "gives grants that were spent before a restore",
        "2: no single-use credential acts twice",
        _COUNTING_PROMISES,
        Kind.HUB_RESTORED,
    ),
    Bug("tells the lock late", watch.IN_TIME, ((openings, "DEADLINE_MS", lambda _: 3_600_000),), Kind.BOARD_SLOW),
    Bug(
        "forgets entries it acknowledged",
        "4: hub and bank hold the same entries",
        ((RowLedger, "write", _instead(_forgets_entries)),),
    ),
    Bug(
        "chooses compartments in use",
        visits.FREE_DOOR,
        ((doors, "stays_behind", _always([])), (CompartmentState, "is_free", lambda _: property(lambda _self: True))),
    ),
    Bug("chooses compartments in doubt", watch.SHUT, ((CompartmentState, "is_free", lambda _: property(_has_room)),)),
    Bug(
        "takes entries as they come",
        watch.FOUND,
        ((journal, "_misfit", _always(None)), (journal, "_extend", _instead(_takes_all))),
        Kind.ENTRIES_ALTERED,
    ),
    Bug(
        "forgets wrong codes when the plug is pulled",
        watch.GUESSES,
        ((keeping, "restore", _instead(_forgets_wrong_codes)),),
        Kind.CODES_GUESSED,
    ),
    Bug("tries every code", watch.GUESSES, ((codes, "may_try", _always(Free())),), Kind.CODES_GUESSED),
    Bug(
        "takes lists backwards",
        "10: lists only go forwards",
        ((manifest, "_apply_full", _instead(lambda real, _now, *document: real(None, *document))),),
    ),
    Bug(
        "unlocks at the next look",
        typed.PROMPT,
        ((KeptAgent, "feed", _instead(_unlocks_at_the_next_look)),),
    ),
    Bug(
        "asks the hub before a door",
        typed.PROMPT_ALONE,
        ((permissions, "may_be_used_now", _instead(_asks_the_hub_first)),),
    ),
    Bug(
        "trips over half a frame",
        noise.READERS,
        ((wire_session, "_read", _instead(_reads_no_further)),),
        Kind.LINE_NOISY,
    ),
    Bug(
        "keeps bytes that make no sense",
        noise.READERS,
        ((xor8a_frames, "_take", _instead(_waits_for_sense)),),
        Kind.BUS_NOISY,
    ),
    Bug("remembers codes of earlier lists", watch.REVOKED, _remembering()),
    Bug(
        "lets a round outlive its code",
        watch.IN_FORCE,
        ((permissions, "is_round_permitted", _always(True)),),
        Kind.ROUND_REVOKED,
    ),
    Bug("acts on no permission", watch.IN_FORCE, ((keeping, "entry_parts", _instead(_names_no_grant)),)),
    Bug(
        "believes every code",
        visits.OWN_DOOR,
        ((permissions, "matches", lambda _: lambda _try, live: tuple(live)[:1]),),
    ),
    Bug(
        "believes wrong codes",
        visits.WRONG_CODE,
        ((permissions, "matches", lambda _: lambda _try, live: tuple(live)[:1]),),
    ),
    Bug("drops withdrawals", "custody is never lost", ((adoption, "_taken_out", _always([])),)),
    Bug(
        "gives no room back", "counters are exact", ((world, "with_withdrawal", lambda _: lambda room, *_taken: room),)
    ),
    Bug(
        "lets a hold end earlier",
        "holds only move later",
        ((clocks, "resumed", _instead(_resumes_earlier)), (world, "resumed", _instead(_resumes_earlier))),
    ),
    Bug("counts days of 24 hours", "holds end as agreed", ((custody, "hold_end", _instead(_counts_days_of_24_hours)),)),
    Bug("tells nobody of a receipt", "notices promised are sent", ((Steps, "_tell", _instead(_tells_no_receipt)),)),
    Bug("swaps two events", "versions are in order", ((RowLedger, "write", _instead(_swaps_events)),)),
    Bug("numbers two events alike", "the feed is gapless", ((RowLedger, "write", _instead(_numbers_twice)),)),
    Bug(
        "forgets to cross tasks off",
        "nothing is left to do",
        ((RowLedger, "finish_tasks", _instead(_crosses_some_off)),),
    ),
    Bug("trips over a receipt", NO_BUG_LOGGED, ((Steps, "_tell", _instead(_trips_over_a_receipt)),)),
    Bug("trips over a scan", NOTHING_RAISES, ((agent, "_scanned", _instead(_trips_over_a_scan)),)),
    Bug("takes news for a fork", "forks are real", ((session, "fork_of", lambda _: _forked_by_news),)),
    Bug(
        "tells of no fork",
        "4: hub and bank hold the same entries",
        ((session, "fork_of", _always(None)), (journal, "check_batch", _instead(_believes_forks))),
        Kind.DISK_CLONED,
    ),
)
"""Every planted bug."""
