"""Every rule can fail: a bug planted in the product's code is noticed within a few seeds, and by the right rule."""

import logging
from io import StringIO

import pytest
from rich.console import Console

from restante.edge import keeping
from restante.sim import catching, noise, typed, visits, watch
from restante.sim.bugs import BUGS, Bug, planted
from restante.sim.invariants import FINAL
from restante.sim.run import NO_BUG_LOGGED, NOTHING_RAISES

# Tracing would double the time; what is planted here says nothing about which lines the real code runs.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

WATCHED = {
    watch.FLUSHED,
    watch.ONCE,
    watch.NAMED_ONCE,
    watch.IN_TIME,
    watch.SHUT,
    watch.FOUND,
    watch.GUESSES,
    watch.IN_FORCE,
    watch.REVOKED,
}
TYPED = {typed.PROMPT, typed.PROMPT_ALONE, noise.READERS}
MET = {visits.USED_CODE, visits.WRONG_CODE, visits.OWN_DOOR, visits.FREE_DOOR}


CAUGHT_BY = {
    "names promises again after a restore": 13,
    "gives grants that were spent before a restore": 83,
    "tells the lock late": 12,
    "chooses compartments in doubt": 13,
    "takes entries as they come": 11,
    "takes lists backwards": 14,
    "counts days of 24 hours": 11,
    "lets a code open twice": 17,
    "tells of no fork": 35,
    "asks the hub before a door": 17,
    "remembers codes of earlier lists": 43,
    "believes every code": 9,
    "keeps bytes that make no sense": 13,
    "lets a round outlive its code": 43,
}
"""The seed to begin with, where the first ones tell nothing of the bug; a later one is found by itself."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.does)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    """Given a bug that breaks one rule, when stories are told, then one of the first breaches that rule."""
    assert catching.caught(bug, first=CAUGHT_BY.get(bug.does, 1)) is not None


def test_every_rule_has_a_bug_that_it_must_catch() -> None:
    """Given the rules asked in a story, then each is named by a planted bug."""
    assert {*FINAL, *WATCHED, *MET, *TYPED, NOTHING_RAISES, NO_BUG_LOGGED} == {bug.rule for bug in BUGS}


def test_each_of_the_ten_rules_has_a_bug() -> None:
    """Given the ten rules of the protocol, then each is named by a planted bug, and the proof says so by number."""
    assert {number for bug in BUGS if (number := catching.number_of(bug.rule))} == set(range(1, 11))


def test_what_was_planted_is_taken_out_again() -> None:
    """Given a bug that was planted, when its time is over, then the product's code is as it was."""
    real = keeping.entry_parts
    with planted(BUGS[0]):
        assert keeping.entry_parts is not real
    assert keeping.entry_parts is real


def test_a_bug_that_nothing_catches_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a change that breaks nothing, when bugs are planted, then that is said and the exit code is 1."""
    harmless = Bug("does nothing", "custody is never lost", ())
    monkeypatch.setattr(catching, "BUGS", (harmless,))
    console = Console(file=StringIO(), width=200)
    assert catching.main(most=1, console=console) == 1
    assert not logging.root.manager.disable, "what is logged after it is heard again"
    assert isinstance(console.file, StringIO)
    assert "does nothing: not caught in 1 seeds" in console.file.getvalue()
