"""The plots of a plan for sites: walks, how full points are, coverage by district, cost and CO2, today beside them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np

from restante.plan.reporting.markup import Part, element, named
from restante.plan.reporting.plots import Bar, Pair, bars, columns, dumbbells
from restante.plan.reporting.siting_figures import words_of
from restante.plan.reporting.snapshot import Sited, walked
from restante.plan.reporting.tables import Column, folded, section, table
from restante.plan.reporting.wording import count, metres, money, share
from restante.plan.siting.comparing import GROUND, Line
from restante.plan.siting.proposal import Proposal

STEPS: Final = 16
"""At most so many columns, all of one width in metres, tell how far people walk."""

MOST_DISTRICTS: Final = 30
_STEPS_M: Final = (25.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
TODAY: Final = "Today is drawn as a broken line."
HOLLOW: Final = "A hollow mark is today, a filled one the plan."


def siting_plots(told: Sited, plan: Proposal, lines: Sequence[Line]) -> Element:
    """All plots, side by side where there is room; each has its figures as a table."""
    made = (
        _walks(told, plan),
        _fullness(told, plan),
        _districts(told, plan),
        _cost(told, plan),
        _emissions(told, lines),
    )
    return element("div", {"class": "plots"}, *made)


def _with_today(told: Sited, said: str, how: str) -> str:
    return f"{said} {how}" if told.today else said


def _walks(told: Sited, plan: Proposal) -> Element:
    now = walked(told, plan)
    then = walked(told, told.today) if told.today else None
    farthest = max([float(one.metres.max(initial=0.0)) for one in (now, then) if one is not None])
    step = next((one for one in _STEPS_M if farthest / one <= STEPS), _STEPS_M[-1])
    edges = np.arange(0.0, max(farthest, step) + step, step)
    heights = [np.histogram(one.metres, edges, weights=one.parcels)[0] for one in (now, then) if one is not None]
    pairs = [
        Pair(f"{metres(edges[at])} to {metres(edges[at + 1])}", *(float(one[at]) for one in heights))
        for at in range(len(edges) - 1)
    ]
    marks = [(float(at), metres(edges[at])) for at in range(0, len(edges), max(1, len(edges) // 4))]
    said = _with_today(told, "Parcels a day that find room, by the walk of their people, one way.", TODAY)
    rows = ((one.label, *(count(value, 1) for value in _both(one))) for one in pairs)
    return section("How far people walk", said, columns(pairs, marks=marks), _table(told, "Walk", rows))


def _fullness(told: Sited, plan: Proposal) -> Element:
    now = sorted((one.fullness for one in plan.placed), reverse=True)
    then = sorted((one.fullness for one in told.today.placed), reverse=True) if told.today else []
    longest = max(len(now), len(then))
    pairs = [
        Pair(f"point {at + 1}", 100 * _at(now, at), 100 * _at(then, at) if told.today else None)
        for at in range(longest)
    ]
    marks = [(0.5, "fullest"), (longest - 0.5, "emptiest")] if longest > 1 else []
    said = (
        "Per cent of the room that a point may fill before it is full too often, in the scarcest size; a column each."
    )
    rows = ((one.label, *(share(value / 100) for value in _both(one))) for one in pairs)
    plot = columns(pairs, marks=marks)
    return section("How full points are", _with_today(told, said, TODAY), plot, _table(told, "Fullest first", rows))


def _at(values: Sequence[float], at: int) -> float:
    return values[at] if at < len(values) else 0.0


def _districts(told: Sited, plan: Proposal) -> Element:
    then = {one.name: one.share for one in told.today.districts} if told.today else {}
    pairs = [Pair(one.name or "without a name", one.share, then.get(one.name)) for one in plan.districts]
    said = "Share of a district's parcels that find room, the lowest first."
    if len(pairs) > MOST_DISTRICTS:
        said += f" The {MOST_DISTRICTS} lowest of {len(pairs)} are drawn."
    lowest_first = sorted(pairs, key=lambda one: one.now)
    rows: list[list[Part]] = [[named(one.label), *(share(value) for value in _both(one))] for one in lowest_first]
    plot = dumbbells(lowest_first[:MOST_DISTRICTS])
    return section("Coverage by district", _with_today(told, said, HOLLOW), plot, _table(told, "District", rows))


def _cost(told: Sited, plan: Proposal) -> Element:
    ground = {site.id: site.cost_minor_per_year for site in told.city.sites}
    rows = []
    for label, one in _plans(told, plan):
        of_ground = sum(ground[each.site] for each in one.placed)
        rest = one.cost_minor_per_year - of_ground
        pieces = (
            (rest, f"columns {money(rest, one.currency)}"),
            (of_ground, f"ground {money(of_ground, one.currency)}"),
        )
        rows.append(Bar(label, tuple((float(length), words) for length, words in pieces), is_planned=one is plan))
    return section("Cost a year", f"Boundary: {GROUND}.", bars(rows))


def _emissions(told: Sited, lines: Sequence[Line]) -> Element:
    kg = [line for line in lines if line.name == "CO2" and not line.scenario]
    rows = []
    for line in kg:
        write = words_of(line, "").write
        if told.today:
            rows.append(Bar(f"Today: {line.boundary}", ((line.one, write(line.one)),), is_planned=False))
        rows.append(Bar(f"Plan: {line.boundary}", ((line.other, write(line.other)),), is_planned=True))
    return section("CO₂", "Each figure with its boundary. Parcels that find no room go to doors by van.", bars(rows))


def _plans(told: Sited, plan: Proposal) -> Iterator[tuple[str, Proposal]]:
    if told.today is not None:
        yield "Today", told.today
    yield "Plan", plan


def _both(one: Pair) -> Iterator[float]:
    """Today where it is known, then the plan: the order of the tables."""
    if one.then is not None:
        yield one.then
    yield one.now


def _table(told: Sited, first: str, rows: Iterable[Sequence[Part]]) -> Element:
    heads = (Column(first), *((Column("Today"),) if told.today else ()), Column("Plan"))
    return folded("As a table", table(heads, rows, is_long=True))
