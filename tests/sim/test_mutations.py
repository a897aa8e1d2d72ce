"""Every rule can fail: a bug planted in the product's code is noticed within a few seeds, and by the right rule.

Each plant breaks one rule of the real code where it is kept. A rule that nothing here can break would prove nothing.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from restante.core import adoption, clocks, stay, world
from restante.edge import keeping, permissions
from restante.edge.inputs import Unlock
from restante.edge.keeping import KeptAgent
from restante.hub.fleet import session
from restante.hub.worker.steps import Steps
from restante.sim.faults import Kind
from restante.sim.rows import RowLedger
from restante.sim.run import run
from restante.sim.telling import telling_of
from restante.wire import journal, manifest

# Tracing would double the time; what is planted here says nothing about which lines the real code runs.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SEEDS = range(1, 31)


def breaches(word: str) -> bool:
    """Whether one of a few seeds breaches a rule, in words that hold `word`."""
    return any(word in violation for seed in SEEDS for violation in run(seed).violations)


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put another function in the place of one, with the one as its first argument."""

    def put(owner: Any, name: str, bug: Callable[..., Any]) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, **named: bug(real, *given, **named))

    return put


def test_an_agent_that_tells_the_lock_first_is_caught(plant: Callable[..., None]) -> None:
    """1: a lock that is told before the intent is flushed is told without one."""

    def loses_intents(real: Any, fact: Any) -> Any:
        return ("intent-noted", {"door": 0}) if type(fact).__name__ == "IntentRecorded" else real(fact)

    plant(keeping, "entry_parts", loses_intents)
    assert breaches("no intent was ever written down")


def test_an_agent_that_actuates_twice_is_caught(plant: Callable[..., None]) -> None:
    """2: a door that is unlocked again after a start acts twice on one intent."""

    def again(real: Any, self: KeptAgent, *fed: Any) -> Any:
        given, now = fed
        before = dict(self.state.openings)
        done = real(self, *fed)
        if type(given).__name__ == "Woke":
            return (*done, *(Unlock(door, now.monotonic_ms + 10_000) for door in before))
        return done

    plant(KeptAgent, "feed", again)
    assert breaches("unlocked again on the intent")


def test_a_bank_that_takes_manifests_backwards_is_caught(plant: Callable[..., None]) -> None:
    """10: an old list played again would bring an ended permission back."""
    plant(manifest, "_apply_full", lambda real, current, document, pinned: real(None, document, pinned))
    assert breaches("10: lists only go forwards")


def test_a_bank_that_chooses_taken_compartments_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """5: a compartment in use is never chosen for another's parcel."""
    monkeypatch.setattr("restante.edge.doors.stays_behind", lambda state, door: [])
    monkeypatch.setattr("restante.core.bank.CompartmentState.is_free", property(lambda _state: True))
    assert breaches("was chosen, with")


def test_a_hub_that_forgets_an_entry_it_acknowledged_is_caught(plant: Callable[..., None]) -> None:
    """4: what is acknowledged is kept."""

    def forgets(real: Any, self: RowLedger, changes: Any) -> Any:
        changes.journal = [row for row in changes.journal if row.seq % 7]
        return real(self, changes)

    plant(RowLedger, "write", forgets)
    assert breaches("4: hub and bank hold the same entries")


def test_an_adoption_that_drops_withdrawals_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Custody: a fact that is taken for known already leaves the hub believing what was."""
    monkeypatch.setattr(adoption, "_taken_out", lambda command, taken, world: [])
    assert breaches("custody is never lost")


def test_counters_that_are_not_moved_back_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters: room that is not given back after a withdrawal is counted for ever."""
    monkeypatch.setattr(world, "with_withdrawal", lambda room, door, room_class: room)
    assert breaches("counters are exact")


def test_a_clock_that_runs_while_it_stands_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds: the end shown to a person never moves earlier."""

    def earlier(hold: stay.Hold, why: str, at: Any) -> stay.Hold:
        return msgspec.structs.replace(stay.resumed(hold, why, at), ends_at=at)

    monkeypatch.setattr(clocks, "resumed", earlier)
    monkeypatch.setattr("restante.core.world.resumed", earlier)
    assert breaches("holds only move later")


def test_a_worker_that_crosses_off_what_it_did_not_do_is_caught(plant: Callable[..., None]) -> None:
    """Notices: a promise to tell somebody is kept."""

    async def shrugs(real: Any, self: Steps, *asked: Any) -> None:
        if asked[0].kind.value != "receipt":
            await real(self, *asked)

    plant(Steps, "_tell", shrugs)
    assert breaches("was promised and never sent")


def test_a_log_that_swaps_two_events_of_a_parcel_is_caught(plant: Callable[..., None]) -> None:
    """Order: the events of a parcel stand in its lane as they came to be."""

    def swaps(real: Any, self: RowLedger, changes: Any) -> Any:
        rows = changes.events
        if len(rows) > 1 and rows[0].lane == rows[1].lane:
            first, second = rows[0], rows[1]
            rows[0] = msgspec.structs.replace(second, seq=first.seq)
            rows[1] = msgspec.structs.replace(first, seq=second.seq)
        return real(self, changes)

    plant(RowLedger, "write", swaps)
    assert breaches("versions are in order")


def test_a_code_that_opens_at_any_door_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong hands: a code is compared, not believed."""
    monkeypatch.setattr(permissions, "matches", lambda attempt, live: tuple(live)[:1])
    assert breaches("a wrong code opened") or breaches("opened for person")


def test_a_fork_that_is_not_told_is_caught(plant: Callable[..., None]) -> None:
    """Forks: two disks of one source are not believed by turns."""
    plant(session, "fork_of", lambda real, hello, head: None)
    plant(journal, "check_batch", _believing)
    assert any(run(seed).violations for seed in range(1, 101) if _is_cloned(seed))


def _believing(real: Any, head: Any, entries: Any, **more: Any) -> Any:
    found = real(head, entries, **more)
    return journal.Accepted((), head) if isinstance(found, journal.Fork) else found


def _is_cloned(seed: int) -> bool:
    return any(fault.kind is Kind.DISK_CLONED for fault in telling_of(seed).faults)
