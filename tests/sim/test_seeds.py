"""The stories of every test run: custody is never lost, whatever befalls the network."""

import pytest

from restante.sim.faults import Kind
from restante.sim.invariants import FINAL
from tests.sim.seeds import tell


@pytest.mark.slow(seconds=60)
@pytest.mark.no_cover  # tracing would double the time, and shorter stories tread the same lines
@pytest.mark.parametrize("first", range(1, 301, 50))
def test_custody_is_never_lost_in_fifty_stories(first: int) -> None:
    """Given links, power, hub, doors and clocks that fail by seed, when all heals, then ground and books agree."""
    asked = tell(range(first, first + 50))
    assert all(asked[rule] >= 50 for rule in FINAL), "every rule was asked in every story"
    assert not [kind.name for kind in Kind if not asked[kind.name.lower().replace("_", "-")]], "every fault came up"
    for rule in ("1:", "2: no intent", "5:", "10:"):
        assert sum(times for name, times in asked.items() if name.startswith(rule)) > 350, rule
