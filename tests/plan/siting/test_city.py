"""The city's model against brute force: outcomes, bounds, proposals, and what is refused."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.plan.siting.brief import PEAK, STORM, Brief, Scenario
from restante.plan.siting.city import City, Numbers, walks_by_great_circle, walks_from_matrix
from restante.plan.siting.comparing import compare, gini
from restante.plan.siting.frontier import frontier, undominated
from restante.plan.siting.improving import trials
from restante.plan.siting.mixes import blocking, catalogue, erlang_room
from restante.plan.siting.model import Model, model_of
from restante.plan.siting.outcome import nothing_open, outcome_of, turn
from restante.plan.siting.proposal import District, Proposal, Unmet
from restante.plan.siting.proposing import propose
from restante.plan.siting.search import Progress, Search
from tests.plan.siting.towns import LARGE, SMALL, best_of, brief, every_plan, town, worth

SEARCH = Search(rounds=150)
STORMY = (Scenario("ordinary day", weight=3.0), PEAK, STORM, Scenario("closed", closed=("s1",)))
REACH_M = 1800.0


def model(seed: int, asked: Brief) -> Model:
    """The model of a small town."""
    city, metres = town(seed)
    return model_of(city, walks_from_matrix(metres, reach_m=REACH_M), asked).model


def proposed(seed: int, asked: Brief, *, search: Search = SEARCH) -> Proposal:
    """The proposal for a small town."""
    city, metres = town(seed)
    made = propose(city, walks_from_matrix(metres, reach_m=REACH_M), asked, search=search)
    assert isinstance(made, Proposal)
    return made


@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_an_outcome_that_changes_is_the_outcome_made_anew(seed: int, turns: list[tuple[int, int]]) -> None:
    """Whatever opens, closes and changes its mix, the sums kept are those of the plan, and brute force agrees."""
    made = model(seed, msgspec.structs.replace(brief(), scenarios=STORMY))
    now = nothing_open(made)
    for site, mix in turns:
        if now.mix[site] >= 0 or mix >= 0:
            turn(made, now, (site, mix))
    afresh = outcome_of(made, now.mix)
    assert now.value.sum() == pytest.approx(afresh.value.sum(), abs=1e-9)
    assert now.load == pytest.approx(afresh.load, abs=1e-9)
    assert now.value.sum() == pytest.approx(worth(made, now.mix), abs=1e-9)


@pytest.mark.slow(seconds=13)
@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_a_proposal_keeps_to_its_budget_and_bound(seed: int) -> None:
    """The plan found costs no more than there is, the best of all lies between it and its bound, and figures add up."""
    made = proposed(seed, brief())
    best = best_of(model(seed, brief()))
    assert 0 < made.value <= best + 1e-9 <= made.bound + 1e-6
    assert made.cost_minor_per_year <= 2500
    assert made.cost_minor_per_year == sum(each.cost_minor_per_year for each in made.placed)
    assert made.served_per_day == pytest.approx(sum(each.parcels_per_day for each in made.placed))
    assert made.served_per_day == pytest.approx(sum(each.served_per_day for each in made.districts))
    assert all(each.fullness <= 1 + 1e-9 for each in made.placed)


def test_the_search_finds_the_best_of_most_small_towns() -> None:
    """Of eight towns, brute force knows a better plan in one at most, and none that is a tenth better."""
    best = [best_of(model(seed, brief())) for seed in range(8)]
    found = [proposed(seed, brief()).value for seed in range(8)]
    shares = sorted(a / b for a, b in zip(found, best, strict=True))
    assert shares[0] > 0.9
    assert shares[1] == pytest.approx(1.0)


def test_a_search_that_wanders_keeps_the_best() -> None:
    """However far trials go downhill afterwards, the best plan seen is the one that is handed back."""
    made = model(12, brief())
    best = max(every_plan(made), key=lambda each: float(outcome_of(made, each).value.sum()))
    value = float(outcome_of(made, best).value.sum())
    now, kept = outcome_of(made, every_plan(made)[0]), best.copy()
    draws = np.random.default_rng(1).random((500, 6))
    assert trials(made, now, (draws, np.inf, kept, value)) == value
    assert (kept == best).all()


def test_a_share_of_a_district_is_kept() -> None:
    """With a least share the district sees it, at a lower value, and the bound holds for plans that keep to it."""
    free = proposed(5, brief(1500))
    south = {each.name: each.share for each in free.districts}["south"]
    held = proposed(5, msgspec.structs.replace(brief(1500), least_share={"south": south}))
    assert {each.name: each.share for each in held.districts}["south"] >= south - 1e-9
    needed = model(5, msgspec.structs.replace(brief(1500), least_share={"south": 0.0}))
    assert held.bound >= held.value
    assert held.value <= best_of(needed) + 1e-9


def test_what_no_plan_reaches_is_named_with_the_best_plan() -> None:
    """A share beyond reach names the district and by how much, and comes with a relaxed plan and its bound."""
    city, metres = town(5)
    asked = msgspec.structs.replace(brief(1500), least_share={"north": 0.99})
    made = propose(city, walks_from_matrix(metres, reach_m=REACH_M), asked, search=SEARCH)
    assert isinstance(made, Unmet)
    assert made.refusal.code == "plan-coverage-too-low"
    assert "north" in made.refusal.detail
    assert made.short_by > 0
    assert made.relaxed is not None
    assert made.relaxed.bound >= best_of(model(5, brief(1500))) - 1e-9


def test_a_budget_below_what_has_to_be_open_is_named() -> None:
    """The shortage is in money, and the relaxed plan is that of the least budget that does."""
    city, metres = town(2)
    asked = msgspec.structs.replace(brief(1000), must=("s0", "s1", "s2"))
    made = propose(city, walks_from_matrix(metres, reach_m=REACH_M), asked, search=SEARCH)
    assert isinstance(made, Unmet)
    assert made.refusal.code == "plan-budget-too-small"
    least = sum(city.sites[n].cost_minor_per_year + 300 for n in range(3))
    assert (made.asked, made.possible) == (least, 1000)
    assert made.relaxed is not None
    assert {"s0", "s1", "s2"} <= {each.site for each in made.relaxed.placed}


def test_sites_that_must_and_must_not_be() -> None:
    """A must-have site is open although it is poor, a forbidden one closed although it is good."""
    free = proposed(3, brief())
    best = free.placed[0].site
    shut = proposed(3, msgspec.structs.replace(brief(), forbidden=(best,)))
    assert best not in {each.site for each in shut.placed}
    closed = next(
        n for n in ("s0", "s1", "s2", "s3") if n not in {each.site for each in proposed(3, brief(900)).placed}
    )
    kept = proposed(3, msgspec.structs.replace(brief(), must=(closed,)))
    assert closed in {each.site for each in kept.placed}


def test_an_earlier_proposal_is_a_start() -> None:
    """With no time at all, what was proposed before is proposed again."""
    city, metres = town(8)
    walks, stop = walks_from_matrix(metres, reach_m=REACH_M), Search(stop=lambda: True)
    before = proposed(8, brief())
    again = propose(city, walks, brief(), search=stop, earlier=before)
    assert isinstance(again, Proposal)
    assert again.value == pytest.approx(before.value)
    assert again.bound >= before.value


def test_progress_and_seed() -> None:
    """A search tells how far it is, and ends alike from the same seed."""
    told: list[Progress] = []
    one = proposed(4, brief(), search=Search(rounds=40, tell=told.append))
    assert one == proposed(4, brief(), search=Search(rounds=40))
    assert "bounding" in {each.stage for each in told}


def _changed(**changes: object) -> tuple[City, Numbers]:
    city, metres = town(1)
    return msgspec.structs.replace(city, **changes), metres


CITY = town(1)[0]
NOBODY = tuple(msgspec.structs.replace(cell, parcels_per_day=(0.0, 0.0)) for cell in CITY.cells)
LESS = (msgspec.structs.replace(CITY.cells[0], parcels_per_day=(-1.0, 0.0)), *CITY.cells[1:])
STANDING = (msgspec.structs.replace(CITY.sites[0], standing=True), *CITY.sites[1:])
REFUSED = {
    "zero demand": (_changed(cells=NOBODY), brief(), 1800.0, "plan-no-demand"),
    "negative demand": (_changed(cells=LESS), brief(), 1800.0, "plan-value-malformed"),
    "always full": (_changed(), Brief(1000, full_chance=1.0), 1800.0, "plan-value-malformed"),
    "no scenario": (_changed(), Brief(1000, scenarios=()), 1800.0, "plan-value-malformed"),
    "no modules": (_changed(modules=()), brief(), 1800.0, "plan-value-malformed"),
    "a way not worth it": (_changed(), Brief(1000, walk_weight=5.0), 1800.0, "plan-value-malformed"),
    "unknown site": (_changed(), Brief(1000, must=("s99",)), 1800.0, "plan-site-unknown"),
    "unknown district": (_changed(), Brief(1000, least_share={"east": 0.5}), 1800.0, "plan-site-unknown"),
    "must and forbidden": (_changed(), Brief(1000, must=("s1",), forbidden=("s1",)), 1800.0, "plan-sites-contradict"),
    "stands, forbidden": (_changed(sites=STANDING), Brief(1000, forbidden=("s0",)), 1800.0, "plan-sites-contradict"),
    "all at sea": (_changed(), brief(), 0.0, "plan-cell-unreachable"),
}


@pytest.mark.parametrize(("given_", "asked", "reach_m", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_planned_for_is_refused(
    given_: tuple[City, Numbers], asked: Brief, reach_m: float, code: str
) -> None:
    """Before anything is searched, the rule that is broken is named."""
    city, metres = given_
    made = propose(city, walks_from_matrix(metres, reach_m=reach_m), asked, search=SEARCH)
    assert isinstance(made, Refusal)
    assert made.code == code


def test_a_must_have_site_at_sea_is_refused_and_lost_cells_are_counted() -> None:
    """A site nobody walks to is named; cells nobody can serve stay in the demand and are told."""
    city, metres = town(1)
    at_sea, lost = metres.copy(), metres.copy()
    at_sea[:, 2], lost[0] = np.inf, np.inf
    no = propose(
        city, walks_from_matrix(at_sea, reach_m=9e3), Brief(9000, must=("s2",), walk_weight=0.0), search=SEARCH
    )
    assert no == Refusal("plan-site-unreachable", "must", "s2")
    made = propose(city, walks_from_matrix(lost, reach_m=REACH_M), brief(), search=SEARCH)
    assert isinstance(made, Proposal)
    assert made.unreached_per_day == pytest.approx(sum(city.cells[0].parcels_per_day))
    assert made.parcels_per_day == pytest.approx(city.parcels_per_day.sum())


def test_great_circles_stand_in_for_streets() -> None:
    """Ways are great circles times the detour, within reach and no farther, and say that they are."""
    city, _ = town(1)
    north = msgspec.structs.replace(city.sites[0], latitude=48.21)
    walks = walks_by_great_circle(msgspec.structs.replace(city, sites=(north, city.sites[1])), reach_m=1500)
    assert walks.metres[walks.start[0]] == pytest.approx(1.3 * 1111.95, rel=1e-4)
    assert walks_by_great_circle(msgspec.structs.replace(city, sites=(north,)), reach_m=1400).start[-1] == 0
    assert "great circle" in walks.told


def test_erlang() -> None:
    """The loss formula at a published point, and room as its inverse."""
    assert blocking(10, 5.0) == pytest.approx(0.018385, abs=1e-6)
    room = erlang_room(full_chance=0.018385, dwell_days=2.0)
    assert room(10) == pytest.approx(2.5, rel=1e-4)
    assert room(0) == 0.0


def test_the_catalogue_leaves_out_what_is_bettered() -> None:
    """No mix has another of as few columns with as much room for as little; dearer ones without more are gone."""
    waste = msgspec.structs.replace(SMALL, name="waste", cost_minor_per_year=500)
    room = erlang_room(full_chance=0.1, dwell_days=1.0)
    assert len(catalogue((SMALL, LARGE, waste), 3, room=room)) == len(catalogue((SMALL, LARGE), 3, room=room)) == 9


def test_a_room_may_be_handed_in() -> None:
    """In place of Erlang's formula, any function from compartments to parcels a day sizes the points."""
    city, metres = town(6)
    made = propose(city, walks_from_matrix(metres, reach_m=REACH_M), brief(), search=SEARCH, room=lambda _: 0.0)
    assert isinstance(made, Proposal)
    assert (made.served_per_day, made.value) == (0.0, 0.0)
    assert made.bound >= 0.0


def test_a_comparison_names_its_boundaries() -> None:
    """More money serves more, and each figure of CO2 says what is in it."""
    poor, rich = proposed(3, brief(900)), proposed(3, brief(2500))
    lines = compare(poor, rich)
    by_name = {each.name: each for each in lines}
    assert by_name["coverage"].change > 0
    assert by_name["cost"].other <= 2500
    assert [each.boundary for each in lines if each.name == "CO2"] == [
        "van only, to doors and points",
        "van and the recipient's way",
    ]
    assert all(each.change == 0 for each in compare(poor, poor))


def test_a_comparison_tells_each_scenario() -> None:
    """Figures of the scenarios, weighted, make up the average; a peak sends more, and both boundaries are in each."""
    asked = msgspec.structs.replace(brief(), scenarios=STORMY)
    poor, rich = (proposed(3, msgspec.structs.replace(asked, budget_minor_per_year=money)) for money in (900, 2500))
    lines = compare(poor, rich)
    assert [each.scenario for each in lines if each.name == "cost"] == ["", *(each.name for each in STORMY)]
    assert len({(each.scenario, each.boundary) for each in lines if each.name == "CO2"}) == 10
    for made in (poor, rich):
        assert sum(day.weight * day.served_per_day for day in made.days) == pytest.approx(made.served_per_day)
        assert sum(day.weight * day.walked_km_per_day for day in made.days) == pytest.approx(made.walked_km_per_day)
        turned_away = sum(each.turned_away_per_day for each in made.placed)
        assert sum(day.weight * day.turned_away_per_day for day in made.days) == pytest.approx(turned_away)
    sent = {day.scenario: day.parcels_per_day for day in rich.days}
    assert sent["peak"] == pytest.approx(1.8 * sent["ordinary day"])
    assert compare(poor, proposed(3, brief()))[-1].scenario == "ordinary day"


def test_gini() -> None:
    """Equal districts have none; one of two that gets everything has a half."""
    assert gini([District("a", 4, 2), District("b", 8, 4)]) == 0
    assert gini([District("a", 5, 5), District("b", 5, 0)]) == pytest.approx(0.5)
    assert gini([District("a", 5, 0)]) == 0


def test_a_frontier_holds_nothing_dominated() -> None:
    """Of a cheap and a dear brief both stay; nothing equal or worse in all three aims does."""
    city, metres = town(7)
    walks = walks_from_matrix(metres, reach_m=REACH_M)
    found = frontier(city, walks, brief(), budgets=(0, 900, 2500), walk_weights=(0.0, 0.3), search=Search(rounds=40))
    costs = [each.cost_minor_per_year for each in found]
    assert {0, 2500} >= {min(costs)}
    assert undominated([*found, *found]) == found
    assert all(each.bound >= each.value - 1e-9 for each in found)


def test_every_plan_is_looked_at() -> None:
    """Brute force over four sites of five mixes and none has 6⁴ plans when money is no object."""
    assert len(every_plan(model(1, brief(10**9)))) == 6**4
