"""Safe overbooking: the limit is kept in simulation, one promise more would break it, and larger room helps smaller."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.plan.capacity.overbooking import Prospect, chance_full, safe_overbooking

TYPICAL = Prospect(
    compartments=(20, 14, 6),
    staying=((0.7, 0.4, 0.2) * 5, (0.5, 0.3) * 5, (0.6,) * 4),
    coming=((0.95,) * 4, (0.9,) * 3, (0.9,)),
)

drops = st.builds(
    lambda sizes: Prospect(*(tuple(part) for part in zip(*sizes, strict=True))),
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.lists(st.floats(0, 1), max_size=5).map(tuple),
            st.lists(st.floats(0, 1), max_size=5).map(tuple),
        ),
        min_size=1,
        max_size=4,
    ),
)


def _with(prospect: Prospect, size: int, more: int, *, comes: float) -> Prospect:
    coming = list(prospect.coming)
    coming[size] += (comes,) * more
    return Prospect(prospect.compartments, prospect.staying, tuple(coming))


@given(drops, st.floats(0.05, 1), st.floats(0.001, 0.5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_most_that_is_safe(prospect: Prospect, comes: float, limit: float, rank: int) -> None:
    """So many keep the limit, one more would break it, and none are safe only where it is broken already."""
    size = rank % len(prospect.compartments)
    found = safe_overbooking(prospect, size, comes=comes, limit=limit)
    assert found.chance_full == pytest.approx(chance_full(_with(prospect, size, found.more, comes=comes)), abs=1e-12)
    assert found.chance_full <= limit or found.more == 0
    assert found.chance_full_beyond > limit


@pytest.mark.parametrize("size", [0, 1, 2])
def test_full_at_the_drop_no_more_often_than_allowed(size: int) -> None:
    """Given 40,000 drops drawn by a seed, when parcels are put in from the largest, then as many fail as was said."""
    limit, chance = 0.05, np.random.default_rng(size)
    found = safe_overbooking(TYPICAL, size, comes=0.9, limit=limit)
    drop = _with(TYPICAL, size, found.more, comes=0.9)
    rounds = 40_000
    room, full = np.zeros(rounds), np.zeros(rounds, dtype=bool)
    for count, staying, coming in zip(drop.compartments[::-1], drop.staying[::-1], drop.coming[::-1], strict=True):
        lying = (chance.random((rounds, len(staying))) < staying).sum(axis=1)
        due = (chance.random((rounds, len(coming))) < coming).sum(axis=1)
        room = room + count - lying - due
        full |= room < 0
    spread = 4 * np.sqrt(limit * (1 - limit) / rounds)
    assert full.mean() == pytest.approx(found.chance_full, abs=spread)
    assert full.mean() <= limit + spread
    assert found.more > 0


def test_a_smaller_parcel_may_use_larger_room() -> None:
    """With no small compartment at all, small parcels are promised the large ones; the other way round nothing is."""
    empty: tuple[tuple[float, ...], ...] = ((), ())
    assert safe_overbooking(Prospect((0, 5), empty, empty), 0, comes=1, limit=0.01).more == 5
    assert safe_overbooking(Prospect((5, 0), empty, empty), 1, comes=1, limit=0.01).more == 0


def test_what_seldom_comes_is_promised_beyond_the_compartments() -> None:
    """Ten compartments take more than ten promises of which a fifth never come, and the chance says at what risk."""
    found = safe_overbooking(Prospect((10,), ((),), ((),)), 0, comes=0.8, limit=0.05)
    assert found.more == 10
    assert safe_overbooking(Prospect((10,), ((),), ((),)), 0, comes=0.8, limit=0.1).more == 11
    assert found.chance_full_beyond == pytest.approx(0.8**11)


@pytest.mark.parametrize(("comes", "limit"), [(0.0, 0.1), (1.1, 0.1), (0.5, 0.0), (0.5, 1.0)])
def test_what_is_no_chance_is_a_bug(comes: float, limit: float) -> None:
    """A promise that nobody keeps has no end, and a limit of none allows nothing."""
    with pytest.raises(AssertionError):
        safe_overbooking(TYPICAL, 0, comes=comes, limit=limit)
