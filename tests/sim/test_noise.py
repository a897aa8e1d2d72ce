"""Noise is never a message, never opens a door that was not asked for, and is never kept by a reader."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.edge.drivers import xor8a_frames
from restante.sim.noise import READERS, Wire, exchange_ms, noise_like
from restante.wire.session import JournalSent, ManifestSent, Ping, encode, read_from_hub, read_from_source

FRAMES = (encode(Ping(7)), encode(JournalSent(1, ("{}",))), encode(ManifestSent("{}", "x", full=True)))


class Judge:
    """Notes what a wire says is wrong, and how often it asked."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.asked = 0

    def breach(self, rule: str, what: str) -> None:
        """Something is wrong."""
        self.said.append((rule, what))

    def ask(self) -> None:
        """A rule is asked."""
        self.asked += 1


def wire_of(seed: int, judge: Judge, *, is_noisy: bool) -> Wire:
    """A bus of a story."""
    wire = Wire(Random(seed), breach=judge.breach, asked=judge.ask)
    wire.is_noisy = is_noisy
    return wire


@given(st.integers(), st.sampled_from(FRAMES))
def test_noise_is_never_a_message(seed: int, frame: str) -> None:
    """Given any noise that looks like a frame, when either end reads it, then it is refused."""
    noise = noise_like(frame, Random(seed))
    for read in (read_from_source, read_from_hub):
        assert isinstance(read(noise), Refusal)


def test_a_quiet_bus_carries_everything() -> None:
    """Given no noise, when a lock is told to open and sensors are read, then each end hears the other."""
    judge = Judge()
    wire = wire_of(1, judge, is_noisy=False)
    assert all(wire.ask_to_open(lock) and wire.answer_opening(lock) for lock in range(1, 51))
    assert wire.tell_all(b"\x05")
    assert (judge.said, judge.asked) == ([], 101)


@given(st.integers())
def test_a_noisy_bus_loses_frames_and_upsets_nobody(seed: int) -> None:
    """Given noise, when frames come over the bus, then readers keep nothing, and a bus that fell silent carries all."""
    judge = Judge()
    wire = wire_of(seed, judge, is_noisy=True)
    for lock in range(1, 20):
        wire.ask_to_open(lock)
        wire.answer_opening(lock)
        wire.tell_all(bytes((lock,)))
    assert judge.said == []
    wire.fall_silent()
    assert wire.ask_to_open(1)


def test_a_reader_that_keeps_what_makes_no_sense_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a reader that waits instead of skipping, when noise comes, then it keeps too much, and that is a breach."""
    judge = Judge()
    real = xor8a_frames._take
    waits = lambda buffer, *, is_silent: None if (took := real(buffer, is_silent=is_silent)) == (1, None) else took  # noqa: E731
    monkeypatch.setattr(xor8a_frames, "_take", waits)
    wire_of(1, judge, is_noisy=False).heard(b"\x01" * 40)
    assert {rule for rule, _ in judge.said} == {READERS}


def test_an_exchange_takes_its_bytes_and_the_silence_after_them() -> None:
    """Given 9600 baud, when a lock is told to open and answers, then ten bytes and the silence take 30 ms."""
    assert exchange_ms(xor8a_frames.OpenOne(1, 1), 5) == 30
