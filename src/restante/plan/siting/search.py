"""How long a search goes on, from which seed, and what it tells while it runs."""

import math
from collections.abc import Callable

import msgspec

from restante.plan.program import never


class Progress(msgspec.Struct, frozen=True):
    """How far a search is: the stage, the best value found, and what is proven about the best there can be."""

    stage: str
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """The proven distance as a share of the value; 0 when the best is found, infinite when nothing is known."""
        return gap_between(self.value, self.bound)


def nobody(_: Progress) -> None:
    """Nobody listens."""


class Search(msgspec.Struct, frozen=True):
    """What a caller grants a search.

    ``seed`` decides every draw, so the same search of the same snapshot ends alike unless ``stop`` cut it short.
    ``stop`` is asked again and again and ends the search with the best found so far; ``tell`` hears of progress.
    ``rounds`` limits the rounds on prices, ``starts`` the disturbed starts of the local search.
    """

    seed: int = 1
    rounds: int = 2000
    starts: int = 20
    stop: Callable[[], bool] = never
    tell: Callable[[Progress], None] = nobody


def gap_between(value: float, bound: float) -> float:
    """The distance of two numbers as a share of the larger size of the two; 0 when both are 0."""
    if not (math.isfinite(value) and math.isfinite(bound)):
        return math.inf
    scale = max(abs(value), abs(bound))
    return abs(value - bound) / scale if scale else 0.0
