"""Published VRPDO plans driven anew and judged by the checker: shows that it reads the rules as their authors did.

Run as ``python -m benchmarks.routing_replay``; it ends with 1 when a plan is not what was published about it.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from cyclopts import App
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from benchmarks.routing_instances import option_choices, records, vrpdo_day
from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day
from restante.plan.routing.driving import drive
from restante.plan.routing.proposal import Choice, Proposal, Reload, Rest, Tour, Visit

app = App(help=__doc__)

PLANS: Final = (
    ("routes_option_ids", "bks_vehicles", "bks_cost"),
    ("later_found_routes", "later_found_vehicles", "later_found_cost"),
)
"""Under which names a record holds routes, their number and their length."""

ROUNDING: Final = 6e-4
"""Published lengths are given with so few digits."""


class Replay(msgspec.Struct, frozen=True):
    """One published plan: what is said of it, what it is, and which rules it breaks by how much at most."""

    name: str
    vehicles: int
    stated: float
    vans: int = 0
    driven: float = 0.0
    wrong: dict[str, float] = {}

    @property
    def is_as_published(self) -> bool:
        """Whether it keeps to all rules, with the vehicles and the length that were published."""
        is_length = abs(self.driven - self.stated) <= ROUNDING * max(1.0, self.stated / 100)
        return not self.wrong and self.vans == self.vehicles and is_length


def replays(family: str) -> Iterator[Replay]:
    """Every plan that is published with its routes."""
    for name, entry, text in records(family):
        day, choices = vrpdo_day(text, is_tilk=family == "tilk2021"), option_choices(text)
        for routes, vehicles, cost in PLANS:
            if routes in entry:
                plan = replayed(day, [[choices[option] for option in route] for route in entry[routes]])
                yield judged(day, plan, Replay(name, entry[vehicles], entry[cost]))


def replayed(day: Day, routes: Sequence[Sequence[Choice]]) -> Proposal:
    """The plan in which van after van drives these routes, each as early as can be."""
    tours = tuple(drive(day, van, route) for van, route in enumerate(routes))
    return Proposal(tours, sum(_metres(day, tour) for tour in tours))


def _metres(day: Day, tour: Tour) -> float:
    """Along the visits of one tour that begins and ends at its depot."""
    home = day.depots[day.vans[tour.van].depot].place
    places = [home]
    for step in tour.steps:
        match step:
            case Visit():
                places.append(day.stops[step.stop].place)
            case Reload() | Rest():
                raise AssertionError("published plans neither reload nor rest")
    return sum(float(day.metres[a, b]) for a, b in zip(places, [*places[1:], home], strict=True))


def judged(day: Day, plan: Proposal, stated: Replay) -> Replay:
    """What is said of a plan beside what the checker finds."""
    wrong: dict[str, float] = {}
    for found in violations(day, plan):
        wrong[found.rule] = max(found.by, wrong.get(found.rule, 0.0))
    return replace(stated, vans=plan.vans, driven=plan.metres, wrong=wrong)


@app.default
def main(*, json: bool = False) -> None:
    """Replay all of both families and print those that differ.

    :param json: print JSON of all in place of a table
    """
    found = [replay for family in ("dumez2021", "tilk2021") for replay in replays(family)]
    differing = [one for one in found if not one.is_as_published]
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        table = Table("instance", "vehicles", "vans", "published", "driven", "rules broken")
        for one in differing:
            broken = ", ".join(f"{rule} {by:g}" for rule, by in one.wrong.items())
            table.add_row(one.name, *map(str, (one.vehicles, one.vans, one.stated, round(one.driven, 4))), broken)
        Console().print(table, f"{len(found) - len(differing)} of {len(found)} plans are as published")
    sys.exit(bool(differing))


if __name__ == "__main__":
    app()
