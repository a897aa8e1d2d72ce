"""Codes that people type in stories are judged by the list in force: loaded they open at once, revoked nothing."""

from collections import Counter

from restante.sim.run import explain, run
from restante.sim.typed import PROMPT
from restante.sim.watch import IN_FORCE, REVOKED


def test_the_rules_of_codes_are_asked() -> None:
    """Given some stories, when codes are typed in them, then loaded and revoked ones were judged, and none fails."""
    asked = Counter[str]()
    for seed in range(1, 6):
        outcome = run(seed)
        assert not outcome.violations, explain(outcome)
        asked.update(outcome.checked)
    assert min(asked[rule] for rule in (PROMPT, REVOKED, IN_FORCE)) > 10
