"""The smallest story of a failing seed: it is told again with less in it, for as long as the same rule is breached.

Theory of operation. What a story foresees is a value, so a smaller one can be tried: without half of its faults, a
quarter, a single one; then the same with its parcels and the couriers' rounds (delta debugging; A. Zeller and
R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). After that days, points and doors go, people
do plainer things, and faults end sooner. Whatever still breaches the rule is kept, until nothing smaller does.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from restante.sim.clock import DAY_MS, HOUR_MS, MINUTE_MS, when
from restante.sim.faults import Fault
from restante.sim.plot import Bent, Errand, Plot
from restante.sim.run import explain, run
from restante.sim.telling import Telling, telling_of

MOST_TELLINGS: Final = 400
_FEWEST_POINTS: Final = 2

replace = msgspec.structs.replace


class Search:
    """The smallest story found so far, and how often a story was told to find it; ``most`` bounds that."""

    def __init__(self, telling: Telling, breaches: Callable[[Telling], bool], *, most: int) -> None:
        self.best = telling
        self.tellings = 0
        self.most = most
        self.on_telling: Callable[[], None] = _nobody_watches
        self._breaches = breaches
        self._tried: set[bytes] = set()

    def still(self, smaller: Telling) -> bool:
        """Whether this story breaches the rule as well; then it is the smallest so far. No when none is left to try."""
        name = msgspec.json.encode(smaller)
        if self.tellings >= self.most or smaller == self.best or name in self._tried:
            return False
        self._tried.add(name)
        self.tellings += 1
        is_breached = self._breaches(smaller)
        if is_breached:
            self.best = smaller
        self.on_telling()
        return is_breached


def shrink(search: Search) -> Telling:
    """Make the story smaller until nothing smaller breaches the rule, or the tellings are used up."""
    while True:
        before = search.best
        for make_smaller in _WAYS:
            make_smaller(search)
        if search.best == before:
            return before


def breaches_rule(rule: str, telling: Telling) -> bool:
    """Whether a story breaches this rule, whatever else it breaches."""
    return rule in run(telling.seed, telling=telling).breached


def main(seed: int, *, most: int = MOST_TELLINGS, console: Console | None = None) -> int:
    """Tell a seed, shrink its story if it breaches a rule, and tell the smallest one found; 0 if it breaches none."""
    console = console or Console(stderr=True)
    telling = telling_of(seed)
    whole = run(seed)
    if not whole.breached:
        console.print(explain(whole), markup=False, highlight=False, soft_wrap=True)
        return 0
    search = Search(telling, partial(breaches_rule, whole.breached[0]), most=most)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} tellings"))
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[left]}"), console=console) as bar:
        shown = bar.add_task("shrinking", total=most, left=_size(telling))
        search.on_telling = lambda: bar.update(shown, advance=1, left=_size(search.best))
        smallest = shrink(search)
    outcome = run(seed, telling=smallest)
    console.print("\n".join([*in_words(smallest), explain(outcome)]), markup=False, highlight=False, soft_wrap=True)
    return 1


def in_words(telling: Telling) -> Iterator[str]:
    """All that a story foresees."""
    plot = telling.plot
    *banks, staffed = plot.doors
    yield f"The smallest story found of seed {telling.seed}: {plot.days} days, {_size(telling)}."
    if telling.season.changes_at is not None:
        yield f"  It begins {telling.season.start:%d %B %Y}, and clocks are changed on the third day."
    for number, ranks in enumerate(banks):
        yield f"  Point {number} is a locker bank with doors of size {', '.join(map(str, ranks))}."
    yield f"  Point {len(banks)} is a counter with {len(staffed)} shelf places."
    yield from map(_errand_in_words, plot.errands)
    for each in plot.rounds:
        yield f"  {when(each.at_ms)}  a courier of carrier {each.carrier} comes to point {each.point}"
    yield from map(_fault_in_words, telling.faults)


def _errand_in_words(errand: Errand) -> str:
    way = "dropped off" if errand.is_drop_off else "delivered"
    return (
        f"  {when(errand.announced_ms)}  parcel {errand.number} of carrier {errand.carrier}, size {errand.rank}, is to "
        f"be {way} at point {errand.point} (else {errand.other}); person {errand.recipient} is {errand.bent.value}"
    )


def _fault_in_words(fault: Fault) -> str:
    where = "the hub" if fault.source < 0 else f"point {fault.source}"
    lasts = f", for {fault.lasts_ms / HOUR_MS:.2f} hours" if fault.lasts_ms else ""
    return f"  {when(fault.at_ms)}  at {where} {fault.kind.value}{lasts} ({fault.amount})"


def _size(telling: Telling) -> str:
    plot = telling.plot
    return f"{len(telling.faults)} faults, {len(plot.errands)} parcels, {len(plot.rounds)} rounds, {plot.points} points"


# --- ways to make a story smaller


def _fewer(search: Search, part: Callable[[Telling], tuple[Any, ...]], put: Callable[..., Telling]) -> None:
    """Leave out all of a part, then halves of it, down to single ones, as long as the rule is breached without."""
    size = len(part(search.best))
    while size:
        at = 0
        while at < len(items := part(search.best)):
            if not search.still(put(search.best, (*items[:at], *items[at + size :]))):
                at += size
        size //= 2


def _fewer_faults(search: Search) -> None:
    _fewer(search, lambda told: told.faults, lambda told, kept: replace(told, faults=kept))


def _fewer_errands(search: Search) -> None:
    _fewer(search, lambda told: told.plot.errands, lambda told, kept: _with_plot(told, errands=kept))


def _fewer_rounds(search: Search) -> None:
    _fewer(search, lambda told: told.plot.rounds, lambda told, kept: _with_plot(told, rounds=kept))


def _fewer_days(search: Search) -> None:
    for days in range(1, search.best.plot.days):
        if search.still(_until(search.best, days)):
            return


def _fewer_points(search: Search) -> None:
    for point in reversed(range(search.best.plot.points - 1)):
        if search.best.plot.points > _FEWEST_POINTS:
            search.still(_without_point(search.best, point))


def _fewer_doors(search: Search) -> None:
    for point in range(search.best.plot.points):
        while len(search.best.plot.doors[point]) > 1 and search.still(_without_door(search.best, point)):
            pass


def _plainer_people(search: Search) -> None:
    for at, errand in enumerate(search.best.plot.errands):
        errands = search.best.plot.errands
        plainer = replace(errand, bent=Bent.PLAIN, seated=False, goes_on=False)
        search.still(_with_plot(search.best, errands=(*errands[:at], plainer, *errands[at + 1 :])))


def _shorter_faults(search: Search) -> None:
    for at in range(len(search.best.faults)):
        while (fault := search.best.faults[at]).lasts_ms > MINUTE_MS:
            faults = search.best.faults
            shorter = replace(fault, lasts_ms=fault.lasts_ms // 2)
            if not search.still(replace(search.best, faults=(*faults[:at], shorter, *faults[at + 1 :]))):
                break


_WAYS: Final = (
    _fewer_faults,
    _fewer_errands,
    _fewer_days,
    _fewer_rounds,
    _fewer_points,
    _plainer_people,
    _shorter_faults,
    _fewer_doors,
)


def _with_plot(telling: Telling, **changed: Any) -> Telling:
    return replace(telling, plot=replace(telling.plot, **changed))


def _until(telling: Telling, days: int) -> Telling:
    """The story ended after so many days."""
    plot, end_ms = telling.plot, days * DAY_MS
    shorter = replace(
        plot,
        days=days,
        errands=tuple(errand for errand in plot.errands if errand.announced_ms < end_ms),
        rounds=tuple(each for each in plot.rounds if each.at_ms < end_ms),
    )
    return replace(telling, plot=shorter, faults=tuple(fault for fault in telling.faults if fault.at_ms < end_ms))


def _without_point(telling: Telling, gone: int) -> Telling:
    """The story without one bank and what was to happen there; those behind it move up."""
    plot = telling.plot
    left = plot.points - 1
    fewer = Plot(
        plot.days,
        plot.lanes,
        plot.carriers,
        doors=(*plot.doors[:gone], *plot.doors[gone + 1 :]),
        errands=tuple(_moved_up(errand, gone, left) for errand in plot.errands if errand.point != gone),
        rounds=tuple(replace(each, point=_up(each.point, gone)) for each in plot.rounds if each.point != gone),
    )
    kept = (fault for fault in telling.faults if fault.source != gone)
    return replace(telling, plot=fewer, faults=tuple(replace(fault, source=_up(fault.source, gone)) for fault in kept))


def _moved_up(errand: Errand, gone: int, left: int) -> Errand:
    point = _up(errand.point, gone)
    other = (point + 1) % left if errand.other == gone else _up(errand.other, gone)
    return replace(errand, point=point, other=other)


def _up(point: int, gone: int) -> int:
    return point - 1 if point > gone else point


def _without_door(telling: Telling, point: int) -> Telling:
    doors = telling.plot.doors
    return _with_plot(telling, doors=(*doors[:point], doors[point][:-1], *doors[point + 1 :]))


def _nobody_watches() -> None:
    """Nobody is told how far the search has come."""
