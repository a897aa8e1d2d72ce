"""What the network's own events tell planning: how long parcels stayed, and how many came to which point.

A parcel that its recipient took is collected; one that a courier or staff took back, or that lies there still, was seen
until then and no longer. Every stay that tells nothing is counted with the reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from restante.core.bank import parts
from restante.core.events import AnyEvent, HoldStarted, ParcelDeposited, ParcelWithdrawn
from restante.core.ids import PointId, StayKey
from restante.core.stay import By
from restante.core.time import Instant
from restante.plan.capacity.dwell import DAY_HOURS, Stays

COLLECTED_BY: Final = frozenset({By.RECIPIENT, By.NOMINEE})
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class History(msgspec.Struct, frozen=True):
    """Stays to learn a dwell from; parcels a day by size that came to each point; what was left out, and why."""

    stays: Stays
    per_day: Mapping[PointId, tuple[float, ...]]
    left_out: Mapping[str, int]


class _Seen(msgspec.Struct):
    """What is known of one stay so far."""

    point: PointId
    size: int
    at: Instant
    noticed: Instant | None = None
    ended: Instant | None = None
    collected: bool = False


def history_of(
    events: Iterable[tuple[Instant, AnyEvent]],
    zones: Mapping[PointId, str],
    *,
    since: Instant,
    until: Instant,
    sizes: int,
) -> History:
    """What events, in any order, tell of the time between two instants; ``zones`` are the IANA zones of points."""
    assert since < until, "some time has passed"
    deposited: dict[StayKey, _Seen] = {}
    others: list[tuple[Instant, HoldStarted | ParcelWithdrawn]] = []
    for at, event in events:
        if isinstance(event, ParcelDeposited):
            deposited[event.stay] = _Seen(event.point, parts(event.room_class)[0], at)
        elif isinstance(event, HoldStarted | ParcelWithdrawn):
            others.append((at, event))
    left_out: Counter[str] = Counter()
    for at, event in others:
        _note(deposited.get(event.stay), at, event, left_out=left_out)
    span = _Span(since, until, sizes, zones)
    reasons = [(seen, _why_not(seen, span)) for seen in deposited.values()]
    left_out.update(reason for _, reason in reasons if reason)
    came = [seen for seen, reason in reasons if reason not in _NOWHERE]
    return History(_stays([seen for seen, reason in reasons if not reason], span), _per_day(came, span), dict(left_out))


class _Span(msgspec.Struct, frozen=True):
    """What is looked at."""

    since: Instant
    until: Instant
    sizes: int
    zones: Mapping[PointId, str]


_NOWHERE: Final = frozenset({"point-unknown", "size-unknown", "outside-span"})
"""Reasons for which a deposit does not even count as one that came."""


def _note(seen: _Seen | None, at: Instant, event: HoldStarted | ParcelWithdrawn, *, left_out: Counter[str]) -> None:
    if seen is None:
        left_out["deposit-unknown"] += 1
    elif isinstance(event, HoldStarted):
        seen.noticed = min(at, seen.noticed or at)
    else:
        seen.ended, seen.collected = at, event.by in COLLECTED_BY


def _why_not(seen: _Seen, span: _Span) -> str:
    """Why a stay tells nothing of how long parcels stay; empty if it does."""
    if seen.point not in span.zones:
        return "point-unknown"
    if seen.size >= span.sizes:
        return "size-unknown"
    if not span.since <= seen.at < span.until:
        return "outside-span"
    if seen.noticed is None or seen.noticed > span.until:
        return "never-noticed"
    return "ended-before-notice" if seen.ended is not None and seen.ended < seen.noticed else ""


def _stays(told: Sequence[_Seen], span: _Span) -> Stays:
    noticed, hours, collected = [], [], []
    for seen in told:
        assert seen.noticed is not None
        local = seen.noticed.astimezone(_zone(span.zones[seen.point]))
        noticed.append(local.weekday() * DAY_HOURS + local.hour)
        is_over = seen.ended is not None and seen.ended <= span.until
        ended = seen.ended if seen.ended is not None and is_over else span.until
        hours.append((ended - seen.noticed) // _HOUR)
        collected.append(seen.collected and is_over)
    return Stays(
        np.array(noticed, dtype=np.int64),
        np.array(hours, dtype=np.int64),
        np.array(collected, dtype=np.bool_),
        np.array([seen.size for seen in told], dtype=np.int64),
    )


def _per_day(came: Sequence[_Seen], span: _Span) -> dict[PointId, tuple[float, ...]]:
    counts: dict[PointId, list[float]] = {}
    for seen in came:
        counts.setdefault(seen.point, [0.0] * span.sizes)[seen.size] += _DAY / (span.until - span.since)
    return {point: tuple(each) for point, each in counts.items()}


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
