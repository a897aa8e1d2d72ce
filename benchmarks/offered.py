"""Work that is offered at a fixed rate, whoever keeps up with it, and whether a network sustained it.

Theory of operation. The n-th life is due at its instant whether or not those before it were answered, and every wait
counts from there: a network that stalls is charged for all who came meanwhile. What is not done piles up somewhere, so
a rate is sustained when all of it was accepted and no pile was high or still growing when time was over.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Final

import msgspec

LEAST_ACCEPTED: Final = 0.97
GROWTH: Final = 1.5
BOUNDS: Final[Mapping[str, float]] = {
    "oldest task, s": 10.0,
    "latest timer, s": 10.0,
    "commands queued": 2_000.0,
    "feed reader behind, events": 20_000.0,
    "journal entries not acknowledged": 2_000.0,
    "lives begun late, s": 1.0,
}
"""The most of each pile at which people still get what they wait for; a judgement of this benchmark."""


class Sample(msgspec.Struct, frozen=True):
    """One look: seconds since the beginning, transitions accepted so far, and every pile."""

    at_s: float
    transitions: int
    piles: dict[str, float]


class Verdict(msgspec.Struct, frozen=True):
    """What came of an offered rate, in transitions a second, and why it was not sustained, the first pile first."""

    offered: float
    accepted: float
    reasons: tuple[str, ...]

    @property
    def is_sustained(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def due(begun_s: float, rate: float, number: int) -> float:
    """When the life of this number is due, at so many a second."""
    return begun_s + number / rate


def due_by(begun_s: float, rate: float, now_s: float) -> int:
    """How many lives are due by now."""
    return max(0, int((now_s - begun_s) * rate) + 1) if now_s >= begun_s else 0


def judge(samples: Sequence[Sample], offered: float, *, warm_s: float) -> Verdict:
    """Whether a rate was sustained, by what was seen later than ``warm_s``, when everything is under way."""
    warm = [one for one in samples if one.at_s >= warm_s]
    if len(warm) < 4:
        return Verdict(offered, 0.0, ("too few looks to tell",))
    seconds = warm[-1].at_s - warm[0].at_s
    accepted = (warm[-1].transitions - warm[0].transitions) / seconds
    return Verdict(offered, round(accepted, 1), (*_piled_up(warm), *_short(accepted, offered)))


def _piled_up(warm: Sequence[Sample]) -> Iterator[str]:
    half = len(warm) // 2
    for name, bound in BOUNDS.items():
        before, after = (fmean(one.piles.get(name, 0.0) for one in part) for part in (warm[:half], warm[half:]))
        if after > bound:
            yield f"{name}: {after:,.1f}, bound {bound:,.0f}"
        elif after > bound / 4 and after > GROWTH * before:
            yield f"{name}: still growing, {before:,.1f}, then {after:,.1f}"


def _short(accepted: float, offered: float) -> Iterator[str]:
    if accepted < LEAST_ACCEPTED * offered:
        yield f"accepted {accepted:,.1f} a second of {offered:,.1f}"


def highest(verdicts: Sequence[Verdict]) -> float:
    """The highest rate below which every offered rate was sustained; 0 if the lowest was not."""
    best = 0.0
    for verdict in sorted(verdicts, key=lambda one: one.offered):
        if not verdict.is_sustained:
            break
        best = verdict.offered
    return best
