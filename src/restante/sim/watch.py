"""What is watched while a story goes on: every pulse to a lock against what the book had flushed before it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from restante.core.bank import Condition
from restante.core.ids import SourceId
from restante.edge.keeping import Keeps
from restante.sim.altering import Altered
from restante.sim.clock import DAY_MS, HOUR_MS, Clock
from restante.sim.machine import Machine
from restante.sim.noise import READERS
from restante.wire.codec import digest
from restante.wire.journal import Entry

FLUSHED: Final = "1: no actuation without a flushed intent"
ONCE: Final = "2: no intent acts twice"
NAMED_ONCE: Final = "2: the name of a grant stands for one promise"
IN_TIME: Final = "3: no actuation after its deadline"
SHUT: Final = "5: no compartment is chosen that is open or in doubt"
IN_FORCE: Final = "10: a revocation is in force"
REVOKED: Final = "10: a revoked code opens nothing"
FOUND: Final = "6: an altered entry is found"
GUESSES: Final = "8: guesses stay within policy"
DEADLINE_MS: Final = 10_000
"""How long after its intent a lock may still be told, by the protocol."""
_MOST_GUESSES: Final = {HOUR_MS: 20, DAY_MS: 100}
"""How many wrong codes a channel may take in any such time, by the protocol."""
_PULSES_PER_INTENT: Final = 2
_PAGE: Final = 100

Generation = tuple[SourceId, int, int]
Grants = Mapping[str, dict[str, Any]]


class Watch:
    """Notes breaches as they happen, and how often each rule was asked."""

    def __init__(
        self,
        clock: Clock,
        breach: Callable[[str, str], None],
        *,
        held: Callable[[Entry], bool],
        known: Callable[[SourceId], object],
    ) -> None:
        self.asked: Counter[str] = Counter()
        self._clock = clock
        self.breach = breach
        self.rounds: dict[SourceId, str] = {}
        self._held = held
        self._known = known
        self._pulses: Counter[tuple[SourceId, int, int]] = Counter()
        self._states: dict[str, Grants] = {}
        self._grants: dict[Generation, Grants] = {}
        self._promises: dict[str, Sequence[Any]] = {}
        self._listed: defaultdict[SourceId, set[str]] = defaultdict(set)
        self._frames: defaultdict[SourceId, list[str]] = defaultdict(list)
        self._guesses: defaultdict[SourceId, list[int]] = defaultdict(list)
        self._altered: dict[SourceId, dict[int, Altered]] = {}

    def saw_frame(self, source: SourceId, frame: str) -> None:
        """A frame went down to a source; manifests are remembered, to judge and to play again."""
        if self._altered.get(source):
            self._judge_answer(source, frame)
        if not frame.startswith('{"type":"manifest",'):
            return
        self._frames[source].append(frame)
        sent = msgspec.json.decode(frame)
        document: dict[str, Any] = msgspec.json.decode(sent["document"])
        self._judge_names(source, document.get("grants", {}))
        if sent["full"]:
            name, grants = digest(sent["document"].encode()), document["grants"]
        else:
            revoked = set(document.get("revoke", ()))
            before = {key: grant for key, grant in self._states[document["base"]].items() if key not in revoked}
            name, grants = document["digest"], before | document.get("grants", {})
        self._states[name] = grants
        self._grants[source, document["hub_epoch"], document["generation"]] = grants

    def _judge_names(self, source: SourceId, grants: Grants) -> None:
        """A name that stood for one promise stands for no other, there or elsewhere, whatever the hub has forgotten."""
        for name, grant in grants.items():
            if grant["kind"] != "deposit":
                continue
            self.asked[NAMED_ONCE] += 1
            promise = (source, grant["not_before"], grant["expires_at"], grant["room_class"])
            if self._promises.setdefault(name, promise) != promise:
                self.breach(NAMED_ONCE, f"{name} stands for another promise on a list of {source}")

    def list_in_force(self, machine: Machine, *, before: Entry | None = None) -> Grants:
        """The grants of the list that a book says is in force, or was when it wrote an entry down."""
        entries = (e for e in newest_first(machine.book) if e.kind == "manifest-applied")
        applied = next((e for e in entries if before is None or _order(e) < _order(before)), None)
        if applied is None:
            return {}
        key = (machine.source, int(applied.data["hub_epoch"]), int(applied.data["generation"]))
        grants = self._grants.get(key, {})
        self._listed[machine.source] |= {grant["verifier"] for grant in grants.values() if "verifier" in grant}
        return grants

    def was_listed(self, source: SourceId, verifier: str) -> bool:
        """Whether a code was ever on a list that was in force there when something was asked."""
        return verifier in self._listed[source]

    def old_frames(self, source: SourceId) -> Sequence[str]:
        """Manifests that this source was sent before the newest one."""
        return self._frames[source][:-1]

    def saw_line(self, source: SourceId) -> None:
        """A source has a new line: what was answered on the old one counts no more."""
        self._altered[source] = {}

    def saw_altered(self, source: SourceId, altered: Altered) -> None:
        """A batch is not what its source wrote; the hub must not take what is wrong in it."""
        self._altered[source][altered.number] = altered

    def saw_bus(self) -> None:
        """Something came over a bus and was read."""
        self.asked[READERS] += 1

    def _judge_answer(self, source: SourceId, frame: str) -> None:
        """Entries that were altered are refused, unless the hub has them as they were written from another sending."""
        if not frame.startswith(('{"type":"ack"', '{"type":"nack"')):
            return
        answer: dict[str, Any] = msgspec.json.decode(frame)
        altered = self._altered[source].pop(answer["number"], None)
        if altered is None:
            return
        self.asked[FOUND] += 1
        if answer["type"] == "ack" and (answer["epoch"], answer["seq"]) >= _order(altered.first):
            self._clock.after(0, lambda: self._judge_taken(altered))

    def _judge_taken(self, altered: Altered) -> None:
        if not self._held(altered.first):
            self.breach(FOUND, f"entry {altered.first.seq} of {altered.first.source} was {altered.how}, and taken")

    def saw_noise(self, source: SourceId, arrives: Callable[[], None]) -> None:
        """Something that is no message comes to a reader: it takes nothing of it, and nothing is raised."""
        self.asked[READERS] += 1
        before = self._known(source)
        try:
            arrives()
        except Exception as upset:  # noqa: BLE001 - whatever it is, it should have been a refusal
            self.breach(READERS, f"a reader at the line of {source} raises {type(upset).__name__}")
        if self._known(source) != before:
            self.breach(READERS, f"noise on the line of {source} was taken for an entry")

    def new_controller(self, source: SourceId) -> None:
        """Another machine stands there, which has seen no guess; nobody changes one for another to go on guessing."""
        self._guesses[source].clear()

    def saw_guess(self, source: SourceId) -> None:
        """A source looked at a wrong code and said so."""
        self.asked[GUESSES] += 1
        guesses, now_ms = self._guesses[source], self._clock.now_ms
        guesses.append(now_ms)
        for span_ms, most in _MOST_GUESSES.items():
            if len(guesses) > most and guesses[-most - 1] > now_ms - span_ms:
                self.breach(GUESSES, f"{source} has looked at more than {most} codes in {span_ms // HOUR_MS} hours")

    def saw_pulse(self, machine: Machine, door: int) -> None:
        """A lock is told to open: a flushed intent of this start must stand for it, on a grant in force, used once."""
        self.asked[FLUSHED] += 1
        intent = next((entry for entry in newest_first(machine.book) if _is_intent(entry, door)), None)
        if intent is None:
            self.breach(FLUSHED, f"door {door} of {machine.source} is unlocked, and no intent was ever written down")
            return
        key = (machine.source, intent.log_epoch, intent.seq)
        self._pulses[key] += 1
        self.asked[ONCE] += 1
        if self._pulses[key] > _PULSES_PER_INTENT or intent.boot != machine.boot:
            self.breach(ONCE, f"door {door} of {machine.source} is unlocked again on the intent of entry {intent.seq}")
        self.asked[IN_TIME] += 1
        if machine.steady_ms() - intent.monotonic_ms > DEADLINE_MS:
            self.breach(IN_TIME, f"door {door} of {machine.source} is unlocked long after entry {intent.seq}")
        if self._pulses[key] == 1:
            self._judge_grant(machine, intent)
            self._judge_door(machine, intent, door)

    def _judge_grant(self, machine: Machine, intent: Entry) -> None:
        """The grant of an intent is on the list in force, and so is the code of the round in which a courier acts."""
        self.asked[IN_FORCE] += 1
        grants, name = self.list_in_force(machine, before=intent), intent.data["grant"]
        if name not in grants:
            self.breach(IN_FORCE, f"{machine.source} acts on {name}, which is not on the list in force")
            return
        code = self.rounds.get(machine.source)
        if code is None or grants[name]["kind"] not in {"deposit", "recall"} or "verifier" in grants[name]:
            return
        self.asked[IN_FORCE] += 1
        if not any(grant["kind"] == "service" and grant["verifier"] == code for grant in grants.values()):
            self.breach(IN_FORCE, f"{machine.source} acts in a round whose code is not on the list in force")

    def _judge_door(self, machine: Machine, intent: Entry, door: int) -> None:
        if intent.data["action"] != "deposit":
            return
        self.asked[SHUT] += 1
        seen = (one for one in newest_first(machine.book) if one.kind == "condition-seen" and one.data["door"] == door)
        condition = next((one.data["condition"] for one in seen), Condition.IN_ORDER)
        if condition != Condition.IN_ORDER:
            self.breach(SHUT, f"door {door} of {machine.source} was chosen for a deposit, and is {condition}")
        if machine.steel.is_open(door):
            self.breach(SHUT, f"door {door} of {machine.source} was chosen for a deposit while it stands open")


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
