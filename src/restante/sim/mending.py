"""What is done after something was lost for good: a hub put back as a backup has it, and doors looked into by hand.

A restored hub has lost the commands that came after the backup; its banks tell it all facts again. So carriers announce
anew what it does not know, and claim what lies at a point under such a name; couriers' codes are issued again. What
went through hands while the hub did not know of it at all is known to nobody, and left out of the comparison.

A controller that is lost with its disk takes along what it had not sent. What it handed out unheard is known to nobody;
what it took in unheard a technician finds, who opens every door in doubt with a key and gives it back.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from restante.core.bank import Condition
from restante.core.commands import ClaimStray
from restante.core.ids import CommandId, ParcelId, PointId, SourceId, StayKey
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice, Chosen, Inspected
from restante.sim.clock import HOUR_MS, MINUTE_MS, SECOND_MS
from restante.sim.cupboard import FragileRows, MemoryAttempts, MemoryVault
from restante.sim.folk import begins_with
from restante.sim.ground import Behind
from restante.sim.machine import Machine
from restante.sim.visits import Walk

if TYPE_CHECKING:
    from restante.sim.world import World

_FINDS_OUT_MS: Final = 40 * MINUTE_MS
_AGAIN_MS: Final = HOUR_MS
_MOST_VISITS: Final = 24


class Backup(msgspec.Struct, frozen=True):
    """The rows of a hub as they were, and the log epochs of its sources then."""

    rows: Mapping[str, Any]
    vault: Mapping[str, Any]
    attempts: Mapping[str, Any]
    epochs: Mapping[int, int]


def back_up(world: "World") -> Backup | None:
    """A backup of everything the hub keeps; None where a story is told on a real database."""
    stores = world.hub.stores
    if not isinstance(stores.ledger, FragileRows):
        return None
    assert isinstance(stores.vault, MemoryVault)
    assert isinstance(stores.attempts, MemoryAttempts)
    return Backup(stores.ledger.back_up(), _copied(vars(stores.vault)), _copied(vars(stores.attempts)), world.epochs())


def restore(world: "World", backup: Backup) -> bool:
    """Put the hub back and start it with a later epoch of its own; whether it was done.

    A controller replaced since counts as forked afterwards and would be replaced once more; no story goes that far.
    """
    stores = world.hub.stores
    if not isinstance(stores.ledger, FragileRows) or backup.epochs != world.epochs():
        return False
    world.hub.kill()
    stores.ledger.restore(backup.rows)
    vars(stores.vault).update(_copied(backup.vault))
    vars(stores.attempts).update(_copied(backup.attempts))
    world.shelf.restore()
    world.issue_codes_again()
    world.clock.after(MINUTE_MS, world.start_hub)
    world.clock.after(_FINDS_OUT_MS, partial(announce_again, world))
    return True


def announce_again(world: "World") -> None:
    """Carriers announce what the hub does not know, and claim what lies at a point under such a name."""
    items = list(world.folk.items.values())
    if world.hub.process is None or not world.hub.is_reachable():
        world.clock.after(_AGAIN_MS, partial(announce_again, world))
        return
    known = world.hub.parcels([item.id for item in items])
    for item in items:
        if item.id in known:
            continue
        world.story.tell(f"{item.code} is announced again")
        spot = world.ground.spots[item.id]
        if not isinstance(spot, Behind) and spot is not begins_with(item.errand):
            world.ground.unseen.add(item.id)
        world.folk.announce_again(item, partial(_claim, world, item.id))


def _claim(world: "World", parcel: ParcelId) -> None:
    """Claim every stay that a point holds under the name of a parcel that it did not know."""
    for point, key in _strays(world, parcel):
        command = ClaimStray(CommandId(f"claim:{key}"), "operator", world.clock.now, parcel, point=point, stay=key)
        world.hub.submit([command])


def _strays(world: "World", parcel: ParcelId) -> Iterator[tuple[PointId, StayKey]]:
    rooms = world.hub.rooms(world.points)
    for point, room in rooms.items():
        yield from ((point, _key_of(name)) for name, stray in room.strays.items() if stray.parcel == parcel)


def _key_of(name: str) -> StayKey:
    source, epoch, seq = name.split("/")
    return StayKey(SourceId(source), int(epoch), int(seq))


# --- at a point


def call_technician(world: "World", number: int, *, until_done: bool) -> None:
    """A technician looks into every door in doubt, and into one more; ``until_done`` again until none is in doubt."""
    machine = world.machines[number]

    def come(visits: int) -> None:
        if machine.is_on and not machine.is_out_of_service and _has_list(machine):
            world.folk.walk(_look_into_doors(world, machine, world.rounds[0, number]))
        if until_done and visits < _MOST_VISITS:
            world.clock.after(_AGAIN_MS, partial(_unless_done, world, machine, partial(come, visits + 1)))

    come(0)


def _unless_done(world: "World", machine: Machine, come: Callable[[], None]) -> None:
    if not _has_list(machine) or _in_doubt(machine) or _unknown_behind(world, machine):
        come()


def _has_list(machine: Machine) -> bool:
    """Whether the controller knows what is to lie behind its doors; before that nobody can say what should not."""
    return machine.agent is not None and machine.agent.state.manifest is not None


def _in_doubt(machine: Machine) -> list[int]:
    if machine.agent is None:
        return []
    return sorted(door for door, one in machine.agent.state.conditions.items() if one is not Condition.IN_ORDER)


def _unknown_behind(world: "World", machine: Machine) -> list[tuple[ParcelId, int]]:
    """What lies behind doors and is in no list of the controller."""
    if machine.agent is None:
        return []
    listed = {stay.parcel for stay in machine.agent.state.stays.values()}
    doors = range(1, machine.steel.doors + 1)
    found = ((parcel, door) for door in doors for parcel in world.ground.behind(machine.source, door))
    return [(parcel, door) for parcel, door in found if parcel not in listed]


def _look_into_doors(world: "World", machine: Machine, code: str) -> Walk:
    """Open a round, look into doors with a key, give back what nobody knows of, and say that they are in order."""
    step = world.doorstep
    yield from step.queue(machine)
    try:
        is_open = machine.steel.staffed or (yield from step.open_round(machine, code))
        if not is_open:
            return
        unknown = _unknown_behind(world, machine)
        for door in sorted({*_in_doubt(machine), *(door for _, door in unknown), 1}):
            machine.steel.touch(door, Deed.MEND)
            machine.steel.touch(door, Deed.FORCE)
            yield 2 * SECOND_MS
            for parcel in (parcel for parcel, at in unknown if at == door):
                if world.ground.spots[parcel] == Behind(machine.source, door):
                    machine.steel.take(parcel, door, step.hands_of(parcel))
                    world.story.tell(f"a technician finds {step.codes[parcel]} behind door {door} and gives it back")
            machine.steel.touch(door, Deed.PUSH)
            yield 2 * SECOND_MS
            machine.give(Inspected(door))
        machine.give(Chosen(Choice.CLOSE_ROUND))
    finally:
        step.leave(machine)


def _copied(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The dictionaries among these, copied with what in them may change."""
    return {name: _copy_of(rows) for name, rows in kept.items() if isinstance(rows, dict)}


def _copy_of(rows: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: copy(row) if isinstance(row, dict) else row for key, row in rows.items()}
