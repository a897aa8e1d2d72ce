"""A day that changes: 10 of 200 stops, how soon there is a new plan, how good it is, and how many parcels change vans.

Run as ``python -m benchmarks.plan_replan``. Days are drawn from seeds: homes in a square of 10 km, 12 banks, windows of
four hours. Three requests are called off, two move, three are new, one bank is full and one is dead. With ``--hour``
it is so many hours after the vans have left; what is new then is to be fetched, as vans that are out load nothing.
The gap is that to a long search from the same tours, for which no change of van costs anything. Seconds are those of
the processor, compilation not counted.
"""

import random
import statistics
import sys
import time
from typing import Final

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.ending import options, tell
from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day, Depot, Errand, Option, Request, Stop, Van
from restante.plan.routing.effort import Effort
from restante.plan.routing.proposal import Proposal, Shortfall, Visit
from restante.plan.routing.replanning import Change, Remainder, replan, rest_of
from restante.plan.routing.solving import plan_routes, warm_up

HOUR_S: Final = 3600.0
SIDE_M: Final = 10_000.0
METRES_PER_S: Final = 7.0
BANKS: Final = 12
CANCELLED, MOVED, NEW, CLOSED = 3, 2, 3, 2
FLOOR_S, FLOOR_GAP, FLOOR_SWITCHED = 0.5, 0.03, 0.15


class Run(msgspec.Struct, frozen=True):
    """One changed day: seconds to the new plan, its gap, the share of untouched requests on another van, vans, faults.

    ``unserved`` counts who is left out by the new plan and by the long search.
    """

    seed: int
    took_s: float
    gap: float
    switched: float
    vans: tuple[int, int]
    unserved: tuple[int, int]
    faults: list[str]


class Report(msgspec.Struct, frozen=True):
    """All runs, what makes them worthless, and which floors their medians miss."""

    hour: float
    runs: list[Run]
    wrong: list[str]
    missed: list[str]


def drawn(seed: int, stops: int) -> Day:
    """A day of so many requests, with a few homes more that nobody has asked for yet."""
    chance = random.Random(seed)
    places = 1 + BANKS + stops + MOVED + NEW
    xy = np.array([(chance.uniform(0, SIDE_M), chance.uniform(0, SIDE_M)) for _ in range(places)])
    xy[0] = SIDE_M / 2
    metres = 1.3 * np.sqrt(((xy[:, None] - xy[None, :]) ** 2).sum(axis=2))
    banks = tuple(Stop(1 + at, 0.0, 9 * HOUR_S, 60.0, (stops // 25,)) for at in range(BANKS))
    opens = [chance.choice((0.0, 2.0, 4.0)) * HOUR_S for _ in range(places)]
    homes = tuple(Stop(at, opens[at], opens[at] + 4 * HOUR_S, 60.0) for at in range(1 + BANKS, places))
    requests = tuple(Request(str(at), (1.0,), _asked(chance, metres, BANKS + at)) for at in range(stops))
    vans = tuple(Van(str(at), (35.0,), 0.0, 9 * HOUR_S) for at in range(2 + stops // 15))
    return Day(metres / METRES_PER_S, metres, (Depot(0, 0.0, 9 * HOUR_S),), vans, (*banks, *homes), requests)


def _asked(chance: random.Random, metres: np.ndarray, home: int) -> tuple[Option, ...]:
    """At home, at home or the nearest bank, or at one of the two nearest banks."""
    near = [int(at) for at in np.argsort(metres[home + 1, 1 : 1 + BANKS])[:2]]
    stops = chance.choice(((home,), (home, near[0]), tuple(near)))
    return tuple(Option(stop, level, 60.0) for level, stop in enumerate(stops))


def changed(day: Day, plan: Proposal, *, seed: int, hour: float) -> Change:
    """What happens at an hour to those who are not served by then."""
    chance, now_s = random.Random(seed), hour * HOUR_S
    later = [
        (step.stop, one.request)
        for tour in plan.tours
        for step in tour.steps
        if isinstance(step, Visit) and step.start_s > now_s + HOUR_S / 2
        for one in step.choices
    ]
    touched = chance.sample(sorted(request for _, request in later), CANCELLED + MOVED)
    banks = sorted({stop for stop, _ in later if day.stops[stop].free is not None})
    spare = range(len(day.stops) - MOVED - NEW, len(day.stops))
    errand = Errand.RETURN if hour > 0 else Errand.DELIVERY
    return Change(
        now_s if hour > 0 else -1.0,
        closed=frozenset(chance.sample(banks, min(CLOSED, len(banks)))),
        added=tuple(Request(f"new {at}", (1.0,), (Option(at, 0, 60.0),), errand) for at in spare[MOVED:]),
        cancelled=frozenset(touched[:CANCELLED]),
        moved={at: (Option(stop, 0, 60.0),) for at, stop in zip(touched[CANCELLED:], spare[:MOVED], strict=True)},
    )


def _plan(found: Proposal | Shortfall) -> Proposal:
    return found.relaxed if isinstance(found, Shortfall) else found


def effort(seconds: float) -> Effort:
    """So many seconds of the processor."""
    return Effort(seconds=seconds, clock=time.process_time)


def run(seed: int, *, stops: int, hour: float, seconds: tuple[float, float, float]) -> Run:
    """Plan a day, change it, and plan it again: shortly, and for long. Seconds are those of the three searches."""
    day = drawn(seed, stops)
    plan = _plan(plan_routes(day, seed=seed, effort=effort(seconds[0])))
    change = changed(day, plan, seed=seed, hour=hour)
    began = time.process_time()
    rest = rest_of(day, plan, change)
    new = _plan(replan(rest, seed=seed, effort=effort(seconds[1])))
    took_s = time.process_time() - began
    best = _plan(plan_routes(rest.day, seed=seed, effort=effort(seconds[2]), warm=rest.tours))
    faults = sorted({one.rule for one in violations(rest.day, new)} - {"request-unserved"})
    return Run(
        seed,
        took_s,
        new.metres / best.metres - 1,
        switched(day, rest, new, change=change),
        (new.vans, best.vans),
        (len(new.unserved), len(best.unserved)),
        faults,
    )


def switched(day: Day, rest: Remainder, new: Proposal, *, change: Change) -> float:
    """Of the requests that the change does not touch, the share that another van has now."""
    on = {
        one.request: tour.van
        for tour in new.tours
        for step in tour.steps
        if isinstance(step, Visit)
        for one in step.choices
    }
    before = {
        at: van
        for at, van in rest.before().items()
        if rest.was[at] not in change.moved and rest.day.requests[at].options == day.requests[rest.was[at] or 0].options
    }
    return sum(on.get(at) != van for at, van in before.items()) / max(1, len(before))


def reported(runs: list[Run], hour: float) -> Report:
    """The runs and the medians that miss a floor; a plan that breaks a rule or leaves more out makes all worthless."""
    wrong = [f"seed {one.seed}: {', '.join(one.faults)}" for one in runs if one.faults]
    wrong += [f"seed {one.seed}: more left out" for one in runs if one.unserved[0] > one.unserved[1]]
    floors = (("took_s", FLOOR_S, "{:.2f} s"), ("gap", FLOOR_GAP, "{:+.1%}"), ("switched", FLOOR_SWITCHED, "{:.0%}"))
    medians = {name: statistics.median(getattr(one, name) for one in runs) for name, _, _ in floors}
    missed = [
        f"{name} is {form.format(medians[name])} at the median, the floor is {form.format(most)}"
        for name, most, form in floors
        if medians[name] > most
    ]
    return Report(hour, runs, wrong, missed)


def show(report: Report, console: Console) -> None:
    """A row for each seed, and the medians."""
    table = Table("seed", "seconds", "gap", "changed van", "vans", "of long search", "left out")
    for one in report.runs:
        left_out = "/".join(map(str, one.unserved))
        table.add_row(
            str(one.seed), f"{one.took_s:.2f}", f"{one.gap:+.1%}", f"{one.switched:.0%}", *map(str, one.vans), left_out
        )
    names = ("took_s", "gap", "switched")
    took_s, gap, share = (statistics.median(getattr(one, name) for one in report.runs) for name in names)
    table.add_row("median", f"{took_s:.2f}", f"{gap:+.1%}", f"{share:.0%}", "", "", "")
    console.print(table)


def main() -> int:
    """Plan, change and plan again for each seed."""
    asking = options(__doc__)
    asking.add_argument("--seeds", type=int, default=7)
    asking.add_argument("--stops", type=int, default=200)
    asking.add_argument("--hour", type=float, default=0.0, help="of the change; 0 is before anybody leaves")
    asking.add_argument("--seconds", type=float, nargs=3, default=(20.0, 0.4, 20.0), help="first, new and long search")
    asked = asking.parse_args()
    warm_up()
    stops = round(asked.scale * asked.stops)
    runs = [run(seed, stops=stops, hour=asked.hour, seconds=tuple(asked.seconds)) for seed in range(asked.seeds)]
    return tell(reported(runs, asked.hour), asked, show)


if __name__ == "__main__":
    sys.exit(main())
