"""A plan for sites as one page: map, today against the plan, proven gap, plots, every point, all that is assumed."""

import math
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from restante.plan.reporting.look import STYLE
from restante.plan.reporting.markup import NONE, Part, element, named, page
from restante.plan.reporting.plots import Pair, gap_line
from restante.plan.reporting.siting_figures import figure_columns, figure_rows, words_of
from restante.plan.reporting.siting_map import siting_map
from restante.plan.reporting.siting_plots import siting_plots
from restante.plan.reporting.snapshot import Fate, Point, Sited, doors_of, points_of
from restante.plan.reporting.tables import FOLDED_ROWS, Column, folded, listed, section, table
from restante.plan.reporting.wording import brief_count, count, gap, money, plural, share
from restante.plan.siting.comparing import Emissions, Line, compare
from restante.plan.siting.proposal import Proposal, Unmet


def siting_page(told: Sited) -> str:
    """The page, as HTML that needs nothing beside it. Every name in it is text and can be nothing else.

    Where what was asked for cannot be met, it says by how much, and shows the best plan without that constraint.
    """
    main: list[Part] = [_unmet(told.found)] if isinstance(told.found, Unmet) else []
    if (plan := told.plan) is not None:
        lines = compare(told.today or plan, plan, emissions=told.emissions)
        over = element("div", NONE, section("Where points stand", "", *siting_map(told, plan)), how_good(told, plan))
        main += [element("div", {"class": "top"}, over, _figures(told, plan, lines)), siting_plots(told, plan, lines)]
        main += [*_scenarios(told, plan, lines), _points(told, plan)]
    main += _assumed(told)
    return page(told.title, STYLE, (element("header", NONE, *_head(told)), element("main", NONE, *main)))


def _head(told: Sited) -> Iterator[Part]:
    cells, sites = plural(len(told.city.cells), "cell"), plural(len(told.city.sites), "site")
    label = element("p", {"class": "label"}, named(told.title), f" · {cells} of demand · {sites}")
    yield label
    if (plan := told.plan) is None:
        yield element("h1", NONE, "There is no plan.")
        return
    then = f", up from {_covered(told.today)} today" if told.today and _grows(told.today, plan) else ""
    yield element("h1", NONE, f"{plural(len(plan.placed), 'point')} take {_covered(plan)} of all parcels{then}.")
    fates = [one.fate for one in points_of(told, plan)]
    words = (f"{count(fates.count(fate))} {_VERBS[fate]}" for fate in Fate if fate in fates)
    yield element(
        "p", NONE, f"{', '.join(words)}. The plan costs {money(plan.cost_minor_per_year, plan.currency)} a year."
    )


_VERBS: Final = {Fate.OPENED: "open", Fate.KEPT: "stay", Fate.CLOSED: "close"}


def _grows(today: Proposal, plan: Proposal) -> bool:
    return plan.served_per_day / plan.parcels_per_day > today.served_per_day / today.parcels_per_day


def _covered(plan: Proposal) -> str:
    return share(plan.served_per_day / plan.parcels_per_day)


def _unmet(found: Unmet) -> Element:
    refusal = found.refusal
    numbers = (
        ("Asked for", brief_count(found.asked)),
        ("Possible", brief_count(found.possible)),
        ("Short by", brief_count(abs(found.short_by))),
    )
    rows = table((Column(""), Column(refusal.field)), numbers)
    shown = "What follows is the best plan without this constraint." if found.relaxed else "No plan is left without it."
    words = (element("p", NONE, refusal.rule), element("p", NONE, refusal.detail), element("p", NONE, shown))
    title = element("h2", NONE, "What was asked for cannot be met")
    return element("section", {"class": "unmet", "data-code": refusal.code}, title, *words, rows)


def _figures(told: Sited, plan: Proposal, lines: Sequence[Line]) -> Element:
    said = "On average over the scenarios, a day." if len(plan.days) > 1 else "On an average day."
    title = "Today and the plan" if told.today else "The plan"
    return section(title, said, table(figure_columns(told), figure_rows(told, plan, lines)))


def how_good(told: Sited, plan: Proposal) -> Element:
    """The value with its proven bound, and of which model that is one."""
    if not math.isfinite(plan.bound):
        return section("How good is that?", f"No bound was proven. Counted in {plan.objective}.")
    value = Pair(f"Plan {brief_count(plan.value)}", plan.value)
    bound = Pair(f"No plan exceeds {brief_count(plan.bound)}", plan.bound)
    today = Pair(f"Today {brief_count(told.today.value)}", told.today.value) if told.today else None
    said = f"At most {gap(plan.gap)} below the best there is, proven. Counted in {plan.objective}."
    words = f"The plan is one of this model: {plan.model}. The bound is one of this: {plan.bound_of}."
    line = gap_line(value, bound, today)
    return section("How good is that?", said, line, element("p", {"class": "said"}, words))


def _scenarios(told: Sited, plan: Proposal, lines: Sequence[Line]) -> Iterator[Element]:
    """Each scenario by itself, where there are several."""
    names = list(dict.fromkeys(line.scenario for line in lines if line.scenario))
    for name in names:
        rows: list[Sequence[Part]] = []
        for line in (one for one in lines if one.scenario == name):
            words = words_of(line, plan.currency)
            values = [words.write(line.one)] * bool(told.today) + [words.write(line.other)]
            note = element("small", NONE, words.note) if words.note else None
            rows.append((element("span", NONE, words.label, note), *values))
        shown = table(figure_columns(told), rows)
        yield element("section", NONE, element("h2", NONE, "Scenario: ", named(name)), folded("Its figures", shown))


def _points(told: Sited, plan: Proposal) -> Element:
    points = points_of(told, plan)
    heads = (
        Column("Point", look="word"), Column("", look="word"), Column("Columns", look="word"), Column("Doors"),
        Column("Parcels", "a day"), Column("Turned away", "a day"), Column("Room taken", "of the limit"),
        Column("Cost", f"a year; ground and columns, {plan.currency}"),
    )  # fmt: skip
    rows = table(heads, [_point_row(told, one, plan.currency) for one in points], is_long=True)
    shown = rows if len(points) <= FOLDED_ROWS else folded(f"Show all {plural(len(points), 'point')}", rows)
    return section("Every point", "Points that close are told as they are today.", shown)


def _point_row(told: Sited, point: Point, currency: str) -> Sequence[Part]:
    name = element("span", NONE, named(point.site.id))
    if point.site.host:
        name.append(element("small", NONE, named(point.site.host)))
    one = point.shown
    if one is None:
        return name, point.fate, "not told", *[""] * 5
    built = ", ".join(f"{number} {kind}" for kind, number in one.columns.items())
    return (
        name,
        point.fate,
        element("bdi", NONE, built),
        count(doors_of(told.city, one.columns)),
        count(one.parcels_per_day, 1),
        count(one.turned_away_per_day, 1),
        share(one.fullness, 0),
        money(one.cost_minor_per_year, currency),
    )


def _assumed(told: Sited) -> Iterator[Element]:
    """Every assumption, whosesoever it is."""
    sentences = [*told.notes, f"Walks: {told.walks.told}.", *emission_notes(told.emissions)]
    if (plan := told.plan) is not None:
        sentences += plan.assumptions
        sentences.append(f"Found with seed {plan.seed}; the same snapshot, brief and effort give the same plan.")
        if plan.unreached_per_day:
            lost = brief_count(plan.unreached_per_day)
            sentences.append(f"{lost} parcels a day come from cells that no site reaches; they count as not served.")
    yield section("What is assumed", "Nothing here was measured unless it says so.", listed(sentences))


def emission_notes(grams: Emissions) -> tuple[str, ...]:
    """The factors behind every figure of CO2."""
    return (
        f"CO₂ of the van (assumed): {grams.door_grams:g} g a parcel to a door, {grams.point_grams:g} g to a point.",
        (
            f"CO₂ of the recipient (assumed): {share(grams.car_share, 0)} drive for the parcel alone, there and back, "
            f"at {grams.car_grams_per_km:g} g a km; the others walk."
        ),
    )
