"""What must always hold at a bank, whatever people, doors, clocks, lists and power do, in any order."""

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from restante.core.bank import Condition
from restante.core.ids import ParcelId
from restante.edge.boards.steel import Deed, Knobs
from restante.edge.drivers.evidence import NotPulsed
from restante.edge.inputs import Choice, ForkTold, ManifestCame, Outward, SessionEnded, Unlock
from restante.edge.state import Putting, Taking
from restante.wire.manifest import sign
from tests.edge.rig import COURIER, KEY, Rig, collect, deposit, parcel, recall, service

PARCELS = st.integers(1, 4)
DOORS = st.integers(1, 3)
HOLDERS = {1: "a", 2: "a", 3: "b", 4: ""}


def code(number: int) -> str:
    """The code of a parcel."""
    return f"9000000{number}"


def _parcel_of(task: Putting | Taking) -> ParcelId | None:
    return task.parcel if isinstance(task, Putting) else None


class Bank(RuleBasedStateMachine):
    """A bank of three doors and four parcels."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(doors=3)
        self.rig.before_outward = self.watch
        self.granted: set[str] = set()
        self.times = 0
        self.old = [self.rig.manifest()]
        self.rig.open_session()
        self.rig.send(service=service())
        self.granted.add("service")

    def watch(self, effect: Outward) -> None:
        """Invariants 1, 5 and 10, at the moment a lock is told."""
        if not isinstance(effect, Unlock):
            return
        rig, state = self.rig, self.rig.agent.state
        last = rig.facts()[-1]
        assert last.kind == "intent-recorded", "an earlier flushed record of the intent"
        assert last.data["door"] == effect.door
        grant = last.data["grant"]
        assert state.manifest is not None
        assert grant in state.manifest.manifest.grants, "in force for every decision after it"
        assert grant in self.granted
        opening = state.openings[effect.door]
        if not isinstance(opening.task, Putting):
            return
        for_it = [one for one in state.openings.values() if _parcel_of(one.task) == opening.task.parcel]
        assert for_it == [opening], "no other door stands open for this parcel"
        there = [stay for stay in state.stays.values() if stay.door == effect.door]
        assert all(stay.holder == opening.task.holder != "" for stay in there)
        assert state.conditions.get(effect.door, Condition.IN_ORDER) is Condition.IN_ORDER
        assert not state.forked

    @rule(number=PARCELS, kind=st.sampled_from("dcr"))
    def grant(self, number: int, kind: str) -> None:
        """The hub grants something."""
        name = f"{kind}{number}"
        more: dict[str, Any] = {"holder": HOLDERS[number]}
        grants = {"d": deposit(number, **more), "c": collect(number, code(number), **more), "r": recall(number)}
        self.granted.add(name)
        self.rig.send(**{name: grants[kind]})
        self.old.append(self.rig.manifest())

    @rule(number=PARCELS, kind=st.sampled_from("dcr"))
    def revoke(self, number: int, kind: str) -> None:
        """The hub revokes something."""
        self.granted.discard(f"{kind}{number}")
        self.rig.send(f"{kind}{number}")

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """An old manifest comes again."""
        self.rig.feed(ManifestCame(sign(data.draw(st.sampled_from(self.old)), KEY)))

    @rule(number=PARCELS)
    def enter(self, number: int) -> None:
        """Somebody types a parcel's code."""
        self.rig.code(code(number), channel="qr")

    @rule()
    def guess(self) -> None:
        """Somebody guesses."""
        self.rig.code("00000000")

    @rule()
    def open_round(self) -> None:
        """A courier comes."""
        self.rig.code(COURIER, channel="desk")

    @rule(number=PARCELS)
    def scan(self, number: int) -> None:
        """A courier scans."""
        self.rig.scan(number)

    @rule(choice=st.sampled_from(Choice))
    def choose(self, choice: Choice) -> None:
        """Somebody presses something."""
        self.rig.choose(choice)

    @rule(door=DOORS, deeds=st.lists(st.sampled_from(Deed), min_size=1, max_size=3))
    def touch(self, door: int, deeds: list[Deed]) -> None:
        """Somebody is at a door."""
        self.rig.do(door, *deeds)

    @rule(door=DOORS)
    def finish(self, door: int) -> None:
        """Somebody takes what is there, or puts something in, and shuts the door."""
        opening = self.rig.agent.state.openings.get(door)
        putting = opening is not None and isinstance(opening.task, Putting)
        self.rig.do(door, Deed.PUT if putting else Deed.TAKE, Deed.PUSH)

    @rule(blind=st.frozensets(DOORS), powered=st.booleans())
    def trouble(self, blind: frozenset[int], powered: bool) -> None:
        """Sensors fail or come back."""
        self.rig.board = type(self.rig.board)(self.rig.board.locks, Knobs(blind_doors=blind, powered=powered))
        self.rig.look()
        self.rig.look()

    @rule(door=DOORS, rest_ms=st.sampled_from([900, 60_000]), code=st.sampled_from(["lock-cooling", "deadline-passed"]))
    def hammer(self, door: int, rest_ms: int, code: Any) -> None:
        """A lock is pulsed so often, or a bus is so busy, that the next pulse is not sent."""
        self.rig.not_pulsed[door] = NotPulsed(code, rest_ms)

    @rule(seconds=st.sampled_from([1, 61, 700, 86_400]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.rig.tick(seconds=seconds)

    @rule(days=st.sampled_from([-3650, 3650]))
    def jump(self, days: int) -> None:
        """The wall clock jumps."""
        self.rig.wall += timedelta(days=days)

    @rule()
    def crash(self) -> None:
        """Power goes and comes back."""
        before = len(self.rig.pulses)
        self.rig.wake()
        assert len(self.rig.pulses) == before

    @rule(number=PARCELS, choice=st.none() | st.sampled_from(Choice))
    def deliver(self, number: int, choice: Choice | None) -> None:
        """A courier brings a parcel that is not there yet, and perhaps decides otherwise at the door."""
        if any(stay.parcel == parcel(number) for stay in self.rig.agent.state.stays.values()):
            return
        self.times += 1
        names = {f"d{number}.{self.times}": deposit(number, holder=HOLDERS[number])}
        self.granted |= names.keys()
        self.rig.send(**names)
        self.grant(number, "c")
        self.open_round()
        self.rig.scan(number)
        if choice is not None:
            self.rig.choose(choice)
        for door in tuple(self.rig.agent.state.openings):
            self.finish(door)

    @rule(number=PARCELS)
    def fetch(self, number: int) -> None:
        """Somebody takes a parcel out."""
        self.enter(number)
        for door in tuple(self.rig.agent.state.openings):
            self.finish(door)

    @rule(fork=st.booleans())
    def line(self, fork: bool) -> None:
        """The line changes."""
        self.rig.feed(ForkTold() if fork else SessionEnded())
        self.rig.open_session()

    @invariant()
    def single_use(self) -> None:
        """Invariant 2: no parcel is put in twice under one grant, and no stay ends twice."""
        put_in = [entry.data["grant"] for entry in self.rig.facts("parcel-put-in")]
        assert len(put_in) == len(set(put_in))
        ended = [tuple(entry.data["stay"]) for entry in self.rig.facts("parcel-taken-out")]
        assert len(ended) == len(set(ended))

    @invariant()
    def nothing_lies_with_a_stranger(self) -> None:
        """Invariant 5: never two live stays of different collectors in one compartment."""
        behind: dict[int, list[str]] = {}
        for stay in self.rig.agent.state.stays.values():
            behind.setdefault(stay.door, []).append(stay.holder)
        assert all(len(set(holders)) == 1 for holders in behind.values())
        assert all(len(holders) == 1 or holders[0] for holders in behind.values())

    @invariant()
    def pulses_have_intents(self) -> None:
        """Invariant 1: as many flushed intents as pulses."""
        assert len(self.rig.pulses) == len(self.rig.facts("intent-recorded"))

    @invariant()
    def the_book_is_the_state(self) -> None:
        """What a start would find is what the running agent goes by."""
        from restante.edge.keeping import restore

        state, kept = self.rig.agent.state, restore(self.rig.book, self.rig.kind)
        for name in ("stays", "spent", "openings", "conditions", "lockouts", "inherited", "forked", "manifest"):
            assert getattr(state, name) == getattr(kept, name), name


Bank.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBank = Bank.TestCase
