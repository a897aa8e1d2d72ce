"""A book that cannot be written for a while: what happened meanwhile is not lost, and work goes on by itself."""

import pytest

from restante.edge.book_file import BookFull
from restante.edge.inputs import Outward, Unlock, Woke
from restante.edge.keeping import KeptAgent, next_boot
from restante.edge.screens import OUT_OF_SERVICE
from tests.edge.rig import COURIER, Crash, Rig, at_work, deposit


def power_goes(effect: Outward) -> None:
    """The power goes before the lock is told."""
    if isinstance(effect, Unlock):
        raise Crash


async def test_a_start_that_could_not_be_written_down_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk that fills up as the program starts, when there is space again, then the start is told as ever."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.before_outward = power_goes
    with pytest.raises(Crash):
        rig.scan(1)
    running = at_work(rig, KeptAgent(rig.book))
    running.boot = next_boot(rig.book)
    with monkeypatch.context() as full:
        full.setattr(rig.book, "step", lambda: (_ for _ in ()).throw(BookFull()))
        running.take(Woke("test"))
        assert running.screen == OUT_OF_SERVICE
    running._try_the_book()
    assert running.fault is None
    last = rig.facts("started")[-1]
    assert (last.boot, len(last.data["unfinished"])) == (running.boot, 1)
    assert running.agent.state.openings == {}
    await running.stop()
