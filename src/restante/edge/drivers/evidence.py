"""What a door did: from an unlock and the readings after it to a verdict that may be journalled.

    Pulsing --answered--> Watching --sampled--> … --> Concluded(verdict)
       ^                     |
       └──── still closed ───┘      (at most `retries` times, never after the deadline)

A retry is not free: the door may have sprung open and been pushed shut again, with somebody's parcel behind it. So one
reading of "open" after a pulse forbids another pulse, and two agreeing readings are the least that counts as evidence.
Pure steps `(state, input, now_ms) -> (state, effects)`: the bank runs them over a bus, the simulation in virtual time.
"""

from enum import StrEnum
from typing import Annotated, Literal, assert_never

from msgspec import Meta, Struct

from restante.edge.drivers.port import Accepted, Answer, Door, NoAck, Rejected, RejectedCode

AGREEING_SAMPLES = 2


class OpeningRules(Struct, frozen=True, kw_only=True):
    """When to look, how long to look, how often to try again."""

    settle_ms: Annotated[int, Meta(ge=25)] = 150
    sample_gap_ms: Annotated[int, Meta(ge=25)] = 200
    watch_ms: Annotated[int, Meta(ge=1_000)] = 3_000
    retries: Annotated[int, Meta(ge=0, le=2)] = 2


class Evidence(StrEnum):
    """What a verdict rests on."""

    SENSOR = "sensor"
    ACK = "ack"
    NONE = "none"


class Opened(Struct, frozen=True):
    """Two agreeing readings saw the door open."""

    evidence: Literal[Evidence.SENSOR] = Evidence.SENSOR


class NoChange(Struct, frozen=True):
    """Pulsed, and every reading still says closed: the lock is jammed or something holds the door."""

    alarm: Literal["lock.jammed_or_obstructed"] = "lock.jammed_or_obstructed"


class Unknown(Struct, frozen=True):
    """Pulsed, and the readings are missing or disagree; `evidence` says whether at least the board acknowledged."""

    evidence: Literal[Evidence.ACK, Evidence.NONE]


class NotPulsed(Struct, frozen=True):
    """No pulse was ever sent, so nothing can have moved because of us; see `Rejected`."""

    code: RejectedCode
    retry_after_ms: int = 0


Verdict = Opened | NoChange | Unknown | NotPulsed


class Pulsing(Struct, frozen=True, kw_only=True):
    """A pulse was asked for and its answer is due; `tried` pulses went before it."""

    door: int
    deadline_ms: int
    tried: int = 0


class Watching(Struct, frozen=True, kw_only=True):
    """The pulse is over; `seen` are the readings since, bounded by `watch_ms / sample_gap_ms`."""

    pulsing: Pulsing
    answer: Accepted | NoAck
    ends_at_ms: int
    seen: tuple[Door, ...] = ()


class Concluded(Struct, frozen=True):
    """Nothing more will be done or looked at."""

    verdict: Verdict


Opening = Pulsing | Watching | Concluded


class Answered(Struct, frozen=True):
    """The driver's answer to `SendPulse`."""

    answer: Answer


class Sampled(Struct, frozen=True):
    """The driver's answer to `SampleAt`, for this one door."""

    door: Door


class SendPulse(Struct, frozen=True):
    """Unlock `door`, but not after `before_ms`."""

    door: int
    before_ms: int


class SampleAt(Struct, frozen=True):
    """Read the doors at `at_ms` or as soon after as the bus allows."""

    at_ms: int


Effect = SendPulse | SampleAt
Step = tuple[Opening, tuple[Effect, ...]]


def begin(door: int, *, deadline_ms: int, now_ms: int) -> Step:
    """Start opening `door`; the permission and the flushed record of the intent come before this."""
    if now_ms >= deadline_ms:
        return Concluded(NotPulsed("deadline-passed")), ()
    return _pulse(Pulsing(door=door, deadline_ms=deadline_ms))


def step(state: Opening, given: Answered | Sampled, *, now_ms: int, rules: OpeningRules) -> Step:
    """Take one answer or one reading; what does not belong to the present stage changes nothing."""
    match state, given:
        case Pulsing(), Answered(Rejected(code, retry_after_ms)):
            # Rejected on a retry: the earlier pulse was watched and the door stood still.
            return Concluded(NoChange() if state.tried else NotPulsed(code, retry_after_ms)), ()
        case Pulsing(), Answered(Accepted() | NoAck() as answer):
            watching = Watching(pulsing=state, answer=answer, ends_at_ms=now_ms + rules.watch_ms)
            return watching, (SampleAt(now_ms + rules.settle_ms),)
        case Watching(), Sampled(door):
            return _look(state, door, now_ms=now_ms, rules=rules)
        case (Pulsing(), Sampled()) | (Watching(), Answered()) | (Concluded(), _):
            return state, ()
        case _:
            raise AssertionError((state, given))


def _look(state: Watching, door: Door, *, now_ms: int, rules: OpeningRules) -> Step:
    seen = (*state.seen, door)
    watching = Watching(pulsing=state.pulsing, answer=state.answer, ends_at_ms=state.ends_at_ms, seen=seen)
    if _agree(seen, Door.OPEN):
        return Concluded(Opened()), ()
    if now_ms < state.ends_at_ms:
        return watching, (SampleAt(min(now_ms + rules.sample_gap_ms, state.ends_at_ms)),)
    if not _agree(seen, Door.CLOSED) or Door.OPEN in seen:
        return Concluded(Unknown(_weak_evidence(state.answer))), ()
    pulsing = state.pulsing
    if pulsing.tried < rules.retries and now_ms < pulsing.deadline_ms:
        return _pulse(Pulsing(door=pulsing.door, deadline_ms=pulsing.deadline_ms, tried=pulsing.tried + 1))
    return Concluded(NoChange()), ()


def _pulse(pulsing: Pulsing) -> Step:
    return pulsing, (SendPulse(pulsing.door, pulsing.deadline_ms),)


def _agree(seen: tuple[Door, ...], door: Door) -> bool:
    return seen[-AGREEING_SAMPLES:] == (door,) * AGREEING_SAMPLES


def _weak_evidence(answer: Accepted | NoAck) -> Literal[Evidence.ACK, Evidence.NONE]:
    match answer:
        case Accepted():
            return Evidence.ACK
        case NoAck():
            return Evidence.NONE
        case _:
            assert_never(answer)
