"""Two proposals side by side: coverage, walk, cost, fullness, CO2 with its boundary, and equity."""

from collections.abc import Callable, Sequence

import msgspec

from restante.plan.siting.proposal import Day, District, Proposal


class Emissions(msgspec.Struct, frozen=True):
    """Grams of CO2: assumptions all of them, printed with every figure made of them.

    A parcel brought to a door costs the van so much, one brought to a point so much; of those who collect, a share
    comes by car for the parcel alone, and drives there and back at so much a kilometre.
    """

    door_grams: float = 230.0
    point_grams: float = 70.0
    car_share: float = 0.1
    car_grams_per_km: float = 160.0


class Line(msgspec.Struct, frozen=True):
    """One figure of both proposals, with its unit, its boundary where there is one, and its scenario; "" is all."""

    name: str
    unit: str
    one: float
    other: float
    boundary: str = ""
    scenario: str = ""

    @property
    def change(self) -> float:
        """The other less the one."""
        return self.other - self.one


Figure = Callable[[Proposal, Day, Emissions], float]
GROUND = "ground and columns; neither vans nor staff, and the same in every scenario"
FIGURES: tuple[tuple[str, str, Figure, str], ...] = (
    ("coverage", "share of parcels", lambda _, day, __: _share(day.served_per_day, day.parcels_per_day), ""),
    ("walk", "km a parcel, one way", lambda _, day, __: _share(day.walked_km_per_day, day.served_per_day), ""),
    ("cost", "{currency} minor a year", lambda whole, _, __: float(whole.cost_minor_per_year), GROUND),
    ("points", "points", lambda whole, _, __: float(len(whole.placed)), ""),
    ("fullness", "share of the room that the limit leaves, mean of points", lambda _, day, __: day.fullness, ""),
    ("turned away", "parcels a day", lambda _, day, __: day.turned_away_per_day, ""),
    ("CO2", "kg a day", lambda _, day, grams: _van_kg(day, grams), "van only, to doors and points"),
    (
        "CO2",
        "kg a day",
        lambda _, day, grams: _van_kg(day, grams) + _car_kg(day, grams),
        "van and the recipient's way",
    ),
    ("equity", "coverage of the district served least", lambda _, day, __: min(map(_covered, day.districts)), ""),
    ("inequality", "Gini coefficient of coverage by district", lambda _, day, __: gini(day.districts), ""),
)
"""Name, unit, how it is told of a proposal and a day, and its boundary."""


def compare(one: Proposal, other: Proposal, *, emissions: Emissions | None = None) -> tuple[Line, ...]:
    """What changes from one proposal to the other. They have to be of the same demand and the same currency.

    First on average over the scenarios; then, where a proposal has several, for each that both know by name.
    Emissions are told twice: for the van alone, and with the recipient's way; the second is the honest one.
    """
    assert one.currency == other.currency, "money is compared in one currency"
    grams, known = emissions or Emissions(), {day.scenario: day for day in other.days}
    pairs = [(_average(one), _average(other))]
    if max(len(one.days), len(other.days)) > 1:
        pairs += [(day, known[day.scenario]) for day in one.days if day.scenario in known]
    return tuple(
        Line(
            name=name,
            unit=unit.format(currency=one.currency),
            one=tell(one, day, grams),
            other=tell(other, then, grams),
            boundary=boundary,
            scenario=day.scenario,
        )
        for day, then in pairs
        for name, unit, tell, boundary in FIGURES
    )


def gini(districts: Sequence[District]) -> float:
    """The Gini coefficient of coverage over districts, each weighted by its parcels: 0 when all are served alike."""
    weight = sum(each.parcels_per_day for each in districts)
    mean = sum(each.parcels_per_day * each.share for each in districts)
    if not mean:
        return 0.0
    pairs = (a.parcels_per_day * b.parcels_per_day * abs(a.share - b.share) for a in districts for b in districts)
    return sum(pairs) / (2 * weight * mean)


def _average(whole: Proposal) -> Day:
    """A proposal's averages over its scenarios, in the shape of a day."""
    return Day(
        scenario="",
        weight=1.0,
        parcels_per_day=whole.parcels_per_day,
        served_per_day=whole.served_per_day,
        walked_km_per_day=whole.walked_km_per_day,
        turned_away_per_day=sum(point.turned_away_per_day for point in whole.placed),
        fullness=sum(point.fullness for point in whole.placed) / max(1, len(whole.placed)),
        districts=whole.districts,
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _covered(district: District) -> float:
    return district.share


def _van_kg(day: Day, grams: Emissions) -> float:
    at_doors = day.parcels_per_day - day.served_per_day
    return (at_doors * grams.door_grams + day.served_per_day * grams.point_grams) / 1000


def _car_kg(day: Day, grams: Emissions) -> float:
    return 2 * day.walked_km_per_day * grams.car_share * grams.car_grams_per_km / 1000
