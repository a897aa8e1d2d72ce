"""Bounds from below: no plan is better, and every plan says what its bound is of, or that there is none."""

import pytest
from msgspec.structs import replace

from restante.plan.routing.bounds import ENTERED, bounded, fewest_metres
from restante.plan.routing.driving import driven
from restante.plan.routing.proposal import Choice
from tests.plan.routing.brute import best_of_all
from tests.plan.routing.days import a_day, out_already


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_is_shorter(seed: int) -> None:
    """Tried on everything there is, with vans that wait and with one that is out."""
    day = replace(a_day(seed=seed, requests=2, vans=2, plain=True, fetched=False), vans_first=False, levels=())
    for its in (day, out_already(day)):
        best = best_of_all(its)
        assert best is None or fewest_metres(its) <= best[1] + 1e-6


def test_a_place_of_ones_own_is_entered_and_left() -> None:
    """One parcel that can only be brought home costs the way there and back, and that is what the bound says."""
    day = a_day(seed=6, requests=1, plain=True, fetched=False)
    day = replace(day, requests=(replace(day.requests[0], options=day.requests[0].options[:1]),))
    there_and_back = float(day.metres[0, 3] + day.metres[3, 0])
    assert fewest_metres(day) == pytest.approx(there_and_back)
    plan = bounded(day, driven(day, {0: [Choice(0, 0)]}))
    assert plan.bound_m == pytest.approx(there_and_back)
    assert plan.bound_of == ENTERED


def test_whom_nobody_has_to_come_to_adds_nothing() -> None:
    """A parcel with two places forces neither of them; only the way home from the nearest is left."""
    day = a_day(seed=6, requests=1, plain=True, fetched=False)
    two = (replace(day.requests[0].options[0], stop=2), replace(day.requests[0].options[0], stop=0))
    day = replace(day, requests=(replace(day.requests[0], options=two),))
    assert fewest_metres(day) == pytest.approx(float(min(day.metres[3, 0], day.metres[1, 0])))


def test_a_plan_that_leaves_somebody_out_has_no_bound() -> None:
    """What bounds plans for everybody bounds no plan for some."""
    plan = bounded(day := a_day(seed=1, requests=2), driven(day, {}))
    assert (plan.bound_m, plan.bound_of) == (None, "")
