"""Two proposals side by side: coverage, walk, cost, fullness, CO2 with its boundary, and equity."""

from collections.abc import Callable, Sequence

import msgspec

from restante.plan.siting.proposal import District, Proposal


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
    """One figure of both proposals, with its unit and, where there is one, its boundary."""

    name: str
    unit: str
    one: float
    other: float
    boundary: str = ""

    @property
    def change(self) -> float:
        """The other less the one."""
        return self.other - self.one


def compare(one: Proposal, other: Proposal, *, emissions: Emissions | None = None) -> tuple[Line, ...]:
    """What changes from one proposal to the other. They have to be of the same demand and the same currency.

    Emissions are told twice: for the van alone, and with the recipient's way; the second is the honest one.
    """
    assert one.currency == other.currency, "money is compared in one currency"
    grams = emissions or Emissions()
    money = f"{one.currency} minor a year"
    figures: Sequence[tuple[str, str, Callable[[Proposal], float], str]] = (
        ("coverage", "share of parcels", _coverage, ""),
        ("walk", "km a parcel, one way", _walk, ""),
        ("cost", money, lambda each: float(each.cost_minor_per_year), ""),
        ("points", "points", lambda each: float(len(each.placed)), ""),
        ("fullness", "share of the room that the limit leaves, mean of points", _fullness, ""),
        ("turned away", "parcels a day", _turned_away, ""),
        ("CO2", "kg a day", lambda each: _van_kg(each, grams), "van only, to doors and points"),
        ("CO2", "kg a day", lambda each: _van_kg(each, grams) + _car_kg(each, grams), "van and the recipient's way"),
        ("equity", "coverage of the district served least", lambda each: min(_shares(each)), ""),
        ("inequality", "Gini coefficient of coverage by district", lambda each: gini(each.districts), ""),
    )
    return tuple(Line(name, unit, tell(one), tell(other), boundary) for name, unit, tell, boundary in figures)


def gini(districts: Sequence[District]) -> float:
    """The Gini coefficient of coverage over districts, each weighted by its parcels: 0 when all are served alike."""
    weight = sum(each.parcels_per_day for each in districts)
    mean = sum(each.parcels_per_day * each.share for each in districts)
    if not mean:
        return 0.0
    pairs = (a.parcels_per_day * b.parcels_per_day * abs(a.share - b.share) for a in districts for b in districts)
    return sum(pairs) / (2 * weight * mean)


def _coverage(each: Proposal) -> float:
    return each.served_per_day / each.parcels_per_day


def _walk(each: Proposal) -> float:
    return each.walked_km_per_day / each.served_per_day if each.served_per_day else 0.0


def _fullness(each: Proposal) -> float:
    return sum(point.fullness for point in each.placed) / len(each.placed) if each.placed else 0.0


def _turned_away(each: Proposal) -> float:
    return sum(point.turned_away_per_day for point in each.placed)


def _shares(each: Proposal) -> list[float]:
    return [district.share for district in each.districts]


def _van_kg(each: Proposal, grams: Emissions) -> float:
    at_doors = each.parcels_per_day - each.served_per_day
    return (at_doors * grams.door_grams + each.served_per_day * grams.point_grams) / 1000


def _car_kg(each: Proposal, grams: Emissions) -> float:
    return 2 * each.walked_km_per_day * grams.car_share * grams.car_grams_per_km / 1000
