"""Instants and the ends of holds, across both daylight-saving changes and in zones with odd ones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.time import (
    Calendar,
    ElapsedHours,
    OpenDays,
    OpenTime,
    believed,
    closing_minute,
    hold_end,
    millis,
    paced,
)
from tests.core.scene import NOW

ZONES = ("Europe/Helsinki", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "UTC")
CHANGES = [
    ("Europe/Helsinki", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Helsinki", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
]
WEEK = tuple(OpenTime(day, 8 * 60, 20 * 60) for day in range(6))


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_elapsed_hours_do_not_feel_the_change(zone: str, change: datetime) -> None:
    """Given a hold of 48 hours across a change of the clock, when it ends, then 48 hours have passed."""
    start = change - timedelta(hours=20)
    assert hold_end(ElapsedHours(48), start, Calendar(zone)) - start == timedelta(hours=48)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize("hours", [(), WEEK])
def test_open_days_end_at_local_closing_time(zone: str, change: datetime, hours: tuple[OpenTime, ...]) -> None:
    """Given a hold of two open days across a change, when it ends, then the local clock shows closing time."""
    end = hold_end(OpenDays(2), change - timedelta(hours=20), Calendar(zone, hours))
    shown = end.astimezone(ZoneInfo(zone))
    assert (shown.hour, shown.minute) == ((20, 0) if hours else (0, 0))
    assert end.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("Europe/Helsinki", date(2026, 10, 24), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("Europe/Helsinki", date(2026, 3, 28), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_closing_time_shown_twice_or_never_is_the_later_one(zone: str, day: date, end: datetime) -> None:
    """Given a point that closes at half past three, when that comes twice or not at all, then nobody loses an hour."""
    late = Calendar(zone, tuple(OpenTime(weekday, 0, 210) for weekday in range(7)))
    start = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    assert hold_end(OpenDays(1), start, late) == end


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 700 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
    st.integers(1, 10),
    st.lists(st.integers(0, 6), unique=True),
)
def test_a_hold_ends_after_so_many_open_days(zone: str, start: datetime, days: int, closed: list[int]) -> None:
    """Given any zone and opening days, when a hold of n open days ends, then n open days have passed."""
    hours = tuple(OpenTime(day, 0, 24 * 60) for day in range(7) if day not in closed)
    calendar = Calendar(zone, hours, (start.date() + timedelta(days=3),))
    end = hold_end(OpenDays(days), start, calendar)
    if len(closed) == 7:
        assert closing_minute(calendar, date(2026, 1, 5)) == 24 * 60
    first, last = (
        start.astimezone(ZoneInfo(zone)).date(),
        (end - timedelta(minutes=90)).astimezone(ZoneInfo(zone)).date(),
    )
    passed = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(closing_minute(calendar, day) is not None for day in passed) == days
    assert end > start


def test_a_point_that_never_opens_ends_a_hold_all_the_same() -> None:
    """Given a point shut on every day to come, when a hold starts, then it ends after 400 days."""
    shut = tuple(NOW.date() + timedelta(days=n) for n in range(401))
    assert hold_end(OpenDays(1), NOW, Calendar("UTC", (), shut)) == NOW + timedelta(days=400)


def test_a_fact_is_not_from_the_future() -> None:
    """Given a clock ten years ahead, when its fact is heard, then it is held to have happened now at the latest."""
    assert believed(NOW + timedelta(days=3650), NOW) == NOW
    assert believed(NOW - timedelta(days=3650), NOW) == NOW - timedelta(days=3650)
    assert millis(NOW) == NOW.timestamp() * 1000


def test_a_demos_day_runs_faster_from_where_it_agreed() -> None:
    """Given a pace of 60, when a minute has passed, then the demo's clock is an hour on."""
    assert paced(NOW, NOW, 60) == NOW
    assert paced(NOW + timedelta(minutes=1), NOW, 60) == NOW + timedelta(hours=1)
