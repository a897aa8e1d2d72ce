"""Published routing instances are read as their authors mean them."""

from benchmarks.routing_instances import homberger_day, option_choices, published, vrpdo_day
from benchmarks.routing_replay import Replay, judged, replayed
from restante.plan.routing.day import Option, Stop, flaws
from restante.plan.routing.proposal import Choice

VRPDO = """\
U_2_1.txt

VEHICLE CAPACITY LOCATIONS CUSTOMER OPTIONS PRIORITIES NUMTYPS
10 100 3 2 3 3 4

CUSTOMER DEMAND
0 10
1 20

LOCATION XCOORD YCOORD CAP READY DUE TYP SERVICETIME
0 0 0 -1 0 720 0 0
1 1 1 -1 40 160 2 6
2 3 4 5 45 525 1 4
OPTION LOCATION CUSTOMER PRIO SERVICETIME COST
0 1 0 0 5 0
1 2 0 1 2 0
2 2 1 0 2 0
"""


def test_dumez_is_read_as_it_stands() -> None:
    """Distances are exact, a shared location has compartments, and a customer's options keep their order."""
    day = vrpdo_day(VRPDO, is_tilk=False)
    assert flaws(day) == []
    assert day.metres[0, 2] == 5.0
    assert day.stops == (Stop(0, 0, 720), Stop(1, 40, 160, 6), Stop(2, 45, 525, 4, (5,)))
    assert [request.options for request in day.requests] == [(Option(1, 0, 5), Option(2, 1, 2)), (Option(2, 0, 2),)]


def test_tilk_is_in_whole_tenths() -> None:
    """Distances are rounded up, and windows close later by two (shared) or five (private)."""
    day = vrpdo_day(VRPDO, is_tilk=True)
    assert day.metres[0, 1] == 15.0
    assert day.stops[1:] == (Stop(1, 400, 1650, 60), Stop(2, 450, 5270, 40, (5,)))


def test_homberger_distances_are_truncated() -> None:
    """One decimal is kept, as the published best values have it, and metres alone count."""
    rows = ["0 0 0 0 0 900 0", "1 1 1 7 5 80 10"]
    text = "C1\n\nVEHICLE\nNUMBER CAPACITY\n3 50\n\nCUSTOMER\nCUST NO. XCOORD. YCOORD. DEMAND READY DUE SERVICE\n"
    day = homberger_day(text + "\n".join(rows))
    assert day.metres[0, 1] == 1.4
    assert not day.vans_first
    assert day.stops[1] == Stop(1, 5, 80, 10)
    assert day.requests[0].load == (7.0,)


def test_the_best_value_is_the_best_of_all() -> None:
    """A later find counts before a verified value, and fewer vehicles before a shorter way."""
    entry = {"bks_vehicles": 4, "bks_cost": 373.7, "later_found_vehicles": 4, "later_found_cost": 370.4}
    assert published(entry).distance == 370.4
    assert published({**entry, "published_lns_best_vehicles": 3, "published_lns_best_cost": 999.0}).vehicles == 3


def test_published_routes_are_driven_and_judged() -> None:
    """Options are found by their numbers in the file; a plan is as published with its vehicles, length and rules."""
    day, choices = vrpdo_day(VRPDO, is_tilk=False), option_choices(VRPDO)
    assert choices == {0: Choice(0, 0), 1: Choice(0, 1), 2: Choice(1, 0)}
    stated = Replay("U_2_1", 1, 10.0198)
    whole = judged(day, replayed(day, [[choices[0], choices[2]]]), stated)
    assert whole.wrong == {}
    assert whole.is_as_published
    assert not judged(day, replayed(day, [[choices[0]], [choices[2]]]), stated).is_as_published
    assert judged(day, replayed(day, [[choices[0]]]), stated).wrong.keys() == {"request-missing"}
    assert judged(day, replayed(day, [[choices[1], choices[2]]]), stated).wrong.keys() == {"level-missed"}
