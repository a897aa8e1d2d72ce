"""What is watched while a story goes on: every pulse to a lock against what the book had flushed before it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from restante.core.ids import SourceId
from restante.edge.keeping import Keeps
from restante.sim.machine import Machine
from restante.wire.codec import digest
from restante.wire.journal import Entry

FLUSHED: Final = "1: no actuation without a flushed intent"
ONCE: Final = "2: no intent acts twice"
SHUT: Final = "5: no compartment is chosen that is open"
IN_FORCE: Final = "10: a revocation is in force"
_PULSES_PER_INTENT: Final = 2
_PAGE: Final = 100

Generation = tuple[SourceId, int, int]


class Watch:
    """Notes breaches as they happen, and how often each rule was asked."""

    def __init__(self, breach: Callable[[str, str], None]) -> None:
        self.asked: Counter[str] = Counter()
        self._breach = breach
        self._pulses: Counter[tuple[SourceId, int, int]] = Counter()
        self._states: dict[str, frozenset[str]] = {}
        self._grants: dict[Generation, frozenset[str]] = {}
        self._frames: defaultdict[SourceId, list[str]] = defaultdict(list)

    def saw_frame(self, source: SourceId, frame: str) -> None:
        """A frame went down to a source; manifests are remembered, to judge and to play again."""
        if not frame.startswith('{"type":"manifest",'):
            return
        self._frames[source].append(frame)
        sent = msgspec.json.decode(frame)
        document: dict[str, Any] = msgspec.json.decode(sent["document"])
        if sent["full"]:
            name, grants = digest(sent["document"].encode()), frozenset(document["grants"])
        else:
            before = self._states[document["base"]] - set(document.get("revoke", ()))
            name, grants = document["digest"], before | set(document.get("grants", {}))
        self._states[name] = grants
        self._grants[source, document["hub_epoch"], document["generation"]] = grants

    def old_frames(self, source: SourceId) -> Sequence[str]:
        """Manifests that this source was sent before the newest one."""
        return self._frames[source][:-1]

    def saw_pulse(self, machine: Machine, door: int) -> None:
        """A lock is told to open: a flushed intent of this start must stand for it, on a grant in force, used once."""
        self.asked[FLUSHED] += 1
        intent = next((entry for entry in newest_first(machine.book) if _is_intent(entry, door)), None)
        if intent is None:
            self._breach(FLUSHED, f"door {door} of {machine.source} is unlocked, and no intent was ever written down")
            return
        key = (machine.source, intent.log_epoch, intent.seq)
        self._pulses[key] += 1
        self.asked[ONCE] += 1
        if self._pulses[key] > _PULSES_PER_INTENT or intent.boot != machine.boot:
            self._breach(ONCE, f"door {door} of {machine.source} is unlocked again on the intent of entry {intent.seq}")
        if self._pulses[key] == 1:
            self._judge_grant(machine, intent)
            self._judge_door(machine, intent, door)

    def _judge_grant(self, machine: Machine, intent: Entry) -> None:
        self.asked[IN_FORCE] += 1
        applied = next(
            (e for e in newest_first(machine.book) if e.kind == "manifest-applied" and _order(e) < _order(intent)), None
        )
        grants = frozenset[str]()
        if applied is not None:
            key = (machine.source, int(applied.data["hub_epoch"]), int(applied.data["generation"]))
            grants = self._grants.get(key, frozenset())
        if intent.data["grant"] not in grants:
            self._breach(
                IN_FORCE, f"{machine.source} acts on {intent.data['grant']}, which is not on the list in force"
            )

    def _judge_door(self, machine: Machine, intent: Entry, door: int) -> None:
        self.asked[SHUT] += 1
        if intent.data["action"] == "deposit" and machine.steel.is_open(door):
            self._breach(SHUT, f"door {door} of {machine.source} was chosen for a deposit while it stands open")


def newest_first(book: Keeps) -> Iterator[Entry]:
    """The entries of the log now written, newest first."""
    end = book.head.seq
    while end > 0:
        start = max(1, end - _PAGE + 1)
        yield from reversed(book.entries_from(start, end - start + 1))
        end = start - 1


def _is_intent(entry: Entry, door: int) -> bool:
    return entry.kind == "intent-recorded" and entry.data["door"] == door


def _order(entry: Entry) -> tuple[int, int]:
    return entry.log_epoch, entry.seq
