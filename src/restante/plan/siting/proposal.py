"""What siting hands back: an immutable proposal with its bound, or what cannot be met and the best relaxed plan."""

from collections.abc import Mapping

import msgspec

from restante.core.refusals import Refusal
from restante.plan.siting.search import gap_between


class Placed(msgspec.Struct, frozen=True):
    """One point: its site, its columns by kind of module, its yearly cost, and a day there on average.

    ``fullness`` is the share of the room that its parcels take, in the scarcest up-set of sizes; 1 is the limit set by
    the chance of "full".
    """

    site: str
    columns: Mapping[str, int]
    cost_minor_per_year: int
    parcels_per_day: float
    turned_away_per_day: float
    fullness: float


class District(msgspec.Struct, frozen=True):
    """A district: parcels a day sent there, and how many of them find room at a point."""

    name: str
    parcels_per_day: float
    served_per_day: float

    @property
    def share(self) -> float:
        """The share that finds room; 1 where nothing is sent."""
        return self.served_per_day / self.parcels_per_day if self.parcels_per_day else 1.0


class Day(msgspec.Struct, frozen=True):
    """A day in one scenario, not weighted: what is sent and served, how far people walk for it, what is turned away.

    ``weight`` is the scenario's share of the average; ``fullness`` the mean, over points that are open that day, of the
    share of the room that is taken in the scarcest up-set of sizes.
    """

    scenario: str
    weight: float
    parcels_per_day: float
    served_per_day: float
    walked_km_per_day: float
    turned_away_per_day: float
    fullness: float
    districts: tuple[District, ...]


class Proposal(msgspec.Struct, frozen=True):
    """Where points stand and how large they are, and how far at most that is from the best.

    ``value`` is the objective in the model's unit and ``bound`` what no plan of the model named in ``bound_of``
    exceeds. ``unreached_per_day`` are parcels of cells that no site reaches: they are in the demand all the same.
    All of that is the average over the scenarios; ``days`` tells each scenario by itself.
    """

    model: str
    objective: str
    value: float
    bound: float
    bound_of: str
    seed: int
    assumptions: tuple[str, ...]
    placed: tuple[Placed, ...]
    districts: tuple[District, ...]
    parcels_per_day: float
    served_per_day: float
    walked_km_per_day: float
    unreached_per_day: float
    cost_minor_per_year: int
    currency: str
    days: tuple[Day, ...] = ()

    @property
    def gap(self) -> float:
        """The proven distance to the best, as a share of the bound."""
        return gap_between(self.value, self.bound)


class Unmet(msgspec.Struct, frozen=True):
    """What was asked for cannot be met: which constraint, by how much, and the best plan without it, if any."""

    refusal: Refusal
    asked: float
    possible: float
    relaxed: Proposal | None

    @property
    def short_by(self) -> float:
        """By how much the constraint is missed."""
        return self.asked - self.possible
