"""The figures of a plan for sites as rows of a table, today beside the plan, each with its boundary."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from restante.plan.reporting.markup import Part
from restante.plan.reporting.snapshot import Sited, doors_of, median_walk_m, walked
from restante.plan.reporting.tables import Column, with_note
from restante.plan.reporting.wording import count, metres, money, share
from restante.plan.siting.comparing import GROUND, Line
from restante.plan.siting.proposal import Proposal


class Words(NamedTuple):
    """How a figure of a comparison is called on a page, and how its numbers are written there."""

    label: str
    note: str
    write: Callable[[float], str]


_PLAIN: Final[Mapping[str, Words]] = {
    "coverage": Words("Parcels that find room", "of all that are sent", share),
    "walk": Words("Mean walk", "one way, of parcels that find room", lambda km: metres(1000 * km)),
    "points": Words("Points", "", count),
    "fullness": Words("Room taken, mean of points", "of what the limit on full leaves", share),
    "turned away": Words("Turned away", "parcels a day that come and find no room", lambda one: count(one, 1)),
    "CO2": Words("CO₂", "", lambda kg: f"{count(kg, 1)}\u202fkg a day"),
    "equity": Words("Worst district", "share of its parcels that find room", share),
    "inequality": Words("Gini of coverage", "by district; 0 is all alike", lambda one: count(one, 3)),
}


def words_of(line: Line, currency: str) -> Words:
    """The words of a figure; its boundary is part of them wherever it has one."""
    if line.name == "cost":
        return Words("Cost a year", line.boundary, lambda minor: money(minor, currency))
    known = _PLAIN[line.name]
    return known._replace(note=line.boundary) if line.boundary else known


def figure_columns(told: Sited) -> tuple[Column, ...]:
    """The columns of figures: what it is, today where it is known, the plan."""
    return (Column(""), *((Column("Today"),) if told.today else ()), Column("Plan", look="on"))


def figure_rows(told: Sited, plan: Proposal, lines: Iterable[Line]) -> Iterator[Sequence[Part]]:
    """The figures on average over the scenarios, then those that a comparison does not have."""
    for line in lines:
        if not line.scenario:
            yield _row(told, words_of(line, plan.currency), (line.one, line.other))
    both = [one for one in (told.today, plan) if one is not None]
    for label, note, tell in _MORE:
        yield _row(told, Words(label, note, str), [tell(told, one) for one in both])


def _row(told: Sited, words: Words, values: Sequence[float | str]) -> Sequence[Part]:
    shown = [one if isinstance(one, str) else words.write(one) for one in values]
    return with_note(words.label, words.note), *(shown if told.today else shown[-1:])


def _doors(told: Sited, plan: Proposal) -> str:
    return count(sum(doors_of(told.city, one.columns) for one in plan.placed))


def _median(told: Sited, plan: Proposal) -> str:
    return metres(median_walk_m(walked(told, plan)))


def _a_parcel(_: Sited, plan: Proposal) -> str:
    year = 365 * plan.served_per_day
    return money(plan.cost_minor_per_year / year if year else math.nan, plan.currency, with_change=True)


_MORE: Final[tuple[tuple[str, str, Callable[[Sited, Proposal], str]], ...]] = (
    ("Doors", "", _doors),
    ("Median walk", "one way, of parcels that find room", _median),
    ("Cost a parcel that finds room", f"{GROUND}; 365 days", _a_parcel),
)
