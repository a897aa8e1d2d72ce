"""Two engines and one judge: the better plan wins, and who did not take part is named with the reason."""

from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from restante.plan.routing import portfolio
from restante.plan.routing.day import Day
from restante.plan.routing.driving import driven
from restante.plan.routing.effort import Effort
from restante.plan.routing.portfolio import Answer, Found, plan_by_all
from restante.plan.routing.proposal import Choice, Proposal, Shortfall
from tests.plan.routing.days import a_day

LITTLE = Effort(iterations=300)


def engine(found: Found) -> Callable[..., Found]:
    """An engine that always finds this."""
    return lambda day, *, seed, effort: found


def two_plans() -> tuple[Day, Proposal, Proposal]:
    """Two parcels at home: the plan with one van, and the longer one with two."""
    day = replace(a_day(seed=6, requests=2, plain=True, fetched=False), levels=())
    one = driven(day, {0: [Choice(0, 0), Choice(1, 0)]})
    return day, one, driven(day, {0: [Choice(0, 0)], 1: [Choice(1, 0)]})


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_the_better_plan_wins(order: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer vans win, whichever engine found them."""
    day, one, two = two_plans()
    engines = dict(zip(order, (engine(one), engine(two)), strict=True))
    monkeypatch.setattr(portfolio, "ENGINES", engines)
    found = plan_by_all(day, seed=1, effort=LITTLE)
    assert (found.engine, found.plan, found.absent) == (order[0], one, {})


def test_a_whole_plan_wins_over_a_shortfall(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few metres are driven when somebody is left out."""
    day, one, _ = two_plans()
    nobody = Shortfall((), driven(day, {}))
    monkeypatch.setattr(portfolio, "ENGINES", {"none": engine(nobody), "all": engine(one)})
    assert plan_by_all(day, seed=1, effort=LITTLE).engine == "all"


def test_a_plan_that_the_judge_objects_to_never_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that says fewer metres than it drives is a bug, and is met as one."""
    day, one, _ = two_plans()
    monkeypatch.setattr(portfolio, "ENGINES", {"liar": engine(replace(one, metres=1.0))})
    with pytest.raises(AssertionError, match="liar"):
        plan_by_all(day, seed=1, effort=LITTLE)


def test_who_does_not_take_part_is_named() -> None:
    """On a day with breaks only the own search plans, and it is said which field kept PyVRP out."""
    found = plan_by_all(a_day(seed=3, requests=6), seed=1, effort=LITTLE)
    assert found.engine == "search"
    assert list(found.absent["prices"]) == ["vans[0].breaks", "vans[1].breaks", "vans[2].breaks"]


def test_the_caller_says_how_engines_run() -> None:
    """Both engines go through the caller's ``map``, once each; a plan is no worse than either's."""
    day, asked = a_day(seed=4, requests=8, plain=True), list[str]()

    def run(ask: Callable[[str], Answer], names: Iterable[str]) -> Iterable[Answer]:
        for name in names:
            asked.append(name)
            yield ask(name)

    found = plan_by_all(day, seed=1, effort=LITTLE, run=run)
    assert asked == ["search", "prices"]
    assert found.absent == {}
    assert isinstance(found.plan, Proposal)


def test_a_snapshot_that_contradicts_itself_is_refused() -> None:
    """What is malformed is named once, and no engine is blamed for it."""
    day = a_day(seed=1, requests=2)
    found = plan_by_all(
        replace(day, requests=(replace(day.requests[0], options=()), day.requests[1])), seed=1, effort=LITTLE
    )
    assert isinstance(found.plan, Shortfall)
    assert {no.code for no in found.plan.refusals} == {"routing-malformed"}
    assert found.absent == {}
