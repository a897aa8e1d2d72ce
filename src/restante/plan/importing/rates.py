"""What people ask for where only people, houses or passers-by are known."""

import msgspec

ASSUMED_RATES = "assumed: parcels per person and day, their sizes, floor space per person"


class Rates(msgspec.Struct, frozen=True):
    """Parcels of a person and of a passer-by, and how large they are. All assumed, and parameters.

    ``size_shares`` go from the smallest size up and sum to 1.
    """

    parcels_per_person: float = 0.06
    parcels_per_passer_by: float = 0.0005
    floor_m2_per_person: float = 40.0
    size_shares: tuple[float, ...] = (0.55, 0.35, 0.10)
    label: str = ASSUMED_RATES

    def __post_init__(self) -> None:
        assert self.floor_m2_per_person > 0, "people take up room"
        assert min(self.parcels_per_person, self.parcels_per_passer_by, *self.size_shares) >= 0, "no fewer than none"
        assert abs(sum(self.size_shares) - 1) < 1e-9, "every parcel has a size"

    def by_size(self, parcels: float) -> tuple[float, ...]:
        """Parcels a day by size."""
        return tuple(parcels * share for share in self.size_shares)
