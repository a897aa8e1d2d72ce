"""A drawn day with two vans out, one of which reloads and rests, for the tests of reports."""

from restante.plan.reporting.tours import Address, Routed
from restante.plan.routing.day import Break, Day, Van
from restante.plan.routing.driving import Entry, driven
from restante.plan.routing.proposal import Choice
from restante.plan.routing.routes import FIRST_BREAK, RELOAD
from tests.plan.routing.days import HOUR, a_day


def told(*, served: int = 10) -> Routed:
    """Twelve parcels, of which the first so many are in tours, each by its first option; six vans."""
    day = with_a_rest(a_day(seed=4, requests=12, vans=6, plain=True))
    choices: list[Entry] = [Choice(at, 0) for at in range(served)]
    half = served // 2
    plan = driven(day, {0: [*choices[: half // 2], RELOAD, FIRST_BREAK, *choices[half // 2 : half]], 3: choices[half:]})
    places = tuple(
        Address(f"Place {at}", 48.2 + 0.01 * (at % 4), 16.3 + 0.012 * (at // 4)) for at in range(len(day.seconds))
    )
    return Routed("A day", day, places, plan, "drawn", notes=("Nobody lives there.",))


def with_a_rest(day: Day) -> Day:
    """The day in which the first van rests after an hour."""
    first = day.vans[0]
    rest = Break(HOUR, 2 * HOUR, HOUR / 2)
    van = Van(first.id, first.capacity, first.opens_s, first.closes_s, breaks=(rest,), reloads=1, reload_s=600.0)
    return Day(day.seconds, day.metres, day.depots, (van, *day.vans[1:]), day.stops, day.requests, day.levels)
