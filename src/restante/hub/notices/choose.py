"""What to do next about one notice: try a channel, wait, go to the next channel, or open a case. Pure.

A channel that bounces for good is never tried again for this notice. A mailbox that is full or slow is tried a few
times, further and further apart. When our own way out is blocked, no channel is to blame: the same one is tried until
it has lasted so long that a person should know.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, assert_never

import msgspec

from restante.hub.notices.outcome import Bounced, HandedOver, Outcome, Unreachable


class Tried(msgspec.Struct, frozen=True):
    """One attempt on the channel with this id, and what came of it."""

    channel: str
    outcome: Outcome


class Patience(msgspec.Struct, frozen=True):
    """How often and how far apart: the n-th wait is ``first_wait_seconds`` · 2ⁿ⁻¹, at most ``longest_wait_seconds``."""

    tries_per_channel: int = 4
    first_wait_seconds: float = 30.0
    longest_wait_seconds: float = 3600.0
    blocked_case_seconds: float = 4 * 3600.0


class Told(msgspec.Struct, frozen=True):
    """The person has been told: nothing is left to do. The hold counts from ``at``."""

    channel: str
    at: datetime


class TryChannel(msgspec.Struct, frozen=True):
    """Send on ``channel``, not before ``at``."""

    channel: str
    at: datetime


class OpenCase(msgspec.Struct, frozen=True):
    """Nobody can be told by machine; a person must find another way. ``retry`` goes on trying meanwhile, if any."""

    reason: Literal["no-channel", "every-channel-bounced", "mail-blocked"]
    retry: TryChannel | None = None


NextStep = Told | TryChannel | OpenCase


def choose(
    channels: Sequence[str], history: Sequence[Tried], *, now: datetime, chance: float, patience: Patience
) -> NextStep:
    """Choose the next step from the channels in order of preference and the attempts so far, oldest first.

    ``chance`` is a number from 0 up to 1 drawn by the caller; it spreads retries over the second half of each wait.
    """
    told = next((tried for tried in history if isinstance(tried.outcome, HandedOver)), None)
    if told is not None:
        return Told(told.channel, told.outcome.at)
    if not channels:
        return OpenCase("no-channel")
    for channel in channels:
        outcomes = [tried.outcome for tried in history if tried.channel == channel]
        if not _is_spent(outcomes, patience):
            return _next_on(channel, outcomes, now=now, chance=chance, patience=patience)
    return OpenCase("every-channel-bounced")


def retry_wait(failures: int, *, chance: float, patience: Patience) -> timedelta:
    """The wait after so many failures in a row: doubled each time, capped, and between half of it and all of it."""
    assert failures >= 1
    assert 0 <= chance < 1
    # An exponent beyond this changes nothing under any cap, and keeps the power a finite number.
    whole = min(patience.first_wait_seconds * 2.0 ** min(failures - 1, 60), patience.longest_wait_seconds)
    return timedelta(seconds=whole * (0.5 + chance / 2))


def _next_on(
    channel: str, outcomes: Sequence[Outcome], *, now: datetime, chance: float, patience: Patience
) -> TryChannel | OpenCase:
    if not outcomes:
        return TryChannel(channel, now)
    at = outcomes[-1].at + retry_wait(len(outcomes), chance=chance, patience=patience)
    retry = TryChannel(channel, max(at, now))
    blocked = _blocked_since(outcomes)
    if blocked is not None and (now - blocked).total_seconds() >= patience.blocked_case_seconds:
        return OpenCase("mail-blocked", retry)
    return retry


def _is_spent(outcomes: Iterable[Outcome], patience: Patience) -> bool:
    """True when the channel bounced for good, or bounced softly as often as patience allows."""
    bounces = [outcome for outcome in outcomes if isinstance(outcome, Bounced)]
    return any(bounce.permanent for bounce in bounces) or len(bounces) >= patience.tries_per_channel


def _blocked_since(outcomes: Sequence[Outcome]) -> datetime | None:
    """When the run of faults that the attempts end with began; None when the last attempt got an answer.

    A fault that trying again cannot cure counts as if it had lasted for ever: only a person can act on it.
    """
    since: datetime | None = None
    for outcome in reversed(outcomes):
        match outcome:
            case Unreachable(at, fault):
                since = at if fault.retryable else datetime.min.replace(tzinfo=at.tzinfo)
            case Bounced() | HandedOver():
                break
            case _:
                assert_never(outcome)
    return since
