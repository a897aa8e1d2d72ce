"""The drill of a failover counts what it is to count, and a real one ends with nothing lost that was replicated."""

from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from restante.core.ids import CommandId
from restante.sim import failover
from restante.sim.failover import Standing, Trial, doubled, lost, main, read_standing
from restante.sim.failover_load import Answer

A, B = CommandId("a"), CommandId("b")
FEED = {(0, 1): A, (0, 2): B, (0, 3): B}
TRIAL = Trial(3, "on", 100, 50.0, 0, 0, 0, 0, (), 0.5, 0.4, 0)


def test_an_answer_whose_events_are_gone_is_lost() -> None:
    """Given answers, when their events are absent or another command's, then they are lost; a refusal never is."""
    answers = [
        Answer(A, 1.0, ((0, 1),)),
        Answer(A, 2.0, ((0, 2),)),
        Answer(B, 3.0, ((0, 9),)),
        Answer(B, 4.0, (), "no"),
    ]
    assert lost(answers, FEED) == 2


def test_more_events_than_were_answered_are_doubled() -> None:
    """Given a command that stands in the feed more often than its answer said, then it was doubled."""
    assert doubled([Answer(A, 1.0, ((0, 1),)), Answer(B, 2.0, ((0, 2), (0, 3)))], FEED) == 0
    assert doubled([Answer(B, 2.0, ((0, 2),))], FEED) == 1
    assert doubled([Answer(A, 2.0, (), "refused")], FEED) == 1


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        ({}, False),
        ({"lost": 1}, True),
        ({"lost": 1, "choice": "local"}, False),
        ({"doubled": 1, "choice": "local"}, True),
        ({"findings": ("head lane 0",)}, True),
        ({"answered": 0}, True),
    ],
)
def test_a_drill_fails_by_what_never_may_happen(told: dict[str, object], failed: bool) -> None:
    """Given what a drill came to, then loss fails it with the choices that wait for a replica, the rest with all."""
    standing = Standing({})
    standing.add(msgspec.structs.replace(TRIAL, **told))
    assert standing.failed == ([3] if failed else [])


@pytest.mark.slow(seconds=10)
@pytest.mark.postgres
def test_a_failover_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a hub under load that awaits its replica, when the leader is killed, then every answer stands once."""
    monkeypatch.setattr(failover, "_SMALL", {"shared_buffers": "16MB", "fsync": "off"})
    monkeypatch.setattr(failover, "_BEFORE_S", (0.2, 0.3))
    monkeypatch.setattr(failover, "CALLERS", 4)
    console = Console(quiet=True)
    assert main(minutes=None, seeds="3", folder=tmp_path, console=console) == 0
    (account,) = tmp_path.iterdir()
    with account.open("a") as file:
        file.write('{"seed": 4, "cho')
    assert read_standing(account).trials[3].choice == "on"
    assert main(minutes=0, seeds=None, folder=tmp_path, console=console) == 0, "what stands in the account is enough"
    with pytest.raises(ValueError, match="no seed"):
        main(minutes=None, seeds="2-1", folder=tmp_path, console=console)
