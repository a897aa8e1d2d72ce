"""Many seeds told one after the other, and what a failing one has to say for itself."""

from collections import Counter
from collections.abc import Iterable

from restante.sim.run import explain, run


def tell(seeds: Iterable[int]) -> Counter[str]:
    """Tell these stories and fail at the first that breaches; how often each rule was asked, and each fault came up."""
    asked = Counter[str]()
    for seed in seeds:
        outcome = run(seed)
        assert not outcome.violations, "\n" + explain(outcome)
        asked.update(outcome.checked)
        asked.update(outcome.faults)
    return asked
