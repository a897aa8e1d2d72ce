"""What the network's own events tell planning: stays, demand, and what tells nothing."""

from datetime import UTC, datetime, timedelta
from random import Random

from restante.core.bank import RoomClass
from restante.core.events import AnyEvent, HoldStarted, ParcelDeposited, ParcelWithdrawn
from restante.core.ids import ParcelId, PointId, SourceId, StayKey
from restante.core.stay import By, Evidence
from restante.plan.capacity.dwell import assumed_dwell, fit_dwell
from restante.plan.importing.history import History, history_of

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
HERE, THERE = PointId("here"), PointId("there")
ZONES = {HERE: "Europe/Helsinki", THERE: "UTC"}
Told = tuple[datetime, AnyEvent]


def at(hours: float) -> datetime:
    """So many hours after Monday's midnight, UTC."""
    return MONDAY + timedelta(hours=hours)


def deposit(number: int, hours: float, *, size: str = "1", point: PointId = HERE) -> Told:
    """A courier put a parcel in."""
    parcel, stay = ParcelId(f"p{number}"), StayKey(SourceId("s"), 1, number)
    return at(hours), ParcelDeposited(parcel, stay, point, 1, RoomClass(size), By.COURIER, Evidence.SENSOR)


def notice(number: int, hours: float) -> Told:
    """Its recipient was told."""
    return at(hours), HoldStarted(ParcelId(f"p{number}"), StayKey(SourceId("s"), 1, number), at(hours + 72))


def withdrawal(number: int, hours: float, by: By = By.RECIPIENT) -> Told:
    """Somebody took it out."""
    stay = StayKey(SourceId("s"), 1, number)
    return at(hours), ParcelWithdrawn(ParcelId(f"p{number}"), stay, HERE, 1, RoomClass("1"), by, Evidence.SENSOR)


def history(*events: Told, until: float = 48) -> History:
    """What they tell, in whatever order they come."""
    shuffled = list(events)
    Random(len(events)).shuffle(shuffled)
    return history_of(shuffled, ZONES, since=MONDAY, until=at(until), sizes=3)


def test_a_collected_parcel() -> None:
    """Noticed at ten by the local clock (UTC + 3), collected five and a half hours later: five whole hours."""
    stays = history(deposit(1, 6), notice(1, 7.2), withdrawal(1, 12.7)).stays
    assert (stays.noticed.tolist(), stays.hours.tolist(), stays.collected.tolist(), stays.size.tolist()) == (
        [10], [5], [True], [1]
    )  # fmt: skip


def test_stays_that_did_not_end_by_collection_are_cut_short() -> None:
    """Taken back by a courier, or lying there still: seen so far, and no more. A nominee collects."""
    stays = history(
        *(deposit(1, 1), notice(1, 2), withdrawal(1, 32, By.COURIER)),
        *(deposit(2, 1), notice(2, 2)),
        *(deposit(3, 1), notice(3, 2), withdrawal(3, 60)),
        *(deposit(4, 1), notice(4, 2), withdrawal(4, 3, By.NOMINEE)),
    ).stays
    assert sorted(zip(stays.hours.tolist(), stays.collected.tolist(), strict=True)) == [
        (1, True), (30, False), (46, False), (46, False)
    ]  # fmt: skip


def test_what_tells_nothing_is_counted() -> None:
    """Each reason once, and those that came for all that still count as demand."""
    found = history(
        deposit(1, 1),
        *(deposit(2, 1), notice(2, 5), withdrawal(2, 4)),
        deposit(3, 1, point=PointId("elsewhere")),
        deposit(4, 1, size="7+cold"),
        deposit(5, -3),
        notice(9, 1),
    )
    assert found.left_out == {
        "never-noticed": 1, "ended-before-notice": 1, "point-unknown": 1, "size-unknown": 1, "outside-span": 1,
        "deposit-unknown": 1,
    }  # fmt: skip
    assert not len(found.stays.hours)
    assert found.per_day == {HERE: (0.0, 1.0, 0.0)}


def test_demand_is_a_day_by_size_and_point() -> None:
    """Six parcels at one point and one at another in two days."""
    events = [deposit(n, n, size=str(n % 2)) for n in range(6)]
    found = history(*events, deposit(7, 1, size="2+cold", point=THERE))
    assert found.per_day == {HERE: (1.5, 1.5, 0.0), THERE: (0.0, 0.0, 0.5)}


def test_a_dwell_is_learnt_from_events() -> None:
    """Given parcels that are mostly collected within an hour, then what is learnt is quicker than what is assumed."""
    events = [told for n in range(200) for told in (deposit(n, n / 10), notice(n, n / 10), withdrawal(n, n / 10 + 0.5))]
    learnt = fit_dwell(history(*events).stays, assumed_dwell(3))
    assert learnt.stays == 200
    assert learnt.age[0] > assumed_dwell(3).age[0] + 1
