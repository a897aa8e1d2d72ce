"""The network's own points and events as sites, demand and dwell, and what of them tells nothing."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from restante.core.bank import BankModule, Compartment, Point, PointStatus, Source, SourceKind
from restante.core.ids import PointId, SourceId
from restante.core.refusals import Refusal
from restante.core.time import Calendar, ElapsedHours, OpenTime
from restante.plan.capacity.dwell import Stays
from restante.plan.importing.history import History
from restante.plan.importing.network import Network, hours_a_week, mean_days, network_of

HERE, THERE = PointId("here"), PointId("there")
SPAN = datetime(2026, 6, 1, tzinfo=UTC)


def stays(*hours: int, collected: bool = True) -> Stays:
    """Stays of so many whole hours."""
    count = len(hours)
    zero = np.zeros(count, np.int64)
    return Stays(zero, np.array(hours, np.int64), np.full(count, collected), zero)


def bank(name: PointId, *, modules: int = 2, status: PointStatus = PointStatus.OPEN) -> Point:
    """A bank of so many columns, open day and night."""
    built = tuple(BankModule(number, (Compartment(number, 0, 900),)) for number in range(1, modules + 1))
    source = Source(SourceId(f"{name}-bank"), SourceKind.BANK, built)
    calendar, hold = Calendar("UTC"), ElapsedHours(72)
    point = Point(name, name, "locker", "Shop & Co", 60.0, 25.0, "", "", calendar, hold)
    return msgspec.structs.replace(point, status=status, source=source)


def history(**per_day: float) -> History:
    """So many small and half as many large parcels a day by point, and one stay that tells nothing."""
    seen = {PointId(name): (small, small / 2) for name, small in per_day.items()}
    return History(stays(10, 20), seen, {"never-noticed": 1})


def found(*points: Point, told: History) -> Network:
    """What the network knows, which is something."""
    made = network_of(points, told, district_of={HERE: "north"}, costs={HERE: 900})
    assert isinstance(made, Network)
    return made


def test_a_point_is_a_site_and_a_cell() -> None:
    """Two columns, its cost, its district, and the parcels that came to it."""
    made = found(bank(HERE), told=history(here=4.0))
    (cell,), (site,) = made.cells, made.sites
    assert (cell.id, cell.district, cell.parcels_per_day) == ("here", "north", (4.0, 2.0))
    assert (site.id, site.host, site.cost_minor_per_year, site.room_modules) == ("here", "Shop & Co", 900, 2)
    assert site.standing
    assert made.left_out == {"never-noticed": 1}
    assert any("turned away" in sentence for sentence in made.told)


def test_a_point_to_which_nothing_came_stands_all_the_same() -> None:
    """It is a site and no cell; closed for now is not gone."""
    made = found(bank(HERE), bank(THERE, status=PointStatus.CLOSED), told=history(here=4.0))
    assert [site.id for site in made.sites] == ["here", "there"]
    assert [cell.id for cell in made.cells] == ["here"]


def test_what_tells_nothing_is_counted() -> None:
    """Gone for good, nothing standing there, and parcels of a point that was not given."""
    bare = msgspec.structs.replace(bank(PointId("bare")), source=None)
    gone = bank(THERE, status=PointStatus.GONE)
    made = found(bank(HERE), gone, bare, told=history(here=4.0, elsewhere=1.0))
    assert made.left_out == {
        "never-noticed": 1,
        "point-gone": 1,
        "nothing-stands-there": 1,
        "point-not-given": 1,
    }


def test_nothing_came_to_any_point() -> None:
    """There is no demand to plan for."""
    refused = network_of([bank(HERE)], history(), district_of={})
    assert isinstance(refused, Refusal)
    assert refused.code == "plan-no-demand"


def test_mean_days() -> None:
    """Collected after 10 and 20 whole hours: 15 and a half on average. Where nobody came for any, none is known."""
    assert mean_days(stays(10, 20)) == pytest.approx(15.5 / 24)
    assert mean_days(stays(10, 20, collected=False)) is None
    assert found(bank(HERE), told=history(here=1.0)).dwell_days == pytest.approx(15.5 / 24)


def test_hours_a_week() -> None:
    """No hours are all of them; two stretches are their sum."""
    assert hours_a_week(Calendar("UTC")) == 168
    assert hours_a_week(Calendar("UTC", (OpenTime(0, 480, 720), OpenTime(1, 480, 540)))) == 5
