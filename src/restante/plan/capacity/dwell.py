"""How long parcels stay: a chance of being collected for each hour since the notice, learnt from unfinished stays too.

Theory of operation. Time is counted in whole hours since the notice. The hazard, the chance that a parcel still there
is collected within the next hour, is the logistic function of four effects added up: hours waited, hour of the day,
weekday, size. A stay that has not ended says that it was not collected in any hour so far, and nothing of later ones:
that is all that censoring needs. The effects maximise the likelihood of all those hours, less half of ``firmness``
times their squared distance from where they start; with no data they are the start values. Hours of the day are local
ones; the two nights a year that have an hour more or fewer are not told apart.
"""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, logit

WEEK_HOURS: Final = 168
DAY_HOURS: Final = 24
AGES: Final = (*range(24), *range(24, 96, 4), 96, 120, 144, 168)
"""Hours waited at which another effect begins; the last goes on for ever."""

ASSUMED: Final = "assumption: no verified distribution of stays was found in the open"
_STEPS: Final = 100
_FLAT: Final = 1e-8

Real = NDArray[np.float64]
Whole = NDArray[np.int64]


class StartValues(msgspec.Struct, frozen=True):
    """Shares collected within a day and two, before anything is known. Parameters, and assumed: 55-70 %, 85-90 %."""

    within_24_hours: float = 0.62
    within_48_hours: float = 0.87


class Stays(msgspec.Struct, frozen=True):
    """What was seen of stays, one entry of each array for each.

    ``noticed`` is the local hour of the week of the notice (0 is Monday from midnight to one); ``hours`` are whole
    hours since: of a ``collected`` parcel those it waited in full, of another those seen so far. ``size`` is a rank.
    """

    noticed: Whole
    hours: Whole
    collected: NDArray[np.bool_]
    size: Whole


class Dwell(msgspec.Struct, frozen=True):
    """The four effects on the hazard, how many stays they were learnt from, and on what the start values rest."""

    age: tuple[float, ...]
    clock: tuple[float, ...]
    weekday: tuple[float, ...]
    size: tuple[float, ...]
    stays: int = 0
    start: str = ASSUMED


START: Final = StartValues()
"""What is assumed where nobody says otherwise."""


def assumed_dwell(sizes: int, start: StartValues = START) -> Dwell:
    """The dwell before any data: one hazard within a day of the notice, another after that, the same at all hours."""
    assert 0 < start.within_24_hours < start.within_48_hours < 1, "more are collected in two days than in one"
    left = 1 - start.within_24_hours, (1 - start.within_48_hours) / (1 - start.within_24_hours)
    first, later = (float(logit(-math.expm1(math.log(share) / DAY_HOURS))) for share in left)
    age = tuple(first if begins < DAY_HOURS else later for begins in AGES)
    return Dwell(age, (0.0,) * DAY_HOURS, (0.0,) * 7, (0.0,) * sizes)


def hazards(dwell: Dwell, noticed: int, size: int, *, hours: int) -> Real:
    """The chance of being collected within each of the next ``hours`` hours since the notice, if still there."""
    waited = np.arange(hours)
    week = (noticed + waited) % WEEK_HOURS
    effect = np.array(dwell.age)[age_of(waited)] + np.array(dwell.clock)[week % DAY_HOURS]
    chance: Real = expit(effect + np.array(dwell.weekday)[week // DAY_HOURS] + dwell.size[size])
    return chance


def still_there(dwell: Dwell, noticed: int, size: int, *, hours: int) -> Real:
    """The chance to be still there after 0, 1, … ``hours`` hours since the notice."""
    return np.concatenate(([1.0], np.cumprod(1 - hazards(dwell, noticed, size, hours=hours))))


def age_of(waited: Whole) -> Whole:
    """Which entry of ``AGES`` hours waited belong to."""
    return np.searchsorted(AGES, waited, side="right") - 1


def fit_dwell(stays: Stays, start: Dwell, *, firmness: float = 10.0) -> Dwell:
    """The dwell that stays tell of, drawn towards ``start`` where they tell little; by Newton's method."""
    assert firmness > 0, "without any firmness the four effects could shift against each other"
    _check(stays, len(start.size))
    if not len(stays.hours):
        return start
    design, asked, ended = _hours_seen(stays, len(start.size))
    begun = np.concatenate((start.age, start.clock, start.weekday, start.size))
    effects = _climbed(design, asked, ended, begun=begun, firmness=firmness)
    parts = np.split(effects, np.cumsum((len(AGES), DAY_HOURS, 7)))
    age, clock, weekday, size = (tuple(map(float, part)) for part in parts)
    return Dwell(age, clock, weekday, size, len(stays.hours), start.start)


def kaplan_meier(stays: Stays) -> Real:
    """The share still there after 0, 1, … hours, without any model (Kaplan and Meier, JASA 53, 1958).

    It ends with the last hour that somebody was still asked about. The check of whatever is fitted.
    """
    ends = np.bincount(stays.hours[stays.collected])
    # Whoever was collected in an hour was at risk in it; whoever was last seen at its beginning was not.
    last = stays.hours + stays.collected
    at_risk = np.bincount(last)[::-1].cumsum()[::-1][1:]
    ended = np.zeros(len(at_risk))
    ended[: len(ends)] = ends
    return np.concatenate(([1.0], np.cumprod(1 - ended / at_risk)))


def worst_gap(dwell: Dwell, stays: Stays, *, hours: int) -> float:
    """How far the mean of what a dwell says of stays is from Kaplan-Meier, at worst, in the first ``hours``."""
    seen = kaplan_meier(stays)[: hours + 1]
    kinds, counts = np.unique(stays.noticed * len(dwell.size) + stays.size, return_counts=True)
    curves = [still_there(dwell, *divmod(int(kind), len(dwell.size)), hours=len(seen) - 1) for kind in kinds]
    return float(np.abs(counts @ np.array(curves) / counts.sum() - seen).max())


def _check(stays: Stays, sizes: int) -> None:
    columns = (stays.noticed, stays.hours, stays.collected, stays.size)
    assert len({len(column) for column in columns}) == 1, "one entry for each stay"
    assert not len(stays.hours) or stays.hours.min() >= 0, "nobody waits less than no time"
    assert np.isin(stays.noticed, np.arange(WEEK_HOURS)).all(), "a week has 168 hours"
    assert np.isin(stays.size, np.arange(sizes)).all(), "a size is a rank of the ladder"


def _hours_seen(stays: Stays, sizes: int) -> tuple[sparse.csr_array, Real, Real]:
    """The hours in which parcels were there, counted by kind: which effects act, how many hours, how many ended."""
    spans = stays.hours + stays.collected
    whose = np.repeat(np.arange(len(spans)), spans)
    waited = np.arange(len(whose)) - np.repeat(np.cumsum(spans) - spans, spans)
    week = (stays.noticed[whose] + waited) % WEEK_HOURS
    kind = (age_of(waited) * WEEK_HOURS + week) * sizes + stays.size[whose]
    kinds = len(AGES) * WEEK_HOURS * sizes
    asked = np.bincount(kind, minlength=kinds).astype(np.float64)
    ending = stays.collected[whose] & (waited == stays.hours[whose])
    ended = np.bincount(kind[ending], minlength=kinds).astype(np.float64)
    present = np.flatnonzero(asked)
    age, rest = np.divmod(present, WEEK_HOURS * sizes)
    week, size = np.divmod(rest, sizes)
    first = np.cumsum((0, len(AGES), DAY_HOURS, 7))
    acting = np.stack((age, week % DAY_HOURS, week // DAY_HOURS, size), axis=1) + first
    shape = (len(present), int(first[-1]) + sizes)
    design = sparse.csr_array((np.ones(acting.size), acting.ravel(), np.arange(len(present) + 1) * 4), shape=shape)
    return design, asked[present], ended[present]


def _climbed(design: sparse.csr_array, asked: Real, ended: Real, *, begun: Real, firmness: float) -> Real:
    """The effects at the top of the penalised likelihood, which is strictly concave, so there is one top."""

    def height(effects: Real) -> float:
        line = design @ effects
        return float(ended @ line - asked @ np.logaddexp(0, line) - firmness / 2 * ((effects - begun) ** 2).sum())

    effects = begun.copy()
    for _ in range(_STEPS):
        chance = expit(design @ effects)
        slope = design.T @ (ended - asked * chance) - firmness * (effects - begun)
        bend = (design.T * (asked * chance * (1 - chance))) @ design
        step = np.linalg.solve(bend.toarray() + firmness * np.eye(len(begun)), slope)
        if slope @ step < _FLAT:
            break
        reach = 1.0
        while height(effects + reach * step) < height(effects):
            reach /= 2
        effects += reach * step
    return effects
