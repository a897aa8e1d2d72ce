"""How long to search, how much of that is spent, and what a search tells on its way."""

import math
from collections.abc import Callable
from typing import Final

import msgspec


def no_clock() -> float:
    """A clock that stands still: only iterations count."""
    return 0.0


FIRST_BITE: Final = 10
"""Iterations before the clock is read for the first time."""


class Effort(msgspec.Struct, frozen=True):
    """How long to search: so many iterations, or so many seconds of a clock, of a wall or of a processor.

    With iterations alone a plan follows from snapshot and seed. The clock is first read when all is compiled, so that
    no limit counts compilation.
    """

    iterations: int = 10**12
    seconds: float = math.inf
    clock: Callable[[], float] = no_clock


class Progress(msgspec.Struct, frozen=True):
    """Where a search stands: the share of its effort, and the best plan so far."""

    share: float
    iterations: int
    vans: int
    metres: float
    unserved: int


def ignore(_: Progress) -> None:
    """Listen to no progress."""


class Spending:
    """How much of an effort is spent, from the making of this on: ``done`` iterations, and seconds of its clock."""

    def __init__(self, effort: Effort) -> None:
        self.effort = effort
        self.done = 0
        self._began_s = effort.clock()

    def share(self) -> float:
        """From 0 to 1, and beyond when the last step took longer than was left."""
        return max(self.done / self.effort.iterations, self._spent_s() / self.effort.seconds)

    def left_s(self) -> float:
        """Seconds that are left, endless where they are not limited."""
        return self.effort.seconds - self._spent_s()

    def bite(self, most: int) -> int:
        """How many iterations to do before the clock is read again: at most so many, and no more than are left.

        Where seconds are limited, it is few at first, and then no more than will be done in time at the speed so far.
        """
        bite = min(most, self.effort.iterations - self.done)
        if math.isfinite(self.effort.seconds):
            spent_s = self._spent_s()
            bite = min(bite, int(self.done * self.left_s() / spent_s) if self.done and spent_s > 0 else FIRST_BITE)
        return max(1, bite)

    def _spent_s(self) -> float:
        return self.effort.clock() - self._began_s
