"""A hub restored from a backup, a controller lost with its disk, a technician with a key: told, felt, and mended."""

import pytest

from restante.sim import watch
from restante.sim.clock import DAY_MS, HOUR_MS
from restante.sim.faults import Fault, Kind
from restante.sim.run import Outcome, explain, run
from restante.sim.telling import Telling, telling_of


def told_with(seed: int, *faults: Fault) -> Outcome:
    """A story with these faults alone, in which nothing may be breached."""
    told = telling_of(seed)
    outcome = run(seed, telling=Telling(seed, told.plot, faults))
    assert not outcome.violations, explain(outcome)
    return outcome


@pytest.mark.parametrize("seed", [3, 4])
def test_a_restored_hub_hears_everything_again(seed: int) -> None:
    """Given a hub put back by hours, when it starts, then banks tell it again, and what it forgot is claimed."""
    outcome = told_with(seed, Fault(2 * DAY_MS, Kind.HUB_RESTORED, lasts_ms=18 * HOUR_MS))
    assert outcome.felt["hub-restored"] == 1
    assert outcome.checked[watch.NAMED_ONCE] > 10
    came = {kind for counts in outcome.met.values() for kind in counts}
    assert {"stray-deposited", "stray-claimed", "stray-withdrawn"} <= came
    assert outcome.checked["4: hub and bank hold the same entries"] == telling_of(seed).plot.points


def test_a_lost_controller_takes_its_unsent_entries_along() -> None:
    """Given a bank cut off for a day and lost with its disk, when a technician has looked, then all agree again."""
    for seed in range(1, 4):
        cut = Fault(DAY_MS, Kind.LINK_CUT, 0, DAY_MS)
        outcome = told_with(seed, cut, Fault(2 * DAY_MS, Kind.CONTROLLER_LOST, 0, 3 * HOUR_MS))
        assert outcome.felt["controller-lost"] == 1


def test_a_technician_opens_doors_and_takes_nothing() -> None:
    """Given a technician who comes to a bank, when doors are opened with a key, then the bank says so and all agree."""
    outcome = told_with(2, Fault(DAY_MS, Kind.TECHNICIAN_COMES, 0))
    assert outcome.felt == {"technician-comes": 1}
    assert any("door-forced in the book" in counts for counts in outcome.met.values())
