"""Size classes: a network's ladder of compartments, in millimetres, and what fits into them."""

import msgspec

from restante.core.refusals import Refusal


class Dimensions(msgspec.Struct, frozen=True):
    """The three sides of a parcel or of the inside of a compartment."""

    width_mm: int
    height_mm: int
    depth_mm: int

    def sides(self) -> tuple[int, int, int]:
        """The sides from shortest to longest: two boxes nest by rotation exactly when these compare side by side."""
        a, b, c = sorted((self.width_mm, self.height_mm, self.depth_mm))
        return a, b, c


class SizeClass(msgspec.Struct, frozen=True):
    """One rung of the ladder: the inside of its compartments and the weight they may carry."""

    name: str
    inside: Dimensions
    max_weight_grams: int


class Ladder(msgspec.Struct, frozen=True):
    """Size classes from the smallest up; each holds whatever the one below it holds. A rank is an index into it."""

    classes: tuple[SizeClass, ...]

    def rank(self, name: str) -> int | None:
        """The rank of the class called ``name``."""
        return next((rank for rank, rung in enumerate(self.classes) if rung.name == name), None)


def fits(parcel: Dimensions, inside: Dimensions) -> bool:
    """Whether a box goes into another, turned onto whichever sides suit."""
    (a, b, c), (x, y, z) = parcel.sides(), inside.sides()
    return a <= x and b <= y and c <= z


def smallest_rank(ladder: Ladder, parcel: Dimensions, weight_grams: int) -> int | Refusal:
    """The lowest rank that takes the parcel.

    Refusals: ``parcel-too-large`` when no class holds its sides, ``parcel-too-heavy`` when none of those can carry it.
    """
    for rank, rung in enumerate(ladder.classes):
        if weight_grams <= rung.max_weight_grams and fits(parcel, rung.inside):
            return rank
    if any(fits(parcel, rung.inside) for rung in ladder.classes):
        return Refusal("parcel-too-heavy", "weight_grams", f"{weight_grams} g")
    return Refusal("parcel-too-large", "dimensions", f"{parcel.sides()} mm")


def is_ladder(ladder: Ladder) -> bool:
    """Whether every class nests in the next and carries no less: what the rest of the house relies on."""
    pairs = zip(ladder.classes, ladder.classes[1:], strict=False)
    return all(fits(low.inside, high.inside) and low.max_weight_grams <= high.max_weight_grams for low, high in pairs)
