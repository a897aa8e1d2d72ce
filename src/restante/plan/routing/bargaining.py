"""The second engine: PyVRP, which knows "home or one of k lockers" but no locker that all share, with prices on these.

What options share (compartments, preference levels) gets a price that rises when too many took it and falls when there
was room (Lagrangian relaxation; Fisher, Management Science 27, 1981); PyVRP goes on from its last solution at the new
prices. On the way every solution that would be a better plan is looked at, and kept if the judge finds nothing against.
"""

import math
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
from pyvrp import (
    Activity,
    IteratedLocalSearch,
    IteratedLocalSearchCallbacks,
    IteratedLocalSearchParams,
    PenaltyManager,
    PenaltyParams,
    ProblemData,
    RandomNumberGenerator,
    Route,
    Solution,
)
from pyvrp.exceptions import PenaltyBoundWarning
from pyvrp.search import OPERATORS, LocalSearch, compute_neighbours

from restante.plan.routing.bounds import bounded, fewest_vans
from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day, flaws
from restante.plan.routing.driving import driven
from restante.plan.routing.effort import Effort, Progress, Spending, ignore
from restante.plan.routing.expressing import SCALE, activities, expressed, priced, sequences, taken, unsayable
from restante.plan.routing.figures import Ints
from restante.plan.routing.limits import excess, limits_of, moved
from restante.plan.routing.obstacles import obstacles
from restante.plan.routing.proposal import Proposal, Shortfall, Unfit

ROUNDS: Final = 40
"""How often prices move, spread over the effort."""

FLEET_SHARE: Final = 0.3
"""For this share of the effort, and where all vans are alike, one van fewer than known to suffice is let out."""

FIRST_STEP, LAST_STEP = 0.5, 0.05
"""By how much a price moves for one option too many, at first and at last, in metres that one request takes."""

GROWTH: Final = 1.5
"""As long as no solution was a plan, steps grow by this factor each round."""

Routes = list[tuple[int, list[Activity]]]


def plan_by_prices(
    day: Day, *, seed: int, effort: Effort, progress: Callable[[Progress], None] = ignore
) -> Proposal | Shortfall | Unfit:
    """The best plan that PyVRP found at any prices; a shortfall when none of its solutions was a plan under the judge.

    A limit of seconds is looked at between two of PyVRP's steps, and kept to as well as these are short. A day
    that PyVRP has no words for is not tried. Refusals, in the shortfall: ``routing-malformed``, those of ``obstacles``.
    """
    if wrong := flaws(day):
        return Shortfall(tuple(wrong), driven(day, {}))
    if unsaid := unsayable(day):
        return Unfit(unsaid)
    bargain = Bargain(day, seed, (effort, progress))
    bargain.run()
    if bargain.best is not None:
        return bounded(day, bargain.best)
    relaxed = driven(day, {})
    return Shortfall(tuple(obstacles(day, relaxed)), relaxed)


class Bargain:
    """One search over one day at prices that move: what lasts from round to round, and the best plan so far.

    Prices are metres for each limit; ``_unit_m`` is their scale.
    """

    def __init__(self, day: Day, seed: int, limits: tuple[Effort, Callable[[Progress], None]]) -> None:
        self._day, self._its, self._limits = day, expressed(day), limits_of(day)
        self._prices = np.zeros(len(self._limits.most))
        self._chance = RandomNumberGenerator(seed)
        params = PenaltyParams()
        self._penalties = PenaltyManager(params.midpoint_penalties(self._data(len(day.vans))), params)
        self._unit_m = 0.0
        self._routes: Routes = []
        self._best_routes: Routes = []
        self._progress = limits[1]
        self.best: Proposal | None = None
        self.spending = Spending(limits[0])

    def run(self) -> None:
        """Bargain until the effort is spent."""
        while self.spending.share() < 1.0:
            self._round(self._until(), self._most_vans())
            best = self.best or driven(self._day, {})
            told = (best.vans, best.metres, len(best.unserved))
            self._progress(Progress(self.spending.share(), self.spending.done, *told))

    def _until(self) -> float:
        """The share of the effort at which this round ends: the last where no price and no fleet moves any more."""
        share = self.spending.share()
        is_steady = not len(self._prices) and not (self._day.vans_first and share < FLEET_SHARE)
        return 1.0 if is_steady else (math.floor(share * ROUNDS) + 1) / ROUNDS

    def _most_vans(self) -> int:
        if self.best is None:
            return len(self._day.vans)
        is_tried = self._day.vans_first and self.spending.share() < FLEET_SHARE
        return max(fewest_vans(self._day), self.best.vans - is_tried)

    def _round(self, until: float, most_vans: int) -> None:
        """Search at the prices there are, then move them by what the last solution took."""
        data = self._data(most_vans)
        search = LocalSearch(data, self._chance, compute_neighbours(data))
        for operator in OPERATORS:
            if operator.supports(data):
                search.add_operator(operator(data))
        watch = _Watch(self)
        ils = IteratedLocalSearch(
            data,
            self._penalties,
            search,
            self._first(search, data, most_vans),
            IteratedLocalSearchParams(callbacks=watch),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PenaltyBoundWarning)  # no plan found is said by a shortfall
            found = ils.run(lambda _: self.spending.share() >= until, collect_stats=False)
        self._move_prices(found.best if found.best.is_feasible() else watch.current)

    def _move_prices(self, last: Solution) -> None:
        """Prices follow a round's last solution, which may be a plan in spite of them: fetching frees compartments."""
        self._routes, options = activities(last), taken(last)
        if last.is_feasible():
            self._keep(last)
        driven_m = (last.distance() - int(self._option_prices()[options].sum())) / SCALE
        self._unit_m = self._unit_m or driven_m / len(self._day.requests)
        self._unit_m *= GROWTH if self.best is None else 1.0
        step = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** self.spending.share()
        self._prices = moved(self._prices, excess(self._limits, options), step * self._unit_m)

    def _data(self, most_vans: int) -> ProblemData:
        return priced(self._its, self._option_prices(), most_vans)

    def _option_prices(self) -> Ints:
        return np.round(SCALE * self._prices @ self._limits.uses).astype(np.int64)

    def _first(self, search: LocalSearch, data: ProblemData, most_vans: int) -> Solution:
        """The last solution, or the best plan when the last one had other vans, completed; drawn at first."""
        if not self._routes:
            drawn = Solution.make_random(data, self._chance)
            return search(drawn, self._penalties.max_cost_evaluator(), exhaustive=True)
        is_other = self.best is not None and most_vans == self.best.vans != len(self._routes)
        routes = sorted(self._best_routes if is_other else self._routes, key=lambda one: -len(one[1]))
        known = Solution(data, [Route(data, what, kind) for kind, what in routes[:most_vans]])
        return search(known, self._penalties.cost_evaluator(), exhaustive=True)

    def is_worth_a_look(self, solution: Solution) -> bool:
        """Whether a solution could be a better plan: what keeps to all limits pays no more than the credit."""
        if self.best is None:
            return True
        if self._day.vans_first and solution.num_routes() != self.best.vans:
            return solution.num_routes() < self.best.vans
        credit_m = float(self._prices @ self._limits.most)
        return solution.distance() / SCALE - credit_m < self.best.metres

    def offer(self, solution: Solution) -> None:
        """Keep a solution if it keeps to all limits and is a better plan than the best."""
        if (excess(self._limits, taken(solution)) <= 0).all():
            self._keep(solution)

    def _keep(self, solution: Solution) -> None:
        plan = driven(self._day, dict(sequences(self._its, solution)))
        if (self.best is None or self._rank(plan) < self._rank(self.best)) and not violations(self._day, plan):
            self.best, self._best_routes = plan, activities(solution)

    def _rank(self, plan: Proposal) -> tuple[int, float]:
        return plan.vans if self._day.vans_first else 0, plan.metres


class _Watch(IteratedLocalSearchCallbacks):
    """Looks over PyVRP's shoulder: counts its iterations, and offers what is feasible to it."""

    def __init__(self, bargain: Bargain) -> None:
        self._bargain = bargain
        self.current: Solution

    def on_start(self, ils: IteratedLocalSearch) -> None:
        self.current = ils.initial_solution
        self._look(self.current)

    def on_iteration(self, current: Solution, candidate: Solution, *_: object) -> None:
        self.current = current
        self._bargain.spending.done += 1
        self._look(candidate)

    def _look(self, solution: Solution) -> None:
        if solution.is_feasible() and self._bargain.is_worth_a_look(solution):
            self._bargain.offer(solution)
