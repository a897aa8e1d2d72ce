"""From pulse and readings to a verdict: what counts as evidence, and when a second pulse is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.edge.drivers.evidence import (
    Answered,
    Concluded,
    Evidence,
    NoChange,
    NotPulsed,
    Opened,
    OpeningRules,
    Pulsing,
    SampleAt,
    Sampled,
    SendPulse,
    Unknown,
    Verdict,
    begin,
    step,
)
from restante.edge.drivers.port import Accepted, Answer, Door, NoAck, Rejected

RULES = OpeningRules()
C, O, U = Door.CLOSED, Door.OPEN, Door.UNKNOWN  # noqa: E741  # one letter a reading keeps the rows readable


def run(readings: list[Door], *, answers: list[Answer], deadline_ms: int = 10_000) -> tuple[Verdict, list[int]]:
    """Play readings (the last one for ever) and answers; return the verdict and when pulses were sent."""
    now_ms, pulses, seen = 0, list[int](), iter(readings)
    reading = C
    state, effects = begin(5, deadline_ms=deadline_ms, now_ms=now_ms)
    while effects:
        (effect,) = effects
        match effect:
            case SendPulse(before_ms=before_ms):
                assert now_ms < before_ms == deadline_ms
                given = Answered(answers[min(len(pulses), len(answers) - 1)])
                pulses.append(now_ms)
                state, effects = step(state, given, now_ms=now_ms, rules=RULES)
            case SampleAt(at_ms):
                now_ms, reading = at_ms, next(seen, reading)
                state, effects = step(state, Sampled(reading), now_ms=now_ms, rules=RULES)
    assert isinstance(state, Concluded)
    return state.verdict, pulses


@pytest.mark.parametrize(
    ("readings", "answer", "verdict", "pulses"),
    [
        pytest.param([O, O], Accepted(), Opened(), 1, id="two agreeing readings are evidence"),
        pytest.param([C, C, O, O], NoAck(), Opened(), 1, id="evidence needs no acknowledgement"),
        pytest.param([O, C, O, C, O, O], Accepted(), Opened(), 1, id="a flickering sensor must agree with itself"),
        pytest.param([C], Accepted(), NoChange(), 3, id="still closed is tried three times in all"),
        pytest.param([C, O, C], Accepted(), Unknown(Evidence.ACK), 1, id="one glimpse of open forbids a retry"),
        pytest.param([U], Accepted(), Unknown(Evidence.ACK), 1, id="no sensor, acknowledged"),
        pytest.param([U], NoAck(), Unknown(Evidence.NONE), 1, id="no sensor, no word"),
        pytest.param([U, C], NoAck(), NoChange(), 3, id="a sensor that came late counts"),
    ],
)
def test_verdicts(readings: list[Door], answer: Answer, verdict: Verdict, pulses: int) -> None:
    """Given an answer and what the sensor then said, the verdict and the number of pulses follow."""
    seen, sent = run(readings, answers=[answer])
    assert (seen, len(sent)) == (verdict, pulses)


def test_no_retry_after_the_deadline() -> None:
    """Given a jammed lock and four seconds, when two watches are over, then there is no third pulse."""
    assert run([C], answers=[Accepted()], deadline_ms=4_000) == (NoChange(), [0, 3_000])


def test_a_rejected_first_pulse_moved_nothing() -> None:
    """Given a driver that rejects, then the verdict says that no pulse was sent."""
    assert run([], answers=[Rejected("bus-closed")])[0] == NotPulsed("bus-closed")
    assert run([], answers=[Rejected("lock-cooling", 9)])[0] == NotPulsed("lock-cooling", 9)


def test_a_rejected_retry_keeps_what_was_seen() -> None:
    """Given a first pulse without effect, when the retry is rejected, then the verdict is the watched one."""
    assert run([C], answers=[Accepted(), Rejected("lock-cooling", 9)])[0] == NoChange()


def test_what_comes_out_of_turn_changes_nothing() -> None:
    """Given any stage, when an input of another stage arrives, then state and effects stay."""
    pulsing = Pulsing(door=5, deadline_ms=9)
    assert step(pulsing, Sampled(O), now_ms=1, rules=RULES) == (pulsing, ())
    watching, _ = step(pulsing, Answered(NoAck()), now_ms=1, rules=RULES)
    assert step(watching, Answered(Accepted()), now_ms=2, rules=RULES) == (watching, ())
    concluded = Concluded(Opened())
    assert step(concluded, Sampled(C), now_ms=3, rules=RULES) == (concluded, ())


def test_nothing_begins_at_its_deadline() -> None:
    """Given a deadline that is now, then nothing is sent."""
    assert begin(5, deadline_ms=7, now_ms=7) == (Concluded(NotPulsed("deadline-passed")), ())


@given(
    st.lists(st.sampled_from(Door), max_size=60),
    st.lists(st.sampled_from([Accepted(), NoAck(), Rejected("bus-full")]), min_size=1, max_size=3),
    st.integers(1, 12_000),
)
def test_every_run_ends_within_its_bounds(readings: list[Door], answers: list[Answer], deadline_ms: int) -> None:
    """For any readings and answers: at most three pulses, none late, and "opened" only after two open readings."""
    verdict, pulses = run(readings, answers=answers, deadline_ms=deadline_ms)
    assert len(pulses) <= 3
    assert all(at_ms < deadline_ms for at_ms in pulses)
    in_a_row = any(pair == (O, O) for pair in zip(readings, [*readings[1:], *readings[-1:]], strict=True))
    assert verdict != Opened() or in_a_row
