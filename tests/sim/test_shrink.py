"""The story of a failing seed is made small: what does not matter to the breach goes, and the rule stays the same."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from restante.core import adoption
from restante.sim import shrink
from restante.sim.clock import DAY_MS
from restante.sim.faults import Kind
from restante.sim.plot import Bent
from restante.sim.shrink import Search, in_words
from restante.sim.telling import Telling, telling_of


def smallest(seed: int, breaches: Callable[[Telling], bool], *, most: int = 10_000) -> Telling:
    """The smallest story of a seed for which this is so; nothing is told, for the breach is made up."""
    return shrink.shrink(Search(telling_of(seed), breaches, most=most))


def kinds(telling: Telling) -> set[Kind]:
    """Which faults a story has."""
    return {fault.kind for fault in telling.faults}


def seed_with(*wanted: Kind) -> int:
    """The first seed whose story has these faults."""
    return next(seed for seed in range(1, 1000) if set(wanted) <= kinds(telling_of(seed)))


def test_only_the_faults_that_matter_are_left() -> None:
    """Given a breach that takes two faults, when the story is shrunk, then these two are left and no parcel."""
    pair = {Kind.LINK_CUT, Kind.HUB_KILLED}
    found = smallest(seed_with(*pair), lambda told: pair <= kinds(told))
    assert kinds(found) == pair
    assert (len(found.faults), found.plot.errands, found.plot.rounds) == (2, (), ())
    assert found.plot.points == 2
    assert all(fault.lasts_ms <= 120_000 for fault in found.faults)
    assert [len(ranks) for ranks in found.plot.doors] == [1, 1]


def test_only_the_parcels_that_matter_are_left() -> None:
    """Given a breach that takes two parcels, when the story is shrunk, then they are left with plain people."""
    pair = {errand.number for errand in telling_of(4).plot.errands[1:3]}
    found = smallest(4, lambda told: pair <= {errand.number for errand in told.plot.errands})
    assert {errand.number for errand in found.plot.errands} == pair
    assert {errand.bent for errand in found.plot.errands} == {Bent.PLAIN}
    assert all(errand.announced_ms < found.plot.days * DAY_MS for errand in found.plot.errands)


@pytest.mark.parametrize("seed", range(1, 30))
def test_every_story_on_the_way_can_be_told(seed: int) -> None:
    """Given any story tried, then its parcels and faults name points that there are, and no parcel its point twice."""

    def breaches(told: Telling) -> bool:
        points = told.plot.points
        assert all(fault.source < points for fault in told.faults)
        assert all(each.point < points for each in told.plot.rounds)
        for errand in told.plot.errands:
            assert errand.point != errand.other
            assert max(errand.point, errand.other) < points
        return len(told.plot.errands) % 3 != 1

    smallest(seed, breaches)


def test_the_search_ends_when_its_tellings_are_used_up() -> None:
    """Given a limit, when it is reached, then what was found so far is the answer."""
    told: list[Telling] = []

    def breaches(telling: Telling) -> bool:
        told.append(telling)
        return True

    found = smallest(4, breaches, most=3)
    assert len(told) == 3
    assert found == told[-1]


def test_nothing_smaller_than_what_breaches_is_given_back() -> None:
    """Given a breach that takes the whole story, when it is shrunk, then it stays whole."""
    whole = telling_of(4)
    assert smallest(4, lambda told: told == whole) == whole


def test_a_story_is_told_in_words() -> None:
    """Given a story, when it is put into words, then every parcel, round and fault of it has a line."""
    telling = telling_of(seed_with(Kind.LINK_CUT))
    plot, season = telling.plot, telling.season
    lines = 1 + (season.changes_at is not None) + plot.points
    assert len(list(in_words(telling))) == lines + len(plot.errands) + len(plot.rounds) + len(telling.faults)
    assert any("the link is cut, for" in line for line in in_words(telling))


@pytest.mark.slow(seconds=12)
@pytest.mark.no_cover
def test_a_planted_bug_shrinks_to_one_parcel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an adoption that drops withdrawals, when a failing story is shrunk, then one parcel tells it all."""
    monkeypatch.setattr(adoption, "_taken_out", lambda command, taken, world: [])
    console = Console(file=StringIO(), width=200)
    assert shrink.main(1, most=40, console=console) == 1
    assert isinstance(console.file, StringIO)
    told = console.file.getvalue()
    assert "0 faults, 1 parcels" in told
    assert "custody is never lost" in told


def test_a_sound_seed_has_nothing_to_shrink() -> None:
    """Given a seed that breaches nothing, when it is to be shrunk, then that is said and the exit code is 0."""
    console = Console(file=StringIO(), width=200)
    assert shrink.main(1, console=console) == 0
