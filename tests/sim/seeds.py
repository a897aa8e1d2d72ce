"""Many seeds told one after the other, and what a failing one has to say for itself."""

from collections.abc import Iterable

from restante.sim.prove import Account
from restante.sim.run import explain, run


def tell(seeds: Iterable[int]) -> Account:
    """Tell these stories and fail at the first that breaches; what they come to."""
    account = Account()
    for seed in seeds:
        outcome = run(seed)
        assert not outcome.violations, "\n" + explain(outcome)
        account.add(outcome)
    return account
