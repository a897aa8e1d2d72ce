"""The page of a plan for sites: its numbers are the proposal's, its names are only names, nothing is left out."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.plan.reporting.siting_geojson import siting_geojson
from restante.plan.reporting.siting_page import siting_page
from restante.plan.reporting.snapshot import Fate, Sited, median_walk_m, points_of, walked
from restante.plan.reporting.wording import brief_count, count, gap, money, share
from restante.plan.siting.brief import Scenario
from restante.plan.siting.comparing import compare
from restante.plan.siting.proposal import Proposal, Unmet
from restante.plan.siting.proposing import propose
from tests.plan.reporting.cities import SEARCH, told
from tests.plan.reporting.reading import NAMES, Read


def the_plan(one: Sited) -> Proposal:
    """The plan, which there is."""
    assert one.plan is not None
    return one.plan


def test_the_page_says_what_the_proposal_says() -> None:
    """Coverage, cost, value, bound and gap, the model it is a bound of, and each assumption, word for word."""
    one = told()
    plan, words = the_plan(one), Read(siting_page(told())).words
    for said in (
        share(plan.served_per_day / plan.parcels_per_day),
        money(plan.cost_minor_per_year, plan.currency),
        brief_count(plan.value),
        brief_count(plan.bound),
        gap(plan.gap),
        plan.bound_of,
        plan.model,
        plan.objective,
        one.walks.told,
        *plan.assumptions,
        *one.notes,
    ):
        assert said in words
    for placed in plan.placed:
        assert count(placed.parcels_per_day, 1) in words


def test_every_boundary_stands_in_the_page() -> None:
    """Each figure of CO2 and of cost is told with its boundary, and the factors behind it are."""
    one = told()
    read = Read(siting_page(one))
    lines = [line for line in compare(the_plan(one), the_plan(one)) if line.boundary]
    assert {line.name for line in lines} == {"cost", "CO2"}
    for line in lines:
        assert line.boundary in read.of("small")
    assert "230 g a parcel to a door" in read.words


def test_points_open_stay_and_close() -> None:
    """Today s0 and s1; s0 may not be: it closes, whatever else stays or opens."""
    one = told()
    fates = {point.site.id: point.fate for point in points_of(one, the_plan(one))}
    planned = {placed.site for placed in the_plan(one).placed}
    assert fates["s0"] is Fate.CLOSED
    assert {name for name, fate in fates.items() if fate is Fate.OPENED} == planned - {"s0", "s1"}
    assert {name for name, fate in fates.items() if fate is Fate.KEPT} == planned & {"s0", "s1"}
    read = Read(siting_page(one))
    for shape, fate in (("kept", Fate.KEPT), ("opened", Fate.OPENED), ("closed", Fate.CLOSED)):
        drawn = sum((tag, key, value) == ("path", "class", shape) for tag, key, value in read.attributes)
        assert drawn >= sum(each is fate for each in fates.values())


def test_without_today_what_stands_is_kept() -> None:
    """Where nobody told of today, the snapshot's own standing sites are what there is."""
    one = told()
    sites = tuple(msgspec.structs.replace(site, standing=site.id == "s1") for site in one.city.sites)
    alone = msgspec.structs.replace(one, city=msgspec.structs.replace(one.city, sites=sites), today=None)
    fates = {point.site.id: point.fate for point in points_of(alone, the_plan(alone))}
    assert fates["s1"] is (Fate.KEPT if "s1" in {each.site for each in the_plan(one).placed} else Fate.CLOSED)
    assert "s0" not in fates
    assert "Today" not in Read(siting_page(alone)).words


def test_walks_add_up_to_the_proposals() -> None:
    """The parcels of all walks are those that find room, and their kilometres those that are walked."""
    one = told()
    for plan in (the_plan(one), one.today):
        assert plan is not None
        made = walked(one, plan)
        assert made.parcels.sum() == pytest.approx(plan.served_per_day)
        assert (made.parcels * made.metres).sum() / 1000 == pytest.approx(plan.walked_km_per_day)
        half = made.parcels[made.metres <= median_walk_m(made)].sum()
        assert half >= made.parcels.sum() / 2


@settings(max_examples=15, deadline=None)
@given(st.lists(NAMES, min_size=8, max_size=8, unique=True))
def test_names_of_any_kind_are_only_names(names: list[str]) -> None:
    """Title, sites, hosts, districts, notes and thanks come back unharmed, and no element comes in with them."""
    one = renamed(told(), names)
    page = siting_page(one)
    read, plain = Read(page), Read(siting_page(told()))
    assert sorted(set(read.tags)) == sorted(set(plain.tags))
    assert read.asked == []
    for name in names[:4]:
        assert name in read.of("bdi")
    assert names[5] in read.of("li")
    assert names[6] in read.of("p")
    about = json.loads(siting_geojson(one))
    assert about["about"]["title"] == names[0]
    assert {names[1], names[2]} <= {feature["id"] for feature in about["features"]}


def renamed(one: Sited, names: list[str]) -> Sited:
    """The same report with other names: title, the two sites of today, a host, a district, a note, thanks."""
    title, first, second, host, district, note, thanks, module = names
    ids = {"s0": first, "s1": second}

    def plan_of(plan: Proposal) -> Proposal:
        return msgspec.structs.replace(
            plan,
            placed=tuple(
                msgspec.structs.replace(
                    each,
                    site=ids.get(each.site, each.site),
                    columns={module if kind == "small" else kind: n for kind, n in each.columns.items()},
                )
                for each in plan.placed
            ),
            districts=tuple(
                msgspec.structs.replace(each, name=district if each.name == "north" else each.name)
                for each in plan.districts
            ),
        )

    city = msgspec.structs.replace(
        one.city,
        sites=tuple(msgspec.structs.replace(site, id=ids.get(site.id, site.id), host=host) for site in one.city.sites),
        modules=tuple(
            msgspec.structs.replace(each, name=module if each.name == "small" else each.name)
            for each in one.city.modules
        ),
    )
    assert one.today is not None
    return msgspec.structs.replace(
        one,
        title=title,
        city=city,
        found=plan_of(the_plan(one)),
        today=plan_of(one.today),
        notes=(note,),
        ground=msgspec.structs.replace(one.ground, credit=thanks),
    )


def test_geojson_is_longitude_first_and_agrees() -> None:
    """RFC 7946: a feature collection; each point with its figures, and the plan's own beside them."""
    one = told()
    made, plan = json.loads(siting_geojson(one)), the_plan(one)
    assert made["type"] == "FeatureCollection"
    assert made["about"]["bound"] == pytest.approx(plan.bound)
    assert made["about"]["bound_of"] == plan.bound_of
    by_id = {feature["id"]: feature for feature in made["features"]}
    sites = {site.id: site for site in one.city.sites}
    for placed in plan.placed:
        feature = by_id[placed.site]
        assert feature["geometry"] == {
            "type": "Point",
            "coordinates": pytest.approx([sites[placed.site].longitude, sites[placed.site].latitude]),
        }
        assert feature["properties"]["fullness"] == pytest.approx(placed.fullness)
        assert feature["properties"]["fate"] in {"kept", "opened"}


def test_what_cannot_be_met_stands_first_with_how_much() -> None:
    """A budget that is too small: rule, field, asked, possible and short by; then the best plan without it."""
    one = told()
    asked = msgspec.structs.replace(one.brief, must=("s0", "s1"), budget_minor_per_year=10)
    found = propose(one.city, one.walks, asked, search=SEARCH)
    assert isinstance(found, Unmet)
    short = msgspec.structs.replace(one, brief=asked, found=found)
    read = Read(siting_page(short))
    assert ("section", "data-code", "plan-budget-too-small") in read.attributes
    for said in (found.refusal.rule, found.refusal.detail, brief_count(found.asked), brief_count(abs(found.short_by))):
        assert said in read.words
    assert "best plan without this constraint" in read.words
    assert json.loads(siting_geojson(short))["about"]["unmet"]["code"] == "plan-budget-too-small"


def test_no_plan_at_all_is_said() -> None:
    """Nothing is left when the constraint goes: the page says that, and what stands in the way."""
    refusal = Refusal("plan-budget-too-small", "budget_minor_per_year", "nothing is free")
    nothing = msgspec.structs.replace(told(), found=Unmet(refusal, 9.0, 4.0, None))
    read = Read(siting_page(nothing))
    assert "There is no plan." in read.of("h1")
    assert "No plan is left" in read.words
    assert json.loads(siting_geojson(nothing))["features"] == []


def test_each_scenario_is_told_by_itself() -> None:
    """Where there are two, each has its figures."""
    one = told()
    asked = msgspec.structs.replace(one.brief, scenarios=(Scenario("a wet day"), Scenario("a dry one", weight=2.0)))
    plan = propose(one.city, one.walks, asked, search=SEARCH)
    assert isinstance(plan, Proposal)
    words = Read(siting_page(msgspec.structs.replace(one, brief=asked, found=plan, today=None))).words
    assert "a wet day" in words
    assert "a dry one" in words
