"""What time a source holds it to be: it runs steadily, never goes back, and listens to the hub."""

from datetime import timedelta

import pytest

from restante.core.time import Instant
from restante.edge.clock import Now, SteadyClock, brought_up, corrected, no_earlier, stamp
from tests.edge.rig import START

HOUR = timedelta(hours=1)
CLOCK = SteadyClock(START, START - HOUR, 3, 1_000)


@pytest.mark.parametrize(
    ("boot", "wall", "monotonic_ms", "at"),
    [
        (3, START + HOUR, 1_500, START + timedelta(milliseconds=500)),
        (3, START - HOUR, 900, START),
        (4, START + HOUR, 7, START + HOUR),
        (4, START - HOUR, 7, START),
    ],
    ids=["the steady clock alone", "never back", "a start later", "a start earlier"],
)
def test_time_goes_on_by_the_steady_clock_and_at_a_start_by_the_later_one(
    boot: int, wall: Instant, monotonic_ms: int, at: Instant
) -> None:
    """Given a reading, when the clock is brought up to it, then by the steady clock, at a start by a later wall."""
    after = brought_up(CLOCK, Now(wall, monotonic_ms, boot))
    assert (after.at, after.hub_named, after.boot) == (at, START - HOUR, boot)
    assert brought_up(after, Now(START, monotonic_ms, boot)) == after, "the same reading again is no time"


def test_time_in_a_demo_runs_faster_than_its_steady_clock() -> None:
    """Given a pace of sixty, when a second passes, then a minute has."""
    assert brought_up(CLOCK, Now(START, 2_000, 3, pace=60.0)).at == START + timedelta(minutes=1)


@pytest.mark.parametrize("offset", [-2 * HOUR, -HOUR, timedelta(), 2 * HOUR])
def test_the_hub_sets_the_clock_either_way_but_not_before_what_it_named(offset: timedelta) -> None:
    """Given a time the hub names, then it is that time, or the one that the hub named before where that is later."""
    after = corrected(CLOCK, START + offset)
    assert after.at == after.hub_named == max(START + offset, START - HOUR)


@pytest.mark.parametrize("offset", [-2 * HOUR, timedelta(minutes=-30), 2 * HOUR])
def test_what_the_hub_signed_moves_the_clock_forward_only(offset: timedelta) -> None:
    """Given a list signed at some time, then it is that time at least, and the hub has named it."""
    after = no_earlier(CLOCK, START + offset)
    assert after.at == max(START, START + offset)
    assert after.hub_named == max(START - HOUR, START + offset)


def test_an_entry_says_when_by_which_clock_and_how_sure() -> None:
    """Given a reading, when an entry is stamped, then with the time held, the steady clock, and what it comes from."""
    told = stamp(CLOCK, Now(START + HOUR, 9_999, 3, "ntp", 20))
    assert (told.boot, told.wall_time, told.monotonic_ms) == (3, START, 1_000)
    assert (told.clock.source, told.clock.uncertainty_ms) == ("ntp", 20)
