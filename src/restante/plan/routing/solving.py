"""A day's tours by large-neighbourhood search: the fewest vans first, then metres.

The scheme is that of Dumez, Lehuédé and Péton (Transportation Research B 144, 2021), as published: ruin and recreate
over delivery options, and set partitioning over the tours met every so many iterations; but with annealing, which came
out better on the tight instances than record-to-record acceptance did.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

from restante.plan import program
from restante.plan.routing.assembly import assemble
from restante.plan.routing.bounds import bounded, fewest_vans
from restante.plan.routing.chance import stream
from restante.plan.routing.day import Day, Depot, Option, Request, Stop, Van, flaws
from restante.plan.routing.driving import proposal
from restante.plan.routing.effort import Effort, Progress, Spending, ignore
from restante.plan.routing.figures import UNBOUND, figures, kinds
from restante.plan.routing.obstacles import obstacles
from restante.plan.routing.pool import Pool, no_tours
from restante.plan.routing.proposal import Choice, Proposal, Shortfall
from restante.plan.routing.routes import FIRST_BREAK, Work, idle, refresh
from restante.plan.routing.search import Kept, Leg, Trail, advance, new_trail, stand_at

CHUNK = 500
COOLING = 0.01
"""How much of the first heat, which is the metres of one request, is left at the end."""

KEPT_HEAT = 0.1
"""Of that heat, what a search begins with that is to keep requests on their vans: it has a good plan already."""

FLEET_SHARE = 0.3
"""At most this share of the effort goes into sending out fewer vans."""

ASSEMBLIES = 8
"""How often, spread over the effort, tours are put together anew."""

ASSEMBLY_SHARE = 0.03
"""At most this share of the effort goes into one of them."""


def plan_routes(
    day: Day,
    *,
    seed: int,
    effort: Effort,
    progress: Callable[[Progress], None] = ignore,
    before: Mapping[int, int] | None = None,
    move_m: float = 0.0,
    warm: Sequence[Sequence[Choice]] = (),
) -> Proposal | Shortfall:
    """The best plan found for a day; a shortfall, with what stands in the way, when not everybody could be served.

    ``before`` names the van that requests were last planned on, and ``move_m`` what it costs to take one off it;
    ``warm`` holds tours to start from, one a van, of which only as much is kept as is feasible.
    Refusals, in the shortfall: ``routing-malformed``, and those of ``obstacles``.
    """
    if wrong := flaws(day):
        return Shortfall(tuple(wrong), Proposal((), 0.0, tuple(range(len(day.requests)))))
    warm_up()
    search = Search(day, seed, (effort, progress))
    search.prepare(before or {}, move_m)
    search.start_from(warm)
    best = search.run()
    return Shortfall(tuple(obstacles(day, best)), best) if best.unserved else bounded(day, best)


@cache
def warm_up() -> None:
    """Compile whatever a search calls, which takes long where nothing is kept on disk: by a search over a tiny day."""
    way = np.zeros((2, 2))
    bank, parcel = Stop(1, 0.0, 1.0, free=(1,)), Request("p", (1.0,), (Option(0),))
    day = Day(way, way, (Depot(0, 0.0, 1.0),), (Van("v", (1.0,), 0.0, 1.0),), (bank,), (parcel,))
    search = Search(day, 0, (Effort(iterations=1), ignore))
    search.prepare({}, 0.0)
    search.start_from(())
    search.run()


class Search:
    """One search over one day: its arrays, and how much of the effort is spent, from its making on."""

    def __init__(self, day: Day, seed: int, limits: tuple[Effort, Callable[[Progress], None]]) -> None:
        self._day, self._seed = day, seed
        self._spending, self._progress = Spending(limits[0]), limits[1]
        self._assembly_s = 0.0
        self._heat = 1.0
        self._work: Work
        self._trail: Trail
        self._pool: Pool

    def prepare(self, before: Mapping[int, int], move_m: float) -> None:
        """Lay out the arrays; taking a request off the van that it was on before costs so many metres."""
        self._figures = figures(self._day, before=before, move_m=move_m)
        self._heat = KEPT_HEAT if move_m > 0.0 else 1.0
        self._work = idle(self._figures, stream(self._seed))
        self._pool = no_tours(self._figures)
        self._trail = new_trail(self._work)

    def start_from(self, warm: Sequence[Sequence[Choice]]) -> None:
        """Lay these tours, one a van, but for what makes one late or too heavy, or a stop too full, at its end."""
        w = self._work
        for van, tour in enumerate(warm):
            rests = int(w.tours[van].length)
            for choice in tour:
                option = int(w.requests[choice.request].first) + choice.option
                self._lay(van, choice.request, option)
            while not (refresh(w, van) and (w.used <= w.room_free).all()) and w.tours[van].length > rests:
                self._lay(van, int(w.entries[van, w.tours[van].length - rests - 1]), UNBOUND)
        self._trail = new_trail(w)

    def _lay(self, van: int, request: int, option: int) -> None:
        """Put a request behind all others of a tour, before the breaks; or take it away, where the option is none."""
        w, length = self._work, int(self._work.tours[van].length)
        step = -1 if option == UNBOUND else 1
        rests = w.entries[van, :length][w.entries[van, :length] <= FIRST_BREAK].copy()
        last = length - len(rests) + step
        if option != UNBOUND:
            w.entries[van, last - 1] = request
        w.entries[van, last : last + len(rests)] = rests
        w.tours[van].length = length + step
        served = w.served[request]
        for one, sign in ((served.option, -1), (option, 1)):
            if one != UNBOUND:
                w.beyond[: w.options[one].level] += sign
        served.option, served.van = option, UNBOUND if option == UNBOUND else van
        refresh(w, van)

    def run(self) -> Proposal:
        """Serve everybody, with as few vans as asked for, then on as few metres, until the effort is spent."""
        most_vans = len(self._day.vans)
        self._advance(1.0, most_vans, until_served=True)
        self._stand_at(self._trail.best)
        if self._day.vans_first and not self._trail.best.unserved[0] and self._figures.move_m == 0.0:
            most_vans = self._fewer_vans()
        self._shorten(most_vans)
        return proposal(self._day, self._trail.best)

    def _advance(self, until: float, most_vans: int, *, until_served: bool = False) -> None:
        """Search up to a share of the effort; or only until everybody is served."""
        while (share := self._spending.share()) < until and not (until_served and not self._trail.best.unserved[0]):
            heat_m = float(self._trail.best.metres[0]) / max(1, len(self._day.requests)) * self._heat * COOLING**share
            leg = Leg(self._spending.bite(CHUNK), heat_m, most_vans)
            self._spending.done += advance(self._work, self._trail, (self._pool, leg))
            self._tell()

    def _tell(self) -> None:
        best = self._trail.best
        self._progress(
            Progress(
                self._spending.share(), self._spending.done, _vans(best), float(best.metres[0]), int(best.unserved[0])
            )
        )

    def _fewer_vans(self) -> int:
        """Empty one tour after another, as long as everybody finds a place in those that are left."""
        fewest = fewest_vans(self._day)
        while (vans := _vans(self._trail.best)) > fewest and self._spending.share() < FLEET_SHARE:
            known, since = self._trail, self._spending.share()
            fewer = _without_a_tour(self._day, known.best)
            if fewer is None:
                return vans
            self._stand_at(fewer)
            self._advance(min(FLEET_SHARE, since + FLEET_SHARE / 2), vans - 1, until_served=True)
            if self._trail.best.unserved[0]:
                self._stand_at(known.best)
                return vans
        return vans

    def _shorten(self, most_vans: int) -> None:
        """Search with this many vans to the end, and now and then put together the best of all tours met."""
        since = self._spending.share()
        for number in range(1, ASSEMBLIES + 1):
            self._advance(since + (1.0 - ASSEMBLY_SHARE - since) * number / ASSEMBLIES, most_vans)
            if not self._trail.best.unserved[0] and self._is_free_to_assemble():
                self._assemble(most_vans)
        self._advance(1.0, most_vans)

    def _assemble(self, most_vans: int) -> None:
        """Put together the best of all tours met, unless the last time took longer than is left now."""
        spending, left_s = self._spending, self._spending.left_s()
        if left_s < self._assembly_s:
            return
        until = min(1.0, spending.share() + ASSEMBLY_SHARE)
        seconds = min(left_s, ASSEMBLY_SHARE * spending.effort.seconds)
        effort = program.Effort(stop=lambda: spending.share() >= until, seconds=seconds)
        tours = assemble(self._figures, self._pool, (most_vans, float(self._trail.best.metres[0]), effort))
        self._assembly_s = left_s - spending.left_s() if math.isfinite(left_s) else 0.0
        if tours is not None:
            self._stand_at(_assembled(self._day, self._pool, (tours, self._trail.best)))
            self._tell()

    def _is_free_to_assemble(self) -> bool:
        """Tours put together anew belong to no van in particular: none may be out, and none be dear to requests."""
        return self._figures.move_m == 0.0 and not any(van.begun for van in self._day.vans)

    def _stand_at(self, kept: Kept) -> None:
        stand_at(self._work, kept)
        self._trail = new_trail(self._work)


def _twin(kept: Kept) -> Kept:
    return Kept(kept.entries.copy(), kept.length.copy(), kept.chosen.copy(), kept.unserved.copy(), kept.metres.copy())


def _vans(kept: Kept) -> int:
    """How many vans have somebody to serve."""
    return sum(bool((row[:length] >= 0).any()) for row, length in zip(kept.entries, kept.length, strict=True))


def _without_a_tour(day: Day, best: Kept) -> Kept | None:
    """The solution less its tour with the fewest requests, whose breaks stay; None if no tour can go."""
    kept = _twin(best)
    served = {
        van: int((kept.entries[van, : kept.length[van]] >= 0).sum())
        for van in range(len(day.vans))
        if day.vans[van].begun is None and (kept.entries[van, : kept.length[van]] >= 0).any()
    }
    if not served:
        return None
    van = min(served, key=lambda one: (served[one], one))
    tour = kept.entries[van, : kept.length[van]].copy()
    kept.chosen[tour[tour >= 0]] = UNBOUND
    rests = tour[tour <= FIRST_BREAK]
    kept.entries[van, : len(rests)], kept.length[van] = rests, len(rests)
    return kept


def _assembled(day: Day, pool: Pool, what: tuple[list[int], Kept]) -> Kept:
    """These tours of the pool as a solution: each goes to the next van of its kind, and the other vans stay."""
    tours, like = what
    kept = _twin(like)
    owner = [at for at, request in enumerate(day.requests) for _ in request.options]
    waiting = {number: int(pool.kind[number]) for number in tours}
    for van, kind in enumerate(kinds(day)):
        number = next((one for one, its in waiting.items() if its == kind), None)
        rests = [FIRST_BREAK - rest for rest in range(len(day.vans[van].breaks))]
        entries = rests if number is None else [int(entry) for entry in pool.entries[number, : pool.length[number]]]
        kept.length[van] = len(entries)
        for column, entry in enumerate(entries):
            kept.entries[van, column] = owner[entry] if entry >= 0 else entry
            if entry >= 0:
                kept.chosen[owner[entry]] = entry
        waiting.pop(-1 if number is None else number, None)
    return kept
