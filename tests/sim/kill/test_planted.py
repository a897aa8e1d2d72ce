"""What the kill proof must catch: a bank that does a thing again after a crash, and a hub that loses or doubles."""

import os
from pathlib import Path

import msgspec
import psycopg
import pytest

from restante.edge.boards.steel import Unlock
from restante.edge.moments import NOWHERE, Moment
from restante.sim.kill.banks import Aim, kill_at, put_up
from restante.sim.kill.judge import Verdict, judge
from restante.sim.kill.network import network
from restante.sim.kill.story import Story

pytestmark = [pytest.mark.enable_socket, pytest.mark.postgres, pytest.mark.slow(seconds=20)]

PULSES_AGAIN = """
from restante.edge.inputs import Woke
from restante.edge.running import MONOTONIC, Running

take = Running.take

def taking(self, given):
    under_way = list(self.agent.state.openings) if isinstance(given, Woke) else []
    take(self, given)
    for door in under_way:
        self._spawn(self._open(door, MONOTONIC.now_ms() + 10_000))

Running.take = taking
"""
"""A bug in the bank: after a crash it tells the lock of an opening that was under way once more, and writes nothing."""

FORGET_THE_LAST_ENTRY = """
    DELETE FROM journal WHERE source = %(source)s::uuid
    AND seq = (SELECT max(seq) FROM journal WHERE source = %(source)s::uuid)"""
FORGET_THE_DEPOSIT = "DELETE FROM event WHERE subject = %(parcel)s::uuid AND convert_from(body, 'UTF8') LIKE %(like)s"
DEPOSIT_AGAIN = """
    INSERT INTO event (lane, seq, recorded_at, at, subject, version, org, schema, actor, command, body)
    SELECT lane, seq + 1000000, recorded_at, at, subject, version, org, schema, actor, command, body FROM event
    WHERE subject = %(parcel)s::uuid AND convert_from(body, 'UTF8') LIKE %(like)s"""


async def judged_after(story: Story, statement: str, *, rows: int = 1) -> Verdict:
    """The verdict on the story once so many of the hub's rows were changed behind everybody's back."""
    given = {"source": story.machine.source, "parcel": story.parcels[0].id, "like": '%"parcel-deposited"%'}
    with psycopg.connect(story.network.dsn) as db:
        assert db.execute(statement, given).rowcount == rows
    return await judge(story)


async def test_planted_losses_and_doubles_are_caught(database: str, tmp_path: Path) -> None:
    """Given a planted bug in a bank, or in what the hub holds of a clean story, when judged, then each is named."""
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "sitecustomize.py").write_text(PULSES_AGAIN)
    async with network(tmp_path / "network", dsn=database) as running:
        path = os.pathsep.join(filter(None, [str(tmp_path / "planted"), os.environ.get("PYTHONPATH", "")]))
        planted = msgspec.structs.replace(running, environ={**running.environ, "PYTHONPATH": path})
        outcome = await kill_at(planted, tmp_path / "banks", Aim("visit", Moment.AFTER_INTENT, 1))
        story = await put_up(running, tmp_path / "clean", NOWHERE)
        await story.play("visit")
        await story.machine.close()
    assert outcome.kills == 1
    assert any("pulsed" in one for one in outcome.verdict.doubled), outcome
    assert not outcome.is_clean
    clean = await judge(story)
    assert (clean.lost, clean.doubled, clean.wrong) == ((), (), ())
    assert len((await judged_after(story, DEPOSIT_AGAIN)).doubled) == 1
    forgotten = await judged_after(story, FORGET_THE_LAST_ENTRY)
    assert len(forgotten.lost) == 1
    assert len((await judged_after(story, FORGET_THE_DEPOSIT, rows=2)).lost) == 2
    story.machine.steel.boot = 1
    story.machine.steel.put(Unlock(1))
    assert any("pulsed" in one for one in (await judge(story)).doubled)
