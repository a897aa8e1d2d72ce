"""Doors as sensors and conditions tell of them: two agreeing readings settle what a door is; the unseen is unknown."""

from collections import Counter
from collections.abc import Mapping

from restante.core import facts
from restante.core.bank import Ability, Compartment, CompartmentState, Condition, SourceKind
from restante.core.facts import MAX_STAYS_NAMED
from restante.core.ids import ParcelId, StayKey
from restante.edge.draft import Draft
from restante.edge.drivers.port import UNSEEN, Door, DoorReading, Item
from restante.edge.state import OpenStay, SeenDoor, State

_UNSEEN = SeenDoor()
_ABILITIES = {ability.value: ability for ability in Ability}


def compartments(state: State) -> dict[int, Compartment]:
    """The compartments of the manifest in force, by door."""
    listed = () if state.manifest is None else state.manifest.manifest.compartments
    return {
        one.door: Compartment(
            door=one.door,
            size=one.size,
            reach_height_mm=one.reach_height_mm,
            abilities=tuple(_ABILITIES[name] for name in one.abilities if name in _ABILITIES),
            capacity=one.capacity,
        )
        for one in listed
    }


def compartment_states(state: State) -> list[CompartmentState]:
    """What is known of each compartment; one with something in it that nobody put there counts as full."""
    held = Counter(stay.door for stay in state.stays.values())
    coming = Counter(opening.door for opening in state.openings.values())
    return [
        CompartmentState(
            compartment=compartment,
            condition=state.conditions.get(door, Condition.IN_ORDER),
            door_shut=is_shut(state, door),
            parcels=compartment.capacity if _is_taken(state, door, held[door]) else held[door] + coming[door],
        )
        for door, compartment in compartments(state).items()
    ]


def is_shut(state: State, door: int) -> bool:
    """Whether the door is known to be shut; a shelf place has none, so nothing stands open there."""
    return state.kind is SourceKind.COUNTER or state.seen.get(door, _UNSEEN).settled.door is Door.CLOSED


def stays_behind(state: State, door: int) -> list[OpenStay]:
    """The parcels that lie behind a door."""
    return [stay for stay in state.stays.values() if stay.door == door]


def note_condition(draft: Draft, door: int, condition: Condition) -> None:
    """Journal that a compartment went out of order or came back, if that is news."""
    state = draft.state
    compartment = compartments(state).get(door)
    if compartment is None or state.conditions.get(door, Condition.IN_ORDER) is condition:
        return
    held: list[tuple[ParcelId, StayKey]] = [(stay.parcel, stay.key) for stay in stays_behind(state, door)]
    named = tuple(held[:MAX_STAYS_NAMED])
    seen = facts.ConditionSeen(door, compartment.room_class, compartment.capacity, condition, named)
    draft.record(seen)
    draft.put(conditions={**state.conditions, door: condition})


def look(draft: Draft, readings: Mapping[int, DoorReading]) -> list[tuple[int, Door, Door]]:
    """Take one look at the doors; which of them are settled anew: door, before, now."""
    seen, moved = dict(draft.state.seen), []
    for door, reading in readings.items():
        before = seen.get(door, _UNSEEN)
        after = SeenDoor(_settled(before, reading), reading)
        if after != before:
            seen[door] = after
        if after.settled.door is not before.settled.door:
            moved.append((door, before.settled.door, after.settled.door))
    if seen != draft.state.seen:
        draft.put(seen=seen)
    return moved


def saw_open(draft: Draft, door: int) -> None:
    """The driver's own agreeing readings saw the door open."""
    reading = DoorReading(Door.OPEN, Item.UNKNOWN)
    draft.put(seen={**draft.state.seen, door: SeenDoor(reading, reading)})


def item_behind(state: State, door: int) -> Item:
    """What the content sensor says, if there is one."""
    if state.kind is SourceKind.COUNTER:
        return Item.UNKNOWN
    return state.seen.get(door, _UNSEEN).settled.item


def clear_doubt(draft: Draft, readings: Mapping[int, DoorReading]) -> None:
    """A compartment in doubt that sensors see shut and empty is in order again."""
    for door in readings:
        state = draft.state
        if state.conditions.get(door) is not Condition.UNKNOWN or stays_behind(state, door):
            continue
        if is_shut(state, door) and item_behind(state, door) is Item.NO and door not in state.openings:
            note_condition(draft, door, Condition.IN_ORDER)


def _settled(before: SeenDoor, reading: DoorReading) -> DoorReading:
    door = reading.door if reading.door is before.last.door else before.settled.door
    item = reading.item if reading.item is before.last.item else before.settled.item
    return UNSEEN if (door, item) == (Door.UNKNOWN, Item.UNKNOWN) else DoorReading(door, item)


def _is_taken(state: State, door: int, held: int) -> bool:
    return not held and item_behind(state, door) is Item.YES
