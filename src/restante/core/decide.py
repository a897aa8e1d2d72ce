"""The one way from a command to its events: decide, then fold the events back into the rows."""

from typing import assert_never

from restante.core import commands as cmd
from restante.core.adoption import adopt, advance
from restante.core.custody import Decision, decide_parcel
from restante.core.provisioning import decide_point, decide_source
from restante.core.world import World, apply


def decide(command: cmd.AnyCommand, world: World) -> Decision:
    """What follows from a command, given the rows it names: events, or the refusal that names the rule."""
    if isinstance(command, cmd.ParcelCommand):
        return decide_parcel(command, world)
    match command:
        case cmd.AdoptFact():
            return adopt(command, world)
        case cmd.NoteContact() | cmd.ReportFork() | cmd.StartEpoch() | cmd.SettlePointCase() | cmd.OpenPointCase():
            return decide_source(command, world)
        case cmd.ProvisionPoint() | cmd.ChangePoint() | cmd.InstallSource() | cmd.AddModule():
            return decide_point(command, world)
        case _:
            assert_never(command)


def execute(command: cmd.AnyCommand, world: World) -> Decision:
    """Decide and, unless refused, change the rows: the events are folded in and a fact's source moves its head."""
    decision = decide(command, world)
    if not isinstance(decision, list):
        return decision
    for event in decision:
        apply(world, event, command.at)
    if isinstance(command, cmd.AdoptFact):
        advance(command, world)
    return decision
