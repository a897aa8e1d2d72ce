"""After every outcome it is plain what comes next: another try, another channel, a case, or nothing."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.hub.notices.choose import NextStep, OpenCase, Patience, Told, Tried, TryChannel, choose, retry_wait
from restante.hub.notices.outcome import Bounced, HandedOver, MailRefusesUs, MailUnreachable, Outcome, Unreachable
from tests.hub.notices.samples import NOW

PATIENCE = Patience(
    tries_per_channel=3, first_wait_seconds=60, longest_wait_seconds=600, blocked_case_seconds=3600
)  # fmt: skip
TAKEN = HandedOver(NOW, "<n-1@pohjola.example>")
GONE = Bounced(NOW, 550, permanent=True)
BUSY = Bounced(NOW, 451, permanent=False)
BLOCKED = Unreachable(NOW, MailUnreachable())
REFUSED = Unreachable(NOW, MailRefusesUs())
CHANNELS = ("email-1", "email-2")


def after(*history: tuple[str, Outcome], channels: tuple[str, ...] = CHANNELS) -> NextStep:
    """What to do next after these attempts, with the longest wait that chance can give."""
    tried = [Tried(channel, outcome) for channel, outcome in history]
    return choose(channels, tried, now=NOW, chance=0.0, patience=PATIENCE)


def test_the_first_channel_is_tried_at_once() -> None:
    """Given no attempt yet, then the first channel is tried now."""
    assert after() == TryChannel("email-1", NOW)


def test_one_who_is_told_is_told() -> None:
    """Given a mail handed over on any channel, then nothing more is to do, whatever else failed."""
    assert after(("email-1", GONE), ("email-2", TAKEN), ("email-1", BUSY)) == Told("email-2", NOW)


def test_a_bounce_for_good_goes_to_the_next_channel_at_once() -> None:
    """Given a mailbox that does not exist, then the next channel is tried now."""
    assert after(("email-1", GONE)) == TryChannel("email-2", NOW)


def test_when_every_channel_bounced_a_person_must_act() -> None:
    """Given no channel left, then a case is opened."""
    assert after(("email-1", GONE), ("email-2", GONE)) == OpenCase("every-channel-bounced")


def test_somebody_without_a_channel_is_a_case() -> None:
    """Given nothing to write to, then a case is opened."""
    assert after(channels=()) == OpenCase("no-channel")


def test_a_busy_mailbox_is_tried_again_further_and_further_apart() -> None:
    """Given a mailbox that is busy, then it is tried again after a doubled wait, and given up after three times."""
    assert after(("email-1", BUSY)) == TryChannel("email-1", NOW + timedelta(seconds=30))
    assert after(("email-1", BUSY), ("email-1", BUSY)) == TryChannel("email-1", NOW + timedelta(seconds=60))
    assert after(*[("email-1", BUSY)] * 3) == TryChannel("email-2", NOW)


def test_our_own_blocked_way_out_blames_no_channel() -> None:
    """Given a mail server out of reach many times, then the same channel is tried again, and no other."""
    assert after(*[("email-1", BLOCKED)] * 9) == TryChannel("email-1", NOW + timedelta(seconds=300))


@pytest.mark.parametrize("minutes", [59, 60])
def test_a_way_out_blocked_for_long_is_a_case(minutes: int) -> None:
    """Given faults that last as long as a person should know, then a case is opened, and trying goes on."""
    tried = [Tried("email-1", BUSY), Tried("email-1", BLOCKED), Tried("email-1", BLOCKED)]
    step = choose(CHANNELS, tried, now=NOW + timedelta(minutes=minutes), chance=0.0, patience=PATIENCE)
    retry = TryChannel("email-1", NOW + timedelta(minutes=minutes))
    assert step == (OpenCase("mail-blocked", retry) if minutes == 60 else retry)


def test_a_fault_that_no_retry_cures_is_a_case_at_once() -> None:
    """Given a mail server that refuses the hub, then a person is told at once, and trying goes on."""
    retry = TryChannel("email-1", NOW + timedelta(seconds=30))
    assert after(("email-1", REFUSED)) == OpenCase("mail-blocked", retry)


def test_an_answer_ends_the_blockade() -> None:
    """Given faults and then a busy mailbox, then the way out is open again and no case is due."""
    tried = [Tried("email-1", REFUSED), Tried("email-1", BUSY)]
    step = choose(CHANNELS, tried, now=NOW + timedelta(days=1), chance=0.0, patience=PATIENCE)
    assert step == TryChannel("email-1", NOW + timedelta(days=1))


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_bounded_and_spread(failures: int, chance: float) -> None:
    """Given any number of failures, then the wait lies between half and all of the doubled, capped one."""
    wait = retry_wait(failures, chance=chance, patience=PATIENCE).total_seconds()
    whole = min(60 * 2 ** (failures - 1), 600)
    assert whole / 2 <= wait <= whole


OUTCOMES = st.sampled_from([GONE, BUSY, BLOCKED, REFUSED])


@given(st.lists(st.tuples(st.sampled_from(CHANNELS), OUTCOMES), max_size=12), st.floats(0, 1, exclude_max=True))
def test_nobody_is_forgotten(history: list[tuple[str, Outcome]], chance: float) -> None:
    """Given any failures, then there is a next try that is not in the past and on a living channel, or a case."""
    step = choose(CHANNELS, [Tried(*attempt) for attempt in history], now=NOW, chance=chance, patience=PATIENCE)
    dead = {channel for channel, outcome in history if outcome is GONE}
    match step:
        case TryChannel(channel, at) | OpenCase(_, TryChannel(channel, at)):
            assert channel not in dead
            assert at >= NOW
        case OpenCase(reason):
            assert reason == "every-channel-bounced"
        case Told():
            pytest.fail("nobody was told")


@given(st.lists(OUTCOMES, max_size=0) | st.lists(st.sampled_from([GONE, BUSY]), min_size=6, max_size=6))
def test_trying_ends(outcomes: list[Outcome]) -> None:
    """Given a world that answers but never takes a mail, then after a bounded number of tries a case is opened."""
    history: list[Tried] = []
    for outcome in [*outcomes, *[BUSY] * 6]:
        step = choose(CHANNELS, history, now=NOW, chance=0.5, patience=PATIENCE)
        if isinstance(step, TryChannel):
            history.append(Tried(step.channel, outcome))
    assert choose(CHANNELS, history, now=NOW, chance=0.5, patience=PATIENCE) == OpenCase("every-channel-bounced")
    assert len(history) <= 6
