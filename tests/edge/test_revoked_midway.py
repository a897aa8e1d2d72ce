"""A permission to put in that is revoked while a door stands open for it opens no further one."""

import pytest

from restante.edge.boards.steel import Deed
from restante.edge.drivers.evidence import NotPulsed
from restante.edge.inputs import Choice, Input, OpeningEnded
from tests.edge.rig import COURIER, Rig, deposit


@pytest.mark.parametrize("choice", [Choice.ANOTHER_DOOR, Choice.FULL, Choice.TOO_BIG])
def test_no_next_door_opens_on_a_revoked_permission(choice: Choice) -> None:
    """Given an open door, when the parcel is called off and the courier asks for another one, then none opens."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.code(COURIER)
    rig.scan(1)
    rig.send("d1")
    rig.choose(choice)
    rig.do(1, Deed.PUSH)
    assert rig.pulses == [1]


class Slow(Rig):
    """A bank whose list changes while a lock is told."""

    def feed(self, given: Input) -> None:
        """Take the parcel off the list before the first verdict comes."""
        if isinstance(given, OpeningEnded) and "d1" in self.grants:
            self.send("d1")
        super().feed(given)


@pytest.mark.parametrize("verdict", [NotPulsed("lock-cooling", 3_000), NotPulsed("deadline-passed")])
def test_no_other_door_is_taken_on_a_revoked_permission(verdict: NotPulsed) -> None:
    """Given a lock that was not told, when the parcel is called off meanwhile, then no other door opens for it."""
    rig = Slow()
    rig.install(d1=deposit(1))
    rig.not_pulsed[1] = verdict
    rig.code(COURIER)
    rig.scan(1)
    rig.tick(seconds=5)
    assert rig.pulses == [1]
