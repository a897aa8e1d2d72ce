"""A small sample of the kill proof: every named moment is reached, and a few kills on the real programs are judged."""

import asyncio
from pathlib import Path

import pytest

from restante.edge.moments import Moment
from restante.sim.kill.banks import Aim, kill_at
from restante.sim.kill.network import network
from restante.sim.kill.prove import all_reached

pytestmark = [pytest.mark.enable_socket, pytest.mark.postgres, pytest.mark.slow(seconds=25)]

SAMPLE = (Aim("visit", Moment.AFTER_PULSE, 3), Aim("visit", Moment.BEFORE_DEPOSIT, 1))


async def test_every_moment_is_reached_and_a_kill_loses_and_doubles_nothing(database: str, tmp_path: Path) -> None:
    """Given banks on the real programs, when all acts are played and some banks killed, then nothing is lost."""
    async with network(tmp_path / "network", dsn=database) as running:
        found, outcomes = await asyncio.gather(
            all_reached(running, tmp_path / "banks"),
            asyncio.gather(*(kill_at(running, tmp_path / "banks", aim) for aim in SAMPLE)),
        )
    assert set().union(*found.values()) == {moment.value for moment in Moment}
    for outcome in outcomes:
        assert outcome.is_clean, outcome
        assert outcome.kills == 1
