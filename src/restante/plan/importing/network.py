"""The network's own points and events as sites where points stand, demand that they have seen, and how long it stays.

What came to a point is told where the point stands, for the events do not say where people live; who was turned away,
or never asked because it is too far, is in no event. So it is the least of the demand, and a proposal made of it alone
leaves points where they are. A list of where people live is better for everything but how much they are sent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np

from restante.core.bank import Point, PointStatus
from restante.core.ids import PointId
from restante.core.refusals import Refusal
from restante.core.time import Calendar
from restante.plan.capacity.dwell import Stays, kaplan_meier
from restante.plan.importing.history import History
from restante.plan.siting.cells import Cell, Site

WEEK_HOURS: Final = 168.0
FREE: Final[Mapping[PointId, int]] = {}
SEEN: Final = (
    "seen: parcels that came to points, told where the points stand; nobody who was turned away is in it",
    "assumed: step-free and not watched, for no event says so; a point's ground costs nothing unless a cost was given",
)


class Network(msgspec.Struct, frozen=True):
    """What the network knows of itself; ``dwell_days`` is None where no stay has ended by a collection.

    ``left_out`` counts points and stays that tell nothing, by the reason; ``told`` are sentences for a report.
    """

    cells: tuple[Cell, ...]
    sites: tuple[Site, ...]
    dwell_days: float | None
    left_out: Mapping[str, int]
    told: tuple[str, ...] = SEEN


def network_of(
    points: Iterable[Point],
    history: History,
    *,
    district_of: Mapping[PointId, str],
    costs: Mapping[PointId, int] = FREE,
) -> Network | Refusal:
    """Points that stand as sites, and as cells with the parcels a day that came to them.

    A point without a bank or counter, or gone for good, is left out with that reason; what came to one that is not
    given is too. Refused with ``plan-no-demand`` where nothing came to any point.
    """
    known = {point.id: point for point in points}
    left_out = Counter(history.left_out)
    left_out.update(reason for point in known.values() if (reason := _why_not(point)))
    left_out.update("point-not-given" for point in history.per_day if point not in known)
    standing = [point for point in known.values() if not _why_not(point)]
    cells = tuple(
        Cell(point.id, point.latitude, point.longitude, district_of.get(point.id, ""), history.per_day[point.id])
        for point in standing
        if sum(history.per_day.get(point.id, ()))
    )
    if not cells:
        return Refusal("plan-no-demand", "history", f"nothing came to any of {len(standing)} points")
    sites = tuple(_site(point, costs) for point in standing)
    return Network(cells, sites, mean_days(history.stays), dict(left_out))


def mean_days(stays: Stays) -> float | None:
    """How long a parcel stays after its notice, on average, by Kaplan and Meier's estimate up to the longest stay seen.

    Less than the truth where parcels were still there when the time that is looked at ended. A stay of so many whole
    hours counts half an hour more.
    """
    if not stays.collected.any():
        return None
    # The sum counts every hour that was begun, of which the last was half over.
    return (float(np.sum(kaplan_meier(stays))) - 0.5) / 24


def hours_a_week(calendar: Calendar) -> float:
    """Hours a week in which a point is open, holidays not taken out."""
    if not calendar.hours:
        return WEEK_HOURS
    return sum(one.closes - one.opens for one in calendar.hours) / 60


def _why_not(point: Point) -> str:
    if point.status is PointStatus.GONE:
        return "point-gone"
    return "" if point.source is not None else "nothing-stands-there"


def _site(point: Point, costs: Mapping[PointId, int]) -> Site:
    assert point.source is not None, "something stands there"
    return Site(
        point.id,
        point.latitude,
        point.longitude,
        point.host,
        costs.get(point.id, 0),
        max(1, len(point.source.modules)),
        kind=point.source.kind,
        open_hours_per_week=hours_a_week(point.calendar),
        standing=True,
    )
