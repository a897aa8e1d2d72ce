"""Two engines, one judge: the same day is given to both, and the better plan wins."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, Protocol

import msgspec

from restante.plan.routing.bargaining import plan_by_prices
from restante.plan.routing.checker import violations
from restante.plan.routing.day import Day
from restante.plan.routing.effort import Effort
from restante.plan.routing.proposal import Proposal, Shortfall, Unfit
from restante.plan.routing.solving import plan_routes

Found = Proposal | Shortfall
Answer = Found | Unfit


class Engine(Protocol):
    """What plans a day from a seed, as long as an effort lasts."""

    def __call__(self, day: Day, *, seed: int, effort: Effort) -> Answer:
        """The best plan found, a shortfall, or that the engine has no words for such a day."""


ENGINES: Final[Mapping[str, Engine]] = {"search": plan_routes, "prices": plan_by_prices}

Run = Callable[[Callable[[str], Answer], Iterable[str]], Iterable[Answer]]
"""How engines are run: ``map`` one after the other, the ``map`` of a pool of processes side by side."""


class Better(msgspec.Struct, frozen=True):
    """The better of the engines' plans, the engine that found it, and which fields kept out who did not take part."""

    plan: Found
    engine: str
    absent: Mapping[str, Mapping[str, str]]


def plan_by_all(day: Day, *, seed: int, effort: Effort, run: Run = map) -> Better:
    """What the better engine makes of a day; each has the whole effort, and a core of its own if both run at once.

    Nothing here starts a process: ``run`` is the caller's. All that goes through it can be sent to another process, as
    long as the effort's clock can.
    """
    answers = dict(zip(ENGINES, run(partial(_asked, (day, seed, effort)), ENGINES), strict=True))
    absent = {name: its.reasons for name, its in answers.items() if isinstance(its, Unfit)}
    found = {name: its for name, its in answers.items() if not isinstance(its, Unfit)}
    for name, its in found.items():
        assert _is_sound(day, its), f"the judge objects to a plan by {name}"
    best = min(found, key=lambda name: _rank(day, found[name]))
    return Better(found[best], best, absent)


def _asked(what: tuple[Day, int, Effort], name: str) -> Answer:
    day, seed, effort = what
    return ENGINES[name](day, seed=seed, effort=effort)


def _is_sound(day: Day, found: Found) -> bool:
    """Whether the judge finds nothing wrong but that some are left out, and that only where it is said."""
    plan, allowed = (found.relaxed, {"request-unserved"}) if isinstance(found, Shortfall) else (found, set[str]())
    is_read = isinstance(found, Proposal) or all(no.code != "routing-malformed" for no in found.refusals)
    return not is_read or {one.rule for one in violations(day, plan)} <= allowed


def _rank(day: Day, found: Found) -> tuple[int, int, float]:
    """Who leaves fewer out, then who sends fewer vans if those come first, then who drives less."""
    plan = found.relaxed if isinstance(found, Shortfall) else found
    return len(plan.unserved), plan.vans if day.vans_first else 0, plan.metres
