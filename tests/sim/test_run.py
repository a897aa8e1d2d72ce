"""A story is decided by its seed, is told on real stores as well, and says what was breached when something was."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from restante.sim.ground import Hands
from restante.sim.run import explain, run
from restante.sim.world import World
from restante.store.postgres import open_ledger

# Tracing would double the time, and one story of each kind is traced already.
UNTRACED = pytest.mark.no_cover


@pytest.mark.parametrize("seed", [3, pytest.param(17, marks=UNTRACED)])
def test_the_same_seed_tells_the_same_story(seed: int) -> None:
    """Given a seed, when its story is told twice, then both agree in every byte that was sent and every line told."""
    first, second = run(seed), run(seed)
    assert first.trace == second.trace
    assert (first.steps, first.faults, first.checked) == (second.steps, second.faults, second.checked)


def test_another_seed_tells_another_story() -> None:
    """Given two seeds, when their stories are told, then they differ."""
    assert run(1).trace != run(2).trace


@pytest.mark.parametrize("seed", [5, pytest.param(18, marks=UNTRACED)])
def test_books_on_a_disk_tell_the_same_story_as_books_in_memory(seed: int) -> None:
    """Given a seed, when its banks keep their books in SQLite, then not a byte of the story changes."""
    with tempfile.TemporaryDirectory() as folder:
        on_disk = run(seed, books=Path(folder))
    assert not on_disk.violations, explain(on_disk)
    assert on_disk.trace == run(seed).trace


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=UNTRACED) for seed in (2, 4, 6, 7, 10))])
def test_stories_hold_on_a_real_postgresql(database: str, seed: int) -> None:
    """Given a seed, when the hub's truth is kept in a real PostgreSQL, then custody is not lost there either."""
    loop = asyncio.new_event_loop()
    opened = open_ledger(database, writers=2, readers=2)
    try:
        ledger = loop.run_until_complete(opened.__aenter__())
        outcome = run(seed, ledger=ledger, loop=loop)
        loop.run_until_complete(opened.__aexit__(None, None, None))
    finally:
        loop.close()
    assert not outcome.violations, explain(outcome)


def test_a_breach_is_told_with_seed_rule_and_story() -> None:
    """Given a parcel that vanishes from behind a door, when the story is judged, then seed, rule and story are told."""

    def thief(world: World) -> None:
        def steal() -> None:
            for machine in world.machines:
                for door in range(1, machine.steel.doors + 1):
                    for parcel in world.ground.behind(machine.source, door):
                        world.ground.move(parcel, Hands.STRANGER)
                        return

        world.clock.at(60 * 3_600_000, steal)

    outcome = run(1, plant=thief)
    assert any("custody is never lost" in violation for violation in outcome.violations)
    told = explain(outcome)
    assert "seed 1 breaches" in told
    assert "day " in told
