"""Instants, opening hours and the end of a hold.

An instant is a UTC ``datetime``. A hold runs for elapsed hours or until the end of the n-th open day of the point, in
the point's own zone; both are right across daylight-saving changes because only the last step leaves UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, assert_never
from zoneinfo import ZoneInfo

import msgspec

Instant = datetime

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MINUTES: Final = 24 * 60
_SEARCH_DAYS: Final = 400


class OpenTime(msgspec.Struct, frozen=True):
    """One stretch of a weekday, in minutes after local midnight; ``closes`` may be 1440."""

    weekday: int
    opens: int
    closes: int


class Calendar(msgspec.Struct, frozen=True):
    """When a point is open: an IANA zone, weekly hours (none at all means day and night), and days it stays shut."""

    zone: str
    hours: tuple[OpenTime, ...] = ()
    shut: tuple[date, ...] = ()


class ElapsedHours(msgspec.Struct, frozen=True, tag="elapsed-hours"):
    """A hold of so many hours by the clock."""

    hold_hours: int


class OpenDays(msgspec.Struct, frozen=True, tag="open-days"):
    """A hold until closing time of the n-th open day after the day it began."""

    days: int


HoldRule = ElapsedHours | OpenDays


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def millis(at: Instant) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def believed(wall_time: Instant, received_at: Instant) -> Instant:
    """When a fact is held to have happened: what its source's clock said, but never later than we heard of it.

    A clock that is behind is believed: no rule gives a person less time because of it, and no rule orders the facts of
    different sources by their clocks alone.
    """
    return min(wall_time, received_at)


def paced(real: Instant, since: Instant, pace: float) -> Instant:
    """The instant of a demo's day that runs ``pace`` times faster than real time and agreed with it at ``since``."""
    return since + (real - since) * pace


def day_of(at: Instant) -> int:
    """The UTC day an instant falls in, counted from 1970: the grain in which room is promised."""
    return (at - EPOCH).days


def closing_minute(calendar: Calendar, day: date) -> int | None:
    """Minutes after midnight at which the point closes for good on ``day``; None when it does not open."""
    if day in calendar.shut:
        return None
    if not calendar.hours:
        return DAY_MINUTES
    return max((span.closes for span in calendar.hours if span.weekday == day.weekday()), default=None)


def hold_end(rule: HoldRule, start: Instant, calendar: Calendar) -> Instant:
    """The instant at which a hold that starts at ``start`` ends under ``rule``."""
    match rule:
        case ElapsedHours(hold_hours):
            return start + timedelta(hours=hold_hours)
        case OpenDays(days):
            return _end_of_open_day(days, start, calendar)
        case _:
            assert_never(rule)


def _end_of_open_day(days: int, start: Instant, calendar: Calendar) -> Instant:
    zone = _zone(calendar.zone)
    day = start.astimezone(zone).date()
    for _ in range(_SEARCH_DAYS):
        day += timedelta(days=1)
        closes = closing_minute(calendar, day)
        if closes is None:
            continue
        days -= 1
        if days <= 0:
            return _local(day, closes, zone)
    return start + timedelta(days=_SEARCH_DAYS)


def _local(day: date, minute: int, zone: ZoneInfo) -> Instant:
    """A local time as an instant: the later one where the clock shows it twice, or jumps over it."""
    day, minute = (day + timedelta(days=1), 0) if minute == DAY_MINUTES else (day, minute)
    clock = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
    return max(clock.astimezone(UTC), clock.replace(fold=1).astimezone(UTC))
