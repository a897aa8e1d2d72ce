"""The other half of the stories of every test run."""

import pytest

from tests.sim.seeds import tell


@pytest.mark.slow
@pytest.mark.no_cover  # tracing would double the time, and shorter stories tread the same lines
def test_custody_is_never_lost_in_150_more_stories() -> None:
    """Given links, power, hub, doors and clocks that fail by seed, when all heals, then ground and books agree."""
    tell(range(151, 301))
